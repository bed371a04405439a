/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Restart: whether, when and how to restart what is dead.
 *
 * A budget bounds restarts within a window, a backoff spaces them out, and when the budget is spent
 * it gives up and reports that once. It never competes with the engine's own restart policy and
 * never brings back what a person has stopped.
 *
 * One restart at a time, from the decision to the first verdict on the new run:
 *
 *   idle ─► measures ─► waits ─► sent(stop) ─► looks ─► sent(start) ─► done ─► idle
 *    ▲          │         │          │                      │
 *    └──────────┴─────────┘          └─────── unsure ◄──────┘     its answer is lost
 *      no reason any more, or not sent: costs nothing
 *
 * It is a stop, a look and a start, because the engine's own restart starts again without looking:
 * whoever stopped, killed or removed the container meanwhile has the last word. Budget and backoff
 * count what the engine did, from when it was done.
 *
 * Pure. The owner asks pl_restart_step() whenever a fact has changed and carries out the verb; it
 * says when a restart's turn has come, and what the engine answered. What of PlRestart has changed
 * is on disk before a verb is carried out that the engine sees, so that the next plimsolld goes on
 * from there.
 */

#include "lib/base/macro.h"
#include "lib/docker/container.h"

#define PL_RESTART_BACKOFF_USEC     (5 * PL_USEC_PER_SEC) /* after the first; doubles */
#define PL_RESTART_BACKOFF_MAX_USEC (5 * PL_USEC_PER_MIN)
#define PL_RESTART_ENGINE_USEC      (5 * PL_USEC_PER_SEC) /* the engine's own reaction takes less */
#define PL_RESTART_TIMES_MAX        32 /* largest budget that is counted; larger ones are cut */
/* One that could not be sent is asked for again this much later. */
#define PL_RESTART_RETRY_USEC PL_USEC_PER_SEC
/* Without an answer, the engine may be at a stop for the container's stop timeout, and at anything
 * for this much longer. */
#define PL_RESTART_UNSURE_USEC (15 * PL_USEC_PER_SEC)
/* A stop that the engine has got is told of by its first signal within this time. */
#define PL_RESTART_RECEIVE_USEC (3 * PL_USEC_PER_SEC)
/* A look that came to nothing is asked for again this much later. */
#define PL_RESTART_LOOK_USEC (10 * PL_USEC_PER_SEC)
/* The event of an end comes within this time, unless it is lost. Until then somebody else's stop or
 * kill, which comes before it, may not have been heard of. */
#define PL_RESTART_SETTLE_USEC (3 * PL_USEC_PER_SEC)

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
        PL_RESTART_MEASURE, /* ask its probe now, out of turn; the next verdict decides */
        PL_RESTART_QUEUE,   /* ask for a turn: pl_restart_turn() when that has come */
        PL_RESTART_CANCEL,  /* take it out of the queue: there is no reason any more */
        PL_RESTART_STOP,    /* POST stop; then pl_restart_answered() */
        PL_RESTART_LOOK,    /* inspect it */
        PL_RESTART_START,   /* POST start; then pl_restart_answered() */
        PL_RESTART_WHOLE,   /* POST restart, where a stop would remove it; pl_restart_answered() */
        PL_RESTART_UNIT,    /* start the unit */
        PL_RESTART_GIVE_UP, /* the budget is spent: say so; told once */
        _PL_RESTART_VERB_N,
} PlRestartVerb;

typedef enum PlRestartStage {
        PL_RESTART_IDLE,
        PL_RESTART_MEASURES, /* asked once more, no verdict yet */
        PL_RESTART_WAITS,    /* for its turn; not sent */
        PL_RESTART_SENT,     /* no answer yet */
        PL_RESTART_LOOKS,    /* the engine has stopped it */
        PL_RESTART_UNSURE,   /* the answer is lost */
        PL_RESTART_DONE,     /* started; no verdict on the new run yet */
        _PL_RESTART_STAGE_N,
} PlRestartStage;

/* What holds now. */
typedef struct PlRestartFacts {
        bool broken;    /* pl_health_is_broken(), and no good answer since */
        bool failing;   /* pl_health_is_failing(): reason enough for a unit */
        bool part;      /* PL_PART_RESTART, and this run was not restarted for that already */
        bool healthy;   /* published state */
        bool stale;     /* the engine is lost */
        bool requested; /* pl_ending_is_requested(): a person's act; theirs is the last word */
        uint64_t engine_until_usec;  /* CLOCK_MONOTONIC; wait for the engine's own restart policy
                                        until then; 0: do not */
        uint64_t healthy_since_usec; /* when healthy */

        PlPhase phase;
        uint64_t started_usec;  /* CLOCK_REALTIME, of the present or last run */
        uint64_t looked_usec;   /* CLOCK_MONOTONIC; when these two were learnt */
        bool received;          /* the engine has told of a signal of our stop */
        bool own_end;           /* … it ended because plimsolld stopped it */
        bool end_told;          /* … and the event of that has come, and with it all before it */
        bool whole;             /* a stop would remove it (--rm) */
        bool judged;            /* there is a verdict on the present run */
        bool measurable;        /* it runs and is probed */
        uint64_t measured_usec; /* CLOCK_MONOTONIC, of the last verdict */
        uint64_t stop_timeout_usec; /* of the container; PL_TIME_INFINITY: none */
} PlRestartFacts;

typedef struct PlRestartRules {
        PlOnUnhealthy action;
        PlBudget budget;
} PlRestartRules;

/* Zeroed at first; forgiven when a person starts the container or the policy changes. */
typedef struct PlRestart {
        uint64_t times_usec[PL_RESTART_TIMES_MAX]; /* a ring */
        unsigned n_times;
        unsigned streak; /* without a calm spell in between: the backoff's exponent */
        uint64_t not_before_usec;
        bool gave_up;
        uint64_t gave_up_usec; /* CLOCK_MONOTONIC, when */
        bool fired;            /* unit: started for this failure already */

        PlRestartStage stage;
        PlRestartVerb sent;    /* STOP, START, WHOLE: the last that was sent; NOTHING: it came to
                                * nothing */
        uint64_t ran_usec;     /* CLOCK_REALTIME, the start of the run that is restarted */
        uint64_t since_usec;   /* CLOCK_MONOTONIC, of the stage */
        uint64_t until_usec;   /* CLOCK_MONOTONIC; the engine may be at what was sent until then */
        uint64_t sent_usec;    /* CLOCK_MONOTONIC, when that was */
        uint64_t looking_usec; /* CLOCK_MONOTONIC, when this stage's last look was asked for; 0: not
                                * yet */
        bool booked;           /* this restart counts */
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
 * pl_restart_step() - what to do now
 * @now_usec: CLOCK_MONOTONIC
 * @random:   any number, for the jitter of up to a fifth
 * @ret_usec: with PL_RESTART_WAIT, when to ask again
 * Return: never WHOLE or STOP, and START only in the middle of a restart.
 */
PlRestartVerb pl_restart_step(PlRestart *r, const PlRestartRules *rules,
                              const PlRestartFacts *facts, uint64_t now_usec, uint32_t random,
                              uint64_t *ret_usec);

/**
 * pl_restart_turn() - the turn that was queued for has come, and @facts are of this moment
 * Return: STOP, START (it does not run) or WHOLE, which count as sent; NOTHING: not wanted any
 * more.
 */
PlRestartVerb pl_restart_turn(PlRestart *r, const PlRestartRules *rules,
                              const PlRestartFacts *facts, uint64_t now_usec);

/**
 * pl_restart_turn_to_start() - in the middle of a restart: START can be sent now, and @facts are of
 * this moment
 * Return: whether it still is what has to be done.
 */
bool pl_restart_turn_to_start(PlRestart *r, const PlRestartFacts *facts, uint64_t now_usec);

/**
 * pl_restart_answered() - what became of the verb that was sent, or of the place in the queue
 * @error: 0; -ECONNRESET, -ETIMEDOUT: nobody knows; -ENOENT, -EBUSY: nothing was done; -EALREADY:
 *         it had been done by somebody else; -ECANCELED: a START was not sent; other negative
 *         errno: the engine tried and failed. Without a turn before it, whatever it is: nothing was
 *         sent; positive: nor will it be (dry run)
 */
void pl_restart_answered(PlRestart *r, int error, uint64_t now_usec, uint32_t random);

/** pl_restart_recall() - after it was read from disk: its answer went to a plimsolld that is no
 * more. */
void pl_restart_recall(PlRestart *r, uint64_t now_usec);

/** pl_restart_forgive() - a person has started it, or the policy is another one: budget and
 * backoff begin anew. What is under way goes on. */
void pl_restart_forgive(PlRestart *r);

/**
 * pl_restart_inherit() - it takes the place of a container that was restarted at these times, and
 * what that has used up of the budget is used up; called before anything else
 * @times_usec: CLOCK_REALTIME, in any order
 */
void pl_restart_inherit(PlRestart *r, const uint64_t *times_usec, size_t n, uint64_t realtime_usec,
                        uint64_t now_usec);

/** pl_restart_was_for() - has a restart that counts been tried for the run that began then
 * (CLOCK_REALTIME)? */
bool pl_restart_was_for(const PlRestart *r, uint64_t started_usec);

/** pl_restart_count() - restarts within the budget's window, for messages. */
unsigned pl_restart_count(const PlRestart *r, const PlBudget *budget, uint64_t now_usec);

/** pl_restart_is_under_way() - between the first verb that the engine sees and the first verdict
 * on the new run: what ends and starts meanwhile is its doing. */
static inline bool pl_restart_is_under_way(const PlRestart *r) {
        return r->stage >= PL_RESTART_SENT;
}
