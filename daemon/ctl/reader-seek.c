/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Records of two streams are not quite in the order of their times, and a clock may step: so the
 * search stops a frame, or a good piece of log, before the place that it finds. Whoever asked
 * filters by time anyway.
 */

#include "ctl/reader-internal.h"

#include <errno.h>

#include "lib/logs/jsonlog.h"

#define CLOSE_ENOUGH MIB(1)
#define PEEK_BYTES   KIB(64)
#define RETRIES_MAX  200

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

        pl_log_reader_go(r, gen, 0);
        e = pl_log_reader_open_segment(r, gen);
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
        pl_log_reader_go(r, r->segment.gen, frame_start(&r->segment, lo ? lo - 1 : 0));
        return 0;
}

/* The first whole line at or behind an offset of the live log. Return: 0, -EAGAIN, -errno. */
static int peek_live(PlLogReader *r, const PlLogView *v, uint64_t offset, uint64_t *ret_line,
                     uint64_t *ret_nsec) {
        size_t n = 0;
        const char *nl;
        int e = pl_log_reader_read_live(r, v, offset, PEEK_BYTES, &n);

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

static int seek_live(PlLogReader *r, const PlLogView *v, uint64_t time_nsec) {
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
        pl_log_reader_go(r, v->gen + 1, line);
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
                PlLogView v;
                int e = pl_log_reader_view(r, &v);

                if (e >= 0)
                        e = seek_live(r, &v, time_nsec);
                if (e != -EAGAIN)
                        return e;
        }
        return -EBUSY;
}

/* Return: 1; 0 at the start of the live log; -EAGAIN; -errno. */
static int previous_live(PlLogReader *r, const PlLogView *v, PlLogBlock *ret) {
        uint64_t start;
        size_t size = 0, skip = 0, whole;
        int e;

        r->offset = PL_MIN(r->offset, v->bytes);
        if (r->offset == 0)
                return 0;
        start = r->offset > PL_LOG_READER_CHUNK ? r->offset - PL_LOG_READER_CHUNK : 0;
        e = pl_log_reader_read_live(r, v, start, r->offset - start, &size);
        if (e < 0)
                return e;
        whole = pl_jsonlog_last_line_end(r->buf, size);
        if (start > 0) {
                const char *nl = memchr(r->buf, '\n', size);

                skip = nl ? (size_t)(nl - r->buf) + 1 : 0;
        }
        if (whole <= skip) { /* one giant of a line */
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
        pl_log_reader_go(r, a->name.gen, 0);
        e = pl_log_reader_open_segment(r, a->name.gen);
        if (e < 0)
                return e == -ENOENT ? 1 : e;
        r->offset = r->segment.raw_bytes;
        return 1;
}

static int previous_archived(PlLogReader *r, PlLogBlock *ret) {
        uint64_t start = 0;
        size_t frame;
        int e;

        e = pl_log_reader_open_segment(r, r->gen);
        if (e < 0) {
                r->offset = 0;
                return e == -ENOENT ? 0 : e;
        }
        if (r->offset > r->segment.raw_bytes) { /* rotated since: the rest came after */
                pl_log_reader_go(r, r->gen + 1, r->offset - r->segment.raw_bytes);
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
                PlLogView v;
                int e = pl_log_reader_view(r, &v);

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
