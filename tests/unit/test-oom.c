/* SPDX-License-Identifier: Apache-2.0 */

/* What a report says, to the word and to the number; how advice rounds; when pressure is a warning.
 */

#include "pl-oom.h"

#include <check.h>

/* rows are a usual report with differences */
#pragma GCC diagnostic ignored "-Woverride-init"

#define SEC PL_USEC_PER_SEC
#define ID  "3f4e7a90c1d2b3a4958677665544332211ffeeddccbbaa998877665544332211"
#define U   PL_UNLIMITED

static const struct {
        uint64_t need, host, suggest;
} suggestions[] = {
        { GIB(4), GIB(16), GIB(5) },
        { GIB(6), GIB(16), GIB(8) },
        { GIB(1), GIB(16), MIB(1280) },
        { MIB(64), GIB(16), MIB(80) },
        { MIB(500), GIB(16), MIB(640) },
        { MIB(64) - 4096, GIB(16), MIB(80) },
        { KIB(100), GIB(16), KIB(128) },
        { GIB(4), 0, GIB(5) }, /* host unknown */
        /* nine tenths of the host at most, and that in a round number */
        { GIB(6), GIB(8), GIB(7) },
        { GIB(7), GIB(8), 0 },
        { GIB(8), GIB(8), 0 },
        { GIB(100), GIB(8), 0 },
};

START_TEST(suggests) {
        uint64_t bytes = pl_oom_suggest(suggestions[_i].need, suggestions[_i].host);

        ck_assert_msg(bytes == suggestions[_i].suggest, "row %d: %" PRIu64, _i, bytes);
        ck_assert(suggestions[_i].host == 0 || bytes <= suggestions[_i].host);
}
END_TEST

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

static PlOomSample sample(uint64_t at, uint64_t usage, uint64_t file, uint64_t limit,
                          uint64_t some) {
        PlOomSample s;

        pl_oom_sample_init(&s, at);
        s.usage_bytes = usage;
        s.inactive_file_bytes = file;
        s.limit_bytes = limit;
        s.swap_bytes = 0;
        s.some_avg10 = some;
        s.full_avg10 = some == U ? U : some / 2;
        return s;
}

static PlKmsgKill killed(PlKmsgScope scope, const char *limit_group) {
        PlKmsgKill k = {
                .scope = scope,
                .pid = 1234,
                .uid = 70,
                .name = "python3",
                .anon_rss_bytes = MIB(38),
                .file_rss_bytes = MIB(2),
                .shmem_rss_bytes = 0,
                .group = "/system.slice/docker-" ID ".scope",
                .usage_bytes = MIB(64),
                .limit_bytes = MIB(64),
        };

        (void)snprintf(k.limit_group, sizeof(k.limit_group), "%s", limit_group);
        if (scope == PL_KMSG_SCOPE_HOST)
                k.usage_bytes = k.limit_bytes = U;
        return k;
}

#define NOW (1000 * SEC)
#define OWN "/system.slice/docker-" ID ".scope"

/* Which numbers a report takes from where. */
static const struct {
        const char *name;
        struct {
                unsigned ago_sec;
                uint64_t usage, file, some;
        } before[3];
        bool has_after, has_kill;
        uint64_t after_usage, peak;
        PlKmsgScope scope;
        const char *limit_group;
        PlOomCause cause;
        uint64_t usage, working_set, report_peak, limit, some;
} merges[] = {
        { "everything is known",
          { { 50, MIB(10), 0, 2000 }, { 1, MIB(63), MIB(3), 900 } },
          true,
          true,
          MIB(20),
          MIB(64),
          PL_KMSG_SCOPE_GROUP,
          OWN,
          PL_OOM_CAUSE_LIMIT,
          MIB(64),
          MIB(61),
          MIB(64),
          MIB(64),
          2000 },
        { "no sample before",
          { { 0 } },
          true,
          true,
          MIB(20),
          MIB(64),
          PL_KMSG_SCOPE_GROUP,
          OWN,
          PL_OOM_CAUSE_LIMIT,
          MIB(64),
          MIB(63),
          MIB(64),
          MIB(64),
          500 },
        { "the group has gone",
          { { 70, MIB(9), 0, 9000 }, { 30, MIB(60), MIB(1), 800 } },
          false,
          true,
          0,
          U,
          PL_KMSG_SCOPE_GROUP,
          OWN,
          PL_OOM_CAUSE_LIMIT,
          MIB(64),
          MIB(63),
          MIB(64),
          MIB(64),
          800 },
        { "gone, and nothing known but the kernel's word",
          { { 0 } },
          false,
          true,
          0,
          U,
          PL_KMSG_SCOPE_GROUP,
          OWN,
          PL_OOM_CAUSE_LIMIT,
          MIB(64),
          U,
          MIB(64),
          MIB(64),
          U },
        { "old samples say nothing of the moment",
          { { 20, MIB(63), 0, 100 } },
          true,
          false,
          MIB(20),
          MIB(64),
          0,
          "",
          PL_OOM_CAUSE_LIMIT,
          U,
          U,
          MIB(64),
          MIB(64),
          500 },
        { "a kernel log that cannot be read",
          { { 1, MIB(64), MIB(4), 100 } },
          true,
          false,
          MIB(20),
          MIB(64),
          0,
          "",
          PL_OOM_CAUSE_LIMIT,
          MIB(64),
          MIB(60),
          MIB(64),
          MIB(64),
          500 },
        { "never full: not its own limit",
          { { 0 } },
          true,
          false,
          MIB(20),
          MIB(30),
          0,
          "",
          PL_OOM_CAUSE_UNKNOWN,
          MIB(20),
          MIB(19),
          MIB(30),
          MIB(64),
          500 },
        { "the host",
          { { 0 } },
          true,
          true,
          MIB(20),
          MIB(30),
          PL_KMSG_SCOPE_HOST,
          "",
          PL_OOM_CAUSE_HOST,
          MIB(20),
          MIB(19),
          MIB(30),
          MIB(64),
          500 },
        { "a group above",
          { { 0 } },
          true,
          true,
          MIB(20),
          MIB(30),
          PL_KMSG_SCOPE_GROUP,
          "/system.slice",
          PL_OOM_CAUSE_PARENT,
          MIB(20),
          MIB(19),
          MIB(30),
          MIB(64),
          500 },
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
        pl_oom_report_init(&r, &ring, merges[_i].has_after ? &after : NULL,
                           merges[_i].has_kill ? &k : NULL, ID, 1, NOW, 5);
        ck_assert_msg(r.cause == merges[_i].cause, "%s: %s", merges[_i].name,
                      pl_oom_cause_to_string(r.cause));
        ck_assert_msg(r.usage_bytes == merges[_i].usage, "%s: usage %" PRIu64, merges[_i].name,
                      r.usage_bytes);
        ck_assert_msg(r.working_set_bytes == merges[_i].working_set, "%s: working set %" PRIu64,
                      merges[_i].name, r.working_set_bytes);
        ck_assert_msg(r.peak_bytes == merges[_i].report_peak, "%s: peak %" PRIu64, merges[_i].name,
                      r.peak_bytes);
        ck_assert_msg(r.limit_bytes == merges[_i].limit, "%s: limit %" PRIu64, merges[_i].name,
                      r.limit_bytes);
        ck_assert_msg(r.some_permyriad == merges[_i].some, "%s: some %" PRIu64, merges[_i].name,
                      r.some_permyriad);
        ck_assert_int_eq(r.pid, merges[_i].has_kill ? 1234 : 0);
        ck_assert_uint_eq(r.victim_bytes, merges[_i].has_kill ? MIB(40) : U);
}
END_TEST

#define REPORT                                                                              \
        .time_usec = 1, .kills = 1, .cause = PL_OOM_CAUSE_LIMIT, .pid = 1234, .uid = 70,    \
        .victim_bytes = MIB(40), .victim = "python3", .directive = "MemoryMax",             \
        .limit_bytes = GIB(4), .usage_bytes = GIB(4), .peak_bytes = GIB(4),                 \
        .working_set_bytes = MIB(3994), .swap_bytes = 0, .some_permyriad = 3412,            \
        .full_permyriad = 150, .in_10min = 1, .in_hour = 1, .in_day = 2,                    \
        .owner = PL_OOM_OWNER_POLICY, .section = "Service postgres", .host_bytes = GIB(16), \
        .all_limits_bytes = GIB(12), .setting_bytes = U
#define NUMBERS                                                                              \
        ". Used 4.0G, peak 4.0G, working set 3.9G, swap 0B. Pressure in the minute before: " \
        "some 34%, full 1.5%"

static const struct {
        const char *name;
        PlOomReport report;
        const char *text;
} texts[] = {
        { "limit of the policy",
          { REPORT },
          "OOM kill: python3 (pid 1234, uid 70, 40.0M) was killed at the limit of 4.0G, set by "
          "[Service postgres]" NUMBERS ". Kills: 1 in 10 min, 1 in 1 h, 2 in 24 h. Advice: raise "
          "MemoryMax= to 5G in [Service postgres], or find out what grows in it" },
        { "often, and a setting",
          { REPORT, .in_hour = 3, .product = "Postgres", .setting = "shared_buffers",
            .setting_bytes = GIB(3) },
          "OOM kill: python3 (pid 1234, uid 70, 40.0M) was killed at the limit of 4.0G, set by "
          "[Service postgres]" NUMBERS ". Kills: 1 in 10 min, 3 in 1 h, 2 in 24 h. Advice: peak "
          "4.0G of 4.0G 3 times in an hour; Postgres shared_buffers is 3.0G: lower it, or raise "
          "MemoryMax= to 5G in [Service postgres]" },
        { "limit of the engine, no section",
          { REPORT, .owner = PL_OOM_OWNER_ENGINE, .section = "", .some_permyriad = U,
            .full_permyriad = U },
          "OOM kill: python3 (pid 1234, uid 70, 40.0M) was killed at the limit of 4.0G, set in "
          "the engine. Used 4.0G, peak 4.0G, working set 3.9G, swap 0B. Kills: 1 in 10 min, 1 in "
          "1 h, 2 in 24 h. Advice: set MemoryMax=5G in a section of the policy, or find out what "
          "grows in it" },
        { "limit of nobody, a section without MemoryMax=, two victims, no log",
          { REPORT, .owner = PL_OOM_OWNER_NOBODY, .pid = 0, .victim = "", .kills = 2,
            .usage_bytes = U, .working_set_bytes = U, .swap_bytes = U },
          "OOM kill: a process (the kernel log does not tell which) and 1 more were killed at the "
          "limit of 4.0G, set by neither the policy nor the engine. Used unknown, peak 4.0G. "
          "Pressure in the minute before: some 34%, full 1.5%. Kills: 1 in 10 min, 1 in 1 h, 2 in "
          "24 h. Advice: set MemoryMax=5G in [Service postgres], or find out what grows in it" },
        { "the host cannot give more",
          { REPORT, .host_bytes = GIB(4) },
          "OOM kill: python3 (pid 1234, uid 70, 40.0M) was killed at the limit of 4.0G, set by "
          "[Service postgres]" NUMBERS ". Kills: 1 in 10 min, 1 in 1 h, 2 in 24 h. Advice: the "
          "host's 4.0G cannot give more: make it use less" },
        { "… but a setting can be lowered",
          { REPORT, .host_bytes = GIB(4), .product = "Redis", .setting = "maxmemory",
            .setting_bytes = GIB(4) },
          "OOM kill: python3 (pid 1234, uid 70, 40.0M) was killed at the limit of 4.0G, set by "
          "[Service postgres]" NUMBERS ". Kills: 1 in 10 min, 1 in 1 h, 2 in 24 h. Advice: Redis "
          "maxmemory is 4.0G: lower it" },
        { "a setting that leaves room",
          { REPORT, .product = "Redis", .setting = "maxmemory", .setting_bytes = GIB(2) },
          "OOM kill: python3 (pid 1234, uid 70, 40.0M) was killed at the limit of 4.0G, set by "
          "[Service postgres]" NUMBERS ". Kills: 1 in 10 min, 1 in 1 h, 2 in 24 h. Advice: raise "
          "MemoryMax= to 5G in [Service postgres], or find out what grows in it" },
        { "a group above it",
          { REPORT, .cause = PL_OOM_CAUSE_PARENT, .limit_group = "/system.slice" },
          "OOM kill: python3 (pid 1234, uid 70, 40.0M) was killed at the limit of 4.0G of "
          "/system.slice, the group above it" NUMBERS ". Kills: 1 in 10 min, 1 in 1 h, 2 in 24 h. "
          "Advice: raise the limit of /system.slice, or lower MemoryMax= of what is in it" },
        { "the host, containers without limits",
          { REPORT, .cause = PL_OOM_CAUSE_HOST, .n_unlimited = 2 },
          "OOM kill: python3 (pid 1234, uid 70, 40.0M) was killed because the host ran out of "
          "memory" NUMBERS ". Kills: 1 in 10 min, 1 in 1 h, 2 in 24 h. Advice: running containers "
          "may use 12.0G, and 2 of them without a limit, of the host's 16.0G: give each a "
          "MemoryMax=, so that they fit together" },
        { "the host, too much promised",
          { REPORT, .cause = PL_OOM_CAUSE_HOST, .all_limits_bytes = GIB(24) },
          "OOM kill: python3 (pid 1234, uid 70, 40.0M) was killed because the host ran out of "
          "memory" NUMBERS ". Kills: 1 in 10 min, 1 in 1 h, 2 in 24 h. Advice: running containers "
          "may use 24.0G of the host's 16.0G: lower MemoryMax= until they fit together" },
        { "the host, somebody else",
          { REPORT, .cause = PL_OOM_CAUSE_HOST },
          "OOM kill: python3 (pid 1234, uid 70, 40.0M) was killed because the host ran out of "
          "memory" NUMBERS ". Kills: 1 in 10 min, 1 in 1 h, 2 in 24 h. Advice: what else runs on "
          "the host needs less, or the host more memory" },
        { "nothing is known",
          { .time_usec = 1,
            .kills = 1,
            .directive = "MemoryMax",
            .uid = U,
            .victim_bytes = U,
            .limit_bytes = U,
            .usage_bytes = U,
            .peak_bytes = U,
            .working_set_bytes = U,
            .swap_bytes = U,
            .some_permyriad = U,
            .full_permyriad = U,
            .all_limits_bytes = U },
          "OOM kill: a process (the kernel log does not tell which) was killed. Kills: 0 in 10 "
          "min, 0 in 1 h, 0 in 24 h" },
        { "a hostile name",
          { REPORT, .victim = "\x1b[31m\n\xff" },
          "OOM kill: \\x1b[31m\\x0a\\xff (pid 1234, uid 70, 40.0M) was killed at the limit of "
          "4.0G, set by [Service postgres]" NUMBERS ". Kills: 1 in 10 min, 1 in 1 h, 2 in 24 h. "
          "Advice: raise MemoryMax= to 5G in [Service postgres], or find out what grows in it" },
};

START_TEST(words) {
        _cleanup_free_ char *text = pl_oom_text(&texts[_i].report);
        json_t *j = pl_oom_json(&texts[_i].report, "web", "abc");

        ck_assert_msg(pl_streq_null(text, texts[_i].text), "%s:\n%s\n%s", texts[_i].name, text,
                      texts[_i].text);
        ck_assert_ptr_nonnull(j);
        ck_assert_str_eq(json_string_value(json_object_get(j, "message")), text);
        ck_assert_int_eq(json_integer_value(json_object_get(j, "limit_bytes")),
                         texts[_i].report.limit_bytes == U ? 0 : (json_int_t)GIB(4));
        ck_assert(json_is_null(json_object_get(j, "victim_pid")) == (texts[_i].report.pid == 0));
        json_decref(j);
}
END_TEST

START_TEST(fields) {
        static const char *const want[][2] = {
                { "PLIMSOLL_VICTIM", "python3" },
                { "PLIMSOLL_VICTIM_PID", "1234" },
                { "PLIMSOLL_OOM_CAUSE", "limit" },
                { "PLIMSOLL_OOM_KILLS", "1" },
                { "PLIMSOLL_OOM_KILLS_1H", "1" },
                { "PLIMSOLL_LIMIT_BYTES", "4294967296" },
                { "PLIMSOLL_LIMIT_SECTION", "Service postgres" },
                { "PLIMSOLL_USAGE_BYTES", "4294967296" },
                { "PLIMSOLL_PEAK_BYTES", "4294967296" },
                { "PLIMSOLL_WORKING_SET_BYTES", "4188012544" },
                { "PLIMSOLL_SWAP_BYTES", "0" },
                { "PLIMSOLL_PRESSURE_SOME_PERMYRIAD", "3412" },
                { "PLIMSOLL_PRESSURE_FULL_PERMYRIAD", "150" },
        };
        PlOomFields f;

        pl_oom_fields(&texts[0].report, &f);
        ck_assert_uint_eq(f.n, PL_ARRAY_SIZE(want));
        for (size_t i = 0; i < f.n; i++) {
                ck_assert_str_eq(f.items[i].name, want[i][0]);
                ck_assert_str_eq(f.items[i].value, want[i][1]);
        }
        /* what is unknown is no field */
        pl_oom_fields(&texts[11].report, &f);
        ck_assert_uint_eq(f.n, 3);
}
END_TEST

START_TEST(history) {
        PlOomHistory h = { 0 };
        PlOomReport r = { REPORT };

        for (unsigned i = 0; i < 3 * PL_OOM_TIMES; i++) {
                r.time_usec = (100000 + i * 60) * SEC; /* one a minute */
                r.kills = 1;
                pl_oom_history_add(&h, &r);
                ck_assert_uint_eq(r.in_10min, PL_MIN(i + 1, 10U));
                ck_assert_uint_eq(r.in_hour, PL_MIN(i + 1, 60U));
                ck_assert_uint_eq(r.in_day, PL_MIN(i + 1, (unsigned)PL_OOM_TIMES));
                for (unsigned n = 0; n < PL_OOM_REPORTS; n++) {
                        const PlOomReport *k = pl_oom_history_get(&h, n);
                        unsigned kept = PL_MIN(i + 1, (unsigned)PL_OOM_REPORTS);

                        ck_assert((k != NULL) == (n < kept));
                        if (k)
                                ck_assert_uint_eq(k->time_usec,
                                                  (100000 + (i + 1 - kept + n) * 60) * SEC);
                }
        }
        ck_assert_uint_eq(h.total, 3 * PL_OOM_TIMES);
        r.kills = 5;
        r.time_usec += PL_USEC_PER_DAY;
        pl_oom_history_add(&h, &r);
        ck_assert_uint_eq(r.in_day, 5);
        ck_assert_uint_eq(h.total, 3 * PL_OOM_TIMES + 5);
        r.kills = UINT64_C(1) << 40;
        pl_oom_history_add(&h, &r);
        ck_assert_uint_eq(r.in_10min, PL_OOM_TIMES);
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
        uint64_t now = NOW;

        for (unsigned i = 0; i < 4 && spells[_i].script[i].seconds; i++) {
                unsigned warnings = 0;

                now += spells[_i].script[i].pause_sec * SEC;
                for (unsigned t = 0; t < spells[_i].script[i].seconds; t += 2) {
                        PlOomSample s = sample(now += 2 * SEC, spells[_i].usage, 0,
                                               spells[_i].limit, spells[_i].some);

                        s.high_bytes = spells[_i].high;
                        warnings += pl_oom_pressure(&p, &s);
                }
                ck_assert_msg(warnings == spells[_i].script[i].warnings, "%s, step %u: %u warnings",
                              spells[_i].name, i, warnings);
        }
}
END_TEST

static const struct {
        uint64_t limit, high, some;
        const char *text;
} warnings[] = {
        { GIB(1), U, 2150,
          "memory is short: working set 999.0M of 1.0G, set by [Service web]; tasks wait for "
          "memory "
          "22% of the time, for 32s now. The kernel kills when nothing can be freed any more. "
          "Advice: raise MemoryMax= to 1280M in [Service web], or find out what grows in it" },
        { GIB(2), GIB(1), U,
          "memory is short: working set 999.0M of 1.0G, set by [Service web], for 32s now. The "
          "kernel slows it down more and more. Advice: raise MemoryHigh= to 1280M in [Service "
          "web], "
          "or find out what grows in it" },
};

START_TEST(warns) {
        PlOomSample s = sample(NOW, MIB(1000), MIB(1), warnings[_i].limit, warnings[_i].some);
        PlOomRing ring = { 0 };
        PlOomReport r;
        _cleanup_free_ char *text = NULL;

        s.high_bytes = warnings[_i].high;
        pl_oom_report_pressure(&r, &ring, &s, 1);
        r.owner = PL_OOM_OWNER_POLICY;
        r.host_bytes = GIB(16);
        (void)snprintf(r.section, sizeof(r.section), "Service web");
        text = pl_oom_pressure_text(&r, 32 * SEC + 5);
        ck_assert_msg(pl_streq_null(text, warnings[_i].text), "%s\n%s", text, warnings[_i].text);
}
END_TEST

int main(void) {
        Suite *s = suite_create("oom");
        TCase *t = tcase_create("oom");
        SRunner *runner = srunner_create(s);
        int failed;

        tcase_add_loop_test(t, suggests, 0, PL_ARRAY_SIZE(suggestions));
        tcase_add_loop_test(t, parses_pressure, 0, PL_ARRAY_SIZE(pressures));
        tcase_add_loop_test(t, merges_what_is_known, 0, PL_ARRAY_SIZE(merges));
        tcase_add_loop_test(t, words, 0, PL_ARRAY_SIZE(texts));
        tcase_add_test(t, fields);
        tcase_add_test(t, history);
        tcase_add_loop_test(t, pressure, 0, PL_ARRAY_SIZE(spells));
        tcase_add_loop_test(t, warns, 0, PL_ARRAY_SIZE(warnings));
        suite_add_tcase(s, t);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
