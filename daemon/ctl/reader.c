/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Log reader: first the live part, what state and markers say of the log now (`view`) and reading
 * under that, then archives, then seeking by time and going backward.
 *
 * Records of two streams are not quite in the order of their times, and a clock may step: so the
 * search for a time stops a frame, or a good piece of log, before the place that it finds. Whoever
 * asked filters by time anyway.
 */

#include "ctl/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/native.h"
#include "lib/logs/jsonlog.h"
#include "rotate/file.h"
#include "rotate/segment.h"

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

int pl_log_reader_new(PlLogStore *store, const char *id, bool live, PlLogReader **ret) {
        _cleanup_(pl_log_reader_freep) PlLogReader *r = calloc(1, sizeof(*r));
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

/* Return: 1 the partial archive holds this generation, *ret_path is its place; 0; -errno. */
static int find_partial(PlLogReader *r, uint64_t gen, char *ret_path, size_t size) {
        PlRotateState s = { 0 };
        int e = pl_log_store_load(r->store, r->id, &s);

        if (e < 0)
                return e;
        e = s.phase == PL_ROTATE_INTENT && s.gen + 1 == gen;
        snprintf(ret_path, size, "%s/.partial-%s", s.service, r->id);
        pl_rotate_state_deinit(&s);
        return e;
}

/* Committed but not named yet: a daemon was killed, or is about to name it. The next rotation uses
 * the same name, so what was opened counts only if it still belongs to this one. */
static int open_partial(PlLogReader *r, uint64_t gen) {
        PlArchiveName name = { .gen = gen, .to_sec = UINT64_MAX };
        char path[PL_ARCHIVE_NAME_MAX + PL_ID_MAX + 32];
        int fd;

        if (find_partial(r, gen, path, sizeof(path)) <= 0)
                return -ENOENT;
        fd = openat(pl_log_store_fd(r->store), path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        if (find_partial(r, gen, path, sizeof(path)) <= 0) {
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
        frame = pl_log_segment_find(&r->segment, r->offset, &start);
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

int pl_log_reader_next(PlLogReader *r, PlLogBlock *ret) {
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
        r->gaps += e > 0;
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

double pl_log_reader_progress(const PlLogReader *r) {
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

unsigned pl_log_reader_gaps(const PlLogReader *r) {
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

int pl_log_reader_seek_time(PlLogReader *r, uint64_t time_nsec) {
        uint64_t sec = time_nsec / UINT64_C(1000000000);

        for (size_t i = 0; i < r->n_archives; i++)
                if (r->archives[i].name.to_sec >= sec)
                        return seek_archive(r, r->archives[i].name.gen, time_nsec);
        if (r->log.fd < 0)
                return pl_log_reader_to_end(r);
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
        frame = pl_log_segment_find(&r->segment, r->offset - 1, &start);
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
