/* SPDX-License-Identifier: Apache-2.0 */

/* Which containers' logs a name stands for, past and present. */

#include "ctl/logs/members.h"

#include <errno.h>

#include "lib/base/unit.h"
#include "rotate/retain.h"
#include "tmp.h"

/* A container: its archive, its record, or both. The id is one digit, repeated. */
typedef struct Was {
        char digit;
        const char *dir, *name, *origin, *title;
        bool there; /* it has a record */
} Was;

static const Was shop[] = {
        /* a compose service: recreated, scaled, under its section, before that under [Defaults] */
        { '1', "defaults", "shop-db-1", "shop-db-11", "shop/db", false },
        { '2', "database", "shop-db-1", "shop-db-11", "shop/db", false },
        { '3', "database", "shop-db-2", "shop-db-11", "shop/db", true },
        /* another project has such a service, too */
        { '4', "defaults", "blog-db-1", "blog-db-22", "blog/db", true },
        { '5', "defaults", "blog-web-1", "blog-web-33", "blog/web", true },
        /* renamed by a person */
        { '6', "defaults", "blog-web-old", "blog-web-33", "blog/web", false },
        /* by another version, which told no identity */
        { '7', "database", "before", NULL, NULL, false },
        { '8', "defaults", "db", "db-44", "db", true },
};

static const struct {
        const char *what, *name, *container, *ids;
        int error;
} rows[] = {
        { "a container's name: those that have had it", "shop-db-1", NULL, "12", 0 },
        { "an id", "3333", NULL, "3", 0 },
        { "a name wins over services that are called so", "db", NULL, "8", 0 },
        { "project and service: whatever they were called, whatever the section", "shop/db", NULL,
          "123", 0 },
        { "a section: all of it, and what its services were before", "database", NULL, "1237", 0 },
        { "one of them", "database", "2222", "2", 0 },
        { "a service that one project has", "web", NULL, "56", 0 },
        { "of a service under [Defaults]", "blog/web", NULL, "56", 0 },
        { "the part of a name is none", "shop-db", NULL, "", 0 },
        { "the part of a project is none", "op/db", NULL, "", 0 },
        { "nobody", "nobody", NULL, "", 0 },
};

static PlLogStore *store;

static void put(const Was *w, const char *name) {
        PlArchiveName archive = { .gen = 1, .from_sec = (uint64_t)w->digit };
        PlRotateState s = { .name = (char *)name,
                            .service = (char *)w->dir,
                            .path = (char *)"/x",
                            .driver = (char *)"json-file",
                            .origin = (char *)w->origin,
                            .title = (char *)w->title,
                            .archive = NULL };
        char file[PL_ARCHIVE_NAME_MAX];
        int fd;

        memset(s.id, w->digit, PL_ID_MAX - 1);
        memcpy(archive.id, s.id, 12);
        snprintf(archive.container, sizeof(archive.container), "%s", name);
        archive.to_sec = archive.from_sec;
        ck_assert_int_eq(pl_archive_name_format(&archive, file), 0);
        fd = pl_log_store_begin(store, w->dir, s.id);
        ck_assert_int_ge(fd, 0);
        (void)close(fd);
        ck_assert_int_ge(asprintf(&s.archive, "%s/%s", w->dir, file), 0);
        ck_assert_int_eq(pl_log_store_publish(store, &s), 0);
        if (w->there)
                ck_assert_int_eq(pl_log_store_save(store, &s), 0);
        free(s.archive);
}

static void setup(void) {
        tmp_make("/var/tmp");
        ck_assert_int_eq(pl_log_store_open(tmp, true, (gid_t)-1, &store), 0);
}

static void teardown(void) {
        store = pl_log_store_free(store);
        tmp_remove();
}

static void expect(const char *what, const char *name, const char *container, const char *ids,
                   int error) {
        PlLogMembers m = { 0 };
        char found[16] = "";

        ck_assert_msg(pl_log_members_find(store, name, container, &m) == error, "%s", what);
        for (size_t i = 0; i < m.n; i++)
                found[i] = m.items[i].id[0];
        ck_assert_msg(pl_streq(found, ids), "%s: %s instead of %s", what, found, ids);
        pl_log_members_deinit(&m);
}

START_TEST(names) {
        for (size_t i = 0; i < PL_ARRAY_SIZE(shop); i++)
                put(&shop[i], shop[i].name);
        expect(rows[_i].what, rows[_i].name, rows[_i].container, rows[_i].ids, rows[_i].error);
}
END_TEST

/* Two projects have such a service: nobody gets a stranger's lines between his own. */
START_TEST(two_projects) {
        PlLogMembers m = { 0 };

        for (size_t i = 0; i < PL_ARRAY_SIZE(shop) - 1; i++)
                put(&shop[i], shop[i].name);
        ck_assert_int_eq(pl_log_members_find(store, "db", NULL, &m), -ENOTUNIQ);
        ck_assert(m.services);
        ck_assert_uint_eq(m.n, 4);
        pl_log_members_deinit(&m);
        expect("one of them all the same", "db", "4444", "4", 0);
}
END_TEST

/* What tells whose archives these are stays as long as one of them does. */
START_TEST(goes_with_its_archives) {
        const PlLogSectionRule rule = { NULL, { 0, 60 * PL_USEC_PER_SEC } };
        PlLogRules *rules = pl_log_rules_new();
        PlRetainRequest req = { .rules = rules,
                                .id = "111111111111",
                                .budget_bytes = PL_UNLIMITED };
        PlRotateState last = { 0 };
        PlRetained kept = { 0 };

        ck_assert_int_eq(pl_log_rules_set_sections(rules, &rule, 1), 0);
        put(&shop[0], shop[0].name);
        for (req.now_sec = '1' + 60; req.now_sec <= '1' + 61; req.now_sec++) {
                bool there = req.now_sec == '1' + 60;

                ck_assert_int_eq(pl_log_retain(store, &req, &kept), there ? 0 : 1);
                ck_assert_int_eq(pl_log_store_load_last(store, "111111111111", &last),
                                 there ? 0 : -ENOENT);
        }
        ck_assert_str_eq(last.title, "shop/db");
        pl_rotate_state_deinit(&last);
        pl_log_rules_free(rules);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("members");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_loop_test(t, names, 0, PL_ARRAY_SIZE(rows));
        tcase_add_test(t, two_projects);
        tcase_add_test(t, goes_with_its_archives);
        return run_case(t);
}
