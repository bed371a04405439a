/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writer, and planner, writer and reader together, on the kernel of this host. What is in force
 * is read by the test itself, not by the code under test.
 */
#include "cg-host.h"

#include <sys/mman.h>
#include <sys/sysmacros.h>

#include "cgroup/apply.h"

#include "cgroup/device.h"
#include "cgroup/read.h"

#define NUMBER(n) \
        { .set = true, .number = (n) }
#define TEXT(t) \
        { .set = true, .text = (char *)(t) }
#define MEMORY_MASK (UINT32_C(1) << PL_RESOURCE_MEMORY_MAX | UINT32_C(1) << PL_RESOURCE_MEMORY_HIGH)

static CgHost host;
static bool direct; /* by which of the two ways values are written; both must come to the same */

static void setup(void) {
        ck_assert_int_eq(pl_cg_apply_init(), 0);
        ck_assert_int_eq(pl_cg_apply_init(), 0);
        cg_host_start(&host);
}

static void teardown(void) {
        cg_host_stop(&host);
}

static int apply(PlResource r, PlValue v, uint64_t period_usec, const char **file) {
        PlStep step = { .kind = PL_STEP_WRITE, .resource = r, .value = v, .number = v.number };

        return pl_cg_apply(&host.m, host.g, &step, period_usec, direct, file);
}

static const struct {
        const char *name;
        PlResource r;
        PlValue v;
        uint64_t period_usec;
        const char *v1_file, *v1_content, *v2_file, *v2_content; /* NULL: cannot */
} values[] = {
        { "memory", PL_RESOURCE_MEMORY_MAX, NUMBER(MIB(64)), 0, "memory.limit_in_bytes", "67108864",
          "memory.max", "67108864" },
        { "memory, not whole pages", PL_RESOURCE_MEMORY_MAX, NUMBER(10000001), 0,
          "memory.limit_in_bytes", "9998336", "memory.max", "9998336" },
        { "no limit of memory", PL_RESOURCE_MEMORY_MAX, NUMBER(PL_UNLIMITED), 0,
          "memory.limit_in_bytes", "9223372036854771712", "memory.max", "max" },
        { "memory.high", PL_RESOURCE_MEMORY_HIGH, NUMBER(MIB(32)), 0, NULL, NULL, "memory.high",
          "33554432" },
        { "memory.low", PL_RESOURCE_MEMORY_LOW, NUMBER(MIB(16)), 0, "memory.soft_limit_in_bytes",
          "16777216", "memory.low", "16777216" },
        { "memory.min", PL_RESOURCE_MEMORY_MIN, NUMBER(MIB(8)), 0, NULL, NULL, "memory.min",
          "8388608" },
        { "tasks", PL_RESOURCE_TASKS_MAX, NUMBER(77), 0, "pids.max", "77", "pids.max", "77" },
        { "no limit of tasks", PL_RESOURCE_TASKS_MAX, NUMBER(PL_UNLIMITED), 0, "pids.max", "max",
          "pids.max", "max" },
        { "quota, the period that is there", PL_RESOURCE_CPU_QUOTA, NUMBER(1500000), 0,
          "cpu.cfs_quota_us", "150000", "cpu.max", "150000 100000" },
        { "quota, a shorter period", PL_RESOURCE_CPU_QUOTA, NUMBER(1500000), 20000,
          "cpu.cfs_quota_us", "30000", "cpu.max", "30000 20000" },
        { "quota, a longer period", PL_RESOURCE_CPU_QUOTA, NUMBER(500000), 400000,
          "cpu.cfs_quota_us", "200000", "cpu.max", "200000 400000" },
        { "quota, the period itself", PL_RESOURCE_CPU_QUOTA, NUMBER(500000), 400000,
          "cpu.cfs_period_us", "400000", "cpu.max", "200000 400000" },
        { "no quota", PL_RESOURCE_CPU_QUOTA, NUMBER(PL_UNLIMITED), 0, "cpu.cfs_quota_us", "-1",
          "cpu.max", "max 100000" },
        { "weight", PL_RESOURCE_CPU_WEIGHT, NUMBER(200), 0, "cpu.shares", "2048", "cpu.weight",
          "200" },
        { "one CPU", PL_RESOURCE_ALLOWED_CPUS, TEXT("0"), 0, "cpuset.cpus", "0", "cpuset.cpus",
          "0" },
};

START_TEST(test_values) {
        int i = _i / 2;
        PlController c = pl_controller_of(values[i].r);
        bool v1 = host.m.hierarchy[c] == PL_HIERARCHY_V1;
        const char *name = v1 ? values[i].v1_file : values[i].v2_file;
        const char *content = v1 ? values[i].v1_content : values[i].v2_content, *file = NULL;
        char found[256];
        int r;

        direct = _i % 2;
        r = apply(values[i].r, values[i].v, values[i].period_usec, &file);
        if (!name || !cg_host_has(&host, c, name)) {
                ck_assert_msg(r == -EOPNOTSUPP, "%s: %s", values[i].name, strerror(-r));
                SKIP_HERE(values[i].name);
        }
        ck_assert_msg(r == 0, "%s: %s: %s", values[i].name, file ?: "-", strerror(-r));
        cg_host_read(&host, c, name, found);
        ck_assert_msg(pl_streq(found, content), "%s: %s holds %s", values[i].name, name, found);
        ck_assert(file != NULL);
}
END_TEST

START_TEST(test_no_list_of_cpus) {
        char found[256], parent[256];
        int r;

        direct = _i;
        if (!cg_host_has(&host, PL_CONTROLLER_CPUSET, "cpuset.cpus"))
                SKIP_HERE("no cpuset.cpus");
        if (host.m.hierarchy[PL_CONTROLLER_CPUSET] == PL_HIERARCHY_V1)
                cg_host_write(&host, PL_CONTROLLER_CPUSET, "../cpuset.cpus", "0");
        ck_assert_int_eq(apply(PL_RESOURCE_ALLOWED_CPUS, (PlValue)TEXT("0"), 0, NULL), 0);
        r = apply(PL_RESOURCE_ALLOWED_CPUS, (PlValue)TEXT(""), 0, NULL);
        ck_assert_msg(r == 0, "%s", strerror(-r));
        cg_host_read(&host, PL_CONTROLLER_CPUSET, "cpuset.cpus", found);
        cg_host_read(&host, PL_CONTROLLER_CPUSET, "../cpuset.cpus", parent);
        ck_assert_str_eq(found, parent);
}
END_TEST

START_TEST(test_errors_name_the_file) {
        PlStep wait = { .kind = PL_STEP_WAIT, .resource = PL_RESOURCE_MEMORY_MAX };
        const char *file = NULL;
        int r;

        direct = _i;
        ck_assert_int_eq(pl_cg_apply(&host.m, host.g, &wait, 0, direct, NULL), -EINVAL);

        if (cg_host_has(&host, PL_CONTROLLER_CPUSET, "cpuset.cpus")) {
                r = apply(PL_RESOURCE_ALLOWED_CPUS, (PlValue)TEXT("4000"), 0, &file);
                /* which of them depends on the kernel, and on whether it parsed the list first */
                ck_assert_msg(r == -ERANGE || r == -EINVAL || r == -EACCES || r == -ENOSPC, "%s",
                              strerror(-r));
                ck_assert_str_eq(file, "cpuset.cpus");
        }
        r = apply(PL_RESOURCE_TASKS_MAX, (PlValue)NUMBER(UINT64_C(1) << 40), 0, &file);
        ck_assert_int_eq(r, -EINVAL);
        ck_assert_str_eq(file, "pids.max");

        /* the last errno of libcgroup is stale for what has no errno */
        cg_host_remove(&host, CG_HOST_ID);
        r = apply(PL_RESOURCE_TASKS_MAX, (PlValue)NUMBER(9), 0, &file);
        ck_assert_msg(r == -ENODEV, "%s", strerror(-r));
        ck_assert_str_eq(file, "pids.max");
}
END_TEST

START_TEST(test_devices) {
        PlResource r = PL_RESOURCE_IO_WRITE_BANDWIDTH_MAX;
        bool v1 = host.m.hierarchy[PL_CONTROLLER_IO] == PL_HIERARCHY_V1;
        const char *file = pl_resource_info(r)->file[host.m.hierarchy[PL_CONTROLLER_IO]];
        PlValue paths = TEXT("/ 1048576"), none = TEXT(""), want = {};
        PlStep step = { .kind = PL_STEP_WRITE, .resource = r };
        char found[256], line[64];
        PlReading have;
        int e;

        direct = _i;
        e = pl_device_resolve(&paths, &want);
        if (e == -ENODEV || !cg_host_has(&host, PL_CONTROLLER_IO, file))
                SKIP_HERE("the root is on no block device, or the group has no such file");
        ck_assert_msg(e == 0, "%s", strerror(-e));

        step.value = want;
        ck_assert_int_eq(pl_cg_apply(&host.m, host.g, &step, 0, direct, NULL), 0);
        cg_host_read(&host, PL_CONTROLLER_IO, file, found);
        (void)snprintf(line, sizeof(line), "%.*s %s1048576", (int)strcspn(want.text, " "),
                       want.text, v1 ? "" : "rbps=max wbps=");
        ck_assert_msg(pl_startswith(found, line), "%s, not %s", found, line);

        ck_assert_int_eq(pl_cg_read(&host.m, host.g, UINT32_C(1) << r, &have), 0);
        ck_assert(pl_value_equal(&have.in_force.v[r], &want));

        step.value = none;
        step.before = want;
        ck_assert_int_eq(pl_cg_apply(&host.m, host.g, &step, 0, direct, NULL), 0);
        cg_host_read(&host, PL_CONTROLLER_IO, file, found);
        ck_assert_str_eq(found, "");
        pl_reading_deinit(&have);
        pl_value_deinit(&want);
}
END_TEST

START_TEST(test_no_such_device) {
        PlValue proc = TEXT("/proc 1"), null = TEXT("/dev/null 1"),
                nothing = TEXT("/nonexistent/x 1"), want = {};

        ck_assert_int_eq(pl_device_resolve(&proc, &want), -ENOTBLK);
        ck_assert_int_eq(pl_device_resolve(&null, &want), -ENOTBLK);
        ck_assert_int_eq(pl_device_resolve(&nothing, &want), -ENOENT);
        ck_assert(!want.set);
}
END_TEST

/* A disk without a scheduler, then one that has it but uses another, then one that uses it. */
START_TEST(test_schedulers_that_know_weights) {
        static const struct {
                const char *text;
                bool knows;
        } rows[] = { { "[mq-deadline] bfq none", false }, { "mq-deadline [bfq] none", true } };
        char dir[] = "/tmp/plimsoll-sys-XXXXXX", path[64], make[128];

        ck_assert_ptr_nonnull(mkdtemp(dir));
        ck_assert(!pl_device_has_bfq(dir));
        (void)snprintf(make, sizeof(make), "mkdir -p %s/block/sda/queue %s/block/ram0", dir, dir);
        ck_assert_int_eq(system(make), 0);
        (void)snprintf(path, sizeof(path), "%s/block/sda/queue/scheduler", dir);
        for (size_t i = 0; i < PL_ARRAY_SIZE(rows); i++) {
                FILE *f = fopen(path, "we");

                ck_assert_ptr_nonnull(f);
                fputs(rows[i].text, f);
                ck_assert_int_eq(fclose(f), 0);
                ck_assert_int_eq(pl_device_has_bfq(dir), rows[i].knows);
        }
        ck_assert(!pl_device_has_io_cost(NULL));
        ck_assert(!pl_device_has_io_cost(dir));
        (void)snprintf(path, sizeof(path), "rm -r %s", dir);
        ck_assert_int_eq(system(path), 0);
}
END_TEST

/* A process in the group that holds anonymous memory, and page cache of a file that it read. */
static pid_t start_hog(size_t anonymous, size_t cache) {
        PlController c = PL_CONTROLLER_MEMORY;
        char ready, me[16];
        int pipes[2];
        pid_t pid;

        ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
        pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
                char path[] = "/var/tmp/plimsoll-hog-XXXXXX", *block;
                int fd = mkstemp(path);

                (void)unlink(path);
                (void)snprintf(me, sizeof(me), "%d", (int)getpid());
                cg_host_write(&host, c, "cgroup.procs", me);
                block = mmap(NULL, anonymous, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
                for (size_t i = 0; i < cache; i += MIB(1))
                        if (write(fd, block, MIB(1)) != (ssize_t)MIB(1))
                                _exit(1);
                if (fsync(fd) < 0 || mlock(block, anonymous) < 0 || write(pipes[1], "r", 1) != 1)
                        _exit(1);
                for (;;)
                        (void)pause();
        }
        (void)close(pipes[1]);
        ck_assert_int_eq(read(pipes[0], &ready, 1), 1);
        (void)close(pipes[0]);
        return pid;
}

/* Reads, plans and writes until nothing is left to do; without memory.reclaim as on a kernel that
 * has none. Return: the last error, -EBUSY when the plan says to wait. */
static int settle(const PlLimits *want, bool reclaim) {
        PlSqueeze squeeze = {};
        int result = 0;

        for (int round = 0; round < 100; round++) {
                PlReading have;
                PlPlan plan;
                bool again;

                ck_assert_int_eq(pl_cg_read(&host.m, host.g, MEMORY_MASK, &have), 0);
                have.has_reclaim = have.has_reclaim && reclaim;
                ck_assert_int_eq(pl_plan_limits(want, &have, PL_SHRINK_SAFE, &squeeze, 4096, &plan),
                                 0);
                result = 0;
                for (size_t i = 0; i < plan.n_steps; i++)
                        if (plan.steps[i].kind == PL_STEP_WAIT)
                                result = -EBUSY;
                        else if (result == 0)
                                result = pl_cg_apply(&host.m, host.g, &plan.steps[i], 0, direct,
                                                     NULL);
                squeeze = plan.squeeze;
                again = plan.again;
                pl_plan_deinit(&plan);
                pl_reading_deinit(&have);
                if (!again)
                        return result;
                (void)usleep(20000);
        }
        return -ETIMEDOUT;
}

START_TEST(test_shrinking_never_kills) {
        bool v1 = host.m.hierarchy[PL_CONTROLLER_MEMORY] == PL_HIERARCHY_V1;
        const char *file = v1 ? "memory.limit_in_bytes" : "memory.max";
        PlLimits want = { .v[PL_RESOURCE_MEMORY_MAX] = NUMBER(MIB(64)) };
        pid_t pid = start_hog(MIB(32), MIB(128));
        char found[256];
        int r;

        direct = _i;
        /* page cache goes, the process stays */
        r = settle(&want, _i == 0);
        ck_assert_msg(r == 0, "%s", strerror(-r));
        cg_host_read(&host, PL_CONTROLLER_MEMORY, file, found);
        ck_assert_str_eq(found, "67108864");
        ck_assert_int_eq(waitpid(pid, NULL, WNOHANG), 0);

        /* locked memory cannot go: refused, and still nobody dies */
        want.v[PL_RESOURCE_MEMORY_MAX].number = MIB(16);
        r = settle(&want, _i == 0);
        ck_assert_msg(r == -EBUSY, "%s", strerror(-r));
        cg_host_read(&host, PL_CONTROLLER_MEMORY, file, found);
        ck_assert_str_eq(found, "67108864");
        if (!v1) {
                cg_host_read(&host, PL_CONTROLLER_MEMORY, "memory.high", found);
                ck_assert_str_eq(found, "max");
        }
        ck_assert_int_eq(waitpid(pid, NULL, WNOHANG), 0);

        /* it lets go by itself */
        ck_assert_int_eq(kill(pid, SIGKILL), 0);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
        r = settle(&want, _i == 0);
        ck_assert_msg(r == 0, "%s", strerror(-r));
        cg_host_read(&host, PL_CONTROLLER_MEMORY, file, found);
        ck_assert_str_eq(found, "16777216");
}
END_TEST

/* As the kernel makes memory.reclaim: for writing alone, which only CAP_DAC_OVERRIDE gets around.
 */
static int squeeze_unprivileged(int dir_fd) {
        PlCgroupMounts m = host.m;
        PlCgroup g = { .dir_fd[PL_CONTROLLER_MEMORY] = dir_fd };
        PlStep step = { .kind = PL_STEP_SQUEEZE,
                        .resource = PL_RESOURCE_MEMORY_MAX,
                        .number = MIB(1) };

        m.hierarchy[PL_CONTROLLER_MEMORY] = PL_HIERARCHY_V2;
        memcpy(g.relative, host.g->relative, sizeof(g.relative));
        if (setresuid(65534, 65534, 65534) < 0)
                return -errno;
        return pl_cg_apply(&m, &g, &step, 0, direct, NULL);
}

START_TEST(test_a_file_for_writing_alone) {
        char dir[] = "/tmp/plimsoll-reclaim-XXXXXX", found[32] = "";
        int dir_fd, fd, status;
        pid_t pid;

        direct = _i;
        ck_assert_ptr_nonnull(mkdtemp(dir));
        ck_assert_int_eq(chmod(dir, 0755), 0);
        dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        fd = openat(dir_fd, "memory.reclaim", O_CREAT | O_RDWR | O_CLOEXEC, 0200);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(fchown(fd, 65534, 65534), 0);
        pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0)
                _exit(-squeeze_unprivileged(dir_fd));
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_ge(pread(fd, found, sizeof(found) - 1, 0), 0);
        (void)unlinkat(dir_fd, "memory.reclaim", 0);
        (void)rmdir(dir);
        (void)close(fd);
        (void)close(dir_fd);
        ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s",
                      strerror(WEXITSTATUS(status)));
        ck_assert_str_eq(found, "1048576");
}
END_TEST

int main(void) {
        Suite *s = suite_create("cg-apply");
        TCase *t = tcase_create("cg-apply");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_set_timeout(t, 60);
        tcase_add_loop_test(t, test_values, 0, 2 * (int)PL_ARRAY_SIZE(values));
        tcase_add_loop_test(t, test_no_list_of_cpus, 0, 2);
        tcase_add_loop_test(t, test_errors_name_the_file, 0, 2);
        tcase_add_loop_test(t, test_devices, 0, 2);
        tcase_add_test(t, test_no_such_device);
        tcase_add_test(t, test_schedulers_that_know_weights);
        tcase_add_loop_test(t, test_a_file_for_writing_alone, 0, 2);
        tcase_add_loop_test(t, test_shrinking_never_kills, 0, 2);
        suite_add_tcase(s, t);
        return cg_host_run(s);
}
