/* SPDX-License-Identifier: Apache-2.0 */

/*
 * plimsollctl logs: archives and live logs of one container, or of all that a service has had, as
 * one stream, printed as docker logs does.
 *
 * A running daemon only tells where its archives are. They say all the rest, and whoever may read
 * the files may read the log. What a container wrote to stdout goes to stdout, what it wrote to
 * stderr to stderr, byte for byte; but where last words have no newline and something comes after
 * them, there is one.
 *
 * What cannot be read is said, the rest is shown, and the exit status is 1.
 *
 * Several containers are one stream in the order of time; within a container the order is its own,
 * so a line counts as no older than those before it.
 */

#include <errno.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "ctl/cli.h"
#include "ctl/logs/members.h"
#include "ctl/logs/reader.h"
#include "ctl/logs/spool.h"
#include "ctl/paths.h"
#include "lib/base/quote.h"

/* --- the lines of one container, one after the other ---
 *
 * The last lines are found backward, a block at a time, and a line may have begun in the block
 * before: the engine cuts a long line into records. Whether the first record of a block begins a
 * line is known only when the one before it in its stream has been seen. So the first line of each
 * stream counts with a question mark, until an earlier block answers it.
 *
 * A reader is made when it is needed and let go at the end: a service may have had a thousand
 * containers, and each open archive has a frame of some MiB in memory. */

typedef struct Source {
        PlLogReader *reader; /* NULL: not made, or used up */
        PlLogSpool *spool;   /* NULL: it is no such log */
        PlLogLines lines;
        size_t piece;        /* of lines: the next to be printed */
        const char *p, *end; /* of a block: what has not been fed yet */
        uint64_t skip;       /* lines to leave out first */
        bool dropping[3];    /* the line that is open is left out; by stream */
        bool inside;         /* of a line that has been printed in part */
        uint64_t order_nsec; /* the latest time until now: clocks step, generations do not */
        void (*progress)(void *userdata); /* called for each block that is read; may be NULL */
        void *userdata;
} Source;

typedef struct Tail {
        uint64_t n;           /* lines from here on */
        uint64_t oldest_nsec; /* of their times */
} Tail;

#define STREAMS       3 /* PlJsonlogStream */
#define BETWEEN_BYTES KIB(64)

static void source_deinit(Source *s) {
        pl_log_lines_deinit(&s->lines);
        s->reader = pl_log_reader_free(s->reader);
        s->spool = pl_log_spool_free(s->spool);
}

/* The next record of the block. Return: as pl_log_lines_feed(). */
static int feed(PlLogLines *lines, const char **p, const char *end, const char **ret_line,
                size_t *ret_size) {
        const char *nl = memchr(*p, '\n', (size_t)(end - *p));

        *ret_line = *p;
        *ret_size = nl ? (size_t)(nl - *p) + 1 : (size_t)(end - *p);
        *p += *ret_size;
        return pl_log_lines_feed(lines, *ret_line, *ret_size);
}

/* Of the piece at hand: is it of a line that is left out? */
static bool drop(Source *s, const PlLogPiece *piece) {
        bool *dropping = &s->dropping[piece->stream];

        if (piece->first) {
                *dropping = s->skip > 0;
                s->skip -= s->skip > 0;
        }
        return *dropping;
}

/*
 * The next piece is at hand, see source_piece()
 * @final: nothing more will come: what is unfinished ends here
 * Return: 1; 0 nothing (yet); -ENOMEM, -errno.
 */
static int source_fill(Source *s, bool final) {
        int r = 0;

        for (;;) {
                const char *line;
                size_t size;

                for (; s->piece < s->lines.n_pieces; s->piece++)
                        if (!drop(s, &s->lines.pieces[s->piece]))
                                return 1;
                s->piece = s->lines.n_pieces = 0;
                if (s->p < s->end)
                        r = feed(&s->lines, &s->p, s->end, &line, &size);
                else {
                        PlLogBlock b;

                        r = s->reader ? pl_log_reader_next(s->reader, &b) : 0;
                        if (r > 0) {
                                s->p = b.data;
                                s->end = b.data + b.size;
                                if (s->progress)
                                        s->progress(s->userdata);
                        } else if (r == 0) {
                                r = final ? pl_log_lines_flush(&s->lines) : 0;
                                if (r == 0)
                                        return 0;
                        }
                }
                if (r < 0)
                        return r;
        }
}

/* Return: NULL when none is at hand. */
static const PlLogPiece *source_piece(const Source *s) {
        return s->piece < s->lines.n_pieces ? &s->lines.pieces[s->piece] : NULL;
}

/* It was printed. */
static void source_took(Source *s) {
        const PlLogPiece *piece = &s->lines.pieces[s->piece++];

        s->order_nsec = PL_MAX(s->order_nsec, piece->time_nsec);
        s->inside = !piece->last;
}

/* --- the last lines
 * -------------------------------------------------------------------------------
 */

/* The first line of a stream in what was counted until now. */
typedef struct First {
        bool seen, open; /* open: records of it may still follow in the block */
        bool counted;
        uint64_t time_nsec;
        uint64_t from_end; /* counted lines from it to the end, itself included */
        PlLogText records; /* kept where an expression has to see all of a line */
} First;

/* A place in a block where no line was open, and how many of its lines come before it. */
typedef struct Between {
        size_t offset;
        uint64_t n;
} Between;

typedef struct Count {
        PlLogLines lines; /* of a block */
        Between *between; /* in the last block, some way from each other */
        size_t n_between;
        const PlLogFilter *filter;
        First first[STREAMS];
        uint64_t n;
        uint64_t oldest_nsec;
        bool joined; /* the last block held the beginning of a line that goes on after it */
} Count;

static int keep(First *f, const char *line, size_t size) {
        PlLogText *t = &f->records;

        if (t->n + size > t->allocated) {
                size_t want = PL_MAX(t->n + size, t->allocated * 2);
                char *bigger = realloc(t->data, want);

                if (!bigger)
                        return -ENOMEM;
                t->data = bigger;
                t->allocated = want;
        }
        memcpy(t->data + t->n, line, size);
        t->n += size;
        return 0;
}

/* What the last call to lines has made. @first: of this block; @n: of this block */
static void count_pieces(Count *c, First first[static STREAMS], uint64_t *n) {
        for (size_t i = 0; i < c->lines.n_pieces; i++) {
                const PlLogPiece *piece = &c->lines.pieces[i];
                First *f = &first[piece->stream];

                if (!piece->first)
                        continue;
                (*n)++;
                c->oldest_nsec = PL_MIN(c->oldest_nsec, piece->time_nsec);
                if (f->seen && f->open && !f->counted && f->time_nsec == piece->time_nsec) {
                        f->counted = true;
                        f->from_end = *n; /* from the block's start, for now */
                }
        }
}

static int count_record(Count *c, First first[static STREAMS], const char *line, size_t size,
                        uint64_t *n) {
        PlLogLines *l = &c->lines;
        First *f;
        int r = 0;

        if (!l->is_record)
                return 0;
        f = &first[l->stream];
        if (!f->seen) {
                f->seen = f->open = true;
                f->time_nsec = l->time_nsec;
        }
        count_pieces(c, first, n);
        f->open = f->open && l->time_nsec == f->time_nsec;
        if (f->open && c->filter->grep && f->records.n < PL_LOG_LINE_SEARCH)
                r = keep(f, line, size);
        f->open = f->open && l->parts[l->stream].phase != PL_LOG_PART_NONE;
        return r;
}

/* The line of this stream that is open at the block's end, and what was taken for the first line
 * after it. */
static int join(Count *c, First first[static STREAMS], unsigned stream, uint64_t *n) {
        PlLogPart *part = &c->lines.parts[stream];
        First *next = &c->first[stream];
        uint64_t time_nsec = part->time_nsec;
        const char *p = next->records.data, *line;
        size_t size;
        int r = 0;

        if (part->phase == PL_LOG_PART_NONE || !next->seen || next->time_nsec != time_nsec)
                return 0;
        c->joined = true;
        if (next->counted) { /* it is no line of its own */
                c->n--;
                for (unsigned i = 0; i < STREAMS; i++)
                        if (i != stream && c->first[i].from_end > next->from_end)
                                c->first[i].from_end--;
        }
        while (r >= 0 && part->phase == PL_LOG_PART_HELD && p &&
               p < next->records.data + next->records.n) {
                r = feed(&c->lines, &p, next->records.data + next->records.n, &line, &size);
                if (r >= 0)
                        r = count_record(c, first, line, size, n);
        }
        return r;
}

/* So that not all of the block has to be read again. Return: 0, -ENOMEM. */
static int note_between(Count *c, size_t offset, uint64_t n) {
        Between *more;

        if (!pl_log_lines_is_between(&c->lines) ||
            offset < (c->n_between > 0 ? c->between[c->n_between - 1].offset : 0) + BETWEEN_BYTES)
                return 0;
        more = reallocarray(c->between, c->n_between + 1, sizeof(*more));
        if (!more)
                return -ENOMEM;
        c->between = more;
        more[c->n_between++] = (Between){ offset, n };
        return 0;
}

static int count_block(Count *c, const PlLogBlock *b) {
        const char *p = b->data, *line;
        First first[STREAMS] = { 0 };
        uint64_t n = 0;
        size_t size;
        int r = 0;

        pl_log_lines_deinit(&c->lines);
        c->joined = false;
        c->n_between = 0;
        while (r >= 0 && p < b->data + b->size) {
                r = feed(&c->lines, &p, b->data + b->size, &line, &size);
                if (r >= 0)
                        r = count_record(c, first, line, size, &n);
                if (r >= 0)
                        r = note_between(c, (size_t)(p - b->data), n);
        }
        for (unsigned i = 0; i < STREAMS && r >= 0; i++)
                r = join(c, first, i, &n);
        while (r >= 0 && (r = pl_log_lines_flush(&c->lines)) > 0)
                count_pieces(c, first, &n); /* what goes on no more */
        for (unsigned i = 0; i < STREAMS; i++) {
                if (!first[i].seen)
                        continue;
                free(c->first[i].records.data);
                c->first[i] = first[i];
                if (first[i].counted)
                        c->first[i].from_end = c->n + n - first[i].from_end + 1;
        }
        c->n += n;
        return r;
}

/* Is one of the lines that will be shown perhaps the end of a line? */
static bool is_doubtful(const Count *c, uint64_t n) {
        for (unsigned i = 0; i < STREAMS; i++)
                if (c->first[i].counted && c->first[i].from_end <= n)
                        return true;
        return false;
}

/* From the start of the block to the last place in it from which enough lines are ahead. */
static void go_on(Source *s, Count *c, uint64_t n) {
        PlLogPlace place = pl_log_reader_tell(s->reader);

        for (size_t i = c->n_between; i > 0; i--) {
                const Between *b = &c->between[i - 1];

                if (c->n < b->n + n)
                        continue;
                c->n -= b->n;
                place.offset += b->offset;
                pl_log_reader_go(s->reader, place);
                return;
        }
}

/*
 * To where at least so many lines are ahead, or to the beginning
 * @filter: which lines count
 * @n: with more than so many, skip is what is too much
 * @progress: called now and then; may be NULL
 * Return: 0, -ENOMEM, -errno.
 */
static int source_rewind(Source *s, const PlLogFilter *filter, uint64_t n,
                         void (*progress)(void *userdata), void *userdata, Tail *ret) {
        PlLogFilter counting = *filter;
        Count c = { .lines = { .filter = &counting },
                    .filter = &counting,
                    .oldest_nsec = UINT64_MAX };
        int r = pl_log_reader_to_end(s->reader);

        counting.count = true;
        while (r >= 0 && n > 0 && (c.n < n || is_doubtful(&c, n))) {
                PlLogPlace place = pl_log_reader_tell(s->reader);
                uint64_t before = c.n;
                PlLogBlock b;

                r = pl_log_reader_previous(s->reader, &b);
                if (r <= 0)
                        break;
                r = count_block(&c, &b);
                if (progress)
                        progress(userdata);
                /* one block further is enough: a stream that has said nothing for so long has no
                 * line open */
                if (before >= n && !c.joined) {
                        pl_log_reader_go(s->reader, place);
                        c.n = before;
                        c.n_between = 0;
                        break;
                }
        }
        if (r >= 0)
                go_on(s, &c, n);
        pl_log_lines_deinit(&c.lines);
        for (unsigned i = 0; i < STREAMS; i++)
                free(c.first[i].records.data);
        free(c.between);
        if (r < 0)
                return r;
        s->skip = c.n > n ? c.n - n : 0;
        *ret = (Tail){ .n = PL_MIN(c.n, n), .oldest_nsec = c.oldest_nsec };
        return 0;
}

#define RENEW_MSEC    100
#define PROGRESS_USEC 700000
#define NSEC_PER_SEC  UINT64_C(1000000000)

/* A container with its source. */
typedef struct Member {
        PlLogMember is;
        Source source;
        bool opened, over;   /* over: it has no more to say */
        uint64_t begin_nsec; /* nothing of it that has an archive is older; 0: unknown */
        int watch;           /* of its live log; negative: none */
} Member;

typedef struct Logs {
        PlCtl *ctl;
        const char *name, *archive; /* of the directory */
        PlLogFilter filter;
        PlLogAsked asked;
        uint64_t tail, skip; /* skip: lines to leave out first */
        bool follow;
        PlLogStore *store;
        Member **members;
        size_t n;
        Member *current;  /* whose line was printed last */
        bool unended[2];  /* the last line on stdout, stderr has no newline */
        unsigned missing; /* times that lines are missing */
        char *socket;     /* of the engine, once it was asked for */
        bool engine_known, dry_run;
        int inotify;
        /* a long search shows how far it is, on a terminal */
        bool progress, progress_shown, printed;
        uint64_t begin_usec;
} Logs;

/* --- what is said -------------------------------------------------------------------------------
 */

static void clear_progress(Logs *l) {
        if (l->progress_shown)
                (void)fputs("\r\033[K", stderr);
        l->progress_shown = false;
}

/* Backward from the end, or forward from the beginning: the share of what is done only grows. */
static void show_progress(Logs *l, bool backward) {
        uint64_t all = 0, done = 0;

        if (!l->progress || l->printed ||
            pl_clock_usec(CLOCK_MONOTONIC) - l->begin_usec < PROGRESS_USEC ||
            (!backward && l->tail != UINT64_MAX))
                return;
        for (size_t i = 0; i < l->n; i++) {
                const Member *m = l->members[i];
                uint64_t size = m->is.bytes, before = m->over ? size : 0;

                if (m->source.reader)
                        pl_log_reader_share(m->source.reader, &size, &before);
                else if (backward)
                        before = m->opened ? 0 : size;
                all += size;
                done += backward ? size - before : before;
        }
        (void)fprintf(stderr, "\rreading archives: %3.0f %%",
                      all > 0 ? 100 * (double)done / (double)all : 100);
        l->progress_shown = true;
}

static void on_counted(void *userdata) {
        show_progress(userdata, true);
}

static void on_block(void *userdata) {
        show_progress(userdata, false);
}

/* In the place where they would be. */
static void on_missing(void *userdata, const char *what) {
        Logs *l = userdata;

        clear_progress(l);
        (void)fflush(stdout);
        pl_ctl_say("%s; lines are missing here", what);
        l->missing++;
}

static int say_error(const Logs *l, int r) {
        if (r == -EACCES || r == -EPERM)
                pl_ctl_say("%s may not be read: be root or a member of group plimsoll", l->archive);
        else if (r == -ENOENT)
                pl_ctl_say("%s: no such archive directory; has plimsolld run here?", l->archive);
        else
                pl_ctl_say("%s: %s", l->name, strerror(-r));
        return PL_EXIT_BAD;
}

/* --- printing -----------------------------------------------------------------------------------
 */

static int put(Logs *l, bool error, const char *data, size_t size) {
        FILE *to = error ? stderr : stdout;

        if (size == 0)
                return 0;
        l->unended[error] = data[size - 1] != '\n';
        return fwrite(data, 1, size, to) == size ? 0 : -errno;
}

/* Last words without a newline, and something comes after them. */
static int end_line(Logs *l, bool error) {
        return l->unended[error] ? put(l, error, "\n", 1) : 0;
}

/* A line of another container than the one before. */
static int put_marker(Logs *l, const Member *m) {
        char text[PL_ARCHIVE_NAME_MAX + 32], name[PL_ARCHIVE_NAME_MAX];
        int n, r = end_line(l, false);

        (void)pl_quote(m->is.name, strlen(m->is.name), name, sizeof(name));
        n = snprintf(text, sizeof(text), "-- %s %.12s --\n", name, m->is.id);
        return r < 0 ? r : put(l, false, text, (size_t)n);
}

/* Return: 0; -EPIPE nobody reads any more; -errno. */
static int print(Logs *l, Member *m) {
        const PlLogPiece *p = source_piece(&m->source);
        bool error = p->stream == PL_JSONLOG_STDERR && !l->filter.json;
        int r = 0;

        if (p->first && l->skip > 0)
                l->skip--;
        else if (l->skip == 0 || !p->first) {
                clear_progress(l);
                l->printed = true;
                if (l->current != m && l->filter.details && !l->filter.json && l->n > 1)
                        r = put_marker(l, m);
                l->current = m;
                if (r >= 0 && p->first)
                        r = end_line(l, error);
                if (r >= 0)
                        r = put(l, error, p->out.data, p->out.n);
        }
        source_took(&m->source);
        return r;
}

/* --- opening ------------------------------------------------------------------------------------
 */

static const char *engine(Logs *l) {
        if (!l->engine_known)
                pl_ctl_engine(l->ctl, &l->socket, &l->dry_run);
        l->engine_known = true;
        return l->socket;
}

/* A log that is no file of records, from whoever has it. Return: 0; -errno, it was said. */
static int open_spool(Logs *l, Member *m) {
        PlLogSpoolAsked asked = { .since_nsec = l->filter.since_nsec,
                                  .until_nsec = l->filter.until_nsec,
                                  .tail = l->filter.grep ? UINT64_MAX : l->tail,
                                  .details = l->filter.details,
                                  .follow = l->follow };
        PlLogForeign f = { 0 };
        const char *error;
        int fd = -EBADF, r = engine(l) ? pl_log_foreign_find(l->socket, m->is.id, &f) : -ENOTCONN;

        if (l->filter.no_stdout || l->filter.no_stderr)
                asked.tail = UINT64_MAX;
        if (r >= 0)
                r = pl_log_spool_new(l->socket, &f, &asked, &m->source.spool, &fd);
        error = m->source.spool ? pl_log_spool_error(m->source.spool) : "";
        if (r < 0 || *error) {
                char quoted[256];

                (void)pl_quote(*error ? error : strerror(-r), strlen(*error ? error : strerror(-r)),
                               quoted, sizeof(quoted));
                clear_progress(l);
                pl_ctl_say("%s logs to %s: %s; lines are missing here%s", m->is.name,
                           m->is.driver ?: "?", quoted,
                           pl_streq_null(m->is.driver, "journald")
                                           ? ": be root or a member of group systemd-journal, or "
                                             "see journalctl CONTAINER_NAME="
                                           : ": see docker logs, or where that driver sends them");
                l->missing++;
        }
        pl_log_foreign_deinit(&f);
        if (fd >= 0)
                pl_log_reader_take(m->source.reader, fd);
        return r;
}

static void say_live(Logs *l, const Member *m, int r) {
        _cleanup_free_ char *dir = strdup(m->is.path);
        char *slash = dir ? strrchr(dir, '/') : NULL;
        struct stat st;

        if (slash)
                *slash = '\0';
        clear_progress(l);
        if (r == -ENOENT && dir && stat(dir, &st) < 0 && errno == ENOENT)
                pl_ctl_say("%s was removed, and its live log with it; its archives follow, what "
                           "came after them is missing",
                           m->is.name);
        else if (r == -ENOENT)
                pl_ctl_say("%s: somebody has removed or moved %s; its archives follow, what came "
                           "after them is missing",
                           m->is.name, m->is.path);
        else if (r == -EACCES || r == -EPERM)
                pl_ctl_say("%s: the live log may not be read, only its archives follow; root may "
                           "read both",
                           m->is.name);
        else
                pl_ctl_say("%s: %s is not read: %s; its archives follow, what came after them is "
                           "missing",
                           m->is.name, m->is.path,
                           r == -ELOOP         ? "a symbolic link is in its place"
                           : r == -EMEDIUMTYPE ? "it is no regular file with one name"
                                               : strerror(-r));
        l->missing++;
}

/* Return: 0, -ENOMEM, -errno. */
static int open_member(Logs *l, Member *m) {
        bool json_file = m->is.path && (!m->is.driver || pl_streq(m->is.driver, "json-file"));
        PlLogReader **reader = &m->source.reader;
        int r, live;

        m->opened = true;
        m->source.lines.filter = &l->filter;
        m->source.progress = on_block;
        m->source.userdata = l;
        r = live = pl_log_reader_new(l->store, m->is.id, m->is.name, &l->asked,
                                     json_file ? m->is.path : NULL, reader);
        if (r < 0 && r != -ENOMEM && json_file)
                r = pl_log_reader_new(l->store, m->is.id, m->is.name, &l->asked, NULL, reader);
        if (r < 0)
                return r;
        if (m->is.driver && !json_file)
                live = open_spool(l, m) == -ENOMEM ? -ENOMEM : 0;
        else if (live == -EACCES && engine(l) && open_spool(l, m) >= 0)
                live = 0; /* whoever may ask the engine may read it */
        else if (live < 0 && live != -ENOMEM)
                say_live(l, m, live);
        return live == -ENOMEM ? live : 0;
}

/* --- one after the other ------------------------------------------------------------------------
 */

static void close_member(Logs *l, Member *m) {
        if (m->source.lines.damaged > 0) {
                clear_progress(l);
                (void)fflush(stdout);
                pl_ctl_say("%" PRIu64 " line%s of the log of %s skipped: no record of the engine's",
                           m->source.lines.damaged, pl_plural(m->source.lines.damaged), m->is.name);
                l->missing++;
        }
        source_deinit(&m->source);
        m->over = true;
}

/* Has a container, for now, no more to say than what it has said? */
static bool may_grow(const Logs *l, const Member *m) {
        return l->follow && m->source.reader && pl_log_reader_fd(m->source.reader) >= 0;
}

/* The member whose line is next; opens those whose time has come. Return: 1, 0 none, -errno. */
static int choose(Logs *l, Member **ret) {
        Member *best = NULL;
        uint64_t best_nsec = 0;

        for (size_t i = 0; i < l->n; i++) {
                Member *m = l->members[i];
                uint64_t nsec;
                int r;

                if (m->over || (!m->opened && best && m->begin_nsec > best_nsec))
                        continue;
                r = m->opened ? 0 : open_member(l, m);
                if (r >= 0)
                        r = source_fill(&m->source, !may_grow(l, m));
                if (r < 0 && r != -ENOMEM) {
                        on_missing(l, strerror(-r));
                        r = 0;
                }
                if (r < 0)
                        return r;
                if (r == 0) {
                        if (!may_grow(l, m))
                                close_member(l, m);
                        continue;
                }
                nsec = PL_MAX(m->source.order_nsec, source_piece(&m->source)->time_nsec);
                if (m->source.inside) { /* a line is not interrupted */
                        *ret = m;
                        return 1;
                }
                if (!best || nsec < best_nsec) {
                        best = m;
                        best_nsec = nsec;
                }
        }
        *ret = best;
        return best != NULL;
}

/* To the end as it is now. Return: 0, -errno. */
static int run_to_end(Logs *l) {
        for (;;) {
                Member *m;
                int r = choose(l, &m);

                if (r <= 0)
                        return r;
                r = print(l, m);
                if (r < 0)
                        return r;
        }
}

/* --- the last lines -----------------------------------------------------------------------------
 */

/* When the last line of a container may be from, at the latest. */
static uint64_t end_of(const Member *m) {
        return m->is.path || m->is.driver || m->is.to_sec == 0 ? UINT64_MAX
                                                               : (m->is.to_sec + 1) * NSEC_PER_SEC;
}

static int compare_ends(const void *pa, const void *pb) {
        uint64_t a = end_of(*(Member *const *)pa), b = end_of(*(Member *const *)pb);

        return a > b ? -1 : a < b;
}

/* Those that ended last come first: as soon as there are enough lines that are younger than
 * whatever the others have, those are not looked at. */
static int find_tail(Logs *l) {
        _cleanup_free_ Member **order = calloc(l->n ?: 1, sizeof(*order));
        uint64_t n = 0, oldest_nsec = UINT64_MAX;

        if (!order)
                return -ENOMEM;
        memcpy(order, l->members, l->n * sizeof(*order));
        qsort(order, l->n, sizeof(*order), compare_ends);
        for (size_t i = 0; i < l->n; i++) {
                Member *m = order[i];
                Tail tail = { 0 };
                int r;

                if (l->tail == 0 || (n >= l->tail && end_of(m) < oldest_nsec)) {
                        if (l->tail == 0 && l->follow && m->is.path) {
                                r = open_member(l, m);
                                if (r >= 0 && m->source.reader)
                                        r = pl_log_reader_to_end(m->source.reader);
                                if (r < 0)
                                        return r;
                        } else
                                m->over = true;
                        continue;
                }
                r = open_member(l, m);
                if (r >= 0)
                        r = source_rewind(&m->source, &l->filter, l->tail, on_counted, l, &tail);
                if (r < 0)
                        return r;
                n += tail.n;
                if (tail.n > 0)
                        oldest_nsec = PL_MIN(oldest_nsec, tail.oldest_nsec);
        }
        l->skip = n > l->tail ? n - l->tail : 0;
        return 0;
}

/* --- what comes ---------------------------------------------------------------------------------
 */

static int until_msec(const Logs *l) {
        uint64_t now = pl_clock_usec(CLOCK_REALTIME) * 1000, until = l->filter.until_nsec;

        if (until == UINT64_MAX)
                return -1;
        return until <= now ? 0 : (int)PL_MIN((until - now) / 1000000 + 1, (uint64_t)INT32_MAX);
}

static int watch(const Logs *l, const Member *m) {
        char path[64];

        snprintf(path, sizeof(path), "/proc/self/fd/%d", pl_log_reader_fd(m->source.reader));
        return inotify_add_watch(l->inotify, path, IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF) < 0
                               ? -errno
                               : 0;
}

/* The beginning of a line that may be long in coming. */
static int show_unfinished(Logs *l) {
        int r = 0;

        for (size_t i = 0; i < l->n && r >= 0; i++) {
                Member *m = l->members[i];

                if (m->over || !m->opened)
                        continue;
                while (r >= 0 && (r = pl_log_lines_show(&m->source.lines)) > 0) {
                        m->source.piece = 0;
                        r = source_fill(&m->source, false) > 0 ? print(l, m) : 0;
                }
        }
        return r;
}

static bool is_gone(const Member *m) {
        return m->source.spool ? pl_log_spool_is_over(m->source.spool)
                               : pl_log_reader_is_gone(m->source.reader);
}

/* The engine has rotated, or the container is gone. @ret_msec: when to look again, where that is
 * earlier. Return: 1 there may be more to read now; 0; -errno. */
static int renew(Logs *l, Member *m, int *ret_msec) {
        int r = m->source.spool ? 0 : pl_log_reader_renew(m->source.reader);

        if (r > 0)
                r = watch(l, m) < 0 ? -errno : 1;
        else if (r == -ENOENT || r == -EAGAIN) {
                *ret_msec = *ret_msec < 0 ? RENEW_MSEC : PL_MIN(*ret_msec, RENEW_MSEC);
                r = 0;
        }
        return r;
}

static int add_new(Logs *l);

/* Return: how many live logs there are still; -errno. */
static int settle(Logs *l, int *ret_msec, bool *ret_more) {
        int n = 0;

        *ret_more = false;
        for (size_t i = 0; i < l->n; i++) {
                Member *m = l->members[i];
                int r;

                if (m->over || !may_grow(l, m))
                        continue;
                r = is_gone(m) ? -ENODEV : renew(l, m, ret_msec);
                if (r == -ENODEV) {
                        r = source_fill(&m->source, true);
                        if (r == 0)
                                close_member(l, m);
                        *ret_more = *ret_more || r > 0;
                }
                if (r < 0)
                        return r;
                n += !m->over;
                *ret_more = *ret_more || r > 0;
        }
        return n;
}

/* Of a service, containers to come, too. */
static int watch_all(Logs *l) {
        _cleanup_free_ char *state = NULL;
        int r = 0;

        for (size_t i = 0; i < l->n && r >= 0; i++) {
                Member *m = l->members[i];

                if (!m->over && !m->opened && (m->is.path || m->is.driver))
                        r = open_member(l, m);
                if (r >= 0 && !m->over && may_grow(l, m))
                        r = watch(l, m);
        }
        if (r >= 0 && asprintf(&state, "%s/.state", l->archive) < 0) {
                state = NULL;
                r = -ENOMEM;
        }
        if (r >= 0)
                (void)inotify_add_watch(l->inotify, state, IN_MOVED_TO | IN_ONLYDIR);
        return r;
}

static int follow(Logs *l) {
        struct pollfd p = { .events = POLLIN };
        char events[4096];
        int r;

        p.fd = l->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        if (p.fd < 0)
                return -errno;
        r = watch_all(l);
        while (r >= 0) {
                int msec = until_msec(l);
                bool more;

                r = run_to_end(l);
                clear_progress(l);
                l->progress = false; /* what comes now is not searched for */
                if (r >= 0)
                        r = show_unfinished(l);
                if (r < 0 || fflush(stdout) != 0)
                        return r < 0 ? r : -errno;
                r = settle(l, &msec, &more);
                if (r <= 0)
                        return r;
                if (more)
                        continue;
                /* a rotation writes to the log, and its removal changes the link count */
                if (poll(&p, 1, msec) < 0 && errno != EINTR)
                        return -errno;
                while (read(p.fd, events, sizeof(events)) > 0)
                        ; /* all that matters is that something has happened */
                if (l->filter.until_nsec <= pl_clock_usec(CLOCK_REALTIME) * 1000)
                        return 0;
                r = add_new(l);
        }
        return r;
}

static int show(Logs *l) {
        int r = l->tail != UINT64_MAX ? find_tail(l) : 0;

        if (r >= 0 && l->follow)
                r = follow(l);
        l->follow = false;
        if (r >= 0)
                r = run_to_end(l);
        clear_progress(l);
        if (fflush(stdout) != 0 && r >= 0)
                r = -errno;
        return r;
}

/* --- which containers ---------------------------------------------------------------------------
 */

static bool is_member(const Logs *l, const char *id) {
        for (size_t i = 0; i < l->n; i++)
                if (strncmp(l->members[i]->is.id, id, 12) == 0)
                        return true;
        return false;
}

/* Takes what it is given. Return: 0, -ENOMEM. */
static int add_member(Logs *l, PlLogMember *m) {
        Member **more = reallocarray(l->members, l->n + 1, sizeof(*more));

        if (!more)
                return -ENOMEM;
        l->members = more;
        more[l->n] = calloc(1, sizeof(**more));
        if (!more[l->n])
                return -ENOMEM;
        more[l->n]->is = *m;
        /* a live log is opened at once: it may begin where the last archive ends */
        more[l->n]->begin_nsec = m->n_archives > 0 && !m->path ? m->from_sec * NSEC_PER_SEC : 0;
        l->n++;
        *m = (PlLogMember){ 0 };
        return 0;
}

static int add_found(Logs *l, PlLogMembers *found) {
        int r = 0;

        for (size_t i = 0; i < found->n && r >= 0; i++)
                if (!is_member(l, found->items[i].id))
                        r = add_member(l, &found->items[i]);
        return r;
}

/* While it is followed: containers that a service has got since. */
static int add_new(Logs *l) {
        PlLogMembers found = { 0 };
        size_t before = l->n;
        int r = l->store ? pl_log_members_find(l->store, l->name, l->ctl->logs.container, &found)
                         : 0;

        if (r >= 0)
                r = add_found(l, &found);
        pl_log_members_deinit(&found);
        for (size_t i = before; i < l->n && r >= 0; i++) {
                r = open_member(l, l->members[i]);
                if (r >= 0 && may_grow(l, l->members[i]))
                        r = watch(l, l->members[i]);
        }
        return r == -ENOMEM ? r : 0;
}

/* A container of which plimsolld has no record: in a dry run, or when records were lost. */
static int add_from_engine(Logs *l) {
        PlLogForeign f = { 0 };
        PlLogMember m = { 0 };
        const char *id = l->ctl->logs.container;
        int r = engine(l) ? pl_log_foreign_find(l->socket, l->name, &f) : -ENOENT;

        if (r < 0 || (id && !pl_startswith(f.id, id))) {
                pl_log_foreign_deinit(&f);
                return r == -ENOMEM ? r : 0;
        }
        for (size_t i = 0; i < l->n; i++)
                if (strncmp(l->members[i]->is.id, f.id, 12) == 0) {
                        PlLogMember *is = &l->members[i]->is;

                        memcpy(is->id, f.id, PL_ID_MAX);
                        is->path = TAKE_PTR(f.path);
                        is->driver = TAKE_PTR(f.driver);
                        l->members[i]->begin_nsec = 0;
                        pl_log_foreign_deinit(&f);
                        return 0;
                }
        memcpy(m.id, f.id, PL_ID_MAX);
        m.name = TAKE_PTR(f.name);
        m.path = TAKE_PTR(f.path);
        m.driver = TAKE_PTR(f.driver);
        pl_log_foreign_deinit(&f);
        if (l->dry_run)
                pl_ctl_say("DryRun=yes: nothing of %s is archived", m.name);
        return add_member(l, &m);
}

static bool has_record(const Logs *l) {
        for (size_t i = 0; i < l->n; i++)
                if (l->members[i]->is.recorded && l->members[i]->is.path)
                        return true;
        return false;
}

static int say_none(Logs *l) {
        const char *id = l->ctl->logs.container;

        if (id)
                pl_ctl_say("no log of a container %s of \"%s\" is known in %s", id, l->name,
                           l->archive);
        else
                pl_ctl_say("no log of \"%s\" is known in %s%s", l->name, l->archive,
                           l->dry_run ? ": plimsolld is in a dry run (DryRun=yes) and archives "
                                        "nothing"
                                      : "");
        return PL_EXIT_BAD;
}

static int say_several(const PlLogMembers *found) {
        if (found->services) {
                pl_ctl_say("several projects have such a service; name one of them:");
                for (size_t i = 0; i < found->n; i++) {
                        char title[PL_ARCHIVE_NAME_MAX];

                        (void)pl_quote(found->items[i].title, strlen(found->items[i].title), title,
                                       sizeof(title));
                        pl_ctl_say("  %s (%s, %.12s)", title, found->items[i].name,
                                   found->items[i].id);
                }
                return PL_EXIT_USAGE;
        }
        pl_ctl_say("there are %zu containers with such an id; name one of them:", found->n);
        for (size_t i = 0; i < found->n; i++)
                pl_ctl_say("  %.12s %s", found->items[i].id, found->items[i].name);
        return PL_EXIT_USAGE;
}

/* What is wrong with records; the rest is shown. */
static void say_bad_records(Logs *l, int error) {
        if (error < 0 && !has_record(l)) {
                pl_ctl_say("%s/.state: %s: live logs are not found", l->archive, strerror(-error));
                l->missing++;
        }
        for (size_t i = 0; i < l->n; i++) {
                const PlLogMember *m = &l->members[i]->is;

                if (m->recorded && !m->path && !m->driver) {
                        pl_ctl_say("%s: its record in %s/.state cannot be read, so its live log is "
                                   "not found; its archives follow",
                                   m->name, l->archive);
                        l->missing++;
                }
        }
}

/* Return: -1 to go on, or an exit status. */
static int find(Logs *l) {
        PlLogMembers found = { 0 };
        int error = pl_log_store_open(l->archive, false, (gid_t)-1, &l->store), r = 0;

        if (error >= 0)
                r = error = pl_log_members_find(l->store, l->name, l->ctl->logs.container, &found);
        if (r == -ENOTUNIQ)
                r = say_several(&found);
        else if (r == -ENOMEM)
                r = say_error(l, r);
        else {
                r = add_found(l, &found);
                if (r >= 0 && !has_record(l))
                        r = add_from_engine(l);
                if (r >= 0)
                        say_bad_records(l, found.records_error);
                if (error < 0 && r >= 0) {
                        (void)say_error(l, error);
                        l->missing++;
                }
                r = r < 0 ? say_error(l, r) : l->n > 0 ? -1 : error < 0 ? PL_EXIT_BAD : say_none(l);
        }
        pl_log_members_deinit(&found);
        return r;
}

/* --- the command --------------------------------------------------------------------------------
 */

/* Return: -1 to go on, or an exit status. */
static int take_options(const PlCtl *ctl, Logs *l) {
        const PlCtlLogs *o = &ctl->logs;
        char why[PL_PATTERN_WHY_MAX];
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
        l->asked = (PlLogAsked){ .since_nsec = o->since_nsec,
                                 .until_nsec = o->until_nsec,
                                 .missing = on_missing,
                                 .userdata = l };
        if (!o->grep)
                return -1;
        r = pl_pattern_new(o->grep, o->ignore_case, &l->filter.grep, why);
        if (r < 0) {
                pl_ctl_say("--grep %s: %s", o->grep, why);
                return PL_EXIT_USAGE;
        }
        return -1;
}

static void logs_deinit(Logs *l) {
        for (size_t i = 0; i < l->n; i++) {
                Member *m = l->members[i];

                source_deinit(&m->source);
                free(m->is.name);
                free(m->is.path);
                free(m->is.driver);
                free(m->is.origin);
                free(m->is.title);
                free(m);
        }
        free(l->members);
        free(l->socket);
        pl_closep(&l->inotify);
        pl_log_store_free(l->store);
        pl_pattern_free(l->filter.grep);
}

static int print_containers(PlCtl *ctl) {
        _cleanup_free_ char *archive = NULL;
        Logs l = { .ctl = ctl,
                   .name = ctl->n_arguments > 0 ? ctl->arguments[0] : ctl->logs.container,
                   .archive = ctl->archive,
                   .inotify = -EBADF,
                   .progress = isatty(STDERR_FILENO) == 1,
                   .begin_usec = pl_clock_usec(CLOCK_MONOTONIC) };
        int status = take_options(ctl, &l), r;

        if (status < 0 && !l.archive) {
                status = pl_ctl_paths(ctl, NULL, &archive);
                l.archive = archive;
        }
        if (status < 0)
                status = find(&l);
        if (status < 0) {
                r = show(&l);
                status = r < 0 && r != -EPIPE ? say_error(&l, r)
                         : l.missing > 0      ? PL_EXIT_BAD
                                              : PL_EXIT_GOOD;
        }
        logs_deinit(&l);
        return status;
}

/* Lines of such a file have no time and no stream. */
static bool only_path(const PlCtl *ctl) {
        const PlCtlLogs *o = &ctl->logs;

        return ctl->n_arguments == 0 && !ctl->json && o->since_nsec == 0 &&
               o->until_nsec == UINT64_MAX && o->tail == UINT64_MAX && !o->grep && !o->follow &&
               !o->only_stdout && !o->only_stderr && !o->timestamps && !o->details && !o->container;
}

int pl_ctl_cmd_logs(PlCtl *ctl) {
        if (ctl->logs.path && only_path(ctl))
                return pl_ctl_logs_path(ctl->logs.path, ctl->archive);
        if (ctl->logs.path || (ctl->n_arguments == 0 && !ctl->logs.container)) {
                pl_ctl_say("%s",
                           ctl->logs.path ? "--path takes no NAME, and no option but --archive"
                                          : "logs needs a NAME, or --path FILE");
                return PL_EXIT_USAGE;
        }
        return print_containers(ctl);
}
