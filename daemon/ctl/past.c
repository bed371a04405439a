/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Past: see the header. Each file is replaced as a whole, so one that is read beside a daemon that
 * has just begun is the old one or the new one.
 */

#include "ctl/past.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>

#include "base/fs.h"

#define SUFFIX ".json"

static bool is_service(const char *file) {
        size_t n = strlen(file), m = strlen(SUFFIX);

        return n > m && *file != '.' && pl_streq(file + n - m, SUFFIX);
}

/* Return: 0; -errno. */
static int read_one(int dir_fd, const char *file, PlMemory *ret) {
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        int r = pl_fs_read(dir_fd, file, PL_MEMORY_SIZE_MAX, &text, &size);

        return r < 0 ? r : pl_memory_parse(text, size, ret);
}

/* The one that was seen last, where several have the name. Return: 0; -ENOENT; -errno. */
static int find(const char *path, const char *name, PlMemory *ret) {
        _cleanup_free_ PlMemory *m = calloc(1, sizeof(*m));
        const struct dirent *e;
        int r = -ENOENT;
        DIR *dir;

        if (!m)
                return -ENOMEM;
        dir = opendir(path);
        if (!dir)
                return -errno;
        while ((e = readdir(dir)))
                if (is_service(e->d_name) && read_one(dirfd(dir), e->d_name, m) >= 0 &&
                    pl_memory_is_called(m, name) && (r < 0 || m->last_usec > ret->last_usec)) {
                        *ret = *m;
                        r = 0;
                }
        (void)closedir(dir);
        return r;
}

int pl_ctl_past(const PlCtl *ctl, int error, PlMemory **ret) {
        _cleanup_free_ char *path = NULL;
        _cleanup_free_ PlMemory *m = calloc(1, sizeof(*m));
        int r;

        if ((error != -ENOENT && error != -ECONNREFUSED) || (ctl->control_given && !ctl->state))
                return pl_ctl_failed(ctl, error);
        if (!m || asprintf(&path, "%s/services", ctl->state ?: PL_CTL_STATE_PATH) < 0) {
                path = NULL;
                pl_ctl_say("%s", strerror(ENOMEM));
                return PL_EXIT_BAD;
        }
        r = find(path, ctl->arguments[0], m);
        if (r >= 0) {
                pl_ctl_say("no daemon at %s; this is what it has written down, in %s", ctl->control,
                           path);
                *ret = TAKE_PTR(m);
                return -1;
        }
        (void)pl_ctl_failed(ctl, error);
        if (r == -EACCES)
                pl_ctl_say("what it has written down is for root: %s may not be read", path);
        else
                pl_ctl_say("nothing about \"%s\" is written down in %s", ctl->arguments[0], path);
        return PL_EXIT_NO_DAEMON;
}
