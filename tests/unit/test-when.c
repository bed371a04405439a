/* SPDX-License-Identifier: Apache-2.0 */
/* Points in time as people write them. */
#include <errno.h>
#include <stdlib.h>

#include "lib/base/when.h"
#include "unit.h"

#define NOW  UINT64_C(1767323045) /* 2026-01-02 03:04:05 UTC */
#define NSEC UINT64_C(1000000000)
#define BAD  UINT64_MAX

/* clang-format off */
static const struct {
        const char *text;
        uint64_t sec; /* BAD: refused */
        uint64_t nsec;
} rows[] = {
        { "now", NOW },
        { "0", 0 },
        { "1767300000", 1767300000 },
        { "@1767300000", 1767300000 },
        { "10m", NOW - 600 },
        { "1h30m", NOW - 5400 },
        { "2h ago", NOW - 7200 },
        { "1h 30min ago", NOW - 5400 },
        { "100y", 0 },
        { "2026-01-02T03:04:05Z", NOW },
        { "2026-01-02T03:04:05.5+01:00", NOW - 3600, 500000000 },
        { "2026-01-02 03:04:05", NOW + 3600 }, /* local time is an hour behind here */
        { "2026-01-02T03:04:05", NOW + 3600 },
        { "2026-01-02 03:04", NOW + 3600 - 5 },
        { "2026-01-02", NOW - 3 * 3600 - 4 * 60 - 5 + 3600 },
        { "today", NOW - 3 * 3600 - 4 * 60 - 5 + 3600 },
        { "yesterday", NOW - 3 * 3600 - 4 * 60 - 5 + 3600 - 86400 },
        { "02:04:05", NOW },
        { "02:04", NOW - 5 },
        { "", BAD },
        { "soon", BAD },
        { "ago", BAD },
        { " ago", BAD },
        { "-", BAD },
        { "infinity", BAD },
        { "2026-13-01", BAD },
        { "2026-01-02 03:04:05 pm", BAD },
        { "@", BAD },
        /* as docker reads it; each is tried on docker logs itself in logs.bats */
        { "1767300000.123456789", 1767300000, 123456789 },
        { "1767300000.5", 1767300000, 500000000 },
        { "1767300000.000000001", 1767300000, 1 },
        { "1767300000.1234567891", 1767300000, 123456789 },
        { "1767300000.", BAD },
        { ".5", BAD },
        { "+1767300000", 1767300000 },
        { "-1767300000", BAD },
        { "1e9", BAD },
        { "+2h", NOW - 7200 },
        { "-2h", NOW + 7200 },
        { "+0", NOW },
        { "-0", NOW },
        { "0s", NOW },
        { "1.5h", NOW - 5400 },
        { ".5h", NOW - 1800 },
        { "1.h", NOW - 3600 },
        { "1h30m5s", NOW - 5405 },
        { "300ms", NOW - 1 },
        { "1\u00b5s", NOW - 1 },
        { "1us1ns", NOW - 1 },
        { "9223372036s", 0 },
        { "9300000000s", 0 }, /* refused by docker; longer ago than 1970 */
        { "h", BAD },
        { "1x", BAD },
        { "2026-01-02T03", NOW + 3600 - 245 },
        { "2026-01-02T3", NOW + 3600 - 245 },
        { "2026-01-02T3:04", NOW + 3600 - 5 },
        { "2026-01-02T03:04", NOW + 3600 - 5 },
        { "2026-01-02T03:04:05.5", NOW + 3600, 500000000 },
        { "2026-01-02T03:04:05,5", NOW + 3600, 500000000 },
        { "2026-01-02T03:04:05.1234567899", NOW + 3600, 123456789 },
        { "2026-01-02T03Z", NOW - 245 },
        { "2026-01-02T03:04Z", NOW - 5 },
        { "2026-01-02T03:04+01:00", NOW - 5 - 3600 },
        { "2026-01-02T03:04-01:00", NOW - 5 + 3600 },
        { "2026-01-02T03+01:00", NOW - 245 - 3600 },
        { "2026-01-02T03:04:05-01:00", NOW + 3600 },
        { "2026-01-02Z", NOW - 3 * 3600 - 245 },
        { "2026-01-02+01:00", NOW - 4 * 3600 - 245 },
        { "2026-01-02-01:00", NOW - 2 * 3600 - 245 },
        { "2026-01-02T03:04:05z", BAD },
        { "2026-01-02t03:04:05Z", BAD },
        { "2026-01-02T03:4:05Z", BAD },
        { "2026-1-2", BAD },
        { "2026-02-30", BAD },
        { "2026-02-30 10:00", BAD },
        { "2024-02-29", 1709168400 },
        { "2025-02-29", BAD },
        { "2026-01-02T24:00:00", BAD },
        { "2026-01-02T03:04:60Z", BAD },
        { "2026-01-02T03:04:05+0100", BAD },
        { "2026-01-02T03:04:05.", BAD },
        { "2026-01-02T", BAD },
        { "0001-01-01T00:00:00Z", 0 },
        { "1969-12-31T23:59:59Z", 0 },
        { "10min", NOW - 600 },
        { "3d", NOW - 3 * 86400 },
        { "99999999999999999999", BAD },
};
/* clang-format on */

START_TEST(parse) {
        uint64_t nsec = 7;
        int r;

        (void)setenv("TZ", "XST1", 1);
        r = pl_when_parse(rows[_i].text, NOW * 1000000, &nsec);
        if (rows[_i].sec == BAD)
                ck_assert_msg(r == -EINVAL, "'%s': %d, %" PRIu64, rows[_i].text, r, nsec);
        else
                ck_assert_msg(r == 0 && nsec / NSEC == rows[_i].sec && nsec % NSEC == rows[_i].nsec,
                              "'%s': %d, %" PRIu64, rows[_i].text, r, nsec);
}
END_TEST

START_TEST(tail) {
        static const struct {
                const char *text;
                uint64_t n;
        } tails[] = {
                { "0", 0 },     { "5", 5 },     { "+5", 5 },    { "007", 7 },
                { "all", BAD }, { "-1", BAD },  { "", BAD },    { "5 ", BAD },
                { "5.0", BAD }, { "1e3", BAD }, { "0x5", BAD }, { "99999999999999999999", BAD },
        };

        for (size_t i = 0; i < PL_ARRAY_SIZE(tails); i++)
                ck_assert_msg(pl_when_parse_tail(tails[i].text) == tails[i].n, "'%s'",
                              tails[i].text);
}
END_TEST

int main(void) {
        TCase *c = tcase_create("all");

        tcase_add_loop_test(c, parse, 0, PL_ARRAY_SIZE(rows));
        tcase_add_test(c, tail);
        return run_case(c);
}
