/* SPDX-License-Identifier: Apache-2.0 */

/* History: which verdicts are kept, and which are the same again. */

#include "lib/health/history.h"
#include "unit.h"

static const struct {
        const char *name;
        struct {
                const char *verdict, *code, *evidence;
        } added[8];
        const char *expect; /* the newest first: "verdict evidence ×n|…" */
} rows[] = {
        { "none", { { NULL } }, "" },
        { "one", { { "up", "", "" } }, "up  x1" },
        { "again and again", { { "up", "", "" }, { "up", "", "" }, { "up", "", "" } }, "up  x3" },
        { "another verdict",
          { { "up", "", "" }, { "dead", "", "refused" } },
          "dead refused x1|up  x1" },
        { "numbers that move",
          { { "impaired", "", "heartbeat 95 s old" }, { "impaired", "", "heartbeat 105 s old" } },
          "impaired heartbeat 105 s old x2" },
        { "other words",
          { { "impaired", "", "a" }, { "impaired", "", "b" } },
          "impaired b x1|impaired a x1" },
        { "a number where none was",
          { { "up", "", "a" }, { "up", "", "a1" } },
          "up a1 x1|up a x1" },
        { "another code",
          { { "disputed", "404", "HTTP" }, { "disputed", "403", "HTTP" } },
          "disputed HTTP x1|disputed HTTP x1" },
        { "the oldest goes",
          { { "a", "", "" },
            { "b", "", "" },
            { "c", "", "" },
            { "d", "", "" },
            { "e", "", "" },
            { "f", "", "" },
            { "g", "", "" } },
          "g  x1|f  x1|e  x1|d  x1|c  x1" },
};

START_TEST(history) {
        PlHistory h = {};
        const PlHistoryEntry *e;
        char text[1024] = "";

        for (unsigned i = 0; i < PL_ARRAY_SIZE(rows[_i].added) && rows[_i].added[i].verdict; i++)
                pl_history_add(&h, rows[_i].added[i].verdict, rows[_i].added[i].code,
                               rows[_i].added[i].evidence, true, 1000 + i);
        for (unsigned i = 0; (e = pl_history_get(&h, i)); i++) {
                size_t n = strlen(text);

                (void)snprintf(text + n, sizeof(text) - n, "%s%s %s x%" PRIu64, i > 0 ? "|" : "",
                               e->verdict, e->evidence, e->n);
                ck_assert_uint_eq(e->last_usec, e->first_usec + e->n - 1);
        }
        ck_assert_msg(pl_streq(text, rows[_i].expect), "%s: %s", rows[_i].name, text);
        pl_history_clear(&h);
        ck_assert_ptr_null(pl_history_get(&h, 0));
}
END_TEST

/* For years: the ring's count never runs away, and order stays. */
START_TEST(wraps) {
        static const char *const words[] = { "a", "b", "c" };
        PlHistory h = {};

        for (unsigned i = 0; i < 100; i++) {
                pl_history_add(&h, words[i % 3], "", "", true, i);
                for (unsigned k = 0; k < PL_MIN(i + 1, (unsigned)PL_HISTORY_MAX); k++)
                        ck_assert_uint_eq(pl_history_get(&h, k)->last_usec, i - k);
                ck_assert_ptr_null(pl_history_get(&h, PL_MIN(i + 1, (unsigned)PL_HISTORY_MAX)));
        }
        pl_history_clear(&h);
}
END_TEST

/* Looked at again, it is the same, and nobody has found it anew. */
START_TEST(no_news) {
        PlHistory h = {};

        pl_history_add(&h, "dead", "", "refused", false, 1);
        pl_history_add(&h, "dead", "", "refused", false, 2);
        ck_assert_uint_eq(pl_history_get(&h, 0)->n, 1);
        ck_assert_uint_eq(pl_history_get(&h, 0)->last_usec, 1);
        pl_history_add(&h, "up", "", "", false, 3);
        ck_assert_str_eq(pl_history_get(&h, 0)->verdict, "up");
        pl_history_clear(&h);
}
END_TEST

START_TEST(long_evidence) {
        char text[2 * PL_EVIDENCE_MAX];
        PlHistory h = {};

        memset(text, 'x', sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        pl_history_add(&h, "up", "", text, true, 1);
        pl_history_add(&h, "up", "", text, true, 2);
        ck_assert_uint_eq(pl_history_get(&h, 0)->n, 2);
        ck_assert_uint_eq(strlen(pl_history_get(&h, 0)->evidence), PL_EVIDENCE_MAX - 1);
        pl_history_clear(&h);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("history");

        tcase_add_loop_test(t, history, 0, PL_ARRAY_SIZE(rows));
        tcase_add_test(t, wraps);
        tcase_add_test(t, no_news);
        tcase_add_test(t, long_evidence);
        return run_case(t);
}
