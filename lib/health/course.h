/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Course: what must outlive plimsolld of a container: its restarts, how it ended, and what is
 * proven of it.
 *
 * A stop of ours explains an end only while the restart that it belongs to is under way, and a
 * person's start begins the budget anew: lib/health/restart and lib/health/ending know nothing of
 * each other, and whoever moves one of them moves the other by these. Begins as zeroes. Pure.
 */

#include "lib/health/ending.h"
#include "lib/health/facts.h"
#include "lib/health/machine.h"
#include "lib/health/restart.h"

/* An engine that is busy answers late, and what it does meanwhile is ours all the same. */
#define PL_COURSE_ANSWER_USEC (5 * PL_USEC_PER_MIN)

/* Somebody else's act just before ours is seen, too. */
#define PL_COURSE_LOOK_USEC (10 * PL_USEC_PER_SEC)

typedef struct PlCourse {
        PlRestart restart;
        PlEnding ending;
        PlProof proof;
} PlCourse;

/** pl_course_step() - pl_restart_step(); when a restart has come to its end, nothing that happens
 * from now on is its doing. */
PlRestartVerb pl_course_step(PlCourse *c, const PlRestartRules *rules, const PlRestartFacts *facts,
                             PlNow now, uint32_t random, uint64_t *ret_usec);

/** pl_course_turn() - pl_restart_turn(); the stop that follows is our own. */
PlRestartVerb pl_course_turn(PlCourse *c, const PlRestartRules *rules, const PlRestartFacts *facts,
                             PlNow now);

/** pl_course_answered() - pl_restart_answered(), and what the answer says of the end. */
void pl_course_answered(PlCourse *c, int error, PlNow now, uint32_t random);

/** pl_course_recall() - it was read from disk: whatever was under way then, its answer is lost. */
void pl_course_recall(PlCourse *c, uint64_t now_usec);

/** pl_course_look_since() - how far back does a look go, in what the engine remembers?
 *
 * Whoever ended it asked for that at most its stop timeout before the end, and may have stopped it
 * since; what came before the run is of no interest. @i: as it was last inspected.
 * Return: CLOCK_REALTIME. */
uint64_t pl_course_look_since(const PlCourse *c, const PlInspected *i, uint64_t realtime_usec);

/** pl_course_event() - fold one of the engine's events. A start of what was stopped on request, or
 * given up, begins the budget anew, unless the engine's own restart policy has started it.
 * @restart_policy: "always"; "" */
void pl_course_event(PlCourse *c, const char *restart_policy, const PlEvent *event);

/** pl_course_has_moved() - Return: whether what must outlive plimsolld is another than it was. */
bool pl_course_has_moved(const PlCourse *was, const PlCourse *c);
