/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Probe transports: how one attempt at one address is made, by a table of functions each.
 *
 * The prober schedules, counts addresses and keeps deadlines; a transport connects, asks and reads.
 * It calls back through the attempt's handlers and knows nothing of the prober.
 */

#include <systemd/sd-event.h>

#include "lib/probe/address.h"
#include "lib/probe/http.h"
#include "lib/probe/kind.h"
#include "lib/probe/login.h"
#include "lib/probe/trace.h"

typedef struct PlAttempt PlAttempt;

/* From the loop, never from inside a transport's functions. Nothing is open after the last two, and
 * the attempt may be gone when they return. */
typedef struct PlAttemptHandlers {
        /* It waits for an answer from now on: the whole deadline is for that. */
        void (*connected)(PlAttempt *a);
        /* Nobody was reached. */
        void (*unreachable)(PlAttempt *a, PlHttpError error);
        void (*verdict)(PlAttempt *a, const PlVerdict *v);
} PlAttemptHandlers;

struct PlAttempt {
        const PlAttemptHandlers *handlers;
        PlProbeKind kind;
        const char *user, *database; /* Postgres; may be NULL */
        const char *host;            /* ProbeHost=; NULL: the address */
        PlProbeTls tls;
        bool tls_verify;
        const PlLogin *login; /* ProbeAuth=; NULL: none */
        PlHttpSpec spec;      /* of the kinds that speak HTTP */
        PlHttpProbe http;
        PlProbeWay way;     /* that worked last in this run; the transport's, as is the memory */
        PlTcpMemory memory; /* of the kinds that speak another protocol */
        PlVerdict plain;    /* HTTP: of the plain question, while TLS is tried after it */
        bool asked_plain;   /* it is */
        const PlProbeAddress *address;
        bool connected;
        PlTrace *trace;       /* of somebody who wants to know; borrowed, NULL: nobody does */
        uint64_t traced_usec; /* CLOCK_MONOTONIC; when the trace began */
        void *state;          /* the transport's; NULL: nothing is open */
};

typedef struct PlTransport {
        /* What all attempts share. Return: 0, negative errno. */
        int (*open)(sd_event *event, void **ret);
        void (*close)(void *shared); /* no attempt is under way; NULL is fine */

        /* Return: 0: under way, perhaps with connected set; negative errno: the attempt failed at
         * once, and nothing is open. */
        int (*start)(void *shared, PlAttempt *a);
        void (*stop)(PlAttempt *a); /* drop it; idempotent */
        /* Asked at a deadline, of an attempt that has not said so. */
        bool (*is_connected)(const PlAttempt *a);
        /* The deadline has passed: what is known by then. Stops it. */
        void (*late)(PlAttempt *a, PlVerdict *ret);
} PlTransport;

extern const PlTransport pl_transport_tcp;  /* Postgres, Redis, tcp */
extern const PlTransport pl_transport_http; /* over libcurl */

/** pl_attempt_trace() - for the trace, if there is one: what was sent, received, agreed on. See
 * pl_trace_add(). */
void pl_attempt_trace(const PlAttempt *a, PlTraceKind kind, const void *data, size_t n);

/** pl_transport_error() - what a failed connect(2) means. @error: errno, positive */
PlHttpError pl_transport_error(int error);
