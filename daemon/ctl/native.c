/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Source of the names and their order: moby, daemon/logger/loggerutils/logfile.go. The engine
 * renames from the highest number down and the live log last, then packs .1 beside itself and
 * removes it. So a chain counts only if all names still lead to the same files once it is complete.
 */

#include "ctl/native.h"

#include <errno.h>
#include <fcntl.h>

#include "rotate/rotated.h"

#define FILES_MAX 10000

void pl_log_natives_deinit(PlLogNatives *n) {
        for (size_t i = 0; i < n->n; i++)
                pl_closep(&n->files[i].fd);
        free(n->files);
        *n = (PlLogNatives){ 0 };
}

static int add(PlLogNatives *n, const PlLogNative *file) {
        PlLogNative *bigger = reallocarray(n->files, n->n + 1, sizeof(*bigger));

        if (!bigger)
                return -ENOMEM;
        n->files = bigger;
        n->files[n->n++] = *file;
        n->bytes += file->bytes;
        return 0;
}

static int open_one(const PlLogFile *log, const char *id, unsigned number, PlLogNative *ret) {
        PlLogNative f = { .fd = -EBADF };
        uint64_t mark, gen;
        struct stat st;
        int r;

        for (int packed = 0; packed <= 1; packed++) {
                f.packed = packed;
                f.fd = pl_log_file_open_rotated(log, id, number, packed);
                if (f.fd != -ENOENT)
                        break;
        }
        if (f.fd < 0)
                return f.fd;
        r = fstat(f.fd, &st) < 0 ? -errno : 0;
        if (r >= 0) {
                f.ino = st.st_ino;
                f.bytes = (uint64_t)st.st_size;
                if (f.packed)
                        f.bytes = pl_log_unpacked_size(f.fd, f.bytes);
                else
                        r = pl_log_file_find_head(f.fd, 0, f.bytes, &f.from, &mark, &gen);
                f.bytes -= f.from;
        }
        if (r < 0) {
                pl_closep(&f.fd);
                return r;
        }
        *ret = f;
        return 0;
}

/* Does a name still lead to the file that was opened by it? */
static bool stands(const PlLogFile *log, const char *id, unsigned number, const PlLogNative *f) {
        _cleanup_close_ int fd = pl_log_file_open_rotated(log, id, number, f->packed);
        struct stat st;

        return fd >= 0 && fstat(fd, &st) == 0 && st.st_ino == f->ino;
}

static bool all_stand(const PlLogFile *log, const char *id, const PlLogNatives *n) {
        PlLogNative beyond;

        if (pl_log_file_is_replaced(log, id) != 0)
                return false;
        for (size_t i = 0; i < n->n; i++)
                if (!stands(log, id, (unsigned)i + 1, &n->files[i]))
                        return false;
        if (open_one(log, id, (unsigned)n->n + 2, &beyond) < 0)
                return true; /* otherwise the engine is renaming */
        pl_closep(&beyond.fd);
        return false;
}

int pl_log_natives_open(const PlLogFile *log, const char *id, PlLogNatives *ret) {
        PlLogNatives n = { 0 };
        int r = 0;

        for (unsigned number = 1; number <= FILES_MAX; number++) {
                PlLogNative f;

                r = open_one(log, id, number, &f);
                if (r == -ENOENT)
                        break;
                if (r >= 0)
                        r = add(&n, &f);
                if (r < 0)
                        break;
        }
        if (r == -ENOENT)
                r = all_stand(log, id, &n) ? 0 : -EAGAIN;
        if (r < 0) {
                pl_log_natives_deinit(&n);
                return r;
        }
        for (size_t i = 0; i < n.n / 2; i++) {
                PlLogNative f = n.files[i];

                n.files[i] = n.files[n.n - 1 - i];
                n.files[n.n - 1 - i] = f;
        }
        *ret = n;
        return 0;
}

/* The output always has its full length. Return: 0; -EBADMSG; -errno. */
static int inflate_to(int from, int to, uint64_t bytes) {
        int r = pl_log_unpack(from, to);
        struct stat st;

        if (r < 0 && r != -EBADMSG)
                return r;
        if (fstat(to, &st) < 0 || (uint64_t)st.st_size != bytes)
                r = -EBADMSG;
        return ftruncate(to, (off_t)bytes) < 0 ? -errno : r;
}

static int unpack(PlLogNative *f) {
        const char *dir = getenv("TMPDIR");
        _cleanup_close_ int fd = open(dir ?: "/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        int r;

        if (fd < 0)
                return -errno;
        r = inflate_to(f->fd, fd, f->bytes);
        if (r < 0 && r != -EBADMSG)
                return r;
        (void)close(f->fd);
        f->fd = TAKE_FD(fd);
        f->packed = false;
        return r;
}

/* Return: bytes; as pl_log_natives_read(). */
static ssize_t read_one(PlLogNative *f, void *buf, size_t size, uint64_t offset) {
        ssize_t got;

        if (f->packed) {
                int r = unpack(f);

                if (r < 0)
                        return r;
        }
        size = (size_t)PL_MIN((uint64_t)size, f->bytes - PL_MIN(offset, f->bytes));
        do
                got = pread(f->fd, buf, size, (off_t)(f->from + offset));
        while (got < 0 && errno == EINTR);
        return got < 0 ? -errno : got;
}

ssize_t pl_log_natives_read(PlLogNatives *n, void *buf, size_t size, uint64_t offset) {
        for (size_t i = 0; i < n->n; i++) {
                PlLogNative *f = &n->files[i];
                ssize_t got;

                if (offset < f->bytes) {
                        got = read_one(f, buf, size, offset);
                        return got == 0 ? -ESTALE : got;
                }
                offset -= f->bytes;
        }
        return 0;
}

/* Packing makes a new file, so the inode alone does not tell. */
static bool is_same(PlLogNative *a, PlLogNative *b) {
        char x[256], y[sizeof(x)];
        ssize_t n;

        if (a->ino == b->ino)
                return true;
        if (!a->packed || a->bytes != b->bytes + b->from)
                return false;
        n = read_one(a, x, sizeof(x), b->from);
        return n > 0 && read_one(b, y, (size_t)n, 0) == n && memcmp(x, y, (size_t)n) == 0;
}

int pl_log_natives_renew(PlLogNatives *n, const PlLogFile *log, const char *id, int fd,
                         uint64_t from) {
        PlLogNative last = { .fd = fd, .from = from };
        PlLogNatives now = { 0 }, before = *n;
        struct stat st;
        size_t newer;
        int r;

        if (fstat(fd, &st) < 0)
                return -errno;
        last.ino = st.st_ino;
        last.bytes = (uint64_t)st.st_size > from ? (uint64_t)st.st_size - from : 0;
        r = pl_log_natives_open(log, id, &now);
        if (r < 0)
                return r;
        for (newer = now.n; newer > 0 && !is_same(&now.files[newer - 1], &last);)
                newer--;
        r = add(n, &last);
        if (r >= 0 && newer == 0)
                r = 1; /* it is gone, and others may have come and gone unseen */
        for (size_t i = newer; r >= 0 && i < now.n; i++) {
                int e = add(n, &now.files[i]);

                if (e < 0)
                        r = e;
                else
                        now.files[i].fd = -EBADF;
        }
        if (r < 0) { /* out of memory: leave all as it was */
                n->n = before.n;
                n->bytes = before.bytes;
        }
        pl_log_natives_deinit(&now);
        return r;
}
