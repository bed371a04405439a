/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Pinch: see the header.
 */

#include "lib/evidence/pinch.h"

#define QUIET_USEC  (5 * PL_USEC_PER_MIN) /* without another refusal it is over */
#define WINDOW_USEC (5 * PL_USEC_PER_MIN)
/* Of the time: a quarter is felt, and below a tenth it is over. */
#define BEGIN_PERCENT 25
#define END_PERCENT   10
/* The kernel's default. Source: cgroup-v2.rst, cpu.max. */
#define PERIOD_USEC (100 * PL_USEC_PER_MSEC)
/* One percent of a CPU, in a second. */
#define PERCENT_USEC 10000

static const struct {
        const char *limit, *cause;
} kinds[_PL_PINCH_N] = {
        [PL_PINCH_TASKS] = { "TasksMax", "forks refused" },
        [PL_PINCH_CPU] = { "CPUQuota", "throttled" },
};

const char *pl_pinch_limit(PlPinchKind k) {
        return kinds[k].limit;
}

const char *pl_pinch_cause(PlPinchKind k) {
        return kinds[k].cause;
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
        const PlPinchReading *then = &p->last;
        uint64_t n = growth(then->n_refused, now->n_refused);
        bool other = then->usec == 0 || then->tasks_max != now->tasks_max;
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

static bool look_at_cpu(PlPinches *p, const PlPinchReading *now) {
        const PlPinchReading then = p->since;
        uint64_t period = now->period_usec > 0 && now->period_usec != PL_UNLIMITED
                                          ? now->period_usec
                                          : PERIOD_USEC;
        uint64_t span, percent, need;
        char *text;

        if (!is_limit(now->quota_usec) || then.usec == 0 || then.quota_usec != now->quota_usec ||
            now->n_throttled == PL_UNLIMITED || now->n_throttled < then.n_throttled) {
                p->since = *now;
                return end(p, PL_PINCH_CPU);
        }
        span = now->usec - then.usec;
        if (span < WINDOW_USEC)
                return false;
        p->since = *now;
        percent = growth(then.n_throttled, now->n_throttled) * period * 100 / span;
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

unsigned pl_pinch_take(PlPinches *p, const PlPinchReading *now) {
        unsigned changed = 0;

        if (look_at_tasks(p, now))
                changed |= 1U << PL_PINCH_TASKS;
        if (look_at_cpu(p, now))
                changed |= 1U << PL_PINCH_CPU;
        p->last = *now;
        return changed;
}
