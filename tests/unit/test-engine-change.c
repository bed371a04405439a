/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the engine is asked to do to a container is done once, in time or not at all, and said.
 */

#include "engine-requests.h"

START_TEST(test_no_update) {
        fake_do(&fake, "{\"op\":\"fault\",\"path\":\"update\",\"kind\":\"document\",\"status\":404,"
                       "\"document\":\"Not Found\"}");
        ck_assert_int_eq(update(A64, "{}"), 0);
        EXPECT_REPLY(1, -EOPNOTSUPP);
        fake_do(&fake, "{\"op\":\"clear\"}");
        ck_assert_int_eq(update(B64, "{}"), 0);
        EXPECT_REPLY(2, -ENOENT);
}
END_TEST

START_TEST(test_update) {
        json_t *updates;

        ck_assert_int_eq(update(A64, "{\"Memory\":67108864,\"MemorySwap\":-1}"), 0);
        EXPECT_REPLY(1, 0);
        updates = stat_of("updates");
        ck_assert_uint_eq(json_array_size(updates), 1);
        ck_assert_int_eq(json_integer_value(json_object_get(
                                         json_object_get(json_array_get(updates, 0), "body"),
                                         "Memory")),
                         67108864);
        json_decref(updates);
        ck_assert(run_until(event, &n_events, 1, LONG)); /* the engine tells everybody */

        fake_do(&fake,
                "{\"op\":\"set\",\"name\":\"db\",\"inspect\":{\"HostConfig\":{\"CpuQuota\":1}}}");
        ck_assert_int_eq(update(A64, "{\"NanoCpus\":1000000000}"), 0);
        EXPECT_REPLY(2, -EIO);
        ck_assert_ptr_nonnull(strstr(reply_message, "Conflicting options"));

        fake_do(&fake, "{\"op\":\"fault\",\"path\":\"update\",\"kind\":\"document\",\"document\":{"
                       "\"Warnings\":[\"Weight discarded\"]}}");
        ck_assert_int_eq(update(A64, "{\"BlkioWeight\":500}"), 0);
        EXPECT_REPLY(3, 0);
        ck_assert_str_eq(reply_message, "Weight discarded");
}
END_TEST

/* libcurl repeats what a dead kept connection swallowed. A container is restarted once. */
START_TEST(test_restart_is_not_doubled) {
        fake_do(&fake, "{\"op\":\"fault\",\"path\":\"restart\",\"kind\":\"drop\",\"times\":1}");
        ck_assert_int_eq(restart(), 0);
        EXPECT_REPLY(1, -ECONNRESET);
        ck_assert_uint_eq(count_of("restarts"), 0);

        ck_assert_int_eq(restart(), 0);
        EXPECT_REPLY(2, 0);
        ck_assert_uint_eq(count_of("restarts"), 1);
}
END_TEST

/* An engine that hangs must not find it waiting when it goes on. */
START_TEST(test_restart_is_not_left_behind) {
        const PlEngineTuning hasty = { .pong_usec = SHORT }, patient = { .pong_usec = LONG };

        run_for(event, 200 * PL_USEC_PER_MSEC); /* long since it said something */
        pl_engine_tune(engine, &hasty);
        freeze();
        ck_assert_int_eq(restart(), 0);
        ck_assert_int_eq(pl_engine_kill(engine, A64, SIGHUP, on_changed, NULL), 0);
        EXPECT_REPLY(2, -ECONNRESET);
        pl_engine_tune(engine, &patient);
        thaw();
        ck_assert(run_until(event, &n_connected, 2, LONG));
        run_for(event, 100 * PL_USEC_PER_MSEC);
        ck_assert_uint_eq(count_of("restarts"), 0);

        ck_assert_int_eq(restart(), 0);
        EXPECT_REPLY(3, 0);
}
END_TEST

/* Nor one that hung for a while and was not even lost: whoever asked may want something else now.
 */
START_TEST(test_restart_is_not_late) {
        const PlEngineTuning hasty = { .patience_usec = SHORT };

        pl_engine_tune(engine, &hasty);
        run_for(event, 200 * PL_USEC_PER_MSEC);
        freeze();
        ck_assert_int_eq(restart(), 0);
        run_for(event, 2 * SHORT);
        ck_assert_uint_eq(n_replies, 0);
        thaw();
        EXPECT_REPLY(1, -ETIMEDOUT);
        ck_assert_uint_eq(n_lost, 0);
        ck_assert_uint_eq(count_of("restarts"), 0);
}
END_TEST

/* Four at a time, and the others wait their turn, however long that takes. */
START_TEST(test_restarts_wait_their_turn) {
        fake_do(&fake, "[{\"op\":\"generate\",\"n\":11},{\"op\":\"fault\",\"path\":\"restart$\","
                       "\"kind\":\"delay\",\"delay\":1.5}]");
        ck_assert_int_eq(list(), 0);
        EXPECT_REPLY(1, 0);
        ck_assert_uint_eq(listed, 12);
        for (size_t i = 0; i < listed; i++)
                ck_assert_int_eq(restart_of(ids[i]), 0);
        ck_assert(run_until(event, &n_replies, 13, LONG));
        ck_assert_uint_eq(n_failed, 0);
        ck_assert_uint_eq(n_checks, 12);
        ck_assert_uint_eq(count_of("restarts"), 12);
        ck_assert_uint_eq(count_of("max_in_flight"), 4);
}
END_TEST

/* What waits is looked at when its turn has come, and not done when nobody wants it any more. */
START_TEST(test_restart_is_checked_when_it_is_sent) {
        fake_do(&fake, "[{\"op\":\"generate\",\"n\":4},{\"op\":\"fault\",\"path\":\"restart$\","
                       "\"kind\":\"delay\",\"delay\":0.5}]");
        ck_assert_int_eq(list(), 0);
        EXPECT_REPLY(1, 0);
        for (size_t i = 1; i <= 4; i++)
                ck_assert_int_eq(restart_of(ids[i]), 0);
        ck_assert_int_eq(restart(), 0);
        ck_assert(run_until(event, &n_checks, 4, LONG));
        ck_assert_int_eq(checked_phase, PL_PHASE_RUNNING);
        unwanted = true;
        fake_do(&fake, "{\"op\":\"die\",\"name\":\"db\"}");
        ck_assert(run_until(event, &n_replies, 6, LONG));
        ck_assert_uint_eq(n_checks, 5);
        ck_assert_int_eq(checked_phase, PL_PHASE_EXITED); /* as it is, not as it was */
        ck_assert_uint_eq(n_failed, 1);
        ck_assert_uint_eq(count_of("restarts"), 4);

        ck_assert_int_eq(restart(), 0);
        EXPECT_REPLY(7, -ECANCELED);
        ck_assert_int_eq(restart_of(B64), 0);
        EXPECT_REPLY(8, -ENOENT);
        ck_assert_uint_eq(n_checks, 6);
        ck_assert_uint_eq(count_of("restarts"), 4);
}
END_TEST

/* The time that a container takes to stop is its own. */
START_TEST(test_restart_has_the_stop_timeout) {
        static const struct {
                const char *stop_timeout;
                int error;
        } rows[] = { { "2", 0 }, { "-1", 0 }, { "null", 0 }, { "0", -ETIMEDOUT } };
        const PlEngineTuning quick = { .restart_usec = 500 * PL_USEC_PER_MSEC };

        pl_engine_tune(engine, &quick);
        fake_do(&fake,
                "[{\"op\":\"set\",\"name\":\"db\",\"inspect\":{\"Config\":{\"StopTimeout\":%s}}},"
                "{\"op\":\"fault\",\"path\":\"restart$\",\"kind\":\"delay\",\"delay\":1.2}]",
                rows[_i].stop_timeout);
        ck_assert_int_eq(restart(), 0);
        ck_assert(run_until(event, &n_replies, 1, LONG));
        ck_assert_msg(reply_error == rows[_i].error, "%s: %d", rows[_i].stop_timeout, reply_error);
}
END_TEST

START_TEST(test_kill) {
        json_t *kills, *kill;

        ck_assert_int_eq(pl_engine_kill(engine, A64, 999, on_changed, NULL), -EINVAL);
        ck_assert_int_eq(pl_engine_kill(engine, "../x", SIGHUP, on_changed, NULL), -EINVAL);
        ck_assert_int_eq(pl_engine_kill(engine, A64, SIGUSR1, on_changed, NULL), 0);
        EXPECT_REPLY(1, 0);
        ck_assert_uint_eq(count_of("kills"), 1);
        kills = stat_of("kills");
        kill = json_array_get(kills, 0);
        ck_assert_str_eq(json_string_value(json_array_get(kill, 0)), A64);
        ck_assert_str_eq(json_string_value(json_array_get(kill, 1)), "signal=SIGUSR1");
        json_decref(kills);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("changes");

        tcase_set_timeout(t, 300);
        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_test(t, test_no_update);
        tcase_add_test(t, test_update);
        tcase_add_test(t, test_restart_is_not_doubled);
        tcase_add_test(t, test_restart_is_not_left_behind);
        tcase_add_test(t, test_restart_is_not_late);
        tcase_add_test(t, test_restarts_wait_their_turn);
        tcase_add_test(t, test_restart_is_checked_when_it_is_sent);
        tcase_add_loop_test(t, test_restart_has_the_stop_timeout, 0, 4);
        tcase_add_test(t, test_kill);
        return run_case(t);
}
