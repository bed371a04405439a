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
        struct {
                char name[128];
                int fd;
        } numbered[8]; /* "log-ID.NUMBER/…": several */
        size_t n_numbered;
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

static inline void keep_numbered(ServiceManager *m, const char *name, int fd) {
        ck_assert_uint_lt(m->n_numbered, 8);
        snprintf(m->numbered[m->n_numbered].name, sizeof(m->name), "%s", name);
        m->numbered[m->n_numbered++].fd = fd;
}

static inline void drop_numbered(ServiceManager *m, const char *name) {
        for (size_t i = 0; i < m->n_numbered; i++)
                if (pl_streq(m->numbered[i].name, name)) {
                        (void)close(m->numbered[i].fd);
                        m->numbered[i] = m->numbered[--m->n_numbered];
                        return;
                }
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
                int fd;

                n = recvmsg(m->socket, &h, MSG_CMSG_CLOEXEC);
                if (n < 0)
                        break;
                text[n] = '\0';
                name = strstr(text, "FDNAME=");
                ck_assert_ptr_nonnull(name);
                for (struct cmsghdr *c = CMSG_FIRSTHDR(&h); c; c = CMSG_NXTHDR(&h, c))
                        if (c->cmsg_type == SCM_RIGHTS) {
                                ck_assert_ptr_nonnull(strstr(text, "FDSTORE=1\nFDPOLL=0\n"));
                                memcpy(&fd, CMSG_DATA(c), sizeof(int));
                                if (strchr(name, '.')) {
                                        keep_numbered(m, name + 7, fd);
                                        continue;
                                }
                                ck_assert_int_lt(m->fd, 0);
                                m->fd = fd;
                                snprintf(m->name, sizeof(m->name), "%s", name + 7);
                        }
                if (strstr(text, "FDSTOREREMOVE=1"))
                        drop_numbered(m, name + 7);
                if (m->fd >= 0 && strstr(text, "FDSTOREREMOVE=1") && pl_streq(m->name, name + 7))
                        (void)close(TAKE_FD(m->fd));
        }
}

/* As it passes them to the next process: from 3 on, by name. */
static inline void pass(const ServiceManager *m) {
        char names[KIB(4)] = "", number[16];
        int fd = 39, n = 3;

        for (size_t i = 0; i <= m->n_numbered; i++) {
                const char *name = i < m->n_numbered ? m->numbered[i].name : m->name;
                int from = i < m->n_numbered ? m->numbered[i].fd : m->fd;

                if (from < 0)
                        continue;
                fd = fcntl(from, F_DUPFD, fd + 1);
                ck_assert_int_ge(fd, 40);
                for (; n < fd; n++) {
                        if (fcntl(n, F_GETFD) < 0) {
                                int null = open("/dev/null", O_PATH | O_CLOEXEC);

                                ck_assert_int_eq(null, n);
                        }
                        strcat(names, "other:");
                }
                strcat(names, name);
                strcat(names, ":");
                n = fd + 1;
        }
        names[strlen(names) - 1] = '\0';
        snprintf(number, sizeof(number), "%d", fd - 3 + 1);
        (void)setenv("LISTEN_FDS", number, 1);
        snprintf(number, sizeof(number), "%d", (int)getpid());
        (void)setenv("LISTEN_PID", number, 1);
        (void)setenv("LISTEN_FDNAMES", names, 1);
}
