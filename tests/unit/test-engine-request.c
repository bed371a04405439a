/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions and answers: each request gets exactly one reply, never before the call that made it
 * returns, whatever the engine does meanwhile, and whoever frees whom. What changes a container:
 * test-engine-change.c.
 */

#include "engine-requests.h"

START_TEST(test_list_and_inspect) {
        fake_do(&fake, "{\"op\":\"generate\",\"n\":100}");
        ck_assert_int_eq(list(), 0);
        EXPECT_REPLY(1, 0);
        ck_assert_uint_eq(listed, 101);
        ck_assert_str_eq(ids[0], A64);
        for (size_t i = 0; i < listed; i++)
                ck_assert_int_eq(inspect(ids[i]), 0);
        ck_assert(run_until(event, &n_replies, 102, LONG));
        ck_assert_uint_eq(n_failed, 0); /* in any order: four at a time */
        run_for(event, 50 * PL_USEC_PER_MSEC);
        ck_assert_uint_eq(n_replies, 102);
        /* events, lists, inspections; and the one that asks this */
        ck_assert_uint_le(count_of("connections"), 8);
}
END_TEST

START_TEST(test_one_after_another_keeps_the_connection) {
        for (unsigned i = 1; i <= 50; i++) {
                ck_assert_int_eq(inspect(A64), 0);
                ck_assert(run_until(event, &n_replies, i, LONG));
        }
        /* setup's question, ping and everything after it, events, this question */
        ck_assert_uint_le(count_of("connections"), 4);
}
END_TEST

START_TEST(test_bounded_parallelism) {
        fake_do(&fake, "{\"op\":\"fault\",\"path\":\"json$\",\"kind\":\"hold\"}");
        for (unsigned i = 0; i < 60; i++)
                ck_assert_int_eq(inspect(A64), 0);
        run_until_stat("in_flight", NULL, 4);
        run_for(event, 50 * PL_USEC_PER_MSEC); /* more would come now */
        fake_do(&fake, "[{\"op\":\"clear\"},{\"op\":\"release\"}]");
        ck_assert(run_until(event, &n_replies, 60, LONG));
        ck_assert_uint_eq(count_of("max_in_flight"), 4);
}
END_TEST

START_TEST(test_bad_ids) {
        ck_assert_int_eq(inspect("abc"), -EINVAL);
        ck_assert_int_eq(inspect(""), -EINVAL);
        ck_assert_int_eq(inspect(A64 "a"), -EINVAL);
        ck_assert_int_eq(inspect("../../../../../../../../../../../../../../../../../../../../././"
                                 ".."),
                         -EINVAL);
        ck_assert_int_eq(update("db", "{}"), -EINVAL);
}
END_TEST

static const struct {
        const char *name, *fault;
        int error;
        const char *message;
} faults[] = {
        { "500", "{\"path\":\"json$\",\"kind\":\"status\"}", -EIO, "out of order" },
        { "409", "{\"path\":\"json$\",\"kind\":\"status\",\"status\":409}", -EBUSY,
          "out of order" },
        { "400", "{\"path\":\"json$\",\"kind\":\"status\",\"status\":400}", -EINVAL,
          "out of order" },
        { "404, but not of the container",
          "{\"path\":\"json$\",\"kind\":\"status\",\"status\":404}", -EIO, "out of order" },
        { "hang", "{\"path\":\"json$\",\"kind\":\"hang\"}", -ETIMEDOUT, "" },
        { "hang up", "{\"path\":\"json$\",\"kind\":\"drop\"}", -ECONNRESET, "" },
        { "half", "{\"path\":\"json$\",\"kind\":\"half\"}", -ECONNRESET, "" },
        { "slow", "{\"path\":\"json$\",\"kind\":\"slow\",\"delay\":0.01}", -ETIMEDOUT, "" },
        { "garbage", "{\"path\":\"json$\",\"kind\":\"garbage\"}", -EBADMSG, "" },
        { "nothing", "{\"path\":\"json$\",\"kind\":\"empty\"}", -EBADMSG, "" },
        { "endless", "{\"path\":\"json$\",\"kind\":\"endless\"}", -EMSGSIZE, "" },
        { "no container", "{\"path\":\"json$\",\"kind\":\"document\",\"document\":{\"a\":1}}",
          -EBADMSG, "" },
        { "another container",
          "{\"path\":\"json$\",\"kind\":\"document\",\"document\":{\"Id\":\"" B64 "\"}}", -EBADMSG,
          "" },
        { "a label of a megabyte", "{\"path\":\"json$\",\"kind\":\"huge\",\"bytes\":1048576}", 0,
          "" },
        { "wrong types",
          "{\"path\":\"json$\",\"kind\":\"document\",\"document\":{\"Id\":\"" A64
          "\",\"State\":[],\"HostConfig\":7,\"Config\":\"x\"}}",
          0, "" },
};

/* A request that fails is a request that fails: the engine is well, and stays connected. */
START_TEST(test_fault) {
        const __typeof__(faults[0]) *t = &faults[_i];
        const PlEngineTuning hasty = { .read_usec = SHORT }, patient = { .read_usec = LONG };

        if (t->error == -ETIMEDOUT)
                pl_engine_tune(engine, &hasty);
        fake_do(&fake, "[{\"op\":\"fault\",\"times\":1,%s]", t->fault + 1);
        ck_assert_int_eq(inspect(A64), 0);
        ck_assert_msg(run_until(event, &n_replies, 1, LONG), "%s: no reply", t->name);
        ck_assert_msg(reply_error == t->error, "%s: %d", t->name, reply_error);
        ck_assert_msg(pl_streq(reply_message, t->message), "%s: %s", t->name, reply_message);

        pl_engine_tune(engine, &patient);
        ck_assert_int_eq(inspect(A64), 0);
        ck_assert_msg(run_until(event, &n_replies, 2, LONG), "%s: nothing after it", t->name);
        ck_assert_msg(reply_error == 0, "%s: afterwards %d", t->name, reply_error);
        ck_assert_uint_eq(n_lost, 0);
}
END_TEST

START_TEST(test_gone) {
        ck_assert_int_eq(inspect(B64), 0);
        EXPECT_REPLY(1, -ENOENT);
        ck_assert_str_eq(reply_message, "No such container: " B64);
}
END_TEST

/* As Podman says it. */
START_TEST(test_gone_with_500) {
        fake_do(&fake, "{\"op\":\"fault\",\"path\":\"json$\",\"kind\":\"status\",\"message\":"
                       "\"container " A64 " does not exist in database: no such container\"}");
        ck_assert_int_eq(inspect(A64), 0);
        EXPECT_REPLY(1, -ENOENT);
}
END_TEST

START_TEST(test_bad_list) {
        static const char *const documents[] = { "{}", "\"[{\\\"Id\\\":7}]\"", "\"[\"" };

        for (unsigned i = 0; i < PL_ARRAY_SIZE(documents); i++) {
                fake_do(&fake,
                        "{\"op\":\"fault\",\"path\":\"containers/json\",\"kind\":\"document\","
                        "\"times\":1,\"document\":%s}",
                        documents[i]);
                ck_assert_int_eq(list(), 0);
                ck_assert(run_until(event, &n_replies, i + 1, LONG));
                ck_assert_msg(reply_error == -EBADMSG, "%s: %d", documents[i], reply_error);
                ck_assert_uint_eq(listed, 0);
        }
}
END_TEST

/* What waits and what is under way when the engine goes gets its one reply, after lost(). */
START_TEST(test_lost_with_requests) {
        fake_do(&fake, "{\"op\":\"fault\",\"path\":\"json$\",\"kind\":\"hang\"}");
        for (unsigned i = 0; i < 20; i++)
                ck_assert_int_eq(inspect(A64), 0);
        ck_assert_int_eq(list(), 0);
        run_for(event, 100 * PL_USEC_PER_MSEC);
        fake_kill(&fake, SIGKILL);
        ck_assert(run_until(event, &n_lost, 1, LONG));
        ck_assert_uint_eq(n_replies, 21);
        ck_assert_int_eq(reply_error, -ECONNRESET);
        ck_assert_int_eq(inspect(A64), -ENOTCONN);
        run_for(event, 200 * PL_USEC_PER_MSEC);
        ck_assert_uint_eq(n_replies, 21);
        ck_assert_uint_eq(n_lost, 1);
}
END_TEST

/* An engine that is not wanted any more owes its replies, and is not lost. */
START_TEST(test_hang_up) {
        fake_do(&fake, "{\"op\":\"fault\",\"path\":\"json$\",\"kind\":\"hang\"}");
        for (unsigned i = 0; i < 20; i++)
                ck_assert_int_eq(inspect(A64), 0);
        ck_assert_int_eq(list(), 0);
        run_for(event, 100 * PL_USEC_PER_MSEC);
        pl_engine_hang_up(engine);
        ck_assert_uint_eq(n_replies, 21);
        ck_assert_int_eq(reply_error, -ECONNRESET);
        ck_assert_int_eq(inspect(A64), -ENOTCONN);
        fake_do(&fake, "{\"op\":\"create\",\"name\":\"x\"}");
        run_for(event, 500 * PL_USEC_PER_MSEC);
        ck_assert_uint_eq(n_replies, 21);
        ck_assert_uint_eq(n_lost, 0);
        ck_assert_uint_eq(n_connected, 1);
}
END_TEST

/* A stuck container blocks its own lane for a while, and no other. */
START_TEST(test_stuck_inspect) {
        const PlEngineTuning hasty = { .read_usec = SHORT }, patient = { .read_usec = LONG };

        fake_do(&fake, "{\"op\":\"fault\",\"path\":\"" A64 "/json$\",\"kind\":\"hang\"}");
        pl_engine_tune(engine, &hasty);
        for (unsigned i = 0; i < 4; i++)
                ck_assert_int_eq(inspect(A64), 0);
        EXPECT_REPLY(4, -ETIMEDOUT);
        ck_assert_uint_eq(n_failed, 4);

        pl_engine_tune(engine, &patient);
        for (unsigned i = 0; i < 4; i++)
                ck_assert_int_eq(inspect(A64), 0);
        ck_assert_int_eq(update(A64, "{\"PidsLimit\":7}"), 0);
        EXPECT_REPLY(5, 0); /* while all of them wait */
        ck_assert_uint_eq(n_lost, 0);
}
END_TEST

static const struct {
        When when;
        const char *stimulus; /* told to the fake; NULL: none */
} frees[] = {
        { CONNECTED, "{\"op\":\"cut\"}" },
        { EVENT, "[{\"op\":\"create\",\"name\":\"x\"},{\"op\":\"start\",\"name\":\"x\"}]" },
        { LOST, "{\"op\":\"cut\",\"half\":true}" },
        { REPLY, NULL },
        { NEVER, NULL }, /* with requests under way */
};

/* The engine may be freed in any callback; sanitizers watch. */
START_TEST(test_free) {
        free_when = frees[_i].when;
        for (unsigned i = 0; i < 10; i++)
                ck_assert_int_eq(inspect(A64), 0);
        ck_assert_int_eq(list(), 0);
        if (frees[_i].stimulus)
                fake_do(&fake, "%s", frees[_i].stimulus);
        ck_assert(free_when == NEVER || run_until(event, &n_freed, 1, LONG));
        engine = pl_engine_free(engine);
        run_for(event, 50 * PL_USEC_PER_MSEC);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("requests");

        tcase_set_timeout(t, 300);
        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_test(t, test_list_and_inspect);
        tcase_add_test(t, test_one_after_another_keeps_the_connection);
        tcase_add_test(t, test_bounded_parallelism);
        tcase_add_test(t, test_bad_ids);
        tcase_add_loop_test(t, test_fault, 0, PL_ARRAY_SIZE(faults));
        tcase_add_test(t, test_gone);
        tcase_add_test(t, test_gone_with_500);
        tcase_add_test(t, test_bad_list);
        tcase_add_test(t, test_lost_with_requests);
        tcase_add_test(t, test_hang_up);
        tcase_add_test(t, test_stuck_inspect);
        tcase_add_loop_test(t, test_free, 0, PL_ARRAY_SIZE(frees));
        return run_case(t);
}
