/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A container's group on the real cgroups of this host, below a parent of our own that is removed
 * at the end. What cannot run here (no root, no cgroups) is said and skipped: exit status 77.
 */

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "cgroup/path.h"
#include "unit.h"

#define CG_HOST_ID   "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define CG_HOST_SKIP 77

typedef struct CgHost {
        PlCgroupMounts m;
        char parent[64]; /* relative */
        PlCgroup *g;
} CgHost;

/* Other processes hear of an OOM kill, too: a test that listens takes an id of its own. */
static char cg_host_id[PL_ID_MAX] = CG_HOST_ID;

/* Set by cg_host_run(): tests run in children, and those that fail leave the cleaning to us. */
static pid_t cg_host_pid;

static inline bool cg_host_is_first(const CgHost *h, PlController c) {
        for (PlController d = 0; d < c; d++)
                if (h->m.mount[d] && h->m.mount[c] && pl_streq(h->m.mount[d], h->m.mount[c]))
                        return false;
        return h->m.mount[c];
}

static inline void cg_host_path(const CgHost *h, PlController c, const char *id, char ret[512]) {
        (void)snprintf(ret, 512, "%s/%s%s%s", h->m.mount[c], h->parent, id ? "/" : "", id ?: "");
}

/* On v2 a group has a controller's files only when its parent hands the controller down. */
static inline void cg_host_delegate(const char *dir) {
        static const char *const words[] = { "+cpu", "+memory", "+pids", "+io", "+cpuset" };
        char path[600];

        (void)snprintf(path, sizeof(path), "%s/cgroup.subtree_control", dir);
        for (size_t i = 0; i < PL_ARRAY_SIZE(words); i++) {
                int fd = open(path, O_WRONLY | O_CLOEXEC);

                if (fd < 0)
                        return;
                if (write(fd, words[i], strlen(words[i])) < 0) { /* not there: not tested */
                }
                (void)close(fd);
        }
}

/* On v1 a new cpuset is empty, and refuses its children everything. */
static inline void cg_host_fill_cpuset(const char *dir) {
        static const char *const files[] = { "cpuset.cpus", "cpuset.mems" };

        for (size_t i = 0; i < PL_ARRAY_SIZE(files); i++) {
                char from[640], to[640], list[256];
                FILE *f;

                (void)snprintf(from, sizeof(from), "%s/../%s", dir, files[i]);
                (void)snprintf(to, sizeof(to), "%s/%s", dir, files[i]);
                f = fopen(from, "re");
                if (!f || !fgets(list, sizeof(list), f))
                        list[0] = '\0';
                if (f)
                        (void)fclose(f);
                f = fopen(to, "we");
                if (f) {
                        fputs(list, f);
                        (void)fclose(f);
                }
        }
}

static inline int cg_host_make(const CgHost *h, const char *id) {
        char path[512];

        for (PlController c = 0; c < _PL_CONTROLLER_N; c++) {
                if (!cg_host_is_first(h, c))
                        continue;
                cg_host_path(h, c, id, path);
                if (mkdir(path, 0755) < 0 && errno != EEXIST)
                        return -errno;
                if (!id && h->m.hierarchy[c] == PL_HIERARCHY_V2) {
                        cg_host_delegate(h->m.mount[c]);
                        cg_host_delegate(path);
                } else if (!id && c == PL_CONTROLLER_CPUSET)
                        cg_host_fill_cpuset(path);
        }
        return 0;
}

static inline void cg_host_remove(const CgHost *h, const char *id) {
        char path[512];

        for (PlController c = 0; c < _PL_CONTROLLER_N; c++)
                if (cg_host_is_first(h, c)) {
                        cg_host_path(h, c, id, path);
                        /* a killed process lingers for a moment */
                        for (int i = 0; i < 200 && rmdir(path) < 0 && errno == EBUSY; i++)
                                (void)usleep(5000);
                }
}

/** Return: NULL, or why there is nothing to test on. */
static inline const char *cg_host_unusable(void) {
        PlCgroupMounts m = {};
        bool writable = false;

        if (geteuid() != 0)
                return "not root";
        if (pl_cg_mounts_load("/proc", &m) < 0)
                return "no cgroup hierarchy is mounted";
        if (m.mount[PL_CONTROLLER_MEMORY])
                writable = access(m.mount[PL_CONTROLLER_MEMORY], W_OK) == 0;
        pl_cg_mounts_deinit(&m);
        return writable ? NULL : "the memory hierarchy is absent or read-only";
}

static inline void cg_host_start(CgHost *h) {
        *h = (CgHost){};
        ck_assert_int_eq(pl_cg_mounts_load("/proc", &h->m), 0);
        (void)snprintf(h->parent, sizeof(h->parent), "plimsoll-test-%d", (int)cg_host_pid);
        ck_assert_int_eq(cg_host_make(h, NULL), 0);
        ck_assert_int_eq(cg_host_make(h, cg_host_id), 0);
        ck_assert_int_eq(pl_cgroup_from_parent(&h->m, h->parent, cg_host_id, &h->g), 0);
}

static inline void cg_host_stop(CgHost *h) {
        cg_host_remove(h, cg_host_id);
        cg_host_remove(h, NULL);
        h->g = pl_cgroup_free(h->g);
        pl_cg_mounts_deinit(&h->m);
}

/** The first line of one of the group's files, as the kernel writes it. */
static inline void cg_host_read(const CgHost *h, PlController c, const char *file, char ret[256]) {
        int fd = openat(h->g->dir_fd[c], file, O_RDONLY | O_CLOEXEC);
        ssize_t n;

        ck_assert_msg(fd >= 0, "%s: %s", file, strerror(errno));
        n = read(fd, ret, 255);
        ck_assert_int_ge(n, 0);
        ret[n] = '\0';
        ret[strcspn(ret, "\n")] = '\0';
        (void)close(fd);
}

static inline bool cg_host_has(const CgHost *h, PlController c, const char *file) {
        return h->g->dir_fd[c] >= 0 && faccessat(h->g->dir_fd[c], file, F_OK, 0) == 0;
}

static inline void cg_host_write(const CgHost *h, PlController c, const char *file,
                                 const char *value) {
        int fd = openat(h->g->dir_fd[c], file, O_WRONLY | O_CLOEXEC);

        ck_assert_msg(fd >= 0, "%s: %s", file, strerror(errno));
        ck_assert_msg(write(fd, value, strlen(value)) == (ssize_t)strlen(value), "%s < %s: %s",
                      file, value, strerror(errno));
        (void)close(fd);
}

/** Runs a suite, or says why not. Return: main()'s. */
static inline int cg_host_run(Suite *s) {
        const char *why = cg_host_unusable();
        CgHost h = {};
        int failed;

        cg_host_pid = getpid();
        if (why) {
                printf("skipped: %s\n", why);
                return CG_HOST_SKIP;
        }
        failed = run_suite(s);
        if (failed && pl_cg_mounts_load("/proc", &h.m) == 0) {
                (void)snprintf(h.parent, sizeof(h.parent), "plimsoll-test-%d", (int)cg_host_pid);
                cg_host_stop(&h);
        }
        return failed;
}
