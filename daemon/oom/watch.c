/* SPDX-License-Identifier: Apache-2.0 */

/*
 * OOM watch: see the header. The group's own counter shows a kill, the kernel log explains it, and
 * it is reported when the log has told all or its time is up.
 */

#include "oom/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/fs.h"
#include "base/journal.h"
#include "cgroup/read.h"
#include "lib/base/map.h"
#include "lib/base/quote.h"
#include "lib/base/unit.h"
#include "lib/oom/kmsg.h"
#include "oom/group.h"

/* ---- the kernel log ---- */

/*
 * The OOM killer's records, read only when somebody asks.
 *
 * From /dev/kmsg where it can be opened. A service without CAP_SYSLOG cannot (dmesg_restrict,
 * ProtectKernelLogs=); it reads journald's copy. Without either, reports do not name the victim,
 * which is said once. The descriptor stays open where we stopped reading; the kernel keeps the
 * records for us.
 */

typedef struct PlKmsg PlKmsg;

static PlKmsg *kmsg_free(PlKmsg *k);

/* Kills that nobody has asked for yet. Those of other groups stay until newer ones push them out.
 */
#define KILLS_MAX  32
#define FAULTS_MAX 32
/* A process with a large core ends long after its line; a pid is not another one's so soon. The
 * kernel's clock differs from CLOCK_MONOTONIC by seconds. */
#define FAULT_USEC         (5 * PL_USEC_PER_MIN)
#define DELAY_DEVICE_USEC  (100 * PL_USEC_PER_MSEC)
#define DELAY_JOURNAL_USEC (150 * PL_USEC_PER_MSEC)
/* In one poll: several times what the kernel's ring holds. */
#define RECORDS_MAX 20000

struct PlKmsg {
        int fd;
        sd_journal *journal; /* open while records are awaited */
        char *cursor;        /* of the journal's entry read last */
        uint64_t since_usec; /* CLOCK_REALTIME, until there is a cursor */
        bool journal_failed;
        PlKmsgFold fold;
        PlKmsgRecord record;
        struct {
                PlKmsgKill kill;
                bool taken;
        } kills[KILLS_MAX];
        unsigned n_kills;               /* ever */
        PlKmsgFault faults[FAULTS_MAX]; /* a ring; pid 0: taken */
        unsigned n_faults;              /* ever */
};

/* systemd's OpenFile=/dev/kmsg:kmsg: without CAP_SYSLOG we may read it, but not open it. Return: a
 * descriptor, owned by the caller; -ENOENT. */
static int passed(void) {
        char **names = NULL;
        int n = sd_listen_fds_with_names(false, &names), fd = -ENOENT;

        for (int i = 0; i < n; i++) {
                struct stat st;

                if (pl_streq(names[i], "kmsg") && fstat(SD_LISTEN_FDS_START + i, &st) >= 0 &&
                    S_ISCHR(st.st_mode))
                        fd = SD_LISTEN_FDS_START + i;
                free(names[i]);
        }
        free(names);
        if (fd >= 0 && fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
                return -errno;
        return fd;
}

/* Skips what was logged before. @path: "/dev/kmsg". Return: 0, -ENOMEM. */
static int kmsg_new(const char *path, PlKmsg **ret) {
        PlKmsg *k = calloc(1, sizeof(*k));

        if (!k)
                return -ENOMEM;
        k->fd = passed();
        if (k->fd < 0)
                k->fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
        if (k->fd < 0)
                pl_log_debug("Cannot read %s (%s); reading the journal instead", path,
                             strerror(errno));
        else
                (void)lseek(k->fd, 0, SEEK_END);
        k->since_usec = pl_clock_usec(CLOCK_REALTIME);
        *ret = k;
        return 0;
}

static PlKmsg *kmsg_free(PlKmsg *k) {
        if (!k)
                return NULL;
        pl_closep(&k->fd);
        if (k->journal)
                sd_journal_close(k->journal);
        free(k->cursor);
        free(k);
        return NULL;
}

/* The kernel limits its reports to ten in five seconds, but not the line that names the victim.
 * Dead or not, the victim is still in /proc for a moment. */
static void find_group(PlKmsgKill *kill) {
        _cleanup_free_ char *text = NULL;
        char path[32], *line, *rest;

        (void)snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)kill->pid);
        if (pl_fs_read(AT_FDCWD, path, KIB(64), &text, NULL) < 0)
                return;
        rest = text;
        while ((line = strsep(&rest, "\n")) != NULL) {
                char *controllers = strchr(line, ':'), *group;

                group = controllers ? strchr(controllers + 1, ':') : NULL;
                if (!group || (!pl_startswith(line, "0::") && !strstr(controllers, "memory:")))
                        continue;
                (void)snprintf(kill->group, sizeof(kill->group), "%s", group + 1);
                if (!pl_startswith(line, "0::"))
                        return; /* v1's memory hierarchy decides where there is one */
        }
}

static void take_fault(PlKmsg *k, uint64_t monotonic_usec) {
        PlKmsgFault *f = &k->faults[k->n_faults % FAULTS_MAX];

        if (!pl_kmsg_fault(&k->record, f))
                return;
        f->clock_usec = monotonic_usec;
        if (++k->n_faults == 2 * FAULTS_MAX)
                k->n_faults = FAULTS_MAX;
}

/* @monotonic_usec: about when it was written, CLOCK_MONOTONIC */
static void take_record(PlKmsg *k, uint64_t monotonic_usec) {
        PlKmsgKill *slot = &k->kills[k->n_kills % KILLS_MAX].kill;

        if (!pl_kmsg_fold(&k->fold, &k->record, slot)) {
                take_fault(k, monotonic_usec);
                return;
        }
        if (!slot->group[0])
                find_group(slot);
        k->kills[k->n_kills % KILLS_MAX].taken = false;
        if (++k->n_kills == 2 * KILLS_MAX)
                k->n_kills = KILLS_MAX;
}

static void poll_device(PlKmsg *k) {
        char buf[KIB(8)]; /* CONSOLE_EXT_LOG_MAX: a record is never larger */

        for (unsigned i = 0; i < RECORDS_MAX; i++) {
                ssize_t n = read(k->fd, buf, sizeof(buf));

                /* EPIPE: records were overwritten before we read them; their sequence has a gap */
                if (n < 0 && (errno == EINTR || errno == EPIPE))
                        continue;
                if (n <= 0)
                        return;
                if (pl_kmsg_parse(buf, (size_t)n, &k->record) == 0)
                        take_record(k, k->record.clock_usec);
        }
}

/* Nobody waits for records any more: close what reading needs. */
static void kmsg_rest(PlKmsg *k) {
        if (k->journal)
                sd_journal_close(k->journal);
        k->journal = NULL;
}

static int open_journal(PlKmsg *k) {
        int r;

        if (k->journal)
                return 0;
        r = sd_journal_open(&k->journal, SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM);
        if (r >= 0 && sd_journal_has_runtime_files(k->journal) <= 0 &&
            sd_journal_has_persistent_files(k->journal) <= 0)
                r = -ENOENT;
        if (r >= 0)
                r = sd_journal_add_match(k->journal, "_TRANSPORT=kernel", 0);
        if (r >= 0)
                r = k->cursor ? sd_journal_seek_cursor(k->journal, k->cursor)
                              : sd_journal_seek_realtime_usec(k->journal, k->since_usec);
        if (r >= 0 && k->cursor)
                r = sd_journal_next(k->journal); /* the one read last */
        if (r >= 0)
                r = sd_journal_get_fd(k->journal); /* so that new files are noticed */
        if (r >= 0)
                return 0;
        kmsg_rest(k);
        if (!k->journal_failed)
                pl_log_notice("Neither the kernel log nor a journal can be read (%s): reports of "
                              "OOM kills do not tell which process was killed",
                              strerror(-r));
        k->journal_failed = true;
        return r;
}

static void poll_journal(PlKmsg *k) {
        bool any = false;

        if (open_journal(k) < 0)
                return;
        (void)sd_journal_process(k->journal);
        for (unsigned i = 0; i < RECORDS_MAX && sd_journal_next(k->journal) > 0; i++) {
                const void *data;
                size_t size;
                const size_t key = strlen("MESSAGE=");
                uint64_t at = 0;

                any = true;
                if (sd_journal_get_data(k->journal, "MESSAGE", &data, &size) < 0 || size < key)
                        continue;
                /* journald has cut prefix and facility off. What processes write to /dev/kmsg is
                 * not _TRANSPORT=kernel there, so it cannot be mistaken */
                k->record = (PlKmsgRecord){
                        .from_kernel = true,
                        .sequence = k->fold.last_sequence + 1,
                };
                (void)snprintf(k->record.text, sizeof(k->record.text), "%.*s", (int)(size - key),
                               (const char *)data + key);
                /* of another boot: it has none here */
                (void)sd_journal_get_monotonic_usec(k->journal, &at, NULL);
                take_record(k, at);
        }
        if (any) {
                free(k->cursor);
                k->cursor = NULL;
                (void)sd_journal_get_cursor(k->journal, &k->cursor);
        }
}

/* Read what is new. */
static void kmsg_poll(PlKmsg *k) {
        if (k->fd >= 0)
                poll_device(k);
        else
                poll_journal(k);
}

/* A kill in a container that nobody has taken yet. Return: true and *ret. */
static bool kmsg_take(PlKmsg *k, const char *id, PlKmsgKill *ret) {
        unsigned n = PL_MIN(k->n_kills, (unsigned)KILLS_MAX);

        for (unsigned i = k->n_kills - n; i < k->n_kills; i++) {
                if (k->kills[i % KILLS_MAX].taken ||
                    !pl_kmsg_is_about(&k->kills[i % KILLS_MAX].kill, id))
                        continue;
                k->kills[i % KILLS_MAX].taken = true;
                *ret = k->kills[i % KILLS_MAX].kill;
                return true;
        }
        return false;
}

/* Return: whether there is one, in the last minutes; it is nobody else's then. */
static bool kmsg_take_fault(PlKmsg *k, pid_t pid, PlKmsgFault *ret) {
        uint64_t now = pl_clock_usec(CLOCK_MONOTONIC);

        for (unsigned i = 0; pid > 0 && i < FAULTS_MAX; i++) {
                uint64_t at = k->faults[i].clock_usec;

                if (k->faults[i].pid != pid || (at > now ? at - now : now - at) > FAULT_USEC)
                        continue;
                *ret = k->faults[i];
                k->faults[i].pid = 0;
                return true;
        }
        return false;
}

/* How long after the kill its line may still be missing, in usec: the kernel writes it at once,
 * journald on a busy host takes a while. */
static uint64_t kmsg_delay(const PlKmsg *k) {
        return k->fd >= 0 ? DELAY_DEVICE_USEC : DELAY_JOURNAL_USEC;
}

/* ---- systemd-oomd's journal ---- */

/* Kills are rare, so few are kept; ends of longer ago are nobody's news. */
#define OOMD_MAX       16
#define OOMD_BACK_USEC PL_USEC_PER_HOUR
/* Opening a journal costs milliseconds, and a thousand containers may be killed at once. */
#define OOMD_AGAIN_USEC PL_USEC_PER_SEC
/* Its entry and the end of what it killed are milliseconds apart; this much is for a host that is
 * short of memory. */
#define OOMD_NEAR_USEC (5 * PL_USEC_PER_SEC)
#define OOMD_LINE_MAX  640

typedef struct PlOomd {
        uint64_t read_usec; /* CLOCK_MONOTONIC; 0: never */
        struct {
                uint64_t usec; /* CLOCK_REALTIME */
                char text[OOMD_LINE_MAX];
        } said[OOMD_MAX]; /* a ring */
        unsigned n;       /* since it was read */
} PlOomd;

/* Of a container whose group nobody has seen: the one that it names by its id. Return: buf. */
static const char *named_group(const char *text, const char *id, char buf[static OOMD_LINE_MAX]) {
        static const char scope[] = ".scope";
        const char *path = strchr(text, '/'), *p = path ? strstr(path, id) : NULL;
        size_t len = p ? (size_t)(p - path) + strlen(id) : 0;

        if (p && pl_startswith(path + len, scope))
                len += strlen(scope);
        (void)snprintf(buf, OOMD_LINE_MAX, "%.*s", (int)len, path ?: "");
        return buf;
}

static int open_oomd(sd_journal **ret) {
        uint64_t since = pl_clock_usec(CLOCK_REALTIME) - OOMD_BACK_USEC;
        int r = sd_journal_open(ret, SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM);

        if (r >= 0) /* a field that journald sets itself, and nobody else can */
                r = sd_journal_add_match(*ret, "_SYSTEMD_UNIT=" PL_OOMD_UNIT, 0);
        if (r >= 0)
                r = sd_journal_seek_realtime_usec(*ret, since);
        return r;
}

static void read_oomd(PlOomd *o) {
        uint64_t now = pl_clock_usec(CLOCK_MONOTONIC);
        const size_t key = strlen("MESSAGE=");
        sd_journal *journal = NULL;

        if (o->read_usec > 0 && now - o->read_usec < OOMD_AGAIN_USEC)
                return;
        o->read_usec = now;
        o->n = 0;
        if (open_oomd(&journal) >= 0)
                for (unsigned i = 0; i < RECORDS_MAX && sd_journal_next(journal) > 0; i++) {
                        const char *text;
                        const void *data;
                        size_t size;

                        if (sd_journal_get_data(journal, "MESSAGE", &data, &size) < 0 || size < key)
                                continue;
                        text = (const char *)data + key;
                        size -= key;
                        if (size < 8 || (strncmp(text, "Killed /", 8) != 0 &&
                                         strncmp(text, "Marked /", 8) != 0))
                                continue;
                        (void)snprintf(o->said[o->n % OOMD_MAX].text, OOMD_LINE_MAX, "%.*s",
                                       (int)size, text);
                        (void)sd_journal_get_realtime_usec(journal, &o->said[o->n % OOMD_MAX].usec);
                        if (++o->n == 2 * OOMD_MAX)
                                o->n = OOMD_MAX;
                }
        if (journal)
                sd_journal_close(journal);
}

/* @group: NULL: not known. Return: what it said of it about then, the word that tells most; @ret:
 * borrowed. */
static PlOomdWord oomd_word(const PlOomd *o, const char *group, const char *id, uint64_t end_usec,
                            const char **ret) {
        PlOomdWord best = PL_OOMD_NOTHING;
        char buf[OOMD_LINE_MAX];

        for (unsigned i = 0; i < PL_MIN(o->n, (unsigned)OOMD_MAX); i++) {
                uint64_t at = o->said[i].usec;
                const char *text = o->said[i].text;
                PlOomdWord word = pl_oomd_word(text, group ?: named_group(text, id, buf));

                if (word <= best ||
                    (at > end_usec ? at - end_usec : end_usec - at) > OOMD_NEAR_USEC)
                        continue;
                best = word;
                *ret = text;
        }
        return best;
}

/* ---- the watch ---- */

/* Between the first looks into the kernel log; doubles. */
#define GRACE_STEP_USEC (2 * PL_USEC_PER_MSEC)
/* For this long after a report its victim is still worth naming. */
#define LATE_USEC      (3 * PL_USEC_PER_SEC)
#define LATE_STEP_USEC (20 * PL_USEC_PER_MSEC)
/* How many processes of a group, killed together, may be missing from its report. */
#define WHOLE_MAX 64

/* A freeze that lasts this long is one; its end is looked for as often, because the kernel does not
 * tell. */
#define FROZEN_USEC PL_USEC_PER_SEC

/* A report that waits for the kernel log. */
typedef struct Pending {
        uint64_t kills, found;    /* as the group counts; as the log says */
        uint64_t begin_usec;      /* CLOCK_BOOTTIME */
        uint64_t realtime_usec;   /* when the kill was noticed */
        bool whole;               /* memory.oom.group: the others are being killed, too */
        bool has_after, has_kill; /* are the next two there? */
        PlOomSample after;
        PlKmsgKill kill; /* the first one */
} Pending;

typedef struct Entry {
        char id[PL_ID_MAX];
        PlOomWatch *w;
        PlOomGroup group;
        PlOomCount count;           /* the group's counters when we last looked */
        sd_event_source *timer;     /* looks again */
        uint64_t look_until_usec;   /* something happened: look again until then; 0: no */
        uint64_t step_usec;         /* between looks */
        uint64_t untold;            /* reported kills that the log has not explained yet */
        uint64_t untold_until_usec; /* ask the log until then; 0: no */
        bool whole; /* a whole group was just reported: deaths until then belong to it */
        Pending *pending;
        PlOomRing *ring;      /* NULL until the first sample */
        sd_event_source *ice; /* looks whether it is still frozen */
        uint64_t frozen_usec; /* CLOCK_BOOTTIME, since when; 0: it is not */
        bool told_frozen;
        char *path;                     /* v2: of the group that it has, or had last */
        uint64_t oomd_ooms, oomd_began; /* kills of it by systemd-oomd; before we came */
} Entry;

struct PlOomWatch {
        sd_event *event;
        const PlCgroupMounts *mounts;
        const PlOomKernel *kernel;
        const PlOomWatchHandlers *handlers;
        void *userdata;
        PlKmsg *kmsg;
        PlOomd *oomd; /* NULL until it is asked for */
        int ears_fd;  /* epoll: what is listened to … */
        sd_event_source *ears;
        PlMap *entries;     /* id → Entry */
        unsigned n_pending; /* entries that wait for the kernel log */
        bool said_press;    /* what this kernel cannot do is said once */
};

static void look(Entry *e);
static void look_again(Entry *e, uint64_t step_usec, uint64_t for_usec);

/* Return: false when the group is gone. */
static bool take_sample(Entry *e, PlOomSample *ret) {
        const PlCgroupMounts *m = e->w->mounts;
        PlReading limits = { 0 };
        PlUsage u;

        pl_oom_sample_init(ret, pl_clock_usec(CLOCK_BOOTTIME));
        if (!e->group.g || pl_cg_read_usage(m, e->group.g, &u) < 0)
                return false;
        ret->usage_bytes = u.memory_bytes;
        ret->inactive_file_bytes = u.inactive_file_bytes;
        ret->swap_bytes = u.swap_bytes;
        ret->peak_bytes = u.memory_peak_bytes;
        if (pl_cg_read(m, e->group.g, 1U << PL_RESOURCE_MEMORY_MAX | 1U << PL_RESOURCE_MEMORY_HIGH,
                       &limits) == 0) {
                const PlValue *max = &limits.in_force.v[PL_RESOURCE_MEMORY_MAX];
                const PlValue *high = &limits.in_force.v[PL_RESOURCE_MEMORY_HIGH];

                ret->limit_bytes = max->set ? max->number : PL_UNLIMITED;
                ret->high_bytes = high->set ? high->number : PL_UNLIMITED;
        }
        pl_reading_deinit(&limits);
        if (e->w->kernel->read_pressure)
                e->w->kernel->read_pressure(&e->group, ret);
        return true;
}

static void tell_frozen(Entry *e, bool frozen) {
        if (e->told_frozen == frozen)
                return;
        e->told_frozen = frozen;
        e->w->handlers->frozen(e->w->userdata, e->id, frozen);
}

static int on_ice(sd_event_source *source, uint64_t usec, void *userdata) {
        look(userdata);
        return 0;
}

static void note_frozen(Entry *e, bool frozen) {
        uint64_t now = pl_clock_usec(CLOCK_BOOTTIME);
        int r;

        if (!frozen) {
                e->frozen_usec = 0;
                tell_frozen(e, false);
                return;
        }
        if (e->frozen_usec == 0)
                e->frozen_usec = now;
        if (!e->ice)
                r = sd_event_add_time(e->w->event, &e->ice, CLOCK_BOOTTIME, now + FROZEN_USEC, 0,
                                      on_ice, e);
        else
                r = sd_event_source_set_time(e->ice, now + FROZEN_USEC);
        if (r >= 0)
                (void)sd_event_source_set_enabled(e->ice, SD_EVENT_ONESHOT);
        if (now - e->frozen_usec >= FROZEN_USEC)
                tell_frozen(e, true);
}

static void keep_sample(Entry *e, const PlOomSample *s) {
        if (!e->ring)
                e->ring = calloc(1, sizeof(*e->ring));
        if (e->ring)
                pl_oom_ring_add(e->ring, s);
}

static Entry *entry_of(PlOomGroup *o) {
        return (Entry *)((char *)o - offsetof(Entry, group));
}

static bool on_pressed(PlOomGroup *o) {
        Entry *e = entry_of(o);
        PlOomSample s;

        if (!take_sample(e, &s))
                return false;
        keep_sample(e, &s);
        if (e->ring)
                e->w->handlers->pressed(e->w->userdata, e->id, e->ring, &s);
        return true;
}

static int on_listen(PlOomEar *ear, bool on) {
        const PlOomWatch *w = entry_of(ear->group)->w;
        struct epoll_event event = { .events = ear->events, .data.ptr = ear };

        if (epoll_ctl(w->ears_fd, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, ear->fd, &event) < 0 &&
            errno != (on ? EEXIST : ENOENT))
                return -errno;
        return 0;
}

/* One at a time: what is done for one may end another. */
static int on_heard(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct epoll_event event;

        pl_loop_doing("lack of memory");
        if (epoll_wait(fd, &event, 1, 0) == 1) {
                const PlOomEar *ear = event.data.ptr;

                ear->heard(ear->group);
        }
        return 0;
}

static void close_ear(PlOomEar *ear) {
        if (ear->fd < 0)
                return;
        (void)on_listen(ear, false);
        pl_closep(&ear->fd);
        ear->fd = -EBADF;
}

static void disarm(Entry *e) {
        e->group.own = sd_event_source_disable_unref(e->group.own);
        close_ear(&e->group.oom);
        close_ear(&e->group.press);
        e->group.calm = sd_event_source_disable_unref(e->group.calm);
        e->look_until_usec = 0;
}

static void listen_again(Entry *e) {
        if (e->group.oom.fd >= 0)
                (void)on_listen(&e->group.oom, true);
}

/* Nobody waits for it any more. */
static void leave_log(PlOomWatch *w) {
        if (--w->n_pending == 0)
                kmsg_rest(w->kmsg);
}

static void end_pending(Entry *e) {
        free(e->pending);
        e->pending = NULL;
        leave_log(e->w);
        listen_again(e);
}

static void wait_for_names(Entry *e) {
        if (e->untold_until_usec == 0)
                e->w->n_pending++; /* the log stays open */
        e->untold_until_usec = pl_clock_usec(CLOCK_BOOTTIME) + LATE_USEC;
        look_again(e, LATE_STEP_USEC, LATE_USEC);
}

/* Names kills that were reported before the log had them. */
static void name_untold(Entry *e) {
        PlKmsgKill kill;

        if (e->untold == 0)
                return;
        kmsg_poll(e->w->kmsg);
        while (e->untold > 0 && kmsg_take(e->w->kmsg, e->id, &kill)) {
                e->untold--;
                e->w->handlers->named(e->w->userdata, e->id, &kill);
        }
        if (e->untold == 0 || pl_clock_usec(CLOCK_BOOTTIME) >= e->untold_until_usec) {
                e->untold = e->untold_until_usec = 0;
                e->whole = false;
                leave_log(e->w);
        }
}

/* Calls the handler, which must not forget the container. */
static void report(Entry *e) {
        static const PlOomRing none;
        Pending *p = e->pending;
        PlOomWatch *w = e->w;
        PlOomReport r;

        pl_oom_report_init(&r, e->ring ?: &none, p->has_after ? &p->after : NULL,
                           p->has_kill ? &p->kill : NULL, e->id, PL_MAX(p->kills, p->found),
                           p->begin_usec, p->realtime_usec);
        if (p->kills > p->found)
                e->untold += p->kills - p->found;
        e->whole = p->whole;
        if (p->whole) /* some may die after the report, when the group is gone */
                e->untold += WHOLE_MAX;
        if (e->untold > 0)
                wait_for_names(e);
        end_pending(e);
        w->handlers->killed(w->userdata, e->id, &r);
}

/* Look for our kills in the log. Return: true when it has all. */
static bool consult(Entry *e) {
        Pending *p = e->pending;
        PlKmsgKill kill;

        kmsg_poll(e->w->kmsg);
        while (kmsg_take(e->w->kmsg, e->id, &kill)) {
                if (!p->has_kill)
                        p->kill = kill;
                p->has_kill = true;
                p->found++;
        }
        return p->found >= p->kills;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Entry *e = userdata;
        uint64_t now = pl_clock_usec(CLOCK_BOOTTIME);

        pl_loop_doing("lack of memory");
        if (now < e->look_until_usec) {
                e->step_usec = PL_MIN(2 * e->step_usec, 50 * PL_USEC_PER_MSEC);
                (void)sd_event_source_set_time(source,
                                               PL_MIN(now + e->step_usec, e->look_until_usec));
                (void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        } else {
                e->look_until_usec = 0;
                listen_again(e);
        }
        look(e);
        return 0;
}

/* Look again after step, doubling, for a time. */
static void look_again(Entry *e, uint64_t step_usec, uint64_t for_usec) {
        uint64_t now = pl_clock_usec(CLOCK_BOOTTIME);
        int r;

        e->step_usec = step_usec;
        e->look_until_usec = PL_MAX(e->look_until_usec, now + for_usec);
        if (!e->timer)
                r = sd_event_add_time(e->w->event, &e->timer, CLOCK_BOOTTIME, now + step_usec,
                                      PL_USEC_PER_MSEC, on_timer, e);
        else
                r = sd_event_source_set_time(e->timer, now + step_usec);
        if (r >= 0)
                (void)sd_event_source_set_enabled(e->timer, SD_EVENT_ONESHOT);
}

static void begin(Entry *e, uint64_t kills) {
        if (!e->pending) {
                e->pending = calloc(1, sizeof(*e->pending));
                if (!e->pending) {
                        pl_log_error("Out of memory: an OOM kill in %.12s is not explained", e->id);
                        return;
                }
                e->w->n_pending++;
                e->pending->begin_usec = pl_clock_usec(CLOCK_BOOTTIME);
                e->pending->realtime_usec = pl_clock_usec(CLOCK_REALTIME);
                e->pending->has_after = take_sample(e, &e->pending->after);
        }
        e->pending->kills += kills;
        look_again(e, GRACE_STEP_USEC, kmsg_delay(e->w->kmsg));
}

/* Compare the counters and act on the difference. */
static void look(Entry *e) {
        PlOomCount now = { 0 };
        int r = e->group.g && e->group.oom.fd >= 0 ? e->w->kernel->count(&e->group, &now) : -ENODEV;
        /* from now on: opening the journal may itself take longer than the log's line */
        bool late = e->pending && pl_clock_usec(CLOCK_BOOTTIME) >=
                                                  e->pending->begin_usec + kmsg_delay(e->w->kmsg);

        if (r == 0)
                note_frozen(e, now.frozen);
        if (r == 0 && now.kills > e->count.kills) {
                PlOomCount before = e->count;

                if (!e->pending)
                        name_untold(e); /* the log's next ones are about these */
                e->count = now;
                if (!e->whole || now.groups > before.groups)
                        begin(e, now.kills - before.kills);
                if (e->pending)
                        e->pending->whole |= now.groups > before.groups;
        } else if (r == -ENODEV && e->group.g) {
                /* v1 signals the removal, too; v2 does so for as long as we listen */
                disarm(e);
        }
        if (e->pending && ((consult(e) && !e->pending->whole) || late))
                report(e);
        else if (!e->pending)
                name_untold(e);
}

static void on_stirred(PlOomGroup *o, bool full, uint64_t step_usec, uint64_t for_usec) {
        Entry *e = entry_of(o);
        PlOomSample s;

        if (full && take_sample(e, &s))
                keep_sample(e, &s);
        look_again(e, step_usec, for_usec);
        look(e);
}

static const PlOomGroupHandlers group_handlers = { .listen = on_listen,
                                                   .stirred = on_stirred,
                                                   .pressed = on_pressed };

int pl_oom_watch_new(sd_event *event, const PlCgroupMounts *m, const char *kmsg,
                     const PlOomWatchHandlers *handlers, void *userdata, PlOomWatch **ret) {
        _cleanup_(pl_oom_watch_freep) PlOomWatch *w = calloc(1, sizeof(*w));
        int r;

        if (!w)
                return -ENOMEM;
        w->ears_fd = epoll_create1(EPOLL_CLOEXEC);
        if (w->ears_fd < 0)
                return -errno;
        r = sd_event_add_io(event, &w->ears, w->ears_fd, EPOLLIN, on_heard, NULL);
        if (r < 0)
                return r;
        w->event = sd_event_ref(event);
        w->mounts = m;
        w->kernel = m->hierarchy[PL_CONTROLLER_MEMORY] == PL_HIERARCHY_V1 ? &pl_oom_v1 : &pl_oom_v2;
        w->handlers = handlers;
        w->userdata = userdata;
        w->entries = pl_map_new();
        if (!w->entries)
                return -ENOMEM;
        r = kmsg_new(kmsg, &w->kmsg);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(w);
        return 0;
}

static void entry_free(Entry *e) {
        disarm(e);
        sd_event_source_disable_unref(e->timer);
        sd_event_source_disable_unref(e->ice);
        if (e->pending)
                end_pending(e);
        if (e->untold_until_usec > 0)
                leave_log(e->w);
        free(e->ring);
        free(e->path);
        free(e);
}

PlOomWatch *pl_oom_watch_free(PlOomWatch *w) {
        Entry *e;

        if (!w)
                return NULL;
        if (w->entries)
                PL_MAP_FOREACH(e, w->entries)
        entry_free(e);
        pl_map_free(w->entries);
        kmsg_free(w->kmsg);
        free(w->oomd);
        sd_event_source_disable_unref(w->ears);
        pl_closep(&w->ears_fd);
        sd_event_unref(w->event);
        free(w);
        return NULL;
}

static Entry *ensure(PlOomWatch *w, const char *id) {
        Entry *e = pl_map_get(w->entries, id);

        if (e)
                return e;
        e = calloc(1, sizeof(*e));
        if (!e)
                return NULL;
        (void)snprintf(e->id, sizeof(e->id), "%s", id);
        e->w = w;
        e->group = (PlOomGroup){
                .event = w->event,
                .handlers = &group_handlers,
                .oom = { .fd = -EBADF, .group = &e->group },
                .press = { .fd = -EBADF, .group = &e->group },
        };
        if (pl_map_put(w->entries, e->id, e) == 0)
                return e;
        free(e);
        return NULL;
}

static void listen_for_pressure(Entry *e) {
        int r = e->w->kernel->arm_pressure(&e->group);

        if (r >= 0)
                return;
        close_ear(&e->group.press);
        if (!e->w->said_press)
                pl_log_info("This kernel does not report memory pressure of groups (%s): kills are "
                            "reported without an earlier warning",
                            strerror(-r));
        e->w->said_press = true;
}

/* Also of a group that was removed, for as long as we hold it (tried: Linux 6.18). */
static uint64_t oomd_ooms(const PlCgroup *g) {
        char path[40], text[24] = "";
        uint64_t n;

        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", g->dir_fd[PL_CONTROLLER_MEMORY]);
        if (getxattr(path, PL_OOMD_XATTR, text, sizeof(text) - 1) <= 0 ||
            pl_parse_uint64(text, &n) < 0)
                return 0;
        return n;
}

/* systemd-oomd knows groups of v2 only. */
static void remember_group(Entry *e) {
        if (e->w->kernel != &pl_oom_v2)
                return;
        free(e->path);
        e->path = strdup(e->group.g->relative[PL_CONTROLLER_MEMORY] ?: "");
        e->oomd_ooms = e->oomd_began = oomd_ooms(e->group.g);
}

int pl_oom_watch_add(PlOomWatch *w, const char *id, const PlCgroup *g) {
        Entry *e;
        int r;

        if (g->dir_fd[PL_CONTROLLER_MEMORY] < 0)
                return -ENOENT;
        e = ensure(w, id);
        if (!e)
                return -ENOMEM;
        disarm(e);
        e->group.g = g;
        r = w->kernel->arm(&e->group, &e->count);
        if (r < 0) {
                disarm(e);
                e->group.g = NULL;
                return r;
        }
        listen_for_pressure(e);
        remember_group(e);
        note_frozen(e, e->count.frozen); /* since before we came */
        return 0;
}

void pl_oom_watch_remove(PlOomWatch *w, const char *id) {
        Entry *e = pl_map_get(w->entries, id);
        PlOomCount now;

        if (!e || !e->group.g)
                return;
        if (e->group.oom.fd >= 0 && e->w->kernel->count(&e->group, &now) == 0 &&
            now.kills > e->count.kills)
                begin(e, now.kills - e->count.kills);
        disarm(e);
        if (e->path)
                e->oomd_ooms = oomd_ooms(e->group.g);
        e->group.g = NULL;
        note_frozen(e, false);
        /* disarming stopped the timer; the report still waits */
        if (e->pending)
                look_again(e, GRACE_STEP_USEC, kmsg_delay(w->kmsg));
        else if (e->untold > 0)
                look_again(e, LATE_STEP_USEC, LATE_USEC);
}

void pl_oom_watch_check(PlOomWatch *w, const char *id) {
        Entry *e = pl_map_get(w->entries, id);
        PlKmsgKill kill;

        if (!e)
                return;
        if (!e->pending) {
                kmsg_poll(w->kmsg);
                name_untold(e);
        }
        if (e->group.g && e->group.oom.fd >= 0) {
                look(e);
                return;
        }
        if (!e->pending && kmsg_take(w->kmsg, id, &kill)) {
                begin(e, 1);
                if (e->pending) {
                        e->pending->kill = kill;
                        e->pending->has_kill = true;
                        e->pending->found = 1;
                        look(e);
                        return;
                }
        }
        if (w->n_pending == 0)
                kmsg_rest(w->kmsg);
}

void pl_oom_watch_oomd(PlOomWatch *w, const char *id, uint64_t end_usec, PlOomTraces *ret) {
        Entry *e = pl_map_get(w->entries, id);
        const char *text = NULL;
        PlOomdWord word;
        bool counted;

        if (w->kernel != &pl_oom_v2 || (!w->oomd && !(w->oomd = calloc(1, sizeof(*w->oomd)))))
                return;
        if (e && e->group.g)
                e->oomd_ooms = oomd_ooms(e->group.g);
        counted = e && e->oomd_ooms > e->oomd_began;
        read_oomd(w->oomd);
        word = oomd_word(w->oomd, e ? e->path : NULL, id, end_usec, &text);
        /* who owns a group, as some containers do, can write the attribute, too, and gives the
         * groups below it any name */
        ret->killed = e && e->path &&
                      (word == PL_OOMD_KILLED || (word == PL_OOMD_MARKED && counted));
        if (text)
                (void)pl_quote(text, strlen(text), ret->oomd, sizeof(ret->oomd));
        else if (counted)
                (void)snprintf(ret->oomd, sizeof(ret->oomd), "%s of its group is %" PRIu64,
                               PL_OOMD_XATTR, e->oomd_ooms);
}

void pl_oom_watch_fault(PlOomWatch *w, pid_t pid, PlOomTraces *ret) {
        PlKmsgFault f;

        kmsg_poll(w->kmsg);
        if (kmsg_take_fault(w->kmsg, pid, &f))
                (void)pl_quote(f.text, strlen(f.text), ret->fault, sizeof(ret->fault));
        if (w->n_pending == 0)
                kmsg_rest(w->kmsg);
}

void pl_oom_watch_forget(PlOomWatch *w, const char *id) {
        Entry *e = pl_map_get(w->entries, id);

        if (!e)
                return;
        pl_oom_watch_remove(w, id);
        if (e->pending) {
                (void)consult(e);
                report(e);
        }
        (void)pl_map_remove(w->entries, id);
        entry_free(e);
}
