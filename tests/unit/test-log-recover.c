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
                return;
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

int main(void) {
        TCase *c = tcase_create("all");

        tcase_add_checked_fixture(c, setup, teardown);
        tcase_set_timeout(c, 60);
        tcase_add_loop_test(c, truncated, 0, 2);
        tcase_add_loop_test(c, state_lost, 0, 2);
        tcase_add_test(c, stale_partial);
        tcase_add_test(c, off_in_the_middle);
        tcase_add_test(c, shortened_in_the_middle);
        return run_case(c);
}
