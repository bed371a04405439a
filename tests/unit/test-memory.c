/* SPDX-License-Identifier: Apache-2.0 */

/* What is known of a service: what counts, what is bounded, and that it survives being written. */

#include "lib/evidence/memory.h"

#include "pinched.h"
#include "unit.h"

#define S(n) (UINT64_C(1800000000000000) + (uint64_t)((n)*1000000.0))

static PlMemory *memory_new(void) {
        PlMemory *m = calloc(1, sizeof(*m));

        ck_assert_ptr_nonnull(m);
        strcpy(m->identity.key, "web.shop-web-5f974e8335ec7ea1");
        strcpy(m->identity.origin, "shop-web-96e8ab6f223df9e5");
        strcpy(m->identity.title, "shop/web");
        strcpy(m->section, "web");
        strcpy(m->container, "shop-web-1");
        m->first_usec = S(0);
        m->last_usec = S(100);
        return m;
}

static void add_end(PlMemory *m, double at, char id, PlWhyKind kind, bool certain, bool own) {
        PlMemoryEnd e = { .end_usec = S(at),
                          .start_usec = S(at - 1),
                          .exit_code = 1,
                          .id = { id },
                          .own = own,
                          .why = { .kind = kind, .certain = certain } };

        strcpy(e.container, "shop-web-1");
        strcpy(e.why.what, "ended by itself with exit code 1");
        (void)pl_memory_add(m, PL_HAPPENED(END, end = &e));
}

static void add_kill(PlMemory *m, double at, uint64_t limit, uint64_t peak) {
        PlOomReport r = { .time_usec = S(at),
                          .kills = 1,
                          .cause = PL_OOM_CAUSE_LIMIT,
                          .directive = "MemoryMax",
                          .limit_bytes = limit,
                          .usage_bytes = limit,
                          .peak_bytes = peak,
                          .working_set_bytes = PL_UNLIMITED,
                          .swap_bytes = PL_UNLIMITED,
                          .some_permyriad = PL_UNLIMITED,
                          .full_permyriad = PL_UNLIMITED,
                          .uid = PL_UNLIMITED,
                          .victim_bytes = PL_UNLIMITED };

        pl_oom_history_add(&m->oom, &r);
}

/* Ends by time (or ~), who sees them, and what comes of it. */
static const struct {
        const char *name;
        struct {
                double at;
                char id;
                PlWhyKind kind;
                bool certain, own;
        } ends[12];
        uint64_t total, loops, loop_ends;
        PlWhyKind last;
} rows[] = {
        { "one", { { 10, 'a', PL_WHY_EXIT, false, true } }, 1, 0, 0, PL_WHY_EXIT },
        { "told twice",
          { { 10, 'a', PL_WHY_EXIT, false, true }, { 10.4, 'a', PL_WHY_EXIT, false, true } },
          1,
          0,
          0,
          PL_WHY_EXIT },
        { "the same time, two containers",
          { { 10, 'a', PL_WHY_EXIT, false, true }, { 10, 'b', PL_WHY_EXIT, false, true } },
          2,
          0,
          0,
          PL_WHY_EXIT },
        { "a surer word replaces",
          { { 10, 'a', PL_WHY_SIGKILL, false, true },
            { 10, 'a', PL_WHY_MEMORY_LIMIT, true, true } },
          1,
          0,
          0,
          PL_WHY_MEMORY_LIMIT },
        { "a less sure one does not",
          { { 10, 'a', PL_WHY_MEMORY_LIMIT, true, true }, { 10, 'a', PL_WHY_EXIT, false, true } },
          1,
          0,
          0,
          PL_WHY_MEMORY_LIMIT },
        { "anything is better than unknown",
          { { 10, 'a', PL_WHY_UNKNOWN, false, true }, { 10, 'a', PL_WHY_EXIT, false, true } },
          1,
          0,
          0,
          PL_WHY_EXIT },
        { "two in five minutes are no loop",
          { { 10, 'a', PL_WHY_EXIT, false, true }, { 20, 'a', PL_WHY_EXIT, false, true } },
          2,
          0,
          0,
          PL_WHY_EXIT },
        { "three are",
          { { 10, 'a', PL_WHY_EXIT, false, true },
            { 20, 'a', PL_WHY_EXIT, false, true },
            { 30, 'a', PL_WHY_EXIT, false, true } },
          3,
          1,
          3,
          PL_WHY_EXIT },
        { "… also when each has another id",
          { { 10, 'a', PL_WHY_EXIT, false, true },
            { 20, 'b', PL_WHY_EXIT, false, true },
            { 30, 'c', PL_WHY_EXIT, false, true } },
          3,
          1,
          3,
          PL_WHY_EXIT },
        { "… and go on",
          { { 10, 'a', PL_WHY_EXIT, false, true },
            { 20, 'a', PL_WHY_EXIT, false, true },
            { 30, 'a', PL_WHY_EXIT, false, true },
            { 250, 'a', PL_WHY_EXIT, false, true } },
          4,
          1,
          4,
          PL_WHY_EXIT },
        { "far apart",
          { { 10, 'a', PL_WHY_EXIT, false, true },
            { 400, 'a', PL_WHY_EXIT, false, true },
            { 800, 'a', PL_WHY_EXIT, false, true } },
          3,
          0,
          0,
          PL_WHY_EXIT },
        { "stops on request are none",
          { { 10, 'a', PL_WHY_STOPPED, true, false },
            { 20, 'a', PL_WHY_STOPPED, true, false },
            { 30, 'a', PL_WHY_STOPPED, true, false } },
          3,
          0,
          0,
          PL_WHY_STOPPED },
        { "two loops",
          { { 10, 'a', PL_WHY_EXIT, false, true },
            { 20, 'a', PL_WHY_EXIT, false, true },
            { 30, 'a', PL_WHY_EXIT, false, true },
            { 1000, 'a', PL_WHY_EXIT, false, true },
            { 1010, 'a', PL_WHY_EXIT, false, true },
            { 1020, 'a', PL_WHY_EXIT, false, true } },
          6,
          2,
          3,
          PL_WHY_EXIT },
};

START_TEST(ends) {
        _cleanup_free_ PlMemory *m = memory_new();

        for (size_t i = 0; rows[_i].ends[i].at > 0; i++)
                add_end(m, rows[_i].ends[i].at, rows[_i].ends[i].id, rows[_i].ends[i].kind,
                        rows[_i].ends[i].certain, rows[_i].ends[i].own);
        ck_assert_msg(m->ends_total == rows[_i].total && m->n_ends == rows[_i].total, "%s: %zu",
                      rows[_i].name, m->n_ends);
        ck_assert_msg(m->loops_total == rows[_i].loops, "%s: %" PRIu64 " loops", rows[_i].name,
                      m->loops_total);
        if (rows[_i].loops > 0)
                ck_assert_msg(m->loops[m->n_loops - 1].ends == rows[_i].loop_ends,
                              "%s: %" PRIu64 " ends", rows[_i].name, m->loops[m->n_loops - 1].ends);
        ck_assert_int_eq(m->ends[m->n_ends - 1].why.kind, rows[_i].last);
        ck_assert_uint_ge(m->kinds[rows[_i].last], 1);
}
END_TEST

static const struct {
        const char *name;
        PlWhyKind kind;
        double end, lost;
        PlWhyKind then;
} losses[] = {
        { "a stop right before", PL_WHY_STOPPED, 100, 105, PL_WHY_ENGINE },
        { "one that timed out", PL_WHY_STOP_TIMEOUT, 100, 115, PL_WHY_ENGINE },
        { "long before", PL_WHY_STOPPED, 100, 140, PL_WHY_STOPPED },
        { "after it", PL_WHY_STOPPED, 100, 90, PL_WHY_STOPPED },
        { "an end by itself", PL_WHY_EXIT, 100, 105, PL_WHY_EXIT },
        { "a kill", PL_WHY_MEMORY_LIMIT, 100, 105, PL_WHY_MEMORY_LIMIT },
};

START_TEST(engine_lost) {
        _cleanup_free_ PlMemory *m = memory_new();
        bool changed;

        add_end(m, losses[_i].end, 'a', losses[_i].kind, true, false);
        changed = pl_memory_add(m, PL_HAPPENED(ENGINE_LOST, usec = S(losses[_i].lost)));
        ck_assert_msg(m->ends[0].why.kind == losses[_i].then, "%s: %s", losses[_i].name,
                      pl_why_to_string(m->ends[0].why.kind));
        ck_assert(changed == (losses[_i].kind != losses[_i].then));
        ck_assert(!changed || (!m->ends[0].why.certain && *m->ends[0].why.would));
        ck_assert_uint_eq(m->kinds[losses[_i].then], 1);
}
END_TEST

static const struct {
        const char *name;
        double at[4];
        uint64_t limit[4], peak[4];
        double now;
        const char *text;
} advices[] = {
        { "none", { 0 }, { 0 }, { 0 }, 100, "" },
        { "one",
          { 10 },
          { GIB(4) },
          { GIB(4) },
          3610,
          "killed once, 1h ago at 4.0G; peak before it 4.0G" },
        { "three",
          { 10, 20, 30 },
          { GIB(4), GIB(4), GIB(4) },
          { GIB(4), GIB(4), GIB(4) },
          86400 * 2 + 10,
          "killed 3 times in 2d at 4.0G; peak before each 4.0G" },
        { "limits that grew",
          { 10, 20 },
          { GIB(2), GIB(4) },
          { GIB(2), GIB(3) },
          70,
          "killed 2 times in 1min at 2.0G to 4.0G; peak before each 2.0G to 3.0G" },
        { "a peak that nobody knows",
          { 10 },
          { GIB(4) },
          { PL_UNLIMITED },
          40,
          "killed once, 30s ago at 4.0G" },
};

START_TEST(advice) {
        _cleanup_free_ PlMemory *m = memory_new();
        char buf[PL_MEMORY_ADVICE_MAX];

        for (size_t i = 0; i < 4 && advices[_i].at[i] > 0; i++)
                add_kill(m, advices[_i].at[i], advices[_i].limit[i], advices[_i].peak[i]);
        (void)pl_memory_advice(m, S(advices[_i].now), buf);
        ck_assert_msg(pl_streq(buf, advices[_i].text), "%s: '%s'", advices[_i].name, buf);
}
END_TEST

START_TEST(limits_and_pinches) {
        _cleanup_free_ PlMemory *m = memory_new();
        PlMemoryLimits l = { .usec = S(1), .text = "", .by = "" };

        ck_assert(!pl_memory_add(m, PL_HAPPENED(LIMITS, limits = &l)));
        strcpy(l.text, "MemoryMax=4G");
        strcpy(l.by, "Service web");
        ck_assert(pl_memory_add(m, PL_HAPPENED(LIMITS, limits = &l)));
        ck_assert(!pl_memory_add(m, PL_HAPPENED(LIMITS, limits = &l)));
        strcpy(l.by, "the engine");
        ck_assert(pl_memory_add(m, PL_HAPPENED(LIMITS, limits = &l)));
        l.text[0] = '\0';
        ck_assert(pl_memory_add(m, PL_HAPPENED(LIMITS, limits = &l)));
        ck_assert_uint_eq(m->n_limits, 3);
        (void)pl_memory_add(m, PINCHED("TasksMax", "fork", 80, S(5)));
        (void)pl_memory_add(m, PINCHED("TasksMax", "fork", 70, S(9)));
        (void)pl_memory_add(m, PINCHED("CPUQuota", "throttled", 0, S(9)));
        ck_assert_uint_eq(m->n_pinches, 2);
        ck_assert_uint_eq(m->pinches[0].episodes, 2);
        ck_assert_uint_eq(m->pinches[0].need, 80);
        ck_assert(m->pinches[0].first_usec == S(5) && m->pinches[0].last_usec == S(9));
}
END_TEST

static void fill(PlMemory *m, char c) {
        PlMemoryHealth h = { .usec = S(3), .from = "healthy", .to = "unhealthy" };

        for (size_t i = 0; i < 100; i++) {
                PlMemoryEnd e = { .end_usec = S(10.0 * (double)i), .exit_code = -1, .own = true };

                memset(e.container, c, sizeof(e.container) - 1);
                memset(e.id, 'a', sizeof(e.id) - 1);
                memset(e.why.what, c, sizeof(e.why.what) - 1);
                memset(e.why.evidence, c, sizeof(e.why.evidence) - 1);
                memset(e.why.would, c, sizeof(e.why.would) - 1);
                memset(e.why.advice, c, sizeof(e.why.advice) - 1);
                e.why.kind = PL_WHY_EXIT;
                (void)pl_memory_add(m, PL_HAPPENED(END, end = &e));
                memset(h.reason, c, sizeof(h.reason) - 1);
                memset(h.container, c, sizeof(h.container) - 1);
                (void)pl_memory_add(m, PL_HAPPENED(HEALTH, health = &h));
                (void)pl_memory_add(m, PL_HAPPENED(RESTART, restart = &(PlMemoryRestart){ S(i) }));
                add_kill(m, (double)i, GIB(4), GIB(4));
                pl_memory_add_load(&m->memory, UINT64_C(1) << (i % 50), PL_UNLIMITED, S(i));
                pl_memory_add_load(&m->cpu, i * i * i, UINT64_C(1) << 40, S(i));
        }
}

/* Whatever is poured in, a file has at most 64 KiB and is read back; the newest stays. */
START_TEST(bounded) {
        static const char chars[] = { 'x', '"', '\n', '\x01', '\xc3' };
        _cleanup_free_ PlMemory *m = memory_new(), *back = memory_new();
        _cleanup_free_ char *text = NULL;

        fill(m, chars[_i]);
        ck_assert_int_eq(pl_memory_format(m, &text), 0);
        ck_assert_uint_le(strlen(text), PL_MEMORY_SIZE_MAX);
        ck_assert_int_eq(pl_memory_parse(text, strlen(text), back), 0);
        ck_assert_uint_eq(back->ends_total, 100);
        ck_assert_uint_eq(back->oom.total, 100);
        ck_assert_uint_ge(back->n_ends, 2);
        ck_assert(back->ends[back->n_ends - 1].end_usec == S(990));
        ck_assert_uint_eq(back->restarts.total, 100);
}
END_TEST

START_TEST(round_trip) {
        _cleanup_free_ PlMemory *m = memory_new(), *back = memory_new();
        _cleanup_free_ char *text = NULL, *again = NULL;
        PlMemoryLimits l = { .usec = S(1), .text = "MemoryMax=4G", .by = "Service web" };

        add_end(m, 10, 'a', PL_WHY_MEMORY_LIMIT, true, true);
        add_end(m, 20, 'b', PL_WHY_STOPPED, false, false);
        add_kill(m, 10, GIB(4), GIB(4));
        (void)pl_memory_add(m, PL_HAPPENED(LIMITS, limits = &l));
        (void)pl_memory_add(m, PINCHED("TasksMax", "fork", 80, S(5)));
        pl_memory_add_load(&m->memory, MIB(100), MIB(200), S(7));
        (void)pl_memory_add(m, PL_HAPPENED(RESTART, restart = (&(PlMemoryRestart){ S(8), 2 })));
        ck_assert_int_eq(pl_memory_format(m, &text), 0);
        ck_assert_int_eq(pl_memory_parse(text, strlen(text), back), 0);
        ck_assert_int_eq(pl_memory_format(back, &again), 0);
        ck_assert_str_eq(text, again);
        ck_assert_str_eq(back->identity.key, m->identity.key);
        ck_assert_int_eq(back->ends[0].why.kind, PL_WHY_MEMORY_LIMIT);
        ck_assert(back->ends[0].why.certain && !back->ends[1].why.certain);
        ck_assert(back->memory.peak == MIB(200) && back->memory.peak_usec == S(7));
        ck_assert_uint_eq(back->memory.spread.n, 1);
        ck_assert(back->restarts.times[0].usec == S(8) && back->restarts.times[0].number == 2);
}
END_TEST

#define OOM "\"oom\":{\"total\":0,\"times\":[],\"reports\":[]}"
static const struct {
        const char *name, *text;
        int error;
} files[] = {
        { "the least", "{\"version\":1,\"key\":\"a\"}", 0 },
        { "what it does not know", "{\"version\":1,\"key\":\"a\",\"new\":[1,{}]," OOM "}", 0 },
        { "a later version", "{\"version\":2,\"key\":\"a\"}", -EOPNOTSUPP },
        { "no version", "{\"key\":\"a\"}", -EBADMSG },
        { "no key", "{\"version\":1}", -EBADMSG },
        { "nothing", "", -EBADMSG },
        { "cut", "{\"version\":1,\"key\":\"a\"", -EBADMSG },
        { "an array", "[]", -EBADMSG },
        { "another type", "{\"version\":1,\"key\":7}", -EBADMSG },
        { "a negative time", "{\"version\":1,\"key\":\"a\",\"first_usec\":-1}", -EBADMSG },
        { "ends that are none", "{\"version\":1,\"key\":\"a\",\"ends\":[1]}", -EBADMSG },
        { "too many loops",
          "{\"version\":1,\"key\":\"a\",\"crash_loops\":[{},{},{},{},{},{},{},{},{}]}", -EBADMSG },
        { "a bucket that is none", "{\"version\":1,\"key\":\"a\",\"cpu\":{\"spread\":[[9999,1]]}}",
          -EBADMSG },
        { "a bucket twice", "{\"version\":1,\"key\":\"a\",\"cpu\":{\"spread\":[[9,1],[9,1]]}}",
          -EBADMSG },
        { "more samples than there can be",
          "{\"version\":1,\"key\":\"a\",\"cpu\":{\"spread\":[[9,20160],[8,1]]}}", -EBADMSG },
        { "kills that are none", "{\"version\":1,\"key\":\"a\",\"oom\":3}", -EBADMSG },
        { "twice the same", "{\"version\":1,\"key\":\"a\",\"key\":\"b\"}", -EBADMSG },
};

START_TEST(parse) {
        _cleanup_free_ PlMemory *m = memory_new();
        int r = pl_memory_parse(files[_i].text, strlen(files[_i].text), m);

        ck_assert_msg(r == files[_i].error, "%s: %d", files[_i].name, r);
        ck_assert_str_eq(m->identity.key,
                         r < 0 ? "web.shop-web-5f974e8335ec7ea1" : "a"); /* untouched */
}
END_TEST

int main(void) {
        TCase *t = tcase_create("memory");

        tcase_add_loop_test(t, ends, 0, PL_ARRAY_SIZE(rows));
        tcase_add_loop_test(t, engine_lost, 0, PL_ARRAY_SIZE(losses));
        tcase_add_loop_test(t, advice, 0, PL_ARRAY_SIZE(advices));
        tcase_add_test(t, limits_and_pinches);
        tcase_add_loop_test(t, bounded, 0, 5);
        tcase_add_test(t, round_trip);
        tcase_add_loop_test(t, parse, 0, PL_ARRAY_SIZE(files));
        return run_case(t);
}
