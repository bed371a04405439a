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
#include <time.h>

#include "logs/path.h"
#include "tmp.h"

#define LINE  "sixteen letters\n"
#define LINES 4000
#define NAME  "app.log"

static PlArchiver *archiver;

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

static bool is_archive(const char *name) {
        const char *end = strstr(name, PL_LOGPATH_ARCHIVE);

        return end && !end[strlen(PL_LOGPATH_ARCHIVE)];
}

/* Bytes in logs, archives not counted; those go, if asked. */
static uint64_t look(int dir_fd, bool remove_archives) {
        DIR *d = fdopendir(openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        uint64_t bytes = 0;
        struct dirent *e;
        struct stat st;

        ck_assert_ptr_nonnull(d);
        while ((e = readdir(d))) {
                if (fstatat(dir_fd, e->d_name, &st, 0) < 0 || !S_ISREG(st.st_mode))
                        continue;
                if (!is_archive(e->d_name))
                        bytes += (uint64_t)st.st_size;
                else if (remove_archives)
                        ck_assert_int_eq(unlinkat(dir_fd, e->d_name, 0), 0);
        }
        (void)closedir(d);
        return bytes;
}

/* A pass in which nobody seems to have the log open: what is left is the race. Return: how many
 * were packed. */
static uint64_t pack(const PlLogPathRequest *req, const char *proc, int dir_fd, uint64_t *bytes) {
        PlRotateContext ctx = { .archiver = archiver, .now_sec = (uint64_t)time(NULL) + 3600 };
        PlLogPathOutcome o;
        uint64_t packed;

        ck_assert_msg(pl_log_path_run(&ctx, req, proc, &o) == 0, "%s %s: %s",
                      o.errors[0].step ?: "?", o.errors[0].path ?: "?", strerror(-o.error));
        *bytes += o.raw_bytes;
        packed = o.n[PL_LOGPATH_COMPRESS];
        pl_log_path_outcome_deinit(&o);
        (void)look(dir_fd, true);
        return packed;
}

START_TEST(no_line_is_lost) {
        PlMount mount = { (char *)"bind", tmp, (char *)"/logs" };
        PlLogPathRequest req = { .source = strdup(tmp),
                                 .globs = calloc(1, sizeof(PlLogpathGlob)),
                                 .n_globs = 1,
                                 .policy = { .max_size_bytes = PL_UNLIMITED,
                                             .max_age_usec = PL_TIME_INFINITY,
                                             .compress_after_usec = 1 } };
        int dir_fd = open(tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC), status;
        uint64_t packed = 0, bytes = 0;
        _cleanup_free_ char *text = NULL;
        char proc[64];
        size_t which;
        pid_t pid;

        (void)snprintf(proc, sizeof(proc), "%s/proc", tmp);
        ck_assert_int_eq(mkdir(proc, 0755), 0);
        ck_assert_int_eq(pl_logpath_resolve(&mount, 1, "/logs/" NAME, &which, &req.globs[0], &text),
                         0);
        pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0)
                write_all(dir_fd);
        while (waitpid(pid, &status, WNOHANG) == 0)
                packed += pack(&req, proc, dir_fd, &bytes);
        ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        packed += pack(&req, proc, dir_fd, &bytes);
        ck_assert_uint_gt(packed, 0);
        /* what was put back beside a new one counts, too */
        ck_assert_uint_eq(bytes + look(dir_fd, false), LINES * strlen(LINE));
        (void)close(dir_fd);
        pl_log_path_request_deinit(&req);
}
END_TEST

static void setup(void) {
        tmp_make("/var/tmp");
        archiver = pl_archiver_new(1);
        ck_assert_ptr_nonnull(archiver);
}

static void teardown(void) {
        pl_archiver_free(archiver);
        tmp_remove();
}

int main(void) {
        TCase *c = tcase_create("all");

        tcase_add_checked_fixture(c, setup, teardown);
        tcase_set_timeout(c, 60);
        tcase_add_test(c, no_line_is_lost);
        return run_case(c);
}
