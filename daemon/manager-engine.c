/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the engine says: events mark a container as to be looked at, lists find the missed ones,
 * inspections bring the facts. Nothing here acts on a container.
 */

#include "manager-internal.h"

#include <errno.h>

#include "log.h"
#include "pl-unit.h"

#define OWN_UPDATE_USEC (500 * PL_USEC_PER_MSEC)

PlSubject *pl_manager_subject_ensure(PlManager *m, const char *id) {
        PlSubject *s = pl_map_get(m->subjects, id);
        int r;

        if (s)
                return s;
        s = pl_subject_new(id);
        if (!s)
                return NULL;
        s->seen = true;
        if (pl_map_put(m->subjects, s->id, s) < 0)
                return pl_subject_free(s);
        r = pl_state_dir_load(m->state_dir, id, &s->state);
        if (r >= 0)
                s->state_known = true;
        s->oom_history = pl_state_dir_load_oom(m->state_dir, id);
        return s;
}

void pl_manager_subject_remove(PlManager *m, PlSubject *s) {
        pl_oom_watch_forget(m->oom, s->id); /* a report under way comes now */
        pl_cg_watch_remove(m->watch, s->id);
        pl_manager_unqueue(m, s);
        (void)pl_map_remove(m->subjects, s->id);
        (void)pl_state_dir_remove(m->state_dir, s->id);
        pl_state_dir_forget(m->state_dir, s->id);
        pl_manager_remove_health(m, s);
        if (m->logs)
                pl_logs_remove(m->logs, s->id);
        pl_subject_free(s);
}

/* The tick finds out that the sync is complete, also where no container is left to queue. */
static void sync_step(PlManager *m) {
        if (m->sync_pending > 0 && --m->sync_pending == 0)
                pl_manager_arm_tick(m);
}

/* Something has happened since the question, which the next answer will tell. Taken for the
 * present, the old one could call a container that has just died a running one, and its end unseen.
 */
static bool is_outdated(const PlSubject *s) {
        return s->inspect_again || s->inspect_due;
}

void pl_manager_take_inspection(PlManager *m, PlSubject *s, PlContainer *c) {
        pl_container_free(s->facts);
        s->facts = c;
        s->fresh = false;
        s->provisional = false;
        pl_manager_settle_originals(m, s);
        pl_manager_update_log(m, s);
        pl_manager_update_log_paths(m, s, false);
        if (!is_outdated(s))
                pl_manager_update_health(m, s);
        if (!pl_container_is_live(s->facts) && s->cgroup && s->cgroup_started_usec > 0)
                pl_manager_drop_cgroup(m, s);
        pl_manager_queue(m, s, PL_QUEUE_KERNEL);
}

static void on_inspected(void *userdata, const char *id, int error, const char *message,
                         PlContainer **c) {
        PlManager *m = userdata;
        PlSubject *s = pl_map_get(m->subjects, id);

        m->churn++;
        if (!s) {
                pl_manager_report(m);
                return;
        }
        if (s->inspect_for_sync) {
                s->inspect_for_sync = false;
                sync_step(m);
        }
        s->inspect_in_flight = false;
        if (error == -ENOENT) {
                pl_manager_subject_remove(m, s);
        } else if (error < 0) {
                /* A lost engine is reported once, by lost(); anything else names the container. */
                if (m->engine_connected)
                        pl_manager_say(m, s, LOG_WARNING, NULL, message, "cannot inspect it: %s",
                                       message ?: strerror(-error));
        } else {
                pl_manager_take_inspection(m, s, TAKE_PTR(*c));
                if (s->inspect_again) {
                        s->inspect_again = false;
                        pl_manager_inspect(m, s);
                }
        }
        pl_manager_report(m);
}

void pl_manager_inspect(PlManager *m, PlSubject *s) {
        if (!m->engine_connected)
                return; /* the resync after the return of the engine inspects everything */
        if (s->inspect_in_flight) {
                s->inspect_again = true;
                return;
        }
        if (pl_engine_inspect(m->engine, s->id, on_inspected, m) >= 0)
                s->inspect_in_flight = true;
}

static void on_listed(void *userdata, int error, const char *message, const char (*ids)[PL_ID_MAX],
                      size_t n) {
        PlManager *m = userdata;
        PlSubject *s;
        _cleanup_free_ PlSubject **gone = NULL;
        size_t n_gone = 0;

        m->syncing = false;
        if (error < 0) {
                if (m->engine_connected)
                        pl_log_warning("Cannot list containers: %s; trying again at the next audit",
                                       message ?: strerror(-error));
                return;
        }
        for (size_t i = 0; i < n; i++) {
                s = pl_manager_subject_ensure(m, ids[i]);
                if (!s)
                        continue;
                s->seen = true;
                if (!s->inspect_for_sync) {
                        s->inspect_for_sync = true;
                        m->sync_pending++;
                }
                pl_manager_inspect(m, s);
        }
        gone = calloc(pl_map_size(m->subjects) + 1, sizeof(*gone));
        if (gone) {
                PL_MAP_FOREACH(s, m->subjects)
                if (!s->seen)
                        gone[n_gone++] = s;
                for (size_t i = 0; i < n_gone; i++)
                        pl_manager_subject_remove(m, gone[i]);
        }
        m->listed = true;
        if (m->sync_pending == 0)
                pl_manager_arm_tick(m);
        pl_manager_report(m);
}

void pl_manager_resync(PlManager *m) {
        PlSubject *s;

        if (m->syncing || !m->engine_connected)
                return;
        /* What is born between the question and the answer counts as seen. */
        PL_MAP_FOREACH(s, m->subjects)
        s->seen = false;
        if (pl_engine_list(m->engine, on_listed, m) >= 0)
                m->syncing = true;
}

static void on_connected(void *userdata, const PlEngineInfo *info) {
        PlManager *m = userdata;
        PlSubject *s;

        m->engine_connected = true;
        m->engine_takes_nothing = false;
        if (m->logs)
                pl_logs_set_engine(m->logs, info);
        free(m->engine_error);
        m->engine_error = NULL;
        m->sync_pending = 0;
        m->syncing = m->listed = false;
        PL_MAP_FOREACH(s, m->subjects) {
                s->inspect_for_sync = false;
                s->fresh = false;
                pl_subject_forget_told(s);
        }
        pl_log_full(LOG_INFO, PL_MESSAGE_ENGINE_CONNECTED, NULL,
                    "Connected to the engine at %s: %s %s, API %u.%u", pl_engine_url(m->engine),
                    info->podman ? "Podman" : "Docker", info->version ?: "?", info->api.major,
                    info->api.minor);
        pl_manager_resync(m);
        pl_manager_report(m);
}

static void on_lost(void *userdata, int error, const char *why, uint64_t retry_usec) {
        PlManager *m = userdata;
        char wait[PL_FORMAT_MAX];

        m->stale = m->synced;
        m->engine_connected = false;
        pl_healthd_set_stale(m->health, true);
        if (m->logs)
                pl_logs_set_engine(m->logs, NULL);
        free(m->engine_error);
        m->engine_error = strdup(why ?: strerror(-error));
        pl_log_full(LOG_WARNING, PL_MESSAGE_ENGINE_LOST, NULL,
                    "%s the engine at %s (%s). %s; retrying, first in %s",
                    m->synced ? "Lost" : "Cannot reach", pl_engine_url(m->engine),
                    m->engine_error ?: "?",
                    m->synced ? "Limits stay in force as they are" : "Nothing is done without it",
                    pl_format_sec(retry_usec, wait));
        pl_manager_report(m);
}

static void on_event(void *userdata, PlEvent *e) {
        PlManager *m = userdata;
        PlSubject *s;

        if (e->action == PL_EVENT_DESTROY) {
                s = pl_map_get(m->subjects, e->id);
                if (s)
                        pl_manager_subject_remove(m, s);
                pl_manager_report(m);
                return;
        }
        /* what the kernel did comes before what the engine makes of it */
        if (e->action == PL_EVENT_DIE && e->exit_code != 0)
                pl_oom_watch_check(m->oom, e->id);
        pl_healthd_event(m->health, e);
        s = pl_manager_subject_ensure(m, e->id);
        if (!s)
                return;
        if (e->born && !s->facts) {
                s->facts = TAKE_PTR(e->born);
                s->provisional = true;
        }

        switch (e->action) {
        case PL_EVENT_CREATE:
                pl_manager_claim(m, s);
                if (s->facts)
                        pl_manager_queue(m, s, PL_QUEUE_KERNEL);
                break;
        case PL_EVENT_START:
        case PL_EVENT_RESTART:
                /* runc and systemd write after the group appears: look again, at once */
                s->fresh = false;
                pl_subject_forget_told(s); /* a new run, a new answer */
                s->systemd_own_usec = pl_manager_clock(CLOCK_REALTIME); /* that was runc's start */
                if (!s->cgroup && s->facts)
                        (void)pl_manager_locate_by_parent(m, s);
                s->inspect_due = true;
                pl_manager_queue(m, s, PL_QUEUE_KERNEL);
                return;
        case PL_EVENT_UPDATE:
                /* its own updates answer within this time, before or after their event */
                if (!s->update_in_flight &&
                    pl_manager_now(m) - s->own_update_usec > OWN_UPDATE_USEC) {
                        s->update_seen_usec = pl_manager_now(m);
                        pl_subject_forget_told(s);
                }
                s->fresh = false;
                break;
        case PL_EVENT_KILL:
        case PL_EVENT_OTHER:
                return; /* changes nothing by itself */
        default:
                break;
        }
        pl_manager_inspect(m, s);
}

static void on_missed(void *userdata, const char *why) {
        PlManager *m = userdata;

        pl_log_warning("An event of the engine could not be read (%s), listing containers again",
                       why);
        pl_manager_resync(m);
}

/* An audit that is due before the next time comes along now. */
static void on_quiet(void *userdata) {
        PlManager *m = userdata;
        uint64_t due = 0;

        if (sd_event_source_get_time(m->audit, &due) >= 0 &&
            due < pl_manager_now(m) + PL_MANAGER_AUDIT_USEC / 2)
                (void)pl_manager_on_audit(m->audit, due, m);
}

const PlEngineHandlers pl_manager_engine_handlers = {
        .connected = on_connected,
        .lost = on_lost,
        .event = on_event,
        .missed = on_missed,
        .quiet = on_quiet,
};
