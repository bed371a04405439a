/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Directories are opened before anything is made in them, so that a drop-in never appears below
 * another directory than the one that was looked at.
 */

#include "systemd/dropin.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "lib/limits/unit-properties.h"

#define DROPIN_DIR "docker-.scope.d"
/* systemd reads drop-ins in the order of their names, whatever their directories: what it is told
 * of one container, in 50-MemoryMax.conf and the like, must come after what is for all of them. */
#define DROPIN_FILE "00-plimsoll.conf"

int pl_scope_dropin_write(const char *parent, const PlLimits *limits, uint64_t quota_period_usec) {
        _cleanup_free_ char *text = NULL;
        _cleanup_close_ int parent_fd = -EBADF, dir = -EBADF;
        int r;

        if (limits) {
                r = pl_unit_properties_format_dropin(limits, quota_period_usec, &text);
                if (r < 0)
                        return r;
        }
        parent_fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (parent_fd < 0)
                return errno == ENOENT && !text ? 0 : -errno;
        dir = openat(parent_fd, DROPIN_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0 && errno == ENOENT && text) {
                if (mkdirat(parent_fd, DROPIN_DIR, 0755) < 0)
                        return -errno;
                dir = openat(parent_fd, DROPIN_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        }
        if (dir < 0)
                return errno == ENOENT && !text ? 0 : -errno;
        if (text)
                return pl_fs_replace(dir, DROPIN_FILE, text, strlen(text), 0644, false);
        return unlinkat(dir, DROPIN_FILE, 0) < 0 && errno != ENOENT ? -errno : 0;
}

bool pl_scope_dropin_is(const char *parent, const PlLimits *limits, uint64_t quota_period_usec) {
        _cleanup_free_ char *text = NULL, *found = NULL;
        _cleanup_close_ int dir = -EBADF;
        char path[PATH_MAX];

        if (pl_unit_properties_format_dropin(limits, quota_period_usec, &text) < 0 || !text)
                return false;
        (void)snprintf(path, sizeof(path), "%s/" DROPIN_DIR, parent);
        dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return dir >= 0 && pl_fs_read(dir, DROPIN_FILE, strlen(text) + 1, &found, NULL) >= 0 &&
               pl_streq(found, text);
}

bool pl_scope_dropin_concerns_any(const char *parent) {
        DIR *dir = opendir(parent);
        const struct dirent *e;
        bool any = false;

        if (!dir)
                return errno != ENOENT;
        while (!any && (e = readdir(dir)))
                any = fnmatch("docker-*.scope", e->d_name, 0) == 0;
        (void)closedir(dir);
        return any;
}

uint64_t pl_scope_dropin_changed(const char *parent, const char *scope) {
        char path[PATH_MAX];
        struct stat st;

        if (snprintf(path, sizeof(path), "%s/%s.d", parent, scope) >= (int)sizeof(path) ||
            stat(path, &st) < 0)
                return 0;
        return (uint64_t)st.st_mtim.tv_sec * PL_USEC_PER_SEC + (uint64_t)st.st_mtim.tv_nsec / 1000;
}
