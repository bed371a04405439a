/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Backoff: how long to wait before the next attempt at something that failed.
 *
 * Pure: the random number comes from the caller.
 */

#include "lib/base/macro.h"

/**
 * pl_backoff_usec() - exponential with jitter
 * @attempt:  failures so far, from 0; the wait doubles with each
 * @base_usec, @max_usec: the first and the longest wait; base <= max
 * @random:   any number, evenly spread; half of the wait is left to it, so that many that failed
 *            together do not come back together
 *
 * Return: microseconds, between half of the nominal wait and all of it. Cannot fail.
 */
uint64_t pl_backoff_usec(unsigned attempt, uint64_t base_usec, uint64_t max_usec, uint64_t random);
