/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Control socket: where it lies and who may open it.
 *
 * The socket is made under another name, given its owner and mode, and only then renamed to its
 * place: nobody can connect in between who could not connect later.
 */

#include "control/server.h"

#include <errno.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define CONTROL_GROUP "plimsoll"
#define CONTROL_MODE  0660
#define BACKLOG       1024

static int fill_address(const char *path, struct sockaddr_un *ret) {
        *ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
        if (strlen(path) >= sizeof ret->sun_path)
                return -ENAMETOOLONG;
        strcpy(ret->sun_path, path);
        return 0;
}

/* Return: 1 when somebody answers at path, 0 when nobody does, or negative errno. */
static int is_live(const char *path) {
        struct sockaddr_un address;
        int r = fill_address(path, &address);

        if (r < 0)
                return r;
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 || errno == EAGAIN)
                return 1;
        return errno == ENOENT || errno == ECONNREFUSED ? 0 : -errno;
}

/* The group need not exist: then root alone may connect. */
static int hand_to_group(const char *path) {
        char buf[4096];
        struct group group, *found = NULL;

        if (getgrnam_r(CONTROL_GROUP, &group, buf, sizeof buf, &found) != 0 || !found)
                return 0;
        if (chown(path, (uid_t)-1, found->gr_gid) < 0 && errno != EPERM)
                return -errno;
        return 0;
}

/* A regular file in the place of the socket was not put there by us. */
static int check_place(const char *path) {
        struct stat st;

        if (lstat(path, &st) < 0)
                return errno == ENOENT ? 0 : -errno;
        return S_ISSOCK(st.st_mode) ? 0 : -EEXIST;
}

static int make_parent(const char *path) {
        const char *slash = strrchr(path, '/');

        if (!slash || slash == path)
                return 0;
        _cleanup_free_ char *parent = strndup(path, (size_t)(slash - path));
        if (!parent)
                return -ENOMEM;
        return mkdir(parent, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

int pl_ctl_server_listen(const char *path) {
        _cleanup_free_ char *temporary = NULL;
        struct sockaddr_un address;
        int r;

        if ((r = make_parent(path)) < 0 || (r = check_place(path)) < 0 || (r = is_live(path)) < 0)
                return r;
        if (r > 0)
                return -EADDRINUSE;

        if (asprintf(&temporary, "%s.new", path) < 0)
                return -ENOMEM;
        if ((r = fill_address(temporary, &address)) < 0 || (r = check_place(temporary)) < 0)
                return r;
        (void)unlink(temporary);

        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        /* the mode before bind is what the file is born with (unix(7)), so there is no gap */
        if (fchmod(fd, 0600) < 0 || bind(fd, (const struct sockaddr *)&address, sizeof address) < 0)
                return -errno;
        if ((r = hand_to_group(temporary)) == 0 &&
            (chmod(temporary, CONTROL_MODE) < 0 || listen(fd, BACKLOG) < 0 ||
             rename(temporary, path) < 0))
                r = -errno;
        if (r < 0) {
                (void)unlink(temporary);
                return r;
        }
        return TAKE_FD(fd);
}
