/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Adoption's logs: what plimsolld has archived leaves the files for good.
 *
 * Under a running engine of 23 or later it had to leave a hole or filler in its place. A full
 * docker logs fails at a hole, and would go on to do so until the engine has rotated that file
 * away. While the engine is away nobody has a log open, and it can be made short. Nothing but our
 * own records and NUL bytes go, so there is nothing to put back; the marker that stays tells
 * plimsolld and readers where they are.
 */

#include <errno.h>

#include "ctl-adopt-internal.h"
#include "ctl-cli.h"
#include "log-file.h"
#include "log-probe.h"

#define LEASE_MSEC 2000
#define LOOK_MSEC  100

/* plimsolld may just be at the end of a rotation. Return: 0; -EAGAIN somebody has it open. */
static int lease(PlLogFile *f) {
        uint64_t until = pl_ctl_now() + LEASE_MSEC * PL_USEC_PER_MSEC;
        int r;

        while ((r = pl_log_file_lease(f)) == -EAGAIN && pl_ctl_now() < until)
                pl_adopt_sleep_msec(LOOK_MSEC);
        return r;
}

/* Where our last marker before the live part stands; 0: there is nothing before it to take away. */
static int find_mark(int fd, uint64_t *ret) {
        uint64_t head, gen;
        struct stat st;
        int r;

        if (fstat(fd, &st) < 0)
                return -errno;
        r = pl_log_file_find_head(fd, 0, (uint64_t)st.st_size, &head, ret, &gen);
        if (r >= 0 && gen == 0) /* a hole that somebody else has made is not ours to judge */
                *ret = 0;
        return r;
}

static int cut_head(PlLogFile *f) {
        uint64_t mark, align;
        PlRotateProbe probe;
        int r;

        r = find_mark(f->fd, &mark);
        if (r < 0 || mark == 0)
                return r;
        r = pl_log_probe(f->dir_fd, &probe);
        if (r < 0 || !probe.collapse)
                return r;
        align = probe.collapse_align_bytes;
        r = lease(f);
        if (r < 0)
                return r;
        r = find_mark(f->fd, &mark); /* it may have moved while nobody held the lease */
        if (r >= 0 && mark >= align)
                r = pl_log_file_free(f, PL_LOG_METHOD_COLLAPSE, 0, mark & ~(align - 1), align);
        if (r >= 0 && fsync(f->fd) < 0)
                r = -errno;
        pl_log_file_unlease(f);
        return r;
}

void pl_adopt_shorten(const PlAdoptRun *run, const PlAdoptItem *item) {
        _cleanup_(pl_log_file_close) PlLogFile f = PL_LOG_FILE_INIT;
        _cleanup_free_ char *path = NULL;
        int r;

        if (asprintf(&path, "%s/containers/%s/%s-json.log", run->journal.data_root, item->id,
                     item->id) < 0)
                path = NULL;
        r = path ? pl_log_file_open(path, item->id, true, &f) : -ENOMEM;
        if (r >= 0)
                r = cut_head(&f);
        if (r < 0 && r != -ENOENT)
                pl_ctl_say("%s: its log keeps the place of what was archived until the engine has "
                           "rotated it: %s",
                           item->name,
                           r == -EAGAIN ? "somebody reads or rotates it" : strerror(-r));
}
