/* SPDX-License-Identifier: Apache-2.0 */

#include <locale.h>

#include "lib/base/text.h"
#include "unit.h"

static const PlLook utf8 = { .utf8 = true }, ascii = {};

static const struct {
        const char *name, *in;
        const PlLook *look;
        const char *out;
        size_t width;
} cleans[] = {
        { "plain", "postgres-1", &utf8, "postgres-1", 10 },
        { "empty", "", &utf8, "", 0 },
        { "umlaut", "für", &utf8, "für", 3 },
        { "umlaut in ASCII", "für", &ascii, "f?r", 3 },
        { "typography in ASCII", "a → b … ∞ ●", &ascii, "a -> b ... inf *", 16 },
        { "wide", "日本", &utf8, "日本", 4 },
        { "combining", "e\xcc\x81", &utf8, "e\xcc\x81", 1 },
        { "escape sequence", "\033[31mred", &utf8, "\\x1b[31mred", 11 },
        { "newline", "a\nb", &ascii, "a\\x0ab", 6 },
        { "invalid", "a\xff", &utf8, "a\\xff", 5 },
        { "cut short", "a\xe2\x82", &utf8, "a\\xe2\\x82", 9 },
        { "turns direction",
          "a\xe2\x80\xae"
          "b",
          &utf8, "a\\xe2\\x80\\xaeb", 14 },
};

START_TEST(test_clean) {
        _cleanup_free_ char *out = pl_text_clean(cleans[_i].in, cleans[_i].look);

        ck_assert_ptr_nonnull(out);
        ck_assert_msg(pl_streq(out, cleans[_i].out), "%s: \"%s\"", cleans[_i].name, out);
        ck_assert_msg(pl_text_width(out, cleans[_i].look) == cleans[_i].width, "%s: width %zu",
                      cleans[_i].name, pl_text_width(out, cleans[_i].look));
}
END_TEST

static const struct {
        unsigned columns;
        size_t column, indent;
        const char *in, *out;
} wraps[] = {
        { 0, 0, 2, "one two three", "one two three\n" },
        { 9, 0, 2, "one two three", "one two\n  three\n" },
        { 7, 0, 2, "one two three", "one two\n  three\n" },
        { 6, 0, 2, "one two three", "one\n  two\n  three\n" },
        { 9, 6, 2, "one two", "one\n  two\n" },
        { 5, 0, 1, "unbreakable yes", "unbreakable\n yes\n" },
        { 9, 0, 2, "", "\n" },
        { 9, 0, 2, "a  b ", "a b\n" },
};

START_TEST(test_wrap) {
        const PlLook look = { .columns = wraps[_i].columns };
        _cleanup_free_ char *out = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&out, &size);

        pl_text_wrap(f, &look, PL_TINT_NONE, wraps[_i].column, wraps[_i].indent, wraps[_i].in);
        (void)fclose(f);
        ck_assert_str_eq(out, wraps[_i].out);
}
END_TEST

int main(void) {
        TCase *cases = tcase_create("all");

        (void)setlocale(LC_CTYPE, "C.UTF-8");
        tcase_add_loop_test(cases, test_clean, 0, PL_ARRAY_SIZE(cleans));
        tcase_add_loop_test(cases, test_wrap, 0, PL_ARRAY_SIZE(wraps));
        return run_case(cases);
}
