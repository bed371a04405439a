/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who of the engine's own rotated files stays held when there is a new live log. Files are written
 * as words, the newest first: the letter tells the file, a capital one that it is packed, and a
 * dash stands for one that is missing.
 */
#include "lib/logs/rotated.h"

#include "unit.h"

#define FILES_MAX 8

static size_t files(const char *letters, PlLogRotated ret[static FILES_MAX]) {
        size_t n = 0;

        for (unsigned i = 0; letters[i]; i++)
                if (letters[i] != '-')
                        ret[n++] = (PlLogRotated){ .number = i,
                                                   .packed = letters[i] < 'a',
                                                   .ino = (uint64_t)letters[i],
                                                   .bytes = (uint64_t)(letters[i] | 0x20) };
        return n;
}

static const struct {
        const char *name, *old, *now;
        size_t max_files;
        const char *kept;
} rows[] = {
        { "nothing was held", "", "a", 3, "" },
        { "grows by one", "a", "ba", 3, "" },
        { "the oldest is gone", "cba", "dcb", 3, "" },
        { "rotated twice", "cba", "edc", 3, "" },
        { "rotated more often than there are files", "cba", "gfe", 3, "" },
        { "removed just after it has rotated, some are gone", "cba", "dc", 3, "b" },
        { "removed, only the live log is there still", "cba", "d", 3, "cb" },
        { "removed, grown by one before", "ba", "ca", 4, "b" },
        { "packed meanwhile", "dcB", "edCB", 4, "" },
        { "packed meanwhile, the oldest is gone", "dcBA", "edCB", 4, "" },
        { "packed meanwhile, and being removed", "dcBA", "e-C", 4, "dB" },
        { "one file alone", "a", "b", 1, "" },
        { "more files than said, by hand", "dcba", "ed", 3, "c" },
};

START_TEST(keeps) {
        PlLogRotated old[FILES_MAX] = { 0 }, now[FILES_MAX] = { 0 };
        size_t n_old = files(rows[_i].old, old), n_now = files(rows[_i].now, now), n;
        bool keep[FILES_MAX];
        char kept[FILES_MAX + 1] = "";

        n = pl_log_rotated_keep(old, n_old, now, n_now, rows[_i].max_files, keep);
        for (size_t i = 0; i < n_old; i++)
                if (keep[i])
                        strncat(kept, &rows[_i].old[i], 1);
        ck_assert_msg(pl_streq(kept, rows[_i].kept), "%s: %s", rows[_i].name, kept);
        ck_assert_uint_eq(n, strlen(kept));
}
END_TEST

START_TEST(within) {
        static const PlLogRotated held[] = { { .bytes = 10 }, { .bytes = 100 }, { .bytes = 100 } };

        ck_assert_uint_eq(pl_log_rotated_within(held, 3, 0), 0);
        ck_assert_uint_eq(pl_log_rotated_within(held, 3, 10), 1);
        ck_assert_uint_eq(pl_log_rotated_within(held, 3, 11), 2);
        ck_assert_uint_eq(pl_log_rotated_within(held, 3, 110), 2);
        ck_assert_uint_eq(pl_log_rotated_within(held, 3, PL_UNLIMITED), 3);
        ck_assert_uint_eq(pl_log_rotated_within(held, 0, 7), 0);
}
END_TEST

int main(void) {
        TCase *c = tcase_create("all");

        tcase_add_loop_test(c, keeps, 0, PL_ARRAY_SIZE(rows));
        tcase_add_test(c, within);
        return run_case(c);
}
