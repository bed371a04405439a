/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Slow: see the header. Sources: kernel Documentation/scheduler/sched-bwc.rst (nr_throttled),
 * Documentation/admin-guide/cgroup-v2.rst (memory.events, "high").
 */

#include "lib/health/slow.h"

#include "lib/base/unit.h"

/* The first word comes soon, because a start period may be short. */
#define FIRST_USEC PL_USEC_PER_SEC
#define SPAN_USEC  (5 * PL_USEC_PER_SEC)
/* Out of quota in so many percent of the time. An idle server with a quota of 1 % is asked a few
 * times a minute, and is throttled for some periods each. */
#define THROTTLED_PERCENT 25
/* One thread with a quota of 100 % uses it up without ever being throttled. */
#define USED_PERCENT 90
/* Of memory.high, without page cache that can be dropped: whoever only reads files is at it, too.
 */
#define FULL_PERCENT 90

/* The kernel's default. Source: cgroup-v2.rst, cpu.max. */
#define PERIOD_USEC (100 * PL_USEC_PER_MSEC)

static bool is_limit(uint64_t limit) {
        return limit > 0 && limit != PL_UNLIMITED;
}

/* By how much a counter has grown. */
static uint64_t growth(uint64_t then, uint64_t now) {
        return then == PL_UNLIMITED || now == PL_UNLIMITED || now < then ? 0 : now - then;
}

/* Counters are the kernel's, and bounded by time; a quota is at least 1 %. */
static uint64_t percent(uint64_t part, uint64_t whole) {
        return whole == 0 ? 0 : (uint64_t)((double)part * 100.0 / (double)whole);
}

static bool explain_quota(const PlSlowReading *then, const PlSlowReading *now, char *buf,
                          size_t size) {
        uint64_t span = now->usec - then->usec;
        uint64_t period = now->period_usec > 0 ? now->period_usec : PERIOD_USEC;
        uint64_t throttled = percent(growth(then->n_throttled, now->n_throttled) * period, span);
        uint64_t used = percent(growth(then->cpu_usec, now->cpu_usec),
                                span * now->quota_usec / PL_USEC_PER_SEC);

        if (throttled >= THROTTLED_PERCENT)
                (void)snprintf(buf, size,
                               "CPUQuota=%" PRIu64 "%% holds it back: throttled in %" PRIu64
                               "%% of the time",
                               now->quota_usec / 10000, PL_MIN(throttled, UINT64_C(100)));
        else if (used >= USED_PERCENT)
                (void)snprintf(buf, size,
                               "CPUQuota=%" PRIu64 "%% holds it back: it uses %" PRIu64 "%% of it",
                               now->quota_usec / 10000, PL_MIN(used, UINT64_C(100)));
        else
                return false;
        return true;
}

static bool explain_high(const PlSlowReading *then, const PlSlowReading *now, char *buf,
                         size_t size) {
        uint64_t n = growth(then->n_high, now->n_high);
        char high[PL_FORMAT_MAX], used[PL_FORMAT_MAX];

        if (n == 0 || now->memory_bytes == PL_UNLIMITED ||
            percent(now->memory_bytes, now->high_bytes) < FULL_PERCENT)
                return false;
        (void)snprintf(buf, size,
                       "MemoryHigh=%s holds it back: it needs %s, and had to wait for memory "
                       "%" PRIu64 " times",
                       pl_format_bytes_exact(now->high_bytes, high),
                       pl_format_bytes(now->memory_bytes, used), n);
        return true;
}

static bool same_limits(const PlSlowReading *a, const PlSlowReading *b) {
        return a->quota_usec == b->quota_usec && a->period_usec == b->period_usec &&
               a->high_bytes == b->high_bytes;
}

const char *pl_slow_take(PlSlow *slow, const PlSlowReading *now) {
        const PlSlowReading *then = &slow->since;
        uint64_t least = slow->judged ? SPAN_USEC : FIRST_USEC;

        if (!is_limit(now->quota_usec) && !is_limit(now->high_bytes)) {
                *slow = (PlSlow){ 0 };
                return NULL;
        }
        /* a limit that was changed has not yet had its effect */
        if (then->usec == 0 || now->usec < then->usec || !same_limits(then, now)) {
                *slow = (PlSlow){ .since = *now };
                return NULL;
        }
        if (now->usec - then->usec >= least) {
                if (!(is_limit(now->quota_usec) &&
                      explain_quota(then, now, slow->text, sizeof(slow->text))) &&
                    !(is_limit(now->high_bytes) &&
                      explain_high(then, now, slow->text, sizeof(slow->text))))
                        slow->text[0] = '\0';
                slow->since = *now;
                slow->judged = true;
        }
        return *slow->text ? slow->text : NULL;
}
