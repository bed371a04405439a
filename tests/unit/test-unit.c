/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Units: every suffix, the edges of overflow, and that nothing is accepted partially.
 */

#include "lib/base/unit.h"

#include <errno.h>

#include "unit.h"

typedef int (*Parser)(const char *s, uint64_t *ret);

static const struct {
        Parser parse;
        const char *text;
        int r;
        uint64_t n;
} numbers[] = {
        { pl_parse_uint64, "0", 0, 0 },
        { pl_parse_uint64, "18446744073709551615", 0, UINT64_MAX },
        { pl_parse_uint64, "18446744073709551616", -ERANGE, 0 },
        { pl_parse_uint64, "99999999999999999999999", -ERANGE, 0 },
        { pl_parse_uint64, "99999999999999999999999x", -EINVAL, 0 },
        { pl_parse_uint64, "", -EINVAL, 0 },
        { pl_parse_uint64, "+1", -EINVAL, 0 },
        { pl_parse_uint64, "-1", -EINVAL, 0 },
        { pl_parse_uint64, " 1", -EINVAL, 0 },
        { pl_parse_uint64, "0x10", -EINVAL, 0 },

        { pl_parse_size, "0", 0, 0 },
        { pl_parse_size, "512", 0, 512 },
        { pl_parse_size, "512B", 0, 512 },
        { pl_parse_size, "1K", 0, 1024 },
        { pl_parse_size, "1.5G", 0, GIB(1) + MIB(512) },
        { pl_parse_size, "0.1K", 0, 102 },
        { pl_parse_size, "4G", 0, GIB(4) },
        { pl_parse_size, "2T", 0, GIB(2048) },
        { pl_parse_size, "1P", 0, GIB(1 << 20) },
        { pl_parse_size, "15E", 0, UINT64_C(15) << 60 },
        { pl_parse_size, "16E", -ERANGE, 0 },
        { pl_parse_size, "15.999999999999999999999E", 0, UINT64_C(18446744073709551614) },
        { pl_parse_size, "18446744073709551615", -ERANGE, 0 }, /* would mean unlimited */
        { pl_parse_size, "18446744073709551614", 0, UINT64_MAX - 1 },
        { pl_parse_size, "infinity", 0, PL_UNLIMITED },
        { pl_parse_size, "Infinity", -EINVAL, 0 },
        { pl_parse_size, "4g", -EINVAL, 0 },
        { pl_parse_size, "4GB", -EINVAL, 0 },
        { pl_parse_size, "4 G", -EINVAL, 0 },
        { pl_parse_size, "1.G", -EINVAL, 0 },
        { pl_parse_size, ".5G", -EINVAL, 0 },
        { pl_parse_size, "1,5G", -EINVAL, 0 },
        { pl_parse_size, "-4G", -EINVAL, 0 },
        { pl_parse_size, "1.5", 0, 1 },
        { pl_parse_size, "G", -EINVAL, 0 },
        { pl_parse_size, "", -EINVAL, 0 },
        { pl_parse_rate, "10M", 0, 10000000 },
        { pl_parse_rate, "1.5K", 0, 1500 },

        { pl_parse_permyriad, "25%", 0, 2500 },
        { pl_parse_permyriad, "12.5%", 0, 1250 },
        { pl_parse_permyriad, "0.01%", 0, 1 },
        { pl_parse_permyriad, "0.001%", -EINVAL, 0 },
        { pl_parse_permyriad, "200%", 0, 20000 },
        { pl_parse_permyriad, "200", -EINVAL, 0 },
        { pl_parse_permyriad, "200 %", -EINVAL, 0 },
        { pl_parse_permyriad, "200%%", -EINVAL, 0 },
        { pl_parse_permyriad, "999999999999999999999%", -ERANGE, 0 },

        { pl_parse_sec, "10", 0, 10 * PL_USEC_PER_SEC },
        { pl_parse_sec, "2min 30s", 0, 150 * PL_USEC_PER_SEC },
        { pl_parse_sec, "2min30s", 0, 150 * PL_USEC_PER_SEC },
        { pl_parse_sec, " 1 h ", 0, PL_USEC_PER_HOUR },
        { pl_parse_sec, "1.5s", 0, 1500000 },
        { pl_parse_sec, "250ms", 0, 250000 },
        { pl_parse_sec, "7us", 0, 7 },
        { pl_parse_sec, "7μs", 0, 7 },
        { pl_parse_sec, "1d 2h 3m 4s", 0,
          PL_USEC_PER_DAY + 2 * PL_USEC_PER_HOUR + 184 * PL_USEC_PER_SEC },
        { pl_parse_sec, "1w", 0, 7 * PL_USEC_PER_DAY },
        { pl_parse_sec, "1M", 0, 2629800 * PL_USEC_PER_SEC },
        { pl_parse_sec, "2 years", 0, 2 * 31557600 * PL_USEC_PER_SEC },
        { pl_parse_sec, "0", 0, 0 },
        { pl_parse_sec, "infinity", 0, PL_TIME_INFINITY },
        { pl_parse_sec, "infinity 1s", -EINVAL, 0 },
        { pl_parse_sec, "600000y", -ERANGE, 0 },
        { pl_parse_sec, "500000y 500000y", -ERANGE, 0 },
        { pl_parse_sec, "10x", -EINVAL, 0 },
        { pl_parse_sec, "10 sx", -EINVAL, 0 },
        { pl_parse_sec, "1s.5", -EINVAL, 0 },
        { pl_parse_sec, "-1s", -EINVAL, 0 },
        { pl_parse_sec, "1e3s", -EINVAL, 0 },
        { pl_parse_sec, "s", -EINVAL, 0 },
        { pl_parse_sec, "", -EINVAL, 0 },
        { pl_parse_sec, "  ", -EINVAL, 0 },
};

START_TEST(number) {
        uint64_t n = 4711;
        int r = numbers[_i].parse(numbers[_i].text, &n);

        ck_assert_msg(r == numbers[_i].r, "row %d \"%s\": returned %d", _i, numbers[_i].text, r);
        ck_assert_msg(n == (r < 0 ? 4711 : numbers[_i].n), "row %d \"%s\": %" PRIu64, _i,
                      numbers[_i].text, n);
}
END_TEST

static const struct {
        const char *text;
        int r;
        const char *canonical;
} cpusets[] = {
        { "0", 0, "0" },           { "0-3,6", 0, "0-3,6" },
        { "6,0-3", 0, "0-3,6" },   { "0 1 2", 0, "0-2" },
        { " 0 , 2 ", 0, "0,2" },   { "3,3,3", 0, "3" },
        { "0-1,1-2", 0, "0-2" },   { "8191", 0, "8191" },
        { "8192", -ERANGE, NULL }, { "0-99999999999999", -ERANGE, NULL },
        { "3-1", -EINVAL, NULL },  { "0,", -EINVAL, NULL },
        { "0,,1", -EINVAL, NULL }, { ",0", -EINVAL, NULL },
        { "0-", -EINVAL, NULL },   { "-1", -EINVAL, NULL },
        { "0x1", -EINVAL, NULL },  { "0-3:2", -EINVAL, NULL },
        { "", -EINVAL, NULL },     { "all", -EINVAL, NULL },
};

START_TEST(cpuset) {
        _cleanup_free_ char *s = NULL;
        int r = pl_parse_cpuset(cpusets[_i].text, &s);

        ck_assert_msg(r == cpusets[_i].r, "\"%s\": returned %d", cpusets[_i].text, r);
        ck_assert_pstr_eq(s, cpusets[_i].canonical);
}
END_TEST

static const struct {
        const char *list, *all;
        bool within;
} withins[] = {
        { "", "0-1", true },          { "0", "0-1", true },      { "0-1", "0-1", true },
        { "0-9", "0-1", false },      { "2", "0-1", false },     { "0,3", "0-1,3", true },
        { "1-3", "0-1,3", false },    { "0-1,9", "0-1", false }, { "0", "", false },
        { "8-11", "0-3,8-15", true },
};

START_TEST(cpuset_within) {
        ck_assert_msg(pl_cpuset_within(withins[_i].list, withins[_i].all) == withins[_i].within,
                      "%s in %s", withins[_i].list, withins[_i].all);
}
END_TEST

typedef const char *(*Formatter)(uint64_t n, char buf[static PL_FORMAT_MAX]);

static const struct {
        Formatter format;
        uint64_t n;
        const char *text;
} formats[] = {
        { pl_format_bytes, 0, "0B" },
        { pl_format_bytes, 1023, "1023B" },
        { pl_format_bytes, 1024, "1.0K" },
        { pl_format_bytes, MIB(12) + KIB(307), "12.3M" },
        { pl_format_bytes, MIB(1) - 1, "1.0M" },
        { pl_format_bytes, GIB(4), "4.0G" },
        { pl_format_bytes, UINT64_MAX - 1, "16.0E" },
        { pl_format_bytes, PL_UNLIMITED, "infinity" },
        { pl_format_bytes_exact, 0, "0" },
        { pl_format_bytes_exact, GIB(4), "4G" },
        { pl_format_bytes_exact, MIB(1536), "1536M" },
        { pl_format_bytes_exact, 1000000, "1000000" },
        { pl_format_bytes_exact, 999424, "976K" },
        { pl_format_bytes_exact, UINT64_C(4) << 60, "4E" },
        { pl_format_bytes_exact, UINT64_MAX - 1, "18446744073709551614" },
        { pl_format_bytes_exact, PL_UNLIMITED, "infinity" },
        { pl_format_sec, 0, "0s" },
        { pl_format_sec_exact, 0, "0s" },
        { pl_format_sec_exact, 150 * PL_USEC_PER_SEC, "2min 30s" },
        { pl_format_sec_exact, 1500000, "1.5s" },
        { pl_format_sec_exact, 1234567, "1234567us" },
        { pl_format_sec_exact, 1234000, "1234ms" },
        { pl_format_sec_exact, 90061 * PL_USEC_PER_SEC, "90061s" },
        { pl_format_sec_exact, UINT64_MAX, "infinity" },
        { pl_format_sec, 7, "7us" },
        { pl_format_sec, 999, "999us" },
        { pl_format_sec, 3200, "3.2ms" },
        { pl_format_sec, 250000, "250ms" },
        { pl_format_sec, 1500000, "1.5s" },
        { pl_format_sec, 95 * PL_USEC_PER_SEC, "95s" },
        { pl_format_sec, 60 * PL_USEC_PER_SEC, "1min" },
        { pl_format_sec, 150 * PL_USEC_PER_SEC, "2min 30s" },
        { pl_format_sec, PL_USEC_PER_HOUR, "1h" },
        { pl_format_sec, PL_USEC_PER_DAY + PL_USEC_PER_MIN, "1d" },
        { pl_format_sec, 25 * PL_USEC_PER_HOUR, "1d 1h" },
        { pl_format_sec, 400 * PL_USEC_PER_DAY, "1y 35d" },
        { pl_format_sec, UINT64_MAX - 1, "584942y 152d" },
        { pl_format_sec, PL_TIME_INFINITY, "infinity" },
};

START_TEST(format) {
        char buf[PL_FORMAT_MAX];

        ck_assert_str_eq(formats[_i].format(formats[_i].n, buf), formats[_i].text);
}
END_TEST

/* What format_bytes_exact() says is what parse_size() understands. */
START_TEST(exact_round_trip) {
        uint64_t n = 1;

        for (int i = 0; i < 1000; i++) {
                char buf[PL_FORMAT_MAX];
                uint64_t back;

                n = n * UINT64_C(6364136223846793005) + 1442695040888963407U;
                ck_assert_int_eq(pl_parse_size(pl_format_bytes_exact(n >> (i % 64), buf), &back),
                                 0);
                ck_assert_uint_eq(back, n >> (i % 64));
        }
}
END_TEST

int main(void) {
        TCase *tc = tcase_create("unit");

        tcase_add_loop_test(tc, number, 0, PL_ARRAY_SIZE(numbers));
        tcase_add_loop_test(tc, cpuset, 0, PL_ARRAY_SIZE(cpusets));
        tcase_add_loop_test(tc, cpuset_within, 0, PL_ARRAY_SIZE(withins));
        tcase_add_loop_test(tc, format, 0, PL_ARRAY_SIZE(formats));
        tcase_add_test(tc, exact_round_trip);
        return run_case(tc);
}
