/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * HTTP probes: which path to ask, and what the answer means, for each kind that speaks HTTP.
 *
 * A round is one or a few requests: path, answer, path, answer, … verdict. The transport
 * (daemon/probe/http.c) frames the answer, bounds it and tells transport errors; it follows no
 * redirect. All judgement is here.
 *
 * A new kind is a row of the table, its talk in http.c, and its entry in plimsoll.conf(5).
 */

#include "lib/probe/expect.h"
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
        PL_HTTP_LOCAL,   /* our own fault: out of memory or descriptors; no evidence */
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

/* How a kind is asked, and what its answers mean. */
typedef struct PlHttpTalk PlHttpTalk;

/* Fixed while the policy stays. */
typedef struct PlHttpSpec {
        const PlHttpTalk *talk;
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

struct PlHttpTalk {
        const char *(*path)(const PlHttpSpec *s, const PlHttpProbe *p);
        /* only called for complete answers (error is PL_HTTP_OK) */
        PlProbeStep (*answer)(const PlHttpSpec *s, PlHttpProbe *p, const PlHttpAnswer *a,
                              uint64_t realtime_usec, PlVerdict *ret);
};

/* One row per kind: its constant (PL_PROBE_*), its word in the policy, transport, port, talk
 * (pl_http_*), and the images it is known by: the last component of their names, without tag. */
/* clang-format off */
#define PL_HTTP_KINDS(ROW)                                                                         \
        ROW(AIRFLOW, "airflow", HTTP, 8080, airflow, "airflow")                                    \
        ROW(OLLAMA, "ollama", HTTP, 11434, ollama, "ollama")                                       \
        ROW(GRAFANA, "grafana", HTTP, 3000, grafana, "grafana grafana-oss grafana-enterprise")     \
        ROW(MLFLOW, "mlflow", HTTP, 5000, mlflow, "mlflow")                                        \
        ROW(PROMETHEUS, "prometheus", HTTP, 9090, prometheus, "prometheus")                        \
        ROW(HTTP, "http", HTTP, 0, generic, "")
/* clang-format on */

#define PL_HTTP_DECLARE(constant, word, transport, port, talk, images) \
        extern const PlHttpTalk pl_http_##talk;
PL_HTTP_KINDS(PL_HTTP_DECLARE)
#undef PL_HTTP_DECLARE

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
