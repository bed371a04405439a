/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Manager: making, policy, queues and ticks, reload, stop. See manager.h for what it is.
 */

#include "manager.h"

#include <errno.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "cg-apply.h"
#include "log.h"
#include "manager-internal.h"
#include "policy-load.h"

/* RestoreOnStop= has this long for the engine's answers; the kernel's values need none of it. */
#define STOP_GRACE_USEC (5 * PL_USEC_PER_SEC)

uint64_t pl_manager_clock(clockid_t clock) {
        struct timespec ts;

        (void)clock_gettime(clock, &ts);
        return (uint64_t)ts.tv_sec * PL_USEC_PER_SEC + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t pl_manager_now(const PlManager *m) {
        uint64_t now = 0;

        (void)sd_event_now(m->event, CLOCK_BOOTTIME, &now);
        return now;
}

/* Return: the messages, one a line, owned by the caller. Each is logged as well. */
static char *report_diags(const PlDiagList *diags) {
        char *text = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&text, &size);

        for (size_t i = 0; i < diags->n; i++) {
                _cleanup_free_ char *line = pl_diag_format(&diags->items[i]);

                if (!line)
                        continue;
                pl_log(diags->items[i].severity == PL_SEVERITY_ERROR ? LOG_ERR : LOG_WARNING, "%s",
                       line);
                if (f)
                        fprintf(f, "%s%s", i > 0 ? "\n" : "", line);
        }
        if (f && fclose(f) != 0) {
                free(text);
                return NULL;
        }
        return text;
}

static int load_policy(PlManager *m, PlPolicy **ret, char **ret_message) {
        PlDiagList diags = { 0 };
        int r = pl_policy_load(NULL, m->options.policy_file, &m->host, &diags, ret);

        *ret_message = report_diags(&diags);
        if (r >= 0)
                pl_log_full(LOG_INFO, PL_MESSAGE_POLICY_LOADED, NULL,
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

static int restart_engine(PlManager *m) {
        const char *url = m->options.engine_url ?: m->policy->daemon.engine;
        PlEngine *engine = NULL;
        int r;

        if (m->engine && pl_streq(pl_engine_url(m->engine), url))
                return 0;
        r = pl_engine_new(m->event, url, &pl_manager_engine_handlers, m, &engine);
        if (r < 0) {
                pl_log_error("Cannot use Engine=%s: %s", url, strerror(-r));
                return r;
        }
        if (m->engine) {
                pl_log_info("Leaving the engine at %s for %s", pl_engine_url(m->engine), url);
                m->stale = m->synced;
                m->engine_connected = false;
                pl_healthd_set_stale(m->health, true);
                if (m->logs)
                        pl_logs_set_engine(m->logs, NULL);
                pl_engine_hang_up(m->engine); /* nobody waits for its answers from now on */
                pl_engine_free(m->engine);
        }
        m->engine = engine;
        return 0;
}

/* Limits first: all that a new policy changes besides waits until the kernel has every value. */
static void swap_policy(PlManager *m, PlPolicy *policy) {
        PlSubject *s;

        pl_manager_settle_policy(m); /* of the reload before: others still borrow from it */
        PL_MAP_FOREACH(s, m->subjects)
        s->service = NULL; /* borrowed from the old one */
        pl_policy_unref(m->policy);
        m->policy = policy;
        m->policy_loaded_usec = pl_manager_clock(CLOCK_REALTIME);
        m->policy_unsettled = true;
        PL_MAP_FOREACH(s, m->subjects) {
                free(s->dry_run_said);
                s->dry_run_said = NULL;
                s->unsupported = 0;
                s->drift.pause_usec = 0;
                pl_manager_queue(m, s, PL_QUEUE_KERNEL);
        }
        m->defaults_due = true;
        pl_manager_arm_tick(m);
}

void pl_manager_settle_policy(PlManager *m) {
        PlSubject *s;

        if (!m->policy_unsettled)
                return;
        m->policy_unsettled = false;
        m->touched = true;
        if (m->logs)
                pl_logs_set_policy(m->logs, &m->policy->daemon, pl_manager_dry_run(m));
        pl_healthd_set_policy(m->health, m->policy);
        PL_MAP_FOREACH(s, m->subjects) {
                pl_manager_update_log(m, s);
                pl_manager_update_log_paths(m, s, true);
        }
        pl_manager_update_all_health(m);
}

int pl_manager_reload(PlManager *m, char **ret_message) {
        _cleanup_free_ char *message = NULL;
        PlPolicy *policy = NULL;
        int r;

        (void)sd_notifyf(false, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
                         pl_manager_clock(CLOCK_MONOTONIC));
        r = load_policy(m, &policy, &message);
        free(m->policy_error);
        m->policy_error = NULL;
        if (r < 0) {
                m->policy_error = message ? strdup(message) : strdup(strerror(-r));
                pl_log_full(LOG_ERR, PL_MESSAGE_POLICY_REJECTED, NULL,
                            "Policy rejected, the one loaded before stays in force: %s",
                            m->policy_error ?: "out of memory");
        } else {
                swap_policy(m, policy);
                if (restart_engine(m) >= 0 && !m->engine_connected && !m->stopping)
                        (void)pl_engine_start(m->engine);
        }
        (void)sd_notify(false, "READY=1");
        m->ready_sent = true;
        pl_manager_report(m);
        if (ret_message)
                *ret_message = TAKE_PTR(message);
        return r;
}

static int on_stop_timeout(sd_event_source *source, uint64_t usec, void *userdata) {
        PlManager *m = userdata;

        pl_log_warning("The engine has not answered %u update%s; it keeps showing plimsoll's "
                       "limits",
                       m->updates_in_flight, pl_plural(m->updates_in_flight));
        return sd_event_exit(m->event, 0);
}

void pl_manager_stop(PlManager *m) {
        PlSubject *s;

        (void)sd_notify(false, "STOPPING=1\nSTATUS=stopping");
        if (m->stopping || !m->policy->daemon.restore_on_stop || pl_manager_dry_run(m)) {
                pl_log_info("Stopping; containers go on, their limits stay as they are");
                (void)sd_event_exit(m->event, 0);
                return;
        }
        if (!m->engine_connected) {
                pl_log_warning("Stopping without the engine: limits are not given back; the next "
                               "start with RestoreOnStop=yes still knows what was there");
                (void)sd_event_exit(m->event, 0);
                return;
        }
        pl_log_info("Stopping; giving limits back (RestoreOnStop=yes)");
        m->stopping = true;
        PL_MAP_FOREACH(s, m->subjects) {
                s->fresh = false;
                s->held = 0; /* giving back is no drift */
                (void)pl_manager_desire(m, s);
                pl_manager_queue(m, s, PL_QUEUE_KERNEL);
        }
        (void)sd_event_add_time_relative(m->event, &m->stop_timer, CLOCK_BOOTTIME, STOP_GRACE_USEC,
                                         0, on_stop_timeout, m);
        (void)sd_event_source_set_enabled(m->tick, SD_EVENT_ONESHOT);
}

static int add_sources(PlManager *m) {
        int r;

        r = sd_event_add_defer(m->event, &m->tick, pl_manager_on_tick, m);
        if (r < 0)
                return r;
        (void)sd_event_source_set_enabled(m->tick, SD_EVENT_OFF);
        r = sd_event_add_time(m->event, &m->retry, CLOCK_BOOTTIME, 0, 0, pl_manager_on_retry, m);
        if (r < 0)
                return r;
        (void)sd_event_source_set_enabled(m->retry, SD_EVENT_OFF);
        r = sd_event_add_time_relative(m->event, &m->audit, CLOCK_BOOTTIME, PL_MANAGER_AUDIT_USEC,
                                       5 * PL_USEC_PER_SEC, pl_manager_on_audit, m);
        if (r < 0)
                return r;
        r = sd_event_add_time(m->event, &m->report, CLOCK_BOOTTIME, 0, PL_USEC_PER_MSEC,
                              pl_manager_on_report, m);
        if (r < 0)
                return r;
        (void)sd_event_source_set_enabled(m->report, SD_EVENT_OFF);
        if (sd_watchdog_enabled(false, &m->watchdog_usec) > 0)
                r = sd_event_add_time_relative(m->event, &m->watchdog, CLOCK_BOOTTIME, 0, 0,
                                               pl_manager_on_watchdog, m);
        return r;
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
        r = pl_ctl_server_new(m->event, fd, &pl_manager_ctl_handlers, m, &m->ctl);
        if (r < 0)
                (void)close(fd);
        return r;
}

static int open_kernel(PlManager *m) {
        int r = pl_cg_mounts_load("/proc", &m->mounts);

        if (r < 0) {
                pl_log_error("No cgroup controllers are mounted on this host: %s", strerror(-r));
                return r;
        }
        r = pl_cg_apply_init();
        if (r < 0) {
                pl_log_error("libcgroup does not start: %s", strerror(-r));
                return r;
        }
        r = pl_cg_watch_new(m->event, &m->mounts, &pl_manager_watch_handlers, m, &m->watch);
        if (r < 0) {
                pl_log_error("Cannot watch cgroups: %s", strerror(-r));
                return r;
        }
        r = pl_manager_open_oom(m);
        if (r < 0)
                return r;
        /* where Docker's two cgroup drivers put containers when nobody says otherwise, and wherever
         * else they may appear: an engine does not tell its own setting */
        pl_manager_learn_parent(m, "docker");
        pl_manager_learn_parent(m, "system.slice");
        r = pl_cg_watch_discover(m->watch);
        if (r < 0)
                pl_log_warning("Cannot look for the cgroups below which containers are made (%s): "
                               "the first one below each may get its limits late",
                               strerror(-r));
        return 0;
}

int pl_manager_new(sd_event *event, const PlManagerOptions *options, PlManager **ret) {
        _cleanup_(pl_manager_freep) PlManager *m = calloc(1, sizeof(*m));
        _cleanup_free_ char *message = NULL;
        int r;

        if (!m)
                return -ENOMEM;
        m->event = sd_event_ref(event);
        m->options = *options;
        m->subjects = pl_map_new();
        if (!m->subjects)
                return -ENOMEM;
        r = pl_host_read("/proc", &m->host);
        if (r < 0)
                return r;
        r = load_policy(m, &m->policy, &message);
        if (r < 0)
                return r;
        m->policy_loaded_usec = pl_manager_clock(CLOCK_REALTIME);
        r = pl_state_dir_open(options->state_dir, &m->state_dir);
        if (r < 0) {
                pl_log_error("Cannot use the state directory %s: %s", options->state_dir,
                             strerror(-r));
                return r;
        }
        r = add_sources(m);
        if (r >= 0)
                r = open_kernel(m);
        if (r >= 0)
                r = pl_manager_open_logs(m);
        if (r >= 0)
                r = pl_manager_open_health(m);
        if (r >= 0)
                r = open_control(m);
        if (r >= 0)
                r = restart_engine(m);
        if (r < 0)
                return r;
        r = pl_systemd_new(event, &pl_manager_systemd_handlers, m, &m->systemd);
        if (r < 0)
                return r;
        m->defaults_due = true;
        pl_manager_write_defaults(m);
        *ret = TAKE_PTR(m);
        return 0;
}

PlManager *pl_manager_free(PlManager *m) {
        PlSubject *s;

        if (!m)
                return NULL;
        /* while it still listens: nobody else can have bound the path meanwhile */
        if (m->control_bound)
                (void)unlink(m->options.control_path);
        m->logs = pl_logs_free(m->logs); /* its last jobs still speak */
        pl_manager_free_log_paths(m);
        m->health = pl_healthd_free(m->health);
        m->ctl = pl_ctl_server_free(m->ctl);
        m->engine = pl_engine_free(m->engine);
        m->systemd = pl_systemd_free(m->systemd);
        m->oom = pl_oom_watch_free(m->oom);
        if (m->subjects)
                PL_MAP_FOREACH(s, m->subjects)
        pl_subject_free(s);
        pl_map_free(m->subjects);
        pl_cg_watch_free(m->watch);
        pl_manager_free_parents(m);
        pl_cg_mounts_deinit(&m->mounts);
        pl_state_dir_free(m->state_dir);
        sd_event_source_disable_unref(m->tick);
        sd_event_source_disable_unref(m->retry);
        sd_event_source_disable_unref(m->audit);
        sd_event_source_disable_unref(m->report);
        sd_event_source_disable_unref(m->watchdog);
        sd_event_source_disable_unref(m->stop_timer);
        pl_policy_unref(m->policy);
        free(m->policy_error);
        free(m->engine_error);
        free(m->status_sent);
        sd_event_unref(m->event);
        free(m);
        return NULL;
}

int pl_manager_start(PlManager *m) {
        return pl_engine_start(m->engine);
}
