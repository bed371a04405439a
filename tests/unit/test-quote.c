/* SPDX-License-Identifier: Apache-2.0 */

/* Quoting: what of foreign bytes may reach a terminal, and where a text is cut. */

#include "lib/base/json.h"
#include "lib/base/quote.h"
#include "unit.h"

#define BYTES(s) s, sizeof(s) - 1

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

static const struct {
        const char *name, *data;
        size_t n, size;
        const char *expect;
} quotes[] = {
        { "plain", BYTES("abc"), 64, "abc" },
        { "exact fit", BYTES("abc"), 4, "abc" },
        { "UTF-8", BYTES("größe 大"), 64, "größe 大" },
        { "controls", BYTES("a\nb\tc\x1b"), 64, "a\\x0ab\\x09c\\x1b" },
        { "NUL", BYTES("a\0b"), 64, "a\\x00b" },
        { "backslash", BYTES("a\\b"), 64, "a\\x5cb" },
        { "invalid UTF-8", BYTES("\xff\xc3(\xe2\x82"), 64, "\\xff\\xc3(\\xe2\\x82" },
        { "overlong", BYTES("\xc0\xaf"), 64, "\\xc0\\xaf" },
        { "surrogate", BYTES("\xed\xa0\x80"), 64, "\\xed\\xa0\\x80" },
        { "right to left", BYTES("\xe2\x80\xaetxt"), 64, "\\xe2\\x80\\xaetxt" },
        { "C1 control", BYTES("\xc2\x9b"), 64, "\\xc2\\x9b" },
        { "cut", BYTES("abcdefgh"), 8, "abcd…" },
        { "cut in an escape", BYTES("abcd\n\n\n\n\n"), 12, "abcd\\x0a…" },
        { "no room", BYTES("abcdefgh"), 2, "a" },
        { "empty", BYTES(""), 8, "" },
};

START_TEST(quote) {
        char buf[64];

        memset(buf, '#', sizeof(buf));
        (void)pl_quote(quotes[_i].data, quotes[_i].n, buf, quotes[_i].size);
        ck_assert_msg(pl_streq(buf, quotes[_i].expect), "%s: %s", quotes[_i].name, buf);
        ck_assert_uint_lt(strlen(buf), quotes[_i].size);
}
END_TEST

/* The same document, and nothing that a terminal would obey. */
START_TEST(json_for_a_terminal) {
        static const char *const texts[] = {
                "plain \\ \" /",
                "\033[2J\n",
                "\xc2\x9b"
                "2J",
                "a\xe2\x80\xae"
                "b",
                "\x7f",
                "h\xc3\xa9",
                "\xf0\x9f\x98\x80",
        };
        json_t *j = json_array(), *back;
        char *text;

        for (size_t i = 0; i < PL_ARRAY_SIZE(texts); i++)
                json_array_append_new(j, json_string(texts[i]));
        text = pl_json_text(j, JSON_COMPACT);
        ck_assert_ptr_nonnull(strstr(text, "\\u009b2J"));
        ck_assert_ptr_nonnull(strstr(text, "a\\u202eb"));
        ck_assert_ptr_nonnull(strstr(text, "\\u007f"));
        ck_assert_ptr_nonnull(strstr(text, "h\xc3\xa9"));
        back = json_loads(text, 0, NULL);
        ck_assert(json_equal(j, back));
        json_decref(back);
        json_decref(j);
        free(text);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("tables");

        tcase_add_loop_test(t, escape, 0, PL_ARRAY_SIZE(escapes));
        tcase_add_loop_test(t, quote, 0, PL_ARRAY_SIZE(quotes));
        tcase_add_test(t, json_for_a_terminal);
        return run_case(t);
}
