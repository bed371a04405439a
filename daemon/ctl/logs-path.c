/* SPDX-License-Identifier: Apache-2.0 */

/*
 * logs --path: a log file beside stdout with its archives, as one, in order.
 *
 * It is read where LogPath= leaves it: archives in LogPathArchive=, those of an earlier version
 * beside the file, renamed ones that nobody has packed yet, and the file itself. Their order is
 * that of their last write, which each archive has from its log. The directory is the container's:
 * no symbolic link in it is followed, and only regular files are read. What cannot be read is said,
 * the rest is shown, and the exit status is 1.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <zstd.h>

#include "ctl/cli.h"
#include "lib/logs/path.h"

typedef struct Part {
        char *name; /* in dir_fd */
        int dir_fd;
        struct timespec mtime;
        bool packed, stamped;
} Part;

typedef struct Parts {
        Part *items;
        size_t n;
} Parts;

static void parts_deinit(Parts *p) {
        for (size_t i = 0; i < p->n; i++)
                free(p->items[i].name);
        free(p->items);
        *p = (Parts){ 0 };
}

static int compare(const void *pa, const void *pb) {
        const Part *a = pa, *b = pb;

        if (a->mtime.tv_sec != b->mtime.tv_sec)
                return a->mtime.tv_sec < b->mtime.tv_sec ? -1 : 1;
        if (a->mtime.tv_nsec != b->mtime.tv_nsec)
                return a->mtime.tv_nsec < b->mtime.tv_nsec ? -1 : 1;
        if (a->stamped != b->stamped) /* the first of that time has no stamp */
                return a->stamped ? 1 : -1;
        return strcmp(a->name, b->name);
}

static int add(Parts *p, int dir_fd, const char *name, const char *base) {
        size_t n, n_base = strlen(base);
        PlLogpathKind kind = pl_logpath_kind(name, &n);
        struct stat st;
        Part *more;

        if ((kind != PL_LOGPATH_PACKED && kind != PL_LOGPATH_RENAMED) || n != n_base ||
            memcmp(name, base, n) != 0 || fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISREG(st.st_mode))
                return 0;
        more = reallocarray(p->items, p->n + 1, sizeof(*more));
        if (!more)
                return -ENOMEM;
        p->items = more;
        more[p->n] = (Part){ .name = strdup(name),
                             .dir_fd = dir_fd,
                             .mtime = st.st_mtim,
                             .packed = kind == PL_LOGPATH_PACKED,
                             .stamped = name[n + 1] >= '0' && name[n + 1] <= '9' };
        return more[p->n++].name ? 0 : -ENOMEM;
}

/* Return: 0, also when there is no such directory; -errno. */
static int list(Parts *p, int dir_fd, const char *base) {
        int fd = dir_fd < 0 ? -1 : openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
        DIR *d;

        if (dir_fd < 0)
                return 0;
        if (fd < 0)
                return -errno;
        d = fdopendir(fd);
        if (!d) {
                r = -errno;
                (void)close(fd);
                return r;
        }
        for (const struct dirent *e; r >= 0 && (e = readdir(d));)
                r = add(p, dir_fd, e->d_name, base);
        (void)closedir(d);
        return r;
}

static int open_part(int dir_fd, const char *name) {
        _cleanup_close_ int fd =
                        openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        return S_ISREG(st.st_mode) ? TAKE_FD(fd) : -EMEDIUMTYPE;
}

/* Return: NULL, or what is wrong with it; static. */
static const char *unpack(int fd, char *in, char *out, size_t size) {
        ZSTD_DCtx *zstd = ZSTD_createDCtx();
        const char *wrong = zstd ? NULL : strerror(ENOMEM);
        size_t left = 0;
        ssize_t n = 0;

        while (!wrong && (n = read(fd, in, size)) > 0) {
                ZSTD_inBuffer i = { in, (size_t)n, 0 };

                while (!wrong && i.pos < i.size) {
                        ZSTD_outBuffer o = { out, size, 0 };

                        left = ZSTD_decompressStream(zstd, &o, &i);
                        if (ZSTD_isError(left))
                                wrong = ZSTD_getErrorName(left);
                        else
                                (void)fwrite(out, 1, o.pos, stdout);
                }
        }
        if (!wrong && n < 0)
                wrong = strerror(errno);
        ZSTD_freeDCtx(zstd);
        return wrong ?: left != 0 ? "its end is missing" : NULL;
}

static const char *copy(int fd, char *buf, size_t size) {
        ssize_t n;

        while ((n = read(fd, buf, size)) > 0)
                (void)fwrite(buf, 1, (size_t)n, stdout);
        return n < 0 ? strerror(errno) : NULL;
}

static int print(int fd, const char *name, bool packed) {
        static char in[1 << 17], out[1 << 17];
        const char *wrong = fd < 0   ? strerror(-fd)
                            : packed ? unpack(fd, in, out, sizeof(in))
                                     : copy(fd, in, sizeof(in));

        if (wrong) {
                (void)fflush(stdout);
                pl_ctl_say("%s: %s; lines are missing here", name, wrong);
        }
        return wrong ? PL_EXIT_BAD : PL_EXIT_GOOD;
}

static int print_parts(Parts *parts) {
        int status = PL_EXIT_GOOD;

        if (parts->n > 0)
                qsort(parts->items, parts->n, sizeof(*parts->items), compare);
        for (size_t i = 0; i < parts->n; i++) {
                const Part *p = &parts->items[i];
                _cleanup_close_ int fd = open_part(p->dir_fd, p->name);

                if (print(fd, p->name, p->packed) != PL_EXIT_GOOD)
                        status = PL_EXIT_BAD;
        }
        return status;
}

int pl_ctl_logs_path(const char *path, const char *archive_dir) {
        _cleanup_free_ char *dir = strdup(path);
        _cleanup_close_ int dir_fd = -EBADF, archive_fd = -EBADF, fd = -EBADF;
        _cleanup_(parts_deinit) Parts parts = { 0 };
        const char *base = strrchr(path, '/');
        struct stat st = { 0 };
        int r, status;

        if (!dir)
                return PL_EXIT_BAD;
        base = base ? base + 1 : path;
        dir[base - path] = '\0';
        dir_fd = open(*dir ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir_fd < 0) {
                pl_ctl_say("%s: %s", *dir ? dir : ".", strerror(errno));
                return PL_EXIT_BAD;
        }
        archive_fd = openat(dir_fd, archive_dir ?: PL_LOGPATH_ARCHIVE_DIR,
                            O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        fd = open_part(dir_fd, base);
        r = list(&parts, archive_fd, base);
        if (r >= 0)
                r = list(&parts, dir_fd, base);
        if (r >= 0 && fd >= 0 && fstat(fd, &st) == 0 && st.st_nlink == 0) {
                /* packed meanwhile: its archive has its name by now */
                pl_closep(&fd);
                fd = -ENOENT;
                parts_deinit(&parts);
                r = list(&parts, archive_fd, base);
                if (r >= 0)
                        r = list(&parts, dir_fd, base);
        }
        if (r < 0) {
                pl_ctl_say("%s: %s", path, strerror(-r));
                return PL_EXIT_BAD;
        }
        if (fd < 0 && parts.n == 0) {
                pl_ctl_say("%s: %s, and there is no archive of it", path, strerror(-fd));
                return PL_EXIT_BAD;
        }
        status = print_parts(&parts);
        if (fd != -ENOENT && print(fd, path, false) != PL_EXIT_GOOD)
                status = PL_EXIT_BAD;
        return fflush(stdout) == 0 ? status : PL_EXIT_BAD;
}
