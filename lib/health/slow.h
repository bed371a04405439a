/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Slow: does a limit of ours hold back what is starting?
 *
 * What is kept below what it would use takes longer than its start period, and is as alive as
 * before: the limit is the cause, and neither a dispute nor a restart helps. The kernel counts
 * both: periods in which a group had used up its quota, and reclaims because of memory.high. Pure.
 */

#include "lib/base/macro.h"

#define PL_SLOW_TEXT_MAX 128

/* What the kernel says at one moment. Counters: PL_UNLIMITED is unknown. */
typedef struct PlSlowReading {
        uint64_t usec; /* CLOCK_MONOTONIC */
        uint64_t cpu_usec, n_throttled;
        uint64_t memory_bytes, n_high;
        /* limits that the policy has set and the kernel holds; PL_UNLIMITED: none */
        uint64_t quota_usec; /* CPU time in a second */
        uint64_t period_usec;
        uint64_t high_bytes;
} PlSlowReading;

/* Begins as zeroes, at each start of the container. */
typedef struct PlSlow {
        PlSlowReading since;         /* what the next one is compared with */
        bool judged;                 /* there is a text, were it an empty one */
        char text[PL_SLOW_TEXT_MAX]; /* "CPUQuota=8% holds it back: …"; "": nothing does */
} PlSlow;

/** pl_slow_take() - one more reading. It may come as often as it likes: it is judged by some
 * seconds. Return: slow->text, NULL where that is "". */
const char *pl_slow_take(PlSlow *slow, const PlSlowReading *now);
