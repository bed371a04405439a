/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waits double up to the longest one, whatever the attempt and the random number.
 */

#include "lib/base/backoff.h"
#include "unit.h"

static const struct {
        const char *name;
        unsigned attempt;
        uint64_t base, max, random, usec;
} rows[] = {
        { "first, shortest", 0, 100, 1000, 0, 50 },
        { "first, longest", 0, 100, 1000, 50, 100 },
        { "first, random wraps", 0, 100, 1000, 51, 50 },
        { "third", 2, 100, 1000, 0, 200 },
        { "last doubling", 3, 100, 1000, 400, 800 },
        { "capped", 4, 100, 1000, 0, 500 },
        { "capped, longest", 4, 100, 1000, 500, 1000 },
        { "far beyond 64 bits", 70, 100, 1000, 0, 500 },
        { "at the edge of 64 bits", 63, 3, UINT64_MAX, 0, UINT64_MAX - UINT64_MAX / 2 },
        { "all attempts", 4000000000u, 1, 10, 5, 10 },
        { "odd", 0, 3, 3, 0, 2 },
        { "no wait", 5, 0, 10, 7, 0 },
};

START_TEST(test_backoff) {
        const __typeof__(rows[0]) *t = &rows[_i];
        uint64_t usec = pl_backoff_usec(t->attempt, t->base, t->max, t->random);

        ck_assert_msg(usec == t->usec, "%s: %" PRIu64, t->name, usec);
}
END_TEST

START_TEST(test_bounds) {
        for (unsigned attempt = 0; attempt < 100; attempt++)
                for (uint64_t random = 0; random < 4000; random += 37) {
                        uint64_t usec = pl_backoff_usec(attempt, 100, 1500, random);

                        ck_assert(usec >= 50 && usec <= 1500);
                }
}
END_TEST

int main(void) {
        TCase *c = tcase_create("backoff");

        tcase_add_loop_test(c, test_backoff, 0, PL_ARRAY_SIZE(rows));
        tcase_add_test(c, test_bounds);
        return run_case(c);
}
