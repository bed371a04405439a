/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The watcher on the real cgroups of this host, and its edges on plain directories: a group that is
 * a parent, a queue that overflows.
 */
#include "cg-watch-fixture.h"
#include "cgroup/apply.h"

static CgHost host;

static void setup_host(void) {
        cg_host_start(&host);
        start(&host.m);
}

static void teardown_host(void) {
        stop();
        cg_host_stop(&host);
}

static size_t count_mounts(void) {
        size_t n = 0;

        for (PlController c = 0; c < PL_CONTROLLER_CPUACCT; c++)
                n += cg_host_is_first(&host, c);
        return n;
}

START_TEST(test_appears_and_goes) {
        size_t n = count_mounts();

        ck_assert_int_eq(pl_cg_watch_parent(watch, host.parent), 0);
        ck_assert_int_eq(pl_cg_watch_parent(watch, host.parent), 0);
        ck_assert_uint_eq(heard.n_appeared, 0); /* never from inside the call */
        run(20000);
        /* what was there already, once in each hierarchy */
        ck_assert_uint_eq(heard.n_appeared, n);
        ck_assert_str_eq(heard.appeared[0], CG_HOST_ID);
        ck_assert(!heard.made[0]);

        heard.n_appeared = 0;
        ck_assert_int_eq(cg_host_make(&host, OTHER), 0);
        run(20000); /* at once: a change would wait for 100 ms */
        ck_assert_uint_eq(heard.n_appeared, n);
        ck_assert_str_eq(heard.appeared[0], OTHER);
        ck_assert(heard.made[0]);
        ck_assert_str_eq(heard.parents[0], host.parent);

        cg_host_remove(&host, OTHER);
        run(20000);
        ck_assert_uint_eq(heard.n_gone, n);
        ck_assert_uint_eq(heard.n_changed, 0);
}
END_TEST

static void write_tasks_max(const char *value) {
        cg_host_write(&host, PL_CONTROLLER_PIDS, "pids.max", value);
}

START_TEST(test_changes_are_collected) {
        uint64_t begin = now_usec();

        ck_assert_int_eq(pl_cg_watch_add(watch, CG_HOST_ID, host.g), 0);
        ck_assert_int_eq(pl_cg_watch_add(watch, CG_HOST_ID, host.g), 0);
        ck_assert_uint_eq(count_watches(), count_mounts());
        for (int i = 10; i < 30; i++) {
                char value[8];

                (void)snprintf(value, sizeof(value), "%d", i);
                write_tasks_max(value);
        }
        run(300000);
        /* twenty at once are one, and each of what a slow machine tears apart has its 100 ms */
        ck_assert_uint_ge(heard.n_changed, 1);
        ck_assert_uint_le(heard.n_changed, (heard.changed_usec - begin) / 100000);
        ck_assert_uint_eq(heard.changed, BIT(TASKS_MAX));

        heard.n_changed = 1;
        write_tasks_max("9");
        run(300000);
        ck_assert_uint_eq(heard.n_changed, 2);

        /* reading is no change, nor is a file of no interest */
        char buf[256];
        cg_host_read(&host, PL_CONTROLLER_PIDS, "pids.max", buf);
        cg_host_write(&host, PL_CONTROLLER_PIDS, "cgroup.procs", "");
        run(300000);
        ck_assert_uint_eq(heard.n_changed, 2);

        pl_cg_watch_remove(watch, CG_HOST_ID);
        pl_cg_watch_remove(watch, CG_HOST_ID);
        ck_assert_uint_eq(count_watches(), 0);
        write_tasks_max("8");
        run(300000);
        ck_assert_uint_eq(heard.n_changed, 2);
}
END_TEST

/* libcgroup's own writes are heard like anyone's. */
START_TEST(test_hears_every_controller) {
        static const struct {
                PlResource r;
                uint64_t number;
        } writes[] = {
                { PL_RESOURCE_MEMORY_MAX, MIB(64) },
                { PL_RESOURCE_TASKS_MAX, 5 },
                { PL_RESOURCE_CPU_WEIGHT, 50 },
        };

        ck_assert_int_eq(pl_cg_apply_init(), 0);
        ck_assert_int_eq(pl_cg_watch_add(watch, CG_HOST_ID, host.g), 0);
        for (size_t i = 0; i < PL_ARRAY_SIZE(writes); i++) {
                PlStep step = { .kind = PL_STEP_WRITE,
                                .resource = writes[i].r,
                                .value = { .set = true, .number = writes[i].number },
                                .number = writes[i].number };
                int r = pl_cg_apply(&host.m, host.g, &step, 0, false, NULL);

                ck_assert(r == 0 || r == -EOPNOTSUPP);
                if (r == 0)
                        heard.changed |= UINT32_C(1) << 31;
        }
        run(300000);
        ck_assert(heard.changed & BIT(MEMORY_MAX));
        ck_assert(heard.changed & BIT(TASKS_MAX));
        ck_assert(heard.changed & BIT(CPU_WEIGHT));
}
END_TEST

START_TEST(test_removed_from_inside) {
        heard.remove_from = watch;
        ck_assert_int_eq(pl_cg_watch_parent(watch, host.parent), 0);
        ck_assert_int_eq(pl_cg_watch_add(watch, CG_HOST_ID, host.g), 0);
        write_tasks_max("9");
        run(300000);
        ck_assert_uint_eq(heard.n_changed, 1);

        ck_assert_int_eq(pl_cg_watch_add(watch, CG_HOST_ID, host.g), 0);
        write_tasks_max("8");
        cg_host_remove(&host, CG_HOST_ID);
        run(300000);
        ck_assert_uint_eq(heard.n_changed, 1);
        ck_assert_uint_ge(heard.n_gone, 1);
}
END_TEST

/* Removed and made anew, as by a restart: the new group is heard, the old one is let go. */
START_TEST(test_made_anew) {
        size_t n = count_mounts();

        ck_assert_int_eq(pl_cg_watch_add(watch, CG_HOST_ID, host.g), 0);
        cg_host_remove(&host, CG_HOST_ID);
        ck_assert_int_eq(cg_host_make(&host, CG_HOST_ID), 0);
        pl_cgroup_free(host.g);
        host.g = NULL;
        ck_assert_int_eq(pl_cgroup_from_parent(&host.m, host.parent, CG_HOST_ID, &host.g), 0);
        ck_assert_int_eq(pl_cg_watch_add(watch, CG_HOST_ID, host.g), 0);
        ck_assert_uint_eq(count_watches(), n);
        write_tasks_max("9");
        run(300000);
        ck_assert_uint_eq(heard.n_changed, 1);
        ck_assert_uint_eq(heard.changed, BIT(TASKS_MAX));
}
END_TEST

/* A group that is a parent as well: one inode, one watch, two roles. */
START_TEST(test_container_in_container) {
        char path[256];
        PlCgroup g = { .dir_fd = { [0 ... _PL_CONTROLLER_N - 1] = -EBADF } };
        int fd;

        dir_make(CG_HOST_ID);
        (void)snprintf(path, sizeof(path), "%s/" CG_HOST_ID, tmp);
        g.dir_fd[PL_CONTROLLER_PIDS] = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        ck_assert_int_eq(pl_cg_watch_add(watch, CG_HOST_ID, &g), 0);
        ck_assert_int_eq(pl_cg_watch_parent(watch, CG_HOST_ID), 0);
        ck_assert_uint_eq(count_watches(), 2);
        run(5000);

        dir_make(CG_HOST_ID "/" OTHER);
        (void)snprintf(path, sizeof(path), "%s/" CG_HOST_ID "/pids.max", tmp);
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        ck_assert_int_ge(fd, 0);
        (void)close(fd);
        run(300000);
        ck_assert_uint_eq(heard.n_appeared, 1);
        ck_assert_uint_eq(heard.n_changed, 1);

        pl_cg_watch_remove(watch, CG_HOST_ID);
        dir_remove(CG_HOST_ID "/" OTHER);
        run(5000);
        ck_assert_uint_eq(heard.n_gone, 1);
        (void)close(g.dir_fd[PL_CONTROLLER_PIDS]);
}
END_TEST

static size_t queue_max(void) {
        FILE *f = fopen("/proc/sys/fs/inotify/max_queued_events", "re");
        unsigned n = 0;

        ck_assert(f && fscanf(f, "%u", &n) == 1);
        (void)fclose(f);
        return n;
}

/* More than the queue holds: everything may have changed, and what was made meanwhile is found. */
START_TEST(test_overflow) {
        PlCgroup g = { .dir_fd = { [0 ... _PL_CONTROLLER_N - 1] = -EBADF } };
        size_t max = queue_max();
        char path[256];

        if (max > 100000)
                SKIP_HERE("fs.inotify.max_queued_events is too large to fill");
        dir_make("p");
        dir_make("p/" CG_HOST_ID);
        (void)snprintf(path, sizeof(path), "%s/p/" CG_HOST_ID, tmp);
        g.dir_fd[PL_CONTROLLER_MEMORY] = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        ck_assert_int_eq(pl_cg_watch_add(watch, CG_HOST_ID, &g), 0);
        ck_assert_int_eq(pl_cg_watch_parent(watch, "p"), 0);
        run(5000);

        (void)snprintf(path, sizeof(path), "%s/p/x", tmp);
        for (size_t i = 0; i < max / 2 + 10; i++) {
                ck_assert_int_eq(mkdir(path, 0755), 0);
                ck_assert_int_eq(rmdir(path), 0);
        }
        dir_make("p/" OTHER);
        run(400000);
        ck_assert_uint_eq(heard.n_changed, 1);
        ck_assert(heard.changed & BIT(MEMORY_MAX));
        ck_assert_uint_eq(heard.n_appeared, 1);
        ck_assert_str_eq(heard.appeared[0], OTHER);
        (void)close(g.dir_fd[PL_CONTROLLER_MEMORY]);
}
END_TEST

/* Each of the tests on real groups, where there are none. */
START_TEST(not_on_cgroups) {
        SKIP_HERE(cg_host_unusable());
}
END_TEST

int main(void) {
        Suite *s = suite_create("cg-watch");
        TCase *real = tcase_create("cgroups"), *dirs = tcase_create("directories");
        const char *why = cg_host_unusable();

        if (why)
                tcase_add_loop_test(real, not_on_cgroups, 0, 5);
        else {
                tcase_add_checked_fixture(real, setup_host, teardown_host);
                tcase_add_test(real, test_appears_and_goes);
                tcase_add_test(real, test_changes_are_collected);
                tcase_add_test(real, test_hears_every_controller);
                tcase_add_test(real, test_removed_from_inside);
                tcase_add_test(real, test_made_anew);
        }
        suite_add_tcase(s, real);
        tcase_add_checked_fixture(dirs, setup_plain, teardown_plain);
        tcase_set_timeout(dirs, 60);
        tcase_add_test(dirs, test_container_in_container);
        tcase_add_test(dirs, test_overflow);
        suite_add_tcase(s, dirs);
        return why ? run_suite(s) : cg_host_run(s);
}
