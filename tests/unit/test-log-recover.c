/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a rotation finds that did not leave the log as it was: a truncated log, a lost record, half
 * an archive, a policy that changed in the middle.
 */
#include "log-rotate-fixture.h"

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

int main(void) {
        TCase *c = tcase_create("all");

        tcase_add_checked_fixture(c, setup, teardown);
        tcase_set_timeout(c, 60);
        tcase_add_loop_test(c, truncated, 0, 2);
        tcase_add_loop_test(c, state_lost, 0, 2);
        tcase_add_test(c, stale_partial);
        tcase_add_test(c, off_in_the_middle);
        return run_case(c);
}
