/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Health: what of restarts must outlive plimsolld: the budget that is used up, the backoff, a
 * surrender, and how the container ended. Only where OnUnhealthy= wants something to be done.
 */

#include "health/patients-internal.h"

#include "base/clock.h"

static bool is_concerned(const PlPatient *p) {
        return p->service && p->service->probe.on_unhealthy != PL_ON_UNHEALTHY_NONE;
}

void pl_healthd_recall(PlHealthd *h, PlPatient *p) {
        if (is_concerned(p))
                p->remembered = h->handlers->recall(h->userdata, p->id,
                                                    pl_clock_loop_usec(h->event, CLOCK_MONOTONIC),
                                                    &p->restart, &p->ending);
}

void pl_healthd_remember(PlHealthd *h, PlPatient *p, const PlRestart *before, PlEnder ender) {
        const PlRestart *now = &p->restart;

        if (now->n_times == before->n_times && now->streak == before->streak &&
            now->not_before_usec == before->not_before_usec && now->gave_up == before->gave_up &&
            now->fired == before->fired && (p->ending.ender == ender || !is_concerned(p)))
                return;
        if (!p->remembered && !is_concerned(p))
                return;
        p->remembered = true;
        h->handlers->remember(h->userdata, p->id, now, &p->ending);
}
