/* SPDX-License-Identifier: Apache-2.0 */

/* Times as text, strict as Go writes them and loose as programs print them. */

#include "lib/base/time.h"
#include "unit.h"

/* clang-format off */
static const struct {
        const char *text;
        uint64_t nsec;
        const char *back; /* NULL: no time */
} times[] = {
        { "1970-01-01T00:00:01Z", UINT64_C(1000000000), "1970-01-01T00:00:01.000000000Z" },
        { "2026-01-02T03:04:05.000000006Z", UINT64_C(1767323045000000006),
          "2026-01-02T03:04:05.000000006Z" },
        { "2024-02-29T23:59:59.9Z", UINT64_C(1709251199900000000),
          "2024-02-29T23:59:59.900000000Z" },
        { "2026-01-02T03:04:05.123456789+05:30", UINT64_C(1767303245123456789),
          "2026-01-01T21:34:05.123456789Z" },
        { "2026-01-02T03:04:05-01:00", UINT64_C(1767326645000000000),
          "2026-01-02T04:04:05.000000000Z" },
        { "2100-03-01T00:00:00Z", UINT64_C(4107542400000000000), "2100-03-01T00:00:00.000000000Z" },
        { "2026-13-02T03:04:05Z", 0 },
        { "2026-01-02T03:04:05+0530", 0 },
        { "2600-01-01T00:00:00Z", 0 },
        { "1969-12-31T23:59:59Z", 0 },
        { "2026-01-32T03:04:05Z", 0 },
        { "2026-01-02T24:04:05Z", 0 },
        { "2026-01-02T03:04:05.Z", 0 },
        { "2026-01-02T03:04:05", 0 },
        { "2026-01-02 03:04:05Z", 0 },
        { "0001-01-01T00:00:00Z", 0 },
        { "2026-01-02T03:04:05.1234567890Z", UINT64_C(1767323045123456789),
          "2026-01-02T03:04:05.123456789Z" },
        { "", 0 },
};
/* clang-format on */

START_TEST(rfc3339) {
        char back[PL_TIME_TEXT_MAX];
        uint64_t nsec = 0;
        int r = pl_parse_time(times[_i].text, strlen(times[_i].text), PL_TIME_RFC3339, &nsec);

        ck_assert_msg((r == 0) == (times[_i].back != NULL), "%s: %d", times[_i].text, r);
        ck_assert_msg(nsec == times[_i].nsec, "%s: %" PRIu64, times[_i].text, nsec);
        if (times[_i].back) {
                pl_format_time(nsec, back);
                ck_assert_str_eq(back, times[_i].back);
        }
}
END_TEST

static const struct {
        const char *text;
        int64_t usec; /* -1: an error */
} dates[] = {
        { "1970-01-01T00:00:00Z", 0 },
        { "2026-01-01T00:00:00+00:00", 1767225600000000 },
        { "2026-01-01 00:00:00.5", 1767225600500000 },
        { "2026-01-01T02:00:00.000001+02:00", 1767225600000001 },
        { "2025-12-31T18:30:00-0530", 1767225600000000 },
        { "2024-02-29T00:00:00Z", 1709164800000000 },
        { "2026-01-01T00:00:00.123456789Z", 1767225600123456 },
        { "2026-01-01", -1 },
        { "2026-13-01T00:00:00Z", -1 },
        { "2026-01-01T25:00:00Z", -1 },
        { "2026-01-01T00:00:00+2", -1 },
        { "2026-01-01T00:00:00Zoo", -1 },
        { "", -1 },
        { "now", -1 },
};

START_TEST(iso8601) {
        uint64_t nsec = 0, usec;
        int r = pl_parse_time(dates[_i].text, strlen(dates[_i].text), PL_TIME_ISO8601, &nsec);

        ck_assert_msg((r < 0) == (dates[_i].usec < 0), "%s: %d", dates[_i].text, r);
        usec = nsec / PL_NSEC_PER_USEC;
        if (r == 0)
                ck_assert_msg(usec == (uint64_t)dates[_i].usec, "%s: %" PRIu64, dates[_i].text,
                              usec);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("tables");

        tcase_add_loop_test(t, rfc3339, 0, PL_ARRAY_SIZE(times));
        tcase_add_loop_test(t, iso8601, 0, PL_ARRAY_SIZE(dates));
        return run_case(t);
}
