/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Log reader: one stream of records of a container's archives and its live log.
 *
 * A place in the stream is (generation, offset): archive N holds generation N, the log behind its
 * head is generation gen + 1. A rotation moves bytes from the log into an archive and changes no
 * place, so a reader simply goes on while the daemon rotates under it. It takes no lock: it reads
 * the state before and after the bytes and believes them only when the two agree. It works without
 * a daemon, also on what a killed one has left unfinished.
 *
 * Where the engine rotates by itself its rotated files belong to the live generation, before the
 * log: a container that was adopted has archives, then those, then the log.
 *
 * Order is that of generations and offsets, never that of times: clocks step. What is passed over
 * because of its time is passed over one by one, by the times that an archive's name and its frames
 * have. Only in a log that nobody has bounded, and in large archives of earlier versions, which do
 * not have the times of their frames, a time is searched for.
 */

#include "ctl/logs/reader.h"

#include <errno.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/native.h"
#include "lib/base/unit.h"
#include "lib/logs/jsonlog.h"
#include "rotate/segment.h"

#define RETRIES_MAX  200
#define CLOSE_ENOUGH MIB(1)
#define SCAN_BYTES   MIB(64) /* so much of a live log is read rather than searched */
#define SCAN_FRAMES  8       /* so many frames without times */
#define PEEK_BYTES   KIB(64)
#define CHUNK        MIB(1)

/* The live generation now, gen + 1: what the engine has rotated away, then the log from head on. */
typedef struct View {
        uint64_t gen, head;
        uint64_t bytes; /* of that generation */
} View;

struct PlLogReader {
        PlLogStore *store; /* NULL: no archives, and no record */
        char id[PL_ID_MAX];
        const char *name;
        const PlLogAsked *asked;
        char *path;    /* of the log */
        PlLogFile log; /* fd < 0: archives alone */
        PlLogNatives natives;
        PlStoredArchive *archives;
        size_t n_archives;
        PlLogSegment segment;
        char *buf;
        uint64_t gen, offset; /* where it stands */
        uint64_t last_gen;    /* as last seen in the state */
        uint64_t missed_gen;  /* up to here it was told what is missing */
        uint64_t sought_gen;  /* the generation that was searched for a time */
};

static void PL_PRINTF(2, 3) miss(const PlLogReader *r, const char *format, ...) {
        char text[PL_ARCHIVE_NAME_MAX * 2 + 256];
        va_list ap;

        va_start(ap, format);
        (void)vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        r->asked->missing(r->asked->userdata, text);
}

/* May a stretch of the log with these times hold something that was asked for? 0: unknown */
static bool is_asked(const PlLogReader *r, uint64_t from_sec, uint64_t to_sec) {
        const uint64_t nsec = UINT64_C(1000000000);

        return to_sec == 0 ||
               (to_sec >= r->asked->since_nsec / nsec && from_sec <= r->asked->until_nsec / nsec);
}

/*
 * As recovery would see it, without changing anything: an intent counts as done, a log that
 * somebody truncated begins at 0.
 */
static int interpret(PlLogReader *r, const PlRotateState *s, View *ret) {
        bool intent = s->phase == PL_ROTATE_INTENT;
        PlRotateSeen seen = { 0 };
        uint64_t mark, gen;
        int e = pl_log_file_see(r->log.fd, s, &seen);

        if (e < 0)
                return e;
        *ret = (View){ .gen = s->gen + intent };
        switch (pl_rotate_recover(s, &seen)) {
        case PL_ROTATE_GO_ON:
                ret->head = s->head;
                break;
        case PL_ROTATE_REDO:
                ret->head = s->k;
                break;
        case PL_ROTATE_FINISH:
                ret->head = s->k - s->a;
                break;
        case PL_ROTATE_RESET:
                if (pl_log_file_find_head(r->log.fd, 0, seen.size, &ret->head, &mark, &gen) < 0 ||
                    gen == 0)
                        ret->head = 0;
                else if (s->ino == 0) /* without a record, the marker is all there is */
                        ret->gen = PL_MAX(ret->gen, gen);
                break;
        }
        ret->bytes = r->natives.bytes + (seen.size > ret->head ? seen.size - ret->head : 0);
        return 0;
}

static int look(PlLogReader *r, View *ret) {
        PlRotateState s = { 0 };
        int e = r->store ? pl_log_store_load(r->store, r->id, &s) : -ENOENT;

        if (e == -ENOENT ||
            e == -EBADMSG) /* the file is open here, whatever became of its record */
                s = (PlRotateState){ .gen = r->last_gen };
        else if (e < 0)
                return e;
        e = interpret(r, &s, ret);
        pl_rotate_state_deinit(&s);
        return e;
}

/* State and markers are read one after the other, and a rotation may come between: an old state
 * beside new markers looks like a log that somebody truncated. If two looks agree, none did. */
static int view(PlLogReader *r, View *ret) {
        View before;
        int e;

        if (r->log.fd < 0) {
                *ret = (View){ .gen = r->n_archives ? r->archives[r->n_archives - 1].name.gen : 0 };
                return 0;
        }
        e = look(r, ret);
        for (unsigned tries = 0; e >= 0 && tries < RETRIES_MAX; tries++) {
                before = *ret;
                e = look(r, ret);
                if (e >= 0 && ret->gen == before.gen && ret->head == before.head &&
                    ret->bytes >= before.bytes) {
                        r->last_gen = ret->gen;
                        return 0;
                }
        }
        return e < 0 ? e : -EBUSY;
}

static int take_archives(PlLogReader *r) {
        PlStoredArchive *archives = NULL;
        size_t n = 0;
        int e;

        e = r->store ? pl_log_store_list(r->store, r->id, &archives, &n) : 0;
        if (e < 0)
                return e;
        free(r->archives);
        r->archives = archives;
        r->n_archives = n;
        return 0;
}

/* The log, and what the engine has rotated away until now. */
static int open_live(PlLogReader *r) {
        for (unsigned tries = 0; tries < RETRIES_MAX; tries++) {
                int e = pl_log_file_open(r->path, r->id, false, &r->log);

                if (e >= 0)
                        e = pl_log_natives_open(&r->log, r->id, &r->natives);
                if (e >= 0)
                        return 0;
                pl_log_file_close(&r->log);
                if (e != -EAGAIN && e != -ENOENT)
                        return e;
                (void)usleep(2000); /* the engine is renaming */
        }
        return -ENOENT;
}

static void go(PlLogReader *r, uint64_t gen, uint64_t offset) {
        r->gen = gen;
        r->offset = offset;
}

/* Return: 1 the partial archive holds this generation, *ret is where it lies; 0; -errno. */
static int find_partial(PlLogReader *r, uint64_t gen, PlStoredArchive *ret) {
        PlRotateState s = { 0 };
        int e = r->store ? pl_log_store_load(r->store, r->id, &s) : -ENOENT;

        if (e < 0)
                return e;
        e = s.phase == PL_ROTATE_INTENT && s.gen + 1 == gen;
        (void)snprintf(ret->service, sizeof(ret->service), "%s", s.service);
        (void)snprintf(ret->file, sizeof(ret->file), ".partial-%s", r->id);
        pl_rotate_state_deinit(&s);
        return e;
}

static void rewind_all(PlLogReader *r) {
        PlStoredArchive partial;
        View v;

        if (r->n_archives > 0)
                go(r, r->archives[0].name.gen, 0);
        else if (r->log.fd < 0 || view(r, &v) < 0)
                go(r, 1, 0);
        else /* the first archive may not have its name yet */
                go(r, v.gen + (find_partial(r, v.gen, &partial) <= 0), 0);
}

int pl_log_reader_new(PlLogStore *store, const char *id, const char *name, const PlLogAsked *asked,
                      const char *path, PlLogReader **ret) {
        _cleanup_(pl_log_reader_freep) PlLogReader *r = calloc(1, sizeof(*r));
        int e;

        if (!r)
                return -ENOMEM;
        r->store = store;
        r->name = name;
        r->asked = asked;
        r->log = (PlLogFile)PL_LOG_FILE_INIT;
        r->segment = (PlLogSegment)PL_LOG_SEGMENT_INIT;
        snprintf(r->id, sizeof(r->id), "%s", id);
        e = take_archives(r);
        if (e < 0)
                return e;
        if (r->n_archives > 0)
                r->last_gen = r->archives[r->n_archives - 1].name.gen;
        if (path) {
                r->path = strdup(path);
                e = r->path ? open_live(r) : -ENOMEM;
                if (e < 0)
                        return e;
        }
        rewind_all(r);
        *ret = TAKE_PTR(r);
        return 0;
}

void pl_log_reader_take(PlLogReader *r, int fd) {
        r->log.fd = fd;
        rewind_all(r);
}

PlLogReader *pl_log_reader_free(PlLogReader *r) {
        if (!r)
                return NULL;
        pl_log_file_close(&r->log);
        pl_log_natives_deinit(&r->natives);
        pl_log_segment_close(&r->segment);
        free(r->archives);
        free(r->path);
        free(r->buf);
        free(r);
        return NULL;
}

int pl_log_reader_to_end(PlLogReader *r) {
        View v;
        int e = view(r, &v);

        if (e < 0)
                return e;
        go(r, v.gen + 1, v.bytes);
        return 0;
}

static const PlStoredArchive *find(const PlLogReader *r, uint64_t gen) {
        for (size_t i = 0; i < r->n_archives; i++)
                if (r->archives[i].name.gen >= gen)
                        return &r->archives[i];
        return NULL;
}

/* Committed but not named yet: a daemon was killed, or is about to name it. The next rotation uses
 * the same name, so what was opened counts only if it still belongs to this one. */
static int open_partial(PlLogReader *r, uint64_t gen) {
        PlArchiveName name = { .gen = gen, .to_sec = UINT64_MAX };
        PlStoredArchive partial;
        int fd;

        if (find_partial(r, gen, &partial) <= 0)
                return -ENOENT;
        fd = pl_log_store_open_archive(r->store, &partial);
        if (fd < 0)
                return fd;
        if (find_partial(r, gen, &partial) <= 0) {
                (void)close(fd);
                return -ENOENT;
        }
        return pl_log_segment_open(fd, &name, &r->segment);
}

/* The archive of a generation, or of the next that is left. It may be named at any moment, so look
 * at the names, at the partial archive, and at the names again. Return: 0; -ENOENT none; -errno. */
static int open_segment(PlLogReader *r, uint64_t gen) {
        const PlStoredArchive *a;
        int fd, e;

        if (r->segment.fd >= 0 && r->segment.gen == gen)
                return 0;
        pl_log_segment_close(&r->segment);
        a = find(r, gen);
        for (unsigned tries = 0; tries < 2 && (!a || a->name.gen != gen); tries++) {
                e = tries == 0 ? -ENOENT : open_partial(r, gen);
                if (e != -ENOENT)
                        return e;
                e = take_archives(r); /* rotated or dropped meanwhile */
                if (e < 0)
                        return e;
                a = find(r, gen);
        }
        if (!a)
                return -ENOENT;
        fd = pl_log_store_open_archive(r->store, a);
        if (fd < 0)
                return fd;
        return pl_log_segment_open(fd, &a->name, &r->segment);
}

static void next_generation(PlLogReader *r) {
        go(r, r->gen + 1, 0);
}

/* The frame that holds an offset. @ret_start: its own. Return: index; table.n when the offset is
 * behind the last. */
static size_t find_frame(const PlLogSegment *s, uint64_t offset, uint64_t *ret_start) {
        uint64_t start = 0;
        size_t i = 0;

        for (; i < s->table.n && offset >= start + s->table.frames[i].raw_bytes; i++)
                start += s->table.frames[i].raw_bytes;
        *ret_start = start;
        return i;
}

/* Nothing is said of a gap between archives that were not asked for. */
static void miss_archives(PlLogReader *r, uint64_t from, uint64_t to) {
        uint64_t from_sec = 0, to_sec = UINT64_MAX;

        for (size_t i = r->n_archives; i > 0; i--) {
                const PlArchiveName *a = &r->archives[i - 1].name;

                if (a->gen > to)
                        to_sec = a->to_sec;
                if (a->gen < from) {
                        from_sec = a->from_sec;
                        break;
                }
        }
        if (from <= r->missed_gen || !is_asked(r, from_sec, to_sec))
                return;
        if (from == to)
                miss(r, "archive %" PRIu64 " of %s is not there", from, r->name);
        else
                miss(r, "archives %" PRIu64 " to %" PRIu64 " of %s are not there", from, to,
                     r->name);
        r->missed_gen = to;
}

static void miss_archive(PlLogReader *r, uint64_t gen, int error) {
        const PlStoredArchive *a = find(r, gen);

        if (gen <= r->missed_gen)
                return;
        miss(r, "archive %s/%s: %s", a ? a->service : "?", a ? a->file : "?",
             error == -EBADMSG ? "damaged" : strerror(-error));
        r->missed_gen = gen;
}

static void miss_frame(PlLogReader *r, size_t frame, int error) {
        const PlStoredArchive *a = find(r, r->segment.gen);

        miss(r, "archive %s/%s: part %zu of %zu: %s", a ? a->service : "?", a ? a->file : "?",
             frame + 1, r->segment.table.n, error == -EBADMSG ? "damaged" : strerror(-error));
}

/* What was cut off at the end of an archive. */
static void miss_end(PlLogReader *r) {
        const PlStoredArchive *a = find(r, r->segment.gen);

        if (!r->segment.cut || r->segment.gen <= r->missed_gen)
                return;
        miss(r, "archive %s/%s: its end is missing", a ? a->service : "?", a ? a->file : "?");
        r->missed_gen = r->segment.gen;
}

/* Return: offset of a frame's start within its archive. */
static uint64_t frame_start(const PlLogSegment *s, size_t frame) {
        uint64_t at = 0;

        for (size_t i = 0; i < frame; i++)
                at += s->table.frames[i].raw_bytes;
        return at;
}

/* A large archive of an earlier version: a frame before the first that begins at the time. */
static void seek_archive(PlLogReader *r) {
        PlLogSegment *s = &r->segment;
        size_t lo = 0, hi = s->table.n;

        if (r->sought_gen == r->gen || r->offset > 0 || r->asked->since_nsec == 0 ||
            s->table.times_bytes > 0 || s->table.n <= SCAN_FRAMES)
                return;
        r->sought_gen = r->gen;
        while (lo + 1 < hi) {
                size_t mid = lo + (hi - lo) / 2;
                uint64_t t = pl_log_segment_time(s, mid);

                if (t == 0 || t >= r->asked->since_nsec)
                        hi = mid;
                else
                        lo = mid;
        }
        r->offset = frame_start(s, lo ? lo - 1 : 0);
}

static bool is_frame_asked(const PlLogReader *r, size_t frame) {
        const struct PlSeekFrame *f = &r->segment.table.frames[frame];

        return f->raw_bytes > 0 && is_asked(r, f->from_sec, f->to_sec);
}

/* Archives that cannot hold what was asked for are not even opened. Return: whether there were. */
static bool skip_archives(PlLogReader *r) {
        uint64_t gen = r->gen;

        for (size_t i = 0; i < r->n_archives && r->offset == 0; i++)
                if (r->archives[i].name.gen == r->gen) {
                        if (is_asked(r, r->archives[i].name.from_sec, r->archives[i].name.to_sec))
                                break;
                        next_generation(r);
                }
        return r->gen != gen;
}

/* Return: 1; 0 the archive is used up, is not there, or cannot be read; -errno. */
static int next_archived(PlLogReader *r, uint64_t newest_gen, PlLogBlock *ret) {
        uint64_t start, gen = r->gen;
        size_t frame;
        int e;

        if (skip_archives(r))
                return 0;
        e = open_segment(r, r->gen);
        if (e == -ENOENT) {
                miss_archives(r, r->gen, newest_gen);
                go(r, newest_gen + 1, 0);
                return 0;
        }
        if (e < 0) {
                const PlStoredArchive *a = find(r, gen);

                if (a && a->name.gen > gen)
                        miss_archives(r, gen, a->name.gen - 1);
                miss_archive(r, a ? a->name.gen : gen, e);
                go(r, (a ? a->name.gen : gen) + 1, 0);
                return e == -ENOMEM ? e : 0;
        }
        if (r->segment.gen != gen) {
                miss_archives(r, gen, r->segment.gen - 1);
                go(r, r->segment.gen, 0);
                return 0;
        }
        seek_archive(r);
        frame = find_frame(&r->segment, r->offset, &start);
        for (; frame < r->segment.table.n && !is_frame_asked(r, frame); frame++) {
                start += r->segment.table.frames[frame].raw_bytes;
                r->offset = start;
        }
        if (frame == r->segment.table.n) {
                miss_end(r);
                /* this was the live log when we read it; the rest is in the next generation */
                go(r, gen + 1, r->offset - PL_MIN(r->offset, r->segment.raw_bytes));
                return 0;
        }
        e = pl_log_segment_load(&r->segment, frame);
        if (e < 0) {
                miss_frame(r, frame, e);
                go(r, gen, start + r->segment.table.frames[frame].raw_bytes);
                return e == -ENOMEM ? e : 0;
        }
        *ret = (PlLogBlock){ .data = r->segment.data + (r->offset - start),
                             .size = r->segment.table.frames[frame].raw_bytes - (r->offset - start),
                             .gen = gen };
        r->offset = start + r->segment.table.frames[frame].raw_bytes;
        return 1;
}

static int read_live(PlLogReader *r, const View *v, uint64_t offset, size_t size,
                     size_t *ret_size) {
        View after;
        size_t n = 0;
        int e;

        if (!r->buf) {
                r->buf = malloc(CHUNK);
                if (!r->buf)
                        return -ENOMEM;
        }
        size = PL_MIN(size, (size_t)CHUNK);
        while (n < size) {
                uint64_t at = offset + n;
                ssize_t got;

                if (at < r->natives.bytes)
                        got = pl_log_natives_read(&r->natives, r->buf + n, size - n, at);
                else {
                        got = pread(r->log.fd, r->buf + n, size - n,
                                    (off_t)(v->head + at - r->natives.bytes));
                        if (got < 0)
                                got = -errno;
                }
                if (got == -EINTR)
                        continue;
                if (got < 0)
                        return (int)got;
                if (got == 0)
                        break;
                n += (size_t)got;
        }
        e = view(r, &after);
        if (e < 0)
                return e;
        if (after.gen != v->gen || after.head != v->head)
                return -EAGAIN; /* rotated meanwhile: these bytes may be of any place */
        *ret_size = n;
        return 0;
}

/* The first whole line at or behind an offset of the live log. Return: 0, -EAGAIN, -errno. */
static int peek_live(PlLogReader *r, const View *v, uint64_t offset, uint64_t *ret_line,
                     uint64_t *ret_nsec) {
        size_t n = 0;
        const char *nl;
        int e = read_live(r, v, offset, PEEK_BYTES, &n);

        if (e < 0)
                return e;
        nl = memchr(r->buf, '\n', n);
        if (!nl) {
                *ret_nsec = 0;
                return 0;
        }
        *ret_line = offset + (uint64_t)(nl - r->buf) + 1;
        *ret_nsec = pl_jsonlog_first_time(nl + 1, n - (size_t)(nl + 1 - r->buf));
        return 0;
}

/* In a log that nobody has bounded, to a good piece before the time. Return: as above. */
static int seek_live(PlLogReader *r, const View *v) {
        uint64_t time_nsec = r->asked->since_nsec, lo = 0, hi = v->bytes, line = 0;

        if (r->sought_gen == r->gen || r->offset > 0 || time_nsec == 0 || v->bytes <= SCAN_BYTES)
                return 0;

        while (hi - lo > CLOSE_ENOUGH) {
                uint64_t mid = lo + (hi - lo) / 2, at = 0, t = 0;
                int e = peek_live(r, v, mid, &at, &t);

                if (e < 0)
                        return e;
                if (t == 0 || t >= time_nsec)
                        hi = mid;
                else {
                        lo = mid;
                        line = at;
                }
        }
        if (line > CLOSE_ENOUGH) { /* a piece back, to a line start */
                uint64_t t;
                int e = peek_live(r, v, line - CLOSE_ENOUGH, &line, &t);

                if (e < 0)
                        return e;
        } else
                line = 0;
        r->sought_gen = r->gen;
        r->offset = line;
        return 0;
}

/* Return: 1; 0 nothing yet; -EAGAIN; -errno. */
static int next_live(PlLogReader *r, View *v, PlLogBlock *ret) {
        size_t size = 0, whole;
        int e;

        if (r->offset > v->bytes) /* truncated by somebody: from its start */
                r->offset = r->natives.bytes;
        if (r->offset >= v->bytes)
                return 0;
        e = seek_live(r, v);
        if (e < 0)
                return e;
        e = read_live(r, v, r->offset, CHUNK, &size);
        if (e < 0)
                return e;
        whole = pl_jsonlog_last_line_end(r->buf, size);
        if (whole == 0 && size == CHUNK)
                whole = size; /* no record is that long: damage, passed on unchanged */
        if (whole == 0)
                return 0;
        *ret = (PlLogBlock){ .data = r->buf, .size = whole, .gen = r->gen };
        r->offset += whole;
        return 1;
}

int pl_log_reader_next(PlLogReader *r, PlLogBlock *ret) {
        for (unsigned tries = 0; tries < RETRIES_MAX;) {
                View v;
                int e = view(r, &v);

                if (e < 0)
                        return e;
                if (r->gen <= v.gen) {
                        e = next_archived(r, v.gen, ret);
                        if (e != 0)
                                return e;
                        continue;
                }
                if (r->gen > v.gen + 1) /* archives and state were deleted */
                        go(r, v.gen + 1, 0);
                if (r->log.fd < 0)
                        return 0;
                e = next_live(r, &v, ret);
                if (e == -EBADMSG) {
                        miss(r, "a file that the engine has packed beside the log of %s is damaged",
                             r->name);
                        continue; /* what is missing reads as nothing from now on */
                }
                if (e != -EAGAIN)
                        return e;
                tries++;
        }
        return -EBUSY;
}

PlLogPlace pl_log_reader_tell(const PlLogReader *r) {
        return (PlLogPlace){ r->gen, r->offset };
}

void pl_log_reader_go(PlLogReader *r, PlLogPlace place) {
        go(r, place.gen, place.offset);
}

int pl_log_reader_fd(const PlLogReader *r) {
        return r->log.fd;
}

int pl_log_reader_renew(PlLogReader *r) {
        PlLogFile now = PL_LOG_FILE_INIT;
        View v;
        int e = r->log.fd < 0 ? 0 : pl_log_file_is_replaced(&r->log, r->id);

        if (e <= 0)
                return e;
        e = view(r, &v);
        if (e >= 0)
                e = pl_log_file_open(r->path, r->id, false, &now);
        if (e < 0)
                return e;
        /* places stay the same: the log was the end of the live generation */
        e = pl_log_natives_renew(&r->natives, &now, r->id, r->log.fd, v.head);
        if (e < 0) {
                pl_log_file_close(&now);
                return e;
        }
        if (e > 0)
                miss(r, "the engine has removed files of the log of %s before they could be read",
                     r->name);
        r->log.fd = -EBADF;
        pl_log_file_close(&r->log);
        r->log = now;
        return 1;
}

bool pl_log_reader_is_gone(const PlLogReader *r) {
        struct stat st;

        /* that the file is gone may only mean that the engine has rotated it */
        return r->log.dir_fd < 0 || fstat(r->log.dir_fd, &st) < 0 || st.st_nlink == 0;
}

void pl_log_reader_share(const PlLogReader *r, uint64_t *ret_all, uint64_t *ret_before) {
        uint64_t all = 0, before = 0;

        for (size_t i = 0; i < r->n_archives; i++) {
                all += r->archives[i].size;
                if (r->archives[i].name.gen < r->gen)
                        before += r->archives[i].size;
                else if (r->archives[i].name.gen == r->gen && r->segment.raw_bytes > 0)
                        before += (uint64_t)((double)r->archives[i].size * (double)r->offset /
                                             (double)r->segment.raw_bytes);
        }
        *ret_all = all;
        *ret_before = before;
}

/* Return: 1; 0 at the start of the live log; -EAGAIN; -errno. */
static int previous_live(PlLogReader *r, const View *v, PlLogBlock *ret) {
        uint64_t start;
        size_t size = 0, skip = 0, whole;
        int e;

        r->offset = PL_MIN(r->offset, v->bytes);
        if (r->offset == 0)
                return 0;
        start = r->offset > CHUNK ? r->offset - CHUNK : 0;
        e = read_live(r, v, start, r->offset - start, &size);
        if (e < 0)
                return e;
        whole = pl_jsonlog_last_line_end(r->buf, size);
        if (start > 0) {
                const char *nl = memchr(r->buf, '\n', size);

                skip = nl ? (size_t)(nl - r->buf) + 1 : 0;
        }
        if (whole <= skip) { /* a single huge line */
                skip = 0;
                whole = size;
        }
        *ret = (PlLogBlock){ .data = r->buf + skip, .size = whole - skip, .gen = r->gen };
        r->offset = start + skip;
        return 1;
}

/* Steps into the archive before this generation. Return: 1 it has one, or says what is missing; 0
 * no more; -errno. */
static int step_back(PlLogReader *r) {
        const PlStoredArchive *a = NULL;
        uint64_t last = r->gen;
        int e;

        for (size_t i = r->n_archives; i > 0; i--) {
                const PlArchiveName *name = &r->archives[i - 1].name;

                if (name->gen >= r->gen)
                        continue;
                /* reading on from here will tell of gaps between those that are read */
                if (is_asked(r, name->from_sec, name->to_sec)) {
                        a = &r->archives[i - 1];
                        break;
                }
                last = name->gen;
        }
        if (!a) {
                r->gen = last;
                r->offset = 0;
                return 0;
        }
        go(r, a->name.gen, 0);
        e = open_segment(r, a->name.gen);
        if (e == -ENOMEM)
                return e;
        if (e < 0)
                return 1; /* nothing of it; reading on from here tells why */
        r->offset = r->segment.raw_bytes;
        return 1;
}

static int previous_archived(PlLogReader *r, PlLogBlock *ret) {
        uint64_t start = 0;
        size_t frame;
        int e;

        e = open_segment(r, r->gen);
        if (e < 0) {
                r->offset = 0;
                return e == -ENOMEM ? e : 0;
        }
        if (r->offset >
            r->segment.raw_bytes) { /* rotated since: the rest is in the next generation */
                go(r, r->gen + 1, r->offset - r->segment.raw_bytes);
                return -EAGAIN;
        }
        frame = find_frame(&r->segment, r->offset - 1, &start);
        if (frame == r->segment.table.n) {
                r->offset = 0;
                return 0;
        }
        if (!is_frame_asked(r, frame)) {
                r->offset = start;
                return -EAGAIN;
        }
        e = pl_log_segment_load(&r->segment, frame);
        if (e >= 0)
                *ret = (PlLogBlock){ .data = r->segment.data,
                                     .size = (size_t)(r->offset - start),
                                     .gen = r->gen };
        r->offset = start;
        if (e < 0) /* reading on from here tells it */
                return e == -ENOMEM ? e : -EAGAIN;
        return 1;
}

int pl_log_reader_previous(PlLogReader *r, PlLogBlock *ret) {
        for (unsigned tries = 0; tries < RETRIES_MAX;) {
                View v;
                int e = view(r, &v);

                if (e < 0)
                        return e;
                if (r->offset > 0) {
                        bool live = r->gen > v.gen;

                        e = live ? previous_live(r, &v, ret) : previous_archived(r, ret);
                        if (e != 0 && e != -EAGAIN)
                                return e;
                        if (e == -EAGAIN) {
                                tries += live;
                                continue;
                        }
                }
                e = step_back(r);
                if (e <= 0)
                        return e;
        }
        return -EBUSY;
}
