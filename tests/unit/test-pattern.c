/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Patterns, and text that is made to keep the matcher busy.
 */

#include <time.h>

#include "lib/base/pattern.h"
#include "unit.h"

#define BODY_BYTES KIB(64)
/* Of this thread's CPU time, however busy the machine is; what a sanitizer adds is no measure. */
#define BOUND_MSEC (SANITIZED ? 500 : 50)

static const struct {
        const char *name, *pattern, *text;
        size_t size; /* 0: strlen() */
        int result;
        bool ignore_case;
} rows[] = {
        { "anywhere", "ok", "not ok", 0, 1 },
        { "not there", "ok", "no", 0, 0 },
        { "alternatives", "OK|ready", "it is ready", 0, 1 },
        { "a class by name", "^[[:digit:]]+$", "2026", 0, 1 },
        { "ends are those of the text", "^b$", "a\nb\nc", 0, 0 },
        { "the end is after the last newline", "a$", "a\n", 0, 0 },
        { "a dot is a newline, too", "a.b", "a\nb", 0, 1 },
        { "a dot is a character", "^.$", "\xc3\xa9", 0, 1 },
        { "bytes that are no UTF-8", "ok", "\xff\xfeok", 0, 1 },
        { "NULs", "b", "a\0b", 3, 1 },
        { "empty", "^$", "", 0, 1 },
        { "no text at all", "^$", NULL, 0, 1 },
        { "either case", "h\xc3\xa9llo", "H\xc3\x89LLO", 0, 1, true },
        { "a back-reference", "(a)b\\1", "aba", 0, 1 },
};

START_TEST(matches) {
        _cleanup_(pl_pattern_freep) PlPattern *p = NULL;
        char why[PL_PATTERN_WHY_MAX];
        const char *text = rows[_i].text;
        size_t size = rows[_i].size ?: text ? strlen(text) : 0;

        ck_assert_int_eq(pl_pattern_new(rows[_i].pattern, rows[_i].ignore_case, &p, why), 0);
        ck_assert_msg(pl_pattern_match(p, text, size) == rows[_i].result, "%s", rows[_i].name);
}
END_TEST

static const struct {
        const char *pattern, *why;
        bool posix_differs;
} refused[] = {
        { "(", "missing closing parenthesis, at byte 2" },
        { "[a", "for character class, at byte 3" },
        { "((ab){999}c){999}", "too large" },
        { "a\\C", "" },
        { "\xff", "UTF-8" },
};

START_TEST(refusals) {
        PlPattern *p = NULL;
        char why[PL_PATTERN_WHY_MAX], large[PL_PATTERN_MAX + 2];

        ck_assert_int_eq(pl_pattern_new(refused[_i].pattern, false, &p, why), -EINVAL);
        ck_assert_msg(strstr(why, refused[_i].why), "%s: %s", refused[_i].pattern, why);
        ck_assert_ptr_null(p);
        memset(large, 'a', sizeof(large) - 1);
        large[sizeof(large) - 1] = '\0';
        ck_assert_int_eq(pl_pattern_new(large, false, &p, why), -EINVAL);
        large[PL_PATTERN_MAX] = '\0';
        ck_assert_int_eq(pl_pattern_new(large, false, &p, why), 0);
        pl_pattern_free(p);
}
END_TEST

START_TEST(posix) {
        ck_assert(!pl_pattern_posix_differs("^(OK|ready)[[:space:]]*$"));
        ck_assert(pl_pattern_posix_differs("(?i)ok"));
}
END_TEST

static uint64_t cpu_usec(void) {
        struct timespec t;

        (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
        return (uint64_t)t.tv_sec * PL_USEC_PER_SEC + (uint64_t)t.tv_nsec / 1000;
}

static const char *const costly[] = {
        "[0-9]+ ok",
        "[0-9]+[a-z]",
        "(a+)+$",
        "(a|aa)+$",
        "^(a|b|ab)*c",
        "(a*)*b",
        "([a-z ]+)*X",
        "(.*)(.*)(.*)(.*)(.*)z",
        "a.*b.*c.*d.*e.*1$",
        "(a?){30}a{30}x",
        "((a{1,9}){1,9}){1,9}b",
        ".{1,200}x",
        "(x+x+)+y",
        "(?=(a+))\\1b",
        "\\w+\\d",
        "(\\d+)*$",
        "(?R)?a",
        "(.)(.)(.)\\3\\2\\1X",
        "\\s+$",
        "([[:alnum:] ]*){20}!",
        "(1|11|111)*2",
        "(a|1|b)*?c$",
};

static void fill(char *text, size_t size, int kind) {
        for (size_t i = 0; i < size; i++)
                switch (kind) {
                case 0:
                        text[i] = '1';
                        break;
                case 1:
                        text[i] = 'a';
                        break;
                case 2:
                        text[i] = i % 7 ? (char)('a' + i % 26) : ' ';
                        break;
                case 3:
                        text[i] = ' ';
                        break;
                default:
                        text[i] = (char)((uint32_t)i * UINT32_C(2654435761) >> 13);
                }
}

/* Whatever the pattern and however the answer is made for it, the loop is held up for moments. */
START_TEST(bounded) {
        _cleanup_(pl_pattern_freep) PlPattern *p = NULL;
        _cleanup_free_ char *text = malloc(BODY_BYTES);
        char why[PL_PATTERN_WHY_MAX];

        ck_assert_int_ge(pl_pattern_new(costly[_i], false, &p, why), p ? 0 : -EINVAL);
        ck_assert_msg(p, "%s: %s", costly[_i], why);
        for (int kind = 0; kind < 5; kind++) {
                uint64_t begin = cpu_usec(), usec;
                int r;

                fill(text, BODY_BYTES, kind);
                begin = cpu_usec();
                r = pl_pattern_match(p, text, BODY_BYTES);
                usec = cpu_usec() - begin;
                ck_assert_msg(usec < BOUND_MSEC * PL_USEC_PER_MSEC, "%s on text %d: %d, %lu us",
                              costly[_i], kind, r, (unsigned long)usec);
        }
}
END_TEST

/* What is not found within the bound is not called absent. */
START_TEST(unsure) {
        _cleanup_(pl_pattern_freep) PlPattern *p = NULL;
        _cleanup_free_ char *text = malloc(BODY_BYTES);
        char why[PL_PATTERN_WHY_MAX];

        fill(text, BODY_BYTES, 1);
        ck_assert_int_eq(pl_pattern_new("(a|aa)+$", false, &p, why), 0);
        text[BODY_BYTES - 1] = 'b';
        ck_assert_int_eq(pl_pattern_match(p, text, BODY_BYTES), -E2BIG);
        /* and the next one is searched from anew */
        ck_assert_int_eq(pl_pattern_match(p, "aaa", 3), 1);
}
END_TEST

int main(void) {
        TCase *cases = tcase_create("pattern");

        tcase_add_loop_test(cases, matches, 0, (int)PL_ARRAY_SIZE(rows));
        tcase_add_loop_test(cases, refusals, 0, (int)PL_ARRAY_SIZE(refused));
        tcase_add_test(cases, posix);
        tcase_add_loop_test(cases, bounded, 0, (int)PL_ARRAY_SIZE(costly));
        tcase_add_test(cases, unsure);
        return run_case(cases);
}
