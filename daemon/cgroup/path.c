/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cgroup paths: from /proc/self/mountinfo and cgroup.controllers to hierarchies, and from a process
 * or a parent to a container's group (proc(5), cgroups(7)).
 *
 * Of several mounts of one controller the first counts, because libcgroup, which writes, takes the
 * first as well.
 *
 * A path without the container's id is refused: a process whose controller was never delegated
 * lives in "/" there, and a limit written into that would hit the whole host.
 */

#include "cgroup/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#define ID_DIGITS (PL_ID_MAX - 1)

/* The kernel's names; io is blkio on v1. */
static const char *const v1_names[_PL_CONTROLLER_N] = {
        [PL_CONTROLLER_CPU] = "cpu",       [PL_CONTROLLER_MEMORY] = "memory",
        [PL_CONTROLLER_CPUSET] = "cpuset", [PL_CONTROLLER_PIDS] = "pids",
        [PL_CONTROLLER_IO] = "blkio",      [PL_CONTROLLER_CPUACCT] = "cpuacct",
};

PlController pl_controller_of(PlResource r) {
        const char *name = pl_resource_info(r)->controller;

        for (PlController c = 0; c < _PL_CONTROLLER_N; c++)
                if (pl_streq(v1_names[c], name))
                        return c;
        return PL_CONTROLLER_IO;
}

/* Frees each distinct pointer of a table once. */
static void free_shared(char *table[static _PL_CONTROLLER_N]) {
        for (PlController c = 0; c < _PL_CONTROLLER_N; c++) {
                char *p = table[c];

                for (PlController d = c; d < _PL_CONTROLLER_N; d++)
                        if (table[d] == p)
                                table[d] = NULL;
                free(p);
        }
}

/* Is name one of the words of a list? */
static bool list_has(const char *list, const char *separators, const char *name) {
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
        free_shared(m->mount);
        free_shared(m->root);
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
                if (m->mount[c] || !list_has(l->options, ",", v1_names[c]))
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
                                                                : v1_names[c];

                if (m->mount[c] || !list_has(line, " \n", name))
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

/* --- groups --- */

bool pl_cgroup_id_of_name(const char *name, char ret[static PL_ID_MAX]) {
        const char *dash = strrchr(name, '-'), *s = dash ? dash + 1 : name;

        if (strspn(s, "0123456789abcdef") != ID_DIGITS)
                return false;
        if (s[ID_DIGITS] != '\0' && !pl_streq(s + ID_DIGITS, ".scope"))
                return false;
        if (strstr(name, "conmon-")) /* Podman's monitor of the container, not the container */
                return false;
        memcpy(ret, s, ID_DIGITS);
        ret[ID_DIGITS] = '\0';
        return true;
}

PlCgroup *pl_cgroup_free(PlCgroup *g) {
        if (!g)
                return NULL;
        for (PlController c = 0; c < _PL_CONTROLLER_N; c++) {
                int fd = g->dir_fd[c];

                if (fd < 0)
                        continue;
                for (PlController d = c; d < _PL_CONTROLLER_N; d++)
                        if (g->dir_fd[d] == fd)
                                g->dir_fd[d] = -EBADF;
                (void)close(fd);
        }
        free_shared(g->relative);
        free(g->scope);
        free(g);
        return NULL;
}

static PlCgroup *cgroup_new(void) {
        PlCgroup *g = calloc(1, sizeof(*g));

        for (PlController c = 0; g && c < _PL_CONTROLLER_N; c++)
                g->dir_fd[c] = -EBADF;
        return g;
}

static int set_scope(PlCgroup *g, const char *relative) {
        const char *slash = strrchr(relative, '/'), *name = slash ? slash + 1 : relative;
        size_t length = strlen(name);

        if (g->scope || length < 6 || !pl_streq(name + length - 6, ".scope"))
                return 0;
        g->scope = strdup(name);
        return g->scope ? 0 : -ENOMEM;
}

/* Opens the group of one controller, or shares that of another one at the same place.
 * Return: 0, -ENOENT, -ENOMEM, -errno. */
static int open_group(const PlCgroupMounts *m, PlCgroup *g, PlController c, const char *relative) {
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = -EBADF;
        struct stat st;

        for (PlController d = 0; d < _PL_CONTROLLER_N; d++)
                if (d != c && g->dir_fd[d] >= 0 && m->mount[d] == m->mount[c] &&
                    pl_streq(g->relative[d], relative)) {
                        g->relative[c] = g->relative[d];
                        g->dir_fd[c] = g->dir_fd[d];
                        g->inode[c] = g->inode[d];
                        return 0;
                }

        if (asprintf(&path, "%s/%s", m->mount[c], relative) < 0)
                return -ENOMEM;
        fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return -errno;
        if (fstat(fd, &st) < 0)
                return -errno;
        /* One string serves all v1 hierarchies. */
        for (PlController d = 0; d < _PL_CONTROLLER_N && !g->relative[c]; d++)
                if (g->relative[d] && pl_streq(g->relative[d], relative))
                        g->relative[c] = g->relative[d];
        if (!g->relative[c])
                g->relative[c] = strdup(relative);
        if (!g->relative[c])
                return -ENOMEM;
        g->dir_fd[c] = TAKE_FD(fd);
        g->inode[c] = st.st_ino;
        return set_scope(g, relative);
}

static bool any_group(const PlCgroup *g) {
        for (PlController c = 0; c < _PL_CONTROLLER_N; c++)
                if (g->dir_fd[c] >= 0)
                        return true;
        return false;
}

/* Cuts a group's path behind the component that carries the id.
 * Return: true when there is one. */
static bool cut_at_id(char *path, const char *id) {
        char found[PL_ID_MAX];

        for (char *s = path, *end; *s; s = end + (*end != '\0')) {
                char keep;
                bool is;

                end = s + strcspn(s, "/");
                keep = *end;
                *end = '\0';
                is = pl_cgroup_id_of_name(s, found) && pl_streq(found, id);
                if (is)
                        return true;
                *end = keep;
        }
        return false;
}

static bool has_any_id(const char *path) {
        char component[NAME_MAX + 1], id[PL_ID_MAX];

        for (size_t n; *path; path += n + (path[n] != '\0')) {
                n = strcspn(path, "/");
                (void)snprintf(component, sizeof(component), "%.*s",
                               (int)PL_MIN(n, (size_t)NAME_MAX), path);
                if (pl_cgroup_id_of_name(component, id))
                        return true;
        }
        return false;
}

/* A path of /proc/PID/cgroup as one below the mount. Return: NULL when the mount does not show it.
 */
static const char *below_mount(const char *path, const char *root) {
        size_t n = strlen(root);

        if (pl_startswith(path, "/.."))
                return NULL;
        if (n > 1) {
                if (strncmp(path, root, n) != 0 || (path[n] != '/' && path[n] != '\0'))
                        return NULL;
                path += n;
        }
        return path + strspn(path, "/");
}

/* Called with each path of a process, which it may change. Return: 0, or the error to end with. */
typedef int (*PathFunction)(void *userdata, PlController c, char *path);

/* "4:memory:/docker/ID", "0::/system.slice/docker-ID.scope" */
static int take_pid_line(const PlCgroupMounts *m, char *line, PathFunction take, void *userdata) {
        char *controllers, *path;
        bool v2;
        int r;

        line[strcspn(line, "\n")] = '\0';
        controllers = strchr(line, ':');
        path = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!path)
                return 0;
        *controllers++ = '\0';
        *path++ = '\0';
        v2 = *controllers == '\0';

        for (PlController c = 0; c < _PL_CONTROLLER_N; c++) {
                if (!m->mount[c] || (m->hierarchy[c] == PL_HIERARCHY_V2) != v2)
                        continue;
                if (!v2 && !list_has(controllers, ",", v1_names[c]))
                        continue;
                r = take(userdata, c, path);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Return: 0; -ESRCH, -ENOENT: the process is gone; -ENOMEM, -errno; what take() returns. */
static int read_pid_paths(const PlCgroupMounts *m, pid_t pid, PathFunction take, void *userdata) {
        _cleanup_free_ char *path = NULL, *line = NULL;
        _cleanup_fclose_ FILE *f = NULL;
        size_t size = 0;
        int r;

        if (asprintf(&path, "%s/%d/cgroup", m->proc, (int)pid) < 0)
                return -ENOMEM;
        f = fopen(path, "re");
        if (!f)
                return -errno;
        while (getline(&line, &size, f) >= 0) {
                r = take_pid_line(m, line, take, userdata);
                if (r < 0)
                        return r;
        }
        return ferror(f) ? -ESRCH : 0; /* it ended while we read */
}

typedef struct PidPaths {
        const PlCgroupMounts *m;
        const char *id;
        PlCgroup *g;
        bool seen;   /* the id is in some path */
        bool others; /* that of another container is */
        bool hidden; /* … that our mounts do not show */
} PidPaths;

static int take_group(void *userdata, PlController c, char *path) {
        PidPaths *p = userdata;
        const char *relative;
        int r;

        if (!cut_at_id(path, p->id)) {
                p->others |= has_any_id(path);
                return 0;
        }
        p->seen = true;
        relative = below_mount(path, p->m->root[c]);
        if (!relative || !*relative) {
                p->hidden = true;
                return 0;
        }
        r = open_group(p->m, p->g, c, relative);
        return r == -ENOENT ? 0 : r;
}

/* On v1 a process can be moved out of one controller's group alone, which is still the container's.
 */
static int add_deserted(const PlCgroupMounts *m, PlCgroup *g) {
        const char *relative = NULL;
        int r;

        for (PlController c = 0; c < _PL_CONTROLLER_N && !relative; c++)
                relative = g->relative[c];
        for (PlController c = 0; c < _PL_CONTROLLER_N; c++) {
                if (g->dir_fd[c] >= 0 || !m->mount[c])
                        continue;
                r = open_group(m, g, c, relative);
                if (r < 0 && r != -ENOENT)
                        return r;
        }
        return 0;
}

int pl_cgroup_from_pid(const PlCgroupMounts *m, pid_t pid, const char *id, PlCgroup **ret) {
        _cleanup_(pl_cgroup_freep) PlCgroup *g = cgroup_new();
        PidPaths p = { .m = m, .id = id, .g = g };
        int r;

        if (!g)
                return -ENOMEM;
        r = read_pid_paths(m, pid, take_group, &p);
        if (r < 0)
                return r;
        if (!p.seen)
                return p.others ? -ESTALE : -ENXIO;
        if (!any_group(g))
                return p.hidden ? -EXDEV : -ENOENT;
        r = add_deserted(m, g);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(g);
        return 0;
}

typedef struct Outside {
        const PlCgroupMounts *m;
        const PlCgroup *g;
        uint32_t mask;
        char *where;
} Outside;

static int take_outside(void *userdata, PlController c, char *path) {
        Outside *o = userdata;
        const char *relative = below_mount(path, o->m->root[c]);
        size_t n;

        if (o->g->dir_fd[c] < 0)
                return 0;
        n = strlen(o->g->relative[c]);
        if (relative && strncmp(relative, o->g->relative[c], n) == 0 &&
            (relative[n] == '/' || relative[n] == '\0'))
                return 0;
        o->mask |= UINT32_C(1) << c;
        if (!o->where)
                o->where = strdup(path);
        return 0;
}

int pl_cgroup_outside(const PlCgroupMounts *m, const PlCgroup *g, pid_t pid, uint32_t *ret_outside,
                      char **ret_where) {
        Outside o = { .m = m, .g = g };
        int r = read_pid_paths(m, pid, take_outside, &o);

        if (r >= 0)
                *ret_outside = o.mask;
        if (r >= 0 && ret_where)
                *ret_where = TAKE_PTR(o.where);
        free(o.where);
        return r;
}

int pl_cgroup_from_parent(const PlCgroupMounts *m, const char *parent, const char *id,
                          PlCgroup **ret) {
        static const char *const names[][2] = {
                { "docker-", ".scope" },
                { "", "" },
                { "libpod-", ".scope" },
                { "libpod-", "" },
        };
        _cleanup_(pl_cgroup_freep) PlCgroup *g = cgroup_new();
        size_t found = PL_ARRAY_SIZE(names);
        char relative[PATH_MAX];
        int r;

        if (!g)
                return -ENOMEM;
        parent += strspn(parent, "/");
        for (PlController c = 0; c < _PL_CONTROLLER_N; c++)
                for (size_t i = 0; m->mount[c] && i < PL_ARRAY_SIZE(names); i++) {
                        if (found < PL_ARRAY_SIZE(names) && i != found)
                                continue;
                        if ((size_t)snprintf(relative, sizeof(relative), "%s%s%s%s%s", parent,
                                             *parent ? "/" : "", names[i][0], id,
                                             names[i][1]) >= sizeof(relative))
                                return -ENAMETOOLONG;
                        r = open_group(m, g, c, relative);
                        if (r == 0)
                                found = i;
                        else if (r != -ENOENT)
                                return r;
                }
        if (!any_group(g))
                return -ENOENT;
        *ret = TAKE_PTR(g);
        return 0;
}

char *pl_cgroup_parent(const PlCgroup *g) {
        const char *relative = g->relative[PL_CONTROLLER_MEMORY], *slash;

        for (PlController c = 0; !relative && c < _PL_CONTROLLER_N; c++)
                relative = g->relative[c];
        if (!relative)
                return NULL;
        slash = strrchr(relative, '/');
        return slash ? strndup(relative, (size_t)(slash - relative)) : strdup("");
}
