/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Files: see the header.
 *
 * No call here waits for anybody but the disk: a FIFO or a terminal in the place of a file does not
 * block, and a link or a mount in the place of a directory is not followed.
 */

#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

/* Enough for every cgroup file, so that those take one read(2). */
#define READ_FIRST 4096

/* Return: 0, -ETIMEDOUT, -errno. */
static int wait_for_more(int fd, int timeout_msec) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        int n = poll(&p, 1, timeout_msec);

        return n < 0 ? -errno : n == 0 ? -ETIMEDOUT : 0;
}

/* @patience_msec: how long nothing may come; -1: for ever; 0: what is not there is not awaited. */
static int read_to_end(int fd, int patience_msec, size_t max_bytes, char **ret, size_t *ret_size) {
        _cleanup_free_ char *data = NULL;
        size_t used = 0, room = READ_FIRST;

        for (;;) {
                char *grown = realloc(data, room + 1);
                ssize_t n;
                int r;

                if (!grown)
                        return -ENOMEM;
                data = grown;
                r = patience_msec > 0 ? wait_for_more(fd, patience_msec) : 0;
                n = r < 0 ? -1 : read(fd, data + used, room - used);
                r = n >= 0 ? 0 : r < 0 ? r : -errno;
                if (r == -EAGAIN && patience_msec != 0)
                        r = wait_for_more(fd, patience_msec) ?: -EINTR;
                if (r == -EINTR)
                        continue;
                if (r < 0)
                        return r;
                if (n == 0)
                        break;
                used += (size_t)n;
                if (used > max_bytes)
                        return -EFBIG;
                if (used == room)
                        room *= 2;
        }
        data[used] = 0;
        if (ret_size)
                *ret_size = used;
        *ret = TAKE_PTR(data);
        return 0;
}

int pl_fs_read(int dir_fd, const char *path, size_t max_bytes, char **ret, size_t *ret_size) {
        _cleanup_close_ int fd = -EBADF;

        fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        return fd < 0 ? -errno : read_to_end(fd, 0, max_bytes, ret, ret_size);
}

int pl_fs_read_stream(int fd, int patience_msec, size_t max_bytes, char **ret, size_t *ret_size) {
        return read_to_end(fd, patience_msec, max_bytes, ret, ret_size);
}

int pl_fs_write_all(int fd, const void *data, size_t size, size_t *ret_written) {
        const char *p = data;
        size_t done = 0;
        int r = 0;

        while (r == 0 && done < size) {
                ssize_t n = write(fd, p + done, size - done);

                if (n >= 0)
                        done += (size_t)n;
                else if (errno != EINTR)
                        r = -errno;
        }
        if (ret_written)
                *ret_written = done;
        return r;
}

static int sync_parent(int dir_fd, const char *path) {
        _cleanup_free_ char *parent = strdup(path);
        _cleanup_close_ int fd = -EBADF;
        char *slash;

        if (!parent)
                return -ENOMEM;
        slash = strrchr(parent, '/');
        if (slash == parent)
                slash[1] = 0;
        else if (slash)
                *slash = 0;
        fd = openat(dir_fd, slash ? parent : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || fsync(fd) < 0)
                return -errno;
        return 0;
}

int pl_fs_replace(int dir_fd, const char *path, const void *data, size_t size, mode_t mode,
                  bool durable) {
        _cleanup_close_ int fd = -EBADF;
        _cleanup_free_ char *tmp = NULL;
        int r;

        if (asprintf(&tmp, "%s.new", path) < 0)
                return -ENOMEM;
        fd = openat(dir_fd, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
        if (fd < 0)
                return -errno;
        r = pl_fs_write_all(fd, data, size, NULL);
        if (r >= 0 && fchmod(fd, mode) < 0)
                r = -errno;
        if (r >= 0 && durable && fsync(fd) < 0)
                r = -errno;
        if (r >= 0 && renameat(dir_fd, tmp, dir_fd, path) < 0)
                r = -errno;
        if (r < 0) {
                (void)unlinkat(dir_fd, tmp, 0);
                return r;
        }
        return durable ? sync_parent(dir_fd, path) : 0;
}

/* The mount's number came with Linux 5.8; before it there is the file system's. */
static int same_mount(int a, int b) {
        struct statx x, y;

        if (statx(a, "", AT_EMPTY_PATH, STATX_MNT_ID, &x) < 0 ||
            statx(b, "", AT_EMPTY_PATH, STATX_MNT_ID, &y) < 0)
                return -errno;
        if (x.stx_mask & y.stx_mask & STATX_MNT_ID)
                return x.stx_mnt_id == y.stx_mnt_id;
        return x.stx_dev_major == y.stx_dev_major && x.stx_dev_minor == y.stx_dev_minor;
}

int pl_fs_open_below(int dir_fd, const char *name, int flags) {
        _cleanup_close_ int fd = openat(dir_fd, name, flags | O_NOFOLLOW | O_CLOEXEC);
        int r;

        if (fd < 0)
                /* openat(2) says so of a link in the place of a directory */
                return errno == ENOTDIR && flags & O_DIRECTORY ? -ELOOP : -errno;
        r = same_mount(dir_fd, fd);
        if (r < 0)
                return r;
        return r ? TAKE_FD(fd) : -EXDEV;
}
