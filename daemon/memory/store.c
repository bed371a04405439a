/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Store: see the header.
 */

#include "memory/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/lock.h"

#define SUFFIX     ".json"
#define NAME_BYTES (PL_IDENTITY_KEY_MAX + 16)

struct PlMemoryStore {
        int fd, lock;
        char *path;
        const PlReporter *reporter; /* borrowed; NULL: the journal alone */
};

int pl_memory_store_open(const char *state_dir, const PlReporter *reporter, PlMemoryStore **ret) {
        _cleanup_(pl_memory_store_freep) PlMemoryStore *s = calloc(1, sizeof(*s));

        if (!s)
                return -ENOMEM;
        s->fd = s->lock = -EBADF;
        s->reporter = reporter;
        if (asprintf(&s->path, "%s/services", state_dir) < 0) {
                s->path = NULL;
                return -ENOMEM;
        }
        if (mkdir(s->path, 0700) < 0 && errno != EEXIST)
                return -errno;
        s->fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (s->fd < 0)
                return -errno;
        *ret = TAKE_PTR(s);
        return 0;
}

PlMemoryStore *pl_memory_store_free(PlMemoryStore *s) {
        if (!s)
                return NULL;
        pl_closep(&s->fd);
        pl_closep(&s->lock);
        free(s->path);
        free(s);
        return NULL;
}

/* May we write? Another one may have ended since the last question. */
static bool is_ours(PlMemoryStore *s) {
        pid_t pid;

        return s->lock >= 0 || pl_lock_directory(s->path, &s->lock, &pid) >= 0;
}

static bool is_key(const char *key) {
        return *key && *key != '.' && !strchr(key, '/') && strlen(key) < PL_IDENTITY_KEY_MAX;
}

static const char *name_of(const char *key, char buf[static NAME_BYTES]) {
        (void)snprintf(buf, NAME_BYTES, "%s" SUFFIX, key);
        return buf;
}

int pl_memory_store_load(PlMemoryStore *s, const char *key, PlMemory *ret) {
        char name[NAME_BYTES], aside[NAME_BYTES + 4];
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        int r;

        if (!is_key(key))
                return -ENOENT;
        r = pl_fs_read(s->fd, name_of(key, name), PL_MEMORY_SIZE_MAX, &text, &size);
        if (r >= 0)
                r = pl_memory_parse(text, size, ret);
        if (r >= 0 && !pl_streq(ret->identity.key, key))
                r = -EBADMSG;
        if (r != -EBADMSG && r != -EFBIG)
                return r;
        (void)snprintf(aside, sizeof(aside), "%s.bad", key);
        if (is_ours(s))
                (void)renameat(s->fd, name, s->fd, aside);
        pl_report(s->reporter, &(PlEntry){ .priority = LOG_WARNING },
                  "What is known of service %s is lost, its file is broken; kept as %s/%s", key,
                  s->path, aside);
        return -EBADMSG;
}

int pl_memory_store_save(PlMemoryStore *s, const PlMemory *m) {
        _cleanup_free_ char *text = NULL;
        char name[NAME_BYTES];
        int r;

        if (!is_key(m->identity.key))
                return -EINVAL;
        if (!is_ours(s))
                return -EBUSY;
        r = pl_memory_format(m, &text);
        if (r < 0)
                return r;
        return pl_fs_replace(s->fd, name_of(m->identity.key, name), text, strlen(text), 0600, true);
}

int pl_memory_store_remove(PlMemoryStore *s, const char *key) {
        char name[NAME_BYTES];

        if (!is_key(key))
                return 0;
        if (!is_ours(s))
                return -EBUSY;
        return unlinkat(s->fd, name_of(key, name), 0) < 0 && errno != ENOENT ? -errno : 0;
}

static bool has_end(const char *name, const char *end) {
        size_t n = strlen(name), m = strlen(end);

        return n > m && pl_streq(name + n - m, end);
}

int pl_memory_store_list(PlMemoryStore *s,
                         void (*found)(void *userdata, const char *key, uint64_t changed_usec),
                         void *userdata) {
        int fd = openat(s->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
        const struct dirent *e;

        if (!dir) {
                int r = -errno;

                pl_closep(&fd);
                return r;
        }
        while ((e = readdir(dir))) {
                char key[NAME_BYTES];
                struct stat st;

                if (has_end(e->d_name, SUFFIX ".new") && is_ours(s))
                        (void)unlinkat(s->fd, e->d_name, 0);
                if (!has_end(e->d_name, SUFFIX) || strlen(e->d_name) >= sizeof(key) ||
                    fstatat(s->fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
                        continue;
                (void)snprintf(key, sizeof(key), "%.*s", (int)(strlen(e->d_name) - strlen(SUFFIX)),
                               e->d_name);
                if (is_key(key))
                        found(userdata, key, (uint64_t)st.st_mtim.tv_sec * PL_USEC_PER_SEC);
        }
        (void)closedir(dir);
        return 0;
}
