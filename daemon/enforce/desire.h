/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Desire: the values that a container is to have, in the terms of this host. */

#include "enforce/context.h"

/** pl_desire() - h->want from the policy in force. Return: 0, -ENOMEM. */
int pl_desire(PlEnforcer *e, PlHeld *h);
