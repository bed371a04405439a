/* SPDX-License-Identifier: Apache-2.0 */

/* Repairs at once, but no endless fight. Each row is a script of attempts: seconds since the last
 * one, how many, and the verdict of the last. */

#include "lib/limits/drift.h"
#include "unit.h"

#define SEC PL_USEC_PER_SEC

static const struct {
        const char *name;
        struct {
                uint64_t gap_usec;
                unsigned n;
                PlDriftVerdict last;
        } script[4];
} rows[] = {
        { "one repair", { { SEC, 1, PL_DRIFT_REPAIR } } },
        { "a burst is allowed", { { SEC / 100, PL_DRIFT_BURST, PL_DRIFT_REPAIR } } },
        { "one more is a stand-off",
          { { SEC / 100, PL_DRIFT_BURST + 1, PL_DRIFT_STANDOFF_BEGIN } } },
        { "then silence",
          { { SEC / 100, PL_DRIFT_BURST + 1, PL_DRIFT_STANDOFF_BEGIN },
            { SEC, 20, PL_DRIFT_WAIT } } },
        { "one attempt per pause",
          { { SEC / 100, PL_DRIFT_BURST + 1, PL_DRIFT_STANDOFF_BEGIN },
            { PL_DRIFT_PAUSE_USEC, 1, PL_DRIFT_REPAIR },
            { SEC, 1, PL_DRIFT_WAIT } } },
        { "the pause doubles",
          { { SEC / 100, PL_DRIFT_BURST + 1, PL_DRIFT_STANDOFF_BEGIN },
            { PL_DRIFT_PAUSE_USEC, 1, PL_DRIFT_REPAIR },
            { PL_DRIFT_PAUSE_USEC, 1, PL_DRIFT_WAIT },
            { PL_DRIFT_PAUSE_USEC, 1, PL_DRIFT_REPAIR } } },
        { "slow drift is repaired for ever", { { 7 * SEC, 1000, PL_DRIFT_REPAIR } } },
};

START_TEST(verdicts) {
        PlDrift d = { 0 };
        uint64_t now = 1000 * SEC;

        for (size_t i = 0; i < PL_ARRAY_SIZE(rows[_i].script) && rows[_i].script[i].n; i++) {
                PlDriftVerdict v = PL_DRIFT_WAIT;

                for (unsigned n = 0; n < rows[_i].script[i].n; n++) {
                        now += rows[_i].script[i].gap_usec;
                        v = pl_drift_want_repair(&d, now);
                }
                ck_assert_msg(v == rows[_i].script[i].last, "%s, step %zu: verdict %d",
                              rows[_i].name, i, v);
        }
}
END_TEST

START_TEST(settles) {
        PlDrift d = { 0 };
        uint64_t now = 1000 * SEC;

        for (unsigned n = 0; n <= PL_DRIFT_BURST; n++)
                (void)pl_drift_want_repair(&d, ++now);
        ck_assert(pl_drift_is_standoff(&d));
        ck_assert_uint_eq(d.repairs, PL_DRIFT_BURST);
        now += PL_DRIFT_PAUSE_USEC;
        ck_assert_int_eq(pl_drift_want_repair(&d, now), PL_DRIFT_REPAIR);
        ck_assert(!pl_drift_settled(&d, now + SEC));
        ck_assert(pl_drift_settled(&d, now + PL_DRIFT_WINDOW_USEC));
        ck_assert(!pl_drift_is_standoff(&d));
        ck_assert(!pl_drift_settled(&d, now + 2 * PL_DRIFT_WINDOW_USEC));
        ck_assert_int_eq(pl_drift_want_repair(&d, now + 2 * PL_DRIFT_WINDOW_USEC), PL_DRIFT_REPAIR);
}
END_TEST

static const struct {
        const char *name;
        PlDriftSigns signs;
        const char *hand;
} hands[] = {
        { "a plain write", { 0 }, "a direct write to the cgroup" },
        { "to a scope", { .scope = true }, "systemd or a direct write to the cgroup" },
        { "an update", { .update = true }, "docker update" },
        { "properties",
          { .scope = true, .properties = true },
          "systemctl set-property or the engine" },
        { "a reload", { .scope = true, .reload = true }, "systemd daemon-reload" },
        { "an update, which sets properties",
          { .scope = true, .update = true, .properties = true },
          "docker update" },
        { "while we were telling others", { .own = true }, NULL },
        { "the same of a scope", { .own = true, .scope = true }, NULL },
        { "their update beside ours", { .own = true, .update = true }, "docker update" },
        { "their properties beside ours",
          { .own = true, .properties = true },
          "systemctl set-property or the engine" },
};

START_TEST(hand) {
        const char *is = pl_drift_hand(&hands[_i].signs);

        ck_assert_msg(pl_streq_null(is, hands[_i].hand), "%s: %s", hands[_i].name, is ?: "nobody");
}
END_TEST

/* A new policy or a new group: repairs are admitted at once, as if nothing had been. */
START_TEST(ends) {
        PlDrift d = { 0 };
        uint64_t now = 1000 * SEC;

        ck_assert(!pl_drift_end(&d));
        for (unsigned n = 0; n <= PL_DRIFT_BURST; n++)
                (void)pl_drift_want_repair(&d, ++now);
        ck_assert(pl_drift_end(&d));
        ck_assert(!pl_drift_is_standoff(&d));
        ck_assert_uint_eq(d.repairs, PL_DRIFT_BURST);
        for (unsigned n = 0; n < PL_DRIFT_BURST; n++)
                ck_assert_int_eq(pl_drift_want_repair(&d, ++now), PL_DRIFT_REPAIR);
        ck_assert_int_eq(pl_drift_want_repair(&d, ++now), PL_DRIFT_STANDOFF_BEGIN);
}
END_TEST

START_TEST(pause_is_bounded) {
        PlDrift d = { 0 };
        uint64_t now = 1000 * SEC;

        for (unsigned n = 0; n <= PL_DRIFT_BURST; n++)
                (void)pl_drift_want_repair(&d, ++now);
        for (unsigned n = 0; n < 50; n++) {
                now = d.until_usec;
                ck_assert_int_eq(pl_drift_want_repair(&d, now), PL_DRIFT_REPAIR);
                ck_assert_uint_le(d.until_usec - now, PL_DRIFT_PAUSE_MAX_USEC);
        }
}
END_TEST

int main(void) {
        TCase *t = tcase_create("drift");

        tcase_add_loop_test(t, verdicts, 0, PL_ARRAY_SIZE(rows));
        tcase_add_test(t, settles);
        tcase_add_test(t, ends);
        tcase_add_loop_test(t, hand, 0, PL_ARRAY_SIZE(hands));
        tcase_add_test(t, pause_is_bounded);
        return run_case(t);
}
