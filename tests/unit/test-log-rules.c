/* SPDX-License-Identifier: Apache-2.0 */

/* Whose archives are kept for how long, while names pass from one container to the next. */

#include "rotate/rules.h"
#include "unit.h"

#define OLD "old"
#define NEW "new"

static PlLogRules *rules;

static void setup(void) {
        rules = pl_log_rules_new();
        ck_assert_ptr_nonnull(rules);
}

static void teardown(void) {
        rules = pl_log_rules_free(rules);
}

static void set(const char *id, const char *group, unsigned max_files) {
        const PlRetainRule rule = { max_files, PL_TIME_INFINITY };

        ck_assert_int_eq(pl_log_rules_set(rules, id, group, &rule), 0);
}

/* 0: there is no rule */
static unsigned files_of(const char *group) {
        PlRetainRule rule;

        return pl_log_rules_get(rules, group, &rule) ? rule.max_files : 0;
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

int main(void) {
        TCase *t = tcase_create("rules");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_test(t, replaced_and_removed);
        tcase_add_loop_test(t, name_passes_on, 0, 2);
        return run_case(t);
}
