/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Log files beside stdout: when they are looked at, and what is said of it.
 *
 * Some minutes apart, on a timer that exists only while a section has LogPath=, each container's
 * mounts become one job for a worker thread of their own, so that neither the loop nor rotation
 * waits for them. Decisions are lib/logs/path's, work is daemon/logs/path's.
 *
 * Nobody's files keep others waiting: a job ends when its turn is over, and queues up again behind
 * all others; large files have a second thread. A container has one job at a time.
 */

#include "logs/paths.h"

#include <errno.h>
#include <stdarg.h>

#include "base/loop.h"
#include "lib/base/message.h"
#include "lib/base/unit.h"
#include "logs/path.h"
#include "logs/worker.h"

#define FIRST_USEC (3 * PL_USEC_PER_SEC) /* after a start or a reload */
#define EVERY_USEC (10 * PL_USEC_PER_MIN)

/* What the last pass found wrong with one container's files. */
typedef struct Finding {
        char id[PL_ID_MAX];
        char *text;
} Finding;

struct PlLogPaths {
        PlRegistry *registry;
        PlLogTime *time;
        PlMap *findings;     /* id → Finding, owned */
        PlLogWorker *worker; /* NULL until there is work */
        PlLogWorker *large;  /* for large files; likewise */
        pthread_mutex_t removing;
        sd_event_source *timer; /* NULL until a section has LogPath= */
        PlMap *jobs;            /* id → Job, under way */
};

/* All that LogPath= of one container names: a request for each mount. */
typedef struct Job {
        PlWork work;
        char id[PL_ID_MAX];
        int signal; /* LogReopen= */
        bool dry_run, large;
        PlLogPathRequest *requests;
        PlLogPathOutcome *outcomes;
        size_t n;
        char *findings; /* of the loop's own; NULL: none */
} Job;

static Job *job_free(Job *j) {
        if (!j)
                return NULL;
        for (size_t i = 0; i < j->n; i++) {
                pl_log_path_request_deinit(&j->requests[i]);
                pl_log_path_outcome_deinit(&j->outcomes[i]);
        }
        free(j->requests);
        free(j->outcomes);
        free(j->findings);
        free(j);
        return NULL;
}
PL_DEFINE_CLEANUP(Job *, job_free)

/* Adds a finding to a text; out of memory loses it until the next pass. */
static void add_finding(char **text, const char *format, ...) PL_PRINTF(2, 3);
static void add_finding(char **text, const char *format, ...) {
        _cleanup_free_ char *one = NULL;
        char *both;
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&one, format, ap);
        va_end(ap);
        if (n < 0) {
                one = NULL;
                return;
        }
        if (asprintf(&both, "%s%s%s", *text ?: "", *text ? "; " : "", one) < 0)
                return;
        free(*text);
        *text = both;
}

static void add_error(char **text, const PlLogPathRequest *req, const PlLogPathError *e) {
        bool denied = e->error == -EACCES || e->error == -EPERM || e->error == -EROFS ||
                      e->error == -EOVERFLOW;

        if (e->error < 0 && e->error != -ECANCELED)
                add_finding(text, "a log file in %s: %s %s: %s%s", req->source,
                            e->step ?: "looking at", e->path ?: "it", strerror(-e->error),
                            denied ? "; the unit of plimsolld has to allow it, see LogPath= in "
                                     "plimsoll.conf(5)"
                            : e->error == -ELOOP ? "; mount the directory that it leads to"
                            : e->error == -ETIME ? "; it is too large to be archived in an hour, "
                                                   "and stays as it is"
                                                 : "");
}

static void add_outcome(char **text, const PlLogPathRequest *req, const PlLogPathOutcome *o) {
        if (o->too_many)
                add_finding(text,
                            "there are more than %d names below %s, and the rest is not looked at; "
                            "a narrower LogPath= helps",
                            PL_LOG_PATH_NAMES_MAX, req->source);
        for (size_t i = 0; i < PL_LOG_PATH_ERRORS_MAX; i++)
                add_error(text, req, &o->errors[i]);
        if (o->n_errors > PL_LOG_PATH_ERRORS_MAX)
                add_finding(text, "%" PRIu64 " more log files in %s likewise",
                            o->n_errors - PL_LOG_PATH_ERRORS_MAX, req->source);
}

static void run(PlWork *w, const PlRotateContext *ctx) {
        Job *j = PL_CONTAINER_OF(w, Job, work);

        for (size_t i = 0; i < j->n; i++)
                if (pl_log_path_run(ctx, &j->requests[i], "/proc", &j->outcomes[i]) == -ECANCELED)
                        break;
}

static void add_count(char **text, bool dry_run, uint64_t n, const char *what) {
        if (n > 0)
                add_finding(text, "%s%" PRIu64 " %s", dry_run ? "would be " : "", n, what);
}

/* What a pass has done, or would do; NULL: nothing. */
static char *describe(const Job *j, uint64_t *ret_lost_bytes) {
        char a[PL_FORMAT_MAX], b[PL_FORMAT_MAX], *text = NULL;
        PlLogPathOutcome sum = { 0 };

        for (size_t i = 0; i < j->n; i++) {
                const PlLogPathOutcome *o = &j->outcomes[i];

                for (size_t k = 0; k < _PL_LOGPATH_ACTION_N; k++)
                        sum.n[k] += o->n[k];
                sum.folders += o->folders;
                sum.deleted_bytes += o->deleted_bytes;
                sum.raw_bytes += o->raw_bytes;
                sum.packed_bytes += o->packed_bytes;
                sum.lost_bytes += o->lost_bytes;
                sum.hole_bytes += o->hole_bytes;
        }
        add_count(&text, j->dry_run, sum.n[PL_LOGPATH_COMPRESS], "compressed");
        add_count(&text, j->dry_run, sum.n[PL_LOGPATH_TRUNCATE], "copied and truncated");
        if (sum.raw_bytes > 0)
                add_finding(&text, "%s became %s", pl_format_bytes(sum.raw_bytes, a),
                            pl_format_bytes(sum.packed_bytes, b));
        if (sum.hole_bytes > 0)
                add_finding(&text, "%s of holes in them were left out",
                            pl_format_bytes(sum.hole_bytes, a));
        if (sum.lost_bytes > 0)
                add_finding(&text, "%s were written while they were truncated and are lost",
                            pl_format_bytes(sum.lost_bytes, a));
        add_count(&text, j->dry_run, sum.n[PL_LOGPATH_REOPEN], "renamed");
        add_count(&text, j->dry_run, sum.n[PL_LOGPATH_SIGNAL], "renamed before and still written");
        add_count(&text, j->dry_run, sum.n[PL_LOGPATH_DELETE] + sum.n[PL_LOGPATH_DELETE_PARTIAL],
                  "removed");
        if (sum.deleted_bytes > 0)
                add_finding(&text, "%s freed", pl_format_bytes(sum.deleted_bytes, a));
        add_count(&text, j->dry_run, sum.folders, "empty folders removed");
        *ret_lost_bytes = sum.lost_bytes;
        return text;
}

static void on_killed(void *userdata, const char *id, int error, const char *message) {
        PlLogPaths *p = userdata;
        const PlSubject *s = pl_map_get(p->registry->subjects, id);

        if (s && error < 0 && error != -ENOENT)
                pl_subject_report(p->registry->reporter, s, LOG_WARNING,
                                  PL_MESSAGE_LOG_FILES_FAILED, message, NULL,
                                  "cannot tell it to open its log files anew: %s; the next pass "
                                  "tries "
                                  "again",
                                  message ?: strerror(-error));
}

static void tell_container(PlLogPaths *p, const PlSubject *s, const Job *j) {
        uint64_t n = 0;
        int r;

        for (size_t i = 0; i < j->n; i++)
                n += j->outcomes[i].n[PL_LOGPATH_REOPEN] + j->outcomes[i].n[PL_LOGPATH_SIGNAL];
        if (n == 0 || j->dry_run || j->signal == 0 || !s->facts || !pl_container_is_live(s->facts))
                return;
        r = pl_engine_kill(p->registry->engine, s->id, j->signal, on_killed, p);
        if (r < 0)
                on_killed(p, s->id, r, NULL);
}

const char *pl_log_paths_finding(const PlLogPaths *p, const char *id) {
        const Finding *f = pl_map_get(p->findings, id);

        return f ? f->text : NULL;
}

static void drop_finding(PlLogPaths *p, const char *id) {
        Finding *f = pl_map_remove(p->findings, id);

        if (!f)
                return;
        free(f->text);
        free(f);
}

/* Takes the text; NULL: there is nothing wrong any more. Out of memory loses it until the next
 * pass. */
static void set_finding(PlLogPaths *p, const char *id, char **text) {
        Finding *f;

        drop_finding(p, id);
        if (!*text)
                return;
        f = calloc(1, sizeof(*f));
        if (!f)
                return;
        (void)snprintf(f->id, sizeof(f->id), "%s", id);
        if (pl_map_put(p->findings, f->id, f) < 0) {
                free(f);
                return;
        }
        f->text = TAKE_PTR(*text);
}

/* @more: the pass goes on, and what is wrong is known at its end */
static void report(PlLogPaths *p, PlSubject *s, const Job *j, bool more, char **findings) {
        _cleanup_free_ char *text = NULL;
        uint64_t lost_bytes;

        text = describe(j, &lost_bytes);
        if (text && !j->dry_run)
                pl_subject_report(p->registry->reporter, s, lost_bytes > 0 ? LOG_WARNING : LOG_INFO,
                                  PL_MESSAGE_LOG_FILES, NULL, NULL, "log files: %s", text);
        else if (text)
                add_finding(findings, "log files: %s (dry run)", text);
        /* the same is not said twice */
        if (more || pl_streq_null(*findings, pl_log_paths_finding(p, s->id)))
                return;
        if (*findings)
                pl_subject_report(p->registry->reporter, s, j->dry_run ? LOG_NOTICE : LOG_WARNING,
                                  PL_MESSAGE_LOG_FILES_FAILED, NULL, NULL, "%s", *findings);
        set_finding(p, s->id, findings);
        pl_reporter_changed(p->registry->reporter);
}

static int submit(PlLogPaths *p, const PlSubject *s, bool large);

static bool has_paths(const PlService *service) {
        return service && service->log_path.globs && service->log_path.globs[0];
}

/* One more turn? What came to nothing is for the next pass. */
static bool go_on(PlLogPaths *p, const PlSubject *s, const Job *j) {
        bool unfinished = false, large = false;
        uint64_t acts = 0;

        for (size_t i = 0; i < j->n; i++) {
                unfinished = unfinished || j->outcomes[i].unfinished;
                large = large || j->outcomes[i].n_large > 0;
                for (size_t k = 0; k < _PL_LOGPATH_ACTION_N; k++)
                        acts += j->outcomes[i].n[k];
        }
        if (j->dry_run || !has_paths(s->service) || !s->facts)
                return false;
        if (unfinished && acts > 0)
                return submit(p, s, j->large) >= 0;
        return large && submit(p, s, true) >= 0;
}

static void done(PlWork *w, void *userdata, bool ran) {
        PlLogPaths *p = userdata;
        _cleanup_(job_freep) Job *j = PL_CONTAINER_OF(w, Job, work);
        PlSubject *s = pl_map_get(p->registry->subjects, j->id);

        (void)pl_map_remove(p->jobs, j->id);
        if (!ran || !s)
                return;
        for (size_t i = 0; i < j->n; i++)
                add_outcome(&j->findings, &j->requests[i], &j->outcomes[i]);
        report(p, s, j, go_on(p, s, j), &j->findings);
        tell_container(p, s, j);
}

/* Globs of one mount share a pass: what two of them match counts once. */
static int add_glob(PlLogPaths *p, Job *j, const PlMount *mount, const PlLogpathPolicy *policy,
                    PlLogpathGlob *g) {
        static const PlLogPathTurn turn = PL_LOG_PATH_TURN, large = PL_LOG_PATH_LARGE_TURN;
        PlLogPathRequest *req = NULL;
        PlLogpathGlob *globs;

        for (size_t i = 0; i < j->n; i++)
                if (pl_streq(j->requests[i].source, mount->source))
                        req = &j->requests[i];
        if (!req) {
                char *source = strdup(mount->source);
                char *archive_dir = strdup(policy->archive_dir ?: PL_LOGPATH_ARCHIVE_DIR);

                if (!source || !archive_dir) {
                        free(source);
                        free(archive_dir);
                        return -ENOMEM;
                }
                req = &j->requests[j->n++];
                *req = (PlLogPathRequest){ .source = source,
                                           .archive_dir = archive_dir,
                                           .policy = *policy,
                                           .turn = j->large ? large : turn,
                                           .removing = &p->removing,
                                           .dry_run = j->dry_run };
        }
        globs = reallocarray(req->globs, req->n_globs + 1, sizeof(*globs));
        if (!globs)
                return -ENOMEM;
        req->globs = globs;
        req->globs[req->n_globs++] = *g;
        *g = (PlLogpathGlob){ 0 };
        return 0;
}

static Job *job_new(PlLogPaths *p, const PlSubject *s, bool large) {
        const PlLogpathPolicy *policy = &s->service->log_path;
        _cleanup_(job_freep) Job *j = calloc(1, sizeof(*j));
        size_t n = 0;

        while (policy->globs[n])
                n++;
        if (!j)
                return NULL;
        j->requests = calloc(n + 1, sizeof(*j->requests));
        j->outcomes = calloc(n + 1, sizeof(*j->outcomes));
        if (!j->requests || !j->outcomes)
                return NULL;
        j->work = (PlWork){ .run = run, .done = done };
        memcpy(j->id, s->id, sizeof(j->id));
        j->large = large;
        j->signal = policy->reopen_signal;
        j->dry_run = pl_registry_is_dry_run(p->registry);
        for (size_t i = 0; i < n; i++) {
                _cleanup_(pl_logpath_glob_deinit) PlLogpathGlob g = { 0 };
                _cleanup_free_ char *text = NULL;
                size_t mount;
                int r = pl_logpath_resolve(s->facts->mounts, s->facts->n_mounts, policy->globs[i],
                                           &mount, &g, &text);

                if (r >= 0)
                        r = add_glob(p, j, &s->facts->mounts[mount], policy, &g);
                if (r == -ENOMEM)
                        return NULL;
                if (r < 0 && text)
                        add_finding(&j->findings, "%s", text);
        }
        return TAKE_PTR(j);
}

static int submit(PlLogPaths *p, const PlSubject *s, bool large) {
        PlLogWorker **worker = large ? &p->large : &p->worker;
        _cleanup_(job_freep) Job *j = NULL;
        int r;

        if (pl_map_get(p->jobs, s->id))
                return 0; /* its last pass still goes on */
        if (!*worker) {
                r = pl_log_worker_new(p->registry->event, NULL, p->time, p, worker);
                if (r < 0)
                        return r;
        }
        j = job_new(p, s, large);
        if (!j)
                return -ENOMEM;
        r = pl_map_put(p->jobs, j->id, j);
        if (r < 0)
                return r;
        pl_log_worker_submit(*worker, &TAKE_PTR(j)->work);
        return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        PlLogPaths *p = userdata;
        uint64_t next_usec = EVERY_USEC;
        bool any = false;
        PlSubject *s;

        pl_loop_doing("files of LogPath=");
        if (!p->registry->synced || p->registry->stale || !p->registry->connected) {
                next_usec = FIRST_USEC * 10; /* nothing is done on stale facts */
                any = true;
        } else {
                PL_MAP_FOREACH(s, p->registry->subjects) {
                        int r;

                        if (!s->facts || s->provisional || !has_paths(s->service))
                                continue;
                        any = true;
                        r = submit(p, s, false);
                        if (r < 0)
                                pl_subject_report(p->registry->reporter, s, LOG_ERR,
                                                  PL_MESSAGE_LOG_FILES_FAILED, NULL, NULL,
                                                  "cannot look at its log files: %s", strerror(-r));
                }
        }
        if (!any && pl_map_size(p->jobs) == 0) {
                /* nobody asks for it any more: neither threads nor timer */
                p->worker = pl_log_worker_free(p->worker);
                p->large = pl_log_worker_free(p->large);
                return sd_event_source_set_enabled(source, SD_EVENT_OFF);
        }
        /* at a wake-up that others need as well */
        (void)sd_event_source_set_time_accuracy(source, next_usec / 10);
        (void)sd_event_source_set_time_relative(source, next_usec);
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

void pl_log_paths_update(PlLogPaths *p, const PlSubject *s, bool reloaded) {
        int enabled = SD_EVENT_OFF, r;

        if (!pl_subject_is_known(s) || !has_paths(s->service))
                return;
        if (!p->timer) {
                r = sd_event_add_time_relative(p->registry->event, &p->timer, CLOCK_BOOTTIME,
                                               FIRST_USEC, PL_USEC_PER_SEC, on_timer, p);
                if (r < 0)
                        pl_subject_report(p->registry->reporter, s, LOG_ERR,
                                          PL_MESSAGE_LOG_FILES_FAILED, NULL, NULL,
                                          "its log files are not looked at: %s", strerror(-r));
                return;
        }
        (void)sd_event_source_get_enabled(p->timer, &enabled);
        if (enabled != SD_EVENT_OFF && !reloaded)
                return;
        (void)sd_event_source_set_time_accuracy(p->timer, PL_USEC_PER_SEC);
        (void)sd_event_source_set_time_relative(p->timer, FIRST_USEC);
        (void)sd_event_source_set_enabled(p->timer, SD_EVENT_ONESHOT);
}

void pl_log_paths_remove(PlLogPaths *p, const char *id) {
        drop_finding(p, id);
}

int pl_log_paths_new(PlRegistry *registry, PlLogTime *time, PlLogPaths **ret) {
        PlLogPaths *p = calloc(1, sizeof(*p));

        if (!p)
                return -ENOMEM;
        p->registry = registry;
        p->time = time;
        p->findings = pl_map_new();
        p->jobs = pl_map_new();
        if (!p->findings || !p->jobs) {
                pl_map_free(p->findings);
                pl_map_free(p->jobs);
                free(p);
                return -ENOMEM;
        }
        (void)pthread_mutex_init(&p->removing, NULL);
        *ret = p;
        return 0;
}

PlLogPaths *pl_log_paths_free(PlLogPaths *p) {
        Finding *f;

        if (!p)
                return NULL;
        sd_event_source_disable_unref(p->timer);
        pl_log_worker_free(p->worker);
        pl_log_worker_free(p->large);
        (void)pthread_mutex_destroy(&p->removing);
        PL_MAP_FOREACH(f, p->findings)
        drop_finding(p, f->id);
        pl_map_free(p->findings);
        pl_map_free(p->jobs);
        free(p);
        return NULL;
}
