/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the prober's own sources share. Nobody else includes this.
 *
 *   probe.c       targets, schedule, deadlines
 *   probe-tcp.c   one round over a plain socket: Postgres, Redis, tcp
 *   probe-http.c  one round over libcurl
 */

#include "base/curl-loop.h"
#include "lib/base/map.h"
#include "probe/prober.h"

/* An answer over a plain socket; longer ones are cut, which their parsers notice. */
#define PL_PROBE_TCP_MAX KIB(2)

typedef struct PlHttpRound PlHttpRound; /* probe-http.c */

typedef struct PlProbe PlProbe;
struct PlProbe {
        PlProber *prober;
        char id[PL_ID_MAX];
        PlProbeKind kind;
        PlProbeAddresses addresses;
        uint64_t interval_usec, timeout_usec;
        char *user, *database, *path;
        char **expect_texts, **models;
        PlExpectList *expect;

        uint64_t due_usec; /* CLOCK_MONOTONIC; of the next round */
        bool hurry;
        bool running; /* a round is under way */
        uint64_t began_usec;
        uint64_t deadline_usec; /* of the round, or of this attempt to connect */
        unsigned good;          /* index of the address that answered last */
        unsigned attempt;       /* 0: good; then the others */
        bool connected;         /* of this attempt */
        PlVerdict first;        /* of the first attempt that failed to connect */

        int fd; /* probe-tcp.c */
        sd_event_source *io;
        uint8_t *answer;
        size_t n_answer;

        PlHttpRound *round; /* probe-http.c */
        PlHttpProbe http;
        PlOllamaFacts *ollama;
};

struct PlProber {
        sd_event *event;
        const PlProbeHandlers *handlers;
        void *userdata;
        PlMap *probes; /* id → PlProbe, owned */
        sd_event_source *timer;
        unsigned n_running;

        PlCurl *curl;  /* made by the first HTTP probe */
        CURL *idle[4]; /* handles that wait for their next use */
        unsigned n_idle;
};

/* The address of this attempt. */
const PlProbeAddress *pl_probe_address(const PlProbe *p);

/** pl_probe_finish() - the round has its verdict; transport must be closed. Calls the handler, so
 * the probe may be gone afterwards. */
void pl_probe_finish(PlProbe *p, const PlVerdict *v);

/** pl_probe_unreachable() - this attempt could not connect: the next address, or finish. Closed
 * transport; the probe may be gone afterwards. */
void pl_probe_unreachable(PlProbe *p, PlHttpError error);

/* From errno of a failed connect, positive. */
PlHttpError pl_probe_connect_error(int error);

/* Return: 0: under way; negative errno: the attempt failed at once, nothing is open. */
int pl_probe_tcp_start(PlProbe *p);
void pl_probe_tcp_stop(PlProbe *p); /* idempotent */
int pl_probe_http_start(PlProbe *p);
void pl_probe_http_stop(PlProbe *p); /* idempotent */
bool pl_probe_http_connected(const PlProbe *p);
/* The deadline has passed: what is known by then. */
void pl_probe_tcp_late(PlProbe *p, PlVerdict *ret);
void pl_probe_http_late(PlProbe *p, PlVerdict *ret);
