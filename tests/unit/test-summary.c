/* SPDX-License-Identifier: Apache-2.0 */

/* The line of `systemctl status`, as people read it. */

#include "lib/status/summary.h"
#include "unit.h"

#define UP .engine_connected = true, .synced = true

static const struct {
        const char *name;
        PlSummary in;
        const char *line;
} rows[] = {
        { "the model",
          { UP, .n_governed = 5, .n_healthy = 4, .n_watched = 5, .worst_name = "airflow",
            .worst_health = "unhealthy", .worst_reason = "scheduler heartbeat 95 s old",
            .n_limits_wanted = 5, .n_limits_in_force = 5, .log_bytes = MIB(12),
            .log_max_bytes = MIB(150), .n_findings = 2 },
          "4/5 healthy: airflow unhealthy (scheduler heartbeat 95 s old); limits 5/5; logs 12.0M "
          "of "
          "150.0M; 2 findings" },
        { "a job has finished",
          { UP, .n_governed = 3, .n_healthy = 2, .n_watched = 2, .n_finished = 1 },
          "2/2 healthy, 1 finished; limits 0/0" },
        { "a job alone", { UP, .n_governed = 1, .n_finished = 1 }, "1 finished; limits 0/0" },
        { "no health known",
          { UP, .n_governed = 2, .n_limits_wanted = 2, .n_limits_in_force = 1 },
          "limits 1/2" },
        { "nothing matches", { UP }, "no container matches the policy yet" },
        { "before the first list", { .engine_connected = true }, "reading containers" },
        { "no engine at start",
          { .engine_error = "there is no such socket: is the engine running?" },
          "waiting for the engine (there is no such socket: is the engine running?)" },
        { "engine lost", { .synced = true }, "lost the engine, limits stay in force" },
        { "engine hangs",
          { .synced = true, .engine_error = "GET /_ping: no answer within 5s: does it hang?" },
          "lost the engine (GET /_ping: no answer within 5s: does it hang?), limits stay in "
          "force" },
        { "dry run",
          { UP, .dry_run = true, .n_governed = 1, .n_limits_wanted = 1 },
          "DRY RUN, nothing is changed; limits 0/1 already as wanted" },
        { "bad reload",
          { UP, .policy_error = "a.conf:3: Unknown key\nmore" },
          "reload failed, old policy in force: a.conf:3: Unknown key\\x0amore; no container "
          "matches "
          "the policy yet" },
        { "stand-off",
          { UP, .n_governed = 1, .n_limits_wanted = 1, .n_standoffs = 1 },
          "limits 0/1; 1 in stand-off with another manager" },
        { "hostile name",
          { UP, .n_governed = 1, .n_watched = 1, .worst_name = "a\033[2Jb",
            .worst_health = "absent" },
          "0/1 healthy: a\\x1b[2Jb absent; limits 0/0" },
        { "bad reload, with a long remedy",
          { UP, .policy_error = "/etc/plimsoll/plimsoll.conf.d/50-a-rather-long-name.conf:123: "
                                "MemoryMax=4 gigabytes: not understood; expected a size such as 4G "
                                "or 512M (base 1024), a percentage of the host's memory such as "
                                "25%, or infinity; at least 6M" },
          "reload failed, old policy in force: "
          "/etc/plimsoll/plimsoll.conf.d/50-a-rather-long-name.conf:123: MemoryMax=4 gigabytes: "
          "not understood; expected a size such as 4G or 512M (base 1024), a percentage of the "
          "host's memory such as 25%, or infinity; at least 6M; no container matches the policy "
          "yet" },
        { "logs without a bound that is known",
          { UP, .log_bytes = KIB(218) },
          "no container matches the policy yet; logs 218.0K" },
        { "one finding, logs unbounded",
          { UP, .log_bytes = MIB(1), .log_max_bytes = PL_UNLIMITED, .n_findings = 1 },
          "no container matches the policy yet; logs 1.0M; 1 finding" },
};

START_TEST(status_line) {
        char *line = pl_summary_line(&rows[_i].in);

        ck_assert_msg(line && pl_streq(line, rows[_i].line), "%s:\n got  %s\n want %s",
                      rows[_i].name, line, rows[_i].line);
        free(line);
}
END_TEST

static const struct {
        uint32_t wanted, unsupported, held;
        const char *says;
} kernels[] = {
        { 0x3, 0, 0x3, "They are in force in the kernel" },
        { 0x3, 0, 0x7, "They are in force in the kernel" },
        { 0x3, 0x2, 0x1, "They are in force in the kernel" },
        { 0x3, 0, 0x1, "The kernel does not hold all of them either" },
        { 0x7, 0x2, 0x1, "The kernel does not hold all of them either" },
        { 0x3, 0, 0x4, "The kernel does not hold all of them either" },
        { 0x3, 0x3, 0, "The kernel has none of them either" },
};

START_TEST(kernel) {
        ck_assert_str_eq(pl_summary_kernel(kernels[_i].wanted, kernels[_i].unsupported,
                                           kernels[_i].held),
                         kernels[_i].says);
}
END_TEST

START_TEST(steps) {
#define STEP(k, r, v, b)                                                                        \
        {                                                                                       \
                .kind = PL_STEP_##k, .resource = PL_RESOURCE_##r, .value = { true, (v), NULL }, \
                .before = {                                                                     \
                        true,                                                                   \
                        (b),                                                                    \
                        NULL                                                                    \
                }                                                                               \
        }
        PlPlan plan = {
                .n_steps = 3,
                .steps = { STEP(WRITE, MEMORY_MAX, GIB(4), PL_UNLIMITED),
                           STEP(WAIT, MEMORY_HIGH, GIB(1), PL_UNLIMITED),
                           STEP(WRITE, CPU_QUOTA, 2000000, 500000) },
        };
        char *text = pl_summary_steps(&plan, PL_STEP_WRITE, UINT32_MAX);

        ck_assert_str_eq(text, "MemoryMax=4G (was infinity), CPUQuota=200% (was 50%)");
        free(text);
        /* only what was read back is said to be in force */
        text = pl_summary_steps(&plan, PL_STEP_WRITE, 1U << PL_RESOURCE_CPU_QUOTA);
        ck_assert_str_eq(text, "CPUQuota=200% (was 50%)");
        free(text);
        text = pl_summary_steps(&plan, PL_STEP_CANNOT, UINT32_MAX);
        ck_assert_str_eq(text, "");
        free(text);
}
END_TEST

START_TEST(values) {
        PlLimits now = { 0 }, was = { 0 };
        char *text;

        now.v[PL_RESOURCE_MEMORY_MAX] = (PlValue){ true, MIB(256), NULL };
        was.v[PL_RESOURCE_MEMORY_MAX] = (PlValue){ true, MIB(512), NULL };
        now.v[PL_RESOURCE_TASKS_MAX] = was.v[PL_RESOURCE_TASKS_MAX] = (PlValue){ true, 64, NULL };
        now.v[PL_RESOURCE_CPU_QUOTA] = (PlValue){ true, 500000, NULL };
        was.v[PL_RESOURCE_CPU_QUOTA] = (PlValue){ true, PL_UNLIMITED, NULL };
        text = pl_summary_values(&now, &was,
                                 1U << PL_RESOURCE_MEMORY_MAX | 1U << PL_RESOURCE_TASKS_MAX);
        ck_assert_str_eq(text, "MemoryMax=256M (was 512M), TasksMax=64");
        free(text);
        text = pl_summary_values(&now, &was, 0);
        ck_assert_str_eq(text, "");
        free(text);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("summary");

        tcase_add_loop_test(t, status_line, 0, PL_ARRAY_SIZE(rows));
        tcase_add_loop_test(t, kernel, 0, PL_ARRAY_SIZE(kernels));
        tcase_add_test(t, steps);
        tcase_add_test(t, values);
        return run_case(t);
}
