/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * HTTP probes: which path to ask, and what the answer means, for each kind that speaks HTTP.
 *
 * A round is one or a few requests: path, answer, path, answer, … verdict. The transport
 * (daemon/probe/http.c) frames the answer, bounds it and tells transport errors; it follows no
 * redirect. Everything that is judged is judged here.
 */

#include "lib/probe/expect.h"
#include "lib/probe/kind.h"
#include "lib/probe/verdict.h"

#define PL_HTTP_BODY_MAX   KIB(64) /* more is cut; the status still counts */
#define PL_HTTP_HEADER_MAX KIB(16) /* all header lines; more is an error of the transport */

typedef enum PlHttpError {
        PL_HTTP_OK,
        PL_HTTP_REFUSED,
        PL_HTTP_UNREACHABLE,
        PL_HTTP_TIMEOUT, /* no complete answer within the deadline */
        PL_HTTP_CLOSED,  /* closed without an answer, or in the middle of it */
        PL_HTTP_GARBAGE, /* not HTTP, bad chunks, headers without end */
        PL_HTTP_TLS,     /* TLS on this port */
        PL_HTTP_LOCAL,   /* our own fault: out of memory or descriptors; says nothing */
        _PL_HTTP_ERROR_N,
} PlHttpError;

typedef struct PlHttpAnswer {
        PlHttpError error;
        bool got_status;     /* with an error: the status line had come already */
        unsigned status;     /* 0 with an error before the status line */
        const char *headers; /* "Name: value\r\n…" of the final response, NUL terminated, or NULL */
        const char *body;    /* may hold NULs; one more after its end */
        size_t body_size;
        bool body_cut; /* there was more than PL_HTTP_BODY_MAX */
} PlHttpAnswer;

/* Fixed while the policy stays. */
typedef struct PlHttpSpec {
        PlProbeKind kind;
        const char *path;           /* ProbePath=; NULL: the kind's own */
        const PlExpectList *expect; /* NULL: none */
        char *const *models;        /* OllamaModels=; NULL: none */
} PlHttpSpec;

#define PL_HTTP_OLLAMA_LOADED_MAX 8

typedef struct PlOllamaModel {
        char name[96];       /* quoted */
        uint64_t size_bytes; /* in memory, from /api/ps; or on disk, from /api/tags */
        uint64_t vram_bytes;
} PlOllamaModel;

/* What an Ollama round learnt on the way, for the report about models and the limit. */
typedef struct PlOllamaFacts {
        PlOllamaModel loaded[PL_HTTP_OLLAMA_LOADED_MAX];
        unsigned n_loaded;
        char largest_name[96]; /* largest of the required, else of the installed models */
        uint64_t largest_bytes;
} PlOllamaFacts;

/* One round, and the little that is kept between rounds. */
typedef struct PlHttpProbe {
        unsigned step;    /* which request of this round */
        unsigned variant; /* airflow: 0 = Airflow 3's path, 1 = Airflow 2's; kept between rounds */
        unsigned status;  /* of the first request, where a second one decides */
        PlOllamaFacts *ollama; /* borrowed; NULL: not wanted */
} PlHttpProbe;

bool pl_probe_is_http(PlProbeKind k);
uint16_t pl_probe_default_port(PlProbeKind k); /* 0: none */

/** pl_probe_transport() - the verdict for an error before any answer; for every protocol. */
void pl_probe_transport(PlHttpError e, PlVerdict *ret);

/** pl_probe_http_begin() - a new round. */
void pl_probe_http_begin(PlHttpProbe *p);

/** pl_probe_http_path() - what to GET now. Return: borrowed, begins with a slash. */
const char *pl_probe_http_path(const PlHttpSpec *s, const PlHttpProbe *p);

/**
 * pl_probe_http_answer() - judge an answer
 * @realtime_usec: for the age of heartbeats
 * @ret: written with PL_PROBE_DONE; PL_PROBE_MORE asks for pl_probe_http_path() again
 */
PlProbeStep pl_probe_http_answer(const PlHttpSpec *s, PlHttpProbe *p, const PlHttpAnswer *a,
                                 uint64_t realtime_usec, PlVerdict *ret);
