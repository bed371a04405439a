/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cg-tool: the kernel part of enforcement by hand, for trying it where no test runs: on a strange
 * kernel, in a virtual machine, beside another manager.
 *
 *   cg-tool read PID ID                 what is in force, and usage
 *   cg-tool apply PID ID [--kill] NAME=VALUE …   plan and write until there is nothing left to do
 *   cg-tool watch PARENT SECONDS [PID ID]        what appears, goes and changes
 *
 * ID is the container's full id; values are written as in a policy ("64M", "150%", "infinity").
 */
#include <errno.h>
#include <time.h>

#include "cgroup/apply.h"
#include "cgroup/device.h"
#include "cgroup/read.h"
#include "cgroup/watch.h"
#include "lib/base/unit.h"

#define ALL ((UINT32_C(1) << _PL_RESOURCE_N) - 1)

static int fail(const char *what, int r) {
        fprintf(stderr, "cg-tool: %s: %s\n", what, strerror(-r));
        return EXIT_FAILURE;
}

static void print_value(PlResource r, const PlValue *v) {
        _cleanup_free_ char *s = NULL;

        (void)pl_value_to_string(r, v, &s);
        printf("%s=%s", pl_resource_info(r)->name, s ?: "?");
}

static void print_usage(const PlCgroupMounts *m, const PlCgroup *g) {
        PlUsage u;

        if (pl_cg_read_usage(m, g, &u) < 0)
                return;
        printf("memory %" PRId64 " peak %" PRId64 " inactive_file %" PRId64 " swap %" PRId64
               " cpu_usec %" PRId64 " throttled_usec %" PRId64 " pids %" PRId64
               " oom_kills %" PRId64 "\n",
               (int64_t)u.memory_bytes, (int64_t)u.memory_peak_bytes,
               (int64_t)u.inactive_file_bytes, (int64_t)u.swap_bytes, (int64_t)u.cpu_usec,
               (int64_t)u.throttled_usec, (int64_t)u.pids, (int64_t)u.oom_kills);
}

static int do_read(const PlCgroupMounts *m, const PlCgroup *g) {
        PlReading have;
        int r;

        r = pl_cg_read(m, g, ALL, &have);
        if (r < 0)
                return fail("read", r);
        printf("%s%s\n", g->relative[PL_CONTROLLER_MEMORY] ?: "(no memory controller)",
               g->scope ? " (a scope of systemd's)" : "");
        for (PlResource i = 0; i < _PL_RESOURCE_N; i++) {
                printf("  v%d ", have.hierarchy[i] == PL_HIERARCHY_V1 ? 1 : 2);
                print_value(i, &have.in_force.v[i]);
                printf("%s\n", have.supported & (UINT32_C(1) << i) ? "" : " (not here)");
        }
        printf("  period %" PRIu64 " us, memory.reclaim: %s\n", have.cpu_period_usec,
               have.has_reclaim ? "yes" : "no");
        print_usage(m, g);
        pl_reading_deinit(&have);
        return EXIT_SUCCESS;
}

static int parse_value(PlResource r, const char *s, PlValue *ret) {
        int e;

        ret->set = true;
        switch (pl_resource_info(r)->kind) {
        case PL_KIND_CPU_TIME:
                if (pl_streq(s, "infinity")) {
                        ret->number = PL_UNLIMITED;
                        return 0;
                }
                e = pl_parse_permyriad(s, &ret->number);
                ret->number *= 100;
                return e;
        case PL_KIND_BYTES:
                return pl_parse_size(s, &ret->number);
        case PL_KIND_WEIGHT:
        case PL_KIND_COUNT:
                if (pl_streq(s, "infinity")) {
                        ret->number = PL_UNLIMITED;
                        return 0;
                }
                return pl_parse_uint64(s, &ret->number);
        case PL_KIND_CPUSET:
                return pl_parse_cpuset(s, &ret->text);
        case PL_KIND_DEVICES: {
                PlValue paths = { .set = true, .text = (char *)s };

                return pl_device_resolve(&paths, ret);
        }
        }
        return -EINVAL;
}

static int parse_wants(char **args, PlLimits *want, PlShrinkMode *shrink) {
        for (; *args; args++) {
                char *equals = strchr(*args, '=');
                PlResource r;

                if (pl_streq(*args, "--kill")) {
                        *shrink = PL_SHRINK_KILL;
                        continue;
                }
                if (!equals)
                        return -EINVAL;
                *equals = '\0';
                r = pl_resource_from_name(*args);
                if (r == _PL_RESOURCE_INVALID || parse_value(r, equals + 1, &want->v[r]) < 0)
                        return -EINVAL;
        }
        return 0;
}

static void execute(const PlCgroupMounts *m, const PlCgroup *g, const PlPlan *plan) {
        static const char *const kinds[] = { "write", "squeeze", "wait", "cannot" };
        int r = 0;

        for (size_t i = 0; i < plan->n_steps; i++) {
                const PlStep *s = &plan->steps[i];
                const char *file = NULL;

                printf("  %-8s", kinds[s->kind]);
                print_value(s->resource, &s->value);
                printf(" (was ");
                print_value(s->resource, &s->before);
                printf(")");
                if (s->kind == PL_STEP_WAIT || s->kind == PL_STEP_CANNOT) {
                        printf(": %s\n", s->why);
                        continue;
                }
                if (s->chained && r < 0) {
                        printf(": skipped\n");
                        continue;
                }
                r = pl_cg_apply(m, g, s, 0, false, &file);
                printf(" -> %s: %s\n", file ?: "?", r < 0 ? strerror(-r) : "ok");
        }
}

static int do_apply(const PlCgroupMounts *m, const PlCgroup *g, char **args) {
        uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
        PlShrinkMode shrink = PL_SHRINK_SAFE;
        PlSqueeze squeeze = {};
        PlLimits want = {};
        uint32_t mask = 0;
        int r;

        if (parse_wants(args, &want, &shrink) < 0) {
                fprintf(stderr, "cg-tool: values are NAME=VALUE, as in a policy\n");
                return EXIT_FAILURE;
        }
        r = pl_cg_apply_init();
        if (r < 0)
                return fail("cgroup_init", r);
        for (PlResource i = 0; i < _PL_RESOURCE_N; i++)
                mask |= want.v[i].set ? UINT32_C(1) << i : 0;
        for (int round = 1;; round++) {
                PlReading have;
                PlPlan plan;
                bool again;

                r = pl_cg_read(m, g, mask, &have);
                if (r < 0)
                        return fail("read", r);
                r = pl_plan_limits(&want, &have, shrink, &squeeze, page, &plan);
                if (r < 0)
                        return fail("plan", r);
                printf("round %d, memory in use %" PRId64 ", %zu steps\n", round,
                       (int64_t)have.memory_current_bytes, plan.n_steps);
                execute(m, g, &plan);
                again = plan.again;
                squeeze = plan.squeeze;
                pl_plan_deinit(&plan);
                pl_reading_deinit(&have);
                if (!again)
                        break;
                (void)usleep(50000);
        }
        pl_limits_deinit(&want);
        return do_read(m, g);
}

static void print_time(void) {
        struct timespec t;

        (void)clock_gettime(CLOCK_REALTIME, &t);
        printf("%02ld.%06ld ", (long)(t.tv_sec % 60), t.tv_nsec / 1000);
}

static void on_appeared(void *userdata, const char *id, const char *parent, PlController c,
                        bool made) {
        print_time();
        printf("appeared %.12s below %s (controller %d)\n", id, parent, (int)c);
}

static void on_changed(void *userdata, const char *id, uint32_t mask) {
        print_time();
        printf("changed  %.12s", id);
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                if (mask & (UINT32_C(1) << r))
                        printf(" %s", pl_resource_info(r)->name);
        printf("\n");
}

static void on_gone(void *userdata, const char *id) {
        print_time();
        printf("gone     %.12s\n", id);
}

static int do_watch(const PlCgroupMounts *m, const char *parent, uint64_t seconds,
                    const PlCgroup *g, const char *id) {
        static const PlCgWatchHandlers handlers = { on_appeared, on_changed, on_gone };
        time_t end = time(NULL) + (time_t)seconds;
        sd_event *event = NULL;
        PlCgWatch *w = NULL;
        int r;

        r = sd_event_new(&event);
        if (r >= 0)
                r = pl_cg_watch_new(event, m, &handlers, NULL, &w);
        if (r >= 0)
                r = pl_cg_watch_parent(w, parent);
        if (r >= 0 && g)
                r = pl_cg_watch_add(w, id, g);
        while (r >= 0 && time(NULL) < end) {
                r = sd_event_run(event, 200 * PL_USEC_PER_MSEC);
                (void)fflush(stdout);
        }
        pl_cg_watch_free(w);
        sd_event_unref(event);
        return r < 0 ? fail("watch", r) : EXIT_SUCCESS;
}

int main(int argc, char **argv) {
        _cleanup_(pl_cg_mounts_deinit) PlCgroupMounts m = {};
        _cleanup_(pl_cgroup_freep) PlCgroup *g = NULL;
        bool watch = argc > 1 && pl_streq(argv[1], "watch");
        char **who = watch ? argv + 4 : argv + 2;
        uint64_t seconds = 0;
        int r;

        if (argc < 4 || (watch && (argc == 5 || pl_parse_uint64(argv[3], &seconds) < 0))) {
                fprintf(stderr, "usage: cg-tool read PID ID | apply PID ID [--kill] NAME=VALUE… |"
                                " watch PARENT SECONDS [PID ID]\n");
                return EXIT_FAILURE;
        }
        r = pl_cg_mounts_load("/proc", &m);
        if (r < 0)
                return fail("mounts", r);
        if (*who) {
                r = pl_cgroup_from_pid(&m, atoi(who[0]), who[1], &g);
                if (r < 0)
                        return fail(who[0], r);
        }
        if (watch)
                return do_watch(&m, argv[2], seconds, g, g ? argv[5] : NULL);
        return pl_streq(argv[1], "read") ? do_read(&m, g) : do_apply(&m, g, argv + 4);
}
