/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Health, acted upon: passes on to health/patients what the registry says of a container, and makes
 * entries, restarts and units of what comes back. Decides nothing.
 */

#include "health/act.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/point.h"
#include "cgroup/freezer.h"
#include "lib/base/message.h"
#include "lib/base/unit-name.h"
#include "lib/base/unit.h"
#include "lib/logs/last-words.h"
#include "lib/probe/listen.h"

/* --- what the kernel says of a container that does not answer: procfs and cgroupfs never block ---
 */

/* Who listens comes first, and the host's own network may have many connections. */
#define SOCKETS_BYTES KIB(256)

static bool is_frozen(pid_t pid, const char *id) {
        _cleanup_free_ char *file = NULL;

        return pl_cg_freezer_find(pid, id, &file) == 0 && pl_cg_freezer_is_frozen(file) == 1;
}

/* Stopped by its tracer, as a breakpoint does it. Source: proc_pid_status(5). */
static bool is_traced(pid_t pid) {
        _cleanup_free_ char *text = NULL;
        char path[64];

        (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
        return pl_fs_read(AT_FDCWD, path, KIB(16), &text, NULL) == 0 &&
               strstr(text, "\nState:\tt ") != NULL;
}

/* Does it stand still by somebody's hand, though the engine has not paused
 * it? @pid: its main process. Return: how, in words, static; NULL: it does not, for all we know. */
static const char *witness_still(pid_t pid, const char *id) {
        if (pid <= 0)
                return NULL;
        return is_frozen(pid, id) ? "frozen by its cgroup's freezer, and not by docker pause"
               : is_traced(pid)   ? "stopped by a debugger"
                                  : NULL;
}

static PlListen listens_in(pid_t pid, const char *file, uint16_t port) {
        _cleanup_free_ char *text = malloc(SOCKETS_BYTES);
        _cleanup_close_ int fd = -EBADF;
        char path[64];
        size_t size = 0;
        ssize_t n = 0;

        (void)snprintf(path, sizeof(path), "/proc/%d/net/%s", (int)pid, file);
        fd = text ? open(path, O_RDONLY | O_CLOEXEC) : -EBADF;
        while (fd >= 0 && size < SOCKETS_BYTES - 1 &&
               (n = read(fd, text + size, SOCKETS_BYTES - 1 - size)) > 0)
                size += (size_t)n;
        if (size == 0)
                return PL_LISTEN_NO;
        text[size] = '\0';
        return pl_listen_find(text, port);
}

/* In the network of a process. NO where nothing can be read. */
static PlListen witness_listens(pid_t pid, uint16_t port) {
        return pid <= 0 ? PL_LISTEN_NO
                        : PL_MAX(listens_in(pid, "tcp", port), listens_in(pid, "tcp6", port));
}

/* How much of a log's end is searched for its last words. */
#define LOG_TAIL_BYTES KIB(16)

struct PlHealthAct {
        PlRegistry *registry;
        PlSystemd *systemd;
        const PlHealthActHandlers *handlers;
        void *userdata;
        PlHealthd *patients;
        PlMap *guests; /* id → PlSubject in another one's network, borrowed */
        PlMap *models; /* id → PlModels, owned */
        PlMap *asked;  /* id → Asked, owned */
        sd_event_source *stop_timer;
        int save_error; /* of the last attempt; 0: it was saved */
};

/* Of the unit's TimeoutStopSec=, which is 30 s: giving limits back takes the rest. It is enough for
 * the engine's own stop timeout, which is 10 s, and a start. */
#define STOP_GRACE_USEC (20 * PL_USEC_PER_SEC)

/* A step of a restart that the engine was asked for and has not answered yet. */
typedef struct Asked {
        char id[PL_ID_MAX];
        PlRestartVerb sent; /* NOTHING: its turn has not come */
} Asked;

/* Return: NULL: out of memory. */
static Asked *asked_new(PlHealthAct *a, const char *id) {
        Asked *asked = calloc(1, sizeof(*asked));

        if (!asked)
                return NULL;
        (void)snprintf(asked->id, sizeof(asked->id), "%s", id);
        if (pl_map_put(a->asked, asked->id, asked) < 0) {
                free(asked);
                return NULL;
        }
        return asked;
}

static void asked_free(PlHealthAct *a, Asked *asked) {
        if (!asked)
                return;
        (void)pl_map_remove(a->asked, asked->id);
        free(asked);
}

static PlModels *models_ensure(PlHealthAct *a, const char *id) {
        PlModels *m = pl_map_get(a->models, id);

        if (m)
                return m;
        m = calloc(1, sizeof(*m));
        if (!m)
                return NULL;
        (void)snprintf(m->id, sizeof(m->id), "%s", id);
        if (pl_map_put(a->models, m->id, m) < 0) {
                free(m);
                return NULL;
        }
        return m;
}

static void models_free(PlHealthAct *a, PlModels *m) {
        if (!m)
                return;
        (void)pl_map_remove(a->models, m->id);
        free(m);
}

/* The end of a json-file log. Reading it does not block: it is a few kilobytes that were just
 * written. */
static const char *last_words(const PlSubject *s, char buf[static PL_LAST_WORDS_MAX],
                              const char **ret_last) {
        _cleanup_close_ int fd = -EBADF;
        _cleanup_free_ char *tail = NULL;
        struct stat st;
        off_t begin;
        ssize_t n;

        if (!s || !s->facts || !s->facts->log.path || !s->facts->log.driver ||
            !pl_streq(s->facts->log.driver, "json-file"))
                return NULL;
        fd = open(s->facts->log.path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY);
        if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
                return NULL;
        begin = st.st_size > (off_t)LOG_TAIL_BYTES ? st.st_size - (off_t)LOG_TAIL_BYTES : 0;
        tail = malloc(LOG_TAIL_BYTES);
        n = tail ? pread(fd, tail, LOG_TAIL_BYTES, begin) : -1;
        if (n <= 0)
                return NULL;
        *ret_last = pl_last_words(tail, (size_t)n, begin == 0, buf);
        return *buf ? buf : NULL;
}

static int priority_of(const PlHealthdReport *r) {
        const PlHealthChange *c = r->change;

        if (r->minor)
                return LOG_DEBUG;
        switch (c->to) {
        case PL_HEALTH_UNHEALTHY:
                return c->attributed ? LOG_NOTICE : LOG_ERR;
        case PL_HEALTH_STARTING:
                return c->late ? LOG_NOTICE : LOG_INFO;
        case PL_HEALTH_DEGRADED:
                return LOG_WARNING;
        case PL_HEALTH_ABSENT:
                /* whether its service is left without any is said after a moment: it may be made
                 * anew */
                if (r->id && c->sign == PL_SIGN_GONE)
                        return LOG_INFO;
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
        if (r->change->to == PL_HEALTH_DEGRADED && r->change->sign == PL_SIGN_DISPUTED)
                return PL_MESSAGE_HEALTH_DISPUTED;
        return priority == LOG_ERR ? PL_MESSAGE_HEALTH_FAILED : PL_MESSAGE_HEALTH_CHANGED;
}

static void on_changed(void *userdata, const PlHealthdReport *r) {
        PlHealthAct *a = userdata;
        PlSubject *s = r->id ? pl_map_get(a->registry->subjects, r->id) : NULL;
        const PlHealthChange *c = r->change;
        const char *last;
        char text[2 * PL_HEALTH_REASON_MAX], lasted[PL_FORMAT_MAX], words[PL_LAST_WORDS_MAX];
        char exit_code[16];
        int priority = priority_of(r);
        bool ended = r->ender != PL_ENDER_NONE && c->to == PL_HEALTH_UNHEALTHY;
        const PlLogField fields[] = {
                { "PLIMSOLL_HEALTH", pl_health_state_to_string(c->to) },
                { "PLIMSOLL_HEALTH_BEFORE", pl_health_state_to_string(c->from) },
                { "PLIMSOLL_VERDICT", pl_judgement_to_string(r->judgement) },
                { "PLIMSOLL_REASON", *c->reason ? c->reason : NULL },
                { "PLIMSOLL_WAITS_FOR", r->waits_for },
                { "PLIMSOLL_PROBE_CODE", *r->verdict->code ? r->verdict->code : NULL },
                { "PLIMSOLL_EXIT_CODE", ended ? exit_code : NULL },
                { "PLIMSOLL_LAST_LOG", ended ? last_words(s, words, &last) : NULL },
                {},
        };

        (void)snprintf(exit_code, sizeof(exit_code), "%d", r->exit_code);
        if (c->to == PL_HEALTH_HEALTHY && priority == LOG_NOTICE)
                (void)snprintf(text, sizeof(text), "healthy again, after %s %s",
                               pl_format_sec(c->lasted_usec - c->lasted_usec % PL_USEC_PER_SEC,
                                             lasted),
                               pl_health_state_to_string(c->from));
        else if (r->id && c->sign == PL_SIGN_GONE)
                /* whether its service has none left is said by itself */
                (void)snprintf(text, sizeof(text), "removed");
        else if (pl_startswith(c->reason, pl_health_state_to_string(c->to)))
                (void)snprintf(text, sizeof(text), "%s", c->reason); /* "finished with …" */
        else
                (void)snprintf(text, sizeof(text), "%s%s%s", pl_health_state_to_string(c->to),
                               *c->reason ? ": " : "", c->reason);
        pl_report(a->registry->reporter,
                  &(PlEntry){
                                  .priority = priority,
                                  .message_id = message_of(r, priority),
                                  .container_name = s ? pl_subject_name(s) : NULL,
                                  .container_id = r->id, /* it may be known by that alone */
                                  .service = r->service,
                                  .fields = fields,
                  },
                  "%s", text);
        pl_reporter_changed(a->registry->reporter);
}

static char *on_words(void *userdata, const char *id) {
        PlHealthAct *a = userdata;
        char words[PL_LAST_WORDS_MAX], explained[PL_LAST_WORDS_EXPLAINED_MAX];
        const char *last;

        if (!last_words(pl_map_get(a->registry->subjects, id), words, &last))
                return NULL;
        return strdup(pl_last_words_explain(words, last, explained));
}

static void on_ended(void *userdata, const char *id, const PlEnding *ending, const char *words,
                     const char *reason) {
        PlHealthAct *a = userdata;
        const PlSubject *s = pl_map_get(a->registry->subjects, id);

        if (s && a->handlers->ended)
                a->handlers->ended(a->userdata, s, ending, words, reason);
}

static void on_run_again(void *userdata, const char *id, const PlEnding *ending, const char *how) {
        PlHealthAct *a = userdata;
        const PlSubject *s = pl_map_get(a->registry->subjects, id);
        char exit_code[16], words[PL_LAST_WORDS_MAX];
        const char *last;
        const PlLogField fields[] = {
                { "PLIMSOLL_EXIT_CODE", exit_code },
                { "PLIMSOLL_LAST_LOG", last_words(s, words, &last) },
                {},
        };

        (void)snprintf(exit_code, sizeof(exit_code), "%d", ending->exit_code);
        pl_subject_report(a->registry->reporter, s, ending->exit_code == 0 ? LOG_INFO : LOG_WARNING,
                          PL_MESSAGE_HEALTH_CHANGED, how, fields, "%s; the engine restarts it",
                          how);
}

/* What the engine was asked to do, for messages. */
static const struct {
        const char *act, *done;
        PlEngineAct how;
} steps[_PL_RESTART_VERB_N] = {
        [PL_RESTART_STOP] = { "stop", "stopped", PL_ENGINE_STOP },
        [PL_RESTART_START] = { "start", "started", PL_ENGINE_START },
        [PL_RESTART_WHOLE] = { "restart", "restarted", PL_ENGINE_RESTART },
};

/* Return: what the state machine makes of it. */
static int report_reply(PlHealthAct *a, PlSubject *s, PlRestartVerb sent, int error,
                        const char *message) {
        if (sent == PL_RESTART_NOTHING) {
                pl_log_debug("%.12s: its restart was not sent: %s", s->id,
                             message ?: strerror(-error));
                return -ECANCELED;
        }
        if (error == -ECONNRESET || error == -ETIMEDOUT)
                pl_subject_report(a->registry->reporter, s, LOG_ERR, PL_MESSAGE_RESTARTED, message,
                                  NULL,
                                  "the engine did not say whether it %s it (%s); inspecting it "
                                  "before anything else",
                                  steps[sent].done, strerror(-error));
        else if (error < 0 && error != -EALREADY)
                pl_subject_report(a->registry->reporter, s, LOG_ERR, PL_MESSAGE_RESTARTED, message,
                                  NULL, "the engine did not %s it: %s", steps[sent].act,
                                  message ?: strerror(-error));
        return error;
}

static void on_restart_reply(void *userdata, const char *id, int error, const char *message) {
        PlHealthAct *a = userdata;
        PlSubject *s = pl_map_get(a->registry->subjects, id);
        Asked *asked = pl_map_get(a->asked, id);
        PlRestartVerb sent = asked ? asked->sent : PL_RESTART_NOTHING;

        asked_free(a, asked);
        if (!s)
                return;
        if (error == 0)
                pl_point(sent == PL_RESTART_STOP ? "restart-stopped" : "restart-started");
        pl_healthd_restarted(a->patients, id, report_reply(a, s, sent, error, message));
        if (sent != PL_RESTART_NOTHING)
                pl_registry_inspect(a->registry, s); /* its event may be lost */
}

/* docker compose makes the new one as HASH_NAME, stops and removes the old one, and gives its name
 * to the new one; docker-compose 1 gives HASH_NAME to the old one. HASH is of the old one's id, the
 * first twelve digits. Sources: docker/compose, pkg/compose/convergence.go, recreateContainer();
 * compose/service.py, recreate_container(). */
static bool is_replaced(const PlHealthAct *a, const PlSubject *s) {
        char prefix[14];
        const PlSubject *other;

        (void)snprintf(prefix, sizeof(prefix), "%.12s_", s->id);
        PL_MAP_FOREACH(other, a->registry->subjects)
        if (pl_startswith(pl_subject_name(other), prefix))
                return true;
        return false;
}

/* Its turn has come, however long that took. */
static PlEngineAct on_turn(void *userdata, const char *id, PlContainer **c) {
        PlHealthAct *a = userdata;
        PlSubject *s = pl_map_get(a->registry->subjects, id);
        Asked *asked = pl_map_get(a->asked, id);
        PlHealthdRestart restart;
        char window[PL_FORMAT_MAX], n[16];
        const PlLogField fields[] = { { "PLIMSOLL_RESTARTS", n }, {} };

        /* something has happened to it that we do not know yet: decide again when we do */
        if (!s || !asked || s->inspect_in_flight || s->inspect_due ||
            pl_registry_is_dry_run(a->registry) || is_replaced(a, s))
                return PL_ENGINE_NOTHING;
        pl_registry_take(a->registry, s, TAKE_PTR(*c));
        asked->sent = pl_healthd_begin_restart(a->patients, id, &restart);
        if (asked->sent == PL_RESTART_NOTHING)
                return PL_ENGINE_NOTHING;
        (void)snprintf(n, sizeof(n), "%u", restart.n);
        pl_subject_report(a->registry->reporter, s, LOG_WARNING, PL_MESSAGE_RESTARTED,
                          restart.reason, fields, "restarting it, %u of at most %u in %s: %s",
                          restart.n, restart.budget->n,
                          pl_format_sec(restart.budget->window_usec, window), restart.reason);
        pl_point("restart-intent"); /* it is on disk, and nothing was sent */
        return steps[asked->sent].how;
}

/* In the middle of a restart. What was stopped for it is started, whatever the policy says by now,
 * unless a person has done otherwise. */
static PlEngineAct on_start_turn(void *userdata, const char *id, PlContainer **c) {
        PlHealthAct *a = userdata;
        PlSubject *s = pl_map_get(a->registry->subjects, id);
        Asked *asked = pl_map_get(a->asked, id);

        if (!s || !asked)
                return PL_ENGINE_NOTHING;
        pl_registry_take(a->registry, s, TAKE_PTR(*c));
        if (!pl_healthd_begin_start(a->patients, id, is_replaced(a, s)))
                return PL_ENGINE_NOTHING;
        asked->sent = PL_RESTART_START;
        pl_point("restart-starting"); /* it was looked at, and the start was not sent */
        return PL_ENGINE_START;
}

static int ask(PlHealthAct *a, const PlSubject *s, PlEngineAct act, PlEngineCheck check) {
        Asked *asked;
        int r;

        /* cancelled, or not governed for a while; its turn decides all the same */
        if (pl_map_get(a->asked, s->id))
                return 0;
        asked = asked_new(a, s->id);
        if (!asked)
                return -ENOMEM;
        r = pl_engine_turn(a->registry->engine, act, s->id,
                           pl_healthd_look_since(a->patients, s->id), check, on_restart_reply, a);
        if (r < 0)
                asked_free(a, asked);
        return r;
}

/* Nothing is sent: it is for what the engine remembers. */
static PlEngineAct on_look(void *userdata, const char *id, PlContainer **c) {
        PlHealthAct *a = userdata;
        PlSubject *s = pl_map_get(a->registry->subjects, id);

        if (s)
                pl_registry_take(a->registry, s, TAKE_PTR(*c));
        return PL_ENGINE_NOTHING;
}

static void on_look_reply(void *userdata, const char *id, int error, const char *message) {
        PlHealthAct *a = userdata;
        PlSubject *s = pl_map_get(a->registry->subjects, id);

        if (s && error != -ECANCELED)
                pl_registry_inspect(a->registry, s);
}

static int look(PlHealthAct *a, PlSubject *s) {
        int r = pl_engine_turn(a->registry->engine, PL_ENGINE_NOTHING, s->id,
                               pl_healthd_look_since(a->patients, s->id), on_look, on_look_reply,
                               a);

        if (r < 0)
                pl_registry_inspect(a->registry, s); /* or all of them, when the engine is back */
        return 0;
}

static int on_restart(void *userdata, const char *id, PlRestartVerb verb, const char *reason) {
        PlHealthAct *a = userdata;
        PlSubject *s = pl_map_get(a->registry->subjects, id);

        if (!s)
                return -ENOENT;
        switch (verb) {
        case PL_RESTART_LOOK:
                return look(a, s);
        case PL_RESTART_START:
                return ask(a, s, PL_ENGINE_START, on_start_turn);
        case PL_RESTART_QUEUE:
                break;
        default:
                return 0;
        }
        if (pl_registry_is_dry_run(a->registry)) {
                pl_subject_report(a->registry->reporter, s, LOG_NOTICE, PL_MESSAGE_RESTARTED,
                                  reason, NULL, "would be restarted (dry run): %s", reason);
                return 1;
        }
        return ask(a, s, pl_container_is_live(s->facts) ? PL_ENGINE_STOP : PL_ENGINE_START,
                   on_turn);
}

static void on_left(void *userdata, const char *id, const char *what) {
        PlHealthAct *a = userdata;
        PlSubject *s = pl_map_get(a->registry->subjects, id);

        pl_subject_report(a->registry->reporter, s, LOG_NOTICE, PL_MESSAGE_RESTARTED, what, NULL,
                          "%s by somebody else during our restart: left as it is", what);
}

/* That it shares a network is a matter of the policy, and has harmed nobody yet. */
static void on_part(void *userdata, const char *id, PlPart what, const char *text) {
        PlHealthAct *a = userdata;
        PlSubject *s = pl_map_get(a->registry->subjects, id);

        pl_subject_report(a->registry->reporter, s,
                          what == PL_PART_NO_KEY ? LOG_DEBUG : LOG_WARNING, NULL, NULL, NULL, "%s",
                          text);
        pl_reporter_changed(a->registry->reporter);
}

static void on_start_unit(void *userdata, const char *id, const char *unit, const char *reason) {
        PlHealthAct *a = userdata;
        PlSubject *s = pl_map_get(a->registry->subjects, id);
        const char *service = s && s->service && s->service->name ? s->service->name : "defaults";
        _cleanup_free_ char *name = NULL;
        int r = pl_unit_name_expand(unit, service, &name);

        if (r < 0) {
                pl_subject_report(a->registry->reporter, s, LOG_ERR, PL_MESSAGE_RESTARTED, reason,
                                  NULL, "cannot start %s for service %s: %s", unit, service,
                                  r == -EINVAL ? "that is not the name of a unit" : strerror(-r));
                return;
        }
        if (pl_registry_is_dry_run(a->registry)) {
                pl_subject_report(a->registry->reporter, s, LOG_NOTICE, PL_MESSAGE_RESTARTED,
                                  reason, NULL, "%s would be started (dry run): %s", name, reason);
                return;
        }
        r = pl_systemd_start_unit(a->systemd, name, id);
        pl_subject_report(a->registry->reporter, s, r < 0 ? LOG_ERR : LOG_WARNING,
                          PL_MESSAGE_RESTARTED, reason, NULL,
                          r < 0 ? "cannot start %s: %s" : "starting %s: %s", name,
                          r < 0 ? strerror(-r) : reason);
}

static void on_gave_up(void *userdata, const char *id, const char *reason, const PlBudget *budget) {
        PlHealthAct *a = userdata;
        PlSubject *s = pl_map_get(a->registry->subjects, id);
        char window[PL_FORMAT_MAX];

        pl_subject_report(a->registry->reporter, s, LOG_CRIT, PL_MESSAGE_RESTART_GAVE_UP, reason,
                          NULL, "not restarted any more: %u restart%s in %s did not help: %s",
                          budget->n, pl_plural(budget->n),
                          pl_format_sec(budget->window_usec, window), reason);
}

static void on_ollama(void *userdata, const char *id, const PlOllamaFacts *facts) {
        PlHealthAct *a = userdata;
        PlSubject *s = pl_map_get(a->registry->subjects, id);
        char text[PL_HEALTH_REASON_MAX];
        uint64_t limit_bytes;
        PlModels *m;
        PlUsage usage;
        PlOllamaFit fit;

        if (!s)
                return;
        m = models_ensure(a, id);
        if (!m)
                return;
        m->facts = *facts;
        limit_bytes = a->handlers->memory(a->userdata, s, &usage);
        fit = pl_ollama_judge(facts, limit_bytes, usage.memory_bytes, usage.inactive_file_bytes,
                              text, sizeof(text));
        /* the numbers change with every round; only a new finding is reported */
        if (fit == m->fit)
                return;
        m->fit = fit;
        (void)snprintf(m->text, sizeof(m->text), "%s", text);
        pl_reporter_changed(a->registry->reporter);
        if (fit != PL_OLLAMA_FITS)
                pl_subject_report(a->registry->reporter, s, LOG_WARNING, PL_MESSAGE_MODEL_TOO_BIG,
                                  text, NULL, "%s", text);
}

static void on_doubted(void *userdata, const char *id) {
        PlHealthAct *a = userdata;
        PlSubject *s = pl_map_get(a->registry->subjects, id);

        if (s)
                pl_registry_inspect(a->registry, s);
}

static const char *on_still(void *userdata, pid_t pid, const char *id) {
        return witness_still(pid, id);
}

static PlListen on_listens(void *userdata, pid_t pid, uint16_t port) {
        return witness_listens(pid, port);
}

static bool on_slow(void *userdata, const char *id, PlSlowReading *ret) {
        PlHealthAct *a = userdata;
        const PlSubject *s = pl_map_get(a->registry->subjects, id);

        if (!s)
                return false;
        a->handlers->slow(a->userdata, s, ret);
        return true;
}

static bool on_recall(void *userdata, const char *id, uint64_t now_usec, PlCourse *ret) {
        PlHealthAct *a = userdata;

        return pl_state_dir_load_restart(a->registry->state_dir, id, now_usec, ret) >= 0;
}

static int on_remember(void *userdata, const char *id, const PlCourse *course) {
        PlHealthAct *a = userdata;
        int r = pl_state_dir_save_restart(a->registry->state_dir, id, course);

        /* it is tried again and again, for each of them */
        if (r < 0 && r != a->save_error)
                pl_report(a->registry->reporter,
                          &(PlEntry){ .priority = LOG_WARNING, .container_id = id },
                          "cannot save its restarts: they are lost when plimsolld ends, and "
                          "nothing that runs is restarted meanwhile: %s",
                          strerror(-r));
        a->save_error = r;
        return r;
}

static size_t on_inherit(void *userdata, const char *id, uint64_t *ret, size_t max) {
        PlHealthAct *a = userdata;
        const PlSubject *s = pl_map_get(a->registry->subjects, id);

        return s && a->handlers->restarts ? a->handlers->restarts(a->userdata, s, ret, max) : 0;
}

static void on_stopped(void *userdata) {
        PlHealthAct *a = userdata;

        a->stop_timer = sd_event_source_disable_unref(a->stop_timer);
        a->handlers->stopped(a->userdata);
}

static int on_stop_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        on_stopped(userdata);
        return 0;
}

size_t pl_health_act_stop(PlHealthAct *a) {
        size_t n = pl_healthd_stop(a->patients);

        if (n == 0)
                return 0;
        if (sd_event_add_time_relative(a->registry->event, &a->stop_timer, CLOCK_BOOTTIME,
                                       STOP_GRACE_USEC, 0, on_stop_timer, a) < 0)
                return 0; /* it is all on disk */
        return n;
}

static void on_touched(void *userdata) {
        const PlHealthAct *a = userdata;

        pl_reporter_changed(a->registry->reporter);
}

static void on_environment(void *userdata, const char *id, int error, char *const *environment) {
        PlHealthAct *a = userdata;

        pl_healthd_environment(a->patients, id, error == 0 ? environment : NULL);
}

/* Not to be had: the probe goes on without a login. */
static void on_environment_wanted(void *userdata, const char *id) {
        PlHealthAct *a = userdata;

        (void)pl_engine_environment(a->registry->engine, id, on_environment, a);
}

static const PlHealthdHandlers handlers = {
        .changed = on_changed,
        .words = on_words,
        .ended = on_ended,
        .run_again = on_run_again,
        .restart = on_restart,
        .left = on_left,
        .part = on_part,
        .start_unit = on_start_unit,
        .gave_up = on_gave_up,
        .ollama = on_ollama,
        .environment = on_environment_wanted,
        .doubted = on_doubted,
        .still = on_still,
        .listens = on_listens,
        .slow = on_slow,
        .recall = on_recall,
        .remember = on_remember,
        .inherit = on_inherit,
        .stopped = on_stopped,
        .touched = on_touched,
};

/* The id of the container whose network this one shares; NULL: its own. */
static const char *host_of(const PlSubject *s) {
        const char *mode = pl_subject_is_known(s) ? s->facts->host.network_mode : NULL;

        return mode && pl_startswith(mode, "container:") ? mode + strlen("container:") : NULL;
}

/* What was stopped for a restart is started, although no section governs it any more; the restart
 * may be that of a plimsolld before this one. */
static bool is_half_done(const PlHealthAct *a, const PlSubject *s) {
        PlHealthdView v;
        PlCourse c;

        if (pl_healthd_get(a->patients, s->id, &v))
                return pl_healthd_is_restarting(a->patients, s->id);
        return pl_state_dir_load_restart(a->registry->state_dir, s->id,
                                         pl_clock_usec(CLOCK_MONOTONIC), &c) >= 0 &&
               pl_restart_is_under_way(&c.restart);
}

/* A task of a swarm that has ended is never started again: swarm has made another one for it, and
 * keeps this one to be looked at. */
static bool is_past_task(const PlSubject *s) {
        return !pl_container_is_live(s->facts) && s->facts->phase != PL_PHASE_CREATED &&
               pl_container_label(s->facts, "com.docker.swarm.task.id");
}

static void update(PlHealthAct *a, PlSubject *s) {
        const char *host_id = host_of(s);
        const PlSubject *host = host_id ? pl_map_get(a->registry->subjects, host_id) : NULL;
        bool past = is_past_task(s);
        PlHealthdView view;

        if (past && !pl_healthd_get(a->patients, s->id, &view))
                return;

        if (!s->service && !is_half_done(a, s)) {
                /* not governed: neither probed nor reported */
                pl_healthd_remove(a->patients, s->id, false);
                return;
        }
        if (pl_healthd_update(a->patients, s->facts,
                              host && pl_subject_is_known(host) ? host->facts : NULL,
                              s->service) < 0)
                pl_subject_report(a->registry->reporter, s, LOG_WARNING, NULL, NULL, NULL,
                                  "its health is not watched: out of memory");
        if (past) /* how it ended is told */
                pl_healthd_remove(a->patients, s->id, false);
}

static void note_guest(PlHealthAct *a, PlSubject *s, bool guest) {
        bool is = pl_map_get(a->guests, s->id) != NULL;

        if (guest && !is)
                (void)pl_map_put(a->guests, s->id, s);
        else if (!guest && is)
                (void)pl_map_remove(a->guests, s->id);
}

void pl_health_act_update(PlHealthAct *a, PlSubject *s) {
        PlSubject *guest;

        /* a create event says nothing of phase and addresses yet */
        if (!pl_subject_is_known(s))
                return;
        note_guest(a, s, host_of(s));
        update(a, s);
        PL_MAP_FOREACH(guest, a->guests)
        if (pl_streq_null(host_of(guest), s->id))
                update(a, guest);
}

void pl_health_act_set_policy(PlHealthAct *a) {
        PlSubject *s;

        pl_healthd_set_policy(a->patients, a->registry->policy);
        PL_MAP_FOREACH(s, a->registry->subjects)
        if (pl_subject_is_known(s))
                update(a, s);
}

void pl_health_act_remove(PlHealthAct *a, PlSubject *s) {
        note_guest(a, s, false);
        pl_healthd_remove(a->patients, s->id, true);
        models_free(a, pl_map_get(a->models, s->id));
}

const PlModels *pl_health_act_models(const PlHealthAct *a, const PlSubject *s) {
        return pl_map_get(a->models, s->id);
}

PlHealthd *pl_health_act_patients(const PlHealthAct *a) {
        return a->patients;
}

int pl_health_act_new(PlRegistry *registry, PlSystemd *systemd,
                      const PlHealthActHandlers *act_handlers, void *userdata, PlHealthAct **ret) {
        PlHealthAct *a = calloc(1, sizeof(*a));
        int r = -ENOMEM;

        if (!a)
                return r;
        a->registry = registry;
        a->systemd = systemd;
        a->handlers = act_handlers;
        a->userdata = userdata;
        a->guests = pl_map_new();
        a->models = pl_map_new();
        a->asked = pl_map_new();
        if (a->guests && a->models && a->asked)
                r = pl_healthd_new(registry->event, &handlers, a, &a->patients);
        if (r < 0) {
                pl_log_error("Cannot watch the health of services: %s", strerror(-r));
                pl_health_act_free(a);
                return r;
        }
        pl_healthd_set_policy(a->patients, registry->policy);
        *ret = a;
        return 0;
}

PlHealthAct *pl_health_act_free(PlHealthAct *a) {
        PlModels *m;
        Asked *asked;

        if (!a)
                return NULL;
        sd_event_source_disable_unref(a->stop_timer);
        pl_healthd_free(a->patients);
        if (a->models)
                PL_MAP_FOREACH(m, a->models)
        models_free(a, m);
        if (a->asked)
                PL_MAP_FOREACH(asked, a->asked)
        asked_free(a, asked);
        pl_map_free(a->asked);
        pl_map_free(a->models);
        pl_map_free(a->guests);
        free(a);
        return NULL;
}
