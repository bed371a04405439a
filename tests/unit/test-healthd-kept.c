/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What is known of a container that plimsolld did not watch all the time: its service's budget, and
 * how it ended while nobody looked.
 */

#include "healthd-fixture.h"

static const struct {
        const char *name;
        unsigned n;
        uint64_t ago_usec;
        bool kept, reload; /* its own are kept; the policy is loaded again before it comes */
        unsigned restarts, asked, gave_up;
} inherited[] = {
        { "a new service", 0, 0, false, false, 0, 1, 0 },
        { "some of it", 4, 30 * SEC, false, false, 4, 1, 0 },
        { "all of it", 5, 30 * SEC, false, false, 5, 0, 1 },
        { "all of it, long ago", 5, 11 * 60 * SEC, false, false, 0, 1, 0 },
        { "all of it, to come in a clock that was set back", 5, (uint64_t)-60 * SEC, false, false,
          5, 0, 1 },
        { "all of it, and the policy is another one since", 5, 30 * SEC, false, true, 0, 1, 0 },
        { "it is known itself, and had none", 5, 30 * SEC, true, false, 0, 1, 0 },
};

/* A new container of a service has what is left of its budget. */
START_TEST(a_new_id_is_no_new_budget) {
        n_inherited = inherited[_i].n;
        ago_usec = inherited[_i].ago_usec;
        keeps = kept_any = inherited[_i].kept;
        kept = (PlCourse){ 0 };
        if (inherited[_i].reload)
                load(RESTART);
        fails(0);
        keeps = kept_any = false;
        ck_assert_msg(restarts(0) == inherited[_i].restarts, "%s: %u", inherited[_i].name,
                      restarts(0));
        ck_assert_msg(n_asked[0] == inherited[_i].asked, "%s: asked %u", inherited[_i].name,
                      n_asked[0]);
        ck_assert_msg(n_gave_up == inherited[_i].gave_up, "%s: gave up %u", inherited[_i].name,
                      n_gave_up);
}
END_TEST

static void told_late(PlEventAction action, int number, uint64_t at) {
        PlEvent e = {
                .action = action, .time_nsec = at * 1000, .exit_code = number, .signal = number
        };

        memcpy(e.id, containers[0].id, PL_ID_MAX);
        pl_healthd_event(healthd, &e);
}

/* What ended while plimsolld was down: the engine is asked what it remembers, and has time to say.
 */
static const struct {
        const char *name;
        uint64_t ago_usec;
        bool remembers; /* a person's stop */
        unsigned looks;
        PlEnder ender;
} while_down[] = {
        { "a stop that the engine remembers", 30 * SEC, true, 1, PL_ENDER_REQUEST },
        { "an end that it has forgotten", 30 * SEC, false, 1, PL_ENDER_UNSEEN },
        { "an end of long ago", 2 * PL_USEC_PER_HOUR, false, 0, PL_ENDER_UNSEEN },
};

START_TEST(ended_while_down) {
        uint64_t at = realtime() - while_down[_i].ago_usec;

        n_looks = n_ended = 0;
        containers[0].started_usec = at - 60 * SEC;
        containers[0].finished_usec = at;
        containers[0].phase = PL_PHASE_EXITED;
        containers[0].exit_code = 143;
        inspected(0);
        ck_assert_uint_eq(n_looks, while_down[_i].looks);
        if (while_down[_i].remembers) {
                ck_assert_uint_eq(n_ended, 0);
                told_late(PL_EVENT_KILL, 15, at - SEC / 10);
                told_late(PL_EVENT_DIE, 143, at);
                told_late(PL_EVENT_STOP, 0, at + 1);
        }
        for (unsigned i = 0; i < 80 && n_ended == 0; i++)
                run_for(SEC / 20);
        ck_assert_msg(n_ended == 1 && told_end.ender == while_down[_i].ender, "%s: %u, %d",
                      while_down[_i].name, n_ended, told_end.ender);
}
END_TEST

/* … and was started again since: that it ended is all that is known. */
START_TEST(ended_while_down_and_runs) {
        keeps = kept_any = true;
        n_ended = 0;
        kept = (PlCourse){ .proof.ran_usec = started_usec - 60 * SEC };
        containers[0].finished_usec = started_usec - SEC;
        runs(0, PL_DOCKER_HEALTH_HEALTHY);
        keeps = kept_any = false;
        run_for(SEC / 2);
        ck_assert_uint_eq(n_ended, 1);
        ck_assert_int_eq(told_end.ender, PL_ENDER_NONE);
        ck_assert_uint_eq(told_end.end_usec, started_usec - SEC);
        ck_assert_uint_eq(told_end.start_usec, started_usec - 60 * SEC);
}
END_TEST

/* What a dry run would restart after another one is said once, and again under another policy. */
START_TEST(part_in_a_dry_run) {
        static const char text[] = "[Service a]\nMatch=name:a\nProbe=none\nPartOf=b\n"
                                   "[Service b]\nMatch=name:b\nProbe=none\n";

        containers[1].name = (char *)"b";
        load(text);
        pl_healthd_set_synced(healthd, true);
        runs(0, PL_DOCKER_HEALTH_HEALTHY);
        runs(1, PL_DOCKER_HEALTH_HEALTHY);
        answer = 1;
        containers[1].finished_usec = started_usec + SEC;
        containers[1].started_usec = started_usec + 2 * SEC;
        runs(1, PL_DOCKER_HEALTH_HEALTHY);
        run_for(7 * SEC);
        ck_assert_uint_eq(n_asked[0], 1);
        load(text);
        runs(1, PL_DOCKER_HEALTH_HEALTHY);
        runs(0, PL_DOCKER_HEALTH_HEALTHY);
        answer = 0;
        ck_assert_uint_eq(n_asked[0], 2);
        ck_assert_uint_eq(n_asked[1], 0);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("healthd-kept");

        tcase_set_timeout(t, 60);
        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_loop_test(t, a_new_id_is_no_new_budget, 0, PL_ARRAY_SIZE(inherited));
        tcase_add_loop_test(t, ended_while_down, 0, PL_ARRAY_SIZE(while_down));
        tcase_add_test(t, ended_while_down_and_runs);
        tcase_add_test(t, part_in_a_dry_run);
        return run_case(t);
}
