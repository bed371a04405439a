/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What was passed is told by its name, "log-<container's id>/<service>/<container>", and by being a
 * regular file: sockets and the kernel log come by the same way.
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

typedef struct Kept {
        char id[PL_ID_MAX];
        char name[PL_LOG_KEPT_NAME_MAX + 1];
        int fd; /* of one that was passed; -EBADF: of one that we have stored */
} Kept;

struct PlLogKept {
        PlMap *passed, *stored; /* id → Kept; passed: and nobody has claimed it */
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
        if (!i)
                return NULL;
        if (i->fd >= 0)
                (void)close(i->fd);
        free(i);
        return NULL;
}

static bool is_name(const char *s) {
        const char *id = s + sizeof(NAME_PREFIX) - 1;

        return pl_startswith(s, NAME_PREFIX) && strspn(id, "0123456789abcdef") == ID_CHARS &&
               id[ID_CHARS] == '/' && strlen(s) <= PL_LOG_KEPT_NAME_MAX;
}

static void take_one(PlLogKept *k, const char *name, int fd) {
        Kept *i = kept_new(name + sizeof(NAME_PREFIX) - 1, name, fd);

        if (!i)
                (void)close(fd);
        else if (pl_map_put(k->passed, i->id, i) < 0)
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
        if (!k->passed || !k->stored)
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
        free(k);
        return NULL;
}

/* It stays with the service manager, by the name that it has there. */
int pl_log_kept_claim(PlLogKept *k, const char *id, char **ret_group) {
        Kept *i = pl_map_remove(k->passed, id);
        char *group;
        int fd;

        if (!i)
                return -ENOENT;
        group = ret_group ? strdup(i->name + sizeof(NAME_PREFIX) - 1 + ID_CHARS + 1) : NULL;
        fd = TAKE_FD(i->fd);
        kept_free(pl_map_remove(k->stored, id));
        if (pl_map_put(k->stored, i->id, i) < 0)
                kept_free(i);
        if (ret_group)
                *ret_group = group;
        return fd;
}

int pl_log_kept_ids(const PlLogKept *k, char (**ret)[PL_ID_MAX], size_t *ret_n) {
        char(*ids)[PL_ID_MAX] = calloc(pl_map_size(k->passed) + 1, sizeof(*ids));
        const Kept *i;
        size_t n = 0;

        if (!ids)
                return -ENOMEM;
        PL_MAP_FOREACH(i, k->passed)
        memcpy(ids[n++], i->id, PL_ID_MAX);
        *ret = ids;
        *ret_n = n;
        return 0;
}

bool pl_log_kept_store(PlLogKept *k, const char *id, const char *group, int fd) {
        char name[PL_LOG_KEPT_NAME_MAX + 1], text[PL_LOG_KEPT_NAME_MAX + 64];
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
        /* they have nothing to be polled for, and O_PATH would be refused there */
        snprintf(text, sizeof(text), "FDSTORE=1\nFDPOLL=0\nFDNAME=%s", name);
        return sd_pid_notify_with_fds(0, false, text, &fd, 1) > 0;
}

void pl_log_kept_drop(PlLogKept *k, const char *id) {
        char text[PL_LOG_KEPT_NAME_MAX + 64];
        Kept *i = pl_map_remove(k->stored, id) ?: pl_map_remove(k->passed, id);

        if (!i)
                return;
        snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%s", i->name);
        (void)sd_notify(false, text);
        kept_free(i);
}
