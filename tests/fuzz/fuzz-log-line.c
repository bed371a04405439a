/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A log as `plimsollctl logs` puts its lines together, its last words, and what a person may give
 * to --since: bounded, and nothing that a terminal would obey among the last words.
 */

#include "lib/base/quote.h"
#include "lib/base/text.h"
#include "lib/base/when.h"
#include "lib/logs/last-words.h"
#include "lib/logs/line.h"

#define LINE_MAX_BYTES (PL_LOG_LINE_HOLD + MIB(1))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok) {
        if (!ok)
                abort();
}

static void look(const PlLogLines *l, int r) {
        check(r >= 0 && r <= 2 && l->n_pieces == (size_t)r);
        for (int i = 0; i < r; i++)
                check(l->pieces[i].out.n <= LINE_MAX_BYTES);
}

static void lines(const char *s, size_t size, unsigned flags, size_t step) {
        PlLogFilter filter = { .until_nsec = UINT64_MAX,
                               .no_stdout = flags & 2,
                               .timestamps = flags & 4,
                               .details = flags & 8,
                               .json = flags & 16 };
        PlLogLines l = { .filter = &filter };
        char why[PL_PATTERN_WHY_MAX];
        int r;

        if (flags & 1)
                check(pl_pattern_new("a.*b|^x", false, &filter.grep, why) == 0);
        for (size_t i = 0, n; i < size; i += n) {
                const char *nl = memchr(s + i, '\n', size - i);
                char *copy;

                n = nl ? (size_t)(nl - s - i) + 1 : size - i;
                if (flags & 32)
                        n = PL_MIN(n, step);
                copy = malloc(n); /* exact bounds */
                check(copy);
                memcpy(copy, s + i, n);
                look(&l, pl_log_lines_feed(&l, copy, n));
                free(copy);
        }
        look(&l, pl_log_lines_show(&l));
        for (unsigned i = 0; (r = pl_log_lines_flush(&l)) > 0; i++) {
                look(&l, r);
                check(i < 8);
        }
        check(pl_log_lines_is_between(&l));
        pl_log_lines_deinit(&l);
        filter.grep = pl_pattern_free(filter.grep);
}

static void last_words(const char *s, size_t size, bool whole) {
        char buf[PL_LAST_WORDS_MAX], explained[PL_LAST_WORDS_EXPLAINED_MAX];
        char *copy = malloc(size ?: 1);
        const char *last;

        check(copy);
        memcpy(copy, s, size);
        last = pl_last_words(copy, size, whole, buf);
        check(last >= buf && last <= buf + strlen(buf));
        for (const char *p = buf; *p;) {
                uint32_t c;
                size_t n = pl_utf8_decode(p, strlen(p), &c);

                check(n > 0 && !pl_utf8_is_hidden(c));
                p += n;
        }
        check(strlen(pl_last_words_explain(buf, last, explained)) < sizeof(explained));
        free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const char *s = (const char *)data + 2;
        char when[80];
        uint64_t nsec;
        size_t n;

        if (size < 2)
                return 0;
        size -= 2;
        lines(s, size, data[0], data[1] + 1U);
        last_words(s, size, data[0] & 64);
        n = PL_MIN(size, sizeof(when) - 1);
        memcpy(when, s, n);
        when[n] = '\0';
        (void)pl_when_parse(when, UINT64_C(1800000000000000), &nsec);
        (void)pl_when_parse_tail(when);
        return 0;
}
