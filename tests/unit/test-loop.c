/* SPDX-License-Identifier: Apache-2.0 */

#include "base/loop.h"

#include "base/clock.h"
#include "unit.h"

static unsigned n_told;
static PlLoopTurn told;

static void on_told(const PlLoopTurn *turn) {
        n_told++;
        told = *turn;
}

static int quick(sd_event_source *source, void *userdata) {
        pl_loop_doing("quick");
        return 0;
}

/* On the CPU, since a turn that sleeps uses none. */
static int slow(sd_event_source *source, void *userdata) {
        uint64_t until = pl_clock_usec(CLOCK_THREAD_CPUTIME_ID) + PL_LOOP_LONG_USEC;

        pl_loop_doing("slow");
        while (pl_clock_usec(CLOCK_THREAD_CPUTIME_ID) < until)
                ;
        return 0;
}

static int end(sd_event_source *source, void *userdata) {
        return sd_event_exit(sd_event_source_get_event(source), 7);
}

START_TEST(longest) {
        sd_event *event = NULL;

        ck_assert_int_eq(sd_event_new(&event), 0);
        ck_assert_int_eq(sd_event_add_defer(event, NULL, quick, NULL), 0);
        ck_assert_int_eq(sd_event_add_defer(event, NULL, slow, NULL), 0);
        ck_assert_int_eq(sd_event_add_defer(event, NULL, quick, NULL), 0);
        ck_assert_int_eq(sd_event_add_defer(event, NULL, end, NULL), 0);
        ck_assert_int_eq(pl_loop_run(event, on_told), 7);
        ck_assert_uint_ge(n_told, 1);
        ck_assert_uint_ge(pl_loop_longest()->usec, PL_LOOP_LONG_USEC);
        ck_assert_ptr_nonnull(pl_loop_longest()->doing);
        /* another one may have taken longer only where the machine did not let it run */
        if (pl_loop_longest()->cpu_usec >= PL_LOOP_LONG_USEC) {
                ck_assert_str_eq(pl_loop_longest()->doing, "slow");
                ck_assert_uint_gt(pl_loop_longest()->at_usec, 0);
        }
        sd_event_unref(event);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("loop");

        tcase_add_test(t, longest);
        return run_case(t);
}
