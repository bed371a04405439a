/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Desired: what one container's values should be, from the policy and from what was there before.
 *
 * A value that the policy no longer names but plimsoll once set goes back to what it was; a value
 * that plimsoll never touched stays unset, which means: leave alone.
 */

#include "lib/limits/resource.h"

/**
 * pl_desired_limits() - the load line of one container
 * @section:  limits of the section that governs it, or NULL
 * @managed:  mask of 1 << PlResource that plimsoll has set on this container before
 * @original: what those values were before plimsoll; an unset one goes back to pl_resource_fresh()
 * @memory:   the hierarchy that holds memory
 * @ret:      replaced
 * @ret_restoring: mask of values that are being given back, not held
 *
 * Return: 0 or -ENOMEM (then *ret is untouched).
 */
int pl_desired_limits(const PlLimits *section, uint32_t managed, const PlLimits *original,
                      PlHierarchy memory, PlLimits *ret, uint32_t *ret_restoring);

/**
 * pl_desired_spare() - hold what comes from [Defaults] to what the container was given at creation
 * @want: changed in place; devices by path, or MAJ:MIN, on both sides
 * @by_default: mask of 1 << PlResource: these come from [Defaults]
 * @created: what its creator said; NULL: not known yet, and then they are not wanted either
 *
 * What is for everybody never raises a limit that somebody has set for this one: of CPUQuota,
 * MemoryHigh, MemoryMax, MemorySwapMax, TasksMax and bandwidths the tighter one holds; of all
 * others the creator's.
 *
 * Return: 0 or -ENOMEM.
 */
int pl_desired_spare(PlLimits *want, uint32_t by_default, const PlLimits *created);

/** pl_desired_raised() - which limits of its creator does the policy raise? Of those that
 * pl_desired_spare() compares; devices are not. Return: mask of 1 <<
 * PlResource. */
uint32_t pl_desired_raised(const PlLimits *want, uint32_t by_default, const PlLimits *created);
