/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Opening, reading and marking a log; how its blocks are given back is in rotate/methods.
 *
 * A log is opened by a chain of pl_fs_open_below(), so that nobody swaps a link or a mount in.
 */

#include "rotate/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "lib/logs/jsonlog.h"

#define SCAN_BYTES KIB(64)
#define CUT_BYTES  KIB(256)
#define CUT_MAX    MIB(64) /* without a line end in so much it is no json-file log */

#define EXTENTS     256              /* that are asked for at once */
#define EXTENTS_MAX (1024 * EXTENTS) /* 128 GiB of shared filler */

/* Splits ".../<id>/<id>-json.log" and opens the directory above. */
static int open_root(const char *path, const char *id, char tail[static 2 * PL_ID_MAX + 16]) {
        size_t n = strlen(path), n_tail;
        _cleanup_free_ char *root = NULL;
        int fd;

        n_tail = (size_t)snprintf(tail, 2 * PL_ID_MAX + 16, "%s/%s-json.log", id, id);
        if (path[0] != '/' || n <= n_tail + 1 || !pl_streq(path + n - n_tail, tail) ||
            path[n - n_tail - 1] != '/')
                return -EINVAL;
        root = strndup(path, n - n_tail);
        if (!root)
                return -ENOMEM;
        fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

static int open_regular(int dir_fd, const char *name, int flags) {
        /* O_NONBLOCK: a FIFO put in its place must not hang us */
        _cleanup_close_ int fd = pl_fs_open_below(dir_fd, name, flags | O_NONBLOCK | O_NOCTTY);
        struct stat st;

        if (fd < 0)
                return fd == -ENXIO ? -EMEDIUMTYPE : fd;
        if (fstat(fd, &st) < 0)
                return -errno;
        return S_ISREG(st.st_mode) && st.st_nlink == 1 ? TAKE_FD(fd) : -EMEDIUMTYPE;
}

static int open_log(const char *path, const char *id, int flags, PlLogFile *ret) {
        char tail[2 * PL_ID_MAX + 16];
        _cleanup_close_ int root = -EBADF, dir = -EBADF;
        int fd;

        root = open_root(path, id, tail);
        if (root < 0)
                return root;
        dir = pl_fs_open_below(root, id, (flags & O_PATH) | O_DIRECTORY);
        if (dir < 0)
                return dir;
        fd = open_regular(dir, tail + strlen(id) + 1, flags);
        if (fd < 0)
                return fd;
        *ret = (PlLogFile){ .fd = fd, .dir_fd = TAKE_FD(dir) };
        return 0;
}

int pl_log_file_open(const char *path, const char *id, bool write, PlLogFile *ret) {
        return open_log(path, id, write ? O_RDWR : O_RDONLY, ret);
}

int pl_log_file_open_rotated(const PlLogFile *f, const char *id, unsigned number, bool packed) {
        char name[PL_ID_MAX + 32];

        snprintf(name, sizeof(name), "%s-json.log.%u%s", id, number, packed ? ".gz" : "");
        return open_regular(f->dir_fd, name, O_RDONLY);
}

int pl_log_file_is_replaced(const PlLogFile *f, const char *id) {
        char name[PL_ID_MAX + 16];
        struct stat now, st;

        snprintf(name, sizeof(name), "%s-json.log", id);
        if (fstatat(f->dir_fd, name, &now, AT_SYMLINK_NOFOLLOW) < 0 || fstat(f->fd, &st) < 0)
                return -errno;
        return now.st_ino != st.st_ino;
}

int pl_log_file_open_path(const char *path, const char *id) {
        _cleanup_(pl_log_file_close) PlLogFile f = PL_LOG_FILE_INIT;
        int r = open_log(path, id, O_PATH, &f);

        return r < 0 ? r : TAKE_FD(f.fd);
}

int pl_log_file_reopen(int path_fd) {
        char path[64];
        int fd;

        snprintf(path, sizeof(path), "/proc/self/fd/%d", path_fd);
        fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        return fd < 0 ? -errno : fd;
}

void pl_log_file_close(PlLogFile *f) {
        if (f->leased)
                pl_log_file_unlease(f);
        pl_closep(&f->fd);
        pl_closep(&f->dir_fd);
        *f = (PlLogFile)PL_LOG_FILE_INIT;
}

int pl_log_file_lease(PlLogFile *f) {
        /* the signal that a lease break sends must be one whose default is to be ignored */
        if (fcntl(f->fd, F_SETSIG, SIGURG) < 0)
                return -errno;
        if (fcntl(f->fd, F_SETLEASE, F_WRLCK) < 0)
                return -errno;
        f->leased = true;
        return 0;
}

void pl_log_file_unlease(PlLogFile *f) {
        (void)fcntl(f->fd, F_SETLEASE, F_UNLCK);
        f->leased = false;
}

int pl_log_file_lock(const PlLogFile *f) {
        /* of the directory: the log itself is the engine's */
        return flock(f->dir_fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
}

/* Return: bytes read, fewer only at the end of the file; -errno. */
static ssize_t read_at(int fd, void *buf, size_t size, uint64_t offset) {
        size_t n = 0;

        while (n < size) {
                ssize_t r = pread(fd, (char *)buf + n, size - n, (off_t)(offset + n));

                if (r < 0 && errno == EINTR)
                        continue;
                if (r < 0)
                        return -errno;
                if (r == 0)
                        break;
                n += (size_t)r;
        }
        return (ssize_t)n;
}

uint64_t pl_log_file_marker(int fd, uint64_t offset) {
        char text[PL_JSONLOG_MARKER_MIN];
        ssize_t n = read_at(fd, text, sizeof(text), offset);
        PlJsonlogRecord r;
        const char *end;

        if (n <= 0)
                return 0;
        end = memchr(text, '}', (size_t)n);
        if (!end || pl_jsonlog_parse(text, (size_t)(end - text) + 1, &r) != PL_JSONLOG_MARKER)
                return 0;
        return r.marker_gen;
}

/* 64-bit FNV-1a; never 0. */
static uint64_t fingerprint(const void *data, size_t size) {
        const uint8_t *p = data;
        uint64_t h = UINT64_C(0xcbf29ce484222325);

        for (size_t i = 0; i < size; i++)
                h = (h ^ p[i]) * UINT64_C(0x100000001b3);
        return h ?: 1;
}

uint64_t pl_log_file_print(int fd, const PlRotateState *s) {
        char data[PL_LOG_FILE_PRINT_BYTES];
        bool before = s->taken && s->phase == PL_ROTATE_CLEAN;
        uint64_t room = before ? s->head : s->k > s->head ? s->k - s->head : 0;
        size_t size = (size_t)PL_MIN(room, (uint64_t)sizeof(data));
        ssize_t n = size ? read_at(fd, data, size, before ? s->head - size : s->head) : 0;

        return n > 0 && (size_t)n == size ? fingerprint(data, size) : 0;
}

int pl_log_file_see(int fd, const PlRotateState *s, PlRotateSeen *ret) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        *ret = (PlRotateSeen){ .dev = st.st_dev,
                               .ino = st.st_ino,
                               .size = (uint64_t)st.st_size,
                               .gen_at_zero = pl_log_file_marker(fd, 0),
                               .gen_at_mark = pl_log_file_marker(fd, s->mark) };
        if (s->phase == PL_ROTATE_INTENT)
                ret->gen_at_a = pl_log_file_marker(fd, s->a);
        if (s->phase == PL_ROTATE_INTENT || s->taken)
                ret->print = pl_log_file_print(fd, s);
        return 0;
}

/* --- what it takes on disk --- */

typedef struct Extent {
        uint64_t at, end;
} Extent;

static int compare_extents(const void *pa, const void *pb) {
        const Extent *a = pa, *b = pb;

        return a->at < b->at ? -1 : a->at > b->at;
}

/* Return: bytes that the extents cover together. */
static uint64_t cover(Extent *extents, size_t n) {
        uint64_t sum = 0, end = 0;

        if (n > 0)
                qsort(extents, n, sizeof(*extents), compare_extents);
        for (size_t i = 0; i < n; i++) {
                uint64_t from = PL_MAX(extents[i].at, end);

                if (extents[i].end > from)
                        sum += extents[i].end - from;
                end = PL_MAX(end, extents[i].end);
        }
        return sum;
}

int pl_log_file_held(int fd, uint64_t *ret_bytes) {
        _cleanup_free_ struct fiemap *map =
                        malloc(sizeof(*map) + EXTENTS * sizeof(struct fiemap_extent));
        _cleanup_free_ Extent *extents = NULL;
        uint64_t elsewhere = 0, at = 0; /* elsewhere: not yet on disk, or in the inode */
        size_t n = 0;
        bool last = false;

        while (map && !last) {
                Extent *more = n < EXTENTS_MAX ? reallocarray(extents, n + EXTENTS, sizeof(*more))
                                               : NULL;

                if (!more)
                        return n < EXTENTS_MAX ? -ENOMEM : -E2BIG;
                extents = more;
                *map = (struct fiemap){ .fm_start = at,
                                        .fm_length = FIEMAP_MAX_OFFSET - at,
                                        .fm_extent_count = EXTENTS };
                if (ioctl(fd, FS_IOC_FIEMAP, map) < 0)
                        return -errno;
                last = map->fm_mapped_extents == 0;
                for (uint32_t i = 0; i < map->fm_mapped_extents; i++) {
                        const struct fiemap_extent *e = &map->fm_extents[i];

                        at = e->fe_logical + e->fe_length;
                        last = e->fe_flags & FIEMAP_EXTENT_LAST;
                        if (e->fe_flags & (FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DATA_INLINE))
                                elsewhere += e->fe_length;
                        else
                                extents[n++] = (Extent){ e->fe_physical,
                                                         e->fe_physical + e->fe_length };
                }
        }
        if (!map)
                return -ENOMEM;
        *ret_bytes = cover(extents, n) + elsewhere;
        return 0;
}

/* One of our own records at offset. Return: offset behind it; 0: something else; -errno. */
static int64_t skip_own_record(int fd, uint64_t offset, uint64_t size, char *buf) {
        ssize_t n = read_at(fd, buf, SCAN_BYTES, offset);
        const char *p, *nl;
        PlJsonlogRecord r;

        if (n <= 0)
                return n;
        p = memchr(buf, '}', (size_t)PL_MIN(n, PL_JSONLOG_MARKER_MIN));
        if (!p || (pl_jsonlog_parse(buf, (size_t)(p - buf) + 1, &r) != PL_JSONLOG_FILLER &&
                   r.kind != PL_JSONLOG_MARKER))
                return 0;
        p++;
        for (;;) { /* blanks up to a newline, over any number of pieces */
                nl = memchr(p, '\n', (size_t)(buf + n - p));
                for (const char *q = p; q < (nl ?: buf + n); q++)
                        if (*q != ' ')
                                return 0;
                if (nl)
                        return (int64_t)(offset + (size_t)(nl - buf) + 1);
                offset += (size_t)n;
                if (offset >= size)
                        return 0;
                n = read_at(fd, buf, SCAN_BYTES, offset);
                if (n <= 0)
                        return n;
                p = buf;
        }
}

/* Return: offset of the first byte at or behind offset that is not NUL; size when there is none. */
static int64_t skip_hole(int fd, uint64_t offset, uint64_t size, char *buf) {
        while (offset < size) {
                off_t data = lseek(fd, (off_t)offset, SEEK_DATA);
                ssize_t n;

                if (data < 0)
                        return errno == ENXIO ? (int64_t)size : -errno;
                offset = (uint64_t)data;
                n = read_at(fd, buf, SCAN_BYTES, offset);
                if (n <= 0)
                        return n < 0 ? n : (int64_t)size;
                for (ssize_t i = 0; i < n; i++)
                        if (buf[i])
                                return (int64_t)offset + i;
                offset += (size_t)n;
        }
        return (int64_t)size;
}

int pl_log_file_find_head(int fd, uint64_t from, uint64_t size, uint64_t *ret_head,
                          uint64_t *ret_mark, uint64_t *ret_gen) {
        _cleanup_free_ char *buf = malloc(SCAN_BYTES);
        uint64_t head = from, mark = 0, gen = 0;

        if (!buf)
                return -ENOMEM;
        for (;;) {
                int64_t at = skip_hole(fd, head, size, buf), end;
                uint64_t g;

                if (at < 0)
                        return (int)at;
                if ((uint64_t)at >= size) {
                        head = size;
                        break;
                }
                g = pl_log_file_marker(fd, (uint64_t)at);
                end = skip_own_record(fd, (uint64_t)at, size, buf);
                if (end < 0)
                        return (int)end;
                head = (uint64_t)(end ?: at);
                if (end == 0)
                        break;
                if (g > 0) {
                        mark = (uint64_t)at;
                        gen = g;
                }
        }
        *ret_head = head;
        *ret_mark = gen ? mark : head;
        *ret_gen = gen;
        return 0;
}

int pl_log_file_cut(int fd, uint64_t from, uint64_t limit, uint64_t *ret_k) {
        _cleanup_free_ char *buf = NULL;

        for (uint64_t window = CUT_BYTES; window <= CUT_MAX; window *= 4) {
                uint64_t start = limit > from + window ? limit - window : from;
                char *bigger = limit > start ? realloc(buf, limit - start) : NULL;
                ssize_t n;
                size_t cut;

                if (limit <= start)
                        return -ENODATA;
                if (!bigger)
                        return -ENOMEM;
                buf = bigger;
                n = read_at(fd, buf, limit - start, start);
                if (n < 0)
                        return (int)n;
                cut = pl_jsonlog_last_cut(buf, (size_t)n);
                if (cut > 0) {
                        *ret_k = start + cut;
                        return 0;
                }
                if (start == from)
                        return -ENODATA;
        }
        return -ENODATA;
}

int pl_log_file_newest(int fd, uint64_t at, uint64_t size, uint64_t *ret_k) {
        _cleanup_free_ char *buf = malloc(SCAN_BYTES);

        if (!buf)
                return -ENOMEM;
        while (at < size) {
                ssize_t n = read_at(fd, buf, (size_t)PL_MIN(size - at, SCAN_BYTES), at);
                const char *nl = n > 0 ? memchr(buf, '\n', (size_t)n) : NULL;

                if (n <= 0)
                        return n < 0 ? (int)n : -ENODATA;
                if (nl) {
                        *ret_k = at + (uint64_t)(nl - buf) + 1;
                        return 0;
                }
                at += (uint64_t)n;
        }
        return -ENODATA;
}

int pl_log_file_end(int fd, uint64_t from, uint64_t size, uint64_t *ret_k) {
        _cleanup_free_ char *buf = malloc(SCAN_BYTES);

        if (!buf)
                return -ENOMEM;
        while (size > from) {
                size_t want = (size_t)PL_MIN(size - from, SCAN_BYTES);
                ssize_t n = read_at(fd, buf, want, size - want);
                size_t end;

                if (n < 0)
                        return (int)n;
                end = pl_jsonlog_last_line_end(buf, (size_t)n);
                if (end > 0) {
                        *ret_k = size - want + end;
                        return 0;
                }
                size -= want;
        }
        return -ENODATA;
}

int pl_log_file_mark(int fd, uint64_t a, uint64_t k, uint64_t gen) {
        _cleanup_free_ char *buf = malloc(k - a);
        size_t done = 0;

        if (!buf)
                return -ENOMEM;
        pl_jsonlog_write_marker(buf, k - a, gen);
        while (done < k - a) {
                ssize_t n = pwrite(fd, buf + done, k - a - done, (off_t)(a + done));

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                done += (size_t)n;
        }
        return 0;
}
