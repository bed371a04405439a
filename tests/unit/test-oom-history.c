/* SPDX-License-Identifier: Apache-2.0 */

/* How often lately, for how long it is known, and what of it is back after a restart. */

#include <errno.h>

#include "oom-rows.h"

START_TEST(history) {
        PlOomHistory h = { 0 };
        PlOomReport r = { REPORT };

        for (unsigned i = 0; i < 3 * PL_OOM_TIMES; i++) {
                r.time_usec = (100000 + i * 60) * SEC; /* one a minute */
                r.kills = 1;
                pl_oom_history_add(&h, &r);
                ck_assert_uint_eq(r.in_10min, PL_MIN(i + 1, 10U));
                ck_assert_uint_eq(r.in_hour, PL_MIN(i + 1, 60U));
                ck_assert_uint_eq(r.in_day, PL_MIN(i + 1, (unsigned)PL_OOM_TIMES));
                for (unsigned n = 0; n < PL_OOM_REPORTS; n++) {
                        const PlOomReport *k = pl_oom_history_get(&h, n);
                        unsigned kept = PL_MIN(i + 1, (unsigned)PL_OOM_REPORTS);

                        ck_assert((k != NULL) == (n < kept));
                        if (k)
                                ck_assert_uint_eq(k->time_usec,
                                                  (100000 + (i + 1 - kept + n) * 60) * SEC);
                }
        }
        ck_assert_uint_eq(h.total, 3 * PL_OOM_TIMES);
        r.kills = 5;
        r.time_usec += PL_USEC_PER_DAY;
        pl_oom_history_add(&h, &r);
        ck_assert_uint_eq(r.in_day, 5);
        ck_assert_uint_eq(h.total, 3 * PL_OOM_TIMES + 5);
        r.kills = UINT64_C(1) << 40;
        pl_oom_history_add(&h, &r);
        ck_assert_uint_eq(r.in_10min, PL_OOM_TIMES);
}
END_TEST

/* Days between the kills, which are at 64M; the entry of the last one quotes what is not counted in
 * it. */
static const struct {
        double days[4];
        const char *says; /* NULL: nothing more */
} pasts[] = {
        { { 0 }, NULL },
        { { 0, 0.5, 0.6 }, NULL },
        { { 0, 2 }, ". Its service was killed 2 times in 2d at 64.0M; peak before each 64.0M" },
        { { 0, 2, 3 }, ". Its service was killed 3 times in 3d at 64.0M; peak before each 64.0M" },
};

START_TEST(quotes_the_past) {
        _cleanup_free_ char *text = NULL, *plain = NULL;
        PlOomHistory h = { 0 };
        PlOomReport r;

        for (unsigned i = 0; i == 0 || (i < 4 && pasts[_i].days[i] > 0); i++) {
                r = (PlOomReport){ REPORT };
                r.kills = 1;
                r.cause = PL_OOM_CAUSE_LIMIT;
                r.directive = "MemoryMax";
                r.limit_bytes = r.usage_bytes = r.peak_bytes = MIB(64);
                r.time_usec = (uint64_t)((100 + pasts[_i].days[i]) * PL_USEC_PER_DAY);
                pl_oom_history_add(&h, &r);
        }
        text = pl_oom_entry(&r, &h);
        plain = pl_oom_text(&r);
        ck_assert(text && plain && pl_startswith(text, plain));
        ck_assert_msg(pl_streq(text + strlen(plain), pasts[_i].says ?: ""), "%s", text);
}
END_TEST

START_TEST(named_later) {
        static const PlOomRing none;
        PlOomSample after = sample(NOW, MIB(20), 0, MIB(64), U);
        PlKmsgKill k = killed(PL_KMSG_SCOPE_HOST, "");
        PlOomHistory h = { 0 };
        PlOomReport r;

        pl_oom_history_name(&h, &k, ID); /* of nothing: no harm */
        for (unsigned i = 0; i < 3; i++) {
                pl_oom_report_init(&r, &none, &after, i == 2 ? &k : NULL, ID, 1, NOW, i);
                pl_oom_history_add(&h, &r);
        }
        (void)snprintf(k.name, sizeof(k.name), "late");
        pl_oom_history_name(&h, &k, ID);
        ck_assert_str_eq(pl_oom_history_get(&h, 0)->victim, "");
        ck_assert_int_eq(pl_oom_history_get(&h, 0)->cause, PL_OOM_CAUSE_UNKNOWN);
        ck_assert_str_eq(pl_oom_history_get(&h, 1)->victim, "late");
        ck_assert_int_eq(pl_oom_history_get(&h, 1)->cause, PL_OOM_CAUSE_HOST);
        ck_assert_str_eq(pl_oom_history_get(&h, 2)->victim, "python3");
}
END_TEST

static const PlOomReport kept[] = {
        { REPORT },
        { REPORT, .time_usec = 2, .around.product = "Postgres", .around.setting = "shared_buffers",
          .around.setting_bytes = GIB(3) },
        { REPORT, .cause = PL_OOM_CAUSE_HOST, .around.owner = PL_OOM_OWNER_NOBODY,
          .around.section = "", .around.n_unlimited = 3, .around.all_limits_bytes = U, .pid = 0,
          .victim = "", .uid = U },
        { REPORT, .victim = "\xc3\x28\x1b\"\\\xff,\x7f", .limit_group = "/a\x80/\xfe" },
};

START_TEST(survives_a_restart) {
        PlOomHistory h = { 0 }, back;
        _cleanup_free_ char *text = NULL, *again = NULL;

        for (unsigned i = 0; i < 3 * PL_OOM_TIMES; i++) {
                PlOomReport r = kept[i % PL_ARRAY_SIZE(kept)];

                r.time_usec += i;
                pl_oom_history_add(&h, &r);
        }
        ck_assert_int_eq(pl_oom_history_format(&h, &text), 0);
        memset(&back, 0xA5, sizeof(back));
        ck_assert_int_eq(pl_oom_history_parse(text, strlen(text), &back), 0);
        ck_assert_int_eq(pl_oom_history_format(&back, &again), 0);
        ck_assert_str_eq(text, again);
        ck_assert_uint_eq(back.total, h.total);
        for (unsigned i = 0; i < PL_OOM_REPORTS; i++) {
                const PlOomReport *a = pl_oom_history_get(&h, i), *b = pl_oom_history_get(&back, i);
                _cleanup_free_ char *before = pl_oom_text(a), *after = pl_oom_text(b);

                ck_assert_str_eq(before, after);
                ck_assert_mem_eq(a->victim, b->victim, sizeof(a->victim));
        }
        for (unsigned i = 0; i < 2; i++) {
                PlOomReport r = { REPORT, .time_usec = SEC };

                pl_oom_history_add(i ? &back : &h, &r);
                ck_assert_uint_eq(r.in_hour, PL_OOM_TIMES);
        }
}
END_TEST

#define COUNTS "\"in_10min\":1,\"in_hour\":1,\"in_day\":1,\"n_unlimited\":0"
#define ONE(members)                                                                               \
        "{\"total\":1,\"times\":[5],\"reports\":[{\"cause\":1,\"owner\":0,\"pid\":7," members "}]" \
        "}"

static const struct {
        const char *text;
        int r;
} files[] = {
        { ONE(COUNTS), 0 },
        { ONE(COUNTS ",\"victim\":\"caf\u00e9\",\"more\":[]"), 0 },
        { ONE(COUNTS ",\"product\":\"Nobody's\""), 0 },
        { "", -EBADMSG },
        { "[]", -EBADMSG },
        { "{\"total\":1,\"times\":[],\"reports\":{}}", -EBADMSG },
        { "{\"total\":-1,\"times\":[],\"reports\":[]}", -EBADMSG },
        { "{\"total\":1,\"times\":[\"x\"],\"reports\":[]}", -EBADMSG },
        { "{\"total\":1,\"times\":[],\"reports\":[7]}", -EBADMSG },
        { ONE("\"in_10min\":1"), -EBADMSG },
        { ONE(COUNTS ",\"limit_bytes\":1.5"), -EBADMSG },
        { ONE(COUNTS ",\"victim\":\"longer than a kernel's\""), -EBADMSG },
        { ONE(COUNTS ",\"victim\":\"\u20ac\""), -EBADMSG },
        { ONE(COUNTS ",\"section\":null"), -EBADMSG },
};

START_TEST(reads_a_file) {
        PlOomHistory h;
        int r = pl_oom_history_parse(files[_i].text, strlen(files[_i].text), &h);

        ck_assert_msg(r == files[_i].r, "%s: %d", files[_i].text, r);
        if (r == 0)
                ck_assert_uint_eq(pl_oom_history_get(&h, 0)->limit_bytes, U);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("oom-history");

        tcase_add_test(t, history);
        tcase_add_loop_test(t, quotes_the_past, 0, PL_ARRAY_SIZE(pasts));
        tcase_add_test(t, named_later);
        tcase_add_test(t, survives_a_restart);
        tcase_add_loop_test(t, reads_a_file, 0, PL_ARRAY_SIZE(files));
        return run_case(t);
}
