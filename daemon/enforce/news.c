/* SPDX-License-Identifier: Apache-2.0 */

/*
 * News: see the header.
 *
 * What was told is kept as a hash of each value: after a restart of the container the same values
 * are no news, and a thousand containers have a thousand of these.
 */

#include "enforce/news.h"

#include "base/clock.h"
#include "lib/base/message.h"
#include "lib/status/summary.h"

/* FNV-1a. Return: never 0, which is "not told". */
static uint32_t hash_of(const PlValue *v) {
        uint32_t hash = UINT32_C(2166136261);

        for (const char *s = v->text; s && *s; s++)
                hash = (hash ^ (unsigned char)*s) * UINT32_C(16777619);
        for (unsigned shift = 0; shift < 64; shift += 8)
                hash = (hash ^ (unsigned char)(v->number >> shift)) * UINT32_C(16777619);
        return hash ?: 1;
}

void pl_news_deinit(PlHeldNews *n) {
        if (n->was)
                pl_limits_deinit(n->was);
        free(n->was);
        free(n->dry_run);
        free(n->put_back);
        free(n->lost);
        *n = (PlHeldNews){ 0 };
}

void pl_news_start(PlHeld *h) {
        h->news.starting = true;
}

void pl_news_managed(PlHeld *h, uint32_t mask) {
        h->news.due |= mask;
}

void pl_news_written(PlHeld *h, const PlPlan *plan, uint32_t mask) {
        for (size_t i = 0; i < plan->n_steps; i++) {
                const PlStep *step = &plan->steps[i];
                uint32_t bit = UINT32_C(1) << step->resource;

                if (step->kind != PL_STEP_WRITE || !(mask & bit))
                        continue;
                /* on v1 MemorySwapMax= stays as it is by being written anew */
                if (!h->news.starting && pl_value_equal(&step->value, &step->before))
                        continue;
                h->news.due |= bit;
                if (h->news.starting)
                        continue; /* the kernel's value of a new group was nobody's */
                if (!h->news.was)
                        h->news.was = calloc(1, sizeof(*h->news.was));
                if (h->news.was && !h->news.was->v[step->resource].set)
                        (void)pl_value_copy(&step->before, &h->news.was->v[step->resource]);
        }
}

/* What was there before: as it was found, or as the container itself would have it. */
static void before(const PlHeld *h, uint32_t mask, PlLimits *ret) {
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++) {
                const PlValue *was = h->news.was ? &h->news.was->v[r] : NULL,
                              fresh = pl_resource_fresh(r);

                if (!(mask & (UINT32_C(1) << r)))
                        continue;
                if (!was || !was->set)
                        was = pl_some_limits_get(&h->originals.state.original, r);
                (void)pl_value_copy(was->set ? was : &fresh, &ret->v[r]);
        }
}

void pl_news_say(PlEnforcer *e, PlHeld *h) {
        uint32_t mask = h->news.due & pl_held_in_force(h) & ~h->restoring, told = mask;
        _cleanup_(pl_limits_deinit) PlLimits was = { 0 };
        _cleanup_free_ char *text = NULL;

        h->news.due &= pl_held_wanted(h) & ~h->restoring;
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                if (h->restoring & (UINT32_C(1) << r))
                        h->news.told[r] = 0;
        if (h->cgroup_started_usec == 0)
                return; /* it is not complete, and may be overwritten */
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++) {
                uint32_t hash = hash_of(&h->want.v[r]);

                if (!(mask & (UINT32_C(1) << r)))
                        continue;
                if (h->news.starting && h->news.told[r] == hash)
                        told &= ~(UINT32_C(1) << r);
                h->news.told[r] = hash;
        }
        h->news.starting = false;
        h->news.due &= ~mask;
        before(h, told, &was);
        text = pl_summary_values(&h->want, &was, told);
        if (text && *text)
                pl_subject_report(e->reporter, h->subject, LOG_INFO, PL_MESSAGE_LIMITS_APPLIED,
                                  NULL, NULL, "limits in force: %s", text);
        if (h->news.due == 0 && h->news.was) {
                pl_limits_deinit(h->news.was);
                free(h->news.was);
                h->news.was = NULL;
        }
}

static void say_changed(PlEnforcer *e, PlHeld *h, const char *put_back, const char *lost,
                        const char *who) {
        if (put_back && *put_back)
                pl_subject_report(e->reporter, h->subject, LOG_NOTICE, PL_MESSAGE_DRIFT_REPAIRED,
                                  who, NULL, "limits changed%s%s, putting back %s",
                                  who ? " by " : "", who ?: "", put_back);
        if (lost && *lost)
                pl_subject_report(e->reporter, h->subject, LOG_WARNING, PL_MESSAGE_LIMITS_FAILED,
                                  who, NULL, "limits changed%s%s, and cannot be put back: %s",
                                  who ? " by " : "", who ?: "", lost);
}

/* @more: ownership passes. Out of memory, less is told. */
static void add(char **list, char *more) {
        char *both = NULL;

        if (!more || !*more || !*list) {
                if (more && *more)
                        *list = TAKE_PTR(more);
        } else if (asprintf(&both, "%s, %s", *list, more) >= 0) {
                free(*list);
                *list = both;
        }
        free(more);
}

void pl_news_changed(PlEnforcer *e, PlHeld *h, char *put_back, char *lost, const char *who,
                     bool guess) {
        if (!guess) {
                say_changed(e, h, put_back, lost, who);
                free(put_back);
                free(lost);
                return;
        }
        if (!h->news.put_back && !h->news.lost)
                h->news.guess_usec = pl_clock_loop_usec(e->event, CLOCK_BOOTTIME);
        add(&h->news.put_back, put_back);
        add(&h->news.lost, lost);
        h->news.guess = who;
        pl_registry_inspect(e->registry, h->subject);
}

void pl_news_inspected(PlEnforcer *e, PlHeld *h, bool last) {
        _cleanup_free_ char *put_back = NULL, *lost = NULL;

        if ((!h->news.put_back && !h->news.lost) ||
            (!last && (h->subject->inspect_in_flight || h->subject->inspect_again)))
                return;
        put_back = TAKE_PTR(h->news.put_back);
        lost = TAKE_PTR(h->news.lost);
        say_changed(e, h, put_back, lost,
                    h->told.others_usec >= h->news.guess_usec
                                    ? pl_drift_hand(&(PlDriftSigns){ .update = true })
                                    : h->news.guess);
}
