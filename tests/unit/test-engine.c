/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection's life against an engine that misbehaves in every way: said once, tried again,
 * and back as soon as the engine is. Requests: test-engine-request.c.
 */

#include <sys/sysmacros.h>

#include "base/clock.h"
#include "engine-fixture.h"

static void setup(void) {
        setup_engine();
}

static const struct {
        const char *name, *fault; /* told to the fake engine before we connect */
        int error;
        const char *why;
} faults[] = {
        { "ping: 500", "{\"path\":\"_ping\",\"kind\":\"status\"}", -EIO, "out of order" },
        { "ping: hangs", "{\"path\":\"_ping\",\"kind\":\"hang\"}", -ETIMEDOUT, "hang" },
        { "ping: hangs up", "{\"path\":\"_ping\",\"kind\":\"drop\"}", -ECONNRESET, "hung up" },
        { "ping: garbage", "{\"path\":\"_ping\",\"kind\":\"garbage\"}", -EBADMSG,
          "something else" },
        { "ping: a byte a while", "{\"path\":\"_ping\",\"kind\":\"delay\",\"delay\":1}", -ETIMEDOUT,
          "hang" },
        { "version: half", "{\"path\":\"version\",\"kind\":\"half\"}", -ECONNRESET,
          "GET /version" },
        { "version: nothing", "{\"path\":\"version\",\"kind\":\"empty\"}", -EBADMSG,
          "GET /version" },
        { "version: another document",
          "{\"path\":\"version\",\"kind\":\"document\",\"document\":{\"a\":1}}", -EBADMSG,
          "GET /version" },
        { "version: no JSON",
          "{\"path\":\"version\",\"kind\":\"document\",\"document\":\"<html>\"}", -EBADMSG,
          "GET /version" },
        { "version: endless", "{\"path\":\"version\",\"kind\":\"endless\"}", -EMSGSIZE,
          "too long" },
        { "version: hangs", "{\"path\":\"version\",\"kind\":\"hang\"}", -ETIMEDOUT,
          "GET /version" },
        { "version: of the future",
          "{\"path\":\"version\",\"kind\":\"document\",\"document\":{\"ApiVersion\":\"1.99\","
          "\"MinAPIVersion\":\"1.90\"}}",
          -EPROTONOSUPPORT, "1.90 to 1.99" },
        { "version: of the past",
          "{\"path\":\"version\",\"kind\":\"document\",\"document\":{\"ApiVersion\":\"1.20\"}}",
          -EPROTONOSUPPORT, "too old" },
        { "info: 500", "{\"path\":\"info\",\"kind\":\"status\"}", -EIO, "out of order" },
        { "info: hangs", "{\"path\":\"info\",\"kind\":\"hang\"}", -ETIMEDOUT, "GET /info" },
        { "info: nothing", "{\"path\":\"info\",\"kind\":\"empty\"}", -EBADMSG, "GET /info" },
        { "info: another document",
          "{\"path\":\"info\",\"kind\":\"document\",\"document\":{\"a\":1}}", -EBADMSG,
          "GET /info" },
        { "events: 500", "{\"path\":\"events\",\"kind\":\"status\"}", -EIO,
          "status 500: out of order" },
        { "events: 404", "{\"path\":\"events\",\"kind\":\"status\",\"status\":404}", -ENOENT,
          "status 404" },
        { "events: hangs", "{\"path\":\"events\",\"kind\":\"hang\"}", -ETIMEDOUT, "GET /events" },
        { "events: hangs up", "{\"path\":\"events\",\"kind\":\"drop\"}", -ECONNRESET, "ended" },
        { "events: garbage", "{\"path\":\"events\",\"kind\":\"garbage\"}", -EBADMSG, "ended" },
};

/* Connects with a fault in the way. On a slow machine what comes before the fault may run out of
 * time as well, and is lost with another word. Return: was it noticed by its own? */
static bool is_noticed(const __typeof__(faults[0]) *t, uint64_t ping_usec) {
        const PlEngineTuning tuning = { .ping_usec = ping_usec, .version_usec = ping_usec };

        pl_engine_tune(engine, &tuning);
        ck_assert_int_eq(pl_engine_start(engine), 0);
        ck_assert_msg(run_until(event, &n_lost, 1, LONG), "%s: not noticed", t->name);
        ck_assert_msg(lost_error == t->error, "%s: %d", t->name, lost_error);
        ck_assert_uint_eq(n_connected, 0);
        return strstr(lost_why, t->why) != NULL;
}

/* Whatever stands in the way of a connection: said once, and gone when it is gone. */
START_TEST(test_fault) {
        const __typeof__(faults[0]) *t = &faults[_i];
        const PlEngineTuning patient = { .ping_usec = LONG, .version_usec = LONG };
        uint64_t ping_usec = t->error == -ETIMEDOUT ? SHORT : LONG;

        fake_start(&fake, NULL);
        fake_do(&fake, "[{\"op\":\"fault\",%s]", t->fault + 1);
        while (!is_noticed(t, ping_usec)) {
                ck_assert_msg(ping_usec < LONG, "%s: %s", t->name, lost_why);
                ping_usec *= 4;
                n_lost = 0;
                engine = pl_engine_free(engine);
                make_engine();
        }
        run_until_stat("requests", "GET /_ping", 4); /* several more attempts */
        pl_engine_tune(engine, &patient);
        fake_do(&fake, "{\"op\":\"clear\"}");
        ck_assert_msg(run_until(event, &n_connected, 1, LONG), "%s: did not recover", t->name);
        ck_assert_msg(n_lost == 1, "%s: said %u times", t->name, n_lost);
}
END_TEST

/* Podman 4 takes its time for /version alone, and is no engine that hangs. */
START_TEST(test_slow_version) {
        const PlEngineTuning tuning = { .ping_usec = 5 * SHORT };

        fake_start(&fake, NULL);
        fake_do(&fake, "{\"op\":\"fault\",\"path\":\"/version\",\"kind\":\"delay\",\"delay\":1}");
        pl_engine_tune(engine, &tuning);
        ck_assert_int_eq(pl_engine_start(engine), 0);
        ck_assert(run_until(event, &n_connected, 1, LONG));
}
END_TEST

START_TEST(test_info) {
        ck_assert_ptr_null(pl_engine_info(engine));
        connect_to_fake();
        ck_assert_uint_eq(n_lost, 0);
        ck_assert(is_connected());
        ck_assert_str_eq(pl_engine_info(engine)->version, "20.10.24+dfsg1");
        ck_assert_uint_eq(pl_engine_info(engine)->api.minor, 41);
        ck_assert_str_eq(pl_engine_url(engine), fake.url);
        ck_assert_int_eq(pl_engine_start(engine), -EALREADY);
}
END_TEST

/* Behind a proxy that lets nobody ask, the socket must do. */
START_TEST(test_identity) {
        static const char *const refusals[] = {
                "{\"op\":\"fault\",\"path\":\"info\",\"kind\":\"status\",\"status\":403}",
                "{\"op\":\"fault\",\"path\":\"info\",\"kind\":\"status\",\"status\":404}",
        };
        char id[PL_ENGINE_IDENTITY_MAX];

        fake_start(&fake, NULL);
        fake_do(&fake, "{\"op\":\"identity\",\"id\":\"ABCD:EFGH x\"}");
        ck_assert_int_eq(pl_engine_start(engine), 0);
        ck_assert(run_until(event, &n_connected, 1, LONG));
        ck_assert_str_eq(pl_engine_info(engine)->identity, "ABCD:EFGH?x");
        for (size_t i = 0; i < PL_ARRAY_SIZE(refusals); i++) {
                n_connected = 0;
                fake_do(&fake, "%s", refusals[i]);
                fake_do(&fake, "{\"op\":\"cut\"}");
                ck_assert(run_until(event, &n_connected, 1, LONG));
                ck_assert_int_eq(strncmp(pl_engine_info(engine)->identity, "engine/", 7), 0);
                if (i > 0)
                        ck_assert_str_eq(pl_engine_info(engine)->identity, id);
                memcpy(id, pl_engine_info(engine)->identity, sizeof(id));
        }
}
END_TEST

static const struct {
        const char *name, *body;
        bool found, podman;
        int r;
        bool known;
        const char *identity;
        bool no_scopes;
} identities[] = {
        { "Docker", "{\"ID\":\"AB:CD\",\"DockerRootDir\":\"/var/lib/docker\"}", true, false, 0,
          true, "AB:CD/8:1:7" },
        { "Docker that makes its groups itself",
          "{\"ID\":\"AB:CD\",\"DockerRootDir\":\"/x\",\"CgroupDriver\":\"cgroupfs\"}", false, false,
          0, true, "AB:CD", true },
        { "… or has systemd make them",
          "{\"ID\":\"AB:CD\",\"DockerRootDir\":\"/x\",\"CgroupDriver\":\"systemd\"}", false, false,
          0, true, "AB:CD" },
        { "Docker, its data out of sight", "{\"ID\":\"AB:CD\",\"DockerRootDir\":\"/x\"}", false,
          false, 0, true, "AB:CD" },
        { "Podman: another ID for each answer", "{\"ID\":\"u-u-i-d\",\"DockerRootDir\":\"/x\"}",
          true, true, 0, true, "podman/8:1:7" },
        { "Podman, its data out of sight", "{\"ID\":\"u-u-i-d\",\"DockerRootDir\":\"/x\"}", false,
          true, 0, false, "podman" },
        { "no ID", "{\"DockerRootDir\":\"/x\"}", true, false, 0, true, "engine/8:1:7" },
        { "no text", "{\"ID\":7}", false, false, -EBADMSG, false, NULL },
        { "nothing", "{}", false, false, -EBADMSG, false, NULL },
        { "no JSON", "<html>", false, false, -EBADMSG, false, NULL },
};

START_TEST(test_identities) {
        const __typeof__(identities[0]) *t = &identities[_i];
        PlEngineRoot root;
        char identity[PL_ENGINE_IDENTITY_MAX];

        ck_assert_msg(pl_docker_parse_info(t->body, strlen(t->body), &root) == t->r, "%s", t->name);
        if (t->r < 0)
                return;
        ck_assert_msg(root.no_scopes == t->no_scopes, "%s", t->name);
        root.found = t->found;
        root.dev = makedev(8, 1);
        root.ino = 7;
        ck_assert_msg(pl_docker_identity(&root, t->podman, identity) == t->known, "%s", t->name);
        ck_assert_str_eq(identity, t->identity);
}
END_TEST

/* A newer engine is spoken to in the highest version that was tested. */
START_TEST(test_newer_engine) {
        const char *args[] = { "--api", "1.60", "--min-api", "1.44", NULL };

        fake_start(&fake, args);
        ck_assert_int_eq(pl_engine_start(engine), 0);
        ck_assert(run_until(event, &n_connected, 1, LONG));
        ck_assert_uint_eq(pl_engine_info(engine)->api.minor, PL_DOCKER_API_TESTED.minor);
}
END_TEST

static const struct {
        const char *url;
        int r;
} urls[] = {
        { "unix:///run/docker.sock", 0 },
        { "tcp://127.0.0.1:2375", -EPROTONOSUPPORT },
        { "/run/docker.sock", -EPROTONOSUPPORT },
        { "", -EPROTONOSUPPORT },
        { "unix://", -EINVAL },
        { "unix:///", -EINVAL },
        { "unix://run/docker.sock", -EINVAL },
        { "unix:///"
          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
          -EINVAL },
};

START_TEST(test_url) {
        PlEngine *e = NULL;

        ck_assert_msg(pl_engine_new(event, urls[_i].url, &handlers, NULL, &e) == urls[_i].r, "%s",
                      urls[_i].url);
        pl_engine_free(e);
}
END_TEST

START_TEST(test_cut) {
        connect_to_fake();
        for (unsigned i = 1; i <= 3; i++) {
                fake_do(&fake, "{\"op\":\"cut\",\"half\":%s}", i % 2 ? "true" : "false");
                ck_assert(run_until(event, &n_lost, i, LONG));
                ck_assert(run_until(event, &n_connected, i + 1, LONG));
        }
        ck_assert_uint_eq(n_lost, 3);
        ck_assert_uint_eq(n_missed, 0);
}
END_TEST

/* With waits of a minute between attempts only the socket itself can tell that it is back. */
START_TEST(test_return_is_noticed) {
        const PlEngineTuning slow = { .backoff_base_usec = PL_USEC_PER_MIN,
                                      .backoff_max_usec = PL_USEC_PER_MIN };

        connect_to_fake();
        pl_engine_tune(engine, &slow);
        fake_kill(&fake, SIGKILL);
        ck_assert(run_until(event, &n_lost, 1, LONG));
        ck_assert_int_eq(unlink(fake.path), 0);
        run_for(event, 50 * PL_USEC_PER_MSEC);
        fake_start(&fake, NULL);
        ck_assert(run_until(event, &n_connected, 2, LONG));
        ck_assert_uint_eq(n_lost, 1);
}
END_TEST

START_TEST(test_directory_appears) {
        const PlEngineTuning slow = { .backoff_base_usec = PL_USEC_PER_MIN,
                                      .backoff_max_usec = PL_USEC_PER_MIN };

        pl_engine_tune(engine, &slow);
        ck_assert_int_eq(rmdir(fake.dir), 0);
        ck_assert_int_eq(pl_engine_start(engine), 0);
        ck_assert(run_until(event, &n_lost, 1, LONG));
        ck_assert_int_eq(lost_error, -ENOENT);
        ck_assert_int_eq(mkdir(fake.dir, 0700), 0);
        run_for(event, 50 * PL_USEC_PER_MSEC);
        fake_start(&fake, NULL);
        ck_assert(run_until(event, &n_connected, 1, LONG));
}
END_TEST

START_TEST(test_quiet) {
        const PlEngineTuning watchful = { .quiet_usec = SHORT };
        uint64_t begin = pl_clock_usec(CLOCK_MONOTONIC);

        pl_engine_tune(engine, &watchful);
        connect_to_fake();
        ck_assert(run_until(event, &n_quiet, 3, LONG)); /* quiet, and well */
        ck_assert_uint_ge(pl_clock_usec(CLOCK_MONOTONIC) - begin, 3 * SHORT);
        ck_assert_uint_eq(n_lost, 0);
}
END_TEST

/* Only /_ping tells it from a quiet one. */
START_TEST(test_hang) {
        const PlEngineTuning watchful = { .quiet_usec = SHORT, .pong_usec = SHORT },
                             patient = { .pong_usec = LONG };

        pl_engine_tune(engine, &watchful);
        connect_to_fake();
        freeze();
        ck_assert(run_until(event, &n_lost, n_connected, LONG));
        ck_assert_int_eq(lost_error, -ETIMEDOUT);
        pl_engine_tune(engine, &patient);
        thaw();
        ck_assert(run_until(event, &n_connected, n_lost + 1, LONG));
        ck_assert_uint_eq(n_lost, n_connected - 1);
}
END_TEST

static unsigned stat_of(const char *name) {
        json_t *stats = fake_tell(&fake, "{\"op\":\"stats\"}");
        unsigned v = (unsigned)json_integer_value(json_object_get(stats, name));

        json_decref(stats);
        return v;
}

static void write_pidfile(pid_t pid) {
        char path[128];
        FILE *f;

        (void)snprintf(path, sizeof(path), "%s/docker.pid", fake.dir);
        if (pid == 0) {
                ck_assert_int_eq(unlink(path), 0);
                return;
        }
        f = fopen(path, "we");
        ck_assert_ptr_nonnull(f);
        fprintf(f, "%d\n", (int)pid);
        fclose(f);
}

/* The socket is systemd's (here: the fake's), and the engine behind it was stopped by its
 * administrator: a connection would start it again. */
START_TEST(test_stopped_on_purpose) {
        PlEngineTuning tuning = {};
        unsigned connections;

        fake_start(&fake, NULL);
        tuning.activator = fake.pid;
        pl_engine_tune(engine, &tuning);
        write_pidfile(getpid());
        ck_assert_int_eq(pl_engine_start(engine), 0);
        ck_assert(run_until(event, &n_connected, 1, LONG));

        write_pidfile(0);
        fake_do(&fake, "{\"op\":\"cut\"}");
        ck_assert(run_until(event, &n_lost, 1, LONG));
        connections = stat_of("connections");
        run_for(event, PL_USEC_PER_SEC); /* ten attempts, were they made */
        ck_assert_uint_eq(n_connected, 1);
        ck_assert_uint_eq(stat_of("connections"), connections + 1); /* our question */

        write_pidfile(getpid());
        ck_assert(run_until(event, &n_connected, 2, LONG));
}
END_TEST

START_TEST(test_events) {
        connect_to_fake();
        fake_do(&fake, "[{\"op\":\"create\",\"name\":\"a\"},{\"op\":\"start\",\"name\":\"a\"},"
                       "{\"op\":\"exec_create: x\",\"name\":\"a\"},"
                       "{\"op\":\"health_status: unhealthy\",\"name\":\"a\"},"
                       "{\"op\":\"die\",\"name\":\"a\",\"exit\":137}]");
        ck_assert(run_until(event, &n_events, 4, LONG));
        ck_assert_int_eq(last_event.action, PL_EVENT_DIE);
        ck_assert_int_eq(last_event.exit_code, 137);
        run_for(event, 50 * PL_USEC_PER_MSEC);
        ck_assert_uint_eq(n_events, 4); /* the filter has kept the exec from us */
}
END_TEST

/* What happened while the stream was down comes afterwards, and what came before comes once. */
START_TEST(test_gap) {
        connect_to_fake();
        fake_do(&fake, "[{\"op\":\"create\",\"name\":\"a\"},{\"op\":\"start\",\"name\":\"a\"}]");
        ck_assert(run_until(event, &n_events, 2, LONG));
        fake_do(&fake, "[{\"op\":\"fault\",\"path\":\"_ping\",\"kind\":\"drop\",\"times\":2},"
                       "{\"op\":\"cut\"},{\"op\":\"oom\",\"name\":\"a\"}]");
        ck_assert(run_until(event, &n_lost, 1, LONG));
        ck_assert(run_until(event, &n_connected, 2, LONG));
        ck_assert(run_until(event, &n_events, 3, LONG));
        ck_assert_int_eq(last_event.action, PL_EVENT_OOM);
        run_for(event, 50 * PL_USEC_PER_MSEC);
        ck_assert_uint_eq(n_events, 3);
}
END_TEST

START_TEST(test_doubled_and_reordered) {
        connect_to_fake();
        fake_do(&fake, "[{\"op\":\"mangle\",\"double\":true,\"reorder\":true},"
                       "{\"op\":\"create\",\"name\":\"a\"},{\"op\":\"start\",\"name\":\"a\"}]");
        ck_assert(run_until(event, &n_events, 2, LONG));
        ck_assert_int_eq(last_event.action, PL_EVENT_CREATE);
        run_for(event, 50 * PL_USEC_PER_MSEC);
        ck_assert_uint_eq(n_events, 2);
}
END_TEST

static const struct {
        const char *name, *op;
} bad_lines[] = {
        { "garbage", "{\"op\":\"raw\",\"data\":\"garbage\\n\"}" },
        { "binary", "{\"op\":\"raw\",\"hex\":\"00ff7b0a\"}" },
        { "half a document", "{\"op\":\"raw\",\"data\":\"{\\\"Type\\\":\\n\"}" },
        { "an endless line", "{\"op\":\"raw\",\"data\":\"0123456789abcdef\",\"times\":100000}" },
        { "wrong types", "{\"op\":\"raw\",\"data\":\"{\\\"Type\\\":\\\"container\\\"}\\n\"}" },
};

/* What cannot be read may have been an event: a reason to list again, not to hang up. */
START_TEST(test_bad_line) {
        connect_to_fake();
        fake_do(&fake, "%s", bad_lines[_i].op);
        ck_assert_msg(run_until(event, &n_missed, 1, LONG), "%s: not said", bad_lines[_i].name);
        fake_do(&fake, "[{\"op\":\"raw\",\"data\":\"\\n\"},{\"op\":\"create\",\"name\":\"a\"}]");
        ck_assert_msg(run_until(event, &n_events, 1, LONG), "%s: nothing after it",
                      bad_lines[_i].name);
        ck_assert_uint_eq(n_lost, 0);
        ck_assert_uint_eq(n_missed, 1);
}
END_TEST

#define LONG_LABEL_ID "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* An event is in a line with all labels of its container, however long these are. */
START_TEST(test_long_label) {
        connect_to_fake();
        fake_do(&fake, "[{\"op\":\"raw\",\"data\":\"{\\\"Type\\\":\\\"container\\\","
                       "\\\"Action\\\":\\\"die\\\",\\\"Actor\\\":{\\\"ID\\\":\\\"" LONG_LABEL_ID
                       "\\\",\\\"Attributes\\\":{\\\"huge\\\":\\\"\"},"
                       "{\"op\":\"raw\",\"data\":\"0123456789abcdef\",\"times\":200000},"
                       "{\"op\":\"raw\",\"data\":\"\\\",\\\"exitCode\\\":\\\"3\\\"}},"
                       "\\\"timeNano\\\":1700000000000000001}\\n\"}]");
        ck_assert(run_until(event, &n_events, 1, LONG));
        ck_assert_int_eq(last_event.action, PL_EVENT_DIE);
        ck_assert_int_eq(last_event.exit_code, 3);
        fake_do(&fake, "{\"op\":\"create\",\"name\":\"a\"}");
        ck_assert(run_until(event, &n_events, 2, LONG));
        ck_assert_int_eq(last_event.action, PL_EVENT_CREATE);
        ck_assert_uint_eq(n_missed, 0);
        ck_assert_uint_eq(n_lost, 0);
}
END_TEST

START_TEST(test_flood) {
        connect_to_fake();
        fake_do(&fake, "[{\"op\":\"generate\",\"n\":100},{\"op\":\"burst\",\"n\":10000}]");
        ck_assert(run_until(event, &n_events, 10000, LONG));
        ck_assert_int_eq(last_event.action, PL_EVENT_DIE);
        ck_assert_uint_eq(n_missed, 0);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("life");

        tcase_set_timeout(t, 300);
        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_loop_test(t, test_fault, 0, PL_ARRAY_SIZE(faults));
        tcase_add_test(t, test_slow_version);
        tcase_add_test(t, test_info);
        tcase_add_test(t, test_identity);
        tcase_add_loop_test(t, test_identities, 0, PL_ARRAY_SIZE(identities));
        tcase_add_test(t, test_newer_engine);
        tcase_add_loop_test(t, test_url, 0, PL_ARRAY_SIZE(urls));
        tcase_add_test(t, test_cut);
        tcase_add_test(t, test_return_is_noticed);
        tcase_add_test(t, test_directory_appears);
        tcase_add_test(t, test_quiet);
        tcase_add_test(t, test_hang);
        tcase_add_test(t, test_stopped_on_purpose);
        tcase_add_test(t, test_events);
        tcase_add_test(t, test_gap);
        tcase_add_test(t, test_doubled_and_reordered);
        tcase_add_loop_test(t, test_bad_line, 0, PL_ARRAY_SIZE(bad_lines));
        tcase_add_test(t, test_long_label);
        tcase_add_test(t, test_flood);
        return run_case(t);
}
