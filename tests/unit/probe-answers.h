/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Verdicts, and the answers of probes that speak a protocol of their own as rows: the bytes that
 * come, whether the connection ends, and the verdict.
 */

#include "lib/probe/tcp.h"
#include "unit.h"

#define BYTES(s) s, sizeof(s) - 1

typedef struct Answer {
        const char *name, *data;
        size_t n;
        bool eof;
        PlVerdictKind kind;        /* PL_VERDICT_NONE: wants more */
        const char *code, *reason; /* reason: a part of it */
        bool goodbye;
        PlProbeWay better;
        unsigned quiet_min;
        bool login;
        unsigned n_challenges;
} Answer;

typedef PlProbeStep Parse(const uint8_t *data, size_t n, bool eof, bool login, PlTcpAnswer *ret);

static inline void check_verdict(const char *name, const PlVerdict *v, PlVerdictKind kind,
                                 const char *code, const char *reason) {
        ck_assert_msg(v->kind == kind, "%s: %d (%s)", name, v->kind, v->reason);
        ck_assert_msg(pl_streq(v->code, code), "%s: code %s", name, v->code);
        ck_assert_msg(strstr(v->reason, reason) != NULL, "%s: reason %s", name, v->reason);
}

static inline void check_answer(const Answer *row, Parse *parse) {
        PlTcpAnswer a;
        PlProbeStep step = parse((const uint8_t *)row->data, row->n, row->eof, row->login, &a);

        if (row->kind == PL_VERDICT_NONE) {
                ck_assert_msg(step == PL_PROBE_MORE, "%s: a verdict too early: %s", row->name,
                              a.verdict.reason);
                ck_assert_msg(a.n_challenges == row->n_challenges, "%s: %u challenges", row->name,
                              a.n_challenges);
                return;
        }
        ck_assert_msg(step == PL_PROBE_DONE, "%s: no verdict", row->name);
        check_verdict(row->name, &a.verdict, row->kind, row->code, row->reason);
        ck_assert_msg(a.goodbye == row->goodbye, "%s: goodbye", row->name);
        ck_assert_msg(a.better == row->better, "%s: another way: %d", row->name, a.better);
        ck_assert_msg(a.quiet_usec == row->quiet_min * PL_USEC_PER_MIN, "%s: quiet for %" PRIu64,
                      row->name, a.quiet_usec);
}

/* However the bytes are cut into packets, a verdict that comes early is the verdict of the whole.
 */
static inline void check_packets(const Answer *row, Parse *parse) {
        PlTcpAnswer whole, a;

        if (parse((const uint8_t *)row->data, row->n, false, row->login, &whole) == PL_PROBE_MORE)
                return;
        for (size_t n = 0; n < row->n; n++) {
                /* an exact-size copy: a read beyond the bytes received is seen by the sanitizer */
                uint8_t *copy = malloc(n ? n : 1);

                memcpy(copy, row->data, n);
                if (parse(copy, n, false, row->login, &a) == PL_PROBE_DONE)
                        ck_assert_msg(a.verdict.kind == whole.verdict.kind,
                                      "%s: after %zu bytes: %d (%s)", row->name, n, a.verdict.kind,
                                      a.verdict.reason);
                free(copy);
        }
}
