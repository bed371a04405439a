/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine's rules of POST /containers/{id}/update, one row each: what is told, what is not
 * because the engine agrees, and what it cannot take.
 */

#include "lib/docker/update.h"
#include "lib/limits/resource.h"

#include "limit-rows.h"

#define M(n)      INT64_C(n) * 1048576
#define NONE      PL_ENGINE_NO_LIMIT_BYTES
#define PODMAN    &podman
#define SAYS_NONE "9223372036854771712"

static const PlEngineTraits podman = { .podman = true, .forgets_restart_policy = true };

static const struct {
        const char *name, *want, *body;
        PlHostConfig have;
        uint32_t untold, later;
        PlDockerHost host;
} rows[] = {
        { "nothing wanted", "", NULL, .have = { .memory = M(64) } },
        /* memory */
        { "memory, none before: swap stays unlimited", "MemoryMax=64M",
          "{\"Memory\":67108864,\"MemorySwap\":-1}" },
        { "memory, swap limited before: its amount stays", "MemoryMax=64M",
          "{\"Memory\":67108864,\"MemorySwap\":83886080}",
          .have = { .memory = M(32), .memory_swap = M(48) } },
        { "memory, no swap before", "MemoryMax=64M",
          "{\"Memory\":67108864,\"MemorySwap\":67108864}",
          .have = { .memory = M(32), .memory_swap = M(32) } },
        { "memory lowered, swap unlimited", "MemoryMax=16M",
          "{\"Memory\":16777216,\"MemorySwap\":-1}",
          .have = { .memory = M(32), .memory_swap = -1 } },
        { "memory agrees", "MemoryMax=64M", NULL,
          .have = { .memory = M(64), .memory_swap = M(128) } },
        { "memory agrees, no swap accounting", "MemoryMax=64M", NULL, .have = { .memory = M(64) } },
        { "memory and swap", "MemoryMax=64M, MemorySwapMax=16M",
          "{\"Memory\":67108864,\"MemorySwap\":83886080}" },
        { "no swap at all", "MemoryMax=64M, MemorySwapMax=0",
          "{\"Memory\":67108864,\"MemorySwap\":67108864}",
          .have = { .memory = M(64), .memory_swap = -1 } },
        { "memory and swap agree", "MemoryMax=64M, MemorySwapMax=16M", NULL,
          .have = { .memory = M(64), .memory_swap = M(80) } },
        { "swap alone goes with the memory that is", "MemorySwapMax=16M",
          "{\"Memory\":67108864,\"MemorySwap\":83886080}",
          .have = { .memory = M(64), .memory_swap = M(128) } },
        { "swap alone without memory", "MemorySwapMax=16M", NULL, .untold = BIT(MEMORY_SWAP_MAX) },
        { "unlimited swap without memory", "MemorySwapMax=infinity", NULL },
        { "unlimited swap", "MemoryMax=64M, MemorySwapMax=infinity",
          "{\"Memory\":67108864,\"MemorySwap\":-1}",
          .have = { .memory = M(64), .memory_swap = M(64) } },
        { "swap overflows", "MemoryMax=64M, MemorySwapMax=9223372036854775807", NULL,
          .have = { .memory = M(64), .memory_swap = -1 } },
        { "memory is removed by the largest number", "MemoryMax=infinity",
          "{\"Memory\":" SAYS_NONE ",\"MemorySwap\":" SAYS_NONE "}",
          .have = { .memory = M(64), .memory_swap = -1 } },
        { "… and swap along with it", "MemoryMax=infinity, MemorySwapMax=infinity",
          "{\"Memory\":" SAYS_NONE ",\"MemorySwap\":" SAYS_NONE "}",
          .have = { .memory = M(64), .memory_swap = M(64) } },
        { "… on v2 equal ones would forbid swap", "MemoryMax=infinity",
          "{\"Memory\":" SAYS_NONE ",\"MemorySwap\":-1}",
          .have = { .memory = M(64), .memory_swap = M(64) },
          .host = { .memory = PL_HIERARCHY_V2 } },
        { "… and is gone", "MemoryMax=infinity, MemorySwapMax=infinity", NULL,
          .have = { .memory = NONE, .memory_swap = NONE } },
        { "… and is gone on v2", "MemoryMax=infinity", NULL,
          .have = { .memory = NONE, .memory_swap = -1 }, .host = { .memory = PL_HIERARCHY_V2 } },
        { "swap alone takes no memory limit again that is gone", "MemorySwapMax=16M", NULL,
          .have = { .memory = NONE, .memory_swap = NONE }, .untold = BIT(MEMORY_SWAP_MAX) },
        { "memory after it was gone: swap stays unlimited", "MemoryMax=64M",
          "{\"Memory\":67108864,\"MemorySwap\":-1}",
          .have = { .memory = NONE, .memory_swap = NONE } },
        { "a container's own memory and sum, given back", "MemoryMax=100M, MemorySwapMax=50M",
          "{\"Memory\":104857600,\"MemorySwap\":157286400}",
          .have = { .memory = M(80), .memory_swap = M(80) } },
        { "no memory limit wanted, none there", "MemoryMax=infinity", NULL },
        { "below the engine's minimum", "MemoryMax=4M", NULL, .untold = BIT(MEMORY_MAX) },
        { "at the engine's minimum", "MemoryMax=6M", "{\"Memory\":6291456,\"MemorySwap\":-1}" },
        /* reservation */
        { "low", "MemoryLow=32M", "{\"MemoryReservation\":33554432}" },
        { "low agrees", "MemoryLow=32M", NULL, .have = { .memory_reservation = M(32) } },
        { "low above memory, which is not in the request", "MemoryLow=32M",
          "{\"MemoryReservation\":33554432}", .have = { .memory = M(16), .memory_swap = -1 } },
        { "low above the new memory: with the next request", "MemoryMax=16M, MemoryLow=32M",
          "{\"Memory\":16777216,\"MemorySwap\":-1}", .later = BIT(MEMORY_LOW) },
        { "low above memory: what Podman compares was not tried", "MemoryLow=32M", NULL,
          .have = { .memory = M(16), .memory_swap = -1 }, .untold = BIT(MEMORY_LOW),
          .host = { .engine = PODMAN } },
        { "low is removed on v1", "MemoryLow=infinity", "{\"MemoryReservation\":-1}",
          .have = { .memory_reservation = M(32), .memory = M(64), .memory_swap = -1 } },
        { "… and is gone", "MemoryLow=infinity", NULL, .have = { .memory_reservation = -1 } },
        { "… as the largest number, too", "MemoryLow=infinity", NULL,
          .have = { .memory_reservation = NONE } },
        { "low on v2: the least is left", "MemoryLow=0", "{\"MemoryReservation\":6291456}",
          .have = { .memory_reservation = M(32) }, .untold = BIT(MEMORY_LOW),
          .host = { .memory = PL_HIERARCHY_V2 } },
        { "… and stays", "MemoryLow=0", NULL, .have = { .memory_reservation = M(6) },
          .untold = BIT(MEMORY_LOW), .host = { .memory = PL_HIERARCHY_V2 } },
        { "no low on v2, none there", "MemoryLow=0", NULL, .host = { .memory = PL_HIERARCHY_V2 } },
        { "a soft limit of 0 on v1", "MemoryLow=0", NULL, .have = { .memory_reservation = M(32) },
          .untold = BIT(MEMORY_LOW) },
        { "no low, none there", "MemoryLow=0", NULL },
        { "all memory protected", "MemoryLow=infinity", NULL, .untold = BIT(MEMORY_LOW),
          .host = { .memory = PL_HIERARCHY_V2 } },
        /* CPU */
        { "quota", "CPUQuota=50%", "{\"NanoCpus\":500000000}" },
        { "quota agrees", "CPUQuota=50%", NULL, .have = { .nano_cpus = 500000000 } },
        { "quota changes NanoCpus", "CPUQuota=200%", "{\"NanoCpus\":2000000000}",
          .have = { .nano_cpus = 500000000 } },
        { "quota after CpuQuota", "CPUQuota=150%", "{\"CpuQuota\":150000}",
          .have = { .cpu_quota = 50000 } },
        { "quota after CpuPeriod, which goes along", "CPUQuota=50%",
          "{\"CpuQuota\":10000,\"CpuPeriod\":20000}", .have = { .cpu_period = 20000 } },
        { "… and it stays when the quota goes", "CPUQuota=infinity",
          "{\"CpuQuota\":-1,\"CpuPeriod\":20000}",
          .have = { .cpu_quota = 10000, .cpu_period = 20000 },
          .host = { .hierarchy = PL_HIERARCHY_V2 } },
        { "CpuQuota agrees", "CPUQuota=50%", NULL,
          .have = { .cpu_quota = 25000, .cpu_period = 50000 } },
        { "CpuQuota after it was lifted: it would win over NanoCpus at the next start",
          "CPUQuota=50%", "{\"CpuQuota\":50000}", .have = { .cpu_quota = -1 } },
        { "… which it does where both are", "CPUQuota=50%", NULL,
          .have = { .cpu_quota = -1, .nano_cpus = 1000000000 }, .untold = BIT(CPU_QUOTA) },
        { "CpuQuota lifted", "CPUQuota=infinity", "{\"CpuQuota\":-1}",
          .have = { .cpu_quota = 50000 } },
        { "NanoCpus cannot be lifted", "CPUQuota=infinity", NULL,
          .have = { .nano_cpus = 500000000 }, .untold = BIT(CPU_QUOTA) },
        { "… but to all CPUs", "CPUQuota=infinity", "{\"NanoCpus\":2000000000}",
          .have = { .nano_cpus = 500000000 }, .untold = BIT(CPU_QUOTA), .host = { .n_cpus = 2 } },
        { "… where they stay", "CPUQuota=infinity", NULL, .have = { .nano_cpus = 2000000000 },
          .untold = BIT(CPU_QUOTA), .host = { .n_cpus = 2 } },
        { "Podman forgets NanoCpus", "CPUQuota=50%",
          "{\"CpuQuota\":50000,\"RestartPolicy\":{\"Name\":\"no\",\"MaximumRetryCount\":0}}",
          .host = { .engine = PODMAN } },
        { "… which follow from the quota", "CPUQuota=50%", NULL,
          .have = { .nano_cpus = 500000000, .cpu_quota = 50000, .cpu_period = 100000 },
          .host = { .engine = PODMAN } },
        { "… and lifts it", "CPUQuota=infinity",
          "{\"CpuQuota\":-1,\"RestartPolicy\":{\"Name\":\"no\",\"MaximumRetryCount\":0}}",
          .have = { .nano_cpus = 500000000, .cpu_quota = 50000, .cpu_period = 100000 },
          .host = { .engine = PODMAN } },
        { "no quota wanted, none there", "CPUQuota=infinity", NULL },
        { "quota too small", "CPUQuota=0.5%", NULL, .untold = BIT(CPU_QUOTA) },
        { "more CPUs than there are", "CPUQuota=300%, MemoryMax=64M",
          "{\"Memory\":67108864,\"MemorySwap\":-1}", .untold = BIT(CPU_QUOTA),
          .host = { .n_cpus = 2 } },
        { "more CPUs by CpuQuota is fine", "CPUQuota=300%", "{\"CpuQuota\":300000}",
          .have = { .cpu_quota = 50000 }, .host = { .n_cpus = 2 } },
        { "removed, and a group above allows less than all CPUs", "CPUQuota=infinity",
          "{\"NanoCpus\":600000000}", .have = { .nano_cpus = 500000000 }, .untold = BIT(CPU_QUOTA),
          .host = { .n_cpus = 2, .quota_max_usec = 600000 } },
        { "removed, and a group above allows more than all CPUs", "CPUQuota=infinity",
          "{\"NanoCpus\":2000000000}", .have = { .nano_cpus = 500000000 }, .untold = BIT(CPU_QUOTA),
          .host = { .n_cpus = 2, .quota_max_usec = 3000000 } },
        { "more than a group above allows", "CPUQuota=100%, TasksMax=9", "{\"PidsLimit\":9}",
          .untold = BIT(CPU_QUOTA), .host = { .n_cpus = 2, .quota_max_usec = 600000 } },
        { "a quota above what a group above allows", "CPUQuota=100%", NULL,
          .have = { .cpu_quota = 20000 }, .untold = BIT(CPU_QUOTA),
          .host = { .n_cpus = 2, .quota_max_usec = 600000 } },
        { "all CPUs", "CPUQuota=200%", "{\"NanoCpus\":2000000000}", .host = { .n_cpus = 2 } },
        { "weight on v1", "CPUWeight=50", "{\"CpuShares\":512}" },
        { "weight on v1 agrees", "CPUWeight=100", NULL, .have = { .cpu_shares = 1024 } },
        { "weight on v2 as runc will read it", "CPUWeight=100", "{\"CpuShares\":2598}",
          .host = { .hierarchy = PL_HIERARCHY_V2 } },
        { "largest weight", "CPUWeight=10000", "{\"CpuShares\":262144}",
          .host = { .hierarchy = PL_HIERARCHY_V2 } },
        { "cpuset", "AllowedCPUs=0-1", "{\"CpusetCpus\":\"0-1\"}" },
        { "cpuset agrees in other words", "AllowedCPUs=0-1", NULL,
          .have = { .cpuset_cpus = (char *)"0,1" } },
        { "cpuset cannot be removed", "AllowedCPUs=", NULL, .have = { .cpuset_cpus = (char *)"0" },
          .untold = BIT(ALLOWED_CPUS) },
        /* others */
        { "tasks", "TasksMax=100", "{\"PidsLimit\":100}" },
        { "tasks agree", "TasksMax=100", NULL, .have = { .pids_limit = 100 } },
        { "tasks lifted", "TasksMax=infinity", "{\"PidsLimit\":-1}",
          .have = { .pids_limit = 100 } },
        { "tasks unlimited already", "TasksMax=infinity", NULL, .have = { .pids_limit = -1 } },
        { "tasks never told", "TasksMax=infinity", NULL },
        { "0 tasks would lift the limit", "TasksMax=0", NULL, .have = { .pids_limit = 10 },
          .untold = BIT(TASKS_MAX) },
        { "IO weight on v1, as runc writes it", "IOWeight=100", "{\"BlkioWeight\":100}" },
        { "IO weight on v1 below the engine's least", "IOWeight=5", NULL,
          .untold = BIT(IO_WEIGHT) },
        { "IO weight on v2", "IOWeight=10000", "{\"BlkioWeight\":1000}",
          .host = { .hierarchy = PL_HIERARCHY_V2 } },
        { "IO weight between the engine's steps", "IOWeight=77, TasksMax=7", "{\"PidsLimit\":7}",
          .host = { .hierarchy = PL_HIERARCHY_V2 }, .untold = BIT(IO_WEIGHT) },
        { "everybody's IO weight, where the engine kept none", "IOWeight=100", NULL,
          .host = { .hierarchy = PL_HIERARCHY_V2 } },
        { "… and where it keeps one: the nearest", "IOWeight=100", "{\"BlkioWeight\":20}",
          .have = { .blkio_weight = 300 }, .host = { .hierarchy = PL_HIERARCHY_V2 },
          .untold = BIT(IO_WEIGHT) },
        { "IO weight on one of them", "IOWeight=102", "{\"BlkioWeight\":20}",
          .host = { .hierarchy = PL_HIERARCHY_V2 } },
        { "memory.high is nobody's", "MemoryHigh=64M, TasksMax=7", "{\"PidsLimit\":7}",
          .untold = BIT(MEMORY_HIGH) },
        { "Podman hears its restart policy again", "TasksMax=7",
          "{\"PidsLimit\":7,\"RestartPolicy\":{\"Name\":\"always\",\"MaximumRetryCount\":0}}",
          .have = { .restart_policy = (char[]){ "always" } }, .host = { .engine = PODMAN } },
        { "… and how often it tries", "TasksMax=7",
          "{\"PidsLimit\":7,\"RestartPolicy\":{\"Name\":\"on-failure\",\"MaximumRetryCount\":3}}",
          .have = { .restart_policy = (char[]){ "on-failure" }, .restart_tries = 3 },
          .host = { .engine = PODMAN } },
        { "… or that it has none", "TasksMax=7",
          "{\"PidsLimit\":7,\"RestartPolicy\":{\"Name\":\"no\",\"MaximumRetryCount\":0}}",
          .host = { .engine = PODMAN } },
        { "… but not when there is nothing to say", "TasksMax=7", NULL,
          .have = { .pids_limit = 7, .restart_policy = (char[]){ "always" } },
          .host = { .engine = PODMAN } },
        { "several", "CPUQuota=50%, MemoryMax=64M, MemorySwapMax=0, TasksMax=64",
          "{\"Memory\":67108864,\"MemorySwap\":67108864,\"NanoCpus\":500000000,\"PidsLimit\":64}" },
};

START_TEST(test_update) {
        const __typeof__(rows[0]) *t = &rows[_i];
        _cleanup_(pl_limits_deinit) PlLimits want = limits_of(t->want);
        _cleanup_free_ char *body = NULL;
        uint32_t untold = ~0u;

        ck_assert_int_eq(pl_docker_format_update(&want, &t->have, &t->host, &body, &untold), 0);
        ck_assert_msg(pl_streq_null(body, t->body), "%s: %s", t->name, body);
        ck_assert_msg(untold == t->untold, "%s: not %#x", t->name, untold);
}
END_TEST

/* What the engine shows afterwards is what it was told, and nothing is left to tell. */
START_TEST(test_updated) {
        const __typeof__(rows[0]) *t = &rows[_i];
        _cleanup_(pl_limits_deinit) PlLimits want = limits_of(t->want), after = { 0 };
        const PlContainer c = { .host = t->have };
        _cleanup_free_ char *body = NULL;
        uint64_t period_usec = 0;
        uint32_t untold;

        ck_assert_int_eq(pl_docker_format_update(&want, &t->have, &t->host, &body, &untold), 0);
        if (!body)
                return;
        ck_assert_int_eq(pl_docker_updated(&c, body, t->host.hierarchy, &after, &period_usec), 0);
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                if (want.v[r].set && want.v[r].number != PL_UNLIMITED &&
                    pl_resource_info(r)->engine & PL_ENGINE_TOLD &&
                    !((untold | t->later) & (1U << r)) &&
                    pl_resource_info(r)->kind != PL_KIND_WEIGHT &&
                    pl_resource_info(r)->kind != PL_KIND_CPU_TIME)
                        ck_assert_msg(pl_value_equal(&want.v[r], &after.v[r]), "%s: %s", t->name,
                                      pl_resource_info(r)->name);
        ck_assert_int_eq(pl_docker_updated(&c, "Memory", t->host.hierarchy, &after, &period_usec),
                         -EBADMSG);
}
END_TEST

/* CpuShares that the engine is told for a weight. */
static uint64_t told_shares(uint64_t weight, PlHierarchy h) {
        const PlDockerHost host = { .hierarchy = h };
        const PlHostConfig have = { 0 };
        PlLimits want = { 0 };
        _cleanup_free_ char *body = NULL;
        uint64_t shares = 0;
        uint32_t untold;

        want.v[PL_RESOURCE_CPU_WEIGHT] = (PlValue){ .set = true, .number = weight };
        ck_assert_int_eq(pl_docker_format_update(&want, &have, &host, &body, &untold), 0);
        ck_assert_msg(body && sscanf(body, "{\"CpuShares\":%" SCNu64 "}", &shares) == 1, "%s",
                      body);
        return shares;
}

static uint64_t weight_of(PlContainer c, PlResource r, PlHierarchy h) {
        PlLimits l;
        uint64_t weight;

        ck_assert_int_eq(pl_container_limits(&c, h, &l), 0);
        ck_assert(l.v[r].set);
        weight = l.v[r].number;
        pl_limits_deinit(&l);
        return weight;
}

/* Weights survive the way to the engine and, through runc, back into the kernel. */
START_TEST(test_weights) {
        PlContainer c = { 0 };

        for (PlHierarchy h = 0; h < _PL_HIERARCHY_N; h++)
                for (uint64_t w = 1; w <= 10000; w++) {
                        uint64_t shares = told_shares(w, h);

                        ck_assert(shares >= 2 && shares <= 262144);
                        c.host.cpu_shares = (int64_t)shares;
                        if (shares > 10) /* v1 is coarse at the bottom */
                                ck_assert_msg(weight_of(c, PL_RESOURCE_CPU_WEIGHT, h) == w,
                                              "%" PRIu64 " by %" PRIu64, w, shares);
                }
        c.host.blkio_weight = 100;
        ck_assert_uint_eq(weight_of(c, PL_RESOURCE_IO_WEIGHT, PL_HIERARCHY_V1), 100);
        c.host.blkio_weight = 10;
        ck_assert_uint_eq(weight_of(c, PL_RESOURCE_IO_WEIGHT, PL_HIERARCHY_V2), 1);
        c.host.blkio_weight = 1000;
        ck_assert_uint_eq(weight_of(c, PL_RESOURCE_IO_WEIGHT, PL_HIERARCHY_V2), 10000);
}
END_TEST

static const struct {
        bool podman;
        const char *version, *row;
        bool takes_nano_cpus, forgets_restart_policy;
} engines[] = {
        { false, "20.10.24+dfsg1", "Docker", true, false },
        { false, "28.5.2+dfsg4", "Docker", true, false },
        { false, "29.0.1", "Docker", true, false },
        { false, "library-import", "Docker", true, false },
        { false, NULL, "Docker", true, false },
        { true, "4.3.1", "Podman", false, false },
        { true, "5.8.6", "Podman", false, true },
        { true, "6.1.0", "Podman", false, true },
        { true, "", "Podman", false, true },
};

START_TEST(test_engines) {
        const PlEngineTraits *t = pl_engine_traits(engines[_i].podman, engines[_i].version);

        ck_assert_str_eq(t->name, engines[_i].row);
        ck_assert_int_eq(t->takes_nano_cpus, engines[_i].takes_nano_cpus);
        ck_assert_int_eq(t->forgets_restart_policy, engines[_i].forgets_restart_policy);
}
END_TEST

/* What HostConfig had is told again to the digit, where a weight or a quota would round it. */
START_TEST(test_exact) {
        static const PlHostConfig own[] = {
                { .cpu_shares = 1000 },
                { .cpu_shares = 2 },
                { .cpu_shares = 262144 },
                { .cpu_period = 30000, .cpu_quota = 10001 },
                { .cpu_period = 7001, .cpu_quota = 1009 },
                { .memory = M(100), .memory_swap = M(150), .memory_reservation = M(7) },
                { .memory = M(100), .memory_swap = -1 },
                { .pids_limit = 77, .cpuset_cpus = (char *)"0" },
                { .nano_cpus = 1234567000 },
        };

        for (PlHierarchy h = 0; h < _PL_HIERARCHY_N; h++)
                for (size_t i = 0; i < PL_ARRAY_SIZE(own); i++) {
                        const PlContainer c = { .host = own[i] };
                        const PlDockerHost host = { .hierarchy = h, .memory = h };
                        _cleanup_(pl_limits_deinit) PlLimits l = { 0 };
                        _cleanup_free_ char *body = NULL;
                        uint32_t untold;

                        ck_assert_int_eq(pl_container_limits(&c, h, &l), 0);
                        ck_assert_int_eq(
                                        pl_docker_format_update(&l, &own[i], &host, &body, &untold),
                                        0);
                        ck_assert_msg(!body, "%zu: %s", i, body);
                        ck_assert_uint_eq(untold, 0);
                }
}
END_TEST

int main(void) {
        TCase *c = tcase_create("update");

        tcase_add_loop_test(c, test_engines, 0, PL_ARRAY_SIZE(engines));
        tcase_add_test(c, test_exact);
        tcase_add_loop_test(c, test_update, 0, PL_ARRAY_SIZE(rows));
        tcase_add_loop_test(c, test_updated, 0, PL_ARRAY_SIZE(rows));
        tcase_add_test(c, test_weights);
        return run_case(c);
}
