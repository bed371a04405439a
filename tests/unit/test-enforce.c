/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The enforcer: when values are written, what is said of them, who is told, and what is given back.
 */

#include "enforce-fixture.h"
#include "lib/docker/engines.h"

/* --- when --- */

static const struct {
        const char *name, *group;
        bool before_create; /* the group is there ahead of the event that tells whose it is */
        bool no_early_write;
        bool early; /* all values are written before the engine says "start" */
} born_rows[] = {
        { "cgroupfs", GROUP_A, false, false, true },
        { "systemd", SCOPE_A, false, false, true },
        { "group first", GROUP_A, true, false, true },
        { "at the event", GROUP_A, false, true, false },
};

START_TEST(born_limited) {
        const char *name = born_rows[_i].name, *group = born_rows[_i].group;

        make_with(M64 "TasksMax=99\n", (PlRegistryOptions){}, born_rows[_i].no_early_write);
        tmp_put("cg/docker/cgroup.procs", "");
        tmp_put("cg/system.slice/cgroup.procs", "");
        sync_all();
        if (born_rows[_i].before_create) {
                group_make(group);
                RUN_UNTIL(enforcer->places.unborn[0].parent);
        }
        fake_do(&fake, "{\"op\":\"create\",\"name\":\"web\",\"id\":\"" ID_A "\"}");
        RUN_UNTIL(subject(ID_A) && pl_subject_is_known(subject(ID_A)));
        if (!born_rows[_i].before_create)
                group_make(group);
        if (born_rows[_i].early)
                RUN_UNTIL(held()->held == (BIT(MEMORY_MAX) | BIT(TASKS_MAX)));
        else
                run_through();
        process_put(PID_A, group);
        fake_do(&fake, "{\"op\":\"start\",\"name\":\"web\",\"pid\":%d}", PID_A);
        RUN_UNTIL(n_starts > 0 && held()->held == (BIT(MEMORY_MAX) | BIT(TASKS_MAX)) &&
                  held()->cgroup_started_usec > 0);
        ck_assert_msg(n_written_before_start == (born_rows[_i].early ? 2 : 0), "%s: %u", name,
                      n_written_before_start);
        ck_assert_str_eq(group_get(group, "memory.max"), "67108864");
        ck_assert_str_eq(group_get(group, "pids.max"), "99");
        ck_assert_msg(said("web", "limits in force: ") != NULL, "%s", name);
        RUN_UNTIL(is_settled());
        ck_assert_int_eq(updated("Memory"), MIB(64));
}
END_TEST

/* systemd writes its program for devices anew with whatever it is told, and runc, which is about to
 * replace that program, would fail: not before the container runs, in no run. */
START_TEST(systemd_hears_of_those_that_run) {
        systemd_standin.there = true;
        make(M64);
        fake_do(&fake, "{\"op\":\"add\",\"name\":\"web\",\"id\":\"" ID_A "\"}");
        sync_all();
        for (int run = 0; run < 2; run++) {
                unsigned before = systemd_standin.n_set;

                group_make(SCOPE_A);
                RUN_UNTIL(held()->cgroup && held()->held == BIT(MEMORY_MAX));
                run_through();
                RUN_UNTIL(is_settled());
                ck_assert_str_eq(group_get(SCOPE_A, "memory.max"), "67108864");
                ck_assert_uint_eq(systemd_standin.n_set, before);
                process_put(PID_A + run, SCOPE_A);
                fake_do(&fake, "{\"op\":\"start\",\"name\":\"web\",\"pid\":%d}", PID_A + run);
                RUN_UNTIL(systemd_standin.n_set > before);
                ck_assert_uint_gt(held()->cgroup_started_usec, 0);
                ck_assert_msg(strstr(systemd_standin.set, "MemoryMax=64M"), "%s",
                              systemd_standin.set);
                RUN_UNTIL(is_settled());
                fake_do(&fake, "{\"op\":\"die\",\"name\":\"web\"}");
                group_remove(SCOPE_A);
                RUN_UNTIL(!held()->cgroup && !pl_container_is_live(subject(ID_A)->facts));
        }
}
END_TEST

/* What is for everybody never raises what a container's creator has asked for, neither at its birth
 * nor when somebody has changed it since; a section of its own may. */
static const struct {
        const char *name, *policy;
        const char *memory, *tasks;
} creator_rows[] = {
        { "[Defaults] alone", "[Defaults]\nMemoryMax=256M\nTasksMax=64\n", "100663296", "20" },
        { "inherited", "[Defaults]\nMemoryMax=256M\nTasksMax=64\n" SECTION "CPUWeight=200\n",
          "100663296", "20" },
        { "tighter ones hold", "[Defaults]\nMemoryMax=64M\nTasksMax=10\n" SECTION "CPUWeight=200\n",
          "67108864", "10" },
        { "a section of its own", "[Defaults]\nTasksMax=64\n" SECTION "MemoryMax=256M\n",
          "268435456", "20" },
        { "none where the section says so",
          "[Defaults]\nMemoryMax=64M\nTasksMax=64\n" SECTION "MemoryMax=\n", "100663296", "20" },
};

START_TEST(creators_limits) {
        make(creator_rows[_i].policy);
        group_make(GROUP_A);
        group_put(GROUP_A, "memory.max", "100663296\n");
        group_put(GROUP_A, "pids.max", "20\n");
        process_put(PID_A, GROUP_A);
        fake_do(&fake, "{\"op\":\"add\",\"name\":\"web\",\"id\":\"" ID_A "\",\"running\":true,"
                       "\"pid\":41,\"inspect\":"
                       "{\"HostConfig\":{\"Memory\":100663296,\"PidsLimit\":20}}}");
        sync_all();
        RUN_UNTIL(is_settled());
        ck_assert_msg(pl_streq(group_get(GROUP_A, "memory.max"), creator_rows[_i].memory), "%s: %s",
                      creator_rows[_i].name, group_get(GROUP_A, "memory.max"));
        ck_assert_msg(pl_streq(group_get(GROUP_A, "pids.max"), creator_rows[_i].tasks), "%s: %s",
                      creator_rows[_i].name, group_get(GROUP_A, "pids.max"));
}
END_TEST

/* Whatever the passes of a start: one line, with what the container itself would have had; and none
 * for the same values in its next run. */
START_TEST(told_once) {
        make(M64 "TasksMax=99\nCPUWeight=300\n");
        fake_do(&fake, "{\"op\":\"add\",\"name\":\"web\",\"id\":\"" ID_A "\",\"inspect\":"
                       "{\"HostConfig\":{\"Memory\":536870912,\"PidsLimit\":99}}}");
        sync_all();
        RUN_UNTIL(is_settled());
        group_make(GROUP_A);
        RUN_UNTIL(n_written_to("cpu.weight") > 0);
        group_put(GROUP_A, "memory.max", "536870912\n"); /* runc, after us */
        RUN_UNTIL(n_written_to("memory.max") > 1);
        ck_assert_uint_eq(n_said("limits in force"), 0);
        process_put(PID_A, GROUP_A);
        fake_do(&fake, "{\"op\":\"start\",\"name\":\"web\",\"pid\":%d}", PID_A);
        RUN_UNTIL(n_starts > 0 && held()->cgroup_started_usec > 0 && is_settled());
        ck_assert_uint_eq(n_said("limits"), 1);
        ck_assert_str_eq(said("web", "limits")->text,
                         "limits in force: CPUWeight=300 (was 100), MemoryMax=64M (was 512M), "
                         "TasksMax=99");
        fake_do(&fake, "{\"op\":\"die\",\"name\":\"web\"}");
        group_remove(GROUP_A);
        RUN_UNTIL(!held()->cgroup);
        group_make(GROUP_A);
        process_put(PID_A + 1, GROUP_A);
        fake_do(&fake, "{\"op\":\"start\",\"name\":\"web\",\"pid\":%d}", PID_A + 1);
        RUN_UNTIL(n_starts > 1 && pl_held_lacking(held()) == 0 && is_settled());
        ck_assert_uint_eq(n_said("limits"), 1);
        change_policy(SECTION "MemoryMax=80M\nTasksMax=99\nCPUWeight=300\n");
        ck_assert_uint_eq(n_said("limits"), 2);
        ck_assert_ptr_nonnull(said("web", "limits in force: MemoryMax=80M (was 64M)"));
}
END_TEST

/* The start's inspection, which the engine may answer late, comes after the values. */
START_TEST(values_before_questions) {
        make(M64);
        fake_do(&fake, "{\"op\":\"add\",\"name\":\"web\",\"id\":\"" ID_A "\"}");
        sync_all();
        hold(ID_A "/json");
        group_make(GROUP_A);
        fake_do(&fake, "{\"op\":\"start\",\"name\":\"web\",\"pid\":%d}", PID_A);
        RUN_UNTIL(n_starts > 0 && held()->held == BIT(MEMORY_MAX));
        ck_assert_str_eq(group_get(GROUP_A, "memory.max"), "67108864");
        release();
}
END_TEST

/* A run after the first has a group of its own, and is limited as the first one was. */
START_TEST(second_run) {
        make(M64);
        runs_already(GROUP_A);
        sync_all();
        RUN_UNTIL(held()->held == BIT(MEMORY_MAX));
        ck_assert_uint_eq(n_groups, 1);
        fake_do(&fake, "{\"op\":\"die\",\"name\":\"web\"}");
        group_remove(GROUP_A);
        RUN_UNTIL(!held()->cgroup);
        ck_assert_uint_gt(n_no_groups, 0);
        ck_assert_uint_eq(held()->held, 0);
        group_make(GROUP_A);
        process_put(PID_A + 1, GROUP_A);
        fake_do(&fake, "{\"op\":\"start\",\"name\":\"web\",\"pid\":%d}", PID_A + 1);
        RUN_UNTIL(held()->held == BIT(MEMORY_MAX));
        ck_assert_str_eq(group_get(GROUP_A, "memory.max"), "67108864");
        ck_assert_uint_eq(held()->drift.repairs, 0);
}
END_TEST

/* Another container's process, or nobody's: nothing is written. */
START_TEST(not_its_process) {
        make(M64);
        runs_already(GROUP_A);
        process_put(PID_A, "docker/" ID_B);
        group_make("docker/" ID_B);
        sync_all();
        RUN_UNTIL(is_settled());
        ck_assert_uint_eq(n_written, 0);
        ck_assert_ptr_null(held()->cgroup);
        ck_assert_uint_eq(pl_held_lacking(held()), BIT(MEMORY_MAX));
}
END_TEST

/* --- in which order, and what is said --- */

START_TEST(safe_order) {
        make(SECTION "MemoryMax=64M\nMemoryHigh=48M\nMemoryLow=16M\nMemorySwapMax=32M\n"
                     "TasksMax=9\n");
        runs_already(GROUP_A);
        sync_all();
        RUN_UNTIL(is_settled());
        ck_assert_uint_lt(written_at("memory.high=50331648"), written_at("memory.max=67108864"));
        ck_assert_uint_lt(written_at("memory.max=67108864"), written_at("memory.low=16777216"));
        ck_assert_uint_eq(n_written_to("memory.max"), 1);
        ck_assert_str_eq(group_get(GROUP_A, "pids.max"), "9");
        /* the other way round: protections go first */
        n_written = 0;
        change_policy(SECTION "MemoryMax=32M\nMemoryHigh=24M\nMemoryLow=8M\nMemorySwapMax=32M\n"
                              "TasksMax=9\n");
        ck_assert_uint_lt(written_at("memory.low=8388608"), written_at("memory.high=25165824"));
        ck_assert_uint_lt(written_at("memory.high=25165824"), written_at("memory.max=33554432"));
        ck_assert_uint_eq(n_written_to("pids.max"), 0);
}
END_TEST

/* "In force" is said of what was read back, and of nothing else. */
START_TEST(in_force_is_read_back) {
        make(M64 "TasksMax=9\n");
        kernel_rules[0] = (KernelRule){ .file = "memory.max", .says = "134217728" };
        runs_already(GROUP_A);
        sync_all();
        RUN_UNTIL(is_settled());
        ck_assert_uint_eq(held()->held, BIT(TASKS_MAX));
        ck_assert_uint_eq(pl_held_lacking(held()), BIT(MEMORY_MAX));
        ck_assert_ptr_nonnull(said("web", "MemoryMax= not in force: kernel reports 128M"));
        ck_assert_str_eq(said("web", "MemoryMax= not in force")->message_id,
                         PL_MESSAGE_LIMITS_FAILED);
        ck_assert(has_error(BIT(MEMORY_MAX), PL_OWNER_KERNEL));
        ck_assert(!has_error(BIT(TASKS_MAX), PL_OWNER_KERNEL));
        if (said("web", "limits in force: "))
                ck_assert_msg(!strstr(said("web", "limits in force: ")->text, "MemoryMax=64M"),
                              "%s", said("web", "limits in force: ")->text);
        /* the engine would write it at once */
        ck_assert_int_eq(updated("Memory"), -1);
        ck_assert_int_eq(updated("PidsLimit"), 9);
        /* as soon as the kernel has it, everybody has */
        kernel_rules[0] = (KernelRule){};
        sweep();
        sweep();
        ck_assert_uint_eq(held()->held, BIT(MEMORY_MAX) | BIT(TASKS_MAX));
        ck_assert(!has_error(BIT(MEMORY_MAX), PL_OWNER_KERNEL));
        ck_assert_int_eq(updated("Memory"), MIB(64));
}
END_TEST

static const struct {
        int error;
        int priority;
        const char *message_id, *text;
} refusals[] = {
        { EBUSY, LOG_WARNING, PL_MESSAGE_LIMITS_WAITING,
          "MemoryMax= not applied, the kernel refused memory.max: Device or resource busy: the "
          "container uses more than that" },
        { EINVAL, LOG_ERR, PL_MESSAGE_LIMITS_FAILED,
          "MemoryMax= not applied, the kernel refused memory.max: Invalid argument" },
};

START_TEST(refused_by_the_kernel) {
        unsigned n;

        systemd_standin.there = true;
        make(M64 "TasksMax=9\n");
        kernel_rules[0] = (KernelRule){ .file = "memory.max", .error = refusals[_i].error };
        runs_already(SCOPE_A);
        sync_all();
        RUN_UNTIL(is_settled());
        ck_assert_ptr_nonnull(said("web", refusals[_i].text));
        ck_assert_int_eq(said("web", refusals[_i].text)->priority, refusals[_i].priority);
        ck_assert_str_eq(said("web", refusals[_i].text)->message_id, refusals[_i].message_id);
        ck_assert_uint_eq(held()->held, BIT(TASKS_MAX));
        ck_assert(has_error(BIT(MEMORY_MAX), PL_OWNER_KERNEL));
        /* both would write it at the next opportunity: systemd hears what is in force instead */
        ck_assert_int_eq(updated("Memory"), -1);
        ck_assert_str_eq(systemd_standin.scope, "docker-" ID_A ".scope");
        ck_assert_msg(strstr(systemd_standin.set, "MemoryMax=infinity") &&
                                      strstr(systemd_standin.set, "TasksMax=9"),
                      "%s", systemd_standin.set);
        sweep(); /* refused again, which is no news */
        ck_assert_uint_eq(n_said("the kernel refused"), 1);
        /* the watcher hears of the refused write, too: that is no reason to try again */
        n = n_written_to("memory.max");
        group_put(SCOPE_A, "pids.max", "77\n");
        RUN_UNTIL(said("web", "putting back TasksMax=9"));
        ck_assert_uint_eq(n_written_to("memory.max"), n);
        kernel_rules[0] = (KernelRule){};
        sweep();
        ck_assert_uint_eq(held()->held, BIT(MEMORY_MAX) | BIT(TASKS_MAX));
        ck_assert(!has_error(BIT(MEMORY_MAX), PL_OWNER_KERNEL));
        RUN_UNTIL(updated("Memory") == MIB(64));
        ck_assert_msg(strstr(systemd_standin.set, "MemoryMax=64M"), "%s", systemd_standin.set);
}
END_TEST

/* Refused for what is in use: in force soon after less is, and tried no more often than that. */
START_TEST(room_for_the_refused) {
        unsigned n;

        make(M64);
        kernel_rules[0] = (KernelRule){ .file = "memory.max", .error = EBUSY };
        runs_already(GROUP_A);
        group_put(GROUP_A, "memory.current", "67000000\n");
        sync_all();
        RUN_UNTIL(said("web", "It is tried again when less is in use") && is_settled());
        n = n_written_to("memory.max");
        for (unsigned i = 0; i < 10; i++) { /* its retries find no room */
                ahead_usec += 6 * PL_USEC_PER_SEC;
                pl_queue_put(enforcer, subject(ID_A)->held, PL_QUEUE_KERNEL);
                RUN_UNTIL(is_settled());
        }
        ck_assert_uint_eq(n_written_to("memory.max"), n);
        ck_assert_uint_gt(held()->retry.at_usec, 0);
        ck_assert_uint_le(held()->retry.delay_usec, 5 * PL_USEC_PER_SEC);
        kernel_rules[0] = (KernelRule){};
        group_put(GROUP_A, "memory.current", "1048576\n");
        ahead_usec += 6 * PL_USEC_PER_SEC;
        RUN_UNTIL(pl_held_lacking(held()) == 0); /* no sweep, and nobody queues it */
        ck_assert_ptr_nonnull(said("web", "limits in force: MemoryMax=64M"));
        RUN_UNTIL(is_settled());
        ck_assert_uint_eq(held()->retry.at_usec, 0);
}
END_TEST

/* Below usage it kills: it waits for usage to fall, and nobody else hears of it until then. */
START_TEST(waits_for_usage) {
        systemd_standin.there = true;
        make(M64 "TasksMax=9\n");
        runs_already(SCOPE_A);
        group_put(SCOPE_A, "memory.current", "104857600\n");
        sync_all();
        RUN_UNTIL(said("web", "uses 100.0M, so "));
        ck_assert_uint_eq(n_written_to("memory.max"), 0);
        RUN_UNTIL(is_settled() || n_updates() > 0);
        ck_assert_int_eq(updated("Memory"), -1);
        ck_assert_int_eq(updated("PidsLimit"), 9);
        ck_assert(!strstr(systemd_standin.set, "MemoryMax=64M"));
        group_put(SCOPE_A, "memory.current", "1048576\n");
        RUN_UNTIL(held()->held == (BIT(MEMORY_MAX) | BIT(TASKS_MAX)));
        RUN_UNTIL(updated("Memory") == MIB(64));
        ck_assert_msg(strstr(systemd_standin.set, "MemoryMax=64M"), "%s", systemd_standin.set);
        ck_assert_str_eq(group_get(SCOPE_A, "memory.high"), "max"); /* it was borrowed */
}
END_TEST

/* Nobody would be there to put memory.high back: neither while the engine is lost, nor after the
 * end. */
START_TEST(rests) {
        make(M64);
        runs_already(GROUP_A);
        group_put(GROUP_A, "memory.current", "104857600\n");
        sync_all();
        RUN_UNTIL(held()->squeeze.high_held);
        ck_assert_str_eq(group_get(GROUP_A, "memory.high"), "67108864");
        if (_i == 0) {
                pl_enforcer_rest(enforcer);
        } else {
                pl_enforcer_stop(enforcer);
                RUN_UNTIL(n_stopped > 0);
        }
        ck_assert_str_eq(group_get(GROUP_A, "memory.high"), "max");
        ck_assert(!held()->originals.state.squeeze_high.set);
}
END_TEST

/* What this kernel has no file for is said once, and is nobody's fault. */
START_TEST(not_in_this_kernel) {
        make(SECTION "MemorySwapMax=32M\nTasksMax=9\n");
        group_make(GROUP_A);
        group_drop(GROUP_A, "memory.swap.max");
        process_put(PID_A, GROUP_A);
        fake_do(&fake,
                "{\"op\":\"add\",\"name\":\"web\",\"id\":\"" ID_A "\",\"running\":true,"
                "\"pid\":%d}",
                PID_A);
        sync_all();
        RUN_UNTIL(is_settled());
        sweep();
        ck_assert_uint_eq(n_said("MemorySwapMax= has no effect here"), 1);
        ck_assert_uint_eq(held()->unsupported, BIT(MEMORY_SWAP_MAX));
        ck_assert_uint_eq(held()->held, BIT(TASKS_MAX));
}
END_TEST

/* Nothing is known for sure: nothing is written until the engine is back. */
START_TEST(stale_facts_write_nothing) {
        make(M64);
        runs_already(GROUP_A);
        sync_all();
        RUN_UNTIL(is_settled() && held()->held == BIT(MEMORY_MAX));
        fake_kill(&fake, SIGKILL);
        RUN_UNTIL(!registry->connected);
        n_written = 0;
        group_put(GROUP_A, "memory.max", "1073741824\n");
        sweep();
        ck_assert_uint_eq(n_written, 0);
        fake_start(&fake, NULL);
        fake_do(&fake,
                "{\"op\":\"add\",\"name\":\"web\",\"id\":\"" ID_A "\",\"running\":true,"
                "\"pid\":%d,\"inspect\":{\"State\":{\"StartedAt\":\"2026-01-01T00:00:00Z\"}}}",
                PID_A);
        RUN_UNTIL(n_written > 0);
        ck_assert_str_eq(group_get(GROUP_A, "memory.max"), "67108864");
}
END_TEST

/* --- originals --- */

START_TEST(original_captured_once) {
        make(M64);
        runs_already(GROUP_A);
        group_put(GROUP_A, "memory.max", "134217728\n");
        sync_all();
        RUN_UNTIL(held()->held == BIT(MEMORY_MAX));
        ck_assert(has_state());
        change_policy(SECTION "MemoryMax=32M\n");
        ck_assert_str_eq(group_get(GROUP_A, "memory.max"), "33554432");
        ck_assert_uint_eq(pl_some_limits_get(&held()->originals.state.original,
                                             PL_RESOURCE_MEMORY_MAX)
                                          ->number,
                          MIB(128));
        /* the policy drops it */
        change_policy(SECTION "LogMaxSize=10M\n");
        RUN_UNTIL(!has_state());
        ck_assert_str_eq(group_get(GROUP_A, "memory.max"), "134217728");
        ck_assert_str_eq(said("web", "limits given back: MemoryMax=128M")->message_id,
                         PL_MESSAGE_LIMITS_RESTORED);
        ck_assert_uint_eq(held()->originals.state.managed, 0);
}
END_TEST

/* It began a moment before plimsolld, so that the engine tells its creation and its start again,
 * and somebody wrote into the kernel's files meanwhile. What was there is seen, not deduced from
 * what the engine says of it. */
static const struct {
        const char *name, *group;
        bool told_first; /* the events come ahead of the list's inspection */
} begun_rows[] = {
        { "cgroupfs", GROUP_A, true },
        { "systemd", SCOPE_A, true },
        { "inspected first", GROUP_A, false },
};

START_TEST(original_of_one_that_has_just_begun) {
        const char *name = begun_rows[_i].name, *group = begun_rows[_i].group;
        uint64_t original;

        make(SECTION "TasksMax=50\n");
        tmp_put("cg/docker/cgroup.procs", "");
        tmp_put("cg/system.slice/cgroup.procs", "");
        group_make(group);
        process_put(PID_A, group);
        fake_do(&fake, "{\"op\":\"create\",\"name\":\"web\",\"id\":\"" ID_A "\"}");
        fake_do(&fake, "{\"op\":\"start\",\"name\":\"web\",\"pid\":%d}", PID_A);
        group_put(group, "pids.max", "77\n");
        if (begun_rows[_i].told_first)
                hold(ID_A "/json");
        use_engine();
        if (begun_rows[_i].told_first) {
                RUN_UNTIL(n_starts > 0);
                run_through();
                release();
        }
        RUN_UNTIL(registry->synced && held()->cgroup_started_usec > 0 && is_settled());
        ck_assert_str_eq(group_get(group, "pids.max"), "50");
        original = pl_some_limits_get(&held()->originals.state.original, PL_RESOURCE_TASKS_MAX)
                                   ->number;
        ck_assert_msg(original == 77, "%s: %" PRIu64, name, original);
        ck_assert_ptr_nonnull(said("web", "limits in force: TasksMax=50 (was 77)"));
        change_policy(SECTION "LogMaxSize=10M\n");
        RUN_UNTIL(!has_state());
        ck_assert_str_eq(group_get(group, "pids.max"), "77");
}
END_TEST

/* Those of the plimsolld before count, not what it has left in the kernel. */
START_TEST(original_of_the_one_before) {
        make(M64);
        runs_already(GROUP_A);
        group_put(GROUP_A, "memory.max", "134217728\n");
        sync_all();
        RUN_UNTIL(held()->held == BIT(MEMORY_MAX) && is_settled());
        registry = pl_registry_free(registry);
        enforcer = pl_enforcer_free(enforcer);
        make(M64);
        sync_all();
        RUN_UNTIL(is_settled());
        ck_assert_uint_eq(pl_some_limits_get(&held()->originals.state.original,
                                             PL_RESOURCE_MEMORY_MAX)
                                          ->number,
                          MIB(128));
        pl_enforcer_stop(enforcer);
        RUN_UNTIL(n_stopped > 0);
        ck_assert_str_eq(group_get(GROUP_A, "memory.max"), "134217728");
        ck_assert_uint_eq(held()->originals.state.managed, 0);
        ck_assert(!has_state());
}
END_TEST

START_TEST(given_back_at_stop) {
        make(M64 "TasksMax=9\n");
        runs_already(GROUP_A);
        group_put(GROUP_A, "pids.max", "500\n");
        sync_all();
        RUN_UNTIL(held()->held == (BIT(MEMORY_MAX) | BIT(TASKS_MAX)) && is_settled());
        pl_enforcer_stop(enforcer);
        RUN_UNTIL(n_stopped > 0);
        ck_assert_uint_eq(n_stopped, 1);
        ck_assert_str_eq(group_get(GROUP_A, "memory.max"), "max");
        ck_assert_str_eq(group_get(GROUP_A, "pids.max"), "500");
        ck_assert_int_eq(updated("Memory"), PL_ENGINE_NO_LIMIT_BYTES);
        ck_assert_uint_eq(n_said("limits changed by"), 0);
        ck_assert(!has_state());
}
END_TEST

/* HostConfig as it was seen last is not what it will be: it is looked at once more. */
START_TEST(given_back_after_an_update_under_way) {
        make(M64);
        runs_already(GROUP_A);
        hold("/update$");
        sync_all();
        RUN_UNTIL(n_requests("POST /containers/ID/update") == 1);
        pl_enforcer_stop(enforcer);
        RUN_UNTIL(pl_streq(group_get(GROUP_A, "memory.max"), "max"));
        ck_assert_uint_eq(n_stopped, 0);
        release();
        RUN_UNTIL(n_stopped > 0);
        ck_assert_int_eq(updated("Memory"), PL_ENGINE_NO_LIMIT_BYTES);
        ck_assert(!has_state());
}
END_TEST

/* A slow engine is waited for as long as it answers at all: what it is left with would land when
 * nobody looks any more. */
START_TEST(given_back_by_a_slow_engine) {
        uint64_t at, later;

        make(M64);
        runs_already(GROUP_A);
        hold("/update$");
        sync_all();
        RUN_UNTIL(n_requests("POST /containers/ID/update") == 1);
        pl_enforcer_stop(enforcer);
        RUN_UNTIL(pl_streq(group_get(GROUP_A, "memory.max"), "max"));
        ck_assert_int_eq(sd_event_source_get_time(enforcer->stop_timer, &at), 0);
        release();
        RUN_UNTIL(enforcer->updates_in_flight == 0);
        ck_assert_int_eq(sd_event_source_get_time(enforcer->stop_timer, &later), 0);
        ck_assert_uint_gt(later, at);
        RUN_UNTIL(n_stopped > 0);
        ck_assert(!has_state());
}
END_TEST

/* runc writes all values as it knows them before the engine answers: what the kernel has then is
 * what counts, and until it is right the original is not forgotten. */
START_TEST(given_back_after_the_engines_echo) {
        make(M64);
        runs_already(GROUP_A);
        sync_all();
        RUN_UNTIL(held()->held == BIT(MEMORY_MAX) && is_settled() && n_updates() == 1);
        hold("/update$");
        if (_i == 0) {
                pl_enforcer_stop(enforcer);
        } else {
                PlPolicy *old = pl_registry_set_policy(registry, parse_policy(DAEMON));

                pl_enforcer_set_policy(enforcer);
                pl_policy_unref(old);
        }
        RUN_UNTIL(pl_streq(group_get(GROUP_A, "memory.max"), "max") &&
                  n_requests("POST /containers/ID/update") == 2);
        group_put(GROUP_A, "memory.max", "67108864\n");
        ck_assert(has_state());
        release();
        if (_i == 0)
                RUN_UNTIL(n_stopped > 0);
        else
                RUN_UNTIL(!has_state() && is_settled());
        ck_assert_str_eq(group_get(GROUP_A, "memory.max"), "max");
        ck_assert(!has_state());
        ck_assert_uint_eq(n_said("limits changed by"), 0);
}
END_TEST

/* What was there cannot be kept: so it is not touched, by nobody. */
START_TEST(state_directory_full) {
        systemd_standin.there = true;
        make(M64);
        runs_already(SCOPE_A);
        state_disk_full = true;
        sync_all();
        RUN_UNTIL(is_settled());
        ck_assert_uint_eq(n_written, 0);
        ck_assert_uint_eq(n_updates(), 0);
        ck_assert_str_eq(group_get(SCOPE_A, "memory.max"), "max");
        ck_assert(!strstr(systemd_standin.set, "64M"));
        ck_assert_int_eq(said("web", "limits not touched")->priority, LOG_ERR);
        ck_assert_ptr_nonnull(strstr(said("web", "limits not touched")->text, "No space left"));
        ck_assert_ptr_nonnull(strstr(said("web", "limits not touched")->text, state_dir));
        state_disk_full = false;
        sweep();
        ck_assert_str_eq(group_get(SCOPE_A, "memory.max"), "67108864");
        ck_assert(has_state());
}
END_TEST

START_TEST(dry_run_changes_nothing) {
        systemd_standin.there = true;
        make_with(_i == 0 ? M64 : DAEMON "DryRun=yes\n" M64,
                  (PlRegistryOptions){ .dry_run = _i == 0 }, false);
        runs_already(SCOPE_A);
        sync_all();
        RUN_UNTIL(is_settled());
        sweep();
        ck_assert_uint_eq(n_written, 0);
        ck_assert_uint_eq(n_updates(), 0);
        ck_assert_uint_eq(systemd_standin.n_set, 0);
        ck_assert(!has_state());
        ck_assert_uint_eq(n_said("would set MemoryMax=64M (was infinity)"), 1);
}
END_TEST

/* --- the engine as an owner --- */

/* It refuses, the kernel has the values: said once, with that, and not asked again and again. */
START_TEST(refused_by_the_engine) {
        fake_do(&fake, "{\"op\":\"fault\",\"path\":\"/update$\",\"kind\":\"status\",\"status\":500,"
                       "\"message\":\"no, thank you\"}");
        make(M64);
        runs_already(GROUP_A);
        sync_all();
        RUN_UNTIL(said("web", "the engine did not take the limits (no, thank you)"));
        RUN_UNTIL(is_settled());
        ck_assert_int_eq(n_requests("POST /containers/ID/update"), 1);
        ck_assert_uint_eq(held()->held, BIT(MEMORY_MAX));
        ck_assert(has_error(BIT(MEMORY_MAX), PL_OWNER_ENGINE));
        sweep();
        ck_assert_uint_eq(n_said("the engine did not take"), 1);
        fake_do(&fake, "{\"op\":\"clear\"}");
        sweep();
        ck_assert_int_eq(updated("Memory"), MIB(64));
        ck_assert(!has_error(BIT(MEMORY_MAX), PL_OWNER_ENGINE));
}
END_TEST

int main(void) {
        TCase *t = tcase_create("enforce");

        tcase_set_timeout(t, 60);
        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_loop_test(t, born_limited, 0, (int)PL_ARRAY_SIZE(born_rows));
        tcase_add_loop_test(t, creators_limits, 0, PL_ARRAY_SIZE(creator_rows));
        tcase_add_test(t, systemd_hears_of_those_that_run);
        tcase_add_test(t, told_once);
        tcase_add_test(t, values_before_questions);
        tcase_add_test(t, second_run);
        tcase_add_test(t, not_its_process);
        tcase_add_test(t, safe_order);
        tcase_add_test(t, in_force_is_read_back);
        tcase_add_loop_test(t, refused_by_the_kernel, 0, (int)PL_ARRAY_SIZE(refusals));
        tcase_add_test(t, room_for_the_refused);
        tcase_add_test(t, waits_for_usage);
        tcase_add_test(t, not_in_this_kernel);
        tcase_add_test(t, stale_facts_write_nothing);
        tcase_add_test(t, original_captured_once);
        tcase_add_loop_test(t, original_of_one_that_has_just_begun, 0,
                            (int)PL_ARRAY_SIZE(begun_rows));
        tcase_add_test(t, original_of_the_one_before);
        tcase_add_test(t, given_back_at_stop);
        tcase_add_test(t, given_back_after_an_update_under_way);
        tcase_add_test(t, given_back_by_a_slow_engine);
        tcase_add_loop_test(t, rests, 0, 2);
        tcase_add_loop_test(t, given_back_after_the_engines_echo, 0, 2);
        tcase_add_test(t, state_directory_full);
        tcase_add_loop_test(t, dry_run_changes_nothing, 0, 2);
        tcase_add_test(t, refused_by_the_engine);
        return run_case(t);
}
