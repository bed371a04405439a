/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Answer: what came back over HTTP, and what its status, headers and body say whatever the service.
 *
 * The transport (daemon/probe/http.c) frames and bounds it. What a kind of service means by it is
 * the kind's own (airflow.c, ollama.c, services.c).
 */

#include <jansson.h>

#include "lib/probe/verdict.h"

#define PL_HTTP_BODY_MAX   KIB(64) /* more is cut, but for listings; the status still counts */
#define PL_HTTP_HEADER_MAX KIB(16) /* all header lines; more is an error of the transport */
#define PL_HTTP_PATH_MAX   256     /* with its NUL; longer ones are not asked */

typedef enum PlHttpError {
        PL_HTTP_OK,
        PL_HTTP_REFUSED,
        PL_HTTP_UNREACHABLE,
        PL_HTTP_TIMEOUT, /* no complete answer within the deadline */
        PL_HTTP_CLOSED,  /* closed without an answer, or in the middle of it */
        PL_HTTP_GARBAGE, /* not HTTP, bad chunks, headers without end */
        PL_HTTP_TLS,     /* TLS on this port */
        PL_HTTP_LOCAL,   /* our own fault: out of memory or descriptors; no evidence */
        _PL_HTTP_ERROR_N,
} PlHttpError;

typedef struct PlHttpAnswer {
        PlHttpError error;
        bool got_status;     /* with an error: the status line had come already */
        unsigned status;     /* 0 with an error before the status line */
        const char *headers; /* "Name: value\r\n…" of the final response, NUL terminated, or NULL */
        const char *body;    /* may hold NULs; one more after its end; NULL with size 0 */
        size_t body_size;
        bool body_cut;     /* there was more than PL_HTTP_BODY_MAX */
        const char *asked; /* the address that answered, "172.17.0.2:3000"; NULL: not told */
} PlHttpAnswer;

/** pl_probe_transport() - the verdict for an error before any answer; for every protocol. */
void pl_probe_transport(PlHttpError e, PlVerdict *ret);

/** pl_answer_error() - the verdict for an answer whose error is not PL_HTTP_OK. Of what has begun
 * to answer and then stops nobody knows whether it is dead. */
void pl_answer_error(const PlHttpAnswer *a, PlVerdict *ret);

/** pl_answer_header() - Return: a header's value without the blanks around it, borrowed, *ret_n
 * bytes; NULL: not there. @name: in any case */
const char *pl_answer_header(const char *headers, const char *name, size_t *ret_n);

/** pl_answer_json() - the body as a JSON object
 * @product: for the verdict "not PRODUCT: …"
 * Return: new reference, or NULL with *ret written, for an answer of any status. */
json_t *pl_answer_json(const PlHttpAnswer *a, const char *product, PlVerdict *ret);

/** pl_answer_text() - a member's text, quoted into buf; "" when it is no string. Return: buf. */
const char *pl_answer_text(const json_t *o, const char *key, char *buf, size_t size);

/** pl_answer_unexpected() - the verdict for a status that the kind does not know, with what its
 * body says of it, and the line of the policy that ends it where there is one. @path: asked for */
void pl_answer_unexpected(const PlHttpAnswer *a, const char *path, PlVerdict *ret);

/* Where a redirect leads. */
typedef enum PlLead {
        PL_LEAD_NONE,      /* no redirect, or not one that can be followed */
        PL_LEAD_HERE,      /* to another path of the same service */
        PL_LEAD_ITSELF,    /* to the path that was asked */
        PL_LEAD_TLS,       /* to the same place with TLS */
        PL_LEAD_ELSEWHERE, /* to another host or port */
} PlLead;

/**
 * pl_answer_lead() - RFC 9110, 15.4 and 10.2.2
 * @path:  asked for
 * @port:  of the service inside its container, which it may name; 0: not known
 * @host:  a name that stands for the service; NULL: none
 * @ret:   with PL_LEAD_HERE and PL_LEAD_TLS: the path there
 *
 * The same service is the address that was asked, localhost (services that were not told their name
 * take it for theirs), and the name, whatever port it comes with.
 */
PlLead pl_answer_lead(const PlHttpAnswer *a, const char *path, uint16_t port, const char *host,
                      char ret[static PL_HTTP_PATH_MAX]);
