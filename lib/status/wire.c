/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Wire: the JSON of the control socket, which scripts rely on.
 *
 * Each value is packed by one small function that either adds a complete member or fails, so that
 * running out of memory gives no document instead of one with holes. Text from containers may be
 * invalid UTF-8, which jansson refuses: it goes through pl_escape() then.
 */

#include "lib/status/wire.h"

#include <time.h>

#include "lib/base/diag.h"
#include "lib/base/json.h"
#include "lib/base/quote.h"

static const char *const owners[] = { "kernel", "systemd", "engine" };

/* CPU time is a percentage of one CPU, as in CPUQuota=; everything else in the kind's own unit. */
#define TEXT_MAX KIB(16) /* of one string; longer is cut: no reason is that long */

/* NULL is null. A container's text may be any bytes: jansson refuses what is not UTF-8, so that is
 * escaped. Return: NULL when out of memory. */
static json_t *text_new(const char *s) {
        if (!s)
                return json_null();
        json_t *j = strlen(s) <= TEXT_MAX ? json_string(s) : NULL;
        if (j)
                return j;
        _cleanup_free_ char *escaped = pl_escape(s, TEXT_MAX);
        return escaped ? json_string(escaped) : NULL;
}

static bool put_text(json_t *object, const char *key, const char *s) {
        return pl_json_put(object, key, text_new(s));
}

static bool put_bool(json_t *object, const char *key, bool b) {
        return pl_json_put(object, key, json_boolean(b));
}

/* RFC 3339 in UTC, so that scripts need no zone. 0 and infinity: not loaded yet. */
static json_t *time_new(uint64_t usec) {
        if (usec == 0 || usec == PL_TIME_INFINITY)
                return json_null();
        time_t t = (time_t)(usec / PL_USEC_PER_SEC);
        struct tm tm;
        char buf[64];

        if (!gmtime_r(&t, &tm) || strftime(buf, sizeof buf, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
                return json_null();
        return json_string(buf);
}

static json_t *value_new(PlResource r, const PlValue *v) {
        if (!v || !v->set)
                return json_null();
        if (pl_resource_is_text(r))
                return text_new(v->text);
        if (pl_resource_info(r)->kind != PL_KIND_CPU_TIME || v->number == PL_UNLIMITED)
                return v->number == PL_UNLIMITED ? json_null()
                                                 : json_integer((json_int_t)PL_MIN(
                                                                   v->number, (uint64_t)INT64_MAX));
        if (v->number % 10000 == 0)
                return json_integer((json_int_t)(v->number / 10000));
        return json_real((double)v->number / 10000.0);
}

static json_t *owner_errors_new(const char *const errors[3]) {
        json_t *list = json_array();

        for (size_t i = 0; list && errors && i < PL_ARRAY_SIZE(owners); i++) {
                if (!errors[i])
                        continue;
                json_t *o = json_object();
                if (!o || !put_text(o, "owner", owners[i]) || !put_text(o, "message", errors[i]) ||
                    json_array_append(list, o) < 0) {
                        json_decref(o);
                        json_decref(list);
                        return NULL;
                }
                json_decref(o);
        }
        return list;
}

static json_t *limit_new(const PlContainerStatus *c, PlResource r) {
        const PlValue *wanted = c->wanted ? &c->wanted->v[r] : NULL;
        const PlValue *in_force = c->in_force ? &c->in_force->v[r] : NULL;
        json_t *o = json_object();

        if (o && pl_json_put(o, "wanted", value_new(r, wanted)) &&
            pl_json_put(o, "in_force", value_new(r, in_force)) &&
            pl_json_put(o, "owner_errors",
                        owner_errors_new(c->owner_errors ? c->owner_errors[r] : NULL)) &&
            put_bool(o, "managed", wanted && wanted->set) &&
            put_bool(o, "holds", c->holds & (UINT32_C(1) << r)) &&
            put_bool(o, "known", in_force && in_force->set))
                return o;
        json_decref(o);
        return NULL;
}

static json_t *limits_new(const PlContainerStatus *c) {
        json_t *o = json_object();

        for (int r = 0; o && r < _PL_RESOURCE_N; r++) {
                bool wanted = c->wanted && c->wanted->v[r].set;
                bool known = c->in_force && c->in_force->v[r].set;

                if (!wanted && !known)
                        continue;
                if (!pl_json_put(o, pl_resource_info((PlResource)r)->name,
                                 limit_new(c, (PlResource)r))) {
                        json_decref(o);
                        return NULL;
                }
        }
        return o;
}

static json_t *usage_new(const PlContainerStatus *c) {
        json_t *o = json_object();

        if (o && pl_json_put_number(o, "memory_bytes", c->memory_bytes) &&
            pl_json_put_number(o, "memory_peak_bytes", c->memory_peak_bytes) &&
            pl_json_put_number(o, "working_set_bytes", c->working_set_bytes) &&
            pl_json_put_number(o, "cpu_usec", c->cpu_usec) &&
            pl_json_put_number(o, "pids", c->pids))
                return o;
        json_decref(o);
        return NULL;
}

static json_t *log_new(const PlContainerStatus *c) {
        json_t *o = json_object();

        if (o && put_text(o, "path", c->log.path) && put_text(o, "method", c->log.method) &&
            put_text(o, "why", c->log.why) &&
            pl_json_put_number(o, "size_bytes", c->log.size_bytes) &&
            pl_json_put_number(o, "held_bytes", c->log.held_bytes) &&
            pl_json_put_number(o, "archived_bytes", c->log.archived_bytes))
                return o;
        json_decref(o);
        return NULL;
}

json_t *pl_wire_container(const PlContainerStatus *c) {
        json_t *o = json_object();

        if (o && put_text(o, "id", c->id) && put_text(o, "name", c->name) &&
            put_text(o, "service", c->service) && put_text(o, "image", c->image) &&
            put_text(o, "phase", c->phase) &&
            put_text(o, "health", pl_health_state_to_string(c->health.state)) &&
            put_text(o, "reason", c->health.reason) &&
            pl_json_put(o, "health_since", time_new(c->health.since_usec)) &&
            pl_json_put(o, "limits", limits_new(c)) && pl_json_put(o, "usage", usage_new(c)) &&
            pl_json_put(o, "log", log_new(c)) && pl_json_put_number(o, "restarts", c->restarts) &&
            pl_json_put_number(o, "oom_kills", c->oom_kills) &&
            pl_json_put_number(o, "drift_repairs", c->drift_repairs) &&
            put_bool(o, "repairs_paused", c->paused_repairs) &&
            (!c->extra || json_object_update_missing(o, c->extra) == 0))
                return o;
        json_decref(o);
        return NULL;
}

static json_t *history_entry_new(const PlHistoryEntry *e) {
        json_t *o = json_object();

        if (o && put_text(o, "verdict", e->verdict) &&
            put_text(o, "code", *e->code ? e->code : NULL) &&
            put_text(o, "evidence", e->evidence) &&
            pl_json_put(o, "first_at", time_new(e->first_usec)) &&
            pl_json_put(o, "last_at", time_new(e->last_usec)) &&
            pl_json_put_number(o, "count", e->n))
                return o;
        json_decref(o);
        return NULL;
}

json_t *pl_wire_history(const PlHistory *h) {
        json_t *list = json_array();
        const PlHistoryEntry *e;

        for (unsigned i = 0; list && (e = pl_history_get(h, i)); i++)
                if (json_array_append_new(list, history_entry_new(e)) < 0) {
                        json_decref(list);
                        return NULL;
                }
        return list;
}

static json_t *restarts_new(const PlRecovery *r) {
        json_t *o = json_object();

        if (o && pl_json_put_number(o, "plimsolld", r->by_plimsolld) &&
            pl_json_put_number(o, "engine", r->by_engine) &&
            pl_json_put_number(o, "others", r->by_others))
                return o;
        json_decref(o);
        return NULL;
}

static json_t *budget_new(const PlRecovery *r) {
        unsigned left = r->budget.n - PL_MIN(r->budget_used, r->budget.n);

        if (r->action != PL_ON_UNHEALTHY_RESTART)
                return json_null();
        return json_pack("{s:i,s:i,s:I}", "max", (int)r->budget.n, "left", (int)left, "window_usec",
                         (json_int_t)r->budget.window_usec);
}

static json_t *gave_up_new(const PlRecovery *r) {
        json_t *o = r->gave_up_usec > 0 ? json_object() : json_null();

        if (r->gave_up_usec == 0 || (o && pl_json_put(o, "at", time_new(r->gave_up_usec)) &&
                                     put_text(o, "reason", r->gave_up_why)))
                return o;
        json_decref(o);
        return NULL;
}

static json_t *no_restart_new(const PlRecovery *r) {
        if (!*r->no_restart_text)
                return json_null();
        return json_pack("{s:s,s:o}", "why", r->no_restart, "text", text_new(r->no_restart_text));
}

json_t *pl_wire_recovery(const PlRecovery *r) {
        static const char *const actions[] = {
                [PL_ON_UNHEALTHY_NONE] = "none",
                [PL_ON_UNHEALTHY_RESTART] = "restart",
                [PL_ON_UNHEALTHY_UNIT] = "unit",
        };
        json_t *o = json_object();

        if (o && pl_json_put(o, "action", json_string(actions[r->action])) &&
            pl_json_put(o, "restarts", restarts_new(r)) &&
            pl_json_put(o, "budget", budget_new(r)) && pl_json_put(o, "gave_up", gave_up_new(r)) &&
            pl_json_put(o, "no_restart", no_restart_new(r)))
                return o;
        json_decref(o);
        return NULL;
}

json_t *pl_wire_event(const PlWireEvent *e) {
        json_t *o = json_object();

        if (o && pl_json_put_number(o, "time_usec", e->time_usec) &&
            pl_json_put(o, "priority", json_integer(e->priority)) &&
            put_text(o, "message", e->message) && put_text(o, "message_id", e->message_id) &&
            put_text(o, "container", e->container_name) && put_text(o, "id", e->container_id) &&
            put_text(o, "service", e->service) &&
            (!e->fields || json_object_update_missing(o, e->fields) == 0))
                return o;
        json_decref(o);
        return NULL;
}

static json_t *engine_new(const PlStatus *s) {
        json_t *o = json_object();

        if (o && put_bool(o, "connected", s->engine_connected) &&
            put_text(o, "version", s->engine_version) && put_text(o, "api", s->engine_api) &&
            put_text(o, "url", s->engine_url) && put_text(o, "error", s->engine_error))
                return o;
        json_decref(o);
        return NULL;
}

static json_t *policy_new(const PlStatus *s) {
        json_t *o = json_object();

        if (o && put_text(o, "file", s->policy_file) &&
            pl_json_put(o, "loaded_at", time_new(s->policy_loaded_usec)) &&
            put_text(o, "error", s->policy_error))
                return o;
        json_decref(o);
        return NULL;
}

static json_t *archive_new(const PlStatus *s) {
        json_t *o = json_object();

        if (o && put_text(o, "path", s->archive_path))
                return o;
        json_decref(o);
        return NULL;
}

static json_t *loop_new(const PlWireTurn *t) {
        json_t *o = json_object();

        if (o && pl_json_put_number(o, "longest_usec", t->usec) &&
            pl_json_put_number(o, "cpu_usec", t->cpu_usec) && put_text(o, "doing", t->doing) &&
            pl_json_put(o, "at", time_new(t->at_usec)))
                return o;
        json_decref(o);
        return NULL;
}

static const char *const severities[_PL_FINDING_SEVERITY_N] = {
        [PL_FINDING_CRITICAL] = "critical",
        [PL_FINDING_HIGH] = "high",
        [PL_FINDING_MEDIUM] = "medium",
        [PL_FINDING_LOW] = "low",
};

json_t *pl_wire_finding(const PlFinding *f) {
        json_t *o = json_object();

        if (o && put_text(o, "severity", severities[f->severity]) &&
            put_text(o, "check", f->check) && put_text(o, "container", f->container_name) &&
            put_text(o, "id", f->container_id) && put_text(o, "service", f->service) &&
            put_text(o, "message", f->message))
                return o;
        json_decref(o);
        return NULL;
}

static json_t *finding_counts_new(const json_t *findings) {
        uint64_t counts[_PL_FINDING_SEVERITY_N] = { 0 };
        json_t *o = json_object();
        const json_t *finding;
        bool ok = o != NULL;
        size_t i;

        json_array_foreach(findings, i, finding) {
                const char *word = json_string_value(json_object_get(finding, "severity"));

                for (size_t k = 0; word && k < _PL_FINDING_SEVERITY_N; k++)
                        counts[k] += pl_streq(word, severities[k]);
        }
        for (size_t k = 0; k < _PL_FINDING_SEVERITY_N; k++)
                ok = ok && pl_json_put_number(o, severities[k], counts[k]);
        if (ok)
                return o;
        json_decref(o);
        return NULL;
}

static json_t *host_findings_new(const json_t *findings) {
        json_t *list = json_array(), *finding;
        size_t i;

        json_array_foreach(findings, i, finding) {
                if (list && !json_is_string(json_object_get(finding, "container")) &&
                    json_array_append(list, finding) < 0) {
                        json_decref(list);
                        return NULL;
                }
        }
        return list;
}

json_t *pl_wire_status(const PlStatus *s, json_t *containers) {
        json_t *o = json_object();

        if (!o || !containers) {
                json_decref(containers);
                json_decref(o);
                return NULL;
        }
        bool ok = put_text(o, "version", s->version) && put_text(o, "summary", s->summary) &&
                  put_bool(o, "dry_run", s->dry_run) && put_bool(o, "stale", s->stale) &&
                  pl_json_put(o, "engine", engine_new(s)) &&
                  pl_json_put(o, "policy", policy_new(s)) &&
                  pl_json_put(o, "archive", archive_new(s)) &&
                  pl_json_put(o, "loop", loop_new(&s->loop));
        /* pl_json_put() steals in any case, also on failure: containers must be reached exactly
         * once */
        if (!pl_json_put(o, "containers", containers) || !ok ||
            !pl_json_put(o, "findings", finding_counts_new(s->findings)) ||
            !pl_json_put(o, "host_findings", host_findings_new(s->findings))) {
                json_decref(o);
                return NULL;
        }
        return o;
}
