/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Passwords for Postgres: replies that were computed by other means, and challenges without sense.
 */

#include "probe/password.h"

#include <errno.h>

#include "unit.h"

#define BYTES(s) s, sizeof(s) - 1
#define NONCE    "rOprNGfwEbeRWgbNEkqO"
/* RFC 7677, 3; the name that Postgres does not read is empty here, which makes the proof another */
#define FIRST "r=" NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
#define LAST                                                  \
        "c=biws,r=" NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=" \
        "qvT2SWdEH5Q06albL+hjSYuUhCG7VndFyzIb7CK4n9k="

/* clang-format off */
static const struct {
        const char *name, *password, *body;
        size_t n;
        bool begun;
        int error; /* 0: the reply is text, to the byte */
        const char *text;
        size_t n_text;
} rows[] = {
        { "clear text", "secret", BYTES("\0\0\0\3"), false, 0, BYTES("secret\0") },
        { "MD5", "secret", BYTES("\0\0\0\5\1\2\3\4"), false, 0, BYTES("md5911f527656472583a006e7727877b33e\0") },
        { "MD5 without its salt", "secret", BYTES("\0\0\0\5\1\2\3"), false, -EPROTO, NULL, 0 },
        { "SCRAM", "pencil", BYTES("\0\0\0\x0b" FIRST), true, 0, BYTES(LAST) },
        { "SCRAM that was not begun", "pencil", BYTES("\0\0\0\x0b" FIRST), false, -EPROTO, NULL, 0 },
        { "a nonce that is not ours", "p", BYTES("\0\0\0\x0br=x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1"), true, -EPROTO, NULL, 0 },
        { "no salt", "p", BYTES("\0\0\0\x0br=" NONCE "x,i=1"), true, -EPROTO, NULL, 0 },
        { "a salt that is none", "p", BYTES("\0\0\0\x0br=" NONCE "x,s=!!!!,i=1"), true, -EPROTO, NULL, 0 },
        { "a short salt", "p", BYTES("\0\0\0\x0br=" NONCE "x,s=W2,i=1"), true, -EPROTO, NULL, 0 },
        { "no iterations", "p", BYTES("\0\0\0\x0br=" NONCE "x,s=W22ZaJ0S,i=0"), true, -EPROTO, NULL, 0 },
        { "a day of iterations", "p", BYTES("\0\0\0\x0br=" NONCE "x,s=W22ZaJ0S,i=4294967295"), true, -ENOTSUP, NULL, 0 },
        { "more than any number", "p", BYTES("\0\0\0\x0br=" NONCE "x,s=W22ZaJ0S,i=99999999999999999999"), true, -ENOTSUP, NULL, 0 },
        { "a NUL", "p", BYTES("\0\0\0\x0br=" NONCE "\0x,s=W22ZaJ0S,i=1"), true, -EPROTO, NULL, 0 },
        { "another mechanism", "p", BYTES("\0\0\0\x0aGSSAPI\0\0"), false, -ENOTSUP, NULL, 0 },
        { "a mechanism with a longer name", "p", BYTES("\0\0\0\x0aSCRAM-SHA-256-PLUS\0\0"), false, -ENOTSUP, NULL, 0 },
        { "names without an end", "p", BYTES("\0\0\0\x0aSCRAM-SHA-256"), false, -ENOTSUP, NULL, 0 },
        { "no names", "p", BYTES("\0\0\0\x0a"), false, -ENOTSUP, NULL, 0 },
        { "an unknown way", "p", BYTES("\0\0\0\7"), false, -EPROTO, NULL, 0 },
        { "nothing", "p", BYTES("\0\0"), false, -EPROTO, NULL, 0 },
};
/* clang-format on */

START_TEST(replies) {
        PlLogin login = { .user = "app" };
        PlPassword p = { .nonce = NONCE, .begun = rows[_i].begun };
        uint8_t out[PL_PASSWORD_REPLY_MAX];
        uint8_t *body = malloc(rows[_i].n); /* a read beyond its end is seen by the sanitizer */
        const char *name = rows[_i].name;
        ssize_t n;

        memcpy(body, rows[_i].body, rows[_i].n);
        strcpy(login.password, rows[_i].password);
        n = pl_password_reply(&p, &login, body, rows[_i].n, out);
        free(body);
        if (rows[_i].error < 0) {
                ck_assert_msg(n == rows[_i].error, "%s: %zd", name, n);
                return;
        }
        ck_assert_msg(n == (ssize_t)rows[_i].n_text + 5, "%s: %zd", name, n);
        ck_assert_msg(out[0] == 'p' && out[4] == rows[_i].n_text + 4, "%s: %u", name, out[4]);
        ck_assert_msg(memcmp(out + 5, rows[_i].text, rows[_i].n_text) == 0, "%s: %.*s", name,
                      (int)rows[_i].n_text, (const char *)out + 5);
}
END_TEST

START_TEST(first_message) {
        static const char body[] = "\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0";
        PlLogin login = { .password = "p" };
        uint8_t one[PL_PASSWORD_REPLY_MAX], two[PL_PASSWORD_REPLY_MAX];
        PlPassword p = { 0 }, q = { 0 };
        ssize_t n = pl_password_reply(&p, &login, (const uint8_t *)body, sizeof(body), one);

        ck_assert_int_eq(n, 5 + 14 + 4 + 8 + 24);
        ck_assert_int_eq(memcmp(one, "p\0\0\0\x36SCRAM-SHA-256\0\0\0\0\x20n,,n=,r=", 31), 0);
        ck_assert(p.begun);
        ck_assert_int_eq(pl_password_reply(&q, &login, (const uint8_t *)body, sizeof(body), two),
                         n);
        ck_assert_int_ne(memcmp(one, two, (size_t)n), 0); /* a nonce is used once */
}
END_TEST

START_TEST(longest) {
        PlLogin login = { 0 };
        PlPassword p = { 0 };
        uint8_t out[PL_PASSWORD_REPLY_MAX];

        memset(login.user, 'u', PL_LOGIN_MAX);
        memset(login.password, 'p', PL_LOGIN_MAX);
        ck_assert_int_eq(pl_password_reply(&p, &login, (const uint8_t *)"\0\0\0\3", 4, out),
                         PL_LOGIN_MAX + 1 + 5);
        ck_assert_int_eq(pl_password_reply(&p, &login, (const uint8_t *)"\0\0\0\5salt", 8, out),
                         41);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("tables");

        tcase_add_loop_test(t, replies, 0, PL_ARRAY_SIZE(rows));
        tcase_add_test(t, first_message);
        tcase_add_test(t, longest);
        return run_case(t);
}
