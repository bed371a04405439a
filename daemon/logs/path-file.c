/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One file: removed, renamed, compressed, or copied and truncated.
 *
 * A file is opened as O_PATH first and looked at, so that neither a device nor a pipe in its place
 * is ever really opened; /proc/self/fd then opens that very inode. An archive has its name only
 * when it is on disk, and the original goes only after that, if nothing has touched it meanwhile.
 */

#include "logs/path-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <time.h>

#include "base/clock.h"

/* So often is what was written meanwhile copied, too, before a file is truncated. */
#define ROUNDS_MAX 8

static bool same(const struct stat *a, const struct stat *b) {
        return S_ISREG(b->st_mode) && b->st_nlink == 1 && a->st_dev == b->st_dev &&
               a->st_ino == b->st_ino;
}

static bool untouched(const struct stat *a, const struct stat *b) {
        return same(a, b) && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
               a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Is the name still the file that was listed? */
static int check_name(int dir_fd, const PlLogPathName *f, bool written) {
        struct stat st;

        if (fstatat(dir_fd, f->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? -ESTALE : -errno;
        return (written ? same(&f->st, &st) : untouched(&f->st, &st)) ? 0 : -ESTALE;
}

static int open_listed(int dir_fd, const PlLogPathName *f, int flags, struct stat *ret_st) {
        _cleanup_close_ int path_fd =
                        pl_log_path_open_beneath(dir_fd, f->name, O_PATH | O_NOFOLLOW);
        char path[64];
        int fd;

        if (path_fd < 0)
                return path_fd == -ENOENT || path_fd == -ELOOP || path_fd == -EXDEV ? -ESTALE
                                                                                    : path_fd;
        if (fstat(path_fd, ret_st) < 0)
                return -errno;
        if (!same(&f->st, ret_st))
                return -ESTALE;
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", path_fd);
        fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        return fd < 0 ? -errno : fd;
}

/*
 * A read lease is refused while anybody has the file open for writing, whoever that is, and whoever
 * opens it then waits until it is given back: fcntl(2), F_SETLEASE. It needs a descriptor that
 * cannot write itself. Where it cannot be asked for (no CAP_LEASE, a network file system) what
 * /proc told has to do. Return: 1 held; 0 it cannot be asked for; -EAGAIN somebody writes.
 */
static int lease(int fd) {
        /* should somebody open it: a signal that is ignored by default */
        (void)fcntl(fd, F_SETSIG, SIGURG);
        if (fcntl(fd, F_SETLEASE, F_RDLCK) < 0)
                return errno == EAGAIN ? -EAGAIN : 0;
        return 1;
}

static void unlease(int fd) {
        (void)fcntl(fd, F_SETLEASE, F_UNLCK);
}

/* Back under its own name, or beside the one that has been made there meanwhile. */
static int put_back(int dir_fd, const PlLogPathName *f, const char *from) {
        char to[NAME_MAX + 1], stamp[PL_LOGPATH_STAMP_MAX];

        if (renameat2(dir_fd, from, dir_fd, f->name, RENAME_NOREPLACE) == 0)
                return 0;
        (void)snprintf(to, sizeof(to), "%s%s", f->name,
                       pl_logpath_stamp((uint64_t)f->st.st_mtim.tv_sec * PL_USEC_PER_SEC, stamp));
        return renameat2(dir_fd, from, dir_fd, to, RENAME_NOREPLACE) < 0 ? -errno : 0;
}

/*
 * Removes a file, but not from under a writer that is just opening it: without its name nobody new
 * comes, and those who had found it before stand in the lease's queue after a moment.
 * @hidden: a name to have meanwhile; what a crash leaves under it is removed by the next pass
 * Return: 0; -EAGAIN somebody writes, and it is where it was; -ESTALE; -errno.
 */
static int take_away(int dir_fd, const PlLogPathName *f, int fd, const char *hidden) {
        int leased = fd < 0 ? 0 : lease(fd), r = leased;
        struct stat st;

        if (r >= 0)
                r = check_name(dir_fd, f, false);
        if (r >= 0 && renameat2(dir_fd, f->name, dir_fd, hidden, RENAME_NOREPLACE) < 0)
                r = -errno;
        if (r >= 0 && leased > 0) {
                pl_clock_sleep(2 * PL_USEC_PER_MSEC);
                if (fcntl(fd, F_GETLEASE) != F_RDLCK || fstat(fd, &st) < 0 ||
                    st.st_size != f->st.st_size) {
                        r = put_back(dir_fd, f, hidden);
                        if (r >= 0)
                                r = -EAGAIN;
                }
        }
        if (r >= 0 && unlinkat(dir_fd, hidden, 0) < 0)
                r = -errno;
        if (leased > 0)
                unlease(fd);
        return r;
}

int pl_log_path_delete(int dir_fd, const PlLogPathName *f, const char **reterr_step) {
        _cleanup_close_ int fd = -EBADF;
        char hidden[NAME_MAX + 1];
        struct stat st;

        *reterr_step = "removing it";
        fd = open_listed(dir_fd, f, O_RDONLY, &st);
        if (fd < 0 && fd != -EACCES)
                return fd;
        if ((size_t)snprintf(hidden, sizeof(hidden), "%s" PL_LOGPATH_ARCHIVE PL_LOGPATH_PARTIAL,
                             f->name) >= sizeof(hidden))
                return unlinkat(dir_fd, f->name, 0) < 0 ? -errno : 0;
        return take_away(dir_fd, f, fd, hidden);
}

int pl_log_path_rename(int dir_fd, const PlLogPathName *f, uint64_t now_usec,
                       const char **reterr_step) {
        char to[NAME_MAX + 1], stamp[PL_LOGPATH_STAMP_MAX];
        int r;

        *reterr_step = "renaming it";
        if ((size_t)snprintf(to, sizeof(to), "%s%s", f->name, pl_logpath_stamp(now_usec, stamp)) >=
            sizeof(to))
                return -ENAMETOOLONG;
        r = check_name(dir_fd, f, true);
        if (r < 0)
                return r;
        return renameat2(dir_fd, f->name, dir_fd, to, RENAME_NOREPLACE) < 0 ? -errno : 0;
}

/* Partial archive beside a file; removed unless it got its name. */
typedef struct Partial {
        int dir_fd, fd;
        char name[NAME_MAX + 1], final[NAME_MAX + 1];
        bool named;
} Partial;

static void partial_done(Partial *p) {
        if (p->fd >= 0) {
                (void)close(p->fd);
                if (!p->named)
                        (void)unlinkat(p->dir_fd, p->name, 0);
        }
}

static int partial_begin(int dir_fd, const char *name, const char *stamp, Partial *p) {
        *p = (Partial){ .dir_fd = dir_fd, .fd = -EBADF };
        if ((size_t)snprintf(p->name, sizeof(p->name), "%s%s" PL_LOGPATH_ARCHIVE PL_LOGPATH_PARTIAL,
                             name, stamp) >= sizeof(p->name))
                return -ENAMETOOLONG;
        (void)snprintf(p->final, sizeof(p->final), "%s%s" PL_LOGPATH_ARCHIVE, name, stamp);
        p->fd = openat(dir_fd, p->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        return p->fd < 0 ? -errno : 0;
}

static int partial_sync(const Partial *p, const struct stat *st, const char **reterr_step) {
        const struct timespec times[] = { st->st_atim, st->st_mtim };
        mode_t mode = st->st_mode & 0777;
        struct stat own;

        *reterr_step = "giving the archive owner and mode of the log";
        if (fstat(p->fd, &own) < 0)
                return -errno;
        if ((own.st_uid != st->st_uid || own.st_gid != st->st_gid) &&
            fchown(p->fd, st->st_uid, st->st_gid) < 0) {
                if (errno != EPERM || own.st_uid != st->st_uid || st->st_gid != 0)
                        return -errno;
                /* The sandbox has no chown(2), and what is root's in user and group does without:
                 * the service's own group gets no more than others have. */
                mode = (mode & ~(mode_t)S_IRWXG) | (mode & S_IRWXO) << 3;
        }
        if (fchmod(p->fd, mode) < 0 || futimens(p->fd, times) < 0)
                return -errno;
        *reterr_step = "writing the archive";
        return fsync(p->fd) < 0 ? -errno : 0;
}

static int partial_name(Partial *p, bool replace, const char **reterr_step) {
        *reterr_step = "naming the archive";
        if (renameat2(p->dir_fd, p->name, p->dir_fd, p->final, replace ? 0 : RENAME_NOREPLACE) < 0)
                return -errno;
        p->named = true;
        return fsync(p->dir_fd) < 0 ? -errno : 0;
}

/*
 * An archive that is there already is one of another file, and stays, unless it has the log's very
 * time: then the last pass was killed before it could remove the log, and what it wrote is the
 * same.
 */
static const char *choose_stamp(int dir_fd, const PlLogPathName *f, char buf[PL_LOGPATH_STAMP_MAX],
                                bool *ret_replace) {
        char name[NAME_MAX + 1];
        struct stat st;

        *ret_replace = false;
        if ((size_t)snprintf(name, sizeof(name), "%s" PL_LOGPATH_ARCHIVE, f->name) >=
                            sizeof(name) ||
            fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return "";
        if (S_ISREG(st.st_mode) && st.st_mtim.tv_sec == f->st.st_mtim.tv_sec &&
            st.st_mtim.tv_nsec == f->st.st_mtim.tv_nsec) {
                *ret_replace = true;
                return "";
        }
        return pl_logpath_stamp((uint64_t)f->st.st_mtim.tv_sec * PL_USEC_PER_SEC, buf);
}

int pl_log_path_compress(const PlRotateContext *ctx, int dir_fd, const PlLogPathName *f,
                         PlLogPathOutcome *o, const char **reterr_step) {
        _cleanup_(partial_done) Partial p = { .fd = -EBADF };
        _cleanup_close_ int fd = -EBADF;
        char buf[PL_LOGPATH_STAMP_MAX];
        PlArchiveResult result;
        struct stat st;
        const char *stamp;
        bool replace;
        int r;

        *reterr_step = "reading it";
        fd = open_listed(dir_fd, f, O_RDONLY, &st);
        if (fd < 0)
                return fd;
        if (!untouched(&f->st, &st))
                return -ESTALE;
        r = lease(fd);
        if (r < 0)
                return r;
        if (r > 0)
                unlease(fd);
        *reterr_step = "writing the archive";
        stamp = choose_stamp(dir_fd, f, buf, &replace);
        r = partial_begin(dir_fd, f->name, stamp, &p);
        if (r >= 0)
                r = pl_archive_write(ctx->archiver, fd, 0, (uint64_t)st.st_size, p.fd, ctx->stop,
                                     &result);
        if (r >= 0)
                r = partial_sync(&p, &st, reterr_step);
        if (r >= 0)
                r = partial_name(&p, replace, reterr_step);
        if (r < 0)
                return r;
        *reterr_step = "removing what is archived";
        r = take_away(dir_fd, f, fd, p.name);
        if (r < 0) {
                (void)unlinkat(dir_fd, p.final, 0); /* somebody goes on with it */
                return r;
        }
        (void)fsync(dir_fd);
        o->raw_bytes += result.raw_bytes;
        o->packed_bytes += result.packed_bytes;
        return 0;
}

/* Copies until nothing new has come; each round is on disk before the next. zstd(1) reads archives
 * one behind another as one. */
static int copy_rounds(const PlRotateContext *ctx, int fd, const Partial *p, PlLogPathOutcome *o,
                       uint64_t *ret_copied, const char **reterr_step) {
        uint64_t copied = 0;
        struct stat st;
        int r;

        for (unsigned i = 0; i < ROUNDS_MAX; i++) {
                PlArchiveResult result;

                if (fstat(fd, &st) < 0)
                        return -errno;
                if ((uint64_t)st.st_size <= copied)
                        break;
                *reterr_step = "writing the archive";
                r = pl_archive_write(ctx->archiver, fd, copied, (uint64_t)st.st_size, p->fd,
                                     ctx->stop, &result);
                if (r >= 0)
                        r = partial_sync(p, &st, reterr_step);
                if (r < 0)
                        return r;
                copied = (uint64_t)st.st_size;
                o->raw_bytes += result.raw_bytes;
                o->packed_bytes += result.packed_bytes;
        }
        *ret_copied = copied;
        return 0;
}

int pl_log_path_truncate(const PlRotateContext *ctx, int dir_fd, const PlLogPathName *f,
                         PlLogPathOutcome *o, const char **reterr_step) {
        _cleanup_(partial_done) Partial p = { .fd = -EBADF };
        _cleanup_close_ int fd = -EBADF;
        char stamp[PL_LOGPATH_STAMP_MAX];
        uint64_t copied = 0;
        struct stat st;
        int r;

        *reterr_step = "opening it for truncation";
        fd = open_listed(dir_fd, f, O_RDWR, &st);
        if (fd < 0)
                return fd;
        *reterr_step = "writing the archive";
        r = partial_begin(dir_fd, f->name, pl_logpath_stamp(ctx->now_sec * PL_USEC_PER_SEC, stamp),
                          &p);
        if (r >= 0)
                r = copy_rounds(ctx, fd, &p, o, &copied, reterr_step);
        if (r >= 0)
                r = partial_name(&p, false, reterr_step);
        if (r < 0)
                return r;
        *reterr_step = "truncating it";
        if (fstat(fd, &st) < 0 || ftruncate(fd, 0) < 0)
                return -errno;
        if ((uint64_t)st.st_size > copied)
                o->lost_bytes += (uint64_t)st.st_size - copied;
        return 0;
}
