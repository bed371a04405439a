/* SPDX-License-Identifier: Apache-2.0 */
/* Records in, lines out: joined, filtered, and printed as docker logs prints them. */

#include "lib/logs/line.h"
#include "unit.h"

#define OUT(text, sec) \
        "{\"log\":\"" text "\",\"stream\":\"stdout\",\"time\":\"2026-01-02T03:04:0" sec "Z\"}\n"
#define ERR(text, sec) \
        "{\"log\":\"" text "\",\"stream\":\"stderr\",\"time\":\"2026-01-02T03:04:0" sec "Z\"}\n"
/* '#' stands for as much as the engine puts into one record. */
#define T0 UINT64_C(1767323040000000000)

/* clang-format off */
static const struct {
        const char *name, *log;
        PlLogFilter filter;
        const char *grep;
        const char *out; /* stderr lines have a '!' in front */
        unsigned damaged, n; /* n: lines, where they are counted */
} rows[] = {
        { "plain", OUT("a\\n", "1") ERR("b\\n", "2"), { .until_nsec = UINT64_MAX }, NULL, "a\n!b\n" },
        { "nothing to show", "{}   \n{\"rotmark\":3}  \n\n", { .until_nsec = UINT64_MAX }, NULL, "" },
        { "parts of two streams", OUT("#", "1") ERR("#", "2") OUT("b\\n", "1") ERR("y\\n", "2") OUT("c\\n", "5"),
          { .until_nsec = UINT64_MAX }, NULL, "#b\n!#y\nc\n" },
        { "the end without a newline", OUT("a", "1") ERR("x", "2"), { .until_nsec = UINT64_MAX }, NULL,
          "a!x" },
        { "last words, and what comes after them", OUT("a", "1") OUT("b\\n", "3"),
          { .until_nsec = UINT64_MAX }, NULL, "ab\n" },
        { "last words before --since", OUT("a", "1") OUT("b\\n", "3"),
          { .since_nsec = T0 + 2000000000, .until_nsec = UINT64_MAX }, NULL, "b\n" },
        { "last words and --timestamps", OUT("a", "1") OUT("b\\n", "3"),
          { .until_nsec = UINT64_MAX, .timestamps = true }, NULL,
          "2026-01-02T03:04:01.000000000Z a2026-01-02T03:04:03.000000000Z b\n" },
        { "last words and --grep", OUT("a", "1") OUT("b\\n", "3"), { .until_nsec = UINT64_MAX }, "^b$", "b\n" },
        { "last words as long as a part", OUT("#", "1") OUT("b\\n", "3"), { .until_nsec = UINT64_MAX }, "^b$",
          "b\n" },
        { "last words that end a long line", OUT("#", "1") OUT("a", "1") OUT("b\\n", "3"),
          { .since_nsec = T0 + 2000000000, .until_nsec = UINT64_MAX }, NULL, "b\n" },
        { "last words in a count", OUT("#", "1") OUT("a", "1") OUT("b\\n", "3") OUT("#", "4"),
          { .until_nsec = UINT64_MAX, .count = true }, NULL, "", 0, 3 },
        { "--grep in a count", OUT("#", "1") OUT("a", "1") OUT("b\\n", "3") OUT("#", "4") OUT("a\\n", "4"),
          { .until_nsec = UINT64_MAX, .count = true }, "a$", "", 0, 2 },
        { "stdout", OUT("a\\n", "1") ERR("b\\n", "2"), { .until_nsec = UINT64_MAX, .no_stderr = true }, NULL,
          "a\n" },
        { "stderr", OUT("a\\n", "1") ERR("b\\n", "2"), { .until_nsec = UINT64_MAX, .no_stdout = true }, NULL,
          "!b\n" },
        { "since, until", OUT("a\\n", "1") OUT("b\\n", "2") OUT("c\\n", "3") OUT("d\\n", "4"),
          { .since_nsec = T0 + 2000000000, .until_nsec = T0 + 3000000000 }, NULL, "b\nc\n" },
        { "a line's time is that of its first part", OUT("#", "1") OUT("b\\n", "1"),
          { .since_nsec = T0 + 2000000000, .until_nsec = UINT64_MAX }, NULL, "" },
        { "timestamps", OUT("#", "1") OUT("b\\n", "1"), { .until_nsec = UINT64_MAX, .timestamps = true }, NULL,
          "2026-01-02T03:04:01.000000000Z #b\n" },
        { "grep looks at whole lines", OUT("no\\n", "1") OUT("#", "1") OUT("or\\n", "1"),
          { .until_nsec = UINT64_MAX }, "^x+or$", "#or\n" },
        { "grep sees text, not JSON", OUT("tab\\there\\n", "1"), { .until_nsec = UINT64_MAX }, "tab.here",
          "tab\there\n" },
        { "json", OUT("a", "1") OUT("b\\n", "2"), { .until_nsec = UINT64_MAX, .json = true }, NULL,
          OUT("a", "1") OUT("b\\n", "2") },
        { "details",
          "{\"log\":\"a\\n\",\"stream\":\"stdout\",\"attrs\":{\"x\":\"1\",\"y\":\"2\"},\"time\":"
          "\"2026-01-02T03:04:01Z\"}\n" OUT("b\\n", "2"),
          { .until_nsec = UINT64_MAX, .details = true }, NULL, "x=1,y=2 a\n b\n" },
        { "details are escaped",
          "{\"log\":\"a\\n\",\"stream\":\"stdout\",\"attrs\":{\"k\":\"b c,d=\\u00fc~\",\"l\":\"\"},\"time\":"
          "\"2026-01-02T03:04:01Z\"}\n",
          { .until_nsec = UINT64_MAX, .details = true }, NULL, "k=b+c%2Cd%3D%C3%BC~,l= a\n" },
        { "damage is counted, and no more", "garbage\n" OUT("a\\n", "1") "{\"log\":\n",
          { .until_nsec = UINT64_MAX }, NULL, "a\n", 2 },
};
/* clang-format on */

/* Stretches of the engine's size for '#', and back. */
static char *expand(const char *text) {
        size_t n = strlen(text) + 1;
        char *out, *p;

        for (const char *c = text; *c; c++)
                n += *c == '#' ? PL_LOG_PART_BYTES : 0;
        p = out = malloc(n);
        for (; *text; text++)
                if (*text == '#')
                        p = (char *)memset(p, 'x', PL_LOG_PART_BYTES) + PL_LOG_PART_BYTES;
                else
                        *p++ = *text;
        *p = '\0';
        return out;
}

typedef struct Got {
        char out[200000];
        unsigned lines;
} Got;

static void take(Got *got, const PlLogLines *l, int n) {
        ck_assert_int_ge(n, 0);
        ck_assert_uint_eq((unsigned)n, l->n_pieces);
        for (size_t i = 0; i < l->n_pieces; i++) {
                const PlLogPiece *p = &l->pieces[i];

                got->lines += p->first;
                sprintf(got->out + strlen(got->out), "%s%.*s",
                        p->stream == PL_JSONLOG_STDERR ? "!" : "", (int)p->out.n,
                        p->out.data ?: "");
        }
}

START_TEST(lines) {
        PlLogFilter filter = rows[_i].filter;
        PlLogLines l = { .filter = &filter };
        _cleanup_free_ char *log = expand(rows[_i].log), *want = expand(rows[_i].out);
        _cleanup_free_ Got *got = calloc(1, sizeof(*got));
        char why[PL_PATTERN_WHY_MAX];
        int r;

        if (rows[_i].grep) {
                ck_assert_int_eq(pl_pattern_new(rows[_i].grep, false, &filter.grep, why), 0);
        }
        for (const char *p = log; *p;) {
                const char *nl = strchr(p, '\n');

                take(got, &l, pl_log_lines_feed(&l, p, (size_t)(nl - p) + 1));
                p = nl + 1;
        }
        while ((r = pl_log_lines_flush(&l)) > 0)
                take(got, &l, r);
        ck_assert_msg(pl_streq(got->out, want), "%s: '%.200s'", rows[_i].name, got->out);
        ck_assert_uint_eq(l.damaged, rows[_i].damaged);
        if (filter.count)
                ck_assert_msg(got->lines == rows[_i].n, "%s: %u", rows[_i].name, got->lines);
        pl_log_lines_deinit(&l);
        pl_pattern_free(filter.grep);
}
END_TEST

/* A container that never ends its line does not fill our memory: it is one line all the same. */
START_TEST(endless_line) {
        PlLogFilter filter = { .until_nsec = UINT64_MAX, .timestamps = true, .json = _i == 1 };
        PlLogLines l = { .filter = &filter };
        _cleanup_free_ char *record = expand(OUT("#", "5"));
        uint64_t given = 0;
        unsigned first = 0;
        int r;

        for (unsigned i = 0; i < 1000; i++) {
                ck_assert_int_ge(pl_log_lines_feed(&l, record, strlen(record)), 0);
                for (size_t k = 0; k < l.n_pieces; k++) {
                        first += l.pieces[k].first;
                        given += l.pieces[k].out.n;
                        ck_assert(!l.pieces[k].last);
                }
                ck_assert_uint_lt(l.parts[PL_JSONLOG_STDOUT].text.allocated, 4 * MIB(1));
                ck_assert_uint_lt(l.parts[PL_JSONLOG_STDOUT].raw.allocated, 4 * MIB(1));
        }
        while ((r = pl_log_lines_flush(&l)) > 0)
                given += l.pieces[0].out.n;
        ck_assert_int_eq(r, 0);
        ck_assert_uint_eq(first, 1);
        ck_assert_uint_eq(given,
                          filter.json ? 1000 * strlen(record) : 1000 * PL_LOG_PART_BYTES + 31);
        pl_log_lines_deinit(&l);
}
END_TEST

/* What an expression sees of a line is bounded, and that is counted. */
START_TEST(endless_line_searched) {
        PlLogFilter filter = { .until_nsec = UINT64_MAX };
        PlLogLines l = { .filter = &filter };
        _cleanup_free_ char *record = expand(OUT("#", "5"));
        uint64_t given = 0;
        char why[PL_PATTERN_WHY_MAX];

        ck_assert_int_eq(pl_pattern_new(_i ? "^y" : "^x", false, &filter.grep, why), 0);
        for (unsigned i = 0; i < 2000; i++) {
                ck_assert_int_ge(pl_log_lines_feed(&l, record, strlen(record)), 0);
                for (size_t k = 0; k < l.n_pieces; k++)
                        given += l.pieces[k].out.n;
                ck_assert_uint_le(l.parts[PL_JSONLOG_STDOUT].text.allocated,
                                  2 * PL_LOG_LINE_SEARCH);
        }
        ck_assert_uint_eq(l.unsearched, 1);
        ck_assert_uint_eq(given, _i ? 0 : 2000 * PL_LOG_PART_BYTES);
        pl_log_lines_deinit(&l);
        pl_pattern_free(filter.grep);
}
END_TEST

/* When nothing more comes for now, the beginning of a line is shown, once. */
START_TEST(shown_early) {
        PlLogFilter filter = { .until_nsec = UINT64_MAX };
        PlLogLines l = { .filter = &filter };
        _cleanup_free_ char *part = expand(OUT("#", "5")), *end = expand(OUT("b\\n", "5"));

        ck_assert_int_eq(pl_log_lines_feed(&l, part, strlen(part)), 0);
        ck_assert_int_eq(pl_log_lines_show(&l), 1);
        ck_assert(l.pieces[0].first && !l.pieces[0].last);
        ck_assert_uint_eq(l.pieces[0].out.n, PL_LOG_PART_BYTES);
        ck_assert_int_eq(pl_log_lines_show(&l), 0);
        ck_assert_int_eq(pl_log_lines_feed(&l, end, strlen(end)), 1);
        ck_assert(!l.pieces[0].first && l.pieces[0].last);
        ck_assert_uint_eq(l.pieces[0].out.n, 2);
        pl_log_lines_deinit(&l);
}
END_TEST

int main(void) {
        TCase *c = tcase_create("all");

        tcase_add_loop_test(c, lines, 0, PL_ARRAY_SIZE(rows));
        tcase_add_loop_test(c, endless_line, 0, 2);
        tcase_add_loop_test(c, endless_line_searched, 0, 2);
        tcase_add_test(c, shown_early);
        return run_case(c);
}
