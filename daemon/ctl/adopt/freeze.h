/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Adoption's freezer: containers stand still.
 */

#include "ctl/adopt/files.h"

/** pl_adopt_freezer_find() - the control file of a container's group
 * @ret: owned by the caller; "" when it is frozen already and so not ours to thaw
 * Return: 0; -ENOENT: it has none; -ESRCH: gone; -errno. */
int pl_adopt_freezer_find(pid_t pid, const char *id, char **ret);
/** pl_adopt_freeze() - 0 when all of the group stands still; -ETIMEDOUT; -ENOENT: gone */
int pl_adopt_freeze(const char *file);
/** pl_adopt_thaw_all() - of the record. Return: 0 or the first error; a group that is gone is none.
 */
int pl_adopt_thaw_all(const PlAdoptJournal *j);
