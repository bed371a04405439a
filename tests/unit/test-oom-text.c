/* SPDX-License-Identifier: Apache-2.0 */

/* What a report says, to the word and to the number; how advice rounds. */

#include "lib/base/unit.h"
#include "oom-rows.h"

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
          { REPORT, .in_hour = 3, .around.product = "Postgres", .around.setting = "shared_buffers",
            .around.setting_bytes = GIB(3) },
          "OOM kill: python3 (pid 1234, uid 70, 40.0M) was killed at the limit of 4.0G, set by "
          "[Service postgres]" NUMBERS ". Kills: 1 in 10 min, 3 in 1 h, 2 in 24 h. Advice: peak "
          "4.0G of 4.0G 3 times in an hour; Postgres shared_buffers is 3.0G: lower it, or raise "
          "MemoryMax= to 5G in [Service postgres]" },
        { "limit of the engine, no section",
          { REPORT, .around.owner = PL_OOM_OWNER_ENGINE, .around.section = "", .some_permyriad = U,
            .full_permyriad = U },
          "OOM kill: python3 (pid 1234, uid 70, 40.0M) was killed at the limit of 4.0G, set in "
          "the engine. Used 4.0G, peak 4.0G, working set 3.9G, swap 0B. Kills: 1 in 10 min, 1 in "
          "1 h, 2 in 24 h. Advice: set MemoryMax=5G in a [Service] section of its own, or find out "
          "what "
          "grows in it" },
        { "limit of nobody, a section without MemoryMax=, two victims, no log",
          { REPORT, .around.owner = PL_OOM_OWNER_NOBODY, .pid = 0, .victim = "", .kills = 2,
            .usage_bytes = U, .working_set_bytes = U, .swap_bytes = U },
          "OOM kill: a process (the kernel log does not tell which) and 1 more were killed at the "
          "limit of 4.0G, set by neither the policy nor the engine. Used unknown, peak 4.0G. "
          "Pressure in the minute before: some 34%, full 1.5%. Kills: 1 in 10 min, 1 in 1 h, 2 in "
          "24 h. Advice: set MemoryMax=5G in [Service postgres], or find out what grows in it" },
        { "the host cannot give more",
          { REPORT, .around.host_bytes = GIB(4) },
          "OOM kill: python3 (pid 1234, uid 70, 40.0M) was killed at the limit of 4.0G, set by "
          "[Service postgres]" NUMBERS ". Kills: 1 in 10 min, 1 in 1 h, 2 in 24 h. Advice: the "
          "host's 4.0G cannot give more: make it use less" },
        { "… but a setting can be lowered",
          { REPORT, .around.host_bytes = GIB(4), .around.product = "Redis",
            .around.setting = "maxmemory", .around.setting_bytes = GIB(4) },
          "OOM kill: python3 (pid 1234, uid 70, 40.0M) was killed at the limit of 4.0G, set by "
          "[Service postgres]" NUMBERS ". Kills: 1 in 10 min, 1 in 1 h, 2 in 24 h. Advice: Redis "
          "maxmemory is 4.0G: lower it" },
        { "a setting that leaves room",
          { REPORT, .around.product = "Redis", .around.setting = "maxmemory",
            .around.setting_bytes = GIB(2) },
          "OOM kill: python3 (pid 1234, uid 70, 40.0M) was killed at the limit of 4.0G, set by "
          "[Service postgres]" NUMBERS ". Kills: 1 in 10 min, 1 in 1 h, 2 in 24 h. Advice: raise "
          "MemoryMax= to 5G in [Service postgres], or find out what grows in it" },
        { "a group above it",
          { REPORT, .cause = PL_OOM_CAUSE_PARENT, .limit_group = "/system.slice" },
          "OOM kill: python3 (pid 1234, uid 70, 40.0M) was killed at the limit of 4.0G of "
          "/system.slice, the group above it" NUMBERS ". Kills: 1 in 10 min, 1 in 1 h, 2 in 24 h. "
          "Advice: raise the limit of /system.slice, or lower MemoryMax= of what is in it" },
        { "the host, containers without limits",
          { REPORT, .cause = PL_OOM_CAUSE_HOST, .around.n_unlimited = 2 },
          "OOM kill: python3 (pid 1234, uid 70, 40.0M) was killed because the host ran out of "
          "memory" NUMBERS ". Kills: 1 in 10 min, 1 in 1 h, 2 in 24 h. Advice: running containers "
          "may use 12.0G, and 2 of them without a limit, of the host's 16.0G: give each a "
          "MemoryMax=, so that they fit together" },
        { "the host, too much promised",
          { REPORT, .cause = PL_OOM_CAUSE_HOST, .around.all_limits_bytes = GIB(24) },
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
            .around.all_limits_bytes = U },
          "OOM kill: a process (the kernel log does not tell which) was killed. Kills: 0 in 10 "
          "min, 0 in 1 h, 0 in 24 h" },
        { "[Defaults] governs it",
          { REPORT, .around.section = "Defaults", .around.proposed = "Service web" },
          "OOM kill: python3 (pid 1234, uid 70, 40.0M) was killed at the limit of 4.0G, set by "
          "[Defaults]" NUMBERS
          ". Kills: 1 in 10 min, 1 in 1 h, 2 in 24 h. Advice: raise MemoryMax= to "
          "5G in a section of its own, [Service web], or find out what grows in it" },
        { "[Defaults] governs it, which has no fit name",
          { REPORT, .around.section = "Defaults", .around.owner = PL_OOM_OWNER_ENGINE },
          "OOM kill: python3 (pid 1234, uid 70, 40.0M) was killed at the limit of 4.0G, set in the "
          "engine" NUMBERS
          ". Kills: 1 in 10 min, 1 in 1 h, 2 in 24 h. Advice: set MemoryMax=5G in a "
          "[Service] section of its own, or find out what grows in it" },
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

/* How advice rounds: a limit that was reached, and the one to set. */
START_TEST(suggests) {
        uint64_t need = suggestions[_i].need, bytes = 0;
        PlOomReport r = { REPORT, .limit_bytes = need, .around.host_bytes = suggestions[_i].host };
        _cleanup_free_ char *text = pl_oom_text(&r);
        const char *more = strstr(text, "MemoryMax= to ");

        if (more) {
                more += strlen("MemoryMax= to ");
                more = strndupa(more, strcspn(more, " "));
                ck_assert_int_eq(pl_parse_size(more, &bytes), 0);
        } else {
                ck_assert_ptr_nonnull(strstr(text, " cannot give more: "));
        }
        ck_assert_msg(bytes == suggestions[_i].suggest, "row %d: %s", _i, text);
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
        PlOomPressure p = { 0 };
        PlOomRing ring = { 0 };
        PlOomReport r;
        _cleanup_free_ char *text = NULL;

        s.high_bytes = warnings[_i].high;
        for (unsigned sec = 0; sec < 30; sec += 2, s.time_usec += 2 * SEC)
                ck_assert(!pl_oom_pressure(&p, &ring, &s, 1, &r));
        ck_assert(pl_oom_pressure(&p, &ring, &s, 1, &r));
        r.around.owner = PL_OOM_OWNER_POLICY;
        r.around.host_bytes = GIB(16);
        (void)snprintf(r.around.section, sizeof(r.around.section), "Service web");
        text = pl_oom_pressure_text(&r, 32 * SEC + 5);
        ck_assert_msg(pl_streq_null(text, warnings[_i].text), "%s\n%s", text, warnings[_i].text);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("oom-text");

        tcase_add_loop_test(t, suggests, 0, PL_ARRAY_SIZE(suggestions));
        tcase_add_loop_test(t, words, 0, PL_ARRAY_SIZE(texts));
        tcase_add_test(t, fields);
        tcase_add_loop_test(t, warns, 0, PL_ARRAY_SIZE(warnings));
        return run_case(t);
}
