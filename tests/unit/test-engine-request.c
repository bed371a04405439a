/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions and answers: each request gets exactly one reply, never before the call that made it
 * returns, whatever the engine does meanwhile, and whoever frees whom.
 */
#include <check.h>
#include <errno.h>
#include <signal.h>

#include "engine.h"
#include "fake.h"

#define LONG (20 * PL_USEC_PER_SEC)
#define A64  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B64  "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

typedef enum When { NEVER, CONNECTED, EVENT, LOST, REPLY } When;

static Fake fake;
static sd_event *event;
static PlEngine *engine;
static unsigned n_connected, n_lost, n_events, n_replies, n_failed;
static int reply_error;
static char reply_message[700];
static size_t listed;
static char ids[200][PL_ID_MAX];
static When free_when;
static bool inside; /* a call that makes a request is on the stack */

static void maybe_free(When when) {
        if (free_when == when)
                engine = pl_engine_free(engine);
}

static void on_connected(void *userdata, const PlEngineInfo *info) {
        n_connected++;
        maybe_free(CONNECTED);
}

static void on_lost(void *userdata, int error, const char *why, uint64_t retry_usec) {
        n_lost++;
        maybe_free(LOST);
}

static void on_event(void *userdata, PlEvent *e) {
        n_events++;
        maybe_free(EVENT);
}

static const PlEngineHandlers handlers = {
        .connected = on_connected,
        .lost = on_lost,
        .event = on_event,
};

static void note(int error, const char *message) {
        ck_assert_msg(!inside, "a reply before the request was made");
        n_replies++;
        n_failed += error < 0;
        reply_error = error;
        (void)snprintf(reply_message, sizeof(reply_message), "%s", message ?: "");
        maybe_free(REPLY);
}

static void on_inspected(void *userdata, const char *id, int error, const char *message,
                         PlContainer **c) {
        ck_assert((error == 0) == (*c != NULL));
        if (error == 0) {
                ck_assert_str_eq((*c)->id, id);
                pl_container_free(TAKE_PTR(*c)); /* what is taken is ours */
        }
        note(error, message);
}

static void on_listed(void *userdata, int error, const char *message, const char (*all)[PL_ID_MAX],
                      size_t n) {
        listed = n;
        for (size_t i = 0; i < PL_MIN(n, PL_ARRAY_SIZE(ids)); i++)
                memcpy(ids[i], all[i], PL_ID_MAX);
        note(error, message);
}

static void on_changed(void *userdata, const char *id, int error, const char *message) {
        note(error, message);
}

static int list(void) {
        int r;

        inside = true;
        r = pl_engine_list(engine, on_listed, NULL);
        inside = false;
        return r;
}

static int inspect(const char *id) {
        int r;

        inside = true;
        r = pl_engine_inspect(engine, id, on_inspected, NULL);
        inside = false;
        return r;
}

static int update(const char *id, const char *body) {
        int r;

        inside = true;
        r = pl_engine_update(engine, id, body, on_changed, NULL);
        inside = false;
        return r;
}

static void setup(void) {
        const PlEngineTuning quick = {
                .pong_usec = PL_USEC_PER_SEC,
                .ping_usec = PL_USEC_PER_SEC,
                .read_usec = PL_USEC_PER_SEC,
                .update_usec = PL_USEC_PER_SEC,
                .backoff_base_usec = 20 * PL_USEC_PER_MSEC,
                .backoff_max_usec = 100 * PL_USEC_PER_MSEC,
        };

        fake_init(&fake);
        ck_assert_int_ge(sd_event_new(&event), 0);
        ck_assert_int_eq(pl_engine_new(event, fake.url, &handlers, NULL, &engine), 0);
        pl_engine_tune(engine, &quick);
        fake_start(&fake, NULL);
        fake_do(&fake, "[{\"op\":\"add\",\"name\":\"db\",\"id\":\"" A64
                       "\",\"running\":true,\"pid\":77}]");
        ck_assert_int_eq(list(), -ENOTCONN);
        ck_assert_int_eq(pl_engine_start(engine), 0);
        ck_assert(run_until(event, &n_connected, 1, LONG));
}

static void teardown(void) {
        engine = pl_engine_free(engine);
        event = sd_event_unref(event);
        fake_deinit(&fake);
}

static json_t *stat_of(const char *name) {
        json_t *stats = fake_tell(&fake, "{\"op\":\"stats\"}"),
               *value = json_incref(json_object_get(stats, name));

        json_decref(stats);
        return value;
}

static unsigned count_of(const char *name) {
        json_t *value = stat_of(name);
        unsigned n = (unsigned)json_integer_value(value);

        json_decref(value);
        return n;
}

START_TEST(test_list_and_inspect) {
        fake_do(&fake, "{\"op\":\"generate\",\"n\":100}");
        ck_assert_int_eq(list(), 0);
        ck_assert(run_until(event, &n_replies, 1, LONG));
        ck_assert_int_eq(reply_error, 0);
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
        fake_do(&fake, "{\"op\":\"fault\",\"path\":\"json$\",\"kind\":\"delay\",\"delay\":0.02}");
        for (unsigned i = 0; i < 60; i++)
                ck_assert_int_eq(inspect(A64), 0);
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
        const PlEngineTuning patient = { .read_usec = LONG };

        if (t->error == -EMSGSIZE)
                pl_engine_tune(engine, &patient);
        fake_do(&fake, "[{\"op\":\"fault\",\"times\":1,%s]", t->fault + 1);
        ck_assert_int_eq(inspect(A64), 0);
        ck_assert_msg(run_until(event, &n_replies, 1, LONG), "%s: no reply", t->name);
        ck_assert_msg(reply_error == t->error, "%s: %d", t->name, reply_error);
        ck_assert_msg(pl_streq(reply_message, t->message), "%s: %s", t->name, reply_message);

        ck_assert_int_eq(inspect(A64), 0);
        ck_assert_msg(run_until(event, &n_replies, 2, LONG), "%s: nothing after it", t->name);
        ck_assert_msg(reply_error == 0, "%s: afterwards %d", t->name, reply_error);
        ck_assert_uint_eq(n_lost, 0);
}
END_TEST

START_TEST(test_gone) {
        ck_assert_int_eq(inspect(B64), 0);
        ck_assert(run_until(event, &n_replies, 1, LONG));
        ck_assert_int_eq(reply_error, -ENOENT);
        ck_assert_str_eq(reply_message, "No such container: " B64);
}
END_TEST

/* As Podman says it. */
START_TEST(test_gone_with_500) {
        fake_do(&fake, "{\"op\":\"fault\",\"path\":\"json$\",\"kind\":\"status\",\"message\":"
                       "\"container " A64 " does not exist in database: no such container\"}");
        ck_assert_int_eq(inspect(A64), 0);
        ck_assert(run_until(event, &n_replies, 1, LONG));
        ck_assert_int_eq(reply_error, -ENOENT);
}
END_TEST

START_TEST(test_no_update) {
        fake_do(&fake, "{\"op\":\"fault\",\"path\":\"update\",\"kind\":\"document\",\"status\":404,"
                       "\"document\":\"Not Found\"}");
        ck_assert_int_eq(update(A64, "{}"), 0);
        ck_assert(run_until(event, &n_replies, 1, LONG));
        ck_assert_int_eq(reply_error, -EOPNOTSUPP);
        fake_do(&fake, "{\"op\":\"clear\"}");
        ck_assert_int_eq(update(B64, "{}"), 0);
        ck_assert(run_until(event, &n_replies, 2, LONG));
        ck_assert_int_eq(reply_error, -ENOENT);
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

START_TEST(test_update) {
        json_t *updates;

        ck_assert_int_eq(update(A64, "{\"Memory\":67108864,\"MemorySwap\":-1}"), 0);
        ck_assert(run_until(event, &n_replies, 1, LONG));
        ck_assert_int_eq(reply_error, 0);
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
        ck_assert(run_until(event, &n_replies, 2, LONG));
        ck_assert_int_eq(reply_error, -EIO);
        ck_assert_ptr_nonnull(strstr(reply_message, "Conflicting options"));

        fake_do(&fake, "{\"op\":\"fault\",\"path\":\"update\",\"kind\":\"document\",\"document\":{"
                       "\"Warnings\":[\"Weight discarded\"]}}");
        ck_assert_int_eq(update(A64, "{\"BlkioWeight\":500}"), 0);
        ck_assert(run_until(event, &n_replies, 3, LONG));
        ck_assert_int_eq(reply_error, 0);
        ck_assert_str_eq(reply_message, "Weight discarded");
}
END_TEST

/* libcurl repeats what a dead kept connection swallowed. A container is restarted once. */
START_TEST(test_restart_is_not_doubled) {
        json_t *restarts;

        fake_do(&fake, "{\"op\":\"fault\",\"path\":\"restart\",\"kind\":\"drop\",\"times\":1}");
        ck_assert_int_eq(pl_engine_restart(engine, A64, on_changed, NULL), 0);
        ck_assert(run_until(event, &n_replies, 1, LONG));
        ck_assert_int_eq(reply_error, -ECONNRESET);
        restarts = stat_of("restarts");
        ck_assert_uint_eq(json_array_size(restarts), 0);
        json_decref(restarts);

        ck_assert_int_eq(pl_engine_restart(engine, A64, on_changed, NULL), 0);
        ck_assert(run_until(event, &n_replies, 2, LONG));
        ck_assert_int_eq(reply_error, 0);
        restarts = stat_of("restarts");
        ck_assert_uint_eq(json_array_size(restarts), 1);
        json_decref(restarts);
}
END_TEST

/* An engine that hangs must not find it waiting when it goes on. */
START_TEST(test_restart_is_not_left_behind) {
        json_t *restarts;

        run_for(event, 200 * PL_USEC_PER_MSEC); /* long since it said something */
        ck_assert_int_eq(kill(fake.pid, SIGSTOP), 0);
        ck_assert_int_eq(pl_engine_restart(engine, A64, on_changed, NULL), 0);
        ck_assert_int_eq(pl_engine_kill(engine, A64, SIGHUP, on_changed, NULL), 0);
        ck_assert(run_until(event, &n_replies, 2, LONG));
        ck_assert_int_eq(reply_error, -ECONNRESET);
        ck_assert_int_eq(kill(fake.pid, SIGCONT), 0);
        ck_assert(run_until(event, &n_connected, 2, LONG));
        run_for(event, 100 * PL_USEC_PER_MSEC);
        restarts = stat_of("restarts");
        ck_assert_uint_eq(json_array_size(restarts), 0);
        json_decref(restarts);

        ck_assert_int_eq(pl_engine_restart(engine, A64, on_changed, NULL), 0);
        ck_assert(run_until(event, &n_replies, 3, LONG));
        ck_assert_int_eq(reply_error, 0);
}
END_TEST

/* Nor one that hung for a while and was not even lost: whoever asked may want something else now.
 */
START_TEST(test_restart_is_not_late) {
        const PlEngineTuning patient = { .pong_usec = 30 * PL_USEC_PER_SEC };
        json_t *restarts;

        pl_engine_tune(engine, &patient);
        run_for(event, 200 * PL_USEC_PER_MSEC);
        ck_assert_int_eq(kill(fake.pid, SIGSTOP), 0);
        ck_assert_int_eq(pl_engine_restart(engine, A64, on_changed, NULL), 0);
        run_for(event, 1500 * PL_USEC_PER_MSEC);
        ck_assert_uint_eq(n_replies, 0);
        ck_assert_int_eq(kill(fake.pid, SIGCONT), 0);
        ck_assert(run_until(event, &n_replies, 1, LONG));
        ck_assert_int_eq(reply_error, -ETIMEDOUT);
        ck_assert_uint_eq(n_lost, 0);
        restarts = stat_of("restarts");
        ck_assert_uint_eq(json_array_size(restarts), 0);
        json_decref(restarts);
}
END_TEST

START_TEST(test_kill) {
        json_t *kills, *kill;

        ck_assert_int_eq(pl_engine_kill(engine, A64, 999, on_changed, NULL), -EINVAL);
        ck_assert_int_eq(pl_engine_kill(engine, "../x", SIGHUP, on_changed, NULL), -EINVAL);
        ck_assert_int_eq(pl_engine_kill(engine, A64, SIGUSR1, on_changed, NULL), 0);
        ck_assert(run_until(event, &n_replies, 1, LONG));
        ck_assert_int_eq(reply_error, 0);
        kills = stat_of("kills");
        ck_assert_uint_eq(json_array_size(kills), 1);
        kill = json_array_get(kills, 0);
        ck_assert_str_eq(json_string_value(json_array_get(kill, 0)), A64);
        ck_assert_str_eq(json_string_value(json_array_get(kill, 1)), "signal=SIGUSR1");
        json_decref(kills);
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

/* A stuck container blocks its own lane for a while, and no other. */
START_TEST(test_stuck_inspect) {
        fake_do(&fake, "{\"op\":\"fault\",\"path\":\"" A64 "/json$\",\"kind\":\"hang\"}");
        for (unsigned i = 0; i < 4; i++)
                ck_assert_int_eq(inspect(A64), 0);
        ck_assert_int_eq(update(A64, "{\"PidsLimit\":7}"), 0);
        ck_assert(run_until(event, &n_replies, 1, PL_USEC_PER_SEC));
        ck_assert_int_eq(reply_error, 0);
        ck_assert(run_until(event, &n_replies, 5, LONG));
        ck_assert_int_eq(reply_error, -ETIMEDOUT);
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
        for (unsigned i = 0; i < 40 && engine && free_when != NEVER; i++)
                run_for(event, 50 * PL_USEC_PER_MSEC);
        ck_assert(free_when == NEVER || !engine);
        engine = pl_engine_free(engine);
        run_for(event, 50 * PL_USEC_PER_MSEC);
}
END_TEST

int main(void) {
        Suite *s = suite_create("engine-request");
        TCase *c = tcase_create("requests");
        SRunner *runner;
        int failed;

        tcase_set_timeout(c, 90);
        tcase_add_checked_fixture(c, setup, teardown);
        tcase_add_test(c, test_list_and_inspect);
        tcase_add_test(c, test_one_after_another_keeps_the_connection);
        tcase_add_test(c, test_bounded_parallelism);
        tcase_add_test(c, test_bad_ids);
        tcase_add_loop_test(c, test_fault, 0, PL_ARRAY_SIZE(faults));
        tcase_add_test(c, test_gone);
        tcase_add_test(c, test_gone_with_500);
        tcase_add_test(c, test_no_update);
        tcase_add_test(c, test_bad_list);
        tcase_add_test(c, test_update);
        tcase_add_test(c, test_restart_is_not_doubled);
        tcase_add_test(c, test_restart_is_not_left_behind);
        tcase_add_test(c, test_restart_is_not_late);
        tcase_add_test(c, test_kill);
        tcase_add_test(c, test_lost_with_requests);
        tcase_add_test(c, test_stuck_inspect);
        tcase_add_loop_test(c, test_free, 0, PL_ARRAY_SIZE(frees));
        suite_add_tcase(s, c);

        runner = srunner_create(s);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
