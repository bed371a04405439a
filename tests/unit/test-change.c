/* SPDX-License-Identifier: Apache-2.0 */

/* What waits makes of a memory what it would have become at once. */

#include "lib/evidence/change.h"

#include "pinched.h"
#include "unit.h"

#define T UINT64_C(1700000000000000)

static PlMemory now, later;
static PlChanges changes;

static PlMemoryEnd end_of(uint64_t usec, size_t length) {
        PlMemoryEnd e = { .end_usec = usec,
                          .start_usec = usec - 5,
                          .exit_code = -3,
                          .why.kind = PL_WHY_STOPPED,
                          .why.certain = true,
                          .own = length > 0 };

        memset(e.id, 'a', sizeof(e.id) - 1);
        memset(e.container, 'c', PL_MIN(length, sizeof(e.container) - 1));
        memset(e.why.what, 'w', PL_MIN(length, sizeof(e.why.what) - 1));
        memset(e.why.evidence, 'e', PL_MIN(length, sizeof(e.why.evidence) - 1));
        memset(e.why.would, 'o', PL_MIN(length, sizeof(e.why.would) - 1));
        memset(e.why.advice, 'd', PL_MIN(length, sizeof(e.why.advice) - 1));
        return e;
}

static bool an_end(uint64_t usec, size_t length) {
        PlMemoryEnd e = end_of(usec, length);

        ck_assert_int_eq(pl_changes_add(&changes, PL_HAPPENED(END, end = &e)), 0);
        return pl_memory_add(&now, PL_HAPPENED(END, end = &e));
}

static bool empty_end(void) {
        return an_end(T, 0);
}

static bool long_end(void) {
        return an_end(T, 4096);
}

static bool same_end(void) {
        bool first = an_end(T, 10), again = an_end(T + 1, 10);

        return first && !again;
}

static bool three_ends(void) {
        bool first = an_end(T, 10), second = an_end(T + 3 * PL_USEC_PER_SEC, 20);
        bool third = an_end(T + 6 * PL_USEC_PER_SEC, 30);

        return first && second && third;
}

static bool kills(void) {
        PlOomReport r = { .time_usec = T, .kills = 2 };
        PlOomHistory h = { 0 };

        pl_oom_history_add(&h, &r);
        ck_assert_int_eq(pl_changes_add(&changes, PL_HAPPENED(KILLS, kills = &h)), 0);
        pl_oom_history_add(&h, &r);
        ck_assert_int_eq(pl_changes_add(&changes, PL_HAPPENED(KILLS, kills = &h)), 0);
        ck_assert_uint_eq(changes.n, 1); /* the last one has it all */
        now.oom = h;
        return true;
}

static bool health(void) {
        const PlMemoryHealth h = { .usec = T, .from = "healthy", .to = "unhealthy" };

        ck_assert_int_eq(pl_changes_add(&changes, PL_HAPPENED(HEALTH, health = &h)), 0);
        (void)pl_memory_add(&now, PL_HAPPENED(HEALTH, health = &h));
        return true;
}

static bool limits(void) {
        const PlMemoryLimits l = { .usec = T, .text = "MemoryMax=4G", .by = "Service web" };

        ck_assert_int_eq(pl_changes_add(&changes, PL_HAPPENED(LIMITS, limits = &l)), 0);
        return pl_memory_add(&now, PL_HAPPENED(LIMITS, limits = &l));
}

static bool no_limits(void) {
        const PlMemoryLimits l = { .usec = T, .by = "engine" };

        ck_assert_int_eq(pl_changes_add(&changes, PL_HAPPENED(LIMITS, limits = &l)), 0);
        return pl_memory_add(&now, PL_HAPPENED(LIMITS, limits = &l));
}

static bool pinch(void) {
        ck_assert_int_eq(pl_changes_add(&changes, PINCHED("TasksMax", "forks refused", 97, T)), 0);
        (void)pl_memory_add(&now, PINCHED("TasksMax", "forks refused", 97, T));
        return true;
}

static bool restarts(void) {
        for (uint64_t i = 0; i < 20; i++) {
                ck_assert_int_eq(pl_changes_add(&changes,
                                                PL_HAPPENED(RESTART,
                                                            restart = &(PlMemoryRestart){ T + i })),
                                 0);
                (void)pl_memory_add(&now,
                                    PL_HAPPENED(RESTART, restart = &(PlMemoryRestart){ T + i }));
        }
        ck_assert_int_eq(pl_changes_add(&changes, PL_HAPPENED(SURRENDER, usec = T)), 0);
        now.restarts.gave_up = 1;
        now.restarts.gave_up_usec = T;
        return true;
}

static bool engine_lost(void) {
        (void)an_end(T, 10);
        ck_assert_int_eq(pl_changes_add(&changes, PL_HAPPENED(ENGINE_LOST, usec = T + 1)), 0);
        return pl_memory_add(&now, PL_HAPPENED(ENGINE_LOST, usec = T + 1));
}

static bool engine_lost_later(void) {
        ck_assert_int_eq(pl_changes_add(&changes, PL_HAPPENED(ENGINE_LOST, usec = T)), 0);
        return pl_memory_add(&now, PL_HAPPENED(ENGINE_LOST, usec = T));
}

static bool nothing(void) {
        return false;
}

static const struct {
        const char *name;
        bool (*happen)(void); /* to now, and to the changes. Return: whether now is another one */
} rows[] = {
        { "nothing", nothing },
        { "an end without words", empty_end },
        { "an end, as long as may be", long_end },
        { "an end that is told twice", same_end },
        { "three ends: a crash loop", three_ends },
        { "kills", kills },
        { "health", health },
        { "limits", limits },
        { "no limits", no_limits },
        { "a pinch", pinch },
        { "restarts", restarts },
        { "the engine went down", engine_lost },
        { "… and had ended nothing", engine_lost_later },
};

/* As it is kept; memory between members is nobody's. */
static bool is_same(const PlMemory *a, const PlMemory *b) {
        _cleanup_free_ char *x = NULL, *y = NULL;

        ck_assert_int_eq(pl_memory_format(a, &x), 0);
        ck_assert_int_eq(pl_memory_format(b, &y), 0);
        return pl_streq(x, y);
}

START_TEST(change) {
        bool changed;

        now = later = (PlMemory){ .first_usec = T };
        pl_changes_init(&changes);
        changed = rows[_i].happen();
        ck_assert_msg(pl_changes_apply(&changes, &later) == changed, "%s", rows[_i].name);
        ck_assert_msg(is_same(&now, &later), "%s: another memory", rows[_i].name);
        /* … and another one that is read gets them, too */
        later = (PlMemory){ .first_usec = T };
        (void)pl_changes_apply(&changes, &later);
        ck_assert(is_same(&now, &later));
        pl_changes_clear(&changes);
        ck_assert(changes.n == 0 && changes.bytes == 0);
}
END_TEST

START_TEST(no_room) {
        pl_changes_init(&changes);
        (void)an_end(T, 10);
        (void)health();
        pl_changes_drop_first(&changes);
        later = (PlMemory){ 0 };
        ck_assert(pl_changes_apply(&changes, &later));
        ck_assert(later.n_ends == 0 && later.n_health == 1 && changes.n == 1);
        pl_changes_drop_first(&changes);
        pl_changes_drop_first(&changes);
        ck_assert(changes.n == 0 && changes.bytes == 0);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("change");

        tcase_add_loop_test(t, change, 0, PL_ARRAY_SIZE(rows));
        tcase_add_test(t, no_room);
        return run_case(t);
}
