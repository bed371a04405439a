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
#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "ctl/cli.h"
#include "ctl/native.h"
#include "ctl/paths.h"
#include "lib/base/unit.h"
#include "lib/logs/jsonlog.h"
#include "lib/logs/line.h"
#include "rotate/file.h"
#include "rotate/segment.h"
#include "rotate/store.h"

/* ---- the reader ---- */

/*
 * It makes one stream of records of a container's archives and its live log.
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
 * Records of two streams are not quite in the order of their times, and a clock may step: so the
 * search for a time stops a frame, or a good piece of log, before the place that it finds. Whoever
 * asked filters by time anyway.
 */

typedef struct PlLogReader PlLogReader;

/* Whole lines, of one archive frame or of the log. */
typedef struct PlLogBlock {
        const char *data; /* borrowed until the next call */
        size_t size;
        uint64_t gen, offset; /* of its first byte */
        bool live;
} PlLogBlock;

static PlLogReader *reader_free(PlLogReader *r);
PL_DEFINE_CLEANUP(PlLogReader *, reader_free)

#define RETRIES_MAX  200
#define CLOSE_ENOUGH MIB(1)
#define PEEK_BYTES   KIB(64)
#define CHUNK        MIB(1)

/* The live generation now, gen + 1: what the engine has rotated away, then the log from head on. */
typedef struct View {
        uint64_t gen, head;
        uint64_t bytes; /* of that generation */
} View;

struct PlLogReader {
        PlLogStore *store;
        char id[PL_ID_MAX];
        char *path;    /* of the log */
        PlLogFile log; /* fd < 0: archives alone */
        PlLogNatives natives;
        PlStoredArchive *archives;
        size_t n_archives;
        PlLogSegment segment;
        char *buf;
        uint64_t gen, offset; /* where it stands */
        uint64_t last_gen;    /* as last seen in the state */
        unsigned gaps;
};

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
                break;
        }
        ret->bytes = r->natives.bytes + (seen.size > ret->head ? seen.size - ret->head : 0);
        return 0;
}

static int look(PlLogReader *r, View *ret) {
        PlRotateState s = { 0 };
        int e = pl_log_store_load(r->store, r->id, &s);

        if (e == -ENOENT) /* the container is gone; the file is still open here */
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
        PlStoredArchive *archives;
        size_t n;
        int e;

        e = pl_log_store_list(r->store, r->id, &archives, &n);
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

static void rewind_all(PlLogReader *r) {
        r->gaps = 0;
        go(r, r->n_archives ? r->archives[0].name.gen : 1, 0);
}

/*
 * @store: borrowed
 * @id: the container's, or its first 12 digits when only archives are left of it
 * @live: also the log itself; needs a state record
 * It stands at the oldest record. Return: 0; -ENOENT nothing is there; -EACCES the log may not be
 * read; -errno.
 */
static int reader_new(PlLogStore *store, const char *id, bool live, PlLogReader **ret) {
        _cleanup_(reader_freep) PlLogReader *r = calloc(1, sizeof(*r));
        PlRotateState s = { 0 };
        int e;

        if (!r)
                return -ENOMEM;
        r->store = store;
        r->log = (PlLogFile)PL_LOG_FILE_INIT;
        r->segment = (PlLogSegment)PL_LOG_SEGMENT_INIT;
        snprintf(r->id, sizeof(r->id), "%s", id);
        e = take_archives(r);
        if (e < 0)
                return e;
        if (live) {
                e = pl_log_store_load(store, id, &s);
                if (e < 0)
                        return e;
                r->path = s.path ? strdup(s.path) : NULL;
                pl_rotate_state_deinit(&s);
                e = r->path ? open_live(r) : -ENOMEM;
                if (e < 0)
                        return e;
        } else if (r->n_archives == 0)
                return -ENOENT;
        rewind_all(r);
        *ret = TAKE_PTR(r);
        return 0;
}

static PlLogReader *reader_free(PlLogReader *r) {
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

/* Behind the newest. Return: 0, -errno. */
static int reader_to_end(PlLogReader *r) {
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

/* Return: 1 the partial archive holds this generation, *ret is where it lies; 0; -errno. */
static int find_partial(PlLogReader *r, uint64_t gen, PlStoredArchive *ret) {
        PlRotateState s = { 0 };
        int e = pl_log_store_load(r->store, r->id, &s);

        if (e < 0)
                return e;
        e = s.phase == PL_ROTATE_INTENT && s.gen + 1 == gen;
        (void)snprintf(ret->service, sizeof(ret->service), "%s", s.service);
        (void)snprintf(ret->file, sizeof(ret->file), ".partial-%s", r->id);
        pl_rotate_state_deinit(&s);
        return e;
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

/* Return: 1; 0 the archive is used up, or is not there; -errno. */
static int next_archived(PlLogReader *r, PlLogBlock *ret) {
        uint64_t start;
        size_t frame;
        int e;

        e = open_segment(r, r->gen);
        if (e == -ENOENT) {
                r->gaps++;
                next_generation(r);
                return 0;
        }
        if (e < 0) {
                next_generation(r);
                return e;
        }
        if (r->segment.gen != r->gen) {
                r->gaps += (unsigned)(r->segment.gen - r->gen);
                go(r, r->segment.gen, 0);
        }
        frame = find_frame(&r->segment, r->offset, &start);
        if (frame == r->segment.table.n) {
                /* this was the live log when we read it; the rest is in the next generation */
                go(r, r->gen + 1, r->offset - r->segment.raw_bytes);
                return 0;
        }
        e = pl_log_segment_load(&r->segment, frame);
        if (e < 0) {
                go(r, r->gen, start + r->segment.table.frames[frame].raw_bytes);
                return e;
        }
        *ret = (PlLogBlock){ .data = r->segment.data + (r->offset - start),
                             .size = r->segment.table.frames[frame].raw_bytes - (r->offset - start),
                             .gen = r->gen,
                             .offset = r->offset };
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

/* Return: 1; 0 nothing yet; -EAGAIN; -errno. */
static int next_live(PlLogReader *r, View *v, PlLogBlock *ret) {
        size_t size = 0, whole;
        int e;

        if (r->offset > v->bytes) /* truncated by somebody: from its start */
                r->offset = r->natives.bytes;
        if (r->offset >= v->bytes)
                return 0;
        e = read_live(r, v, r->offset, CHUNK, &size);
        if (e < 0)
                return e;
        whole = pl_jsonlog_last_line_end(r->buf, size);
        if (whole == 0 && size == CHUNK)
                whole = size; /* no record is that long: damage, passed on unchanged */
        if (whole == 0)
                return 0;
        *ret = (PlLogBlock){
                .data = r->buf, .size = whole, .gen = r->gen, .offset = r->offset, .live = true
        };
        r->offset += whole;
        return 1;
}

/* The block that begins here; moves past it.
 * Return: 1; 0 nothing (yet); -EBADMSG an archive is damaged and was skipped; -errno. */
static int reader_next(PlLogReader *r, PlLogBlock *ret) {
        for (unsigned tries = 0; tries < RETRIES_MAX;) {
                View v;
                int e = view(r, &v);

                if (e < 0)
                        return e;
                if (r->gen <= v.gen) {
                        e = next_archived(r, ret);
                        if (e != 0)
                                return e;
                        continue;
                }
                if (r->gen > v.gen + 1) /* archives and state were deleted */
                        go(r, v.gen + 1, 0);
                if (r->log.fd < 0)
                        return 0;
                e = next_live(r, &v, ret);
                if (e != -EAGAIN)
                        return e;
                tries++;
        }
        return -EBUSY;
}

/* The live log, for inotify; -EBADF: none. Borrowed. */
static int reader_fd(const PlLogReader *r) {
        return r->log.fd;
}

/*
 * Go on with a new live log, when the engine itself has rotated
 * Return: 1 it has, and reader_fd() has changed; 0; -ENOENT, -EAGAIN it is still rotating;
 *         -errno.
 */
static int reader_renew(PlLogReader *r) {
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
        r->gaps += e > 0;
        r->log.fd = -EBADF;
        pl_log_file_close(&r->log);
        r->log = now;
        return 1;
}

/* Has the container been removed, and its directory with it? */
static bool reader_is_gone(const PlLogReader *r) {
        struct stat st;

        /* that the file is gone may only mean that the engine has rotated it */
        return r->log.dir_fd < 0 || fstat(r->log.dir_fd, &st) < 0 || st.st_nlink == 0;
}

/* The share of archived bytes that was read; 0 … 1. */
static double reader_progress(const PlLogReader *r) {
        uint64_t all = 0, behind = 0;

        for (size_t i = 0; i < r->n_archives; i++) {
                all += r->archives[i].size;
                if (r->archives[i].name.gen < r->gen)
                        behind += r->archives[i].size;
                else if (r->archives[i].name.gen == r->gen && r->segment.raw_bytes > 0)
                        behind += (uint64_t)((double)r->archives[i].size * (double)r->offset /
                                             (double)r->segment.raw_bytes);
        }
        return all ? (double)behind / (double)all : 1;
}

/* How many archives were dropped before they could be read. */
static unsigned reader_gaps(const PlLogReader *r) {
        return r->gaps;
}

/* ---- by time, and backward ---- */

/* Return: offset of a frame's start within its archive. */
static uint64_t frame_start(const PlLogSegment *s, size_t frame) {
        uint64_t at = 0;

        for (size_t i = 0; i < frame; i++)
                at += s->table.frames[i].raw_bytes;
        return at;
}

static int seek_archive(PlLogReader *r, uint64_t gen, uint64_t time_nsec) {
        size_t lo = 0, hi;
        int e;

        go(r, gen, 0);
        e = open_segment(r, gen);
        if (e < 0)
                return 0; /* reading will tell */
        hi = r->segment.table.n;
        while (lo + 1 < hi) {
                size_t mid = lo + (hi - lo) / 2;
                uint64_t t = pl_log_segment_time(&r->segment, mid);

                if (t == 0 || t >= time_nsec)
                        hi = mid;
                else
                        lo = mid;
        }
        go(r, r->segment.gen, frame_start(&r->segment, lo ? lo - 1 : 0));
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

static int seek_live(PlLogReader *r, const View *v, uint64_t time_nsec) {
        uint64_t lo = 0, hi = v->bytes, line = 0;

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
        go(r, v->gen + 1, line);
        return 0;
}

/*
 * To a record that is not after this time, and not long before it
 * Archives are skipped by their names, frames and log by bisection. Return: 0, -errno.
 */
static int reader_seek_time(PlLogReader *r, uint64_t time_nsec) {
        uint64_t sec = time_nsec / UINT64_C(1000000000);

        for (size_t i = 0; i < r->n_archives; i++)
                if (r->archives[i].name.to_sec >= sec)
                        return seek_archive(r, r->archives[i].name.gen, time_nsec);
        if (r->log.fd < 0)
                return reader_to_end(r);
        for (unsigned tries = 0; tries < RETRIES_MAX; tries++) {
                View v;
                int e = view(r, &v);

                if (e >= 0)
                        e = seek_live(r, &v, time_nsec);
                if (e != -EAGAIN)
                        return e;
        }
        return -EBUSY;
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
        *ret = (PlLogBlock){ .data = r->buf + skip,
                             .size = whole - skip,
                             .gen = r->gen,
                             .offset = start + skip,
                             .live = true };
        r->offset = start + skip;
        return 1;
}

/* Steps into the archive before this generation. Return: 1 it has one; 0 no more; -errno. */
static int step_back(PlLogReader *r) {
        const PlStoredArchive *a = NULL;
        int e;

        for (size_t i = 0; i < r->n_archives && r->archives[i].name.gen < r->gen; i++)
                a = &r->archives[i];
        if (!a)
                return 0;
        go(r, a->name.gen, 0);
        e = open_segment(r, a->name.gen);
        if (e < 0)
                return e == -ENOENT ? 1 : e;
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
                return e == -ENOENT ? 0 : e;
        }
        if (r->offset >
            r->segment.raw_bytes) { /* rotated since: the rest is in the next generation */
                go(r, r->gen + 1, r->offset - r->segment.raw_bytes);
                return -EAGAIN;
        }
        frame = find_frame(&r->segment, r->offset - 1, &start);
        if (frame == r->segment.table.n)
                return -EBADMSG;
        e = pl_log_segment_load(&r->segment, frame);
        if (e >= 0)
                *ret = (PlLogBlock){ .data = r->segment.data,
                                     .size = (size_t)(r->offset - start),
                                     .gen = r->gen,
                                     .offset = start };
        r->offset = start;
        return e < 0 ? e : 1;
}

/* The block that ends here; moves to its start. Return: as above. */
static int reader_previous(PlLogReader *r, PlLogBlock *ret) {
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
                                tries++;
                                continue;
                        }
                }
                e = step_back(r);
                if (e <= 0)
                        return e;
        }
        return -EBUSY;
}

#define RENEW_MSEC 100

typedef struct Logs {
        const char *name, *archive; /* of the directory */
        PlLogFilter filter;
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
        (void)fprintf(stderr, "\rreading archives: %3.0f %%", 100 * reader_progress(l->reader));
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

        r = reader_to_end(l->reader);
        while (r >= 0 && n < l->tail) {
                PlLogBlock b;
                uint64_t in_block = 0;

                r = reader_previous(l->reader, &b);
                if (r == -EBADMSG)
                        r = damaged(1);
                else if (r > 0) {
                        pl_log_lines_deinit(&l->lines);
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
        pl_log_lines_deinit(&l->lines);
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
                int r = reader_next(l->reader, &b);

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

        snprintf(path, sizeof(path), "/proc/self/fd/%d", reader_fd(l->reader));
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
                r = reader_renew(l->reader);
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
                if (!l->follow || reader_is_gone(l->reader))
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
                r = reader_seek_time(l->reader, l->filter.since_nsec);
        if (r >= 0)
                r = run_to_end(l, &skip);
        if (r == 0 && l->follow && reader_fd(l->reader) >= 0)
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
        r = reader_new(l->store, f.id, f.live, &l->reader);
        if (r == -EACCES && f.live) {
                pl_ctl_say("the live log may not be read, only its archives follow; root may read "
                           "both");
                r = reader_new(l->store, f.id, false, &l->reader);
        }
        return r < 0 ? say_error(l, r == -ENOENT ? -ENODATA : r) : -1;
}

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
        if (!o->grep)
                return -1;
        r = pl_pattern_new(o->grep, o->ignore_case, &l->filter.grep, why);
        if (r < 0) {
                pl_ctl_say("--grep %s: %s", o->grep, why);
                return PL_EXIT_USAGE;
        }
        return -1;
}

static int print_all(Logs *l) {
        int r = show(l);

        if (reader_gaps(l->reader) > 0)
                pl_ctl_say("%u archive%s dropped meanwhile", reader_gaps(l->reader),
                           pl_plural(reader_gaps(l->reader)));
        if (l->lines.damaged > 0)
                pl_ctl_say("%" PRIu64 " line%s of the log skipped: no record of the engine's",
                           l->lines.damaged, pl_plural(l->lines.damaged));
        return r < 0 && r != -EPIPE ? say_error(l, r) : PL_EXIT_GOOD;
}

static int print_container(PlCtl *ctl) {
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
        reader_free(l.reader);
        pl_log_store_free(l.store);
        pl_pattern_free(l.filter.grep);
        return status;
}

/* Lines of such a file have no time and no stream. */
static bool only_path(const PlCtl *ctl) {
        const PlCtlLogs *o = &ctl->logs;

        return ctl->n_arguments == 0 && !ctl->json && o->since_nsec == 0 &&
               o->until_nsec == UINT64_MAX && o->tail == UINT64_MAX && !o->grep && !o->follow &&
               !o->only_stdout && !o->only_stderr && !o->timestamps && !o->details;
}

int pl_ctl_cmd_logs(PlCtl *ctl) {
        if (ctl->logs.path && only_path(ctl))
                return pl_ctl_logs_path(ctl->logs.path, ctl->archive);
        if (ctl->logs.path || ctl->n_arguments == 0) {
                pl_ctl_say("%s",
                           ctl->logs.path ? "--path takes no NAME, and no option but --archive"
                                          : "logs needs a NAME, or --path FILE");
                return PL_EXIT_USAGE;
        }
        return print_container(ctl);
}
