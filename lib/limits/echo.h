/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Echo: values that come back from what we have told the other owners ourselves.
 *
 * An update by the engine makes runc write all values as it knows them, and systemd writes all
 * properties of a scope: what was right when it was told, and not what the kernel was given since.
 * While such a call is under way, a value that is one of those told is our own doing.
 *
 * Pure: no I/O, clock or logging. Inputs are borrowed.
 */

#include "lib/limits/plan.h"

/**
 * pl_echo_of() - which values in force are those that were told
 * @told: what an owner may be writing just now
 * @have: what was read
 * @page: page size in bytes
 *
 * On v1 memory and its sum with swap are two files, and a reading may come between two writes: swap
 * counts as told when either memory or the sum is.
 *
 * Return: mask of 1 << PlResource.
 */
uint32_t pl_echo_of(const PlLimits *told, const PlReading *have, uint64_t page);
