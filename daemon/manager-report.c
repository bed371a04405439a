/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What people and systemd get to see: journal entries, STATUS=, READY=1, the watchdog's ping, and
 * the documents of the control socket.
 */

#include "manager-internal.h"

#include <errno.h>
#include <malloc.h>
#include <stdarg.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "cg-read.h"
#include "log.h"
#include "pl-ollama.h"
#include "pl-summary.h"
#include "pl-wire.h"

/* So many answers of the engine, or so long since the last time, make giving memory back worth its
 * millisecond. */
#define TRIM_AFTER      64
#define TRIM_EVERY_USEC (10 * PL_USEC_PER_SEC)
/* A burst of changes makes one status line. */
#define REPORT_DELAY_USEC (50 * PL_USEC_PER_MSEC)

void pl_manager_publish(PlManager *m, const PlSubject *s, int priority, const char *message_id,
                        const char *reason, const char *text) {
        PlWireEvent e = {
                .time_usec = pl_manager_clock(CLOCK_REALTIME),
                .priority = priority,
                .message = text,
                .message_id = message_id,
                .container_name = s ? pl_subject_name(s) : NULL,
                .container_id = s ? s->id : NULL,
                .service = s && s->service ? s->service->name : NULL,
        };
        json_t *entry;

        if (!m->ctl || !pl_ctl_server_has_listeners(m->ctl))
                return;
        if (reason)
                e.fields = json_pack("{s:s}", "reason", reason);
        entry = pl_wire_event(&e);
        json_decref(e.fields);
        if (!entry)
                return; /* out of memory; the journal has it */
        pl_ctl_server_publish(m->ctl, entry);
        json_decref(entry);
}

void pl_manager_say(PlManager *m, const PlSubject *s, int priority, const char *message_id,
                    const char *reason, const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        const PlLogField fields[] = { { "PLIMSOLL_REASON", reason }, { NULL, NULL } };
        PlLogSubject subject = {
                .container_name = s ? pl_subject_name(s) : NULL,
                .container_id = s ? s->id : NULL,
                .service = s && s->service ? s->service->name : NULL,
                .fields = fields,
        };
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&text, format, ap);
        va_end(ap);
        if (n < 0) {
                text = NULL;
                return;
        }
        pl_log_full(priority, message_id, &subject, "%s%s%s", s ? pl_subject_name(s) : "",
                    s ? ": " : "", text);
        pl_manager_publish(m, s, priority, message_id, reason, text);
}

static void count_log(PlManager *m, const PlSubject *s, PlSummary *sum) {
        PlLogStatus log;

        if (!m->logs || !pl_logs_status(m->logs, s->id, &log))
                return;
        sum->log_bytes += log.size_bytes + log.archived_bytes;
        if (log.bound_bytes == PL_UNLIMITED || sum->log_max_bytes == PL_UNLIMITED)
                sum->log_max_bytes = PL_UNLIMITED;
        else
                sum->log_max_bytes += log.bound_bytes;
}

static void count_subject(PlManager *m, const PlSubject *s, PlSummary *sum) {
        PlHealthState health, worst = PL_HEALTH_UNKNOWN;
        uint32_t wanted = pl_subject_wanted(s);
        const char *reason;

        if (!s->facts || !s->service)
                return;
        sum->n_governed++;
        sum->n_findings += pl_manager_count_findings(m, s);
        count_log(m, s, sum);
        if (wanted && s->cgroup) {
                sum->n_limits_wanted++;
                if (!(wanted & ~s->unsupported & ~s->held))
                        sum->n_limits_in_force++;
        }
        if (pl_drift_is_standoff(&s->drift))
                sum->n_standoffs++;
        health = pl_manager_health(m, s, &reason);
        if (health == PL_HEALTH_UNKNOWN)
                return;
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

static char *summary_line(PlManager *m) {
        PlSummary sum = {
                .dry_run = pl_manager_dry_run(m),
                .engine_connected = m->engine_connected,
                .synced = m->synced,
                .engine_error = m->engine_error,
                .policy_error = m->policy_error,
        };
        PlHealthdView absent;
        size_t iter = 0;
        PlSubject *s;

        PL_MAP_FOREACH(s, m->subjects)
        count_subject(m, s, &sum);
        sum.n_findings += pl_manager_count_host_findings(m);
        while (pl_healthd_next_absent(m->health, &iter, &absent)) {
                sum.n_watched++;
                sum.n_required_absent++;
                if (sum.worst_name)
                        continue;
                sum.worst_name = absent.service;
                sum.worst_health = pl_health_state_to_string(absent.state);
                sum.worst_reason = absent.reason;
        }
        return pl_summary_line(&sum);
}

/* What answers of the engine leave are holes in the heap that nobody may fill for hours. The first
 * time comes right after the start, which leaves most of them. */
static void trim_when_quiet(PlManager *m) {
        uint64_t now = pl_manager_now(m);

        if (!m->synced || m->churn == 0 || m->updates_in_flight > 0 || m->sync_pending > 0)
                return;
        if (m->churn < TRIM_AFTER && m->trimmed_usec > 0 && now - m->trimmed_usec < TRIM_EVERY_USEC)
                return; /* the audit comes by here again */
        m->churn = 0;
        m->trimmed_usec = now;
        (void)malloc_trim(0);
}

int pl_manager_on_report(sd_event_source *source, uint64_t usec, void *userdata) {
        PlManager *m = userdata;
        _cleanup_free_ char *line = summary_line(m);
        /* An absent engine is no reason to hang a boot: plimsolld is ready to wait for it. */
        bool ready = !m->ready_sent && (m->synced || m->engine_error);

        trim_when_quiet(m);
        if (!line)
                return 0;
        if (!ready && pl_streq_null(line, m->status_sent))
                return 0;
        (void)sd_notifyf(false, "%sSTATUS=%s", ready ? "READY=1\n" : "", line);
        if (ready) {
                m->ready_sent = true;
                pl_log_info("Ready: %s", line);
        } else {
                pl_log_debug("Status: %s", line);
        }
        free(m->status_sent);
        m->status_sent = TAKE_PTR(line);
        return 0;
}

void pl_manager_report(PlManager *m) {
        int enabled = SD_EVENT_OFF;

        if (m->stopping ||
            (sd_event_source_get_enabled(m->report, &enabled), enabled != SD_EVENT_OFF))
                return;
        (void)sd_event_source_set_time_relative(m->report, REPORT_DELAY_USEC);
        (void)sd_event_source_set_enabled(m->report, SD_EVENT_ONESHOT);
}

/* The ping says "the loop turns and its ticks get done", not merely "a timer fired". */
int pl_manager_on_watchdog(sd_event_source *source, uint64_t usec, void *userdata) {
        PlManager *m = userdata;
        uint64_t now = pl_manager_now(m);

        if (m->tick_armed_usec == 0 || now - m->tick_armed_usec < m->watchdog_usec / 2)
                (void)sd_notify(false, "WATCHDOG=1");
        else
                pl_log_error("A tick is overdue for %" PRIu64 " s: leaving the watchdog unfed",
                             (now - m->tick_armed_usec) / PL_USEC_PER_SEC);
        (void)sd_event_source_set_time_relative(source, m->watchdog_usec / 2);
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static json_t *container_to_json(PlManager *m, PlSubject *s) {
        PlUsage usage = { PL_UNLIMITED, PL_UNLIMITED, PL_UNLIMITED, PL_UNLIMITED,
                          PL_UNLIMITED, PL_UNLIMITED, PL_UNLIMITED, PL_UNLIMITED };
        PlLogStatus log;
        json_t *o;
        PlContainerStatus c = {
                .id = s->id,
                .name = pl_subject_name(s),
                .service = s->service ? (s->service->name ?: "defaults") : NULL,
                .image = s->facts->image,
                .phase = pl_phase_to_string(s->facts->phase),
                .wanted = &s->want,
                .in_force = &s->reading.in_force,
                .owner_errors = (const char *const(*)[3])s->owner_errors,
                .log_path = s->facts->log_path,
                .log_size_bytes = PL_UNLIMITED,
                .log_archived_bytes = PL_UNLIMITED,
                .restarts = s->facts->restart_count,
                .drift_repairs = s->drift.repairs,
                .paused_repairs = pl_drift_is_standoff(&s->drift),
        };

        if (m->logs && pl_logs_status(m->logs, s->id, &log)) {
                c.log_path = log.path;
                c.log_method = log.method;
                c.log_why = log.why && *log.why ? log.why : NULL;
                c.log_size_bytes = log.size_bytes;
                c.log_archived_bytes = log.archived_bytes;
        }
        c.health = pl_manager_health(m, s, &c.reason);
        if (s->cgroup)
                (void)pl_cg_read_usage(&m->mounts, s->cgroup, &usage);
        c.memory_bytes = usage.memory_bytes;
        c.memory_peak_bytes = usage.memory_peak_bytes;
        c.working_set_bytes = pl_ollama_working_set(usage.memory_bytes, usage.inactive_file_bytes);
        c.cpu_usec = usage.cpu_usec;
        c.pids = usage.pids;
        c.oom_kills = usage.oom_kills;
        /* the group counts since its start, and is gone when the container is not running */
        if (s->oom_history && (c.oom_kills == PL_UNLIMITED || c.oom_kills < s->oom_history->total))
                c.oom_kills = s->oom_history->total;
        c.extra = json_object();
        pl_manager_oom_reports(s, c.extra);
        (void)json_object_set_new(c.extra, "findings", pl_manager_findings_of(m, s));
        if (s->ollama && pl_container_is_live(s->facts))
                (void)json_object_set_new(c.extra, "models", pl_ollama_json(s->ollama));
        o = pl_wire_container(&c);
        json_decref(c.extra);
        return o;
}

static json_t *ctl_status(void *userdata) {
        PlManager *m = userdata;
        const PlEngineInfo *info = pl_engine_info(m->engine);
        _cleanup_free_ char *line = summary_line(m);
        char api[32] = "";
        PlStatus status = {
                .version = PLIMSOLL_VERSION,
                .engine_connected = m->engine_connected,
                .engine_url = pl_engine_url(m->engine),
                .engine_error = m->engine_error,
                .policy_file = m->policy->files ? m->policy->files[0] : m->options.policy_file,
                .policy_error = m->policy_error,
                .policy_loaded_usec = m->policy_loaded_usec,
                .dry_run = pl_manager_dry_run(m),
                .stale = m->stale || !m->engine_connected,
                .summary = line,
        };
        json_t *containers = json_array(), *findings = pl_manager_findings(m), *o;
        PlSubject *s;

        status.findings = findings;
        if (info) {
                (void)snprintf(api, sizeof(api), "%u.%u", info->api.major, info->api.minor);
                status.engine_version = info->version;
                status.engine_api = api;
        }
        PL_MAP_FOREACH(s, m->subjects)
        if (s->facts && json_array_append_new(containers, container_to_json(m, s)) < 0)
                break;
        pl_manager_absent_to_json(m, containers);
        o = pl_wire_status(&status, containers);
        json_decref(findings);
        return o;
}

static PlSubject *find_by_name(PlManager *m, const char *name) {
        size_t len = strlen(name);
        PlSubject *s, *by_prefix = NULL;

        PL_MAP_FOREACH(s, m->subjects) {
                if (!s->facts)
                        continue;
                if (pl_streq_null(s->facts->name, name) || pl_streq(s->id, name))
                        return s;
                /* a short id, as the docker command shows it */
                if (len >= 4 && strncmp(s->id, name, len) == 0)
                        by_prefix = s;
        }
        if (by_prefix)
                return by_prefix;
        PL_MAP_FOREACH(s, m->subjects)
        if (s->facts && s->service && pl_streq_null(s->service->name, name))
                return s;
        return NULL;
}

static json_t *ctl_container(void *userdata, const char *name) {
        PlManager *m = userdata;
        PlSubject *s = find_by_name(m, name);

        return s ? container_to_json(m, s) : NULL;
}

static int ctl_reload(void *userdata, char **ret_message) {
        return pl_manager_reload(userdata, ret_message);
}

static int ctl_rotate(void *userdata, const char *name, char **ret_message) {
        PlSubject *s = find_by_name(userdata, name);

        return s ? pl_manager_rotate(userdata, s, ret_message) : -ENOENT;
}

const PlCtlHandlers pl_manager_ctl_handlers = {
        .status = ctl_status,
        .container = ctl_container,
        .findings = pl_manager_findings,
        .reload = ctl_reload,
        .rotate = ctl_rotate,
};
