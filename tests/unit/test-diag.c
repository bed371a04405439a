/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Diagnostics: what a hostile text may do to a message (nothing), and the shape of one.
 */

#include "lib/base/diag.h"
#include "unit.h"

static const struct {
        const char *name, *in;
        size_t max;
        const char *out;
} escapes[] = {
        { "plain", "postgres-1", 100, "postgres-1" },
        { "empty", "", 100, "" },
        { "utf-8", "größe…", 100, "größe…" },
        { "four bytes", "🚢", 100, "🚢" },
        { "newline", "a\nb", 100, "a\\x0ab" },
        { "escape sequence", "\x1b[31m", 100, "\\x1b[31m" },
        { "del", "a\x7f", 100, "a\\x7f" },
        { "backslash", "a\\x0a", 100, "a\\x5cx0a" },
        { "c1 in utf-8", "\xc2\x9b", 100, "\\xc2\\x9b" },
        { "line separator", "\xe2\x80\xa8", 100, "\\xe2\\x80\\xa8" },
        { "right-to-left override", "\xe2\x80\xae", 100, "\\xe2\\x80\\xae" },
        { "stray continuation", "\x80z", 100, "\\x80z" },
        { "overlong", "\xc0\xaf", 100, "\\xc0\\xaf" },
        { "overlong three", "\xe0\x80\xaf", 100, "\\xe0\\x80\\xaf" },
        { "surrogate", "\xed\xa0\x80", 100, "\\xed\\xa0\\x80" },
        { "above unicode", "\xf4\x90\x80\x80", 100, "\\xf4\\x90\\x80\\x80" },
        { "cut sequence", "\xe2\x80", 100, "\\xe2\\x80" },
        { "fits exactly", "abcdef", 6, "abcdef" },
        { "cut", "abcdefg", 6, "abc…" },
        { "cut before utf-8", "abßdefgh", 7, "abß…" },
        { "cut before an escape", "ab\n\n", 7, "ab…" },
        { "only room for the mark", "abcdef", 3, "…" },
        { "no room", "abcdef", 2, "" },
};

START_TEST(escape) {
        _cleanup_free_ char *s = pl_escape(escapes[_i].in, escapes[_i].max), *again;

        ck_assert_msg(pl_streq(s, escapes[_i].out), "%s: \"%s\"", escapes[_i].name, s);
        ck_assert_uint_le(strlen(s), escapes[_i].max);
        again = pl_escape_again(s, escapes[_i].max);
        ck_assert_msg(pl_streq(s, again), "%s again: \"%s\"", escapes[_i].name, again);
}
END_TEST

START_TEST(format) {
        PlDiagList l = { 0 };
        char *s;

        pl_diag_add(&l, PL_SEVERITY_ERROR, "a.conf", 3, "MemoryMax=%s: not a size", "4\x1bG");
        pl_diag_add(&l, PL_SEVERITY_WARNING, "a.conf", 0, "sum \\o/");
        ck_assert_uint_eq(l.n, 2);
        ck_assert_uint_eq(l.n_errors, 1);
        s = pl_diag_format(&l.items[0]);
        ck_assert_str_eq(s, "a.conf:3: MemoryMax=4\\x1bG: not a size");
        free(s);
        s = pl_diag_format(&l.items[1]);
        ck_assert_str_eq(s, "a.conf: warning: sum \\o/");
        free(s);
        pl_diag_list_deinit(&l);
        ck_assert_uint_eq(l.n, 0);
}
END_TEST

START_TEST(bounded) {
        PlDiagList l = { 0 };

        for (unsigned i = 0; i < 100000; i++)
                pl_diag_add(&l, PL_SEVERITY_ERROR, "a.conf", i, "wrong");
        ck_assert_uint_eq(l.n_errors, 100000);
        ck_assert_uint_eq(l.n, 1001);
        ck_assert(!l.oom);
        ck_assert_str_eq(l.items[1000].message,
                         "more problems follow; only the first ones are shown");
        pl_diag_list_deinit(&l);
}
END_TEST

int main(void) {
        TCase *tc = tcase_create("diag");

        tcase_add_loop_test(tc, escape, 0, PL_ARRAY_SIZE(escapes));
        tcase_add_test(tc, format);
        tcase_add_test(tc, bounded);
        return run_case(tc);
}
