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
} rows[] = {
        { "now", NOW },
        { "0", 0 },
        { "1767300000", 1767300000 },
        { "@1767300000", 1767300000 },
        { "10m", NOW - 600 },
        { "1h30m", NOW - 5400 },
        { "-2h", NOW - 7200 },
        { "2h ago", NOW - 7200 },
        { "1h 30min ago", NOW - 5400 },
        { "100y", 0 },
        { "2026-01-02T03:04:05Z", NOW },
        { "2026-01-02T03:04:05.5+01:00", NOW - 3600 },
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
                ck_assert_msg(r == 0 && nsec / NSEC == rows[_i].sec, "'%s': %d, %" PRIu64,
                              rows[_i].text, r, nsec / NSEC);
}
END_TEST

int main(void) {
        TCase *c = tcase_create("all");

        tcase_add_loop_test(c, parse, 0, PL_ARRAY_SIZE(rows));
        return run_case(c);
}
