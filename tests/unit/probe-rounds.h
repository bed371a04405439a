/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Rounds of HTTP probes as rows: what is asked, what is answered, and the verdict; and the round
 * after it that asks what is only of interest.
 */

#include "lib/probe/kind.h"
#include "lib/probe/ollama.h"
#include "probe-answers.h"

#define NOW (UINT64_C(1767225600) * PL_USEC_PER_SEC) /* 2026-01-01T00:00:00Z */

typedef struct Reply {
        const char *path; /* that must be asked for; NULL ends the round */
        unsigned status;
        const char *body;
        const char *headers;
        PlHttpError error;
} Reply;

#define REPLIES_MAX 6

typedef struct Round {
        const char *name;
        PlProbeKind kind;
        const char *path;   /* ProbePath= */
        const char *expect; /* ProbeExpect=, one */
        bool models;        /* OllamaModels=llama3 mistral:7b */
        Reply replies[REPLIES_MAX];
        PlVerdictKind verdict;
        const char *code, *reason; /* reason: a part of it */
        const char *prefix, *host;
        Reply rare[3]; /* nothing: it is not asked */
        PlVerdictKind rare_verdict;
        const char *rare_code, *rare_reason;
} Round;

static inline PlExpectList *expectations(const char *text) {
        char *texts[] = { (char *)text, NULL };
        PlExpectList *l = NULL;

        ck_assert_int_eq(pl_expect_list_new(texts, &l), 0);
        return l;
}

/* As the transport does it: a listing comes in pieces and is not kept. */
static inline PlProbeStep give(const PlHttpSpec *spec, PlHttpProbe *probe, const Reply *reply,
                               size_t piece, uint64_t now, PlVerdict *ret) {
        size_t n = strlen(reply->body);
        bool streams = probe->now.streams && reply->status == 200;
        PlHttpAnswer a = {
                .error = reply->error,
                .got_status = reply->status != 0,
                .status = reply->status,
                .headers = reply->headers,
                .body_size = streams ? 0 : n,
                .asked = "172.17.0.2:3000",
        };
        PlProbeStep step;

        for (size_t i = 0; streams && i < n; i += piece) {
                size_t some = PL_MIN(piece, n - i);
                char *copy = malloc(some);

                ck_assert_ptr_nonnull(copy);
                memcpy(copy, reply->body + i, some);
                if (!pl_probe_http_feed(spec, probe, copy, some))
                        i = n;
                free(copy);
        }
        /* exact size: reads beyond it are seen by the sanitizer */
        a.body = strdup(streams ? "" : reply->body);
        ck_assert_ptr_nonnull(a.body);
        step = pl_probe_http_answer(spec, probe, &a, now, ret);
        free((char *)a.body);
        return step;
}

static inline void check_replies(const char *name, const PlHttpSpec *spec, PlHttpProbe *probe,
                                 const Reply *replies, size_t max, size_t piece, uint64_t now,
                                 PlVerdict *ret) {
        PlProbeStep step = PL_PROBE_MORE;
        size_t i;

        for (i = 0; step == PL_PROBE_MORE && i < max && replies[i].path; i++) {
                ck_assert_msg(pl_streq(probe->now.path, replies[i].path), "%s: asks %s", name,
                              probe->now.path);
                step = give(spec, probe, &replies[i], piece, now, ret);
        }
        ck_assert_msg(step == PL_PROBE_DONE, "%s: no verdict, asks %s", name, probe->now.path);
        ck_assert_msg(i == max || !replies[i].path, "%s: a verdict before the last answer: %s",
                      name, ret->reason);
}

static inline void check_round(const Round *row) {
        static char *const models[] = { (char *)"llama3", (char *)"mistral:7b", NULL };
        PlExpectList *expect = expectations(row->expect);
        PlOllamaLook look = {};
        PlHttpSpec spec = {
                .talk = pl_probe_kind_info(row->kind)->http,
                .path = row->path,
                .prefix = row->prefix,
                .host = row->host,
                .port = 3000,
                .expect = expect,
                .models = row->models ? models : NULL,
        };
        PlHttpProbe probe = { .ollama = row->kind == PL_PROBE_OLLAMA ? &look : NULL };
        PlVerdict v = {};

        pl_probe_http_begin(&spec, &probe);
        check_replies(row->name, &spec, &probe, row->replies, REPLIES_MAX, 1, NOW, &v);
        check_verdict(row->name, &v, row->verdict, row->code, row->reason);
        if (row->rare[0].path) {
                ck_assert_msg(pl_probe_http_rare(&spec, &probe, NOW, PL_USEC_PER_SEC),
                              "%s: nothing more is asked", row->name);
                check_replies(row->name, &spec, &probe, row->rare, 3, 7, NOW, &v);
                check_verdict(row->name, &v, row->rare_verdict, row->rare_code, row->rare_reason);
        }
        pl_expect_list_free(expect);
}
