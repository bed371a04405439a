/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Outbox: see the header.
 *
 * What is in a queue is decided here and by lib/notify; when something of it is due for sending is
 * decided by the same function in plimsolld, which then wakes the sender, and in the sender. Where
 * a path unit starts that, each file that is written wakes it; otherwise it is our child.
 */

#include "notify/outbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fs.h"
#include "lib/base/json.h"
#include "lib/base/message.h"
#include "lib/base/strv.h"
#include "lib/base/unit.h"
#include "lib/docker/identity.h"
#include "lib/notify/filter.h"

#define GATHER_USEC   PL_USEC_PER_SEC
#define WRITE_USEC    (5 * PL_USEC_PER_SEC)  /* between two writes */
#define RETRY_USEC    (10 * PL_USEC_PER_SEC) /* after one that failed */
#define KICK_USEC     (30 * PL_USEC_PER_SEC) /* between two calls for the sender */
#define NET_USEC      PL_USEC_PER_MIN        /* look again, whatever happens */
#define ACCURACY_USEC (50 * PL_USEC_PER_MSEC)
/* Sending fails when it has failed so often, or when nobody has tried for so long. */
#define FAILURES  3
#define IDLE_USEC (3 * PL_USEC_PER_MIN)

#define SUFFIX     ".json"
#define NAME_BYTES (PL_SERVICE_NAME_MAX + sizeof(SUFFIX) + 1)
#define PROGRAM    "plimsoll-notify"
#define ENGINE     "@engine" /* in place of a service in trouble */

/* One section. */
typedef struct Box {
        const PlNotifySection *section; /* borrowed from the policy */
        PlNotifyQueue *queue;
        PlNotifyFilter *filter;
        PlNotifyProgress progress;
        uint64_t dirty_usec;   /* CLOCK_BOOTTIME, since when the file is older; 0: it is not */
        uint64_t waiting_usec; /* …, since when something is due and nobody tries; 0: not so */
        bool failing;          /* said */
} Box;

/* A file to be written, and what became of it. */
typedef struct Job {
        char name[NAME_BYTES];
        char *text;
        int error;
} Job;

struct PlOutbox {
        PlRegistry *registry;
        PlPolicy *policy; /* a reference, whose sections the boxes have; NULL: none yet */
        PlOutboxOptions options;
        char *dir, *progress_dir;
        int dir_fd;
        bool active;     /* no dry run */
        bool was_active; /* … before this policy */
        Box *boxes;
        size_t n_boxes;

        sd_event_source *timer, *written, *inotify;
        uint64_t write_usec; /* CLOCK_BOOTTIME, not before */
        uint64_t kick_usec;  /* … */
        pthread_t thread;
        int thread_fd; /* an eventfd: it has ended */
        Job *jobs;     /* the thread's until then; NULL: there is none */
        size_t n_jobs;
        bool write_failed; /* said */

        sd_event_source *child;
        pid_t child_pid;
        bool spawn_failed; /* said */
};

static uint64_t now_of(const PlOutbox *o) {
        return pl_clock_usec(CLOCK_BOOTTIME);
}

static void arm(PlOutbox *o);

static void touch(PlOutbox *o, Box *b) {
        if (b->dirty_usec == 0)
                b->dirty_usec = now_of(o);
        arm(o);
}

static Box *box_of(const PlOutbox *o, const char *section) {
        for (size_t i = 0; i < o->n_boxes; i++)
                if (pl_streq(o->boxes[i].section->name, section))
                        return &o->boxes[i];
        return NULL;
}

static void name_of(const PlNotifySection *s, char buf[static NAME_BYTES]) {
        (void)snprintf(buf, NAME_BYTES, "%s" SUFFIX, s->name);
}

/* --- files: one thread for each write, so that none waits for the disk while nothing is written */

static void *write_all(void *userdata) {
        PlOutbox *o = userdata;
        sigset_t all;

        (void)sigfillset(&all);
        (void)pthread_sigmask(SIG_BLOCK, &all, NULL);
        for (size_t i = 0; i < o->n_jobs; i++)
                o->jobs[i].error = pl_fs_replace(o->dir_fd, o->jobs[i].name, o->jobs[i].text,
                                                 strlen(o->jobs[i].text), 0644, true);
        (void)!write(o->thread_fd, &(uint64_t){ 1 }, sizeof(uint64_t));
        return NULL;
}

/* Takes over what became of the files. */
static void finish(PlOutbox *o) {
        int error = 0;

        for (size_t i = 0; i < o->n_jobs; i++) {
                char *dot = strrchr(o->jobs[i].name, '.');
                Box *b;

                *dot = '\0';
                b = box_of(o, o->jobs[i].name);
                if (!b) { /* its section went meanwhile */
                        *dot = '.';
                        (void)unlinkat(o->dir_fd, o->jobs[i].name, 0);
                } else if (o->jobs[i].error < 0) {
                        error = o->jobs[i].error;
                        b->dirty_usec = b->dirty_usec ?: now_of(o);
                }
                free(o->jobs[i].text);
        }
        free(TAKE_PTR(o->jobs));
        o->n_jobs = 0;
        o->write_usec = now_of(o) + (error < 0 ? RETRY_USEC : WRITE_USEC);
        if (error < 0 && !o->write_failed)
                pl_report(o->registry->reporter,
                          &(PlEntry){ .priority = LOG_ERR,
                                      .message_id = PL_MESSAGE_NOTIFY_FAILED,
                                      .reason = strerror(-error) },
                          "cannot write what people are to be told to %s (%s); trying again",
                          o->dir, strerror(-error));
        o->write_failed = error < 0;
}

/* Return: were there any? */
static bool take_jobs(PlOutbox *o) {
        o->jobs = calloc(o->n_boxes + 1, sizeof(*o->jobs));
        o->n_jobs = 0;
        for (size_t i = 0; o->jobs && i < o->n_boxes; i++) {
                Box *b = &o->boxes[i];
                Job *j = &o->jobs[o->n_jobs];

                if (b->dirty_usec == 0)
                        continue;
                (void)pl_notify_queue_trim(b->queue, &b->progress);
                if (pl_notify_queue_format(b->queue, b->section, &j->text) < 0)
                        continue; /* out of memory: the next round */
                name_of(b->section, j->name);
                b->dirty_usec = 0;
                o->n_jobs++;
        }
        if (o->n_jobs == 0)
                free(TAKE_PTR(o->jobs));
        return o->n_jobs > 0;
}

static void begin_write(PlOutbox *o) {
        if (o->jobs || !o->active || !take_jobs(o))
                return;
        if (pthread_create(&o->thread, NULL, write_all, o) == 0)
                return;
        /* no thread to be had just now */
        for (size_t i = 0; i < o->n_jobs; i++)
                o->jobs[i].error = -EAGAIN;
        finish(o);
}

/* --- the sender --- */

static void read_progress(PlOutbox *o, Box *b) {
        _cleanup_free_ char *path = NULL, *text = NULL;
        PlNotifyProgress p;
        size_t size;

        if (asprintf(&path, "%s/%s" SUFFIX, o->progress_dir, b->section->name) < 0) {
                path = NULL;
                return;
        }
        if (pl_fs_read(AT_FDCWD, path, KIB(16), &text, &size) < 0 ||
            pl_notify_progress_parse(text, size, &p) < 0)
                return;
        if (p.tried_usec != b->progress.tried_usec || p.test_id != b->progress.test_id)
                b->waiting_usec = 0;
        b->progress = p;
        (void)pl_notify_queue_trim(b->queue, &b->progress);
}

static bool test_waits(const Box *b) {
        return b->queue->test_id >
               (pl_streq(b->progress.id, b->queue->id) ? b->progress.test_id : 0);
}

/* CLOCK_REALTIME; 0: nothing is. */
static uint64_t due_of(const Box *b, uint64_t realtime_usec) {
        return test_waits(b) ? realtime_usec
                             : pl_notify_due(b->queue, &b->section->quiet, &b->progress,
                                             realtime_usec);
}

static bool is_failing(const Box *b, uint64_t now_usec) {
        return b->progress.failures >= FAILURES ||
               (b->waiting_usec > 0 && b->waiting_usec + IDLE_USEC <= now_usec);
}

static char *why_failing(const PlOutbox *o, const Box *b) {
        char span[PL_FORMAT_MAX];
        uint64_t now = pl_clock_usec(CLOCK_REALTIME), since = b->progress.failing_usec;
        char *text;
        int r;

        if (b->progress.failures >= FAILURES)
                r = asprintf(&text, "[Notify %s]: nothing is sent for %s: %s; %zu message%s wait%s",
                             b->section->name, pl_format_sec(now - PL_MIN(since, now), span),
                             b->progress.reason, b->queue->n, pl_plural(b->queue->n),
                             b->queue->n == 1 ? "s" : "");
        else
                r = asprintf(&text, "[Notify %s]: nobody sends what waits; %s", b->section->name,
                             o->options.unit_state_dir ? "systemctl status plimsoll-notify.path "
                                                         "plimsoll-notify.service says why"
                                                       : PROGRAM
                                             " is not found beside plimsolld, or does not "
                                             "start");
        return r < 0 ? NULL : text;
}

/* Each change is told once. */
static void tell_failing(PlOutbox *o, Box *b) {
        bool failing = is_failing(b, now_of(o));
        _cleanup_free_ char *why = NULL;

        if (failing == b->failing)
                return;
        b->failing = failing;
        why = failing ? why_failing(o, b) : NULL;
        if (failing)
                pl_report(o->registry->reporter,
                          &(PlEntry){ .priority = LOG_ERR,
                                      .message_id = PL_MESSAGE_NOTIFY_FAILED,
                                      .reason = b->progress.reason },
                          "%s", why ?: "");
        else
                pl_report(o->registry->reporter,
                          &(PlEntry){ .priority = LOG_NOTICE,
                                      .message_id = PL_MESSAGE_NOTIFY_WORKS },
                          "[Notify %s]: messages are sent again", b->section->name);
        pl_reporter_changed(o->registry->reporter);
}

static void look(PlOutbox *o) {
        for (size_t i = 0; i < o->n_boxes; i++) {
                read_progress(o, &o->boxes[i]);
                tell_failing(o, &o->boxes[i]);
        }
        arm(o);
}

static int on_progress(sd_event_source *source, const struct inotify_event *e, void *userdata) {
        look(userdata);
        return 0;
}

/* The directory is the sender's, and may come later. */
static void watch(PlOutbox *o) {
        if (!o->inotify && sd_event_add_inotify(o->registry->event, &o->inotify, o->progress_dir,
                                                IN_MOVED_TO | IN_ONLYDIR, on_progress, o) < 0)
                o->inotify = NULL; /* the timer looks, too */
}

static int on_child(sd_event_source *source, const siginfo_t *si, void *userdata) {
        PlOutbox *o = userdata;

        o->child = sd_event_source_disable_unref(o->child);
        o->child_pid = 0;
        o->kick_usec = now_of(o) + PL_USEC_PER_SEC;
        look(o);
        return 0;
}

/* Beside plimsolld. Return: owned by the caller; NULL: not to be found out. */
static char *program_path(void) {
        char self[4096], *slash, *path;
        ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

        if (n <= 0)
                return NULL;
        self[n] = '\0';
        slash = strrchr(self, '/');
        if (!slash)
                return NULL;
        *slash = '\0';
        return asprintf(&path, "%s/" PROGRAM, self) < 0 ? NULL : path;
}

static int spawn_with(const char *path, char *const *argv, pid_t *ret) {
        posix_spawnattr_t attr;
        sigset_t none, defaults;
        int r = posix_spawnattr_init(&attr);

        if (r != 0)
                return -r;
        (void)sigemptyset(&none);
        (void)sigemptyset(&defaults);
        (void)sigaddset(&defaults, SIGPIPE);
        (void)posix_spawnattr_setsigmask(&attr, &none);
        (void)posix_spawnattr_setsigdefault(&attr, &defaults);
        (void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
        r = posix_spawn(ret, path, NULL, &attr, argv, environ);
        (void)posix_spawnattr_destroy(&attr);
        return -r;
}

static void start_child(PlOutbox *o) {
        _cleanup_free_ char *path = program_path();
        char *argv[] = { (char *)PROGRAM,  (char *)"--queue", o->dir,
                         (char *)"--sent", o->progress_dir,   NULL };
        int r = path ? spawn_with(path, argv, &o->child_pid) : -ENOMEM;

        if (r >= 0)
                r = sd_event_add_child(o->registry->event, &o->child, o->child_pid, WEXITED,
                                       on_child, o);
        if (r < 0 && !o->spawn_failed)
                pl_report(o->registry->reporter,
                          &(PlEntry){ .priority = LOG_ERR,
                                      .message_id = PL_MESSAGE_NOTIFY_FAILED,
                                      .reason = strerror(-r) },
                          "cannot start %s (%s): nobody is told anything", path ?: PROGRAM,
                          strerror(-r));
        o->spawn_failed = r < 0;
}

/* Wakes the sender, where something is due. */
static void kick(PlOutbox *o, uint64_t now_usec) {
        uint64_t realtime = pl_clock_usec(CLOCK_REALTIME);
        bool due = false, call = o->kick_usec <= now_usec;

        for (size_t i = 0; i < o->n_boxes; i++) {
                Box *b = &o->boxes[i];
                uint64_t at = due_of(b, realtime);
                bool is_due = at > 0 && at <= realtime;

                due = due || is_due;
                b->waiting_usec = is_due ? b->waiting_usec ?: now_usec : 0;
                /* written anew, which its path unit sees */
                if (is_due && call && o->options.unit_state_dir && b->dirty_usec == 0)
                        b->dirty_usec = now_usec;
                tell_failing(o, b);
        }
        if (!due)
                return;
        watch(o);
        if (!call)
                return;
        o->kick_usec = now_usec + KICK_USEC;
        if (!o->options.unit_state_dir && !o->child)
                start_child(o);
}

/* --- time --- */

static void take_held(PlOutbox *o, uint64_t now_usec) {
        for (size_t i = 0; i < o->n_boxes; i++) {
                Box *b = &o->boxes[i];
                PlNotifyEvent *e;

                while ((e = pl_notify_filter_take(b->filter, b->section->cooldown_usec,
                                                  now_usec))) {
                        (void)pl_notify_queue_push(b->queue, e);
                        b->dirty_usec = b->dirty_usec ?: now_of(o);
                }
        }
}

/* When there is something to do for a box; PL_TIME_INFINITY: never. */
static uint64_t next_of(const PlOutbox *o, const Box *b, uint64_t now_usec) {
        uint64_t realtime = pl_clock_usec(CLOCK_REALTIME), at = due_of(b, realtime),
                 next = pl_notify_filter_due(b->filter, b->section->cooldown_usec)
                                        ?: PL_TIME_INFINITY;

        if (o->jobs) /* their end brings a look */
                return next;
        if (b->dirty_usec > 0)
                return PL_MIN(next, PL_MAX(b->dirty_usec + GATHER_USEC, o->write_usec));
        if (at > realtime)
                return PL_MIN(next, now_usec + PL_MIN(at - realtime, NET_USEC));
        return at > 0 ? PL_MIN(next, o->kick_usec) : next;
}

static void arm(PlOutbox *o) {
        uint64_t due = PL_TIME_INFINITY, now = now_of(o);

        for (size_t i = 0; o->active && i < o->n_boxes; i++)
                due = PL_MIN(due, next_of(o, &o->boxes[i], now));
        if (due != PL_TIME_INFINITY)
                (void)sd_event_source_set_time(o->timer, due);
        (void)sd_event_source_set_enabled(o->timer, due != PL_TIME_INFINITY ? SD_EVENT_ONESHOT
                                                                            : SD_EVENT_OFF);
}

static void work(PlOutbox *o) {
        uint64_t now = now_of(o);
        bool write = false;

        take_held(o, now);
        for (size_t i = 0; i < o->n_boxes; i++) {
                Box *b = &o->boxes[i];

                write = write || (b->dirty_usec > 0 && b->dirty_usec + GATHER_USEC <= now);
                if (b->queue->n > 0 || test_waits(b))
                        read_progress(o, b);
        }
        if (write && o->write_usec <= now)
                begin_write(o);
        if (!o->jobs)
                kick(o, now);
        arm(o);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        work(userdata);
        return 0;
}

static int on_written(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        PlOutbox *o = userdata;
        uint64_t n;

        (void)!read(fd, &n, sizeof(n));
        (void)pthread_join(o->thread, NULL);
        finish(o);
        /* the file is the call, where a path unit sees it */
        if (o->options.unit_state_dir)
                o->kick_usec = now_of(o) + KICK_USEC;
        work(o);
        return 0;
}

/* --- what happens --- */

static const char *field_of(const PlEntry *entry, const char *name) {
        for (const PlLogField *f = entry->fields; f && f->name; f++)
                if (pl_streq(f->name, name))
                        return f->value;
        return NULL;
}

static char **find_trouble(const Box *b, const char *name) {
        char **v = b->queue->troubles;

        while (v && *v && !pl_streq(*v, name))
                v++;
        return v && *v ? v : NULL;
}

static bool in_trouble(const Box *b, const char *name) {
        return name && find_trouble(b, name);
}

static void forget_trouble(Box *b, const char *name) {
        char **v = name ? find_trouble(b, name) : NULL;

        if (!v)
                return;
        free(*v);
        do
                v[0] = v[1];
        while (*v++);
}

/* Who is told to be in trouble is to be told to be well. */
static void note_trouble(Box *b, const char *who) {
        if (who && !in_trouble(b, who))
                if (pl_strv_append(&b->queue->troubles, PL_NOTIFY_TROUBLES_MAX, who) == -E2BIG) {
                        forget_trouble(b, b->queue->troubles[0]);
                        (void)pl_strv_append(&b->queue->troubles, PL_NOTIFY_TROUBLES_MAX, who);
                }
}

static bool is_trouble_here(const Box *b, PlNotifyKind kind) {
        uint32_t all = 0;

        for (PlNotifyKind k = 0; k < _PL_NOTIFY_KIND_N; k++)
                all |= pl_notify_is_trouble(k) ? UINT32_C(1) << k : 0;
        /* who wants to hear of no trouble, but of its end, hears of the end of each */
        return ((b->section->on & all) ?: all) & UINT32_C(1) << kind;
}

/* Whose it is, and what to call that. */
typedef struct Subject {
        const char *service, *container, *key;
        PlIdentity identity;
} Subject;

static void subject_of(const PlOutbox *o, const PlEntry *entry, Subject *ret) {
        const PlSubject *s =
                        entry->container_id ? pl_map_get(o->registry->subjects, entry->container_id)
                                            : NULL;

        *ret = (Subject){ .service = entry->service, .container = entry->container_name };
        ret->key = ret->service ?: ret->container ?: "";
        if (!s || !s->facts || !pl_identity_of(entry->service, s->facts, &ret->identity))
                return;
        ret->key = ret->identity.key;
        ret->service = ret->service ?: ret->identity.title;
}

static void hand_in(PlOutbox *o, Box *b, PlNotifyKind kind, const Subject *who, const char *text) {
        const char *name = who->container ?: who->service;
        _cleanup_free_ char *full = NULL;
        PlNotifyEvent *e;

        if (asprintf(&full, "%s%s%s", name ?: "", name ? ": " : "", text) < 0) {
                full = NULL;
                return;
        }
        e = pl_notify_event_new(kind, pl_clock_usec(CLOCK_REALTIME), who->service, who->container,
                                full);
        if (e)
                e = pl_notify_filter_add(b->filter, who->key, e, b->section->cooldown_usec,
                                         now_of(o));
        if (e) {
                (void)pl_notify_queue_push(b->queue, e);
                touch(o, b);
        }
        arm(o);
}

static void tell_box(PlOutbox *o, Box *b, const PlEntry *entry, const Subject *who,
                     const char *text) {
        bool known = in_trouble(b, who->container) || in_trouble(b, entry->service);
        PlNotifyKind kind = pl_notify_kind_of(entry->message_id, entry->priority,
                                              field_of(entry, "PLIMSOLL_HEALTH"), known);

        if (kind == _PL_NOTIFY_KIND_N)
                return;
        if (kind == PL_NOTIFY_ENGINE_BACK && !in_trouble(b, ENGINE))
                return;
        if (kind == PL_NOTIFY_ENGINE_LOST)
                note_trouble(b, ENGINE);
        else if (kind == PL_NOTIFY_ENGINE_BACK)
                forget_trouble(b, ENGINE);
        else if (kind == PL_NOTIFY_RECOVERED) {
                forget_trouble(b, who->container);
                forget_trouble(b, entry->service);
        } else if (is_trouble_here(b, kind))
                note_trouble(b, who->container ?: entry->service);
        if (pl_notify_section_wants(b->section, kind, who->service, who->container))
                hand_in(o, b, kind, who, text);
        else if (kind == PL_NOTIFY_RECOVERED)
                touch(o, b);
}

void pl_outbox_entry(PlOutbox *o, const PlEntry *entry, const char *text) {
        Subject who;

        if (!o->active || o->n_boxes == 0 || !entry->message_id || entry->priority > LOG_INFO)
                return;
        subject_of(o, entry, &who);
        for (size_t i = 0; i < o->n_boxes; i++)
                tell_box(o, &o->boxes[i], entry, &who, text);
}

int pl_outbox_test(PlOutbox *o, const char *section, uint64_t *ret_id) {
        Box *b = box_of(o, section);

        if (!b)
                return -ENOENT;
        if (!o->active)
                return -EROFS;
        read_progress(o, b);
        b->queue->test_id = PL_MAX(b->queue->test_id, b->progress.test_id) + 1;
        *ret_id = b->queue->test_id;
        o->kick_usec = o->write_usec = 0;
        b->dirty_usec = 1; /* without the wait for others */
        arm(o);
        return 0;
}

/* --- who asks --- */

static bool put_time(json_t *j, const char *key, uint64_t usec) {
        return pl_json_put(j, key, usec > 0 ? json_integer((json_int_t)usec) : json_null());
}

static json_t *box_to_json(const PlOutbox *o, const Box *b) {
        const PlNotifyProgress *p = &b->progress;
        uint64_t now = pl_clock_usec(CLOCK_REALTIME);
        json_t *j = json_pack("{s:s,s:s,s:s*,s:s*,s:b,s:I,s:I,s:s,s:b,s:I,s:I,s:s}", "section",
                              b->section->name, "format", pl_notify_format_word(b->section->format),
                              "url", b->section->url, "credential", b->section->credential,
                              "dry_run", (int)!o->active, "waiting", (json_int_t)b->queue->n,
                              "dropped", (json_int_t)b->queue->dropped, "reason", p->reason,
                              "failing", (int)is_failing(b, now_of(o)), "test_id",
                              (json_int_t)b->queue->test_id, "test_done_id",
                              (json_int_t)(test_waits(b) ? 0 : p->test_id), "test_reason",
                              p->test_reason);

        if (j && put_time(j, "sent_usec", p->sent_usec) &&
            put_time(j, "tried_usec", p->tried_usec) &&
            put_time(j, "retry_usec", p->retry_usec > now ? p->retry_usec : 0) &&
            put_time(j, "failing_since_usec", p->failing_usec) &&
            put_time(j, "quiet_until_usec", pl_quiet_until(&b->section->quiet, now)))
                return j;
        json_decref(j);
        return NULL;
}

json_t *pl_outbox_list(PlOutbox *o) {
        json_t *list = json_array();

        for (size_t i = 0; list && i < o->n_boxes; i++) {
                read_progress(o, &o->boxes[i]);
                if (json_array_append_new(list, box_to_json(o, &o->boxes[i])) < 0) {
                        json_decref(list);
                        return NULL;
                }
        }
        return list;
}

char *pl_outbox_finding(PlOutbox *o, size_t i) {
        for (size_t k = 0; o && k < o->n_boxes; k++)
                if (o->boxes[k].failing && i-- == 0)
                        return why_failing(o, &o->boxes[k]);
        return NULL;
}

/* --- life --- */

static PlNotifyQueue *new_queue(void) {
        char id[PL_NOTIFY_ID_MAX], host[256] = "";
        uint64_t random = pl_clock_usec(CLOCK_REALTIME);

        (void)!getrandom(&random, sizeof(random), GRND_NONBLOCK);
        (void)snprintf(id, sizeof(id), "%016" PRIx64, random);
        (void)gethostname(host, sizeof(host) - 1);
        return pl_notify_queue_new(id, host);
}

/* What an earlier plimsolld has left; else an empty one. */
static PlNotifyQueue *load_queue(PlOutbox *o, const PlNotifySection *s) {
        PlNotifySection *before = NULL;
        _cleanup_free_ char *text = NULL;
        PlNotifyQueue *q = NULL;
        char name[NAME_BYTES];
        size_t size;
        int r;

        name_of(s, name);
        r = pl_fs_read(o->dir_fd, name, PL_NOTIFY_FILE_MAX, &text, &size);
        if (r >= 0)
                r = pl_notify_queue_parse(text, size, &q, &before);
        pl_notify_section_free(before);
        if (r < 0 && r != -ENOENT)
                pl_report(o->registry->reporter,
                          &(PlEntry){ .priority = LOG_WARNING,
                                      .message_id = PL_MESSAGE_NOTIFY_FAILED },
                          "what [Notify %s] had still to tell is lost: its queue in %s cannot be "
                          "read",
                          s->name, o->dir);
        return q ?: new_queue();
}

static void box_deinit(Box *b) {
        pl_notify_queue_free(b->queue);
        pl_notify_filter_free(b->filter);
}

/* Of the section's box of before, if there was one. */
static int box_init(PlOutbox *o, Box *b, const PlNotifySection *s) {
        Box *before = o->was_active ? box_of(o, s->name) : NULL;

        if (before) {
                *b = *before;
                before->queue = NULL;
                before->filter = NULL;
        } else {
                b->filter = pl_notify_filter_new();
                b->queue = o->active ? load_queue(o, s) : new_queue();
        }
        b->section = s;
        return b->queue && b->filter ? 0 : -ENOMEM;
}

static bool has_section(const PlOutbox *o, const char *file) {
        for (size_t i = 0; i < o->n_boxes; i++) {
                char name[NAME_BYTES];

                name_of(o->boxes[i].section, name);
                if (pl_streq(name, file))
                        return true;
        }
        return false;
}

/* Queues of sections that are no more, and what a crash has left half written: at the start, for
 * later it may be half written by us. */
static void clean(PlOutbox *o) {
        int fd = openat(o->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
        const struct dirent *e;

        if (!dir) {
                pl_closep(&fd);
                return;
        }
        while ((e = readdir(dir))) {
                const char *dot = strchr(e->d_name, '.') ? strrchr(e->d_name, '.') : "";

                if ((pl_streq(dot, SUFFIX) && !has_section(o, e->d_name)) ||
                    (!o->policy && pl_streq(dot, ".new")))
                        (void)unlinkat(o->dir_fd, e->d_name, 0);
        }
        (void)closedir(dir);
}

/* Others may read in it, and whoever cannot get past the directory above cannot. */
static int make_directories(PlOutbox *o) {
        if (o->dir_fd >= 0)
                return 0;
        if (mkdir(o->dir, 0755) < 0 && errno != EEXIST)
                return -errno;
        if (!o->options.unit_state_dir && mkdir(o->progress_dir, 0755) < 0 && errno != EEXIST)
                return -errno;
        o->dir_fd = open(o->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (o->dir_fd < 0 || fchmod(o->dir_fd, 0755) < 0)
                return -errno;
        return 0;
}

static void end_write(PlOutbox *o) {
        if (!o->jobs)
                return;
        (void)pthread_join(o->thread, NULL);
        finish(o);
}

void pl_outbox_set_policy(PlOutbox *o) {
        PlPolicy *policy = o->registry->policy;
        size_t n = policy->n_notifies;
        Box *boxes = calloc(n + 1, sizeof(*boxes));
        int r = boxes ? 0 : -ENOMEM;

        o->was_active = o->active;
        o->active = n > 0 && !pl_registry_is_dry_run(o->registry);
        /* where there is no section any more, queues may be there still */
        if (r >= 0 && !pl_registry_is_dry_run(o->registry) &&
            (o->active || access(o->dir, F_OK) == 0))
                r = make_directories(o);
        for (size_t i = 0; i < n && r >= 0; i++)
                r = box_init(o, &boxes[i], policy->notifies[i]);
        if (r < 0) {
                pl_report(o->registry->reporter,
                          &(PlEntry){ .priority = LOG_ERR,
                                      .message_id = PL_MESSAGE_NOTIFY_FAILED,
                                      .reason = strerror(-r) },
                          "[Notify] sections are not served (%s)", strerror(-r));
                n = 0;
                o->active = false;
        }
        for (size_t i = 0; i < o->n_boxes; i++)
                box_deinit(&o->boxes[i]);
        free(o->boxes);
        o->boxes = boxes;
        o->n_boxes = n;
        if (o->dir_fd >= 0 && !pl_registry_is_dry_run(o->registry) && r >= 0)
                clean(o);
        pl_policy_unref(o->policy);
        o->policy = pl_policy_ref(policy);
        for (size_t i = 0; o->active && i < n; i++) {
                PlNotifyQueue *q = boxes[i].queue;

                read_progress(o, &boxes[i]);
                /* a loss of power may have taken the last write, which was sent already */
                if (pl_streq(q->id, boxes[i].progress.id))
                        q->last_id = PL_MAX(q->last_id, boxes[i].progress.acked);
                touch(o, &boxes[i]);
        }
        arm(o);
}

int pl_outbox_new(PlRegistry *registry, const PlOutboxOptions *options, PlOutbox **ret) {
        PlOutbox *o = calloc(1, sizeof(*o));
        int r = 0;

        if (!o)
                return -ENOMEM;
        o->registry = registry;
        o->options = *options;
        o->dir_fd = -EBADF;
        if (asprintf(&o->dir, "%s/notify", options->state_dir) < 0)
                o->dir = NULL;
        if (options->unit_state_dir)
                o->progress_dir = strdup(options->unit_state_dir);
        else if (asprintf(&o->progress_dir, "%s/notify/sent", options->state_dir) < 0)
                o->progress_dir = NULL;
        o->thread_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (!o->dir || !o->progress_dir)
                r = -ENOMEM;
        else if (o->thread_fd < 0)
                r = -errno;
        if (r >= 0)
                r = sd_event_add_time(registry->event, &o->timer, CLOCK_BOOTTIME, 0, ACCURACY_USEC,
                                      on_timer, o);
        if (r >= 0)
                r = sd_event_source_set_enabled(o->timer, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_io(registry->event, &o->written, o->thread_fd, EPOLLIN, on_written,
                                    o);
        if (r < 0) {
                pl_outbox_free(o);
                return r;
        }
        *ret = o;
        return 0;
}

/* Nothing waits for the loop any more, so this may wait for the disk. */
static void write_rest(PlOutbox *o) {
        end_write(o);
        take_held(o, UINT64_MAX);
        if (!o->active || !take_jobs(o))
                return;
        (void)write_all(o);
        finish(o);
}

PlOutbox *pl_outbox_free(PlOutbox *o) {
        if (!o)
                return NULL;
        write_rest(o);
        if (o->child_pid > 0 && o->child) {
                /* what it is about to send waits for the next plimsolld */
                (void)kill(o->child_pid, SIGTERM);
                o->child = sd_event_source_disable_unref(o->child);
                (void)waitpid(o->child_pid, NULL, 0);
        }
        sd_event_source_disable_unref(o->timer);
        sd_event_source_disable_unref(o->written);
        sd_event_source_disable_unref(o->inotify);
        pl_closep(&o->thread_fd);
        pl_closep(&o->dir_fd);
        for (size_t i = 0; i < o->n_boxes; i++)
                box_deinit(&o->boxes[i]);
        free(o->boxes);
        pl_policy_unref(o->policy);
        free(o->dir);
        free(o->progress_dir);
        free(o);
        return NULL;
}
