/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The watcher on the real cgroups of this host, and its edges on plain directories, which inotify
 * treats the same: a parent that comes late, goes and comes back, a queue that overflows.
 */
#include "cg-host.h"

#include <ftw.h>

#include "cg-apply.h"
#include "cg-watch.h"

#define BIT(r) (UINT32_C(1) << PL_RESOURCE_##r)
#define OTHER  "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"

typedef struct Heard {
        char appeared[64][PL_ID_MAX];
        PlController controllers[64];
        char parents[64][64];
        uint64_t appeared_usec;
        size_t n_appeared, n_changed, n_gone;
        uint32_t changed;
        uint64_t changed_usec;
        PlCgWatch *remove_from; /* remove the group from inside the callback */
} Heard;

static CgHost host;
static Heard heard;
static sd_event *event;
static PlCgWatch *watch;
static char tmp[] = "/tmp/plimsoll-cg-watch-XXXXXX";

static uint64_t now_usec(void) {
        struct timespec t;

        ck_assert_int_eq(clock_gettime(CLOCK_MONOTONIC, &t), 0);
        return (uint64_t)t.tv_sec * PL_USEC_PER_SEC + (uint64_t)t.tv_nsec / 1000;
}

static void on_appeared(void *userdata, const char *id, const char *parent, PlController c) {
        Heard *h = userdata;

        if (h->n_appeared == PL_ARRAY_SIZE(h->appeared))
                return;
        (void)snprintf(h->appeared[h->n_appeared], PL_ID_MAX, "%s", id);
        (void)snprintf(h->parents[h->n_appeared], 64, "%s", parent);
        h->controllers[h->n_appeared++] = c;
        h->appeared_usec = now_usec();
}

static void on_changed(void *userdata, const char *id, uint32_t mask) {
        Heard *h = userdata;

        ck_assert_str_eq(id, CG_HOST_ID);
        h->n_changed++;
        h->changed |= mask;
        h->changed_usec = now_usec();
        if (h->remove_from)
                pl_cg_watch_remove(h->remove_from, id);
}

static void on_gone(void *userdata, const char *id) {
        Heard *h = userdata;

        h->n_gone++;
        if (h->remove_from)
                pl_cg_watch_remove(h->remove_from, id);
}

static const PlCgWatchHandlers handlers = { on_appeared, on_changed, on_gone };

/* Runs the loop for a while. */
static void run(uint64_t usec) {
        uint64_t end = now_usec() + usec, now;

        while ((now = now_usec()) < end)
                ck_assert_int_ge(sd_event_run(event, end - now), 0);
}

static void start(const PlCgroupMounts *m) {
        heard = (Heard){};
        ck_assert_int_ge(sd_event_new(&event), 0);
        ck_assert_int_eq(pl_cg_watch_new(event, m, &handlers, &heard, &watch), 0);
}

static void stop(void) {
        watch = pl_cg_watch_free(watch);
        event = sd_event_unref(event);
}

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
        uint64_t begin;

        ck_assert_int_eq(pl_cg_watch_parent(watch, host.parent), 0);
        ck_assert_int_eq(pl_cg_watch_parent(watch, host.parent), 0);
        ck_assert_uint_eq(heard.n_appeared, 0); /* never from inside the call */
        run(20000);
        /* what was there already, once in each hierarchy */
        ck_assert_uint_eq(heard.n_appeared, n);
        ck_assert_str_eq(heard.appeared[0], CG_HOST_ID);

        heard.n_appeared = 0;
        begin = now_usec();
        ck_assert_int_eq(cg_host_make(&host, OTHER), 0);
        run(20000);
        ck_assert_uint_eq(heard.n_appeared, n);
        ck_assert_str_eq(heard.appeared[0], OTHER);
        ck_assert_str_eq(heard.parents[0], host.parent);
        ck_assert_msg(heard.appeared_usec - begin < 100000, "not at once");

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
        ck_assert_uint_eq(pl_cg_watch_count(watch), count_mounts());
        for (int i = 10; i < 30; i++) {
                char value[8];

                (void)snprintf(value, sizeof(value), "%d", i);
                write_tasks_max(value);
        }
        run(50000);
        ck_assert_uint_eq(heard.n_changed, 0);
        run(250000);
        ck_assert_uint_eq(heard.n_changed, 1);
        ck_assert_uint_eq(heard.changed, BIT(TASKS_MAX));
        ck_assert_uint_ge(heard.changed_usec - begin, 100000);

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
        ck_assert_uint_eq(pl_cg_watch_count(watch), 0);
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
                int r = pl_cg_apply(&host.m, host.g, &step, 0, NULL);

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
        ck_assert_uint_eq(pl_cg_watch_count(watch), n);
        write_tasks_max("9");
        run(300000);
        ck_assert_uint_eq(heard.n_changed, 1);
        ck_assert_uint_eq(heard.changed, BIT(TASKS_MAX));
}
END_TEST

/* Plain directories from here on. */
static PlCgroupMounts plain;

static void setup_plain(void) {
        strcpy(tmp + sizeof(tmp) - 7, "XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(tmp));
        plain = (PlCgroupMounts){ .mount[PL_CONTROLLER_MEMORY] = tmp,
                                  .mount[PL_CONTROLLER_PIDS] = tmp,
                                  .hierarchy[PL_CONTROLLER_MEMORY] = PL_HIERARCHY_V2,
                                  .hierarchy[PL_CONTROLLER_PIDS] = PL_HIERARCHY_V2 };
        start(&plain);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        return remove(path);
}

static void teardown_plain(void) {
        stop();
        (void)nftw(tmp, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void dir_make(const char *relative) {
        char path[256];

        (void)snprintf(path, sizeof(path), "%s/%s", tmp, relative);
        ck_assert_msg(mkdir(path, 0755) == 0, "%s", path);
}

static void dir_remove(const char *relative) {
        char path[256];

        (void)snprintf(path, sizeof(path), "%s/%s", tmp, relative);
        ck_assert_msg(rmdir(path) == 0, "%s", path);
}

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

        dir_remove("a.slice/a-b.slice/docker-" OTHER ".scope");
        dir_remove("a.slice/a-b.slice");
        dir_remove("a.slice");
        run(5000);
        ck_assert_uint_eq(heard.n_gone, 1);
        ck_assert_uint_eq(pl_cg_watch_count(watch), 1); /* the mount itself */

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
        ck_assert_uint_eq(pl_cg_watch_count(watch), 3);
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
        ck_assert_uint_eq(pl_cg_watch_count(watch), 2);
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

        if (max > 100000) {
                printf("test_overflow: fs.inotify.max_queued_events is too large to fill\n");
                return;
        }
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

int main(void) {
        Suite *s = suite_create("cg-watch");
        TCase *real = tcase_create("cgroups"), *dirs = tcase_create("directories");
        const char *why = cg_host_unusable();
        SRunner *runner;
        int failed;

        if (why)
                printf("on plain directories only, not on cgroups: %s\n", why);
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
        tcase_add_test(dirs, test_parent_comes_late_and_again);
        tcase_add_test(dirs, test_mount_as_parent);
        tcase_add_test(dirs, test_container_in_container);
        tcase_add_test(dirs, test_overflow);
        suite_add_tcase(s, dirs);
        if (!why)
                return cg_host_run(srunner_create(s));
        runner = srunner_create(s);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
