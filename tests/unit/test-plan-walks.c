/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The planner, round after round: random walks against a simulated kernel that kills, refuses and
 * reclaims as the real ones do. A walk must never kill, never be refused by rule, and must come to
 * rest.
 */

#include "lib/limits/plan.h"

#include "limit-rows.h"

#define PAGE UINT64_C(4096)
#define NUMBER(n) \
        { .set = true, .number = (n) }

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
        k->memsw = rnd_page_bytes();
        k->memsw = k->max == PL_UNLIMITED || k->memsw == PL_UNLIMITED ? PL_UNLIMITED
                                                                      : k->max + k->memsw;
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
        TCase *t = tcase_create("walks");

        tcase_set_timeout(t, 100);
        tcase_add_test(t, test_walks);
        return run_case(t);
}
