/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Freezer: see the header. Sources: the kernel's freezer-subsystem.rst (v1: freezer.state) and
 * cgroup-v2.rst (cgroup.freeze, "frozen" in cgroup.events).
 */

#include "cgroup/freezer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>

#include "base/fs.h"

typedef struct Mount {
        char *path, *root; /* in the hierarchy; "/" but for binds */
} Mount;

static void mount_deinit(Mount *m) {
        free(m->path);
        free(m->root);
}

/* mountinfo(5): ID PARENT DEV ROOT PATH OPTIONS … - TYPE SOURCE SUPER-OPTIONS */
static bool find_mount(char *text, bool v1, Mount *ret) {
        char *line, *save = NULL;

        for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                char root[PATH_MAX], path[PATH_MAX], type[32], super[512] = "";
                const char *rest = strstr(line, " - ");

                if (!rest || sscanf(line, "%*s %*s %*s %4095s %4095s", root, path) != 2 ||
                    sscanf(rest, " - %31s %*s %511s", type, super) < 1)
                        continue;
                bool freezer = v1 && pl_streq(type, "cgroup") && strstr(super, "freezer");
                if (!freezer && !(!v1 && pl_streq(type, "cgroup2")))
                        continue;
                *ret = (Mount){ strdup(path), strdup(root) };
                return ret->path && ret->root;
        }
        return false;
}

/* The group of a process as /proc/PID/cgroup has it, in place; NULL: none in that hierarchy. */
static const char *group_in(char *text, bool v1) {
        char *line, *save = NULL;

        for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                char *controllers = strchr(line, ':');
                char *group = controllers ? strchr(controllers + 1, ':') : NULL;

                if (!group)
                        continue;
                *group++ = '\0';
                if (v1 ? strstr(controllers + 1, "freezer") != NULL
                       : controllers[1] == '\0' && pl_startswith(line, "0:"))
                        return group;
        }
        return NULL;
}

static int freezer_in(pid_t pid, const char *id, bool v1, char **ret) {
        _cleanup_free_ char *mounts = NULL, *groups = NULL;
        _cleanup_(mount_deinit) Mount m = {};
        char proc[64], *file = NULL;
        const char *group;

        (void)snprintf(proc, sizeof(proc), "/proc/%d/cgroup", (int)pid);
        int r = pl_fs_read(AT_FDCWD, "/proc/self/mountinfo", MIB(16), &mounts, NULL);
        if (r == 0)
                r = pl_fs_read(AT_FDCWD, proc, KIB(64), &groups, NULL);
        if (r < 0)
                return r == -ENOENT ? -ESRCH : r;
        group = group_in(groups, v1);
        if (!group || !find_mount(mounts, v1, &m))
                return -ENOENT;
        /* only ever the group that carries the id; what is below it (crun's "container") belongs
         * to it */
        const char *at = strstr(group, id);
        if (!at)
                return -ENOENT;
        size_t n = (size_t)(at - group) + strcspn(at, "/");
        size_t skip = pl_streq(m.root, "/") ? 0 : strlen(m.root);
        if (skip > n || strncmp(group, m.root, skip) != 0)
                return -EXDEV;
        if (asprintf(&file, "%s%.*s/%s", m.path, (int)(n - skip), group + skip,
                     v1 ? "freezer.state" : "cgroup.freeze") < 0)
                return -ENOMEM;
        *ret = file;
        return 0;
}

bool pl_cg_freezer_is_v1(const char *file) {
        return file[strlen(file) - 1] == 'e' && strstr(file, "/freezer.state");
}

int pl_cg_freezer_is_frozen(const char *file) {
        _cleanup_free_ char *text = NULL, *events = NULL;
        int r;

        if (pl_cg_freezer_is_v1(file)) {
                r = pl_fs_read(AT_FDCWD, file, 4096, &text, NULL);
                return r < 0 ? r : pl_startswith(text, "FROZEN");
        }
        if (asprintf(&events, "%.*s/cgroup.events", (int)(strrchr(file, '/') - file), file) < 0) {
                events = NULL;
                return -ENOMEM;
        }
        r = pl_fs_read(AT_FDCWD, events, 4096, &text, NULL);
        return r < 0 ? r : strstr(text, "frozen 1") != NULL;
}

int pl_cg_freezer_find(pid_t pid, const char *id, char **ret) {
        int r = freezer_in(pid, id, true, ret);

        return r == -ENOENT ? freezer_in(pid, id, false, ret) : r;
}
