/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Trace: the conversation of one round of a probe, kept while it is held and told afterwards to
 * whoever wanted to know what is asked and answered.
 *
 * Bounded in entries and bytes. It keeps what went over the wire as it was; nothing of it is shown
 * but through pl_trace_json(), which cuts secrets, picks and quotes. Pure.
 */

#include <jansson.h>

#include "lib/probe/secrets.h"

typedef struct PlTrace PlTrace;

typedef enum PlTraceKind {
        PL_TRACE_ADDRESS,  /* is tried now: "172.17.0.2:5432" */
        PL_TRACE_FAILED,   /* nobody was reached there: why */
        PL_TRACE_TLS,      /* what was agreed on, and with whom */
        PL_TRACE_SENT,     /* bytes, or the head of a request */
        PL_TRACE_RECEIVED, /* bytes */
        PL_TRACE_HEAD,     /* of an HTTP response: status line and headers */
        PL_TRACE_BODY,
        PL_TRACE_NOTE, /* anything else, in our own words */
        _PL_TRACE_KIND_N,
} PlTraceKind;

PlTrace *pl_trace_new(void);        /* NULL: out of memory */
PlTrace *pl_trace_free(PlTrace *t); /* wipes it; returns NULL */
PL_DEFINE_CLEANUP(PlTrace *, pl_trace_free)

/**
 * pl_trace_add() - what has just happened
 * @t:    NULL: nobody wants to know
 * @usec: since the round began
 * @data: copied as far as there is room. Pieces of one answer are put together: received bytes that
 *        follow received bytes, headers that follow headers (a status line begins anew), and bodies
 */
void pl_trace_add(PlTrace *t, uint64_t usec, PlTraceKind kind, const void *data, size_t n);

/**
 * pl_trace_json() - the conversation: an array of objects with "after_usec", "what" and "text"
 *
 * "what" is address, failed, tls, sent, received, status, header, body or note. Of
 * headers those are told that explain something; of cookies, authorization and challenges no
 * parameters, of URLs no query; of a body its first bytes. Every text is printable.
 *
 * @secrets: NULL: they are not known; then only the size is told of what the service said
 * Return: new reference, NULL: out of memory.
 */
json_t *pl_trace_json(const PlTrace *t, const PlSecrets *secrets);
