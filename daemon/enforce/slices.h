/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Slices: what stands above containers and takes the effect of their values away: slices that
 * protect no memory (lib/limits/protection.h), and disks whose scheduler knows no weights.
 *
 * Said once for the host, and a finding while it is so. A slice's own value is changed only where
 * the policy has ProtectSlice=yes, through systemd, and what was there is on disk before.
 */

#include "enforce/context.h"

/** pl_slices_new() - with what an earlier plimsolld has left to give back. Return: 0, -ENOMEM. */
int pl_slices_new(PlEnforcer *e, PlSlices **ret);
PlSlices *pl_slices_free(PlSlices *s); /* Return: NULL */

/** pl_slices_look() - something has changed: the next pl_slices_update() has something to do.
 * @again: the sweep: what is not in force is told once more, and what helped not is said */
void pl_slices_look(PlEnforcer *e, bool again);

/** pl_slices_update() - compare, say, raise, give back, where there is reason to. */
void pl_slices_update(PlEnforcer *e);

/** pl_slices_answered() - systemd's answer; @error: 0 or negative errno. */
void pl_slices_answered(PlEnforcer *e, int error, const char *message);

/** pl_slices_wait() - is an answer of systemd's due, or a look that waits for it? It refuses what a
 * caller asks who has gone. */
bool pl_slices_wait(const PlEnforcer *e);

/** pl_slices_finding() - by number, from 0. Return: borrowed; NULL: no more. */
const char *pl_slices_finding(const PlEnforcer *e, unsigned i);
