/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Health: what the engine and the policy say of a container is handed to daemon/healthd; what comes
 * back becomes journal entries, restarts and units. Decisions are all there.
 */

#include "manager-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "cg-read.h"
#include "log.h"
#include "pl-last-words.h"
#include "pl-ollama.h"
#include "pl-unit.h"
#include "pl-wire.h"

/* As much of a log's end as its last words may take. */
#define LOG_TAIL_BYTES KIB(16)

/* "PLIMSOLL_HEALTH_BEFORE" is "health_before" on the control socket. */
static json_t *fields_to_json(const PlLogField *fields) {
        json_t *o = json_object();

        for (; o && fields->name; fields++) {
                const char *name = fields->name;
                char key[48];
                size_t i = 0;

                if (!fields->value)
                        continue;
                if (pl_startswith(name, "PLIMSOLL_"))
                        name += strlen("PLIMSOLL_");
                for (; name[i] && i + 1 < sizeof(key); i++)
                        key[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + 32) : name[i];
                key[i] = '\0';
                (void)json_object_set_new(o, key, json_string(fields->value));
        }
        return o;
}

/* One entry for the journal and for those who listen on the control socket. @service: of an entry
 * that is about no container. */
static void tell(PlManager *m, const PlSubject *s, const char *service, int priority,
                 const char *message_id, const PlLogField *fields, const char *text) {
        PlLogSubject subject = {
                .container_name = s ? pl_subject_name(s) : NULL,
                .container_id = s ? s->id : NULL,
                .service = service,
                .fields = fields,
        };
        PlWireEvent e = {
                .time_usec = pl_manager_clock(CLOCK_REALTIME),
                .priority = priority,
                .message = text,
                .message_id = message_id,
                .container_name = subject.container_name,
                .container_id = subject.container_id,
                .service = service,
        };
        json_t *entry;

        pl_log_full(priority, message_id, &subject, "%s: %s", s ? pl_subject_name(s) : service,
                    text);
        if (!m->ctl || !pl_ctl_server_has_listeners(m->ctl))
                return;
        e.fields = fields_to_json(fields);
        entry = pl_wire_event(&e);
        json_decref(e.fields);
        if (entry)
                pl_ctl_server_publish(m->ctl, entry);
        json_decref(entry);
}

/* The end of a json-file log. It is read here and now: some kilobytes that were just written. */
static const char *last_words(const PlSubject *s, char buf[static PL_LAST_WORDS_MAX]) {
        _cleanup_close_ int fd = -EBADF;
        _cleanup_free_ char *tail = NULL;
        struct stat st;
        off_t begin;
        ssize_t n;

        if (!s || !s->facts || !s->facts->log_path || !s->facts->log_driver ||
            !pl_streq(s->facts->log_driver, "json-file"))
                return NULL;
        fd = open(s->facts->log_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY);
        if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
                return NULL;
        begin = st.st_size > (off_t)LOG_TAIL_BYTES ? st.st_size - (off_t)LOG_TAIL_BYTES : 0;
        tail = malloc(LOG_TAIL_BYTES);
        n = tail ? pread(fd, tail, LOG_TAIL_BYTES, begin) : -1;
        if (n <= 0)
                return NULL;
        (void)pl_last_words(tail, (size_t)n, begin == 0, buf);
        return *buf ? buf : NULL;
}

static int priority_of(const PlHealthdReport *r) {
        const PlHealthChange *c = r->change;

        switch (c->to) {
        case PL_HEALTH_UNHEALTHY:
                return c->attributed ? LOG_NOTICE : LOG_ERR;
        case PL_HEALTH_DEGRADED:
                return LOG_WARNING;
        case PL_HEALTH_ABSENT:
                return r->required ? LOG_ERR : LOG_INFO;
        case PL_HEALTH_HEALTHY:
                return c->from == PL_HEALTH_UNHEALTHY || c->from == PL_HEALTH_DEGRADED ? LOG_NOTICE
                                                                                       : LOG_INFO;
        default:
                return LOG_INFO;
        }
}

static const char *message_of(const PlHealthdReport *r, int priority) {
        if (r->change->flapping)
                return PL_MESSAGE_HEALTH_FLAPPING;
        return priority == LOG_ERR ? PL_MESSAGE_HEALTH_FAILED : PL_MESSAGE_HEALTH_CHANGED;
}

static void on_changed(void *userdata, const PlHealthdReport *r) {
        PlManager *m = userdata;
        PlSubject *s = r->id ? pl_map_get(m->subjects, r->id) : NULL;
        const PlHealthChange *c = r->change;
        char text[2 * PL_HEALTH_REASON_MAX], lasted[PL_FORMAT_MAX], words[PL_LAST_WORDS_MAX];
        char exit_code[16];
        int priority = priority_of(r);
        bool ended = r->ender != PL_ENDER_NONE && c->to == PL_HEALTH_UNHEALTHY;
        const PlLogField fields[] = {
                { "PLIMSOLL_HEALTH", pl_health_state_to_string(c->to) },
                { "PLIMSOLL_HEALTH_BEFORE", pl_health_state_to_string(c->from) },
                { "PLIMSOLL_REASON", *c->reason ? c->reason : NULL },
                { "PLIMSOLL_WAITS_FOR", r->waits_for },
                { "PLIMSOLL_PROBE_CODE", *r->verdict->code ? r->verdict->code : NULL },
                { "PLIMSOLL_EXIT_CODE", ended ? exit_code : NULL },
                { "PLIMSOLL_LAST_LOG", ended ? last_words(s, words) : NULL },
                {},
        };

        (void)snprintf(exit_code, sizeof(exit_code), "%d", r->exit_code);
        if (c->to == PL_HEALTH_HEALTHY && priority == LOG_NOTICE)
                (void)snprintf(text, sizeof(text), "healthy again, after %s %s",
                               pl_format_sec(c->lasted_usec - c->lasted_usec % PL_USEC_PER_SEC,
                                             lasted),
                               pl_health_state_to_string(c->from));
        else
                (void)snprintf(text, sizeof(text), "%s%s%s", pl_health_state_to_string(c->to),
                               *c->reason ? ": " : "", c->reason);
        tell(m, s, r->service, priority, message_of(r, priority), fields, text);
        pl_manager_report(m);
}

static void on_restart_reply(void *userdata, const char *id, int error, const char *message) {
        PlManager *m = userdata;
        PlSubject *s = pl_map_get(m->subjects, id);
        bool sent = s && s->restart_sent;

        if (!sent)
                pl_log_debug("%.12s: its restart was not sent: %s", id,
                             message ?: strerror(-error));
        else if (error == -ECONNRESET || error == -ETIMEDOUT)
                pl_manager_say(m, s, LOG_ERR, PL_MESSAGE_RESTARTED, message,
                               "the engine did not say whether it restarted it (%s): it is looked "
                               "at before anything else is done",
                               strerror(-error));
        else if (error < 0)
                pl_manager_say(m, s, LOG_ERR, PL_MESSAGE_RESTARTED, message,
                               "the engine did not restart it: %s", message ?: strerror(-error));
        pl_healthd_restarted(m->health, id, error);
        if (!s)
                return;
        s->restart_in_flight = s->restart_sent = false;
        if (sent)
                pl_manager_inspect(m, s); /* its event may be lost */
}

/* Its turn has come, after whatever time. */
static bool on_restart_check(void *userdata, const char *id, PlContainer **c) {
        PlManager *m = userdata;
        PlSubject *s = pl_map_get(m->subjects, id);
        PlHealthdRestart restart;
        char window[PL_FORMAT_MAX];

        /* something has happened to it that is not known yet: then it is decided anew */
        if (!s || s->inspect_in_flight || s->inspect_due || pl_manager_dry_run(m))
                return false;
        pl_manager_take_inspection(m, s, TAKE_PTR(*c));
        if (!pl_healthd_begin_restart(m->health, id, &restart))
                return false;
        s->restart_sent = true;
        pl_manager_say(m, s, LOG_WARNING, PL_MESSAGE_RESTARTED, restart.reason,
                       "restarting it, %u of at most %u in %s: %s", restart.n, restart.budget->n,
                       pl_format_sec(restart.budget->window_usec, window), restart.reason);
        return true;
}

static int on_restart(void *userdata, const char *id, const char *reason) {
        PlManager *m = userdata;
        PlSubject *s = pl_map_get(m->subjects, id);
        int r;

        if (!s)
                return -ENOENT;

        if (pl_manager_dry_run(m)) {
                pl_manager_say(m, s, LOG_NOTICE, PL_MESSAGE_RESTARTED, reason,
                               "would be restarted (dry run): %s", reason);
                return 1;
        }
        /* of a container that was left alone for a while */
        if (s->restart_in_flight)
                return -EALREADY;
        r = pl_engine_restart(m->engine, id, on_restart_check, on_restart_reply, m);
        s->restart_in_flight = r >= 0;
        return r;
}

static void on_start_unit(void *userdata, const char *id, const char *unit, const char *reason) {
        PlManager *m = userdata;
        PlSubject *s = pl_map_get(m->subjects, id);
        char name[256];
        const char *spec = strstr(unit, "%s"), *service = s && s->service ? s->service->name : NULL;
        int r;

        if (spec)
                (void)snprintf(name, sizeof(name), "%.*s%s%s", (int)(spec - unit), unit,
                               service ?: "defaults", spec + 2);
        else
                (void)snprintf(name, sizeof(name), "%s", unit);
        if (pl_manager_dry_run(m)) {
                pl_manager_say(m, s, LOG_NOTICE, PL_MESSAGE_RESTARTED, reason,
                               "%s would be started (dry run): %s", name, reason);
                return;
        }
        r = pl_systemd_start_unit(m->systemd, name, id);
        pl_manager_say(m, s, r < 0 ? LOG_ERR : LOG_WARNING, PL_MESSAGE_RESTARTED, reason,
                       r < 0 ? "cannot start %s: %s" : "starting %s: %s", name,
                       r < 0 ? strerror(-r) : reason);
}

static void on_gave_up(void *userdata, const char *id, const char *reason, const PlBudget *budget) {
        PlManager *m = userdata;
        PlSubject *s = pl_map_get(m->subjects, id);
        char window[PL_FORMAT_MAX];

        pl_manager_say(m, s, LOG_CRIT, PL_MESSAGE_RESTART_GAVE_UP, reason,
                       "not restarted any more: %u restart%s in %s did not help: %s", budget->n,
                       pl_plural(budget->n), pl_format_sec(budget->window_usec, window), reason);
}

static uint64_t memory_limit(const PlSubject *s) {
        const PlValue *v = &s->reading.in_force.v[PL_RESOURCE_MEMORY_MAX];

        if (v->set)
                return v->number;
        return s->facts && s->facts->host.memory > 0 ? (uint64_t)s->facts->host.memory
                                                     : PL_UNLIMITED;
}

static void on_ollama(void *userdata, const char *id, const PlOllamaFacts *facts) {
        PlManager *m = userdata;
        PlSubject *s = pl_map_get(m->subjects, id);
        PlUsage usage = { .memory_bytes = PL_UNLIMITED, .inactive_file_bytes = PL_UNLIMITED };
        char text[PL_HEALTH_REASON_MAX];
        PlOllamaFit fit;

        if (!s)
                return;
        if (!s->ollama)
                s->ollama = malloc(sizeof(*s->ollama));
        if (s->ollama)
                *s->ollama = *facts;
        if (s->cgroup)
                (void)pl_cg_read_usage(&m->mounts, s->cgroup, &usage);
        fit = pl_ollama_judge(facts, memory_limit(s), usage.memory_bytes, usage.inactive_file_bytes,
                              text, sizeof(text));
        /* the numbers move with every round; the finding is what is news */
        if ((int)fit == s->ollama_fit)
                return;
        s->ollama_fit = (int)fit;
        if (fit != PL_OLLAMA_FITS)
                pl_manager_say(m, s, LOG_WARNING, PL_MESSAGE_MODEL_TOO_BIG, text, "%s", text);
}

static void on_doubted(void *userdata, const char *id) {
        PlManager *m = userdata;
        PlSubject *s = pl_map_get(m->subjects, id);

        if (s)
                pl_manager_inspect(m, s);
}

static bool on_recall(void *userdata, const char *id, uint64_t now_usec, PlRestart *ret_restart,
                      PlEnding *ret_ending) {
        PlManager *m = userdata;

        return pl_state_dir_load_restart(m->state_dir, id, now_usec, ret_restart, ret_ending) >= 0;
}

static void on_remember(void *userdata, const char *id, const PlRestart *restart,
                        const PlEnding *ending) {
        PlManager *m = userdata;
        int r = pl_state_dir_save_restart(m->state_dir, id, restart, ending);

        if (r < 0)
                pl_log_warning("%.12s: its restarts are forgotten when plimsolld ends: %s", id,
                               strerror(-r));
}

static void on_touched(void *userdata) {
        pl_manager_report(userdata);
}

static const PlHealthdHandlers handlers = {
        .changed = on_changed,
        .restart = on_restart,
        .start_unit = on_start_unit,
        .gave_up = on_gave_up,
        .ollama = on_ollama,
        .doubted = on_doubted,
        .recall = on_recall,
        .remember = on_remember,
        .touched = on_touched,
};

int pl_manager_open_health(PlManager *m) {
        int r = pl_healthd_new(m->event, &handlers, m, &m->health);

        if (r < 0)
                pl_log_error("Cannot watch the health of services: %s", strerror(-r));
        else
                pl_healthd_set_policy(m->health, m->policy);
        return r;
}

/* The id of the container whose network this one shares; NULL: its own. */
static const char *host_of(const PlSubject *s) {
        const char *mode = s->facts && !s->provisional ? s->facts->host.network_mode : NULL;

        return mode && pl_startswith(mode, "container:") ? mode + strlen("container:") : NULL;
}

static void update(PlManager *m, PlSubject *s) {
        const PlService *service = pl_policy_match(m->policy, s->facts);
        const char *host_id = host_of(s);
        const PlSubject *host = host_id ? pl_map_get(m->subjects, host_id) : NULL;

        if (!service) {
                /* left alone: neither asked nor reported */
                pl_healthd_remove(m->health, s->id, false);
                return;
        }
        if (pl_healthd_update(m->health, s->facts, host && !host->provisional ? host->facts : NULL,
                              service) < 0)
                pl_log_warning("%s: its health is not watched: out of memory", pl_subject_name(s));
}

static void note_guest(PlManager *m, PlSubject *s, bool guest) {
        if (guest && !s->guest)
                m->n_guests++;
        else if (!guest && s->guest)
                m->n_guests--;
        s->guest = guest;
}

void pl_manager_update_health(PlManager *m, PlSubject *s) {
        PlSubject *guest;

        /* what the create event tells says nothing of phase and addresses yet */
        if (!s->facts || s->provisional)
                return;
        note_guest(m, s, host_of(s));
        update(m, s);
        if (m->n_guests == 0)
                return;
        PL_MAP_FOREACH(guest, m->subjects)
        if (guest->guest && pl_streq_null(host_of(guest), s->id))
                update(m, guest);
}

void pl_manager_update_all_health(PlManager *m) {
        PlSubject *s;

        PL_MAP_FOREACH(s, m->subjects)
        if (s->facts && !s->provisional)
                update(m, s);
}

void pl_manager_remove_health(PlManager *m, PlSubject *s) {
        note_guest(m, s, false);
        if (m->health)
                pl_healthd_remove(m->health, s->id, true);
}

PlHealthState pl_manager_health(const PlManager *m, const PlSubject *s, const char **ret_reason) {
        PlHealthdView v;

        *ret_reason = NULL;
        if (!pl_healthd_get(m->health, s->id, &v))
                return PL_HEALTH_UNKNOWN;
        *ret_reason = v.reason;
        return v.state;
}

void pl_manager_absent_to_json(PlManager *m, json_t *containers) {
        const PlLimits none = {};
        PlHealthdView v;
        size_t iter = 0;

        while (pl_healthd_next_absent(m->health, &iter, &v)) {
                PlContainerStatus c = {
                        .id = "",
                        .name = v.service,
                        .service = v.service,
                        .image = "",
                        .phase = "absent",
                        .health = v.state,
                        .reason = v.reason,
                        .wanted = &none,
                        .in_force = &none,
                        .memory_bytes = PL_UNLIMITED,
                        .memory_peak_bytes = PL_UNLIMITED,
                        .working_set_bytes = PL_UNLIMITED,
                        .cpu_usec = PL_UNLIMITED,
                        .pids = PL_UNLIMITED,
                        .log_size_bytes = PL_UNLIMITED,
                        .log_archived_bytes = PL_UNLIMITED,
                };

                (void)json_array_append_new(containers, pl_wire_container(&c));
        }
}
