/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Log methods: the ways to give back the blocks of a log's head while somebody may be writing at
 * its end, one to blank it where none of them is allowed, and for each a probe that finds out
 * whether the file system can do it.
 *
 * Sources: fallocate(2) (collapse: offset and length are multiples of the allocation unit and the
 * range ends before the end of the file), ioctl_ficlonerange(2).
 */

#include "rotate/methods.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>

#include "base/fs.h"
#include "lib/logs/jsonlog.h"
#include "rotate/point.h"

#define COLLAPSE_ALIGN_MAX MIB(64)
#define PASSES_MAX         8
#define SAMPLE_BLOCKS      4
#define PUNCH_BYTES        MIB(4)
#define FILL_BYTES         MIB(1)
#define SHARED_BYTES       KIB(512) /* what a log holds at most of filler that it shares */
#define PUNCH_REST_USEC    100      /* for a writer to take the lock */
#define LITTLE_BYTES       KIB(128) /* a disk writes that much before anybody notices */

/* A nameless file beside the log, on the same file system. Return: fd, -errno. */
static int make_tmp(int dir_fd) {
        char name[64];
        int fd, r;

        fd = openat(dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (fd >= 0)
                return fd;
        if (errno != EOPNOTSUPP && errno != EISDIR)
                return -errno;
        snprintf(name, sizeof(name), ".plimsoll-%d", getpid());
        fd = openat(dir_fd, name, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600);
        r = -errno;
        (void)unlinkat(dir_fd, name, 0);
        return fd < 0 ? r : fd;
}

static int punch(int fd, uint64_t from, uint64_t to) {
        return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)from,
                         (off_t)(to - from)) < 0
                               ? -errno
                               : 0;
}

/* In pieces: a file system that discards at once what it frees holds the inode's lock as long as
 * the range is (ext4 without a journal, mounted with discard: 0.35 s for 1 GiB, measured). */
static int free_by_punch(const PlLogFile *f, uint64_t from, uint64_t to, uint64_t align) {
        for (uint64_t at = from; at < to; at += PUNCH_BYTES) {
                int r = punch(f->fd, at, PL_MIN(to, at + PUNCH_BYTES));

                if (r < 0)
                        return r;
                pl_log_rotate_point(PL_ROTATE_POINT_FREEING);
                if (at + PUNCH_BYTES < to)
                        (void)usleep(PUNCH_REST_USEC);
        }
        return 0;
}

/* Writes filler over [from, to). */
static int write_filler(int fd, uint64_t from, uint64_t to) {
        _cleanup_free_ char *buf = malloc(to - from);
        size_t done = 0;

        if (!buf)
                return -ENOMEM;
        pl_jsonlog_write_filler(buf, to - from);
        while (done < to - from) {
                ssize_t n = pwrite(fd, buf + done, to - from - done, (off_t)(from + done));

                if (n < 0 && errno != EINTR)
                        return -errno;
                done += n > 0 ? (size_t)n : 0;
        }
        return 0;
}

/*
 * Filler that is shared is taken from the log's own beginning, where the first rotation has put it:
 * the blocks that it takes are those of one piece, however often the log is rotated. A new piece
 * for each rotation adds up, because a log that is written never becomes shorter (28 MB after 171
 * MB through LogMaxSize=128K). Return: bytes, whole records, before limit; 0: there is none yet.
 */
static uint64_t own_filler(int fd, uint64_t limit, uint64_t grid) {
        _cleanup_free_ char *want = malloc(grid), *have = malloc(grid);
        uint64_t n = 0;

        if (!want || !have)
                return 0;
        pl_jsonlog_write_filler(want, grid);
        limit = PL_MIN(limit, SHARED_BYTES);
        while (n + grid <= limit && pread(fd, have, grid, (off_t)n) == (ssize_t)grid &&
               memcmp(have, want, grid) == 0)
                n += grid;
        return n;
}

static int clone_whole(const PlLogFile *f, uint64_t from, uint64_t to, uint64_t grid) {
        uint64_t piece = own_filler(f->fd, from, grid);
        _cleanup_close_ int made = -EBADF;

        if (piece == 0) {
                int r;

                made = make_tmp(f->dir_fd);
                if (made < 0)
                        return made;
                piece = PL_MIN(to - from, PL_MAX(grid, SHARED_BYTES));
                r = write_filler(made, 0, piece);
                if (r < 0)
                        return r;
        }
        for (uint64_t at = from; at < to; at += piece) {
                struct file_clone_range range = {
                        .src_fd = made >= 0 ? made : f->fd,
                        .src_length = PL_MIN(piece, to - at),
                        .dest_offset = at,
                };

                if (ioctl(f->fd, FICLONERANGE, &range) < 0)
                        return -errno;
                pl_log_rotate_point(PL_ROTATE_POINT_FREEING);
        }
        return 0;
}

/* Whoever reads by lines needs a newline between two records; an earlier version's filler stood on
 * no grid, so that one of its records may be cut off here. */
static int end_record(int fd, uint64_t at) {
        char last = '\n';

        if (at == 0)
                return 0;
        if (pread(fd, &last, 1, (off_t)at - 1) != 1)
                return -EIO;
        return last == '\n' || pwrite(fd, "\n", 1, (off_t)at - 1) == 1 ? 0 : -EIO;
}

/*
 * Filler stands on a grid: what fits no whole record of it, at the end, is written anew, and the
 * next rotation, which begins there, shares that as well.
 */
static int clone_filler(const PlLogFile *f, uint64_t from, uint64_t to, uint64_t align) {
        uint64_t grid = PL_MAX(align, (uint64_t)PL_JSONLOG_FILLER_BYTES), whole = to & ~(grid - 1);
        int r;

        from &= ~(grid - 1); /* filler already */
        r = end_record(f->fd, from);
        if (r >= 0 && whole > from)
                r = clone_whole(f, from, whole, grid);
        if (r >= 0 && to > whole)
                r = write_filler(f->fd, whole, to);
        pl_log_rotate_point(PL_ROTATE_POINT_FREEING);
        return r;
}

/* Holes stay as they are: filler there would need blocks, perhaps on a full disk. */
static int overwrite(int fd, uint64_t from, uint64_t to) {
        _cleanup_free_ char *buf = malloc(FILL_BYTES);
        off_t data, hole;

        if (!buf)
                return -ENOMEM;
        for (uint64_t at = from; at < to;) {
                size_t size;
                ssize_t n;

                data = lseek(fd, (off_t)at, SEEK_DATA);
                if (data < 0)
                        return errno == ENXIO ? 0 : -errno;
                at = (uint64_t)data;
                if (at >= to)
                        break;
                hole = lseek(fd, data, SEEK_HOLE);
                if (hole < 0)
                        return -errno;
                size = (size_t)PL_MIN(PL_MIN((uint64_t)hole, to) - at, (uint64_t)FILL_BYTES);
                pl_jsonlog_write_filler(buf, size);
                n = pwrite(fd, buf, size, data);
                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n > 0 && (size_t)n != size)
                        return -EIO; /* half a filler record; it is written again by the next try */
                if (n > 0)
                        at += size;
                pl_log_rotate_point(PL_ROTATE_POINT_FREEING);
        }
        return 0;
}

static uint64_t size_of(int fd) {
        struct stat st;

        return fstat(fd, &st) < 0 ? 0 : (uint64_t)st.st_size;
}

/*
 * A collapse writes, waits for and drops the pages behind the range while it holds the inode's
 * lock, and writers wait for that lock. So do it before, without the lock. Each pass leaves what
 * was written during it, which is less and less as long as the disk is faster than the writer.
 */
static void flush_behind(int fd, uint64_t from) {
        for (int i = 0; i < PASSES_MAX; i++) {
                uint64_t before = size_of(fd);

                (void)sync_file_range(fd, (off_t)from, 0,
                                      SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                                                      SYNC_FILE_RANGE_WAIT_AFTER);
                (void)posix_fadvise(fd, (off_t)from, 0, POSIX_FADV_DONTNEED);
                if (size_of(fd) - before < LITTLE_BYTES)
                        break;
        }
}

static int free_by_collapse(const PlLogFile *f, uint64_t from, uint64_t to, uint64_t align) {
        flush_behind(f->fd, to);
        return fallocate(f->fd, FALLOC_FL_COLLAPSE_RANGE, (off_t)from, (off_t)(to - from)) < 0
                               ? -errno
                               : 0;
}

static int free_by_reflink(const PlLogFile *f, uint64_t from, uint64_t to, uint64_t align) {
        int r = clone_filler(f, from, to, align);

        if (r != -ENOSPC && r != -EDQUOT)
                return r;
        /* a full disk: the hole frees the very blocks that the filler needs */
        r = punch(f->fd, from, to);
        return r < 0 ? r : clone_filler(f, from, to, align);
}

/* Nothing is allowed, and the archive counts: what it holds is blanked. */
static int free_by_filler(const PlLogFile *f, uint64_t from, uint64_t to, uint64_t align) {
        return overwrite(f->fd, from, to);
}

/* --- what a file system can do, tried on four blocks of a, b, c and d --- */

/* Does the block at offset consist of this byte? */
static bool holds(int fd, off_t offset, size_t size, char byte) {
        _cleanup_free_ char *buf = malloc(size);

        if (!buf || pread(fd, buf, size, offset) != (ssize_t)size)
                return false;
        for (size_t i = 0; i < size; i++)
                if (buf[i] != byte)
                        return false;
        return true;
}

/*
 * On a full disk, when it matters most, the sample has holes instead of data: the answers of the
 * file system still count, only the bytes do not prove them. Return: 1 data; 0 holes; -errno.
 */
static int make_sample(int fd, size_t block) {
        _cleanup_free_ char *buf = malloc(SAMPLE_BLOCKS * block);
        int r;

        if (!buf)
                return -ENOMEM;
        for (size_t i = 0; i < SAMPLE_BLOCKS; i++)
                memset(buf + i * block, 'a' + (int)i, block);
        if (ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0)
                return -errno;
        r = pl_fs_write_all(fd, buf, SAMPLE_BLOCKS * block, NULL);
        if (r >= 0)
                return 1;
        if (r != -ENOSPC && r != -EDQUOT)
                return r;
        if (ftruncate(fd, 0) < 0 || ftruncate(fd, (off_t)(SAMPLE_BLOCKS * block)) < 0)
                return -errno;
        return 0;
}

static uint64_t probe_collapse(int fd, size_t block, bool data) {
        for (uint64_t align = block; align <= COLLAPSE_ALIGN_MAX; align *= 2) {
                struct stat st;

                if (ftruncate(fd, 0) < 0 || ftruncate(fd, (off_t)(2 * align + 1)) < 0)
                        return 0;
                data = pwrite(fd, "x", 1, (off_t)align) == 1;
                if (fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, (off_t)align) == 0)
                        return holds(fd, 0, 1, data ? 'x' : '\0') && fstat(fd, &st) == 0 &&
                                                               (uint64_t)st.st_size == align + 1
                                               ? align
                                               : 0;
                if (errno != EINVAL)
                        return 0;
        }
        return 0;
}

static uint64_t probe_reflink(int fd, size_t block, bool data) {
        struct file_clone_range range = {
                .src_fd = fd,
                .src_length = block,
                .dest_offset = 2 * block,
        };

        return ioctl(fd, FICLONERANGE, &range) == 0 && holds(fd, (off_t)(2 * block), block, 'a')
                               ? block
                               : 0;
}

static uint64_t probe_punch(int fd, size_t block, bool data) {
        struct stat before, after;

        return fstat(fd, &before) == 0 && punch(fd, block, 2 * block) == 0 &&
                                               fstat(fd, &after) == 0 &&
                                               before.st_size == after.st_size &&
                                               holds(fd, (off_t)block, block, '\0') &&
                                               holds(fd, 0, block, 'a')
                               ? block
                               : 0;
}

/* One row per PlLogMethod: how it frees a head, and how to find out whether it can; what cannot be
 * asked of a file system has neither. */
typedef struct Method {
        int (*free)(const PlLogFile *f, uint64_t from, uint64_t to, uint64_t align_bytes);
        /* @fd: of make_sample(), to be changed at will; @data: it holds bytes, not holes.
         * Return: what offsets must be a multiple of; 0: it cannot. */
        uint64_t (*probe)(int fd, size_t block, bool data);
} Method;

#define METHODS(ROW)                                    \
        ROW(AUTO, NULL, NULL)                           \
        ROW(REFLINK, free_by_reflink, probe_reflink)    \
        ROW(PUNCH, free_by_punch, probe_punch)          \
        ROW(COLLAPSE, free_by_collapse, probe_collapse) \
        ROW(OFF, free_by_filler, NULL)
#define ROW(method, ...)      [PL_LOG_METHOD_##method] = { __VA_ARGS__ },
#define PLUS_ONE(method, ...) +1

static const Method methods[] = { METHODS(ROW) };
_Static_assert(PL_ARRAY_SIZE(methods) == _PL_LOG_METHOD_N && METHODS(PLUS_ONE) == _PL_LOG_METHOD_N,
               "a PlLogMethod has no row");

int pl_log_file_free(const PlLogFile *f, PlLogMethod method, uint64_t from, uint64_t to,
                     uint64_t align_bytes) {
        if (from >= to)
                return 0;
        if (!methods[method].free)
                return -EINVAL;
        /* pages are dropped before, without the inode's lock, for which writers wait */
        (void)posix_fadvise(f->fd, (off_t)from, (off_t)(to - from), POSIX_FADV_DONTNEED);
        return methods[method].free(f, from, to, align_bytes);
}

int pl_log_probe(int dir_fd, PlRotateProbe *ret) {
        _cleanup_close_ int fd = -EBADF;
        PlRotateProbe probe = { 0 };
        struct statfs sfs;
        size_t block;

        if (fstatfs(dir_fd, &sfs) < 0)
                return -errno;
        block = (size_t)sfs.f_bsize;
        if (block < 512 || block > MIB(1) || (block & (block - 1)) != 0)
                return -EOPNOTSUPP;
        fd = make_tmp(dir_fd);
        if (fd < 0)
                return fd;
        for (PlLogMethod m = 0; m < _PL_LOG_METHOD_N; m++) {
                int r = methods[m].probe ? make_sample(fd, block) : 0;

                if (r < 0)
                        return r;
                if (methods[m].probe)
                        probe.align_bytes[m] = methods[m].probe(fd, block, r > 0);
        }
        probe.block_bytes = block;
        *ret = probe;
        return 0;
}
