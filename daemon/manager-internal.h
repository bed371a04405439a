/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the manager's own sources share. Nobody else includes this.
 *
 *   manager.c         making, policy, start, reload, stop
 *   manager-queue.c   queues, ticks, retries, the audit
 *   manager-engine.c  what the engine says: events, lists, inspections
 *   manager-locate.c  which group and which values
 *   manager-tick.c    the kernel's values: read, plan, write, read back
 *   manager-owners.c  systemd and the engine, told after the kernel
 *   manager-oom.c     OOM kills and pressure: what daemon/oom-watch notices, in the journal
 *   manager-logs.c    their logs, handed to daemon/logs
 *   manager-health.c  states, restarts, units: what daemon/healthd says, in the journal
 *   manager-findings.c  what is wrong and stays so, for the control socket
 *   manager-logpath.c log files beside stdout, handed to daemon/log-path
 *   manager-report.c  STATUS=, watchdog, control socket, journal
 */

#include <time.h>

#include "cg-watch.h"
#include "ctl-server.h"
#include "engine.h"
#include "healthd.h"
#include "logs.h"
#include "manager.h"
#include "oom-watch.h"
#include "pl-health.h"
#include "pl-map.h"
#include "pl-message.h"
#include "subject.h"
#include "systemd-scope.h"

/* The safety net under all notifications. */
#define PL_MANAGER_AUDIT_USEC PL_USEC_PER_MIN

typedef struct PlLogPaths PlLogPaths;

/* Groups that appeared ahead of the event that tells whose they are. */
#define PL_MANAGER_UNBORN_MAX 8

typedef struct PlUnborn {
        char id[PL_ID_MAX];
        char *parent;
} PlUnborn;

struct PlManager {
        sd_event *event;
        PlManagerOptions options;

        PlHost host;
        PlPolicy *policy;
        uint64_t policy_loaded_usec; /* CLOCK_REALTIME */
        char *policy_error;          /* of the last reload; NULL: it was good */
        bool policy_unsettled;       /* logs and health go by the one before */
        bool defaults_due;           /* systemd's file of [Defaults] is not written yet */

        PlCgroupMounts mounts;
        PlCgWatch *watch;
        char **parents; /* cgroups below which containers live, NULL terminated, latest last */
        PlUnborn unborn[PL_MANAGER_UNBORN_MAX];
        size_t n_unborn;
        PlEngine *engine;
        PlSystemd *systemd;
        PlCtlServer *ctl;
        bool control_bound; /* the socket is ours to remove, not socket activation's */
        PlStateDir *state_dir;
        PlHealthd *health;
        PlLogs *logs;
        PlOomWatch *oom;
        PlLogPaths *log_paths; /* NULL until a section has LogPath= */

        PlMap *subjects;   /* id → PlSubject */
        unsigned n_guests; /* of them, in another one's network */
        PlSubject *head[_PL_QUEUE_N], *tail[_PL_QUEUE_N];
        size_t queue_length[_PL_QUEUE_N];

        sd_event_source *tick;  /* armed while a queue has entries */
        sd_event_source *retry; /* earliest retry of any subject */
        sd_event_source *audit; /* the safety net */
        sd_event_source *watchdog;
        sd_event_source *report; /* coalesces changes of the status line */
        sd_event_source *stop_timer;
        uint64_t watchdog_usec;   /* WATCHDOG_USEC; 0: none */
        uint64_t tick_armed_usec; /* CLOCK_BOOTTIME since when a tick is due; 0: none */

        bool engine_connected;
        bool engine_takes_nothing; /* Podman 4: it has no update, said once */
        bool stale;                /* what is observed was true when the engine was lost */
        char *engine_error;
        unsigned sync_pending; /* inspections that the first or a new list asked for */
        bool syncing, listed;  /* a list is under way; its answer has come */
        bool synced;           /* at least one full reconcile has happened */
        unsigned audits;
        bool touched; /* a tick has changed what the status line may count */

        bool ready_sent, stopping;
        unsigned updates_in_flight;
        unsigned churn;         /* answers of the engine since memory was last given back */
        uint64_t trimmed_usec;  /* that was then; 0: never yet */
        uint64_t reloaded_usec; /* systemd said Reloading: who takes a value away */
        char *status_sent;      /* last STATUS= */
};

static inline bool pl_manager_dry_run(const PlManager *m) {
        return m->options.dry_run || m->policy->daemon.dry_run;
}

uint64_t pl_manager_now(const PlManager *m); /* CLOCK_BOOTTIME of this loop iteration, usec */

uint64_t pl_manager_clock(clockid_t clock); /* this very moment, usec */

/* manager.c */
/** pl_manager_settle_policy() - logs and health go by the policy in force from now on. */
void pl_manager_settle_policy(PlManager *m);

/* manager-queue.c */
/** pl_manager_arm_tick() - have a tick, with or without anything queued. */
void pl_manager_arm_tick(PlManager *m);
void pl_manager_queue(PlManager *m, PlSubject *s, PlQueue q);
void pl_manager_unqueue(PlManager *m, PlSubject *s);
PlSubject *pl_manager_dequeue(PlManager *m, PlQueue q);
int pl_manager_on_tick(sd_event_source *source, void *userdata);
int pl_manager_on_retry(sd_event_source *source, uint64_t usec, void *userdata);
int pl_manager_on_audit(sd_event_source *source, uint64_t usec, void *userdata);
bool pl_manager_keep_state(void *userdata, const char *id);
void pl_manager_retry_at(PlManager *m, PlSubject *s, uint64_t usec);

/* manager-engine.c */
extern const PlEngineHandlers pl_manager_engine_handlers;
PlSubject *pl_manager_subject_ensure(PlManager *m, const char *id); /* NULL: out of memory */
void pl_manager_subject_remove(PlManager *m, PlSubject *s);
void pl_manager_inspect(PlManager *m, PlSubject *s);
/* What an inspection says of it is known from here on; takes c. */
void pl_manager_take_inspection(PlManager *m, PlSubject *s, PlContainer *c);
void pl_manager_resync(PlManager *m);

/* manager-locate.c */
extern const PlCgWatchHandlers pl_manager_watch_handlers;
/** pl_manager_drop_cgroup() - the group has gone, or is not this container's any more. */
void pl_manager_drop_cgroup(PlManager *m, PlSubject *s);
void pl_manager_adopt_cgroup(PlManager *m, PlSubject *s, PlCgroup *g, uint64_t started_usec);
/** pl_manager_watch_cgroup() - from now on, if that is due. Somebody may have written before. */
void pl_manager_watch_cgroup(PlManager *m, PlSubject *s);
bool pl_manager_locate_by_parent(PlManager *m, PlSubject *s);
void pl_manager_locate_by_pid(PlManager *m, PlSubject *s);
void pl_manager_learn_parent(PlManager *m, const char *parent);
/** pl_manager_await() - it has no group yet: look where the engine says that it will be. */
void pl_manager_await(PlManager *m, const PlSubject *s);
/** pl_manager_claim() - its group may have been there before its create event. */
void pl_manager_claim(PlManager *m, PlSubject *s);
void pl_manager_free_parents(PlManager *m);
int pl_manager_desire(PlManager *m, PlSubject *s); /* s->want from the policy in force */

/* manager-tick.c */
void pl_manager_reconcile(PlManager *m, PlSubject *s);
void pl_manager_settle_originals(PlManager *m, PlSubject *s);
/** Values that are written together with those of the mask, and so have originals to keep as well.
 */
uint32_t pl_manager_companions(const PlManager *m, uint32_t mask);
int pl_manager_capture(PlManager *m, PlSubject *s); /* originals of all wanted values, on disk */

/* manager-owners.c */
extern const PlSystemdHandlers pl_manager_systemd_handlers;
void pl_manager_tell_owners(PlManager *m, PlSubject *s);
/* Values that an update of ours, which is under way, makes runc write as they were at the start:
 * their difference is nobody's drift. */
uint32_t pl_manager_own_doing(const PlSubject *s);
/* Whose hand was it that changed a value? The engine announces its updates, systemd its reloads
 * and, on disk, properties that are set; others stay nameless. */
const char *pl_manager_blame(const PlManager *m, const PlSubject *s, uint64_t now);
/** pl_manager_write_defaults() - systemd's file of [Defaults], once it is due and harms nobody. */
void pl_manager_write_defaults(PlManager *m);

/* manager-logs.c */
int pl_manager_open_logs(PlManager *m);
void pl_manager_update_log(PlManager *m, PlSubject *s); /* after each inspect and reload */
int pl_manager_rotate(PlManager *m, PlSubject *s, char **ret_message);

/* manager-oom.c */
int pl_manager_open_oom(PlManager *m);
void pl_manager_watch_oom(PlManager *m, PlSubject *s); /* it has another group */
/** pl_manager_oom_reports() - adds "oom_reports": […], where there are any. */
void pl_manager_oom_reports(const PlSubject *s, json_t *o);

/* manager-logpath.c */
void pl_manager_update_log_paths(PlManager *m, PlSubject *s, bool reloaded);
void pl_manager_free_log_paths(PlManager *m);

/* manager-findings.c */
unsigned pl_manager_count_findings(const PlManager *m, const PlSubject *s);
unsigned pl_manager_count_host_findings(const PlManager *m); /* of no container */
/** pl_manager_findings_of() - of one container, as a new array; NULL: out of memory. */
json_t *pl_manager_findings_of(const PlManager *m, const PlSubject *s);
json_t *pl_manager_findings(void *userdata); /* of all; a PlManager's */

/* manager-report.c */
void pl_manager_publish(PlManager *m, const PlSubject *s, int priority, const char *message_id,
                        const char *reason, const char *text);
extern const PlCtlHandlers pl_manager_ctl_handlers;
void pl_manager_say(PlManager *m, const PlSubject *s, int priority, const char *message_id,
                    const char *reason, const char *format, ...) PL_PRINTF(6, 7);
void pl_manager_report(PlManager *m); /* STATUS= and READY=1 soon, once for many changes */
int pl_manager_on_report(sd_event_source *source, uint64_t usec, void *userdata);
int pl_manager_on_watchdog(sd_event_source *source, uint64_t usec, void *userdata);

/* manager-health.c */
int pl_manager_open_health(PlManager *m);
void pl_manager_update_health(PlManager *m, PlSubject *s); /* facts are new */
void pl_manager_update_all_health(PlManager *m);           /* the policy is new */
void pl_manager_remove_health(PlManager *m, PlSubject *s);
/** pl_manager_health() - @ret_reason: borrowed, NULL: nothing to say. */
PlHealthState pl_manager_health(const PlManager *m, const PlSubject *s, const char **ret_reason);
/** pl_manager_absent_to_json() - rows for required services without a container. */
void pl_manager_absent_to_json(PlManager *m, json_t *containers);
