/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Resources: each row of the table in each hierarchy, there and back.
 */

#include "lib/limits/resource.h"

#include <errno.h>

#include "same-limits.h"
#include "unit.h"

#define V1      PL_HIERARCHY_V1
#define V2      PL_HIERARCHY_V2
#define R(name) PL_RESOURCE_##name

/* text NULL: a number; file NULL: this hierarchy has no such file */
static const struct {
        PlResource r;
        PlHierarchy h;
        uint64_t number;
        const char *text;
        const char *file;
} files[] = {
        { R(CPU_QUOTA), V1, 2000000, NULL, "200000" },
        { R(CPU_QUOTA), V2, 2000000, NULL, "200000 100000" },
        { R(CPU_QUOTA), V1, PL_UNLIMITED, NULL, "-1" },
        { R(CPU_QUOTA), V2, PL_UNLIMITED, NULL, "max 100000" },
        { R(CPU_WEIGHT), V1, 100, NULL, "1024" },
        { R(CPU_WEIGHT), V1, 1, NULL, "10" },
        { R(CPU_WEIGHT), V1, 10000, NULL, "102400" },
        { R(CPU_WEIGHT), V2, 10000, NULL, "10000" },
        { R(ALLOWED_CPUS), V1, 0, "0-1", "0-1" },
        { R(ALLOWED_CPUS), V2, 0, "", "\n" },
        { R(MEMORY_MIN), V1, MIB(8), NULL, NULL },
        { R(MEMORY_MIN), V2, MIB(8), NULL, "8388608" },
        { R(MEMORY_LOW), V1, MIB(8), NULL, "8388608" },
        { R(MEMORY_LOW), V2, 0, NULL, "0" },
        { R(MEMORY_HIGH), V1, MIB(8), NULL, NULL },
        { R(MEMORY_HIGH), V2, PL_UNLIMITED, NULL, "max" },
        { R(MEMORY_MAX), V1, MIB(64), NULL, "67108864" },
        { R(MEMORY_MAX), V1, PL_UNLIMITED, NULL, "-1" },
        { R(MEMORY_MAX), V2, PL_UNLIMITED, NULL, "max" },
        { R(MEMORY_SWAP_MAX), V1, MIB(96), NULL, "100663296" },
        { R(MEMORY_SWAP_MAX), V2, 0, NULL, "0" },
        { R(TASKS_MAX), V1, 512, NULL, "512" },
        { R(TASKS_MAX), V1, PL_UNLIMITED, NULL, "max" },
        { R(TASKS_MAX), V2, PL_UNLIMITED, NULL, "max" },
        { R(IO_WEIGHT), V1, 100, NULL, "100" },
        { R(IO_WEIGHT), V1, 10000, NULL, "1000" },
        { R(IO_WEIGHT), V2, 500, NULL, "default 500" },
        { R(IO_READ_BANDWIDTH_MAX), V1, 0, "8:0 1000; 8:16 7", "8:0 1000\n8:16 7\n" },
        { R(IO_READ_BANDWIDTH_MAX), V2, 0, "8:0 1000; 8:16 7", "8:0 rbps=1000\n8:16 rbps=7\n" },
        { R(IO_WRITE_BANDWIDTH_MAX), V2, 0, "8:0 1000", "8:0 wbps=1000\n" },
        { R(IO_WRITE_BANDWIDTH_MAX), V2, 0, "", "" },
};

START_TEST(format_and_back) {
        PlValue v = { true, files[_i].number, (char *)files[_i].text }, back = { 0 };
        _cleanup_free_ char *s = NULL;
        int r = pl_resource_format_file(files[_i].r, files[_i].h, &v, &s);

        if (!files[_i].file) {
                ck_assert_int_eq(r, -EOPNOTSUPP);
                ck_assert_int_eq(pl_resource_parse_file(files[_i].r, files[_i].h, "1", &back),
                                 -EOPNOTSUPP);
                return;
        }
        ck_assert_int_eq(r, 0);
        ck_assert_msg(pl_streq(s, files[_i].file), "row %d: \"%s\"", _i, s);
        ck_assert_int_eq(pl_resource_parse_file(files[_i].r, files[_i].h, s, &back), 0);
        ck_assert_msg(pl_value_equal(&v, &back), "row %d: read back %" PRIu64 " %s", _i,
                      back.number, back.text ? back.text : "");
        pl_value_deinit(&back);
}
END_TEST

static const struct {
        PlResource r;
        PlHierarchy h;
        const char *file;
        int q;
        uint64_t number;
        const char *text;
} contents[] = {
        { R(MEMORY_MAX), V1, "9223372036854771712\n", 0, PL_UNLIMITED, NULL },
        { R(MEMORY_MAX), V1, "9223372036854710272\n", 0, PL_UNLIMITED, NULL }, /* 64 KiB pages */
        { R(MEMORY_MAX), V2, "max\n", 0, PL_UNLIMITED, NULL },
        { R(MEMORY_MAX), V2, "4095\n", 0, 4095, NULL },
        { R(MEMORY_MAX), V2, "", -EINVAL, 0, NULL },
        { R(MEMORY_MAX), V2, "4G\n", -EINVAL, 0, NULL },
        { R(MEMORY_MAX), V2, "1 2\n", -EINVAL, 0, NULL },
        { R(MEMORY_MAX), V2, "99999999999999999999999999\n", -EINVAL, 0, NULL },
        { R(CPU_QUOTA), V2, "50000 100000\n", 0, 500000, NULL },
        { R(CPU_QUOTA), V2, "1000 1000000\n", 0, 1000, NULL },
        { R(CPU_QUOTA), V1, "150000", 0, 1500000, NULL },
        { R(CPU_QUOTA), V1, "150000 50000", 0, 3000000, NULL },
        { R(CPU_QUOTA), V1, "-1 100000", 0, PL_UNLIMITED, NULL },
        { R(CPU_QUOTA), V2, "1 0\n", -EINVAL, 0, NULL },
        { R(CPU_QUOTA), V2, "1 2 3\n", -EINVAL, 0, NULL },
        { R(CPU_QUOTA), V2, "18446744073709551614 1\n", -EINVAL, 0, NULL },
        { R(CPU_WEIGHT), V1, "1024\n", 0, 100, NULL },
        { R(CPU_WEIGHT), V1, "512\n", 0, 50, NULL },
        { R(CPU_WEIGHT), V1, "2\n", 0, 0, NULL }, /* below every weight: seen as drift */
        { R(CPU_WEIGHT), V2, "x\n", -EINVAL, 0, NULL },
        { R(IO_WEIGHT), V2, "default 200\n8:0 50\n", 0, 200, NULL },
        { R(IO_WEIGHT), V1, "550\n", 0, 5050, NULL },
        { R(ALLOWED_CPUS), V2, "\n", 0, 0, "" },
        { R(ALLOWED_CPUS), V2, "0-1\n", 0, 0, "0-1" },
        { R(ALLOWED_CPUS), V2, "a\n", -EINVAL, 0, NULL },
        { R(TASKS_MAX), V2, "max\n", 0, PL_UNLIMITED, NULL },
        { R(IO_READ_BANDWIDTH_MAX), V2,
          "8:16 rbps=5 wbps=max riops=max wiops=max\n8:0 rbps=max wbps=9\n", 0, 0, "8:16 5" },
        { R(IO_WRITE_BANDWIDTH_MAX), V2,
          "8:16 rbps=5 wbps=max riops=max wiops=max\n8:0 rbps=max wbps=9\n", 0, 0, "8:0 9" },
        { R(IO_READ_BANDWIDTH_MAX), V1, "", 0, 0, "" },
        { R(IO_READ_BANDWIDTH_MAX), V2, "8:16\n", -EINVAL, 0, NULL },
        { R(IO_READ_BANDWIDTH_MAX), V2, "8:16 rbps=x\n", -EINVAL, 0, NULL },
};

START_TEST(parse) {
        PlValue v = { 0 };
        int q = pl_resource_parse_file(contents[_i].r, contents[_i].h, contents[_i].file, &v);

        ck_assert_msg(q == contents[_i].q, "row %d: returned %d", _i, q);
        ck_assert_int_eq(v.set, q == 0);
        if (q == 0) {
                ck_assert_msg(v.number == contents[_i].number, "row %d: %" PRIu64, _i, v.number);
                ck_assert_pstr_eq(v.text, contents[_i].text);
        }
        pl_value_deinit(&v);
}
END_TEST

static const struct {
        PlResource r;
        PlHierarchy h;
        uint64_t in, out;
} normal[] = {
        { R(MEMORY_MAX), V2, 1000000, 999424 },
        { R(MEMORY_MAX), V1, 999424, 999424 },
        { R(MEMORY_MAX), V1, PL_UNLIMITED, PL_UNLIMITED },
        { R(MEMORY_MAX), V1, INT64_MAX, PL_UNLIMITED },
        { R(MEMORY_LOW), V2, 4095, 0 },
        { R(TASKS_MAX), V2, 4095, 4095 },
        { R(CPU_WEIGHT), V1, 333, 333 },
        { R(CPU_WEIGHT), V2, 333, 333 },
        { R(IO_WEIGHT), V1, 105, 100 }, /* BFQ's steps are coarser: 11 of ours */
        { R(IO_WEIGHT), V1, 200, 200 },
        { R(IO_WEIGHT), V1, 250, 250 },
        { R(IO_WEIGHT), V1, 500, 500 },
        { R(IO_WEIGHT), V1, 1000, 1000 },
        { R(IO_WEIGHT), V1, 10000, 10000 },
        { R(IO_WEIGHT), V1, 9999, 9990 },
        { R(IO_WEIGHT), V2, 105, 105 },
};

START_TEST(normalise) {
        PlValue v = { true, normal[_i].in, NULL }, unset = { 0 };

        pl_resource_normalise(normal[_i].r, normal[_i].h, 4096, &v);
        ck_assert_msg(v.number == normal[_i].out, "row %d: %" PRIu64, _i, v.number);
        pl_resource_normalise(normal[_i].r, normal[_i].h, 4096, &v);
        ck_assert_uint_eq(v.number, normal[_i].out);
        pl_resource_normalise(normal[_i].r, normal[_i].h, 4096, &unset);
        ck_assert(!unset.set);
}
END_TEST

/* Every weight, written and read back, is its normalised self: else it is repaired for ever. */
START_TEST(weights_settle) {
        static const PlResource weights[] = { R(CPU_WEIGHT), R(IO_WEIGHT) };

        for (uint64_t w = 1; w <= 10000; w++)
                for (int i = 0; i < 4; i++) {
                        PlValue v = { true, w, NULL }, back = { 0 };
                        _cleanup_free_ char *s = NULL;

                        ck_assert_int_eq(pl_resource_format_file(weights[i / 2], i % 2, &v, &s), 0);
                        ck_assert_int_eq(pl_resource_parse_file(weights[i / 2], i % 2, s, &back),
                                         0);
                        pl_resource_normalise(weights[i / 2], i % 2, 4096, &v);
                        ck_assert_uint_eq(v.number, back.number);
                }
}
END_TEST

/* The same for CPU time, with every period that a policy may ask for. */
START_TEST(quotas_settle) {
        static const uint64_t periods[] = { 0,     1000,   1001,   7777,   30000,
                                            33333, 100000, 999999, 1000000 };

        for (uint64_t n = 10000; n < 20000000; n += 12300)
                for (size_t i = 0; i < PL_ARRAY_SIZE(periods); i++) {
                        uint64_t quota, period, rounded = pl_resource_quota_round(n, periods[i]);
                        PlValue v = { true, rounded, NULL }, back = { 0 };
                        char *s;

                        ck_assert_int_eq(pl_resource_format_quota(V2, &v, periods[i], &s, &period),
                                         0);
                        ck_assert_int_eq(pl_resource_parse_file(R(CPU_QUOTA), V2, s, &back), 0);
                        ck_assert_msg(back.number == rounded, "%" PRIu64 " / %" PRIu64 ": %s", n,
                                      periods[i], s);
                        ck_assert(sscanf(s, "%" SCNu64, &quota) == 1 && quota >= 1000);
                        free(s);
                        ck_assert(period >= 1000 && period <= 1000000);
                        ck_assert(period >= periods[i]);
                }
        ck_assert_uint_eq(pl_resource_quota_round(PL_UNLIMITED, 0), PL_UNLIMITED);
}
END_TEST

START_TEST(names) {
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                ck_assert_int_eq(pl_resource_from_name(pl_resource_info(r)->name), r);
        ck_assert_int_eq(pl_resource_from_name("memorymax"), _PL_RESOURCE_INVALID);
        ck_assert_int_eq(pl_resource_from_name(""), _PL_RESOURCE_INVALID);
}
END_TEST

static int resolve(void *userdata, const char *path, char ret[static PL_DEVICE_MAX]) {
        ++*(int *)userdata;
        if (pl_streq(path, "/gone"))
                return -ENOENT;
        if (path[0] != '/') {
                snprintf(ret, PL_DEVICE_MAX, "%s", path);
                return 0;
        }
        snprintf(ret, PL_DEVICE_MAX, "%s", pl_streq(path, "/dev/sda") ? "8:0" : "8:16");
        return 0;
}

START_TEST(devices) {
        static const char *const rows[][2] = {
                { "", "" },
                { "/dev/sda 10", "8:0 10" },
                { "/dev/sdb 5; /dev/sda 10", "8:0 10; 8:16 5" },
                { "/dev/sdb 5; /srv 10", "8:16 5" }, /* the same device by two paths: the lower */
                { "/dev/sdb 10; /srv 5", "8:16 5" },
                { "8:16 7; /dev/sdb 10; /srv 8", "8:16 7" },
                { "7:0 5; /dev/sda 10", "7:0 5; 8:0 10" },
                { "/gone 5", NULL },
        };

        for (size_t i = 0; i < PL_ARRAY_SIZE(rows); i++) {
                PlValue v = { true, 0, (char *)rows[i][0] }, ret = { 0 };
                int calls = 0, r = pl_resource_devices_resolve(&v, resolve, &calls, &ret);

                ck_assert_int_eq(r, rows[i][1] ? 0 : -ENOENT);
                ck_assert_pstr_eq(ret.text, rows[i][1]);
                pl_value_deinit(&ret);
        }
}
END_TEST

START_TEST(device_changes) {
        static const struct {
                PlHierarchy h;
                const char *want, *have, *lines;
        } rows[] = {
                { V2, "8:0 10", "8:0 10", "" },
                { V2, "8:0 10", "8:0 11; 8:16 3", "8:0 wbps=10\n8:16 wbps=max\n" },
                { V1, "8:0 10", "8:16 3", "8:0 10\n8:16 0\n" },
                { V2, "", "8:16 3", "8:16 wbps=max\n" },
                { V2, "/dev/sda 3", "", NULL },
                { V2, "8: 3", "", NULL },
        };

        for (size_t i = 0; i < PL_ARRAY_SIZE(rows); i++) {
                PlValue want = { true, 0, (char *)rows[i].want },
                        have = { true, 0, (char *)rows[i].have };
                _cleanup_free_ char *s = NULL;
                int r = pl_resource_format_devices(R(IO_WRITE_BANDWIDTH_MAX), rows[i].h, &want,
                                                   &have, &s);

                ck_assert_int_eq(r, rows[i].lines ? 0 : -EINVAL);
                ck_assert_pstr_eq(s, rows[i].lines);
        }
}
END_TEST

static const struct {
        PlResource r;
        PlValue v;
        const char *text;
} strings[] = {
        { R(MEMORY_MAX), { .set = true, .number = GIB(4) }, "4G" },
        { R(MEMORY_MAX), { .set = true, .number = PL_UNLIMITED }, "infinity" },
        { R(MEMORY_MAX), { .set = false }, "-" },
        { R(CPU_QUOTA), { .set = true, .number = 2000000 }, "200%" },
        { R(CPU_QUOTA), { .set = true, .number = 125000 }, "12.5%" },
        { R(CPU_QUOTA), { .set = true, .number = 333300 }, "33.33%" },
        { R(CPU_QUOTA), { .set = true, .number = 10001 }, "1.0001%" },
        { R(CPU_WEIGHT), { .set = true, .number = 50 }, "50" },
        { R(TASKS_MAX), { .set = true, .number = PL_UNLIMITED }, "infinity" },
        { R(ALLOWED_CPUS), { .set = true, .text = (char *)"0-3" }, "0-3" },
        { R(ALLOWED_CPUS), { .set = true, .text = (char *)"" }, "infinity" },
        { R(IO_READ_BANDWIDTH_MAX), { .set = true, .text = (char *)"8:0 9" }, "8:0 9" },
};

START_TEST(to_string) {
        _cleanup_free_ char *s = NULL;

        ck_assert_int_eq(pl_value_to_string(strings[_i].r, &strings[_i].v, &s), 0);
        ck_assert_str_eq(s, strings[_i].text);
}
END_TEST

START_TEST(copies) {
        PlLimits a = { 0 }, b = { 0 };

        ck_assert(!pl_limits_any(&a));
        a.v[R(MEMORY_MAX)] = (PlValue){ true, 5, NULL };
        a.v[R(ALLOWED_CPUS)] = (PlValue){ true, 0, strdup("0-1") };
        ck_assert(pl_limits_any(&a));
        ck_assert(!same_limits(&a, &b));
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                ck_assert_int_eq(pl_value_copy(&a.v[r], &b.v[r]), 0);
        ck_assert(same_limits(&a, &b));
        ck_assert_ptr_ne(a.v[R(ALLOWED_CPUS)].text, b.v[R(ALLOWED_CPUS)].text);
        b.v[R(ALLOWED_CPUS)].text[0] = '1';
        ck_assert(!same_limits(&a, &b));
        pl_limits_deinit(&a);
        pl_limits_deinit(&b);
        ck_assert(same_limits(&a, &b));
}
END_TEST

/* Against all of them, in a random order: what is put is there, and nothing else. */
START_TEST(some_limits) {
        PlSomeLimits some = { 0 };
        PlLimits all = { 0 };

        for (unsigned i = 0; i < 4000; i++) {
                PlResource r = (PlResource)(rand() % _PL_RESOURCE_N);
                PlValue v = { .set = rand() % 3 != 0, .number = (uint64_t)rand() };
                PlLimits now;

                if (v.set && pl_resource_is_text(r))
                        v = (PlValue){ .set = true, .text = strdup(rand() % 2 ? "0-1" : "3") };
                if (v.set && rand() % 8 == 0) { /* its own: nothing changes */
                        ck_assert_int_eq(pl_some_limits_put(&some, r, pl_some_limits_get(&some, r)),
                                         0);
                        now = pl_some_limits_all(&some);
                        ck_assert(same_limits(&all, &now));
                }
                ck_assert_int_eq(pl_some_limits_put(&some, r, &v), 0);
                pl_value_deinit(&all.v[r]);
                all.v[r] = v;
                now = pl_some_limits_all(&some);
                ck_assert(same_limits(&all, &now));
                ck_assert_int_eq(some.set == 0, !pl_limits_any(&all));
                ck_assert_int_eq(some.v == NULL, some.set == 0);
        }
        pl_some_limits_deinit(&some);
        ck_assert_uint_eq(some.set, 0);
        pl_limits_deinit(&all);
}
END_TEST

int main(void) {
        TCase *tc = tcase_create("resource");

        tcase_add_loop_test(tc, format_and_back, 0, PL_ARRAY_SIZE(files));
        tcase_add_loop_test(tc, parse, 0, PL_ARRAY_SIZE(contents));
        tcase_add_loop_test(tc, normalise, 0, PL_ARRAY_SIZE(normal));
        tcase_add_loop_test(tc, to_string, 0, PL_ARRAY_SIZE(strings));
        tcase_add_test(tc, weights_settle);
        tcase_add_test(tc, quotas_settle);
        tcase_add_test(tc, names);
        tcase_add_test(tc, devices);
        tcase_add_test(tc, device_changes);
        tcase_add_test(tc, copies);
        tcase_add_test(tc, some_limits);
        return run_case(tc);
}
