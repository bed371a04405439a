/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Past: what plimsolld has written down about services, read while it does not run.
 */

#include "ctl/cli.h"
#include "lib/evidence/memory.h"

/**
 * pl_ctl_past() - of the service that NAME means, from plimsolld's files
 *
 * They are asked where no daemon answers at its usual socket, or --state names them; whoever may
 * read them may ask. It says on stderr that the daemon does not run. Nothing is written.
 *
 * @error: why the daemon could not be asked
 * @ret:   owned by the caller
 * Return: -1: here it is; an exit status: it was said why there is nothing.
 */
int pl_ctl_past(const PlCtl *ctl, int error, PlMemory **ret);
