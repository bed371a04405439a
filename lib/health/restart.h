/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Restart: whether, and when, to restart what is broken.
 *
 * A budget bounds restarts within a window, a backoff spaces them out, and when the budget is spent
 * it gives up and reports that once. It never competes with the engine's own restart policy and
 * never brings back what a person has stopped.
 */

#include "lib/base/macro.h"
#include "lib/docker/container.h"

#define PL_RESTART_BACKOFF_USEC     (5 * PL_USEC_PER_SEC) /* after the first; doubles */
#define PL_RESTART_BACKOFF_MAX_USEC (5 * PL_USEC_PER_MIN)
#define PL_RESTART_ENGINE_USEC      (5 * PL_USEC_PER_SEC) /* the engine's own reaction takes less */
#define PL_RESTART_TIMES_MAX        32 /* largest budget that is counted; larger ones are cut */

typedef enum PlOnUnhealthy {
        PL_ON_UNHEALTHY_NONE,
        PL_ON_UNHEALTHY_RESTART,
        PL_ON_UNHEALTHY_UNIT, /* unit:NAME */
} PlOnUnhealthy;

/* "3/10min": at most 3 in any 10 minutes. */
typedef struct PlBudget {
        unsigned n;
        uint64_t window_usec;
} PlBudget;

typedef enum PlRestartVerb {
        PL_RESTART_NOTHING,
        PL_RESTART_WAIT,    /* due at *ret_usec */
        PL_RESTART_NOW,     /* restart it; counted when it is sent: pl_restart_book() */
        PL_RESTART_UNIT,    /* start the unit; it is counted already */
        PL_RESTART_GIVE_UP, /* the budget is spent: say so; told once */
} PlRestartVerb;

/* What holds now. */
typedef struct PlRestartFacts {
        bool broken;                 /* pl_health_is_broken(): reason enough for a restart */
        bool failing;                /* pl_health_is_failing(): reason enough for a unit */
        bool healthy;                /* published state */
        bool stale;                  /* the engine is lost */
        bool requested;              /* pl_ending_was_requested() */
        uint64_t engine_until_usec;  /* wait for the engine's own restart policy until then; 0: do
                                        not */
        uint64_t healthy_since_usec; /* when healthy */
} PlRestartFacts;

/* Zeroed at first, and again when a person starts the container or the policy changes. */
typedef struct PlRestart {
        uint64_t times_usec[PL_RESTART_TIMES_MAX]; /* a ring */
        unsigned n_times;
        unsigned streak; /* without a calm spell in between: the backoff's exponent */
        uint64_t not_before_usec;
        bool gave_up;
        bool fired; /* unit: started for this failure already */
} PlRestart;

/**
 * pl_restart_engine_turn() - how long to wait for the engine's own restart policy
 * @requested: an end on request is final for every restart policy
 * @realtime_usec: CLOCK_REALTIME, as the container's times
 *
 * Between two runs the engine's phase is "restarting". A container that has exited and stays so
 * beyond a moment was given up by the engine (on-failure:N is used up, or the start itself failed).
 *
 * Return: 0: nothing to wait for; PL_TIME_INFINITY: until the phase changes; else microseconds.
 */
uint64_t pl_restart_engine_turn(const PlContainer *c, bool requested, uint64_t realtime_usec);

/**
 * pl_restart_decide() - what to do now
 * @now_usec: CLOCK_MONOTONIC
 * @random:   any number, for the jitter of up to a fifth
 * @ret_usec: with PL_RESTART_WAIT, when to ask again
 */
PlRestartVerb pl_restart_decide(PlRestart *r, PlOnUnhealthy action, const PlBudget *budget,
                                const PlRestartFacts *facts, uint64_t now_usec, uint32_t random,
                                uint64_t *ret_usec);

/** pl_restart_book() - a restart was sent to the engine: it counts from here on, whatever happens
 * to it. One that was never sent costs nothing. */
void pl_restart_book(PlRestart *r, uint64_t now_usec, uint32_t random);

/** pl_restart_done() - the engine has answered, or will not. Stopping a container can take longer
 * than the backoff, so budget and backoff count from now. */
void pl_restart_done(PlRestart *r, uint64_t now_usec, uint32_t random);

/** pl_restart_put_off() - not done (dry run): ask again after a backoff; nothing is counted.
 */
void pl_restart_put_off(PlRestart *r, uint64_t now_usec, uint32_t random);

/** pl_restart_count() - restarts within the budget's window, for messages. */
unsigned pl_restart_count(const PlRestart *r, const PlBudget *budget, uint64_t now_usec);
