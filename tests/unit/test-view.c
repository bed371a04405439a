/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What people see, from documents as the daemon makes them (pl-wire) and as nobody should.
 */

#include <locale.h>
#include <time.h>

#include "lib/status/view.h"
#include "lib/status/wire.h"
#include "unit.h"

#define LOADED (UINT64_C(1700000000) * PL_USEC_PER_SEC)

static const char *const no_errors[_PL_RESOURCE_N][3];
static const char *const engine_error[_PL_RESOURCE_N][3] = {
        [PL_RESOURCE_MEMORY_MAX] = { NULL, NULL, "memory \033[31m too low" },
};

typedef struct Sample {
        const char *name, *service, *phase;
        PlHealthState health;
        const char *reason;
        uint64_t wanted_bytes, in_force_bytes; /* 0: unset */
        uint64_t memory_bytes, cpu_usec, repairs;
        const char *const (*errors)[3];
        bool paused;
        const char *finding, *log_method, *log_why;
} Sample;

static const Sample samples[] = {
        { "stack-postgres-1", "postgres", "running", PL_HEALTH_HEALTHY, NULL, GIB(4), GIB(4),
          GIB(1), 1000000, 2, no_errors, false, "disk full", "punch", "as the policy says" },
        { "stack-redis-1", "redis", "running", PL_HEALTH_UNHEALTHY, "LOADING for 95 s", MIB(512),
          MIB(512), MIB(500), 3000000, 0, no_errors, false },
        { "mlflow", "mlflow", "exited", PL_HEALTH_UNKNOWN, NULL, GIB(1), 0, PL_UNLIMITED,
          PL_UNLIMITED, 0, no_errors, false },
        { "stray\033[2J", NULL, "running", PL_HEALTH_UNKNOWN, NULL, 0, PL_UNLIMITED, MIB(77), 0, 0,
          no_errors, false },
};

static json_t *container(const Sample *s) {
        const PlFinding finding = { .severity = PL_FINDING_CRITICAL, .message = s->finding };
        json_t *findings = json_pack("{s:[o*]}", "findings",
                                     s->finding ? pl_wire_finding(&finding) : NULL);
        PlLimits wanted = {}, in_force = {};
        uint32_t holds = UINT32_MAX; /* plimsolld's verdict, which knows the page */
        json_t *j;

        if (s->in_force_bytes > s->wanted_bytes || s->wanted_bytes - s->in_force_bytes >= KIB(4))
                holds &= ~(UINT32_C(1) << PL_RESOURCE_MEMORY_MAX);

        wanted.v[PL_RESOURCE_MEMORY_MAX] = (PlValue){ s->wanted_bytes > 0, s->wanted_bytes, NULL };
        in_force.v[PL_RESOURCE_MEMORY_MAX] =
                        (PlValue){ s->in_force_bytes > 0, s->in_force_bytes, NULL };
        if (s->service) {
                wanted.v[PL_RESOURCE_CPU_QUOTA] = (PlValue){ true, 2000000, NULL };
                in_force.v[PL_RESOURCE_CPU_QUOTA] = (PlValue){ true, 2000000, NULL };
        }
        PlContainerStatus c = { .id = s->name,
                                .name = s->name,
                                .service = s->service,
                                .image = "image:1",
                                .phase = s->phase,
                                .health = { s->health, s->reason, LOADED },
                                .wanted = &wanted,
                                .in_force = &in_force,
                                .holds = holds,
                                .owner_errors = s->errors,
                                .memory_bytes = s->memory_bytes,
                                .memory_peak_bytes = s->memory_bytes,
                                .working_set_bytes = s->memory_bytes / 2,
                                .cpu_usec = s->cpu_usec,
                                .pids = 7,
                                .log.path = "/log",
                                .log.size_bytes = MIB(4),
                                .log.held_bytes = MIB(4) + (pl_streq_null(s->service, "mlflow")
                                                                            ? MIB(3)
                                                                            : KIB(512)),
                                .log.archived_bytes = s->log_method ? MIB(7) : 0,
                                .log.method = s->log_method,
                                .log.why = s->log_why,
                                .extra = findings,
                                .drift_repairs = s->repairs,
                                .paused_repairs = s->paused };
        j = pl_wire_container(&c);
        json_decref(findings);
        return j;
}

static json_t *status(const PlStatus *s, size_t n) {
        json_t *list = json_array();

        for (size_t i = 0; i < n; i++)
                ck_assert_int_eq(json_array_append_new(list, container(&samples[i])), 0);
        return pl_wire_status(s, list);
}

static PlStatus good_status(void) {
        return (PlStatus){ .version = "1",
                           .engine_connected = true,
                           .engine_version = "26.1.5",
                           .engine_api = "1.45",
                           .policy_file = "/p.conf",
                           .policy_loaded_usec = LOADED,
                           .summary = "2/3 healthy" };
}

static const unsigned widths[] = { 40, 80, 120, 200 };

/* Whatever the width, no line is wider, and what matters most is there. */
START_TEST(test_widths) {
        const PlStatus s = good_status();
        json_t *j = status(&s, PL_ARRAY_SIZE(samples));

        for (int colour = 0; colour < 2; colour++) {
                PlViewOptions o = { .look = { .columns = widths[_i], .utf8 = true },
                                    .now_usec = LOADED + 5 * PL_USEC_PER_MIN };
                _cleanup_free_ char *text = NULL;

                o.look.colour = colour;
                ck_assert_int_eq(pl_view_status(j, &o, &text), 0);
                ck_assert_ptr_nonnull(strstr(text, "unhealthy"));
                ck_assert_ptr_nonnull(strstr(text, "MEMORY"));
                ck_assert_ptr_nonnull(strstr(text, "500M/512M"));
                ck_assert_ptr_nonnull(strstr(text, "LOADING"));
                ck_assert_ptr_null(strstr(text, "\033[2J"));
                ck_assert_int_eq(strstr(text, "\033[") != NULL, colour);
                ck_assert_int_eq(strstr(text, "DRIFT") != NULL, widths[_i] >= 80);
                ck_assert_int_eq(strstr(text, "LOG") != NULL, widths[_i] >= 120);
                ck_assert_int_eq(strstr(text, "punch") != NULL, widths[_i] >= 120);
                for (const char *l = text; !colour && *l; l += strcspn(l, "\n") + 1) {
                        _cleanup_free_ char *line = strndup(l, strcspn(l, "\n"));

                        ck_assert_ptr_nonnull(line);
                        ck_assert_msg(pl_text_width(line, &o.look) <= widths[_i], "%u columns: %s",
                                      widths[_i], line);
                }
        }
        json_decref(j);
}
END_TEST

static const char expected_status[] =
                "* plimsolld 1  2/3 healthy\n"
                "  engine   26.1.5, API 1.45\n"
                "  policy   /p.conf, loaded 5min ago\n"
                "\n"
                "SERVICE   CONTAINER     PHASE    HEALTH       MEMORY                    QUOTA  "
                "TASKS      LOG  DRIFT\n"
                "mlflow    mlflow        exited   * unknown         -/1G                  200%  "
                "  7/-  4M (7M)      0\n"
                "postgres  stack-~res-1  running  * healthy        1G/4G    ##----  25%   200%  "
                "  7/-       4M      2\n"
                "redis     stack-~dis-1  running  * unhealthy    500M/512M  ######  98%   200%  "
                "  7/-       4M      0\n"
                "-         stray\\x1b[2J  running  * unknown       77M/inf                       "
                "  7/-       4M\n"
                "\n"
                "* stack-postgres-1  critical: disk full\n"
                "* stack-redis-1  unhealthy: LOADING for 95 s\n";

START_TEST(test_status_text) {
        const PlStatus s = good_status();
        const PlViewOptions o = { .look = { .columns = 100 },
                                  .now_usec = LOADED + 5 * PL_USEC_PER_MIN };
        json_t *j = status(&s, PL_ARRAY_SIZE(samples));
        _cleanup_free_ char *text = NULL;

        ck_assert_int_eq(pl_view_status(j, &o, &text), 0);
        ck_assert_str_eq(text, expected_status);
        json_decref(j);
}
END_TEST

static const struct {
        const char *name, *service, *phase;
        PlHealthState health;
        const char *reason;
        uint64_t wanted, in_force;
        const char *const (*errors)[3];
        bool paused, dry_run;
        const char *problems;
} problems[] = {
        { "healthy", "a", "running", PL_HEALTH_HEALTHY, NULL, GIB(1), GIB(1), no_errors, false,
          false, "[]" },
        { "starting", "a", "running", PL_HEALTH_STARTING, NULL, GIB(1), GIB(1), no_errors, false,
          false, "[]" },
        { "unhealthy", "a", "running", PL_HEALTH_UNHEALTHY, "why", GIB(1), GIB(1), no_errors, false,
          false, "[\"unhealthy: why\"]" },
        { "degraded", "a", "running", PL_HEALTH_DEGRADED, NULL, GIB(1), GIB(1), no_errors, false,
          false, "[\"degraded\"]" },
        { "out of line", "a", "running", PL_HEALTH_HEALTHY, NULL, GIB(1), GIB(2), no_errors, false,
          false, "[\"MemoryMax is 2G instead of 1G\"]" },
        { "unlimited", "a", "running", PL_HEALTH_HEALTHY, NULL, GIB(1), PL_UNLIMITED, no_errors,
          false, false, "[\"MemoryMax is ∞ instead of 1G\"]" },
        { "a dry run promises nothing", "a", "running", PL_HEALTH_HEALTHY, NULL, GIB(1), GIB(2),
          no_errors, false, true, "[]" },
        { "rounded to a page", "a", "running", PL_HEALTH_HEALTHY, NULL, 1000000, 999424, no_errors,
          false, false, "[]" },
        { "not running", "a", "exited", PL_HEALTH_UNKNOWN, NULL, GIB(1), 0, no_errors, false, false,
          "[]" },
        { "finished", "a", "exited", PL_HEALTH_FINISHED, "finished with exit code 0", GIB(1), 0,
          no_errors, false, false, "[]" },
        { "absent", "a", "exited", PL_HEALTH_ABSENT, NULL, GIB(1), 0, no_errors, false, false,
          "[\"absent\"]" },
        { "left alone", NULL, "running", PL_HEALTH_UNKNOWN, NULL, 0, GIB(1), no_errors, false,
          false, "[]" },
        { "an owner refuses", "a", "running", PL_HEALTH_HEALTHY, NULL, GIB(1), GIB(1), engine_error,
          false, false, "[\"MemoryMax: the engine says: memory \\u001B[31m too low\"]" },
        { "stand-off", "a", "running", PL_HEALTH_HEALTHY, NULL, GIB(1), GIB(1), no_errors, true,
          false, "[\"something keeps changing its limits: repairs are paused\"]" },
};

START_TEST(test_problems) {
        const Sample sample = { .name = "a",
                                .service = problems[_i].service,
                                .phase = problems[_i].phase,
                                .health = problems[_i].health,
                                .reason = problems[_i].reason,
                                .wanted_bytes = problems[_i].wanted,
                                .in_force_bytes = problems[_i].in_force,
                                .errors = problems[_i].errors,
                                .paused = problems[_i].paused };
        json_t *c = container(&sample);
        json_t *list = pl_view_problems(c, problems[_i].dry_run);
        _cleanup_free_ char *text = json_dumps(list, JSON_COMPACT);

        ck_assert_msg(pl_streq(text, problems[_i].problems), "%s: %s", problems[_i].name, text);
        json_decref(list);
        json_decref(c);
}
END_TEST

/* Only one that somebody can have felt. */
START_TEST(test_long_turn) {
        PlViewOptions o = { .look = { .columns = 200 } };
        PlStatus s = good_status();
        _cleanup_free_ char *text = NULL;
        json_t *j;

        s.loop = (PlWireTurn){ _i == 0 ? 99999 : 132000, 12000, 5, "limits" };
        j = status(&s, 1);
        ck_assert_int_eq(pl_view_status(j, &o, &text), 0);
        ck_assert_msg(!!strstr(text, "one turn of plimsolld's loop took 132ms, 12ms of it on a CPU "
                                     "(limits)") == (_i == 1),
                      "%s", text);
        json_decref(j);
}
END_TEST

/* What concerns the host stands in the head, once; why a log has its method, on its own page. */
START_TEST(test_host_findings) {
        static const char line[] = "medium: log of 9 containers (a, b, c and 6 more): not rotated";
        const PlFinding host = { .severity = PL_FINDING_MEDIUM,
                                 .check = "log-method",
                                 .message = line + strlen("medium: ") },
                        own = { .severity = PL_FINDING_HIGH,
                                .check = "log-rotation",
                                .container_name = "stack-postgres-1",
                                .message = "of its own" };
        PlViewOptions o = { .look = { .columns = 200 } };
        _cleanup_free_ char *text = NULL, *page = NULL;
        PlStatus s = good_status();
        json_t *findings = json_array(), *j;
        const char *at;

        ck_assert_int_eq(json_array_append_new(findings, pl_wire_finding(&host)), 0);
        ck_assert_int_eq(json_array_append_new(findings, pl_wire_finding(&own)), 0);
        s.findings = findings;
        j = status(&s, PL_ARRAY_SIZE(samples));
        ck_assert_int_eq(pl_view_status(j, &o, &text), 0);
        at = strstr(text, line);
        ck_assert_msg(at && at < strstr(text, "MEMORY") && !strstr(at + 1, line), "%s", text);
        ck_assert_ptr_null(strstr(text, "of its own")); /* it comes with its container */
        ck_assert_int_eq(pl_view_show(json_array_get(json_object_get(j, "containers"), 0), &o,
                                      &page),
                         0);
        ck_assert_msg(strstr(page, "method punch: as the policy says"), "%s", page);
        ck_assert_ptr_null(strstr(page, "not rotated"));
        json_decref(findings);
        json_decref(j);
}
END_TEST

/* No list of CPUs is no restriction, and no text. */
START_TEST(test_empty_values) {
        json_t *c = json_loads("{\"limits\":{\"AllowedCPUs\":{\"managed\":true,\"known\":true,"
                               "\"wanted\":\"0-9\",\"in_force\":\"\"}}}",
                               0, NULL);
        json_t *found = pl_view_problems(c, false);
        char *text = json_dumps(found, JSON_COMPACT);

        ck_assert_pstr_eq(text, "[\"AllowedCPUs is not set instead of 0-9\"]");
        free(text);
        json_decref(found);
        json_decref(c);
}
END_TEST

START_TEST(test_is_good) {
        PlStatus s = good_status();
        json_t *j = status(&s, 1);

        ck_assert_int_eq(pl_view_is_good(j), 1); /* for all its finding */
        json_decref(j);
        j = status(&s, 2);
        ck_assert_int_eq(pl_view_is_good(j), 0); /* redis is unhealthy */
        json_decref(j);
        s.policy_error = "a.conf:1: no";
        j = status(&s, 1);
        ck_assert_int_eq(pl_view_is_good(j), 0);
        json_decref(j);
        s = good_status();
        s.engine_connected = false;
        j = status(&s, 0);
        ck_assert_int_eq(pl_view_is_good(j), 0);
        json_decref(j);
}
END_TEST

static const struct {
        const char *name;
        bool dry_run, stale, connected;
        const char *policy_error, *part;
} banners[] = {
        { "dry run", true, false, true, NULL, "DRY RUN  nothing is changed" },
        { "stale", false, true, true, NULL, "STALE    what follows was true when" },
        { "never known", false, true, false, NULL, "STALE    nothing is known yet" },
        { "no engine", false, true, false, NULL, "engine   not connected to unix:///x: refused" },
        { "policy", false, false, true, "p:1: bad", "stays in force: p:1: bad" },
};

START_TEST(test_banners) {
        const PlViewOptions o = {};
        PlStatus s = good_status();
        _cleanup_free_ char *text = NULL;

        s.dry_run = banners[_i].dry_run;
        s.stale = banners[_i].stale;
        s.engine_connected = banners[_i].connected;
        s.policy_error = banners[_i].policy_error;
        s.engine_url = "unix:///x";
        s.engine_error = "refused";
        if (pl_streq(banners[_i].name, "never known"))
                s.engine_version = s.engine_api = NULL;
        json_t *j = status(&s, 0);
        ck_assert_int_eq(pl_view_status(j, &o, &text), 0);
        ck_assert_msg(strstr(text, banners[_i].part) != NULL, "%s:\n%s", banners[_i].name, text);
        ck_assert_ptr_nonnull(strstr(text, "No containers."));
        json_decref(j);
}
END_TEST

/* CPU in use, from two looks a second apart. */
START_TEST(test_top) {
        const PlStatus s = good_status();
        json_t *before = status(&s, 2), *after = status(&s, 2);
        json_t *usage = json_object_get(json_array_get(json_object_get(after, "containers"), 1),
                                        "usage");
        const PlViewOptions o = { .previous = before,
                                  .elapsed_usec = PL_USEC_PER_SEC,
                                  .sort = PL_VIEW_SORT_CPU };
        _cleanup_free_ char *text = NULL;

        ck_assert_int_eq(json_object_set_new(usage, "cpu_usec", json_integer(3000000 + 425000)), 0);
        ck_assert_int_eq(pl_view_status(after, &o, &text), 0);
        const char *redis = strstr(text, "\nredis"), *postgres = strstr(text, "\npostgres");
        ck_assert_ptr_nonnull(strstr(text, " 42.5%"));
        ck_assert_ptr_nonnull(strstr(text, " 0.0%"));
        ck_assert(redis && postgres && redis < postgres);
        json_decref(before);
        json_decref(after);
}
END_TEST

/* Another daemon, or somebody else's socket: shown as unknown, never a crash. */
static const char *const odd[] = {
        "{}",
        "[]",
        "{\"containers\":7,\"engine\":[],\"policy\":\"x\",\"summary\":5}",
        "{\"containers\":[1,null,\"x\",[],{}]}",
        "{\"containers\":[{\"limits\":{\"MemoryMax\":3,\"Odd\":{\"managed\":true,\"wanted\":[]}},"
        "\"usage\":{\"memory_bytes\":-5,\"cpu_usec\":\"x\",\"pids\":1e300}}]}",
        "{\"containers\":[{\"limits\":{\"MemoryMax\":{\"known\":true,\"in_force\":1.5e300}},"
        "\"usage\":{\"memory_bytes\":9223372036854775807}}]}",
        "{\"containers\":[{\"name\":{},\"history\":[{\"message\":\"\\u0007\"}],\"x\":[[]]}]}",
        "{\"policy\":{\"loaded_at\":\"yesterday\"}}",
};

START_TEST(test_odd_documents) {
        const PlViewOptions o = { .look = { .columns = 80, .utf8 = true } };
        json_t *j = json_loads(odd[_i], 0, NULL);
        _cleanup_free_ char *text = NULL, *shown = NULL, *event = NULL;

        ck_assert_ptr_nonnull(j);
        ck_assert_int_eq(pl_view_status(j, &o, &text), 0);
        ck_assert_int_eq(pl_view_show(json_array_get(json_object_get(j, "containers"), 0), &o,
                                      &shown),
                         0);
        ck_assert_int_eq(pl_view_event(j, &o, &event), 0);
        ck_assert_ptr_null(strchr(text, '\a'));
        ck_assert_ptr_null(strchr(shown, '\a'));
        json_decref(j);
}
END_TEST

START_TEST(test_show) {
        const PlViewOptions o = { .look = { .columns = 80 },
                                  .now_usec = LOADED + 5 * PL_USEC_PER_MIN };
        static const Sample sample = {
                "a",          "svc",  "running", PL_HEALTH_UNHEALTHY,  "why not",
                GIB(1),       GIB(2), MIB(512),  95 * PL_USEC_PER_SEC, 3,
                engine_error, true
        };
        static const char *const parts[] = {
                "* a  service svc  running, unhealthy for 5min\n",
                "  reason   why not\n",
                "  image    image:1\n",
                "  memory   512M of 2G (25%), working set 256M, peak 512M\n",
                "  models   llama\\x1b[31m, 1G\n           big, 4G, of it 3G on a GPU\n",
                "  CPU      95s in all\n",
                "  log      /log, 4M (4.5M on disk)\n",
                "drift repairs 3; repairs are paused\n",
                "MemoryMax      1G        2G  out of line\n",
                "CPUQuota     200%      200%  /etc/p.conf:31 [Defaults]\n",
                "RULE        VALUE\n",
                "LogMaxSize  10M    /etc/p.conf:32 [Defaults]\n",
                "* MemoryMax: the engine says: memory \\x1b[31m too low\n",
                "  pressure 7\n",
                "history\nJan 01 00:00:05  plimsolld: killed\n",
        };
        json_t *c = container(&sample);
        _cleanup_free_ char *text = NULL;

        ck_assert_int_eq(json_object_set_new(c, "pressure", json_integer(7)), 0);
        ck_assert_int_eq(json_object_set_new(c, "origins",
                                             json_pack("{s:s,s:s}", "MemoryMax", "/etc/p.conf:3",
                                                       "CPUQuota", "/etc/p.conf:31 [Defaults]")),
                         0);
        ck_assert_int_eq(json_object_set_new(c, "rules",
                                             json_pack("{s:{s:s,s:s}}", "LogMaxSize", "value",
                                                       "10M", "from", "/etc/p.conf:32 [Defaults]")),
                         0);
        ck_assert_int_eq(json_object_set_new(c, "models",
                                             json_pack("[{s:s,s:I,s:i},{s:s,s:I,s:I}]", "name",
                                                       "llama\x1b[31m", "size_bytes",
                                                       (json_int_t)GIB(1), "vram_bytes", 0, "name",
                                                       "big", "size_bytes", (json_int_t)GIB(4),
                                                       "vram_bytes", (json_int_t)GIB(3))),
                         0);
        ck_assert_int_eq(json_object_set_new(c, "history",
                                             json_pack("[{s:i,s:s}]", "time_usec", 5000000,
                                                       "message", "killed")),
                         0);
        ck_assert_int_eq(pl_view_show(c, &o, &text), 0);
        for (size_t i = 0; i < PL_ARRAY_SIZE(parts); i++)
                ck_assert_msg(strstr(text, parts[i]) != NULL, "no \"%s\" in\n%s", parts[i], text);
        json_decref(c);
}
END_TEST

/* What is told of health beside the reason. */
START_TEST(test_show_health) {
        const PlViewOptions o = { .now_usec = LOADED + 10 * PL_USEC_PER_MIN };
        PlHistory history = {};
        PlRecovery recovery = {
                .action = PL_ON_UNHEALTHY_RESTART,
                .by_plimsolld = 1,
                .by_others = 2,
                .budget = { 3, 10 * PL_USEC_PER_MIN },
                .budget_used = 1,
                .gave_up_usec = LOADED + 9 * PL_USEC_PER_MIN,
                .gave_up_why = "refused",
                .no_restart = "docker-passes",
                .no_restart_text = "Docker's own check passes: disputed",
        };
        static const char expected[] =
                        "  restart  not now: Docker's own check passes: disputed\n"
                        "  gave up  1min ago: refused\n"
                        "  restarts 1 by plimsolld, 0 by the engine, 2 by others; 2 of 3 left in "
                        "10min\n"
                        "  verdicts 2min ago disputed: HTTP 404 for /health; \\x1b (3 times, last "
                        "30s ago)\n"
                        "           5min ago up\n";
        json_t *c = container(&samples[1]);
        _cleanup_free_ char *text = NULL;

        pl_history_add(&history, "up", "", "", true, LOADED + 5 * PL_USEC_PER_MIN);
        for (unsigned i = 0; i < 3; i++)
                pl_history_add(&history, "disputed", "404", "HTTP 404 for /health; \x1b", true,
                               LOADED + 8 * PL_USEC_PER_MIN + i * 45 * PL_USEC_PER_SEC);
        ck_assert_int_eq(json_object_set_new(c, "verdicts", pl_wire_history(&history)), 0);
        pl_history_clear(&history);
        ck_assert_int_eq(json_object_set_new(c, "recovery", pl_wire_recovery(&recovery)), 0);
        ck_assert_int_eq(pl_view_show(c, &o, &text), 0);
        ck_assert_msg(strstr(text, expected), "%s", text);
        json_decref(c);
}
END_TEST

/* A container that is well, where nothing is wanted: a line about restarts, and no more. */
START_TEST(test_show_well) {
        const PlViewOptions o = { .now_usec = LOADED };
        PlRecovery recovery = { .no_restart = "serves", .no_restart_text = "" };
        json_t *c = container(&samples[0]);
        _cleanup_free_ char *text = NULL;

        ck_assert_int_eq(json_object_set_new(c, "recovery", pl_wire_recovery(&recovery)), 0);
        ck_assert_int_eq(json_object_set_new(c, "verdicts", json_array()), 0);
        ck_assert_int_eq(pl_view_show(c, &o, &text), 0);
        ck_assert_msg(strstr(text, "  restarts 0 by plimsolld, 0 by the engine, 0 by others\n"),
                      "%s", text);
        ck_assert_msg(!strstr(text, "not now") && !strstr(text, "gave up") &&
                                      !strstr(text, "verdicts") && !strstr(text, "recovery"),
                      "%s", text);
        json_decref(c);
}
END_TEST

/* clang-format off */
static const struct {
        const char *name;
        bool utf8;
        const char *document, *text;
} conversations[] = {
        { "HTTP", false,
          "{'name':'web','service':'shop','probe':'http','asked':true,'verdict':'disputed','code':'404',"
          "'reason':'HTTP 404 for /','remedy':null,'took_usec':3200,'conversation':["
          "{'what':'address','text':'10.0.0.1:80'},{'what':'failed','text':'connection refused'},"
          "{'what':'address','text':'127.0.0.1:8080'},{'what':'sent','text':'GET / HTTP/1.1'},"
          "{'what':'header','text':'Host: x'},{'what':'status','text':'HTTP/1.1 404 Not Found'},"
          "{'what':'header','text':'Server: nginx'},{'what':'body','text':'no \\u001b[31m'}]}",
          "* web  service shop  probe http\n"
          "  10.0.0.1:80\n"
          "    connection refused\n"
          "  127.0.0.1:8080\n"
          "  > GET / HTTP/1.1\n"
          "  > Host: x\n"
          "  < HTTP/1.1 404 Not Found\n"
          "  < Server: nginx\n"
          "  < no \\x1b[31m\n"
          "  verdict  disputed: HTTP 404 for / [404]\n"
          "  took     3.2ms\n" },
        { "up", true,
          "{'name':'db','probe':'redis','asked':true,'verdict':'up','reason':'','took_usec':900,"
          "'conversation':[{'what':'address','text':'10.0.0.1:6379'},{'what':'sent','text':'PING\\\\r\\\\n'},"
          "{'what':'received','text':'+PONG'}]}",
          "● db  probe redis\n"
          "  10.0.0.1:6379\n"
          "  → PING\\r\\n\n"
          "  ← +PONG\n"
          "  verdict  up\n"
          "  took     900us\n" },
        { "no probe", false,
          "{'name':'job','service':null,'probe':null,'asked':false,'verdict':'none','code':null,"
          "'reason':'it is paused','remedy':'docker unpause job','took_usec':null,'conversation':[]}",
          "* job\n"
          "  no probe it is paused\n"
          "  remedy   docker unpause job\n" },
        { "nothing of it", false, "{}", "* ?\n  no probe ?\n" },
        { "odd", false, "{'name':1,'asked':true,'verdict':[],'conversation':[1,{},{'what':'x'}]}",
          "* ?\n  < \n  verdict  ?\n" },
};
/* clang-format on */

START_TEST(test_probe) {
        const PlViewOptions o = { .look = { .utf8 = conversations[_i].utf8 } };
        _cleanup_free_ char *json = strdup(conversations[_i].document), *text = NULL;
        json_t *document;

        for (char *quote = json; (quote = strchr(quote, '\'')); quote++)
                *quote = '"';
        document = json_loads(json, 0, NULL);
        ck_assert_msg(document != NULL, "%s", conversations[_i].name);
        ck_assert_int_eq(pl_view_probe(document, &o, &text), 0);
        ck_assert_msg(pl_streq(text, conversations[_i].text), "%s:\n%s", conversations[_i].name,
                      text);
        json_decref(document);
}
END_TEST

int main(void) {
        TCase *cases = tcase_create("all");

        (void)setlocale(LC_CTYPE, "C.UTF-8");
        (void)setenv("TZ", "UTC", 1);
        tcase_add_loop_test(cases, test_widths, 0, PL_ARRAY_SIZE(widths));
        tcase_add_test(cases, test_status_text);
        tcase_add_loop_test(cases, test_problems, 0, PL_ARRAY_SIZE(problems));
        tcase_add_test(cases, test_is_good);
        tcase_add_test(cases, test_host_findings);
        tcase_add_loop_test(cases, test_long_turn, 0, 2);
        tcase_add_test(cases, test_empty_values);
        tcase_add_loop_test(cases, test_banners, 0, PL_ARRAY_SIZE(banners));
        tcase_add_test(cases, test_top);
        tcase_add_loop_test(cases, test_odd_documents, 0, PL_ARRAY_SIZE(odd));
        tcase_add_test(cases, test_show);
        tcase_add_test(cases, test_show_health);
        tcase_add_test(cases, test_show_well);
        tcase_add_loop_test(cases, test_probe, 0, PL_ARRAY_SIZE(conversations));
        return run_case(cases);
}
