/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-cgroup: what a full reconcile costs in the kernel part (read, plan, write, read back; two
 * values of each container changed), against the floor of any implementation: a loop that opens,
 * writes and closes, then opens, reads and closes the same files. Written directly as at a reload;
 * what libcgroup costs, through which a single container's values go, is shown beside it.
 *
 * Real cgroups below a parent of its own, which is removed at the end. The loop and ours take
 * turns; medians count. Says each figure as "NAME: OURS (FLOOR), ratio R, goal G: met|MISSED"; exit
 * status 1 when a goal is missed, 77 when it cannot run here.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "cgroup/apply.h"
#include "cgroup/read.h"

#define TURNS   7
#define GOAL    3.0
#define GOAL_AT 1000

#define MASK (UINT32_C(1) << PL_RESOURCE_MEMORY_MAX | UINT32_C(1) << PL_RESOURCE_CPU_WEIGHT)

static PlCgroupMounts mounts;
static char parent[64];
static volatile sig_atomic_t interrupted;

static const PlController used[] = { PL_CONTROLLER_MEMORY, PL_CONTROLLER_CPU };

static void on_signal(int signal) {
        interrupted = 1;
}

static double now(void) {
        struct timespec t;

        (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void die(const char *what, int r) {
        fprintf(stderr, "bench-cgroup: %s: %s\n", what, strerror(-r));
        interrupted = 1;
}

static void id_of(size_t i, char ret[static PL_ID_MAX]) {
        (void)snprintf(ret, PL_ID_MAX, "%064zx", i);
}

static void path_of(PlController c, const char *id, const char *file, char ret[static 512]) {
        (void)snprintf(ret, 512, "%s/%s%s%s%s%s", mounts.mount[c], parent, id ? "/" : "", id ?: "",
                       file ? "/" : "", file ?: "");
}

static void hand_down(const char *dir) {
        char path[600];
        int fd;

        (void)snprintf(path, sizeof(path), "%s/cgroup.subtree_control", dir);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd >= 0) {
                if (write(fd, "+memory +cpu", 12) < 0)
                        die(path, -errno);
                (void)close(fd);
        }
}

static void make_groups(const char *id) {
        char path[512];

        for (size_t i = 0; i < PL_ARRAY_SIZE(used); i++) {
                path_of(used[i], id, NULL, path);
                if (mkdir(path, 0755) < 0 && errno != EEXIST)
                        die(path, -errno);
                if (!id && mounts.hierarchy[used[i]] == PL_HIERARCHY_V2) {
                        hand_down(mounts.mount[used[i]]);
                        hand_down(path);
                }
        }
}

static void remove_groups(size_t n) {
        char path[512], id[PL_ID_MAX];

        for (size_t k = 0; k < PL_ARRAY_SIZE(used); k++) {
                for (size_t i = 0; i < n; i++) {
                        id_of(i, id);
                        path_of(used[k], id, NULL, path);
                        (void)rmdir(path);
                }
                path_of(used[k], NULL, NULL, path);
                (void)rmdir(path);
        }
}

static uint64_t memory_of(size_t i, unsigned turn) {
        return MIB(64) + (i % 1000) * 4096 + turn * MIB(1);
}

static uint64_t weight_of(unsigned turn) {
        return 125 + 25 * turn; /* whole steps of cpu.shares */
}

static void floor_write(const char *path, uint64_t number) {
        char text[24];
        int n = snprintf(text, sizeof(text), "%" PRIu64, number);
        int fd = open(path, O_WRONLY | O_CLOEXEC);

        if (fd < 0 || write(fd, text, (size_t)n) != n)
                die(path, -errno);
        (void)close(fd);
}

static void floor_read(const char *path) {
        char text[64];
        int fd = open(path, O_RDONLY | O_CLOEXEC);

        if (fd < 0 || read(fd, text, sizeof(text)) <= 0)
                die(path, -errno);
        (void)close(fd);
}

static const char *file_of(PlResource r) {
        return pl_resource_info(r)->file[mounts.hierarchy[pl_controller_of(r)]];
}

static double run_floor(size_t n, unsigned turn) {
        bool shares = mounts.hierarchy[PL_CONTROLLER_CPU] == PL_HIERARCHY_V1;
        uint64_t weight = shares ? weight_of(turn) * 1024 / 100 : weight_of(turn);
        char memory[512], cpu[512], id[PL_ID_MAX];
        double begin = now();

        for (size_t i = 0; i < n; i++) {
                id_of(i, id);
                path_of(PL_CONTROLLER_MEMORY, id, file_of(PL_RESOURCE_MEMORY_MAX), memory);
                path_of(PL_CONTROLLER_CPU, id, file_of(PL_RESOURCE_CPU_WEIGHT), cpu);
                floor_write(memory, memory_of(i, turn));
                floor_write(cpu, weight);
                floor_read(memory);
                floor_read(cpu);
        }
        return (now() - begin) / (double)n;
}

typedef struct Container {
        PlCgroup *g;
        PlReading have; /* kept between reconciles, as the daemon does */
} Container;

/* One container as the daemon does it. Return: 0, or what was wrong. */
static int reconcile(Container *c, const PlLimits *want, bool anew, bool direct) {
        PlSqueeze squeeze = {};
        PlPlan plan;
        int r = 0;

        if (anew) {
                pl_reading_deinit(&c->have);
                r = pl_cg_read(&mounts, c->g, MASK, &c->have);
        } else
                pl_cg_refresh(&mounts, c->g, &c->have);
        if (r < 0)
                return r;
        r = pl_plan_limits(want, &c->have, PL_SHRINK_SAFE, &squeeze, 4096, &plan);
        if (r < 0)
                return r;
        if (plan.n_steps != 2)
                r = -EPROTO;
        for (size_t i = 0; i < plan.n_steps && r == 0; i++)
                r = pl_cg_apply(&mounts, c->g, &plan.steps[i], 0, direct, NULL);
        pl_plan_deinit(&plan);
        if (r == 0)
                r = pl_cg_read_back(&mounts, c->g, MASK, &c->have);
        return r == 0 && pl_plan_drift(want, &c->have, 4096) != 0 ? -EPROTO : r;
}

static double run_ours(Container *all, size_t n, unsigned turn, bool anew, bool direct) {
        double begin = now();

        for (size_t i = 0; i < n; i++) {
                PlLimits want = {
                        .v[PL_RESOURCE_MEMORY_MAX] = { .set = true, .number = memory_of(i, turn) },
                        .v[PL_RESOURCE_CPU_WEIGHT] = { .set = true, .number = weight_of(turn) },
                };
                int r = reconcile(&all[i], &want, anew, direct);

                if (r < 0) {
                        die("reconcile", r);
                        break;
                }
        }
        return (now() - begin) / (double)n;
}

static int compare(const void *a, const void *b) {
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

static double median(double *figures) {
        qsort(figures, TURNS, sizeof(double), compare);
        return figures[TURNS / 2];
}

/* Return: heap bytes for each container's place. */
static size_t open_all(Container *all, size_t n) {
        size_t before = mallinfo2().uordblks;
        char id[PL_ID_MAX];

        for (size_t i = 0; i < n && !interrupted; i++) {
                int r;

                id_of(i, id);
                r = pl_cgroup_from_parent(&mounts, parent, id, &all[i].g);
                if (r == 0)
                        r = pl_cg_read(&mounts, all[i].g, MASK, &all[i].have);
                if (r < 0)
                        die(id, r);
        }
        return (mallinfo2().uordblks - before) / n;
}

/* Return: was the goal met? */
static bool bench(size_t n, double *ret_ours, double *ret_bare) {
        double bare[TURNS], ours[TURNS], anew[TURNS], single[TURNS], b, o, a, l;
        Container *all = calloc(n, sizeof(*all));
        char id[PL_ID_MAX];
        size_t bytes;

        make_groups(NULL);
        for (size_t i = 0; i < n; i++) {
                id_of(i, id);
                make_groups(id);
        }
        bytes = open_all(all, n);
        for (unsigned turn = 0; turn < TURNS && !interrupted; turn++) {
                ours[turn] = run_ours(all, n, 4 * turn, false, true);
                bare[turn] = run_floor(n, 4 * turn + 1);
                anew[turn] = run_ours(all, n, 4 * turn + 2, true, true);
                single[turn] = run_ours(all, n, 4 * turn + 3, false, false);
        }
        for (size_t i = 0; i < n; i++) {
                pl_reading_deinit(&all[i].have);
                pl_cgroup_free(all[i].g);
        }
        free(all);
        remove_groups(n);
        if (interrupted)
                return false;

        b = median(bare);
        o = median(ours);
        a = median(anew);
        l = median(single);
        printf("reconcile of %zu containers, 2 values each: %.1f us each, %.1f ms in all (bare "
               "loop "
               "%.1f us, %.1f ms), ratio %.2f",
               n, o, o * (double)n / 1e3, b, b * (double)n / 1e3, o / b);
        if (n == GOAL_AT)
                printf(", goal %.1f: %s", GOAL, o <= GOAL * b ? "met" : "MISSED");
        printf("\n  with a reading made anew: %.1f us, ratio %.2f; through libcgroup: %.1f us, "
               "ratio %.2f; heap for a container's group: %zu bytes\n",
               a, a / b, l, l / b, bytes);
        (void)fflush(stdout);
        *ret_ours = o;
        *ret_bare = b;
        return n != GOAL_AT || o <= GOAL * b;
}

int main(int argc, char **argv) {
        static const size_t sizes[] = { 100, 1000, 5000 };
        struct rlimit limit = { 65536, 65536 };
        double first = 0, last = 0, bare_first = 0, bare_last = 0, growth;
        bool met = true;
        int r;

        if (geteuid() != 0 || (r = pl_cg_mounts_load("/proc", &mounts)) < 0 ||
            !mounts.mount[PL_CONTROLLER_MEMORY] || !mounts.mount[PL_CONTROLLER_CPU]) {
                printf("bench-cgroup: skipped: needs root and the memory and cpu controllers\n");
                return 77;
        }
        (void)setrlimit(RLIMIT_NOFILE, &limit);
        (void)signal(SIGINT, on_signal);
        (void)signal(SIGTERM, on_signal);
        (void)snprintf(parent, sizeof(parent), "plimsoll-bench-%d", (int)getpid());
        r = pl_cg_apply_init();
        if (r < 0) {
                die("cgroup_init", r);
                return EXIT_FAILURE;
        }
        for (size_t i = 0; i < PL_ARRAY_SIZE(sizes) && !interrupted; i++) {
                met = bench(sizes[i], &last, &bare_last) && met;
                if (i == 0) {
                        first = last;
                        bare_first = bare_last;
                }
        }
        /* caches that no longer hold it all: what the kernel itself loses by that is not ours */
        growth = 1.5 * PL_MAX(1.0, bare_last / bare_first);
        met = met && last <= growth * first;
        if (!interrupted)
                printf("growth from %zu to %zu containers: %.2f times the cost of each (bare loop "
                       "%.2f), goal %.2f: %s\n",
                       sizes[0], sizes[PL_ARRAY_SIZE(sizes) - 1], last / first,
                       bare_last / bare_first, growth, last <= growth * first ? "met" : "MISSED");
        pl_cg_mounts_deinit(&mounts);
        return interrupted || !met ? EXIT_FAILURE : EXIT_SUCCESS;
}
