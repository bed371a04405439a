/* SPDX-License-Identifier: Apache-2.0 */
/* Records in, lines out: joined, filtered, and printed as docker logs prints them. */

#include "lib/logs/line.h"
#include "unit.h"

#define OUT(text, sec) \
        "{\"log\":\"" text "\",\"stream\":\"stdout\",\"time\":\"2026-01-02T03:04:0" sec "Z\"}\n"
#define ERR(text, sec) \
        "{\"log\":\"" text "\",\"stream\":\"stderr\",\"time\":\"2026-01-02T03:04:0" sec "Z\"}\n"
#define T0 UINT64_C(1767323040000000000)

/* clang-format off */
static const struct {
        const char *name, *log;
        PlLogFilter filter;
        const char *grep;
        const char *out; /* stderr lines have a '!' in front */
        unsigned damaged;
} rows[] = {
        { "plain", OUT("a\\n", "1") ERR("b\\n", "2"), { .until_nsec = UINT64_MAX }, NULL, "a\n!b\n" },
        { "nothing to show", "{}   \n{\"rotmark\":3}  \n\n", { .until_nsec = UINT64_MAX }, NULL, "" },
        { "parts of two streams", OUT("a", "1") ERR("x", "2") OUT("b", "3") ERR("y\\n", "4") OUT("c\\n", "5"),
          { .until_nsec = UINT64_MAX }, NULL, "!xy\nabc\n" },
        { "the end without a newline", OUT("a", "1") ERR("x", "2"), { .until_nsec = UINT64_MAX }, NULL,
          "a!x" },
        { "stdout", OUT("a\\n", "1") ERR("b\\n", "2"), { .until_nsec = UINT64_MAX, .no_stderr = true }, NULL,
          "a\n" },
        { "stderr", OUT("a\\n", "1") ERR("b\\n", "2"), { .until_nsec = UINT64_MAX, .no_stdout = true }, NULL,
          "!b\n" },
        { "since, until", OUT("a\\n", "1") OUT("b\\n", "2") OUT("c\\n", "3") OUT("d\\n", "4"),
          { .since_nsec = T0 + 2000000000, .until_nsec = T0 + 3000000000 }, NULL, "b\nc\n" },
        { "a line's time is that of its first part", OUT("a", "1") OUT("b\\n", "3"),
          { .since_nsec = T0 + 2000000000, .until_nsec = UINT64_MAX }, NULL, "" },
        { "timestamps", OUT("a", "1") OUT("b\\n", "2"), { .until_nsec = UINT64_MAX, .timestamps = true }, NULL,
          "2026-01-02T03:04:01.000000000Z ab\n" },
        { "grep looks at whole lines", OUT("no\\n", "1") OUT("err", "1") OUT("or\\n", "2"),
          { .until_nsec = UINT64_MAX }, "^error$", "error\n" },
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

START_TEST(lines) {
        PlLogFilter filter = rows[_i].filter;
        PlLogLines l = { .filter = &filter };
        char out[1024] = "", why[PL_PATTERN_WHY_MAX];
        PlJsonlogStream stream;
        int r;

        if (rows[_i].grep) {
                ck_assert_int_eq(pl_pattern_new(rows[_i].grep, false, &filter.grep, why), 0);
        }
        for (const char *p = rows[_i].log; *p;) {
                const char *nl = strchr(p, '\n');

                r = pl_log_lines_feed(&l, p, (size_t)(nl - p) + 1, &stream);
                ck_assert_int_ge(r, 0);
                if (r > 0)
                        sprintf(out + strlen(out), "%s%.*s", stream == PL_JSONLOG_STDERR ? "!" : "",
                                (int)l.n_out, l.out);
                p = nl + 1;
        }
        while ((r = pl_log_lines_flush(&l, &stream)) > 0)
                sprintf(out + strlen(out), "%s%.*s", stream == PL_JSONLOG_STDERR ? "!" : "",
                        (int)l.n_out, l.out);
        ck_assert_msg(pl_streq(out, rows[_i].out), "%s: '%s'", rows[_i].name, out);
        ck_assert_uint_eq(l.damaged, rows[_i].damaged);
        pl_log_lines_deinit(&l);
        pl_pattern_free(filter.grep);
}
END_TEST

/* A container that never ends its line does not fill our memory. */
START_TEST(endless_line) {
        PlLogFilter filter = { .until_nsec = UINT64_MAX };
        PlLogLines l = { .filter = &filter };
        char *record = malloc(17000), text[16385];
        uint64_t given = 0, all = 0;
        PlJsonlogStream stream;

        memset(text, 'x', sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        sprintf(record,
                "{\"log\":\"%s\",\"stream\":\"stdout\",\"time\":\"2026-01-02T03:04:05Z\"}\n", text);
        for (unsigned i = 0; i < 1000; i++) {
                int r = pl_log_lines_feed(&l, record, strlen(record), &stream);

                ck_assert_int_ge(r, 0);
                all += sizeof(text) - 1;
                if (r > 0)
                        given += l.n_out;
                ck_assert_uint_le(all - given, PL_LOG_LINE_MAX + 16384);
        }
        free(record);
        pl_log_lines_deinit(&l);
}
END_TEST

int main(void) {
        TCase *c = tcase_create("all");

        tcase_add_loop_test(c, lines, 0, PL_ARRAY_SIZE(rows));
        tcase_add_test(c, endless_line);
        return run_case(c);
}
