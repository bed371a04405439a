/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What was passed is told by its name, "log-<container's id>", and by being a regular file: sockets
 * and the kernel log come by the same way.
 */

#include "logs/kept.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "lib/base/map.h"

#define NAME_PREFIX "log-"

typedef struct Passed {
        char id[PL_ID_MAX];
        int fd;
} Passed;

struct PlLogKept {
        PlMap *passed; /* id → Passed */
        PlMap *stored; /* id → itself */
};

static bool is_id(const char *s) {
        return strlen(s) == PL_ID_MAX - 1 && strspn(s, "0123456789abcdef") == PL_ID_MAX - 1;
}

static Passed *passed_free(Passed *p) {
        if (!p)
                return NULL;
        (void)close(p->fd);
        free(p);
        return NULL;
}

static void take_one(PlLogKept *k, const char *id, int fd) {
        Passed *p = calloc(1, sizeof(*p));

        if (!p || pl_map_get(k->passed, id)) {
                free(p);
                (void)close(fd);
                return;
        }
        *p = (Passed){ .fd = fd };
        memcpy(p->id, id, PL_ID_MAX);
        if (pl_map_put(k->passed, p->id, p) < 0)
                passed_free(p);
}

static void take_passed(PlLogKept *k) {
        char **names = NULL;
        int n = sd_listen_fds_with_names(false, &names);

        for (int i = 0; i < n; i++) {
                int fd = SD_LISTEN_FDS_START + i;
                const char *id = pl_startswith(names[i], NAME_PREFIX)
                                                 ? names[i] + sizeof(NAME_PREFIX) - 1
                                                 : "";
                struct stat st;

                if (is_id(id) && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
                        take_one(k, id, fd);
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

PlLogKept *pl_log_kept_free(PlLogKept *k) {
        Passed *p;
        char *id;

        if (!k)
                return NULL;
        if (k->passed)
                PL_MAP_FOREACH(p, k->passed)
        passed_free(p);
        if (k->stored)
                PL_MAP_FOREACH(id, k->stored)
        free(id);
        pl_map_free(k->passed);
        pl_map_free(k->stored);
        free(k);
        return NULL;
}

int pl_log_kept_claim(PlLogKept *k, const char *id) {
        Passed *p = pl_map_remove(k->passed, id);
        int fd;

        if (!p)
                return -ENOENT;
        fd = p->fd;
        free(p);
        return fd;
}

int pl_log_kept_ids(const PlLogKept *k, char (**ret)[PL_ID_MAX], size_t *ret_n) {
        char(*ids)[PL_ID_MAX] = calloc(pl_map_size(k->passed) + 1, sizeof(*ids));
        const Passed *p;
        size_t n = 0;

        if (!ids)
                return -ENOMEM;
        PL_MAP_FOREACH(p, k->passed)
        memcpy(ids[n++], p->id, PL_ID_MAX);
        *ret = ids;
        *ret_n = n;
        return 0;
}

static bool note(PlLogKept *k, const char *id) {
        char *copy;

        if (pl_map_get(k->stored, id))
                return true;
        copy = pl_map_size(k->stored) < PL_LOG_KEPT_MAX ? strdup(id) : NULL;
        if (copy && pl_map_put(k->stored, copy, copy) >= 0)
                return true;
        free(copy);
        return false;
}

bool pl_log_kept_store(PlLogKept *k, const char *id, int fd) {
        char text[128];

        pl_log_kept_drop(k, id);
        if (!note(k, id))
                return false;
        /* they have nothing to be polled for, and O_PATH would be refused there */
        snprintf(text, sizeof(text), "FDSTORE=1\nFDPOLL=0\nFDNAME=" NAME_PREFIX "%s", id);
        return sd_pid_notify_with_fds(0, false, text, &fd, 1) > 0;
}

void pl_log_kept_drop(PlLogKept *k, const char *id) {
        char text[128];

        free(pl_map_remove(k->stored, id));
        snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=" NAME_PREFIX "%s", id);
        (void)sd_notify(false, text);
}
