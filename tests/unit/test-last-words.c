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
        const char *last;
        size_t n = strlen(rows[_i].tail);
        char *copy = malloc(n + 1);

        memcpy(copy, rows[_i].tail, n);
        last = pl_last_words(copy, n, rows[_i].whole, buf);
        ck_assert_msg(last >= buf && last <= buf + strlen(buf), "%s", rows[_i].name);
        ck_assert_msg(strlen(last) == strlen(strrchr(buf, '|') ? strrchr(buf, '|') + 2 : buf),
                      "%s: last %s", rows[_i].name, last);
        ck_assert_msg(pl_streq(buf, rows[_i].words), "%s: %s", rows[_i].name, buf);
        free(copy);
}
END_TEST

static const struct {
        const char *tail, *explained;
} causes[] = {
        { "", "" },
        { R("no such table: orders\\n"), "; its last line: no such table: orders" },
        { R("a\\n") R("b | c\\n"), "; its last line: b | c" },
        { R("FATAL:  could not resize shared memory segment \\\"/PostgreSQL.1\\\" to 1048576 "
            "bytes: No "
            "space left on device\\n") R("LOG:  database system is shut down\\n"),
          "; its /dev/shm is full: give it more (shm_size in compose, docker run --shm-size); its "
          "last "
          "line: LOG:  database system is shut down" },
        { R("dd: /dev/shm/x: No space left on device\\n"),
          "; its /dev/shm is full: give it more (shm_size in compose, docker run --shm-size); its "
          "last "
          "line: dd: /dev/shm/x: No space left on device" },
        { R("dd: /data/x: No space left on device\\n"),
          "; its last line: dd: /data/x: No space left on device" },
        { R("ERROR:  out of shared memory\\n"), "; its last line: ERROR:  out of shared memory" },
        { R("RuntimeError: DataLoader worker (pid 7) is killed by signal: Bus error. It is "
            "possible that "
            "dataloader's workers are out of shared memory. Please try to raise your shared memory "
            "limit.\\n"),
          "; a bus error: a mapped file shrank, or its /dev/shm is full (shm_size); its last line: "
          "RuntimeError: " },
        { R("LOG:  server process (PID 12) was terminated by signal 7: Bus error\\n"),
          "; a bus error: a mapped file shrank, or its /dev/shm is full (shm_size); its last line: "
          "LOG: " },
};

START_TEST(explained) {
        char buf[PL_LAST_WORDS_MAX], text[PL_LAST_WORDS_EXPLAINED_MAX];
        const char *last = pl_last_words(causes[_i].tail, strlen(causes[_i].tail), true, buf);

        (void)pl_last_words_explain(buf, last, text);
        ck_assert_msg(*causes[_i].explained ? pl_startswith(text, causes[_i].explained) : !*text,
                      "%s", text);
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
        tcase_add_loop_test(t, explained, 0, PL_ARRAY_SIZE(causes));
        tcase_add_test(t, bounded);
        return run_case(t);
}
