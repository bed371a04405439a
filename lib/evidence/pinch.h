/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Pinch: a limit that holds a service back without killing it.
 *
 * A scheduler at its limit of tasks fails to fork and lives on, half dead; one at its quota is
 * slow; one that is reclaimed again and again waits for its own pages. Nothing ends, so nothing
 * else tells. The kernel counts all of it, and a look once a minute is enough. Pure: time is a
 * parameter.
 */

#include "lib/base/macro.h"

typedef enum PlPinchKind {
        PL_PINCH_TASKS, /* pids.events: forks that were refused */
        PL_PINCH_CPU,   /* cpu.stat: throttled in a large part of five minutes */
        /* memory.events, where memory.pressure says that its tasks wait for it: a cache alone fills
         * every limit, and harms nobody. v2 alone has both */
        PL_PINCH_MEMORY_HIGH,
        PL_PINCH_MEMORY_MAX,
        _PL_PINCH_N,
} PlPinchKind;

/* PL_UNLIMITED: unknown; of limits: none. */
typedef struct PlPinchMemory {
        uint64_t usec; /* as below */
        uint64_t n_high, n_max, n_kills;
        uint64_t high_bytes, max_bytes;
        uint64_t waited_usec; /* some task of it, for memory */
} PlPinchMemory;

/* At one moment. PL_UNLIMITED: unknown; of limits: none. */
typedef struct PlPinchReading {
        uint64_t usec; /* of a clock that only goes on */
        uint64_t n_refused, tasks_max;
        uint64_t n_throttled, quota_usec, period_usec; /* quota: CPU time in a second */
        PlPinchMemory memory;                          /* but for its usec */
} PlPinchReading;

/* Begins as zeroes, at each start of the container; pl_pinches_clear() makes it so again. */
typedef struct PlPinches {
        struct {
                uint64_t usec, n_refused, tasks_max;
        } last; /* of tasks */
        struct {
                uint64_t usec, n_throttled, quota_usec;
        } since;               /* of CPU: where its five minutes began */
        PlPinchMemory memory;  /* of memory: the same */
        uint64_t refused_usec; /* when forks were refused last; 0: not */
        bool on[_PL_PINCH_N];
        char *text[_PL_PINCH_N];    /* the finding, owned; NULL where it is not on */
        uint64_t need[_PL_PINCH_N]; /* what the limit would have to be, in its unit */
} PlPinches;

typedef struct PlPinchInfo {
        const char *limit; /* "TasksMax" */
        const char *cause; /* a word or two: "forks refused" */
        bool told;         /* by somebody else, when it begins: lib/oom tells of pressure in time */
} PlPinchInfo;

/** pl_pinch_info() - Return: never NULL. */
const PlPinchInfo *pl_pinch_info(PlPinchKind k);

void pl_pinches_clear(PlPinches *p);

/** pl_pinch_take() - one more reading. Return: mask of 1 << PlPinchKind of what has begun or ended
 * with it. */
unsigned pl_pinch_take(PlPinches *p, const PlPinchReading *now);
