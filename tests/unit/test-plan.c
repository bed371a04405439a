/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The planner: single rounds, one row each. Many rounds in a row: test-plan-walks.c.
 */

#include "lib/limits/plan.h"

#include "limit-rows.h"

#define PAGE      UINT64_C(4096)
#define UNLIMITED PL_UNLIMITED
#define ALL       ((UINT32_C(1) << _PL_RESOURCE_N) - 1)
#define V1 \
        { [0 ... _PL_RESOURCE_N - 1] = PL_HIERARCHY_V1 }
#define V2 \
        { [0 ... _PL_RESOURCE_N - 1] = PL_HIERARCHY_V2 }

/* "write MemoryMax=64M" … joined by ", "; a file's number that differs follows as "(64M)", a
 * chained step is marked by "+". */
static char *show(const PlPlan *p) {
        static const char *const kinds[] = { "write", "squeeze", "wait", "cannot" };
        char *text = NULL, number[PL_FORMAT_MAX];
        size_t size;
        FILE *f = open_memstream(&text, &size);

        for (size_t i = 0; i < p->n_steps; i++) {
                const PlStep *s = &p->steps[i];

                fprintf(f, "%s%s%s %s=%s", i ? ", " : "", s->chained ? "+" : "", kinds[s->kind],
                        pl_resource_info(s->resource)->name,
                        s->value.text ?: pl_format_bytes_exact(s->value.number, number));
                if (s->kind == PL_STEP_WRITE && s->number != s->value.number)
                        fprintf(f, "(%s)", pl_format_bytes_exact(s->number, number));
                ck_assert((s->why != NULL) ==
                          (s->kind == PL_STEP_WAIT || s->kind == PL_STEP_CANNOT));
        }
        if (p->again)
                fputs(" …", f);
        fclose(f);
        return text;
}

static const char *after(const char *word, const char *prefix) {
        return pl_startswith(word, prefix) ? word + strlen(prefix) : NULL;
}

/* What is in force, as limits_of() has it, and of the rest of a reading what is not usual: "v1",
 * "hybrid" (the CPU alone on v1; else all is on v2), "current SIZE", "usual swap SIZE", "restores
 * memory", "refused memory", "period USEC", "reclaim", "CPUs of the parent", and what the kernel
 * has files for: "no NAME", "only NAME". */
static PlReading reading_of(const char *text) {
        PlReading h = { .supported = ALL, .hierarchy = V2 };
        const PlValue *swap = &h.in_force.v[PL_RESOURCE_MEMORY_SWAP_MAX];
        char word[WORD_MAX];
        const char *rest;

        while (next_word(&text, word))
                if (pl_streq(word, "v1"))
                        memcpy(h.hierarchy, (PlHierarchy[])V1, sizeof(h.hierarchy));
                else if (pl_streq(word, "hybrid"))
                        h.hierarchy[PL_RESOURCE_CPU_QUOTA] = h.hierarchy[PL_RESOURCE_CPU_WEIGHT] =
                                        PL_HIERARCHY_V1;
                else if ((rest = after(word, "current ")))
                        h.memory_current_bytes = number_of(rest);
                else if ((rest = after(word, "usual swap ")))
                        h.usual_swap = (PlValue){ .set = true, .number = number_of(rest) };
                else if (pl_streq(word, "restores memory"))
                        h.restores_memory = true;
                else if (pl_streq(word, "refused memory"))
                        h.refused_memory = true;
                else if ((rest = after(word, "period ")))
                        h.cpu_period_usec = number_of(rest);
                else if ((rest = after(word, "usual period ")))
                        h.usual_period_usec = number_of(rest);
                else if (pl_streq(word, "reclaim"))
                        h.has_reclaim = true;
                else if (pl_streq(word, "CPUs of the parent"))
                        h.cpus_of_parent = true;
                else if ((rest = after(word, "no ")))
                        h.supported &= ~(UINT32_C(1) << resource_of(rest));
                else if ((rest = after(word, "only ")))
                        h.supported = UINT32_C(1) << resource_of(rest);
                else
                        ck_assert_msg(take_limit(&h.in_force, word), "%s", word);
        if (h.hierarchy[PL_RESOURCE_MEMORY_MAX] == PL_HIERARCHY_V1)
                h.memsw_bytes = swap->set && swap->number != PL_UNLIMITED
                                                ? h.in_force.v[PL_RESOURCE_MEMORY_MAX].number +
                                                                  swap->number
                                                : PL_UNLIMITED;
        return h;
}

static const struct {
        const char *name, *want, *have, *plan;
        PlSqueeze squeeze;
        PlShrinkMode shrink;
} rows[] = {
        { "nothing wanted", "", "", "" },
        { "converged", "MemoryMax=64M", "MemoryMax=64M, current 60M", "" },
        { "converged but for the page", "MemoryMax=1000000", "MemoryMax=999424", "" },
        { "v2: first limit above usage", "MemoryMax=64M", "MemoryMax=infinity, current 9M",
          "write MemoryMax=64M" },
        { "v2: usage exactly at the limit", "MemoryMax=64M", "MemoryMax=infinity, current 64M",
          "write MemoryMax=64M" },
        { "v2: below usage, memory.reclaim", "MemoryMax=64M",
          "MemoryMax=infinity, current 99M, reclaim", "squeeze MemoryMax=35M …" },
        { "v2: far below usage, in bounded bites", "MemoryMax=64M",
          "MemoryMax=infinity, current 2G, reclaim", "squeeze MemoryMax=64M …" },
        { "v2: below usage, memory.high alone", "MemoryMax=64M",
          "MemoryHigh=infinity, MemoryMax=infinity, current 99M", "squeeze MemoryHigh=64M …" },
        { "v2: squeezed far enough, memory.high goes back after the limit", "MemoryMax=64M",
          "MemoryHigh=64M, MemoryMax=infinity, current 63M",
          "write MemoryMax=64M, write MemoryHigh=500M",
          .squeeze = { 1, 0, MIB(99), true, MIB(500) } },
        { "v2: squeezed far enough, memory.high as wanted by now", "MemoryHigh=300M, MemoryMax=64M",
          "MemoryHigh=64M, MemoryMax=infinity, current 63M",
          "write MemoryMax=64M, write MemoryHigh=300M",
          .squeeze = { 1, 0, MIB(99), true, MIB(500) } },
        { "v2: given up, memory.high goes back", "MemoryMax=64M",
          "MemoryHigh=64M, MemoryMax=infinity, current 99M",
          "write MemoryHigh=infinity, wait MemoryMax=64M",
          .squeeze = { 3, PL_SQUEEZE_STALLS_MAX - 1, MIB(99), true, UNLIMITED } },
        { "v2: still given up", "MemoryMax=64M", "MemoryMax=infinity, current 99M, reclaim",
          "wait MemoryMax=64M", .squeeze = { 3, PL_SQUEEZE_STALLS_MAX, MIB(99) } },
        { "v2: refused, so there is no second round", "MemoryMax=64M",
          "MemoryMax=infinity, current 99M, reclaim", "wait MemoryMax=64M",
          .squeeze = { 1, 0, MIB(99), .refused = true } },
        { "v2: refused, then usage fell by itself", "MemoryMax=64M",
          "MemoryMax=infinity, current 33M, reclaim", "write MemoryMax=64M",
          .squeeze = { 1, 0, MIB(99), .refused = true } },
        { "v2: given up, then usage fell by itself", "MemoryMax=64M",
          "MemoryMax=infinity, current 33M, reclaim", "write MemoryMax=64M",
          .squeeze = { 3, PL_SQUEEZE_STALLS_MAX, MIB(99) } },
        { "v2: given up, then usage fell by itself, but not far enough", "MemoryMax=64M",
          "MemoryMax=infinity, current 80M, reclaim", "squeeze MemoryMax=16M …",
          .squeeze = { 3, PL_SQUEEZE_STALLS_MAX, MIB(99) } },
        { "v2: given up, and it fell by next to nothing", "MemoryMax=64M",
          "MemoryMax=infinity, current 101888K, reclaim", "wait MemoryMax=64M",
          .squeeze = { 3, PL_SQUEEZE_STALLS_MAX, MIB(100) } },
        { "v2: the policy changed its mind while memory.high was held", "TasksMax=9",
          "MemoryHigh=64M, MemoryMax=infinity, TasksMax=9, current 99M",
          "write MemoryHigh=infinity", .squeeze = { 1, 0, MIB(99), true, UNLIMITED } },
        { "v2: usage unknown is never assumed to be low", "MemoryMax=64M",
          "MemoryMax=65M, current infinity, reclaim", "wait MemoryMax=64M" },
        { "v2: no way to reclaim", "MemoryMax=64M",
          "MemoryMax=infinity, current 99M, only MemoryMax", "wait MemoryMax=64M" },
        { "v2: allowed to kill", "MemoryMax=64M", "MemoryMax=infinity, current 99M, reclaim",
          "write MemoryMax=64M", .shrink = PL_SHRINK_KILL },
        { "v2: raising below usage is no shrinking", "MemoryMax=64M",
          "MemoryMax=32M, current 99M, reclaim", "write MemoryMax=64M" },
        { "v2: everything down: protections, swap and soft limits first",
          "MemoryMin=1M, MemoryLow=2M, MemoryHigh=30M, MemoryMax=40M, MemorySwapMax=0",
          "MemoryMin=10M, MemoryLow=20M, MemoryHigh=300M, MemoryMax=400M, MemorySwapMax=9M, "
          "current 12M",
          "write MemoryMin=1M, write MemoryLow=2M, write MemoryHigh=30M, write MemoryMax=40M, "
          "write MemorySwapMax=0" },
        { "v2: everything up: the reverse",
          "MemoryMin=10M, MemoryLow=20M, MemoryHigh=300M, MemoryMax=infinity, MemorySwapMax=9M",
          "MemoryMin=0, MemoryLow=0, MemoryHigh=30M, MemoryMax=40M, MemorySwapMax=0, current 12M",
          "write MemorySwapMax=9M, write MemoryMax=infinity, write MemoryHigh=300M, write "
          "MemoryLow=20M, write MemoryMin=10M" },
        { "v1: raise above the sum: the sum first", "MemoryMax=256M",
          "v1, MemoryMax=64M, MemorySwapMax=64M",
          "write MemorySwapMax=64M(320M), +write MemoryMax=256M" },
        { "v1: lower: memory first, the swap allowance stays", "MemoryMax=64M",
          "v1, MemoryMax=256M, MemorySwapMax=64M, current 99M",
          "write MemoryMax=64M, +write MemorySwapMax=64M(128M)" },
        { "v1: somebody lowered memory alone: the sum does not grow", "MemoryMax=256M",
          "v1, MemoryMax=20M, MemorySwapMax=300M, usual swap 64M", "write MemoryMax=256M" },
        { "v1: somebody changed the sum alone, which nobody asked for", "MemoryMax=256M",
          "v1, MemoryMax=256M, MemorySwapMax=300M, usual swap 64M", "" },
        { "v1: and given back as it was", "MemoryMax=64M",
          "v1, MemoryMax=256M, MemorySwapMax=300M, usual swap 64M",
          "write MemoryMax=64M, +write MemorySwapMax=64M(128M)" },
        { "v1: killed between the two writes: the sum alone is given back", "MemoryMax=64M",
          "v1, MemoryMax=64M, MemorySwapMax=300M, usual swap 64M, restores memory",
          "write MemorySwapMax=64M(128M)" },
        { "v1: given back already", "MemoryMax=64M",
          "v1, MemoryMax=64M, MemorySwapMax=64M, usual swap 64M, restores memory", "" },
        { "v1: memory that is given back waits, the policy's swap does not",
          "MemoryMax=64M, MemorySwapMax=20M", "v1, MemoryMax=256M, MemorySwapMax=0, refused memory",
          "write MemorySwapMax=20M(276M)" },
        { "v1: memory waits alone", "MemoryMax=64M",
          "v1, MemoryMax=256M, MemorySwapMax=64M, usual swap 64M, refused memory", "" },
        { "v1: from unlimited, swap not asked for", "MemoryMax=64M",
          "v1, MemoryMax=infinity, MemorySwapMax=infinity", "write MemoryMax=64M" },
        { "v1: from unlimited, no swap", "MemoryMax=64M, MemorySwapMax=0",
          "v1, MemoryMax=infinity, MemorySwapMax=infinity",
          "write MemoryMax=64M, +write MemorySwapMax=0(64M)" },
        { "v1: to unlimited", "MemoryMax=infinity", "v1, MemoryMax=64M, MemorySwapMax=64M",
          "write MemorySwapMax=infinity, +write MemoryMax=infinity" },
        { "v1: swap alone", "MemorySwapMax=1M", "v1, MemoryMax=64M, MemorySwapMax=64M",
          "write MemorySwapMax=1M(65M)" },
        { "v1: swap without a limit of memory", "MemorySwapMax=1M",
          "v1, MemoryMax=infinity, MemorySwapMax=infinity", "cannot MemorySwapMax=1M" },
        { "v1: a sum that does not fit is no limit",
          "MemoryMax=64M, MemorySwapMax=18446744073709547520",
          "v1, MemoryMax=64M, MemorySwapMax=64M", "write MemorySwapMax=infinity" },
        { "v1: no swap accounting", "MemoryMax=64M, MemorySwapMax=0",
          "v1, MemoryMax=infinity, no MemorySwapMax",
          "write MemoryMax=64M, cannot MemorySwapMax=0" },
        { "v1: what it has no file for", "MemoryMin=1M, MemoryHigh=2M",
          "v1, no MemoryMin, no MemoryHigh", "cannot MemoryMin=1M, cannot MemoryHigh=2M" },
        { "v1: weight as it comes back from cpu.shares", "CPUWeight=39", "v1, CPUWeight=39", "" },
        { "quota: another period, the same ratio but for its rounding", "CPUQuota=333330",
          "CPUQuota=333320, period 50000", "" },
        { "quota: another period than the one asked for", "CPUQuota=500000",
          "CPUQuota=500000, period 100000, usual period 50000", "write CPUQuota=500000" },
        { "quota: the period asked for", "CPUQuota=500000",
          "CPUQuota=500000, period 50000, usual period 50000", "" },
        { "quota: the period asked for, lengthened by the kernel's minimum", "CPUQuota=10000",
          "CPUQuota=10000, period 100000, usual period 50000", "" },
        { "quota: a microsecond of quota less", "CPUQuota=333330", "CPUQuota=333310, period 50000",
          "write CPUQuota=333330" },
        { "quota: lifted by someone", "CPUQuota=333330", "CPUQuota=infinity, period 100000",
          "write CPUQuota=333330" },
        { "texts", "AllowedCPUs=0-1, IOReadBandwidthMax=8:0 1000, IOWriteBandwidthMax=8:0 7",
          "AllowedCPUs=0-3, IOReadBandwidthMax=, IOWriteBandwidthMax=8:0 7",
          "write AllowedCPUs=0-1, write IOReadBandwidthMax=8:0 1000" },
        { "v1: no list of CPUs is the parent's",
          "AllowedCPUs=", "v1, AllowedCPUs=0-3, CPUs of the parent", "" },
        { "v1: no list of CPUs any more", "AllowedCPUs=", "v1, AllowedCPUs=0",
          "write AllowedCPUs=" },
        { "v2: no list of CPUs", "AllowedCPUs=", "AllowedCPUs=", "" },
        { "v2: no list of CPUs any more", "AllowedCPUs=", "AllowedCPUs=0", "write AllowedCPUs=" },
        { "v2: … where only the parent's was taken",
          "AllowedCPUs=", "AllowedCPUs=0-1, CPUs of the parent", "" },
        { "hybrid: memory on v2, CPU on v1", "CPUWeight=50, MemoryMax=64M",
          "hybrid, CPUWeight=100, MemoryMax=infinity, current 99M, reclaim",
          "squeeze MemoryMax=35M, write CPUWeight=50 …" },
};

START_TEST(test_rows) {
        _cleanup_(pl_limits_deinit) PlLimits want = limits_of(rows[_i].want);
        _cleanup_(pl_reading_deinit) PlReading have = reading_of(rows[_i].have);
        _cleanup_(pl_plan_deinit) PlPlan plan;
        _cleanup_free_ char *text = NULL;

        ck_assert_int_eq(pl_plan_limits(&want, &have, rows[_i].shrink, &rows[_i].squeeze, PAGE,
                                        &plan),
                         0);
        text = show(&plan);
        ck_assert_msg(pl_streq(text, rows[_i].plan), "%s: planned \"%s\", wanted \"%s\"",
                      rows[_i].name, text, rows[_i].plan);
}
END_TEST

/* What is said of a write is what was there before somebody borrowed it. */
static const struct {
        const char *name, *want, *have;
        PlSqueeze squeeze;
        uint64_t before;
} borrowed[] = {
        { "first in force after a squeeze",
          "MemoryHigh=96M, MemoryMax=32M",
          "MemoryHigh=56M, MemoryMax=infinity, current 120M",
          { 3, PL_SQUEEZE_STALLS_MAX - 1, MIB(120), true, UNLIMITED },
          UNLIMITED },
        { "in force before it: nothing has changed",
          "MemoryHigh=96M, MemoryMax=32M",
          "MemoryHigh=56M, MemoryMax=infinity, current 120M",
          { 3, PL_SQUEEZE_STALLS_MAX - 1, MIB(120), true, MIB(96) },
          MIB(96) },
        { "not borrowed", "MemoryHigh=96M", "MemoryHigh=56M, current 9M", { 0 }, MIB(56) },
};

START_TEST(test_borrowed) {
        _cleanup_(pl_limits_deinit) PlLimits want = limits_of(borrowed[_i].want);
        _cleanup_(pl_reading_deinit) PlReading have = reading_of(borrowed[_i].have);
        _cleanup_(pl_plan_deinit) PlPlan plan;
        const PlStep *step = NULL;

        ck_assert_int_eq(pl_plan_limits(&want, &have, PL_SHRINK_SAFE, &borrowed[_i].squeeze, PAGE,
                                        &plan),
                         0);
        for (size_t i = 0; i < plan.n_steps; i++)
                if (plan.steps[i].kind == PL_STEP_WRITE &&
                    plan.steps[i].resource == PL_RESOURCE_MEMORY_HIGH)
                        step = &plan.steps[i];
        ck_assert_msg(step && step->before.set && step->before.number == borrowed[_i].before &&
                                      step->number_before == borrowed[_i].before,
                      "%s", borrowed[_i].name);
}
END_TEST

START_TEST(test_drift) {
        _cleanup_(pl_limits_deinit) PlLimits want =
                        limits_of("MemoryMax=64M, TasksMax=7, MemoryMin=1M");
        _cleanup_(pl_reading_deinit) PlReading have = reading_of("v1, MemoryMax=65M, TasksMax=7");

        have.supported = BIT(MEMORY_MAX) | BIT(TASKS_MAX);
        ck_assert_uint_eq(pl_plan_drift(&want, &have, PAGE), BIT(MEMORY_MAX));
        have.in_force.v[PL_RESOURCE_MEMORY_MAX].number = MIB(64);
        ck_assert_uint_eq(pl_plan_drift(&want, &have, PAGE), 0);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("plan");

        tcase_add_loop_test(t, test_rows, 0, PL_ARRAY_SIZE(rows));
        tcase_add_loop_test(t, test_borrowed, 0, PL_ARRAY_SIZE(borrowed));
        tcase_add_test(t, test_drift);
        return run_case(t);
}
