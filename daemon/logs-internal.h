/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Shared by logs.c (what is known, when to act), logs-job.c (jobs and what came of them) and
 * logs-method.c (what is said of methods). */

#include "log-watch.h"
#include "log-worker.h"
#include "logs.h"
#include "pl-map.h"

typedef struct PlLogEntry {
        PlLogs *logs;
        char id[PL_ID_MAX];
        char *name, *path, *driver;
        char *service; /* NULL under [Defaults] */
        char *group;   /* of its archives: "<service>/<container>" */
        bool governed; /* a section holds */
        bool native, running;
        PlLogMethod wanted;
        PlLogOnFull on_full;
        uint64_t max_size_bytes;
        PlRetainRule rule;

        PlLogWatched *watched; /* NULL: no file yet */
        bool busy;             /* a job is under way */
        bool again, force;     /* another one after it */
        bool settled;          /* at least one job has looked at it */
        bool stale; /* the engine was lost since the last update: its log may be native by now */
        unsigned failures; /* in a row */
        sd_event_source *retry;

        uint64_t head_bytes, ino;
        PlLogMethod method;
        PlRotateWhy why;
        uint64_t archived_bytes, archived_files, rotations, lines;
        PlLogFinding finding;
        char *finding_text;
        bool dry_run_said;
} PlLogEntry;

struct PlLogs {
        sd_event *event;
        const PlLogsHandlers *handlers;
        void *userdata;
        PlLogWatch *watch;
        PlLogWorker *worker;
        PlLogStore *store; /* the worker's; here only to list records */
        PlLogRules *rules; /* read by the worker as well */
        PlMap *entries;
        unsigned engine_major; /* 0: unknown */
        unsigned last_major;   /* the last that was known */
        bool podman, dry_run;
        uint64_t budget_bytes, archived_bytes;
        sd_event_source *expiry; /* when the next archive is too old */
        uint64_t expiry_sec;
        sd_event_source *notice; /* when to say what is new of methods; NULL: not now */
        bool said[_PL_ROTATE_WHY_N];
};

/* logs.c */
PlRotateFacts pl_logs_facts(const PlLogs *l, const PlLogEntry *e);
void pl_logs_arm(PlLogEntry *e); /* watch it again, or begin the job that was asked for meanwhile */
void pl_logs_set_finding(PlLogEntry *e, PlLogFinding finding, const char *text);
void pl_logs_expire_at(PlLogs *l, uint64_t sec);

/* logs-job.c */
void pl_logs_begin(PlLogEntry *e, bool force);
void pl_logs_begin_retain(PlLogs *l);
void pl_logs_begin_forget(PlLogs *l, const char *id);

/* logs-method.c */
void pl_logs_notice(PlLogs *l); /* a log has come to be as pl_logs_method_finding() says */
