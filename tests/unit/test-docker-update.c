/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine's rules of POST /containers/{id}/update, one row each: what is told, what is not
 * because the engine agrees, and what it cannot take.
 */

#include "pl-docker.h"
#include "unit.h"

#define CPU(n)  .v[PL_RESOURCE_CPU_QUOTA] = { .set = true, .number = (n) }
#define MEM(n)  .v[PL_RESOURCE_MEMORY_MAX] = { .set = true, .number = (n) }
#define SWAP(n) .v[PL_RESOURCE_MEMORY_SWAP_MAX] = { .set = true, .number = (n) }
#define LOW(n)  .v[PL_RESOURCE_MEMORY_LOW] = { .set = true, .number = (n) }
#define HIGH(n) .v[PL_RESOURCE_MEMORY_HIGH] = { .set = true, .number = (n) }
#define TASK(n) .v[PL_RESOURCE_TASKS_MAX] = { .set = true, .number = (n) }
#define WGHT(n) .v[PL_RESOURCE_CPU_WEIGHT] = { .set = true, .number = (n) }
#define IOW(n)  .v[PL_RESOURCE_IO_WEIGHT] = { .set = true, .number = (n) }
#define CPUS(t) .v[PL_RESOURCE_ALLOWED_CPUS] = { .set = true, .text = (char *)(t) }
#define BIT(r)  (UINT32_C(1) << PL_RESOURCE_##r)
#define M(n)    INT64_C(n) * 1048576

static const struct {
        const char *name;
        PlLimits want;
        PlHostConfig have;
        const char *body;
        uint32_t not ;
        PlDockerHost host;
} rows[] = {
        { "nothing wanted", {}, { .memory = M(64) }, NULL },
        /* memory */
        { "memory, none before: swap stays unlimited",
          { MEM(M(64)) },
          {},
          "{\"Memory\":67108864,\"MemorySwap\":-1}" },
        { "memory, swap limited before: its amount stays",
          { MEM(M(64)) },
          { .memory = M(32), .memory_swap = M(48) },
          "{\"Memory\":67108864,\"MemorySwap\":83886080}" },
        { "memory, no swap before",
          { MEM(M(64)) },
          { .memory = M(32), .memory_swap = M(32) },
          "{\"Memory\":67108864,\"MemorySwap\":67108864}" },
        { "memory lowered, swap unlimited",
          { MEM(M(16)) },
          { .memory = M(32), .memory_swap = -1 },
          "{\"Memory\":16777216,\"MemorySwap\":-1}" },
        { "memory agrees", { MEM(M(64)) }, { .memory = M(64), .memory_swap = M(128) }, NULL },
        { "memory agrees, no swap accounting", { MEM(M(64)) }, { .memory = M(64) }, NULL },
        { "memory and swap",
          { MEM(M(64)), SWAP(M(16)) },
          {},
          "{\"Memory\":67108864,\"MemorySwap\":83886080}" },
        { "no swap at all",
          { MEM(M(64)), SWAP(0) },
          { .memory = M(64), .memory_swap = -1 },
          "{\"Memory\":67108864,\"MemorySwap\":67108864}" },
        { "memory and swap agree",
          { MEM(M(64)), SWAP(M(16)) },
          { .memory = M(64), .memory_swap = M(80) },
          NULL },
        { "swap alone goes with the memory that is",
          { SWAP(M(16)) },
          { .memory = M(64), .memory_swap = M(128) },
          "{\"Memory\":67108864,\"MemorySwap\":83886080}" },
        { "swap alone without memory", { SWAP(M(16)) }, {}, NULL, BIT(MEMORY_SWAP_MAX) },
        { "unlimited swap without memory", { SWAP(PL_UNLIMITED) }, {}, NULL },
        { "unlimited swap",
          { MEM(M(64)), SWAP(PL_UNLIMITED) },
          { .memory = M(64), .memory_swap = M(64) },
          "{\"Memory\":67108864,\"MemorySwap\":-1}" },
        { "swap overflows",
          { MEM(M(64)), SWAP(INT64_MAX) },
          { .memory = M(64), .memory_swap = -1 },
          NULL },
        { "memory cannot be removed",
          { MEM(PL_UNLIMITED) },
          { .memory = M(64), .memory_swap = -1 },
          NULL,
          BIT(MEMORY_MAX) },
        { "no memory limit wanted, none there", { MEM(PL_UNLIMITED) }, {}, NULL },
        { "below the engine's minimum", { MEM(M(4)) }, {}, NULL, BIT(MEMORY_MAX) },
        { "at the engine's minimum", { MEM(M(6)) }, {}, "{\"Memory\":6291456,\"MemorySwap\":-1}" },
        /* reservation */
        { "low", { LOW(M(32)) }, {}, "{\"MemoryReservation\":33554432}" },
        { "low agrees", { LOW(M(32)) }, { .memory_reservation = M(32) }, NULL },
        { "low above memory",
          { LOW(M(32)) },
          { .memory = M(16), .memory_swap = -1 },
          NULL,
          BIT(MEMORY_LOW) },
        { "low above the new memory",
          { MEM(M(16)), LOW(M(32)) },
          {},
          "{\"Memory\":16777216,\"MemorySwap\":-1}",
          BIT(MEMORY_LOW) },
        { "low cannot be removed",
          { LOW(0) },
          { .memory_reservation = M(32) },
          NULL,
          BIT(MEMORY_LOW) },
        { "no low, none there", { LOW(0) }, {}, NULL },
        { "all memory protected", { LOW(PL_UNLIMITED) }, {}, NULL, BIT(MEMORY_LOW) },
        /* CPU */
        { "quota", { CPU(500000) }, {}, "{\"NanoCpus\":500000000}" },
        { "quota agrees", { CPU(500000) }, { .nano_cpus = 500000000 }, NULL },
        { "quota changes NanoCpus",
          { CPU(2000000) },
          { .nano_cpus = 500000000 },
          "{\"NanoCpus\":2000000000}" },
        { "quota after CpuQuota",
          { CPU(1500000) },
          { .cpu_quota = 50000 },
          "{\"CpuQuota\":150000}" },
        { "quota after CpuPeriod",
          { CPU(500000) },
          { .cpu_period = 20000 },
          "{\"CpuQuota\":10000}" },
        { "CpuQuota agrees", { CPU(500000) }, { .cpu_quota = 25000, .cpu_period = 50000 }, NULL },
        { "a period of the policy's own",
          { CPU(500000) },
          {},
          "{\"CpuPeriod\":50000,\"CpuQuota\":25000}",
          0,
          { .quota_period_usec = 50000 } },
        { "a period of the policy's own agrees",
          { CPU(500000) },
          { .cpu_quota = 25000, .cpu_period = 50000 },
          NULL,
          0,
          { .quota_period_usec = 50000 } },
        { "another period, another quota",
          { CPU(500000) },
          { .cpu_quota = 50000, .cpu_period = 100000 },
          "{\"CpuPeriod\":50000,\"CpuQuota\":25000}",
          0,
          { .quota_period_usec = 50000 } },
        { "NanoCpus stay NanoCpus, whatever the period",
          { CPU(500000) },
          { .nano_cpus = 1000000000 },
          "{\"NanoCpus\":500000000}",
          0,
          { .quota_period_usec = 50000 } },
        { "NanoCpus after CpuQuota was lifted",
          { CPU(500000) },
          { .cpu_quota = -1 },
          "{\"NanoCpus\":500000000}" },
        { "CpuQuota lifted", { CPU(PL_UNLIMITED) }, { .cpu_quota = 50000 }, "{\"CpuQuota\":-1}" },
        { "NanoCpus cannot be lifted",
          { CPU(PL_UNLIMITED) },
          { .nano_cpus = 500000000 },
          NULL,
          BIT(CPU_QUOTA) },
        { "no quota wanted, none there", { CPU(PL_UNLIMITED) }, {}, NULL },
        { "quota too small", { CPU(5000) }, {}, NULL, BIT(CPU_QUOTA) },
        { "more CPUs than there are",
          { CPU(3000000), MEM(M(64)) },
          {},
          "{\"Memory\":67108864,\"MemorySwap\":-1}",
          BIT(CPU_QUOTA),
          { .n_cpus = 2 } },
        { "more CPUs by CpuQuota is fine",
          { CPU(3000000) },
          { .cpu_quota = 50000 },
          "{\"CpuQuota\":300000}",
          0,
          { .n_cpus = 2 } },
        { "all CPUs", { CPU(2000000) }, {}, "{\"NanoCpus\":2000000000}", 0, { .n_cpus = 2 } },
        { "weight on v1", { WGHT(50) }, {}, "{\"CpuShares\":512}" },
        { "weight on v1 agrees", { WGHT(100) }, { .cpu_shares = 1024 }, NULL },
        { "weight on v2 as runc will read it",
          { WGHT(100) },
          {},
          "{\"CpuShares\":2598}",
          0,
          { .hierarchy = PL_HIERARCHY_V2 } },
        { "largest weight",
          { WGHT(10000) },
          {},
          "{\"CpuShares\":262144}",
          0,
          { .hierarchy = PL_HIERARCHY_V2 } },
        { "cpuset", { CPUS("0-1") }, {}, "{\"CpusetCpus\":\"0-1\"}" },
        { "cpuset agrees in other words", { CPUS("0-1") }, { .cpuset_cpus = (char *)"0,1" }, NULL },
        { "cpuset cannot be removed",
          { CPUS("") },
          { .cpuset_cpus = (char *)"0" },
          NULL,
          BIT(ALLOWED_CPUS) },
        /* others */
        { "tasks", { TASK(100) }, {}, "{\"PidsLimit\":100}" },
        { "tasks agree", { TASK(100) }, { .pids_limit = 100 }, NULL },
        { "tasks lifted", { TASK(PL_UNLIMITED) }, { .pids_limit = 100 }, "{\"PidsLimit\":-1}" },
        { "tasks unlimited already", { TASK(PL_UNLIMITED) }, { .pids_limit = -1 }, NULL },
        { "tasks never told", { TASK(PL_UNLIMITED) }, {}, NULL },
        { "0 tasks would lift the limit", { TASK(0) }, { .pids_limit = 10 }, NULL, BIT(TASKS_MAX) },
        { "IO weight on v1", { IOW(100) }, {}, "{\"BlkioWeight\":500}" },
        { "IO weight on v2",
          { IOW(10000) },
          {},
          "{\"BlkioWeight\":1000}",
          0,
          { .hierarchy = PL_HIERARCHY_V2 } },
        { "memory.high is nobody's",
          { HIGH(M(64)), TASK(7) },
          {},
          "{\"PidsLimit\":7}",
          BIT(MEMORY_HIGH) },
        { "several",
          { CPU(500000), MEM(M(64)), SWAP(0), TASK(64) },
          {},
          "{\"Memory\":67108864,\"MemorySwap\":67108864,\"NanoCpus\":500000000,\"PidsLimit\":64}" },
};

START_TEST(test_update) {
        const __typeof__(rows[0]) *t = &rows[_i];
        _cleanup_free_ char *body = NULL;
        uint32_t not = ~0u;

        ck_assert_int_eq(pl_docker_format_update(&t->want, &t->have, &t->host, &body, &not ), 0);
        ck_assert_msg(pl_streq_null(body, t->body), "%s: %s", t->name, body);
        ck_assert_msg(not == t->not, "%s: not %#x", t->name, not );
}
END_TEST

/* Weights survive the way to the engine and, through runc, back into the kernel. */
START_TEST(test_weights) {
        for (PlHierarchy h = 0; h < _PL_HIERARCHY_N; h++)
                for (uint64_t w = 1; w <= 10000; w++) {
                        uint64_t shares = pl_docker_weight_to_shares(w, h);

                        ck_assert(shares >= 2 && shares <= 262144);
                        if (shares > 10) /* v1 is coarse at the bottom */
                                ck_assert_msg(pl_docker_shares_to_weight(shares, h) == w,
                                              "%" PRIu64 " by %" PRIu64, w, shares);
                }
        ck_assert_uint_eq(pl_docker_blkio_to_weight(500, PL_HIERARCHY_V1), 100);
        ck_assert_uint_eq(pl_docker_blkio_to_weight(10, PL_HIERARCHY_V2), 1);
        ck_assert_uint_eq(pl_docker_blkio_to_weight(1000, PL_HIERARCHY_V2), 10000);
}
END_TEST

int main(void) {
        TCase *c = tcase_create("update");

        tcase_add_loop_test(c, test_update, 0, PL_ARRAY_SIZE(rows));
        tcase_add_test(c, test_weights);
        return run_case(c);
}
