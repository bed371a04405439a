/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Manager: makes the parts, passes on to them what the registry announces, in the order that
 * matters, and loads the policy. It decides nothing.
 */

#include "manager.h"

#include <errno.h>
#include <systemd/sd-daemon.h>

#include "base/clock.h"
#include "base/lock.h"
#include "enforce/enforcer.h"
#include "enforce/queue.h"
#include "health/act.h"
#include "lib/base/message.h"
#include "lib/base/unit.h"
#include "lib/policy/dump.h"
#include "logs/live.h"
#include "logs/paths.h"
#include "memory/keeper.h"
#include "notify/outbox.h"
#include "oom/explain.h"
#include "policy-load.h"
#include "report/gather.h"
#include "status/endpoints.h"
#include "status/line.h"
#include "status/listeners.h"

typedef enum Lock {
        LOCK_STATE,
        LOCK_ARCHIVE,
        LOCK_ENGINE, /* by its identity, so whatever the directories are */
        _LOCK_N,
} Lock;

struct PlManager {
        sd_event *event;
        PlManagerOptions options;
        PlReporter reporter;
        PlGather *gather;
        PlCgroupMounts mounts;

        PlRegistry *registry;
        PlEnforcer *enforcer;
        PlKeeper *keeper;
        PlOutbox *outbox;
        PlOomExplainer *oom;
        PlHealthAct *health;
        PlLogs *logs;
        PlLogPaths *log_paths;

        PlPolicyState policy;
        bool unsettled; /* logs and health still use the old policy */
        PlSources sources;
        PlStatusLine *line;
        PlAsks *asks;
        PlEndpoints endpoints;
        PlCtlServer *ctl;
        PlListeners *listeners;
        int locks[_LOCK_N];                         /* what is ours alone; -EBADF: not held */
        char locked_engine[PL_ENGINE_IDENTITY_MAX]; /* that the lock is of */
        bool control_bound; /* we made the socket, so we remove it; not with socket activation */
        bool stopping;
};

/* --- what the registry announces --- */

static int on_added(void *userdata, PlSubject *s) {
        PlManager *m = userdata;

        return pl_enforcer_add(m->enforcer, s);
}

static void on_removed(void *userdata, PlSubject *s, PlRemoval why) {
        PlManager *m = userdata;

        if (why != PL_REMOVAL_END) {
                pl_oom_explainer_remove(m->oom, s);
                pl_enforcer_remove(m->enforcer, s);
                pl_health_act_remove(m->health, s);
                pl_logs_remove(m->logs, s->id, why == PL_REMOVAL_GONE);
                pl_log_paths_remove(m->log_paths, s->id);
                pl_keeper_removed(m->keeper, s);
        } else {
                pl_enforcer_remove(m->enforcer, s);
        }
}

static void on_event(void *userdata, PlSubject *s, const PlEvent *e) {
        PlManager *m = userdata;

        /* the kernel's account of a death first, then the engine's */
        if (e->action == PL_EVENT_DIE && e->exit_code != 0)
                pl_oom_explainer_died(m->oom, s);
        if (e->action == PL_EVENT_START)
                pl_logs_started(m->logs, s->id);
        pl_healthd_event(pl_health_act_patients(m->health), e);
        pl_enforcer_event(m->enforcer, s, e);
}

static void update_log(PlManager *m, PlSubject *s) {
        const PlService *service = s->service;

        /* a create event says nothing of the log yet */
        if (!pl_subject_is_known(s))
                return;
        if (pl_logs_update(m->logs, s->facts, service ? service->name : NULL,
                           service ? &service->log : NULL) < 0)
                pl_subject_report(&m->reporter, s, LOG_ERR, PL_MESSAGE_LOG_FAILED, "out of memory",
                                  NULL, "its log is not watched: out of memory");
}

static void on_inspected(void *userdata, PlSubject *s, bool current) {
        PlManager *m = userdata;

        pl_keeper_seen(m->keeper, s);
        update_log(m, s);
        if (!current) /* it may have been started since */
                pl_logs_started(m->logs, s->id);
        pl_log_paths_update(m->log_paths, s, false);
        if (current)
                pl_health_act_update(m->health, s);
        pl_enforcer_inspected(m->enforcer, s);
}

static void on_engine(void *userdata, const PlEngineInfo *info) {
        PlManager *m = userdata;

        pl_logs_set_engine(m->logs, info);
        if (info) {
                pl_healthd_engine(pl_health_act_patients(m->health), info->pid);
                pl_enforcer_connected(m->enforcer);
        } else {
                pl_enforcer_rest(m->enforcer);
                pl_healthd_set_synced(pl_health_act_patients(m->health), false);
                pl_keeper_engine_lost(m->keeper);
        }
}

static void on_listed(void *userdata) {
        PlManager *m = userdata;

        pl_queue_arm(m->enforcer);
}

static bool is_known(void *userdata, const char *id) {
        PlManager *m = userdata;

        return pl_map_get(m->registry->subjects, id) != NULL;
}

static void on_synced(void *userdata, bool first) {
        PlManager *m = userdata;

        pl_healthd_set_synced(pl_health_act_patients(m->health), true);
        if (first)
                pl_logs_prune(m->logs, is_known, m);
}

static void on_quiet(void *userdata) {
        PlManager *m = userdata;

        pl_enforcer_quiet(m->enforcer);
}

static int on_claim(void *userdata, const PlEngineInfo *info);

static const PlRegistryHandlers registry_handlers = {
        .claim = on_claim,
        .added = on_added,
        .removed = on_removed,
        .event = on_event,
        .inspected = on_inspected,
        .engine = on_engine,
        .listed = on_listed,
        .synced = on_synced,
        .quiet = on_quiet,
};

/* --- what the parts want of each other --- */

static void on_group(void *userdata, PlSubject *s, const PlCgroup *g) {
        PlManager *m = userdata;

        pl_oom_explainer_set_group(m->oom, s, g);
}

/* Limits first: whatever else a new policy changes waits until the kernel has every value. */
static void settle(PlManager *m) {
        PlSubject *s;

        if (!m->unsettled)
                return;
        m->unsettled = false;
        pl_logs_set_policy(m->logs, m->registry->policy, pl_registry_is_dry_run(m->registry));
        PL_MAP_FOREACH(s, m->registry->subjects) {
                pl_keeper_seen(m->keeper, s);
                update_log(m, s);
                pl_log_paths_update(m->log_paths, s, true);
        }
        pl_health_act_set_policy(m->health);
        pl_outbox_set_policy(m->outbox);
        pl_listeners_look(m->listeners);
        pl_reporter_changed(&m->reporter);
}

static void on_idle(void *userdata) {
        settle(userdata);
}

static void on_stopping(void *userdata, unsigned updates_in_flight, uint64_t usec) {
        /* twice: it is repeated before it is over */
        (void)sd_notifyf(false,
                         "EXTEND_TIMEOUT_USEC=%" PRIu64 "\n"
                         "STATUS=stopping: giving back what containers had, %u update%s of the "
                         "engine under way",
                         2 * usec, updates_in_flight, pl_plural(updates_in_flight));
}

static void on_stopped(void *userdata) {
        PlManager *m = userdata;

        (void)sd_event_exit(m->event, 0);
}

static void on_swept(void *userdata) {
        PlManager *m = userdata;

        pl_keeper_sweep(m->keeper, m->registry->policy->daemon.service_max_age_usec);
        pl_listeners_look(m->listeners);
}

static const PlEnforceHandlers enforce_handlers = {
        .swept = on_swept,
        .group = on_group,
        .idle = on_idle,
        .stopping = on_stopping,
        .stopped = on_stopped,
};

static uint64_t on_limit(void *userdata, const PlSubject *s, PlResource which,
                         uint64_t *ret_policy) {
        return pl_enforcer_limit(s, which, ret_policy);
}

static void on_killed(void *userdata, const PlSubject *s, pid_t victim, bool host) {
        PlManager *m = userdata;

        pl_healthd_oom(pl_health_act_patients(m->health), s->id, victim, host);
}

static void on_frozen(void *userdata, const PlSubject *s, bool frozen) {
        PlManager *m = userdata;

        pl_healthd_frozen(pl_health_act_patients(m->health), s->id, frozen);
}

static bool on_recall_kills(void *userdata, const PlSubject *s, PlOomHistory *ret) {
        PlManager *m = userdata;

        return pl_keeper_recall_kills(m->keeper, s, ret);
}

static void on_remember_kills(void *userdata, const PlSubject *s, const PlOomHistory *h) {
        PlManager *m = userdata;

        pl_keeper_remember_kills(m->keeper, s, h);
}

static const PlOomHandlers oom_handlers = {
        .recall = on_recall_kills,
        .remember = on_remember_kills,
        .limit = on_limit,
        .killed = on_killed,
        .frozen = on_frozen,
};

static uint64_t on_memory(void *userdata, const PlSubject *s, PlUsage *ret_usage) {
        PlManager *m = userdata;
        uint64_t policy;

        pl_enforcer_usage(m->enforcer, s, ret_usage);
        return pl_enforcer_limit(s, PL_RESOURCE_MEMORY_MAX, &policy);
}

static void on_slow(void *userdata, const PlSubject *s, PlSlowReading *ret) {
        const PlManager *m = userdata;

        pl_enforcer_slow(m->enforcer, s, ret);
}

static void on_usage(void *userdata, const PlSubject *s, PlUsage *ret) {
        const PlManager *m = userdata;

        pl_enforcer_usage(m->enforcer, s, ret);
}

static void on_limits(void *userdata, const PlSubject *s, PlMemoryLimits *ret) {
        bool ours;
        _cleanup_free_ char *text = pl_enforcer_describe(s, &ours);

        (void)snprintf(ret->text, sizeof(ret->text), "%s", text ?: "");
        if (ours && s->service && pl_service_has_label(s->service, "MemoryMax"))
                (void)snprintf(ret->by, sizeof(ret->by), "label plimsoll.MemoryMax");
        else if (ours && s->service)
                (void)snprintf(ret->by, sizeof(ret->by), "%s%s", s->service->name ? "Service " : "",
                               s->service->name ?: "Defaults");
        else
                (void)snprintf(ret->by, sizeof(ret->by), "engine");
}

static void on_bounds(void *userdata, const PlSubject *s, PlPinchReading *ret) {
        pl_enforcer_bounds(s, ret);
}

static const PlKeeperHandlers keeper_handlers = {
        .bounds = on_bounds,
        .usage = on_usage,
        .limits = on_limits,
};

static void on_ended(void *userdata, const PlSubject *s, const PlEnding *ending, const char *words,
                     const char *reason) {
        PlManager *m = userdata;
        PlOomTraces traces;

        pl_oom_explainer_traces(m->oom, s, ending, &traces);
        pl_keeper_ended(m->keeper, s, ending, words, reason, &traces);
}

static void on_entry(void *userdata, const PlEntry *entry, const char *text) {
        PlManager *m = userdata;

        if (m->keeper)
                pl_keeper_entry(m->keeper, entry);
        if (m->outbox)
                pl_outbox_entry(m->outbox, entry, text);
}

static void finish_stop(PlManager *m) {
        pl_enforcer_rest(m->enforcer);
        if (!m->registry->policy->daemon.restore_on_stop || pl_registry_is_dry_run(m->registry)) {
                pl_log_info("Stopping; containers go on, their limits stay as they are");
                (void)sd_event_exit(m->event, 0);
                return;
        }
        if (!m->registry->connected) {
                pl_log_warning("Stopping without the engine: limits are not given back; the next "
                               "start with RestoreOnStop=yes still knows what was there");
                (void)sd_event_exit(m->event, 0);
                return;
        }
        pl_log_info("Stopping; giving limits back (RestoreOnStop=yes)");
        pl_enforcer_stop(m->enforcer);
}

static void on_health_stopped(void *userdata) {
        finish_stop(userdata);
}

static size_t on_restarts(void *userdata, const PlSubject *s, uint64_t *ret, size_t max) {
        PlManager *m = userdata;

        return pl_keeper_restarts(m->keeper, s, ret, max);
}

static const PlHealthActHandlers health_handlers = {
        .memory = on_memory,
        .slow = on_slow,
        .ended = on_ended,
        .restarts = on_restarts,
        .stopped = on_health_stopped,
};

static void on_changed(void *userdata) {
        PlManager *m = userdata;

        pl_status_line_refresh(m->line);
}

/* --- policy --- */

/* Return: the messages, one a line, errors first, owned by the caller. Each is logged as well. */
static char *report_diags(const PlDiagList *diags) {
        static const struct {
                PlSeverity severity;
                int priority;
        } order[] = { { PL_SEVERITY_ERROR, LOG_ERR }, { PL_SEVERITY_WARNING, LOG_WARNING } };
        char *text = NULL;
        size_t size = 0, n = 0;
        FILE *f = open_memstream(&text, &size);

        for (size_t k = 0; k < 2 * diags->n; k++) {
                const PlDiag *d = &diags->items[k % diags->n];
                _cleanup_free_ char *line = NULL;

                if (d->severity != order[k / diags->n].severity)
                        continue;
                line = pl_diag_format(d);
                if (!line)
                        continue;
                pl_log(order[k / diags->n].priority, "%s", line);
                if (f)
                        fprintf(f, "%s%s", n++ > 0 ? "\n" : "", line);
        }
        if (f && fclose(f) != 0) {
                free(text);
                return NULL;
        }
        return text;
}

static int load_policy(PlManager *m, const PlHost *host, PlPolicy **ret, char **ret_message) {
        PlDiagList diags = { 0 };
        int r = pl_policy_load(NULL, m->options.policy_file, host, &diags, ret);

        *ret_message = report_diags(&diags);
        if (r >= 0)
                pl_report(&m->reporter,
                          &(PlEntry){ .priority = LOG_INFO,
                                      .message_id = PL_MESSAGE_POLICY_LOADED },
                          "Policy %s: %zu service%s%s%s, %zu warning%s", m->options.policy_file,
                          (*ret)->n_services, pl_plural((*ret)->n_services),
                          (*ret)->defaults ? " and defaults" : "",
                          (*ret)->daemon.dry_run || m->options.dry_run
                                          ? " (dry run: nothing will be changed)"
                                          : "",
                          diags.n - diags.n_errors, pl_plural(diags.n - diags.n_errors));
        pl_diag_list_deinit(&diags);
        return r;
}

/* Two of us would undo each other's limits, and cut each other's logs. Who changes nothing takes no
 * lock, and disturbs nobody. Return: 0; -EBUSY, -errno with the message, owned by the caller. */
static int lock_directory(PlManager *m, Lock which, const char *path, char **ret_message) {
        pid_t pid = 0;
        int r, n = 0;

        if (m->locks[which] >= 0)
                return 0;
        r = pl_lock_directory(path, &m->locks[which], &pid);
        if (r == -EBUSY)
                n = asprintf(ret_message,
                             "Another plimsolld (pid %d) uses %s: stop it, or give this one "
                             "directories of its own (--state, --archive)",
                             pid, path);
        else if (r < 0)
                n = asprintf(ret_message, "Cannot lock %s: %s", path, strerror(-r));
        if (n < 0)
                *ret_message = NULL;
        return r;
}

/* The lock is on the directory that was there before. */
static void on_archive_renewed(void *userdata) {
        _cleanup_free_ char *message = NULL;
        PlManager *m = userdata;
        int old = m->locks[LOCK_ARCHIVE], r;

        if (old < 0)
                return;
        m->locks[LOCK_ARCHIVE] = -EBADF;
        r = lock_directory(m, LOCK_ARCHIVE, m->options.archive_dir, &message);
        (void)close(old);
        if (r >= 0)
                return;
        pl_log_error("%s", message ?: strerror(-r));
        (void)sd_event_exit(m->event, r);
}

/* Likewise. The lock of an engine that was left goes once the new one is held. */
static int lock_engine(PlManager *m, const char *identity, char **ret_message) {
        char who[PL_LOCK_WHO_MAX] = "";
        pid_t pid = 0;
        int fd = -EBADF, r, n = 0;

        if (m->locks[LOCK_ENGINE] >= 0 && pl_streq(m->locked_engine, identity))
                return 0;
        r = pl_lock_name(m->options.runtime_dir, identity, m->options.control_path, &fd, &pid, who);
        if (r == -EBUSY)
                n = asprintf(ret_message,
                             "Another plimsolld (pid %d, control socket %s) looks after the engine "
                             "at %s already: stop it, or give this one another engine (--engine)",
                             pid, *who ? who : "unknown", pl_engine_url(m->registry->engine));
        else if (r < 0)
                n = asprintf(ret_message, "Cannot lock the engine in %s: %s",
                             m->options.runtime_dir, strerror(-r));
        if (n < 0)
                *ret_message = NULL;
        if (r < 0)
                return r;
        if (m->locks[LOCK_ENGINE] >= 0)
                (void)close(m->locks[LOCK_ENGINE]);
        m->locks[LOCK_ENGINE] = fd;
        (void)snprintf(m->locked_engine, sizeof(m->locked_engine), "%s", identity);
        return 0;
}

/* A dry run changes nothing, not even what is left of an older version. */
static void begin(PlManager *m) {
        if (!pl_registry_is_dry_run(m->registry))
                pl_enforcer_begin(m->enforcer);
}

static int take_locks(PlManager *m, char **ret_message) {
        int r = lock_directory(m, LOCK_STATE, m->options.state_dir, ret_message);

        if (r >= 0)
                r = lock_directory(m, LOCK_ARCHIVE, m->options.archive_dir, ret_message);
        if (r >= 0 && m->registry->connected)
                r = lock_engine(m, m->registry->identity, ret_message);
        return r;
}

/* Before anything is done to it. */
static int on_claim(void *userdata, const PlEngineInfo *info) {
        _cleanup_free_ char *message = NULL;
        PlManager *m = userdata;
        int r;

        if (pl_registry_is_dry_run(m->registry))
                return 0;
        r = lock_engine(m, info->identity, &message);
        if (r < 0) {
                pl_log_error("%s", message ?: strerror(-r));
                (void)sd_event_exit(m->event, r);
        }
        return r;
}

/* A plimsoll of version 0.1 kept its records elsewhere. It may be running still. Return: as
 * take_locks(). */
static int import_state(PlManager *m, char **ret_message) {
        const char *from = m->options.older_state_dir;
        _cleanup_close_ int lock = -EBADF;
        pid_t pid = 0;
        int r = from ? pl_lock_directory(from, &lock, &pid) : -ENOENT;

        if (r == -ENOENT)
                return 0;
        if (r == -EBUSY) {
                if (asprintf(ret_message,
                             "Another plimsolld (pid %d) uses %s, where there are records to "
                             "import: stop it",
                             pid, from) < 0)
                        *ret_message = NULL;
                return r;
        }
        if (r >= 0)
                r = pl_state_dir_import(m->registry->state_dir);
        if (r > 0)
                pl_log_info("Moved %d file%s about containers from %s to %s", r,
                            pl_plural((size_t)r), from, m->options.state_dir);
        if (r < 0)
                pl_log_warning("Cannot move what is known of containers from %s to %s (%s): it is "
                               "read there, and a reboot would lose it; the next start tries again",
                               from, m->options.state_dir, strerror(-r));
        return 0;
}

/* Limits that nobody wrote into a section are no surprise: they are named, once. */
static void tell_inherited(PlManager *m) {
        PlDiagList diags = { 0 };

        if (pl_policy_inherits_newly(m->options.state_dir)) {
                pl_policy_tell_inherited(m->registry->policy, &diags);
                free(report_diags(&diags));
        }
        (void)pl_policy_inherits_noted(m->options.state_dir); /* else it is told once more */
        pl_diag_list_deinit(&diags);
}

static void swap_policy(PlManager *m, PlPolicy *policy) {
        PlPolicy *old;

        settle(m); /* of the last reload */
        old = pl_registry_set_policy(m->registry, policy);
        m->policy.loaded_usec = pl_clock_usec(CLOCK_REALTIME);
        m->unsettled = true;
        pl_enforcer_set_policy(m->enforcer);
        pl_policy_unref(old);
}

int pl_manager_reload(PlManager *m, char **ret_message) {
        _cleanup_free_ char *message = NULL;
        PlPolicy *policy = NULL;
        int r;

        (void)sd_notifyf(false, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
                         pl_clock_usec(CLOCK_MONOTONIC));
        r = load_policy(m, &m->registry->options.host, &policy, &message);
        if (r >= 0 && !policy->daemon.dry_run && !m->options.dry_run) {
                _cleanup_free_ char *refusal = NULL;

                r = take_locks(m, &refusal);
                if (r >= 0)
                        r = import_state(m, &refusal);
                if (r < 0) {
                        policy = pl_policy_unref(policy);
                        free(message);
                        message = TAKE_PTR(refusal);
                }
        }
        free(m->policy.error);
        m->policy.error = NULL;
        if (r < 0) {
                /* all of them are in the journal, and in the answer to whoever asked for it */
                m->policy.error = message ? strndup(message, strcspn(message, "\n"))
                                          : strdup(strerror(-r));
                pl_report(&m->reporter,
                          &(PlEntry){ .priority = LOG_ERR,
                                      .message_id = PL_MESSAGE_POLICY_REJECTED },
                          "Policy rejected, the one loaded before stays in force: %s",
                          m->policy.error ?: "out of memory");
        } else {
                swap_policy(m, policy);
                begin(m);
                if (pl_registry_use_engine(m->registry) >= 0 && !m->registry->connected &&
                    !m->stopping)
                        (void)pl_engine_start(m->registry->engine);
        }
        (void)sd_notify(false, "READY=1");
        pl_reporter_changed(&m->reporter);
        if (ret_message)
                *ret_message = TAKE_PTR(message);
        return r;
}

static int on_reload(void *userdata, char **ret_message) {
        return pl_manager_reload(userdata, ret_message);
}

/* --- life --- */

void pl_manager_stop(PlManager *m) {
        size_t n;

        (void)sd_notify(false, "STOPPING=1\nSTATUS=stopping");
        pl_status_line_stop(m->line);
        if (m->stopping) {
                pl_log_info("Stopping at once, being told again");
                (void)sd_event_exit(m->event, 0);
                return;
        }
        m->stopping = true;
        n = pl_health_act_stop(m->health);
        if (n == 0)
                finish_stop(m);
        else
                pl_log_info("Stopping; finishing %zu restart%s first", n, pl_plural(n));
}

static int open_control(PlManager *m) {
        int fd, r;

        /* by socket activation, or at the path */
        if (sd_listen_fds(false) >= 1 &&
            sd_is_socket_unix(SD_LISTEN_FDS_START, SOCK_STREAM, 1, NULL, 0) > 0) {
                fd = SD_LISTEN_FDS_START;
        } else {
                fd = pl_ctl_server_listen(m->options.control_path);
                if (fd < 0) {
                        pl_log_error("Cannot listen on %s: %s%s", m->options.control_path,
                                     strerror(-fd),
                                     fd == -EADDRINUSE ? "; another plimsolld is running there"
                                                       : "");
                        return fd;
                }
                m->control_bound = true;
        }
        r = pl_ctl_server_new(m->event, fd, pl_endpoints, &m->endpoints, &m->ctl);
        if (r < 0)
                (void)close(fd);
        m->reporter.stream = m->ctl;
        return r;
}

static int open_registry(PlManager *m) {
        PlRegistryOptions options = {
                .engine_url = m->options.engine_url,
                .state_dir = m->options.state_dir,
                .older_state_dir = m->options.older_state_dir,
                .dry_run = m->options.dry_run,
        };
        _cleanup_free_ char *message = NULL;
        PlPolicy *policy = NULL;
        int r;

        r = pl_host_read("/proc", &options.host);
        if (r >= 0)
                r = load_policy(m, &options.host, &policy, &message);
        if (r < 0)
                return r;
        m->policy.loaded_usec = pl_clock_usec(CLOCK_REALTIME);
        r = pl_registry_new(m->event, &m->reporter, &options, &registry_handlers, m, &m->registry);
        if (r < 0)
                pl_policy_unref(policy);
        else
                (void)pl_registry_set_policy(m->registry, policy);
        return r;
}

static int open_kernel(PlManager *m) {
        int r = pl_cg_mounts_load("/proc", &m->mounts);

        if (r < 0) {
                pl_log_error("No cgroup controllers are mounted on this host: %s", strerror(-r));
                return r;
        }
        r = pl_enforcer_new(m->registry, &m->mounts, m->options.no_early_write, &enforce_handlers,
                            m, &m->enforcer);
        if (r >= 0)
                r = pl_oom_explainer_new(m->registry, &m->mounts, &oom_handlers, m, &m->oom);
        return r;
}

static int open_logs(PlManager *m) {
        int r = pl_logs_new(m->event, m->options.archive_dir, &m->reporter, on_archive_renewed, m,
                            &m->logs);

        if (r < 0) {
                pl_log_error("Cannot use the archive directory %s: %s", m->options.archive_dir,
                             strerror(-r));
                return r;
        }
        pl_logs_set_policy(m->logs, m->registry->policy, pl_registry_is_dry_run(m->registry));
        return pl_log_paths_new(m->registry, pl_logs_time(m->logs), &m->log_paths);
}

static int open_outbox(PlManager *m) {
        const PlOutboxOptions options = { .state_dir = m->options.state_dir,
                                          .unit_state_dir = m->options.notify_state_dir };
        int r = pl_outbox_new(m->registry, &options, &m->outbox);

        if (r < 0) {
                pl_log_error("Cannot serve [Notify] sections: %s", strerror(-r));
                return r;
        }
        pl_outbox_set_policy(m->outbox);
        return 0;
}

static int open_status(PlManager *m) {
        m->sources = (PlSources){
                .registry = m->registry,
                .enforcer = m->enforcer,
                .keeper = m->keeper,
                .outbox = m->outbox,
                .health = m->health,
                .logs = m->logs,
                .log_paths = m->log_paths,
                .policy = &m->policy,
                .archive_dir = m->options.archive_dir,
                .proc = "/proc",
        };
        m->asks = pl_asks_new(&m->sources);
        if (!m->asks)
                return -ENOMEM;
        m->endpoints = (PlEndpoints){
                .from = &m->sources,
                .asks = m->asks,
                .logs = m->logs,
                .reload = on_reload,
                .userdata = m,
        };
        return pl_status_line_new(m->event, &m->sources, &m->line);
}

int pl_manager_new(sd_event *event, const PlManagerOptions *options, PlManager **ret) {
        _cleanup_(pl_manager_freep) PlManager *m = calloc(1, sizeof(*m));
        _cleanup_free_ char *message = NULL;
        int r;

        if (!m)
                return -ENOMEM;
        for (Lock i = 0; i < _LOCK_N; i++)
                m->locks[i] = -EBADF;
        m->event = sd_event_ref(event);
        m->options = *options;
        m->policy.file = options->policy_file;
        m->reporter = (PlReporter){ .changed = on_changed, .listen = on_entry, .userdata = m };
        r = pl_gather_new(m->event, &m->reporter, &m->gather);
        if (r >= 0)
                r = open_registry(m);
        if (r >= 0)
                r = open_kernel(m);
        if (r >= 0)
                r = pl_keeper_new(m->registry, m->options.state_dir, &keeper_handlers, m,
                                  &m->keeper);
        if (r >= 0)
                r = open_logs(m);
        if (r >= 0 && !pl_registry_is_dry_run(m->registry)) {
                r = take_locks(m, &message);
                if (r >= 0)
                        r = import_state(m, &message);
                if (r < 0)
                        pl_log_error("%s", message ?: strerror(-r));
                else
                        tell_inherited(m);
        }
        if (r >= 0)
                r = open_outbox(m);
        if (r >= 0)
                r = pl_health_act_new(m->registry, m->enforcer->systemd, &health_handlers, m,
                                      &m->health);
        if (r >= 0)
                r = open_status(m);
        if (r >= 0)
                r = open_control(m);
        if (r >= 0)
                r = pl_listeners_new(m->event, &m->endpoints, &m->listeners);
        if (r >= 0)
                r = pl_registry_use_engine(m->registry);
        if (r < 0)
                return r;
        begin(m);
        r = pl_engine_start(m->registry->engine);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}

PlManager *pl_manager_free(PlManager *m) {
        if (!m)
                return NULL;
        /* while it still listens, so that the path cannot be somebody else's already */
        if (m->control_bound)
                (void)unlink(m->options.control_path);
        m->line = pl_status_line_free(m->line);
        m->log_paths = pl_log_paths_free(m->log_paths);
        m->logs = pl_logs_free(m->logs); /* its last jobs still report */
        m->health = pl_health_act_free(m->health);
        m->gather = pl_gather_free(m->gather);
        m->outbox = pl_outbox_free(m->outbox); /* writes what the others have told it */
        m->reporter.stream = NULL;
        m->ctl = pl_ctl_server_free(m->ctl);
        m->listeners = pl_listeners_free(m->listeners);
        m->oom = pl_oom_explainer_free(m->oom);
        m->keeper = pl_keeper_free(m->keeper);       /* writes what the others have told it */
        m->registry = pl_registry_free(m->registry); /* its containers' values go with it */
        m->asks = pl_asks_free(m->asks);
        m->enforcer = pl_enforcer_free(m->enforcer);
        pl_cg_mounts_deinit(&m->mounts);
        for (Lock i = 0; i < _LOCK_N; i++)
                if (m->locks[i] >= 0)
                        (void)close(m->locks[i]);
        free(m->policy.error);
        sd_event_unref(m->event);
        free(m);
        return NULL;
}
