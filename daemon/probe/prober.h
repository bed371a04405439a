/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Prober: asks the services of containers over the network whether they serve, all on one loop.
 *
 * It schedules (jittered intervals, wake-ups shared between probes), connects, bounds and gives up
 * at the deadline; what an answer means is lib/'s. It must not block, resolve names, or run
 * anything inside a container.
 */

#include <systemd/sd-event.h>

#include "lib/probe/address.h"
#include "lib/probe/kind.h"
#include "lib/probe/login.h"
#include "lib/probe/ollama.h"
#include "lib/probe/trace.h"

typedef struct PlProber PlProber;

typedef struct PlProbeHandlers {
        /* One per round, from the loop, never from inside a call of the prober; now and then one
         * more, with what is only of interest. The probe may be set or removed in here. @ollama:
         * NULL but for Ollama; borrowed. */
        void (*verdict)(void *userdata, const char *id, const PlVerdict *v, uint64_t latency_usec,
                        const PlOllamaFacts *ollama);
        /* Nobody was reached on a port of the container, though somebody should: is that proof of
         * anything? The reason may be added to. No probe may be set or removed in here. NULL: it
         * stands. */
        void (*unmet)(void *userdata, const char *id, uint16_t port, PlVerdict *v);
        /* Its login is wanted: pl_prober_login(), at once or later. Called once; no probe may be
         * set or removed in here. NULL: there are none. */
        void (*login)(void *userdata, const char *id);
} PlProbeHandlers;

/* The end of a round that somebody asked for; all borrowed. */
typedef void (*PlProbeAnswered)(void *userdata, const char *id, const PlVerdict *v,
                                uint64_t latency_usec, const PlTrace *trace);

/* What to ask whom; borrowed for the call. */
typedef struct PlProbeTarget {
        PlProbeKind kind;                  /* resolved: neither AUTO nor NONE */
        const PlProbeAddresses *addresses; /* at least one */
        uint64_t interval_usec, timeout_usec;
        const char *user, *database; /* Postgres; may be NULL */
        const char *path;            /* ProbePath=, or NULL */
        const char *prefix;          /* the path that HTTP is served below; "" or NULL: the root */
        char *const *expect;         /* ProbeExpect=, validated, or NULL */
        char *const *models;         /* OllamaModels=, or NULL */
        const char *host;            /* ProbeHost=, or NULL */
        PlProbeTls tls;              /* ProbeTLS= */
        bool tls_verify;             /* ProbeTLSVerify= */
        bool auth;                   /* ProbeAuth= */
} PlProbeTarget;

/** pl_prober_new() - @handlers: borrowed, must outlive the prober. Return: 0, -ENOMEM, -errno. */
int pl_prober_new(sd_event *event, const PlProbeHandlers *handlers, void *userdata, PlProber **ret);
PlProber *pl_prober_free(PlProber *p); /* rounds under way are dropped; returns NULL */
PL_DEFINE_CLEANUP(PlProber *, pl_prober_free)

/** pl_prober_set() - probe a container from now on, or with another target. The same target again
 * changes nothing. Return: 0; 1: it is another target than before; -EINVAL (kind or addresses),
 * -ENOMEM. */
int pl_prober_set(PlProber *p, const char *id, const PlProbeTarget *target);

/** pl_prober_number() - a number for what is asked, where and how, whatever the interval: the same
 * question has the same number in the next plimsolld. Return: 1 to INT64_MAX. */
uint64_t pl_prober_number(const PlProbeTarget *target);

/** pl_prober_hurry() - the next round this much after the last one, where that is sooner than the
 * interval: while something is to be settled. 0: at the interval. */
void pl_prober_hurry(PlProber *p, const char *id, uint64_t usec);

/** pl_prober_soon() - ask at once, out of turn; unknown ids are fine. */
void pl_prober_soon(PlProber *p, const char *id);

/**
 * pl_prober_ask() - one round now, for somebody who wants to see the conversation
 *
 * It is no part of the schedule and its verdict goes to nobody else: whoever asks often must not
 * make failures count faster. A container is asked once at a time, and not more than once a second;
 * what comes earlier waits. It is asked to the end also when it is removed meanwhile.
 *
 * Return: 0: @answered follows, unless the prober is freed before; -ENOENT: it is not probed;
 * -EALREADY: somebody else asks just now; -EBUSY: too many are asked; -ENOMEM.
 */
int pl_prober_ask(PlProber *p, const char *id, PlProbeAnswered answered, void *userdata);

/** pl_prober_login() - how to log in from the next round on; owned by the prober from here on,
 * which wipes it. A first round waits a second for it. NULL, and unknown ids, are fine. */
void pl_prober_login(PlProber *p, const char *id, PlLogin *login);

void pl_prober_remove(PlProber *p, const char *id); /* unknown ids are fine */
