/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Ending: why a container ended, and whether it keeps ending.
 *
 * The engine tells the exit code, and separately who asked for what: `docker stop` is kill(15),
 * perhaps kill(9) after the stop timeout, die, stop; `docker kill` is kill(N), die; a crash is die
 * alone. An exit code of 137 has at least five meanings; this tells them apart.
 */

#include "lib/base/macro.h"
#include "lib/docker/container.h"
#include "lib/docker/answer.h"

/* Ends within this window, and so many of them, are a crash loop. */
#define PL_CRASH_WINDOW_USEC (5 * PL_USEC_PER_MIN)
#define PL_CRASH_MIN         3
#define PL_CRASHES_MAX       16
/* A run this long is no part of a loop. */
#define PL_CRASH_CALM_USEC (60 * PL_USEC_PER_SEC)

typedef enum PlEnder {
        PL_ENDER_NONE,     /* it has not ended since it was first seen */
        PL_ENDER_ITSELF,   /* exit or crash */
        PL_ENDER_REQUEST,  /* docker stop, docker kill, compose down */
        PL_ENDER_TIMEOUT,  /* docker stop, but it had to be killed */
        PL_ENDER_PLIMSOLL, /* our own restart */
        PL_ENDER_OOM,      /* its own memory limit */
        PL_ENDER_HOST_OOM, /* the host ran out of memory */
        PL_ENDER_SIGKILL,  /* 137, and nobody known sent it */
        PL_ENDER_UNSEEN,   /* ended before plimsolld looked */
        PL_ENDER_ENGINE,   /* the engine ended, or its next life has ended what the last one left */
        _PL_ENDER_N,
} PlEnder;

/* Whom the kernel killed for lack of memory. */
typedef enum PlOomVictim {
        PL_OOM_VICTIM_UNKNOWN,
        PL_OOM_VICTIM_MAIN, /* the container's first process, which is its end */
        PL_OOM_VICTIM_CHILD,
} PlOomVictim;

/* Our own stop, or restart. A stop sends the stop signal once, and SIGKILL once, when the container
 * has not ended within its stop timeout; the engine tells of each, and of the stop. What is more
 * than that comes from somebody else. */
typedef struct PlOwnStop {
        uint64_t usec, until_usec; /* CLOCK_REALTIME; when it was requested, and until when it
                                    * explains an end; 0: there is none */
        uint64_t term_usec, kill_usec, stop_usec; /* its events; 0: not yet */
        bool unsure;                              /* nobody knows whether the engine got it */
} PlOwnStop;

/* What the engine tells besides. */
typedef struct PlAsides {
        uint64_t stop_usec; /* it has stopped it on request: docker stop, not docker kill -s; 0: no
                             */
        uint64_t signal_usec; /* it has sent a signal that is a message, as docker kill -s USR1 */
        int signal;           /* … the last one */
} PlAsides;

typedef struct PlEnding {
        uint64_t term_usec, kill_usec; /* requests since the last start, CLOCK_REALTIME; 0: none */
        PlOwnStop own;
        PlAsides asides;                             /* of this run */
        PlStop stop;                                 /* as last seen in inspect */
        uint64_t paused_usec, unpaused_usec;         /* paused since, 0: it is not; and not since */
        uint64_t oom_usec, host_oom_usec;            /* the kernel killed a process of it */
        PlOomVictim victim;                          /* of the last of them */
        uint64_t engine_lost_usec, engine_back_usec; /* CLOCK_REALTIME; another engine process has
                                                      * come in between; 0: never */
        uint64_t start_usec, end_usec;               /* of the last run */
        pid_t main_pid; /* … as the engine sees its first process; 0: not known */
        PlEnder ender;  /* of the last end */
        bool told;      /* … whose event has come */
        int exit_code, signal;
        uint64_t ends[PL_CRASHES_MAX]; /* ends by itself, CLOCK_REALTIME; a ring */
        unsigned n_ends;
        unsigned restart_count; /* as last seen in inspect */
        bool counted;           /* restart_count is valid */
        bool once;              /* the engine's restart policy is no */
        bool may_finish;        /* … or on-failure: an end with 0 is a good one */
} PlEnding;

/** pl_ending_is_late() - is this event of a run that is over? The engine may be asked for events
 * again, among them some that were never heard. They change nothing. */
bool pl_ending_is_late(const PlEnding *e, const PlEvent *event);

/** pl_ending_event() - fold one of the engine's events; repeated and unrelated ones do no harm. */
void pl_ending_event(PlEnding *e, const PlEvent *event);

/** pl_ending_own() - plimsolld itself asks for a stop or a restart now. @until_usec:
 * CLOCK_REALTIME; later ends have nothing to do with it. */
void pl_ending_own(PlEnding *e, uint64_t realtime_usec, uint64_t until_usec);

/** pl_ending_own_until() - the engine did not do it, or the connection was lost so that nobody
 * knows: it explains no end after this time. Its events may come after its answer. */
void pl_ending_own_until(PlEnding *e, uint64_t until_usec);

/** pl_ending_own_over() - our restart has come to its end. An end that an inspection took for its
 * doing, while nobody knows whether the engine has got our stop, is one that nobody saw. */
void pl_ending_own_over(PlEnding *e, uint64_t realtime_usec);

/** pl_ending_own_unsure() - the answer is lost, and perhaps the engine never got it: only a signal
 * that came soon after is ours. */
void pl_ending_own_unsure(PlEnding *e);

/** pl_ending_not_own() - the engine says that it had ended before: what was taken for our own
 * stop's was somebody else's. */
void pl_ending_not_own(PlEnding *e);

/** pl_ending_oom() - the kernel killed a process of this container. @host: not for its own limit.
 */
void pl_ending_oom(PlEnding *e, PlOomVictim victim, bool host, uint64_t realtime_usec);

/**
 * pl_ending_engine() - the engine's process is another one than before
 *
 * Between these times (CLOCK_REALTIME) nobody could ask the engine for anything, so what ended then
 * was nobody's request: a dockerd that was killed leaves containers running, and the next one kills
 * them, without live-restore, before it listens. It then takes its own kill for a person's and may
 * leave them down (tried: 20.10).
 */
void pl_ending_engine(PlEnding *e, uint64_t lost_usec, uint64_t back_usec);

/** pl_ending_inspect() - what inspect says; makes up for events that were lost. */
void pl_ending_inspect(PlEnding *e, const PlContainer *c, uint64_t realtime_usec);

/** pl_ending_crashes() - Return: the number of ends in the window when that is a crash loop under
 * way (not running, or not for long), else 0. */
unsigned pl_ending_crashes(const PlEnding *e, bool running, uint64_t realtime_usec);

/** pl_ending_act() - what a person did to it that runs, or to end it, in a word: stopped, killed,
 * paused. */
const char *pl_ending_act(const PlEnding *e);

/** pl_ending_was_requested() - did somebody ask for this end? Then we never restart it. An end that
 * nobody saw counts as requested. */
bool pl_ending_was_requested(const PlEnding *e);

/** pl_ending_is_own() - has our own stop ended it, beyond doubt? */
bool pl_ending_is_own(const PlEnding *e);

/** pl_ending_is_requested() - … or is it still running while somebody stops it? Within its stop
 * timeout it may stop answering. */
bool pl_ending_is_requested(const PlEnding *e, uint64_t realtime_usec);

/** pl_ending_describe() - "exit code 137: …" in words; "" while it runs. Return: buf. */
const char *pl_ending_describe(const PlEnding *e, char *buf, size_t size);
