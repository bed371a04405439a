/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cgroup mounts: /proc/self/mountinfo and cgroup.controllers to hierarchies (proc(5), cgroups(7)).
 *
 * Of several mounts of one controller the first counts, because libcgroup, which writes, takes the
 * first as well.
 */

#include "cgroup/path-internal.h"

#include <errno.h>

/* The kernel's names; io is blkio on v1. */
const char *const pl_cg_v1_names[_PL_CONTROLLER_N] = {
        [PL_CONTROLLER_CPU] = "cpu",       [PL_CONTROLLER_MEMORY] = "memory",
        [PL_CONTROLLER_CPUSET] = "cpuset", [PL_CONTROLLER_PIDS] = "pids",
        [PL_CONTROLLER_IO] = "blkio",      [PL_CONTROLLER_CPUACCT] = "cpuacct",
};

PlController pl_controller_of(PlResource r) {
        const char *name = pl_resource_info(r)->controller;

        for (PlController c = 0; c < _PL_CONTROLLER_N; c++)
                if (pl_streq(pl_cg_v1_names[c], name))
                        return c;
        return PL_CONTROLLER_IO;
}

/* Frees each distinct pointer of a table once. */
void pl_cg_free_shared(char *table[static _PL_CONTROLLER_N]) {
        for (PlController c = 0; c < _PL_CONTROLLER_N; c++) {
                char *p = table[c];

                for (PlController d = c; d < _PL_CONTROLLER_N; d++)
                        if (table[d] == p)
                                table[d] = NULL;
                free(p);
        }
}

/* Is name one of the words of a list? */
bool pl_cg_list_has(const char *list, const char *separators, const char *name) {
        size_t length = strlen(name), n;

        for (const char *s = list; *s; s += n + (s[n] != '\0')) {
                n = strcspn(s, separators);
                if (n == length && memcmp(s, name, n) == 0)
                        return true;
        }
        return false;
}

void pl_cg_mounts_deinit(PlCgroupMounts *m) {
        if (!m)
                return;
        for (PlController c = 0; c < _PL_CONTROLLER_N; c++)
                if (m->mount[c] == m->unified) {
                        m->unified = NULL; /* freed with the table */
                        break;
                }
        pl_cg_free_shared(m->mount);
        pl_cg_free_shared(m->root);
        free(m->unified);
        free(m->proc);
        *m = (PlCgroupMounts){};
}

/* mountinfo writes space, tab, newline and backslash as \ooo. */
static void unescape(char *s) {
        char *out = s;

        while (*s) {
                if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
                    s[3] >= '0' && s[3] <= '7') {
                        *out++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
                        s += 4;
                } else
                        *out++ = *s++;
        }
        *out = '\0';
}

typedef struct MountLine {
        char *root, *point, *type, *options; /* into the line */
} MountLine;

/* "36 35 98:0 /root /point rw,… [tags …] - type source options" */
static bool parse_mount_line(char *line, MountLine *ret) {
        char *fields[6], *save = NULL, *word;
        size_t n = 0;

        line[strcspn(line, "\n")] = '\0';
        for (word = strtok_r(line, " ", &save); word && n < PL_ARRAY_SIZE(fields);
             word = strtok_r(NULL, " ", &save))
                fields[n++] = word;
        while (word && !pl_streq(word, "-"))
                word = strtok_r(NULL, " ", &save);
        if (!word)
                return false;
        ret->root = fields[3];
        ret->point = fields[4];
        ret->type = strtok_r(NULL, " ", &save);
        if (!ret->type || !strtok_r(NULL, " ", &save))
                return false;
        ret->options = strtok_r(NULL, " ", &save);
        if (!ret->options)
                return false;
        unescape(ret->root);
        unescape(ret->point);
        return true;
}

static int take_v1_mount(PlCgroupMounts *m, const MountLine *l) {
        char *point = NULL, *root = NULL;

        for (PlController c = 0; c < _PL_CONTROLLER_N; c++) {
                if (m->mount[c] || !pl_cg_list_has(l->options, ",", pl_cg_v1_names[c]))
                        continue;
                if (!point) {
                        point = strdup(l->point);
                        root = strdup(l->root);
                        if (!point || !root) {
                                free(point);
                                free(root);
                                return -ENOMEM;
                        }
                }
                m->mount[c] = point;
                m->root[c] = root;
                m->hierarchy[c] = PL_HIERARCHY_V1;
        }
        return 0;
}

/* The controllers that v1 has not taken, as far as the v2 root knows them. */
static int take_unified(PlCgroupMounts *m, const char *root) {
        _cleanup_fclose_ FILE *f = NULL;
        _cleanup_free_ char *path = NULL;
        char line[512] = "", *copy = NULL;

        if (!m->unified)
                return 0;
        if (asprintf(&path, "%s/cgroup.controllers", m->unified) < 0)
                return -ENOMEM;
        f = fopen(path, "re");
        if (!f || !fgets(line, sizeof(line), f))
                line[0] = '\0';
        for (PlController c = 0; c < _PL_CONTROLLER_N; c++) {
                /* cpu.stat is there without the controller, and is all that cpuacct was */
                const char *name = c == PL_CONTROLLER_IO        ? "io"
                                   : c == PL_CONTROLLER_CPUACCT ? "cpu"
                                                                : pl_cg_v1_names[c];

                if (m->mount[c] || !pl_cg_list_has(line, " \n", name))
                        continue;
                if (!copy) {
                        copy = strdup(root);
                        if (!copy)
                                return -ENOMEM;
                }
                m->mount[c] = m->unified;
                m->root[c] = copy;
                m->hierarchy[c] = PL_HIERARCHY_V2;
        }
        return 0;
}

static int load_mountinfo(FILE *f, PlCgroupMounts *m) {
        _cleanup_free_ char *line = NULL, *unified_root = NULL;
        size_t size = 0;
        MountLine l;
        int r;

        while (getline(&line, &size, f) >= 0) {
                if (!parse_mount_line(line, &l))
                        continue;
                if (pl_streq(l.type, "cgroup")) {
                        r = take_v1_mount(m, &l);
                        if (r < 0)
                                return r;
                } else if (pl_streq(l.type, "cgroup2") && !m->unified) {
                        m->unified = strdup(l.point);
                        unified_root = strdup(l.root);
                        if (!m->unified || !unified_root)
                                return -ENOMEM;
                }
        }
        if (ferror(f))
                return -EIO;
        return take_unified(m, unified_root);
}

int pl_cg_mounts_load(const char *proc, PlCgroupMounts *ret) {
        _cleanup_(pl_cg_mounts_deinit) PlCgroupMounts m = {};
        _cleanup_free_ char *path = NULL;
        _cleanup_fclose_ FILE *f = NULL;
        bool any = false;
        int r;

        m.proc = strdup(proc);
        if (!m.proc || asprintf(&path, "%s/self/mountinfo", proc) < 0)
                return -ENOMEM;
        f = fopen(path, "re");
        if (!f)
                return -errno;
        r = load_mountinfo(f, &m);
        if (r < 0)
                return r;
        for (PlController c = 0; c < _PL_CONTROLLER_N; c++)
                any = any || m.mount[c];
        if (!any)
                return -ENODEV;
        *ret = m;
        m = (PlCgroupMounts){};
        return 0;
}
