/* SPDX-License-Identifier: Apache-2.0 */

/* Quantiles in a fixed size: never too low, at most an eighth too high. */

#include "lib/evidence/spread.h"

#include "unit.h"

static const struct {
        const char *name;
        uint64_t low, high, step; /* one sample of each */
        unsigned permille;
        uint64_t want; /* exact */
} rows[] = {
        { "one", 5, 5, 1, 950, 5 },
        { "zeroes", 0, 0, 1, 950, 0 },
        { "small numbers are exact", 1, 15, 1, 1000, 15 },
        { "a hundred", 1, 100, 1, 950, 95 },
        { "the middle", 1, 1000, 1, 500, 500 },
        { "all", 1, 1000, 1, 1000, 1000 },
        { "bytes", GIB(1), GIB(2), MIB(1), 950, GIB(1) + 973 * MIB(1) },
        { "huge", UINT64_C(1) << 60, UINT64_C(1) << 61, UINT64_C(1) << 54, 950,
          (UINT64_C(1) << 60) + (UINT64_C(61) << 54) },
};

START_TEST(quantile) {
        PlSpread s = { 0 };
        uint64_t got;

        for (uint64_t v = rows[_i].low; v <= rows[_i].high; v += rows[_i].step)
                pl_spread_add(&s, v);
        got = pl_spread_quantile(&s, rows[_i].permille);
        ck_assert_msg(got >= rows[_i].want && got - rows[_i].want <= rows[_i].want / 8,
                      "%s: %" PRIu64 ", not about %" PRIu64, rows[_i].name, got, rows[_i].want);
}
END_TEST

START_TEST(nothing) {
        PlSpread s = { 0 };

        ck_assert_uint_eq(pl_spread_quantile(&s, 950), PL_UNLIMITED);
}
END_TEST

/* What was weeks ago counts less and less, and the numbers stay bounded. */
START_TEST(old_ones_fade) {
        PlSpread s = { 0 };

        for (int i = 0; i < 5 * PL_SPREAD_FULL; i++)
                pl_spread_add(&s, 1000);
        ck_assert_uint_lt(s.n, PL_SPREAD_FULL);
        ck_assert_uint_ge(pl_spread_quantile(&s, 950), 1000);
        for (int i = 0; i < 4 * PL_SPREAD_FULL; i++)
                pl_spread_add(&s, 10);
        ck_assert_uint_le(pl_spread_quantile(&s, 950), 11);
        for (size_t i = 0, n = 0; i < PL_SPREAD_BUCKETS; i++) {
                n += s.counts[i];
                ck_assert_uint_le(n, PL_SPREAD_FULL);
        }
}
END_TEST

int main(void) {
        TCase *t = tcase_create("spread");

        tcase_add_loop_test(t, quantile, 0, PL_ARRAY_SIZE(rows));
        tcase_add_test(t, nothing);
        tcase_add_test(t, old_ones_fade);
        return run_case(t);
}
