/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Tell: which values to keep from systemd and the engine for now.
 *
 * Both write what they are told into the cgroup at once, and systemd again at each reload. With a
 * memory limit below usage that kills, which is what the planner squeezes and waits to avoid. So we
 * tell a limit only after reading it back from the kernel: then their write changes nothing.
 *
 * Pure: no I/O, clock or logging; equal inputs give equal answers. Inputs are borrowed.
 */

#include "lib/limits/plan.h"

/**
 * pl_tell_withheld() - limits that the kernel does not hold
 * @want:  desired values, devices as MAJ:MIN
 * @have:  what was read last; NULL: there is no group to read
 * @lives: processes of the container may run, even if their group was not found
 * @page:  page size in bytes
 *
 * Values that can do no harm (CPU, I/O, protections) are never withheld, and neither are those that
 * the kernel has no file for.
 *
 * Return: mask of 1 << PlResource.
 */
uint32_t pl_tell_withheld(const PlLimits *want, const PlReading *have, bool lives, uint64_t page);

/**
 * pl_tell_by_hand() - limits that the policy does not name and somebody has written by hand
 * @systemd: what systemd knows of them, and writes again with the first property that is set
 * @have:    what was read of them, of a container that has started
 *
 * systemd would write its own, and a lower one kills. So it is told these along with ours.
 *
 * Return: mask of 1 << PlResource, of pl_tell_harsh() alone.
 */
uint32_t pl_tell_by_hand(const PlLimits *systemd, const PlReading *have, uint64_t page);

/** pl_tell_harsh() - limits that kill, throttle, or make fork() fail where more is in use. Return:
 * mask of 1 << PlResource. */
uint32_t pl_tell_harsh(void);

/**
 * pl_tell_withheld_from_engine() - the same for the engine, whose memory and swap go together
 * @told:     what it would be told: as wanted, or its own original values where they are given back
 * @engine:   what it has (pl_container_limits()); its memory goes along with a swap limit alone
 * @withheld: from pl_tell_withheld()
 *
 * Its own original can be lower than what the kernel had before plimsoll, because somebody had
 * raised that by hand. It must wait until the container does not run. So must a swap limit alone,
 * where memory is another in the kernel than the engine would write.
 *
 * Return: mask of 1 << PlResource.
 */
uint32_t pl_tell_withheld_from_engine(const PlLimits *told, const PlLimits *engine,
                                      const PlReading *have, uint32_t withheld, uint64_t page);
