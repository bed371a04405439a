/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is refused: a log that somebody has open, and anything in its place that is no log.
 */
#include <errno.h>
#include <sys/wait.h>

#include "log-rotate-fixture.h"

/* A container stopped, but somebody reads its log: nothing is made shorter under a reader's feet on
 * an engine that would not survive it. */
START_TEST(leased) {
        PlRotateRequest req = request(26, false);
        PlRotateOutcome o;
        int fd;

        append(0, 2000);
        fd = open(log_path, O_RDONLY | O_CLOEXEC);
        ck_assert_int_eq(rotate(&req, &o), 0);
        ck_assert_int_ne(o.method, PL_LOG_METHOD_COLLAPSE);
        ck_assert_uint_eq(read_back(), 2000);
        (void)close(fd);
        ck_assert_int_eq(rotate(&req, &o), 0); /* now the hole is given back */
        ck_assert_int_eq(o.method, PL_LOG_METHOD_COLLAPSE);
        ck_assert_uint_lt(o.size_bytes, KIB(72));
        ck_assert_uint_eq(read_back(), 2000);
}
END_TEST

/* clang-format off */
static const struct {
        const char *name, *command; /* in the container's directory, $L = its log */
        int r;
} odd[] = {
        { "symbolic link", "mv $L x && ln -s x $L", -ELOOP },
        { "link to elsewhere", "rm $L && ln -s /etc/passwd $L", -ELOOP },
        { "second name", "ln $L x", -EMEDIUMTYPE },
        { "FIFO", "rm $L && mkfifo $L", -EMEDIUMTYPE },
        /* only root can make one */
        { "device", "rm $L && { mknod $L c 1 3 2>/dev/null || mkfifo $L; }", -EMEDIUMTYPE },
        { "directory", "rm $L && mkdir $L", -EISDIR },
        { "gone", "rm $L", -ENOENT },
        { "linked directory", "cd .. && mv " ID " d && ln -s d " ID, -ELOOP },
};
/* clang-format on */

START_TEST(odd_file) {
        PlRotateRequest req = request(20, true);
        PlRotateOutcome o;
        PlLogFile file;
        char command[1024];

        append(0, 2000);
        snprintf(command, sizeof(command), "cd %s/" ID " && L=" ID "-json.log && %s", tmp,
                 odd[_i].command);
        ck_assert_int_eq(system(command), 0);
        ck_assert_msg(rotate(&req, &o) == odd[_i].r, "%s: %d (%s)", odd[_i].name, o.error,
                      strerror(-o.error));
        ck_assert_uint_eq(o.rotations, 0);
        if (odd[_i].r != -ENOENT)
                ck_assert_str_eq(o.step, "opening the log");
        /* nor does whoever reads or watches it wait for a writer */
        ck_assert_int_lt(pl_log_file_open(log_path, ID, false, &file), 0);
        ck_assert_int_lt(pl_log_file_open_path(log_path, ID), 0);
}
END_TEST

START_TEST(odd_path) {
        static const char *const paths[] = {
                "",
                "x",
                "/etc/passwd",
                "/" ID "-json.log",
                "/x/" ID "/" ID "-json.log/..",
                "/x/y/" ID "-json.log",
        };
        PlLogFile f = PL_LOG_FILE_INIT;

        ck_assert_int_eq(pl_log_file_open(paths[_i], ID, true, &f), -EINVAL);
        ck_assert_int_eq(pl_log_file_open_path(paths[_i], ID), -EINVAL);
}
END_TEST

int main(void) {
        TCase *c = tcase_create("all");

        tcase_add_checked_fixture(c, setup, teardown);
        tcase_set_timeout(c, 60);
        tcase_add_test(c, leased);
        tcase_add_loop_test(c, odd_file, 0, PL_ARRAY_SIZE(odd));
        tcase_add_loop_test(c, odd_path, 0, 6);
        return run_case(c);
}
