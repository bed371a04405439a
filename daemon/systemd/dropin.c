/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Scope drop-in: see the header.
 */

#include "systemd/dropin.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define DROPIN_DIR "docker-.scope.d"

int pl_scope_dropin_remove(const char *parent) {
        _cleanup_close_ int dir = -EBADF;
        char path[PATH_MAX];

        (void)snprintf(path, sizeof(path), "%s/" DROPIN_DIR, parent);
        dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0)
                return errno == ENOENT ? 0 : -errno;
        return unlinkat(dir, "00-plimsoll.conf", 0) < 0 && errno != ENOENT ? -errno : 0;
}

uint64_t pl_scope_dropin_changed(const char *parent, const char *scope) {
        char path[PATH_MAX];
        struct stat st;

        if (snprintf(path, sizeof(path), "%s/%s.d", parent, scope) >= (int)sizeof(path) ||
            stat(path, &st) < 0)
                return 0;
        return (uint64_t)st.st_mtim.tv_sec * PL_USEC_PER_SEC + (uint64_t)st.st_mtim.tv_nsec / 1000;
}
