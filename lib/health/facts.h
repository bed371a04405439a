/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Facts: from what is known of a container to what the state machines of health and of restarts
 * take. Pure: the daemon and the test that simulates lives share it.
 */

#include "lib/health/ending.h"
#include "lib/health/machine.h"
#include "lib/health/restart.h"

/* What is kept of an inspection: there may be thousands of containers. */
typedef struct PlInspected {
        PlPhase phase;
        PlHealthcheck healthcheck;
        uint64_t stop_timeout_usec;
        int exit_code;
        uint64_t created_usec, started_usec, finished_usec; /* CLOCK_REALTIME */
        char restart_policy[16];
        char name[64]; /* quoted */
        bool auto_remove;
        pid_t main_pid; /* of the present run, or the last one; 0: not known */
} PlInspected;

/* Two clocks at one moment. */
typedef struct PlNow {
        uint64_t monotonic_usec, realtime_usec;
} PlNow;

/** pl_inspected_take() - what a new inspection says; @i has what the last one said, or zeroes */
void pl_inspected_take(PlInspected *i, const PlContainer *c);

/**
 * pl_health_facts() - what the engine says, and why it is so
 * @run_again: OnExit=restart
 * Return: facts without those that others know: staleness, probe, run's start, OOM kills, texts,
 *         dependencies, limits.
 */
PlHealthFacts pl_health_facts(const PlInspected *i, const PlEnding *e, const PlRestart *r,
                              bool run_again, uint64_t realtime_usec);

/** pl_restart_facts() - Return: facts but for staleness, and when it was inspected and measured.
 * @probed: our probe asks it. @replaced: docker compose is about to. */
PlRestartFacts pl_restart_facts(const PlInspected *i, const PlHealth *h, const PlEnding *e,
                                bool probed, bool replaced, PlNow now);
