/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Freezer: does a container's group stand still, by its own control file? The engine's pause is
 * one who uses it; backups, debuggers and persons are others, of whom the engine knows nothing.
 */

#include "lib/base/macro.h"

/** pl_cg_freezer_find() - the control file of a container's group
 * @ret: owned by the caller
 * Return: 0; -ENOENT: it has none; -ESRCH: gone; -EXDEV: outside of what our cgroup namespace
 * shows; -errno. */
int pl_cg_freezer_find(pid_t pid, const char *id, char **ret);

/** pl_cg_freezer_is_v1() - of such a file. */
bool pl_cg_freezer_is_v1(const char *file);

/** pl_cg_freezer_is_frozen() - Return: 1: all of it stands still; 0; -errno. */
int pl_cg_freezer_is_frozen(const char *file);
