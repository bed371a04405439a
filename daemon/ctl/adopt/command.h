/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * plimsollctl adopt-logs.
 */

#include "ctl/cli.h"

int pl_ctl_cmd_adopt(PlCtl *ctl); /* Return: an exit status */
