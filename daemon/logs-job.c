/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Jobs for the worker, and what is made of their outcomes on the loop. A job carries copies of all
 * it needs of its container, which may be gone by the time it ends.
 */

#include "logs-internal.h"

#include <errno.h>
#include <time.h>

#include "log.h"
#include "pl-message.h"
#include "pl-unit.h"

#define RETRY_MIN_USEC (5 * PL_USEC_PER_SEC)
#define RETRY_MAX_USEC (10 * PL_USEC_PER_MIN)

typedef enum JobKind {
        JOB_ROTATE,
        JOB_RETAIN,
        JOB_FORGET,
} JobKind;

typedef struct Job {
        PlWork work;
        JobKind kind;
        PlRotateRequest request;
        PlRotateOutcome outcome;
        uint64_t usec;
} Job;

static uint64_t clock_usec(void) {
        struct timespec ts;

        (void)clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t)ts.tv_sec * PL_USEC_PER_SEC + (uint64_t)ts.tv_nsec / 1000;
}

static void job_free(Job *j) {
        pl_rotate_request_deinit(&j->request);
        free(j);
}

static void run(PlWork *w, const PlRotateContext *ctx) {
        Job *j = PL_CONTAINER_OF(w, Job, work);
        uint64_t begin = clock_usec();
        int r;

        switch (j->kind) {
        case JOB_ROTATE:
                (void)pl_log_rotate(ctx, &j->request, &j->outcome);
                break;
        case JOB_RETAIN:
                j->outcome.next_expiry_sec = PL_TIME_INFINITY;
                r = pl_log_retain(ctx, &j->request, 0, &j->outcome);
                j->outcome.error = PL_MIN(r, 0);
                break;
        case JOB_FORGET:
                (void)pl_log_store_forget(ctx->store, j->request.id);
                break;
        }
        j->usec = clock_usec() - begin;
}

static void say_rotated(PlLogEntry *e, const Job *j) {
        const PlRotateOutcome *o = &j->outcome;
        PlLogRotated r = { .id = e->id,
                           .name = e->name,
                           .service = e->service,
                           .method = o->method,
                           .rotations = o->rotations,
                           .lines = o->lines,
                           .raw_bytes = o->raw_bytes,
                           .packed_bytes = o->packed_bytes,
                           .dropped_bytes = o->dropped_bytes,
                           .usec = j->usec };
        char lines[24], raw[24], packed[24], msec[24], a[PL_FORMAT_MAX], b[PL_FORMAT_MAX];
        PlLogField fields[] = {
                { "PLIMSOLL_LOG_LINES", lines },
                { "PLIMSOLL_LOG_BYTES", raw },
                { "PLIMSOLL_LOG_ARCHIVE_BYTES", packed },
                { "PLIMSOLL_LOG_MSEC", msec },
                { "PLIMSOLL_LOG_METHOD", pl_log_method_to_string(o->method) },
                { NULL, NULL },
        };
        PlLogSubject subject = { e->name, e->id, e->service, fields };

        snprintf(lines, sizeof(lines), "%" PRIu64, o->lines);
        snprintf(raw, sizeof(raw), "%" PRIu64, o->raw_bytes);
        snprintf(packed, sizeof(packed), "%" PRIu64, o->packed_bytes);
        snprintf(msec, sizeof(msec), "%" PRIu64, j->usec / 1000);
        if (o->raw_bytes > 0)
                pl_log_full(LOG_INFO, PL_MESSAGE_LOG_ROTATED, &subject,
                            "%s: log rotated by %s: %s lines, %s to %s (%.1f to 1) in %s ms",
                            e->name, fields[4].value, lines, pl_format_bytes(o->raw_bytes, a),
                            pl_format_bytes(o->packed_bytes, b),
                            (double)o->raw_bytes / (double)PL_MAX(o->packed_bytes, UINT64_C(1)),
                            msec);
        if (o->dropped_bytes > 0)
                pl_log_full(LOG_CRIT, PL_MESSAGE_LOG_DROPPED, &subject,
                            "%s: disk full: %s of its log dropped without an archive "
                            "(LogOnFull=drop)",
                            e->name, pl_format_bytes(o->dropped_bytes, a));
        e->logs->handlers->rotated(e->logs->userdata, &r);
}

static const char *error_text(int error) {
        switch (error) {
        case -ELOOP:
                return "there is a symbolic link in its place";
        case -EMEDIUMTYPE:
                return "it is not a regular file with one name";
        case -EINVAL:
                return "its path is not of the engine's form";
        default:
                return strerror(-error);
        }
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
        pl_logs_begin(userdata, false);
        return 0;
}

static void retry_later(PlLogEntry *e) {
        uint64_t delay = RETRY_MIN_USEC << PL_MIN(e->failures, 7U);

        e->failures++;
        delay = PL_MIN(delay, RETRY_MAX_USEC);
        if (e->retry) {
                (void)sd_event_source_set_time_relative(e->retry, delay);
                (void)sd_event_source_set_enabled(e->retry, SD_EVENT_ONESHOT);
                return;
        }
        (void)sd_event_add_time_relative(e->logs->event, &e->retry, CLOCK_MONOTONIC, delay,
                                         PL_USEC_PER_SEC, on_retry, e);
}

/* One entry when it begins, none while it lasts. */
static void say_failed(PlLogEntry *e, const PlRotateOutcome *o) {
        PlLogSubject subject = { e->name, e->id, e->service, NULL };
        bool full = o->error == -ENOSPC || o->error == -EDQUOT;
        char text[256];

        snprintf(text, sizeof(text),
                 full ? "disk full: %s: %s; free some space, lower "
                        "LogArchiveBudget=, or set LogOnFull=drop"
                      : "log not rotated: %s: %s",
                 o->step ?: "working on it", error_text(o->error));
        if (!pl_streq_null(text, e->finding_text))
                pl_log_full(full ? LOG_CRIT : LOG_ERR, PL_MESSAGE_LOG_FAILED, &subject, "%s: %s",
                            e->name, text);
        pl_logs_set_finding(e, full ? PL_LOG_FINDING_FULL : PL_LOG_FINDING_FAILED, text);
}

static void take_outcome(PlLogEntry *e, const Job *j) {
        const PlRotateOutcome *o = &j->outcome;
        bool transient = o->error == -EAGAIN || o->error == -ECANCELED || o->error == -ENOENT;

        e->method = o->method;
        e->why = o->why;
        e->archived_bytes = o->archived_bytes;
        e->archived_files = o->archived_files;
        e->rotations += o->rotations;
        e->lines += o->lines;
        if (o->size_bytes > 0 || o->error == 0) {
                e->ino = o->ino;
                e->head_bytes = o->head_bytes;
        }
        if (o->rotations > 0)
                say_rotated(e, j);
        if (o->error == 0) {
                if (o->later)
                        retry_later(e);
                else {
                        e->failures = 0;
                        if (e->retry)
                                (void)sd_event_source_set_enabled(e->retry, SD_EVENT_OFF);
                }
                if (pl_rotate_why_is_finding(o->why))
                        pl_logs_notice(e->logs);
                pl_logs_set_finding(e, PL_LOG_FINDING_NONE, NULL);
                return;
        }
        if (!transient)
                say_failed(e, o);
        if (o->error != -ENOENT)
                retry_later(e);
}

static void done(PlWork *w, void *userdata, bool ran) {
        Job *j = PL_CONTAINER_OF(w, Job, work);
        PlLogs *l = userdata;
        PlLogEntry *e = j->kind == JOB_ROTATE ? pl_map_get(l->entries, j->request.id) : NULL;

        if (ran && (j->kind == JOB_ROTATE || j->kind == JOB_RETAIN)) {
                l->archived_bytes = j->outcome.archived_total_bytes;
                pl_logs_expire_at(l, j->outcome.next_expiry_sec);
        }
        if (e && ran) {
                e->busy = false;
                e->settled = true;
                take_outcome(e, j);
                if (j->outcome.error == 0 || e->again)
                        pl_logs_arm(e);
        }
        if (ran && j->kind == JOB_RETAIN && j->outcome.error < 0)
                pl_log_warning("Cannot drop old archives: %s", strerror(-j->outcome.error));
        job_free(j);
}

static Job *job_new(const PlLogs *l, JobKind kind) {
        Job *j = calloc(1, sizeof(*j));

        if (!j)
                return NULL;
        j->request.budget_bytes = l->budget_bytes;
        j->request.rules = l->rules;
        j->work.run = run;
        j->work.done = done;
        j->kind = kind;
        return j;
}

static Job *rotate_job(PlLogEntry *e, bool force) {
        Job *j = job_new(e->logs, JOB_ROTATE);
        char dir[PL_ARCHIVE_NAME_MAX];
        PlRotateRequest *r;

        if (!j)
                return NULL;
        r = &j->request;
        memcpy(r->id, e->id, PL_ID_MAX);
        pl_archive_dir_name(e->service, dir);
        r->name = strdup(e->name);
        r->path = strdup(e->path ?: "");
        r->driver = strdup(e->driver ?: "");
        r->service = strdup(dir);
        r->facts = pl_logs_facts(e->logs, e);
        r->on_full = e->on_full;
        r->max_size_bytes = e->max_size_bytes;
        r->force = force;
        if (!r->name || !r->path || !r->driver || !r->service) {
                job_free(j);
                return NULL;
        }
        return j;
}

void pl_logs_begin(PlLogEntry *e, bool force) {
        PlLogSubject subject = { e->name, e->id, e->service, NULL };
        Job *j;

        if (e->busy) {
                e->again = true;
                e->force |= force;
                return;
        }
        if (e->logs->dry_run) {
                if (!e->dry_run_said && e->governed)
                        pl_log_full(LOG_INFO, NULL, &subject,
                                    "%s: dry run: its log would be watched and rotated", e->name);
                e->dry_run_said = true;
                return;
        }
        j = rotate_job(e, force);
        if (!j) {
                retry_later(e);
                return;
        }
        e->busy = true;
        pl_log_worker_submit(e->logs->worker, &j->work);
}

void pl_logs_begin_retain(PlLogs *l) {
        Job *j;

        if (l->dry_run)
                return;
        j = job_new(l, JOB_RETAIN);
        if (j)
                pl_log_worker_submit(l->worker, &j->work);
}

void pl_logs_begin_forget(PlLogs *l, const char *id) {
        Job *j = job_new(l, JOB_FORGET);

        if (!j)
                return; /* pruned at the next start */
        memcpy(j->request.id, id, PL_ID_MAX);
        pl_log_worker_submit(l->worker, &j->work);
}
