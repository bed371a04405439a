/* SPDX-License-Identifier: Apache-2.0 */

/* Process: see the header. Source: proc(5). */

#include "status/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>

#include "base/clock.h"

#define FILE_MAX KIB(16)

/* Return: false when it cannot be read; NUL terminated, cut when it is longer. */
static bool read_proc(const char *proc, const char *name, char buf[static FILE_MAX]) {
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = -EBADF;
        size_t n = 0;
        ssize_t r;

        if (asprintf(&path, "%s/%s", proc, name) < 0)
                return false;
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return false;
        /* a file of lines may come in parts */
        while (n < FILE_MAX - 1 && (r = read(fd, buf + n, FILE_MAX - 1 - n)) > 0)
                n += (size_t)r;
        buf[n] = '\0';
        return n > 0;
}

static uint64_t count_fds(const char *proc) {
        _cleanup_free_ char *path = NULL;
        uint64_t n = 0;
        DIR *d;

        if (asprintf(&path, "%s/self/fd", proc) < 0)
                return PL_UNLIMITED;
        d = opendir(path);
        if (!d)
                return PL_UNLIMITED;
        for (const struct dirent *e; (e = readdir(d));)
                n += e->d_name[0] != '.';
        (void)closedir(d);
        return n > 0 ? n - 1 : 0; /* its own */
}

void pl_process_self(const char *proc, PlProcess *ret) {
        uint64_t hz = (uint64_t)sysconf(_SC_CLK_TCK), page = (uint64_t)sysconf(_SC_PAGESIZE);
        uint64_t user, system, start, vsize, rss;
        char buf[FILE_MAX];
        struct rlimit limit;
        const char *rest;

        memset(ret, 0xff, sizeof(*ret));
        ret->open_fds = count_fds(proc);
        if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
                ret->max_fds = limit.rlim_cur;
        if (!read_proc(proc, "self/stat", buf))
                return;
        rest = strrchr(buf, ')'); /* the name may hold anything */
        if (!rest || sscanf(rest,
                            ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64
                            " %*d %*d %*d %*d %*d %*d %" SCNu64 " %" SCNu64 " %" SCNu64,
                            &user, &system, &start, &vsize, &rss) != 5)
                return;
        ret->cpu_usec = (user + system) * PL_USEC_PER_SEC / hz;
        ret->start_usec = pl_clock_usec(CLOCK_REALTIME) - pl_clock_usec(CLOCK_BOOTTIME) +
                          start * PL_USEC_PER_SEC / hz;
        ret->virtual_bytes = vsize;
        ret->resident_bytes = rss * page;
}

size_t pl_process_network(const char *proc, pid_t pid, PlInterface ret[static PL_INTERFACES_MAX]) {
        char buf[FILE_MAX], name[32];
        size_t n = 0;

        (void)snprintf(name, sizeof(name), "%d/net/dev", (int)pid);
        if (!read_proc(proc, name, buf))
                return 0;
        for (const char *s = buf; *s && n < PL_INTERFACES_MAX;
             s += strcspn(s, "\n"), s += *s == '\n') {
                PlInterface *i = &ret[n];

                /* two lines of titles have no colon before a number */
                if (sscanf(s,
                           " %15[^:|]: %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
                           " %*u %*u %*u %*u %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64,
                           i->name, &i->received_bytes, &i->received_packets, &i->received_errors,
                           &i->received_dropped, &i->sent_bytes, &i->sent_packets, &i->sent_errors,
                           &i->sent_dropped) == 9 &&
                    !pl_streq(i->name, "lo"))
                        n++;
        }
        return n;
}
