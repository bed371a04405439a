/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Health: gathers the evidence about each container, keeps its state, and says what to do.
 *
 * It owns the prober and the clocks; lib/ decides (pl-health, pl-ending, pl-restart). It acts on
 * nothing itself: restarts, units and the journal are its owner's, through the handlers.
 */

#include <systemd/sd-event.h>

#include "lib/docker/container.h"
#include "lib/docker/answer.h"
#include "lib/health/course.h"
#include "lib/health/history.h"
#include "lib/health/no-restart.h"
#include "lib/health/part.h"
#include "lib/health/runs.h"
#include "lib/health/slow.h"
#include "lib/probe/listen.h"
#include "lib/policy/document.h"
#include "lib/probe/ollama.h"
#include "probe/prober.h"

typedef struct PlHealthd PlHealthd;

/* Everything is borrowed for the call. */
typedef struct PlHealthdReport {
        const char *id;      /* NULL: a required service without any container */
        const char *service; /* section's name; NULL: [Defaults] or none */
        const PlHealthChange *change;
        const char *waits_for;    /* the dependency that a failure is put down to, or NULL */
        const PlVerdict *verdict; /* of the last probe; kind NONE: there was none */
        PlJudgement judgement;    /* … and of all evidence */
        PlEnder ender;            /* PL_ENDER_NONE: it runs */
        int exit_code;
        unsigned crashes; /* of a crash loop */
        bool required;
        bool minor; /* no news: on its way to a state, or as it was told before */
} PlHealthdReport;

typedef struct PlHealthdHandlers {
        /* Once per transition; also when a failure turns out not to be a dependency's. */
        void (*changed)(void *userdata, const PlHealthdReport *report);
        /* Its last words, which go after how it ended. NULL: not to be had. Return: owned by the
         * caller; NULL: there are none. */
        char *(*words)(void *userdata, const char *id);
        /* A run has ended: once for each, a moment after it, with the end of its log (printable)
         * and the reason of our own restart; NULL: none. NULL: not told */
        void (*ended)(void *userdata, const char *id, const PlEnding *ending, const char *words,
                      const char *reason);
        /* It has ended by itself, and the engine's restart policy brings it back. NULL: not told */
        void (*run_again)(void *userdata, const char *id, const PlEnding *ending, const char *how);
        /*
         * A step of a restart:
         * QUEUE: call pl_healthd_begin_restart() when its turn has come, and pl_healthd_restarted()
         * in any case. Return: 0; positive: it will not be done (dry run); negative errno: not
         * possible now. Unless 0, neither call follows.
         * CANCEL: its turn is not wanted any more; if it comes all the same, it is declined.
         * LOOK: inspect it, and tell by pl_healthd_update().
         * START: start it, and call pl_healthd_restarted(). Return: 0, negative errno: not
         * possible.
         */
        int (*restart)(void *userdata, const char *id, PlRestartVerb verb, const char *reason);
        /* A restart was left half done, because a person has done otherwise meanwhile. @what: a
         * word: stopped, killed, paused, replaced. */
        void (*left)(void *userdata, const char *id, const char *what);
        /* A finding about what it is part of has begun. NULL: not told */
        void (*part)(void *userdata, const char *id, PlPart what, const char *text);
        void (*start_unit)(void *userdata, const char *id, const char *unit, const char *reason);
        /* The budget is spent, the container stays as it is. Called once. */
        void (*gave_up)(void *userdata, const char *id, const char *reason, const PlBudget *budget);
        /* A probe has begun to fail. Inspect the container: its addresses may have changed, which
         * no event tells. */
        void (*doubted)(void *userdata, const char *id);
        /* See pl_witness_still() and pl_witness_listens(). NULL: nobody knows. */
        const char *(*still)(void *userdata, pid_t pid, const char *id);
        PlListen (*listens)(void *userdata, pid_t pid, uint16_t port);
        /* What may hold it back while it starts; all but the time. NULL: not to be had. Return:
         * false: nor is it for this one. */
        bool (*slow)(void *userdata, const char *id, PlSlowReading *ret);
        /* After each probe of an Ollama: what is loaded and what it needs. */
        void (*ollama)(void *userdata, const char *id, const PlOllamaFacts *facts);
        /* ProbeAuth=: the container's environment is wanted, see pl_healthd_environment(). NULL:
         * there is none to be had. */
        void (*environment)(void *userdata, const char *id);
        /* What must outlive plimsolld: read once per container, written at each change. Return:
         * false: nothing is kept, outputs are untouched; and 0, negative errno: it is not kept. */
        bool (*recall)(void *userdata, const char *id, uint64_t now_usec, PlCourse *ret);
        int (*remember)(void *userdata, const char *id, const PlCourse *course);
        /* Of a container of which nothing is kept: when the one whose place it takes was restarted,
         * CLOCK_REALTIME, at most @max of them. NULL: not to be had. Return: how many. */
        size_t (*inherit)(void *userdata, const char *id, uint64_t *ret, size_t max);
        /* After pl_healthd_stop(): no restart is in the middle any more. Called from the loop, and
         * once unless that is called again; NULL: nobody waits. */
        void (*stopped)(void *userdata);
        /* A state or a reason has changed: for coalesced status lines. */
        void (*touched)(void *userdata);
} PlHealthdHandlers;

/** pl_healthd_new() - @handlers: borrowed, must outlive the object. They are called from the event
 * loop and from pl_healthd_update(), _event(), _remove() and _set_*(). Return: 0, -ENOMEM, -errno.
 */
int pl_healthd_new(sd_event *event, const PlHealthdHandlers *handlers, void *userdata,
                   PlHealthd **ret);
PlHealthd *pl_healthd_free(PlHealthd *h); /* returns NULL */
PL_DEFINE_CLEANUP(PlHealthd *, pl_healthd_free)

/** pl_healthd_set_policy() - a reference is taken. Each container must be told anew by
 * pl_healthd_update(); its health is kept, its restarts are forgiven. */
void pl_healthd_set_policy(PlHealthd *h, PlPolicy *policy);

/** pl_healthd_set_synced() - every container has been told; or the engine is lost, until they have
 * been again. From the first time on a required service without a container is absent. */
void pl_healthd_set_synced(PlHealthd *h, bool synced);

/** pl_healthd_engine() - it is connected; nothing was heard from it yet. @pid: its process; 0: not
 * known. */
void pl_healthd_engine(PlHealthd *h, pid_t pid);

/**
 * pl_healthd_update() - after each inspection of a container
 * @c:       not kept
 * @netns:   the container whose network it shares, or NULL; not kept
 * @service: the section that governs it, of the policy set; NULL: none, then only Docker's own
 *           healthcheck counts and nothing is restarted
 * Return: 0 or -ENOMEM.
 */
int pl_healthd_update(PlHealthd *h, const PlContainer *c, const PlContainer *netns,
                      const PlService *service);

/** pl_healthd_event() - each event of the engine, before the inspection that it causes. */
void pl_healthd_event(PlHealthd *h, const PlEvent *event);

/** pl_healthd_environment() - what the container's environment is, for its probe to log in. Only
 * what the probe needs is kept of it. @environment: "NAME=value" each; NULL: it could not be had */
void pl_healthd_environment(PlHealthd *h, const char *id, char *const *environment);

/** pl_healthd_oom() - the kernel killed a process of this container. @victim: its pid, as the
 * engine sees it; 0: not known. @host: for lack of memory on the host, not for the container's own
 * limit. */
void pl_healthd_oom(PlHealthd *h, const char *id, pid_t victim, bool host);

/** pl_healthd_frozen() - it is frozen at its memory limit (OomKillDisable), or not any more. */
void pl_healthd_frozen(PlHealthd *h, const char *id, bool frozen);

/* Borrowed until the next call into this module. */
typedef struct PlHealthdRestart {
        const char *reason;
        unsigned n; /* n-th of the budget */
        const PlBudget *budget;
} PlHealthdRestart;

/** pl_healthd_begin_restart() - its turn has come, and the latest inspection has been told.
 * Return: what to send: STOP, START or WHOLE, and the intent is on disk; NOTHING: decline. */
PlRestartVerb pl_healthd_begin_restart(PlHealthd *h, const char *id, PlHealthdRestart *ret);

/** pl_healthd_begin_start() - in the middle of a restart: the turn for its start has come, and the
 * latest inspection has been told. @replaced: a new container is about to take its place. Return:
 * whether to start it. */
bool pl_healthd_begin_start(PlHealthd *h, const char *id, bool replaced);

/** pl_healthd_look_since() - Return: since when what the engine remembers of it is of interest
 * before it is stopped or started, CLOCK_REALTIME. */
uint64_t pl_healthd_look_since(const PlHealthd *h, const char *id);

/** pl_healthd_stop() - plimsolld is about to end: no restart begins any more, and those that are in
 * the middle go on. Return: how many; 0: do not wait, stopped() is not called. */
size_t pl_healthd_stop(PlHealthd *h);

/** pl_healthd_is_restarting() - Return: whether a restart is under way that has to be finished,
 * whatever the policy says meanwhile. */
bool pl_healthd_is_restarting(const PlHealthd *h, const char *id);

/** pl_healthd_restarted() - the engine's answer to what was sent; as pl_restart_answered(). */
void pl_healthd_restarted(PlHealthd *h, const char *id, int error);

/** pl_healthd_remove() - stop watching a container. @gone: it no longer exists, which is a change
 * of its health; otherwise no section of the policy names it any more, which is none. */
void pl_healthd_remove(PlHealthd *h, const char *id, bool gone);

/* For status and metrics; borrowed until the next call into this module. */
typedef struct PlHealthdView {
        PlHealthState state;
        const char *reason;    /* NULL: nothing to say */
        uint64_t since_usec;   /* CLOCK_MONOTONIC */
        uint64_t latency_usec; /* of the last round; PL_UNLIMITED: none */
        PlProbeKind kind;      /* PL_PROBE_NONE: not probed */
        unsigned restarts;     /* ours, within the budget's window */
        bool gave_up, flapping;
        const char *service;  /* of an absent one */
        const char *unprobed; /* why not, although a probe is wanted; static, NULL: not known */
        const char *part;     /* a finding about what it is part of; NULL: none */
        PlPart part_kind;
} PlHealthdView;

/** pl_healthd_get() - Return: false when the container is not known. */
bool pl_healthd_get(const PlHealthd *h, const char *id, PlHealthdView *ret);

/* What is told of one container alone; borrowed until the next call into this module. */
typedef struct PlHealthdDetail {
        const PlHistory *history;
        const PlRuns *runs;
        PlRestartRules rules;
        unsigned budget_used;
        uint64_t gave_up_usec; /* CLOCK_MONOTONIC; 0: it has not */
        PlNoRestart no_restart;
        char no_restart_text[PL_HEALTH_REASON_MAX];
} PlHealthdDetail;

/** pl_healthd_detail() - @dry_run: nothing is done, whatever is due. Return: false when the
 * container is not known. */
bool pl_healthd_detail(PlHealthd *h, const char *id, bool dry_run, PlHealthdDetail *ret);

/** pl_healthd_ask() - its probe, now, for somebody who wants to see it; it is no evidence. See
 * pl_prober_ask(). */
int pl_healthd_ask(PlHealthd *h, const char *id, PlProbeAnswered answered, void *userdata);

/** pl_healthd_next_absent() - required services without a container; start with *iter = 0.
 * Return: false at the end. */
bool pl_healthd_next_absent(const PlHealthd *h, size_t *iter, PlHealthdView *ret);
