/* SPDX-License-Identifier: Apache-2.0 */

/* What a report is made of, and when pressure is a warning. */

#include "oom-rows.h"

static const struct {
        const char *text;
        uint64_t some10, full10, some60, full60;
} pressures[] = {
        { "some avg10=12.34 avg60=1.05 avg300=0.00 total=99\nfull avg10=3.00 avg60=0.50 "
          "avg300=0.00 total=1\n",
          1234, 300, 105, 50 },
        { "some avg10=100.00 avg60=0.00 avg300=0.00 total=0\n", 10000, U, 0, U },
        { "", U, U, U, U },
        { "some", U, U, U, U },
        { "some avg10=1.2\n", U, U, U, U },
        { "some avg10=99999999999999999999.00 avg60=x\nfull\n", U, U, U, U },
        { "some nothing\nfull avg10=1.00 avg60=2.00", U, 100, U, 200 },
};

START_TEST(parses_pressure) {
        PlOomSample s;

        pl_oom_sample_init(&s, 0);
        pl_oom_parse_pressure(pressures[_i].text, &s);
        ck_assert_msg(s.some_avg10 == pressures[_i].some10, "row %d: %" PRIu64, _i, s.some_avg10);
        ck_assert_msg(s.full_avg10 == pressures[_i].full10, "row %d", _i);
        ck_assert_msg(s.some_avg60 == pressures[_i].some60, "row %d", _i);
        ck_assert_msg(s.full_avg60 == pressures[_i].full60, "row %d", _i);
}
END_TEST

/* Which numbers a report takes from where. Unless a row says otherwise the group was read after the
 * kill: 20M are left of a limit of 64M that was full. */
#define AFTER .after_usage = MIB(20), .peak = MIB(64), .report_peak = MIB(64), .some = 500
#define GONE  .after_usage = 0, .peak = U, .report_peak = MIB(64)
#define OWN_LIMIT                                                           \
        .has_kill = true, .scope = PL_KMSG_SCOPE_GROUP, .limit_group = OWN, \
        .cause = PL_OOM_CAUSE_LIMIT, .usage = MIB(64)
/* what is left is all that is known */
#define LEFT .peak = MIB(30), .report_peak = MIB(30), .usage = MIB(20), .working_set = MIB(19)

static const struct {
        const char *name;
        struct {
                unsigned ago_sec;
                uint64_t usage, file, some;
        } before[3];
        bool has_kill;
        uint64_t after_usage, peak; /* usage 0: the group has gone */
        PlKmsgScope scope;
        const char *limit_group;
        PlOomCause cause;
        uint64_t usage, working_set, report_peak, some;
} merges[] = {
        { "everything is known",
          { { 50, MIB(10), 0, 2000 }, { 1, MIB(63), MIB(3), 900 } },
          AFTER,
          OWN_LIMIT,
          .working_set = MIB(61),
          .some = 2000 },
        { "no sample before", AFTER, OWN_LIMIT, .working_set = MIB(63) },
        { "the group has gone",
          { { 70, MIB(9), 0, 9000 }, { 30, MIB(60), MIB(1), 800 } },
          GONE,
          OWN_LIMIT,
          .working_set = MIB(63),
          .some = 800 },
        { "gone, and nothing known but the kernel's word", GONE, OWN_LIMIT, .working_set = U,
          .some = U },
        { "old samples say nothing of the moment",
          { { 20, MIB(63), 0, 100 } },
          AFTER,
          .cause = PL_OOM_CAUSE_LIMIT,
          .usage = U,
          .working_set = U },
        { "a kernel log that cannot be read",
          { { 1, MIB(64), MIB(4), 100 } },
          AFTER,
          .cause = PL_OOM_CAUSE_LIMIT,
          .usage = MIB(64),
          .working_set = MIB(60) },
        { "never full: not its own limit", AFTER, LEFT, .cause = PL_OOM_CAUSE_UNKNOWN },
        { "the host", AFTER, LEFT, .has_kill = true, .scope = PL_KMSG_SCOPE_HOST,
          .cause = PL_OOM_CAUSE_HOST },
        { "a group above", AFTER, LEFT, .has_kill = true, .scope = PL_KMSG_SCOPE_GROUP,
          .limit_group = "/system.slice", .cause = PL_OOM_CAUSE_PARENT },
};

START_TEST(merges_what_is_known) {
        PlOomRing ring = { 0 };
        PlOomSample after = sample(NOW, merges[_i].after_usage, MIB(1), MIB(64), 500);
        PlKmsgKill k = killed(merges[_i].scope, merges[_i].limit_group ?: "");
        PlOomReport r;

        after.peak_bytes = merges[_i].peak;
        for (unsigned i = 0; i < 3 && merges[_i].before[i].usage; i++) {
                PlOomSample s = sample(NOW - merges[_i].before[i].ago_sec * SEC,
                                       merges[_i].before[i].usage, merges[_i].before[i].file,
                                       MIB(64), merges[_i].before[i].some);

                pl_oom_ring_add(&ring, &s);
        }
        pl_oom_report_init(&r, &ring, merges[_i].after_usage ? &after : NULL,
                           merges[_i].has_kill ? &k : NULL, ID, 1, NOW, 5);
        ck_assert_msg(r.cause == merges[_i].cause, "%s: cause %d", merges[_i].name, r.cause);
        ck_assert_msg(r.usage_bytes == merges[_i].usage, "%s: usage %" PRIu64, merges[_i].name,
                      r.usage_bytes);
        ck_assert_msg(r.working_set_bytes == merges[_i].working_set, "%s: working set %" PRIu64,
                      merges[_i].name, r.working_set_bytes);
        ck_assert_msg(r.peak_bytes == merges[_i].report_peak, "%s: peak %" PRIu64, merges[_i].name,
                      r.peak_bytes);
        ck_assert_msg(r.limit_bytes == MIB(64), "%s: limit %" PRIu64, merges[_i].name,
                      r.limit_bytes);
        ck_assert_msg(r.some_permyriad == merges[_i].some, "%s: some %" PRIu64, merges[_i].name,
                      r.some_permyriad);
        ck_assert_int_eq(r.pid, merges[_i].has_kill ? 1234 : 0);
        ck_assert_uint_eq(r.victim_bytes, merges[_i].has_kill ? MIB(40) : U);
}
END_TEST

/* Each row is a script: seconds of samples every two seconds, a pause before them, and the number
 * of warnings. */
static const struct {
        const char *name;
        uint64_t usage, limit, high, some;
        struct {
                unsigned pause_sec, seconds, warnings;
        } script[4];
} spells[] = {
        { "a short one", MIB(63), MIB(64), U, 5000, { { 0, 20, 0 } } },
        { "half a minute", MIB(63), MIB(64), U, 5000, { { 0, 40, 1 } } },
        { "said once", MIB(63), MIB(64), U, 5000, { { 0, 3000, 1 } } },
        { "again after an hour of it", MIB(63), MIB(64), U, 5000, { { 0, 3700, 2 } } },
        { "gaps break it", MIB(63), MIB(64), U, 5000, { { 0, 20, 0 }, { 20, 20, 0 } } },
        { "short gaps do not", MIB(63), MIB(64), U, 5000, { { 0, 20, 0 }, { 8, 20, 1 } } },
        { "not again soon", MIB(63), MIB(64), U, 5000, { { 0, 40, 1 }, { 60, 40, 0 } } },
        { "again after quiet", MIB(63), MIB(64), U, 5000, { { 0, 40, 1 }, { 700, 40, 1 } } },
        { "far from the limit", MIB(50), MIB(64), U, 5000, { { 0, 100, 0 } } },
        { "no limit", MIB(50), U, U, 5000, { { 0, 100, 0 } } },
        { "little pressure", MIB(63), MIB(64), U, 900, { { 0, 100, 0 } } },
        { "cgroup v1: no averages", MIB(63), MIB(64), U, U, { { 0, 40, 1 } } },
        { "MemoryHigh=", MIB(31), MIB(64), MIB(32), 5000, { { 0, 40, 1 } } },
        { "usage unknown", U, MIB(64), U, 5000, { { 0, 100, 0 } } },
};

START_TEST(pressure) {
        PlOomPressure p = { 0 };
        PlOomRing ring = { 0 };
        PlOomReport r;
        uint64_t now = NOW;

        for (unsigned i = 0; i < 4 && spells[_i].script[i].seconds; i++) {
                unsigned warnings = 0;

                now += spells[_i].script[i].pause_sec * SEC;
                for (unsigned t = 0; t < spells[_i].script[i].seconds; t += 2) {
                        PlOomSample s = sample(now += 2 * SEC, spells[_i].usage, 0,
                                               spells[_i].limit, spells[_i].some);

                        s.high_bytes = spells[_i].high;
                        warnings += pl_oom_pressure(&p, &ring, &s, 1, &r);
                }
                ck_assert_msg(warnings == spells[_i].script[i].warnings, "%s, step %u: %u warnings",
                              spells[_i].name, i, warnings);
        }
}
END_TEST

int main(void) {
        TCase *t = tcase_create("oom");

        tcase_add_loop_test(t, parses_pressure, 0, PL_ARRAY_SIZE(pressures));
        tcase_add_loop_test(t, merges_what_is_known, 0, PL_ARRAY_SIZE(merges));
        tcase_add_loop_test(t, pressure, 0, PL_ARRAY_SIZE(spells));
        return run_case(t);
}
