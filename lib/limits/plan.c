/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Plan: which kernel files to write, in which order, and when not to write at all.
 *
 * Most limits are independent of each other and may be written in any order. Memory is not:
 *
 * - v1 has no swap limit of its own. memory.memsw.limit_in_bytes bounds the sum, and the kernel
 *   refuses a moment in which the sum is smaller than memory.limit_in_bytes (EINVAL). So whichever
 *   gives room is written first: growing writes the sum, shrinking writes memory. MemorySwapMax is
 *   the difference of the two. When only MemoryMax is wanted the sum moves along, so that the swap
 *   allowance stays as it was, and a limit above the old sum is possible at all. "As it was" means
 *   before plimsoll where that is known: somebody who lowers memory alone widens the difference,
 * and keeping that at each repair would let the sum grow for ever.
 * - v1 refuses a limit below usage (EBUSY, after having tried to reclaim). Nothing dies, so the
 *   planner lets the kernel judge.
 * - v2 does not refuse: memory.max below usage reclaims a little and then kills. Usage is read
 *   before every plan, and a limit below it is never written unless the policy says
 *   ShrinkMode=kill. Instead usage is squeezed: page cache and swappable memory go, 64 MiB in each
 *   round because reclaim happens inside our own write(2). memory.reclaim does this without side
 *   effects. Older kernels have only memory.high, which throttles the container for as long as it
 * is below usage; so it is held for a few rounds at most and then put back, whether the squeeze
 * worked or not. The limit is written as soon as usage is at or below it. What cannot be freed is
 * refused: the old limit stays and the person is told.
 * - Protections (MemoryMin, MemoryLow) go down before limits are lowered and up after, soft limits
 *   before hard ones, room for swap before pressure, so that no moment between two writes is
 *   harsher than both the old and the new state.
 *
 * When the others are written is in their rows (PlTurn).
 *
 * Repairs must end. A value is compared as the kernel will report it (pl_resource_normalise()), and
 * CPU quotas within one microsecond of quota. Any period with the same ratio is as good, unless one
 * is asked for or given back.
 *
 * Must not: read anything, remember anything (PlSqueeze travels through the caller).
 */

#include "lib/limits/plan.h"

#include <errno.h>

typedef struct Planner {
        PlLimits want; /* normalised */
        const PlReading *have;
        PlShrinkMode shrink;
        PlPlan *plan;
} Planner;

void pl_reading_deinit(PlReading *r) {
        if (r)
                pl_limits_deinit(&r->in_force);
}

void pl_plan_deinit(PlPlan *p) {
        if (!p)
                return;
        for (size_t i = 0; i < p->n_steps; i++) {
                pl_value_deinit(&p->steps[i].value);
                pl_value_deinit(&p->steps[i].before);
        }
        p->n_steps = 0;
}

static bool is_supported(const PlReading *have, PlResource r) {
        return have->supported & (UINT32_C(1) << r);
}

static const PlValue *in_force(const Planner *p, PlResource r) {
        return &p->have->in_force.v[r];
}

static uint64_t number_of(const PlValue *v, uint64_t unset) {
        return v->set ? v->number : unset;
}

static int add_step(Planner *p, PlStepKind kind, PlResource r, const PlValue *value,
                    uint64_t number, const char *why) {
        int e;
        PlStep s = { .kind = kind, .resource = r, .number = number, .why = why };

        s.number_before = number_of(in_force(p, r), PL_UNLIMITED);
        if (r == PL_RESOURCE_MEMORY_SWAP_MAX && p->have->hierarchy[r] == PL_HIERARCHY_V1)
                s.number_before = p->have->memsw_bytes;

        if (r == PL_RESOURCE_CPU_QUOTA)
                s.period_usec = p->have->cpu_period_usec;
        e = pl_value_copy(value, &s.value);
        if (e < 0)
                return e;
        e = pl_value_copy(in_force(p, r), &s.before);
        if (e < 0) {
                pl_value_deinit(&s.value);
                return e;
        }
        p->plan->steps[p->plan->n_steps++] = s;
        return 0;
}

static int add_write(Planner *p, PlResource r, const PlValue *value) {
        return add_step(p, PL_STEP_WRITE, r, value, value->number, NULL);
}

static bool quota_in_force(uint64_t want, uint64_t have, uint64_t period_usec) {
        uint64_t step = 1;

        if (want == PL_UNLIMITED || have == PL_UNLIMITED)
                return want == have;
        if (period_usec > 0)
                step = (PL_USEC_PER_SEC + period_usec - 1) / period_usec;
        return PL_MAX(want, have) - PL_MIN(want, have) < step;
}

/* The period is as long as the one that is written would be: see pl_resource_format_quota(). */
static bool period_in_force(const Planner *p, const PlValue *want, PlHierarchy h) {
        _cleanup_free_ char *quota = NULL;
        uint64_t period_usec;

        return p->have->usual_period_usec == 0 ||
               pl_resource_format_quota(h, want, p->have->usual_period_usec, &quota, &period_usec) <
                               0 ||
               period_usec == p->have->cpu_period_usec;
}

static bool differs(const Planner *p, PlResource r) {
        const PlValue *want = &p->want.v[r], *have = in_force(p, r);

        if (!want->set || !is_supported(p->have, r))
                return false;
        if (!have->set)
                return true;
        /* "No restriction" is no list on v1, and on v2 none that a group with tasks takes once it
         * has had another: the parent's own is the closest. */
        if (r == PL_RESOURCE_ALLOWED_CPUS && (!want->text || !*want->text))
                return !pl_value_equal(want, have) && !p->have->cpus_of_parent;
        if (pl_resource_info(r)->kind == PL_KIND_CPU_TIME)
                return !quota_in_force(want->number, have->number, p->have->cpu_period_usec) ||
                       !period_in_force(p, want, p->have->hierarchy[r]);
        return !pl_value_equal(want, have);
}

static bool is_raise(const Planner *p, PlResource r) {
        return p->want.v[r].number > number_of(in_force(p, r), PL_UNLIMITED);
}

static int plan_plain(Planner *p, PlResource r) {
        return differs(p, r) ? add_write(p, r, &p->want.v[r]) : 0;
}

/* Only when the change goes the given way. */
static int plan_raise(Planner *p, PlResource r) {
        return is_raise(p, r) ? plan_plain(p, r) : 0;
}

static int plan_lower(Planner *p, PlResource r) {
        return is_raise(p, r) ? 0 : plan_plain(p, r);
}

/* memory.memsw.limit_in_bytes: their sum; PL_UNLIMITED when either is, or when it does not fit. */
static uint64_t memsw_of(uint64_t memory_bytes, uint64_t swap_bytes) {
        uint64_t sum;

        if (memory_bytes == PL_UNLIMITED || swap_bytes == PL_UNLIMITED ||
            __builtin_add_overflow(memory_bytes, swap_bytes, &sum))
                return PL_UNLIMITED;
        return sum;
}

/* The limit of the sum that v1 needs for a limit of memory alone; see the top of the file. */
static uint64_t memsw_target(const Planner *p, uint64_t limit) {
        const PlValue *want = &p->want.v[PL_RESOURCE_MEMORY_SWAP_MAX];
        const PlValue *usual = &p->have->usual_swap;
        uint64_t swap;

        if (want->set)
                swap = want->number;
        else if (usual->set)
                swap = usual->number;
        else
                swap = number_of(in_force(p, PL_RESOURCE_MEMORY_SWAP_MAX), PL_UNLIMITED);
        return memsw_of(limit, swap);
}

static int plan_memsw(Planner *p, uint64_t limit, uint64_t memsw) {
        PlValue swap = { .set = true, .number = PL_UNLIMITED };

        if (memsw != PL_UNLIMITED)
                swap.number = memsw - limit;
        return add_step(p, PL_STEP_WRITE, PL_RESOURCE_MEMORY_SWAP_MAX, &swap, memsw, NULL);
}

static int plan_memory_v1(Planner *p) {
        const PlValue *want = &p->want.v[PL_RESOURCE_MEMORY_MAX];
        const PlValue *want_swap = &p->want.v[PL_RESOURCE_MEMORY_SWAP_MAX];
        uint64_t was = number_of(in_force(p, PL_RESOURCE_MEMORY_MAX), PL_UNLIMITED);
        bool may_limit = want->set && !p->have->refused_memory, write_memsw;
        bool write_limit = may_limit && differs(p, PL_RESOURCE_MEMORY_MAX);
        bool restores_sum = p->have->restores_memory && p->have->usual_swap.set;
        uint64_t limit = may_limit ? want->number : was, memsw;
        size_t first = p->plan->n_steps;
        int r;

        if (!is_supported(p->have, PL_RESOURCE_MEMORY_SWAP_MAX))
                return write_limit ? add_write(p, PL_RESOURCE_MEMORY_MAX, want) : 0;

        if (want_swap->set && want_swap->number != PL_UNLIMITED && limit == PL_UNLIMITED) {
                r = add_step(p, PL_STEP_CANNOT, PL_RESOURCE_MEMORY_SWAP_MAX, want_swap, 0,
                             "cgroup v1 limits the sum of memory and swap: it needs a MemoryMax= "
                             "too");
                if (r < 0)
                        return r;
                first++;
        }
        memsw = memsw_target(p, limit);
        write_memsw = (write_limit || want_swap->set || restores_sum) &&
                      memsw != p->have->memsw_bytes;

        if (write_memsw && memsw > p->have->memsw_bytes) {
                r = plan_memsw(p, limit, memsw);
                if (r < 0)
                        return r;
                write_memsw = false;
        }
        if (write_limit) {
                r = add_write(p, PL_RESOURCE_MEMORY_MAX, want);
                if (r < 0)
                        return r;
        }
        if (write_memsw) {
                r = plan_memsw(p, limit, memsw);
                if (r < 0)
                        return r;
        }
        if (p->plan->n_steps == first + 2)
                p->plan->steps[first + 1].chained = true;
        return 0;
}

/* memory.high as it should be when no squeeze holds it. What a squeeze has borrowed it for was
 * nobody's value. */
static int plan_high(Planner *p, const PlSqueeze *squeeze) {
        const PlResource high = PL_RESOURCE_MEMORY_HIGH;
        PlValue back = { .set = true, .number = squeeze->high_before };
        const PlValue *value = p->want.v[high].set ? &p->want.v[high] : &back;
        PlStep *step = &p->plan->steps[p->plan->n_steps];
        int r;

        if (!squeeze->high_held)
                return plan_plain(p, high);
        if (pl_value_equal(value, in_force(p, high)) || !is_supported(p->have, high))
                return 0;
        r = add_write(p, high, value);
        if (r == 0) {
                step->before = back;
                step->number_before = back.number;
        }
        return r;
}

/* Is the last round's yield too small to go on? A busy container must not keep us squeezing for
 * ever, so only a new low counts, and
 * only one that brings the end nearer. */
static bool is_stall(const PlSqueeze *s, uint64_t current, uint64_t target) {
        uint64_t enough;

        if (s->rounds == 0)
                return false;
        if (current >= s->current_bytes)
                return true;
        enough = s->current_bytes > target ? (s->current_bytes - target) / 8 : 0;
        return s->current_bytes - current < PL_MIN(enough, MIB(1));
}

static int plan_squeeze_step(Planner *p, uint64_t current, uint64_t target) {
        uint64_t goal = current - target > PL_SQUEEZE_BYTES ? current - PL_SQUEEZE_BYTES : target;
        const PlValue *want_high = &p->want.v[PL_RESOURCE_MEMORY_HIGH];
        PlSqueeze *s = &p->plan->squeeze;
        PlValue v = { .set = true };

        if (p->have->has_reclaim) {
                v.number = current - goal;
                return add_step(p, PL_STEP_SQUEEZE, PL_RESOURCE_MEMORY_MAX, &v, v.number, NULL);
        }
        if (!s->high_held) {
                s->high_held = true;
                s->high_before = number_of(in_force(p, PL_RESOURCE_MEMORY_HIGH), PL_UNLIMITED);
        }
        v.number = want_high->set ? PL_MIN(goal, want_high->number) : goal;
        return add_step(p, PL_STEP_SQUEEZE, PL_RESOURCE_MEMORY_HIGH, &v, v.number, NULL);
}

static int plan_squeeze(Planner *p, const PlSqueeze *squeeze, uint64_t target) {
        uint64_t current = p->have->memory_current_bytes;
        PlSqueeze *next = &p->plan->squeeze;
        bool stalls = is_stall(squeeze, current, target);
        const char *why = NULL;
        int r;

        *next = *squeeze;
        if (squeeze->stalled >= PL_SQUEEZE_STALLS_MAX && squeeze->rounds > 0 && !stalls)
                next->stalled = PL_SQUEEZE_STALLS_MAX - 1; /* it fell by itself: once more */
        if (current == PL_UNLIMITED)
                why = "memory in use is unknown, and a limit below it would kill";
        else if (!p->have->has_reclaim && !is_supported(p->have, PL_RESOURCE_MEMORY_HIGH))
                why = "more memory is in use, and this kernel offers no way to reclaim it";
        else if (squeeze->refused)
                why = "more memory is in use, and the kernel refuses to reclaim it";
        else if (next->stalled >= PL_SQUEEZE_STALLS_MAX)
                why = "more memory is in use than can be reclaimed";
        else {
                next->stalled += stalls;
                if (next->stalled >= PL_SQUEEZE_STALLS_MAX)
                        why = "more memory is in use than can be reclaimed";
        }
        if (why) {
                next->high_held = false;
                r = plan_high(p, squeeze);
                return r < 0 ? r
                             : add_step(p, PL_STEP_WAIT, PL_RESOURCE_MEMORY_MAX,
                                        &p->want.v[PL_RESOURCE_MEMORY_MAX], target, why);
        }

        next->current_bytes =
                        squeeze->rounds > 0 ? PL_MIN(squeeze->current_bytes, current) : current;
        next->rounds++;
        p->plan->again = true;
        if (p->have->has_reclaim && !squeeze->high_held) {
                r = plan_high(p, squeeze);
                if (r < 0)
                        return r;
        }
        return plan_squeeze_step(p, current, target);
}

static int plan_memory_v2(Planner *p, const PlSqueeze *squeeze) {
        const PlValue *want = &p->want.v[PL_RESOURCE_MEMORY_MAX];
        int r;

        if (differs(p, PL_RESOURCE_MEMORY_MAX) && !is_raise(p, PL_RESOURCE_MEMORY_MAX) &&
            p->shrink != PL_SHRINK_KILL && p->have->memory_current_bytes > want->number)
                return plan_squeeze(p, squeeze, want->number);

        if (!squeeze->high_held && !is_raise(p, PL_RESOURCE_MEMORY_HIGH)) {
                r = plan_high(p, squeeze);
                return r < 0 ? r : plan_plain(p, PL_RESOURCE_MEMORY_MAX);
        }
        r = plan_plain(p, PL_RESOURCE_MEMORY_MAX);
        return r < 0 ? r : plan_high(p, squeeze);
}

/* clang-format off */
#define IS_MEMORY(constant, name, kind, controller, v1, v2, min, max, fresh, turn, ...) \
        +(PL_TURN_##turn == PL_TURN_MEMORY)
/* clang-format on */
_Static_assert(0 PL_RESOURCES(IS_MEMORY) == 5, "plan_memory() plans each of them by name");
#undef IS_MEMORY

static int plan_memory(Planner *p, const PlSqueeze *squeeze) {
        bool v1 = p->have->hierarchy[PL_RESOURCE_MEMORY_MAX] == PL_HIERARCHY_V1;
        int r;

        r = plan_lower(p, PL_RESOURCE_MEMORY_MIN);
        if (r == 0)
                r = plan_lower(p, PL_RESOURCE_MEMORY_LOW);
        if (r == 0 && !v1)
                r = plan_raise(p, PL_RESOURCE_MEMORY_SWAP_MAX);
        if (r == 0)
                r = v1 ? plan_memory_v1(p) : plan_memory_v2(p, squeeze);
        if (r == 0 && !v1)
                r = plan_lower(p, PL_RESOURCE_MEMORY_SWAP_MAX);
        if (r == 0)
                r = plan_raise(p, PL_RESOURCE_MEMORY_LOW);
        if (r == 0)
                r = plan_raise(p, PL_RESOURCE_MEMORY_MIN);
        return r;
}

static int plan_unsupported(Planner *p) {
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++) {
                const PlResourceInfo *info = pl_resource_info(r);
                bool v1 = p->have->hierarchy[r] == PL_HIERARCHY_V1;
                int e;

                if (!p->want.v[r].set || is_supported(p->have, r))
                        continue;
                e = add_step(p, PL_STEP_CANNOT, r, &p->want.v[r], 0,
                             info->file[p->have->hierarchy[r]] ? "this kernel does not offer it"
                             : v1                              ? "cgroup v1 does not have it"
                                                               : "cgroup v2 does not have it");
                if (e < 0)
                        return e;
        }
        return 0;
}

static int planner_init(Planner *p, const PlLimits *want, const PlReading *have, uint64_t page) {
        *p = (Planner){ .have = have };
        for (PlResource i = 0; i < _PL_RESOURCE_N; i++) {
                if (pl_value_copy(&want->v[i], &p->want.v[i]) < 0) {
                        pl_limits_deinit(&p->want);
                        return -ENOMEM;
                }
                pl_resource_normalise(i, have->hierarchy[i], page, &p->want.v[i]);
        }
        return 0;
}

int pl_plan_limits(const PlLimits *want, const PlReading *have, PlShrinkMode shrink,
                   const PlSqueeze *squeeze, uint64_t page, PlPlan *ret) {
        PlPlan plan = {};
        Planner p;
        int r;

        r = planner_init(&p, want, have, page);
        if (r < 0)
                return r;
        p.shrink = shrink;
        p.plan = &plan;

        r = plan_memory(&p, squeeze);
        for (PlTurn turn = PL_TURN_MEMORY + 1; turn < _PL_TURN_N; turn++)
                for (PlResource i = 0; r == 0 && i < _PL_RESOURCE_N; i++)
                        if (pl_resource_info(i)->turn == turn)
                                r = plan_plain(&p, i);
        if (r == 0)
                r = plan_unsupported(&p);

        pl_limits_deinit(&p.want);
        if (r < 0) {
                pl_plan_deinit(&plan);
                return r;
        }
        *ret = plan;
        return 0;
}

uint32_t pl_plan_drift(const PlLimits *want, const PlReading *have, uint64_t page) {
        uint32_t mask = 0;
        Planner p;

        /* Out of memory: everything may differ, and the plan that follows returns -ENOMEM. */
        if (planner_init(&p, want, have, page) < 0)
                return have->supported;
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                if (differs(&p, r))
                        mask |= UINT32_C(1) << r;
        pl_limits_deinit(&p.want);
        return mask;
}
