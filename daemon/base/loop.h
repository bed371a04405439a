/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Loop: runs the event loop and measures each of its turns.
 *
 * All of plimsolld that is not the worker is one thread. A turn that takes long makes everything
 * else wait: limits, probes, the watchdog. So the longest is kept, with what it was, and one that
 * is too long is told. CPU time is told beside it: on a loaded host a turn takes long because it is
 * not let run, or because a disk is slow.
 */

#include <systemd/sd-event.h>

#include "lib/base/macro.h"

#define PL_LOOP_LONG_USEC (100 * PL_USEC_PER_MSEC)

typedef struct PlLoopTurn {
        uint64_t usec, cpu_usec; /* how long it took, and the thread's own part of that */
        uint64_t at_usec;        /* CLOCK_REALTIME, its end; 0: there was none */
        const char *doing;       /* static */
} PlLoopTurn;

/** pl_loop_doing() - what this turn is about, from here on. @what: static, for people: "limits" */
void pl_loop_doing(const char *what);

/** pl_loop_longest() - of all turns since the first. */
const PlLoopTurn *pl_loop_longest(void);

/**
 * pl_loop_run() - as sd_event_loop(3)
 * @told: one took PL_LOOP_LONG_USEC or more, and longer than any before: so it is called ever more
 *        rarely
 */
int pl_loop_run(sd_event *event, void (*told)(const PlLoopTurn *turn));
