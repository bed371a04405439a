/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What every probe's parser owes, whatever a server has said: a verdict of a known kind whose texts
 * are one printable line of valid UTF-8, fit for a journal, a terminal and JSON; and the same one
 * however the answer was cut into pieces on its way.
 */

#include "lib/base/quote.h"
#include "lib/probe/verdict.h"

#define STREAM_MAX KIB(2) /* PL_PROBE_TCP_MAX */

static inline void must(bool ok) {
        if (!ok)
                abort();
}

static inline void check_line(const char *s, size_t size) {
        size_t n = strnlen(s, size);
        char *quoted = malloc(4 * n + 1);

        must(n < size && quoted);
        /* nothing is left to be quoted, but for backslashes, which come from quoting */
        (void)pl_quote(s, n, quoted, 4 * n + 1);
        for (size_t i = 0, j = 0; i < n; i++) {
                size_t len = s[i] == '\\' ? 4 : 1;

                must(strncmp(quoted + j, s[i] == '\\' ? "\\x5c" : s + i, len) == 0);
                j += len;
        }
        free(quoted);
}

static inline void check_verdict(const PlVerdict *v) {
        must((unsigned)v->kind < _PL_VERDICT_N);
        check_line(v->code, sizeof(v->code));
        check_line(v->reason, sizeof(v->reason));
}

typedef PlProbeStep (*StreamParser)(const uint8_t *data, size_t n, bool eof, PlVerdict *ret);

static inline PlProbeStep parse_copy(StreamParser parse, const uint8_t *data, size_t n, bool eof,
                                     PlVerdict *ret) {
        uint8_t *copy = malloc(n ? n : 1); /* so that a read behind its end is caught */
        PlProbeStep step;

        must(copy);
        memcpy(copy, data, n);
        memset(ret, 0xA5, sizeof(*ret));
        step = parse(copy, n, eof, ret);
        if (step == PL_PROBE_DONE)
                check_verdict(ret);
        free(copy);
        return step;
}

/* The first byte says how long the pieces are. */
static inline void check_stream(StreamParser parse, const uint8_t *data, size_t size) {
        PlVerdict v, whole;
        size_t piece;

        if (size < 1)
                return;
        piece = data[0] + 1u;
        data++;
        size = PL_MIN(size - 1, (size_t)STREAM_MAX);
        must(parse_copy(parse, data, size, true, &whole) == PL_PROBE_DONE);
        for (size_t n = 0; n < size; n += piece) {
                if (parse_copy(parse, data, n, false, &v) == PL_PROBE_MORE)
                        continue;
                must(v.kind == whole.kind && pl_streq(v.code, whole.code));
                return;
        }
}
