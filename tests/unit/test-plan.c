/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The planner: tables of single rounds, and random walks against a simulated kernel that kills,
 * refuses and reclaims as the real ones do. A walk must never kill, never be refused by rule, and
 * must come to rest.
 */
#include <errno.h>

#include "pl-plan.h"
#include "unit.h"

#define PAGE      UINT64_C(4096)
#define UNLIMITED PL_UNLIMITED
#define ALL       ((UINT32_C(1) << _PL_RESOURCE_N) - 1)
#define BIT(r)    (UINT32_C(1) << PL_RESOURCE_##r)
#define NUMBER(n) \
        { .set = true, .number = (n) }
#define TEXT(t) \
        { .set = true, .text = (char *)(t) }
#define V1 \
        { [0 ... _PL_RESOURCE_N - 1] = PL_HIERARCHY_V1 }
#define V2 \
        { [0 ... _PL_RESOURCE_N - 1] = PL_HIERARCHY_V2 }

static void show_number(FILE *f, uint64_t n) {
        if (n == PL_UNLIMITED)
                fputs("max", f);
        else if (n % MIB(1) == 0 && n > 0)
                fprintf(f, "%" PRIu64 "M", n / MIB(1));
        else
                fprintf(f, "%" PRIu64, n);
}

/* "write MemoryMax=64M" … joined by ", "; a file's number that differs follows as "(64M)", a
 * chained step is marked by "+". */
static char *show(const PlPlan *p) {
        static const char *const kinds[] = { "write", "squeeze", "wait", "cannot" };
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        for (size_t i = 0; i < p->n_steps; i++) {
                const PlStep *s = &p->steps[i];

                fprintf(f, "%s%s%s %s=", i ? ", " : "", s->chained ? "+" : "", kinds[s->kind],
                        pl_resource_info(s->resource)->name);
                if (pl_resource_is_text(s->resource))
                        fputs(s->value.text, f);
                else
                        show_number(f, s->value.number);
                if (s->kind == PL_STEP_WRITE && s->number != s->value.number) {
                        fputc('(', f);
                        show_number(f, s->number);
                        fputc(')', f);
                }
                ck_assert((s->why != NULL) ==
                          (s->kind == PL_STEP_WAIT || s->kind == PL_STEP_CANNOT));
        }
        if (p->again)
                fputs(" …", f);
        fclose(f);
        return text;
}

static const struct {
        const char *name;
        PlLimits want;
        PlReading have;
        PlShrinkMode shrink;
        PlSqueeze squeeze;
        const char *plan;
} rows[] = {
        { "nothing wanted", .have = { .supported = ALL, .hierarchy = V2 }, .plan = "" },
        { "converged", .want.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(MIB(64)),
          .have = { .in_force.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(MIB(64)),
                    .supported = ALL,
                    .hierarchy = V2,
                    .memory_current_bytes = MIB(60) },
          .plan = "" },
        { "converged but for the page", .want.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(1000000),
          .have = { .in_force.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(999424),
                    .supported = ALL,
                    .hierarchy = V2 },
          .plan = "" },
        { "v2: first limit above usage", .want.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(MIB(64)),
          .have = { .in_force.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(UNLIMITED),
                    .supported = ALL,
                    .hierarchy = V2,
                    .memory_current_bytes = MIB(9) },
          .plan = "write MemoryMax=64M" },
        { "v2: usage exactly at the limit", .want.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(MIB(64)),
          .have = { .in_force.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(UNLIMITED),
                    .supported = ALL,
                    .hierarchy = V2,
                    .memory_current_bytes = MIB(64) },
          .plan = "write MemoryMax=64M" },
        { "v2: below usage, memory.reclaim", .want.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(MIB(64)),
          .have = { .in_force.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(UNLIMITED),
                    .supported = ALL,
                    .hierarchy = V2,
                    .memory_current_bytes = MIB(99),
                    .has_reclaim = true },
          .plan = "squeeze MemoryMax=35M …" },
        { "v2: far below usage, in bounded bites",
          .want.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(MIB(64)),
          .have = { .in_force.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(UNLIMITED),
                    .supported = ALL,
                    .hierarchy = V2,
                    .memory_current_bytes = GIB(2),
                    .has_reclaim = true },
          .plan = "squeeze MemoryMax=64M …" },
        { "v2: below usage, memory.high alone", .want.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(MIB(64)),
          .have = { .in_force.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(UNLIMITED),
                    .in_force.v[PL_RESOURCE_MEMORY_HIGH] = NUMBER(UNLIMITED),
                    .supported = ALL,
                    .hierarchy = V2,
                    .memory_current_bytes = MIB(99) },
          .plan = "squeeze MemoryHigh=64M …" },
        { "v2: squeezed far enough, memory.high goes back after the limit",
          .want.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(MIB(64)),
          .have = { .in_force.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(UNLIMITED),
                    .in_force.v[PL_RESOURCE_MEMORY_HIGH] = NUMBER(MIB(64)),
                    .supported = ALL,
                    .hierarchy = V2,
                    .memory_current_bytes = MIB(63) },
          .squeeze = { .rounds = 1,
                       .current_bytes = MIB(99),
                       .high_held = true,
                       .high_before = MIB(500) },
          .plan = "write MemoryMax=64M, write MemoryHigh=500M" },
        { "v2: squeezed far enough, memory.high as wanted by now",
          .want = { .v[PL_RESOURCE_MEMORY_MAX] = NUMBER(MIB(64)),
                    .v[PL_RESOURCE_MEMORY_HIGH] = NUMBER(MIB(300)) },
          .have = { .in_force.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(UNLIMITED),
                    .in_force.v[PL_RESOURCE_MEMORY_HIGH] = NUMBER(MIB(64)),
                    .supported = ALL,
                    .hierarchy = V2,
                    .memory_current_bytes = MIB(63) },
          .squeeze = { .rounds = 1,
                       .current_bytes = MIB(99),
                       .high_held = true,
                       .high_before = MIB(500) },
          .plan = "write MemoryMax=64M, write MemoryHigh=300M" },
        { "v2: given up, memory.high goes back", .want.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(MIB(64)),
          .have = { .in_force.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(UNLIMITED),
                    .in_force.v[PL_RESOURCE_MEMORY_HIGH] = NUMBER(MIB(64)),
                    .supported = ALL,
                    .hierarchy = V2,
                    .memory_current_bytes = MIB(99) },
          .squeeze = { .rounds = 3,
                       .stalled = PL_SQUEEZE_STALLS_MAX - 1,
                       .current_bytes = MIB(99),
                       .high_held = true,
                       .high_before = UNLIMITED },
          .plan = "write MemoryHigh=max, wait MemoryMax=64M" },
        { "v2: still given up", .want.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(MIB(64)),
          .have = { .in_force.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(UNLIMITED),
                    .supported = ALL,
                    .hierarchy = V2,
                    .memory_current_bytes = MIB(99),
                    .has_reclaim = true },
          .squeeze = { .rounds = 3, .stalled = PL_SQUEEZE_STALLS_MAX, .current_bytes = MIB(99) },
          .plan = "wait MemoryMax=64M" },
        { "v2: given up, then usage fell by itself",
          .want.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(MIB(64)),
          .have = { .in_force.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(UNLIMITED),
                    .supported = ALL,
                    .hierarchy = V2,
                    .memory_current_bytes = MIB(33),
                    .has_reclaim = true },
          .squeeze = { .rounds = 3, .stalled = PL_SQUEEZE_STALLS_MAX, .current_bytes = MIB(99) },
          .plan = "write MemoryMax=64M" },
        { "v2: the policy changed its mind while memory.high was held",
          .want.v[PL_RESOURCE_TASKS_MAX] = NUMBER(9),
          .have = { .in_force.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(UNLIMITED),
                    .in_force.v[PL_RESOURCE_MEMORY_HIGH] = NUMBER(MIB(64)),
                    .in_force.v[PL_RESOURCE_TASKS_MAX] = NUMBER(9),
                    .supported = ALL,
                    .hierarchy = V2,
                    .memory_current_bytes = MIB(99) },
          .squeeze = { .rounds = 1,
                       .current_bytes = MIB(99),
                       .high_held = true,
                       .high_before = UNLIMITED },
          .plan = "write MemoryHigh=max" },
        { "v2: usage unknown is never assumed to be low",
          .want.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(MIB(64)),
          .have = { .in_force.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(MIB(65)),
                    .supported = ALL,
                    .hierarchy = V2,
                    .memory_current_bytes = UNLIMITED,
                    .has_reclaim = true },
          .plan = "wait MemoryMax=64M" },
        { "v2: no way to reclaim", .want.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(MIB(64)),
          .have = { .in_force.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(UNLIMITED),
                    .supported = BIT(MEMORY_MAX),
                    .hierarchy = V2,
                    .memory_current_bytes = MIB(99) },
          .plan = "wait MemoryMax=64M" },
        { "v2: allowed to kill", .want.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(MIB(64)),
          .have = { .in_force.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(UNLIMITED),
                    .supported = ALL,
                    .hierarchy = V2,
                    .memory_current_bytes = MIB(99),
                    .has_reclaim = true },
          .shrink = PL_SHRINK_KILL, .plan = "write MemoryMax=64M" },
        { "v2: raising below usage is no shrinking",
          .want.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(MIB(64)),
          .have = { .in_force.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(MIB(32)),
                    .supported = ALL,
                    .hierarchy = V2,
                    .memory_current_bytes = MIB(99),
                    .has_reclaim = true },
          .plan = "write MemoryMax=64M" },
        { "v2: everything down: protections, swap and soft limits first",
          .want = { .v[PL_RESOURCE_MEMORY_MIN] = NUMBER(MIB(1)),
                    .v[PL_RESOURCE_MEMORY_LOW] = NUMBER(MIB(2)),
                    .v[PL_RESOURCE_MEMORY_HIGH] = NUMBER(MIB(30)),
                    .v[PL_RESOURCE_MEMORY_MAX] = NUMBER(MIB(40)),
                    .v[PL_RESOURCE_MEMORY_SWAP_MAX] = NUMBER(0) },
          .have = { .in_force = { .v[PL_RESOURCE_MEMORY_MIN] = NUMBER(MIB(10)),
                                  .v[PL_RESOURCE_MEMORY_LOW] = NUMBER(MIB(20)),
                                  .v[PL_RESOURCE_MEMORY_HIGH] = NUMBER(MIB(300)),
                                  .v[PL_RESOURCE_MEMORY_MAX] = NUMBER(MIB(400)),
                                  .v[PL_RESOURCE_MEMORY_SWAP_MAX] = NUMBER(MIB(9)) },
                    .supported = ALL,
                    .hierarchy = V2,
                    .memory_current_bytes = MIB(12) },
          .plan = "write MemoryMin=1M, write MemoryLow=2M, write MemoryHigh=30M, "
                  "write MemoryMax=40M, write MemorySwapMax=0" },
        { "v2: everything up: the reverse",
          .want = { .v[PL_RESOURCE_MEMORY_MIN] = NUMBER(MIB(10)),
                    .v[PL_RESOURCE_MEMORY_LOW] = NUMBER(MIB(20)),
                    .v[PL_RESOURCE_MEMORY_HIGH] = NUMBER(MIB(300)),
                    .v[PL_RESOURCE_MEMORY_MAX] = NUMBER(UNLIMITED),
                    .v[PL_RESOURCE_MEMORY_SWAP_MAX] = NUMBER(MIB(9)) },
          .have = { .in_force = { .v[PL_RESOURCE_MEMORY_MIN] = NUMBER(0),
                                  .v[PL_RESOURCE_MEMORY_LOW] = NUMBER(0),
                                  .v[PL_RESOURCE_MEMORY_HIGH] = NUMBER(MIB(30)),
                                  .v[PL_RESOURCE_MEMORY_MAX] = NUMBER(MIB(40)),
                                  .v[PL_RESOURCE_MEMORY_SWAP_MAX] = NUMBER(0) },
                    .supported = ALL,
                    .hierarchy = V2,
                    .memory_current_bytes = MIB(12) },
          .plan = "write MemorySwapMax=9M, write MemoryMax=max, write MemoryHigh=300M, "
                  "write MemoryLow=20M, write MemoryMin=10M" },
        { "v1: raise above the sum: the sum first",
          .want.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(MIB(256)),
          .have = { .in_force = { .v[PL_RESOURCE_MEMORY_MAX] = NUMBER(MIB(64)),
                                  .v[PL_RESOURCE_MEMORY_SWAP_MAX] = NUMBER(MIB(64)) },
                    .supported = ALL,
                    .hierarchy = V1,
                    .memsw_bytes = MIB(128) },
          .plan = "write MemorySwapMax=64M(320M), +write MemoryMax=256M" },
        { "v1: lower: memory first, the swap allowance stays",
          .want.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(MIB(64)),
          .have = { .in_force = { .v[PL_RESOURCE_MEMORY_MAX] = NUMBER(MIB(256)),
                                  .v[PL_RESOURCE_MEMORY_SWAP_MAX] = NUMBER(MIB(64)) },
                    .supported = ALL,
                    .hierarchy = V1,
                    .memsw_bytes = MIB(320),
                    .memory_current_bytes = MIB(99) },
          .plan = "write MemoryMax=64M, +write MemorySwapMax=64M(128M)" },
        { "v1: somebody lowered memory alone: the sum does not grow",
          .want.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(MIB(256)),
          .have = { .in_force = { .v[PL_RESOURCE_MEMORY_MAX] = NUMBER(MIB(20)),
                                  .v[PL_RESOURCE_MEMORY_SWAP_MAX] = NUMBER(MIB(300)) },
                    .supported = ALL,
                    .hierarchy = V1,
                    .memsw_bytes = MIB(320),
                    .usual_swap = NUMBER(MIB(64)) },
          .plan = "write MemoryMax=256M" },
        { "v1: somebody changed the sum alone, which nobody asked for",
          .want.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(MIB(256)),
          .have = { .in_force = { .v[PL_RESOURCE_MEMORY_MAX] = NUMBER(MIB(256)),
                                  .v[PL_RESOURCE_MEMORY_SWAP_MAX] = NUMBER(MIB(300)) },
                    .supported = ALL,
                    .hierarchy = V1,
                    .memsw_bytes = MIB(556),
                    .usual_swap = NUMBER(MIB(64)) },
          .plan = "" },
        { "v1: and given back as it was", .want.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(MIB(64)),
          .have = { .in_force = { .v[PL_RESOURCE_MEMORY_MAX] = NUMBER(MIB(256)),
                                  .v[PL_RESOURCE_MEMORY_SWAP_MAX] = NUMBER(MIB(300)) },
                    .supported = ALL,
                    .hierarchy = V1,
                    .memsw_bytes = MIB(556),
                    .usual_swap = NUMBER(MIB(64)) },
          .plan = "write MemoryMax=64M, +write MemorySwapMax=64M(128M)" },
        { "v1: from unlimited, swap not asked for",
          .want.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(MIB(64)),
          .have = { .in_force = { .v[PL_RESOURCE_MEMORY_MAX] = NUMBER(UNLIMITED),
                                  .v[PL_RESOURCE_MEMORY_SWAP_MAX] = NUMBER(UNLIMITED) },
                    .supported = ALL,
                    .hierarchy = V1,
                    .memsw_bytes = UNLIMITED },
          .plan = "write MemoryMax=64M" },
        { "v1: from unlimited, no swap",
          .want = { .v[PL_RESOURCE_MEMORY_MAX] = NUMBER(MIB(64)),
                    .v[PL_RESOURCE_MEMORY_SWAP_MAX] = NUMBER(0) },
          .have = { .in_force = { .v[PL_RESOURCE_MEMORY_MAX] = NUMBER(UNLIMITED),
                                  .v[PL_RESOURCE_MEMORY_SWAP_MAX] = NUMBER(UNLIMITED) },
                    .supported = ALL,
                    .hierarchy = V1,
                    .memsw_bytes = UNLIMITED },
          .plan = "write MemoryMax=64M, +write MemorySwapMax=0(64M)" },
        { "v1: to unlimited", .want.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(UNLIMITED),
          .have = { .in_force = { .v[PL_RESOURCE_MEMORY_MAX] = NUMBER(MIB(64)),
                                  .v[PL_RESOURCE_MEMORY_SWAP_MAX] = NUMBER(MIB(64)) },
                    .supported = ALL,
                    .hierarchy = V1,
                    .memsw_bytes = MIB(128) },
          .plan = "write MemorySwapMax=max, +write MemoryMax=max" },
        { "v1: swap alone", .want.v[PL_RESOURCE_MEMORY_SWAP_MAX] = NUMBER(MIB(1)),
          .have = { .in_force = { .v[PL_RESOURCE_MEMORY_MAX] = NUMBER(MIB(64)),
                                  .v[PL_RESOURCE_MEMORY_SWAP_MAX] = NUMBER(MIB(64)) },
                    .supported = ALL,
                    .hierarchy = V1,
                    .memsw_bytes = MIB(128) },
          .plan = "write MemorySwapMax=1M(65M)" },
        { "v1: swap without a limit of memory",
          .want.v[PL_RESOURCE_MEMORY_SWAP_MAX] = NUMBER(MIB(1)),
          .have = { .in_force = { .v[PL_RESOURCE_MEMORY_MAX] = NUMBER(UNLIMITED),
                                  .v[PL_RESOURCE_MEMORY_SWAP_MAX] = NUMBER(UNLIMITED) },
                    .supported = ALL,
                    .hierarchy = V1,
                    .memsw_bytes = UNLIMITED },
          .plan = "cannot MemorySwapMax=1M" },
        { "v1: no swap accounting",
          .want = { .v[PL_RESOURCE_MEMORY_MAX] = NUMBER(MIB(64)),
                    .v[PL_RESOURCE_MEMORY_SWAP_MAX] = NUMBER(0) },
          .have = { .in_force = { .v[PL_RESOURCE_MEMORY_MAX] = NUMBER(UNLIMITED) },
                    .supported = ALL & ~BIT(MEMORY_SWAP_MAX),
                    .hierarchy = V1,
                    .memsw_bytes = UNLIMITED },
          .plan = "write MemoryMax=64M, cannot MemorySwapMax=0" },
        { "v1: what it has no file for",
          .want = { .v[PL_RESOURCE_MEMORY_MIN] = NUMBER(MIB(1)),
                    .v[PL_RESOURCE_MEMORY_HIGH] = NUMBER(MIB(2)) },
          .have = { .supported = ALL & ~(BIT(MEMORY_MIN) | BIT(MEMORY_HIGH)),
                    .hierarchy = V1,
                    .memsw_bytes = UNLIMITED },
          .plan = "cannot MemoryMin=1M, cannot MemoryHigh=2M" },
        { "v1: weight as it comes back from cpu.shares",
          .want.v[PL_RESOURCE_CPU_WEIGHT] = NUMBER(39),
          .have = { .in_force.v[PL_RESOURCE_CPU_WEIGHT] = NUMBER(39),
                    .supported = ALL,
                    .hierarchy = V1,
                    .memsw_bytes = UNLIMITED },
          .plan = "" },
        { "quota: another period, the same ratio but for its rounding",
          .want.v[PL_RESOURCE_CPU_QUOTA] = NUMBER(333330),
          .have = { .in_force.v[PL_RESOURCE_CPU_QUOTA] = NUMBER(333320),
                    .supported = ALL,
                    .hierarchy = V2,
                    .cpu_period_usec = 50000 },
          .plan = "" },
        { "quota: a microsecond of quota less", .want.v[PL_RESOURCE_CPU_QUOTA] = NUMBER(333330),
          .have = { .in_force.v[PL_RESOURCE_CPU_QUOTA] = NUMBER(333310),
                    .supported = ALL,
                    .hierarchy = V2,
                    .cpu_period_usec = 50000 },
          .plan = "write CPUQuota=333330" },
        { "quota: lifted by someone", .want.v[PL_RESOURCE_CPU_QUOTA] = NUMBER(333330),
          .have = { .in_force.v[PL_RESOURCE_CPU_QUOTA] = NUMBER(UNLIMITED),
                    .supported = ALL,
                    .hierarchy = V2,
                    .cpu_period_usec = 100000 },
          .plan = "write CPUQuota=333330" },
        { "texts",
          .want = { .v[PL_RESOURCE_ALLOWED_CPUS] = TEXT("0-1"),
                    .v[PL_RESOURCE_IO_READ_BANDWIDTH_MAX] = TEXT("8:0 1000"),
                    .v[PL_RESOURCE_IO_WRITE_BANDWIDTH_MAX] = TEXT("8:0 7") },
          .have = { .in_force = { .v[PL_RESOURCE_ALLOWED_CPUS] = TEXT("0-3"),
                                  .v[PL_RESOURCE_IO_READ_BANDWIDTH_MAX] = TEXT(""),
                                  .v[PL_RESOURCE_IO_WRITE_BANDWIDTH_MAX] = TEXT("8:0 7") },
                    .supported = ALL,
                    .hierarchy = V2 },
          .plan = "write AllowedCPUs=0-1, write IOReadBandwidthMax=8:0 1000" },
        { "v1: no list of CPUs is no drift", .want.v[PL_RESOURCE_ALLOWED_CPUS] = TEXT(""),
          .have = { .in_force.v[PL_RESOURCE_ALLOWED_CPUS] = TEXT("0-3"),
                    .supported = ALL,
                    .hierarchy = V1,
                    .memsw_bytes = UNLIMITED },
          .plan = "" },
        { "hybrid: memory on v2, CPU on v1",
          .want = { .v[PL_RESOURCE_MEMORY_MAX] = NUMBER(MIB(64)),
                    .v[PL_RESOURCE_CPU_WEIGHT] = NUMBER(50) },
          .have = { .in_force = { .v[PL_RESOURCE_MEMORY_MAX] = NUMBER(UNLIMITED),
                                  .v[PL_RESOURCE_CPU_WEIGHT] = NUMBER(100) },
                    .supported = ALL,
                    .hierarchy = { [PL_RESOURCE_CPU_QUOTA] = PL_HIERARCHY_V1,
                                   [PL_RESOURCE_CPU_WEIGHT] = PL_HIERARCHY_V1,
                                   [PL_RESOURCE_ALLOWED_CPUS... _PL_RESOURCE_N - 1] =
                                                   PL_HIERARCHY_V2 },
                    .memory_current_bytes = MIB(99),
                    .has_reclaim = true },
          .plan = "squeeze MemoryMax=35M, write CPUWeight=50 …" },
};

START_TEST(test_rows) {
        _cleanup_free_ char *text = NULL;
        PlPlan plan;

        ck_assert_int_eq(pl_plan_limits(&rows[_i].want, &rows[_i].have, rows[_i].shrink,
                                        &rows[_i].squeeze, PAGE, &plan),
                         0);
        text = show(&plan);
        ck_assert_msg(pl_streq(text, rows[_i].plan), "%s: planned \"%s\", wanted \"%s\"",
                      rows[_i].name, text, rows[_i].plan);
        pl_plan_deinit(&plan);
}
END_TEST

START_TEST(test_drift) {
        PlLimits want = { .v[PL_RESOURCE_MEMORY_MAX] = NUMBER(MIB(64)),
                          .v[PL_RESOURCE_TASKS_MAX] = NUMBER(7),
                          .v[PL_RESOURCE_MEMORY_MIN] = NUMBER(MIB(1)) };
        PlReading have = { .in_force = { .v[PL_RESOURCE_MEMORY_MAX] = NUMBER(MIB(65)),
                                         .v[PL_RESOURCE_TASKS_MAX] = NUMBER(7) },
                           .supported = BIT(MEMORY_MAX) | BIT(TASKS_MAX),
                           .hierarchy = V1,
                           .memsw_bytes = UNLIMITED };

        ck_assert_uint_eq(pl_plan_drift(&want, &have, PAGE), BIT(MEMORY_MAX));
        have.in_force.v[PL_RESOURCE_MEMORY_MAX].number = MIB(64);
        ck_assert_uint_eq(pl_plan_drift(&want, &have, PAGE), 0);
}
END_TEST

START_TEST(test_original) {
        PlLimits want = { .v[PL_RESOURCE_MEMORY_MAX] = NUMBER(MIB(64)),
                          .v[PL_RESOURCE_MEMORY_HIGH] = NUMBER(MIB(9)),
                          .v[PL_RESOURCE_ALLOWED_CPUS] = TEXT("0") };
        PlReading have = { .in_force = { .v[PL_RESOURCE_MEMORY_MAX] = NUMBER(UNLIMITED),
                                         .v[PL_RESOURCE_ALLOWED_CPUS] = TEXT("0-7"),
                                         .v[PL_RESOURCE_TASKS_MAX] = NUMBER(7) },
                           .supported = ALL & ~BIT(MEMORY_HIGH),
                           .hierarchy = V1 };
        PlLimits original = {};

        ck_assert_int_eq(pl_plan_original(&want, &have, &original), 0);
        ck_assert(original.v[PL_RESOURCE_MEMORY_MAX].set);
        ck_assert(original.v[PL_RESOURCE_MEMORY_MAX].number == PL_UNLIMITED);
        ck_assert_str_eq(original.v[PL_RESOURCE_ALLOWED_CPUS].text, "0-7");
        ck_assert(!original.v[PL_RESOURCE_MEMORY_HIGH].set);
        ck_assert(!original.v[PL_RESOURCE_TASKS_MAX].set);
        pl_limits_deinit(&original);
}
END_TEST

/*
 * The kernel as far as memory goes. pinned: what can never be reclaimed. A write of a limit or of
 * memory.high reclaims; v2 kills when that was not enough, v1 refuses.
 */
typedef struct Kernel {
        PlHierarchy h;
        uint64_t max, high, memsw, swap_max, low;
        uint64_t current, pinned;
        bool swap, has_reclaim;
        bool killed, refused; /* by rule: limit <= memsw */
} Kernel;

static uint64_t seed = 1;

static uint64_t rnd(uint64_t below) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        return seed % below;
}

/* Any multiple of a quarter page up to 1.5 GiB, now and then none at all. */
static uint64_t rnd_bytes(void) {
        return rnd(8) == 0 ? PL_UNLIMITED : MIB(6) + rnd(KIB(1536)) * 1024;
}

static uint64_t rnd_page_bytes(void) {
        uint64_t n = rnd_bytes();

        return n == PL_UNLIMITED ? n : n - n % PAGE;
}

static void reclaim_to(Kernel *k, uint64_t goal) {
        uint64_t floor = PL_MAX(goal, k->pinned);

        if (k->current > floor) /* never quite all at once */
                k->current = rnd(3) ? floor : floor + (k->current - floor) / 4 / PAGE * PAGE;
}

static int kernel_write_max(Kernel *k, uint64_t n) {
        if (k->h == PL_HIERARCHY_V1) {
                if (k->swap && n > k->memsw) {
                        k->refused = true;
                        return -EINVAL;
                }
                reclaim_to(k, n);
                if (k->current > n)
                        return -EBUSY;
        } else if (k->current > n) {
                reclaim_to(k, n);
                k->killed = k->current > n;
        }
        k->max = n;
        return 0;
}

static int kernel_write(Kernel *k, const PlStep *s) {
        uint64_t n = s->number == PL_UNLIMITED ? s->number : s->number / PAGE * PAGE;

        if (s->kind == PL_STEP_SQUEEZE && s->resource == PL_RESOURCE_MEMORY_MAX) {
                ck_assert(k->has_reclaim);
                ck_assert_uint_le(n, PL_SQUEEZE_BYTES);
                reclaim_to(k, k->current - n);
                return 0;
        }
        switch (s->resource) {
        case PL_RESOURCE_MEMORY_MAX:
                return kernel_write_max(k, n);
        case PL_RESOURCE_MEMORY_HIGH:
                k->high = n;
                reclaim_to(k, n);
                return 0;
        case PL_RESOURCE_MEMORY_LOW:
                k->low = n;
                return 0;
        case PL_RESOURCE_MEMORY_SWAP_MAX:
                if (k->h == PL_HIERARCHY_V2)
                        k->swap_max = n;
                else if (n < k->max) {
                        k->refused = true;
                        return -EINVAL;
                } else
                        k->memsw = n;
                return 0;
        default:
                ck_abort_msg("unexpected write");
        }
}

static void kernel_read(const Kernel *k, PlReading *ret) {
        bool v1 = k->h == PL_HIERARCHY_V1;

        *ret = (PlReading){ .memory_current_bytes = k->current,
                            .memsw_bytes = k->memsw,
                            .has_reclaim = k->has_reclaim };
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                ret->hierarchy[r] = k->h;
        ret->supported = BIT(MEMORY_MAX) | BIT(MEMORY_LOW);
        ret->in_force.v[PL_RESOURCE_MEMORY_MAX] = (PlValue)NUMBER(k->max);
        ret->in_force.v[PL_RESOURCE_MEMORY_LOW] = (PlValue)NUMBER(k->low);
        if (!v1) {
                ret->supported |= BIT(MEMORY_HIGH);
                ret->in_force.v[PL_RESOURCE_MEMORY_HIGH] = (PlValue)NUMBER(k->high);
        }
        if (k->swap) {
                ret->supported |= BIT(MEMORY_SWAP_MAX);
                ret->in_force.v[PL_RESOURCE_MEMORY_SWAP_MAX] =
                                (PlValue)NUMBER(!v1                        ? k->swap_max
                                                : k->memsw == PL_UNLIMITED ? PL_UNLIMITED
                                                                           : k->memsw - k->max);
        }
}

static void rnd_kernel(Kernel *k) {
        *k = (Kernel){ .h = rnd(2) ? PL_HIERARCHY_V1 : PL_HIERARCHY_V2, .swap = rnd(4) != 0 };
        k->has_reclaim = k->h == PL_HIERARCHY_V2 && rnd(2);
        k->max = rnd_page_bytes();
        k->high = rnd_page_bytes();
        k->swap_max = rnd_page_bytes();
        k->memsw = pl_resource_memsw(k->max, rnd_page_bytes());
        k->current = k->max == PL_UNLIMITED ? rnd(GIB(2)) / PAGE * PAGE
                                            : rnd(k->max / PAGE + 1) * PAGE;
        k->pinned = rnd(k->current / PAGE + 1) * PAGE;
}

static void rnd_want(PlLimits *want) {
        static const PlResource some[] = { PL_RESOURCE_MEMORY_MAX, PL_RESOURCE_MEMORY_MAX,
                                           PL_RESOURCE_MEMORY_SWAP_MAX, PL_RESOURCE_MEMORY_HIGH,
                                           PL_RESOURCE_MEMORY_LOW };

        *want = (PlLimits){};
        for (size_t i = 0; i < PL_ARRAY_SIZE(some); i++)
                if (rnd(2))
                        want->v[some[i]] = (PlValue)NUMBER(rnd_bytes());
}

/* Executes one plan as the daemon does. Return: did a step fail? */
static bool execute(Kernel *k, const PlPlan *plan) {
        bool failed = false, any = false;

        for (size_t i = 0; i < plan->n_steps; i++) {
                const PlStep *s = &plan->steps[i];

                if (s->kind == PL_STEP_WAIT || s->kind == PL_STEP_CANNOT) {
                        failed = false;
                        continue;
                }
                if (s->chained && failed)
                        continue;
                failed = kernel_write(k, s) < 0;
                any = any || failed;
        }
        return any;
}

/* Rounds until nothing is left to do, or nothing can be done. */
static void settle(Kernel *k, const PlLimits *want, PlSqueeze *squeeze, int walk) {
        const PlValue *max = &want->v[PL_RESOURCE_MEMORY_MAX];
        PlReading have;
        bool failed, waits = false;
        PlPlan plan;
        int round;

        for (round = 0; round < 200; round++) {
                size_t n_writes = 0;

                kernel_read(k, &have);
                ck_assert_int_eq(pl_plan_limits(want, &have, PL_SHRINK_SAFE, squeeze, PAGE, &plan),
                                 0);
                waits = false;
                for (size_t i = 0; i < plan.n_steps; i++) {
                        waits = waits || plan.steps[i].kind == PL_STEP_WAIT;
                        n_writes += plan.steps[i].kind == PL_STEP_WRITE ||
                                    plan.steps[i].kind == PL_STEP_SQUEEZE;
                }
                failed = execute(k, &plan);
                *squeeze = plan.squeeze;
                pl_plan_deinit(&plan);
                ck_assert_msg(!k->killed, "walk %d round %d: killed", walk, round);
                ck_assert_msg(!k->refused, "walk %d round %d: limit above memory+swap", walk,
                              round);
                if (n_writes == 0 || (failed && k->current == PL_MAX(k->pinned, max->number)))
                        break;
                /* v1 refuses what is pinned, for ever */
                if (failed && max->set && k->pinned > max->number)
                        break;
        }
        ck_assert_msg(round < 200, "walk %d does not come to rest", walk);
        kernel_read(k, &have);
        if (!failed && !waits)
                ck_assert_msg(pl_plan_drift(want, &have, PAGE) == 0 || k->h == PL_HIERARCHY_V1,
                              "walk %d rests, but not where it should", walk);
        ck_assert(!squeeze->high_held);
        if (waits)
                ck_assert_msg(k->pinned > max->number || k->current > max->number,
                              "walk %d waits without a reason", walk);
}

START_TEST(test_walks) {
        for (int walk = 0; walk < 20000; walk++) {
                PlSqueeze squeeze = {};
                PlLimits want;
                uint64_t high;
                Kernel k;

                seed = UINT64_C(0x9e3779b97f4a7c15) * (uint64_t)(walk + 1);
                rnd_kernel(&k);
                for (int change = 0; change < 4; change++) {
                        high = k.high;
                        rnd_want(&want);
                        /* the audit's fresh try */
                        squeeze.rounds = squeeze.stalled = 0;
                        settle(&k, &want, &squeeze, walk);
                        if (k.h == PL_HIERARCHY_V2 && !want.v[PL_RESOURCE_MEMORY_HIGH].set)
                                ck_assert_msg(k.high == high,
                                              "walk %d: memory.high was not put back", walk);
                        /* the container goes on living, within its limit */
                        k.current = PL_MAX(k.pinned, rnd(PL_MIN(k.max, GIB(2)) / PAGE + 1) * PAGE);
                        k.pinned = rnd(k.current / PAGE + 1) * PAGE;
                }
        }
}
END_TEST

int main(void) {
        TCase *t = tcase_create("plan");

        tcase_set_timeout(t, 100);
        tcase_add_loop_test(t, test_rows, 0, PL_ARRAY_SIZE(rows));
        tcase_add_test(t, test_drift);
        tcase_add_test(t, test_original);
        tcase_add_test(t, test_walks);
        return run_case(t);
}
