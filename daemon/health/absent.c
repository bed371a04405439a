/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Health: required services without a container, and services that others need.
 */

#include "health/patients-internal.h"

#include <errno.h>

#include "base/clock.h"

#include "lib/probe/kind.h"

/* Recreating a container takes this long at most, and is no reason to cry. */
#define GRACE_USEC (10 * PL_USEC_PER_SEC)

int pl_healthd_missing_load(PlHealthd *h) {
        PlMissing *list;
        size_t n = 0;

        list = calloc(h->policy->n_services + 1, sizeof(*list));
        if (!list)
                return -ENOMEM;
        for (size_t i = 0; i < h->policy->n_services; i++) {
                const PlService *s = h->policy->services[i];

                if (!s->probe.required)
                        continue;
                list[n].service = s;
                for (size_t j = 0; j < h->n_missing; j++)
                        if (pl_streq(h->missing[j].service->name, s->name)) {
                                list[n].since_usec = h->missing[j].since_usec;
                                list[n].said = h->missing[j].said;
                        }
                n++;
        }
        free(h->missing);
        h->missing = list;
        h->n_missing = n;
        return 0;
}

static bool has_container(const PlHealthd *h, const PlService *service) {
        const PlPatient *p;

        PL_MAP_FOREACH(p, h->patients)
        if (p->service == service)
                return true;
        return false;
}

static void say(PlHealthd *h, const PlMissing *m, PlHealthState from, PlHealthState to,
                uint64_t lasted_usec) {
        PlVerdict none = { .kind = PL_VERDICT_NONE };
        PlHealthChange change = {
                .from = from,
                .to = to,
                .sign = PL_SIGN_GONE,
                .lasted_usec = lasted_usec,
                .reason = to == PL_HEALTH_ABSENT ? "no container matches its section" : "",
        };
        PlHealthdReport report = {
                .service = m->service->name,
                .change = &change,
                .verdict = &none,
                .required = true,
        };

        h->handlers->changed(h->userdata, &report);
}

uint64_t pl_healthd_missing_check(PlHealthd *h) {
        uint64_t now = pl_clock_loop_usec(h->event, CLOCK_MONOTONIC), at = PL_TIME_INFINITY;

        if (!h->synced || h->stale)
                return at;
        for (size_t i = 0; i < h->n_missing; i++) {
                PlMissing *m = &h->missing[i];

                if (has_container(h, m->service)) {
                        m->since_usec = 0;
                        m->said = false;
                        continue;
                }
                if (m->since_usec == 0)
                        m->since_usec = now;
                if (!m->said && now >= m->since_usec + GRACE_USEC) {
                        m->said = true;
                        say(h, m, PL_HEALTH_UNKNOWN, PL_HEALTH_ABSENT, now - m->since_usec);
                } else if (!m->said) {
                        at = PL_MIN(at, m->since_usec + GRACE_USEC);
                }
        }
        return at;
}

bool pl_healthd_next_absent(const PlHealthd *h, size_t *iter, PlHealthdView *ret) {
        while (*iter < h->n_missing) {
                const PlMissing *m = &h->missing[(*iter)++];

                if (!m->said)
                        continue;
                *ret = (PlHealthdView){
                        .state = PL_HEALTH_ABSENT,
                        .reason = "no container matches its section",
                        .since_usec = m->since_usec,
                        .latency_usec = PL_UNLIMITED,
                        .kind = PL_PROBE_NONE,
                        .service = m->service->name,
                };
                return true;
        }
        return false;
}

/* A dependency that has begun to fail is not held to its thresholds: its dependents' probes may be
 * ahead of its own. */
static bool serves(const PlPatient *p) {
        if (p->health.last.kind == PL_VERDICT_DOWN || p->health.last.kind == PL_VERDICT_STARTING)
                return false;
        return p->health.state == PL_HEALTH_HEALTHY || p->health.state == PL_HEALTH_DEGRADED ||
               p->health.state == PL_HEALTH_UNKNOWN;
}

const char *pl_healthd_waits_for(const PlHealthd *h, const PlPatient *p, PlHealthState *ret_state) {
        char **after = p->service ? p->service->probe.after : NULL;

        for (; after && *after; after++) {
                const PlService *service = pl_policy_find(h->policy, *after);
                PlHealthState state = PL_HEALTH_ABSENT;
                bool up = false;
                const PlPatient *q;

                if (!service)
                        continue;
                PL_MAP_FOREACH(q, h->patients) {
                        if (q->service != service)
                                continue;
                        up = up || serves(q);
                        state = q->health.state == PL_HEALTH_HEALTHY ? PL_HEALTH_DEGRADED
                                                                     : q->health.state;
                }
                if (up || (state == PL_HEALTH_ABSENT && !h->synced))
                        continue;
                *ret_state = state;
                return service->name;
        }
        return NULL;
}

void pl_healthd_look_at_dependencies(PlHealthd *h, const PlPatient *p) {
        char **after = p->service ? p->service->probe.after : NULL;
        const PlPatient *q;

        for (; after && *after; after++)
                PL_MAP_FOREACH(q, h->patients)
        if (q->service && q->kind != PL_PROBE_NONE && pl_streq_null(q->service->name, *after))
                pl_prober_soon(h->prober, q->id);
}
