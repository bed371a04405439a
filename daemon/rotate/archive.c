/* SPDX-License-Identifier: Apache-2.0 */

/*
 * pread() in pieces rather than mmap(): somebody may truncate the log under us, and a SIGBUS would
 * end the daemon. A file that has shrunk is an error like others.
 */

#include "rotate/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/clock.h"
#include "base/fs.h"
#include "lib/logs/jsonlog.h"
#include "lib/logs/seek-table.h"
#include "rotate/point.h"

#define READ_BYTES  KIB(128)
#define FRAME_BYTES MIB(8)
#define FRAME_MAX   MIB(64) /* a single line without an end; cut anyway */

struct PlArchiver {
        int level;
        ZSTD_CCtx *zstd;
        char *in, *out;
        size_t n_out;
        /* of the archive being written */
        int fd;
        uint64_t written, frame_start; /* offsets in the archive */
        uint64_t frame_raw;
        PlSeekTable table;
        PlJsonlogStats stats; /* times are those of the frame */
        PlArchiveResult done; /* up to the last whole frame */
};

PlArchiver *pl_archiver_new(int level) {
        PlArchiver *a = calloc(1, sizeof(*a));

        if (a)
                a->level = level;
        return a;
}

void pl_archiver_shrink(PlArchiver *a) {
        ZSTD_freeCCtx(a->zstd);
        free(a->in);
        free(a->out);
        pl_seek_table_deinit(&a->table);
        a->zstd = NULL;
        a->in = a->out = NULL;
}

PlArchiver *pl_archiver_free(PlArchiver *a) {
        if (!a)
                return NULL;
        pl_archiver_shrink(a);
        free(a);
        return NULL;
}

static int prepare(PlArchiver *a, int out) {
        if (!a->zstd) {
                a->zstd = ZSTD_createCCtx();
                a->in = malloc(READ_BYTES);
                a->out = malloc(READ_BYTES);
                if (!a->zstd || !a->in || !a->out) {
                        pl_archiver_shrink(a);
                        return -ENOMEM;
                }
                (void)ZSTD_CCtx_setParameter(a->zstd, ZSTD_c_compressionLevel, a->level);
                (void)ZSTD_CCtx_setParameter(a->zstd, ZSTD_c_checksumFlag, 1);
        }
        (void)ZSTD_CCtx_reset(a->zstd, ZSTD_reset_session_only);
        pl_seek_table_deinit(&a->table);
        a->fd = out;
        a->n_out = 0;
        a->written = a->frame_start = a->frame_raw = 0;
        a->stats = (PlJsonlogStats){ 0 };
        a->done = (PlArchiveResult){ 0 };
        return 0;
}

static int put(PlArchiver *a, const void *data, size_t size) {
        size_t n;
        int r = pl_fs_write_all(a->fd, data, size, &n);

        a->written += n;
        return r;
}

static int flush(PlArchiver *a) {
        int r = put(a, a->out, a->n_out);

        a->n_out = 0;
        return r;
}

static int compress(PlArchiver *a, const char *data, size_t size, ZSTD_EndDirective end) {
        ZSTD_inBuffer in = { data, size, 0 };
        size_t left;

        do {
                ZSTD_outBuffer out = { a->out, READ_BYTES, a->n_out };
                int r;

                left = ZSTD_compressStream2(a->zstd, &out, &in, end);
                if (ZSTD_isError(left))
                        return ZSTD_getErrorCode(left) == ZSTD_error_memory_allocation ? -ENOMEM
                                                                                       : -EIO;
                a->n_out = out.pos;
                if (a->n_out == READ_BYTES) {
                        r = flush(a);
                        if (r < 0)
                                return r;
                }
        } while (end == ZSTD_e_end ? left > 0 : in.pos < in.size);
        a->frame_raw += size;
        return 0;
}

static void take_times(PlArchiver *a) {
        struct PlSeekFrame *frame = &a->table.frames[a->table.n - 1];

        frame->from_sec = a->stats.min_sec;
        frame->to_sec = a->stats.max_sec;
        if (a->stats.max_sec > 0 && (a->done.max_sec == 0 || a->stats.min_sec < a->done.min_sec))
                a->done.min_sec = a->stats.min_sec;
        a->done.max_sec = PL_MAX(a->done.max_sec, a->stats.max_sec);
        a->stats.min_sec = a->stats.max_sec = 0;
}

static int end_frame(PlArchiver *a) {
        int r;

        r = compress(a, NULL, 0, ZSTD_e_end);
        if (r >= 0)
                r = flush(a);
        if (r >= 0)
                r = pl_seek_table_add(&a->table, (uint32_t)(a->written - a->frame_start),
                                      (uint32_t)a->frame_raw);
        if (r < 0)
                return r;
        a->done.raw_bytes += a->frame_raw;
        a->done.packed_bytes = a->written;
        a->done.lines = a->stats.lines;
        take_times(a);
        /* on its way to the disk while the next frame is compressed: less to wait for at the end */
        (void)sync_file_range(a->fd, (off_t)a->frame_start, (off_t)(a->written - a->frame_start),
                              SYNC_FILE_RANGE_WRITE);
        a->frame_start = a->written;
        a->frame_raw = 0;
        pl_log_rotate_point(PL_ROTATE_POINT_ARCHIVING);
        return 0;
}

static int feed(PlArchiver *a, const char *data, size_t size) {
        pl_jsonlog_stats_feed(&a->stats, data, size);
        return compress(a, data, size, ZSTD_e_continue);
}

static int take_piece(PlArchiver *a, const char *data, size_t size) {
        size_t cut;
        int r;

        if (a->frame_raw + size < FRAME_BYTES)
                return feed(a, data, size);
        cut = pl_jsonlog_last_line_end(data, size);
        if (cut == 0 && a->frame_raw + size >= FRAME_MAX)
                cut = size;
        if (cut == 0)
                return feed(a, data, size);
        r = feed(a, data, cut);
        if (r >= 0)
                r = end_frame(a);
        return r < 0 || cut == size ? r : feed(a, data + cut, size - cut);
}

static int put_table(PlArchiver *a) {
        _cleanup_free_ uint8_t *data = NULL;
        size_t size;
        int r;

        r = pl_seek_table_encode(&a->table, &data, &size);
        if (r >= 0)
                r = put(a, data, size);
        if (r >= 0)
                a->done.packed_bytes = a->written;
        return r;
}

/* No room for more: back to the last whole frame, which gives room for the table. */
static void cut_back(PlArchiver *a, PlArchiveResult *ret) {
        bool ok = a->done.raw_bytes > 0 && ftruncate(a->fd, (off_t)a->frame_start) == 0 &&
                  lseek(a->fd, (off_t)a->frame_start, SEEK_SET) >= 0;

        a->written = a->frame_start;
        *ret = ok && put_table(a) >= 0 ? a->done : (PlArchiveResult){ 0 };
}

/* From where on there is data, and up to where; both are to when there is none. A file system that
 * knows no holes says that all is data. Return: 0; -errno. */
static int find_data(int fd, uint64_t from, uint64_t to, uint64_t *ret_data, uint64_t *ret_end) {
        off_t data = lseek(fd, (off_t)from, SEEK_DATA), end;

        if (data < 0 && errno != ENXIO)
                return -errno;
        *ret_data = *ret_end = to;
        if (data < 0 || (uint64_t)data >= to)
                return 0;
        end = lseek(fd, data, SEEK_HOLE);
        if (end < 0 && errno != ENXIO) /* cut off just now: the read will tell */
                return -errno;
        *ret_data = (uint64_t)data;
        *ret_end = end > data ? PL_MIN((uint64_t)end, to) : to;
        return 0;
}

static int is_over(const PlArchiver *a, const PlArchiveLimits *limits) {
        if (limits->stop && atomic_load_explicit(limits->stop, memory_order_relaxed))
                return -ECANCELED;
        if (limits->max_bytes > 0 && a->done.raw_bytes + a->frame_raw > limits->max_bytes)
                return -EFBIG;
        return limits->until_usec > 0 && pl_clock_usec(CLOCK_MONOTONIC) >= limits->until_usec
                               ? -ETIME
                               : 0;
}

static int stream(PlArchiver *a, int log_fd, uint64_t from, uint64_t to,
                  const PlArchiveLimits *limits) {
        uint64_t end = limits->skip_holes ? from : to; /* of what is known as data */
        int r;

        while (from < to) {
                ssize_t n;

                if (from >= end) {
                        uint64_t data = to;

                        r = find_data(log_fd, from, to, &data, &end);
                        if (r < 0)
                                return r;
                        a->done.hole_bytes += data - from;
                        from = data;
                        if (from >= to)
                                break;
                }
                n = pread(log_fd, a->in, PL_MIN(READ_BYTES, end - from), (off_t)from);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        return -ESTALE;
                r = take_piece(a, a->in, (size_t)n);
                if (r < 0)
                        return r;
                from += (uint64_t)n;
                r = is_over(a, limits);
                if (r < 0)
                        return r;
        }
        return a->frame_raw > 0 ? end_frame(a) : 0;
}

int pl_archive_write(PlArchiver *a, int log_fd, uint64_t from, uint64_t to, int out,
                     const PlArchiveLimits *limits, PlArchiveResult *ret) {
        int r;

        r = prepare(a, out);
        if (r < 0)
                return r;
        (void)posix_fadvise(log_fd, (off_t)from, (off_t)(to - from), POSIX_FADV_SEQUENTIAL);
        r = stream(a, log_fd, from, to, limits);
        if (r >= 0)
                r = put_table(a);
        if (r == -ENOSPC || r == -EDQUOT)
                cut_back(a, ret);
        else if (r >= 0)
                *ret = a->done;
        return r;
}
