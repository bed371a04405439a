/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directories that may hold containers, as plain ones: they come late, go and come back, and
 * are found where nobody has named them.
 */
#include "cg-watch-fixture.h"

START_TEST(test_parent_comes_late_and_again) {
        ck_assert_int_eq(pl_cg_watch_parent(watch, "/a.slice/a-b.slice/"), 0);
        run(5000);
        dir_make("a.slice");
        run(5000);
        dir_make("a.slice/a-b.slice");
        dir_make("a.slice/a-b.slice/docker-" OTHER ".scope"); /* before the loop ran */
        run(5000);
        ck_assert_uint_eq(heard.n_appeared, 1);
        ck_assert_str_eq(heard.appeared[0], OTHER);
        ck_assert_str_eq(heard.parents[0], "a.slice/a-b.slice");
        ck_assert(heard.made[0]); /* no older than its parent, which was seen to be made */

        dir_remove("a.slice/a-b.slice/docker-" OTHER ".scope");
        dir_remove("a.slice/a-b.slice");
        dir_remove("a.slice");
        run(5000);
        ck_assert_uint_eq(heard.n_gone, 1);
        ck_assert_uint_eq(count_watches(), 1); /* the mount itself */

        /* all at once */
        dir_make("a.slice");
        dir_make("a.slice/a-b.slice");
        dir_make("a.slice/a-b.slice/" CG_HOST_ID);
        run(5000);
        ck_assert_uint_eq(heard.n_appeared, 2);
        ck_assert_str_eq(heard.appeared[1], CG_HOST_ID);
        /* one at a time */
        dir_make("a.slice/a-b.slice/" OTHER);
        run(5000);
        ck_assert_uint_eq(heard.n_appeared, 3);
        ck_assert_uint_eq(count_watches(), 3);
}
END_TEST

START_TEST(test_forgets_parents) {
        ck_assert_int_eq(pl_cg_watch_parent(watch, "a/b"), 0);
        ck_assert_int_eq(pl_cg_watch_parent(watch, "a/b/c/"), 0);
        ck_assert_int_eq(pl_cg_watch_parent(watch, "a/d"), 0);
        dir_make("a");
        dir_make("a/b");
        dir_make("a/b/c");
        dir_make("a/d");
        run(5000);
        ck_assert_uint_eq(count_watches(), 5);
        pl_cg_watch_forget_parent(watch, "/a/b/c");
        pl_cg_watch_forget_parent(watch, "no/such");
        ck_assert_uint_eq(count_watches(), 4);
        dir_make("a/b/c/" OTHER);
        dir_make("a/b/" OTHER);
        run(5000);
        ck_assert_uint_eq(heard.n_appeared, 1);
        ck_assert_str_eq(heard.parents[0], "a/b");
        pl_cg_watch_forget_parent(watch, "a/b");
        pl_cg_watch_forget_parent(watch, "a/d");
        ck_assert_uint_eq(count_watches(), 1); /* the mount */
}
END_TEST

START_TEST(test_mount_as_parent) {
        ck_assert_int_eq(pl_cg_watch_parent(watch, ""), 0);
        run(5000);
        dir_make(OTHER);
        dir_make("not-a-container");
        run(5000);
        ck_assert_uint_eq(heard.n_appeared, 1);
        ck_assert_str_eq(heard.parents[0], "");
}
END_TEST

/* Parents that nobody has named: there already, made later, deeper, gone and back. */
START_TEST(test_discovers_parents) {
        dir_make("old");
        dir_make("old/dbus.service");
        dir_make("old/" OTHER);
        dir_make("old/" OTHER "/docker"); /* the containers of a container are not ours */
        ck_assert_int_eq(pl_cg_watch_parent(watch, "docker"), 0);
        ck_assert_int_eq(pl_cg_watch_discover(watch), 0);
        ck_assert_uint_eq(heard.n_appeared, 0);
        run(5000);
        ck_assert_uint_eq(heard.n_appeared, 1);
        ck_assert_str_eq(heard.appeared[0], OTHER);
        ck_assert_str_eq(heard.parents[0], "old");
        ck_assert(!heard.made[0]);
        ck_assert_uint_eq(count_watches(), 2); /* the mount, and "old" */

        dir_make("a.slice"); /* all at once, before the loop has run */
        dir_make("a.slice/a-b.slice");
        dir_make("a.slice/a-b.slice/a-b-c.slice");
        dir_make("a.slice/a-b.slice/a-b-c.slice/too-deep");
        dir_make("a.slice/a-b.slice/a-b-c.slice/docker-" CG_HOST_ID ".scope");
        run(5000);
        ck_assert_uint_eq(heard.n_appeared, 2);
        ck_assert_str_eq(heard.appeared[1], CG_HOST_ID);
        ck_assert_str_eq(heard.parents[1], "a.slice/a-b.slice/a-b-c.slice");
        ck_assert(heard.made[1]);
        ck_assert_uint_eq(count_watches(), 5);

        dir_remove("a.slice/a-b.slice/a-b-c.slice/docker-" CG_HOST_ID ".scope");
        dir_remove("a.slice/a-b.slice/a-b-c.slice/too-deep");
        dir_remove("a.slice/a-b.slice/a-b-c.slice");
        run(5000);
        ck_assert_uint_eq(heard.n_gone, 1);
        ck_assert_uint_eq(count_watches(), 4);

        /* named later: a parent like any other */
        ck_assert_int_eq(pl_cg_watch_parent(watch, "/a.slice/a-b.slice"), 0);
        dir_remove("a.slice/a-b.slice");
        dir_remove("a.slice");
        run(5000);
        dir_make("a.slice");
        run(5000);
        dir_make("a.slice/a-b.slice");
        run(5000);
        dir_make("a.slice/a-b.slice/" CG_HOST_ID);
        run(5000);
        ck_assert_uint_eq(heard.n_appeared, 3);
        ck_assert_str_eq(heard.parents[2], "a.slice/a-b.slice");

        dir_make(CG_HOST_ID); /* --cgroup-parent=/ */
        run(5000);
        ck_assert_uint_eq(heard.n_appeared, 4);
        ck_assert_str_eq(heard.parents[3], "");
}
END_TEST

/* However many there are, they cost a bounded number of watches; who went makes room. */
START_TEST(test_discovers_only_so_many) {
        char name[16];
        size_t most;

        ck_assert_int_eq(pl_cg_watch_discover(watch), 0);
        for (unsigned i = 0; i < 1000; i++) {
                (void)snprintf(name, sizeof(name), "job-%u", i);
                dir_make(name);
        }
        run(20000);
        most = count_watches();
        ck_assert_uint_lt(most, 500);
        for (unsigned i = 0; i < 1000; i++) {
                (void)snprintf(name, sizeof(name), "job-%u", i);
                dir_remove(name);
        }
        run(20000);
        ck_assert_uint_eq(count_watches(), 1);
        dir_make("late");
        dir_make("late/" OTHER);
        run(5000);
        ck_assert_uint_eq(heard.n_appeared, 1);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("parents");

        tcase_add_checked_fixture(t, setup_plain, teardown_plain);
        tcase_set_timeout(t, 60);
        tcase_add_test(t, test_parent_comes_late_and_again);
        tcase_add_test(t, test_forgets_parents);
        tcase_add_test(t, test_mount_as_parent);
        tcase_add_test(t, test_discovers_parents);
        tcase_add_test(t, test_discovers_only_so_many);
        return run_case(t);
}
