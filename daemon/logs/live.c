/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What is known of each log, when to act, the jobs for the worker, and what comes of them.
 *
 * Level-triggered like the rest: an update compares what it is told with what it knew, and begins a
 * job when something has changed that a job looks at. At most one job per container is under way.
 * It carries copies of all it needs, because its container may be gone by the time it ends.
 */

#include "logs/live.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdarg.h>
#include <sys/inotify.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/loop.h"
#include "lib/base/backoff.h"
#include "lib/base/macro.h"
#include "lib/base/map.h"
#include "lib/base/message.h"
#include "lib/base/pool.h"
#include "lib/base/quote.h"
#include "lib/base/unit.h"
#include "lib/docker/identity.h"
#include "logs/kept.h"
#include "logs/worker.h"
#include "rotate/file.h"
#include "rotate/rotated.h"

/* ---- the watch ---- */

/*
 * It tells when a log has grown to its limit, by inotify: a log that nobody writes costs nothing.
 * One that is written at full speed would make an event
 * per line, so the watch is taken off at the first event and put back after a pause that depends on
 * how much room is left (lib/logs/rotate-plan). Due is reported once, until watch_set().
 *
 * IN_ONESHOT makes the kernel take the watch off itself: however fast the writer, there is one
 * event. Between looking at the size and putting the watch back the log may grow: so the size is
 * looked at again after the watch is in place.
 */

typedef struct PlLogWatch PlLogWatch;     /* all of them: one inotify descriptor */
typedef struct PlLogWatched PlLogWatched; /* one log */

typedef void (*PlLogDue)(void *userdata); /* on the loop; may set or remove */

static PlLogWatch *watch_free(PlLogWatch *w);
PL_DEFINE_CLEANUP(PlLogWatch *, watch_free)

struct PlLogWatch {
        sd_event *event;
        sd_event_source *source;
        int fd;
        LIST_HEAD(WatchedList, PlLogWatched) logs;
};

struct PlLogWatched {
        PlLogWatch *watch;
        LIST_ENTRY(PlLogWatched) link;
        int fd, wd;          /* wd: -1 while not listening */
        int dir_wd;          /* of its directory; -1: not watched */
        PlLogDue due, moved; /* moved: perhaps its name leads elsewhere now */
        void *userdata;
        sd_event_source *pause;
        uint64_t limit_bytes, floor_bytes;
        bool shrunk; /* below floor_bytes */
        uint64_t last_bytes, last_pause_usec;
};

static int listen_again(PlLogWatched *l) {
        char path[64];

        snprintf(path, sizeof(path), "/proc/self/fd/%d", l->fd);
        l->wd = inotify_add_watch(l->watch->fd, path, IN_MODIFY | IN_ONESHOT);
        return l->wd < 0 ? -errno : 0;
}

static void stop_listening(PlLogWatched *l) {
        if (l->wd >= 0)
                (void)inotify_rm_watch(l->watch->fd, l->wd);
        l->wd = -1;
        if (l->pause)
                (void)sd_event_source_set_enabled(l->pause, SD_EVENT_OFF);
}

/* As it is now. Return: false when it cannot be told. */
static bool watch_size(const PlLogWatched *l, uint64_t *ret_bytes, uint64_t *ret_ino) {
        struct stat st;

        if (fstat(l->fd, &st) < 0)
                return false;
        *ret_bytes = (uint64_t)st.st_size;
        if (ret_ino)
                *ret_ino = (uint64_t)st.st_ino;
        return true;
}

/* Return: true when it was due, and the owner was told. */
static bool look(PlLogWatched *l) {
        uint64_t size = 0;

        if (!watch_size(l, &size, NULL))
                return false;
        l->shrunk = size < l->floor_bytes;
        l->floor_bytes = PL_MAX(l->floor_bytes, size);
        if (size < l->limit_bytes && !l->shrunk)
                return false;
        stop_listening(l);
        l->limit_bytes = PL_UNLIMITED; /* until it is set anew */
        l->due(l->userdata);
        return true;
}

static int on_pause_over(sd_event_source *source, uint64_t usec, void *userdata) {
        PlLogWatched *l = userdata;

        (void)listen_again(l);
        (void)look(l);
        return 0;
}

static void pause_listening(PlLogWatched *l) {
        uint64_t size = l->last_bytes, grown;

        (void)watch_size(l, &size, NULL);
        grown = size > l->last_bytes ? size - l->last_bytes : 0;
        l->last_bytes = size;
        l->last_pause_usec = pl_rotate_look_again(size < l->limit_bytes ? l->limit_bytes - size : 0,
                                                  grown, l->last_pause_usec);
        if (sd_event_source_set_time_relative(l->pause, l->last_pause_usec) < 0 ||
            sd_event_source_set_enabled(l->pause, SD_EVENT_ONESHOT) < 0)
                (void)listen_again(l);
}

static PlLogWatched *find(PlLogWatch *w, int wd) {
        PlLogWatched *l;

        LIST_FOREACH(l, &w->logs, link)
        if (l->wd == wd || l->dir_wd == wd)
                return l;
        return NULL;
}

/* The engine has files of its own in that directory, which it replaces all the time. */
static void look_at_name(PlLogWatched *l, const struct inotify_event *e) {
        static const char end[] = "-json.log";
        size_t n = e->len > 0 ? strlen(e->name) : 0;

        if (e->mask & IN_IGNORED)
                l->dir_wd = -1;
        else if (n == 0 || (n >= sizeof(end) && pl_streq(e->name + n - sizeof(end) + 1, end)))
                l->moved(l->userdata);
}

static void look_at_all(PlLogWatch *w) {
        for (PlLogWatched *l = LIST_FIRST(&w->logs), *next; l; l = next) {
                next = LIST_NEXT(l, link);
                if (l->limit_bytes != PL_UNLIMITED && !look(l) && l->wd >= 0) {
                        stop_listening(l);
                        (void)listen_again(l);
                }
        }
}

static int on_inotify(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        PlLogWatch *w = userdata;
        char buf[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
        ssize_t n = read(fd, buf, sizeof(buf));

        pl_loop_doing("logs");
        for (char *p = buf; n > 0 && p < buf + n;) {
                const struct inotify_event *e = (const struct inotify_event *)(const void *)p;
                PlLogWatched *l = find(w, e->wd);

                if (e->mask & IN_Q_OVERFLOW)
                        look_at_all(w);
                else if (l && e->wd == l->dir_wd)
                        look_at_name(l, e);
                else if (l && (e->mask & IN_MODIFY)) {
                        l->wd = -1; /* one shot: the kernel has taken it off */
                        if (!look(l))
                                pause_listening(l);
                }
                p += sizeof(*e) + e->len;
        }
        return 0;
}

static int watch_new(sd_event *event, PlLogWatch **ret) {
        _cleanup_(watch_freep) PlLogWatch *w = calloc(1, sizeof(*w));
        int r;

        if (!w)
                return -ENOMEM;
        w->event = sd_event_ref(event);
        w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        if (w->fd < 0)
                return -errno;
        r = sd_event_add_io(event, &w->source, w->fd, EPOLLIN, on_inotify, w);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(w);
        return 0;
}

/* after all its logs; returns NULL */
static PlLogWatch *watch_free(PlLogWatch *w) {
        if (!w)
                return NULL;
        sd_event_source_disable_unref(w->source);
        if (w->fd >= 0)
                (void)close(w->fd);
        sd_event_unref(w->event);
        free(w);
        return NULL;
}

static int watch_dir(PlLogWatch *w, const char *path) {
        const char *slash = strrchr(path, '/');
        _cleanup_free_ char *dir = slash ? strndup(path, (size_t)(slash - path)) : NULL;

        return dir ? inotify_add_watch(w->fd, dir,
                                       IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_CREATE |
                                                       IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)
                   : -1;
}

/*
 * Its size is not watched before watch_set(), its name at once
 * @fd: of the log, O_PATH; ownership passes on success
 */
static int watch_add(PlLogWatch *w, int fd, const char *path, PlLogDue due, PlLogDue moved,
                     void *userdata, PlLogWatched **ret) {
        PlLogWatched *l = calloc(1, sizeof(*l));
        int r;

        if (!l)
                return -ENOMEM;
        *l = (PlLogWatched){ .watch = w,
                             .fd = fd,
                             .wd = -1,
                             .dir_wd = -1,
                             .due = due,
                             .moved = moved,
                             .userdata = userdata,
                             .limit_bytes = PL_UNLIMITED };
        r = sd_event_add_time_relative(w->event, &l->pause, CLOCK_MONOTONIC, 0,
                                       100 * PL_USEC_PER_MSEC, on_pause_over, l);
        if (r < 0) {
                free(l);
                return r;
        }
        (void)sd_event_source_set_enabled(l->pause, SD_EVENT_OFF);
        LIST_INSERT_HEAD(&w->logs, l, link);
        l->dir_wd = watch_dir(w, path);
        *ret = l;
        return 0;
}

/* Another file has its name now. @fd: O_PATH; ownership passes */
static void watch_swap(PlLogWatched *l, int fd) {
        stop_listening(l);
        (void)close(l->fd);
        l->fd = fd;
}

/* returns NULL */
static PlLogWatched *watch_remove(PlLogWatched *l) {
        if (!l)
                return NULL;
        stop_listening(l);
        if (l->dir_wd >= 0)
                (void)inotify_rm_watch(l->watch->fd, l->dir_wd);
        LIST_REMOVE(l, link);
        sd_event_source_disable_unref(l->pause);
        (void)close(l->fd);
        free(l);
        return NULL;
}

/* Due when the log is as large as this, or smaller than it ever was, now (before this returns) or
 * later. @limit_bytes: of the file, from offset 0; PL_UNLIMITED: never */
static int watch_set(PlLogWatched *l, uint64_t limit_bytes, uint64_t floor_bytes) {
        int r;

        stop_listening(l);
        l->limit_bytes = limit_bytes;
        l->floor_bytes = floor_bytes;
        l->shrunk = false;
        l->last_pause_usec = 0;
        if (limit_bytes == PL_UNLIMITED)
                return 0;
        r = listen_again(l);
        if (r < 0)
                return r;
        (void)look(l);
        return 0;
}

#define RETRY_MIN_USEC (5 * PL_USEC_PER_SEC)
#define RETRY_MAX_USEC (10 * PL_USEC_PER_MIN)

/* What somebody asks for is not worth an archive below this. */
#define ASKED_MIN_BYTES KIB(64)

/* What the engine says of a container and its log. */
typedef struct Told {
        char *name, *path, *driver;
        bool guessed;          /* path: where the engine puts logs; its record is not told yet */
        unsigned native_files; /* that the engine keeps, with the live one; 0: it rotates none */
        bool running;
        bool live;             /* its processes are there: the engine has its log open */
        uint64_t started_usec; /* of this run */
        bool stale;            /* the engine was lost since: the log may be native by now */
} Told;

/* What the policy wants of it. */
typedef struct Wanted {
        char *service;        /* NULL under [Defaults] */
        char *group;          /* of its archives: "<service>/<container>" */
        char *origin, *title; /* PlIdentity; NULL: not known here */
        bool governed;        /* a section holds */
        PlLogPolicy log;
} Wanted;

/* What the last job found and left. */
typedef struct Found {
        bool settled; /* at least one job has looked at the log */
        uint64_t head_bytes, ino;
        uint64_t size_bytes, held_bytes; /* then; held_bytes 0: not known */
        PlLogMethod method;
        PlRotateWhy why;
        uint64_t archived_bytes, archived_files;
        uint64_t rotations, lines; /* of all jobs */
} Found;

/* A log that its name does not lead to, O_PATH; shared with jobs. */
typedef struct OldFile {
        unsigned n_ref; /* the loop's */
        int fd;
        PlRotatedFiles rotated; /* all of the log, where the engine rotates it; the job's alone … */
        int joined_fd;          /* … and as one, once a job has begun with it */
} OldFile;

/* Somebody removed or replaced its log, and the engine writes to the old file. */
typedef struct Lost {
        bool now;
        OldFile *file;           /* NULL: it cannot be reached */
        uint64_t archived_bytes; /* of it, as the last job left it */
        unsigned looks;
        sd_event_source *look; /* when something has happened to the name */
} Lost;

typedef struct PlLogEntry {
        PlLogs *logs;
        char id[PL_ID_MAX];
        Told told;
        Wanted wanted;
        Found found;

        PlLogWatched *watched;  /* NULL: no file yet */
        bool stored;            /* the service manager keeps its descriptor, or that of a rest */
        PlRotatedFiles rotated; /* what the engine has, which rotates it itself */
        unsigned rests;         /* jobs that archive what a former log of it has left */
        OldFile *gone;          /* its container was removed, and this is what is left of it */
        bool busy;              /* a job is under way */
        bool again, force;      /* another one after it */
        unsigned failures;      /* in a row */
        sd_event_source *retry;

        Lost lost;
        bool shortened; /* somebody truncated it; until the next rotation, or run */
        bool low;       /* it was said that holes are made, until there is room again */
        PlLogFinding finding;
        char *finding_text;
        bool dry_run_said;
} PlLogEntry;

/* The archive directory was made anew. */
typedef struct Renewed {
        void (*call)(void *userdata); /* or NULL */
        void *userdata;
} Renewed;

typedef struct EngineFacts {
        unsigned major;      /* 0: unknown */
        unsigned last_major; /* the last that was known */
        unsigned epoch;
        bool podman;
} EngineFacts;

struct PlLogs {
        sd_event *event;
        const PlReporter *reporter;
        PlLogWatch *watch;
        PlLogWorker *worker;
        PlLogStore *store; /* the worker's; here only to list records */
        PlLogTime *time;
        PlLogRules *rules; /* the worker reads them as well */
        PlMap *entries;
        PlMap *gone; /* entries whose container was removed, until the rest of their log is archived
                      */
        PlLogKept *kept;
        PlPolicy *policy;
        char *root; /* where the engine keeps logs, as one of them has told; NULL: not known yet */
        EngineFacts engine;
        bool dry_run;
        uint64_t budget_bytes;
        unsigned punch_below_percent;
        sd_event_source *sweep;  /* to look at file systems where logs are left to grow */
        sd_event_source *expiry; /* when the next archive is too old */
        uint64_t expiry_sec;
        sd_event_source *notice; /* when to say what is new of methods; NULL: not now */
        bool said[_PL_ROTATE_WHY_N];
        Renewed renewed;
        PlPool jobs;
};

typedef enum JobKind {
        JOB_ROTATE,
        JOB_SALVAGE,
        JOB_RETAIN,
        JOB_FORGET,
        JOB_FORGET_IF_GONE,
} JobKind;

typedef struct Job {
        PlWork work;
        JobKind kind;
        PlRotateRequest request;
        PlRotateOutcome outcome;
        uint64_t usec;
        OldFile *file; /* of JOB_SALVAGE */
        bool last;     /* its container has another log by now, or none */
} Job;

static void begin(PlLogEntry *e, bool force);
static void take_gone(PlLogEntry *e, const Job *j);

static PlRotateFacts facts_of(const PlLogs *l, const PlLogEntry *e) {
        return (PlRotateFacts){
                .engine_major = e->told.stale ? 0 : l->engine.major,
                .podman = l->engine.podman,
                .driver = e->told.driver,
                .native_max_size = e->told.native_files > 0,
                .has_path = e->told.path && *e->told.path,
                .running = e->told.running,
                .low = e->low,
                .wanted = e->wanted.governed ? e->wanted.log.method : PL_LOG_METHOD_OFF,
        };
}

static PlRotateChoice choose(const PlLogs *l, const PlLogEntry *e) {
        PlRotateFacts f = facts_of(l, e);

        return pl_rotate_choose(&f);
}

static void report(const PlLogEntry *e, int priority, const char *message_id,
                   const PlLogField *fields, const char *format, ...) PL_PRINTF(5, 6);
static void report(const PlLogEntry *e, int priority, const char *message_id,
                   const PlLogField *fields, const char *format, ...) {
        const PlEntry entry = {
                .priority = priority,
                .message_id = message_id,
                .container_name = e->told.name,
                .container_id = e->id,
                .service = e->wanted.service,
                .fields = fields,
        };
        _cleanup_free_ char *text = NULL;
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&text, format, ap);
        va_end(ap);
        if (n < 0)
                text = NULL;
        else
                pl_report(e->logs->reporter, &entry, "%s", text);
}

static void set_finding(PlLogEntry *e, PlLogFinding finding, const char *text) {
        if (finding == e->finding && pl_streq_null(text, e->finding_text))
                return;
        free(e->finding_text);
        e->finding_text = text ? strdup(text) : NULL;
        e->finding = finding;
        pl_reporter_changed(e->logs->reporter);
}

static OldFile *old_file_unref(OldFile *f) {
        if (!f || --f->n_ref > 0)
                return NULL;
        (void)close(f->fd);
        pl_closep(&f->joined_fd);
        pl_rotated_deinit(&f->rotated);
        free(f);
        return NULL;
}

/* @path_fd: O_PATH; stays the caller's. Return: NULL when out of memory or descriptors, with errno.
 */
static OldFile *old_file_new(int path_fd) {
        OldFile *f = calloc(1, sizeof(*f));

        if (!f)
                return NULL;
        *f = (OldFile){ .n_ref = 1, .fd = fcntl(path_fd, F_DUPFD_CLOEXEC, 3), .joined_fd = -EBADF };
        if (f->fd >= 0)
                return f;
        free(f);
        errno = EMFILE;
        return NULL;
}

static void entry_free(PlLogEntry *e) {
        if (!e)
                return;
        watch_remove(e->watched);
        pl_rotated_deinit(&e->rotated);
        sd_event_source_disable_unref(e->retry);
        sd_event_source_disable_unref(e->lost.look);
        old_file_unref(e->lost.file);
        old_file_unref(e->gone);
        free(e->told.name);
        free(e->told.path);
        free(e->told.driver);
        free(e->wanted.service);
        free(e->wanted.group);
        free(e->wanted.origin);
        free(e->wanted.title);
        free(e->finding_text);
        free(e);
}

static bool is_left_to_grow(const PlLogEntry *e);
static void look_at_room(PlLogEntry *e);
static void sweep_soon(PlLogs *l);
static void arm(PlLogEntry *e);

static const char shortened[] =
                "somebody else truncated its log, and lines that were in no archive "
                "yet are gone; if that was logrotate or a script, end it: "
                "plimsolld rotates this log";

static void say_shortened(PlLogEntry *e) {
        if (!e->shortened)
                report(e, LOG_WARNING, PL_MESSAGE_LOG_FAILED, NULL, "%s", shortened);
        e->shortened = true;
        set_finding(e, PL_LOG_FINDING_FAILED, shortened);
}

static void on_due(void *userdata) {
        PlLogEntry *e = userdata;

        /* what a job does to it is no news, nor what an adoption does while the engine is away */
        if (e->watched->shrunk && !e->busy && !e->told.stale && !e->lost.now)
                say_shortened(e);
        if (!is_left_to_grow(e)) {
                begin(e, false);
                return;
        }
        look_at_room(e);
        if (e->busy)
                return;
        sweep_soon(e->logs);
        arm(e);
}

/* --- somebody was at the file --- */

#define LOOK_USEC (300 * PL_USEC_PER_MSEC) /* the engine may be removing the container itself */
#define LOOKS_MAX 10                       /* a second apart, while the whole directory is gone */

enum { HERE, ELSEWHERE, MISSING, NO_DIRECTORY };

/* Where does the log's name lead? */
static int find_name(const PlLogEntry *e) {
        _cleanup_close_ int fd = pl_log_file_open_path(e->told.path, e->id);
        _cleanup_free_ char *dir = strdup(e->told.path);
        struct stat named, st;
        char *slash;

        if (fd >= 0 && fstat(fd, &named) == 0)
                return e->watched && fstat(e->watched->fd, &st) == 0 &&
                                                       (st.st_dev != named.st_dev ||
                                                        st.st_ino != named.st_ino)
                                       ? ELSEWHERE
                                       : HERE;
        if (fd != -ENOENT)
                return ELSEWHERE;
        slash = dir ? strrchr(dir, '/') : NULL;
        if (slash)
                *slash = '\0';
        return slash && access(dir, F_OK) < 0 ? NO_DIRECTORY : MISSING;
}

static bool is_looked_after(const PlLogEntry *e) {
        return e->told.live && !e->logs->dry_run && e->wanted.governed &&
               choose(e->logs, e).why == PL_ROTATE_WHY_NOT_PROBED;
}

static int look_soon(PlLogEntry *e, uint64_t usec);

static void lose(PlLogEntry *e, int where) {
        const char *rest = "what is still written is archived as long as plimsolld runs";
        char text[320];

        if (!e->watched)
                rest = "plimsolld cannot reach it any more either";
        else if (e->wanted.log.max_size_bytes == PL_UNLIMITED)
                rest = "nothing of it is archived, because it has no LogMaxSize=";
        snprintf(text, sizeof(text),
                 "%s while the engine writes to it, and 'docker logs' %s; %s; restart the "
                 "container to give it a log again",
                 where == ELSEWHERE ? "its log was replaced by another file"
                                    : "its log was removed or moved away",
                 where == ELSEWHERE ? "shows that one" : "shows nothing", rest);
        e->lost.now = true;
        e->lost.archived_bytes = 0;
        e->lost.file = e->watched && e->wanted.log.max_size_bytes != PL_UNLIMITED
                                       ? old_file_new(e->watched->fd)
                                       : NULL;
        report(e, LOG_WARNING, PL_MESSAGE_LOG_FAILED, NULL, "%s", text);
        set_finding(e, PL_LOG_FINDING_FAILED, text);
        begin(e, true);
}

/* It lies where it belongs again, or the container runs with a log of its own again. */
static void end_lost(PlLogEntry *e) {
        e->lost.now = false;
        e->lost.file = old_file_unref(e->lost.file);
        set_finding(e, PL_LOG_FINDING_NONE, NULL);
}

static int on_look(sd_event_source *source, uint64_t usec, void *userdata) {
        PlLogEntry *e = userdata;
        int where;

        pl_loop_doing("logs");
        if (!is_looked_after(e))
                return 0;
        where = find_name(e);
        if (where == HERE && e->lost.now) {
                end_lost(e);
                begin(e, false);
        } else if (where != HERE && !e->lost.now) {
                if ((where == NO_DIRECTORY || !e->watched) && e->lost.looks++ < LOOKS_MAX)
                        return look_soon(e, PL_USEC_PER_SEC);
                lose(e, where);
        }
        return 0;
}

static int look_soon(PlLogEntry *e, uint64_t usec) {
        if (!e->lost.look)
                return sd_event_add_time_relative(e->logs->event, &e->lost.look, CLOCK_MONOTONIC,
                                                  usec, LOOK_USEC / 3, on_look, e);
        (void)sd_event_source_set_time_relative(e->lost.look, usec);
        return sd_event_source_set_enabled(e->lost.look, SD_EVENT_ONESHOT);
}

static bool is_looking(const PlLogEntry *e) {
        int enabled = SD_EVENT_OFF;

        return e->lost.look && sd_event_source_get_enabled(e->lost.look, &enabled) >= 0 &&
               enabled != SD_EVENT_OFF;
}

static void follow_rotated(PlLogEntry *e);

static void on_moved(void *userdata) {
        PlLogEntry *e = userdata;

        if (e->told.native_files > 0) {
                follow_rotated(e);
                return;
        }
        e->lost.looks = 0;
        (void)look_soon(e, LOOK_USEC);
}

/* Is what its log has left archived when its container is removed? */
static bool keeps(const PlLogEntry *e) {
        return e->wanted.governed && pl_log_keeps(&e->wanted.log) && !e->logs->engine.podman &&
               pl_streq_null(e->told.driver, "json-file");
}

/* One file, that nobody but us rotates. */
static bool is_kept(const PlLogEntry *e) {
        return keeps(e) && e->told.native_files == 0;
}

/* The engine rotates it itself: its size is that of the file that has its name now, and what it
 * has rotated away is held until it deletes that in the course of rotation. */
static void follow_rotated(PlLogEntry *e) {
        int fd;

        if (!keeps(e) || e->logs->dry_run || e->told.native_files == 0)
                pl_rotated_deinit(&e->rotated);
        else if (e->told.path && *e->told.path)
                (void)pl_rotated_look(&e->rotated, e->told.path, e->id, e->told.native_files,
                                      pl_log_keep_bytes(&e->wanted.log, e->logs->budget_bytes));
        if (e->told.native_files == 0 || !e->watched || find_name(e) != ELSEWHERE)
                return;
        fd = pl_log_file_open_path(e->told.path, e->id);
        if (fd >= 0)
                watch_swap(e->watched, fd);
}

/* The service manager keeps its descriptor as long as that is so; and that of a former log, which
 * has no name that would lead to it, until the rest is archived. */
static void store(PlLogEntry *e) {
        bool want = e->watched && !e->logs->dry_run && is_kept(e);

        if (e->rests > 0)
                return;
        if (want && !e->stored)
                e->stored = pl_log_kept_store(e->logs->kept, e->id, e->wanted.group,
                                              e->watched->fd);
        else if (!want && e->stored) {
                pl_log_kept_drop(e->logs->kept, e->id);
                e->stored = false;
        }
}

static void unwatch(PlLogEntry *e) {
        e->watched = watch_remove(e->watched);
        store(e);
}

static void salvage_passed(PlLogEntry *e, int path_fd);

/* The log that it had when plimsolld was here the last time: still the same, or history? It is the
 * same as long as no other one can be opened in its place.
 * @fd: of the one that it has now; -errno. Ownership of both passes. Return: fd or -errno. */
static int take_passed(PlLogEntry *e, int fd, int passed) {
        struct stat now, st;

        if (!is_kept(e) || fstat(passed, &st) < 0) {
                pl_log_kept_drop(e->logs->kept, e->id);
        } else if (fd < 0 ||
                   (fstat(fd, &now) == 0 && now.st_dev == st.st_dev && now.st_ino == st.st_ino)) {
                e->stored = true;
                pl_closep(&fd);
                return passed;
        } else {
                salvage_passed(e, passed);
        }
        (void)close(passed);
        return fd;
}

static void watch(PlLogEntry *e) {
        int fd, passed;

        if (e->watched || !e->told.path || !*e->told.path)
                return;
        fd = pl_log_file_open_path(e->told.path, e->id);
        passed = e->logs->dry_run ? -ENOENT : pl_log_kept_claim(e->logs->kept, e->id, NULL);
        if (passed >= 0)
                fd = take_passed(e, fd, passed);
        if (fd >= 0 &&
            watch_add(e->logs->watch, fd, e->told.path, on_due, on_moved, e, &e->watched) < 0)
                (void)close(fd);
        store(e);
}

/* --- logs that are left to grow for the sake of `docker logs` --- */

#define SWEEP_USEC PL_USEC_PER_MIN /* others fill file systems as well */
#define ENOUGH_PERCENT \
        5 /* above LogPunchBelow=, so that what a hole frees does not end it at once */

/* Space on the file system of a log. Return: false when it cannot be told. */
static bool space_of(const PlLogEntry *e, uint64_t *ret_free, uint64_t *ret_total) {
        struct statvfs v;

        if (!e->watched || fstatvfs(e->watched->fd, &v) < 0)
                return false;
        *ret_free = (uint64_t)v.f_bavail * v.f_frsize;
        *ret_total = ((uint64_t)v.f_blocks - v.f_bfree + v.f_bavail) * v.f_frsize;
        return true;
}

static bool is_left_to_grow(const PlLogEntry *e) {
        return e->wanted.governed && e->found.settled && !e->lost.now && e->told.running &&
               (e->found.why == PL_ROTATE_WHY_SPARED || e->found.why == PL_ROTATE_WHY_HOLED) &&
               e->wanted.log.max_size_bytes != PL_UNLIMITED;
}

/* Above its line, by so much. */
static uint64_t excess_of(const PlLogEntry *e) {
        uint64_t size, line = e->found.head_bytes + e->wanted.log.max_size_bytes;

        return is_left_to_grow(e) && e->watched && watch_size(e->watched, &size, NULL) &&
                                               size > line
                               ? size - line
                               : 0;
}

static uint64_t limit_of_growing(const PlLogEntry *e) {
        uint64_t size, free_bytes, total;

        if (!e->watched || !watch_size(e->watched, &size, NULL) ||
            !space_of(e, &free_bytes, &total))
                return PL_UNLIMITED;
        size = PL_MAX(size, e->found.head_bytes);
        return pl_rotate_look_at(size, e->wanted.log.max_size_bytes, free_bytes, total,
                                 e->logs->punch_below_percent);
}

/* Is there so little room left that holes are the lesser evil? Said before one is made. */
static void look_at_room(PlLogEntry *e) {
        uint64_t free_bytes = 0, total = 0;
        char a[PL_FORMAT_MAX], b[PL_FORMAT_MAX];
        unsigned percent = e->logs->punch_below_percent;
        bool low = space_of(e, &free_bytes, &total) &&
                   pl_rotate_is_low(free_bytes, total,
                                    e->low && percent > 0 ? percent + ENOUGH_PERCENT : percent);

        if (e->low && !low) {
                e->low = false;
                begin(e, false);
        }
        if (!low || e->low || e->busy || excess_of(e) == 0 || e->logs->dry_run)
                return;
        e->low = true;
        report(e, LOG_WARNING, PL_MESSAGE_LOG_FAILED, NULL,
               "its file system has %s of %s free, less than LogPunchBelow=%u%%: its log is "
               "archived "
               "and becomes a hole, at which a full 'docker logs' and '--since' stop ('plimsollctl "
               "logs' shows all)",
               pl_format_bytes(free_bytes, a), pl_format_bytes(total, b), percent);
        begin(e, false);
        sweep_soon(e->logs);
}

/* Return: whether there is something to look at again. */
static bool look_at_rooms(PlLogs *l) {
        bool any = false;
        PlLogEntry *e;

        PL_MAP_FOREACH(e, l->entries) {
                if (is_left_to_grow(e) || e->low)
                        look_at_room(e);
                any |= excess_of(e) > 0 || e->low;
        }
        return any;
}

static int on_sweep(sd_event_source *source, uint64_t usec, void *userdata) {
        PlLogs *l = userdata;

        pl_loop_doing("logs");
        if (look_at_rooms(l) && sd_event_source_set_time_relative(source, SWEEP_USEC) >= 0)
                (void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        return 0;
}

static void sweep_soon(PlLogs *l) {
        int enabled = SD_EVENT_OFF;

        if (!l->sweep) {
                (void)sd_event_add_time_relative(l->event, &l->sweep, CLOCK_MONOTONIC, SWEEP_USEC,
                                                 SWEEP_USEC / 6, on_sweep, l);
                return;
        }
        if (sd_event_source_get_enabled(l->sweep, &enabled) >= 0 && enabled != SD_EVENT_OFF)
                return;
        if (sd_event_source_set_time_relative(l->sweep, SWEEP_USEC) >= 0)
                (void)sd_event_source_set_enabled(l->sweep, SD_EVENT_ONESHOT);
}

/* How large the file may get before a job has something to do. */
static uint64_t limit_of(const PlLogEntry *e) {
        if (e->lost.now)
                return e->wanted.log.max_size_bytes == PL_UNLIMITED
                                       ? PL_UNLIMITED
                                       : e->lost.archived_bytes + e->wanted.log.max_size_bytes;
        if (is_left_to_grow(e))
                return limit_of_growing(e);
        if (choose(e->logs, e).why != PL_ROTATE_WHY_NOT_PROBED ||
            e->found.method == PL_LOG_METHOD_OFF || e->wanted.log.max_size_bytes == PL_UNLIMITED)
                return PL_UNLIMITED;
        return e->found.head_bytes + e->wanted.log.max_size_bytes;
}

/* Whoever may ask for rotations must not throw history away by asking again and again. Return: why
 * it is not done; NULL: it is worth an archive. */
static const char *why_not_now(const PlLogEntry *e) {
        struct stat st;
        uint64_t live;

        if (!e->told.path || stat(e->told.path, &st) < 0 ||
            (uint64_t)st.st_size < e->found.head_bytes)
                return NULL; /* the job tells */
        live = (uint64_t)st.st_size - e->found.head_bytes;
        if (live < ASKED_MIN_BYTES)
                return "there is less than 64.0K that is not archived yet: nothing is done";
        if (e->wanted.log.max_files > 0 && e->found.archived_files >= e->wanted.log.max_files &&
            e->wanted.log.max_size_bytes != PL_UNLIMITED && live < e->wanted.log.max_size_bytes)
                return "LogMaxFiles= archives are there, and this one would push out the oldest "
                       "before its time: nothing is done until LogMaxSize= is reached";
        return NULL;
}

/* Watch it again, or begin the job that was asked for meanwhile. */
static void arm(PlLogEntry *e) {
        bool force = e->force && !why_not_now(e); /* which the job before this may have done */

        if (e->again) {
                e->again = e->force = false;
                begin(e, force);
                return;
        }
        if (!e->lost.now && !is_looking(e))
                watch(e);
        if (e->watched)
                (void)watch_set(e->watched, limit_of(e), e->lost.now ? 0 : e->found.head_bytes);
}

static void expire_at(PlLogs *l, uint64_t sec) {
        if (sec == l->expiry_sec)
                return;
        l->expiry_sec = sec;
        if (sec == PL_TIME_INFINITY) {
                (void)sd_event_source_set_enabled(l->expiry, SD_EVENT_OFF);
                return;
        }
        (void)sd_event_source_set_time(l->expiry, sec * PL_USEC_PER_SEC);
        (void)sd_event_source_set_enabled(l->expiry, SD_EVENT_ONESHOT);
}

/* --- jobs, on the worker --- */

static void job_free(PlLogs *l, Job *j) {
        free(j->request.name);
        free(j->request.path);
        free(j->request.driver);
        free(j->request.service);
        free(j->request.origin);
        free(j->request.title);
        old_file_unref(j->file);
        pl_pool_put(&l->jobs, j);
}

/* A container that another engine has keeps its log; one that was removed does not. */
static bool log_is_there(const PlRotateContext *ctx, const char *id) {
        PlRotateState s = { 0 };
        bool there = pl_log_store_load(ctx->store, id, &s) >= 0 && s.path &&
                     access(s.path, F_OK) == 0;

        pl_rotate_state_deinit(&s);
        return there;
}

/* What a job reads. */
static int file_of(const OldFile *f) {
        return f->joined_fd >= 0 ? f->joined_fd : f->fd;
}

/* Of one that the engine has rotated itself, all that is held is put together first, once. */
static void salvage(Job *j, const PlRotateContext *ctx) {
        OldFile *f = j->file;
        uint64_t dropped = 0;
        int renewed = pl_log_store_renew(ctx->store);

        if (f->rotated.n > 0) {
                f->joined_fd = pl_rotated_join(&f->rotated, ctx->store,
                                               j->request.salvage_max_bytes, &dropped);
                if (f->joined_fd < 0) {
                        (void)pl_log_rotate_retain(ctx, &j->request, 0, &j->outcome);
                        j->outcome.error = f->joined_fd;
                        j->outcome.step = "putting what the engine has rotated together";
                        return;
                }
                pl_rotated_deinit(&f->rotated);
        }
        j->request.joined = f->joined_fd >= 0;
        (void)pl_log_salvage(ctx, &j->request, file_of(f), &j->outcome);
        j->outcome.dropped_bytes += dropped;
        j->outcome.renewed |= renewed > 0;
}

static void run(PlWork *w, const PlRotateContext *ctx) {
        Job *j = PL_CONTAINER_OF(w, Job, work);
        uint64_t start = pl_clock_usec(CLOCK_MONOTONIC);
        int r;

        switch (j->kind) {
        case JOB_ROTATE:
                (void)pl_log_rotate(ctx, &j->request, &j->outcome);
                break;
        case JOB_SALVAGE:
                salvage(j, ctx);
                break;
        case JOB_RETAIN:
                j->outcome.archives.next_expiry_sec = PL_TIME_INFINITY;
                r = pl_log_rotate_retain(ctx, &j->request, 0, &j->outcome);
                j->outcome.error = PL_MIN(r, 0);
                break;
        case JOB_FORGET_IF_GONE:
                if (log_is_there(ctx, j->request.id))
                        break;
                (void)pl_log_store_forget(ctx->store, j->request.id);
                break;
        case JOB_FORGET:
                (void)pl_log_store_forget(ctx->store, j->request.id);
                break;
        }
        j->usec = pl_clock_usec(CLOCK_MONOTONIC) - start;
}

static void say_rotated(PlLogEntry *e, const Job *j) {
        const PlRotateOutcome *o = &j->outcome;
        char lines[24], raw[24], packed[24], msec[24], a[PL_FORMAT_MAX], b[PL_FORMAT_MAX];
        char older[64] = "";
        PlLogField fields[] = {
                { "PLIMSOLL_LOG_LINES", lines },
                { "PLIMSOLL_LOG_BYTES", raw },
                { "PLIMSOLL_LOG_ARCHIVE_BYTES", packed },
                { "PLIMSOLL_LOG_MSEC", msec },
                { "PLIMSOLL_LOG_METHOD", pl_word_of(pl_log_method_words, o->method) },
                { NULL, NULL },
        };
        snprintf(lines, sizeof(lines), "%" PRIu64, o->lines);
        snprintf(raw, sizeof(raw), "%" PRIu64, o->raw_bytes);
        snprintf(packed, sizeof(packed), "%" PRIu64, o->packed_bytes);
        snprintf(msec, sizeof(msec), "%" PRIu64, j->usec / 1000);
        if (o->archives.own > 0)
                (void)snprintf(older, sizeof(older),
                               "; %u older archive%s removed, as its rule says", o->archives.own,
                               pl_plural(o->archives.own));
        if (j->kind == JOB_SALVAGE) {
                report(e, LOG_INFO, PL_MESSAGE_LOG_ROTATED, fields,
                       "%s line%s archived that its log has %s (%s to %s)%s", lines,
                       o->lines == 1 ? "" : "s",
                       e->gone ? "left, its container was removed" : "without its name",
                       pl_format_bytes(o->raw_bytes, a), pl_format_bytes(o->packed_bytes, b),
                       older);
                if (o->dropped_bytes > 0)
                        report(e, LOG_WARNING, PL_MESSAGE_LOG_DROPPED, NULL,
                               "the %s before them are more than LogMaxSize= and LogMaxFiles= "
                               "allow, and were not archived",
                               pl_format_bytes(o->dropped_bytes, a));
                pl_reporter_changed(e->logs->reporter);
                return;
        }
        if (o->raw_bytes > 0)
                report(e, LOG_INFO, PL_MESSAGE_LOG_ROTATED, fields,
                       "%s %s: %s lines, %s to %s (%.1f to 1) in %s ms%s",
                       o->unfreed ? "log archived, and not yet shortened by" : "log rotated by",
                       fields[4].value, lines, pl_format_bytes(o->raw_bytes, a),
                       pl_format_bytes(o->packed_bytes, b),
                       (double)o->raw_bytes / (double)PL_MAX(o->packed_bytes, UINT64_C(1)), msec,
                       older);
        if (o->dropped_bytes > 0)
                report(e, LOG_CRIT, PL_MESSAGE_LOG_DROPPED, fields,
                       "disk full: %s of its log dropped without an archive "
                       "(LogOnFull=drop)",
                       pl_format_bytes(o->dropped_bytes, a));
        pl_reporter_changed(e->logs->reporter);
}

static const char *error_text(int error) {
        switch (error) {
        case -ELOOP:
                return "there is a symbolic link in its place";
        case -EMEDIUMTYPE:
                return "it is not a regular file with one name";
        case -EPERM:
                return "Operation not permitted: has it an attribute that forbids it (lsattr)?";
        case -EINVAL:
                return "its path is not of the engine's form";
        default:
                return strerror(-error);
        }
}

/* --- what came of them, on the loop --- */

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
        begin(userdata, false);
        return 0;
}

static void retry_later(PlLogEntry *e) {
        uint64_t delay = pl_backoff_usec(e->failures, RETRY_MIN_USEC, RETRY_MAX_USEC,
                                         pl_clock_usec(CLOCK_MONOTONIC));

        e->failures++;
        if (e->retry) {
                (void)sd_event_source_set_time_relative(e->retry, delay);
                (void)sd_event_source_set_enabled(e->retry, SD_EVENT_ONESHOT);
                return;
        }
        (void)sd_event_add_time_relative(e->logs->event, &e->retry, CLOCK_MONOTONIC, delay,
                                         PL_USEC_PER_SEC, on_retry, e);
}

/* One journal entry when it begins, none while it lasts. */
static void say_failed(PlLogEntry *e, const PlRotateOutcome *o) {
        bool full = o->error == -ENOSPC || o->error == -EDQUOT;
        char text[256];

        snprintf(text, sizeof(text),
                 full ? "disk full: %s: %s; free some space, lower "
                        "LogArchiveBudget=, or set LogOnFull=drop"
                      : "log not rotated: %s: %s",
                 o->step ?: "working on it", error_text(o->error));
        if (!pl_streq_null(text, e->finding_text))
                report(e, full ? LOG_CRIT : LOG_ERR, PL_MESSAGE_LOG_FAILED, NULL, "%s", text);
        set_finding(e, full ? PL_LOG_FINDING_FULL : PL_LOG_FINDING_FAILED, text);
}

/* --- what there is to say of methods: it lies in the engine and the file system, and would be the
 * same for each of a host's containers, so it is told once, with how many they are --- */

#define NOTICE_USEC  (2 * PL_USEC_PER_SEC) /* containers come in groups */
#define NOTICE_NAMES 3

static bool is_so(const PlLogEntry *e, PlRotateWhy why) {
        return e->wanted.governed && e->found.settled && e->found.why == why;
}

/* What they take above their line now, and what their file system has left: the one that has least.
 */
static void print_room(FILE *f, const PlLogs *l, PlRotateWhy why) {
        uint64_t excess = 0, least = PL_UNLIMITED, least_total = 0, free_bytes, total;
        char a[PL_FORMAT_MAX], b[PL_FORMAT_MAX];
        const PlLogEntry *e;

        PL_MAP_FOREACH(e, l->entries) {
                if (!is_so(e, why))
                        continue;
                excess += excess_of(e);
                if (space_of(e, &free_bytes, &total) && free_bytes < least) {
                        least = free_bytes;
                        least_total = total;
                }
        }
        if (excess > 0 && least_total > 0)
                fprintf(f, "; above LogMaxSize= now: %s; free: %s (%" PRIu64 " %%)",
                        pl_format_bytes(excess, a), pl_format_bytes(least, b),
                        least * 100 / least_total);
}

char *pl_logs_method_finding(const PlLogs *l, PlRotateWhy why) {
        uint64_t n = 0, named = 0;
        const PlLogEntry *e;
        char *text = NULL;
        size_t size = 0;
        FILE *f;

        if (!pl_rotate_why_info(why)->finding)
                return NULL;
        PL_MAP_FOREACH(e, l->entries)
        n += is_so(e, why);
        f = n > 0 ? open_memstream(&text, &size) : NULL;
        if (!f)
                return NULL;
        fprintf(f, "log of %" PRIu64 " container%s (", n, pl_plural(n));
        PL_MAP_FOREACH(e, l->entries) {
                _cleanup_free_ char *name = NULL;

                if (!is_so(e, why) || named == NOTICE_NAMES)
                        continue;
                name = pl_escape(e->told.name, 80);
                fprintf(f, "%s%s", named++ > 0 ? ", " : "", name ?: "?");
        }
        if (n > named)
                fprintf(f, " and %" PRIu64 " more", n - named);
        fprintf(f, "): %s", pl_rotate_why_info(why)->text);
        print_room(f, l, why);
        return pl_take_text(f, &text);
}

/* Once in a daemon's life for each reason and version of the engine: a container that is started
 * every minute is no news. */
static int on_notice(sd_event_source *source, uint64_t usec, void *userdata) {
        PlLogs *l = userdata;

        l->notice = sd_event_source_disable_unref(l->notice);
        for (int why = 0; why < _PL_ROTATE_WHY_N; why++) {
                _cleanup_free_ char *text = NULL;

                text = l->said[why] ? NULL : pl_logs_method_finding(l, why);
                if (!text)
                        continue;
                l->said[why] = true;
                pl_report(l->reporter, &(PlEntry){ .priority = LOG_NOTICE }, "%s", text);
                pl_reporter_changed(l->reporter);
        }
        return 0;
}

static void notice(PlLogs *l) {
        if (!l->notice)
                (void)sd_event_add_time_relative(l->event, &l->notice, CLOCK_MONOTONIC, NOTICE_USEC,
                                                 0, on_notice, l);
}

/* A former log is archived to its end, or cannot be: nobody can reach it any more. */
static void end_rest(PlLogEntry *e, const PlRotateOutcome *o) {
        if (o->error < 0)
                report(e, LOG_CRIT, PL_MESSAGE_LOG_DROPPED, NULL,
                       "what its former log had left, which has no name any more, is dropped: "
                       "%s: %s",
                       o->step ?: "working on it", strerror(-o->error));
        e->rests -= e->rests > 0;
        if (e->rests > 0)
                return;
        if (e->stored) { /* whatever is kept is that of the rest */
                pl_log_kept_drop(e->logs->kept, e->id);
                e->stored = false;
        }
        store(e);
}

static void take_salvaged(PlLogEntry *e, const Job *j) {
        const PlRotateOutcome *o = &j->outcome;

        e->found.archived_bytes = o->archives.bytes;
        e->found.archived_files = o->archives.files;
        e->found.rotations += o->rotations;
        e->found.lines += o->lines;
        if (o->rotations > 0)
                say_rotated(e, j);
        if (j->last) {
                end_rest(e, o);
                return;
        }
        e->busy = false;
        if (e->lost.now)
                e->lost.archived_bytes = o->head_bytes;
        if (o->error < 0)
                retry_later(e);
        else
                arm(e);
}

static void take_outcome(PlLogEntry *e, const Job *j) {
        const PlRotateOutcome *o = &j->outcome;
        bool transient = o->error == -EAGAIN || o->error == -ECANCELED || o->error == -ENOENT;

        e->found.method = o->method;
        e->found.why = o->why;
        e->found.archived_bytes = o->archives.bytes;
        e->found.archived_files = o->archives.files;
        e->found.rotations += o->rotations;
        e->found.lines += o->lines;
        if (o->size_bytes > 0 || o->error == 0) {
                e->found.ino = o->ino;
                e->found.head_bytes = o->head_bytes;
                e->found.size_bytes = o->size_bytes;
                e->found.held_bytes = o->held_bytes;
        }
        if (o->rotations > 0) {
                say_rotated(e, j);
                e->shortened = false;
        }
        if (o->shortened)
                say_shortened(e);
        if (o->error == 0) {
                if (o->later)
                        retry_later(e);
                else {
                        e->failures = 0;
                        if (e->retry)
                                (void)sd_event_source_set_enabled(e->retry, SD_EVENT_OFF);
                }
                if (pl_rotate_why_info(o->why)->finding)
                        notice(e->logs);
                if (!e->lost.now && !e->shortened)
                        set_finding(e, PL_LOG_FINDING_NONE, NULL);
                return;
        }
        if (!transient && !e->lost.now)
                say_failed(e, o);
        if (o->error == -ENOENT && !e->lost.now && !is_looking(e))
                on_moved(e); /* not there, though its container runs? */
        if (o->error != -ENOENT)
                retry_later(e);
}

/* A section was renamed or removed: what holds for the archives that it has left, once. */
static void say_strangers(PlLogs *l) {
        char dir[PL_ARCHIVE_NAME_MAX], age[PL_FORMAT_MAX];
        PlRetainRule rule;
        int r;

        while ((r = pl_log_rules_take_stranger(l->rules, dir, &rule)) > 0) {
                const PlEntry entry = { .priority = LOG_NOTICE, .service = dir };

                if (r == 1)
                        pl_report(l->reporter, &entry,
                                  "no section is called so: its log archives are kept as "
                                  "[Defaults] says, LogMaxFiles=%u LogMaxAge=%s",
                                  rule.max_files, pl_format_sec(rule.max_age_usec, age));
                else
                        pl_report(l->reporter, &entry,
                                  "no section is called so: its log archives are kept as long as "
                                  "LogArchiveBudget= allows, those of containers that are gone 30 "
                                  "days");
        }
}

static void say_ended(const PlLogs *l, unsigned n) {
        if (n > 0)
                pl_report(l->reporter, &(PlEntry){ .priority = LOG_NOTICE },
                          "%u archive%s removed of containers that are gone, 30 days after the "
                          "last "
                          "line; LogMaxAge= says otherwise",
                          n, pl_plural(n));
}

/* What rules let go; a container's own is said with its rotation, where there is one. */
static void say_ruled(const PlLogs *l, const PlRotateOutcome *o) {
        bool with_rotation = o->rotations > 0 && o->raw_bytes > 0;
        unsigned n = o->archives.dropped - o->archives.gone - o->archives.early.n -
                     (with_rotation ? o->archives.own : 0);

        if (n > 0)
                pl_report(l->reporter, &(PlEntry){ .priority = LOG_INFO },
                          "%u log archive%s removed, as LogMaxFiles= and LogMaxAge= say", n,
                          pl_plural(n));
}

/* Nothing is thrown away unsaid: what a rule lets go is said above, the rest here. */
static void say_early(const PlLogs *l, const PlRetainedEarly *early) {
        char bytes[PL_FORMAT_MAX];

        if (early->n == 0)
                return;
        pl_report(l->reporter,
                  &(PlEntry){ .priority = early->promised ? LOG_WARNING : LOG_INFO,
                              .message_id = early->promised ? PL_MESSAGE_LOG_DROPPED : NULL },
                  "%u log archive%s removed%s, %s, of %s%s, which had the most: %s", early->n,
                  pl_plural(early->n),
                  early->promised ? " before LogMaxFiles= and LogMaxAge= would have it" : "",
                  pl_format_bytes(early->bytes, bytes), early->group,
                  early->others ? " and others" : "",
                  early->disk ? "the disk is full" : "LogArchiveBudget= is used up");
}

static void say_renewed(const PlLogs *l) {
        pl_report(l->reporter, &(PlEntry){ .priority = LOG_ERR },
                  "The archive directory of logs was removed or replaced while plimsolld used it: "
                  "it has been made anew, and archives that it held before are missing from "
                  "'plimsollctl logs' unless somebody puts them back");
}

static void done(PlWork *w, void *userdata, bool ran) {
        Job *j = PL_CONTAINER_OF(w, Job, work);
        PlLogs *l = userdata;
        bool of_one = j->kind == JOB_ROTATE || j->kind == JOB_SALVAGE;
        PlLogEntry *e = of_one ? pl_map_get(l->entries, j->request.id) : NULL;
        PlLogEntry *gone = of_one ? pl_map_get(l->gone, j->request.id) : NULL;

        if (ran && j->outcome.renewed) {
                say_renewed(l);
                if (l->renewed.call)
                        l->renewed.call(l->renewed.userdata);
        }

        if (ran && (of_one || j->kind == JOB_RETAIN)) {
                expire_at(l, j->outcome.archives.next_expiry_sec);
                say_strangers(l);
                say_ended(l, j->outcome.archives.gone);
                say_ruled(l, &j->outcome);
                say_early(l, &j->outcome.archives.early);
        }
        if (gone && gone->gone == j->file) {
                if (ran)
                        take_gone(gone, j);
        } else if (e && ran && j->kind == JOB_SALVAGE)
                take_salvaged(e, j);
        else if (gone && ran && j->kind == JOB_ROTATE && j->outcome.rotations > 0)
                say_rotated(gone, j);     /* its container was removed meanwhile */
        else if (ran && j->last && !gone) /* and nobody has asked for anything since */
                pl_log_kept_drop(l->kept, j->request.id);
        else if (e && ran) {
                e->busy = false;
                e->found.settled = true;
                take_outcome(e, j);
                if (j->outcome.error == 0 || e->again)
                        arm(e);
                if (is_left_to_grow(e) && !e->busy) {
                        look_at_room(e);
                        sweep_soon(l);
                }
        }
        if (ran && j->kind == JOB_RETAIN && j->outcome.error < 0)
                pl_log_warning("Cannot drop old archives: %s", strerror(-j->outcome.error));
        job_free(l, j);
}

/* --- beginning them --- */

static Job *job_new(PlLogs *l, JobKind kind) {
        Job *j = pl_pool_get(&l->jobs);

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
        pl_archive_dir_name(e->wanted.service, dir);
        r->name = strdup(e->told.name);
        r->path = strdup(e->told.path ?: "");
        r->driver = strdup(e->told.driver ?: "");
        r->service = strdup(dir);
        r->origin = e->wanted.origin ? strdup(e->wanted.origin) : NULL;
        r->title = e->wanted.title ? strdup(e->wanted.title) : NULL;
        r->facts = facts_of(e->logs, e);
        r->engine_epoch = e->logs->engine.epoch;
        r->on_full = e->wanted.log.on_full;
        r->max_size_bytes = e->wanted.log.max_size_bytes;
        r->force = force;
        if (!r->name || !r->path || !r->driver || !r->service ||
            (e->wanted.origin && !(r->origin && r->title))) {
                job_free(e->logs, j);
                return NULL;
        }
        return j;
}

/* @last: whatever comes of it is for nobody to act upon */
static Job *salvage_job(PlLogEntry *e, bool last) {
        Job *j = e->lost.file ? rotate_job(e, true) : NULL;

        if (!j)
                return NULL;
        j->kind = JOB_SALVAGE;
        j->last = j->request.last = last;
        j->request.salvage_max_bytes = pl_log_keep_bytes(&e->wanted.log, e->logs->budget_bytes);
        j->file = e->lost.file;
        j->file->n_ref++;
        return j;
}

static void begin_rest(PlLogEntry *e) {
        Job *j = salvage_job(e, true);

        if (j) {
                e->rests++;
                pl_log_worker_submit(e->logs->worker, &j->work);
        } else if (e->lost.file)
                report(e, LOG_CRIT, PL_MESSAGE_LOG_DROPPED, NULL,
                       "what its former log had left, which has no name any more, is dropped: "
                       "out of memory");
}

/* Its container has stopped, runs anew or is gone: what the old file has got since is the rest. */
static void salvage_rest(PlLogEntry *e) {
        if (!e->lost.file && e->watched && is_kept(e))
                e->lost.file = old_file_new(e->watched->fd); /* without LogMaxSize=, LogKeep=yes */
        begin_rest(e);
        unwatch(e);
        e->lost.archived_bytes = 0;
        end_lost(e);
}

/* What the log had that was its container's before: another one lies in its place. */
static void salvage_passed(PlLogEntry *e, int path_fd) {
        OldFile *now = e->lost.file;

        e->stored = true; /* until that is done */
        e->lost.file = old_file_new(path_fd);
        begin_rest(e);
        old_file_unref(e->lost.file);
        e->lost.file = now;
}

/*
 * Another file may be its log now. What is held is let go for a file alone that is seen to lie in
 * its place, never because something is not known: a log whose name is gone is one that is being
 * removed, and this is all that is left of it.
 */
static void follow_name(PlLogEntry *e) {
        _cleanup_close_ int fd = e->watched ? pl_log_file_open_path(e->told.path, e->id) : -EBADF;
        struct stat now, st;

        if (fd < 0 || fstat(fd, &now) < 0 || fstat(e->watched->fd, &st) < 0 ||
            (now.st_dev == st.st_dev && now.st_ino == st.st_ino))
                return;
        if (is_kept(e))
                salvage_passed(e, e->watched->fd);
        unwatch(e);
}

/* --- its container was removed --- */

static void begin_forget(PlLogs *l, JobKind kind, const char *id) {
        Job *j = job_new(l, kind);

        if (!j)
                return; /* pruned at the next start */
        memcpy(j->request.id, id, PL_ID_MAX);
        pl_log_worker_submit(l->worker, &j->work);
}

#define GONE_TRIES 5 /* on a full disk: what is held without a name keeps it full */

static void try_gone(PlLogEntry *e) {
        Job *j = rotate_job(e, true);

        if (!j) {
                retry_later(e);
                return;
        }
        j->kind = JOB_SALVAGE;
        j->last = j->request.last = true;
        j->request.salvage_max_bytes = pl_log_keep_bytes(&e->wanted.log, e->logs->budget_bytes);
        j->file = e->gone;
        j->file->n_ref++;
        pl_log_worker_submit(e->logs->worker, &j->work);
}

/* The record goes last: it tells how far the log is archived, as long as somebody can read on. */
static void end_gone(PlLogEntry *e) {
        PlLogs *l = e->logs;

        (void)pl_map_remove(l->gone, e->id);
        pl_log_kept_drop(l->kept, e->id);
        begin_forget(l, JOB_FORGET, e->id);
        entry_free(e);
}

static void take_gone(PlLogEntry *e, const Job *j) {
        const PlRotateOutcome *o = &j->outcome;
        char a[PL_FORMAT_MAX], b[PL_FORMAT_MAX];

        if (o->lines > 0)
                say_rotated(e, j);
        else if (o->dropped_bytes > 0)
                report(e, LOG_WARNING, PL_MESSAGE_LOG_DROPPED, NULL,
                       "its container was removed, and the %s that its log had left were not "
                       "archived",
                       pl_format_bytes(o->dropped_bytes, a));
        if (o->error < 0 && e->failures < GONE_TRIES) {
                if (e->failures == 0)
                        report(e, LOG_ERR, PL_MESSAGE_LOG_FAILED, NULL,
                               "its container was removed, and the rest of its log is not archived "
                               "yet: %s: %s",
                               o->step ?: "working on it", strerror(-o->error));
                retry_later(e);
                return;
        }
        if (o->error < 0) {
                struct stat st;

                report(e, LOG_CRIT, PL_MESSAGE_LOG_DROPPED, NULL,
                       "its container was removed, and the rest of its log, %s, is dropped: %s: %s",
                       fstat(file_of(e->gone), &st) == 0
                                       ? pl_format_bytes((uint64_t)st.st_size -
                                                                         PL_MIN(o->head_bytes,
                                                                                (uint64_t)st.st_size),
                                                         b)
                                       : "?",
                       o->step ?: "working on it", strerror(-o->error));
        }
        end_gone(e);
}

/* Return: whether the entry is ours now: the rest of its log is being archived. @file: ownership
 * passes in any case; NULL: it cannot be opened */
static bool begin_gone(PlLogEntry *e, OldFile *file) {
        int r = file ? pl_map_put(e->logs->gone, e->id, e) : -errno;

        if (r < 0) {
                report(e, LOG_ERR, PL_MESSAGE_LOG_DROPPED, NULL,
                       "its container was removed, and the rest of its log is lost: %s",
                       strerror(-r));
                old_file_unref(file);
                return false;
        }
        set_finding(e, PL_LOG_FINDING_NONE, NULL);
        e->watched = watch_remove(e->watched); /* who is kept stays so until the end */
        if (e->lost.look)
                (void)sd_event_source_set_enabled(e->lost.look, SD_EVENT_OFF);
        if (e->retry)
                (void)sd_event_source_set_enabled(e->retry, SD_EVENT_OFF);
        e->failures = 0;
        e->gone = file;
        try_gone(e);
        return true;
}

static bool is_anything_left(PlLogEntry *e) {
        follow_rotated(e);
        return e->lost.file || (e->watched && is_kept(e)) || e->rotated.n > 0;
}

/* Return: NULL when out of memory or descriptors, with errno. */
static OldFile *take_what_is_left(PlLogEntry *e) {
        OldFile *f;

        if (e->lost.file)
                return TAKE_PTR(e->lost.file);
        f = old_file_new(e->rotated.n > 0 ? e->rotated.files[0].fd : e->watched->fd);
        if (!f)
                return NULL;
        f->rotated = e->rotated;
        e->rotated = (PlRotatedFiles){ 0 };
        return f;
}

static const PlLogPolicy *policy_of(const PlLogs *l, const char *dir) {
        char name[PL_ARCHIVE_NAME_MAX];

        for (size_t i = 0; l->policy && i < l->policy->n_services; i++) {
                pl_archive_dir_name(l->policy->services[i]->name, name);
                if (pl_streq(name, dir))
                        return &l->policy->services[i]->log;
        }
        return l->policy && l->policy->defaults ? &l->policy->defaults->log : NULL;
}

/* An entry as it was, of a container that was removed while plimsolld was away.
 * @group: "<service>/<container>" */
static PlLogEntry *entry_of_kept(PlLogs *l, const char *id, const char *group) {
        const char *slash = strchr(group, '/');
        PlLogEntry *e = slash ? calloc(1, sizeof(*e)) : NULL;
        char defaults[PL_ARCHIVE_NAME_MAX];
        _cleanup_free_ char *dir = NULL;
        const PlLogPolicy *p;

        if (!e)
                return NULL;
        e->logs = l;
        memcpy(e->id, id, PL_ID_MAX);
        dir = strndup(group, (size_t)(slash - group));
        e->told.name = strdup(slash + 1);
        e->told.driver = strdup("json-file");
        pl_archive_dir_name(NULL, defaults);
        if (dir && !pl_streq(dir, defaults))
                e->wanted.service = strdup(dir);
        if (!dir || !e->told.name) {
                entry_free(e);
                return NULL;
        }
        p = policy_of(l, dir);
        if (p)
                e->wanted.log = *p;
        else
                e->wanted.log.max_size_bytes = PL_UNLIMITED;
        e->wanted.governed = true;
        return e;
}

/* The engine does not know its container, and plimsolld was not here when it was removed. One that
 * has its name still was not removed: it is another engine's. Return: whether the rest of its log
 * is being archived. */
static bool take_left(PlLogs *l, const char *id) {
        _cleanup_(pl_rotated_deinit) PlRotatedFiles rotated = { 0 };
        _cleanup_free_ char *group = NULL;
        _cleanup_close_ int fd = pl_log_kept_claim(l->kept, id, &group);
        int named = fd;
        PlLogEntry *e;
        struct stat st;

        if (fd < 0 && pl_log_kept_claim_rotated(l->kept, id, &rotated, &group) >= 0)
                named = rotated.files[0].fd;
        if (named < 0)
                return false;
        e = group && fstat(named, &st) == 0 && st.st_nlink == 0 ? entry_of_kept(l, id, group)
                                                                : NULL;
        if (e) {
                e->rotated = rotated;
                rotated = (PlRotatedFiles){ 0 };
                if (begin_gone(e, fd >= 0 ? old_file_new(fd) : take_what_is_left(e)))
                        return true;
        }
        entry_free(e);
        pl_log_kept_drop(l->kept, id);
        return false;
}

static void begin(PlLogEntry *e, bool force) {
        Job *j;

        if (e->gone) {
                try_gone(e);
                return;
        }
        if (e->busy) {
                e->again = true;
                e->force |= force;
                return;
        }
        if (e->logs->dry_run) {
                if (!e->dry_run_said && e->wanted.governed)
                        report(e, LOG_INFO, NULL, NULL,
                               "dry run: its log would be watched and rotated");
                e->dry_run_said = true;
                return;
        }
        if (e->lost.now && !e->lost.file)
                return;
        j = e->lost.now ? salvage_job(e, false) : rotate_job(e, force);
        if (!j) {
                retry_later(e);
                return;
        }
        e->busy = true;
        if (e->watched) /* what the job does to it is its own */
                (void)watch_set(e->watched, PL_UNLIMITED, 0);
        pl_log_worker_submit(e->logs->worker, &j->work);
}

static void begin_retain(PlLogs *l) {
        Job *j;

        if (l->dry_run)
                return;
        j = job_new(l, JOB_RETAIN);
        if (j)
                pl_log_worker_submit(l->worker, &j->work);
}

static int on_expiry(sd_event_source *source, uint64_t usec, void *userdata) {
        PlLogs *l = userdata;

        l->expiry_sec = PL_TIME_INFINITY;
        begin_retain(l);
        return 0;
}

/* --- for the manager --- */

static gid_t find_group(void) {
        const struct group *g = getgrnam("plimsoll");

        return g ? g->gr_gid : (gid_t)-1;
}

int pl_logs_new(sd_event *event, const char *archive_dir, const PlReporter *reporter,
                void (*renewed)(void *userdata), void *userdata, PlLogs **ret) {
        _cleanup_(pl_logs_freep) PlLogs *l = calloc(1, sizeof(*l));
        _cleanup_(pl_log_store_freep) PlLogStore *store = NULL;
        int r;

        if (!l)
                return -ENOMEM;
        l->event = sd_event_ref(event);
        l->reporter = reporter;
        l->jobs = PL_POOL_INIT(&l->jobs, Job);
        l->renewed.call = renewed;
        l->renewed.userdata = userdata;
        l->budget_bytes = PL_UNLIMITED;
        l->expiry_sec = PL_TIME_INFINITY;
        l->entries = pl_map_new();
        l->gone = pl_map_new();
        l->rules = pl_log_rules_new();
        l->kept = pl_log_kept_new();
        if (!l->entries || !l->gone || !l->rules || !l->kept)
                return -ENOMEM;
        r = pl_log_store_open(archive_dir, true, find_group(), &store);
        if (r >= 0)
                r = watch_new(event, &l->watch);
        if (r >= 0)
                r = sd_event_add_time(event, &l->expiry, CLOCK_REALTIME, 0, PL_USEC_PER_MIN,
                                      on_expiry, l);
        if (r < 0)
                return r;
        (void)sd_event_source_set_enabled(l->expiry, SD_EVENT_OFF);
        l->time = pl_log_time_new(store);
        r = l->time ? pl_log_worker_new(event, store, l->time, l, &l->worker) : -ENOMEM;
        if (r < 0)
                return r;
        l->store = TAKE_PTR(store); /* the worker's now */
        *ret = TAKE_PTR(l);
        return 0;
}

PlLogs *pl_logs_free(PlLogs *l) {
        PlLogEntry *e;

        if (!l)
                return NULL;
        l->worker = pl_log_worker_free(l->worker);
        pl_log_time_free(l->time);
        if (l->entries)
                PL_MAP_FOREACH(e, l->entries) {
                        if (e->rotated.n > 0)
                                pl_log_kept_store_rotated(l->kept, e->id, e->wanted.group,
                                                          &e->rotated);
                        entry_free(e);
                }
        if (l->gone)
                PL_MAP_FOREACH(e, l->gone)
        entry_free(e);
        pl_map_free(l->entries);
        pl_map_free(l->gone);
        pl_log_kept_free(l->kept);
        pl_policy_unref(l->policy);
        free(l->root);
        pl_log_rules_free(l->rules);
        watch_free(l->watch);
        sd_event_source_disable_unref(l->expiry);
        sd_event_source_disable_unref(l->notice);
        sd_event_source_disable_unref(l->sweep);
        sd_event_unref(l->event);
        pl_pool_deinit(&l->jobs);
        free(l);
        return NULL;
}

PlLogTime *pl_logs_time(const PlLogs *l) {
        return l->time;
}

void pl_logs_set_engine(PlLogs *l, const PlEngineInfo *info) {
        unsigned major = info ? (unsigned)strtoul(info->version, NULL, 10) : 0;
        unsigned before = l->engine.major;
        PlLogEntry *e;

        l->engine.podman = info && info->podman;
        l->engine.major = l->engine.podman && major == 0 ? 1 : major;
        if (l->engine.major != before)
                l->engine.epoch = pl_log_worker_engine_changed(l->worker, l->engine.major == 0);
        /* What was known of a container may have changed while the engine was away (an adoption
         * makes its log native): leave it alone until pl_logs_update() comes. */
        if (l->engine.major == 0) {
                PL_MAP_FOREACH(e, l->entries)
                e->told.stale = true;
        }
        if (l->engine.major > 0 && l->engine.major != l->engine.last_major) {
                l->engine.last_major = l->engine.major;
                memset(l->said, 0, sizeof(l->said));
                PL_MAP_FOREACH(e, l->entries)
                begin(e, false);
                return;
        }
        PL_MAP_FOREACH(e, l->entries)
        if (!e->busy && e->found.settled)
                arm(e);
}

static void tell_sections(PlLogs *l, const PlPolicy *policy) {
        _cleanup_free_ PlLogSectionRule *rules = calloc(policy->n_services + 1, sizeof(*rules));
        size_t n = 0;

        for (size_t i = 0; rules && i <= policy->n_services; i++) {
                const PlService *s =
                                i < policy->n_services ? policy->services[i] : policy->defaults;

                if (s)
                        rules[n++] = (PlLogSectionRule){
                                s->name, { s->log.max_files, s->log.max_age_usec }
                        };
        }
        if (!rules || pl_log_rules_set_sections(l->rules, rules, n) < 0)
                pl_log_warning("Cannot tell how long archives are kept of whom: out of memory");
}

void pl_logs_set_policy(PlLogs *l, PlPolicy *policy, bool dry_run) {
        l->budget_bytes = policy->daemon.log_archive_budget_bytes;
        l->punch_below_percent = policy->daemon.log_punch_below_percent;
        (void)look_at_rooms(l);
        l->dry_run = dry_run;
        pl_policy_unref(l->policy);
        l->policy = pl_policy_ref(policy);
        tell_sections(l, policy);
        begin_retain(l);
}

/* Return: 1 changed, 0 not, -ENOMEM. */
static int take_string(char **s, const char *value) {
        char *copy;

        if (pl_streq_null(*s, value))
                return 0;
        copy = value ? strdup(value) : NULL;
        if (value && !copy)
                return -ENOMEM;
        free(*s);
        *s = copy;
        return 1;
}

static const char *log_option(const PlContainer *c, const char *key) {
        for (size_t i = 0; i < c->log.n_options; i++)
                if (pl_streq(c->log.options[i].key, key))
                        return c->log.options[i].value;
        return NULL;
}

/* Files that the engine keeps of a log that it rotates; without max-file, one that it truncates.
 * 0: it does not rotate it. */
static unsigned native_files_of(const PlContainer *c) {
        const char *size = log_option(c, "max-size"), *files = log_option(c, "max-file");

        if (!size || pl_streq(size, "-1"))
                return 0;
        return files ? (unsigned)PL_MIN(PL_MAX(strtoul(files, NULL, 10), 1UL), 10000UL) : 1;
}

static int take_group(PlLogEntry *e) {
        char dir[PL_ARCHIVE_NAME_MAX], container[PL_ARCHIVE_NAME_MAX];
        char group[2 * PL_ARCHIVE_NAME_MAX];

        pl_archive_dir_name(e->wanted.service, dir);
        pl_archive_container_name(e->told.name, container);
        snprintf(group, sizeof(group), "%s/%s", dir, container);
        return take_string(&e->wanted.group, group);
}

/* of what no section governs */
static const PlLogPolicy left_alone = { .method = PL_LOG_METHOD_OFF,
                                        .max_size_bytes = PL_UNLIMITED,
                                        .max_age_usec = PL_TIME_INFINITY,
                                        .keep = PL_LOG_KEEP_NO };

/* Compose gives a container that it is about to replace the name "<its id>_<its name>". Sources:
 * docker/compose, pkg/compose/convergence.go; compose 1, compose/container.py. */
static const char *own_name(const PlContainer *c) {
        const size_t digits = 12;
        const char *name = c->name ?: c->id;

        return strncmp(name, c->id, digits) == 0 && name[digits] == '_' && name[digits + 1]
                               ? name + digits + 1
                               : name;
}

static int take_facts(PlLogEntry *e, const PlContainer *c, const char *service,
                      const PlLogPolicy *p) {
        PlIdentity of = { 0 };
        bool known = pl_identity_of(service, c, &of);
        PlLogEntry old = *e;
        const struct {
                char **to;
                const char *from;
        } strings[] = {
                { &e->told.name, own_name(c) },
                /* an answer may be older than its start: what is known is not taken back */
                { &e->told.path, c->log.path && *c->log.path ? c->log.path : e->told.path },
                { &e->told.driver, c->log.driver },
                { &e->wanted.service, service },
                { &e->wanted.origin, known ? of.origin : e->wanted.origin },
                { &e->wanted.title, known ? of.title : e->wanted.title },
        };
        int changed = e->told.guessed && c->log.path && *c->log.path, r;
        bool moved = false;

        if (changed)
                e->told.guessed = false;
        for (size_t i = 0; i < PL_ARRAY_SIZE(strings); i++) {
                r = take_string(strings[i].to, strings[i].from);
                if (r < 0)
                        return r;
                moved |= r > 0 && strings[i].to == &e->told.path;
                changed |= r;
        }
        r = take_group(e);
        if (r < 0)
                return r;
        if (r > 0)
                e->stored = false; /* under a name of its own */
        e->told.native_files = native_files_of(c);
        e->told.live = pl_container_is_live(c);
        if (e->told.started_usec != c->started_usec) {
                e->shortened = false;
                moved = true; /* the engine makes a log anew where there is none */
        }
        e->told.started_usec = c->started_usec;
        e->told.running = pl_container_is_live(c) || c->phase == PL_PHASE_RESTARTING ||
                          c->phase == PL_PHASE_UNKNOWN;
        e->wanted.governed = p;
        e->wanted.log = p ? *p : left_alone;
        if (moved)
                follow_name(e);
        /* a log that nobody looks after is the same whether anything runs */
        return changed || old.told.native_files != e->told.native_files ||
               (old.told.running != e->told.running &&
                choose(e->logs, e).why == PL_ROTATE_WHY_NOT_PROBED) ||
               old.wanted.governed != e->wanted.governed ||
               !pl_log_policy_equal(&old.wanted.log, &e->wanted.log);
}

static int tell_rule(const PlLogEntry *e) {
        const PlRetainRule rule = { e->wanted.log.max_files, e->wanted.log.max_age_usec };

        if (e->wanted.governed)
                return pl_log_rules_set(e->logs->rules, e->id, e->wanted.group, &rule);
        pl_log_rules_remove(e->logs->rules, e->id);
        return 0;
}

/* ".../<id>/<id>-json.log" */
static void learn_root(PlLogs *l, const PlLogEntry *e) {
        size_t n = e->told.path ? strlen(e->told.path) : 0;
        const size_t tail = sizeof("/") - 1 + 2 * (PL_ID_MAX - 1) + sizeof("/-json.log") - 1;

        if (!l->root && e->watched && n > tail)
                l->root = strndup(e->told.path, n - tail);
}

void pl_logs_started(PlLogs *l, const char *id) {
        PlLogEntry *e = pl_map_get(l->entries, id);
        _cleanup_close_ int fd = -EBADF;
        _cleanup_free_ char *path = NULL;

        if (!e || e->watched || e->lost.now || !l->root || (e->told.path && *e->told.path) ||
            !keeps(e) || asprintf(&path, "%s/%s/%s-json.log", l->root, id, id) < 0)
                return;
        fd = pl_log_file_open_path(path, id);
        if (fd < 0)
                return;
        free(e->told.path);
        e->told.path = TAKE_PTR(path);
        e->told.guessed = true;
        watch(e);
        follow_rotated(e);
}

int pl_logs_update(PlLogs *l, const PlContainer *c, const char *service,
                   const PlLogPolicy *policy) {
        PlLogEntry *e = pl_map_get(l->entries, c->id);
        uint64_t size, ino;
        int r;

        if (!e) {
                e = calloc(1, sizeof(*e));
                if (!e)
                        return -ENOMEM;
                e->logs = l;
                memcpy(e->id, c->id, PL_ID_MAX);
                r = pl_map_put(l->entries, e->id, e);
                if (r < 0) {
                        entry_free(e);
                        return r;
                }
        }
        if (e->lost.now && (!pl_container_is_live(c) || c->started_usec != e->told.started_usec))
                salvage_rest(e);
        r = take_facts(e, c, service, policy);
        if (r < 0 || (r > 0 && tell_rule(e) < 0))
                return -ENOMEM;
        if (e->told.stale) {
                e->told.stale = false;
                r = 1;
        }
        if (e->watched && e->found.ino > 0 && !e->lost.now && !is_looking(e) &&
            watch_size(e->watched, &size, &ino) && ino != e->found.ino) {
                follow_name(e);
                r = 1;
        }
        if (e->lost.now)
                (void)look_soon(e, LOOK_USEC);
        if (!e->lost.now && !is_looking(e))
                watch(e); /* at once: it may be gone when a job has looked at it */
        follow_rotated(e);
        if (e->rotated.n > 0)
                pl_log_kept_drop(l->kept, e->id); /* what was passed of them is known better now */
        store(e);
        learn_root(l, e);
        if (r > 0 || !e->found.settled ||
            (!e->watched && choose(l, e).why == PL_ROTATE_WHY_NOT_PROBED))
                begin(e, false);
        return 0;
}

void pl_logs_remove(PlLogs *l, const char *id, bool gone) {
        PlLogEntry *e = pl_map_remove(l->entries, id);

        if (e)
                pl_log_rules_remove(l->rules, id);
        /* it was passed to us, and no inspection has come to tell of its log */
        if (gone && !l->dry_run && take_left(l, id)) {
                entry_free(e);
                return;
        }
        if (!e)
                return;
        if (gone && !l->dry_run && is_anything_left(e) && begin_gone(e, take_what_is_left(e)))
                return;
        if (e->lost.now)
                salvage_rest(e);
        unwatch(e);
        set_finding(e, PL_LOG_FINDING_NONE, NULL);
        entry_free(e);
        if (gone && !l->dry_run)
                begin_forget(l, JOB_FORGET, id);
}

void pl_logs_prune(PlLogs *l, bool (*keep)(void *userdata, const char *id), void *userdata) {
        _cleanup_free_ char(*ids)[PL_ID_MAX] = NULL, (*left)[PL_ID_MAX] = NULL;
        size_t n = 0;

        if (l->dry_run)
                return;
        if (pl_log_kept_ids(l->kept, &left, &n) >= 0)
                for (size_t i = 0; i < n; i++)
                        if (!keep(userdata, left[i]))
                                (void)take_left(l, left[i]);
        if (pl_log_store_states(l->store, &ids, &n) < 0)
                return;
        for (size_t i = 0; i < n; i++)
                if (!keep(userdata, ids[i]) && !pl_map_get(l->gone, ids[i]))
                        begin_forget(l, JOB_FORGET_IF_GONE, ids[i]);
        pl_log_rules_complete(l->rules);
        begin_retain(l);
}

int pl_logs_rotate_now(PlLogs *l, const char *id, const char **ret_why) {
        PlLogEntry *e = pl_map_get(l->entries, id);
        PlRotateChoice c;

        if (!e)
                return -ENOENT;
        c = choose(l, e);
        if (c.why == PL_ROTATE_WHY_NOT_PROBED && e->found.settled &&
            e->found.method == PL_LOG_METHOD_OFF)
                c.why = e->found.why;
        *ret_why = l->dry_run ? "dry run" : pl_rotate_why_info(c.why)->text;
        if (c.why == PL_ROTATE_WHY_ENGINE_UNKNOWN)
                return -EBUSY;
        if (c.why != PL_ROTATE_WHY_NOT_PROBED || l->dry_run)
                return -EOPNOTSUPP;
        if (e->lost.now || (e->told.live && find_name(e) != HERE)) {
                on_moved(e);
                *ret_why = e->lost.now ? e->finding_text
                                       : "its log is not where the engine has put it";
                return -EOPNOTSUPP;
        }
        *ret_why = why_not_now(e);
        if (*ret_why)
                return -ENODATA;
        begin(e, true);
        return 0;
}

static const char *method_word(const PlLogs *l, const PlLogEntry *e) {
        PlRotateChoice c = choose(l, e);

        if (c.why == PL_ROTATE_WHY_NATIVE)
                return "native";
        if (c.why == PL_ROTATE_WHY_DRIVER)
                return e->told.driver ?: "unknown";
        return pl_word_of(pl_log_method_words,
                          e->found.settled ? e->found.method : PL_LOG_METHOD_AUTO);
}

static uint64_t bound_of(const PlLogEntry *e, const PlRotateChoice *c) {
        if (c->why == PL_ROTATE_WHY_NATIVE || c->why == PL_ROTATE_WHY_DRIVER)
                return 0;
        if (e->found.settled && e->found.method == PL_LOG_METHOD_OFF &&
            pl_rotate_why_info(e->found.why)->finding)
                return PL_UNLIMITED; /* nobody bounds it */
        if (e->wanted.log.max_size_bytes == PL_UNLIMITED || e->wanted.log.max_files == 0 ||
            e->wanted.log.max_size_bytes > PL_UNLIMITED / 2 / e->wanted.log.max_files)
                return PL_UNLIMITED;
        return e->wanted.log.max_size_bytes * e->wanted.log.max_files;
}

/* What it took when a job looked, and what has come since. */
static uint64_t held_of(const PlLogEntry *e, uint64_t size_bytes) {
        if (e->found.held_bytes == 0 || size_bytes < e->found.size_bytes)
                return PL_UNLIMITED;
        return e->found.held_bytes + size_bytes - e->found.size_bytes;
}

bool pl_logs_status(const PlLogs *l, const char *id, PlLogStatus *ret) {
        const PlLogEntry *e = pl_map_get(l->entries, id);
        PlRotateChoice c;
        uint64_t size = 0;

        if (!e)
                return false;
        c = choose(l, e);
        if (e->watched)
                (void)watch_size(e->watched, &size, NULL);
        *ret = (PlLogStatus){
                .path = e->told.path && *e->told.path ? e->told.path : NULL,
                .method = method_word(l, e),
                .why = pl_rotate_why_info(c.why == PL_ROTATE_WHY_NOT_PROBED && e->found.settled
                                                          ? e->found.why
                                                          : c.why)
                                       ->text,
                .size_bytes = size > e->found.head_bytes ? size - e->found.head_bytes : 0,
                .held_bytes = held_of(e, size),
                .max_size_bytes = e->wanted.log.max_size_bytes,
                .bound_bytes = bound_of(e, &c),
                .archived_bytes = e->found.archived_bytes,
                .archived_files = e->found.archived_files,
                .rotations = e->found.rotations,
                .lines = e->found.lines,
                .finding = e->finding,
                .finding_text = e->finding_text,
        };
        return true;
}
