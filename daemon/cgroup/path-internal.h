/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Cgroup paths, inside: shared by cg-mounts.c and cg-path.c alone. */

#include "cgroup/path.h"

/* The kernel's names; io is blkio on v1. */
extern const char *const pl_cg_v1_names[_PL_CONTROLLER_N];

/** Is name one of the words of a list? */
bool pl_cg_list_has(const char *list, const char *separators, const char *name);

/** Frees each distinct pointer of a table once. */
void pl_cg_free_shared(char *table[static _PL_CONTROLLER_N]);
