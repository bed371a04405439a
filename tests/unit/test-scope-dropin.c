/* SPDX-License-Identifier: Apache-2.0 */

/* The file that gave new containers limits, and systemd's own files about old ones. */

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

/* An older version wrote it, and it would still raise what a container's creator has asked for. */
START_TEST(what_is_left_is_removed) {
        ck_assert_int_eq(mkdirat(dir_fd, "docker-.scope.d", 0755), 0);
        ck_assert_int_eq(pl_fs_replace(dir_fd, "docker-.scope.d/00-plimsoll.conf", "[Scope]\n", 8,
                                       0644, false),
                         0);
        ck_assert_int_eq(pl_scope_dropin_remove(tmp), 0);
        ck_assert_int_eq(faccessat(dir_fd, "docker-.scope.d/00-plimsoll.conf", F_OK, 0), -1);
        ck_assert_int_eq(pl_scope_dropin_remove(tmp), 0); /* nothing to remove is fine */
        ck_assert_int_eq(pl_scope_dropin_remove("/nowhere"), 0);
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
        tcase_add_test(tc, what_is_left_is_removed);
        tcase_add_test(tc, a_property_that_is_set_shows);
        tcase_add_test(tc, a_name_that_is_too_long_is_no_trap);
        return run_case(tc);
}
