/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * As much of a service manager as keeps a descriptor for a service and passes it to its next
 * process.
 */

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "unit.h"

/* A service manager: what it is asked to keep. */
typedef struct ServiceManager {
        int socket;
        char name[128];
        int fd; /* -EBADF: none */
} ServiceManager;

/* @path: where it listens */
static inline void manage(ServiceManager *m, const char *path) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };

        *m = (ServiceManager){ .socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
                                                0),
                               .fd = -EBADF };
        ck_assert_uint_lt(strlen(path), sizeof(a.sun_path));
        strcpy(a.sun_path, path);
        ck_assert_int_eq(bind(m->socket, (struct sockaddr *)&a, sizeof(a)), 0);
        ck_assert_int_eq(setenv("NOTIFY_SOCKET", a.sun_path, 1), 0);
}

/* All that was sent. */
static inline void hear(ServiceManager *m) {
        char text[512], control[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
        struct iovec iov = { text, sizeof(text) - 1 };
        ssize_t n;

        for (;;) {
                struct msghdr h = { .msg_iov = &iov,
                                    .msg_iovlen = 1,
                                    .msg_control = control,
                                    .msg_controllen = sizeof(control) };
                const char *name;

                n = recvmsg(m->socket, &h, MSG_CMSG_CLOEXEC);
                if (n < 0)
                        break;
                text[n] = '\0';
                name = strstr(text, "FDNAME=");
                ck_assert_ptr_nonnull(name);
                for (struct cmsghdr *c = CMSG_FIRSTHDR(&h); c; c = CMSG_NXTHDR(&h, c))
                        if (c->cmsg_type == SCM_RIGHTS) {
                                ck_assert_ptr_nonnull(strstr(text, "FDSTORE=1\nFDPOLL=0\n"));
                                ck_assert_int_lt(m->fd, 0);
                                memcpy(&m->fd, CMSG_DATA(c), sizeof(int));
                                snprintf(m->name, sizeof(m->name), "%s", name + 7);
                        }
                if (m->fd >= 0 && strstr(text, "FDSTOREREMOVE=1") && pl_streq(m->name, name + 7))
                        (void)close(TAKE_FD(m->fd));
        }
}

/* As it passes them to the next process: from 3 on, by name. */
static inline void pass(const ServiceManager *m) {
        char names[KIB(4)] = "", number[16];
        int fd, n;

        fd = fcntl(m->fd, F_DUPFD, 40);
        ck_assert_int_ge(fd, 40);
        for (n = 3; n < fd; n++) {
                if (fcntl(n, F_GETFD) < 0) {
                        int null = open("/dev/null", O_PATH | O_CLOEXEC);

                        ck_assert_int_eq(null, n);
                }
                strcat(names, "other:");
        }
        strcat(names, m->name);
        snprintf(number, sizeof(number), "%d", fd - 3 + 1);
        (void)setenv("LISTEN_FDS", number, 1);
        snprintf(number, sizeof(number), "%d", (int)getpid());
        (void)setenv("LISTEN_PID", number, 1);
        (void)setenv("LISTEN_FDNAMES", names, 1);
}
