/* SPDX-License-Identifier: Apache-2.0 */

/* Whose archives are kept for how long, while names pass from one container to the next. */

#include "base/clock.h"
#include "lib/base/unit.h"
#include "logs/live.h"
#include "rotate/retain.h"
#include "tmp.h"

#define OLD "old"
#define NEW "new"

#define ARCHIVES 9 /* of each group, whenever somebody asks what is kept of it */

static PlLogRules *rules;
static PlLogStore *store;

static void setup(void) {
        tmp_make("/var/tmp");
        ck_assert_int_eq(pl_log_store_open(tmp, true, (gid_t)-1, &store), 0);
        rules = pl_log_rules_new();
        ck_assert_ptr_nonnull(rules);
}

static void teardown(void) {
        rules = pl_log_rules_free(rules);
        store = pl_log_store_free(store);
        tmp_remove();
}

static void set(const char *id, const char *group, unsigned max_files) {
        const PlRetainRule rule = { max_files, PL_TIME_INFINITY };

        ck_assert_int_eq(pl_log_rules_set(rules, id, group, &rule), 0);
}

static void make_archive_of(const char *group, const char *id, unsigned gen, const char *text) {
        const char *slash = strchr(group, '/');
        PlArchiveName name = { .gen = gen, .from_sec = 1, .to_sec = gen };
        _cleanup_free_ char *path = NULL;
        char file[PL_ARCHIVE_NAME_MAX];

        snprintf(name.id, sizeof(name.id), "%s", id);
        snprintf(name.container, sizeof(name.container), "%s", slash + 1);
        ck_assert_int_eq(pl_archive_name_format(&name, file), 0);
        ck_assert_int_ge(asprintf(&path, "%.*s/%s", (int)(slash - group), group, file), 0);
        tmp_put(path, text);
}

static void make_archive(const char *group, unsigned gen) {
        make_archive_of(group, "0123456789ab", gen, "");
}

/* How many archives of a group are kept; 0: there is no rule, and all are. */
static unsigned files_of(const char *group) {
        const PlRetainRequest req = { .rules = rules,
                                      .id = "0123456789ab",
                                      .budget_bytes = PL_UNLIMITED,
                                      .now_sec = ARCHIVES };
        PlStoredArchive *archives;
        PlRetained kept = { 0 };
        size_t n;

        for (unsigned gen = 1; gen <= ARCHIVES; gen++)
                make_archive(group, gen);
        ck_assert_int_ge(pl_log_retain(store, &req, &kept), 0);
        ck_assert_int_eq(pl_log_store_list(store, NULL, &archives, &n), 0);
        ck_assert_uint_eq(n + kept.dropped, ARCHIVES);
        for (size_t i = 0; i < n; i++)
                ck_assert_int_eq(pl_log_store_drop(store, &archives[i]), 0);
        free(archives);
        return kept.dropped == 0 ? 0 : (unsigned)n;
}

START_TEST(replaced_and_removed) {
        ck_assert_uint_eq(files_of("db/postgres"), 0);
        set(OLD, "db/postgres", 3);
        set(NEW, "web/front", 5);
        ck_assert_uint_eq(files_of("db/postgres"), 3);
        set(OLD, "db/postgres", 4);
        ck_assert_uint_eq(files_of("db/postgres"), 4);
        pl_log_rules_remove(rules, OLD);
        pl_log_rules_remove(rules, OLD);
        ck_assert_uint_eq(files_of("db/postgres"), 0);
        ck_assert_uint_eq(files_of("web/front"), 5);
}
END_TEST

/* docker compose up: the old one is renamed away, a new one gets the name; inspections of the two
 * may be answered in any order. */
START_TEST(name_passes_on) {
        set(OLD, "web/front", 3);
        if (_i == 0) {
                set(OLD, "web/1f3a_front", 3);
                set(NEW, "web/front", 5);
        } else {
                set(NEW, "web/front", 5);
                set(OLD, "web/1f3a_front", 3);
        }
        ck_assert_uint_eq(files_of("web/front"), 5);
        pl_log_rules_remove(rules, OLD);
        ck_assert_uint_eq(files_of("web/front"), 5);
        ck_assert_uint_eq(files_of("web/1f3a_front"), 0);
}
END_TEST

#define NEVER PL_TIME_INFINITY

/* A container is gone or has another name: its section's rule holds; its section too: that of
 * [Defaults], told once. */
START_TEST(outlives) {
        const PlLogSectionRule policy[] = { { "db", { 3, NEVER } }, { NULL, { 5, NEVER } } };
        const PlLogSectionRule renamed[] = { { "database", { 3, NEVER } }, { NULL, { 5, NEVER } } };
        const PlLogSectionRule bare[] = { { "db", { 2, NEVER } } };
        char dir[PL_ARCHIVE_NAME_MAX] = "";
        PlRetainRule rule = { 0 };

        ck_assert_int_eq(pl_log_rules_set_sections(rules, policy, 2), 0);
        set(OLD, "db/postgres", 4);
        ck_assert_uint_eq(files_of("db/postgres"), 4);
        ck_assert_uint_eq(files_of("db/postgres_before"), 3); /* renamed */
        pl_log_rules_remove(rules, OLD);
        ck_assert_uint_eq(files_of("db/postgres"), 3);
        ck_assert_uint_eq(files_of("defaults/web"), 5);
        ck_assert_int_eq(pl_log_rules_take_stranger(rules, dir, &rule), 0);

        ck_assert_int_eq(pl_log_rules_set_sections(rules, renamed, 2), 0);
        ck_assert_uint_eq(files_of("db/postgres"), 5);
        ck_assert_int_eq(pl_log_rules_take_stranger(rules, dir, &rule), 1);
        ck_assert_str_eq(dir, "db");
        ck_assert_uint_eq(rule.max_files, 5);
        ck_assert_int_eq(pl_log_rules_set_sections(rules, renamed, 2), 0); /* another reload */
        ck_assert_uint_eq(files_of("db/postgres"), 5);
        ck_assert_int_eq(pl_log_rules_take_stranger(rules, dir, &rule), 0);

        ck_assert_int_eq(pl_log_rules_set_sections(rules, bare, 1), 0); /* the name is back */
        ck_assert_uint_eq(files_of("db/postgres"), 2);
        ck_assert_uint_eq(files_of("web/front"), 0);
        ck_assert_int_eq(pl_log_rules_take_stranger(rules, dir, &rule), 2);
        ck_assert_str_eq(dir, "web");
        ck_assert_int_eq(pl_log_rules_take_stranger(rules, dir, &rule), 0);
        ck_assert_int_eq(pl_log_rules_set_sections(rules, renamed, 2), 0); /* and gone again */
        ck_assert_uint_eq(files_of("db/postgres"), 5);
        ck_assert_int_eq(pl_log_rules_take_stranger(rules, dir, &rule), 1);
}
END_TEST

/* Only what is proven to be gone ends by itself: all containers are known, none has the name, and
 * none that made the archives has a record. */
START_TEST(gone) {
        static const char id[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        const PlRetainRequest req = {
                .rules = rules, .id = "", .budget_bytes = PL_UNLIMITED, .now_sec = 10000000
        };
        const PlLogSectionRule policy[] = { { NULL, { 5, NEVER } } };
        PlRotateState s = { .gen = 1 };
        PlRetained kept = { 0 };

        ck_assert_int_eq(pl_log_rules_set_sections(rules, policy, 1), 0);
        memcpy(s.id, id, PL_ID_MAX);
        make_archive("db/postgres", 1);
        if (_i == 1)
                set(NEW, "db/postgres", 3); /* made anew, and has said nothing yet */
        if (_i == 2)
                ck_assert_int_eq(pl_log_store_save(store, &s), 0);
        ck_assert_int_eq(pl_log_retain(store, &req, &kept), 0);
        ck_assert_uint_eq(kept.gone, 0);
        pl_log_rules_complete(rules);
        ck_assert_int_eq(pl_log_retain(store, &req, &kept), _i == 0);
        ck_assert_uint_eq(kept.gone, _i == 0);
        pl_log_rules_remove(rules, NEW);
        ck_assert_int_eq(pl_log_store_forget(store, id), 0);
        ck_assert_int_eq(pl_log_retain(store, &req, &kept), _i != 0);
}
END_TEST

static bool keep_none(void *userdata, const char *id) {
        return false;
}

/* An archive of a container that has been gone for 45 days, as the clock says, which was proven
 * when plimsolld was here the last time, or was not. */
START_TEST(clock_ahead) {
        static PlPolicy p = { .n_ref = 99, .daemon.log_archive_budget_bytes = PL_UNLIMITED };
        const PlReporter reporter = { 0 };
        uint64_t now = pl_clock_usec(CLOCK_REALTIME) / PL_USEC_PER_SEC, day = 86400;
        PlArchiveName name = { .container = "web", .id = "ffffffffffff", .gen = 1 };
        char file[PL_ARCHIVE_NAME_MAX], path[PL_ARCHIVE_NAME_MAX + 8], full[512], text[512];
        sd_event *event = NULL;
        PlLogs *logs = NULL;

        pl_log_setup(LOG_EMERG);
        snprintf(text, sizeof(text),
                 "{\"version\":1,\"now\":%" PRIu64 ",\"boot\":9,\"boot_id\":\"x\",\"counted\":9,"
                 "\"doubted\":false,\"ahead\":0,\"since\":0}",
                 now - (_i == 0 ? 100 : 0) * day);
        tmp_put(".state/.time", text);
        name.from_sec = name.to_sec = now - 45 * day;
        ck_assert_int_eq(pl_archive_name_format(&name, file), 0);
        snprintf(path, sizeof(path), "front/%s", file);
        tmp_put(path, "x");
        snprintf(full, sizeof(full), "%s/%s", tmp, path);
        ck_assert_int_eq(sd_event_new(&event), 0);
        ck_assert_int_eq(pl_logs_new(event, tmp, &reporter, NULL, NULL, &logs), 0);
        pl_logs_set_policy(logs, &p, false);
        pl_logs_prune(logs, keep_none, NULL);
        for (unsigned i = 0; i < (_i == 0 ? 10 : 300) && access(full, F_OK) == 0; i++)
                (void)sd_event_run(event, 100000);
        ck_assert_int_eq(access(full, F_OK), _i == 0 ? 0 : -1);
        pl_logs_free(logs);
        sd_event_unref(event);
}
END_TEST

/* What is told of a container are its own archives and those of its name, and of the budget's
 * whether more than one group gave. */
START_TEST(told_apart) {
        static const struct {
                const char *name;
                const char *groups[2];
                const char *id;
                uint64_t budget_bytes;
                unsigned dropped, own, early;
                bool others;
        } rows[] = {
                { "its own", { "web/front" }, "0123456789ab", PL_UNLIMITED, 7, 7, 0, false },
                { "and another's",
                  { "web/front", "db/pg" },
                  "0123456789ab",
                  PL_UNLIMITED,
                  14,
                  7,
                  0,
                  false },
                { "another's alone", { "db/pg" }, "0123456789ab", PL_UNLIMITED, 7, 0, 0, false },
                { "nobody's", { "web/front", "db/pg" }, "", PL_UNLIMITED, 14, 0, 0, false },
                { "the budget takes of one", { "web/front" }, "0123456789ab", 1, 9, 7, 2, false },
                { "… of both", { "web/front", "db/pg" }, "0123456789ab", 1, 18, 7, 4, true },
        };

        set(OLD, "web/front", 2);
        set(NEW, "db/pg", 2);
        for (size_t i = 0; i < PL_ARRAY_SIZE(rows); i++) {
                const PlRetainRequest req = { .rules = rules,
                                              .id = rows[i].id,
                                              .budget_bytes = rows[i].budget_bytes,
                                              .now_sec = ARCHIVES };
                PlStoredArchive *archives;
                PlRetained kept = { 0 };
                size_t n;

                for (unsigned gen = 1; gen <= ARCHIVES; gen++)
                        for (unsigned g = 0; g < 2 && rows[i].groups[g]; g++)
                                make_archive_of(rows[i].groups[g],
                                                pl_streq(rows[i].groups[g], "db/pg")
                                                                ? "ba9876543210"
                                                                : "0123456789ab",
                                                gen, "text");
                ck_assert_int_ge(pl_log_retain(store, &req, &kept), 0);
                ck_assert_msg(kept.dropped == rows[i].dropped && kept.own == rows[i].own &&
                                              kept.early.n == rows[i].early &&
                                              kept.early.others == rows[i].others,
                              "%s: dropped %u, own %u, early %u, others %d", rows[i].name,
                              kept.dropped, kept.own, kept.early.n, kept.early.others);
                ck_assert_int_eq(pl_log_store_list(store, NULL, &archives, &n), 0);
                for (size_t j = 0; j < n; j++)
                        ck_assert_int_eq(pl_log_store_drop(store, &archives[j]), 0);
                free(archives);
        }
}
END_TEST

int main(void) {
        TCase *t = tcase_create("rules");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_test(t, replaced_and_removed);
        tcase_add_loop_test(t, name_passes_on, 0, 2);
        tcase_add_test(t, outlives);
        tcase_add_loop_test(t, gone, 0, 3);
        tcase_add_loop_test(t, clock_ahead, 0, 2);
        tcase_add_test(t, told_apart);
        return run_case(t);
}
