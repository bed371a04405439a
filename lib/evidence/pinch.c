/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Pinch: see the header.
 */

#include "lib/evidence/pinch.h"

#include "lib/base/unit.h"

#define QUIET_USEC  (5 * PL_USEC_PER_MIN) /* without another refusal it is over */
#define WINDOW_USEC (5 * PL_USEC_PER_MIN)
/* Of the time: a quarter is felt, and below a tenth it is over. */
#define BEGIN_PERCENT 25
#define END_PERCENT   10
/* Of the time that some task waits for memory: lib/oom warns of a tenth. */
#define WAIT_BEGIN_PERCENT 10
#define WAIT_END_PERCENT   3
/* The kernel's default. Source: cgroup-v2.rst, cpu.max. */
#define PERIOD_USEC (100 * PL_USEC_PER_MSEC)
/* One percent of a CPU, in a second. */
#define PERCENT_USEC 10000

static const PlPinchInfo kinds[_PL_PINCH_N] = {
        [PL_PINCH_TASKS] = { "TasksMax", "forks refused" },
        [PL_PINCH_CPU] = { "CPUQuota", "throttled" },
        [PL_PINCH_MEMORY_HIGH] = { "MemoryHigh", "waits for memory", true },
        [PL_PINCH_MEMORY_MAX] = { "MemoryMax", "waits for memory", true },
};

const PlPinchInfo *pl_pinch_info(PlPinchKind k) {
        return &kinds[k];
}

static bool is_limit(uint64_t limit) {
        return limit > 0 && limit != PL_UNLIMITED;
}

static uint64_t growth(uint64_t then, uint64_t now) {
        return then == PL_UNLIMITED || now == PL_UNLIMITED || now < then ? 0 : now - then;
}

static bool end(PlPinches *p, PlPinchKind k) {
        bool changed = p->on[k];

        free(p->text[k]);
        p->text[k] = NULL;
        p->on[k] = false;
        p->need[k] = 0;
        return changed;
}

/* @text: owned from now on. Without memory for one it is not told this time. */
static bool begin(PlPinches *p, PlPinchKind k, uint64_t need, char *text) {
        bool changed = !p->on[k] && text;

        if (!text)
                return false;
        free(p->text[k]);
        p->text[k] = text;
        p->on[k] = true;
        p->need[k] = need;
        return changed;
}

void pl_pinches_clear(PlPinches *p) {
        for (PlPinchKind k = 0; k < _PL_PINCH_N; k++)
                (void)end(p, k);
        *p = (PlPinches){ 0 };
}

/* What was refused comes again and again, so it is no measure: half as much again is a step that
 * can be repeated. */
static bool look_at_tasks(PlPinches *p, const PlPinchReading *now) {
        uint64_t n = growth(p->last.n_refused, now->n_refused);
        bool other = p->last.usec == 0 || p->last.tasks_max != now->tasks_max;
        uint64_t need;
        char *text;

        if (!is_limit(now->tasks_max) || other) {
                p->refused_usec = 0;
                return end(p, PL_PINCH_TASKS);
        }
        if (n == 0)
                return p->on[PL_PINCH_TASKS] && now->usec - p->refused_usec >= QUIET_USEC &&
                       end(p, PL_PINCH_TASKS);
        p->refused_usec = now->usec;
        need = now->tasks_max + now->tasks_max / 2 + 1;
        if (asprintf(&text,
                     "TasksMax=%" PRIu64 " has refused it %" PRIu64 " new task%s in a minute: what "
                     "runs in it cannot start processes or threads; TasksMax=%" PRIu64
                     " would be the next step",
                     now->tasks_max, n, pl_plural(n), need) < 0)
                text = NULL;
        return begin(p, PL_PINCH_TASKS, need, text);
}

static void begin_cpu(PlPinches *p, const PlPinchReading *now) {
        p->since.usec = now->usec;
        p->since.n_throttled = now->n_throttled;
        p->since.quota_usec = now->quota_usec;
}

static bool look_at_cpu(PlPinches *p, const PlPinchReading *now) {
        uint64_t n = growth(p->since.n_throttled, now->n_throttled);
        uint64_t period = now->period_usec > 0 && now->period_usec != PL_UNLIMITED
                                          ? now->period_usec
                                          : PERIOD_USEC;
        uint64_t span, percent, need;
        char *text;

        if (!is_limit(now->quota_usec) || p->since.usec == 0 ||
            p->since.quota_usec != now->quota_usec || now->n_throttled == PL_UNLIMITED ||
            now->n_throttled < p->since.n_throttled) {
                begin_cpu(p, now);
                return end(p, PL_PINCH_CPU);
        }
        span = now->usec - p->since.usec;
        if (span < WINDOW_USEC)
                return false;
        begin_cpu(p, now);
        percent = n * period * 100 / span;
        percent = PL_MIN(percent, UINT64_C(100));
        if (percent < (p->on[PL_PINCH_CPU] ? END_PERCENT : BEGIN_PERCENT))
                return end(p, PL_PINCH_CPU);
        /* what it would use is not known: as much more as it had to wait, to the next 10 % */
        need = now->quota_usec + now->quota_usec * percent / 100;
        need = (need + 10 * PERCENT_USEC - 1) / (10 * PERCENT_USEC) * (10 * PERCENT_USEC);
        if (asprintf(&text,
                     "CPUQuota=%" PRIu64 "%% holds it back: throttled in %" PRIu64
                     "%% of the last %" PRIu64 " minutes; CPUQuota=%" PRIu64
                     "%% would be the next step",
                     now->quota_usec / PERCENT_USEC, percent,
                     (span + PL_USEC_PER_MIN / 2) / PL_USEC_PER_MIN, need / PERCENT_USEC) < 0)
                text = NULL;
        return begin(p, PL_PINCH_CPU, need, text);
}

/* One limit of memory. @n: so often it was reached in the window. Return: whether it has changed.
 */
static bool judge_memory(PlPinches *p, PlPinchKind k, uint64_t limit_bytes, uint64_t n,
                         uint64_t percent, uint64_t span_usec) {
        char limit[PL_FORMAT_MAX], next[PL_FORMAT_MAX];
        uint64_t need;
        char *text;

        if (n == 0 || percent < (p->on[k] ? WAIT_END_PERCENT : WAIT_BEGIN_PERCENT))
                return end(p, k);
        /* what it would use is not known: a quarter more is a step that can be repeated */
        need = (limit_bytes + limit_bytes / 4 + MIB(1) - 1) / MIB(1) * MIB(1);
        if (asprintf(&text,
                     "%s=%s holds it back: it has reached it %" PRIu64
                     " time%s and waited for memory "
                     "in %" PRIu64 "%% of the last %" PRIu64
                     " minutes; %s=%s would be the next step",
                     kinds[k].limit, pl_format_bytes_exact(limit_bytes, limit), n, pl_plural(n),
                     percent, (span_usec + PL_USEC_PER_MIN / 2) / PL_USEC_PER_MIN, kinds[k].limit,
                     pl_format_bytes_exact(need, next)) < 0)
                text = NULL;
        return begin(p, k, need, text);
}

/* A kill is told by itself, and says more. */
static unsigned look_at_memory(PlPinches *p, const PlPinchReading *reading) {
        const PlPinchMemory then = p->memory, *now = &reading->memory;
        bool other = then.usec == 0 || then.high_bytes != now->high_bytes ||
                     then.max_bytes != now->max_bytes || now->waited_usec == PL_UNLIMITED ||
                     now->waited_usec < then.waited_usec;
        bool high = is_limit(now->high_bytes), max = is_limit(now->max_bytes), killed;
        uint64_t span = reading->usec - then.usec, percent;
        unsigned changed = 0;

        if (!other && span < WINDOW_USEC)
                return 0;
        p->memory = *now;
        p->memory.usec = reading->usec;
        killed = growth(then.n_kills, now->n_kills) > 0;
        percent = other ? 0 : growth(then.waited_usec, now->waited_usec) * 100 / span;
        percent = PL_MIN(percent, UINT64_C(100));
        if (judge_memory(p, PL_PINCH_MEMORY_HIGH, now->high_bytes,
                         high ? growth(then.n_high, now->n_high) : 0, percent, span))
                changed |= 1U << PL_PINCH_MEMORY_HIGH;
        if (judge_memory(p, PL_PINCH_MEMORY_MAX, now->max_bytes,
                         max && !killed ? growth(then.n_max, now->n_max) : 0, percent, span))
                changed |= 1U << PL_PINCH_MEMORY_MAX;
        return changed;
}

unsigned pl_pinch_take(PlPinches *p, const PlPinchReading *now) {
        unsigned changed = look_at_memory(p, now);

        if (look_at_tasks(p, now))
                changed |= 1U << PL_PINCH_TASKS;
        if (look_at_cpu(p, now))
                changed |= 1U << PL_PINCH_CPU;
        p->last.usec = now->usec;
        p->last.n_refused = now->n_refused;
        p->last.tasks_max = now->tasks_max;
        return changed;
}
