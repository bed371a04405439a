/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Verdicts, and the answers of probes that speak a protocol of their own as rows: the bytes that
 * come, whether the connection ends, and the verdict.
 */

#include "lib/probe/verdict.h"
#include "unit.h"

#define BYTES(s) s, sizeof(s) - 1

typedef struct Answer {
        const char *name, *data;
        size_t n;
        bool eof;
        PlVerdictKind kind;        /* PL_VERDICT_NONE: wants more */
        const char *code, *reason; /* reason: a part of it */
        bool goodbye;
} Answer;

typedef PlProbeStep Parse(const uint8_t *data, size_t n, bool eof, PlVerdict *ret,
                          bool *ret_goodbye);

static inline void check_verdict(const char *name, const PlVerdict *v, PlVerdictKind kind,
                                 const char *code, const char *reason) {
        ck_assert_msg(v->kind == kind, "%s: %d (%s)", name, v->kind, v->reason);
        ck_assert_msg(pl_streq(v->code, code), "%s: code %s", name, v->code);
        ck_assert_msg(strstr(v->reason, reason) != NULL, "%s: reason %s", name, v->reason);
}

static inline void check_answer(const Answer *row, Parse *parse) {
        PlVerdict v = { 0 };
        bool goodbye = false;
        PlProbeStep step = parse((const uint8_t *)row->data, row->n, row->eof, &v, &goodbye);

        if (row->kind == PL_VERDICT_NONE) {
                ck_assert_msg(step == PL_PROBE_MORE, "%s: a verdict too early: %s", row->name,
                              v.reason);
                return;
        }
        ck_assert_msg(step == PL_PROBE_DONE, "%s: no verdict", row->name);
        check_verdict(row->name, &v, row->kind, row->code, row->reason);
        ck_assert_msg(goodbye == row->goodbye, "%s: goodbye", row->name);
}

/* However the bytes are cut into packets, a verdict that comes early is the verdict of the whole.
 */
static inline void check_packets(const Answer *row, Parse *parse) {
        PlVerdict whole = { 0 }, v = { 0 };
        bool goodbye;

        if (parse((const uint8_t *)row->data, row->n, false, &whole, &goodbye) == PL_PROBE_MORE)
                return;
        for (size_t n = 0; n < row->n; n++) {
                /* an exact-size copy: a read beyond the bytes received is seen by the sanitizer */
                uint8_t *copy = malloc(n ? n : 1);

                memcpy(copy, row->data, n);
                if (parse(copy, n, false, &v, &goodbye) == PL_PROBE_DONE)
                        ck_assert_msg(v.kind == whole.kind, "%s: after %zu bytes: %d (%s)",
                                      row->name, n, v.kind, v.reason);
                free(copy);
        }
}
