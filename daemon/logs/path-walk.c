/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What there is: the names below a mount's source, and who has files open. Nothing is changed
 * here. Depth is bounded by the globs or by DEPTH_MAX, names by PL_LOG_PATH_NAMES_MAX.
 */

#include "logs/path-internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/fs.h"

#define DEPTH_MAX 32

/* From the root, the way to a mount's source may lead over other mounts: only links are refused. */
static int open_from_root(int dir_fd, const char *name, int flags) {
        int fd = openat(dir_fd, name, flags | O_NOFOLLOW | O_CLOEXEC);

        if (fd >= 0)
                return fd;
        return errno == ENOTDIR && flags & O_DIRECTORY ? -ELOOP : -errno;
}

int pl_log_path_open_beneath(int dir_fd, const char *path, int flags) {
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

void pl_log_path_tree_deinit(PlLogPathTree *t) {
        for (size_t i = 0; i < t->n_dirs; i++)
                free(t->dirs[i].path);
        for (size_t i = 0; i < t->n_names; i++)
                free(t->names[i].name);
        free(t->dirs);
        free(t->names);
        free(t->error_name);
        if (t->fd >= 0)
                (void)close(t->fd);
        *t = (PlLogPathTree)PL_LOG_PATH_TREE_INIT;
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

static int add_name(PlLogPathTree *t, size_t dir, const char *name, const struct stat *st) {
        char *copy;

        if (grow((void **)&t->names, t->n_names, sizeof(*t->names)) < 0 || !(copy = strdup(name)))
                return -ENOMEM;
        t->names[t->n_names++] = (PlLogPathName){ .name = copy, .dir = dir, .st = *st };
        return 0;
}

static int add_dir(PlLogPathTree *t, size_t parent, const char *name, const struct stat *st,
                   bool literal) {
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
        t->dirs[t->n_dirs++] = (PlLogPathDir){
                .path = path,
                .parent = parent,
                .folder = { .literal = literal,
                            .mtime_usec = (uint64_t)st->st_mtim.tv_sec * PL_USEC_PER_SEC },
        };
        return 0;
}

/* A name that a glob matches, or from which an archive of such a one is made. */
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

static int walk(const PlRotateContext *ctx, const PlLogPathRequest *req, PlLogPathTree *t,
                size_t dir, const PlLogpathState *at, unsigned depth);

static int enter(const PlRotateContext *ctx, const PlLogPathRequest *req, PlLogPathTree *t,
                 size_t dir, const PlLogpathState *at, const char *name, const struct stat *st,
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
        r = add_dir(t, dir, name, st, literal);
        return r < 0 ? r : walk(ctx, req, t, t->n_dirs - 1, next, depth + 1);
}

static int look(const PlRotateContext *ctx, const PlLogPathRequest *req, PlLogPathTree *t,
                size_t dir, int fd, const PlLogpathState *at, const struct dirent *e,
                unsigned depth) {
        struct stat st;

        if (e->d_type != DT_UNKNOWN && e->d_type != DT_REG && e->d_type != DT_DIR)
                return 0;
        if (e->d_type == DT_REG && !is_ours(req, at, e->d_name))
                return 0;
        if (fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return 0; /* gone */
        if (st.st_dev != t->dev)
                return 0;
        if (S_ISDIR(st.st_mode))
                return enter(ctx, req, t, dir, at, e->d_name, &st, depth);
        if (!S_ISREG(st.st_mode) || st.st_nlink != 1 || !is_ours(req, at, e->d_name))
                return 0;
        return add_name(t, dir, e->d_name, &st);
}

static int walk(const PlRotateContext *ctx, const PlLogPathRequest *req, PlLogPathTree *t,
                size_t dir, const PlLogpathState *at, unsigned depth) {
        int fd = pl_log_path_open_beneath(t->fd, t->dirs[dir].path, O_RDONLY | O_DIRECTORY);
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
                /* swapped for something else, or gone: the next pass sees it as it is then */
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

int pl_log_path_walk(const PlRotateContext *ctx, const PlLogPathRequest *req, PlLogPathTree *t) {
        _cleanup_free_ PlLogpathState *at = calloc(req->n_globs + 1, sizeof(*at));
        struct stat st;
        int r;

        if (!at)
                return -ENOMEM;
        t->fd = pl_log_path_open_beneath(AT_FDCWD, req->source, O_RDONLY | O_DIRECTORY);
        if (t->fd < 0)
                return t->fd;
        if (fstat(t->fd, &st) < 0)
                return -errno;
        t->dev = st.st_dev;
        for (size_t i = 0; i < req->n_globs; i++)
                at[i] = pl_logpath_begin(&req->globs[i]);
        /* the mount itself is nobody's folder to remove */
        r = add_dir(t, 0, ".", &st, true);
        return r < 0 ? r : walk(ctx, req, t, 0, at, 0);
}

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

int pl_log_path_open_files(const PlRotateContext *ctx, const char *proc, dev_t dev, ino_t **ret,
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
