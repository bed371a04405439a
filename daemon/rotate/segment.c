/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Sizes in the seek table are believed only within bounds: a damaged or foreign file must not make
 * a reader allocate what it likes.
 */

#include "rotate/segment.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <zstd.h>

#include "lib/logs/jsonlog.h"

#define FRAME_RAW_MAX MIB(80)
#define PEEK_BYTES    KIB(64)

void pl_log_segment_close(PlLogSegment *s) {
        pl_closep(&s->fd);
        pl_seek_table_deinit(&s->table);
        free(s->data);
        ZSTD_freeDCtx(s->zstd);
        *s = (PlLogSegment)PL_LOG_SEGMENT_INIT;
}

/* Without them, all frames are read. */
static int load_times(PlLogSegment *s, off_t end) {
        _cleanup_free_ uint8_t *data = malloc(s->table.times_bytes);

        if (!data)
                return -ENOMEM;
        if (pread(s->fd, data, s->table.times_bytes, end - (off_t)s->table.times_bytes) ==
            (ssize_t)s->table.times_bytes)
                pl_seek_table_times(&s->table, data);
        return 0;
}

static int load_table(PlLogSegment *s) {
        uint8_t footer[PL_SEEK_FOOTER_BYTES];
        _cleanup_free_ uint8_t *data = NULL;
        struct stat st;
        size_t size;
        int r;

        if (fstat(s->fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof(footer) ||
            pread(s->fd, footer, sizeof(footer), st.st_size - (off_t)sizeof(footer)) !=
                            (ssize_t)sizeof(footer))
                return -EBADMSG;
        size = pl_seek_table_size(footer);
        if (size == 0 || (uint64_t)st.st_size < size)
                return -EBADMSG;
        data = malloc(size);
        if (!data)
                return -ENOMEM;
        if (pread(s->fd, data, size, st.st_size - (off_t)size) != (ssize_t)size)
                return -EBADMSG;
        r = pl_seek_table_decode(data, size, (uint64_t)st.st_size, &s->table);
        return r < 0 || s->table.times_bytes == 0 ? r : load_times(s, st.st_size - (off_t)size);
}

/* How much is in a frame, of which the last may be cut off. Return: bytes; 0 nothing. */
static size_t measure(ZSTD_DCtx *zstd, const char *data, size_t size) {
        _cleanup_free_ char *out = malloc(KIB(128));
        ZSTD_inBuffer in = { data, size, 0 };
        size_t n = 0, left = 1;

        (void)ZSTD_DCtx_reset(zstd, ZSTD_reset_session_only);
        while (out && left > 0 && !ZSTD_isError(left) && n <= FRAME_RAW_MAX) {
                ZSTD_outBuffer o = { out, KIB(128), 0 };
                size_t pos = in.pos;

                left = ZSTD_decompressStream(zstd, &o, &in);
                n += o.pos;
                if (o.pos == 0 && in.pos == pos)
                        break;
        }
        return n;
}

/* The table of an archive that was cut off, or whose end is damaged, from its frames. */
static int rebuild_table(PlLogSegment *s, const char *data, size_t size) {
        ZSTD_DCtx *zstd = ZSTD_createDCtx();
        int r = zstd ? 0 : -ENOMEM;

        for (size_t at = 0; r >= 0 && at < size;) {
                size_t packed = ZSTD_findFrameCompressedSize(data + at, size - at), raw;

                if (ZSTD_isError(packed))
                        packed = size - at;
                raw = measure(zstd, data + at, packed);
                if (raw > 0)
                        r = pl_seek_table_add(&s->table, (uint32_t)packed, (uint32_t)raw);
                if (raw == 0 || packed > UINT32_MAX)
                        break; /* the table, or what is no frame */
                at += packed;
        }
        ZSTD_freeDCtx(zstd);
        return r < 0 || s->table.n > 0 ? r : -EBADMSG;
}

static int salvage(PlLogSegment *s) {
        struct stat st;
        void *data;
        int r;

        if (fstat(s->fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) || st.st_size == 0)
                return -EBADMSG;
        data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, s->fd, 0);
        if (data == MAP_FAILED)
                return -errno;
        r = rebuild_table(s, data, (size_t)st.st_size);
        (void)munmap(data, (size_t)st.st_size);
        s->cut = r >= 0;
        return r;
}

int pl_log_segment_open(int fd, const PlArchiveName *name, PlLogSegment *ret) {
        PlLogSegment s = { .fd = fd,
                           .frame = SIZE_MAX,
                           .gen = name->gen,
                           .from_sec = name->from_sec,
                           .to_sec = name->to_sec };
        int r = load_table(&s);

        if (r == -EBADMSG)
                r = salvage(&s);
        for (size_t i = 0; r >= 0 && i < s.table.n; i++) {
                s.raw_bytes += s.table.frames[i].raw_bytes;
                if (s.table.frames[i].raw_bytes > FRAME_RAW_MAX ||
                    s.table.frames[i].packed_bytes > ZSTD_compressBound(FRAME_RAW_MAX))
                        r = -EBADMSG;
        }
        if (r >= 0) {
                s.zstd = ZSTD_createDCtx();
                r = s.zstd ? 0 : -ENOMEM;
        }
        if (r < 0) {
                pl_log_segment_close(&s);
                return r;
        }
        *ret = s;
        return 0;
}

static uint64_t packed_start(const PlLogSegment *s, size_t frame) {
        uint64_t at = 0;

        for (size_t i = 0; i < frame; i++)
                at += s->table.frames[i].packed_bytes;
        return at;
}

/* Decompresses up to size bytes of a frame. Return: bytes; -EBADMSG, -ENOMEM. */
static ssize_t unpack(PlLogSegment *s, size_t frame, char *raw, size_t size, size_t n_packed) {
        _cleanup_free_ char *packed = malloc(n_packed ?: 1);
        ZSTD_outBuffer out = { raw, size, 0 };
        ZSTD_inBuffer in = { packed, n_packed, 0 };
        size_t left = 1;

        if (!packed)
                return -ENOMEM;
        if (pread(s->fd, packed, n_packed, (off_t)packed_start(s, frame)) != (ssize_t)n_packed)
                return -EBADMSG;
        (void)ZSTD_DCtx_reset(s->zstd, ZSTD_reset_session_only);
        while (in.pos < in.size && out.pos < out.size) {
                left = ZSTD_decompressStream(s->zstd, &out, &in);
                if (ZSTD_isError(left))
                        return -EBADMSG;
                if (left == 0)
                        break;
        }
        /* a frame that fills the buffer still has its checksum to come */
        if (left > 0 && n_packed == s->table.frames[frame].packed_bytes &&
            !(s->cut && frame == s->table.n - 1)) {
                left = ZSTD_decompressStream(s->zstd, &out, &in);
                if (left != 0)
                        return -EBADMSG;
        }
        return (ssize_t)out.pos;
}

int pl_log_segment_load(PlLogSegment *s, size_t frame) {
        size_t size = s->table.frames[frame].raw_bytes;
        ssize_t n;

        if (s->frame == frame)
                return 0;
        s->frame = SIZE_MAX;
        free(s->data);
        s->data = malloc(size ?: 1);
        if (!s->data)
                return -ENOMEM;
        n = unpack(s, frame, s->data, size, s->table.frames[frame].packed_bytes);
        if (n < 0)
                return (int)n;
        if ((size_t)n != size)
                return -EBADMSG;
        s->frame = frame;
        return 0;
}

uint64_t pl_log_segment_time(PlLogSegment *s, size_t frame) {
        size_t packed = s->table.frames[frame].packed_bytes, raw = s->table.frames[frame].raw_bytes;
        _cleanup_free_ char *buf = NULL;
        ssize_t n;

        if (s->frame == frame)
                return pl_jsonlog_first_time(s->data, raw);
        /* what one block of zstd (128 KiB) needs at most; the whole frame when it is small */
        raw = PL_MIN(raw, (size_t)PEEK_BYTES);
        packed = PL_MIN(packed, (size_t)KIB(160));
        buf = malloc(raw ?: 1);
        n = buf ? unpack(s, frame, buf, raw, packed) : -ENOMEM;
        return n > 0 ? pl_jsonlog_first_time(buf, (size_t)n) : 0;
}
