/* SPDX-License-Identifier: Apache-2.0 */

/* Limits that hold back without a kill: told once, with what would be enough, and gone again. */

#include "lib/evidence/pinch.h"

#include "unit.h"

#define NO  PL_UNLIMITED
#define CPU UINT64_C(1000000)

/* A look a minute. */
static const struct {
        const char *name;
        struct {
                uint64_t refused, tasks_max, throttled, quota;
        } looks[16];
        const char *changes; /* of each look: t, c: begins; T, C: ends; '.': nothing */
        const char *says;    /* at some time */
} rows[] = {
        { "no limits", { { 0, NO, 0, NO }, { 9, NO, 9, NO } }, "..", NULL },
        { "nothing is known", { { NO, 64, NO, CPU }, { NO, 64, NO, CPU } }, "..", NULL },
        { "refused before we came", { { 500, 64, 0, NO }, { 500, 64, 0, NO } }, "..", NULL },
        { "forks fail",
          { { 0, 64, 0, NO }, { 7, 64, 0, NO } },
          ".t",
          "TasksMax=64 has refused it 7 new tasks in a minute: what runs in it cannot start "
          "processes or threads; TasksMax=97 would be the next step" },
        { "told once",
          { { 0, 64, 0, NO }, { 7, 64, 0, NO }, { 9, 64, 0, NO }, { 11, 64, 0, NO } },
          ".t..",
          NULL },
        { "over after five minutes",
          { { 0, 64, 0, NO },
            { 7, 64, 0, NO },
            { 7, 64, 0, NO },
            { 7, 64, 0, NO },
            { 7, 64, 0, NO },
            { 7, 64, 0, NO },
            { 7, 64, 0, NO },
            { 7, 64, 0, NO } },
          ".t....T.",
          NULL },
        { "somebody raises the limit",
          { { 0, 64, 0, NO }, { 7, 64, 0, NO }, { 7, 128, 0, NO } },
          ".tT",
          NULL },
        { "a new run counts from 0",
          { { 9, 64, 0, NO }, { 0, 64, 0, NO }, { 1, 64, 0, NO } },
          "..t",
          "refused it 1 new task in" },
        { "throttled half of the time",
          { { 0, NO, 0, CPU },
            { 0, NO, 300, CPU },
            { 0, NO, 600, CPU },
            { 0, NO, 900, CPU },
            { 0, NO, 1200, CPU },
            { 0, NO, 1500, CPU } },
          ".....c",
          "CPUQuota=100% holds it back: throttled in 50% of the last 5 minutes; CPUQuota=150% "
          "would "
          "be the next step" },
        { "a burst of a minute is none",
          { { 0, NO, 0, CPU },
            { 0, NO, 600, CPU },
            { 0, NO, 600, CPU },
            { 0, NO, 600, CPU },
            { 0, NO, 600, CPU },
            { 0, NO, 600, CPU } },
          "......",
          NULL },
        { "throttled, and over",
          { { 0, NO, 0, CPU },
            { 0, NO, 0, CPU },
            { 0, NO, 0, CPU },
            { 0, NO, 0, CPU },
            { 0, NO, 0, CPU },
            { 0, NO, 2000, CPU },
            { 0, NO, 2000, CPU },
            { 0, NO, 2000, CPU },
            { 0, NO, 2000, CPU },
            { 0, NO, 2000, CPU },
            { 0, NO, 2100, CPU } },
          ".....c....C",
          NULL },
        { "both",
          { { 0, 64, 0, CPU },
            { 1, 64, 0, CPU },
            { 2, 64, 0, CPU },
            { 3, 64, 0, CPU },
            { 4, 64, 0, CPU },
            { 5, 64, 3000, CPU } },
          ".t...c",
          "throttled in 100%" },
};

START_TEST(pinch) {
        PlPinches p = { 0 };
        bool said = !rows[_i].says;

        for (size_t n = 0; rows[_i].changes[n]; n++) {
                PlPinchReading r = { .usec = (n + 1) * PL_USEC_PER_MIN,
                                     .n_refused = rows[_i].looks[n].refused,
                                     .tasks_max = rows[_i].looks[n].tasks_max,
                                     .n_throttled = rows[_i].looks[n].throttled,
                                     .quota_usec = rows[_i].looks[n].quota,
                                     .period_usec = 100000,
                                     .memory.waited_usec = NO };
                unsigned changed = pl_pinch_take(&p, &r);
                char got = '.';

                if (changed & (1U << PL_PINCH_TASKS))
                        got = p.on[PL_PINCH_TASKS] ? 't' : 'T';
                if (changed & (1U << PL_PINCH_CPU))
                        got = p.on[PL_PINCH_CPU] ? 'c' : 'C';
                ck_assert_msg(got == rows[_i].changes[n], "%s, look %zu: %c", rows[_i].name, n,
                              got);
                for (PlPinchKind k = 0; k < _PL_PINCH_N; k++) {
                        said = said || (p.text[k] && strstr(p.text[k], rows[_i].says));
                        ck_assert(p.on[k] == (p.text[k] != NULL) && p.on[k] == (p.need[k] > 0));
                }
        }
        pl_pinches_clear(&p);
        ck_assert_msg(said, "%s: not said", rows[_i].name);
}
END_TEST

#define SEC PL_USEC_PER_SEC

/* A look in five minutes. */
static const struct {
        const char *name;
        struct {
                uint64_t n_high, n_max, n_kills, high, max, waited;
        } looks[6];
        const char *changes; /* of each look: h, m: begins; H, M: ends; '.': nothing */
        const char *says;
} memory[] = {
        { "v1 tells nothing",
          { { NO, NO, 0, NO, MIB(64), NO }, { NO, NO, 0, NO, MIB(64), NO } },
          "..",
          NULL },
        { "no limits", { { 0, 0, 0, NO, NO, 0 }, { 9, 9, 0, NO, NO, 200 * SEC } }, "..", NULL },
        { "a cache that fills its limit waits for nobody",
          { { 0, 0, 0, NO, MIB(64), 0 }, { 0, 90000, 0, NO, MIB(64), SEC } },
          "..",
          NULL },
        { "pressure from elsewhere",
          { { 7, 7, 0, MIB(48), MIB(64), 0 }, { 7, 7, 0, MIB(48), MIB(64), 200 * SEC } },
          "..",
          NULL },
        { "what was before us",
          { { 7000, 7000, 0, MIB(48), MIB(64), 999 * SEC },
            { 7000, 7000, 0, MIB(48), MIB(64), 999 * SEC } },
          "..",
          NULL },
        { "MemoryHigh= holds it back, and no more",
          { { 0, 0, 0, MIB(48), MIB(64), 0 },
            { 120, 0, 0, MIB(48), MIB(64), 60 * SEC },
            { 140, 0, 0, MIB(48), MIB(64), 80 * SEC },
            { 141, 0, 0, MIB(48), MIB(64), 85 * SEC } },
          ".h.H",
          "MemoryHigh=48M holds it back: it has reached it 120 times and waited for memory in 20% "
          "of "
          "the last 5 minutes; MemoryHigh=60M would be the next step" },
        { "MemoryMax=, on the brink",
          { { 0, 0, 0, NO, MIB(64), 0 }, { 0, 1, 0, NO, MIB(64), 900 * SEC } },
          ".m",
          "MemoryMax=64M holds it back: it has reached it 1 time and waited for memory in 100% of "
          "the last 5 minutes; MemoryMax=80M would be the next step" },
        { "a kill is told by itself",
          { { 0, 0, 0, NO, MIB(64), 0 }, { 0, 50, 1, NO, MIB(64), 90 * SEC } },
          "..",
          NULL },
        { "somebody raises the limit",
          { { 0, 0, 0, NO, MIB(64), 0 },
            { 0, 50, 0, NO, MIB(64), 90 * SEC },
            { 0, 60, 0, NO, MIB(96), 180 * SEC } },
          ".mM",
          NULL },
        { "a new run counts from 0",
          { { 0, 50, 0, NO, MIB(64), 90 * SEC }, { 0, 3, 0, NO, MIB(64), SEC } },
          "..",
          NULL },
};

START_TEST(waits_for_memory) {
        PlPinches p = { 0 };
        bool said = !memory[_i].says;

        for (size_t n = 0; memory[_i].changes[n]; n++) {
                PlPinchReading r = { .usec = (n + 1) * 5 * PL_USEC_PER_MIN,
                                     .n_refused = NO,
                                     .tasks_max = NO,
                                     .n_throttled = NO,
                                     .quota_usec = NO,
                                     .memory = { .n_high = memory[_i].looks[n].n_high,
                                                 .n_max = memory[_i].looks[n].n_max,
                                                 .n_kills = memory[_i].looks[n].n_kills,
                                                 .high_bytes = memory[_i].looks[n].high,
                                                 .max_bytes = memory[_i].looks[n].max,
                                                 .waited_usec = memory[_i].looks[n].waited } };
                unsigned changed = pl_pinch_take(&p, &r);
                char got = '.';

                if (changed & (1U << PL_PINCH_MEMORY_HIGH))
                        got = p.on[PL_PINCH_MEMORY_HIGH] ? 'h' : 'H';
                if (changed & (1U << PL_PINCH_MEMORY_MAX))
                        got = p.on[PL_PINCH_MEMORY_MAX] ? 'm' : 'M';
                ck_assert_msg(got == memory[_i].changes[n], "%s, look %zu: %c", memory[_i].name, n,
                              got);
                for (PlPinchKind k = 0; k < _PL_PINCH_N; k++)
                        said = said || (p.text[k] && pl_streq(p.text[k], memory[_i].says));
        }
        pl_pinches_clear(&p);
        ck_assert_msg(said, "%s: not said", memory[_i].name);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("pinch");

        tcase_add_loop_test(t, pinch, 0, PL_ARRAY_SIZE(rows));
        tcase_add_loop_test(t, waits_for_memory, 0, PL_ARRAY_SIZE(memory));
        return run_case(t);
}
