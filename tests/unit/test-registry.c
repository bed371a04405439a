/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The registry on a fake engine: what it announces, in which order, and what it keeps when answers
 * and events are lost, late, doubled or about nobody.
 */

#include "core-fixture.h"
#include "lib/health/facts.h"

#define POLICY "[Service web]\nMatch=name:web\n[Service rest]\nMatch=name:d*\n"

/* What was announced, in its order: "added A", "event A start", … */
static char heard[256][64];
static unsigned n_heard;
static unsigned n_listed, n_synced, n_first, n_connected, n_lost, n_inspected, n_removed;
static bool refuse_added;

static const char *short_id(const char *id) {
        static char buf[2];

        buf[0] = (char)(id[0] - 'a' + 'A');
        return buf;
}

static void hear(const char *format, ...) PL_PRINTF(1, 2);

static void hear(const char *format, ...) {
        va_list ap;

        ck_assert_uint_lt(n_heard, PL_ARRAY_SIZE(heard));
        va_start(ap, format);
        (void)vsnprintf(heard[n_heard++], sizeof(heard[0]), format, ap);
        va_end(ap);
}

/* Return: where it was announced, counted from 1; 0: it was not. */
static unsigned heard_at(const char *what) {
        for (unsigned i = 0; i < n_heard; i++)
                if (pl_streq(heard[i], what))
                        return i + 1;
        return 0;
}

static unsigned n_of(const char *what) {
        unsigned n = 0;

        for (unsigned i = 0; i < n_heard; i++)
                n += pl_streq(heard[i], what);
        return n;
}

static int on_added(void *userdata, PlSubject *s) {
        if (refuse_added)
                return -ENOMEM;
        hear("added %s", short_id(s->id));
        return 0;
}

static int claim_error;
static unsigned n_claims;

static int on_claim(void *userdata, const PlEngineInfo *info) {
        n_claims++;
        ck_assert_str_ne(info->identity, "");
        return claim_error;
}

static void on_removed(void *userdata, PlSubject *s, PlRemoval why) {
        static const char *const words[] = { "removed", "left to the other", "left" };

        hear("%s %s", words[why], short_id(s->id));
        n_removed++;
        /* whoever has a last word about it finds it still */
        if (why == PL_REMOVAL_GONE) {
                ck_assert_ptr_eq(subject(s->id), s);
                pl_subject_report(&reporter, s, LOG_INFO, NULL, NULL, NULL, "the last word");
        }
}

static void on_event(void *userdata, PlSubject *s, const PlEvent *e) {
        static const char *const names[_PL_EVENT_N] = {
                [PL_EVENT_CREATE] = "create", [PL_EVENT_START] = "start", [PL_EVENT_DIE] = "die",
                [PL_EVENT_PAUSE] = "pause",   [PL_EVENT_KILL] = "kill",
        };

        hear("event %s %s", short_id(s->id), names[e->action] ?: "other");
}

static void on_inspected(void *userdata, PlSubject *s, bool current) {
        hear("inspected %s%s", short_id(s->id), current ? "" : " (outdated)");
        n_inspected++;
}

static void on_engine(void *userdata, const PlEngineInfo *info) {
        hear("%s", info ? "connected" : "lost");
        *(info ? &n_connected : &n_lost) += 1;
}

static void on_listed(void *userdata) {
        hear("listed");
        n_listed++;
}

static void on_synced(void *userdata, bool first) {
        hear("%s", first ? "synced first" : "synced");
        n_synced++;
        n_first += first;
}

static void on_quiet(void *userdata) {}

static const PlRegistryHandlers handlers = {
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

static void setup(void) {
        core_setup();
        make_registry(&handlers, (PlRegistryOptions){ .engine_url = fake.url }, POLICY);
        fake_do(&fake, "[{\"op\":\"add\",\"name\":\"web\",\"id\":\"" ID_A "\",\"running\":true},"
                       "{\"op\":\"add\",\"name\":\"db\",\"id\":\"" ID_B "\"}]");
}

/* Everything is known, and nothing has been heard since. */
static void sync_all(void) {
        use_engine();
        RUN_UNTIL(n_listed > 0);
        pl_registry_settle(registry);
        ck_assert_uint_eq(n_synced, 1);
        n_heard = 0;
}

/* The loop, until whatever was sent before is through. */
static void run_through(void) {
        unsigned before = n_of("event A kill");

        fake_do(&fake, "{\"op\":\"kill\",\"name\":\"web\"}");
        RUN_UNTIL(n_of("event A kill") > before);
}

static void raw_event(const char *action, const char *id) {
        fake_do(&fake,
                "{\"op\":\"raw\",\"data\":\"{\\\"Type\\\":\\\"container\\\",\\\"Action\\\":"
                "\\\"%s\\\",\\\"Actor\\\":{\\\"ID\\\":\\\"%s\\\",\\\"Attributes\\\":{}},"
                "\\\"time\\\":1700000000,\\\"timeNano\\\":1700000000000000000}\\n\"}",
                action, id);
}

START_TEST(list_inspect_settle) {
        use_engine();
        RUN_UNTIL(n_listed > 0);
        ck_assert_uint_eq(heard_at("connected"), 1);
        ck_assert_uint_lt(heard_at("added A"), heard_at("inspected A"));
        ck_assert_uint_eq(n_inspected, 2);
        ck_assert(!registry->synced); /* nobody has looked at them yet */
        pl_registry_settle(registry);
        ck_assert_uint_eq(n_first, 1);
        ck_assert(registry->synced && !registry->stale);
        pl_registry_settle(registry);
        ck_assert_uint_eq(n_synced, 1);
        ck_assert_str_eq(subject(ID_A)->facts->name, "web");
        ck_assert_int_eq(subject(ID_A)->facts->phase, PL_PHASE_RUNNING);
        ck_assert_int_eq(subject(ID_B)->facts->phase, PL_PHASE_CREATED);
        ck_assert_str_eq(subject(ID_A)->service->name, "web");
}
END_TEST

/* An engine without containers is known in full as well. */
START_TEST(nothing_to_list) {
        fake_do(&fake, "[{\"op\":\"destroy\",\"name\":\"web\"},"
                       "{\"op\":\"destroy\",\"name\":\"db\"}]");
        sync_all();
        ck_assert_uint_eq(pl_map_size(registry->subjects), 0);
}
END_TEST

static bool is_any_in_flight(void) {
        const PlSubject *s;

        PL_MAP_FOREACH(s, registry->subjects)
        if (s->inspect_in_flight)
                return true;
        return false;
}

/* Four are asked at a time. What happens to one that still waits for its turn is in its answer;
 * what happens to one that was asked already takes another. */
START_TEST(asked_in_time) {
        json_int_t before;
        PlSubject *s;

        fake_do(&fake, "{\"op\":\"generate\",\"n\":5,\"prefix\":\"p\"}");
        sync_all();
        ck_assert_uint_eq(pl_map_size(registry->subjects), 7);
        fake_do(&fake, "{\"op\":\"fault\",\"path\":\"/json\",\"kind\":\"hold\"}");
        before = n_requests("GET /containers/ID/json");
        for (unsigned i = 0; i < 2; i++)
                PL_MAP_FOREACH(s, registry->subjects)
        pl_registry_inspect(registry, s);
        fake_do(&fake, "{\"op\":\"release\"}");
        RUN_UNTIL(!is_any_in_flight());
        ck_assert_int_eq(n_requests("GET /containers/ID/json") - before, 2 * 4 + 3);
}
END_TEST

/* All that answers, in whatever order; the list is complete with the last one. */
START_TEST(out_of_order_answers) {
        hold(ID_A "/json");
        use_engine();
        RUN_UNTIL(heard_at("inspected B"));
        ck_assert_uint_eq(n_listed, 0);
        pl_registry_settle(registry);
        ck_assert(!registry->synced);
        release();
        RUN_UNTIL(n_listed > 0);
        ck_assert_str_eq(subject(ID_A)->facts->name, "web");
        ck_assert_str_eq(subject(ID_B)->facts->name, "db");
}
END_TEST

START_TEST(gone_between_list_and_inspection) {
        fake_do(&fake, "{\"op\":\"fault\",\"path\":\"" ID_B "/json\",\"kind\":\"status\","
                       "\"status\":404,\"message\":\"No such container\"}");
        use_engine();
        RUN_UNTIL(n_listed > 0);
        pl_registry_settle(registry);
        ck_assert_uint_eq(n_first, 1);
        ck_assert_uint_lt(heard_at("added B"), heard_at("removed B"));
        ck_assert_ptr_null(subject(ID_B));
        ck_assert_ptr_nonnull(subject(ID_A));
        ck_assert_uint_eq(n_said("cannot inspect"), 0); /* gone is no error */
}
END_TEST

/* One that cannot be inspected does not keep the others from being known. */
START_TEST(broken_inspection) {
        fake_do(&fake, "{\"op\":\"fault\",\"path\":\"" ID_B "/json\",\"kind\":\"status\","
                       "\"status\":500,\"message\":\"layer is broken\",\"times\":1}");
        use_engine();
        RUN_UNTIL(n_listed > 0);
        pl_registry_settle(registry);
        ck_assert_uint_eq(n_first, 1);
        ck_assert_ptr_null(subject(ID_B)->facts);
        ck_assert_ptr_nonnull(said(NULL, "cannot inspect it: "));
        ck_assert_ptr_nonnull(strstr(said(NULL, "cannot inspect")->text, "layer is broken"));
        ck_assert_str_eq(said(NULL, "cannot inspect")->id, ID_B);
        pl_registry_resync(registry);
        RUN_UNTIL(subject(ID_B)->facts);
}
END_TEST

/* What the engine says of it in the end, whatever became of the events. */
static const struct {
        const char *name, *before, *commands;
        unsigned n_events; /* 0: any number */
        PlPhase phase;
        bool resync;
} event_rows[] = {
        { "one", "{\"op\":\"clear\"}", "{\"op\":\"start\",\"name\":\"db\"}", 1, PL_PHASE_RUNNING,
          false },
        { "doubled", "{\"op\":\"mangle\",\"double\":true}", "{\"op\":\"start\",\"name\":\"db\"}", 1,
          PL_PHASE_RUNNING, false },
        { "reordered", "{\"op\":\"mangle\",\"reorder\":true}",
          "[{\"op\":\"start\",\"name\":\"db\"},{\"op\":\"die\",\"name\":\"db\",\"exit\":3}]", 1,
          PL_PHASE_EXITED, false },
        { "lost", "{\"op\":\"clear\"}", "{\"op\":\"start\",\"name\":\"db\",\"silent\":true}", 0,
          PL_PHASE_RUNNING, true },
        { "lost, and it has ended", "{\"op\":\"clear\"}",
          "[{\"op\":\"start\",\"name\":\"db\",\"silent\":true},"
          "{\"op\":\"die\",\"name\":\"db\",\"silent\":true}]",
          0, PL_PHASE_EXITED, true },
};

START_TEST(events) {
        const char *name = event_rows[_i].name;
        unsigned before;

        sync_all();
        fake_do(&fake, "%s", event_rows[_i].before);
        fake_do(&fake, "%s", event_rows[_i].commands);
        fake_do(&fake, "{\"op\":\"clear\"}");
        if (event_rows[_i].resync) {
                before = n_inspected;
                run_through();
                ck_assert_msg(n_inspected == before, "%s: nobody has told", name);
                pl_registry_resync(registry);
                RUN_UNTIL(subject(ID_B)->facts->phase == event_rows[_i].phase);
                return;
        }
        RUN_UNTIL(n_of("event B start") == event_rows[_i].n_events);
        run_through();
        /* a start's inspection waits until the values are in the kernel */
        pl_registry_inspect_due(registry, subject(ID_B));
        RUN_UNTIL(subject(ID_B)->facts->phase == event_rows[_i].phase);
        ck_assert_msg(n_of("event B start") == event_rows[_i].n_events, "%s", name);
        ck_assert_msg(pl_map_size(registry->subjects) == 2, "%s", name);
}
END_TEST

/* A start is inspected when whoever writes its values says so, and not before. */
START_TEST(start_waits_for_its_values) {
        json_int_t asked;

        sync_all();
        asked = n_requests("GET /containers/ID/json");
        fake_do(&fake, "{\"op\":\"start\",\"name\":\"db\"}");
        RUN_UNTIL(heard_at("event B start"));
        run_through();
        ck_assert(subject(ID_B)->inspect_due);
        ck_assert_int_eq(n_requests("GET /containers/ID/json"), asked);
        pl_registry_inspect_due(registry, subject(ID_B));
        ck_assert(!subject(ID_B)->inspect_due);
        RUN_UNTIL(heard_at("inspected B"));
        pl_registry_inspect_due(registry, subject(ID_B)); /* once */
        run_through();
        ck_assert_int_eq(n_requests("GET /containers/ID/json"), asked + 1);
}
END_TEST

/* Events about nobody: removal of it makes none, and what cannot be inspected goes again. */
START_TEST(unknown_ids) {
        sync_all();
        raw_event("destroy", ID_C);
        run_through();
        ck_assert_uint_eq(heard_at("added C"), 0);
        raw_event("die", ID_C);
        RUN_UNTIL(heard_at("removed C"));
        ck_assert_uint_lt(heard_at("added C"), heard_at("event C die"));
        ck_assert_ptr_null(subject(ID_C));
        ck_assert_uint_eq(pl_map_size(registry->subjects), 2);
}
END_TEST

/* Nobody has the memory for it: then it is not known, and the next list has it. */
START_TEST(not_added) {
        sync_all();
        refuse_added = true;
        fake_do(&fake, "{\"op\":\"create\",\"name\":\"new\",\"id\":\"" ID_C "\"}");
        run_through();
        ck_assert_ptr_null(subject(ID_C));
        refuse_added = false;
        pl_registry_resync(registry);
        RUN_UNTIL(heard_at("inspected C"));
}
END_TEST

/* The create event alone tells name and labels: a policy is matched by them. */
START_TEST(born_by_its_event) {
        sync_all();
        hold(ID_C "/json");
        fake_do(&fake, "{\"op\":\"create\",\"name\":\"dc\",\"id\":\"" ID_C "\"}");
        RUN_UNTIL(heard_at("event C create"));
        ck_assert(subject(ID_C)->provisional);
        ck_assert(!pl_subject_is_known(subject(ID_C)));
        ck_assert_str_eq(subject(ID_C)->facts->name, "dc");
        ck_assert_str_eq(subject(ID_C)->service->name, "rest");
        release();
        RUN_UNTIL(heard_at("inspected C"));
        ck_assert(pl_subject_is_known(subject(ID_C)));
}
END_TEST

START_TEST(removal_is_named) {
        sync_all();
        fake_do(&fake, "{\"op\":\"destroy\",\"name\":\"db\"}");
        RUN_UNTIL(heard_at("removed B"));
        ck_assert_ptr_null(subject(ID_B));
        ck_assert_ptr_nonnull(said("db", "the last word"));
        ck_assert_str_eq(said("db", "the last word")->id, ID_B);
        fake_do(&fake, "{\"op\":\"destroy\",\"name\":\"web\",\"silent\":true}");
        pl_registry_resync(registry); /* nobody told: the list does */
        RUN_UNTIL(heard_at("removed A"));
        ck_assert_ptr_nonnull(said("web", "the last word"));
}
END_TEST

static void save_state(const char *id) {
        PlContainerState s = { .managed = 1 };

        (void)snprintf(s.id, sizeof(s.id), "%s", id);
        ck_assert_int_eq(pl_state_dir_save(registry->state_dir, &s, false), 0);
}

static const char *identity_of_fake(void) {
        fake_do(&fake, "{\"op\":\"identity\",\"id\":\"fake\"}");
        return "fake";
}

static bool has_state(const char *id) {
        char path[256];

        (void)snprintf(path, sizeof(path), "%s/containers/%s", state_dir, id);
        return access(path, F_OK) == 0;
}

/* The files of those that were removed while nobody looked go with the first full list. */
START_TEST(state_of_the_gone) {
        pl_state_dir_set_engine(registry->state_dir, identity_of_fake());
        save_state(ID_B);
        save_state(ID_C);
        tmp_put("state/containers/" ID_C ".new", "x"); /* of a crash */
        sync_all();
        ck_assert(!has_state(ID_C ".new"));
        ck_assert(has_state(ID_B));
        ck_assert(!has_state(ID_C));
        fake_do(&fake, "{\"op\":\"destroy\",\"name\":\"db\"}");
        RUN_UNTIL(heard_at("removed B"));
        ck_assert(!has_state(ID_B));
}
END_TEST

/* While an answer is under way something happens: the answer is from before. */
START_TEST(outdated_inspection) {
        sync_all();
        hold(ID_A "/json");
        pl_registry_inspect(registry, subject(ID_A));
        fake_do(&fake, "{\"op\":\"die\",\"name\":\"web\",\"exit\":1}");
        RUN_UNTIL(heard_at("event A die"));
        release();
        RUN_UNTIL(heard_at("inspected A"));
        ck_assert_uint_lt(heard_at("inspected A (outdated)"), heard_at("inspected A"));
        ck_assert_uint_eq(n_of("inspected A (outdated)"), 1);
        ck_assert_uint_eq(n_of("inspected A"), 1);
        ck_assert_int_eq(subject(ID_A)->facts->phase, PL_PHASE_EXITED);
}
END_TEST

/* However often it is asked for meanwhile, one more question is enough. */
START_TEST(asked_once_more) {
        json_int_t asked;

        sync_all();
        asked = n_requests("GET /containers/ID/json");
        hold(ID_A "/json");
        for (unsigned i = 0; i < 5; i++)
                pl_registry_inspect(registry, subject(ID_A));
        run_through();
        release();
        RUN_UNTIL(n_of("inspected A") == 1);
        run_through();
        ck_assert_int_eq(n_requests("GET /containers/ID/json"), asked + 2);
}
END_TEST

/* Whatever is told of a container begins with it. */
START_TEST(a_name_for_each) {
        PlContainer facts = { 0 };
        PlSubject s = { .id = ID_A };
        PlInspected seen = { 0 };

        ck_assert_str_eq(pl_subject_name(&s), ID_A);
        memcpy(facts.id, ID_A, sizeof(facts.id));
        s.facts = &facts;
        ck_assert_str_eq(pl_subject_name(&s), ID_A);
        pl_inspected_take(&seen, &facts);
        ck_assert(pl_startswith(seen.name, "aaaaaaaaaaaa"));
        facts.name = (char[]){ "" };
        ck_assert_str_eq(pl_subject_name(&s), ID_A);
        facts.name = (char[]){ "web" };
        ck_assert_str_eq(pl_subject_name(&s), "web");
        pl_inspected_take(&seen, &facts);
        ck_assert_str_eq(seen.name, "web");
}
END_TEST

START_TEST(missed_event_lists_again) {
        json_int_t lists;

        sync_all();
        lists = n_requests("GET /containers/json");
        fake_do(&fake, "[{\"op\":\"start\",\"name\":\"db\",\"silent\":true},"
                       "{\"op\":\"raw\",\"data\":\"{nonsense}\\n\"}]");
        RUN_UNTIL(subject(ID_B)->facts->phase == PL_PHASE_RUNNING);
        ck_assert_int_eq(n_requests("GET /containers/json"), lists + 1);
}
END_TEST

static void network_event(const char *action, const char *id) {
        static unsigned sec; /* an event of the same time is the same event */

        fake_do(&fake,
                "{\"op\":\"raw\",\"data\":\"{\\\"Type\\\":\\\"network\\\",\\\"Action\\\":"
                "\\\"%s\\\",\\\"Actor\\\":{\\\"ID\\\":\\\"n\\\",\\\"Attributes\\\":"
                "{\\\"container\\\":\\\"%s\\\"}},\\\"time\\\":%u}\\n\"}",
                action, id, ++sec);
}

/* No event of the container tells that its addresses are others now. */
START_TEST(network_events) {
        sync_all();
        network_event("connect", ID_B); /* it does not run */
        network_event("connect", "cccccccccccccccccccccccccccccccc"
                                 "cccccccccccccccccccccccccccccccc"); /* not known */
        run_through();
        ck_assert_uint_eq(n_of("inspected A") + n_of("inspected B"), 0);
        ck_assert_uint_eq(pl_map_size(registry->subjects), 2);

        fake_do(&fake, "{\"op\":\"set\",\"name\":\"web\",\"inspect\":{\"NetworkSettings\":"
                       "{\"Networks\":{\"bridge\":{\"IPAddress\":\"\"}}}}}");
        network_event("disconnect", ID_A);
        RUN_UNTIL(n_of("inspected A") == 1);
        ck_assert_str_eq(subject(ID_A)->facts->reach.networks[0].ip, "");
        fake_do(&fake, "{\"op\":\"set\",\"name\":\"web\",\"inspect\":{\"NetworkSettings\":"
                       "{\"Networks\":{\"bridge\":{\"IPAddress\":\"172.17.0.9\"}}}}}");
        network_event("connect", ID_A);
        RUN_UNTIL(n_of("inspected A") == 2);
        ck_assert_str_eq(subject(ID_A)->facts->reach.networks[0].ip, "172.17.0.9");
}
END_TEST

#define IN_LAN                                                                              \
        "{\"op\":\"set\",\"name\":\"web\",\"inspect\":{\"NetworkSettings\":{\"Networks\":{" \
        "\"lan\":"                                                                          \
        "{\"NetworkID\":\"id-of-lan\",\"IPAddress\":\"192.0.2.7\"}}}}}"

static bool is_apart(void) {
        const PlContainer *c = subject(ID_A)->facts;

        for (size_t i = 0; i < c->reach.n_networks; i++)
                if (c->reach.networks[i].apart)
                        return pl_streq(c->reach.networks[i].name, "lan");
        return false;
}

/* Whether the host has a way into a network is asked once, when one is not known. */
START_TEST(networks_are_asked_once) {
        fake_do(&fake, IN_LAN);
        fake_do(&fake,
                "{\"op\":\"fault\",\"path\":\"/networks\",\"kind\":\"document\",\"document\":"
                "[{\"Id\":\"id-of-lan\",\"Name\":\"lan\",\"Driver\":\"macvlan\"}]}");
        sync_all();
        RUN_UNTIL(subject(ID_A)->facts && is_apart());
        ck_assert_int_eq(n_requests("GET /networks"), 1);
        pl_registry_inspect(registry, subject(ID_A));
        RUN_UNTIL(n_of("inspected A") > 0);
        run_through();
        ck_assert(is_apart());
        ck_assert_int_eq(n_requests("GET /networks"), 1);
}
END_TEST

/* What is told again because its network is known now may be old: it has died meanwhile. */
START_TEST(networks_tell_no_old_facts) {
        fake_do(&fake, IN_LAN);
        fake_do(&fake, "{\"op\":\"fault\",\"path\":\"/networks\",\"kind\":\"document\","
                       "\"delay\":0.5,\"document\":"
                       "[{\"Id\":\"id-of-lan\",\"Name\":\"lan\",\"Driver\":\"macvlan\"}]}");
        sync_all();
        fake_do(&fake, "{\"op\":\"fault\",\"path\":\"/json\",\"kind\":\"hold\"}");
        fake_do(&fake, "{\"op\":\"die\",\"name\":\"web\"}");
        RUN_UNTIL(subject(ID_A)->inspect_in_flight);
        ck_assert(!is_apart());
        RUN_UNTIL(is_apart());
        ck_assert_uint_eq(n_of("inspected A"), 0);
        fake_do(&fake, "{\"op\":\"release\"}");
        RUN_UNTIL(n_of("inspected A") == 1);
        ck_assert_int_eq(subject(ID_A)->facts->phase, PL_PHASE_EXITED);
}
END_TEST

/* A network that is gone when the answer comes is not asked for again. */
START_TEST(network_is_gone) {
        fake_do(&fake, IN_LAN);
        fake_do(&fake, "{\"op\":\"fault\",\"path\":\"/networks\",\"kind\":\"document\","
                       "\"document\":[]}");
        sync_all();
        RUN_UNTIL(registry->n_networks > 0);
        pl_registry_inspect(registry, subject(ID_A));
        RUN_UNTIL(n_of("inspected A") > 0);
        run_through();
        ck_assert(!is_apart());
        ck_assert_int_eq(n_requests("GET /networks"), 1);
}
END_TEST

START_TEST(networks_are_refused) {
        fake_do(&fake, IN_LAN);
        fake_do(&fake,
                "{\"op\":\"fault\",\"path\":\"/networks\",\"kind\":\"status\",\"status\":500,"
                "\"message\":\"no\"}");
        sync_all();
        RUN_UNTIL(n_requests("GET /networks") == 1);
        pl_registry_inspect(registry, subject(ID_A));
        RUN_UNTIL(n_of("inspected A") > 0);
        run_through();
        ck_assert(!is_apart());
        ck_assert_int_eq(n_requests("GET /networks"), 1);
}
END_TEST

/* What is known stays known, and is called old until everything has been looked at again. */
START_TEST(lost_engine_is_stale) {
        sync_all();
        fake_kill(&fake, SIGKILL);
        RUN_UNTIL(n_lost > 0);
        ck_assert(registry->stale && registry->synced && !registry->connected);
        ck_assert_uint_eq(pl_map_size(registry->subjects), 2);
        ck_assert_str_eq(subject(ID_A)->facts->name, "web");
        ck_assert_ptr_nonnull(registry->engine_error);
        ck_assert_str_eq(said(NULL, "Lost the engine at ")->message_id, PL_MESSAGE_ENGINE_LOST);
        pl_registry_settle(registry);
        pl_registry_resync(registry);
        pl_registry_inspect(registry, subject(ID_A));
        ck_assert_uint_eq(n_synced, 1);
        fake_start(&fake, NULL);
        fake_do(&fake, "{\"op\":\"add\",\"name\":\"web\",\"id\":\"" ID_A "\",\"running\":true}");
        RUN_UNTIL(n_listed > 1);
        ck_assert(registry->stale); /* until it is looked at */
        ck_assert_ptr_null(registry->engine_error);
        pl_registry_settle(registry);
        ck_assert(!registry->stale);
        ck_assert_uint_eq(n_synced, 2);
        ck_assert_uint_eq(n_first, 1);
        ck_assert_uint_eq(n_of("removed B"), 1); /* meanwhile */
        ck_assert_uint_eq(n_of("added A"), 0);
}
END_TEST

/* Never there: said, and nothing is stale, as nothing is known. */
START_TEST(no_engine) {
        fake_kill(&fake, SIGKILL);
        use_engine();
        RUN_UNTIL(n_lost > 0);
        ck_assert(!registry->stale && !registry->synced);
        ck_assert_ptr_nonnull(said(NULL, "Cannot reach the engine at "));
        ck_assert_ptr_nonnull(strstr(said(NULL, "Cannot reach")->text, "Nothing is done"));
}
END_TEST

/* An engine that another plimsolld has is asked for nothing. */
START_TEST(engine_is_claimed_first) {
        claim_error = -EBUSY;
        use_engine();
        RUN_UNTIL(n_claims > 0);
        ck_assert(!registry->connected);
        ck_assert_uint_eq(n_heard, 0);
        ck_assert_uint_eq(n_connected, 0);
        claim_error = 0;
}
END_TEST

/* Files go with their containers, when the engine that had these says so. */
START_TEST(files_of_other_engines_stay) {
        pl_state_dir_set_engine(registry->state_dir, "elsewhere");
        save_state(ID_C);
        sync_all();
        ck_assert(has_state(ID_C));
        registry->pruned = false;
        pl_state_dir_set_engine(registry->state_dir, registry->identity);
        save_state(ID_C);
        registry->stale = true;
        pl_registry_settle(registry);
        ck_assert(!has_state(ID_C));
}
END_TEST

/* Another Engine=: what the one before still owes is not heard, what it had is gone. */
START_TEST(engine_changed_by_policy) {
        char text[200];
        Fake first, second;

        pl_registry_free(registry);
        n_removed = 0;
        (void)snprintf(text, sizeof(text), "[Daemon]\nEngine=%s\n", fake.url);
        make_registry(&handlers, (PlRegistryOptions){}, text);
        sync_all();
        save_state(ID_B);
        hold(ID_B "/json");
        pl_registry_inspect(registry, subject(ID_B));
        first = fake;
        fake_init(&second);
        fake_start(&second, NULL);
        fake_do(&second, "{\"op\":\"add\",\"name\":\"web\",\"id\":\"" ID_A "\"}");
        (void)snprintf(text, sizeof(text), "[Daemon]\nEngine=%s\n", second.url);
        pl_policy_unref(pl_registry_set_policy(registry, parse_policy(text)));
        use_engine();
        ck_assert_uint_eq(heard_at("lost"), 1);
        ck_assert(registry->stale && !registry->connected);
        ck_assert_uint_eq(pl_map_size(registry->subjects), 2);
        release(); /* the first one answers now */
        RUN_UNTIL(n_listed > 1);
        pl_registry_settle(registry);
        ck_assert(!registry->stale && registry->connected);
        ck_assert_str_eq(pl_engine_url(registry->engine), second.url);
        ck_assert_ptr_null(subject(ID_B));
        ck_assert_uint_eq(heard_at("inspected B"), 0);
        /* the first engine has it still: what is known of it stays */
        ck_assert_uint_gt(heard_at("left to the other B"), 0);
        ck_assert_uint_eq(heard_at("removed B"), 0);
        ck_assert(has_state(ID_B));
        ck_assert_int_eq(subject(ID_A)->facts->phase, PL_PHASE_CREATED);
        ck_assert_int_eq(pl_registry_use_engine(registry), 0); /* the same: nothing happens */
        ck_assert(registry->connected);
        registry = pl_registry_free(registry);
        fake_deinit(&second);
        fake = first;
}
END_TEST

/* The command line goes before the policy. */
START_TEST(engine_of_the_command_line) {
        sync_all();
        pl_policy_unref(pl_registry_set_policy(
                        registry, parse_policy("[Daemon]\nEngine=unix:///nowhere/d.sock\n")));
        ck_assert_int_eq(pl_registry_use_engine(registry), 0);
        ck_assert_str_eq(pl_engine_url(registry->engine), fake.url);
        ck_assert(registry->connected);
}
END_TEST

static const struct {
        const char *name, *id;
} find_rows[] = {
        { "web", ID_A },       { "db", ID_B },     { ID_A, ID_A },
        { "aaaa", ID_A },      { "aaa", NULL },    { "rest", ID_B }, /* its section */
        { "cccc", ID_C },      { "bbbb", ID_C }, /* a name goes before the beginning of an id */
        { "bbbbbbbbb", ID_B }, { "nobody", NULL }, { "aaaaaaaaab", NULL },
};

START_TEST(find) {
        fake_do(&fake, "{\"op\":\"add\",\"name\":\"bbbb\",\"id\":\"" ID_C "\"}");
        sync_all();
        for (unsigned i = 0; i < PL_ARRAY_SIZE(find_rows); i++) {
                const PlSubject *s = pl_registry_find(registry, find_rows[i].name);

                ck_assert_msg(pl_streq(s ? s->id : "none", find_rows[i].id ?: "none"), "%s: %s",
                              find_rows[i].name, s ? s->id : "none");
        }
}
END_TEST

START_TEST(policy_matches_anew) {
        PlPolicy *old, *first = registry->policy;

        sync_all();
        ck_assert_str_eq(subject(ID_B)->service->name, "rest");
        old = pl_registry_set_policy(registry, parse_policy("[Service other]\nMatch=name:db\n"));
        ck_assert_ptr_eq(old, first);
        pl_policy_unref(old);
        ck_assert_ptr_null(subject(ID_A)->service);
        ck_assert_str_eq(subject(ID_B)->service->name, "other");
        /* what comes later is matched by it as well */
        fake_do(&fake, "{\"op\":\"rename\",\"name\":\"web\",\"to\":\"db\"}");
        RUN_UNTIL(subject(ID_A)->service);
}
END_TEST

/* The end: everybody is told of each, and nothing is called gone. */
START_TEST(freed) {
        sync_all();
        registry = pl_registry_free(registry);
        ck_assert_uint_eq(n_of("left A") + n_of("left B"), 2);
        ck_assert_uint_eq(n_removed, 2);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("registry");

        tcase_set_timeout(t, 60);
        tcase_add_checked_fixture(t, setup, core_teardown);
        tcase_add_test(t, list_inspect_settle);
        tcase_add_test(t, nothing_to_list);
        tcase_add_test(t, out_of_order_answers);
        tcase_add_test(t, asked_in_time);
        tcase_add_test(t, gone_between_list_and_inspection);
        tcase_add_test(t, broken_inspection);
        tcase_add_loop_test(t, events, 0, (int)PL_ARRAY_SIZE(event_rows));
        tcase_add_test(t, start_waits_for_its_values);
        tcase_add_test(t, unknown_ids);
        tcase_add_test(t, not_added);
        tcase_add_test(t, born_by_its_event);
        tcase_add_test(t, removal_is_named);
        tcase_add_test(t, state_of_the_gone);
        tcase_add_test(t, outdated_inspection);
        tcase_add_test(t, asked_once_more);
        tcase_add_test(t, a_name_for_each);
        tcase_add_test(t, missed_event_lists_again);
        tcase_add_test(t, lost_engine_is_stale);
        tcase_add_test(t, no_engine);
        tcase_add_test(t, engine_is_claimed_first);
        tcase_add_test(t, files_of_other_engines_stay);
        tcase_add_test(t, engine_changed_by_policy);
        tcase_add_test(t, engine_of_the_command_line);
        tcase_add_test(t, network_events);
        tcase_add_test(t, networks_are_asked_once);
        tcase_add_test(t, networks_tell_no_old_facts);
        tcase_add_test(t, network_is_gone);
        tcase_add_test(t, networks_are_refused);
        tcase_add_test(t, find);
        tcase_add_test(t, policy_matches_anew);
        tcase_add_test(t, freed);
        return run_case(t);
}
