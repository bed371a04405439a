/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A pass: list, ask who writes, decide, act. What frees space comes first, what needs some last;
 * folders at the very end, the inner ones before the outer. Depth is bounded by the globs or by
 * DEPTH_MAX, names by PL_LOG_PATH_NAMES_MAX.
 */

#include "logs/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/clock.h"
#include "base/fs.h"

#define DEPTH_MAX  32
#define STAMPS_MAX 60 /* archives of files of one name and one second */
#define ROUNDS_MAX 8  /* of copying what was written meanwhile, before a file is truncated */

typedef struct Dir {
        char *path; /* below the source; "." */
        size_t parent;
        PlLogpathFolder folder;
} Dir;

typedef struct Name {
        char *name;
        size_t dir;
        struct stat st; /* when it was listed */
} Name;

typedef struct Tree {
        int fd; /* the source */
        dev_t dev;
        Dir *dirs;
        Name *names;
        size_t n_dirs, n_names, n_seen;
        const char *archive_dir; /* beside each log */
        bool too_many;
        int error; /* the first directory that could not be read */
        char *error_name;
} Tree;

#define TREE_INIT \
        { .fd = -EBADF }

/* --- what there is: the names below the source; nothing changes here --- */

/* From the root, the way to a mount's source may lead over other mounts: only links are refused. */
static int open_from_root(int dir_fd, const char *name, int flags) {
        int fd = openat(dir_fd, name, flags | O_NOFOLLOW | O_CLOEXEC);

        if (fd >= 0)
                return fd;
        return errno == ENOTDIR && flags & O_DIRECTORY ? -ELOOP : -errno;
}

/* @path: relative to dir_fd, and stays on its mount; or absolute, with AT_FDCWD. Through no
 * symbolic link. Return: a file descriptor, -ELOOP, -EXDEV, -errno. */
static int open_beneath(int dir_fd, const char *path, int flags) {
        bool beneath = dir_fd != AT_FDCWD;
        int (*open_one)(int, const char *, int) = beneath ? pl_fs_open_below : open_from_root;
        _cleanup_close_ int parent = -EBADF;
        char name[NAME_MAX + 1];

        if (beneath ? *path == '/' : *path != '/')
                return -EXDEV;
        parent = beneath ? fcntl(dir_fd, F_DUPFD_CLOEXEC, 3)
                         : open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (parent < 0)
                return -errno;
        for (path += strspn(path, "/");;) {
                size_t n = strcspn(path, "/"), next = n + strspn(path + n, "/");
                int fd;

                if (n >= sizeof(name))
                        return -ENAMETOOLONG;
                (void)snprintf(name, sizeof(name), "%.*s", (int)n, path);
                if (pl_streq(name, ".."))
                        return -EXDEV;
                if (path[next] == '\0')
                        return open_one(parent, n > 0 ? name : ".", flags);
                fd = open_one(parent, name, O_PATH | O_DIRECTORY);
                if (fd < 0)
                        return fd;
                (void)close(parent);
                parent = fd;
                path += next;
        }
}

static bool stopped(const PlRotateContext *ctx) {
        return ctx->stop && atomic_load_explicit(ctx->stop, memory_order_relaxed);
}

static void tree_deinit(Tree *t) {
        for (size_t i = 0; i < t->n_dirs; i++)
                free(t->dirs[i].path);
        for (size_t i = 0; i < t->n_names; i++)
                free(t->names[i].name);
        free(t->dirs);
        free(t->names);
        free(t->error_name);
        if (t->fd >= 0)
                (void)close(t->fd);
        *t = (Tree)TREE_INIT;
}

/* Arrays grow by doubling; n is what they hold. */
static int grow(void **array, size_t n, size_t size) {
        void *p;

        if (n & (n - 1))
                return 0;
        p = reallocarray(*array, n > 0 ? 2 * n : 1, size);
        if (!p)
                return -ENOMEM;
        *array = p;
        return 0;
}

static int add_name(Tree *t, size_t dir, const char *name, const struct stat *st) {
        char *copy;

        if (grow((void **)&t->names, t->n_names, sizeof(*t->names)) < 0 || !(copy = strdup(name)))
                return -ENOMEM;
        t->names[t->n_names++] = (Name){ .name = copy, .dir = dir, .st = *st };
        return 0;
}

static int add_dir(Tree *t, size_t parent, const char *name, const struct stat *st,
                   PlLogpathFolder folder) {
        char *path = NULL;
        int n;

        if (t->n_dirs == 0 || pl_streq(t->dirs[parent].path, "."))
                n = asprintf(&path, "%s", name);
        else
                n = asprintf(&path, "%s/%s", t->dirs[parent].path, name);
        if (n < 0)
                return -ENOMEM;
        if (grow((void **)&t->dirs, t->n_dirs, sizeof(*t->dirs)) < 0) {
                free(path);
                return -ENOMEM;
        }
        t->dirs[t->n_dirs++] = (Dir){
                .path = path,
                .parent = parent,
                .folder = folder,
        };
        t->dirs[t->n_dirs - 1].folder.mtime_usec = (uint64_t)st->st_mtim.tv_sec * PL_USEC_PER_SEC;
        return 0;
}

/* A name that a glob matches, or the archive of one. */
static bool is_ours(const PlLogPathRequest *req, const PlLogpathState *at, const char *name) {
        char base[NAME_MAX + 1];
        size_t n;
        PlLogpathKind kind = pl_logpath_kind(name, &n);

        (void)snprintf(base, sizeof(base), "%.*s", (int)n, name);
        for (size_t i = 0; i < req->n_globs; i++) {
                const PlLogpathGlob *g = &req->globs[i];

                if (pl_logpath_matches(g, pl_logpath_step(g, at[i], base, NULL)))
                        return true;
                if (kind != PL_LOGPATH_PARTIALLY_PACKED &&
                    pl_logpath_matches(g, pl_logpath_step(g, at[i], name, NULL)))
                        return true;
        }
        return false;
}

static int walk(const PlRotateContext *ctx, const PlLogPathRequest *req, Tree *t, size_t dir,
                const PlLogpathState *at, unsigned depth);

static int enter(const PlRotateContext *ctx, const PlLogPathRequest *req, Tree *t, size_t dir,
                 const PlLogpathState *at, const char *name, const struct stat *st,
                 unsigned depth) {
        _cleanup_free_ PlLogpathState *next = calloc(req->n_globs, sizeof(*next));
        bool literal = false, any = false;
        int r;

        if (!next)
                return -ENOMEM;
        for (size_t i = 0; i < req->n_globs; i++) {
                next[i] = pl_logpath_step(&req->globs[i], at[i], name, &literal);
                any = any || pl_logpath_descends(&req->globs[i], next[i]);
        }
        if (!any || depth >= DEPTH_MAX)
                return 0;
        r = add_dir(t, dir, name, st, (PlLogpathFolder){ .literal = literal });
        return r < 0 ? r : walk(ctx, req, t, t->n_dirs - 1, next, depth + 1);
}

/* Where archives are of the logs in a folder, by the names that these had there. */
static int enter_archive(const PlRotateContext *ctx, const PlLogPathRequest *req, Tree *t,
                         size_t dir, const PlLogpathState *at, const struct stat *st,
                         unsigned depth) {
        int r = add_dir(t, dir, t->archive_dir, st, (PlLogpathFolder){ .archive = true });

        return r < 0 ? r : walk(ctx, req, t, t->n_dirs - 1, at, depth + 1);
}

static bool is_archive(const char *name) {
        size_t n;
        PlLogpathKind kind = pl_logpath_kind(name, &n);

        return kind == PL_LOGPATH_PACKED || kind == PL_LOGPATH_PARTIALLY_PACKED;
}

static int look(const PlRotateContext *ctx, const PlLogPathRequest *req, Tree *t, size_t dir,
                int fd, const PlLogpathState *at, const struct dirent *e, unsigned depth) {
        bool archive = t->dirs[dir].folder.archive;
        struct stat st;

        if (e->d_type != DT_UNKNOWN && e->d_type != DT_REG && e->d_type != DT_DIR)
                return 0;
        if (archive && !is_archive(e->d_name))
                return 0;
        if (e->d_type == DT_REG && !is_ours(req, at, e->d_name))
                return 0;
        if (fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return 0; /* gone */
        if (st.st_dev != t->dev)
                return 0;
        if (S_ISDIR(st.st_mode) && archive)
                return 0;
        if (S_ISDIR(st.st_mode) && pl_streq(e->d_name, t->archive_dir))
                return enter_archive(ctx, req, t, dir, at, &st, depth);
        if (S_ISDIR(st.st_mode))
                return enter(ctx, req, t, dir, at, e->d_name, &st, depth);
        if (!S_ISREG(st.st_mode) || st.st_nlink != 1 || !is_ours(req, at, e->d_name))
                return 0;
        return add_name(t, dir, e->d_name, &st);
}

static int walk(const PlRotateContext *ctx, const PlLogPathRequest *req, Tree *t, size_t dir,
                const PlLogpathState *at, unsigned depth) {
        int fd = open_beneath(t->fd, t->dirs[dir].path, O_RDONLY | O_DIRECTORY);
        uint64_t entries = 0;
        const struct dirent *e;
        DIR *d = NULL;
        int r = 0;

        /* one whose names are not all known is never removed */
        t->dirs[dir].folder.entries = UINT64_MAX;
        if (fd < 0 || !(d = fdopendir(fd))) {
                r = fd < 0 ? fd : -errno;
                if (fd >= 0)
                        (void)close(fd);
                /* swapped or gone: the next pass sees it as it is then */
                if (r != -ENOENT && r != -ENOTDIR && r != -ELOOP && r != -EXDEV && t->error == 0) {
                        t->error = r;
                        t->error_name = strdup(t->dirs[dir].path);
                }
                return r == -ENOMEM ? r : 0;
        }
        while (r >= 0 && !t->too_many && (errno = 0, e = readdir(d))) {
                if (pl_streq(e->d_name, ".") || pl_streq(e->d_name, ".."))
                        continue;
                entries++;
                if (++t->n_seen > PL_LOG_PATH_NAMES_MAX)
                        t->too_many = true;
                else if (stopped(ctx))
                        r = -ECANCELED;
                else
                        r = look(ctx, req, t, dir, dirfd(d), at, e, depth);
        }
        if (r >= 0 && !t->too_many && errno == 0)
                t->dirs[dir].folder.entries = entries;
        (void)closedir(d);
        return r;
}

/* Return: 0, -ENOMEM, -ECANCELED, -errno of the source. */
static int list_tree(const PlRotateContext *ctx, const PlLogPathRequest *req, Tree *t) {
        _cleanup_free_ PlLogpathState *at = calloc(req->n_globs + 1, sizeof(*at));
        struct stat st;
        int r;

        if (!at)
                return -ENOMEM;
        t->archive_dir = req->archive_dir ?: PL_LOGPATH_ARCHIVE_DIR;
        t->fd = open_beneath(AT_FDCWD, req->source, O_RDONLY | O_DIRECTORY);
        if (t->fd < 0)
                return t->fd;
        if (fstat(t->fd, &st) < 0)
                return -errno;
        t->dev = st.st_dev;
        for (size_t i = 0; i < req->n_globs; i++)
                at[i] = req->globs[i].begin;
        /* the mount itself is never removed */
        r = add_dir(t, 0, ".", &st, (PlLogpathFolder){ .literal = true });
        return r < 0 ? r : walk(ctx, req, t, 0, at, 0);
}

/* --- who writes: what any process has open --- */

typedef struct Inodes {
        dev_t dev;
        ino_t *items;
        size_t n;
} Inodes;

/* The mode of the link in /proc/PID/fd says how the file is open: proc_pid_fd(5). */
static int look_at_process(int proc_fd, const char *pid, Inodes *in) {
        char path[NAME_MAX + 8];
        const struct dirent *e;
        int fd, r = 0;
        DIR *d;

        (void)snprintf(path, sizeof(path), "%s/fd", pid);
        fd = openat(proc_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return 0;
        d = fdopendir(fd);
        if (!d) {
                r = errno == ENOMEM ? -ENOMEM : 0; /* or the process has just ended */
                (void)close(fd);
                return r;
        }
        while (r >= 0 && (e = readdir(d))) {
                struct stat link;
                struct statx sx;

                if (e->d_name[0] == '.' ||
                    fstatat(dirfd(d), e->d_name, &link, AT_SYMLINK_NOFOLLOW) < 0 ||
                    !(link.st_mode & S_IWUSR))
                        continue;
                /* a network file system that hangs must not be asked */
                if (statx(dirfd(d), e->d_name, AT_STATX_DONT_SYNC, STATX_TYPE | STATX_INO, &sx) <
                                    0 ||
                    !S_ISREG(sx.stx_mode) || makedev(sx.stx_dev_major, sx.stx_dev_minor) != in->dev)
                        continue;
                r = grow((void **)&in->items, in->n, sizeof(*in->items));
                if (r >= 0)
                        in->items[in->n++] = sx.stx_ino;
        }
        (void)closedir(d);
        return r;
}

static int by_number(const void *a, const void *b) {
        ino_t x = *(const ino_t *)a, y = *(const ino_t *)b;

        return x < y ? -1 : x > y;
}

/* Inode numbers, sorted, of what any process has open for writing on a file system. What may not be
 * looked at is left out. Return: 0, -ENOMEM, -ECANCELED, -errno. */
static int list_open_files(const PlRotateContext *ctx, const char *proc, dev_t dev, ino_t **ret,
                           size_t *ret_n) {
        Inodes in = { .dev = dev };
        const struct dirent *e;
        DIR *d = opendir(proc);
        int r = 0;

        if (!d)
                return -errno;
        while (r >= 0 && (e = readdir(d))) {
                if (e->d_name[0] < '1' || e->d_name[0] > '9')
                        continue;
                r = stopped(ctx) ? -ECANCELED : look_at_process(dirfd(d), e->d_name, &in);
        }
        (void)closedir(d);
        if (r < 0) {
                free(in.items);
                return r;
        }
        if (in.n > 0)
                qsort(in.items, in.n, sizeof(*in.items), by_number);
        *ret = in.items;
        *ret_n = in.n;
        return 0;
}

/*
 * --- one file: removed, renamed, compressed, or copied and truncated ---
 *
 * A file is opened as O_PATH first and looked at, so that neither a device nor a pipe in its place
 * is ever really opened; /proc/self/fd then opens that very inode. An archive has its name only
 * when it is on disk, and the original goes only after that, if nothing has touched it meanwhile.
 *
 * All return 0; -ESTALE: not what was listed any more; -EAGAIN: somebody writes to it; -errno with
 * *reterr_step.
 */

static bool same(const struct stat *a, const struct stat *b) {
        return S_ISREG(b->st_mode) && b->st_nlink == 1 && a->st_dev == b->st_dev &&
               a->st_ino == b->st_ino;
}

static bool untouched(const struct stat *a, const struct stat *b) {
        return same(a, b) && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
               a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Is the name still the file that was listed? */
static int check_name(int dir_fd, const Name *f, bool written) {
        struct stat st;

        if (fstatat(dir_fd, f->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? -ESTALE : -errno;
        return (written ? same(&f->st, &st) : untouched(&f->st, &st)) ? 0 : -ESTALE;
}

static int open_listed(int dir_fd, const Name *f, int flags, struct stat *ret_st) {
        _cleanup_close_ int path_fd = open_beneath(dir_fd, f->name, O_PATH | O_NOFOLLOW);
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
 * cannot write itself. Where there are no leases (no CAP_LEASE, a network file system), what /proc
 * said has to be enough. Return: 1 held; 0 it cannot be asked for; -EAGAIN somebody writes.
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

/* Gives a file its name back, or one beside it when a new file has taken the name meanwhile. */
static int put_back(int dir_fd, const Name *f, int from_fd, const char *from) {
        char to[NAME_MAX + 1], stamp[PL_LOGPATH_STAMP_MAX];

        if (renameat2(from_fd, from, dir_fd, f->name, RENAME_NOREPLACE) == 0)
                return 0;
        (void)snprintf(to, sizeof(to), "%s%s", f->name,
                       pl_logpath_stamp((uint64_t)f->st.st_mtim.tv_sec * PL_USEC_PER_SEC, stamp));
        return renameat2(from_fd, from, dir_fd, to, RENAME_NOREPLACE) < 0 ? -errno : 0;
}

/*
 * Removes a file, but not from under a writer that is just opening it: once the name is gone nobody
 * new can open it, and after a moment those who had looked it up before wait for the lease.
 * @hidden: a name to have meanwhile, in hidden_fd; what a crash leaves under it is removed by the
 *          next pass
 * Return: 0; -EAGAIN somebody writes, and it is where it was; -ESTALE; -errno.
 */
static int take_away_locked(int dir_fd, const Name *f, int fd, int hidden_fd, const char *hidden) {
        int leased = fd < 0 ? 0 : lease(fd), r = leased;
        struct stat st;

        if (r >= 0)
                r = check_name(dir_fd, f, false);
        if (r >= 0 && renameat2(dir_fd, f->name, hidden_fd, hidden, RENAME_NOREPLACE) < 0)
                r = -errno;
        if (r >= 0 && leased > 0) {
                pl_clock_sleep(2 * PL_USEC_PER_MSEC);
                if (fcntl(fd, F_GETLEASE) != F_RDLCK || fstat(fd, &st) < 0 ||
                    st.st_size != f->st.st_size) {
                        r = put_back(dir_fd, f, hidden_fd, hidden);
                        if (r >= 0)
                                r = -EAGAIN;
                }
        }
        if (r >= 0 && unlinkat(hidden_fd, hidden, 0) < 0)
                r = -errno;
        if (leased > 0)
                unlease(fd);
        return r;
}

/* What is hidden for a moment looks like a partial archive that a crash has left: another thread
 * in the same folder waits, and then finds it gone. */
static int take_away(const PlLogPathRequest *req, int dir_fd, const Name *f, int fd, int hidden_fd,
                     const char *hidden) {
        int r;

        if (req->removing)
                (void)pthread_mutex_lock(req->removing);
        r = take_away_locked(dir_fd, f, fd, hidden_fd, hidden);
        if (req->removing)
                (void)pthread_mutex_unlock(req->removing);
        return r;
}

static int delete_file(const PlLogPathRequest *req, int dir_fd, const Name *f,
                       const char **reterr_step) {
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
        return take_away(req, dir_fd, f, fd, dir_fd, hidden);
}

static int rename_file(int dir_fd, const Name *f, uint64_t now_usec, const char **reterr_step) {
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

/* Owner and mode of one file for another. Return: 0; -errno. */
static int take_owner(int fd, const struct stat *st, mode_t mode) {
        struct stat own;

        if (fstat(fd, &own) < 0)
                return -errno;
        if ((own.st_uid != st->st_uid || own.st_gid != st->st_gid) &&
            fchown(fd, st->st_uid, st->st_gid) < 0) {
                if (errno != EPERM || own.st_uid != st->st_uid || st->st_gid != 0)
                        return -errno;
                /* The sandbox has no chown(2). The archive of a file of root:root stays with the
                 * service's own group, which gets no more than others have. */
                mode = (mode & ~(mode_t)S_IRWXG) | (mode & S_IRWXO) << 3;
        }
        return fchmod(fd, mode) < 0 ? -errno : 0;
}

/* The directory for archives beside a log, made on demand as the one that it lies in. */
static int open_archive_dir(int dir_fd, const char *name, const char **reterr_step) {
        _cleanup_close_ int fd = -EBADF;
        struct stat st;
        int r;

        *reterr_step = "opening the folder for archives beside";
        fd = pl_fs_open_below(dir_fd, name, O_RDONLY | O_DIRECTORY);
        if (fd >= 0 || fd != -ENOENT)
                return fd == -ELOOP || fd == -EXDEV ? -ENOTDIR : TAKE_FD(fd);
        *reterr_step = "making the folder for archives beside";
        if (fstat(dir_fd, &st) < 0 || (mkdirat(dir_fd, name, 0700) < 0 && errno != EEXIST))
                return -errno;
        fd = pl_fs_open_below(dir_fd, name, O_RDONLY | O_DIRECTORY);
        if (fd < 0)
                return TAKE_FD(fd);
        r = take_owner(fd, &st, st.st_mode & 01777);
        if (r < 0) {
                (void)unlinkat(dir_fd, name, AT_REMOVEDIR);
                return r;
        }
        return TAKE_FD(fd);
}

/* Partial archive; removed unless it got its name. */
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

/* What a person or an access list has put on the log; labels of security modules are given by
 * their own rules. Where a file system has none there is nothing to do. */
static int copy_xattrs(int from, int to) {
        _cleanup_free_ char *names = malloc(XATTR_LIST_MAX), *value = malloc(XATTR_SIZE_MAX);
        ssize_t n = names && value ? flistxattr(from, names, XATTR_LIST_MAX) : -1;

        if (!names || !value)
                return -ENOMEM;
        if (n < 0)
                return errno == EOPNOTSUPP || errno == ENOSYS ? 0 : -errno;
        for (const char *name = names; name < names + n; name += strlen(name) + 1) {
                ssize_t size;

                if (strncmp(name, "user.", 5) != 0 && !pl_streq(name, "system.posix_acl_access"))
                        continue;
                size = fgetxattr(from, name, value, XATTR_SIZE_MAX);
                if (size < 0 && errno == ENODATA)
                        continue;
                if (size < 0 || fsetxattr(to, name, value, (size_t)size, 0) < 0)
                        return -errno;
        }
        return 0;
}

static int partial_sync(const Partial *p, int fd, const struct stat *st, const char **reterr_step) {
        const struct timespec times[] = { st->st_atim, st->st_mtim };
        int r;

        *reterr_step = "giving the archive owner and mode of the log";
        r = take_owner(p->fd, st, st->st_mode & 0777);
        if (r < 0)
                return r;
        *reterr_step = "giving the archive the extended attributes of the log";
        r = copy_xattrs(fd, p->fd);
        if (r < 0)
                return r;
        if (futimens(p->fd, times) < 0)
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

/* Do a file and the partial archive hold the same bytes? */
static bool is_copy(const Partial *p, const char *name) {
        _cleanup_close_ int a = openat(p->dir_fd, p->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        _cleanup_close_ int b =
                        openat(p->dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        char x[8192], y[8192];
        struct stat sa, sb;

        if (a < 0 || b < 0 || fstat(a, &sa) < 0 || fstat(b, &sb) < 0 || !S_ISREG(sb.st_mode) ||
            sa.st_size != sb.st_size)
                return false;
        for (off_t at = 0; at < sa.st_size;) {
                ssize_t n = pread(a, x, sizeof(x), at);

                if (n <= 0 || pread(b, y, (size_t)n, at) != n || memcmp(x, y, (size_t)n) != 0)
                        return false;
                at += n;
        }
        return true;
}

/*
 * An archive that is there already is one of another file, and stays, whatever its name and time,
 * unless it holds the very same: then the last pass was killed before it could remove the log.
 */
static int choose_final(Partial *p, const Name *f, bool *ret_replace) {
        uint64_t usec = (uint64_t)f->st.st_mtim.tv_sec * PL_USEC_PER_SEC;
        char stamp[PL_LOGPATH_STAMP_MAX];

        *ret_replace = false;
        for (unsigned i = 0; i < STAMPS_MAX; i++) {
                struct stat st;

                if (i > 0 &&
                    (size_t)snprintf(p->final, sizeof(p->final), "%s%s" PL_LOGPATH_ARCHIVE, f->name,
                                     pl_logpath_stamp(usec + (i - 1) * PL_USEC_PER_SEC, stamp)) >=
                                    sizeof(p->final))
                        return -ENAMETOOLONG;
                if (fstatat(p->dir_fd, p->final, &st, AT_SYMLINK_NOFOLLOW) < 0)
                        return errno == ENOENT ? 0 : -errno;
                if (is_copy(p, p->final)) {
                        *ret_replace = true;
                        return 0;
                }
        }
        return -EEXIST;
}

static PlArchiveLimits limits_of(const PlRotateContext *ctx, const PlLogPathRequest *req) {
        const PlLogPathTurn *turn = &req->turn;

        return (PlArchiveLimits){
                .stop = ctx->stop,
                .max_bytes = turn->max_bytes,
                .until_usec = turn->file_usec > 0 ? pl_clock_usec(CLOCK_MONOTONIC) + turn->file_usec
                                                  : 0,
                .skip_holes = true,
        };
}

static void add_result(PlLogPathOutcome *o, const PlArchiveResult *result) {
        o->raw_bytes += result->raw_bytes;
        o->packed_bytes += result->packed_bytes;
        o->hole_bytes += result->hole_bytes;
}

static int compress(const PlRotateContext *ctx, const PlLogPathRequest *req, const Tree *t,
                    int dir_fd, const Name *f, PlLogPathOutcome *o, const char **reterr_step) {
        const PlArchiveLimits limits = limits_of(ctx, req);
        _cleanup_close_ int fd = -EBADF, to_fd = -EBADF; /* closed after the partial archive */
        _cleanup_(partial_done) Partial p = { .fd = -EBADF };
        PlArchiveResult result;
        bool replace = false;
        struct stat st;
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
        to_fd = open_archive_dir(dir_fd, t->archive_dir, reterr_step);
        if (to_fd < 0)
                return to_fd;
        *reterr_step = "writing the archive";
        r = partial_begin(to_fd, f->name, "", &p);
        if (r >= 0)
                r = pl_archive_write(ctx->archiver, fd, 0, (uint64_t)st.st_size, p.fd, &limits,
                                     &result);
        if (r >= 0)
                r = partial_sync(&p, fd, &st, reterr_step);
        if (r >= 0)
                r = choose_final(&p, f, &replace);
        if (r >= 0)
                r = partial_name(&p, replace, reterr_step);
        if (r < 0)
                return r;
        *reterr_step = "removing what is archived";
        r = take_away(req, dir_fd, f, fd, to_fd, p.name);
        if (r < 0) {
                (void)unlinkat(to_fd, p.final, 0); /* somebody still writes to it */
                return r;
        }
        (void)fsync(dir_fd);
        add_result(o, &result);
        return 0;
}

/* Copies until nothing new has come; each round is on disk before the next. zstd(1) reads archives
 * one behind another as one. */
static int copy_rounds(const PlRotateContext *ctx, const PlLogPathRequest *req, int fd,
                       const Partial *p, PlArchiveResult *sum, uint64_t *ret_copied,
                       const char **reterr_step) {
        const PlArchiveLimits limits = limits_of(ctx, req);
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
                                     &limits, &result);
                if (r >= 0)
                        r = partial_sync(p, fd, &st, reterr_step);
                if (r < 0)
                        return r;
                copied = (uint64_t)st.st_size;
                sum->raw_bytes += result.raw_bytes;
                sum->packed_bytes += result.packed_bytes;
                sum->hole_bytes += result.hole_bytes;
        }
        *ret_copied = copied;
        return 0;
}

static int copy_and_truncate(const PlRotateContext *ctx, const PlLogPathRequest *req, const Tree *t,
                             int dir_fd, const Name *f, PlLogPathOutcome *o,
                             const char **reterr_step) {
        _cleanup_close_ int fd = -EBADF, to_fd = -EBADF; /* closed after the partial archive */
        _cleanup_(partial_done) Partial p = { .fd = -EBADF };
        char stamp[PL_LOGPATH_STAMP_MAX];
        PlArchiveResult sum = { 0 };
        uint64_t copied = 0;
        struct stat st;
        int r;

        *reterr_step = "opening it for truncation";
        fd = open_listed(dir_fd, f, O_RDWR, &st);
        if (fd < 0)
                return fd;
        to_fd = open_archive_dir(dir_fd, t->archive_dir, reterr_step);
        if (to_fd < 0)
                return to_fd;
        *reterr_step = "writing the archive";
        r = partial_begin(to_fd, f->name, pl_logpath_stamp(ctx->now_sec * PL_USEC_PER_SEC, stamp),
                          &p);
        if (r >= 0)
                r = copy_rounds(ctx, req, fd, &p, &sum, &copied, reterr_step);
        if (r >= 0)
                r = partial_name(&p, false, reterr_step);
        if (r < 0)
                return r;
        *reterr_step = "truncating it";
        if (fstat(fd, &st) < 0 || ftruncate(fd, 0) < 0)
                return -errno;
        add_result(o, &sum);
        if ((uint64_t)st.st_size > copied)
                o->lost_bytes += (uint64_t)st.st_size - copied;
        return 0;
}

/* --- a pass --- */

void pl_log_path_request_deinit(PlLogPathRequest *r) {
        for (size_t i = 0; i < r->n_globs; i++)
                pl_logpath_glob_deinit(&r->globs[i]);
        free(r->globs);
        free(r->source);
        free(r->archive_dir);
        *r = (PlLogPathRequest){ 0 };
}

void pl_log_path_outcome_deinit(PlLogPathOutcome *o) {
        for (size_t i = 0; i < PL_LOG_PATH_ERRORS_MAX; i++) {
                free(o->errors[i].path);
                o->errors[i].path = NULL;
        }
}

static void note(PlLogPathOutcome *o, int error, const char *step, const char *dir,
                 const char *name) {
        PlLogPathError *e;

        if (o->n_errors++ == 0)
                o->error = error;
        if (o->n_errors > PL_LOG_PATH_ERRORS_MAX)
                return;
        e = &o->errors[o->n_errors - 1];
        e->error = error;
        e->step = step;
        if (asprintf(&e->path, "%s%s%s", dir && !pl_streq(dir, ".") ? dir : "",
                     dir && !pl_streq(dir, ".") && *name ? "/" : "", name) < 0)
                e->path = NULL;
}

static bool is_open(ino_t ino, const ino_t *open_files, size_t n) {
        size_t lo = 0, hi = n;

        while (lo < hi) {
                size_t mid = lo + (hi - lo) / 2;

                if (open_files[mid] == ino)
                        return true;
                if (open_files[mid] < ino)
                        lo = mid + 1;
                else
                        hi = mid;
        }
        return false;
}

static int act(const PlRotateContext *ctx, const PlLogPathRequest *req, Tree *t,
               const PlLogpathFile *f, PlLogPathOutcome *o, const char **reterr_step) {
        const Name *name = f->userdata;
        Dir *dir = &t->dirs[name->dir];
        _cleanup_close_ int fd = -EBADF;
        int r;

        /* changes the file system, or its times: not O_PATH, for fsync() */
        fd = open_beneath(t->fd, dir->path, O_RDONLY | O_DIRECTORY);
        if (fd < 0) {
                *reterr_step = "opening its folder";
                return fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP || fd == -EXDEV ? -ESTALE
                                                                                       : fd;
        }
        switch (f->action) {
        case PL_LOGPATH_DELETE:
        case PL_LOGPATH_DELETE_PARTIAL:
                r = delete_file(req, fd, name, reterr_step);
                if (r >= 0) {
                        dir->folder.gone++;
                        o->deleted_bytes += f->size_bytes;
                }
                return r;
        case PL_LOGPATH_REOPEN:
                return rename_file(fd, name, ctx->now_sec * PL_USEC_PER_SEC, reterr_step);
        case PL_LOGPATH_TRUNCATE:
                return copy_and_truncate(ctx, req, t, fd, name, o, reterr_step);
        case PL_LOGPATH_COMPRESS:
                return compress(ctx, req, t, fd, name, o, reterr_step);
        default:
                return 0;
        }
}

static bool needs_space(PlLogpathAction a) {
        return a == PL_LOGPATH_TRUNCATE || a == PL_LOGPATH_COMPRESS;
}

/* Blocks that are shared with other files count: they are read all the same. */
static uint64_t data_bytes(const struct stat *st) {
        return PL_MIN((uint64_t)st->st_size, (uint64_t)st->st_blocks * 512);
}

static bool is_large(const PlLogPathRequest *req, const struct stat *st) {
        return req->turn.max_bytes > 0 && data_bytes(st) > req->turn.max_bytes;
}

static bool turn_is_over(const PlLogPathRequest *req, const PlLogPathOutcome *o,
                         uint64_t begin_usec) {
        const PlLogPathTurn *turn = &req->turn;

        return (turn->max_bytes > 0 && o->raw_bytes >= turn->max_bytes) ||
               (turn->max_usec > 0 &&
                pl_clock_usec(CLOCK_MONOTONIC) - begin_usec >= turn->max_usec);
}

static int act_on_all(const PlRotateContext *ctx, const PlLogPathRequest *req, Tree *t,
                      const PlLogpathFile *files, PlLogPathOutcome *o) {
        static const PlLogpathAction order[] = { PL_LOGPATH_DELETE_PARTIAL, PL_LOGPATH_DELETE,
                                                 PL_LOGPATH_REOPEN,         PL_LOGPATH_SIGNAL,
                                                 PL_LOGPATH_TRUNCATE,       PL_LOGPATH_COMPRESS };
        uint64_t begin_usec = pl_clock_usec(CLOCK_MONOTONIC);
        bool full = false;

        for (size_t k = 0; k < PL_ARRAY_SIZE(order); k++)
                for (size_t i = 0; i < t->n_names; i++) {
                        const Name *name = files[i].userdata;
                        const char *step = NULL;
                        int r;

                        if (files[i].action != order[k] || (full && needs_space(order[k])))
                                continue;
                        if (stopped(ctx))
                                return -ECANCELED;
                        if (turn_is_over(req, o, begin_usec)) {
                                o->unfinished = true;
                                return 0;
                        }
                        r = needs_space(order[k]) && is_large(req, &name->st)
                                            ? -EFBIG
                                            : act(ctx, req, t, &files[i], o, &step);
                        if (r == -ECANCELED)
                                return r;
                        if (r >= 0)
                                o->n[order[k]]++;
                        else if (req->turn.max_bytes > 0 && (r == -EFBIG || r == -ETIME))
                                o->n_large++;
                        else if (r != -ESTALE && r != -EAGAIN) /* the next pass looks again */
                                note(o, r, step, t->dirs[name->dir].path, name->name);
                        full = full || r == -ENOSPC || r == -EDQUOT || r == -EROFS;
                }
        return 0;
}

/* Children come after their parents in the list. rmdir(2) itself knows best what is empty. */
/* What a clock says that was set wrong, or not at all, makes nothing old. */
static uint64_t proven_usec(const PlRotateContext *ctx) {
        return (ctx->now_sec - ctx->behind_sec) * PL_USEC_PER_SEC;
}

static void remove_folders(const PlRotateContext *ctx, Tree *t, const PlLogPathRequest *req,
                           PlLogPathOutcome *o) {
        for (size_t i = t->n_dirs; i-- > 1;) {
                Dir *d = &t->dirs[i], *parent = &t->dirs[d->parent];
                const char *slash = strrchr(d->path, '/');
                _cleanup_close_ int fd = -EBADF;

                if (!pl_logpath_folder_goes(&d->folder, &req->policy, proven_usec(ctx)))
                        continue;
                fd = open_beneath(t->fd, parent->path, O_RDONLY | O_DIRECTORY);
                if (fd < 0)
                        continue;
                if (unlinkat(fd, slash ? slash + 1 : d->path, AT_REMOVEDIR) >= 0) {
                        parent->folder.gone++;
                        o->folders++;
                } else if (errno != ENOTEMPTY && errno != EEXIST && errno != ENOENT &&
                           errno != ENOTDIR) {
                        note(o, -errno, "removing the empty folder", d->path, "");
                }
        }
}

static int decide(const PlRotateContext *ctx, const PlLogPathRequest *req, const char *proc,
                  Tree *t, PlLogpathFile **ret) {
        _cleanup_free_ PlLogpathFile *files = calloc(t->n_names + 1, sizeof(*files));
        _cleanup_free_ ino_t *open_files = NULL;
        size_t n_open = 0;
        int r = 0;

        if (!files)
                return -ENOMEM;
        if (t->n_names > 0)
                r = list_open_files(ctx, proc, t->dev, &open_files, &n_open);
        if (r < 0)
                return r;
        for (size_t i = 0; i < t->n_names; i++) {
                Name *n = &t->names[i];
                int64_t sec = PL_MAX(n->st.st_mtim.tv_sec, 0);
                size_t base;

                files[i] = (PlLogpathFile){
                        .kind = pl_logpath_kind(n->name, &base),
                        .size_bytes = (uint64_t)n->st.st_size,
                        .mtime_usec = (uint64_t)PL_MIN(sec, INT64_MAX / 1000000) * PL_USEC_PER_SEC,
                        .open = is_open(n->st.st_ino, open_files, n_open),
                        .userdata = n,
                };
        }
        pl_logpath_plan(files, t->n_names, &req->policy, ctx->now_sec * PL_USEC_PER_SEC,
                        proven_usec(ctx));
        *ret = TAKE_PTR(files);
        return 0;
}

int pl_log_path_run(const PlRotateContext *ctx, const PlLogPathRequest *req, const char *proc,
                    PlLogPathOutcome *ret) {
        _cleanup_(tree_deinit) Tree t = TREE_INIT;
        _cleanup_free_ PlLogpathFile *files = NULL;
        int r;

        *ret = (PlLogPathOutcome){ 0 };
        r = list_tree(ctx, req, &t);
        if (r < 0) {
                note(ret, r, r == -ELOOP ? "following no symbolic link to" : "opening", NULL,
                     req->source);
                return r;
        }
        ret->too_many = t.too_many;
        r = decide(ctx, req, proc, &t, &files);
        if (r < 0) {
                note(ret, r, "looking at", NULL, req->source);
                return r;
        }
        if (req->dry_run) {
                for (size_t i = 0; i < t.n_names; i++)
                        ret->n[files[i].action]++;
        } else {
                r = act_on_all(ctx, req, &t, files, ret);
                if (r >= 0)
                        remove_folders(ctx, &t, req, ret);
        }
        if (t.error < 0)
                note(ret, t.error, "reading the folder", t.error_name, "");
        if (r == -ECANCELED && ret->error == 0)
                ret->error = r;
        return ret->error;
}
