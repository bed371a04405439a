/* SPDX-License-Identifier: Apache-2.0 */

/* What is known of a service, in words. */

#include "lib/evidence/recount.h"

#include "pinched.h"
#include "unit.h"

#define S(n) (UINT64_C(1800000000000000) + (uint64_t)(n)*PL_USEC_PER_SEC)

static const PlLook plain = { .columns = 0, .utf8 = true };

static PlMemory *memory_new(void) {
        PlMemory *m = calloc(1, sizeof(*m));

        ck_assert_ptr_nonnull(m);
        strcpy(m->identity.key, "shop-web-96e8ab6f223df9e5");
        strcpy(m->identity.title, "shop/web");
        m->first_usec = S(0);
        m->last_usec = S(7200);
        return m;
}

static void add_end(PlMemory *m, int at, PlWhyKind kind, bool certain) {
        PlMemoryEnd e = { .end_usec = S(at),
                          .exit_code = 137,
                          .id = "a",
                          .container = "shop-web-1",
                          .why = { .kind = kind,
                                   .certain = certain,
                                   .what = "it reached its memory limit",
                                   .evidence = "exit code 137\nthe kernel said so",
                                   .advice = "more of it" } };

        if (!certain)
                strcpy(e.why.would, "a kernel log");
        ck_assert(pl_memory_add(m, PL_HAPPENED(END, end = &e)));
}

static bool has(const json_t *list, const char *part) {
        const json_t *line;
        size_t i;

        json_array_foreach(list, i, line) if (strstr(json_string_value(line), part)) return true;
        return false;
}

START_TEST(sentences) {
        static const char *const parts[] = {
                "ended 2 times (memory-limit 1, stopped 1), last 1h ago: it reached its memory "
                "limit "
                "(likely)",
                "restarted 1 time by plimsolld, last 2h ago",
                "given up 1 time, last 1h ago",
                "memory: peak 64.0M, 1h ago; p95 11.0M",
                "CPU: most in a minute 150%; p95 150%",
                "limits: MemoryMax=64M (Service web), as of 2h ago",
                "held back by TasksMax 1 time (fork), last 1h ago",
                "service shop/web: first seen 2h ago, last 0s ago",
        };
        _cleanup_free_ PlMemory *m = memory_new();
        PlMemoryLimits l = { .usec = S(0), .text = "MemoryMax=64M", .by = "Service web" };
        json_t *list;

        add_end(m, 1800, PL_WHY_MEMORY_LIMIT, true);
        add_end(m, 3600, PL_WHY_STOPPED, false);
        (void)pl_memory_add(m, PL_HAPPENED(RESTART, restart = &(PlMemoryRestart){ S(0) }));
        m->restarts.gave_up = 1;
        m->restarts.gave_up_usec = S(3600);
        pl_memory_add_load(&m->memory, MIB(10), MIB(64), S(3600));
        pl_memory_add_load(&m->cpu, 1500, PL_UNLIMITED, S(3600));
        (void)pl_memory_add(m, PL_HAPPENED(LIMITS, limits = &l));
        (void)pl_memory_add(m, PINCHED("TasksMax", "fork", 80, S(3600)));
        list = pl_recount(m, S(7200));
        ck_assert_msg(has(list, parts[_i]), "%s: %s", parts[_i], json_dumps(list, 0));
        json_decref(list);
}
END_TEST

START_TEST(why) {
        _cleanup_free_ PlMemory *m = memory_new();
        _cleanup_free_ char *last = NULL, *all = NULL;
        json_t *o;

        add_end(m, 1800, PL_WHY_MEMORY_LIMIT, true);
        add_end(m, 3600, PL_WHY_STOPPED, false);
        o = pl_recount_document(m, S(7200));
        last = pl_recount_why(o, &plain, S(7200), false);
        ck_assert_str_eq(last, "shop-web-1 ended 1h ago: it reached its memory limit\n"
                               "  likely (stopped)\n"
                               "  evidence: exit code 137\n"
                               "  evidence: the kernel said so\n"
                               "  would be certain with: a kernel log\n"
                               "  advice: more of it\n");
        all = pl_recount_why(o, &plain, S(7200), true);
        ck_assert_ptr_nonnull(strstr(all, "shop-web-1 ended 1h 30min ago: it reached its memory "
                                          "limit\n  certain (memory-limit)\n"));
        ck_assert_int_eq(strncmp(all, last, strlen(last)), 0);
        json_decref(o);
}
END_TEST

/* Another version's document, or a hostile one. */
static const struct {
        const char *document, *part;
} odd[] = {
        { "{}", "" },
        { "{\"ends\":[]}", "" },
        { "{\"ends\":[{}]}", "likely" },
        { "{\"ends\":[7]}", "likely" },
        { "{\"ends\":[{\"container\":\"\\u001b[31m\",\"what\":\"a\\nb\"}]}", "\\x1b[31m" },
};

START_TEST(odd_documents) {
        json_t *o = json_loads(odd[_i].document, 0, NULL);
        _cleanup_free_ char *text = pl_recount_why(o, &plain, S(0), true);

        ck_assert_ptr_nonnull(text);
        ck_assert_msg(*odd[_i].part ? strstr(text, odd[_i].part) != NULL : !*text, "%s: %s",
                      odd[_i].document, text);
        ck_assert_ptr_null(strchr(text, '\x1b'));
        json_decref(o);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("recount");

        tcase_add_loop_test(t, sentences, 0, 8);
        tcase_add_test(t, why);
        tcase_add_loop_test(t, odd_documents, 0, PL_ARRAY_SIZE(odd));
        return run_case(t);
}
