/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Adoption's logs: what plimsolld has archived leaves the files for good.
 *
 * Under a running engine of 23 or later plimsolld has to leave a hole or filler in its place. A
 * full docker logs fails at a hole until the engine has rotated that file away. While the engine is
 * stopped nobody has a log open, and it can be shortened. Only our own records, NUL bytes and what
 * an archive holds go, so there is nothing to put back; the marker that stays tells plimsolld and
 * readers where they are.
 */

#include "ctl/adopt/log.h"

#include <errno.h>
#include <fcntl.h>

#include "base/clock.h"
#include "ctl/cli.h"
#include "rotate/file.h"
#include "rotate/methods.h"
#include "rotate/store.h"

/* A rotation of tens of megabytes takes this long on a busy host. */
#define LEASE_MSEC 10000
#define LOOK_MSEC  100

/* A rotation ends at its next safe place, because the engine is gone; none begins until we are
 * through. Return: 0; -EAGAIN one is still under way; -errno. */
static int keep_rotation_away(PlAdoptRun *run, const PlLogFile *f) {
        uint64_t until = pl_clock_usec(CLOCK_MONOTONIC) + LEASE_MSEC * PL_USEC_PER_MSEC;
        int *more = reallocarray(run->locks, run->n_locks + 1, sizeof(*more)), r;

        if (!more)
                return -ENOMEM;
        run->locks = more;
        while ((r = pl_log_file_lock(f)) == -EAGAIN && pl_clock_usec(CLOCK_MONOTONIC) < until)
                pl_clock_sleep(LOOK_MSEC * PL_USEC_PER_MSEC);
        if (r < 0)
                return r;
        r = fcntl(f->dir_fd, F_DUPFD_CLOEXEC, 3); /* one lock, until both are closed: flock(2) */
        if (r < 0)
                return -errno;
        run->locks[run->n_locks++] = r;
        return 0;
}

/* A reader, or an earlier plimsolld. Return: 0; -EAGAIN somebody has it open. */
static int lease(PlLogFile *f) {
        uint64_t until = pl_clock_usec(CLOCK_MONOTONIC) + LEASE_MSEC * PL_USEC_PER_MSEC;
        int r;

        while ((r = pl_log_file_lease(f)) == -EAGAIN && pl_clock_usec(CLOCK_MONOTONIC) < until)
                pl_clock_sleep(LOOK_MSEC * PL_USEC_PER_MSEC);
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

/* A rotation that was killed behind its commit point. Return: 1 the log still has what its archive
 * holds, and *ret says where; it is the caller's to deinit. 0 there is none; -errno. */
static int find_intent(const PlAdoptRun *run, const PlAdoptItem *item, int fd, PlRotateState *ret) {
        _cleanup_(pl_log_store_freep) PlLogStore *store = NULL;
        PlRotateSeen seen = { 0 };
        int r;

        r = pl_log_store_open(run->archive, false, (gid_t)-1, &store);
        if (r >= 0)
                r = pl_log_store_load(store, item->id, ret);
        if (r < 0)
                return r == -ENOENT || r == -EBADMSG ? 0 : r;
        if (ret->phase == PL_ROTATE_INTENT)
                r = pl_log_file_see(fd, ret, &seen);
        if (r >= 0)
                r = ret->phase == PL_ROTATE_INTENT &&
                    pl_rotate_recover(ret, &seen) == PL_ROTATE_REDO;
        if (r <= 0)
                pl_rotate_state_deinit(ret);
        return r;
}

/* What plimsolld would do at its next start; but by then the engine rotates this log. */
static int finish_rotation(const PlAdoptRun *run, const PlAdoptItem *item, const PlLogFile *f,
                           const PlRotateProbe *probe) {
        PlRotateState s = { 0 };
        uint64_t align, from;
        int r = find_intent(run, item, f->fd, &s);

        if (r <= 0)
                return r;
        align = probe->align_bytes[s.method] ?: probe->block_bytes;
        from = s.method == PL_LOG_METHOD_COLLAPSE ? 0 : pl_rotate_free_from(&s, align);
        r = pl_log_file_mark(f->fd, s.a, s.k, s.gen + 1);
        if (r >= 0 && fsync(f->fd) < 0)
                r = -errno;
        if (r >= 0)
                r = pl_log_file_free(f, s.method, from, s.a, align);
        pl_rotate_state_deinit(&s);
        return r;
}

static int cut_head_leased(const PlAdoptRun *run, const PlAdoptItem *item, const PlLogFile *f) {
        PlRotateProbe probe;
        uint64_t mark, align;
        int r;

        r = pl_log_probe(f->dir_fd, &probe);
        if (r >= 0)
                r = finish_rotation(run, item, f, &probe);
        if (r >= 0)
                r = find_mark(f->fd, &mark);
        align = r >= 0 ? probe.align_bytes[PL_LOG_METHOD_COLLAPSE] : 0;
        if (align > 0 && mark >= align)
                r = pl_log_file_free(f, PL_LOG_METHOD_COLLAPSE, 0, mark & ~(align - 1), align);
        return r >= 0 && fsync(f->fd) < 0 ? -errno : r;
}

static int cut_head(const PlAdoptRun *run, const PlAdoptItem *item, PlLogFile *f) {
        PlRotateState s = { 0 };
        uint64_t mark;
        int r;

        r = find_mark(f->fd, &mark);
        if (r >= 0 && mark == 0) {
                r = find_intent(run, item, f->fd, &s);
                pl_rotate_state_deinit(&s);
                if (r == 0)
                        return 0;
        }
        if (r >= 0)
                r = lease(f);
        if (r < 0)
                return r;
        r = cut_head_leased(run, item, f); /* both may have moved while nobody held the lease */
        pl_log_file_unlease(f);
        return r;
}

void pl_adopt_shorten(PlAdoptRun *run, const PlAdoptItem *item) {
        _cleanup_(pl_log_file_close) PlLogFile f = PL_LOG_FILE_INIT;
        _cleanup_free_ char *path = NULL;
        int r;

        if (asprintf(&path, "%s/containers/%s/%s-json.log", run->journal.data_root, item->id,
                     item->id) < 0)
                path = NULL;
        r = path ? pl_log_file_open(path, item->id, true, &f) : -ENOMEM;
        if (r >= 0)
                r = keep_rotation_away(run, &f);
        if (r >= 0)
                r = cut_head(run, item, &f);
        if (r < 0 && r != -ENOENT)
                pl_ctl_say("%s: what was archived still takes space in its log until the engine "
                           "has rotated it: %s",
                           item->name,
                           r == -EAGAIN ? "somebody reads or rotates it" : strerror(-r));
}
