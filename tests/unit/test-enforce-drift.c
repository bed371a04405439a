/* SPDX-License-Identifier: Apache-2.0 */

/* The enforcer, when somebody else writes: whom it names, when it stands off, and what is its own.
 */

#include "enforce-fixture.h"

static void drift(const char *group) {
        unsigned before = n_written_to("memory.max");
        uint64_t repairs = held()->drift.repairs;

        group_put(group, "memory.max", "1073741824\n");
        RUN_UNTIL(held()->drift.repairs > repairs || pl_drift_is_standoff(&held()->drift));
        if (!pl_drift_is_standoff(&held()->drift))
                RUN_UNTIL(n_written_to("memory.max") > before);
}

static const struct {
        const char *name, *group, *who;
        enum { NOBODY, ENGINE, RELOAD, PROPERTY } by;
} blame_rows[] = {
        { "a write", GROUP_A, "a direct write to the cgroup", NOBODY },
        { "a write to a scope", SCOPE_A, "systemd or a direct write to the cgroup", NOBODY },
        { "docker update", GROUP_A, "docker update", ENGINE },
        { "a reload", SCOPE_A, "systemd daemon-reload", RELOAD },
        { "set-property", SCOPE_A, "systemctl set-property or the engine", PROPERTY },
};

START_TEST(repaired_and_blamed) {
        char text[200];

        make(M64);
        runs_already(blame_rows[_i].group);
        sync_all();
        RUN_UNTIL(is_settled() && held()->held == BIT(MEMORY_MAX));
        run_through();
        ahead_usec += PL_USEC_PER_MIN; /* our own update, and its event, are long ago */
        if (blame_rows[_i].by == RELOAD)
                systemd_standin.handlers->reloading(systemd_standin.userdata);
        if (blame_rows[_i].by == PROPERTY)
                systemd_standin.last_set_usec = pl_clock_usec(CLOCK_REALTIME);
        if (blame_rows[_i].by == ENGINE) {
                fake_do(&fake, "{\"op\":\"set\",\"name\":\"web\",\"event\":\"update\"}");
                RUN_UNTIL(held()->told.others_usec > 0);
        }
        drift(blame_rows[_i].group);
        ck_assert_str_eq(group_get(blame_rows[_i].group, "memory.max"), "67108864");
        (void)snprintf(text, sizeof(text), "limits changed by %s, putting back MemoryMax=64M",
                       blame_rows[_i].who);
        RUN_UNTIL(n_said("limits changed by") > 0); /* the engine is asked before a guess */
        ck_assert_msg(said("web", text) != NULL, "%s: %s", blame_rows[_i].name,
                      said("web", "limits changed by")->text);
        ck_assert_str_eq(said("web", text)->reason, blame_rows[_i].who);
        ck_assert_str_eq(said("web", text)->message_id, PL_MESSAGE_DRIFT_REPAIRED);
        ck_assert_uint_eq(held()->drift.repairs, 1);
}
END_TEST

/* Ten repairs within a minute, then one attempt per pause; a quiet minute ends it. */
/* Also of a policy that asks for what this kernel has not. */
START_TEST(standoff) {
        unsigned n_before;

        make(_i == 0 ? M64 : M64 "MemoryMin=8M\n");
        runs_already(GROUP_A);
        group_drop(GROUP_A, "memory.min");
        sync_all();
        RUN_UNTIL(is_settled() && held()->held == BIT(MEMORY_MAX));
        for (unsigned i = 0; i < PL_DRIFT_BURST; i++)
                drift(GROUP_A);
        ck_assert(!pl_drift_is_standoff(&held()->drift));
        RUN_UNTIL(is_settled() && !held()->news.put_back);
        n_before = n_said("limits changed by"); /* several may be one line */
        ck_assert_uint_gt(n_before, 0);
        ck_assert_uint_eq(pl_held_lacking(held()), 0);
        drift(GROUP_A);
        ck_assert(pl_drift_is_standoff(&held()->drift));
        ck_assert_uint_eq(pl_held_lacking(held()), BIT(MEMORY_MAX));
        ck_assert_str_eq(said("web", "stand-off: a direct write")->message_id,
                         PL_MESSAGE_DRIFT_STANDOFF);
        ck_assert_str_eq(group_get(GROUP_A, "memory.max"), "1073741824"); /* left alone */
        pl_queue_arm(enforcer);
        run_through();
        ck_assert_str_eq(group_get(GROUP_A, "memory.max"), "1073741824");
        sweep(); /* the pause is over */
        ck_assert_str_eq(group_get(GROUP_A, "memory.max"), "67108864");
        ck_assert(pl_drift_is_standoff(&held()->drift));
        /* it was read back, but the other one may have written since, and nobody listens */
        ck_assert_uint_eq(pl_held_lacking(held()), BIT(MEMORY_MAX));
        ck_assert_uint_eq(n_said("limits changed by"), n_before); /* not said each time */
        sweep();
        ck_assert(!pl_drift_is_standoff(&held()->drift));
        ck_assert_uint_eq(pl_held_lacking(held()), 0);
        ck_assert_ptr_nonnull(said("web", "the stand-off is over"));
        drift(GROUP_A); /* and is seen without a sweep */
        ck_assert_str_eq(group_get(GROUP_A, "memory.max"), "67108864");
}
END_TEST

/* A stand-off ends where the fight may have: its values are repaired at once, and whoever writes
 * again is noticed. */
static void by_reload(void) {
        change_policy(M64);
}

static void by_new_run(void) {
        fake_do(&fake, "{\"op\":\"die\",\"name\":\"web\"}");
        group_remove(GROUP_A);
        sweep(); /* nobody watches it */
        RUN_UNTIL(!held()->cgroup);
        group_make(GROUP_A);
        process_put(PID_A + 1, GROUP_A);
        fake_do(&fake, "{\"op\":\"start\",\"name\":\"web\",\"pid\":%d}", PID_A + 1);
        /* its beginning is over, in which a foreign write would be nobody's */
        RUN_UNTIL(subject(ID_A)->facts->pid == PID_A + 1 && is_settled());
        ck_assert_uint_eq(held()->held, BIT(MEMORY_MAX));
}

static const struct {
        const char *name;
        void (*end)(void);
} standoff_ends[] = { { "a reload", by_reload }, { "a new run", by_new_run } };

START_TEST(standoff_ended) {
        make(M64);
        runs_already(GROUP_A);
        sync_all();
        RUN_UNTIL(is_settled() && held()->held == BIT(MEMORY_MAX));
        for (unsigned i = 0; i <= PL_DRIFT_BURST; i++)
                drift(GROUP_A);
        ck_assert(pl_drift_is_standoff(&held()->drift));
        standoff_ends[_i].end();
        ck_assert_msg(!pl_drift_is_standoff(&held()->drift), "%s", standoff_ends[_i].name);
        ck_assert_str_eq(group_get(GROUP_A, "memory.max"), "67108864");
        ck_assert_uint_eq(pl_held_lacking(held()), 0);
        drift(GROUP_A);
        ck_assert_str_eq(group_get(GROUP_A, "memory.max"), "67108864");
}
END_TEST

/* Our own calls come back: runc writes what it was told while the policy has gone on. That is put
 * right, and it is nobody's drift; another value in the same moment is, and nobody is named. */
static const struct {
        const char *name, *value, *says;
} echo_rows[] = {
        { "what we told", "100663296\n", NULL },
        { "a foreign value", "80740352\n", "limits changed, putting back MemoryMax=64M (was 77M)" },
};

START_TEST(own_echo) {
        make(M64 "TasksMax=9\n");
        runs_already(GROUP_A);
        sync_all();
        RUN_UNTIL(is_settled() && pl_held_lacking(held()) == 0);
        hold(ID_A "/update");
        change_policy_only(SECTION "MemoryMax=96M\nTasksMax=9\n");
        RUN_UNTIL(enforcer->updates_in_flight == 1);
        change_policy_only(M64 "TasksMax=9\n");
        RUN_UNTIL(n_written_to("memory.max") > 2 && pl_held_lacking(held()) == 0);
        ck_assert_str_eq(group_get(GROUP_A, "memory.max"), "67108864");
        group_put(GROUP_A, "memory.max", echo_rows[_i].value);
        release();
        RUN_UNTIL(is_settled() && pl_streq(group_get(GROUP_A, "memory.max"), "67108864"));
        ck_assert_uint_eq(held()->drift.repairs, echo_rows[_i].says ? 1 : 0);
        ck_assert_uint_eq(n_said("limits changed"), echo_rows[_i].says ? 1 : 0);
        if (echo_rows[_i].says)
                ck_assert_msg(said("web", echo_rows[_i].says) != NULL, "%s: %s", echo_rows[_i].name,
                              said("web", "limits changed")->text);
        ck_assert_uint_eq(n_said("limits in force: MemoryMax=64M"), 2);
        /* when all is answered and looked at, a write is somebody's again */
        RUN_UNTIL(is_settled() && !held()->told.echo);
        drift(GROUP_A);
        RUN_UNTIL(said("web", "limits changed by a direct write to the cgroup"));
}
END_TEST

/* An event of an update is somebody else's when none of ours is due. */
START_TEST(whose_update) {
        make(M64);
        runs_already(GROUP_A);
        sync_all();
        RUN_UNTIL(is_settled() && pl_held_lacking(held()) == 0 && n_updates() == 1);
        run_through(); /* our own event */
        ck_assert_uint_eq(held()->told.others_usec, 0);
        fake_do(&fake, "{\"op\":\"set\",\"name\":\"web\",\"event\":\"update\"}");
        RUN_UNTIL(held()->told.others_usec > 0);
        RUN_UNTIL(is_settled());
}
END_TEST

/* The event of an update is late: what the engine has by now says whose write it was. */
START_TEST(late_event) {
        make(M64);
        runs_already(GROUP_A);
        sync_all();
        RUN_UNTIL(is_settled() && pl_held_lacking(held()) == 0 && n_updates() == 1);
        run_through();
        ahead_usec += PL_USEC_PER_MIN;
        fake_do(&fake, "{\"op\":\"set\",\"name\":\"web\",\"inspect\":{\"HostConfig\":{"
                       "\"Memory\":1073741824,\"MemorySwap\":2147483648}}}");
        drift(GROUP_A);
        RUN_UNTIL(n_said("limits changed") > 0);
        ck_assert_ptr_nonnull(said("web", "limits changed by docker update, putting back "
                                          "MemoryMax=64M (was 1G)"));
}
END_TEST

/* A person repeats an update whose value HostConfig shows already: only its event tells it from a
 * plain write, and until that is there nobody is named. */
static const struct {
        const char *name, *value;
        bool event;
        const char *says;
} repeated_rows[] = {
        { "no event yet", "6291456\n", false, "limits changed, putting back MemoryLow=0 (was 6M)" },
        { "its event", "6291456\n", true,
          "limits changed by docker update, putting back MemoryLow=0 (was 6M)" },
        { "another value", "9437184\n", false,
          "limits changed by a direct write to the cgroup, putting back MemoryLow=0 (was 9M)" },
};

START_TEST(repeated_update) {
        make(SECTION "MemoryLow=0\n");
        runs_already(GROUP_A);
        fake_do(&fake, "{\"op\":\"set\",\"name\":\"web\",\"inspect\":{\"HostConfig\":{"
                       "\"MemoryReservation\":7340032}}}");
        group_put(GROUP_A, "memory.low", "7340032\n");
        sync_all();
        /* the least that the engine can be told, and HostConfig shows it from then on */
        RUN_UNTIL(is_settled() && updated("MemoryReservation") == 6291456);
        run_through();
        ahead_usec += PL_USEC_PER_MIN;
        hold(ID_A "/json");
        group_put(GROUP_A, "memory.low", repeated_rows[_i].value);
        RUN_UNTIL(held()->news.put_back);
        if (repeated_rows[_i].event) {
                fake_do(&fake, "{\"op\":\"set\",\"name\":\"web\",\"event\":\"update\"}");
                RUN_UNTIL(held()->told.others_usec > 0);
        }
        release();
        RUN_UNTIL(n_said("limits changed") > 0);
        ck_assert_msg(said("web", repeated_rows[_i].says) != NULL, "%s: %s", repeated_rows[_i].name,
                      said("web", "limits changed")->text);
}
END_TEST

/* What the kernel refuses to take back is said so, counted so, and no fight. */
START_TEST(repair_refused) {
        make(M64 "TasksMax=9\n");
        runs_already(GROUP_A);
        sync_all();
        RUN_UNTIL(is_settled() && pl_held_lacking(held()) == 0);
        kernel_rules[0] = (KernelRule){ .file = "memory.max", .error = EBUSY };
        group_put(GROUP_A, "memory.max", "1073741824\n");
        RUN_UNTIL(n_said("the kernel refused") > 0 && is_settled());
        ck_assert_uint_eq(n_said("putting back"), 0);
        RUN_UNTIL(n_said("limits changed by") > 0);
        ck_assert_ptr_nonnull(said("web", "limits changed by a direct write to the cgroup, and "
                                          "cannot be put back: MemoryMax=64M (was 1G)"));
        ck_assert_uint_eq(pl_held_lacking(held()), BIT(MEMORY_MAX));
        for (unsigned i = 0; i < 2 * PL_DRIFT_BURST; i++) {
                pl_queue_put(enforcer, subject(ID_A)->held, PL_QUEUE_KERNEL);
                RUN_UNTIL(is_settled());
        }
        ck_assert(!pl_drift_is_standoff(&held()->drift));
        ck_assert_uint_eq(n_said("limits changed by"), 1);
        kernel_rules[0] = (KernelRule){};
        sweep();
        ck_assert_uint_eq(pl_held_lacking(held()), 0);
        ck_assert_ptr_nonnull(said("web", "limits in force: MemoryMax=64M (was 1G)"));
}
END_TEST

int main(void) {
        TCase *t = tcase_create("enforce-drift");

        tcase_set_timeout(t, 60);
        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_loop_test(t, repaired_and_blamed, 0, (int)PL_ARRAY_SIZE(blame_rows));
        tcase_add_loop_test(t, standoff, 0, 2);
        tcase_add_loop_test(t, standoff_ended, 0, PL_ARRAY_SIZE(standoff_ends));
        tcase_add_test(t, late_event);
        tcase_add_loop_test(t, repeated_update, 0, (int)PL_ARRAY_SIZE(repeated_rows));
        tcase_add_test(t, repair_refused);
        tcase_add_loop_test(t, own_echo, 0, PL_ARRAY_SIZE(echo_rows));
        tcase_add_test(t, whose_update);
        return run_case(t);
}
