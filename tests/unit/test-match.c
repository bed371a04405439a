/* SPDX-License-Identifier: Apache-2.0 */

/* Match: words, quotes, and what covers or excludes what. */

#include "lib/policy/match.h"

#include <errno.h>

#include "unit.h"

/* The line as it is understood, "kind:pattern" each, parted by " & "; or what is wrong. */
static const struct {
        const char *line, *terms, *said;
        int r;
} lines[] = {
        { "name:a", "name:a", NULL, 0 },
        { "  name:a\t image:b*  ", "name:a & image:b*", NULL, 0 },
        { "label:\"team=data platform\" name:a", "label:team=data platform & name:a", NULL, 0 },
        { "'label:team=data platform'", "label:team=data platform", NULL, 0 },
        { "label:team=\"data\"' platform'", "label:team=data platform", NULL, 0 },
        { "label:team=data  platform", "label:team=data  platform", "belongs to the pattern", 0 },
        { "label:a=it's", "label:a=it's", "nothing closes", 0 },
        { "label:a=\"\"", "label:a=", NULL, 0 },
        { "name:a\\*", "name:a\\*", NULL, 0 },
        { "label:a=\\\"b c\\\"", "label:a=\\\"b c\\\"", "belongs to the pattern", 0 },
        { "label:a=\"b\\\"c\"", "label:a=b\\\"c", NULL, 0 },
        { "label:a='\"'\"' \"", "label:a=\"' ", NULL, 0 },
        { "label:a='\"b c' name:d", "label:a=\"b c & name:d", NULL, 0 },
        { "name:a label:b=\"'\" \\", "name:a & label:b=' \\", "belongs to the pattern", 0 },
        { "unit:a.service swarm-service:b", "unit:a.service & swarm-service:b", NULL, 0 },
        { "named:a", NULL, NULL, -EINVAL },
        { "", NULL, NULL, -EINVAL },
        { "name:", NULL, "nothing follows", -EBADMSG },
        { "name: a", NULL, "white space after the colon", -EBADMSG },
        { "name:a name:/b", NULL, "no slash in front", -EBADMSG },
        { "label:=b", NULL, "a label has a key", -EBADMSG },
        { "name:1 name:2 name:3 name:4 name:5 name:6 name:7 name:8 name:9 name:a name:b name:c "
          "name:d name:e name:f name:g name:h",
          NULL, NULL, -E2BIG },
};

static size_t parse(const char *text, PlMatch *ret, int want, const char **ret_said) {
        const char *warning = NULL, *fault = NULL;
        size_t n = 0;
        int r = pl_match_parse(text, ret, &n, &warning, &fault);

        ck_assert_msg(r == want, "%s: %d", text, r);
        *ret_said = r == -EBADMSG ? fault : warning;
        return n;
}

static void release(PlMatch *line, size_t n) {
        while (n > 0)
                free(line[--n].pattern);
}

START_TEST(parsed) {
        PlMatch line[PL_MATCH_TERMS_MAX];
        const char *said;
        size_t n = parse(lines[_i].line, line, lines[_i].r, &said);
        char text[512] = "";

        for (size_t i = 0; i < n; i++) {
                snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s:%s",
                         i > 0 ? " & " : "", pl_match_word(line[i].kind), line[i].pattern);
                ck_assert_msg(line[i].joined == (i > 0), "%s", lines[_i].line);
        }
        ck_assert_msg(!lines[_i].terms || pl_streq(text, lines[_i].terms), "%s: %s", lines[_i].line,
                      text);
        ck_assert_msg(!lines[_i].said == !said && (!said || strstr(said, lines[_i].said)), "%s: %s",
                      lines[_i].line, said ?: "nothing");
        release(line, n);
}
END_TEST

/* What is printed is what was read. */
START_TEST(formatted) {
        PlMatch line[PL_MATCH_TERMS_MAX], again[PL_MATCH_TERMS_MAX];
        _cleanup_free_ char *text = NULL;
        const char *said;
        size_t n;

        if (lines[_i].r < 0)
                return;
        n = parse(lines[_i].line, line, 0, &said);
        text = pl_match_format(line, n);
        ck_assert_uint_eq(parse(text, again, 0, &said), n);
        for (size_t i = 0; i < n; i++)
                ck_assert_msg(pl_streq(line[i].pattern, again[i].pattern), "%s: %s", lines[_i].line,
                              text);
        release(line, n);
        release(again, n);
}
END_TEST

static const struct {
        const char *a, *b;
        bool covers;
} pairs[] = {
        { "name:a", "name:a", true },
        { "name:a", "name:b", false },
        { "name:a", "image:a", false },
        { "name:a*", "name:ab", true },
        { "name:*", "name:a?", true },
        { "name:a*", "name:ab*", false }, /* it does, but that is not told */
        { "name:a image:b", "name:a", false },
        { "name:a", "image:b name:a", true },
        { "name:a image:b", "image:b name:a", true },
        { "label:k", "label:k=v", true },
        { "label:k", "label:kk=v", false },
        { "label:k=v", "label:k", false },
        { "label:k=*", "label:k", true },
        { "label:k=v*", "label:k=vw", true },
};

START_TEST(covering) {
        PlMatch a[PL_MATCH_TERMS_MAX], b[PL_MATCH_TERMS_MAX];
        const char *said;
        size_t n_a = parse(pairs[_i].a, a, 0, &said), n_b = parse(pairs[_i].b, b, 0, &said);

        ck_assert_msg(pl_match_covers(a, n_a, b, n_b) == pairs[_i].covers, "%s, %s", pairs[_i].a,
                      pairs[_i].b);
        release(a, n_a);
        release(b, n_b);
}
END_TEST

static const struct {
        const char *line, *why; /* NULL: something may match */
} impossible[] = {
        { "name:pg-[0-9]*", NULL },
        { "name:[a,b]x", NULL },
        { "name:a\\_b", NULL },
        { "label:k=^a,b$", NULL },
        { "image:localhost:5000/a@sha256:0", NULL },
        { "unit:a-b@c.service", NULL },
        { "name:a* name:*b", NULL },
        { "name:a name:a", NULL },
        { "label:k label:k=v", NULL },
        { "label:k=a label:l=b", NULL },
        { "name:a,b", "',' in it; for one of several" },
        { "name:a image:b,c", "no image has ','" },
        { "name:^a", "a glob, not a regular expression" },
        { "name:a|b", "a glob, not a regular expression" },
        { "name:\\,", "','" },
        { "name:\xc3\xa4", "no name of a container has such in it" },
        { "compose-service:a/b", "no service of compose has '/'" },
        { "compose-project:A", "lower case" },
        { "name:a name:b", "both name:a and name:b" },
        { "name:a* name:b", "both name:a* and name:b" },
        { "label:k=a label:k=b", "both label:k=a and label:k=b" },
};

START_TEST(never) {
        PlMatch line[PL_MATCH_TERMS_MAX];
        _cleanup_free_ char *why = NULL;
        const char *said;
        size_t n = parse(impossible[_i].line, line, 0, &said);

        ck_assert_int_eq(pl_match_never(line, n, &why), 0);
        ck_assert_msg(!why == !impossible[_i].why && (!why || strstr(why, impossible[_i].why)),
                      "%s: %s", impossible[_i].line, why ?: "nothing");
        release(line, n);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("match");

        tcase_add_loop_test(t, parsed, 0, PL_ARRAY_SIZE(lines));
        tcase_add_loop_test(t, formatted, 0, PL_ARRAY_SIZE(lines));
        tcase_add_loop_test(t, covering, 0, PL_ARRAY_SIZE(pairs));
        tcase_add_loop_test(t, never, 0, PL_ARRAY_SIZE(impossible));
        return run_case(t);
}
