/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Wire: the JSON of the control socket (plimsollctl(1), "JSON"), a contract with scripts.
 *
 * The daemon fills the structs below with borrowed pointers; this file alone decides how they look
 * on the wire. Sizes are bytes; null means unlimited or unknown, as the manual page says per key.
 */

#include <jansson.h>

#include "lib/docker/container.h"
#include "lib/health/history.h"
#include "lib/health/machine.h"
#include "lib/limits/resource.h"

typedef struct PlWireHealth {
        PlHealthState state;
        const char *reason;  /* why not healthy, or NULL */
        uint64_t since_usec; /* CLOCK_REALTIME; 0: not known */
} PlWireHealth;

/* Everything is borrowed for the call. */
typedef struct PlContainerStatus {
        const char *id, *name, *service, *image, *phase; /* service NULL: no section matches */
        PlWireHealth health;
        const PlLimits *wanted, *in_force;
        uint32_t holds; /* mask of 1 << PlResource: read back as wanted, where its processes are */
        const char *const (
                        *owner_errors)[3]; /* per resource: kernel, systemd, engine; NULL: none */
        uint64_t memory_bytes, memory_peak_bytes, cpu_usec, pids; /* PL_UNLIMITED: unknown */
        uint64_t working_set_bytes; /* memory without page cache that can be dropped; likewise */
        struct {
                const char *path, *method; /* NULL: unknown */
                const char *why;           /* why by this method; NULL: nothing to say */
                uint64_t size_bytes, held_bytes, archived_bytes;
        } log;
        uint64_t restarts, oom_kills, drift_repairs;
        bool paused_repairs; /* a stand-off with another manager */
        json_t *extra;       /* members to add ("oom_reports", …); borrowed, may be NULL */
} PlContainerStatus;

/** pl_wire_history() - "verdicts", the newest first. Return: new reference, NULL: out of memory. */
json_t *pl_wire_history(const PlHistory *h);

/* What is done about its health. */
typedef struct PlRecovery {
        PlOnUnhealthy action;
        uint64_t by_plimsolld, by_engine, by_others; /* restarts */
        PlBudget budget;                             /* n 0: none */
        unsigned budget_used;
        uint64_t gave_up_usec;       /* CLOCK_REALTIME; 0: it has not */
        const char *gave_up_why;     /* borrowed; NULL: not known */
        const char *no_restart;      /* pl_no_restart_word() */
        const char *no_restart_text; /* borrowed; "" where there is nothing to say */
} PlRecovery;

/** pl_wire_recovery() - "recovery". Return: new reference, NULL: out of memory. */
json_t *pl_wire_recovery(const PlRecovery *r);

typedef enum PlFindingSeverity {
        PL_FINDING_CRITICAL, /* data will be lost, or something is open to everybody */
        PL_FINDING_HIGH,     /* plimsoll cannot do its job */
        PL_FINDING_MEDIUM,   /* it works, but not as people expect */
        PL_FINDING_LOW,
        _PL_FINDING_SEVERITY_N,
} PlFindingSeverity;

/* Something that is wrong until somebody fixes it. Borrowed for the call. */
typedef struct PlFinding {
        PlFindingSeverity severity;
        const char *check; /* "log-method": its kind, for scripts */
        const char *container_name, *container_id, *service; /* may be NULL */
        const char *message;                                 /* what, and the remedy */
} PlFinding;

/** pl_wire_finding() - one element of "findings". Return: new reference, NULL: out of memory. */
json_t *pl_wire_finding(const PlFinding *f);

/* The turn of the event loop that took longest. */
typedef struct PlWireTurn {
        uint64_t usec, cpu_usec, at_usec; /* CLOCK_REALTIME; 0: there was none */
        const char *doing;
} PlWireTurn;

typedef struct PlStatus {
        const char *version;
        PlWireTurn loop;
        bool engine_connected;
        const char *engine_url, *engine_version, *engine_api, *engine_error; /* may be NULL */
        const char *policy_file, *policy_error;
        const char *archive_path;    /* the directory; NULL: none */
        uint64_t policy_loaded_usec; /* CLOCK_REALTIME */
        bool dry_run, stale;         /* stale: what follows was true when the engine was lost */
        const char *summary;         /* the STATUS= line */
        const json_t *findings; /* array of what pl_wire_finding() made; counted here, and those
                                 * of no container shown */
} PlStatus;

/**
 * pl_wire_container() - one element of "containers"
 *
 * "limits" has a member for each resource that is wanted or known to be in force. Its "managed"
 * tells a wanted null that means infinity (true) from one that means "left alone" (false); its
 * "known" does the same for in_force (false: not read yet, or the host cannot do it).
 *
 * Return: new reference, NULL: out of memory.
 */
json_t *pl_wire_container(const PlContainerStatus *c);

/* What has happened: one line of /v1/events. Everything is borrowed for the call. */
typedef struct PlWireEvent {
        uint64_t time_usec;     /* CLOCK_REALTIME */
        int priority;           /* as in syslog(3): 6 = info; 4 = warning, … */
        const char *message;    /* one line, what the journal says */
        const char *message_id; /* lib/base/message.h; may be NULL */
        const char *container_name, *container_id, *service; /* may be NULL */
        json_t *fields; /* object with more members, or NULL; journal field names in lower case
                         * without the PLIMSOLL_ prefix: "health", "reason", "resource" … */
} PlWireEvent;

/** pl_wire_event() - Return: new reference, NULL: out of memory. */
json_t *pl_wire_event(const PlWireEvent *e);

/** pl_wire_status() - the whole document. @containers: array, reference stolen even on failure.
 * Return: new reference, NULL: out of memory. */
json_t *pl_wire_status(const PlStatus *s, json_t *containers);
