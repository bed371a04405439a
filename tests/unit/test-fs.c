/* SPDX-License-Identifier: Apache-2.0 */

/* Whole files in, whole files out, and nothing left behind when a write fails. */

#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "tmp.h"

static int dir_fd = -EBADF;

static void setup(void) {
        tmp_make("/tmp");
        dir_fd = open(tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ck_assert_int_ge(dir_fd, 0);
}

static void teardown(void) {
        (void)unlinkat(dir_fd, "file", 0);
        (void)unlinkat(dir_fd, "file.new", AT_REMOVEDIR);
        (void)close(dir_fd);
        ck_assert_int_eq(rmdir(tmp), 0); /* fails when something was left behind */
}

static const struct {
        const char *name;
        size_t size, max;
        int r;
} rows[] = {
        { "empty", 0, 10, 0 },
        { "small", 10, 10, 0 },
        { "one too many", 11, 10, -EFBIG },
        { "just a buffer", 4096, 1 << 20, 0 },
        { "more than a buffer", 4097, 1 << 20, 0 },
        { "several buffers", 100000, 1 << 20, 0 },
};

START_TEST(round_trip) {
        _cleanup_free_ char *in = malloc(rows[_i].size + 1), *out = NULL;
        size_t size = 0;
        int r;

        memset(in, 'x', rows[_i].size + 1);
        ck_assert_int_eq(pl_fs_replace(dir_fd, "file", in, rows[_i].size, 0600, _i % 2), 0);
        r = pl_fs_read(dir_fd, "file", rows[_i].max, &out, &size);
        ck_assert_msg(r == rows[_i].r, "%s: %d", rows[_i].name, r);
        if (r < 0) {
                ck_assert_ptr_null(out);
                return;
        }
        ck_assert_uint_eq(size, rows[_i].size);
        ck_assert_int_eq(memcmp(in, out, size), 0);
        ck_assert_int_eq(out[size], 0);
}
END_TEST

START_TEST(replaces_with_mode) {
        _cleanup_free_ char *out = NULL;
        struct stat st;

        ck_assert_int_eq(pl_fs_replace(dir_fd, "file", "old", 3, 0600, false), 0);
        ck_assert_int_eq(pl_fs_replace(dir_fd, "file", "new!", 4, 0640, true), 0);
        ck_assert_int_eq(pl_fs_read(dir_fd, "file", 100, &out, NULL), 0);
        ck_assert_str_eq(out, "new!");
        ck_assert_int_eq(fstatat(dir_fd, "file", &st, 0), 0);
        ck_assert_int_eq(st.st_mode & 0777, 0640);
}
END_TEST

START_TEST(failure_keeps_the_old_one) {
        _cleanup_free_ char *out = NULL;

        ck_assert_int_eq(pl_fs_replace(dir_fd, "file", "old", 3, 0600, false), 0);
        ck_assert_int_eq(mkdirat(dir_fd, "file.new", 0700), 0); /* the temporary name is taken */
        ck_assert_int_lt(pl_fs_replace(dir_fd, "file", "new", 3, 0600, false), 0);
        ck_assert_int_eq(pl_fs_read(dir_fd, "file", 100, &out, NULL), 0);
        ck_assert_str_eq(out, "old");
}
END_TEST

START_TEST(failure_leaves_nothing) {
        ck_assert_int_eq(mkdirat(dir_fd, "file", 0700), 0); /* nothing renames over a directory */
        ck_assert_int_eq(pl_fs_replace(dir_fd, "file", "new", 3, 0600, false), -EISDIR);
        ck_assert_int_eq(unlinkat(dir_fd, "file", AT_REMOVEDIR), 0); /* the rest: teardown() */
}
END_TEST

START_TEST(missing) {
        char *out = NULL;

        ck_assert_int_eq(pl_fs_read(dir_fd, "nothing", 100, &out, NULL), -ENOENT);
        ck_assert_int_eq(pl_fs_replace(dir_fd, "no/where", "x", 1, 0600, false), -ENOENT);
        ck_assert_ptr_null(out);
}
END_TEST

static const struct {
        const char *name;
        int flags, r;
} below[] = {
        { ".", O_PATH | O_DIRECTORY, 0 },
        { "file", O_RDONLY, 0 },
        { "file", O_PATH | O_DIRECTORY, -ELOOP },
        { "link", O_PATH, 0 }, /* the link itself */
        { "link", O_RDONLY, -ELOOP },
        { "link", O_PATH | O_DIRECTORY, -ELOOP },
        { "none", O_RDONLY, -ENOENT },
};

START_TEST(opens_below) {
        _cleanup_close_ int fd = -EBADF;

        ck_assert_int_eq(pl_fs_replace(dir_fd, "file", "x", 1, 0600, false), 0);
        ck_assert_int_eq(symlinkat("/", dir_fd, "link"), 0);
        fd = pl_fs_open_below(dir_fd, below[_i].name, below[_i].flags);
        (void)unlinkat(dir_fd, "link", 0);
        ck_assert_msg(below[_i].r < 0 ? fd == below[_i].r : fd >= 0, "%s: %d", below[_i].name, fd);
}
END_TEST

START_TEST(stays_on_the_mount) {
        _cleanup_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

        ck_assert_int_ge(root, 0);
        ck_assert_int_eq(pl_fs_open_below(root, "proc", O_PATH | O_DIRECTORY), -EXDEV);
}
END_TEST

/* Each text with a pause before it, into a pipe whose reading end may not block. */
static int slow_pipe(const char *const *texts, pid_t *ret_pid) {
        int fds[2];

        ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
        *ret_pid = fork();
        ck_assert_int_ge(*ret_pid, 0);
        if (*ret_pid == 0) {
                for (; *texts; texts++) {
                        (void)usleep(50000);
                        if (pl_fs_write_all(fds[1], *texts, strlen(*texts), NULL) < 0)
                                _exit(1);
                }
                _exit(0);
        }
        (void)close(fds[1]);
        return fds[0];
}

START_TEST(waits_for_a_slow_writer) {
        static const char *const texts[] = { "one ", "two ", "three", NULL };
        _cleanup_free_ char *out = NULL;
        size_t size = 0;
        pid_t pid;
        _cleanup_close_ int fd = slow_pipe(texts, &pid);

        if (_i == 1 || _i == 2)
                ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
        ck_assert_int_eq(
                        pl_fs_read_stream(fd, _i == 3 ? 60000 : -1, _i == 2 ? 12 : 13, &out, &size),
                        _i == 2 ? -EFBIG : 0);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
        if (_i == 2)
                return;
        ck_assert_str_eq(out, "one two three");
        ck_assert_uint_eq(size, 13);
}
END_TEST

/* Whoever has the other end neither writes nor closes it, as an engine that waits for a request. */
START_TEST(gives_up_on_silence) {
        char *out = NULL;
        int fds[2];

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        ck_assert_int_eq(pl_fs_write_all(fds[1], "half", 4, NULL), 0);
        ck_assert_int_eq(pl_fs_read_stream(fds[0], 10, 100, &out, NULL), -ETIMEDOUT);
        ck_assert_ptr_null(out);
        (void)close(fds[0]);
        (void)close(fds[1]);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("fs");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_loop_test(t, round_trip, 0, PL_ARRAY_SIZE(rows));
        tcase_add_loop_test(t, waits_for_a_slow_writer, 0, 4);
        tcase_add_test(t, gives_up_on_silence);
        tcase_add_test(t, replaces_with_mode);
        tcase_add_test(t, failure_keeps_the_old_one);
        tcase_add_test(t, failure_leaves_nothing);
        tcase_add_test(t, missing);
        tcase_add_loop_test(t, opens_below, 0, PL_ARRAY_SIZE(below));
        tcase_add_test(t, stays_on_the_mount);
        return run_case(t);
}
