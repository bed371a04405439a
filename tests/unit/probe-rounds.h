/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Rounds of HTTP probes as rows: what is asked, what is answered, and the verdict.
 */

#include "lib/probe/http.h"
#include "lib/probe/kind.h"
#include "probe-answers.h"

#define NOW (UINT64_C(1767225600) * PL_USEC_PER_SEC) /* 2026-01-01T00:00:00Z */

typedef struct Reply {
        const char *path; /* that must be asked for; NULL ends the round */
        unsigned status;
        const char *body;
        const char *headers;
        PlHttpError error;
} Reply;

typedef struct Round {
        const char *name;
        PlProbeKind kind;
        const char *path;   /* ProbePath= */
        const char *expect; /* ProbeExpect=, one */
        bool models;
        Reply replies[4];
        PlVerdictKind verdict;
        const char *code, *reason; /* reason: a part of it */
} Round;

static inline PlExpectList *expectations(const char *text) {
        char *texts[] = { (char *)text, NULL };
        PlExpectList *l = NULL;

        ck_assert_int_eq(pl_expect_list_new(texts, &l), 0);
        return l;
}

static inline void check_round(const Round *row) {
        static char *const models[] = { (char *)"llama3", (char *)"mistral:7b", NULL };
        PlExpectList *expect = expectations(row->expect);
        PlHttpSpec spec = {
                .talk = pl_probe_kind_info(row->kind)->http,
                .path = row->path,
                .expect = expect,
                .models = row->models ? models : NULL,
        };
        PlHttpProbe probe = {};
        PlVerdict v = {};
        PlProbeStep step = PL_PROBE_MORE;
        size_t i = 0;

        pl_probe_http_begin(&probe);
        for (; step == PL_PROBE_MORE && i < 4 && row->replies[i].path; i++) {
                const Reply *reply = &row->replies[i];
                PlHttpAnswer a = {
                        .error = reply->error,
                        .got_status = reply->status != 0,
                        .status = reply->status,
                        .headers = reply->headers,
                        .body_size = strlen(reply->body),
                };

                ck_assert_msg(pl_streq(pl_probe_http_path(&spec, &probe), reply->path),
                              "%s: asks %s", row->name, pl_probe_http_path(&spec, &probe));
                /* exact size: reads beyond it are seen by the sanitizer */
                a.body = strdup(reply->body);
                ck_assert_ptr_nonnull(a.body);
                step = pl_probe_http_answer(&spec, &probe, &a, NOW, &v);
                free((char *)a.body);
        }
        ck_assert_msg(step == PL_PROBE_DONE, "%s: no verdict", row->name);
        ck_assert_msg(i == 4 || !row->replies[i].path, "%s: verdict before the last answer",
                      row->name);
        check_verdict(row->name, &v, row->verdict, row->code, row->reason);
        pl_expect_list_free(expect);
}
