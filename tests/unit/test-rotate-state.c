/* SPDX-License-Identifier: Apache-2.0 */
/* State records: what is written is read back; what was not written by us is refused as a whole. */
#include <errno.h>

#include "lib/logs/rotate-state.h"
#include "unit.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static PlRotateState example(PlRotatePhase phase) {
        PlRotateState s = { .id = ID,
                            .dev = 64769,
                            .ino = UINT64_C(1) << 62,
                            .gen = 41,
                            .head = 12345,
                            .mark = 8192,
                            .phase = phase,
                            .k = 99999,
                            .a = 98304,
                            .method = PL_LOG_METHOD_REFLINK,
                            .print = UINT64_MAX };

        s.name = strdup("stack-\"postgres\"\n1");
        s.service = strdup("postgres");
        s.path = strdup("/var/lib/docker/containers/x/x-json.log");
        s.driver = strdup("json-file");
        s.origin = strdup("shop-db-0123456789abcdef");
        s.title = strdup("shop/d\xc3\xa4");
        s.archive = strdup(
                        "postgres/x@0123456789ab_000042_20260102T030405Z_20260102T030405Z.log.zst");
        return s;
}

START_TEST(round_trip) {
        PlRotateState s = example((PlRotatePhase)(_i % 2)), back;
        _cleanup_free_ char *text = NULL;

        s.taken = _i >= 2;
        if (_i == 1)
                s.title[strlen(s.title) - 1] = '\0'; /* cut within a character */
        if (_i == 2) {                               /* of another version */
                free(TAKE_PTR(s.origin));
                free(TAKE_PTR(s.title));
        }
        ck_assert_int_eq(pl_rotate_state_encode(&s, &text), 0);
        ck_assert_int_eq(pl_rotate_state_decode(text, strlen(text), &back), 0);
        ck_assert_str_eq(back.id, s.id);
        ck_assert_str_eq(back.name, s.name);
        ck_assert_str_eq(back.service, s.service);
        ck_assert_str_eq(back.path, s.path);
        ck_assert_str_eq(back.driver, s.driver);
        ck_assert(pl_streq_null(back.origin, s.origin));
        ck_assert(_i == 1 ? pl_streq(back.title, "") : pl_streq_null(back.title, s.title));
        ck_assert_uint_eq(back.dev, s.dev);
        ck_assert_uint_eq(back.ino, s.ino);
        ck_assert_uint_eq(back.gen, s.gen);
        ck_assert_uint_eq(back.head, s.head);
        ck_assert_uint_eq(back.mark, s.mark);
        ck_assert_int_eq(back.phase, s.phase);
        if (s.phase == PL_ROTATE_INTENT) {
                ck_assert_uint_eq(back.k, s.k);
                ck_assert_uint_eq(back.a, s.a);
                ck_assert_int_eq(back.method, s.method);
                ck_assert_str_eq(back.archive, s.archive);
                ck_assert_uint_eq(back.print, s.print);
        } else
                ck_assert_ptr_null(back.archive);
        ck_assert_int_eq(back.taken, s.taken);
        if (s.taken)
                ck_assert_uint_eq(back.print, s.print);
        pl_rotate_state_deinit(&back);
        pl_rotate_state_deinit(&s);
}
END_TEST

/* However it is torn, it is not half believed. */
START_TEST(torn) {
        PlRotateState s = example(PL_ROTATE_INTENT), back;
        _cleanup_free_ char *text = NULL;

        ck_assert_int_eq(pl_rotate_state_encode(&s, &text), 0);
        for (size_t n = 0; n < strlen(text); n++)
                ck_assert_int_eq(pl_rotate_state_decode(text, n, &back), -EBADMSG);
        pl_rotate_state_deinit(&s);
}
END_TEST

#define HEADER         \
        "\"id\":\"" ID \
        "\",\"name\":\"n\",\"service\":\"s\",\"path\":\"p\",\"driver\":\"d\",\"dev\":1,\"ino\":2,"

/* clang-format off */
static const struct {
        const char *name, *text;
        int r;
} rows[] = {
        { "good", "{\"version\":1," HEADER "\"gen\":0,\"head\":0,\"mark\":0,\"phase\":\"clean\"}",
          0 },
        { "later version",
          "{\"version\":2," HEADER "\"gen\":0,\"head\":0,\"mark\":0,\"phase\":\"clean\"}",
          -EBADMSG },
        { "bad id",
          "{\"version\":1,\"id\":\"../x\",\"name\":\"n\",\"service\":\"s\",\"path\":\"p\","
          "\"driver\":\"d\",\"dev\":1,\"ino\":2,\"gen\":0,\"head\":0,\"mark\":0,\"phase\":"
          "\"clean\"}",
          -EBADMSG },
        { "negative head",
          "{\"version\":1," HEADER "\"gen\":0,\"head\":-1,\"mark\":0,\"phase\":\"clean\"}",
          -EBADMSG },
        { "mark beyond head",
          "{\"version\":1," HEADER "\"gen\":0,\"head\":1,\"mark\":2,\"phase\":\"clean\"}",
          -EBADMSG },
        { "unknown phase",
          "{\"version\":1," HEADER "\"gen\":0,\"head\":0,\"mark\":0,\"phase\":\"x\"}", -EBADMSG },
        { "intent without its facts",
          "{\"version\":1," HEADER "\"gen\":0,\"head\":0,\"mark\":0,\"phase\":\"intent\"}",
          -EBADMSG },
        { "clean with an intent",
          "{\"version\":1," HEADER
          "\"gen\":0,\"head\":0,\"mark\":0,\"phase\":\"clean\",\"intent\":{}}",
          -EBADMSG },
        { "cut before head",
          "{\"version\":1," HEADER
          "\"gen\":0,\"head\":90,\"mark\":0,\"phase\":\"intent\",\"intent\":"
          "{\"k\":80,\"a\":0,\"method\":\"punch\",\"archive\":\"a\",\"print\":1}}",
          -EBADMSG },
        { "method off",
          "{\"version\":1," HEADER
          "\"gen\":0,\"head\":0,\"mark\":0,\"phase\":\"intent\",\"intent\":"
          "{\"k\":80,\"a\":0,\"method\":\"off\",\"archive\":\"a\",\"print\":1}}",
          -EBADMSG },
        { "doubled member",
          "{\"version\":1,\"version\":1," HEADER
          "\"gen\":0,\"head\":0,\"mark\":0,\"phase\":\"clean\"}",
          -EBADMSG },
        { "array", "[]", -EBADMSG },
        { "no JSON", "gen=3\n", -EBADMSG },
};
/* clang-format on */

START_TEST(refused) {
        PlRotateState s;
        int r = pl_rotate_state_decode(rows[_i].text, strlen(rows[_i].text), &s);

        ck_assert_msg(r == rows[_i].r, "%s: %d", rows[_i].name, r);
        if (r == 0)
                pl_rotate_state_deinit(&s);
}
END_TEST

int main(void) {
        TCase *c = tcase_create("all");

        tcase_add_loop_test(c, round_trip, 0, 4);
        tcase_add_test(c, torn);
        tcase_add_loop_test(c, refused, 0, PL_ARRAY_SIZE(rows));
        return run_case(c);
}
