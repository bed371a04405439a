/* SPDX-License-Identifier: Apache-2.0 */
/* Archive names: there and back; anything else in the directory is not an archive. */

#include "lib/logs/archive-name.h"
#include "unit.h"

#define END "@0123456789ab_000042_20260102T030405Z_20260102T031500Z.log.zst"

START_TEST(round_trip) {
        static const char *const containers[] = { "x", "stack-postgres-1", "a.b_c", "a_000001_b" };
        PlArchiveName n = { .id = "0123456789ab",
                            .gen = 42,
                            .from_sec = 1767323045,
                            .to_sec = 1767323700 },
                      back;
        char s[PL_ARCHIVE_NAME_MAX];

        strcpy(n.container, containers[_i]);
        ck_assert_int_eq(pl_archive_name_format(&n, s), 0);
        ck_assert(strncmp(s, containers[_i], strlen(containers[_i])) == 0);
        ck_assert_str_eq(s + strlen(containers[_i]), END);
        ck_assert(pl_archive_name_parse(s, &back));
        ck_assert_str_eq(back.container, n.container);
        ck_assert_str_eq(back.id, n.id);
        ck_assert_uint_eq(back.gen, n.gen);
        ck_assert_uint_eq(back.from_sec, n.from_sec);
        ck_assert_uint_eq(back.to_sec, n.to_sec);
}
END_TEST

START_TEST(odd_container) {
        PlArchiveName n = { .id = "0123456789ab", .gen = UINT64_C(12345678901), .to_sec = 1 }, back;
        char s[PL_ARCHIVE_NAME_MAX];

        memset(n.container, '/', sizeof(n.container) - 1);
        ck_assert_int_eq(pl_archive_name_format(&n, s), 0);
        ck_assert(pl_archive_name_parse(s, &back));
        ck_assert_uint_eq(back.gen, n.gen);
        ck_assert_ptr_null(strchr(s, '/'));
        n.to_sec = UINT64_MAX;
        ck_assert_int_lt(pl_archive_name_format(&n, s), 0);
}
END_TEST

static const char *const strangers[] = {
        "",
        "x",
        ".log.zst",
        END,
        ".partial-0123456789ab",
        "x@0123456789AB_000042_20260102T030405Z_20260102T031500Z.log.zst",
        "x@0123456789ab_42_20260102T030405Z_20260102T031500Z.log.zst",
        "x@0123456789ab_000000_20260102T030405Z_20260102T031500Z.log.zst",
        "x@0123456789ab_0000042_20260102T030405Z_20260102T031500Z.log.zst",
        "x@0123456789ab_000042_20260102T031500Z_20260102T030405Z.log.zst",
        "x@0123456789ab_000042_20260132T030405Z_20260202T031500Z.log.zst",
        "x@0123456789ab_000042_20260102T030405Z_20260102T031500Z.log.zst.tmp",
        "x y@0123456789ab_000042_20260102T030405Z_20260102T031500Z.log.zst",
        "a@b@0123456789ab_000042_20260102T030405Z_20260102T031500Z.log.zst",
        "x0123456789ab_000042_20260102T030405Z_20260102T031500Z.log.zst",
};

START_TEST(stranger) {
        PlArchiveName n;

        ck_assert_msg(!pl_archive_name_parse(strangers[_i], &n), "'%s'", strangers[_i]);
}
END_TEST

/* clang-format off */
static const struct {
        const char *service, *dir;
} dirs[] = {
        { "postgres", "postgres" }, { NULL, "defaults" },   { "", "defaults" }, { "..", "_." },
        { "a/b c", "a_b_c" },       { ".state", "_state" }, { "x.y", "x.y" },
};
/* clang-format on */

START_TEST(dir_name) {
        char s[PL_ARCHIVE_NAME_MAX];

        pl_archive_dir_name(dirs[_i].service, s);
        ck_assert_str_eq(s, dirs[_i].dir);
}
END_TEST

int main(void) {
        TCase *c = tcase_create("all");

        tcase_add_loop_test(c, round_trip, 0, 4);
        tcase_add_test(c, odd_container);
        tcase_add_loop_test(c, stranger, 0, PL_ARRAY_SIZE(strangers));
        tcase_add_loop_test(c, dir_name, 0, PL_ARRAY_SIZE(dirs));
        return run_case(c);
}
