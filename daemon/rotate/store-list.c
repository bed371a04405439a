/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The index is the files themselves: each listing reads the directories anew. There are at most a
 * few thousand archives, and a listing happens once per rotation.
 */

#include "rotate/store-internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

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
        DIR *d = open_dir(s->state_fd, ".");
        char(*ids)[PL_ID_MAX] = NULL;
        size_t n = 0, n_allocated = 0;

        if (!d)
                return -errno;
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
        _cleanup_close_ int dir = pl_log_store_service(s, a->service, false);
        int fd;

        if (dir < 0)
                return dir;
        fd = openat(dir, a->file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

int pl_log_store_drop(PlLogStore *s, const PlStoredArchive *a) {
        _cleanup_close_ int dir = pl_log_store_service(s, a->service, false);

        if (dir < 0)
                return dir;
        if (unlinkat(dir, a->file, 0) < 0 && errno != ENOENT)
                return -errno;
        (void)unlinkat(s->fd, a->service, AT_REMOVEDIR); /* refused unless it is empty */
        return 0;
}
