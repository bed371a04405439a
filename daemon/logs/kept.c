/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What was passed is told by its name, "log-<container's id>/<service>/<container>", and by being a
 * regular file: sockets and the kernel log come by the same way. Of a log that the engine rotates
 * it is "log-<container's id>.<number>/…", or "….<number>z/…" when the file is packed.
 */

#include "logs/kept.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "lib/base/map.h"

#define NAME_PREFIX "log-"
#define ID_CHARS    (PL_ID_MAX - 1)

typedef struct Kept Kept;
struct Kept {
        char id[PL_ID_MAX];
        char name[PL_LOG_KEPT_NAME_MAX + 1];
        int fd;      /* of one that was passed; -EBADF: of one that we have stored */
        Kept *next;  /* of the same id */
        bool packed; /* of what the engine has rotated: … */
        unsigned number;
};

struct PlLogKept {
        PlMap *passed, *stored; /* id → Kept; passed: and nobody has claimed it */
        PlMap *rotated;         /* what was passed of logs that the engine rotates */
        size_t n_rotated;       /* that we have stored */
};

static Kept *kept_new(const char *id, const char *name, int fd) {
        Kept *i = calloc(1, sizeof(*i));

        if (!i)
                return NULL;
        i->fd = fd;
        snprintf(i->id, sizeof(i->id), "%.*s", ID_CHARS, id);
        snprintf(i->name, sizeof(i->name), "%s", name);
        return i;
}

static Kept *kept_free(Kept *i) {
        while (i) {
                Kept *next = i->next;

                if (i->fd >= 0)
                        (void)close(i->fd);
                free(i);
                i = next;
        }
        return NULL;
}

static bool is_name(const char *s) {
        const char *id = s + sizeof(NAME_PREFIX) - 1;

        return pl_startswith(s, NAME_PREFIX) && strspn(id, "0123456789abcdef") == ID_CHARS &&
               (id[ID_CHARS] == '/' || (id[ID_CHARS] == '.' && strchr(id, '/'))) &&
               strlen(s) <= PL_LOG_KEPT_NAME_MAX;
}

static void take_one(PlLogKept *k, const char *name, int fd) {
        Kept *i = kept_new(name + sizeof(NAME_PREFIX) - 1, name, fd), *first;
        const char *rest = name + sizeof(NAME_PREFIX) - 1 + ID_CHARS;
        char *end;

        if (!i) {
                (void)close(fd);
                return;
        }
        if (*rest == '/') {
                if (pl_map_put(k->passed, i->id, i) < 0)
                        kept_free(i);
                return;
        }
        i->number = (unsigned)strtoul(rest + 1, &end, 10);
        i->packed = *end == 'z';
        first = pl_map_get(k->rotated, i->id);
        if (first) {
                i->next = first->next;
                first->next = i;
        } else if (pl_map_put(k->rotated, i->id, i) < 0)
                kept_free(i);
}

static void take_passed(PlLogKept *k) {
        char **names = NULL;
        int n = sd_listen_fds_with_names(false, &names);

        for (int i = 0; i < n; i++) {
                int fd = SD_LISTEN_FDS_START + i;
                struct stat st;

                if (is_name(names[i]) && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
                        take_one(k, names[i], fd);
                free(names[i]);
        }
        free(names);
}

PlLogKept *pl_log_kept_new(void) {
        _cleanup_(pl_log_kept_freep) PlLogKept *k = calloc(1, sizeof(*k));

        if (!k)
                return NULL;
        k->passed = pl_map_new();
        k->stored = pl_map_new();
        k->rotated = pl_map_new();
        if (!k->passed || !k->stored || !k->rotated)
                return NULL;
        take_passed(k);
        return TAKE_PTR(k);
}

static void free_all(PlMap *m) {
        Kept *i;

        if (m)
                PL_MAP_FOREACH(i, m)
        kept_free(i);
        pl_map_free(m);
}

PlLogKept *pl_log_kept_free(PlLogKept *k) {
        if (!k)
                return NULL;
        free_all(k->passed);
        free_all(k->stored);
        free_all(k->rotated);
        free(k);
        return NULL;
}

static const char *group_of(const Kept *i) {
        return strchr(i->name, '/') + 1;
}

/* It stays with the service manager, by the name that it has there. */
int pl_log_kept_claim(PlLogKept *k, const char *id, char **ret_group) {
        Kept *i = pl_map_remove(k->passed, id);
        char *group;
        int fd;

        if (!i)
                return -ENOENT;
        group = ret_group ? strdup(group_of(i)) : NULL;
        fd = TAKE_FD(i->fd);
        kept_free(pl_map_remove(k->stored, id));
        if (pl_map_put(k->stored, i->id, i) < 0)
                kept_free(i);
        if (ret_group)
                *ret_group = group;
        return fd;
}

int pl_log_kept_claim_rotated(PlLogKept *k, const char *id, PlRotatedFiles *ret, char **ret_group) {
        Kept *first = pl_map_get(k->rotated, id);
        char *group = first ? strdup(group_of(first)) : NULL;

        if (!first)
                return -ENOENT;
        for (Kept *i = first; group && i; i = i->next)
                if (i->fd >= 0 && pl_rotated_add(ret, i->number, i->packed, TAKE_FD(i->fd)) < 0) {
                        free(group);
                        group = NULL;
                }
        if (!group || ret->n == 0) {
                bool claimed = group;

                free(group);
                pl_rotated_deinit(ret);
                return claimed ? -ENOENT : -ENOMEM;
        }
        *ret_group = group;
        return 0;
}

int pl_log_kept_ids(const PlLogKept *k, char (**ret)[PL_ID_MAX], size_t *ret_n) {
        char(*ids)[PL_ID_MAX] =
                        calloc(pl_map_size(k->passed) + pl_map_size(k->rotated) + 1, sizeof(*ids));
        const Kept *i;
        size_t n = 0;

        if (!ids)
                return -ENOMEM;
        PL_MAP_FOREACH(i, k->passed)
        memcpy(ids[n++], i->id, PL_ID_MAX);
        PL_MAP_FOREACH(i, k->rotated)
        memcpy(ids[n++], i->id, PL_ID_MAX);
        *ret = ids;
        *ret_n = n;
        return 0;
}

/* Return: whether somebody keeps it. */
static bool tell_store(const char *name, int fd) {
        char text[PL_LOG_KEPT_NAME_MAX + 64];

        /* they have nothing to be polled for, and O_PATH would be refused there */
        snprintf(text, sizeof(text), "FDSTORE=1\nFDPOLL=0\nFDNAME=%s", name);
        return sd_pid_notify_with_fds(0, false, text, &fd, 1) > 0;
}

static void tell_drop(const Kept *i) {
        char text[PL_LOG_KEPT_NAME_MAX + 64];

        for (; i; i = i->next) {
                snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%s", i->name);
                (void)sd_notify(false, text);
        }
}

bool pl_log_kept_store(PlLogKept *k, const char *id, const char *group, int fd) {
        char name[PL_LOG_KEPT_NAME_MAX + 1];
        Kept *i;

        snprintf(name, sizeof(name), NAME_PREFIX "%s/%s", id, group);
        pl_log_kept_drop(k, id);
        i = pl_map_size(k->stored) + pl_map_size(k->passed) < PL_LOG_KEPT_MAX
                            ? kept_new(id, name, -EBADF)
                            : NULL;
        if (!i || pl_map_put(k->stored, i->id, i) < 0) {
                kept_free(i);
                return false;
        }
        return tell_store(name, fd);
}

void pl_log_kept_store_rotated(PlLogKept *k, const char *id, const char *group,
                               const PlRotatedFiles *files) {
        char name[PL_LOG_KEPT_NAME_MAX + 1];

        for (size_t i = 0; i < files->n && k->n_rotated + pl_map_size(k->stored) < PL_LOG_KEPT_MAX;
             i++) {
                const PlLogRotated *f = &files->files[i];

                snprintf(name, sizeof(name), NAME_PREFIX "%s.%zu%s/%s", id, i, f->packed ? "z" : "",
                         group);
                k->n_rotated += tell_store(name, f->fd);
        }
}

void pl_log_kept_drop(PlLogKept *k, const char *id) {
        Kept *i = pl_map_remove(k->stored, id) ?: pl_map_remove(k->passed, id);

        tell_drop(i);
        kept_free(i);
        i = pl_map_remove(k->rotated, id);
        tell_drop(i);
        kept_free(i);
}
