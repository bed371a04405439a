/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One rotation on real files: what goes into the archive, what stays and for how long. Crashes and
 * writers are the rotate harness's business.
 */
#include "lib/logs/seek-table.h"
#include "log-rotate-fixture.h"
#include "rotate/point.h"

/* clang-format off */
static const struct {
        const char *name;
        unsigned engine;
        bool running;
        PlLogMethod wanted;
} ways[] = {
        { "collapse under a live writer below 23", 20, true, PL_LOG_METHOD_COLLAPSE },
        { "punch", 26, true, PL_LOG_METHOD_PUNCH },
        { "stopped", 26, false, PL_LOG_METHOD_AUTO },
        { "reflink", 26, true, PL_LOG_METHOD_REFLINK },
};
/* clang-format on */

static bool able(size_t i) {
        PlRotateRequest req = request(ways[i].engine, ways[i].running);

        req.facts.driver = "json-file";
        req.facts.wanted = ways[i].wanted;
        req.facts.probe = &probe;
        return pl_rotate_choose(&req.facts).method != PL_LOG_METHOD_OFF;
}

START_TEST(nothing_lost) {
        PlRotateRequest req = request(ways[_i].engine, ways[_i].running);
        PlRotateOutcome o;
        unsigned n = 0;

        req.facts.wanted = ways[_i].wanted;
        if (!able((size_t)_i))
                SKIP_HERE("this file system cannot; the harness runs on one that can");
        for (unsigned round = 1; round <= 6; round++) {
                append(n, n + round * 400);
                n += round * 400;
                ck_assert_msg(rotate(&req, &o) == 0, "%s: %s: %s", ways[_i].name, o.step,
                              strerror(-o.error));
                ck_assert_uint_eq(read_back(), n);
                ck_assert_uint_lt(o.size_bytes - o.head_bytes, KIB(64));
        }
        ck_assert_uint_gt(o.archives.files, 3);
        if (!ways[_i].running)
                ck_assert_uint_lt(o.size_bytes, KIB(72)); /* short indeed */
}
END_TEST

START_TEST(not_due) {
        PlRotateRequest req = request(20, true);
        PlRotateOutcome o;

        append(0, 10);
        ck_assert_int_eq(rotate(&req, &o), 0);
        ck_assert_uint_eq(o.rotations, 0);
        req.force = true; /* too small for a block to be freed */
        ck_assert_int_eq(rotate(&req, &o), 0);
        ck_assert_uint_eq(o.rotations, 0);
        append(10, 500);
        ck_assert_int_eq(rotate(&req, &o), 0);
        ck_assert_uint_eq(o.rotations, 1);
        ck_assert_uint_gt(o.lines, 300);
        ck_assert_uint_eq(read_back(), 500);
}
END_TEST

/* What is not ours is not touched, not even opened. */
START_TEST(left_alone) {
        PlRotateRequest req = request(20, true);
        PlRotateOutcome o;
        struct stat before, after;

        if (_i == 0)
                req.facts.native_max_size = true;
        else if (_i == 1)
                req.driver = (char *)"local";
        else
                req.facts.wanted = PL_LOG_METHOD_OFF;
        append(0, 2000);
        ck_assert_int_eq(stat(log_path, &before), 0);
        ck_assert_int_eq(rotate(&req, &o), 0);
        ck_assert_int_eq(stat(log_path, &after), 0);
        ck_assert_int_eq(o.method, PL_LOG_METHOD_OFF);
        ck_assert_int_eq(o.why, _i == 0   ? PL_ROTATE_WHY_NATIVE
                                : _i == 1 ? PL_ROTATE_WHY_DRIVER
                                          : PL_ROTATE_WHY_OFF);
        ck_assert_int_eq(memcmp(&before.st_mtim, &after.st_mtim, sizeof(before.st_mtim)), 0);
        ck_assert_int_eq(before.st_size, after.st_size);
}
END_TEST

START_TEST(retention) {
        _cleanup_(pl_log_rules_freep) PlLogRules *rules = pl_log_rules_new();
        const PlRetainRule two = { 2, PL_TIME_INFINITY };
        PlRotateRequest req = request(20, true);
        PlStoredArchive *archives;
        PlRotateOutcome o;
        size_t n;

        ck_assert_ptr_nonnull(rules);
        ck_assert_int_eq(pl_log_rules_set(rules, ID, "front/web", &two), 0);
        req.rules = rules;
        for (unsigned i = 0; i < 5; i++) {
                append(i * 2000, i * 2000 + 2000);
                ck_assert_int_eq(rotate(&req, &o), 0);
        }
        ck_assert_uint_eq(o.archives.files, 2);
        ck_assert_int_eq(pl_log_store_list(store, NULL, &archives, &n), 0);
        ck_assert_uint_eq(n, 2);
        ck_assert_uint_eq(archives[0].name.gen, 4); /* the newest stay */
        ck_assert_uint_eq(archives[1].name.gen, 5);
        ck_assert_uint_eq(o.archives.bytes, archives[0].bytes + archives[1].bytes);
        free(archives);
        req.budget_bytes = 0;
        ck_assert_int_eq(rotate(&req, &o), 0);
        ck_assert_uint_eq(o.archives.dropped, 2);
        ck_assert_uint_eq(o.archives.total_bytes, 0);
        append(0, 2000); /* the directory is made anew */
        req.budget_bytes = PL_UNLIMITED;
        ck_assert_int_eq(rotate(&req, &o), 0);
        ck_assert_uint_eq(o.archives.files, 1);
}
END_TEST

/* Frames end at line ends and the table finds each of them. */
START_TEST(seekable) {
        PlRotateRequest req = request(20, true);
        PlStoredArchive *archives;
        PlRotateOutcome o;
        PlSeekTable t;
        uint8_t *data;
        size_t n, size, at = 0;
        char *raw = malloc(MIB(16));
        int fd;

        append(0, 300000);
        ck_assert_int_eq(rotate(&req, &o), 0);
        ck_assert_int_eq(pl_log_store_list(store, ID, &archives, &n), 0);
        ck_assert_uint_eq(n, 1);
        data = malloc(archives[0].size);
        fd = pl_log_store_open_archive(store, &archives[0]);
        ck_assert_int_eq(read(fd, data, archives[0].size), (ssize_t)archives[0].size);
        (void)close(fd);
        size = pl_seek_table_size(data + archives[0].size - PL_SEEK_FOOTER_BYTES);
        ck_assert_int_eq(pl_seek_table_decode(data + archives[0].size - size, size,
                                              archives[0].size, &t),
                         0);
        ck_assert_uint_ge(t.n, 3);
        for (size_t i = 0; i < t.n; at += t.frames[i++].packed_bytes) {
                size_t got = ZSTD_decompress(raw, MIB(16), data + at, t.frames[i].packed_bytes);

                ck_assert_uint_eq(got, t.frames[i].raw_bytes);
                ck_assert_int_eq(raw[0], '{');
                ck_assert_int_eq(raw[got - 1], '\n');
        }
        pl_seek_table_deinit(&t);
        free(data);
        free(raw);
        free(archives);
        ck_assert_uint_eq(read_back(), 300000);
}
END_TEST

/* A writer gets the log's lock between two pieces of a hole: here it writes in each of these gaps.
 */
static unsigned n_written, n_gaps;
static bool writes_in_gaps;

void pl_log_rotate_point(PlRotatePoint p) {
        if (p != PL_ROTATE_POINT_FREEING || !writes_in_gaps)
                return;
        append(n_written, n_written + 10);
        n_written += 10;
        n_gaps++;
}

START_TEST(large_hole) {
        PlRotateRequest req = request(26, true);
        PlRotateOutcome o;
        struct stat st;

        req.facts.wanted = PL_LOG_METHOD_PUNCH;
        n_written = 200000;
        append(0, n_written);
        writes_in_gaps = true;
        ck_assert_int_eq(rotate(&req, &o), 0);
        writes_in_gaps = false;
        ck_assert_uint_ge(o.raw_bytes, MIB(12));
        ck_assert_uint_ge(n_gaps, 3);
        ck_assert_int_eq(stat(log_path, &st), 0);
        ck_assert_uint_ge((uint64_t)st.st_size, MIB(12));
        ck_assert_uint_le((uint64_t)st.st_blocks * 512, KIB(128)); /* none is left behind */
        ck_assert_uint_eq(read_back(), n_written);
}
END_TEST

int main(void) {
        TCase *c = tcase_create("all");

        tcase_add_checked_fixture(c, setup, teardown);
        tcase_set_timeout(c, 60);
        tcase_add_loop_test(c, nothing_lost, 0, PL_ARRAY_SIZE(ways));
        tcase_add_test(c, not_due);
        tcase_add_loop_test(c, left_alone, 0, 3);
        tcase_add_test(c, retention);
        tcase_add_test(c, seekable);
        tcase_add_test(c, large_hole);
        return run_case(c);
}
