/* SPDX-License-Identifier: Apache-2.0 */

/* The file that gives new containers their limits, and systemd's own files about old ones. */

#include "systemd/dropin.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "tmp.h"

static int dir_fd = -EBADF;

static void setup(void) {
        tmp_make("/tmp");
        dir_fd = open(tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ck_assert_int_ge(dir_fd, 0);
}

static void teardown(void) {
        (void)unlinkat(dir_fd, "docker-.scope.d", AT_REMOVEDIR);
        (void)unlinkat(dir_fd, "docker-1.scope.d/50-MemoryMax.conf", 0);
        (void)unlinkat(dir_fd, "docker-1.scope.d", AT_REMOVEDIR);
        (void)close(dir_fd);
        ck_assert_int_eq(rmdir(tmp), 0); /* fails when something was left behind */
}

START_TEST(is_written_and_removed) {
        PlLimits limits = { 0 };
        _cleanup_free_ char *text = NULL;

        limits.v[PL_RESOURCE_TASKS_MAX].set = true;
        limits.v[PL_RESOURCE_TASKS_MAX].number = 44;
        ck_assert_int_eq(pl_scope_dropin_write(tmp, &limits, 0), 0);
        ck_assert_int_eq(pl_fs_read(dir_fd, "docker-.scope.d/00-plimsoll.conf", 4096, &text, NULL),
                         0);
        ck_assert_ptr_nonnull(strstr(text, "[Scope]\n"));
        ck_assert_ptr_nonnull(strstr(text, "\nTasksMax=44\n"));
        ck_assert(pl_scope_dropin_is(tmp, &limits, 0));
        limits.v[PL_RESOURCE_TASKS_MAX].number = 4;
        ck_assert(!pl_scope_dropin_is(tmp, &limits, 0));
        limits.v[PL_RESOURCE_TASKS_MAX].number = 444;
        ck_assert(!pl_scope_dropin_is(tmp, &limits, 0));
        ck_assert_int_eq(pl_scope_dropin_write(tmp, NULL, 0), 0);
        ck_assert_int_eq(faccessat(dir_fd, "docker-.scope.d/00-plimsoll.conf", F_OK, 0), -1);
        ck_assert(!pl_scope_dropin_is(tmp, &limits, 0));
        ck_assert_int_eq(pl_scope_dropin_write(tmp, NULL, 0), 0); /* nothing to remove is fine */
}
END_TEST

START_TEST(nothing_to_write_makes_no_directory) {
        PlLimits limits = { 0 };

        ck_assert_int_eq(pl_scope_dropin_write(tmp, &limits, 0), 0);
        ck_assert_int_eq(faccessat(dir_fd, "docker-.scope.d", F_OK, 0), -1);
        ck_assert_int_eq(pl_scope_dropin_write("/nowhere", NULL, 0), 0);
        limits.v[PL_RESOURCE_TASKS_MAX].set = true;
        limits.v[PL_RESOURCE_TASKS_MAX].number = 44;
        ck_assert_int_eq(pl_scope_dropin_write("/nowhere", &limits, 0), -ENOENT);
}
END_TEST

/* As systemd does it: a property is written beside the old one and renamed. */
START_TEST(a_property_that_is_set_shows) {
        const struct timespec long_ago[2] = { { .tv_sec = 1000, .tv_nsec = 500000 },
                                              { .tv_sec = 1000, .tv_nsec = 500000 } };
        uint64_t now;

        ck_assert_uint_eq(pl_scope_dropin_changed(tmp, "docker-1.scope"), 0);
        ck_assert_int_eq(mkdirat(dir_fd, "docker-1.scope.d", 0755), 0);
        ck_assert_int_eq(utimensat(dir_fd, "docker-1.scope.d", long_ago, 0), 0);
        ck_assert_uint_eq(pl_scope_dropin_changed(tmp, "docker-1.scope"),
                          1000 * PL_USEC_PER_SEC + 500);
        now = (uint64_t)time(NULL) * PL_USEC_PER_SEC;
        {
                _cleanup_close_ int d = openat(dir_fd, "docker-1.scope.d",
                                               O_RDONLY | O_DIRECTORY | O_CLOEXEC);

                ck_assert_int_eq(pl_fs_replace(d, "50-MemoryMax.conf", "x", 1, 0644, false), 0);
        }
        ck_assert_uint_ge(pl_scope_dropin_changed(tmp, "docker-1.scope") + PL_USEC_PER_SEC, now);
}
END_TEST

START_TEST(scopes_that_are_there_already_are_seen) {
        static const struct {
                const char *name;
                bool concerned;
        } rows[] = {
                { "cron.service", false },
                { "docker-1.scope.d", false },
                { "docker.scope", false },
                { "docker-1.scope", true },
        };

        ck_assert(!pl_scope_dropin_concerns_any(tmp));
        ck_assert(!pl_scope_dropin_concerns_any("/nowhere"));
        for (size_t i = 0; i < PL_ARRAY_SIZE(rows); i++) {
                int fd = openat(dir_fd, rows[i].name, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);

                ck_assert_int_ge(fd, 0);
                (void)close(fd);
                ck_assert_msg(pl_scope_dropin_concerns_any(tmp) == rows[i].concerned, "%s",
                              rows[i].name);
                (void)unlinkat(dir_fd, rows[i].name, 0);
        }
}
END_TEST

START_TEST(a_name_that_is_too_long_is_no_trap) {
        char name[5000];

        memset(name, 'x', sizeof(name) - 1);
        name[sizeof(name) - 1] = '\0';
        ck_assert_uint_eq(pl_scope_dropin_changed(tmp, name), 0);
}
END_TEST

int main(void) {
        TCase *tc = tcase_create("scope-dropin");

        tcase_add_checked_fixture(tc, setup, teardown);
        tcase_add_test(tc, is_written_and_removed);
        tcase_add_test(tc, nothing_to_write_makes_no_directory);
        tcase_add_test(tc, a_property_that_is_set_shows);
        tcase_add_test(tc, scopes_that_are_there_already_are_seen);
        tcase_add_test(tc, a_name_that_is_too_long_is_no_trap);
        return run_case(tc);
}
