/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A limit of ours that holds a start back: what the kernel's counters say of some seconds.
 */

#include "lib/health/slow.h"

#include "lib/base/unit.h"
#include "unit.h"

#define NONE PL_UNLIMITED
#define SEC  PL_USEC_PER_SEC
#define MSEC PL_USEC_PER_MSEC

/* clang-format off */
static const struct {
        const char *name;
        PlSlowReading limits;              /* quota, period, memory.high */
        uint64_t span_usec, cpu_usec, n_throttled, n_high, memory_bytes; /* between two readings */
        const char *text;                  /* NULL: nothing holds it back */
} rows[] = {
        { "throttled all the time", { .quota_usec = 50000, .period_usec = 100 * MSEC, .high_bytes = NONE },
          10 * SEC, 500 * MSEC, 98, NONE, NONE, "CPUQuota=5% holds it back: throttled in 98% of the time" },
        { "throttled in the quarter of it", { .quota_usec = 50000, .period_usec = 100 * MSEC, .high_bytes = NONE },
          10 * SEC, 100 * MSEC, 25, NONE, NONE, "CPUQuota=5% holds it back: throttled in 25% of the time" },
        { "throttled now and then, as an idle one is", { .quota_usec = 50000, .period_usec = 100 * MSEC, .high_bytes = NONE },
          10 * SEC, 100 * MSEC, 24, NONE, NONE, NULL },
        { "idle", { .quota_usec = 50000, .period_usec = 100 * MSEC, .high_bytes = NONE },
          10 * SEC, 0, 0, NONE, NONE, NULL },
        { "another period", { .quota_usec = 500000, .period_usec = 1 * SEC, .high_bytes = NONE },
          10 * SEC, 5 * SEC, 10, NONE, NONE, "CPUQuota=50% holds it back: throttled in 100% of the time" },
        { "no period is known", { .quota_usec = 80000, .high_bytes = NONE },
          10 * SEC, 800 * MSEC, 99, NONE, NONE, "CPUQuota=8% holds it back: throttled in 99% of the time" },
        { "counted over a little more than the span", { .quota_usec = 80000, .high_bytes = NONE },
          10 * SEC, 800 * MSEC, 103, NONE, NONE, "CPUQuota=8% holds it back: throttled in 100% of the time" },
        { "one thread uses it up", { .quota_usec = 1000000, .period_usec = 100 * MSEC, .high_bytes = NONE },
          10 * SEC, 9500 * MSEC, 0, NONE, NONE, "CPUQuota=100% holds it back: it uses 95% of it" },
        { "one thread, and there is more to be had", { .quota_usec = 2000000, .period_usec = 100 * MSEC, .high_bytes = NONE },
          10 * SEC, 10 * SEC, 0, NONE, NONE, NULL },
        { "no quota of ours, though throttled", { .quota_usec = NONE, .period_usec = 100 * MSEC, .high_bytes = NONE },
          10 * SEC, 500 * MSEC, 98, NONE, NONE, NULL },
        { "the kernel does not tell", { .quota_usec = 50000, .period_usec = 100 * MSEC, .high_bytes = NONE },
          10 * SEC, NONE, NONE, NONE, NONE, NULL },
        { "at memory.high", { .quota_usec = NONE, .high_bytes = MIB(32) },
          10 * SEC, 0, 0, 12, MIB(31), "MemoryHigh=32M holds it back: it needs 31.0M, and had to wait for memory 12 times" },
        { "at memory.high for what it reads", { .quota_usec = NONE, .high_bytes = MIB(32) },
          10 * SEC, 0, 0, 12, MIB(8), NULL },
        { "near memory.high, and nothing waits", { .quota_usec = NONE, .high_bytes = MIB(32) },
          10 * SEC, 0, 0, 0, MIB(31), NULL },
        { "the quota is not it, memory.high is", { .quota_usec = 50000, .high_bytes = MIB(32) },
          10 * SEC, 0, 0, 12, MIB(32), "MemoryHigh=32M holds it back: it needs 32.0M, and had to wait for memory 12 times" },
};
/* clang-format on */

static PlSlowReading reading(uint64_t usec, const PlSlowReading *limits) {
        PlSlowReading r = *limits;

        r.usec = usec;
        return r;
}

START_TEST(two_readings) {
        PlSlowReading r = reading(7 * SEC, &rows[_i].limits);
        PlSlow slow = { 0 };
        const char *text;

        r.cpu_usec = rows[_i].cpu_usec == NONE ? NONE : 3 * SEC;
        r.n_throttled = rows[_i].n_throttled == NONE ? NONE : 40;
        r.n_high = rows[_i].n_high == NONE ? NONE : 5;
        r.memory_bytes = rows[_i].memory_bytes;
        ck_assert_ptr_null(pl_slow_take(&slow, &r));
        r.usec += rows[_i].span_usec;
        r.cpu_usec += rows[_i].cpu_usec == NONE ? 0 : rows[_i].cpu_usec;
        r.n_throttled += rows[_i].n_throttled == NONE ? 0 : rows[_i].n_throttled;
        r.n_high += rows[_i].n_high == NONE ? 0 : rows[_i].n_high;
        text = pl_slow_take(&slow, &r);
        ck_assert_msg(pl_streq_null(text, rows[_i].text), "%s: %s", rows[_i].name,
                      text ?: "nothing");
}
END_TEST

/* Taken ten times a second, throttled in its third to eighth second. */
START_TEST(often) {
        PlSlowReading r = { .quota_usec = 50000, .period_usec = 100 * MSEC, .high_bytes = NONE };
        PlSlow slow = { 0 };
        char seen[21] = "";

        for (unsigned i = 0; i <= 200; i++) {
                const char *text;

                r.usec = SEC + i * 100 * MSEC;
                r.n_throttled += i > 20 && i <= 80;
                text = pl_slow_take(&slow, &r);
                if (i % 10 == 9)
                        seen[i / 10] = text ? 'h' : '.';
        }
        /* the first word after one second, the next ones each five */
        ck_assert_str_eq(seen, "......hhhhhhhhhh....");
}
END_TEST

/* A quota that was just raised has not yet done its good, and a container has no quota any more. */
START_TEST(another_limit) {
        PlSlowReading r = { .quota_usec = 50000, .period_usec = 100 * MSEC, .high_bytes = NONE };
        PlSlow slow = { 0 };

        r.usec = SEC;
        (void)pl_slow_take(&slow, &r);
        r.usec += 10 * SEC, r.n_throttled += 100;
        ck_assert_ptr_nonnull(pl_slow_take(&slow, &r));
        r.usec += SEC, r.n_throttled += 10, r.quota_usec = 2000000;
        ck_assert_ptr_null(pl_slow_take(&slow, &r));
        r.usec += 10 * SEC;
        ck_assert_ptr_null(pl_slow_take(&slow, &r));
        r.usec += 10 * SEC, r.n_throttled += 100;
        ck_assert_ptr_nonnull(pl_slow_take(&slow, &r));
        r.quota_usec = NONE;
        ck_assert_ptr_null(pl_slow_take(&slow, &r));
}
END_TEST

/* The group was made anew, and its counters with it. */
START_TEST(counters_begin_again) {
        PlSlowReading r = { .quota_usec = 50000, .period_usec = 100 * MSEC, .high_bytes = NONE };
        PlSlow slow = { 0 };

        r.usec = SEC, r.n_throttled = 1000, r.cpu_usec = 90 * SEC;
        (void)pl_slow_take(&slow, &r);
        r.usec += 10 * SEC, r.n_throttled = 3, r.cpu_usec = 1000;
        ck_assert_ptr_null(pl_slow_take(&slow, &r));
}
END_TEST

int main(void) {
        TCase *t = tcase_create("slow");

        tcase_add_loop_test(t, two_readings, 0, PL_ARRAY_SIZE(rows));
        tcase_add_test(t, often);
        tcase_add_test(t, another_limit);
        tcase_add_test(t, counters_begin_again);
        return run_case(t);
}
