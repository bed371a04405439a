/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Queues: which containers are to be looked at.
 *
 * A container is queued at most once per queue, whatever happens to it.
 */

#include "enforce/queue.h"

#include "base/clock.h"

void pl_queue_arm(PlEnforcer *e) {
        if (e->tick_armed_usec == 0)
                e->tick_armed_usec = PL_MAX(pl_clock_loop_usec(e->event, CLOCK_BOOTTIME), 1U);
        (void)sd_event_source_set_enabled(e->tick, SD_EVENT_ONESHOT);
}

void pl_queue_answered(PlEnforcer *e) {
        if (!e->stopping ||
            sd_event_source_set_time_relative(e->stop_timer, PL_STOP_GRACE_USEC) < 0)
                return;
        e->handlers->stopping(e->userdata, e->updates_in_flight, PL_STOP_GRACE_USEC);
        pl_queue_arm(e);
}

void pl_queue_put(PlEnforcer *e, PlHeld *h, PlQueue q) {
        if (h->queued[q])
                return;
        h->queued[q] = true;
        TAILQ_INSERT_TAIL(&e->queue[q], h, queue[q]);
        e->queue_length[q]++;
        pl_queue_arm(e);
}

static void take(PlEnforcer *e, PlHeld *h, PlQueue q) {
        TAILQ_REMOVE(&e->queue[q], h, queue[q]);
        h->queued[q] = false;
        e->queue_length[q]--;
}

PlHeld *pl_queue_take(PlEnforcer *e, PlQueue q) {
        PlHeld *h = TAILQ_FIRST(&e->queue[q]);

        if (h)
                take(e, h, q);
        return h;
}

void pl_queue_remove(PlEnforcer *e, PlHeld *h) {
        for (PlQueue q = 0; q < _PL_QUEUE_N; q++)
                if (h->queued[q])
                        take(e, h, q);
}
