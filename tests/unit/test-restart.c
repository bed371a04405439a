/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Restarts: decisions row by row; and a simulated storm, in which twenty containers die again and
 * again and every budget must hold to the number.
 */

#include "lib/health/ending.h"
#include "lib/health/machine.h"
#include "lib/health/restart.h"
#include "unit.h"

#define SEC PL_USEC_PER_SEC
#define MIN PL_USEC_PER_MIN

static void event(PlEnding *e, PlEventAction action, int number, uint64_t at) {
        PlEvent ev = {
                .action = action, .time_nsec = at * 1000, .exit_code = number, .signal = number
        };

        pl_ending_event(e, &ev);
}

/* clang-format off */
static const struct {
        const char *name;
        PlRestartFacts facts;
        PlOnUnhealthy action;
        unsigned budget;
        PlRestartVerb verb;
} decisions[] = {
        { "broken", { .broken = true }, PL_ON_UNHEALTHY_RESTART, 3, PL_RESTART_NOW },
        { "broken, a unit", { .broken = true }, PL_ON_UNHEALTHY_UNIT, 3, PL_RESTART_UNIT },
        { "broken, nothing wanted", { .broken = true }, PL_ON_UNHEALTHY_NONE, 3, PL_RESTART_NOTHING },
        { "fails, without proof", { .failing = true }, PL_ON_UNHEALTHY_RESTART, 3, PL_RESTART_NOTHING },
        { "fails, without proof, no budget", { .failing = true }, PL_ON_UNHEALTHY_RESTART, 0,
          PL_RESTART_NOTHING },
        { "fails, without proof, a unit", { .failing = true }, PL_ON_UNHEALTHY_UNIT, 3, PL_RESTART_UNIT },
        { "fails, without proof, nothing wanted", { .failing = true }, PL_ON_UNHEALTHY_NONE, 3,
          PL_RESTART_NOTHING },
        { "not broken", { 0 }, PL_ON_UNHEALTHY_RESTART, 3, PL_RESTART_NOTHING },
        { "healthy", { .healthy = true }, PL_ON_UNHEALTHY_RESTART, 3, PL_RESTART_NOTHING },
        { "engine lost", { .broken = true, .stale = true }, PL_ON_UNHEALTHY_RESTART, 3, PL_RESTART_NOTHING },
        { "stopped by a person", { .broken = true, .requested = true }, PL_ON_UNHEALTHY_RESTART, 3,
          PL_RESTART_NOTHING },
        { "the engine is at it", { .broken = true, .engine_until_usec = PL_TIME_INFINITY },
          PL_ON_UNHEALTHY_RESTART, 3, PL_RESTART_NOTHING },
        { "the engine may be", { .broken = true, .engine_until_usec = 1001 * SEC },
          PL_ON_UNHEALTHY_RESTART, 3, PL_RESTART_WAIT },
        { "the engine had its turn", { .broken = true, .engine_until_usec = 999 * SEC },
          PL_ON_UNHEALTHY_RESTART, 3, PL_RESTART_NOW },
        { "no budget at all", { .broken = true }, PL_ON_UNHEALTHY_RESTART, 0, PL_RESTART_GIVE_UP },
};
/* clang-format on */

START_TEST(decide) {
        PlRestart r = { 0 };
        PlBudget budget = { decisions[_i].budget, 10 * MIN };
        uint64_t until = 0;
        PlRestartVerb verb = pl_restart_decide(&r, decisions[_i].action, &budget,
                                               &decisions[_i].facts, 1000 * SEC, 0, &until);

        ck_assert_msg(verb == decisions[_i].verb, "%s: %d", decisions[_i].name, verb);
        if (verb == PL_RESTART_WAIT)
                ck_assert_uint_eq(until, decisions[_i].facts.engine_until_usec);
}
END_TEST

START_TEST(engine_turn) {
        static const struct {
                const char *policy;
                PlPhase phase;
                int exit_code;
                bool requested;
                uint64_t ago_usec, turn_usec;
        } rows[] = {
                { "no", PL_PHASE_EXITED, 1, false, 0, 0 },
                { "always", PL_PHASE_EXITED, 1, false, 0, 5 * SEC },
                { "always", PL_PHASE_EXITED, 0, false, SEC, 4 * SEC },
                { "unless-stopped", PL_PHASE_EXITED, 1, false, 5 * SEC, 0 },
                { "unless-stopped", PL_PHASE_EXITED, 1, true, 0, 0 },
                { "on-failure", PL_PHASE_EXITED, 1, false, 0, 5 * SEC },
                { "on-failure", PL_PHASE_EXITED, 0, false, 0, 0 },
                { "on-failure", PL_PHASE_EXITED, 1, false, MIN, 0 },
                { "no", PL_PHASE_RESTARTING, 1, false, MIN, PL_TIME_INFINITY },
                { "always", PL_PHASE_RUNNING, 0, false, 0, 0 },
                { NULL, PL_PHASE_EXITED, 1, false, 0, 0 },
        };
        uint64_t now = 1767225600 * SEC;
        PlContainer c = { .phase = rows[_i].phase,
                          .exit_code = rows[_i].exit_code,
                          .finished_usec = now - rows[_i].ago_usec,
                          .host.restart_policy = (char *)rows[_i].policy };

        ck_assert_uint_eq(pl_restart_engine_turn(&c, rows[_i].requested, now), rows[_i].turn_usec);
}
END_TEST

/* Decides, and does it in no time. */
static PlRestartVerb act(PlRestart *r, PlOnUnhealthy action, const PlBudget *budget,
                         const PlRestartFacts *facts, uint64_t now, uint32_t random,
                         uint64_t *ret_until) {
        PlRestartVerb verb = pl_restart_decide(r, action, budget, facts, now, random, ret_until);

        if (verb == PL_RESTART_NOW) {
                pl_restart_book(r, now, random);
                pl_restart_done(r, now, random);
        }
        return verb;
}

/* Five seconds, ten, twenty … at most five minutes, plus at most a fifth. */
START_TEST(backoff_doubles) {
        PlRestart r = { 0 };
        PlBudget budget = { 30, 24 * PL_USEC_PER_HOUR };
        PlRestartFacts broken = { .broken = true };
        uint64_t now = 1000 * SEC, until = 0, expected = 5 * SEC;

        for (unsigned i = 0; i < 12; i++, expected = PL_MIN(2 * expected, 5 * MIN)) {
                uint32_t random = i % 2 ? UINT32_MAX : 0;

                ck_assert_int_eq(act(&r, PL_ON_UNHEALTHY_RESTART, &budget, &broken, now, random,
                                     &until),
                                 PL_RESTART_NOW);
                ck_assert_int_eq(act(&r, PL_ON_UNHEALTHY_RESTART, &budget, &broken, now, random,
                                     &until),
                                 PL_RESTART_WAIT);
                ck_assert_uint_eq(until - now, expected + (i % 2 ? expected / 5 : 0));
                now = until;
        }
}
END_TEST

START_TEST(surrender_and_cool_off) {
        PlRestart r = { 0 };
        PlBudget budget = { 2, 10 * MIN };
        PlRestartFacts broken = { .broken = true }, healthy = { .healthy = true };
        uint64_t now = 1000 * SEC, until;

        for (int i = 0; i < 2; i++, now += MIN)
                ck_assert_int_eq(act(&r, PL_ON_UNHEALTHY_RESTART, &budget, &broken, now, 0, &until),
                                 PL_RESTART_NOW);
        ck_assert_int_eq(act(&r, PL_ON_UNHEALTHY_RESTART, &budget, &broken, now, 0, &until),
                         PL_RESTART_GIVE_UP);
        /* once, and for good: an emptied window alone is no reason to begin anew */
        for (int i = 0; i < 100; i++, now += MIN)
                ck_assert_int_eq(act(&r, PL_ON_UNHEALTHY_RESTART, &budget, &broken, now, 0, &until),
                                 PL_RESTART_NOTHING);
        healthy.healthy_since_usec = now;
        (void)act(&r, PL_ON_UNHEALTHY_RESTART, &budget, &healthy, now + 9 * MIN, 0, &until);
        ck_assert(r.gave_up);
        (void)act(&r, PL_ON_UNHEALTHY_RESTART, &budget, &healthy, now + 10 * MIN, 0, &until);
        ck_assert(!r.gave_up);
        ck_assert_int_eq(act(&r, PL_ON_UNHEALTHY_RESTART, &budget, &broken, now + 11 * MIN, 0,
                             &until),
                         PL_RESTART_NOW);
        r = (PlRestart){ 0 };
        ck_assert_uint_eq(pl_restart_count(&r, &budget, now), 0);
}
END_TEST

/* What was not sent costs nothing; what was sent counts at once, and from when it is done. */
START_TEST(counts_what_was_done) {
        static const struct {
                const char *name;
                bool sent, forgiven, answered;
                uint64_t took_usec;
                unsigned n, streak;
                uint64_t not_before_usec;
        } rows[] = {
                { "not sent", false, false, false, 0, 0, 0, 0 },
                { "no answer yet", true, false, false, 0, 1, 1, 1005 * SEC },
                { "done in no time", true, false, true, 0, 1, 1, 1005 * SEC },
                { "takes longer to stop than the backoff", true, false, true, 8 * SEC, 1, 1,
                  1013 * SEC },
                { "than the budget's time", true, false, true, 20 * MIN, 1, 1, 2205 * SEC },
                { "forgiven meanwhile", true, true, true, 8 * SEC, 1, 1, 1013 * SEC },
        };
        PlRestart r = { 0 };
        PlBudget budget = { 3, 10 * MIN };
        PlRestartFacts broken = { .broken = true };
        uint64_t until, now = 1000 * SEC;

        ck_assert_int_eq(pl_restart_decide(&r, PL_ON_UNHEALTHY_RESTART, &budget, &broken, now, 0,
                                           &until),
                         PL_RESTART_NOW);
        if (rows[_i].sent)
                pl_restart_book(&r, now, 0);
        if (rows[_i].forgiven)
                r = (PlRestart){ 0 };
        now += rows[_i].took_usec;
        if (rows[_i].answered)
                pl_restart_done(&r, now, 0);
        ck_assert_msg(pl_restart_count(&r, &budget, now) == rows[_i].n, "%s", rows[_i].name);
        ck_assert_msg(r.streak == rows[_i].streak, "%s", rows[_i].name);
        ck_assert_msg(r.not_before_usec == rows[_i].not_before_usec, "%s: %" PRIu64, rows[_i].name,
                      r.not_before_usec);
}
END_TEST

/* The ring of times, too, has its last one moved and no other. */
START_TEST(done_in_a_full_ring) {
        PlRestart r = { 0 };
        PlBudget budget = { 40, PL_USEC_PER_HOUR };
        uint64_t now = 10000 * SEC;

        for (unsigned i = 0; i < 3 * PL_RESTART_TIMES_MAX; i++) {
                now += 2 * SEC;
                pl_restart_book(&r, now, 0);
                pl_restart_done(&r, now + SEC, 0);
                ck_assert_uint_eq(pl_restart_count(&r, &budget, now + SEC),
                                  PL_MIN(i + 1, (unsigned)PL_RESTART_TIMES_MAX));
        }
        for (unsigned i = 0; i < PL_RESTART_TIMES_MAX; i++)
                ck_assert_uint_eq(r.times_usec[i] % (2 * SEC), SEC);
}
END_TEST

/* A dry run asks again after the backoff, which does not grow. */
START_TEST(put_off) {
        PlRestart r = { 0 };
        PlBudget budget = { 1, 10 * MIN };
        PlRestartFacts broken = { .broken = true };
        uint64_t until = 0, now = 1000 * SEC;

        for (unsigned i = 0; i < 5; i++, now = until) {
                ck_assert_int_eq(pl_restart_decide(&r, PL_ON_UNHEALTHY_RESTART, &budget, &broken,
                                                   now, 0, &until),
                                 PL_RESTART_NOW);
                pl_restart_put_off(&r, now, 0);
                ck_assert_int_eq(pl_restart_decide(&r, PL_ON_UNHEALTHY_RESTART, &budget, &broken,
                                                   now, 0, &until),
                                 PL_RESTART_WAIT);
                ck_assert_uint_eq(until - now, 5 * SEC);
        }
        ck_assert_uint_eq(pl_restart_count(&r, &budget, now), 0);
}
END_TEST

/* The budget is for restarts alone. */
START_TEST(unit_once_per_failure) {
        PlRestart r = { 0 };
        PlBudget budget = { 1, 10 * MIN };
        PlRestartFacts broken = { .broken = true }, healthy = { .healthy = true };
        uint64_t now = 1000 * SEC, until;

        for (int i = 0; i < 3; i++, now += 3 * MIN) {
                ck_assert_int_eq(act(&r, PL_ON_UNHEALTHY_UNIT, &budget, &broken, now, 0, &until),
                                 PL_RESTART_UNIT);
                ck_assert_int_eq(act(&r, PL_ON_UNHEALTHY_UNIT, &budget, &broken, now + MIN, 0,
                                     &until),
                                 PL_RESTART_NOTHING);
                healthy.healthy_since_usec = now + MIN;
                (void)act(&r, PL_ON_UNHEALTHY_UNIT, &budget, &healthy, now + MIN, 0, &until);
        }
}
END_TEST

/*
 * The storm: 20 containers with budgets of 0 to 6, dead at the same second, and dead again two
 * seconds after every restart (every fifth recovers after its third). Ten hours of it.
 */
typedef struct Patient {
        PlHealth health;
        PlEnding ending;
        PlRestart restart;
        PlBudget budget;
        unsigned restarts, surrenders, cure_after;
        uint64_t started_usec, dies_usec, times[64];
        PlContainer c;
} Patient;

static void patient_tick(Patient *p, uint64_t now, uint32_t random) {
        PlHealthConfig config = { .failures = 3, .start_period_usec = SEC };
        PlVerdict v = { .kind = PL_VERDICT_DISPUTED };
        PlHealthFacts f;
        PlRestartFacts rf;
        PlHealthChange change;
        uint64_t until;

        if (p->c.phase == PL_PHASE_RUNNING && now >= p->dies_usec && p->restarts < p->cure_after) {
                event(&p->ending, PL_EVENT_DIE, 1, now);
                p->c.phase = PL_PHASE_EXITED;
                p->c.exit_code = 1;
                p->c.finished_usec = now;
        }
        if (p->c.phase == PL_PHASE_RUNNING)
                v.kind = PL_VERDICT_UP;
        f = (PlHealthFacts){ .present = true,
                             .probed = true,
                             .phase = p->c.phase,
                             .exit_code = p->c.exit_code,
                             .started_usec = p->started_usec,
                             .by_request = pl_ending_was_requested(&p->ending),
                             .crashes = pl_ending_crashes(&p->ending,
                                                          p->c.phase == PL_PHASE_RUNNING, now) };
        (void)pl_health_step(&p->health, &config, &f, now, &change);
        pl_health_probe(&p->health, &v);
        (void)pl_health_step(&p->health, &config, &f, now, &change);
        rf = (PlRestartFacts){ .broken = pl_health_is_broken(&p->health),
                               .healthy = p->health.state == PL_HEALTH_HEALTHY,
                               .requested = pl_ending_was_requested(&p->ending),
                               .healthy_since_usec = p->health.since_usec };
        switch (act(&p->restart, PL_ON_UNHEALTHY_RESTART, &p->budget, &rf, now, random, &until)) {
        case PL_RESTART_NOW:
                ck_assert_uint_lt(p->restarts, PL_ARRAY_SIZE(p->times));
                p->times[p->restarts++] = now;
                pl_ending_own(&p->ending, now);
                event(&p->ending, PL_EVENT_START, 0, now);
                p->c.phase = PL_PHASE_RUNNING;
                p->started_usec = now;
                p->dies_usec = now + 2 * SEC;
                break;
        case PL_RESTART_GIVE_UP:
                p->surrenders++;
                break;
        default:
                break;
        }
}

START_TEST(storm) {
        enum { N = 20 };
        Patient *all = calloc(N, sizeof(*all));
        uint64_t begin = 1767225600 * SEC, end = begin + 10 * PL_USEC_PER_HOUR, seed = 4711;

        for (unsigned i = 0; i < N; i++) {
                all[i].budget = (PlBudget){ i % 7, (i % 3 + 1) * 10 * MIN };
                all[i].cure_after = i % 5 == 4 && i % 7 >= 3 ? 3 : UINT32_MAX;
                all[i].c.phase = PL_PHASE_RUNNING;
                all[i].started_usec = begin - MIN;
                all[i].dies_usec = begin;
                event(&all[i].ending, PL_EVENT_START, 0, begin - MIN);
                all[i].health.since_usec = begin - MIN;
        }
        for (uint64_t now = begin; now < end; now += SEC)
                for (unsigned i = 0; i < N; i++) {
                        seed = seed * 6364136223846793005u + 1442695040888963407u;
                        patient_tick(&all[i], now, (uint32_t)(seed >> 32));
                }
        for (unsigned i = 0; i < N; i++) {
                const Patient *p = &all[i];
                bool cured = p->cure_after == 3;

                /* to the number: the whole budget is used, and not one more in ten hours */
                ck_assert_msg(p->restarts == (cured ? 3 : p->budget.n),
                              "patient %u: %u restarts of %u", i, p->restarts, p->budget.n);
                ck_assert_msg(p->surrenders == !cured, "patient %u: %u surrenders", i,
                              p->surrenders);
                ck_assert_msg((p->health.state == PL_HEALTH_HEALTHY) == cured, "patient %u: %s", i,
                              pl_health_state_to_string(p->health.state));
                for (unsigned j = 1; j < p->restarts; j++)
                        ck_assert_uint_ge(p->times[j] - p->times[j - 1], (5 * SEC) << (j - 1));
        }
        free(all);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("tables");

        tcase_set_timeout(t, 60);
        tcase_add_loop_test(t, decide, 0, PL_ARRAY_SIZE(decisions));
        tcase_add_loop_test(t, engine_turn, 0, 11);
        tcase_add_test(t, backoff_doubles);
        tcase_add_test(t, surrender_and_cool_off);
        tcase_add_loop_test(t, counts_what_was_done, 0, 6);
        tcase_add_test(t, done_in_a_full_ring);
        tcase_add_test(t, put_off);
        tcase_add_test(t, unit_once_per_failure);
        tcase_add_test(t, storm);
        return run_case(t);
}
