/* SPDX-License-Identifier: Apache-2.0 */

/*
 * OOM: what daemon/oom/watch notices, with the surroundings that only the manager knows, in the
 * journal, on the control socket and in `plimsollctl show`. The words are lib/oom/report's.
 */

#include "manager-internal.h"

#include <errno.h>

#include "base/clock.h"
#include "base/journal.h"
#include "lib/limits/resource.h"

static bool same_limit(const PlManager *m, uint64_t wanted, uint64_t in_force) {
        return wanted != PL_UNLIMITED && in_force <= wanted &&
               wanted - in_force < m->host.page_bytes;
}

/* plimsoll tells the engine what it sets, so the engine's word counts only where the policy has
 * none. */
static PlOomOwner owner_of(const PlManager *m, const PlSubject *s, const PlOomReport *r) {
        PlResource which = pl_resource_from_name(r->directive);
        const PlValue *v = &s->want.v[which];

        if (s->service && v->set && !(s->restoring & (1U << which)) &&
            same_limit(m, v->number, r->limit_bytes))
                return PL_OOM_OWNER_POLICY;
        if (which == PL_RESOURCE_MEMORY_MAX && s->facts && s->facts->host.memory > 0 &&
            same_limit(m, (uint64_t)s->facts->host.memory, r->limit_bytes))
                return PL_OOM_OWNER_ENGINE;
        return PL_OOM_OWNER_NOBODY;
}

static uint64_t memory_limit(const PlSubject *s) {
        const PlValue *v = &s->reading.in_force.v[PL_RESOURCE_MEMORY_MAX];

        if (v->set)
                return v->number;
        return s->facts->host.memory > 0 ? (uint64_t)s->facts->host.memory : PL_UNLIMITED;
}

static void sum_limits(PlManager *m, PlOomReport *r) {
        PlSubject *s;

        r->all_limits_bytes = 0;
        PL_MAP_FOREACH(s, m->subjects) {
                uint64_t bytes;

                if (!s->facts || !pl_container_is_live(s->facts))
                        continue;
                bytes = memory_limit(s);
                if (bytes == PL_UNLIMITED)
                        r->n_unlimited++;
                else
                        r->all_limits_bytes += bytes;
        }
}

static void surround(PlManager *m, const PlSubject *s, PlOomReport *r) {
        r->host_bytes = m->host.memory_bytes;
        r->owner = owner_of(m, s, r);
        if (s->service && s->service->name)
                (void)snprintf(r->section, sizeof(r->section), "Service %s", s->service->name);
        else if (s->service)
                (void)snprintf(r->section, sizeof(r->section), "Defaults");
        if (s->facts && s->facts->setting.name) {
                r->product = s->facts->setting.product;
                r->setting = s->facts->setting.name;
                r->setting_bytes = s->facts->setting.bytes;
        }
        if (r->cause == PL_OOM_CAUSE_HOST)
                sum_limits(m, r);
}

static void to_journal(const PlSubject *s, int priority, const char *message_id,
                       const PlOomReport *r, const char *text) {
        PlLogField fields[PL_OOM_FIELDS_MAX + 1];
        PlLogSubject subject = {
                .container_name = pl_subject_name(s),
                .container_id = s->id,
                .service = s->service ? s->service->name : NULL,
                .fields = fields,
        };
        PlOomFields f;

        pl_oom_fields(r, &f);
        for (size_t i = 0; i < f.n; i++)
                fields[i] = (PlLogField){ f.items[i].name, f.items[i].value };
        fields[f.n] = (PlLogField){ NULL, NULL };
        pl_log_full(priority, message_id, &subject, "%s: %s", pl_subject_name(s), text);
}

/* For `plimsollctl show` and "how often lately" after a restart of plimsolld. */
static void remember(PlManager *m, const PlSubject *s) {
        int r = pl_state_dir_save_oom(m->state_dir, s->id, s->oom_history);

        if (r < 0)
                pl_log_warning("%s: its OOM kills are forgotten when plimsolld ends: %s",
                               pl_subject_name(s), strerror(-r));
}

static void on_killed(void *userdata, const char *id, PlOomReport *r) {
        PlManager *m = userdata;
        PlSubject *s = pl_map_get(m->subjects, id);
        _cleanup_free_ char *text = NULL;

        if (!s)
                return;
        surround(m, s, r);
        if (!s->oom_history)
                s->oom_history = calloc(1, sizeof(*s->oom_history));
        if (s->oom_history) {
                pl_oom_history_add(s->oom_history, r);
                remember(m, s);
        }
        text = pl_oom_text(r);
        if (text) {
                to_journal(s, LOG_ERR, PL_MESSAGE_OOM_KILLED, r, text);
                pl_manager_publish(m, s, LOG_ERR, PL_MESSAGE_OOM_KILLED, NULL, text);
        }
        if (m->health)
                pl_healthd_oom(m->health, id, r->cause == PL_OOM_CAUSE_HOST);
        pl_manager_report(m);
}

static void on_named(void *userdata, const char *id, const PlKmsgKill *kill) {
        PlManager *m = userdata;
        PlSubject *s = pl_map_get(m->subjects, id);

        if (!s || !s->oom_history)
                return;
        pl_oom_history_name(s->oom_history, kill, id);
        remember(m, s);
}

static void on_pressed(void *userdata, const char *id, const PlOomRing *ring,
                       const PlOomSample *sample) {
        PlManager *m = userdata;
        PlSubject *s = pl_map_get(m->subjects, id);
        _cleanup_free_ char *text = NULL;
        PlOomReport r;

        if (!s || !pl_oom_pressure(&s->oom_pressure, sample))
                return;
        pl_oom_report_pressure(&r, ring, sample, pl_clock_usec(CLOCK_REALTIME));
        surround(m, s, &r);
        text = pl_oom_pressure_text(&r, sample->time_usec - s->oom_pressure.since_usec);
        if (!text)
                return;
        to_journal(s, LOG_WARNING, PL_MESSAGE_MEMORY_PRESSURE, &r, text);
        pl_manager_publish(m, s, LOG_WARNING, PL_MESSAGE_MEMORY_PRESSURE, NULL, text);
}

static const PlOomWatchHandlers handlers = {
        .killed = on_killed,
        .named = on_named,
        .pressed = on_pressed,
};

int pl_manager_open_oom(PlManager *m) {
        int r = pl_oom_watch_new(m->event, &m->mounts, "/dev/kmsg", &handlers, m, &m->oom);

        if (r < 0)
                pl_log_error("Cannot watch for OOM kills: %s", strerror(-r));
        return r;
}

void pl_manager_watch_oom(PlManager *m, PlSubject *s) {
        int r = pl_oom_watch_add(m->oom, s->id, s->cgroup);

        /* on v1 the memory group comes a moment after the others, and by here again */
        if (r < 0 && r != -ENOENT && r != -ENODEV)
                pl_manager_say(m, s, LOG_WARNING, NULL, strerror(-r),
                               "OOM kills in it will not be explained: %s", strerror(-r));
}

void pl_manager_oom_reports(const PlSubject *s, json_t *o) {
        json_t *list = s->oom_history ? json_array() : NULL;
        const PlOomReport *r;

        for (unsigned i = 0; list && (r = pl_oom_history_get(s->oom_history, i)) != NULL; i++)
                (void)json_array_append_new(
                                list, pl_oom_json(r, pl_subject_name(s), PL_MESSAGE_OOM_KILLED));
        if (list)
                (void)json_object_set_new(o, "oom_reports", list);
}
