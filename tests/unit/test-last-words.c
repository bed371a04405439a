/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The end of a json-file log, whatever it looks like, as one printable line.
 */

#include "lib/logs/last-words.h"
#include "probe-rounds.h"

#define R(text) "{\"log\":\"" text "\",\"stream\":\"stderr\",\"time\":\"2026-01-01T00:00:00Z\"}\n"

/* clang-format off */
static const struct {
        const char *name, *tail;
        bool whole;
        const char *words;
} rows[] = {
        { "nothing", "", true, "" },
        { "one line", R("fatal: no door\\n"), true, "fatal: no door" },
        { "two lines", R("a\\n") R("b\\n"), true, "a | b" },
        { "the last five", R("1\\n") R("2\\n") R("3\\n") R("4\\n") R("5\\n") R("6\\n"), true, "2 | 3 | 4 | 5 | 6" },
        { "empty lines are no words", R("a\\n") R("\\n") R("  \\n") R("b\\n"), true, "a | b" },
        { "cut at its beginning", "og\":\"half\"}\n" R("b\\n"), false, "b" },
        { "all of it is the middle of a record", "xxxxxxxx", false, "" },
        { "cut at its end", R("a\\n") "{\"log\":\"ha", true, "a" },
        { "escapes", R("\\u001b[31mred\\u001b[0m \\u202e\\n"), true, "\\x1b[31mred\\x1b[0m \\xe2\\x80\\xae" },
        { "not JSON", "plain text\nand more\n" R("b\\n"), true, "b" },
        { "filler", R("a\\n") "{}          \n", true, "a" },
        { "only newlines", "\n\n\n\n", true, "" },
};
/* clang-format on */

START_TEST(words) {
        char buf[PL_LAST_WORDS_MAX];
        size_t n = strlen(rows[_i].tail);
        char *copy = malloc(n + 1);

        memcpy(copy, rows[_i].tail, n);
        (void)pl_last_words(copy, n, rows[_i].whole, buf);
        ck_assert_msg(pl_streq(buf, rows[_i].words), "%s: %s", rows[_i].name, buf);
        free(copy);
}
END_TEST

/* One endless line must not push out the others. */
START_TEST(bounded) {
        char *tail = malloc(70000), buf[PL_LAST_WORDS_MAX];
        int n = snprintf(tail, 70000, R("why\\n"));

        for (int i = 0; i < 4; i++) {
                n += snprintf(tail + n, 70000 - (size_t)n, "{\"log\":\"");
                memset(tail + n, 'x', 10000);
                n += 10000;
                n += snprintf(tail + n, 70000 - (size_t)n,
                              "\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-01T00:00:00Z\"}\n");
        }
        (void)pl_last_words(tail, (size_t)n, true, buf);
        ck_assert_msg(pl_startswith(buf, "why | xxx"), "%s", buf);
        ck_assert_uint_lt(strlen(buf), sizeof(buf));
        free(tail);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("table");

        tcase_add_loop_test(t, words, 0, PL_ARRAY_SIZE(rows));
        tcase_add_test(t, bounded);
        return run_case(t);
}
