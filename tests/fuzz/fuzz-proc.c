/* SPDX-License-Identifier: Apache-2.0 */

/*
 * /proc as a kernel, a FUSE or a lying bind mount may show it: mountinfo, and the cgroups of a
 * process, which a container with rights of its own can name. The first 0xff byte cuts the two.
 */

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroup/path.h"

#define PID 77

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok) {
        if (!ok)
                abort();
}

static char root[] = "/tmp/plimsoll-fuzz-proc-XXXXXX";

static void clean(void) {
        static const char *const files[] = { "self/mountinfo", "77/cgroup" };
        static const char *const dirs[] = { "self", "77" };
        int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);

        for (size_t i = 0; i < PL_ARRAY_SIZE(files); i++)
                (void)unlinkat(fd, files[i], 0);
        for (size_t i = 0; i < PL_ARRAY_SIZE(dirs); i++)
                (void)unlinkat(fd, dirs[i], AT_REMOVEDIR);
        (void)close(fd);
        (void)rmdir(root);
}

static void put(int dir, const char *name, const uint8_t *data, size_t size) {
        int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        check(fd >= 0 && write(fd, data, size) == (ssize_t)size);
        (void)close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static int dir = -EBADF;
        const uint8_t *cut = size ? memchr(data, 0xff, size) : NULL;
        size_t first = cut ? (size_t)(cut - data) : size;
        PlCgroupMounts mounts = { 0 };
        PlCgroup *g = NULL;
        char id[PL_ID_MAX];

        if (dir < 0) {
                check(mkdtemp(root) && atexit(clean) == 0);
                dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
                check(dir >= 0 && mkdirat(dir, "self", 0700) == 0 && mkdirat(dir, "77", 0700) == 0);
        }
        put(dir, "self/mountinfo", data, first);
        put(dir, "77/cgroup", cut ? cut + 1 : NULL, cut ? size - first - 1 : 0);
        if (pl_cg_mounts_load(root, &mounts) < 0)
                return 0;
        memset(id, 'a', PL_ID_MAX - 1);
        id[PL_ID_MAX - 1] = '\0';
        if (pl_cgroup_from_pid(&mounts, PID, id, &g) == 0) {
                uint32_t outside;
                char *where = NULL;

                (void)pl_cgroup_outside(&mounts, g, PID, &outside, &where);
                free(where);
                for (int c = 0; c < _PL_CONTROLLER_N; c++)
                        check(!g->relative[c] || g->relative[c][0] != '/');
                pl_cgroup_free(g);
        }
        pl_cg_mounts_deinit(&mounts);
        return 0;
}
