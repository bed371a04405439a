/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Witness: see the header. Everything is read from procfs and cgroupfs, which never block.
 */

#include "health/witness.h"

#include <errno.h>
#include <fcntl.h>

#include "base/fs.h"
#include "cgroup/freezer.h"

/* Who listens comes first, and the host's own network may have many connections. */
#define SOCKETS_BYTES KIB(256)

static bool is_frozen(pid_t pid, const char *id) {
        _cleanup_free_ char *file = NULL;

        return pl_cg_freezer_find(pid, id, &file) == 0 && pl_cg_freezer_is_frozen(file) == 1;
}

/* Stopped by its tracer, as a breakpoint does it. Source: proc_pid_status(5). */
static bool is_traced(pid_t pid) {
        _cleanup_free_ char *text = NULL;
        char path[64];

        (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
        return pl_fs_read(AT_FDCWD, path, KIB(16), &text, NULL) == 0 &&
               strstr(text, "\nState:\tt ") != NULL;
}

const char *pl_witness_still(pid_t pid, const char *id) {
        if (pid <= 0)
                return NULL;
        return is_frozen(pid, id) ? "frozen by its cgroup's freezer, and not by docker pause"
               : is_traced(pid)   ? "stopped by a debugger"
                                  : NULL;
}

static PlListen listens_in(pid_t pid, const char *file, uint16_t port) {
        _cleanup_free_ char *text = malloc(SOCKETS_BYTES);
        _cleanup_close_ int fd = -EBADF;
        char path[64];
        size_t size = 0;
        ssize_t n = 0;

        (void)snprintf(path, sizeof(path), "/proc/%d/net/%s", (int)pid, file);
        fd = text ? open(path, O_RDONLY | O_CLOEXEC) : -EBADF;
        while (fd >= 0 && size < SOCKETS_BYTES - 1 &&
               (n = read(fd, text + size, SOCKETS_BYTES - 1 - size)) > 0)
                size += (size_t)n;
        if (size == 0)
                return PL_LISTEN_NO;
        text[size] = '\0';
        return pl_listen_find(text, port);
}

PlListen pl_witness_listens(pid_t pid, uint16_t port) {
        return pid <= 0 ? PL_LISTEN_NO
                        : PL_MAX(listens_in(pid, "tcp", port), listens_in(pid, "tcp6", port));
}
