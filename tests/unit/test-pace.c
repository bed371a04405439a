/* SPDX-License-Identifier: Apache-2.0 */

/* How often files are written: the first at once, and never many in a second. */

#include "lib/evidence/pace.h"

#include "unit.h"

#define SEC  PL_USEC_PER_SEC
#define EACH (SEC / PL_PACE_PER_SEC)
#define NOW  (100 * SEC)

static const struct {
        const char *name;
        unsigned n_before;                         /* writes at NOW - before_usec */
        uint64_t before_usec, written_usec, until; /* when it may be written, from NOW on */
} rows[] = {
        { "the first of all", 0, 0, 0, 0 },
        { "written long ago", 0, 0, NOW - 5 * SEC, 0 },
        { "written just now", 1, 0, NOW, SEC },
        { "written half a second ago", 1, SEC / 2, NOW - SEC / 2, SEC / 2 },
        { "others were written", PL_PACE_PER_SEC - 1, 0, 0, 0 },
        { "as many as may be", PL_PACE_PER_SEC, 0, 0, EACH },
        { "more than that", PL_PACE_PER_SEC + 3, 0, 0, 4 * EACH },
        { "a second ago", PL_PACE_PER_SEC + 3, SEC, 0, 0 },
        { "both", PL_PACE_PER_SEC, 0, NOW, SEC },
};

START_TEST(pace) {
        PlPace p = { 0 };
        uint64_t due;

        for (unsigned i = 0; i < rows[_i].n_before; i++)
                pl_pace_take(&p, NOW - rows[_i].before_usec);
        due = pl_pace_due(&p, pl_pace_wanted(rows[_i].written_usec, NOW), NOW);
        ck_assert_msg(due == NOW + rows[_i].until, "%s: %lld", rows[_i].name,
                      (long long)(due - NOW));
}
END_TEST

/* Whoever writes as soon as it may, for a minute. */
START_TEST(bounded) {
        uint64_t now = NOW;
        unsigned n = 0;
        PlPace p = { 0 };

        for (; now < NOW + 60 * SEC; n++) {
                now = PL_MAX(now, pl_pace_due(&p, now, now));
                pl_pace_take(&p, now);
        }
        ck_assert_uint_le(n, 61 * PL_PACE_PER_SEC + 1);
        ck_assert_uint_ge(n, 60 * PL_PACE_PER_SEC);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("pace");

        tcase_add_loop_test(t, pace, 0, PL_ARRAY_SIZE(rows));
        tcase_add_test(t, bounded);
        return run_case(t);
}
