/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Verdicts: words, bounds, and the first bytes of TLS.
 */

#include "lib/probe/verdict.h"
#include "unit.h"

#define BYTES(s) s, sizeof(s) - 1

START_TEST(set_is_bounded) {
        char text[2 * PL_REASON_MAX];
        PlVerdict v;

        memset(text, 'x', sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        pl_verdict_set(&v, PL_VERDICT_DISPUTED, text, "%s", text);
        ck_assert_int_eq(v.kind, PL_VERDICT_DISPUTED);
        ck_assert_uint_eq(strlen(v.code), PL_CODE_MAX - 1);
        ck_assert_uint_eq(strlen(v.reason), PL_REASON_MAX - 1);
}
END_TEST

/* What was quoted stays whole characters, wherever the end of the buffer falls. */
START_TEST(cut_between_characters) {
        for (size_t before = PL_REASON_MAX - 8; before < PL_REASON_MAX + 2; before++) {
                char text[PL_REASON_MAX + 32];
                PlVerdict v = {};

                memset(text, 'x', before);
                (void)snprintf(text + before, sizeof(text) - before, "ä€😀");
                for (unsigned add = 0; add < 2; add++) {
                        size_t n = 0;
                        uint32_t c;

                        if (add) {
                                pl_verdict_set(&v, PL_VERDICT_UP, "", "%s", "");
                                pl_verdict_add(&v, "%s", text);
                        } else {
                                pl_verdict_set(&v, PL_VERDICT_UP, "", "%s", text);
                        }
                        for (size_t i = 0; v.reason[i]; i += n) {
                                n = pl_utf8_decode(v.reason + i, strlen(v.reason + i), &c);
                                ck_assert_msg(n > 0, "%zu: at %zu", before, i);
                        }
                        ck_assert_uint_gt(strlen(v.reason), PL_REASON_MAX - 5);
                }
        }
}
END_TEST

static const struct {
        const char *name, *data;
        size_t n;
        bool tls;
} records[] = {
        { "alert", BYTES("\x15\x03\x01\x00\x02\x02\x46"), true },
        { "handshake, TLS 1.2", BYTES("\x16\x03\x03"), true },
        { "too short", BYTES("\x15\x03"), false },
        { "text", BYTES("HTTP/1.1"), false },
        { "SSL 2", BYTES("\x16\x02\x00"), false },
        { "application data first", BYTES("\x17\x03\x03"), false },
        { "version of the future", BYTES("\x16\x03\x09"), false },
};

START_TEST(tls_records) {
        PlVerdict v = { 0 };

        ck_assert_msg(pl_verdict_if_tls((const uint8_t *)records[_i].data, records[_i].n, &v) ==
                                      records[_i].tls,
                      "%s", records[_i].name);
        ck_assert_int_eq(v.kind, records[_i].tls ? PL_VERDICT_DISPUTED : PL_VERDICT_NONE);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("tables");

        tcase_add_test(t, set_is_bounded);
        tcase_add_test(t, cut_between_characters);
        tcase_add_loop_test(t, tls_records, 0, PL_ARRAY_SIZE(records));
        return run_case(t);
}
