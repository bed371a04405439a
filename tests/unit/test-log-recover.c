/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a rotation finds that did not leave the log as it was: a truncated log, a lost record, half
 * an archive, a policy that changed in the middle.
 */
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "rotate/point.h"
#include "log-rotate-fixture.h"

static int die_at = -1, lose_engine_at = -1, forbid_at = -1;

/* chattr(1) +a or -a. Return: whether the file system has it. */
static bool set_append_only(bool on) {
        int fd = open(log_path, O_RDONLY | O_CLOEXEC), flags = 0;
        bool done = ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0;

        flags = on ? flags | FS_APPEND_FL : flags & ~FS_APPEND_FL;
        done = done && ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0;
        (void)close(fd);
        return done;
}

void pl_log_rotate_point(PlRotatePoint p) {
        if ((int)p == lose_engine_at)
                engine_epoch++;
        if ((int)p == die_at)
                _exit(0);
        if ((int)p == forbid_at)
                (void)set_append_only(true);
}

/* Somebody else shortens the log (truncate, copytruncate): what it holds now is all new. */
START_TEST(truncated) {
        PlRotateRequest req = request(26, true);
        PlRotateOutcome o;

        req.facts.wanted = PL_LOG_METHOD_PUNCH;
        append(0, 2000);
        ck_assert_int_eq(rotate(&req, &o), 0);
        ck_assert_uint_gt(o.rotations, 0);
        ck_assert_int_eq(truncate(log_path, 0), 0);
        append(0, _i ? 3000 : 10); /* grown beyond its old head, or not */
        ck_assert_int_eq(rotate(&req, &o), 0);
        ck_assert_uint_eq(o.rotations, _i ? 1 : 0);
        if (_i)
                ck_assert_uint_gt(o.raw_bytes, o.head_bytes / 2);
        else
                ck_assert_uint_eq(o.head_bytes, 0);
}
END_TEST

/* Somebody forbids it in the middle: what was archived is said as that, and is not archived again.
 */
START_TEST(append_only) {
        PlRotateRequest req = request(20, true);
        PlRotateOutcome o;

        append(0, 3000);
        if (!set_append_only(true) || !set_append_only(false))
                SKIP_HERE("no append-only attribute here");
        forbid_at = PL_ROTATE_POINT_FREE;
        ck_assert_int_eq(rotate(&req, &o), -EPERM);
        forbid_at = -1;
        ck_assert_uint_eq(o.rotations, 1);
        ck_assert(o.unfreed);
        append(3000, 3100);
        ck_assert_int_eq(rotate(&req, &o), -EPERM);
        ck_assert_uint_eq(o.rotations, 0);
        ck_assert(set_append_only(false));
        ck_assert_int_eq(rotate(&req, &o), 0);
        ck_assert(!o.unfreed && o.recovered);
        ck_assert_uint_eq(read_back(), 3100);
}
END_TEST

/* The record is gone, the log and its archives are not: our own markers tell where to go on. */
START_TEST(state_lost) {
        PlRotateRequest req = request(_i == 0 ? 20 : 26, true);
        PlRotateOutcome o;
        char path[512];

        req.facts.wanted = _i == 0 ? PL_LOG_METHOD_COLLAPSE : PL_LOG_METHOD_PUNCH;
        append(0, 2000);
        ck_assert_int_eq(rotate(&req, &o), 0);
        snprintf(path, sizeof(path), "%s/.state/" ID, store_path);
        ck_assert_int_eq(unlink(path), 0);
        append(2000, 4000);
        ck_assert_int_eq(rotate(&req, &o), 0);
        ck_assert_uint_gt(o.rotations, 0);
        ck_assert_uint_eq(read_back(), 4000);
}
END_TEST

START_TEST(stale_partial) {
        PlRotateRequest req = request(20, true);
        PlRotateOutcome o;
        char path[512];
        int fd = pl_log_store_begin(store, "front", ID);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(write(fd, "half", 4), 4);
        (void)close(fd);
        append(0, 10);
        ck_assert_int_eq(rotate(&req, &o), 0); /* takes the log up */
        ck_assert_int_eq(rotate(&req, &o), 0);
        snprintf(path, sizeof(path), "%s/front/.partial-" ID, store_path);
        ck_assert_int_lt(access(path, F_OK), 0);
        ck_assert_int_eq(errno, ENOENT);
}
END_TEST

/* Interrupted by LogMethod=off: what was begun is finished, then the log is left alone. */
START_TEST(off_in_the_middle) {
        PlRotateRequest req = request(26, true);
        PlRotateState s;
        PlRotateOutcome o;
        int fd;

        req.facts.wanted = PL_LOG_METHOD_PUNCH;
        append(0, 2000);
        ck_assert_int_eq(rotate(&req, &o), 0);
        ck_assert_int_eq(pl_log_store_load(store, ID, &s), 0);
        s.phase = PL_ROTATE_INTENT; /* as if killed after the commit, without an archive to name */
        s.k = o.size_bytes;
        s.a = s.k & ~UINT64_C(4095);
        s.method = PL_LOG_METHOD_PUNCH;
        s.archive = strdup("front/none");
        fd = open(log_path, O_RDONLY | O_CLOEXEC);
        s.print = pl_log_file_print(fd, &s);
        (void)close(fd);
        if (s.k - s.a < PL_JSONLOG_MARKER_MIN)
                s.a -= 4096;
        ck_assert_int_eq(pl_log_store_save(store, &s), 0);
        pl_rotate_state_deinit(&s);
        req.facts.wanted = PL_LOG_METHOD_OFF;
        ck_assert_int_eq(rotate(&req, &o), 0);
        ck_assert(o.recovered);
        ck_assert_uint_eq(o.head_bytes, o.size_bytes);
        ck_assert_int_eq(o.why, PL_ROTATE_WHY_OFF);
        ck_assert_int_eq(pl_log_store_load(store, ID, &s), 0);
        ck_assert_int_eq(s.phase, PL_ROTATE_CLEAN);
        pl_rotate_state_deinit(&s);
}
END_TEST

/* Puts a file's bytes back as they were, holes as NUL bytes. */
static void write_back(const char *data, size_t size) {
        int fd = open(log_path, O_WRONLY | O_CLOEXEC);

        ck_assert_int_eq(pwrite(fd, data, size, 0), (ssize_t)size);
        (void)close(fd);
}

static size_t read_log(char **ret) {
        int fd = open(log_path, O_RDONLY | O_CLOEXEC);
        struct stat st;

        ck_assert_int_eq(fstat(fd, &st), 0);
        *ret = malloc((size_t)st.st_size);
        ck_assert_int_eq(read(fd, *ret, (size_t)st.st_size), st.st_size);
        (void)close(fd);
        return (size_t)st.st_size;
}

static void take_head_out(uint64_t mark) {
        PlLogFile f = PL_LOG_FILE_INIT;
        uint64_t align = probe.align_bytes[PL_LOG_METHOD_COLLAPSE];

        ck_assert_int_eq(pl_log_file_open(log_path, ID, true, &f), 0);
        ck_assert_uint_gt(mark & ~(align - 1), 0);
        ck_assert_int_eq(
                        pl_log_file_free(&f, PL_LOG_METHOD_COLLAPSE, 0, mark & ~(align - 1), align),
                        0);
        pl_log_file_close(&f);
}

/* A hole is taken out of the file, as adoption does, while a rotation is not finished: its archive
 * has its name, and its lines still stand in the log, in another place. */
START_TEST(shortened_in_the_middle) {
        PlRotateRequest req = request(26, true);
        PlStoredArchive *archives;
        PlRotateState before, after;
        PlRotateOutcome o;
        size_t size, n;
        char *data;
        int fd;

        if (!probe.align_bytes[PL_LOG_METHOD_COLLAPSE])
                SKIP_HERE("this file system cannot collapse a range");
        req.facts.wanted = PL_LOG_METHOD_PUNCH;
        append(0, 2000);
        ck_assert_int_eq(rotate(&req, &o), 0);
        append(2000, 4000);
        size = read_log(&data);
        ck_assert_int_eq(pl_log_store_load(store, ID, &before), 0);
        ck_assert_int_eq(rotate(&req, &o), 0);
        ck_assert_uint_eq(o.rotations, 1);
        ck_assert_int_eq(pl_log_store_load(store, ID, &after), 0);
        write_back(data, size);
        free(data);
        ck_assert_int_eq(pl_log_store_list(store, ID, &archives, &n), 0);
        ck_assert_uint_eq(n, 2);
        ck_assert_int_ge(asprintf(&after.archive, "%s/%s", archives[1].service, archives[1].file),
                         0);
        free(archives);
        after.phase = PL_ROTATE_INTENT;
        after.method = PL_LOG_METHOD_PUNCH;
        after.gen = before.gen;
        after.k = after.head;
        after.a = after.mark;
        after.head = before.head;
        after.mark = before.mark;
        fd = open(log_path, O_RDONLY | O_CLOEXEC);
        after.print = pl_log_file_print(fd, &after);
        (void)close(fd);
        ck_assert_int_eq(pl_log_store_save(store, &after), 0);
        take_head_out(before.mark);
        ck_assert_int_eq(rotate(&req, &o), 0);
        ck_assert(o.recovered);
        ck_assert_uint_eq(read_back(), 4000);
        pl_rotate_state_deinit(&before);
        pl_rotate_state_deinit(&after);
}
END_TEST

/* Only what this file system leaves when a container runs under a newer engine is of interest. */
static bool spares(void) {
        PlRotateRequest req = request(28, true);

        req.facts.driver = "json-file";
        req.facts.probe = &probe;
        return pl_rotate_choose(&req.facts).why == PL_ROTATE_WHY_SPARED &&
               probe.align_bytes[PL_LOG_METHOD_COLLAPSE];
}

/* Bytes of holes in the log. */
static uint64_t holes(void) {
        int fd = open(log_path, O_RDONLY | O_CLOEXEC);
        off_t size = lseek(fd, 0, SEEK_END), at = 0, data;
        uint64_t n = 0;

        while (at < size && (at = lseek(fd, at, SEEK_HOLE)) < size) {
                data = lseek(fd, at, SEEK_DATA);
                if (data < 0)
                        data = size;
                n += (uint64_t)(data - at);
                at = data;
        }
        (void)close(fd);
        return n;
}

/* Does `docker logs` come to the log's end? It takes records and blanks, and no NUL byte. */
static bool docker_reads(void) {
        char *data;
        size_t size = read_log(&data);
        bool ok = !memchr(data, '\0', size) && size > 0 && data[size - 1] == '\n';

        for (char *p = data, *nl; ok && p < data + size; p = nl + 1) {
                nl = memchr(p, '\n', (size_t)(data + size - p));
                ok = *p == '{' || *p == ' ' || *p == '\n';
        }
        free(data);
        return ok;
}

/* How far the log itself says that it is archived. */
static uint64_t blank_head(void) {
        int fd = open(log_path, O_RDONLY | O_CLOEXEC);
        uint64_t head, mark, gen;

        ck_assert_int_eq(pl_log_file_find_head(fd, 0, (uint64_t)lseek(fd, 0, SEEK_END), &head,
                                               &mark, &gen),
                         0);
        (void)close(fd);
        return head;
}

/* plimsolld dies at a point of a rotation. */
static void crash(const PlRotateRequest *req, PlRotatePoint point) {
        PlRotateOutcome o;
        PlRotateState s;
        pid_t pid = fork();
        int status;

        if (pid == 0) {
                die_at = (int)point;
                (void)rotate(req, &o);
                _exit(1);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        ck_assert_int_eq(pl_log_store_load(store, ID, &s), 0);
        ck_assert_int_eq(s.phase, PL_ROTATE_INTENT);
        pl_rotate_state_deinit(&s);
}

/* The container has stopped: its log is made short, and every line is there once. */
static void stops(unsigned lines) {
        PlRotateRequest req = request(28, false);
        PlRotateOutcome o;

        ck_assert_int_eq(rotate(&req, &o), 0);
        ck_assert_int_eq(o.method, PL_LOG_METHOD_COLLAPSE);
        ck_assert_uint_lt(o.size_bytes, KIB(72));
        ck_assert_uint_eq(holes(), 0);
        ck_assert_uint_eq(read_back(), lines);
        ck_assert(docker_reads());
}

/* clang-format off */
static const struct {
        const char *name;
        PlLogMethod begun;
        bool running, before, lost;
        PlRotatePoint point;
} cut_off[] = {
        { "collapse, not marked", PL_LOG_METHOD_AUTO, false, false, false,
          PL_ROTATE_POINT_COMMITTED },
        { "collapse, not named", PL_LOG_METHOD_AUTO, false, true, false,
          PL_ROTATE_POINT_COMMITTED },
        { "collapse, marked", PL_LOG_METHOD_AUTO, false, false, false, PL_ROTATE_POINT_MARKED },
        { "collapsed", PL_LOG_METHOD_AUTO, false, true, false, PL_ROTATE_POINT_FREED },
        { "punch, not marked", PL_LOG_METHOD_PUNCH, true, false, false,
          PL_ROTATE_POINT_COMMITTED },
        { "punch, marked", PL_LOG_METHOD_PUNCH, true, false, false, PL_ROTATE_POINT_MARKED },
        { "punch, marked, after others", PL_LOG_METHOD_PUNCH, true, true, false,
          PL_ROTATE_POINT_FREE },
        { "half punched", PL_LOG_METHOD_PUNCH, true, true, false, PL_ROTATE_POINT_FREEING },
        { "punched", PL_LOG_METHOD_PUNCH, true, true, false, PL_ROTATE_POINT_FREED },
        { "record lost, not marked", PL_LOG_METHOD_PUNCH, true, true, true,
          PL_ROTATE_POINT_PUBLISHED },
        { "record lost, marked", PL_LOG_METHOD_PUNCH, true, true, true, PL_ROTATE_POINT_MARKED },
};
/* clang-format on */

/* A rotation that was cut off comes to its end under auto, where only a hole would be left: without
 * one more, without a line lost or shown twice, now and after the container's stop. */
START_TEST(finished_without_a_hole) {
        PlRotateRequest req = request(28, cut_off[_i].running);
        unsigned n = 2000;
        PlRotateOutcome o;
        char path[512];
        uint64_t before;
        bool readable;

        if (!spares())
                SKIP_HERE("no holes on this file system");
        req.facts.wanted = cut_off[_i].begun;
        if (cut_off[_i].before) {
                append(0, n);
                ck_assert_int_eq(rotate(&req, &o), 0);
                ck_assert_uint_eq(o.rotations, 1);
        }
        append(cut_off[_i].before ? n : 0, n + 100000);
        n += 100000;
        crash(&req, cut_off[_i].point);
        if (cut_off[_i].lost) {
                snprintf(path, sizeof(path), "%s/.state/" ID, store_path);
                ck_assert_int_eq(unlink(path), 0);
        }
        before = holes();
        readable = docker_reads();
        req = request(28, true);
        ck_assert_msg(rotate(&req, &o) == 0, "%s: %s: %s", cut_off[_i].name, o.step,
                      strerror(-o.error));
        ck_assert_int_eq(o.method, PL_LOG_METHOD_OFF);
        ck_assert_msg(holes() == before, "%s: a hole", cut_off[_i].name);
        ck_assert(docker_reads() == readable);
        ck_assert_int_eq(o.why, before > 0 ? PL_ROTATE_WHY_HOLED : PL_ROTATE_WHY_SPARED);
        ck_assert_uint_eq(read_back(), n);
        /* adoption, and whoever reads a log that the engine has rotated since, know nothing else */
        ck_assert_uint_eq(blank_head(), o.head_bytes);
        append(n, n + 3000); /* it grows, and is left alone */
        n += 3000;
        ck_assert_int_eq(rotate(&req, &o), 0);
        ck_assert_uint_eq(o.rotations, 0);
        ck_assert_uint_eq(read_back(), n);
        stops(n);
}
END_TEST

/* The same with a policy that asks for holes: as before. */
START_TEST(finished_by_the_hole_asked_for) {
        PlRotateRequest req = request(28, true);
        PlRotateOutcome o;

        if (!spares())
                SKIP_HERE("no holes on this file system");
        req.facts.wanted = PL_LOG_METHOD_PUNCH;
        append(0, 2000);
        crash(&req, PL_ROTATE_POINT_MARKED);
        ck_assert_uint_eq(holes(), 0);
        ck_assert_int_eq(rotate(&req, &o), 0);
        ck_assert_uint_gt(holes(), KIB(32));
        ck_assert_int_eq(o.why, PL_ROTATE_WHY_HOLES);
        ck_assert_uint_eq(read_back(), 2000);
        stops(2000);
}
END_TEST

/* An earlier version, or LogMethod=punch until now: the hole stays until the stop, no other comes.
 */
START_TEST(punched_before) {
        PlRotateRequest req = request(28, true);
        PlRotateOutcome o;
        uint64_t before;

        if (!spares())
                SKIP_HERE("no holes on this file system");
        req.facts.wanted = PL_LOG_METHOD_PUNCH;
        for (unsigned i = 0; i < 3; i++) {
                append(i * 2000, i * 2000 + 2000);
                ck_assert_int_eq(rotate(&req, &o), 0);
        }
        before = holes();
        ck_assert_uint_gt(before, 0);
        req.facts.wanted = PL_LOG_METHOD_AUTO;
        append(6000, 9000);
        ck_assert_int_eq(rotate(&req, &o), 0);
        ck_assert_uint_eq(o.rotations, 0);
        ck_assert_int_eq(o.why, PL_ROTATE_WHY_HOLED);
        ck_assert_uint_gt(o.head_bytes, 0);
        ck_assert_uint_eq(holes(), before);
        ck_assert_uint_eq(read_back(), 9000);
        stops(9000);
        append(9000, 12000); /* started again, its hole is gone */
        ck_assert_int_eq(rotate(&req, &o), 0);
        ck_assert_int_eq(o.why, PL_ROTATE_WHY_SPARED);
        ck_assert_uint_eq(read_back(), 12000);
        req.facts.wanted = PL_LOG_METHOD_PUNCH;
        ck_assert_int_eq(rotate(&req, &o), 0);
        ck_assert_uint_eq(o.rotations, 1);
        ck_assert_uint_eq(read_back(), 12000);
}
END_TEST

/* Cut off where the new marker was to stand in the block of the old one, by a method that goes on
 * with another: the old marker there is no sign that somebody else was at the file. */
START_TEST(marker_in_the_same_block) {
        PlRotateRequest req = request(20, true);
        unsigned n = 1000;
        PlRotateState s;
        PlRotateOutcome o;
        char path[512];

        if (!probe.align_bytes[PL_LOG_METHOD_COLLAPSE])
                SKIP_HERE("this file system cannot collapse a range");
        req.facts.wanted = PL_LOG_METHOD_PUNCH;
        append(0, n);
        ck_assert_int_eq(rotate(&req, &o), 0);
        ck_assert_uint_eq(o.rotations, 1);
        req.max_size_bytes = KIB(4); /* so little is kept that a cut near the head is possible */
        req.facts.wanted = PL_LOG_METHOD_COLLAPSE;
        req.force = true;
        ck_assert_int_eq(truncate(log_path, (off_t)o.head_bytes), 0);
        n = read_back(); /* all is archived */
        append(n, n + 12);
        n += 12;
        crash(&req, _i < 2 ? PL_ROTATE_POINT_COMMITTED : PL_ROTATE_POINT_PUBLISHED);
        ck_assert_int_eq(pl_log_store_load(store, ID, &s), 0);
        ck_assert_int_eq(s.method, PL_LOG_METHOD_COLLAPSE);
        ck_assert_uint_lt(s.a, s.head);
        pl_rotate_state_deinit(&s);
        if (_i == 3) {
                snprintf(path, sizeof(path), "%s/.state/" ID, store_path);
                ck_assert_int_eq(unlink(path), 0);
        }
        req = request(_i == 0 ? 20 : 28, true);
        ck_assert_int_eq(rotate(&req, &o), 0);
        ck_assert(o.recovered);
        ck_assert_uint_eq(read_back(), n);
        append(n, n + 3000);
        ck_assert_int_eq(rotate(&req, &o), 0);
        ck_assert_uint_eq(read_back(), n + 3000);
}
END_TEST

/* A stopped container's log that somebody has open is not archived in vain, and not shortened. */
START_TEST(stopped_and_held) {
        PlRotateRequest req = request(28, false);
        PlStoredArchive *archives;
        PlRotateOutcome o;
        size_t n;
        int fd;

        if (!spares())
                SKIP_HERE("no holes on this file system");
        append(0, 2000);
        fd = open(log_path, (_i ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(rotate(&req, &o), 0);
        ck_assert(o.later);
        ck_assert_uint_eq(o.rotations, 0);
        ck_assert_int_eq(o.method, PL_LOG_METHOD_OFF);
        ck_assert_int_eq(pl_log_store_list(store, ID, &archives, &n), 0);
        ck_assert_uint_eq(n, 0);
        free(archives);
        ck_assert_uint_eq(read_back(), 2000);
        (void)close(fd);
        stops(2000);
}
END_TEST

static void assert_untouched(const PlRotateOutcome *o) {
        struct stat st;
        char path[512];

        ck_assert_int_eq(o->error, -EAGAIN);
        ck_assert_uint_eq(o->rotations, 0);
        ck_assert_uint_eq(holes(), 0);
        ck_assert_uint_eq(blank_head(), 0);
        ck_assert_int_eq(stat(log_path, &st), 0);
        ck_assert_uint_gt((uint64_t)st.st_size, KIB(64));
        snprintf(path, sizeof(path), "%s/front/.partial-" ID, store_path);
        ck_assert_int_lt(access(path, F_OK), 0);
}

/* An adoption has the log in hand, or the engine was lost since the job was made, or is lost while
 * the archive is written: the log is left as it is, and the rotation that comes later has it all.
 */
START_TEST(in_other_hands) {
        PlRotateRequest req = request(26, true);
        PlRotateOutcome o;
        char dir[512];
        int fd = -EBADF;

        req.facts.wanted = PL_LOG_METHOD_PUNCH;
        append(0, 2000);
        engine_epoch = 3;
        req.engine_epoch = _i == 1 ? 2 : 3;
        snprintf(dir, sizeof(dir), "%s/" ID, tmp);
        if (_i == 0) {
                fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                ck_assert_int_eq(flock(fd, LOCK_EX), 0);
        }
        lose_engine_at = _i == 2 ? PL_ROTATE_POINT_ARCHIVED : -1;
        (void)rotate(&req, &o);
        lose_engine_at = -1;
        assert_untouched(&o);
        if (fd >= 0)
                (void)close(fd);
        req.engine_epoch = engine_epoch;
        ck_assert_int_eq(rotate(&req, &o), 0);
        ck_assert_uint_eq(o.rotations, 1);
        ck_assert_uint_eq(read_back(), 2000);
}
END_TEST

/* --- a log without a name --- */

static const struct {
        const char *name;
        unsigned engine;
        PlLogMethod method;
        int rotation, salvage; /* where they are killed */
        bool moved;            /* and comes back in the end */
} removals[] = {
        { "never rotated", 0, 0, -1, -1, false },
        { "rotated", 26, PL_LOG_METHOD_PUNCH, -1, -1, false },
        { "collapsed", 20, PL_LOG_METHOD_COLLAPSE, -1, -1, false },
        { "cut off before the commit", 26, PL_LOG_METHOD_PUNCH, PL_ROTATE_POINT_SYNCED, -1, false },
        { "cut off at the commit", 26, PL_LOG_METHOD_PUNCH, PL_ROTATE_POINT_COMMITTED, -1, false },
        { "cut off at the marker", 26, PL_LOG_METHOD_PUNCH, PL_ROTATE_POINT_MARKED, -1, false },
        { "cut off, collapsed", 20, PL_LOG_METHOD_COLLAPSE, PL_ROTATE_POINT_FREED, -1, false },
        { "killed while archiving", 0, 0, -1, PL_ROTATE_POINT_ARCHIVING, false },
        { "killed before the commit", 0, 0, -1, PL_ROTATE_POINT_SYNCED, false },
        { "killed at the commit", 0, 0, -1, PL_ROTATE_POINT_COMMITTED, false },
        { "killed when it is named", 0, 0, -1, PL_ROTATE_POINT_PUBLISHED, false },
        { "killed at the end", 0, 0, -1, PL_ROTATE_POINT_CLEAN, false },
        { "both", 26, PL_LOG_METHOD_PUNCH, PL_ROTATE_POINT_COMMITTED, PL_ROTATE_POINT_COMMITTED,
          false },
        { "both, collapsed", 20, PL_LOG_METHOD_COLLAPSE, PL_ROTATE_POINT_FREED,
          PL_ROTATE_POINT_PUBLISHED, false },
        { "moved and back", 0, 0, -1, -1, true },
        { "moved, killed and back", 0, 0, -1, PL_ROTATE_POINT_COMMITTED, true },
        { "moved, killed late and back", 0, 0, -1, PL_ROTATE_POINT_CLEAN, true },
        { "rotated, moved and back", 26, PL_LOG_METHOD_PUNCH, -1, PL_ROTATE_POINT_PUBLISHED, true },
};

static void killed_at(int point, int (*act)(const PlRotateRequest *, int),
                      const PlRotateRequest *req, int fd) {
        pid_t pid = fork();
        int status;

        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
                die_at = point;
                (void)act(req, fd);
                _exit(point < 0 ? 0 : 1);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_eq(status, 0);
}

static int act_rotate(const PlRotateRequest *req, int fd) {
        PlRotateOutcome o;

        return rotate(req, &o);
}

static int act_salvage(const PlRotateRequest *req, int fd) {
        PlRotateOutcome o;

        return salvage(req, fd, &o);
}

/* Whatever was under way when it lost its name, and wherever the salvaging was killed: each line is
 * in the archives once, and salvaging once more adds none. */
START_TEST(nameless) {
        PlRotateRequest req = request(removals[_i].engine ?: 26, true);
        char away[600];
        PlRotateOutcome o;
        struct stat st;
        int fd;

        append(0, 2000);
        if (removals[_i].engine) {
                req.facts.wanted = removals[_i].method;
                killed_at(removals[_i].rotation, act_rotate, &req, -1);
        }
        append(2000, 2100);
        fd = open(log_path, O_PATH | O_CLOEXEC);
        snprintf(away, sizeof(away), "%s/away", tmp);
        ck_assert_int_eq(removals[_i].moved ? rename(log_path, away) : unlink(log_path), 0);
        req.last = !removals[_i].moved;
        req.salvage_max_bytes = PL_UNLIMITED;
        killed_at(removals[_i].salvage, act_salvage, &req, fd);
        ck_assert_msg(salvage(&req, fd, &o) == 0, "%s: %s", removals[_i].name, o.step);
        ck_assert_msg(read_back() == 2100, "%s", removals[_i].name);
        ck_assert_int_eq(salvage(&req, fd, &o), 0);
        ck_assert_uint_eq(o.rotations, 0);
        ck_assert_int_eq(fstat(fd, &st), 0);
        if (removals[_i].moved) {
                ck_assert_int_eq(rename(away, log_path), 0);
                ck_assert_msg(read_back() == 2100, "%s", removals[_i].name);
                append(2100, 4200);
                req.facts.wanted = PL_LOG_METHOD_PUNCH;
                ck_assert_int_eq(rotate(&req, &o), 0);
                ck_assert_msg(o.rotations == 1, "%s", removals[_i].name);
                ck_assert_msg(read_back() == 4200, "%s", removals[_i].name);
        } else {
                ck_assert_uint_le((uint64_t)st.st_blocks * 512, KIB(16));
        }
        (void)close(fd);
}
END_TEST

/* No more than the policy would have kept, the newest, to the last word. */
START_TEST(nameless_bounded) {
        static const char words[] = "{\"log\":\"line 3000 and no newline\",\"stream\":"
                                    "\"stdout\",\"time\":\"2026-01-02T03:04:05Z\"}\n";
        static const uint64_t max[] = { 1000, KIB(64), KIB(64) + 37, 1 };
        PlRotateRequest req = request(26, true);
        PlRotateOutcome o;
        struct stat st;
        int fd;

        append(0, 3000);
        fd = open(log_path, O_RDWR | O_APPEND | O_CLOEXEC);
        ck_assert_int_eq(write(fd, words, sizeof(words) - 1), sizeof(words) - 1);
        ck_assert_int_eq(unlink(log_path), 0);
        ck_assert_int_eq(fstat(fd, &st), 0);
        req.last = true;
        req.salvage_max_bytes = max[_i];
        ck_assert_int_eq(salvage(&req, fd, &o), 0);
        ck_assert_uint_eq(o.raw_bytes + o.dropped_bytes, (uint64_t)st.st_size);
        ck_assert_uint_le(o.raw_bytes, max[_i]);
        if (max[_i] > 1) {
                ck_assert_uint_gt(o.raw_bytes, max[_i] - 100);
                ck_assert_uint_eq(read_from((unsigned)(3001 - o.lines)), 3001);
        }
        ck_assert_int_eq(salvage(&req, fd, &o), 0);
        ck_assert_uint_eq(o.rotations + o.dropped_bytes, 0);
        (void)close(fd);
}
END_TEST

int main(void) {
        TCase *c = tcase_create("all");

        tcase_add_checked_fixture(c, setup, teardown);
        tcase_set_timeout(c, 60);
        tcase_add_loop_test(c, truncated, 0, 2);
        tcase_add_loop_test(c, state_lost, 0, 2);
        tcase_add_test(c, append_only);
        tcase_add_test(c, stale_partial);
        tcase_add_test(c, off_in_the_middle);
        tcase_add_test(c, shortened_in_the_middle);
        tcase_add_loop_test(c, finished_without_a_hole, 0, PL_ARRAY_SIZE(cut_off));
        tcase_add_test(c, finished_by_the_hole_asked_for);
        tcase_add_test(c, punched_before);
        tcase_add_loop_test(c, marker_in_the_same_block, 0, 4);
        tcase_add_loop_test(c, stopped_and_held, 0, 2);
        tcase_add_loop_test(c, in_other_hands, 0, 3);
        tcase_add_loop_test(c, nameless, 0, PL_ARRAY_SIZE(removals));
        tcase_add_loop_test(c, nameless_bounded, 0, 4);
        return run_case(c);
}
