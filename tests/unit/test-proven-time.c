/* SPDX-License-Identifier: Apache-2.0 */

/*
 * How late it is at least. Each row is a life of a machine: looks at its clocks, and what is proven
 * at each.
 */

#include "lib/logs/proven-time.h"

#include <errno.h>
#include <stdlib.h>

#include "unit.h"

#define H   UINT64_C(3600)
#define D   (24 * H)
#define T   UINT64_C(1800000000) /* when each of them begins */
#define END PL_TIME_INFINITY

typedef struct Look {
        uint64_t wall, boot;
        char boot_id; /* 0: the row is over */
        uint64_t proven, look;
} Look;

static const struct {
        const char *name;
        uint64_t newest;
        Look looks[10];
} rows[] = {
        { "the clock goes",
          0,
          { { T, 100, 'a', T, END },
            { T + 10, 110, 'a', T + 10, END },
            { T + 9 * D, 100 + 9 * D, 'a', T + 9 * D, END } } },
        { "set by a few minutes, ahead and back",
          0,
          { { T, 100, 'a', T, END },
            { T + 300, 101, 'a', T + 300, END },
            { T - 600, 102, 'a', T - 600, END } } },
        { "thirty days ahead, and set right within the day",
          0,
          { { T, 0, 'a', T, END },
            { T + 30 * D, 60, 'a', T + 60, D },
            { T + 30 * D + 20 * H, 60 + 20 * H, 'a', T + 60 + 20 * H, 4 * H },
            { T + 21 * H, 21 * H, 'a', T + 21 * H, END } } },
        { "thirty days ahead, and for a whole day",
          0,
          { { T, 0, 'a', T, END },
            { T + 30 * D, 60, 'a', T + 60, D },
            { T + 31 * D - 1, 60 + D - 1, 'a', T + 60 + D - 1, 1 },
            { T + 31 * D, 60 + D, 'a', T + 31 * D, END } } },
        { "further ahead each time: each is a doubt of its own",
          0,
          { { T, 0, 'a', T, END },
            { T + 30 * D, 1, 'a', T + 1, D },
            { T + 90 * D, 1 + 20 * H, 'a', T + 1 + 20 * H, D },
            { T + 90 * D + 10 * H, 1 + 30 * H, 'a', T + 1 + 30 * H, 14 * H } } },
        { "suspended for a week",
          0,
          { { T, 0, 'a', T, END }, { T + 7 * D, 7 * D, 'a', T + 7 * D, END } } },
        { "plimsolld away for a week, the machine on",
          0,
          { { T, 5, 'a', T, END }, { T + 7 * D, 5 + 7 * D, 'a', T + 7 * D, END } } },
        { "off for a night",
          0,
          { { T, 0, 'a', T, END }, { T + 10 * H, 60, 'b', T + 10 * H, END } } },
        { "off for a fortnight: a day at once, the rest after a day",
          0,
          { { T, 0, 'a', T, END },
            { T + 14 * D, 60, 'b', T + D + 60, D },
            { T + 14 * D + 12 * H, 60 + 12 * H, 'b', T + D + 60 + 12 * H, 12 * H },
            { T + 15 * D, 60 + D, 'b', T + 15 * D, END } } },
        { "off for a fortnight, then each night: what a boot believes is no new doubt",
          0,
          { { T, 0, 'a', T, END },
            { T + 14 * D, 0, 'b', T + D, D },
            { T + 14 * D + 8 * H, 8 * H, 'b', T + D + 8 * H, 16 * H },
            { T + 15 * D, 0, 'c', T + 2 * D + 8 * H, 16 * H },
            { T + 15 * D + 8 * H, 8 * H, 'c', T + 2 * D + 16 * H, 8 * H },
            { T + 16 * D, 0, 'd', T + 3 * D + 16 * H, 8 * H },
            { T + 16 * D + 8 * H, 8 * H, 'd', T + 16 * D + 8 * H, END } } },
        { "no battery: each boot begins in 1970, until NTP comes",
          0,
          { { T, 900, 'a', T, END },
            { 10, 10, 'b', 10, D },
            { T + 8 * H, 60, 'b', T + 60, D },
            { T + 9 * H, 60 + H, 'b', T + 60 + H, 23 * H } } },
        { "the wall clock was wrong by years, ahead, and somebody sets it: never later than that",
          0,
          { { T + 900 * D, 0, 'a', T + 900 * D, END },
            { T, 60, 'a', T, D },
            { T + D, 60 + D, 'a', T + D, END },
            { T + D + 1, 61 + D, 'a', T + D + 1, END } } },
        { "the count goes back: another boot, whatever it is called",
          0,
          { { T, 5000, 'a', T, END }, { T + 90 * D, 50, 'a', T + D + 50, D } } },
        { "no record, but archives of yesterday",
          T - D,
          { { T, 100, 'a', T - D, D }, { T + D, 100 + D, 'a', T + D, END } } },
        { "no record, and a clock that is a year ahead of the newest archive",
          T,
          { { T + 365 * D, 100, 'a', T, D }, { T + 60, 160, 'a', T + 60, END } } },
        { "no record, and archives from the future", T + D, { { T, 100, 'a', T, END } } },
};

/* each field: what pads them is nobody's */
static void same(const PlProvenTime *a, const PlProvenTime *b) {
        ck_assert_uint_eq(a->now_sec, b->now_sec);
        ck_assert_uint_eq(a->boot_sec, b->boot_sec);
        ck_assert_str_eq(a->boot_id, b->boot_id);
        ck_assert_uint_eq(a->counted_sec, b->counted_sec);
        ck_assert_int_eq(a->doubted, b->doubted);
        ck_assert_int_eq(a->ahead_sec, b->ahead_sec);
        ck_assert_uint_eq(a->since_sec, b->since_sec);
}

START_TEST(lives) {
        PlProvenTime t = { 0 };

        for (const Look *l = rows[_i].looks; l->boot_id; l++) {
                const char id[] = { l->boot_id, '\0' };
                PlClocks c = { l->wall, l->boot, id, rows[_i].newest };
                _cleanup_free_ char *text = NULL;
                uint64_t look, proven = pl_proven_time_step(&t, &c, &look);
                PlProvenTime again;

                ck_assert_msg(proven == l->proven && look == l->look,
                              "%s, look %td: T%+" PRId64 " instead of T%+" PRId64
                              ", again in %" PRIu64,
                              rows[_i].name, l - rows[_i].looks, (int64_t)(proven - T),
                              (int64_t)(l->proven - T), look);
                ck_assert_uint_le(proven, l->wall);
                /* as if plimsolld was restarted after each look */
                ck_assert_int_eq(pl_proven_time_encode(&t, &text), 0);
                ck_assert_int_eq(pl_proven_time_decode(text, strlen(text), &again), 0);
                same(&again, &t);
                t = again;
        }
}
END_TEST

#define REST ",\"boot_id\":\"a\",\"counted\":9,\"doubted\":false,\"ahead\":0,\"since\":0}"

static const char *const bad[] = {
        "",
        "{",
        "[]",
        "{\"version\":2,\"now\":1,\"boot\":1" REST,
        "{\"version\":1,\"now\":0,\"boot\":1" REST,
        "{\"version\":1,\"now\":1,\"boot\":-1" REST,
        "{\"version\":1,\"now\":\"1\",\"boot\":1" REST,
        "{\"version\":1,\"now\":1,\"boot\":1,\"boot_id\":"
        "\"0123456789012345678901234567890123456789\","
        "\"counted\":9,\"doubted\":false,\"ahead\":0,\"since\":0}",
        "{\"version\":1,\"now\":1,\"boot\":1,\"boot_id\":\"a\",\"counted\":9,\"doubted\":true,"
        "\"ahead\":0,\"since\":10}",
};

START_TEST(refuses) {
        PlProvenTime t;

        ck_assert_int_eq(pl_proven_time_decode(bad[_i], strlen(bad[_i]), &t), -EBADMSG);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("proven-time");

        tcase_add_loop_test(t, lives, 0, PL_ARRAY_SIZE(rows));
        tcase_add_loop_test(t, refuses, 0, PL_ARRAY_SIZE(bad));
        return run_case(t);
}
