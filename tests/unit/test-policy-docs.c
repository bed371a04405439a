/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The language of policies, its manual page and the shipped example tell the same story.
 */

#include "lib/policy/document.h"
#include "lib/policy/parser.h"
#include "unit.h"

/* Memory and CPUs enough that the example draws no warning. */
static const PlHost host = { GIB(64), 16, 4096 };
static char man[200000], conf[100000];

static void load(const char *name, char *buf, size_t size) {
        char path[4096];
        FILE *f;
        size_t n;

        snprintf(path, sizeof(path), "%s/%s", PLIMSOLL_SOURCE_ROOT, name);
        f = fopen(path, "re");
        ck_assert_msg(f != NULL, "%s", path);
        n = fread(buf, 1, size - 1, f);
        (void)fclose(f);
        ck_assert_uint_gt(n, 1000);
        buf[n] = '\0';
}

static void load_both(void) {
        load("man/plimsoll.conf.5", man, sizeof(man));
        load("conf/plimsoll.conf", conf, sizeof(conf));
}

START_TEST(every_key_is_documented) {
        unsigned sections;
        const char *key;

        for (size_t i = 0; (key = pl_policy_key(i, &sections)); i++) {
                char entry[80];

                snprintf(entry, sizeof(entry), "\n.It Ic %s=\n", key);
                ck_assert_msg(strstr(man, entry) != NULL, "%s= is not in plimsoll.conf(5)", key);
                snprintf(entry, sizeof(entry), "\n%s=", key);
                if (strstr(conf, entry))
                        continue;
                snprintf(entry, sizeof(entry), "\n#%s=", key);
                ck_assert_msg(strstr(conf, entry) != NULL, "%s= is not in conf/plimsoll.conf", key);
        }
}
END_TEST

/* Limits have one for all of them above their list; Match= has to be there. */
START_TEST(every_default_is_documented) {
        unsigned sections;
        const char *key;

        ck_assert_ptr_nonnull(strstr(man, "\nDefault of each: none.\n"));
        for (size_t i = 0; (key = pl_policy_key(i, &sections)); i++) {
                const char *begin, *end, *found;
                bool limit = pl_streq(key, "Match");
                char entry[80];

                for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                        limit |= pl_streq(key, pl_resource_info(r)->name);
                if (limit)
                        continue;
                snprintf(entry, sizeof(entry), "\n.It Ic %s=\n", key);
                begin = strstr(man, entry);
                ck_assert_ptr_nonnull(begin);
                end = strstr(begin + 1, "\n.It Ic ");
                found = strstr(begin, "\nDefault: ");
                ck_assert_msg(found && (!end || found < end),
                              "no default of %s= in plimsoll.conf(5)", key);
        }
}
END_TEST

START_TEST(every_documented_key_exists) {
        for (const char *c = man; (c = strstr(c, "\n.It Ic ")); c++) {
                const char *name = c + strlen("\n.It Ic "), *key;
                unsigned sections;
                size_t i = 0;

                while ((key = pl_policy_key(i, &sections)) &&
                       (!pl_startswith(name, key) || name[strlen(key)] != '='))
                        i++;
                ck_assert_msg(key != NULL, "plimsoll.conf(5) knows %.30s", name);
        }
}
END_TEST

START_TEST(every_kernel_file_is_documented) {
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                for (PlHierarchy h = 0; h < _PL_HIERARCHY_N; h++) {
                        const char *file = pl_resource_info(r)->file[h];

                        ck_assert_msg(!file || strstr(man, file), "%s is not in plimsoll.conf(5)",
                                      file);
                }
}
END_TEST

/* @warning: the one that is expected; NULL: none. */
static PlPolicy *parse(const char *text, const char *warning) {
        PlPolicySource source = { "conf/plimsoll.conf", text, strlen(text) };
        PlDiagList diag = { 0 };
        PlPolicy *p = NULL;

        (void)pl_policy_parse(&source, 1, &host, &diag, &p);
        for (size_t i = 0; i < diag.n; i++)
                ck_assert_msg(warning && strstr(diag.items[i].message, warning), "line %u: %s",
                              diag.items[i].line, diag.items[i].message);
        ck_assert_uint_eq(diag.n, warning ? 1 : 0);
        pl_diag_list_deinit(&diag);
        return p;
}

START_TEST(example_is_good) {
        static const char *const services[] = {
                "postgres", "redis",  "airflow-webserver", "airflow-scheduler", "ollama",
                "grafana",  "mlflow", "prometheus"
        };
        _cleanup_(pl_policy_unrefp) PlPolicy *p = parse(conf, NULL);

        ck_assert(p->daemon.dry_run); /* nobody is limited by what he has not seen */
        for (size_t i = 0; i < PL_ARRAY_SIZE(services); i++) {
                const PlService *s = pl_policy_find(p, services[i]);

                ck_assert_msg(s != NULL, "%s", services[i]);
                ck_assert(s->limits.v[PL_RESOURCE_MEMORY_MAX].set);
                ck_assert(s->limits.v[PL_RESOURCE_TASKS_MAX].set);
                ck_assert_uint_lt(s->log.max_size_bytes, PL_UNLIMITED);
        }
}
END_TEST

/* What a person gets by taking the # away from an assignment or a section is good, too. */
START_TEST(comments_of_example_are_good) {
        _cleanup_(pl_policy_unrefp) PlPolicy *p = NULL;

        for (char *c = conf; (c = strstr(c, "\n#")); c++)
                if ((c[2] >= 'A' && c[2] <= 'Z') || c[2] == '[')
                        c[1] = ' ';
        p = parse(conf, NULL);
        ck_assert_ptr_nonnull(pl_policy_find(p, "api"));
        ck_assert(p->defaults->limits.v[PL_RESOURCE_MEMORY_MAX].set);
}
END_TEST

int main(void) {
        TCase *tc = tcase_create("policy-docs");

        tcase_add_checked_fixture(tc, load_both, NULL);
        tcase_add_test(tc, every_key_is_documented);
        tcase_add_test(tc, every_default_is_documented);
        tcase_add_test(tc, every_documented_key_exists);
        tcase_add_test(tc, every_kernel_file_is_documented);
        tcase_add_test(tc, example_is_good);
        tcase_add_test(tc, comments_of_example_are_good);
        return run_case(tc);
}
