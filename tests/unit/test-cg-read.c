/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader: groups made of plain files, as v1 and v2 kernels write them. A directory per
 * controller on v1, one for all on v2. The real kernel has its turn in test-cg-apply.
 */
#include <errno.h>
#include <fcntl.h>

#include "cgroup/read.h"
#include "limit-rows.h"
#include "tmp.h"

#define ALL  ((UINT32_C(1) << _PL_RESOURCE_N) - 1)
#define NONE PL_UNLIMITED

static PlCgroupMounts mounts;
static PlCgroup group;

static const char *const dirs[_PL_CONTROLLER_N] = { "cpu",  "memory", "cpuset",
                                                    "pids", "io",     "cpuacct" };

static void setup(void) {
        tmp_make("/tmp");
        for (PlController c = 0; c < _PL_CONTROLLER_N; c++)
                group.dir_fd[c] = -EBADF;
}

static void use_dir(PlController c, PlHierarchy h, const char *dir) {
        char path[128];

        (void)snprintf(path, sizeof(path), "%s/%s", tmp, dir);
        (void)mkdir(path, 0755);
        mounts.hierarchy[c] = h;
        group.dir_fd[c] = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        ck_assert_int_ge(group.dir_fd[c], 0);
}

static void use(PlHierarchy h) {
        for (PlController c = 0; c < _PL_CONTROLLER_N; c++)
                use_dir(c, h, h == PL_HIERARCHY_V1 ? dirs[c] : "all");
}

typedef struct FileRow {
        const char *file, *content;
} FileRow;

static const FileRow v1_files[] = {
        { "memory/cgroup.procs", "" },
        { "cpu/cgroup.procs", "" },
        { "cpuset/cgroup.procs", "" },
        { "pids/cgroup.procs", "" },
        { "io/cgroup.procs", "" },
        { "cpuacct/cgroup.procs", "" },
        { "memory/memory.limit_in_bytes", "67108864\n" },
        { "memory/memory.memsw.limit_in_bytes", "100663296\n" },
        { "memory/memory.soft_limit_in_bytes", "9223372036854771712\n" },
        { "memory/memory.usage_in_bytes", "5000000\n" },
        { "memory/memory.max_usage_in_bytes", "6000000\n" },
        { "memory/memory.memsw.usage_in_bytes", "5500000\n" },
        { "memory/memory.stat", "cache 1\nrss 1\ninactive_file 2\ntotal_cache 30\ntotal_rss 20\n"
                                "total_rss_huge 9\ntotal_inactive_file 4096\n" },
        { "memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n" },
        { "cpu/cpu.cfs_quota_us", "25000\n" },
        { "cpu/cpu.cfs_period_us", "50000\n" },
        { "cpu/cpu.shares", "2048\n" },
        { "cpu/cpu.stat", "nr_periods 3\nnr_throttled 1\nthrottled_time 9000000\n" },
        { "cpuacct/cpuacct.usage", "123456789\n" },
        { "cpuacct/cpuacct.usage_user", "2000\n" },
        { "cpuacct/cpuacct.usage_sys", "1000\n" },
        { "cpuset/cpuset.cpus", "0-1\n" },
        { "pids/pids.max", "max\n" },
        { "pids/pids.current", "7\n" },
        { "io/blkio.throttle.read_bps_device", "8:0 1000\n" },
        { "io/blkio.throttle.write_bps_device", "" },
        { "io/blkio.throttle.io_service_bytes_recursive",
          "8:0 Read 4096\n8:0 Write 512\n8:0 Sync 0\n8:0 Total 4608\n"
          "259:3 Read 0\n259:3 Write 1\nTotal 4609\n" },
        {},
};

static const FileRow v2_files[] = {
        { "all/cgroup.procs", "" },
        { "all/memory.max", "67108864\n" },
        { "all/memory.swap.max", "0\n" },
        { "all/memory.high", "max\n" },
        { "all/memory.low", "0\n" },
        { "all/memory.min", "0\n" },
        { "all/memory.current", "5000000\n" },
        { "all/memory.peak", "6000000\n" },
        { "all/memory.swap.current", "500000\n" },
        { "all/memory.stat", "anon 20\nfile 30\ninactive_anon 7\ninactive_file 4096\n" },
        { "all/memory.events", "low 0\nhigh 9\nmax 8\noom 5\noom_kill 3\noom_group_kill 0\n" },
        { "all/memory.pressure", "some avg10=1.00 avg60=0.00 avg300=0.00 total=4321\n"
                                 "full avg10=0.50 avg60=0.00 avg300=0.00 total=1234\n" },
        { "all/cpu.max", "25000 50000\n" },
        { "all/cpu.weight", "200\n" },
        { "all/cpu.stat", "usage_usec 123456\nuser_usec 2\nsystem_usec 1\nnr_periods 3\n"
                          "nr_throttled 1\nthrottled_usec 9000\n" },
        { "all/cpu.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=11\n" },
        { "all/io.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=31\n"
                             "full avg10=0.00 avg60=0.00 avg300=0.00 total=32\n" },
        { "all/io.stat", "7:0 \n8:0 rbytes=4096 wbytes=512 rios=1 wios=1 dbytes=0 dios=0\n"
                         "259:3 rbytes=0 wbytes=1 rios=0 wios=1 dbytes=0 dios=0\n" },
        { "all/cpuset.cpus", "\n" },
        { "all/pids.max", "99\n" },
        { "all/pids.current", "7\n" },
        { "all/io.weight", "default 150\n8:0 200\n" },
        { "all/io.max", "8:0 rbps=1000 wbps=max riops=max wiops=max\n" },
        {},
};

/* A group as it usually is. */
static void use_usual(PlHierarchy h) {
        use(h);
        for (const FileRow *f = h == PL_HIERARCHY_V1 ? v1_files : v2_files; f->file; f++)
                tmp_put(f->file, f->content);
}

static void check(const PlReading *r, const char *expected) {
        _cleanup_(pl_limits_deinit) PlLimits l = limits_of(expected);

        for (PlResource i = 0; i < _PL_RESOURCE_N; i++) {
                _cleanup_free_ char *got = NULL;

                if (!l.v[i].set)
                        continue;
                ck_assert_int_eq(pl_value_to_string(i, &r->in_force.v[i], &got), 0);
                ck_assert_msg(r->supported & (UINT32_C(1) << i), "%s is missing",
                              pl_resource_info(i)->name);
                ck_assert_msg(pl_value_equal(&r->in_force.v[i], &l.v[i]), "%s: %s",
                              pl_resource_info(i)->name, got);
        }
}

START_TEST(test_v1) {
        PlReading r;

        use_usual(PL_HIERARCHY_V1);
        ck_assert_int_eq(pl_cg_read(&mounts, &group, ALL, &r), 0);
        check(&r, "MemoryMax=64M, MemorySwapMax=32M, MemoryLow=infinity, CPUQuota=50%, "
                  "CPUWeight=200, TasksMax=infinity, AllowedCPUs=0-1, IOReadBandwidthMax=8:0 1000, "
                  "IOWriteBandwidthMax=");
        ck_assert_uint_eq(r.memsw_bytes, MIB(96));
        ck_assert_uint_eq(r.cpu_period_usec, 50000);
        ck_assert(!(r.supported & (BIT(MEMORY_MIN) | BIT(MEMORY_HIGH) | BIT(IO_WEIGHT))));
        ck_assert(!r.has_reclaim);
        pl_reading_deinit(&r);
}
END_TEST

START_TEST(test_v2) {
        PlReading r;

        use_usual(PL_HIERARCHY_V2);
        ck_assert_int_eq(pl_cg_read(&mounts, &group, ALL, &r), 0);
        ck_assert_uint_eq(r.supported, ALL);
        check(&r, "MemoryMax=64M, MemorySwapMax=0, MemoryHigh=infinity, CPUQuota=50%, "
                  "IOWeight=150, AllowedCPUs=, IOReadBandwidthMax=8:0 1000, IOWriteBandwidthMax=");
        ck_assert_uint_eq(r.cpu_period_usec, 50000);
        ck_assert_uint_eq(r.memory_current_bytes, 5000000);
        ck_assert(!r.has_reclaim);
        ck_assert(!r.cpus_of_parent);
        pl_reading_deinit(&r);

        /* a list that restricts nothing: the parent's */
        tmp_put("cpuset.cpus.effective", "0-1\n");
        tmp_put("all/cpuset.cpus", "0\n");
        ck_assert_int_eq(pl_cg_read(&mounts, &group, BIT(ALLOWED_CPUS), &r), 0);
        ck_assert(!r.cpus_of_parent);
        pl_reading_deinit(&r);
        tmp_put("all/cpuset.cpus", "0-1\n");
        ck_assert_int_eq(pl_cg_read(&mounts, &group, BIT(ALLOWED_CPUS), &r), 0);
        ck_assert(r.cpus_of_parent);
        pl_reading_deinit(&r);

        tmp_put("all/memory.reclaim", "");
        ck_assert_int_eq(pl_cg_read(&mounts, &group, BIT(MEMORY_MAX), &r), 0);
        ck_assert(r.has_reclaim);
        ck_assert_uint_eq(r.supported, BIT(MEMORY_MAX));
        pl_reading_deinit(&r);
}
END_TEST

/* What the planner needs beside what was asked for. */
START_TEST(test_companions) {
        PlReading r;

        use_usual(PL_HIERARCHY_V1);
        ck_assert_int_eq(pl_cg_read(&mounts, &group, BIT(MEMORY_MAX), &r), 0);
        ck_assert_uint_eq(r.supported, BIT(MEMORY_MAX) | BIT(MEMORY_SWAP_MAX));
        ck_assert_uint_eq(r.memsw_bytes, MIB(96));
        pl_reading_deinit(&r);
}
END_TEST

/* A read-back touches what was written; on v1 the swap limit follows from both files. */
START_TEST(test_read_back) {
        PlReading r;

        use_usual(PL_HIERARCHY_V1);
        ck_assert_int_eq(pl_cg_read(&mounts, &group, ALL, &r), 0);
        tmp_put("memory/memory.limit_in_bytes", "33554432\n");
        tmp_put("memory/memory.memsw.limit_in_bytes", "50331648\n");
        tmp_put("pids/pids.max", "3\n");
        ck_assert_int_eq(pl_cg_read_back(&mounts, &group, BIT(MEMORY_MAX), &r), 0);
        check(&r, "MemoryMax=32M, MemorySwapMax=64M, TasksMax=infinity");
        ck_assert_int_eq(pl_cg_read_back(&mounts, &group, BIT(MEMORY_SWAP_MAX), &r), 0);
        check(&r, "MemorySwapMax=16M, AllowedCPUs=0-1");
        ck_assert_uint_eq(r.memsw_bytes, MIB(48));
        pl_reading_deinit(&r);
}
END_TEST

START_TEST(test_refresh) {
        PlReading r;

        use_usual(PL_HIERARCHY_V2);
        ck_assert_int_eq(pl_cg_read(&mounts, &group, ALL, &r), 0);
        tmp_put("all/memory.current", "7000000\n");
        tmp_put("all/memory.max", "7\n");
        pl_cg_refresh(&mounts, &group, &r);
        ck_assert_uint_eq(r.memory_current_bytes, 7000000);
        check(&r, "MemoryMax=64M");
        tmp_put("all/memory.current", "broken\n");
        pl_cg_refresh(&mounts, &group, &r);
        ck_assert_uint_eq(r.memory_current_bytes, NONE);
        pl_reading_deinit(&r);
}
END_TEST

START_TEST(test_v2_high_only_without_reclaim) {
        PlReading r;

        use_usual(PL_HIERARCHY_V2);
        ck_assert_int_eq(pl_cg_read(&mounts, &group, BIT(MEMORY_MAX), &r), 0);
        ck_assert_uint_eq(r.supported, BIT(MEMORY_MAX) | BIT(MEMORY_HIGH));
        pl_reading_deinit(&r);
}
END_TEST

START_TEST(test_missing_and_gone) {
        PlUsage usage;
        PlReading r;

        use(PL_HIERARCHY_V2);
        tmp_put("all/cgroup.procs", "");
        tmp_put("all/pids.max", "9\n");
        ck_assert_int_eq(pl_cg_read(&mounts, &group, ALL, &r), 0);
        ck_assert_uint_eq(r.supported, BIT(TASKS_MAX));
        ck_assert_uint_eq(r.memory_current_bytes, NONE);
        pl_reading_deinit(&r);
        ck_assert_int_eq(pl_cg_read_usage(&mounts, &group, &usage), 0);
        ck_assert_uint_eq(usage.memory_bytes, NONE);

        tmp_remove();
        ck_assert_int_eq(pl_cg_read(&mounts, &group, BIT(TASKS_MAX), &r), -ENODEV);
        ck_assert_int_eq(pl_cg_read_usage(&mounts, &group, &usage), -ENODEV);
}
END_TEST

static const struct {
        const char *file, *content;
} broken[] = {
        { "all/memory.max", "lots\n" },     { "all/memory.max", "" },
        { "all/cpu.max", "1 2 3\n" },       { "all/cpu.max", "-5 100000\n" },
        { "all/pids.max", "0x10\n" },       { "all/io.max", "8:0\n" },
        { "all/cpuset.cpus", "0-\n" },      { "all/io.weight", "\n" },
        { "all/memory.swap.max", "1 1\n" },
};

START_TEST(test_broken) {
        PlReading r;

        use_usual(PL_HIERARCHY_V2);
        tmp_put(broken[_i].file, broken[_i].content);
        ck_assert_msg(pl_cg_read(&mounts, &group, ALL, &r) == -EBADMSG, "%s: %s", broken[_i].file,
                      broken[_i].content);
}
END_TEST

START_TEST(test_usage) {
        PlUsage u;

        use_usual((PlHierarchy)_i);
        ck_assert_int_eq(pl_cg_read_usage(&mounts, &group, &u), 0);
        ck_assert_uint_eq(u.anon_bytes, 20);
        ck_assert_uint_eq(u.file_bytes, 30);
        ck_assert_uint_eq(u.periods, 3);
        ck_assert_uint_eq(u.memory_bytes, 5000000);
        ck_assert_uint_eq(u.memory_peak_bytes, 6000000);
        ck_assert_uint_eq(u.inactive_file_bytes, 4096);
        ck_assert_uint_eq(u.swap_bytes, 500000);
        ck_assert_uint_eq(u.cpu_usec, 123456);
        ck_assert_uint_eq(u.throttled_usec, 9000);
        ck_assert_uint_eq(u.throttled_periods, 1);
        ck_assert_uint_eq(u.high_events, _i == PL_HIERARCHY_V2 ? 9 : NONE);
        ck_assert_uint_eq(u.max_events, _i == PL_HIERARCHY_V2 ? 8 : NONE);
        ck_assert_uint_eq(u.memory_wait_usec, _i == PL_HIERARCHY_V2 ? 4321 : NONE);
        ck_assert_uint_eq(u.pids, 7);
        ck_assert_uint_eq(u.oom_kills, 3);
}
END_TEST

/* Memory on v2, the rest on v1, no cpuacct at all. */
/* What has flowed; the two versions tell the same, but for who waited. */
START_TEST(test_flow) {
        PlFlow f;

        use_usual(_i);
        pl_cg_read_flow(&mounts, &group, &f);
        ck_assert_uint_eq(f.user_usec, 2);
        ck_assert_uint_eq(f.system_usec, 1);
        ck_assert_uint_eq(f.n_disks, 2);
        ck_assert_uint_eq(f.disks[0].major, 8);
        ck_assert_uint_eq(f.disks[0].minor, 0);
        ck_assert_uint_eq(f.disks[0].read_bytes, 4096);
        ck_assert_uint_eq(f.disks[0].written_bytes, 512);
        ck_assert_uint_eq(f.disks[1].major, 259);
        ck_assert_uint_eq(f.disks[1].written_bytes, 1);
        for (int i = 0; i < 3; i++) {
                static const uint64_t some[] = { 11, 4321, 31 }, full[] = { NONE, 1234, 32 };
                bool v2 = _i == PL_HIERARCHY_V2;

                ck_assert_uint_eq(f.waited[i].some_usec, v2 ? some[i] : NONE);
                ck_assert_uint_eq(f.waited[i].full_usec, v2 ? full[i] : NONE);
        }
}
END_TEST

START_TEST(test_flow_of_many_disks) {
        char lines[4096];
        size_t n = 0;
        PlFlow f;

        use_usual(PL_HIERARCHY_V2);
        for (unsigned i = 0; i < PL_FLOW_DISKS_MAX + 9; i++)
                n += (size_t)snprintf(lines + n, sizeof(lines) - n, "7:%u rbytes=1 wbytes=2\n", i);
        tmp_put("all/io.stat", lines);
        pl_cg_read_flow(&mounts, &group, &f);
        ck_assert_uint_eq(f.n_disks, PL_FLOW_DISKS_MAX);
}
END_TEST

/* Nothing there: nothing is known. */
START_TEST(test_flow_of_nothing) {
        PlFlow f;

        use(_i);
        pl_cg_read_flow(&mounts, &group, &f);
        ck_assert_uint_eq(f.n_disks, 0);
        ck_assert_uint_eq(f.user_usec, NONE);
        ck_assert_uint_eq(f.waited[1].some_usec, NONE);
}
END_TEST

START_TEST(test_usage_hybrid) {
        PlUsage u;

        use_dir(PL_CONTROLLER_CPU, PL_HIERARCHY_V1, "cpu");
        use_dir(PL_CONTROLLER_MEMORY, PL_HIERARCHY_V2, "all");
        tmp_put("all/cgroup.procs", "");
        tmp_put("all/memory.current", "5\n");
        tmp_put("cpu/cpu.stat", "throttled_time 2000\n");
        ck_assert_int_eq(pl_cg_read_usage(&mounts, &group, &u), 0);
        ck_assert_uint_eq(u.memory_bytes, 5);
        ck_assert_uint_eq(u.cpu_usec, NONE);
        ck_assert_uint_eq(u.throttled_usec, 2);
        ck_assert_uint_eq(u.pids, NONE);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("cg-read");

        tcase_add_checked_fixture(t, setup, tmp_remove);
        tcase_add_test(t, test_v1);
        tcase_add_test(t, test_v2);
        tcase_add_test(t, test_companions);
        tcase_add_test(t, test_read_back);
        tcase_add_test(t, test_refresh);
        tcase_add_test(t, test_v2_high_only_without_reclaim);
        tcase_add_test(t, test_missing_and_gone);
        tcase_add_loop_test(t, test_broken, 0, PL_ARRAY_SIZE(broken));
        tcase_add_loop_test(t, test_usage, 0, _PL_HIERARCHY_N);
        tcase_add_loop_test(t, test_flow, 0, _PL_HIERARCHY_N);
        tcase_add_test(t, test_flow_of_many_disks);
        tcase_add_loop_test(t, test_flow_of_nothing, 0, _PL_HIERARCHY_N);
        tcase_add_test(t, test_usage_hybrid);
        return run_case(t);
}
