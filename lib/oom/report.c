/* SPDX-License-Identifier: Apache-2.0 */

/*
 * OOM: samples, reports, history, and when pressure is worth a warning. The words are in
 * text.c.
 */

#include "lib/oom/report.h"

/* A reading this shortly before a kill shows what led to it; after the kill, usage lacks the
 * victim's memory. */
#define MOMENT_USEC (2 * PL_USEC_PER_SEC)

void pl_oom_sample_init(PlOomSample *s, uint64_t boottime_usec) {
        memset(s, 0xff, sizeof(*s)); /* PL_UNLIMITED */
        s->time_usec = boottime_usec;
}

/* Usage without the page cache that nobody has used lately, which the kernel takes back at no cost.
 */
static uint64_t working_set(const PlOomSample *s) {
        if (s->usage_bytes == PL_UNLIMITED || s->inactive_file_bytes == PL_UNLIMITED)
                return PL_UNLIMITED;
        return s->usage_bytes > s->inactive_file_bytes ? s->usage_bytes - s->inactive_file_bytes
                                                       : 0;
}

/* "avg10=12.34" in 1/100 */
static void take_average(const char *line, size_t len, const char *key, uint64_t *ret) {
        const char *p = memmem(line, len, key, strlen(key)), *end = line + len;
        uint64_t n = 0;
        int decimals = -1;

        if (!p)
                return;
        for (p += strlen(key); p < end && decimals < 2; p++) {
                if (*p == '.' && decimals < 0) {
                        decimals = 0;
                        continue;
                }
                if (*p < '0' || *p > '9' || n > 100000)
                        break;
                n = n * 10 + (uint64_t)(*p - '0');
                decimals += decimals >= 0;
        }
        if (decimals == 2)
                *ret = n;
}

void pl_oom_parse_pressure(const char *text, PlOomSample *s) {
        for (const char *p = text, *next; *p; p = next) {
                size_t len = strcspn(p, "\n");

                next = p + len + (p[len] == '\n');
                if (pl_startswith(p, "some ")) {
                        take_average(p, len, " avg10=", &s->some_avg10);
                        take_average(p, len, " avg60=", &s->some_avg60);
                } else if (pl_startswith(p, "full ")) {
                        take_average(p, len, " avg10=", &s->full_avg10);
                        take_average(p, len, " avg60=", &s->full_avg60);
                }
        }
}

void pl_oom_ring_add(PlOomRing *ring, const PlOomSample *s) {
        ring->samples[ring->n++ % PL_OOM_SAMPLES] = *s;
        if (ring->n == 2 * PL_OOM_SAMPLES)
                ring->n = PL_OOM_SAMPLES;
}

/* Return: borrowed; NULL: no more. back: 0 the last one, 1 the one before … */
static const PlOomSample *last_sample(const PlOomRing *ring, unsigned back) {
        if (back >= ring->n || back >= PL_OOM_SAMPLES)
                return NULL;
        return &ring->samples[(ring->n - 1 - back) % PL_OOM_SAMPLES];
}

static uint64_t known(uint64_t a, uint64_t b) {
        return a != PL_UNLIMITED ? a : b;
}

/* The larger one of those that are known. */
static uint64_t larger(uint64_t a, uint64_t b) {
        if (a == PL_UNLIMITED || b == PL_UNLIMITED)
                return known(a, b);
        return PL_MAX(a, b);
}

/* The moment of the kill: the fullest of the last samples, with gaps filled from the others.
 * @ret_before: does it stand for the time before the kill? */
static PlOomSample fullest(const PlOomRing *ring, const PlOomSample *after, uint64_t now,
                           bool *ret_before) {
        const PlOomSample *s;
        PlOomSample best;

        *ret_before = false;
        pl_oom_sample_init(&best, now);
        if (after)
                best = *after;
        for (unsigned i = 0; (s = last_sample(ring, i)) != NULL; i++) {
                bool recent = now - s->time_usec <= MOMENT_USEC || !after;

                if (recent && s->usage_bytes != PL_UNLIMITED &&
                    (best.usage_bytes == PL_UNLIMITED || s->usage_bytes > best.usage_bytes)) {
                        best.usage_bytes = s->usage_bytes;
                        best.inactive_file_bytes = s->inactive_file_bytes;
                        best.swap_bytes = s->swap_bytes;
                        *ret_before = true;
                }
                best.peak_bytes = larger(best.peak_bytes, s->peak_bytes);
                if (!after && i == 0)
                        best.limit_bytes = s->limit_bytes;
        }
        return best;
}

static void take_pressure(PlOomReport *r, const PlOomRing *ring, const PlOomSample *after,
                          uint64_t now) {
        const PlOomSample *s;

        r->some_permyriad = r->full_permyriad = PL_UNLIMITED;
        if (after) {
                r->some_permyriad = larger(after->some_avg10, after->some_avg60);
                r->full_permyriad = larger(after->full_avg10, after->full_avg60);
        }
        for (unsigned i = 0; (s = last_sample(ring, i)) != NULL; i++) {
                if (now - s->time_usec > PL_USEC_PER_MIN)
                        break;
                r->some_permyriad = larger(r->some_permyriad, s->some_avg10);
                r->full_permyriad = larger(r->full_permyriad, s->full_avg10);
        }
}

static uint64_t sum_known(uint64_t a, uint64_t b) {
        if (a == PL_UNLIMITED || b == PL_UNLIMITED)
                return known(a, b);
        return a + b;
}

static void take_kill(PlOomReport *r, const PlKmsgKill *k, const char *id) {
        r->pid = k->pid;
        r->uid = k->uid;
        memcpy(r->victim, k->name, sizeof(r->victim));
        r->victim_bytes = sum_known(sum_known(k->anon_rss_bytes, k->file_rss_bytes),
                                    k->shmem_rss_bytes);
        if (k->scope == PL_KMSG_SCOPE_HOST) {
                r->cause = PL_OOM_CAUSE_HOST;
        } else if (pl_kmsg_own_limit(k, id)) {
                r->cause = PL_OOM_CAUSE_LIMIT;
                r->usage_bytes = known(k->usage_bytes, r->usage_bytes);
                r->limit_bytes = known(k->limit_bytes, r->limit_bytes);
        } else if (k->scope == PL_KMSG_SCOPE_GROUP && k->limit_group[0]) {
                r->cause = PL_OOM_CAUSE_PARENT;
                memcpy(r->limit_group, k->limit_group, sizeof(r->limit_group));
                r->limit_bytes = k->limit_bytes;
        }
}

/* Without a kernel record: was the group full? The kernel counts the peak in batches, so it may
 * stop a little short of the limit. */
static bool was_full(const PlOomReport *r) {
        uint64_t peak = larger(r->peak_bytes, r->usage_bytes);

        return r->limit_bytes != PL_UNLIMITED && peak != PL_UNLIMITED &&
               peak >= r->limit_bytes - r->limit_bytes / 20;
}

void pl_oom_report_init(PlOomReport *ret, const PlOomRing *ring, const PlOomSample *after,
                        const PlKmsgKill *kill, const char *id, uint64_t kills,
                        uint64_t boottime_usec, uint64_t realtime_usec) {
        bool before;
        PlOomSample s = fullest(ring, after, boottime_usec, &before);

        *ret = (PlOomReport){
                .time_usec = realtime_usec,
                .kills = kills,
                .uid = PL_UNLIMITED,
                .victim_bytes = PL_UNLIMITED,
                .directive = "MemoryMax",
                .limit_bytes = s.limit_bytes,
                .usage_bytes = s.usage_bytes,
                .peak_bytes = s.peak_bytes,
                .swap_bytes = s.swap_bytes,
                .around.all_limits_bytes = PL_UNLIMITED,
                .around.setting_bytes = PL_UNLIMITED,
        };
        if (kill)
                take_kill(ret, kill, id);
        if (ret->cause == PL_OOM_CAUSE_UNKNOWN && was_full(ret))
                ret->cause = PL_OOM_CAUSE_LIMIT;
        /* usage after the victim is gone says nothing about a limit that was reached */
        if (!kill && !before && ret->cause == PL_OOM_CAUSE_LIMIT)
                ret->usage_bytes = PL_UNLIMITED;
        s.usage_bytes = ret->usage_bytes;
        ret->working_set_bytes = working_set(&s);
        ret->peak_bytes = larger(ret->peak_bytes, ret->usage_bytes);
        take_pressure(ret, ring, after, boottime_usec);
}

static unsigned count_since(const PlOomHistory *h, uint64_t now, uint64_t span) {
        unsigned n = 0;

        for (unsigned i = 0; i < PL_MIN(h->n_times, (unsigned)PL_OOM_TIMES); i++)
                n += h->times[i] > now || now - h->times[i] < span;
        return n;
}

void pl_oom_history_add(PlOomHistory *h, PlOomReport *r) {
        h->total += r->kills;
        for (uint64_t i = 0; i < PL_MIN(r->kills, (uint64_t)PL_OOM_TIMES); i++) {
                h->times[h->n_times++ % PL_OOM_TIMES] = r->time_usec;
                if (h->n_times == 2 * PL_OOM_TIMES)
                        h->n_times = PL_OOM_TIMES;
        }
        r->in_10min = count_since(h, r->time_usec, 10 * PL_USEC_PER_MIN);
        r->in_hour = count_since(h, r->time_usec, PL_USEC_PER_HOUR);
        r->in_day = count_since(h, r->time_usec, PL_USEC_PER_DAY);
        h->reports[h->n_reports++ % PL_OOM_REPORTS] = *r;
        if (h->n_reports == 2 * PL_OOM_REPORTS)
                h->n_reports = PL_OOM_REPORTS;
}

void pl_oom_history_name(PlOomHistory *h, const PlKmsgKill *kill, const char *id) {
        unsigned n = PL_MIN(h->n_reports, (unsigned)PL_OOM_REPORTS);

        for (unsigned i = 1; i <= n; i++) {
                PlOomReport *r = &h->reports[(h->n_reports - i) % PL_OOM_REPORTS];

                if (r->pid != 0)
                        continue;
                take_kill(r, kill, id);
                return;
        }
}

const PlOomReport *pl_oom_history_get(const PlOomHistory *h, unsigned i) {
        unsigned n = PL_MIN(h->n_reports, (unsigned)PL_OOM_REPORTS);

        return i < n ? &h->reports[(h->n_reports - n + i) % PL_OOM_REPORTS] : NULL;
}

/* With averages, pressure in a group that is full is the group's own. v1 has none, there the
 * kernel's word for "medium" pressure is the sign, and a full page cache gives it as well. */
static bool is_tight(const PlOomSample *s) {
        uint64_t ceiling = PL_MIN(s->limit_bytes, s->high_bytes);
        uint64_t used = s->some_avg10 == PL_UNLIMITED ? working_set(s) : s->usage_bytes;

        if (ceiling == PL_UNLIMITED || used == PL_UNLIMITED)
                return false;
        if (s->some_avg10 != PL_UNLIMITED && s->some_avg10 < PL_OOM_SOME_AVG10)
                return false;
        return used >= ceiling / 100 * PL_OOM_NEAR_PERCENT;
}

static void report_pressure(const PlOomRing *ring, const PlOomSample *s, uint64_t realtime_usec,
                            PlOomReport *ret) {
        pl_oom_report_init(ret, ring, s, NULL, "", 0, s->time_usec, realtime_usec);
        ret->usage_bytes = s->usage_bytes;
        ret->swap_bytes = s->swap_bytes;
        ret->working_set_bytes = working_set(s);
        if (s->high_bytes >= s->limit_bytes)
                return;
        ret->limit_bytes = s->high_bytes;
        ret->directive = "MemoryHigh";
}

bool pl_oom_pressure(PlOomPressure *p, const PlOomRing *ring, const PlOomSample *s,
                     uint64_t realtime_usec, PlOomReport *ret) {
        uint64_t now = s->time_usec;

        if (!is_tight(s))
                return false;
        if (p->since_usec == 0 || now - p->last_usec > PL_OOM_GAP_USEC) {
                if (p->warned_usec > 0 && now - p->last_usec > PL_OOM_QUIET_USEC)
                        p->warned_usec = 0;
                p->since_usec = now;
        }
        p->last_usec = now;
        if (now - p->since_usec < PL_OOM_SUSTAIN_USEC)
                return false;
        if (p->warned_usec > 0 && now - p->warned_usec < PL_OOM_REPEAT_USEC)
                return false;
        p->warned_usec = now;
        report_pressure(ring, s, realtime_usec, ret);
        return true;
}
