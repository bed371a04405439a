/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Log store: what is on disk, how it changes, and what there is.
 *
 * Every change is made so that a crash leaves the old or the new: write under another name, sync
 * the file, rename, sync the directory.
 *
 * The index is the files themselves: each listing reads the directories anew. There are at most a
 * few thousand archives, and a rotation lists them once.
 */

#include "rotate/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "rotate/point.h"

#define STATE_DIR     ".state"
#define TIME          ".time"
#define ID_DIGITS     12 /* in the names of archives */
#define RESERVE       ".reserve"
#define RESERVE_BYTES KIB(16)

struct PlLogStore {
        char *path;
        int fd, state_fd; /* keep their numbers: the loop lists records while the worker works */
        bool reserve_used;
        gid_t gid;
};

static int make_dir(int parent, const char *name, bool write, gid_t gid) {
        _cleanup_close_ int fd = -EBADF;

        if (write && mkdirat(parent, name, 0750) < 0 && errno != EEXIST)
                return -errno;
        fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        if (write) {
                /* a service with Group=plimsoll gives its files to the group by itself, and its
                 * sandbox (RestrictSUIDSGID=) keeps it from setting the bit */
                mode_t mode = gid == getegid() ? 0750 : 02750;
                struct stat st;

                if (fstat(fd, &st) < 0)
                        return -errno;
                if (gid != (gid_t)-1 && st.st_gid != gid && fchown(fd, (uid_t)-1, gid) < 0)
                        return -errno;
                if ((st.st_mode & mode) != mode || st.st_mode & 07777 & ~02750)
                        if (fchmod(fd, mode) < 0)
                                return -errno;
        }
        return TAKE_FD(fd);
}

/* A file with blocks of its own: on a full disk a state record is written over it, in place, which
 * takes no new ones. Return: whether it is whole. */
static bool make_reserve(PlLogStore *s) {
        _cleanup_close_ int fd = openat(s->state_fd, RESERVE,
                                        O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
        char zeros[4096] = { 0 };
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return false;
        if ((uint64_t)st.st_size >= RESERVE_BYTES)
                return true;
        for (uint64_t n = 0; n < RESERVE_BYTES; n += sizeof(zeros))
                if (pl_fs_write_all(fd, zeros, sizeof(zeros), NULL) < 0)
                        return false; /* a part is enough for now: a record is well below a page */
        return fdatasync(fd) == 0;
}

int pl_log_store_open(const char *path, bool write, gid_t gid, PlLogStore **ret) {
        _cleanup_(pl_log_store_freep) PlLogStore *s = calloc(1, sizeof(*s));

        if (!s)
                return -ENOMEM;
        s->fd = s->state_fd = -EBADF;
        s->gid = gid;
        s->path = strdup(path);
        if (!s->path)
                return -ENOMEM;
        s->fd = make_dir(AT_FDCWD, path, write, gid);
        if (s->fd < 0)
                return s->fd;
        s->state_fd = make_dir(s->fd, STATE_DIR, write, gid);
        if (s->state_fd < 0 && (write || s->state_fd == -ENOMEM))
                return s->state_fd; /* archives can be read without records */
        if (write)
                s->reserve_used = !make_reserve(s);
        *ret = TAKE_PTR(s);
        return 0;
}

PlLogStore *pl_log_store_free(PlLogStore *s) {
        if (!s)
                return NULL;
        pl_closep(&s->fd);
        pl_closep(&s->state_fd);
        free(s->path);
        free(s);
        return NULL;
}

/* Does the name lead to what is open? */
static bool is_same(int parent, const char *name, int fd) {
        struct stat named, st;

        return fstatat(parent, name, &named, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &st) == 0 &&
               named.st_dev == st.st_dev && named.st_ino == st.st_ino;
}

int pl_log_store_renew(PlLogStore *s) {
        _cleanup_close_ int fd = -EBADF, state_fd = -EBADF;

        if (is_same(AT_FDCWD, s->path, s->fd) && is_same(s->fd, STATE_DIR, s->state_fd))
                return 0;
        fd = make_dir(AT_FDCWD, s->path, true, s->gid);
        if (fd < 0)
                return fd;
        state_fd = make_dir(fd, STATE_DIR, true, s->gid);
        if (state_fd < 0)
                return state_fd;
        if (dup3(fd, s->fd, O_CLOEXEC) < 0 || dup3(state_fd, s->state_fd, O_CLOEXEC) < 0)
                return -errno;
        s->reserve_used = !make_reserve(s);
        return 1;
}

/* Return: fd of a service's directory, made on demand; -errno. */
static int open_service(PlLogStore *s, const char *service, bool make) {
        return make_dir(s->fd, service, make, s->gid);
}

/* Return: bytes of *ret, which is the caller's; -EBADMSG; -errno. */
static ssize_t read_state(PlLogStore *s, const char *name, size_t max, char **ret) {
        _cleanup_close_ int fd = -EBADF;
        _cleanup_free_ char *text = NULL;
        struct stat st;
        ssize_t n;

        if (s->state_fd < 0)
                return s->state_fd;
        fd = openat(s->state_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > max)
                return -EBADMSG;
        text = malloc((size_t)st.st_size + 1);
        if (!text)
                return -ENOMEM;
        n = read(fd, text, (size_t)st.st_size);
        if (n < 0)
                return -errno;
        *ret = TAKE_PTR(text);
        return n;
}

/* @digits: so much of the id is certain */
static int load(PlLogStore *s, const char *name, const char *id, size_t digits,
                PlRotateState *ret) {
        _cleanup_free_ char *text = NULL;
        ssize_t n = read_state(s, name, PL_ROTATE_STATE_MAX, &text);
        PlRotateState state;
        int r;

        if (n < 0)
                return (int)n;
        r = pl_rotate_state_decode(text, (size_t)n, &state);
        if (r < 0)
                return r;
        if (strncmp(state.id, id, digits) != 0) {
                pl_rotate_state_deinit(&state);
                return -EBADMSG;
        }
        *ret = state;
        return 0;
}

int pl_log_store_load(PlLogStore *s, const char *id, PlRotateState *ret) {
        return load(s, id, id, PL_ID_MAX, ret);
}

static void last_name(const char *id, char ret[static PL_ID_MAX]) {
        snprintf(ret, PL_ID_MAX, ".%.*s.last", ID_DIGITS, id);
}

int pl_log_store_load_last(PlLogStore *s, const char *id, PlRotateState *ret) {
        char name[PL_ID_MAX];

        last_name(id, name);
        return load(s, name, id, ID_DIGITS, ret);
}

void pl_log_store_drop_last(PlLogStore *s, const char *id) {
        char name[PL_ID_MAX];

        last_name(id, name);
        (void)unlinkat(s->state_fd, name, 0);
}

static int write_state(PlLogStore *s, const char *name, const char *text, int flags) {
        _cleanup_close_ int fd =
                        openat(s->state_fd, name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC | flags, 0640);
        size_t size = strlen(text);
        int r;

        if (fd < 0)
                return -errno;
        if (fchmod(fd, 0640) < 0)
                return -errno;
        r = pl_fs_write_all(fd, text, size, NULL);
        if (r < 0)
                return r;
        return ftruncate(fd, (off_t)size) < 0 || fdatasync(fd) < 0 ? -errno : 0;
}

int pl_log_store_save(PlLogStore *s, const PlRotateState *state) {
        _cleanup_free_ char *text = NULL;
        char name[PL_ID_MAX + 8];
        int r;

        r = pl_rotate_state_encode(state, &text);
        if (r < 0)
                return r;
        snprintf(name, sizeof(name), ".%s.new", state->id);
        r = write_state(s, name, text, O_CREAT | O_TRUNC);
        if (r < 0)
                (void)unlinkat(s->state_fd, name, 0);
        if (r == -ENOSPC || r == -EDQUOT) {
                strcpy(name, RESERVE);
                r = write_state(s, name, text, 0);
                s->reserve_used = true;
                if (r == -ENOENT)
                        r = -ENOSPC;
        }
        if (r < 0)
                return r;
        pl_log_rotate_point(PL_ROTATE_POINT_SAVING);
        if (renameat(s->state_fd, name, s->state_fd, state->id) < 0 || fsync(s->state_fd) < 0)
                return -errno;
        if (s->reserve_used)
                s->reserve_used = !make_reserve(s);
        return 0;
}

int pl_log_store_load_time(PlLogStore *s, PlProvenTime *ret) {
        _cleanup_free_ char *text = NULL;
        ssize_t n = read_state(s, TIME, PL_PROVEN_TIME_MAX, &text);

        return n < 0 ? (int)n : pl_proven_time_decode(text, (size_t)n, ret);
}

/* The old one is there as long as the new one is not whole. */
static int replace(PlLogStore *s, const char *name, const char *text) {
        char new[PL_ID_MAX + 8];
        int r;

        snprintf(new, sizeof(new), "%s.new", name);
        r = write_state(s, new, text, O_CREAT | O_TRUNC);
        if (r >= 0 && renameat(s->state_fd, new, s->state_fd, name) < 0)
                r = -errno;
        if (r < 0)
                (void)unlinkat(s->state_fd, new, 0);
        return r;
}

int pl_log_store_save_time(PlLogStore *s, const PlProvenTime *t) {
        _cleanup_free_ char *text = NULL;
        int r = pl_proven_time_encode(t, &text);

        return r < 0 ? r : replace(s, TIME, text);
}

/* Without it the archives have their container's name and their section still. */
static void save_last(PlLogStore *s, const PlRotateState *state) {
        _cleanup_free_ char *text = NULL;
        PlRotateState last = { 0 };
        char name[PL_ID_MAX];
        bool same;

        same = pl_log_store_load_last(s, state->id, &last) >= 0 &&
               pl_streq_null(last.origin, state->origin) && pl_streq_null(last.title, state->title);
        pl_rotate_state_deinit(&last);
        last_name(state->id, name);
        if (!same && state->origin && *state->origin && pl_rotate_state_encode(state, &text) >= 0)
                (void)replace(s, name, text);
}

int pl_log_store_forget(PlLogStore *s, const char *id) {
        PlRotateState state = { 0 };
        int r = 0;

        if (pl_log_store_load(s, id, &state) >= 0) {
                if (state.phase == PL_ROTATE_INTENT)
                        (void)pl_log_store_publish(s, &state);
                r = pl_log_store_abandon(s, state.service, id);
                pl_rotate_state_deinit(&state);
        }
        if (unlinkat(s->state_fd, id, 0) < 0 && errno != ENOENT)
                return -errno;
        return r;
}

static void partial_name(const char *id, char ret[static PL_ID_MAX + 16]) {
        snprintf(ret, PL_ID_MAX + 16, ".partial-%s", id);
}

int pl_log_store_begin(PlLogStore *s, const char *service, const char *id) {
        _cleanup_close_ int dir = open_service(s, service, true), fd = -EBADF;
        char name[PL_ID_MAX + 16];

        if (dir < 0)
                return dir;
        partial_name(id, name);
        if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
                return -errno;
        fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
        if (fd < 0)
                return -errno;
        if (fchmod(fd, 0640) < 0)
                return -errno;
        return TAKE_FD(fd);
}

int pl_log_store_nameless(PlLogStore *s) {
        static const char name[] = ".nameless";
        int fd = openat(s->fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

        if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
                return fd < 0 ? -errno : fd;
        (void)unlinkat(s->fd, name, 0); /* of one who was killed here */
        fd = openat(s->fd, name, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return -errno;
        (void)unlinkat(s->fd, name, 0);
        return fd;
}

int pl_log_store_sync(PlLogStore *s, const char *service, int fd) {
        _cleanup_close_ int dir = -EBADF;

        if (fdatasync(fd) < 0)
                return -errno;
        dir = open_service(s, service, false);
        if (dir < 0)
                return dir;
        /* the service's directory may be new too */
        return fsync(dir) < 0 || fsync(s->fd) < 0 ? -errno : 0;
}

int pl_log_store_abandon(PlLogStore *s, const char *service, const char *id) {
        _cleanup_close_ int dir = open_service(s, service, false);
        char name[PL_ID_MAX + 16];

        if (dir < 0)
                return dir == -ENOENT ? 0 : dir;
        partial_name(id, name);
        return unlinkat(dir, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

int pl_log_store_publish(PlLogStore *s, const PlRotateState *state) {
        const char *archive = state->archive;
        _cleanup_free_ char *service = NULL;
        _cleanup_close_ int dir = -EBADF;
        const char *slash = strchr(archive, '/');
        char name[PL_ID_MAX + 16];

        if (!slash || strchr(slash + 1, '/') || !slash[1] || slash == archive || *archive == '.')
                return -EINVAL;
        service = strndup(archive, (size_t)(slash - archive));
        if (!service)
                return -ENOMEM;
        dir = open_service(s, service, false);
        if (dir < 0)
                return dir;
        partial_name(state->id, name);
        save_last(s, state); /* before its archive has its name */
        if (renameat(dir, name, dir, slash + 1) < 0) {
                if (errno != ENOENT)
                        return -errno;
                if (faccessat(dir, slash + 1, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
                        return -errno;
        }
        return fsync(dir) < 0 ? -errno : 0;
}

/* --- what there is --- */

typedef struct List {
        PlStoredArchive *items;
        size_t n, n_allocated;
} List;

static int compare(const void *pa, const void *pb) {
        const PlStoredArchive *a = pa, *b = pb;
        int c = strcmp(a->name.id, b->name.id);

        if (c != 0)
                return c;
        return a->name.gen < b->name.gen ? -1 : a->name.gen > b->name.gen ? 1 : 0;
}

static int add(List *l, int dir, const char *service, const char *file, const char *id) {
        PlStoredArchive a = { 0 };
        struct stat st;

        if (!pl_archive_name_parse(file, &a.name) || (id && strncmp(a.name.id, id, 12) != 0))
                return 0;
        if (fstatat(dir, file, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0 : -errno;
        if (!S_ISREG(st.st_mode))
                return 0;
        snprintf(a.service, sizeof(a.service), "%s", service);
        snprintf(a.file, sizeof(a.file), "%s", file);
        a.bytes = (uint64_t)st.st_blocks * 512;
        a.size = (uint64_t)st.st_size;
        if (l->n == l->n_allocated) {
                size_t want = l->n_allocated ? l->n_allocated * 2 : 16;
                PlStoredArchive *items = realloc(l->items, want * sizeof(*items));

                if (!items)
                        return -ENOMEM;
                l->items = items;
                l->n_allocated = want;
        }
        l->items[l->n++] = a;
        return 0;
}

static DIR *open_dir(int parent, const char *name) {
        int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        DIR *d = fd < 0 ? NULL : fdopendir(fd);
        int saved = errno;

        if (!d && fd >= 0)
                (void)close(fd);
        errno = saved;
        return d;
}

static int list_service(PlLogStore *s, const char *service, const char *id, List *l) {
        DIR *d = open_dir(s->fd, service);
        int r = 0;

        if (!d)
                return errno == ENOTDIR || errno == ELOOP || errno == ENOENT ? 0 : -errno;
        for (const struct dirent *e; r >= 0 && (e = readdir(d));)
                if (e->d_name[0] != '.')
                        r = add(l, dirfd(d), service, e->d_name, id);
        (void)closedir(d);
        return r;
}

int pl_log_store_list(PlLogStore *s, const char *id, PlStoredArchive **ret, size_t *ret_n) {
        DIR *d = open_dir(s->fd, ".");
        List l = { 0 };
        int r = 0;

        if (!d)
                return -errno;
        for (const struct dirent *e; r >= 0 && (e = readdir(d));)
                if (e->d_name[0] != '.' && strlen(e->d_name) < PL_ARCHIVE_NAME_MAX)
                        r = list_service(s, e->d_name, id, &l);
        (void)closedir(d);
        if (r < 0) {
                free(l.items);
                return r;
        }
        if (l.n > 1)
                qsort(l.items, l.n, sizeof(*l.items), compare);
        *ret = l.items;
        *ret_n = l.n;
        return 0;
}

int pl_log_store_states(PlLogStore *s, char (**ret)[PL_ID_MAX], size_t *ret_n) {
        DIR *d = s->state_fd < 0 ? NULL : open_dir(s->state_fd, ".");
        char(*ids)[PL_ID_MAX] = NULL;
        size_t n = 0, n_allocated = 0;

        if (!d)
                return s->state_fd < 0 ? s->state_fd : -errno;
        for (const struct dirent *e; (e = readdir(d));) {
                if (strlen(e->d_name) != PL_ID_MAX - 1 ||
                    strspn(e->d_name, "0123456789abcdef") != PL_ID_MAX - 1)
                        continue;
                if (n == n_allocated) {
                        size_t want = n_allocated ? n_allocated * 2 : 16;
                        void *bigger = realloc(ids, want * sizeof(*ids));

                        if (!bigger) {
                                free(ids);
                                (void)closedir(d);
                                return -ENOMEM;
                        }
                        ids = bigger;
                        n_allocated = want;
                }
                memcpy(ids[n++], e->d_name, PL_ID_MAX);
        }
        (void)closedir(d);
        *ret = ids;
        *ret_n = n;
        return 0;
}

int pl_log_store_open_archive(PlLogStore *s, const PlStoredArchive *a) {
        _cleanup_close_ int dir = open_service(s, a->service, false);
        int fd;

        if (dir < 0)
                return dir;
        fd = openat(dir, a->file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

int pl_log_store_drop(PlLogStore *s, const PlStoredArchive *a) {
        _cleanup_close_ int dir = open_service(s, a->service, false);

        if (dir < 0)
                return dir;
        if (unlinkat(dir, a->file, 0) < 0 && errno != ENOENT)
                return -errno;
        (void)unlinkat(s->fd, a->service, AT_REMOVEDIR); /* refused unless it is empty */
        return 0;
}
