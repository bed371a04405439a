/* SPDX-License-Identifier: Apache-2.0 */

/* Secrets: what a service says, without what its container's environment holds. */

#include "lib/probe/secrets.h"
#include "unit.h"

#define BYTES(s) s, sizeof(s) - 1

/* clang-format off */
static const struct {
        const char *name, *environment[3], *data;
        size_t n;
        bool more;
        const char *expect;
} rows[] = {
        { "plain", { "A=hunter22" }, BYTES("the password is hunter22."), false, "the password is [cut]." },
        { "none there", { "A=hunter22" }, BYTES("all is well"), false, "all is well" },
        { "twice", { "A=hunter22" }, BYTES("hunter22hunter22 hunter22"), false, "[cut] [cut]" },
        { "all of it", { "A=hunter22" }, BYTES("hunter22"), false, "[cut]" },
        { "no environment", { NULL }, BYTES("hunter22"), false, "hunter22" },
        { "no value", { "A=", "B" }, BYTES("A=B"), false, "A=B" },
        { "value with an equals sign", { "URL=a=b=cc" }, BYTES("x a=b=cc y"), false, "x [cut] y" },
        { "one in another", { "A=pass", "B=passwords" }, BYTES("passwords pass"), false, "[cut] [cut]" },
        { "overlapping", { "A=abcdef", "B=defghi" }, BYTES("abcdefghi!"), false, "[cut]!" },
        { "a short one alone", { "A=abc" }, BYTES("abc (abc) abcd xabc"), false, "[cut] ([cut]) abcd xabc" },
        { "after NULs", { "A=hunter22" }, BYTES("\0\0hunter22\0"), false, "" },
        { "JSON's quotes", { "A=a\"b\\c" }, BYTES("{\"x\":\"a\\\"b\\\\c\"}"), false, "{\"x\":\"[cut]\"}" },
        { "JSON's slashes", { "A=ab/cd" }, BYTES("\"ab\\/cd\""), false, "\"[cut]\"" },
        { "JSON in ASCII", { "A=gr\xc3\xbc\xc3\x9f" }, BYTES("\"gr\\u00FC\\u00DF\""), false, "\"[cut]\"" },
        { "URL", { "A=p@ss/w" }, BYTES("/?p=p%40ss%2Fw&q=p%40ss%2fw"), false, "/?p=[cut]&q=[cut]" },
        { "a line of several", { "KEY=-----\nMIIEow\nAbCd" }, BYTES("x MIIEow AbCd"), false, "x [cut] [cut]" },
        { "its beginning at the end", { "A=hunter22" }, BYTES("it is hunt"), true, "it is [cut]" },
        { "… of what has an end", { "A=hunter22" }, BYTES("they hunt"), false, "they hunt" },
        { "too little of it", { "A=hunter22" }, BYTES("it is hu"), true, "it is hu" },
        { "a port", { "PORT=8080" }, BYTES("http://x:8080/"), false, "http://x:8080/" },
        { "a switch", { "DEBUG=true" }, BYTES("{\"ok\":true}"), false, "{\"ok\":true}" },
        { "digits of a password", { "REDIS_PASSWORD=12345" }, BYTES("got 12345"), false, "got [cut]" },
        { "digits of a long number", { "ID=123456" }, BYTES("got 123456"), false, "got [cut]" },
        { "a secret that looks like a switch", { "token=true" }, BYTES("true"), false, "[cut]" },
        { "in another case", { "A=hunter22" }, BYTES("HUNTER22"), false, "HUNTER22" },
};
/* clang-format on */

START_TEST(cut) {
        _cleanup_(pl_secrets_freep) PlSecrets *s = NULL;
        _cleanup_free_ char *data = malloc(rows[_i].n + 1), *text = NULL;
        size_t n = 0;

        ck_assert_ptr_nonnull(data);
        memcpy(data, rows[_i].data,
               rows[_i].n); /* on the heap: the sanitizer sees what lies beyond */
        ck_assert_int_eq(pl_secrets_new((char *const *)rows[_i].environment, &s), 0);
        text = pl_secrets_cut(s, data, rows[_i].n, rows[_i].more, &n);
        ck_assert_ptr_nonnull(text);
        ck_assert_msg(pl_streq(text, rows[_i].expect), "%s: %s", rows[_i].name, text);
        ck_assert_msg(!memmem(text, n, "hunter22", 8) || !rows[_i].environment[0], "%s: left in it",
                      rows[_i].name);
}
END_TEST

/* What is in no text cannot be shown, however the data is cut off: each beginning of it. */
START_TEST(cut_anywhere) {
        static const char all[] = "user=skipper&password=hunter22&x=hunter22";
        static char *const environment[] = { (char *)"A=hunter22", (char *)"B=skipper", NULL };
        _cleanup_(pl_secrets_freep) PlSecrets *s = NULL;

        ck_assert_int_eq(pl_secrets_new(environment, &s), 0);
        for (size_t n = 0; n < sizeof(all); n++) {
                size_t left = 0;
                _cleanup_free_ char *text = pl_secrets_cut(s, all, n, true, &left);

                ck_assert_ptr_nonnull(text);
                ck_assert_msg(!strstr(text, "hun") && !strstr(text, "ski"), "%zu: %s", n, text);
        }
}
END_TEST

int main(void) {
        TCase *t = tcase_create("secrets");

        tcase_add_loop_test(t, cut, 0, PL_ARRAY_SIZE(rows));
        tcase_add_test(t, cut_anywhere);
        return run_case(t);
}
