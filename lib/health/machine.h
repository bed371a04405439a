/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Health: what a service's state is, and how evidence moves it (a table of transitions).
 *
 * Evidence is of two sorts: verdicts of probes come as a stream and are folded into streaks;
 * everything else (phase, Docker's health, crash loop, OOM, a lost engine, dependencies) is a set
 * of facts that holds now. lib/health/judge makes one of the verdicts up, impaired, starting,
 * disputed, dead and finished of both; here that is settled (one failure is none), damped, put down
 * to a dependency, and published: table[sign][state] is the next state.
 * Pure: time is a parameter, CLOCK_MONOTONIC microseconds throughout.
 */

#include "lib/base/macro.h"
#include "lib/docker/container.h"
#include "lib/health/judge.h"
#include "lib/health/restart.h"
#include "lib/probe/verdict.h"

typedef enum PlHealthState {
        PL_HEALTH_UNKNOWN,
        PL_HEALTH_STARTING,
        PL_HEALTH_HEALTHY,
        PL_HEALTH_DEGRADED,
        PL_HEALTH_UNHEALTHY,
        PL_HEALTH_ABSENT,
        PL_HEALTH_FINISHED, /* a job that has ended well */
        _PL_HEALTH_N,
} PlHealthState;

const char *pl_health_state_to_string(PlHealthState s);
PlHealthState pl_health_state_from_string(const char *s); /* _PL_HEALTH_N: unknown word */

/* What all evidence amounts to at one moment. */
typedef enum PlHealthSign {
        PL_SIGN_STALE,   /* the engine is lost, and no probe says more */
        PL_SIGN_KEEP,    /* nothing new is known: no verdict yet */
        PL_SIGN_NOTHING, /* runs, and neither a probe nor a healthcheck says more; or not yet
                          * started */
        PL_SIGN_GONE,    /* there is no container */
        PL_SIGN_STOPPED, /* by a person */
        PL_SIGN_FINISHED,
        PL_SIGN_EXITED,     /* ended by itself, and should not have */
        PL_SIGN_CRASHING,   /* ends again and again */
        PL_SIGN_RESTARTING, /* the engine is bringing it back, or we are */
        PL_SIGN_PAUSED,
        PL_SIGN_STARTING,
        PL_SIGN_FAILS_ONCE, /* dead or disputed, fewer times in a row than the policy allows */
        PL_SIGN_FAILS,      /* dead */
        PL_SIGN_DISPUTED,
        PL_SIGN_PART_ONCE, /* impaired, once */
        PL_SIGN_PART,
        PL_SIGN_KILLED,      /* serves, but a process was killed for lack of memory just now, or it
                              * is frozen at its limit, and not dead */
        PL_SIGN_SERVES_ONCE, /* up, once */
        PL_SIGN_SERVES,
        _PL_SIGN_N,
} PlHealthSign;

/* A verdict counts as settled after this many in a row (failures: the policy's number). */
#define PL_HEALTH_CONFIRM 2
/* A pause of a moment is no news: "docker commit" makes one. */
#define PL_HEALTH_PAUSE_USEC (3 * PL_USEC_PER_SEC)
/* Disputed for so long before OnStartTimeout= restarts it: a plimsolld that has just come, and
 * looks for the first time, does not know yet whether a limit holds it back or it is frozen at one.
 */
#define PL_HEALTH_LATE_USEC (5 * PL_USEC_PER_SEC)
/* A survived OOM kill keeps a service degraded for this long. */
#define PL_HEALTH_OOM_USEC (5 * PL_USEC_PER_MIN)

/* While it starts it is asked this much after each of its first answers, and then at the policy's
 * interval: most services are up within seconds, and the others have better things to do. */
#define PL_HEALTH_EARLY_USEC \
        { PL_USEC_PER_SEC, 2 * PL_USEC_PER_SEC, 4 * PL_USEC_PER_SEC }

#define PL_HEALTH_FLIPS_MAX  32
#define PL_HEALTH_REASON_MAX 512 /* a reason, its frame, and a service's name */

typedef struct PlHealthConfig {
        unsigned failures; /* ProbeFailures=, at least 1; none of the start period counts */
        uint64_t start_period_usec; /* the longer of the policy's and Docker's own */
        PlBudget flap;              /* n 0: no damping */
        bool on_start_timeout;      /* OnStartTimeout=restart: not up in time is dead */
        bool on_exit;               /* OnExit=restart: it is no job, whenever it ends */
} PlHealthConfig;

/* What holds now. Texts are borrowed for the call. */
typedef struct PlHealthFacts {
        bool present;
        bool stale;      /* the engine is lost: phase and Docker's health are old */
        bool probed;     /* verdicts are to be expected */
        bool by_request; /* ended because somebody asked the engine for it */
        bool by_engine;  /* ended because the engine did */
        bool own;        /* our own restart is under way, up to the first verdict of the new run */
        bool between; /* the next run is on its way, ours or another one's, and was not seen yet */
        bool once;    /* its restart policy is no */
        bool may_finish; /* … or on-failure: exit code 0 is its good end */
        bool frozen;     /* at its memory limit, and the kernel may not kill (OomKillDisable) */
        PlPhase phase;
        int exit_code;
        PlDockerHealth docker;
        uint64_t started_usec;   /* of this run; a new value is a new run; 0: unknown */
        unsigned crashes;        /* ends in the crash window; 0: not looping */
        uint64_t oom_usec;       /* last OOM kill that the container survived; 0: none */
        uint64_t paused_usec;    /* since when it is paused; 0: it is not */
        const char *still;       /* it stands still, and the engine has not paused it, in words;
                                  * NULL: it does not */
        const char *unreachable; /* it is probed, and has lost its network, in words; NULL: no */
        const char *ending;      /* how it ended, in words; NULL: by exit_code */
        const char *held;        /* "CPUQuota=8% holds it back: …": a limit of ours; NULL: none */
        const char *waits_for;   /* a dependency that does not serve; NULL: none */
        bool waits_perhaps;      /* nobody says that it needs that: a database beside it */
        PlHealthState waits_state;
} PlHealthFacts;

/* Times of raw changes, a ring. */
typedef struct PlFlips {
        uint64_t usec[PL_HEALTH_FLIPS_MAX];
        unsigned n;
} PlFlips;

/* Begins as zeroes, which are unknown, but for since_usec. What few ever have takes memory when it
 * is needed. */
typedef struct PlHealth {
        PlHealthState state;           /* published */
        PlHealthState raw;             /* before damping */
        uint64_t since_usec;           /* of state */
        const PlJudgeRow *row;         /* the last verdict; static */
        PlVerdict last;                /* the latest of its probe */
        unsigned n_up, n_part, n_fail; /* streaks; at most one is not 0 */
        unsigned n_silent;             /* of n_fail, the latest in a row */
        unsigned n_heard;              /* in this run */
        bool was_up;                   /* in this run, by its probe */
        bool answered;                 /* … by the probe as it is now */
        bool docker_passed;            /* Docker's healthcheck was, in this run */
        bool ever_up;                  /* … in any run: it is no job */
        uint64_t started_usec;         /* of this run */
        bool late;       /* still starting when its start period is over, which was told */
        bool own_run;    /* begun by us: its way up is no flapping */
        bool attributed; /* a dependency is to blame for the present failure */
        bool waited;     /* a dependency was down at the last step */
        bool reprieved;  /* unhealthy for its past alone: a crash loop, running again */
        bool proven;     /* known to be dead: see pl_health_is_broken() */
        bool flapping;   /* by the count of its changes */
        bool damped;     /* … and published as such */
        PlFlips *flips;  /* NULL: there were none */
        struct {
                char *text;
                size_t size;
        } reason; /* see pl_health_reason() */
} PlHealth;

void pl_health_deinit(PlHealth *h);

/** pl_health_reason() - Return: of the state; "" when there is nothing to say. Borrowed until the
 * next step. */
static inline const char *pl_health_reason(const PlHealth *h) {
        return h->reason.text ?: "";
}

/* What is known of a run for good, for the plimsolld after this one. */
typedef struct PlProof {
        uint64_t ran_usec; /* CLOCK_REALTIME, its start, as the engine has it; 0: nothing is known
                            */
        uint64_t asked;    /* the probe that was answered in it, in a number; 0: none was */
        bool was_up, passed, ever_up; /* as in PlHealth */
} PlProof;

typedef struct PlHealthChange {
        PlHealthState from, to; /* equal when a failure stops being a dependency's fault, what is
                                   impaired becomes disputed, and the other way, or what starts is
                                   late */
        PlHealthSign sign;
        bool attributed;      /* to facts.waits_for: report, do not alarm */
        bool flapping;        /* begins to flap; no more changes until it is calm */
        bool late;            /* its start period is over, and it still starts; told once a run */
        uint64_t lasted_usec; /* how long `from` lasted */
        const char *reason;   /* in the PlHealth */
} PlHealthChange;

/** pl_health_probe() - fold one verdict into the streaks; pl_health_step() then decides.
 * PL_VERDICT_NONE says nothing and is ignored. */
void pl_health_probe(PlHealth *h, const PlVerdict *v);

/** pl_health_reprobe() - the probe changed (kind or address): an answer to the old one proves
 * nothing about the silence of the new one. */
void pl_health_reprobe(PlHealth *h);

/** pl_health_cut_off() - it has lost its network: what it answered before says nothing of what
 * comes after. */
void pl_health_cut_off(PlHealth *h);

/** pl_health_proved() - a plimsolld before this one has found it dead in this run, and has written
 * that down: it was up, as whatever proved it then. @started_usec: as in the facts. */
void pl_health_proved(PlHealth *h, uint64_t started_usec);

/** pl_health_proof() - what must outlive plimsolld. @ran_usec: CLOCK_REALTIME, the start of this
 * run. @asked: a number for the probe as it is now; 0: there is none. */
PlProof pl_health_proof(const PlHealth *h, uint64_t ran_usec, uint64_t asked);

/** pl_health_recall() - a plimsolld before this one knew that. Of another run, or of another probe,
 * it proves nothing. @ran_usec, @asked: as they are now. @started_usec: as in the facts. */
void pl_health_recall(PlHealth *h, const PlProof *proof, uint64_t ran_usec, uint64_t asked,
                      uint64_t started_usec);

/** pl_health_step() - bring the state up to the evidence
 * @ret: written when true is returned
 * Return: whether there is a change to report. */
bool pl_health_step(PlHealth *h, const PlHealthConfig *config, const PlHealthFacts *facts,
                    uint64_t now_usec, PlHealthChange *ret);

/** pl_health_wakeup() - when time alone may change the state; PL_TIME_INFINITY: never. */
uint64_t pl_health_wakeup(const PlHealth *h, const PlHealthConfig *config,
                          const PlHealthFacts *facts, uint64_t now_usec);

/** pl_health_hurry() - how soon would an answer settle something (starting, recovering)? Failures
 * are counted at the policy's interval. Return: microseconds; 0: there is no hurry. */
uint64_t pl_health_hurry(const PlHealth *h);

/** pl_health_judgement() - the last verdict, not yet settled. */
static inline PlJudgement pl_health_judgement(const PlHealth *h) {
        return h->row ? h->row->judgement : PL_JUDGEMENT_NONE;
}

/** pl_health_is_late() - it runs, its start period is over, and it was never up. */
static inline bool pl_health_is_late(const PlHealth *h) {
        return h->row && h->row->cause == PL_CAUSE_NEVER_UP && !h->was_up;
}

/** pl_health_is_failing() - is it unhealthy by its own fault? Damping does not hide this. A crash
 * loop that runs just now is left to run. */
static inline bool pl_health_is_failing(const PlHealth *h) {
        return h->raw == PL_HEALTH_UNHEALTHY && !h->attributed && !h->reprieved;
}

/**
 * pl_health_is_broken() - is it dead, settled, and by its own fault, so that a restart may help and
 * cannot harm?
 *
 * A failing probe alone is no proof: see lib/health/judge. Nor is the end of a job, which is what
 * ends under the restart policy no and has never been up: it would do its work twice. A service
 * that is not up in time is dead where the policy says so.
 */
static inline bool pl_health_is_broken(const PlHealth *h) {
        return h->proven && !h->attributed && !h->reprieved;
}
