/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Runs: who has started a container again, and how often.
 *
 * Told from inspections alone, so that a lost event does no harm: a new start time is a new run,
 * and the engine counts what its own restart policy does. Begins as zeroes. Pure.
 */

#include "lib/base/macro.h"
#include "lib/docker/container.h"

typedef struct PlRuns {
        uint64_t by_plimsolld, by_engine, by_others;
        bool known;            /* what follows is of the last inspection */
        uint64_t started_usec; /* CLOCK_REALTIME; 0: never */
        unsigned engine_count; /* the engine begins anew when somebody else starts it */
} PlRuns;

/** pl_runs_inspect() - @own: our own restart is under way, and had begun no new run yet */
void pl_runs_inspect(PlRuns *r, const PlContainer *c, bool own);
