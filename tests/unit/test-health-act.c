/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Health on the fake engine: what a failure leads to, from Docker's own healthcheck to the restart
 * that the engine does, and everything on the way that must keep it from being sent.
 */

#include "core-fixture.h"
#include "health/act.h"
#include "standins.h"

#define RESTART                                                            \
        "[Service web]\nMatch=name:web\nProbe=none\nOnUnhealthy=restart\n" \
        "RestartBudget=5/10min\n"

static PlHealthAct *act;
static unsigned n_kills, n_starts, n_inspected;

static int on_added(void *userdata, PlSubject *s) {
        return 0;
}

static int on_claim(void *userdata, const PlEngineInfo *info) {
        return 0;
}

static void on_removed(void *userdata, PlSubject *s, PlRemoval why) {
        if (why != PL_REMOVAL_END)
                pl_health_act_remove(act, s);
}

static void on_event(void *userdata, PlSubject *s, const PlEvent *e) {
        n_kills += e->action == PL_EVENT_KILL;
        n_starts += e->action == PL_EVENT_START;
        pl_healthd_event(pl_health_act_patients(act), e);
}

static void on_inspected(void *userdata, PlSubject *s, bool current) {
        n_inspected++;
        if (current)
                pl_health_act_update(act, s);
}

static void on_engine(void *userdata, const PlEngineInfo *info) {
        if (!info)
                pl_healthd_set_synced(pl_health_act_patients(act), false);
}

static void on_listed(void *userdata) {}

static void on_synced(void *userdata, bool first) {
        pl_healthd_set_synced(pl_health_act_patients(act), true);
}

static void on_quiet(void *userdata) {}

static const PlRegistryHandlers registry_handlers = {
        .added = on_added,
        .claim = on_claim,
        .removed = on_removed,
        .event = on_event,
        .inspected = on_inspected,
        .engine = on_engine,
        .listed = on_listed,
        .synced = on_synced,
        .quiet = on_quiet,
};

static uint64_t on_memory(void *userdata, const PlSubject *s, PlUsage *ret_usage) {
        return PL_UNLIMITED;
}

static void on_slow(void *userdata, const PlSubject *s, PlSlowReading *ret) {
        *ret = (PlSlowReading){ .quota_usec = PL_UNLIMITED, .high_bytes = PL_UNLIMITED };
}

static const PlHealthActHandlers act_handlers = { .memory = on_memory, .slow = on_slow };

/* Nobody writes values here, so nothing has to wait for them. */
static void inspect_what_is_due(void) {
        PlSubject *s;

        PL_MAP_FOREACH(s, registry->subjects)
        pl_registry_inspect_due(registry, s);
}

/* As RUN_UNTIL(), with starts inspected as they come. */
#define RUN_ON_UNTIL(condition)        \
        RUN_UNTIL(({                   \
                inspect_what_is_due(); \
                condition;             \
        }))

static void add(const char *name, const char *id, const char *health) {
        fake_do(&fake,
                "{\"op\":\"add\",\"name\":\"%s\",\"id\":\"%s\",\"running\":true,\"pid\":41,"
                "\"inspect\":{\"Created\":\"2025-12-31T00:00:00Z\","
                "\"State\":{\"StartedAt\":\"2026-01-01T00:00:00Z\","
                "\"Health\":{\"Status\":\"%s\",\"FailingStreak\":%d,\"Log\":[]}}}}",
                name, id, health, pl_streq(health, "unhealthy") ? 3 : 0);
}

static void begin(const char *policy, PlRegistryOptions options) {
        options.engine_url = fake.url;
        make_registry(&registry_handlers, options, policy);
        ck_assert_int_eq(pl_health_act_new(registry, NULL, &act_handlers, NULL, &act), 0);
        use_engine();
        RUN_UNTIL(registry->listed && registry->sync_pending == 0);
        pl_registry_settle(registry);
        ck_assert(registry->synced);
}

/* It was well. */
static void begin_well(const char *policy, PlRegistryOptions options) {
        add("web", ID_A, "healthy");
        begin(policy, options);
}

static PlHealthState state_of(const char *id) {
        PlHealthdView v;

        return pl_healthd_get(pl_health_act_patients(act), id, &v) ? v.state : PL_HEALTH_UNKNOWN;
}

/* The loop, until an event that comes after all others has come. */
static void run_through(void) {
        static unsigned n; /* the same event twice would be taken for one */
        unsigned before = n_kills;

        fake_do(&fake,
                "{\"op\":\"raw\",\"data\":\"{\\\"Type\\\":\\\"container\\\",\\\"Action\\\":"
                "\\\"kill\\\",\\\"Actor\\\":{\\\"ID\\\":\\\"" ID_C
                "\\\",\\\"Attributes\\\":{}},\\\"time\\\":1,\\\"timeNano\\\":%u}\\n\"}",
                ++n);
        RUN_UNTIL(n_kills > before);
}

/* Answers that the fake engine still holds. */
static json_int_t n_in_flight(void) {
        json_t *stats = fake_tell(&fake, "{\"op\":\"stats\"}");
        json_int_t n = json_integer_value(json_object_get(stats, "in_flight"));

        json_decref(stats);
        return n;
}

static json_int_t n_stops(void) {
        return n_requests("POST /containers/ID/stop");
}

/* Of them all, --rm included. */
static json_int_t n_restarts(void) {
        return n_requests("POST /containers/ID/start") + n_requests("POST /containers/ID/restart");
}

static void fails(const char *name) {
        fake_do(&fake, "{\"op\":\"health_status: unhealthy\",\"name\":\"%s\"}", name);
}

static void teardown(void) {
        registry = pl_registry_free(registry);
        act = pl_health_act_free(act);
        core_teardown();
}

/* Sent, done, and the new run is looked at before anything else happens. */
START_TEST(restarted) {
        begin_well(RESTART, (PlRegistryOptions){});
        fails("web");
        RUN_ON_UNTIL(n_starts > 0);
        ck_assert_int_eq(n_stops(), 1);
        ck_assert_int_eq(n_restarts(), 1);
        ck_assert_str_eq(said("web", "unhealthy: ")->message_id, PL_MESSAGE_HEALTH_FAILED);
        ck_assert_int_eq(said("web", "unhealthy: ")->priority, LOG_ERR);
        ck_assert_ptr_nonnull(strstr(said("web", "unhealthy: ")->fields,
                                     "PLIMSOLL_HEALTH_BEFORE=healthy"));
        ck_assert_ptr_nonnull(said("web", "restarting it, 1 of at most 5 in 10min: "));
        ck_assert_str_eq(said("web", "restarting it")->message_id, PL_MESSAGE_RESTARTED);
        fake_do(&fake, "{\"op\":\"health_status: healthy\",\"name\":\"web\"}");
        RUN_ON_UNTIL(state_of(ID_A) == PL_HEALTH_HEALTHY);
        ck_assert_int_eq(n_restarts(), 1);
        ck_assert_uint_eq(n_said("restarting it"), 1);
}
END_TEST

/* While it waits for its turn the reason goes, or whoever decides says otherwise. */
enum Meanwhile { NOTHING, RECOVERS, REMOVED, STOPPED, NO_POLICY, DRY_RUN, HAPPENS };

static const struct {
        const char *name;
        enum Meanwhile what;
        bool sent;
} meanwhile[] = {
        { "nothing", NOTHING, true },
        { "recovers", RECOVERS, false },
        { "removed", REMOVED, false },
        { "stopped by a person", STOPPED, false },
        { "another policy", NO_POLICY, false },
        { "dry run", DRY_RUN, false },
        { "an event that is not looked at yet", HAPPENS, false },
};

static void set_policy(const char *text) {
        PlPolicy *old = pl_registry_set_policy(registry, parse_policy(text));

        pl_health_act_set_policy(act);
        pl_policy_unref(old);
}

static void kill_by_person(void) {
        unsigned before = n_kills;

        fake_do(&fake,
                "{\"op\":\"raw\",\"data\":\"{\\\"Type\\\":\\\"container\\\","
                "\\\"Action\\\":\\\"kill\\\",\\\"Actor\\\":{\\\"ID\\\":\\\"" ID_A
                "\\\",\\\"Attributes\\\":{\\\"signal\\\":\\\"15\\\"}},\\\"time\\\":%lld,"
                "\\\"timeNano\\\":%lld000000000}\\n\"}",
                (long long)time(NULL), (long long)time(NULL));
        RUN_UNTIL(n_kills > before);
}

START_TEST(waits_and_is_cancelled) {
        const char *name = meanwhile[_i].name;
        PlHealthdView v;
        json_int_t asked;

        begin_well(RESTART, (PlRegistryOptions){});
        /* the inspection of the failure is answered, the one before the restart is not */
        asked = n_requests("GET /containers/ID/json");
        fake_do(&fake, "{\"op\":\"fault\",\"path\":\"" ID_A "/json\",\"kind\":\"delay\","
                       "\"delay\":0,\"times\":1}");
        hold(ID_A "/json");
        fails("web");
        RUN_UNTIL(said("web", "unhealthy: ") && !subject(ID_A)->inspect_in_flight);
        while (n_requests("GET /containers/ID/json") < asked + 2)
                ck_assert_int_ge(sd_event_run(event, 10 * PL_USEC_PER_MSEC), 0);
        ck_assert_int_eq(n_stops(), 0);
        switch (meanwhile[_i].what) {
        case RECOVERS:
                fake_do(&fake, "{\"op\":\"health_status: healthy\",\"name\":\"web\","
                               "\"silent\":true}");
                break;
        case REMOVED:
                fake_do(&fake, "{\"op\":\"destroy\",\"name\":\"web\"}");
                RUN_UNTIL(!subject(ID_A));
                break;
        case STOPPED:
                kill_by_person();
                break;
        case NO_POLICY:
                set_policy("[Service web]\nMatch=name:web\nProbe=none\nOnUnhealthy=none\n");
                break;
        case DRY_RUN:
                set_policy("[Daemon]\nDryRun=yes\n" RESTART);
                break;
        case HAPPENS:
                subject(ID_A)->inspect_due = true;
                break;
        default:
                break;
        }
        release();
        if (meanwhile[_i].sent) {
                RUN_ON_UNTIL(n_stops() > 0);
                return;
        }
        /* The answer that was held is in our socket then, and the loop takes it. A question of our
         * own before that would keep the restart from being sent as well. */
        RUN_UNTIL(n_in_flight() == 0);
        while (sd_event_run(event, 0) > 0)
                ;
        ck_assert_msg(n_stops() == 0, "%s: it was sent", name);
        ck_assert_msg(n_said("restarting it") == 0, "%s: it was said", name);
        if (pl_healthd_get(pl_health_act_patients(act), ID_A, &v))
                ck_assert_msg(v.restarts == 0, "%s: it costs", name);
}
END_TEST

static const struct {
        const char *name, *fault, *said;
        unsigned n; /* in the budget: what the engine did or tried */
} answers[] = {
        { "lost", "\"kind\":\"drop\"", "the engine did not say whether it stopped it", 0 },
        { "refused", "\"kind\":\"status\",\"status\":500,\"message\":\"cannot stop it\"",
          "the engine did not stop it: cannot stop it", 1 },
};

/* Said, and looked at before anything else is done. */
START_TEST(not_done) {
        PlHealthdView v;

        begin_well(RESTART, (PlRegistryOptions){});
        fake_do(&fake, "{\"op\":\"fault\",\"path\":\"/stop$\",%s}", answers[_i].fault);
        fails("web");
        RUN_ON_UNTIL(said("web", answers[_i].said));
        ck_assert_int_eq(said("web", answers[_i].said)->priority, LOG_ERR);
        ck_assert_uint_eq(n_said("restarting it, 1 of at most 5"), 1);
        RUN_UNTIL(!subject(ID_A)->inspect_in_flight);
        run_through();
        ck_assert_int_eq(n_stops(), 1); /* not as fast as it can */
        ck_assert_int_eq(n_restarts(), 0);
        ck_assert(pl_healthd_get(pl_health_act_patients(act), ID_A, &v));
        ck_assert_uint_eq(v.restarts, answers[_i].n);
}
END_TEST

START_TEST(dry_run) {
        begin_well(RESTART, (PlRegistryOptions){ .dry_run = true });
        fails("web");
        RUN_ON_UNTIL(said("web", "would be restarted (dry run): "));
        run_through();
        ck_assert_int_eq(n_restarts(), 0);
}
END_TEST

/* A person stops it: it ends, which is no failure, and it is not restarted. */
START_TEST(stopped_by_a_person) {
        begin_well(RESTART, (PlRegistryOptions){});
        kill_by_person();
        fake_do(&fake, "[{\"op\":\"die\",\"name\":\"web\",\"exit\":143},"
                       "{\"op\":\"stop\",\"name\":\"web\"}]");
        RUN_UNTIL(subject(ID_A)->facts->phase == PL_PHASE_EXITED);
        RUN_UNTIL(!subject(ID_A)->inspect_in_flight);
        run_through();
        ck_assert_int_eq(n_restarts(), 0);
        ck_assert_int_ne(state_of(ID_A), PL_HEALTH_UNHEALTHY);
        ck_assert_ptr_null(said("web", "unhealthy"));
}
END_TEST

/* The same end without anybody's asking is one. */
START_TEST(ended_by_itself) {
        begin_well(RESTART, (PlRegistryOptions){});
        fake_do(&fake, "{\"op\":\"die\",\"name\":\"web\",\"exit\":3}");
        RUN_ON_UNTIL(said("web", "unhealthy: "));
        ck_assert_ptr_nonnull(strstr(said("web", "unhealthy: ")->fields, "PLIMSOLL_EXIT_CODE=3"));
        RUN_ON_UNTIL(n_restarts() > 0);
}
END_TEST

#define PAIR "[Service db]\nMatch=name:db\nProbe=none\nOnUnhealthy=none\n" RESTART "After=db\n"

/* What waits for a dependency is put down to that, and left alone. */
START_TEST(dependent) {
        add("db", ID_B, "healthy");
        begin_well(PAIR, (PlRegistryOptions){});
        fails("db");
        RUN_ON_UNTIL(state_of(ID_B) == PL_HEALTH_UNHEALTHY);
        fails("web");
        RUN_ON_UNTIL(said("web", "unhealthy"));
        run_through();
        ck_assert_int_eq(n_restarts(), 0);
        ck_assert_int_eq(said("db", "unhealthy")->priority, LOG_ERR);
        ck_assert_int_eq(said("web", "unhealthy")->priority, LOG_NOTICE);
        ck_assert_ptr_nonnull(strstr(said("web", "unhealthy")->fields, "PLIMSOLL_WAITS_FOR=db"));
        /* it is well again, and web is not: now that is its own */
        fake_do(&fake, "{\"op\":\"health_status: healthy\",\"name\":\"db\"}");
        RUN_ON_UNTIL(n_restarts() > 0);
}
END_TEST

#define PART                                                            \
        "[Service db]\nMatch=name:db\nProbe=none\nOnUnhealthy=none\n"   \
        "[Service web]\nMatch=name:web\nProbe=none\nOnUnhealthy=none\n" \
        "RestartBudget=1/10min\nPartOf=db\n"

static void restarted_by_a_person(const char *name) {
        fake_do(&fake, "{\"op\":\"kill\",\"name\":\"%s\",\"signal\":15}", name);
        fake_do(&fake, "{\"op\":\"die\",\"name\":\"%s\",\"exit\":0}", name);
        fake_do(&fake, "{\"op\":\"start\",\"name\":\"%s\"}", name);
}

static uint64_t started_of(const char *id) {
        return subject(id)->facts->started_usec;
}

/* What is part of another one follows it, whoever has restarted that; once, and within its budget.
 */
START_TEST(part_follows) {
        uint64_t before;

        add("db", ID_B, "healthy");
        begin_well(PART, (PlRegistryOptions){});
        before = started_of(ID_B);
        restarted_by_a_person("db");
        RUN_ON_UNTIL(said("web",
                          "restarting it, 1 of at most 1 in 10min: db, which it is part of"));
        RUN_ON_UNTIL(n_requests("POST /containers/ID/start") == 1 && started_of(ID_B) > before);
        RUN_ON_UNTIL(started_of(ID_A) > started_of(ID_B));
        run_through();
        ck_assert_int_eq(n_restarts(), 1);
        restarted_by_a_person("db");
        RUN_ON_UNTIL(said("web", "not restarted any more: 1 restart in 10min did not help: db"));
        run_through();
        ck_assert_int_eq(n_restarts(), 1);
        ck_assert_int_eq(n_stops(), 1);
}
END_TEST

static const struct {
        const char *name, *then, *says;
} not_followed[] = {
        { "it is not healthy", "{\"op\":\"health_status: unhealthy\",\"name\":\"db\"}", NULL },
        { "its part was stopped by a person", "{\"op\":\"stop\",\"name\":\"web\"}", NULL },
        { "another container", "{\"op\":\"destroy\",\"name\":\"db\"}", "db, which it is part of" },
};

/* What is new, or not up, is no reason. */
START_TEST(part_does_not_follow) {
        PlHealthdView v;

        add("db", ID_B, "healthy");
        begin_well(PART, (PlRegistryOptions){});
        fake_do(&fake, "{\"op\":\"kill\",\"name\":\"db\",\"signal\":15}");
        fake_do(&fake, "{\"op\":\"die\",\"name\":\"db\",\"exit\":0}");
        if (_i == 1)
                kill_by_person();
        fake_do(&fake, "%s", not_followed[_i].then);
        if (_i == 2)
                fake_do(&fake,
                        "{\"op\":\"add\",\"name\":\"db\",\"id\":\"" ID_C "\",\"running\":false,"
                        "\"inspect\":{\"Created\":\"2026-02-01T00:00:00Z\",\"State\":{"
                        "\"Health\":{\"Status\":\"healthy\",\"FailingStreak\":0,"
                        "\"Log\":[]}}}}");
        fake_do(&fake, "{\"op\":\"start\",\"name\":\"db\"}");
        RUN_ON_UNTIL(subject(_i == 2 ? ID_C : ID_B) &&
                     pl_subject_is_known(subject(_i == 2 ? ID_C : ID_B)) &&
                     pl_container_is_live(subject(_i == 2 ? ID_C : ID_B)->facts));
        if (not_followed[_i].says)
                RUN_ON_UNTIL(said("web", not_followed[_i].says));
        run_through();
        ck_assert_msg(n_restarts() == 0, "%s", not_followed[_i].name);
        ck_assert(pl_healthd_get(pl_health_act_patients(act), ID_A, &v));
        ck_assert_msg((v.part != NULL) == (not_followed[_i].says != NULL), "%s: %s",
                      not_followed[_i].name, v.part);
}
END_TEST

START_TEST(budget_is_spent) {
        begin_well("[Service web]\nMatch=name:web\nProbe=none\nOnUnhealthy=restart\n"
                   "RestartBudget=1/10min\n",
                   (PlRegistryOptions){});
        fails("web");
        RUN_ON_UNTIL(n_starts > 0);
        fake_do(&fake, "{\"op\":\"health_status: healthy\",\"name\":\"web\"}");
        RUN_ON_UNTIL(state_of(ID_A) == PL_HEALTH_HEALTHY);
        fails("web");
        RUN_ON_UNTIL(said("web", "not restarted any more: 1 restart in 10min did not help"));
        ck_assert_int_eq(said("web", "not restarted any more")->priority, LOG_CRIT);
        ck_assert_str_eq(said("web", "not restarted any more")->message_id,
                         PL_MESSAGE_RESTART_GAVE_UP);
        run_through();
        ck_assert_int_eq(n_restarts(), 1);
}
END_TEST

START_TEST(starts_a_unit) {
        systemd_standin.there = _i == 0;
        begin_well("[Service web]\nMatch=name:web\nProbe=none\n"
                   "OnUnhealthy=unit:alert@%s.service\n",
                   (PlRegistryOptions){});
        fails("web");
        RUN_ON_UNTIL(systemd_standin.n_units > 0);
        ck_assert_str_eq(systemd_standin.unit, "alert@web.service");
        ck_assert_ptr_nonnull(said("web", _i == 0 ? "starting alert@web.service: "
                                                  : "cannot start alert@web.service: "));
        ck_assert_int_eq(n_restarts(), 0);
}
END_TEST

/* Its last entry bears its name: nobody knows an id. */
START_TEST(removed_by_name) {
        begin_well(RESTART "Required=yes\n", (PlRegistryOptions){});
        fake_do(&fake, "{\"op\":\"destroy\",\"name\":\"web\"}");
        RUN_UNTIL(!subject(ID_A));
        RUN_UNTIL(n_said("removed") > 0);
        for (unsigned i = 0; i < n_entries; i++)
                if (strstr(entries[i].text, "removed"))
                        ck_assert_msg(pl_streq(entries[i].name, "web") ||
                                                      (!*entries[i].name &&
                                                       pl_streq(entries[i].service, "web")),
                                      "\"%s\", \"%s\"", entries[i].name, entries[i].service);
}
END_TEST

/* A task of a swarm that has ended is told once; swarm makes another container for it. */
START_TEST(past_task_of_a_swarm) {
        fake_do(&fake,
                "{\"op\":\"add\",\"name\":\"web\",\"id\":\"" ID_A "\",\"running\":true,\"pid\":41,"
                "\"inspect\":{\"Config\":{\"Labels\":{\"com.docker.swarm.task.id\":\"x\"}},"
                "\"State\":{\"StartedAt\":\"2026-01-01T00:00:00Z\","
                "\"Health\":{\"Status\":\"healthy\",\"FailingStreak\":0,\"Log\":[]}}}}");
        begin(RESTART "OnExit=restart\n", (PlRegistryOptions){});
        ck_assert_int_eq(state_of(ID_A), PL_HEALTH_HEALTHY);
        fake_do(&fake, "{\"op\":\"die\",\"name\":\"web\"}");
        RUN_ON_UNTIL(state_of(ID_A) == PL_HEALTH_UNKNOWN);
        run_through();
        ck_assert_int_eq(n_restarts(), 0);
        ck_assert_uint_eq(n_said("absent"), 0);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("health-act");

        tcase_set_timeout(t, 60);
        tcase_add_checked_fixture(t, core_setup, teardown);
        tcase_add_test(t, restarted);
        tcase_add_loop_test(t, waits_and_is_cancelled, 0, (int)PL_ARRAY_SIZE(meanwhile));
        tcase_add_loop_test(t, not_done, 0, (int)PL_ARRAY_SIZE(answers));
        tcase_add_test(t, dry_run);
        tcase_add_test(t, stopped_by_a_person);
        tcase_add_test(t, ended_by_itself);
        tcase_add_test(t, dependent);
        tcase_add_test(t, part_follows);
        tcase_add_loop_test(t, part_does_not_follow, 0, PL_ARRAY_SIZE(not_followed));
        tcase_add_test(t, budget_is_spent);
        tcase_add_loop_test(t, starts_a_unit, 0, 2);
        tcase_add_test(t, removed_by_name);
        tcase_add_test(t, past_task_of_a_swarm);
        return run_case(t);
}
