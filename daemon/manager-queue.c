/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Queues and ticks: when the manager looks at a container, and in which order.
 *
 * Whatever happens, a container is queued at most once per queue; a tick works the queues off and
 * yields to the loop in between. Retries and the audit queue containers again, nothing more.
 */

#include "manager-internal.h"

#include <time.h>

/* Every so many audits, about ten minutes, the engine is asked for its list as well: events are
 * hints. It costs a wake-up or two for each container. */
#define AUDITS_PER_RESYNC 12
/* One tick yields to the loop after this long, so that events and the watchdog are never starved.
 */
#define TICK_BUDGET_USEC (20 * PL_USEC_PER_MSEC)

void pl_manager_arm_tick(PlManager *m) {
        if (m->tick_armed_usec == 0)
                m->tick_armed_usec = PL_MAX(pl_manager_now(m), 1U);
        (void)sd_event_source_set_enabled(m->tick, SD_EVENT_ONESHOT);
}

void pl_manager_queue(PlManager *m, PlSubject *s, PlQueue q) {
        if (s->queued[q])
                return;
        s->queued[q] = true;
        s->next[q] = NULL;
        if (m->tail[q])
                m->tail[q]->next[q] = s;
        else
                m->head[q] = s;
        m->tail[q] = s;
        m->queue_length[q]++;
        pl_manager_arm_tick(m);
}

PlSubject *pl_manager_dequeue(PlManager *m, PlQueue q) {
        PlSubject *s = m->head[q];

        if (!s)
                return NULL;
        m->head[q] = s->next[q];
        if (!m->head[q])
                m->tail[q] = NULL;
        s->next[q] = NULL;
        s->queued[q] = false;
        m->queue_length[q]--;
        return s;
}

void pl_manager_unqueue(PlManager *m, PlSubject *s) {
        for (PlQueue q = 0; q < _PL_QUEUE_N; q++) {
                PlSubject *prev = NULL;

                if (!s->queued[q])
                        continue;
                for (PlSubject *i = m->head[q]; i && i != s; i = i->next[q])
                        prev = i;
                if (prev)
                        prev->next[q] = s->next[q];
                else
                        m->head[q] = s->next[q];
                if (m->tail[q] == s)
                        m->tail[q] = prev;
                s->queued[q] = false;
                m->queue_length[q]--;
        }
}

static void check_synced(PlManager *m) {
        if (!m->engine_connected || !m->listed || m->sync_pending > 0)
                return;
        m->touched = m->touched || m->stale || !m->synced;
        m->stale = false;
        pl_healthd_set_stale(m->health, false);
        if (!m->synced) {
                m->synced = true;
                pl_healthd_set_synced(m->health, true);
                pl_state_dir_prune(m->state_dir, pl_manager_keep_state, m);
                if (m->logs)
                        pl_logs_prune(m->logs, pl_manager_keep_state, m);
        }
}

static void finish_stop(PlManager *m) {
        if (m->stopping && !m->head[PL_QUEUE_KERNEL] && !m->head[PL_QUEUE_OWNERS] &&
            m->updates_in_flight == 0)
                (void)sd_event_exit(m->event, 0);
}

/* The kernel's queue first and in full: every value is in force before any owner is told. */
int pl_manager_on_tick(sd_event_source *source, void *userdata) {
        PlManager *m = userdata;
        uint64_t begin = pl_manager_clock(CLOCK_MONOTONIC);
        PlSubject *s;

        while (pl_manager_clock(CLOCK_MONOTONIC) - begin < TICK_BUDGET_USEC) {
                s = pl_manager_dequeue(m, PL_QUEUE_KERNEL);
                if (s) {
                        pl_manager_reconcile(m, s);
                        if (s->inspect_due) {
                                s->inspect_due = false;
                                pl_manager_inspect(m, s);
                        }
                        continue;
                }
                pl_manager_settle_policy(m);
                s = pl_manager_dequeue(m, PL_QUEUE_OWNERS);
                if (!s)
                        break;
                pl_manager_tell_owners(m, s);
        }
        if (m->head[PL_QUEUE_KERNEL] || m->head[PL_QUEUE_OWNERS] || m->policy_unsettled) {
                m->tick_armed_usec = pl_manager_now(m); /* it makes progress */
                return sd_event_source_set_enabled(m->tick, SD_EVENT_ONESHOT);
        }
        m->tick_armed_usec = 0;
        check_synced(m);
        pl_manager_write_defaults(m);
        /* A look that found everything as it was is not worth the wake-up of a report. */
        if (m->touched || m->churn > 0)
                pl_manager_report(m);
        m->touched = false;
        finish_stop(m);
        return 0;
}

void pl_manager_retry_at(PlManager *m, PlSubject *s, uint64_t usec) {
        uint64_t armed = 0;
        int enabled = SD_EVENT_OFF;

        s->retry_usec = usec;
        if (usec == 0)
                return;
        (void)sd_event_source_get_enabled(m->retry, &enabled);
        (void)sd_event_source_get_time(m->retry, &armed);
        if (enabled != SD_EVENT_OFF && armed <= usec)
                return;
        (void)sd_event_source_set_time(m->retry, usec);
        (void)sd_event_source_set_enabled(m->retry, SD_EVENT_ONESHOT);
}

int pl_manager_on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
        PlManager *m = userdata;
        uint64_t now = pl_manager_now(m), next = 0;
        PlSubject *s;

        PL_MAP_FOREACH(s, m->subjects) {
                if (s->retry_usec == 0)
                        continue;
                if (s->retry_usec <= now) {
                        s->retry_usec = 0;
                        s->fresh = false;
                        pl_manager_queue(m, s, PL_QUEUE_KERNEL);
                } else if (next == 0 || s->retry_usec < next) {
                        next = s->retry_usec;
                }
        }
        if (next > 0) {
                (void)sd_event_source_set_time(source, next);
                (void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        }
        return 0;
}

int pl_manager_on_audit(sd_event_source *source, uint64_t usec, void *userdata) {
        PlManager *m = userdata;
        PlSubject *s;

        PL_MAP_FOREACH(s, m->subjects) {
                s->fresh = false;
                s->squeeze.rounds = s->squeeze.stalled = 0; /* more may be reclaimable by now */
                s->squeeze.refused = false;
                if (s->engine_failed)
                        pl_subject_forget_told(s); /* try once more */
                pl_manager_queue(m, s, PL_QUEUE_KERNEL);
        }
        if (++m->audits % AUDITS_PER_RESYNC == 0 || !m->listed)
                pl_manager_resync(m);
        (void)sd_event_source_set_time_relative(source, PL_MANAGER_AUDIT_USEC);
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

bool pl_manager_keep_state(void *userdata, const char *id) {
        PlManager *m = userdata;

        return pl_map_get(m->subjects, id) != NULL;
}
