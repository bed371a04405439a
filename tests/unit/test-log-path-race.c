/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A writer that opens its log for each line, while the log is packed and removed again and again:
 * whatever it has written is in an archive or in the log.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "logs/path-internal.h"
#include "tmp.h"

#define LINE  "sixteen letters\n"
#define LINES 4000
#define NAME  "app.log"

static void write_all(int dir_fd) {
        for (unsigned i = 0; i < LINES; i++) {
                int fd = openat(dir_fd, NAME, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);

                if (fd < 0 || write(fd, LINE, strlen(LINE)) != (ssize_t)strlen(LINE))
                        _exit(1);
                (void)close(fd);
                (void)usleep((useconds_t)(random() % 1500)); /* else it never is unwritten */
        }
        _exit(0);
}

/* Return: 1 packed and gone; 0 not now. */
static int pack(const PlRotateContext *ctx, int dir_fd, PlLogPathOutcome *o) {
        PlLogPathName f = { .name = (char *)NAME };
        const char *step = NULL;
        int r;

        if (fstatat(dir_fd, NAME, &f.st, AT_SYMLINK_NOFOLLOW) < 0)
                return 0;
        r = pl_log_path_compress(ctx, dir_fd, &f, o, &step);
        ck_assert_msg(r == 0 || r == -EAGAIN || r == -ESTALE || r == -ENODATA, "%s: %s",
                      step ?: "?", strerror(-r));
        if (r == 0)
                ck_assert_int_eq(unlinkat(dir_fd, NAME PL_LOGPATH_ARCHIVE, 0), 0);
        return r == 0;
}

START_TEST(no_line_is_lost) {
        PlRotateContext ctx = { .archiver = pl_archiver_new(1), .now_sec = 1767400000 };
        PlLogPathOutcome o = { 0 };
        int dir_fd = open(tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC), status;
        unsigned packed = 0;
        struct dirent *e;
        struct stat st;
        DIR *d;
        pid_t pid = fork();

        ck_assert_int_ge(pid, 0);
        if (pid == 0)
                write_all(dir_fd);
        while (waitpid(pid, &status, WNOHANG) == 0)
                packed += (unsigned)pack(&ctx, dir_fd, &o);
        ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        packed += (unsigned)pack(&ctx, dir_fd, &o);
        ck_assert_uint_gt(packed, 0);
        /* what was put back beside a new one counts, too */
        d = fdopendir(openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        ck_assert_ptr_nonnull(d);
        while ((e = readdir(d)))
                if (fstatat(dir_fd, e->d_name, &st, 0) == 0 && S_ISREG(st.st_mode))
                        o.raw_bytes += (uint64_t)st.st_size;
        (void)closedir(d);
        ck_assert_uint_eq(o.raw_bytes, LINES * strlen(LINE));
        (void)close(dir_fd);
        pl_archiver_free(ctx.archiver);
}
END_TEST

static void setup(void) {
        tmp_make("/var/tmp");
}

int main(void) {
        TCase *c = tcase_create("all");

        tcase_add_checked_fixture(c, setup, tmp_remove);
        tcase_set_timeout(c, 60);
        tcase_add_test(c, no_line_is_lost);
        return run_case(c);
}
