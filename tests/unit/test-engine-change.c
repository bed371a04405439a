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

static const struct {
        PlEngineAct act;
        const char *path, *stat;
        unsigned width; /* how many at a time */
} acts[] = {
        { PL_ENGINE_STOP, "/stop$", "stops", 16 },
        { PL_ENGINE_START, "/start$", "starts", 4 },
        { PL_ENGINE_RESTART, "/restart$", "restarts", 16 },
};

static void end_db(void) {
        fake_do(&fake, "{\"op\":\"die\",\"name\":\"db\",\"silent\":true}");
}

/* libcurl repeats what a dead kept connection swallowed. What a container feels is done once. */
START_TEST(test_act_is_not_doubled) {
        fake_do(&fake, "{\"op\":\"fault\",\"path\":\"%s\",\"kind\":\"drop\",\"times\":1}",
                acts[_i].path);
        if (acts[_i].act == PL_ENGINE_START)
                end_db();
        ck_assert_int_eq(turn_of(A64, acts[_i].act, 0), 0);
        EXPECT_REPLY(1, -ECONNRESET);
        ck_assert_uint_eq(count_of(acts[_i].stat), 0);

        ck_assert_int_eq(turn_of(A64, acts[_i].act, 0), 0);
        EXPECT_REPLY(2, 0);
        ck_assert_uint_eq(count_of(acts[_i].stat), 1);
        ck_assert_uint_eq(count_of("stops") + count_of("starts") + count_of("restarts"), 1);
}
END_TEST

/* An engine that hangs must not find it waiting when it goes on. */
START_TEST(test_stop_is_not_left_behind) {
        const PlEngineTuning hasty = { .pong_usec = SHORT }, patient = { .pong_usec = LONG };

        run_for(event, 200 * PL_USEC_PER_MSEC); /* long since it said something */
        pl_engine_tune(engine, &hasty);
        freeze();
        ck_assert_int_eq(stop(), 0);
        ck_assert_int_eq(pl_engine_kill(engine, A64, SIGHUP, on_changed, NULL), 0);
        EXPECT_REPLY(2, -ECONNRESET);
        pl_engine_tune(engine, &patient);
        thaw();
        ck_assert(run_until(event, &n_connected, 2, LONG));
        run_for(event, 100 * PL_USEC_PER_MSEC);
        ck_assert_uint_eq(count_of("stops"), 0);

        ck_assert_int_eq(stop(), 0);
        EXPECT_REPLY(3, 0);
}
END_TEST

/* Nor one that hung for a while and was not even lost: whoever asked may want something else now.
 */
START_TEST(test_stop_is_not_late) {
        const PlEngineTuning hasty = { .patience_usec = SHORT };

        pl_engine_tune(engine, &hasty);
        run_for(event, 200 * PL_USEC_PER_MSEC);
        freeze();
        ck_assert_int_eq(stop(), 0);
        run_for(event, 2 * SHORT);
        ck_assert_uint_eq(n_replies, 0);
        thaw();
        EXPECT_REPLY(1, -ETIMEDOUT);
        ck_assert_uint_eq(n_lost, 0);
        ck_assert_uint_eq(n_checks, 0);
        ck_assert_uint_eq(count_of("stops"), 0);
}
END_TEST

/* A few at a time, and the others wait their turn, however long that takes. */
START_TEST(test_acts_wait_their_turn) {
        unsigned n = 2 * acts[_i].width + 2;

        fake_do(&fake,
                "[{\"op\":\"generate\",\"n\":%u,\"running\":%s},{\"op\":\"fault\",\"path\":\"%s\","
                "\"kind\":\"delay\",\"delay\":1.5}]",
                n - 1, acts[_i].act == PL_ENGINE_START ? "false" : "true", acts[_i].path);
        if (acts[_i].act == PL_ENGINE_START)
                end_db();
        ck_assert_int_eq(list(), 0);
        EXPECT_REPLY(1, 0);
        ck_assert_uint_eq(listed, n);
        for (size_t i = 0; i < listed; i++)
                ck_assert_int_eq(turn_of(ids[i], acts[_i].act, 0), 0);
        ck_assert(run_until(event, &n_replies, n + 1, LONG));
        ck_assert_uint_eq(n_failed, 0);
        ck_assert_uint_eq(n_checks, n);
        ck_assert_uint_eq(count_of(acts[_i].stat), n);
        ck_assert_uint_eq(count_of("max_in_flight"), acts[_i].width);
}
END_TEST

/* Starts do not wait for what takes its time to stop. */
START_TEST(test_starts_pass_stops) {
        fake_do(&fake, "[{\"op\":\"generate\",\"n\":30},{\"op\":\"fault\",\"path\":\"stop$\","
                       "\"kind\":\"hang\"}]");
        end_db();
        ck_assert_int_eq(list(), 0);
        EXPECT_REPLY(1, 0);
        for (size_t i = 0; i < listed; i++)
                if (!pl_streq(ids[i], A64))
                        ck_assert_int_eq(turn_of(ids[i], PL_ENGINE_STOP, 0), 0);
        ck_assert(run_until(event, &n_checks, 16, LONG));
        ck_assert_int_eq(turn_of(A64, PL_ENGINE_START, 0), 0);
        EXPECT_REPLY(2, 0);
        ck_assert_uint_eq(count_of("starts"), 1);
}
END_TEST

/* What waits is looked at when its turn has come, and not done when nobody wants it any more. */
START_TEST(test_look_is_of_the_moment) {
        fake_do(&fake, "[{\"op\":\"generate\",\"n\":16},{\"op\":\"fault\",\"path\":\"stop$\","
                       "\"kind\":\"delay\",\"delay\":0.5}]");
        ck_assert_int_eq(list(), 0);
        EXPECT_REPLY(1, 0);
        for (size_t i = 1; i <= 16; i++)
                ck_assert_int_eq(turn_of(ids[i], PL_ENGINE_STOP, 0), 0);
        ck_assert_int_eq(stop(), 0);
        ck_assert(run_until(event, &n_checks, 16, LONG));
        ck_assert_int_eq(checked_phase, PL_PHASE_RUNNING);
        wanted = PL_ENGINE_NOTHING;
        end_db();
        ck_assert(run_until(event, &n_replies, 18, LONG));
        ck_assert_uint_eq(n_checks, 17);
        ck_assert_int_eq(checked_phase, PL_PHASE_EXITED); /* as it is, not as it was */
        ck_assert_uint_eq(n_failed, 1);
        ck_assert_uint_eq(count_of("stops"), 16);

        ck_assert_int_eq(turn_of(A64, PL_ENGINE_NOTHING, 0), 0);
        EXPECT_REPLY(19, -ECANCELED);
        ck_assert_int_eq(turn_of(B64, PL_ENGINE_STOP, 0), 0);
        EXPECT_REPLY(20, -ENOENT);
        ck_assert_int_eq(turn_of("../x", PL_ENGINE_STOP, 0), -EINVAL);
        ck_assert_uint_eq(n_checks, 18);
        ck_assert_uint_eq(count_of("stops"), 16);
}
END_TEST

static uint64_t realtime(void) {
        struct timespec t;

        ck_assert_int_eq(clock_gettime(CLOCK_REALTIME, &t), 0);
        return (uint64_t)t.tv_sec * PL_USEC_PER_SEC + (uint64_t)t.tv_nsec / 1000;
}

/* What the stream has lost, or not told yet, is in the engine's memory; nothing comes twice. */
START_TEST(test_look_sees_what_happened) {
        uint64_t before;
        unsigned n;

        fake_do(&fake, "[{\"op\":\"kill\",\"name\":\"db\",\"signal\":9,\"deaf\":true},"
                       "{\"op\":\"generate\",\"n\":1}]");
        before = realtime();
        fake_do(&fake, "[{\"op\":\"pause\",\"name\":\"db\"},"
                       "{\"op\":\"kill\",\"name\":\"db\",\"signal\":15,\"deaf\":true},"
                       "{\"op\":\"kill\",\"name\":\"c0\",\"signal\":1,\"deaf\":true}]");
        ck_assert(run_until(event, &n_events, 1, LONG));
        ck_assert_int_eq(last_event.action, PL_EVENT_PAUSE);
        ck_assert_int_eq(look_at(A64, before), 0);
        EXPECT_REPLY(1, -ECANCELED);
        ck_assert_uint_eq(checked_events, 2);
        ck_assert_int_eq(last_event.action, PL_EVENT_KILL);
        ck_assert_int_eq(last_event.signal, SIGTERM);
        ck_assert_str_eq(last_event.id, A64);

        /* the stream goes on from where it was, and both of them tell each event once */
        n = n_events;
        fake_do(&fake, "[{\"op\":\"cut\"}]");
        ck_assert(run_until(event, &n_connected, 2, LONG));
        ck_assert_int_eq(look_at(A64, before), 0);
        EXPECT_REPLY(2, -ECANCELED);
        run_for(event, SHORT);
        ck_assert_uint_eq(n_events, n + 2); /* c0's and the first one, which it had lost */

        /* a look alone is told all of it again */
        n = n_events;
        ck_assert_int_eq(turn_of(A64, PL_ENGINE_NOTHING, before), 0);
        EXPECT_REPLY(3, -ECANCELED);
        ck_assert_uint_eq(checked_events, n + 2);
}
END_TEST

/* The container alone must do where the engine does not tell. */
START_TEST(test_look_without_events) {
        static const char *const faults[] = {
                "\"kind\":\"drop\"", "\"kind\":\"status\"", "\"kind\":\"garbage\"",
                "\"kind\":\"empty\"", "\"kind\":\"document\",\"document\":\"{}\\n[]\\nx\""
        };

        ck_assert_int_eq(PL_ARRAY_SIZE(faults), 5);
        fake_do(&fake, "{\"op\":\"fault\",\"path\":\"/events$\",%s}", faults[_i]);
        ck_assert_int_eq(turn_of(A64, PL_ENGINE_STOP, 1), 0);
        EXPECT_REPLY(1, 0);
        ck_assert_uint_eq(checked_events, 0);
        ck_assert_uint_eq(count_of("stops"), 1);
}
END_TEST

/* What was so already is not said to be done. */
START_TEST(test_nothing_to_do) {
        ck_assert_int_eq(turn_of(A64, PL_ENGINE_START, 0), 0);
        EXPECT_REPLY(1, -EALREADY);
        end_db();
        ck_assert_int_eq(stop(), 0);
        EXPECT_REPLY(2, -EALREADY);
        ck_assert_uint_eq(count_of("stops") + count_of("starts"), 0);
}
END_TEST

/* The engine's own words; and a network that is gone is not a container that is gone. */
START_TEST(test_start_is_refused) {
        static const struct {
                int status;
                const char *message;
                int error;
        } rows[] = {
                { 404, "network 4711 not found", -EIO },
                { 404, "No such container: db", -ENOENT },
                { 400, "bind source path does not exist", -EINVAL },
                { 409, "container is marked for removal and cannot be started", -EBUSY },
                { 500, "Bind for 0.0.0.0:80 failed: port is already allocated", -EIO },
        };

        end_db();
        fake_do(&fake,
                "{\"op\":\"fault\",\"path\":\"/start$\",\"kind\":\"status\",\"status\":%d,"
                "\"message\":\"%s\"}",
                rows[_i].status, rows[_i].message);
        ck_assert_int_eq(turn_of(A64, PL_ENGINE_START, 0), 0);
        EXPECT_REPLY(1, rows[_i].error);
        ck_assert_str_eq(reply_message, rows[_i].message);
}
END_TEST

/* The time that a container takes to stop is its own; to start it takes the engine's. */
START_TEST(test_stop_timeout) {
        static const struct {
                PlEngineAct act;
                const char *stop_timeout;
                int error;
        } rows[] = {
                { PL_ENGINE_STOP, "2", 0 },           { PL_ENGINE_STOP, "-1", 0 },
                { PL_ENGINE_STOP, "null", 0 },        { PL_ENGINE_STOP, "0", -ETIMEDOUT },
                { PL_ENGINE_RESTART, "2", 0 },        { PL_ENGINE_RESTART, "0", -ETIMEDOUT },
                { PL_ENGINE_START, "2", -ETIMEDOUT },
        };
        const PlEngineTuning quick = { .restart_usec = 500 * PL_USEC_PER_MSEC };

        pl_engine_tune(engine, &quick);
        fake_do(&fake,
                "[{\"op\":\"set\",\"name\":\"db\",\"inspect\":{\"Config\":{\"StopTimeout\":%s}}},"
                "{\"op\":\"fault\",\"path\":\"(stop|start|restart)$\",\"kind\":\"delay\",\"delay\":"
                "1.2}]",
                rows[_i].stop_timeout);
        if (rows[_i].act == PL_ENGINE_START)
                end_db();
        ck_assert_int_eq(turn_of(A64, rows[_i].act, 0), 0);
        ck_assert(run_until(event, &n_replies, 1, LONG));
        ck_assert_msg(reply_error == rows[_i].error, "%d: %s: %d", (int)rows[_i].act,
                      rows[_i].stop_timeout, reply_error);
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
        tcase_add_loop_test(t, test_act_is_not_doubled, 0, PL_ARRAY_SIZE(acts));
        tcase_add_test(t, test_stop_is_not_left_behind);
        tcase_add_test(t, test_stop_is_not_late);
        tcase_add_loop_test(t, test_acts_wait_their_turn, 0, PL_ARRAY_SIZE(acts));
        tcase_add_test(t, test_starts_pass_stops);
        tcase_add_test(t, test_look_is_of_the_moment);
        tcase_add_test(t, test_look_sees_what_happened);
        tcase_add_loop_test(t, test_look_without_events, 0, 5);
        tcase_add_test(t, test_nothing_to_do);
        tcase_add_loop_test(t, test_start_is_refused, 0, 5);
        tcase_add_loop_test(t, test_stop_timeout, 0, 7);
        tcase_add_test(t, test_kill);
        return run_case(t);
}
