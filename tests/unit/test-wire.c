/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The documents that people script against: every key of the contract, and which null means what.
 */

#include "lib/status/wire.h"
#include "unit.h"

static const PlLimits no_limits;

static PlContainerStatus blank(void) {
        return (PlContainerStatus){ .id = "0",
                                    .name = "web",
                                    .image = "nginx:1",
                                    .phase = "running",
                                    .wanted = &no_limits,
                                    .in_force = &no_limits,
                                    .memory_bytes = PL_UNLIMITED,
                                    .memory_peak_bytes = PL_UNLIMITED,
                                    .working_set_bytes = PL_UNLIMITED,
                                    .cpu_usec = PL_UNLIMITED,
                                    .pids = PL_UNLIMITED,
                                    .log.size_bytes = PL_UNLIMITED,
                                    .log.held_bytes = PL_UNLIMITED,
                                    .log.archived_bytes = PL_UNLIMITED };
}

/* The whole document as text, keys in the order of the contract. */
static void assert_dump(json_t *stolen, const char *expected) {
        char *text = json_dumps(stolen, JSON_COMPACT);

        ck_assert_ptr_nonnull(text);
        ck_assert_str_eq(text, expected);
        free(text);
        json_decref(stolen);
}

START_TEST(test_container_blank) {
        PlContainerStatus c = blank();

        assert_dump(pl_wire_container(&c),
                    "{\"id\":\"0\",\"name\":\"web\",\"service\":null,\"image\":\"nginx:1\","
                    "\"phase\":\"running\",\"health\":\"unknown\",\"reason\":null,"
                    "\"health_since\":null,\"limits\":{},"
                    "\"usage\":{\"memory_bytes\":null,\"memory_peak_bytes\":null,"
                    "\"working_set_bytes\":null,\"cpu_usec\":null,"
                    "\"pids\":null},\"log\":{\"path\":null,\"method\":null,\"why\":null,\"size_"
                    "bytes\":null,\"held_bytes\":null,"
                    "\"archived_bytes\":null},\"restarts\":0,\"oom_kills\":0,\"drift_repairs\":0,"
                    "\"repairs_paused\":false}");
}
END_TEST

static const struct {
        const char *name;
        PlResource resource;
        PlValue wanted, in_force;
        const char *errors[3];
        const char *dump;
        bool holds;
} limits[] = {
        { "bytes",
          PL_RESOURCE_MEMORY_MAX,
          { true, GIB(4), NULL },
          { true, GIB(4), NULL },
          {},
          "{\"wanted\":4294967296,\"in_force\":4294967296,\"owner_errors\":[],\"managed\":true,"
          "\"holds\":true,\"known\":true}",
          true },
        { "infinity is null, and managed",
          PL_RESOURCE_MEMORY_MAX,
          { true, PL_UNLIMITED, NULL },
          { true, GIB(1), NULL },
          {},
          "{\"wanted\":null,\"in_force\":1073741824,\"owner_errors\":[],\"managed\":true,"
          "\"holds\":false,\"known\":true}" },
        { "left alone is null, and not managed",
          PL_RESOURCE_TASKS_MAX,
          {},
          { true, PL_UNLIMITED, NULL },
          {},
          "{\"wanted\":null,\"in_force\":null,\"owner_errors\":[],\"managed\":false,"
          "\"holds\":false,\"known\":true}" },
        { "not read yet",
          PL_RESOURCE_TASKS_MAX,
          { true, 512, NULL },
          {},
          {},
          "{\"wanted\":512,\"in_force\":null,\"owner_errors\":[],\"managed\":true,"
          "\"holds\":false,\"known\":false}" },
        { "CPU time is percent",
          PL_RESOURCE_CPU_QUOTA,
          { true, 2000000, NULL },
          { true, 125000, NULL },
          {},
          "{\"wanted\":200,\"in_force\":12.5,\"owner_errors\":[],\"managed\":true,"
          "\"holds\":false,\"known\":true}" },
        { "texts",
          PL_RESOURCE_ALLOWED_CPUS,
          { true, 0, (char *)"0-3" },
          {},
          {},
          "{\"wanted\":\"0-3\",\"in_force\":null,\"owner_errors\":[],\"managed\":true,"
          "\"holds\":false,\"known\":false}" },
        { "owners",
          PL_RESOURCE_MEMORY_MAX,
          { true, 4096, NULL },
          { true, 4096, NULL },
          { NULL, "no bus", "too \xff low" },
          "{\"wanted\":4096,\"in_force\":4096,\"owner_errors\":[{\"owner\":\"systemd\",\"message\":"
          "\"no bus\"},{\"owner\":\"engine\",\"message\":\"too \\\\xff low\"}],\"managed\":true,"
          "\"holds\":false,\"known\":true}" },
};

START_TEST(test_limit) {
        PlLimits wanted = {}, in_force = {};
        const char *errors[_PL_RESOURCE_N][3] = {};
        PlResource r = limits[_i].resource;
        PlContainerStatus c = blank();

        wanted.v[r] = limits[_i].wanted;
        in_force.v[r] = limits[_i].in_force;
        memcpy(errors[r], limits[_i].errors, sizeof(errors[r]));
        c.wanted = &wanted;
        c.in_force = &in_force;
        c.owner_errors = errors;
        c.holds = limits[_i].holds ? UINT32_C(1) << r : 0;

        json_t *j = pl_wire_container(&c);
        const json_t *all = json_object_get(j, "limits");
        ck_assert_uint_eq(json_object_size(all), 1);
        json_t *one = json_object_get(all, pl_resource_info(r)->name);
        assert_dump(json_incref(one), limits[_i].dump);
        json_decref(j);
}
END_TEST

START_TEST(test_container_hostile) {
        PlContainerStatus c = blank();
        _cleanup_free_ char *huge = malloc(MIB(1));

        memset(huge, 'x', MIB(1) - 1);
        huge[MIB(1) - 1] = '\0';
        c.name = "a\xff\xc0\x80"
                 "b";
        c.health.reason = huge;
        c.restarts = UINT64_MAX - 1; /* beyond what JSON integers hold here */
        json_t *extra = json_pack("{s:s,s:i}", "name", "mine", "pressure", 7);
        c.extra = extra;
        json_t *j = pl_wire_container(&c);

        ck_assert_ptr_nonnull(j);
        ck_assert_str_eq(json_string_value(json_object_get(j, "name")), "a\\xff\\xc0\\x80"
                                                                        "b");
        ck_assert_uint_le(json_string_length(json_object_get(j, "reason")), KIB(16));
        ck_assert_int_eq(json_integer_value(json_object_get(j, "restarts")), INT64_MAX);
        ck_assert_int_eq(json_integer_value(json_object_get(j, "pressure")), 7);
        json_decref(j);
        json_decref(extra);
}
END_TEST

START_TEST(test_history) {
        PlHistory h = {};

        assert_dump(pl_wire_history(&h), "[]");
        pl_history_add(&h, "up", "", "", true, 1700000000 * PL_USEC_PER_SEC);
        pl_history_add(&h, "disputed", "404", "HTTP \xff", true, 1700000060 * PL_USEC_PER_SEC);
        pl_history_add(&h, "disputed", "404", "HTTP \xff", true, 1700000070 * PL_USEC_PER_SEC);
        assert_dump(pl_wire_history(&h),
                    "[{\"verdict\":\"disputed\",\"code\":\"404\",\"evidence\":\"HTTP \\\\xff\","
                    "\"first_at\":\"2023-11-14T22:14:20Z\",\"last_at\":\"2023-11-14T22:14:30Z\","
                    "\"count\":2},{\"verdict\":\"up\",\"code\":null,\"evidence\":\"\","
                    "\"first_at\":\"2023-11-14T22:13:20Z\",\"last_at\":\"2023-11-14T22:13:20Z\","
                    "\"count\":1}]");
        pl_history_clear(&h);
}
END_TEST

static const struct {
        PlRecovery recovery;
        const char *dump;
} recoveries[] = {
        { { .no_restart = "serves", .no_restart_text = "" },
          "{\"action\":\"none\",\"restarts\":{\"plimsolld\":0,\"engine\":0,\"others\":0},"
          "\"budget\":null,\"gave_up\":null,\"no_restart\":null}" },
        { { .action = PL_ON_UNHEALTHY_RESTART,
            .by_plimsolld = 1,
            .by_engine = 2,
            .by_others = 3,
            .budget = { 3, 600 * PL_USEC_PER_SEC },
            .budget_used = 5,
            .gave_up_usec = 1700000000 * PL_USEC_PER_SEC,
            .no_restart = "gave-up",
            .no_restart_text = "gave up" },
          "{\"action\":\"restart\",\"restarts\":{\"plimsolld\":1,\"engine\":2,\"others\":3},"
          "\"budget\":{\"max\":3,\"left\":0,\"window_usec\":600000000},"
          "\"gave_up\":{\"at\":\"2023-11-14T22:13:20Z\",\"reason\":null},"
          "\"no_restart\":{\"why\":\"gave-up\",\"text\":\"gave up\"}}" },
        { { .action = PL_ON_UNHEALTHY_UNIT,
            .budget = { 3, 600 },
            .no_restart = "unit-started",
            .no_restart_text = "its unit" },
          "{\"action\":\"unit\",\"restarts\":{\"plimsolld\":0,\"engine\":0,\"others\":0},"
          "\"budget\":null,\"gave_up\":null,"
          "\"no_restart\":{\"why\":\"unit-started\",\"text\":\"its unit\"}}" },
};

START_TEST(test_recovery) {
        assert_dump(pl_wire_recovery(&recoveries[_i].recovery), recoveries[_i].dump);
}
END_TEST

START_TEST(test_finding) {
        const PlFinding f = { .severity = PL_FINDING_HIGH,
                              .check = "log-rotation",
                              .container_name = "web",
                              .message = "log not rotated: \033 odd" };

        assert_dump(pl_wire_finding(&f),
                    "{\"severity\":\"high\",\"check\":\"log-rotation\",\"container\":\"web\","
                    "\"id\":null,\"service\":null,\"message\":\"log not rotated: \\u001B odd\"}");
}
END_TEST

/* n of each severity, from critical on */
static json_t *findings_new(unsigned n) {
        json_t *list = json_array();

        for (PlFindingSeverity s = 0; s < _PL_FINDING_SEVERITY_N; s++)
                for (unsigned i = 0; i < n + s; i++) {
                        /* the first is the host's */
                        const PlFinding f = { .severity = s,
                                              .check = "x",
                                              .container_name = s + i > 0 ? "web" : NULL,
                                              .message = "y" };

                        ck_assert_int_eq(json_array_append_new(list, pl_wire_finding(&f)), 0);
                }
        return list;
}

START_TEST(test_status) {
        json_t *findings = findings_new(1);
        PlStatus s = { .version = "1",
                       .engine_connected = true,
                       .engine_version = "26.1.5",
                       .engine_api = "1.45",
                       .policy_file = "/p",
                       .policy_loaded_usec = UINT64_C(1700000000) * PL_USEC_PER_SEC,
                       .archive_path = "/a",
                       .loop = { 120000, 5000, UINT64_C(1700000000) * PL_USEC_PER_SEC, "limits" },
                       .summary = "fine",
                       .findings = findings };

        assert_dump(pl_wire_status(&s, json_array()),
                    "{\"version\":\"1\",\"summary\":\"fine\",\"dry_run\":false,\"stale\":false,"
                    "\"engine\":{\"connected\":true,\"version\":\"26.1.5\",\"api\":\"1.45\","
                    "\"url\":null,\"error\":null},\"policy\":{\"file\":\"/p\",\"loaded_at\":"
                    "\"2023-11-14T22:13:20Z\",\"error\":null},\"archive\":{\"path\":\"/a\"},"
                    "\"loop\":{\"longest_usec\":120000,\"cpu_usec\":5000,\"doing\":\"limits\","
                    "\"at\":\"2023-11-14T22:13:20Z\"},"
                    "\"containers\":[],\"findings\":{"
                    "\"critical\":1,\"high\":2,\"medium\":3,\"low\":4},\"host_findings\":[{"
                    "\"severity\":\"critical\",\"check\":\"x\",\"container\":null,\"id\":null,"
                    "\"service\":null,\"message\":\"y\"}]}");
        ck_assert_ptr_null(pl_wire_status(&s, NULL));
        json_decref(findings);
}
END_TEST

START_TEST(test_event) {
        json_t *fields = json_pack("{s:s,s:s}", "reason", "OOM", "message", "not this");
        PlWireEvent e = { .time_usec = 5,
                          .priority = 4,
                          .message = "killed",
                          .container_name = "web",
                          .fields = fields };

        assert_dump(pl_wire_event(&e),
                    "{\"time_usec\":5,\"priority\":4,\"message\":\"killed\",\"message_id\":null,"
                    "\"container\":\"web\",\"id\":null,\"service\":null,\"reason\":\"OOM\"}");
        json_decref(fields);
}
END_TEST

int main(void) {
        TCase *cases = tcase_create("all");

        tcase_add_test(cases, test_container_blank);
        tcase_add_loop_test(cases, test_limit, 0, PL_ARRAY_SIZE(limits));
        tcase_add_test(cases, test_container_hostile);
        tcase_add_test(cases, test_history);
        tcase_add_loop_test(cases, test_recovery, 0, PL_ARRAY_SIZE(recoveries));
        tcase_add_test(cases, test_finding);
        tcase_add_test(cases, test_status);
        tcase_add_test(cases, test_event);
        return run_case(cases);
}
