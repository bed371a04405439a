/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * HTTP probes: what is asked in a round, where, and which verdict comes of it, whatever the kind.
 *
 * A round is one or a few requests: question, answer, question, answer, … verdict. One question a
 * round is the rule; more are asked only as long as it is not known where the service answers:
 * there may be several paths (versions and prefixes differ), and a redirect within the service is
 * followed once. What has answered is kept for the run, and nothing else is asked any more.
 *
 * What is only of interest is asked rarely, in a round of its own after the verdict. It can add
 * that the service is impaired, and nothing worse.
 *
 * The transport (daemon/probe/http.c) frames the answers, bounds them and tells errors; it follows
 * no redirect. All judgement is here and in the kinds' files.
 *
 * A new kind is a row of the table, its talk, and its entry in plimsoll.conf(5).
 */

#include "lib/probe/answer.h"
#include "lib/probe/expect.h"

/* How a kind is asked, and what its answers mean. */
typedef struct PlHttpTalk PlHttpTalk;
struct PlOllamaLook;

/* Fixed while the policy stays. */
typedef struct PlHttpSpec {
        const PlHttpTalk *talk;
        const char *path;           /* ProbePath=; NULL: the kind's own */
        const char *prefix;         /* below which it serves, "/mlflow"; "" or NULL: the root */
        const char *host;           /* ProbeHost=, a name that stands for it; NULL: none */
        uint16_t port;              /* inside the container; 0: not known */
        const PlExpectList *expect; /* NULL: none */
        char *const *models;        /* OllamaModels=; NULL: none */
} PlHttpSpec;

/* What to ask now; of a round under way. */
typedef struct PlHttpQuestion {
        char path[PL_HTTP_PATH_MAX]; /* to GET; begins with a slash, and may have a query */
        bool tls;                    /* a redirect led to the same place with TLS */
        bool streams; /* a body with status 200 goes to pl_probe_http_feed() as it comes */
} PlHttpQuestion;

/* One round, and what is kept between rounds. All zero is a new run. */
typedef struct PlHttpProbe {
        PlHttpQuestion now;
        unsigned step;  /* of the talk: which question of its round */
        unsigned place; /* which of the places is asked */
        bool rare;      /* the round asks what is only of interest */
        bool searching; /* the round asks one place after another */
        bool followed;  /* a redirect, in this round */
        bool served;    /* the round's verdict was good, but for what is only of interest */
        bool known;     /* the place has answered as it should in this run */
        char moved[PL_HTTP_PATH_MAX]; /* where a redirect led to what answers; "": nowhere */
        PlVerdict best;               /* while it is not known: of the places, the most telling */
        unsigned best_place;
        unsigned best_status;        /* what that place answered */
        uint64_t searched_usec;      /* CLOCK_REALTIME; when all were asked; 0: never */
        unsigned hung;               /* rare questions in a row that were left unanswered */
        uint64_t hung_usec;          /* CLOCK_REALTIME; the last of them; 0: none in this run */
        uint64_t rare_due_usec;      /* CLOCK_MONOTONIC; 0: at the next good verdict */
        uint64_t rare_period_usec;   /* until then, when the last one found nothing */
        PlVerdict found;             /* by the last rare round; PL_VERDICT_IMPAIRED, or nothing */
        struct PlOllamaLook *ollama; /* borrowed; NULL: not wanted */
} PlHttpProbe;

struct PlHttpTalk {
        /* Its own, the likeliest first; ended by NULL. */
        const char *const *paths;
        /* Some versions do not heed a prefix: the root is asked after it. */
        bool ignores_prefix;
        /* The kinds see complete answers only (error is PL_HTTP_OK), of a status that the policy
         * does not expect. With PL_PROBE_MORE they have set p->now to the next question. A verdict
         * that is not PL_VERDICT_DISPUTED, nor comes of a 5xx, says that this is the place. */
        PlProbeStep (*answer)(const PlHttpSpec *s, PlHttpProbe *p, const PlHttpAnswer *a,
                              uint64_t realtime_usec, PlVerdict *ret);
        /* Likewise of what is only of interest; both NULL: there is nothing. p->now has the path
         * that answers, for the first question to be made of it; false: nothing is to be asked. A
         * verdict is PL_VERDICT_UP, PL_VERDICT_IMPAIRED, or PL_VERDICT_NONE for "nothing was
         * learnt". What no answer means is the kind's to say: a is NULL then, and so are errors. */
        bool (*rare_begin)(const PlHttpSpec *s, PlHttpProbe *p);
        PlProbeStep (*rare_answer)(const PlHttpSpec *s, PlHttpProbe *p, const PlHttpAnswer *a,
                                   PlVerdict *ret);
        const char *rare_hint; /* the most likely cause when it is left without an answer */
        bool rare_blocks;      /* an unanswered question may keep the others waiting */
        /* A piece of a body that streams. Return: false: no more of it is wanted. */
        bool (*feed)(const PlHttpSpec *s, PlHttpProbe *p, const char *data, size_t n);
};

/* One row per kind: its constant (PL_PROBE_*), its word in the policy, transport, and talk
 * (pl_http_*). Ports and images are lib/probe/place's. */
/* clang-format off */
#define PL_HTTP_KINDS(ROW)                         \
        ROW(AIRFLOW, "airflow", HTTP, airflow)     \
        ROW(OLLAMA, "ollama", HTTP, ollama)        \
        ROW(GRAFANA, "grafana", HTTP, grafana)     \
        ROW(MLFLOW, "mlflow", HTTP, mlflow)        \
        ROW(PROMETHEUS, "prometheus", HTTP, prometheus) \
        ROW(HTTP, "http", HTTP, generic)
/* clang-format on */

#define PL_HTTP_DECLARE(constant, word, transport, talk) extern const PlHttpTalk pl_http_##talk;
PL_HTTP_KINDS(PL_HTTP_DECLARE)
#undef PL_HTTP_DECLARE

/** pl_probe_http_begin() - a new round; the first question is in p->now. */
void pl_probe_http_begin(const PlHttpSpec *s, PlHttpProbe *p);

/**
 * pl_probe_http_answer() - judge an answer
 * @realtime_usec: for the age of heartbeats
 * @ret: written with PL_PROBE_DONE; PL_PROBE_MORE: the next question is in p->now
 */
PlProbeStep pl_probe_http_answer(const PlHttpSpec *s, PlHttpProbe *p, const PlHttpAnswer *a,
                                 uint64_t realtime_usec, PlVerdict *ret);

/**
 * pl_probe_http_sibling() - for a talk's next question: another path below the same prefix
 * @own, @other: "/health", "/api/list"
 * Return: false, and nothing is changed: p->now.path does not end in @own.
 */
bool pl_probe_http_sibling(PlHttpProbe *p, const char *own, const char *other);

/** pl_probe_http_feed() - a piece of the body of a question that streams. Return: false: the rest
 * is not wanted. */
bool pl_probe_http_feed(const PlHttpSpec *s, PlHttpProbe *p, const char *data, size_t n);

/**
 * pl_probe_http_rare() - after a round: is it time for what is only of interest?
 * @now_usec:      CLOCK_MONOTONIC
 * @interval_usec: ProbeInterval=
 *
 * After the first good verdict of a run or after a bad one, then every 60 intervals, at most every
 * ten minutes unless the interval is longer; a fifth of that while something was found.
 *
 * Return: true: that round has begun, the question is in p->now.
 */
bool pl_probe_http_rare(const PlHttpSpec *s, PlHttpProbe *p, uint64_t now_usec,
                        uint64_t interval_usec);
