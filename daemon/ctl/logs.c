/* SPDX-License-Identifier: Apache-2.0 */

/*
 * plimsollctl logs: archives and live log of a container as one stream, printed as docker logs
 * does.
 *
 * A running daemon only tells where its archives are. They say all the rest, and whoever may read
 * the files may read the log. What a container wrote to stdout goes to stdout, what it wrote to
 * stderr to stderr, byte for byte.
 */

#include <errno.h>
#include <poll.h>
#include <sys/inotify.h>

#include "base/clock.h"
#include "ctl/cli.h"
#include "ctl/paths.h"
#include "ctl/reader.h"
#include "lib/base/unit.h"
#include "lib/logs/line.h"

#define RENEW_MSEC 100

typedef struct Logs {
        const char *name, *archive; /* of the directory */
        PlLogFilter filter;
        regex_t grep; /* if filter.grep refers to it */
        uint64_t tail;
        bool follow;
        bool progress; /* on a terminal, for long searches */
        uint64_t begin_usec;
        bool progress_shown, printed;
        PlLogStore *store;
        PlLogReader *reader;
        PlLogLines lines;
} Logs;

/* --- printing -----------------------------------------------------------------------------------
 */

static void clear_progress(Logs *l) {
        if (l->progress_shown)
                (void)fputs("\r\033[K", stderr);
        l->progress_shown = false;
}

static void show_progress(Logs *l) {
        if (!l->progress || l->printed || pl_clock_usec(CLOCK_MONOTONIC) - l->begin_usec < 700000)
                return;
        (void)fprintf(stderr, "\rreading archives: %3.0f %%",
                      100 * pl_log_reader_progress(l->reader));
        l->progress_shown = true;
}

/* Return: 0; -EPIPE nobody reads any more; -errno. */
static int print(Logs *l, PlJsonlogStream stream) {
        FILE *to = stream == PL_JSONLOG_STDERR && !l->filter.json ? stderr : stdout;

        clear_progress(l);
        l->printed = true;
        return fwrite(l->lines.out, 1, l->lines.n_out, to) == l->lines.n_out ? 0 : -errno;
}

typedef int (*Take)(Logs *l, PlJsonlogStream stream, uint64_t *n);

/* Feeds a block; take is called for each line that was asked for. */
static int each_line(Logs *l, const PlLogBlock *b, Take take, uint64_t *n) {
        const char *p = b->data, *end = b->data + b->size;

        while (p < end) {
                const char *nl = memchr(p, '\n', (size_t)(end - p));
                size_t size = nl ? (size_t)(nl - p) + 1 : (size_t)(end - p);
                PlJsonlogStream stream;
                int r = pl_log_lines_feed(&l->lines, p, size, &stream);

                if (r > 0)
                        r = take(l, stream, n);
                if (r < 0)
                        return r;
                p += size;
        }
        return 0;
}

static int take_count(Logs *l, PlJsonlogStream stream, uint64_t *n) {
        (*n)++;
        return 0;
}

static int take_print(Logs *l, PlJsonlogStream stream, uint64_t *skip) {
        if (*skip > 0) {
                (*skip)--;
                return 0;
        }
        return print(l, stream);
}

static int damaged(int r) {
        pl_ctl_say("an archive is damaged; a part of the log is missing here");
        return r;
}

/* Goes back until N lines are ahead. @ret_skip: how many more than N. */
static int find_tail(Logs *l, uint64_t *ret_skip) {
        uint64_t n = 0;
        int r;

        r = pl_log_reader_to_end(l->reader);
        while (r >= 0 && n < l->tail) {
                PlLogBlock b;
                uint64_t in_block = 0;

                r = pl_log_reader_previous(l->reader, &b);
                if (r == -EBADMSG)
                        r = damaged(1);
                else if (r > 0) {
                        pl_log_lines_reset(&l->lines);
                        r = each_line(l, &b, take_count, &in_block);
                        n += in_block;
                        /* nothing older can be asked for */
                        if (r >= 0 && l->filter.since_nsec > 0 &&
                            pl_jsonlog_first_time(b.data, b.size) + UINT64_C(60000000000) <
                                            l->filter.since_nsec)
                                break;
                        show_progress(l);
                } else
                        break;
        }
        pl_log_lines_reset(&l->lines);
        l->lines.damaged = 0;
        *ret_skip = n > l->tail ? n - l->tail : 0;
        return r;
}

/* Records are out of order by less than a minute: beyond that, none can still be asked for. */
static bool is_over(const Logs *l, const PlLogBlock *b) {
        return l->filter.until_nsec != UINT64_MAX &&
               pl_jsonlog_first_time(b->data, b->size) >
                               l->filter.until_nsec + UINT64_C(60000000000);
}

/* To the end as it is now. Return: 1 past --until; 0; -errno. */
static int run_to_end(Logs *l, uint64_t *skip) {
        for (;;) {
                PlLogBlock b;
                int r = pl_log_reader_next(l->reader, &b);

                if (r == 0)
                        return 0;
                if (r == -EBADMSG) {
                        (void)damaged(r);
                        continue;
                }
                if (r > 0 && is_over(l, &b))
                        return 1;
                if (r > 0)
                        r = each_line(l, &b, take_print, skip);
                if (r < 0)
                        return r;
                show_progress(l);
        }
}

static int until_msec(const Logs *l) {
        uint64_t now = pl_clock_usec(CLOCK_REALTIME) * 1000, until = l->filter.until_nsec;

        if (until == UINT64_MAX)
                return -1;
        return until <= now ? 0 : (int)PL_MIN((until - now) / 1000000 + 1, (uint64_t)INT32_MAX);
}

static int watch(const Logs *l, int inotify_fd) {
        char path[64];

        snprintf(path, sizeof(path), "/proc/self/fd/%d", pl_log_reader_fd(l->reader));
        return inotify_add_watch(inotify_fd, path, IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF) < 0
                               ? -errno
                               : 0;
}

static int follow(Logs *l) {
        _cleanup_close_ int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        struct pollfd p = { .fd = fd, .events = POLLIN };
        char events[4096];
        uint64_t skip = 0;
        int r;

        if (fd < 0)
                return -errno;
        r = watch(l, fd);
        if (r < 0)
                return r;
        for (;;) {
                int msec = until_msec(l);

                r = run_to_end(l, &skip);
                if (r != 0 || fflush(stdout) != 0)
                        return r ?: -errno;
                r = pl_log_reader_renew(l->reader);
                if (r > 0 && (r = watch(l, fd)) >= 0)
                        continue;
                if (r == -ENOENT || r == -EAGAIN) /* the engine is rotating */
                        msec = msec < 0 ? RENEW_MSEC : PL_MIN(msec, RENEW_MSEC);
                else if (r < 0)
                        return r;
                /* a rotation writes to the log, and its removal changes the link count */
                if (poll(&p, 1, msec) < 0 && errno != EINTR)
                        return -errno;
                while (read(fd, events, sizeof(events)) > 0)
                        ; /* all that matters is that something has happened */
                if (l->filter.until_nsec <= pl_clock_usec(CLOCK_REALTIME) * 1000)
                        l->follow = false;
                if (!l->follow || pl_log_reader_is_gone(l->reader))
                        return run_to_end(l, &skip);
        }
}

static int show(Logs *l) {
        PlJsonlogStream stream;
        uint64_t skip = 0;
        int r = 0;

        if (l->tail != UINT64_MAX)
                r = find_tail(l, &skip);
        else if (l->filter.since_nsec > 0)
                r = pl_log_reader_seek_time(l->reader, l->filter.since_nsec);
        if (r >= 0)
                r = run_to_end(l, &skip);
        if (r == 0 && l->follow && pl_log_reader_fd(l->reader) >= 0)
                r = follow(l);
        while (r >= 0 && (r = pl_log_lines_flush(&l->lines, &stream)) > 0)
                r = take_print(l, stream, &skip);
        clear_progress(l);
        if (fflush(stdout) != 0 && r >= 0)
                r = -errno;
        return r;
}

/* --- which container ----------------------------------------------------------------------------
 */

/* By name, by id or a part of it, by service, or one that is gone. */
typedef struct Found {
        char id[PL_ID_MAX]; /* only its first 12 digits when just archives are left */
        char driver[64];
        bool live;  /* there is a state record, and so a log */
        unsigned n; /* how many match; more than 1: none is chosen */
} Found;

/* How well a record fits: 3 the name, 2 the id, 1 the service, 0 not at all. */
static int fit(const char *name, const PlRotateState *s) {
        char dir[PL_ARCHIVE_NAME_MAX];

        if (pl_streq(name, s->name))
                return 3;
        if (strlen(name) >= 4 && pl_startswith(s->id, name))
                return 2;
        pl_archive_dir_name(name, dir);
        return pl_streq(dir, s->service) ? 1 : 0;
}

static int find_live(PlLogStore *store, const char *name, Found *ret) {
        char(*ids)[PL_ID_MAX] = NULL;
        size_t n = 0;
        int best = 0, r;

        r = pl_log_store_states(store, &ids, &n);
        for (size_t i = 0; r >= 0 && i < n; i++) {
                PlRotateState s = { 0 };
                int f;

                if (pl_log_store_load(store, ids[i], &s) < 0)
                        continue;
                f = fit(name, &s);
                if (f > best) {
                        best = f;
                        ret->n = 0;
                        memcpy(ret->id, s.id, PL_ID_MAX);
                        snprintf(ret->driver, sizeof(ret->driver), "%s", s.driver);
                        ret->live = true;
                }
                ret->n += f > 0 && f == best;
                pl_rotate_state_deinit(&s);
        }
        free(ids);
        return r;
}

/* A container that is gone, by what its archives are called; the last one of that name. */
static int find_archived(PlLogStore *store, const char *name, Found *ret) {
        PlStoredArchive *a = NULL;
        uint64_t newest = 0;
        size_t n = 0;
        int r;

        r = pl_log_store_list(store, NULL, &a, &n);
        for (size_t i = 0; r >= 0 && i < n; i++) {
                bool match = pl_streq(a[i].name.container, name) ||
                             (strlen(name) >= 4 && strlen(name) <= 64 &&
                              strncmp(a[i].name.id, name, PL_MIN(strlen(name), (size_t)12)) == 0);

                if (match && a[i].name.to_sec >= newest) {
                        newest = a[i].name.to_sec;
                        snprintf(ret->id, sizeof(ret->id), "%s", a[i].name.id);
                        ret->n = 1;
                }
        }
        free(a);
        return r;
}

/* In the state records, then, for containers that are gone, in the names of their archives.
 * Return: 0, also when there is none (n is 0); -ENOMEM, -errno. */
static int find_container(PlLogStore *store, const char *name, Found *ret) {
        int r = find_live(store, name, ret);

        return r >= 0 && ret->n == 0 ? find_archived(store, name, ret) : r;
}

/* ------------------------------------------------------------------------------------------------
 */

static int say_error(const Logs *l, int r) {
        if (r == -EACCES || r == -EPERM)
                pl_ctl_say("%s and the log may not be read: run as root (archives alone: as a "
                           "member of group plimsoll)",
                           l->archive);
        else if (r == -ENOENT)
                pl_ctl_say("%s: no such archive directory; has plimsolld run here?", l->archive);
        else
                pl_ctl_say("%s: %s", l->name, strerror(-r));
        return PL_EXIT_BAD;
}

static int open_reader(Logs *l) {
        Found f = { 0 };
        int r;

        r = pl_log_store_open(l->archive, false, (gid_t)-1, &l->store);
        if (r >= 0)
                r = find_container(l->store, l->name, &f);
        if (r < 0)
                return say_error(l, r);
        if (f.n == 0) {
                pl_ctl_say("no log of \"%s\" is known in %s", l->name, l->archive);
                return PL_EXIT_BAD;
        }
        if (f.n > 1) {
                pl_ctl_say("\"%s\" has %u containers; name one of them", l->name, f.n);
                return PL_EXIT_USAGE;
        }
        if (f.live && !pl_streq(f.driver, "json-file")) {
                pl_ctl_say("%s logs to %s, which is not read here: docker logs %s", l->name,
                           f.driver, l->name);
                return PL_EXIT_BAD;
        }
        r = pl_log_reader_new(l->store, f.id, f.live, &l->reader);
        if (r == -EACCES && f.live) {
                pl_ctl_say("the live log may not be read, only its archives follow; root may read "
                           "both");
                r = pl_log_reader_new(l->store, f.id, false, &l->reader);
        }
        return r < 0 ? say_error(l, r == -ENOENT ? -ENODATA : r) : -1;
}

/* Return: -1 to go on, or an exit status. */
static int take_options(const PlCtl *ctl, Logs *l) {
        const PlCtlLogs *o = &ctl->logs;
        char why[128];
        int r;

        l->tail = o->tail;
        l->follow = o->follow;
        l->filter = (PlLogFilter){
                .since_nsec = o->since_nsec,
                .until_nsec = o->until_nsec,
                .no_stdout = o->only_stderr && !o->only_stdout,
                .no_stderr = o->only_stdout && !o->only_stderr,
                .timestamps = o->timestamps,
                .details = o->details,
                .json = ctl->json,
        };
        if (!o->grep)
                return -1;
        r = regcomp(&l->grep, o->grep, REG_EXTENDED | (o->ignore_case ? REG_ICASE : 0));
        if (r != 0) {
                (void)regerror(r, &l->grep, why, sizeof(why));
                pl_ctl_say("--grep %s: %s", o->grep, why);
                return PL_EXIT_USAGE;
        }
        l->filter.grep = &l->grep;
        return -1;
}

static int print_all(Logs *l) {
        int r = show(l);

        if (pl_log_reader_gaps(l->reader) > 0)
                pl_ctl_say("%u archive%s dropped meanwhile", pl_log_reader_gaps(l->reader),
                           pl_plural(pl_log_reader_gaps(l->reader)));
        if (l->lines.damaged > 0)
                pl_ctl_say("%" PRIu64 " line%s of the log skipped: no record of the engine's",
                           l->lines.damaged, pl_plural(l->lines.damaged));
        return r < 0 && r != -EPIPE ? say_error(l, r) : PL_EXIT_GOOD;
}

int pl_ctl_cmd_logs(PlCtl *ctl) {
        _cleanup_free_ char *archive = NULL;
        Logs l = { .name = ctl->arguments[0],
                   .archive = ctl->archive,
                   .progress = isatty(STDERR_FILENO) == 1,
                   .begin_usec = pl_clock_usec(CLOCK_MONOTONIC) };
        int status = take_options(ctl, &l);

        if (status < 0 && !l.archive) {
                status = pl_ctl_paths(ctl, NULL, &archive);
                l.archive = archive;
        }
        if (status < 0)
                status = open_reader(&l);
        if (status < 0) {
                l.lines.filter = &l.filter;
                status = print_all(&l);
        }
        pl_log_lines_deinit(&l.lines);
        pl_log_reader_free(l.reader);
        pl_log_store_free(l.store);
        if (l.filter.grep)
                regfree(&l.grep);
        return status;
}
