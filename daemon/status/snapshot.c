/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Snapshot: makes documents of what everybody knows. See the header.
 */

#include "status/snapshot.h"

#include <errno.h>

#include "base/clock.h"
#include "base/loop.h"
#include "lib/base/message.h"
#include "lib/base/similar.h"
#include "lib/base/unit.h"
#include "lib/evidence/recount.h"
#include "lib/policy/guess.h"
#include "lib/policy/parser.h"
#include "lib/status/summary.h"
#include "lib/status/wire.h"
#include "status/findings.h"

/* CLOCK_MONOTONIC to CLOCK_REALTIME. */
static uint64_t realtime_of(uint64_t usec) {
        uint64_t now = pl_clock_usec(CLOCK_MONOTONIC);

        return usec == 0 || usec > now ? 0 : pl_clock_usec(CLOCK_REALTIME) - (now - usec);
}

static PlHealthState health_of(const PlSources *from, const PlSubject *s, const char **ret_reason) {
        PlHealthdView v;

        *ret_reason = NULL;
        if (!pl_healthd_get(pl_health_act_patients(from->health), s->id, &v))
                return PL_HEALTH_UNKNOWN;
        *ret_reason = v.reason;
        return v.state;
}

static void count_log(const PlSources *from, const PlSubject *s, PlSummary *sum) {
        PlLogStatus log;

        if (!from->logs || !pl_logs_status(from->logs, s->id, &log))
                return;
        sum->log_bytes += log.size_bytes + log.archived_bytes;
        if (log.bound_bytes == PL_UNLIMITED || sum->log_max_bytes == PL_UNLIMITED)
                sum->log_max_bytes = PL_UNLIMITED;
        else
                sum->log_max_bytes += log.bound_bytes;
}

static void count_limits(const PlSubject *s, PlSummary *sum) {
        const PlHeld *h = s->held;

        /* one that runs in a group that nobody has found is held to nothing */
        if (((pl_held_wanted(h) & ~h->unsupported) | h->truth.impossible) &&
            (h->cgroup || pl_container_is_live(s->facts))) {
                sum->n_limits_wanted++;
                if (!pl_held_lacking(h))
                        sum->n_limits_in_force++;
        }
        if (pl_drift_is_standoff(&h->drift))
                sum->n_standoffs++;
}

static void count_health(const PlSources *from, const PlSubject *s, PlSummary *sum) {
        PlHealthState worst = PL_HEALTH_UNKNOWN;
        const char *reason;
        PlHealthState health = health_of(from, s, &reason);

        if (health == PL_HEALTH_UNKNOWN)
                return;
        if (health == PL_HEALTH_FINISHED) {
                sum->n_finished++;
                return;
        }
        sum->n_watched++;
        if (health == PL_HEALTH_HEALTHY) {
                sum->n_healthy++;
                return;
        }
        if (sum->worst_health)
                worst = pl_health_state_from_string(sum->worst_health);
        if (health > worst) {
                sum->worst_name = pl_subject_name(s);
                sum->worst_health = pl_health_state_to_string(health);
                sum->worst_reason = reason;
        }
}

static void count_absent(const PlSources *from, PlSummary *sum) {
        PlHealthdView absent;
        size_t iter = 0;

        while (pl_healthd_next_absent(pl_health_act_patients(from->health), &iter, &absent)) {
                sum->n_watched++;
                sum->n_required_absent++;
                if (sum->worst_name)
                        continue;
                sum->worst_name = absent.service;
                sum->worst_health = pl_health_state_to_string(absent.state);
                sum->worst_reason = absent.reason;
        }
}

char *pl_snapshot_line(const PlSources *from) {
        const PlRegistry *g = from->registry;
        PlSummary sum = {
                .dry_run = pl_registry_is_dry_run(g),
                .engine_connected = g->connected,
                .synced = g->synced,
                .engine_error = g->engine_error,
                .policy_error = from->policy->error,
        };
        PlSubject *s;

        PL_MAP_FOREACH(s, g->subjects) {
                if (!s->facts || !s->service)
                        continue;
                sum.n_governed++;
                sum.n_findings += (unsigned)pl_findings(from, s, NULL);
                count_log(from, s, &sum);
                count_limits(s, &sum);
                count_health(from, s, &sum);
        }
        sum.n_findings += (unsigned)pl_findings(from, NULL, NULL);
        count_absent(from, &sum);
        return pl_summary_line(&sum);
}

/* "oom_reports": […], where there are any. */
static void add_kills(const PlSources *from, const PlSubject *s, PlContainerStatus *c) {
        uint64_t n = pl_keeper_n_kills(from->keeper, s);
        _cleanup_free_ PlMemory *m = n > 0 ? malloc(sizeof(*m)) : NULL;
        json_t *list;
        const PlOomReport *r;

        /* the group counts from its own start, and is gone when the container does not run; these
         * are those of the service */
        if (n > 0 && (c->oom_kills == PL_UNLIMITED || c->oom_kills < n))
                c->oom_kills = n;
        if (!m || pl_keeper_get(from->keeper, s, m) < 0)
                return;
        list = json_array();
        for (unsigned i = 0; list && (r = pl_oom_history_get(&m->oom, i)) != NULL; i++)
                (void)json_array_append_new(
                                list, pl_oom_json(r, pl_subject_name(s), PL_MESSAGE_OOM_KILLED));
        if (list)
                (void)json_object_set_new(c->extra, "oom_reports", list);
}

static void add_usage(const PlSources *from, const PlSubject *s, PlContainerStatus *c) {
        PlUsage usage;

        pl_enforcer_usage(from->enforcer, s, &usage);
        c->memory_bytes = usage.memory_bytes;
        c->memory_peak_bytes = usage.memory_peak_bytes;
        c->working_set_bytes = pl_ollama_working_set(usage.memory_bytes, usage.inactive_file_bytes);
        c->cpu_usec = usage.cpu_usec;
        c->pids = usage.pids;
        c->oom_kills = usage.oom_kills;
}

static void add_log(const PlSources *from, const PlSubject *s, PlContainerStatus *c) {
        PlLogStatus log;

        c->log.path = s->facts->log.path;
        c->log.size_bytes = c->log.held_bytes = c->log.archived_bytes = PL_UNLIMITED;
        if (!from->logs || !pl_logs_status(from->logs, s->id, &log))
                return;
        c->log.path = log.path;
        c->log.method = log.method;
        c->log.why = log.why && *log.why ? log.why : NULL;
        c->log.size_bytes = log.size_bytes;
        c->log.held_bytes = log.held_bytes;
        c->log.archived_bytes = log.archived_bytes;
}

static void add_recovery(const PlSources *from, const PlSubject *s, PlContainerStatus *c) {
        char why[PL_HEALTH_REASON_MAX], span[PL_FORMAT_MAX];
        PlHealthdDetail d;
        PlRecovery r;

        if (!pl_healthd_detail(pl_health_act_patients(from->health), s->id,
                               pl_registry_is_dry_run(from->registry), &d))
                return;
        r = (PlRecovery){
                .action = d.rules.action,
                .by_plimsolld = d.runs->by_plimsolld,
                .by_engine = d.runs->by_engine,
                .by_others = d.runs->by_others,
                .budget = d.rules.budget,
                .budget_used = d.budget_used,
                .gave_up_usec = realtime_of(d.gave_up_usec),
                .gave_up_why = why,
                .no_restart = pl_no_restart_word(d.no_restart),
                .no_restart_text = d.no_restart_text,
        };
        (void)snprintf(why, sizeof(why), "%u restart%s in %s did not help", r.budget.n,
                       pl_plural(r.budget.n), pl_format_sec(r.budget.window_usec, span));
        c->restarts = r.by_plimsolld + r.by_engine + r.by_others;
        (void)json_object_set_new(c->extra, "verdicts", pl_wire_history(d.history));
        (void)json_object_set_new(c->extra, "recovery", pl_wire_recovery(&r));
}

static void add_health(const PlSources *from, const PlSubject *s, PlContainerStatus *c) {
        const PlHealthd *patients = pl_health_act_patients(from->health);
        PlHealthdView v;

        if (!pl_healthd_get(patients, s->id, &v))
                return;
        c->health = (PlWireHealth){ v.state, v.reason, realtime_of(v.since_usec) };
        add_recovery(from, s, c);
}

/* "remembered": of its service, where there is anything to tell. */
static void add_past(const PlSources *from, const PlSubject *s, json_t *o) {
        _cleanup_free_ PlMemory *m = malloc(sizeof(*m));

        if (o && m && pl_keeper_get(from->keeper, s, m) >= 0)
                (void)json_object_set_new(o, "remembered",
                                          pl_recount(m, pl_clock_usec(CLOCK_REALTIME)));
}

/* Where each limit was written; what [Defaults] says may have given way to the container's creator.
 * Devices have other names by now, and are not compared. */
static json_t *origins_new(const PlHeld *h) {
        const PlService *s = h->service;
        json_t *o = json_object();

        for (PlResource r = 0; o && s && r < _PL_RESOURCE_N; r++) {
                const char *name = pl_resource_info(r)->name;
                _cleanup_free_ char *from = h->want.v[r].set ? pl_service_origin(s, name) : NULL,
                                    *text = NULL;
                bool spared = s->by_default & (UINT32_C(1) << r) &&
                              pl_resource_info(r)->kind != PL_KIND_DEVICES &&
                              !pl_value_equal(&h->want.v[r], &s->limits.v[r]);

                if (from && asprintf(&text, "%s%s", spared ? "its creator's, not " : "", from) < 0)
                        text = NULL;
                if (text)
                        (void)json_object_set_new(o, name, json_string(text));
        }
        return o;
}

/* What the policy says besides limits (log, health and what it needs), and where. */
static json_t *rules_new(const PlService *s) {
        json_t *o = json_object();

        for (size_t i = 0; o && s && i < s->n_origins; i++) {
                const char *key = s->origins[i].key;
                _cleanup_free_ char *value = NULL, *shown = NULL, *from = NULL;

                if (pl_resource_from_name(key) != _PL_RESOURCE_INVALID || pl_streq(key, "Match"))
                        continue;
                value = pl_policy_value(s, key);
                shown = value ? pl_show_value(value) : NULL;
                from = pl_service_origin(s, key);
                if (shown && from)
                        (void)json_object_set_new(
                                        o, key,
                                        json_pack("{s:s,s:s}", "value", shown, "from", from));
        }
        return o;
}

static json_t *container_new(const PlSources *from, const PlSubject *s) {
        const PlHeld *h = s->held;
        const PlModels *models = pl_health_act_models(from->health, s);
        json_t *o, *findings = json_array();
        PlContainerStatus c = {
                .id = s->id,
                .name = pl_subject_name(s),
                .service = s->service ? (s->service->name ?: "defaults") : NULL,
                .image = s->facts->image,
                .phase = pl_phase_to_string(s->facts->phase),
                .wanted = &h->want,
                .in_force = &h->reading.in_force,
                .holds = pl_held_in_force(h),
                .owner_errors = (const char *const(*)[3])h->owner_errors,
                .restarts = s->facts->restart_count,
                .drift_repairs = h->drift.repairs,
                .paused_repairs = pl_drift_is_standoff(&h->drift),
                .extra = json_object(),
        };

        add_health(from, s, &c);
        add_log(from, s, &c);
        add_usage(from, s, &c);
        add_kills(from, s, &c);
        if (findings && pl_findings(from, s, findings) >= 0)
                (void)json_object_set(c.extra, "findings", findings);
        json_decref(findings);
        if (models && pl_container_is_live(s->facts))
                (void)json_object_set_new(c.extra, "models", pl_ollama_json(&models->facts));
        o = pl_wire_container(&c);
        json_decref(c.extra);
        return o;
}

json_t *pl_snapshot_show(const PlSources *from, const PlSubject *s) {
        json_t *o = container_new(from, s);

        add_past(from, s, o);
        if (o)
                (void)json_object_set_new(o, "origins", origins_new(s->held));
        if (o)
                (void)json_object_set_new(o, "rules", rules_new(s->service));
        return o;
}

static json_t *absent_new(const PlHealthdView *v) {
        static const PlLimits none = {};
        PlContainerStatus c = {
                .id = "",
                .name = v->service,
                .service = v->service,
                .image = "",
                .phase = "absent",
                .health = { v->state, v->reason, realtime_of(v->since_usec) },
                .wanted = &none,
                .in_force = &none,
                .memory_bytes = PL_UNLIMITED,
                .memory_peak_bytes = PL_UNLIMITED,
                .working_set_bytes = PL_UNLIMITED,
                .cpu_usec = PL_UNLIMITED,
                .pids = PL_UNLIMITED,
                .log.size_bytes = PL_UNLIMITED,
                .log.held_bytes = PL_UNLIMITED,
                .log.archived_bytes = PL_UNLIMITED,
        };

        return pl_wire_container(&c);
}

json_t *pl_snapshot_gone(const PlSources *from, const char *name) {
        _cleanup_free_ PlMemory *m = malloc(sizeof(*m));
        json_t *o;

        if (!m || pl_keeper_find(from->keeper, name, m) < 0)
                return NULL;
        o = absent_new(&(PlHealthdView){ .state = PL_HEALTH_UNKNOWN,
                                         .service = *m->section ? m->section : "defaults" });
        if (!o)
                return NULL;
        (void)json_object_set_new(o, "name",
                                  json_string(*m->container ? m->container : m->identity.title));
        (void)json_object_set_new(o, "phase", json_string("gone"));
        (void)json_object_set_new(o, "oom_kills", json_integer((json_int_t)m->oom.total));
        (void)json_object_set_new(o, "remembered", pl_recount(m, pl_clock_usec(CLOCK_REALTIME)));
        return o;
}

json_t *pl_snapshot_past(const PlSources *from, const PlSubject *s, const char *name) {
        _cleanup_free_ PlMemory *m = malloc(sizeof(*m));
        int r = !m ? -ENOMEM : s ? pl_keeper_get(from->keeper, s, m) : -ENOENT;

        if (m && r == -ENOENT)
                r = pl_keeper_find(from->keeper, name, m);
        return r < 0 ? NULL : pl_recount_document(m, pl_clock_usec(CLOCK_REALTIME));
}

json_t *pl_snapshot_absent(const PlSources *from, const char *service) {
        PlHealthdView v;
        size_t iter = 0;

        while (pl_healthd_next_absent(pl_health_act_patients(from->health), &iter, &v))
                if (pl_streq(v.service, service))
                        return absent_new(&v);
        return NULL;
}

/* Rows for required services without a container. */
static void add_absent(const PlSources *from, json_t *containers) {
        PlHealthdView v;
        size_t iter = 0;

        while (pl_healthd_next_absent(pl_health_act_patients(from->health), &iter, &v))
                (void)json_array_append_new(containers, absent_new(&v));
}

/* Sections first, then containers. */
static const char *name_at(const void *userdata, size_t i) {
        const PlSources *from = userdata;
        const PlPolicy *policy = from->registry->policy;
        const PlSubject *s;

        if (i < policy->n_services)
                return policy->services[i]->name;
        i -= policy->n_services;
        PL_MAP_FOREACH(s, from->registry->subjects)
        if (i-- == 0)
                return pl_subject_name(s);
        return NULL;
}

const char *pl_snapshot_similar(const PlSources *from, const char *name) {
        return pl_similar(name, name_at, from);
}

json_t *pl_snapshot_status(const PlSources *from) {
        const PlRegistry *g = from->registry;
        const PlEngineInfo *info = pl_engine_info(g->engine);
        _cleanup_free_ char *line = pl_snapshot_line(from);
        char api[32] = "";
        PlStatus status = {
                .version = PLIMSOLL_VERSION,
                .engine_connected = g->connected,
                .engine_url = pl_engine_url(g->engine),
                .engine_error = g->engine_error,
                .policy_file = from->policy->file,
                .archive_path = from->archive_dir,
                .policy_error = from->policy->error,
                .policy_loaded_usec = from->policy->loaded_usec,
                .dry_run = pl_registry_is_dry_run(g),
                .stale = g->stale || !g->connected,
                .summary = line,
        };
        json_t *containers = json_array(), *findings = json_array(), *o;
        const PlLoopTurn *turn = pl_loop_longest();
        PlSubject *s;

        status.loop = (PlWireTurn){ turn->usec, turn->cpu_usec, turn->at_usec, turn->doing };
        status.findings = findings;
        if (info) {
                (void)snprintf(api, sizeof(api), "%u.%u", info->api.major, info->api.minor);
                status.engine_version = info->version;
                status.engine_api = api;
        }
        (void)pl_findings(from, NULL, findings);
        PL_MAP_FOREACH(s, g->subjects) {
                if (!s->facts)
                        continue;
                if (pl_findings(from, s, findings) < 0 ||
                    json_array_append_new(containers, container_new(from, s)) < 0)
                        break;
        }
        add_absent(from, containers);
        o = pl_wire_status(&status, containers);
        json_decref(findings);
        return o;
}
