/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Restarts and endings: who ended a container, row by row; and a simulated storm, in which twenty
 * containers die again and again and every budget must hold to the number.
 */

#include "pl-restart.h"

#include <check.h>

#include "pl-ending.h"
#include "pl-health.h"

#define SEC PL_USEC_PER_SEC
#define MIN PL_USEC_PER_MIN

/*
 * Events, one letter and half a second each:
 *   s start   t kill 15   k kill 9   h kill 1 (SIGHUP)   o oom event   O the kernel's record, own
 * limit G the kernel's record, the host   x stop   p our own restart   _ a minute 0 1 v n: die with
 * 0, 1, 139, 137     i inspect says: exited
 */
/* clang-format off */
static const struct {
        const char *name, *events;
        PlEnder ender;
        bool requested;
        const char *text;
} endings[] = {
        { "runs", "s", PL_ENDER_NONE, false, "" },
        { "finishes", "s0", PL_ENDER_ITSELF, false, "finished with exit code 0" },
        { "fails", "s1", PL_ENDER_ITSELF, false, "by itself with exit code 1" },
        { "segfault", "sv", PL_ENDER_ITSELF, false, "139 (SIGSEGV" },
        { "docker stop", "st0x", PL_ENDER_REQUEST, true, "stopped on request, exit code 0" },
        { "docker stop, stop event lost", "st0", PL_ENDER_REQUEST, true, "stopped on request" },
        { "docker stop, kill event lost", "s0x", PL_ENDER_REQUEST, true, "stopped on request" },
        { "docker stop with another STOPSIGNAL", "sh0x", PL_ENDER_REQUEST, true, "on request" },
        { "docker stop, had to be killed", "stkn", PL_ENDER_TIMEOUT, true, "within the stop timeout" },
        { "docker stop twice seen", "sttkknnxx", PL_ENDER_TIMEOUT, true, "stop timeout" },
        { "docker kill", "skn", PL_ENDER_REQUEST, true, "killed on request (docker kill)" },
        { "docker kill of an ill container", "soOk1", PL_ENDER_REQUEST, true, "on request" },
        { "a reload, then a crash", "sh__1", PL_ENDER_ITSELF, false, "exit code 1" },
        { "an old SIGTERM, ignored", "st____________1", PL_ENDER_ITSELF, false, "exit code 1" },
        { "own limit", "sOn", PL_ENDER_OOM, false, "memory limit" },
        { "own limit, engine's word", "son", PL_ENDER_OOM, false, "memory limit" },
        { "own limit, kernel's word late", "snO", PL_ENDER_OOM, false, "memory limit" },
        { "a worker died, main gave up with 1", "sO1", PL_ENDER_OOM, false, "exit code 1: it reached" },
        { "oom long ago", "sO_n", PL_ENDER_SIGKILL, false, "kill -9" },
        { "oom, but it finished well", "sO0", PL_ENDER_ITSELF, false, "finished" },
        { "the host", "sGn", PL_ENDER_HOST_OOM, false, "host itself ran out" },
        { "137 from nowhere", "sn", PL_ENDER_SIGKILL, false, "neither through the engine" },
        { "our own", "sptk1x", PL_ENDER_PLIMSOLL, false, "by plimsolld" },
        { "our own, then a crash", "sptk1xs1", PL_ENDER_ITSELF, false, "by itself" },
        { "stopped, started, crashed", "st0xs1", PL_ENDER_ITSELF, false, "by itself" },
        { "not seen ending", "si", PL_ENDER_UNSEEN, true, "while nobody was watching" },
        { "seen late", "sin", PL_ENDER_SIGKILL, false, "137" },
};
/* clang-format on */

static void event(PlEnding *e, PlEventAction action, int number, uint64_t at) {
        PlEvent ev = {
                .action = action, .time_nsec = at * 1000, .exit_code = number, .signal = number
        };

        pl_ending_event(e, &ev);
}

/* clang-format off */
static void play(PlEnding *e, const char *events) {
        uint64_t at = 1767225600 * SEC;
        PlContainer c = { .phase = PL_PHASE_EXITED, .exit_code = 137 };

        for (const char *p = events; *p; p++, at += SEC / 2)
                switch (*p) {
                case 's': event(e, PL_EVENT_START, 0, at); break;
                case 't': event(e, PL_EVENT_KILL, 15, at); break;
                case 'k': event(e, PL_EVENT_KILL, 9, at); break;
                case 'h': event(e, PL_EVENT_KILL, 1, at); break;
                case 'o': event(e, PL_EVENT_OOM, 0, at); break;
                case 'O': pl_ending_oom(e, false, at); break;
                case 'G': pl_ending_oom(e, true, at); break;
                case 'x': event(e, PL_EVENT_STOP, 0, at); break;
                case 'p': pl_ending_own(e, at); break;
                case '_': at += MIN; break;
                case '0': event(e, PL_EVENT_DIE, 0, at); break;
                case '1': event(e, PL_EVENT_DIE, 1, at); break;
                case 'v': event(e, PL_EVENT_DIE, 139, at); break;
                case 'n': event(e, PL_EVENT_DIE, 137, at); break;
                case 'i': pl_ending_inspect(e, &c, at); break;
                default: ck_abort();
                }
}
/* clang-format on */

START_TEST(ending) {
        PlEnding e = { 0 };
        char text[PL_REASON_MAX];

        play(&e, endings[_i].events);
        (void)pl_ending_describe(&e, text, sizeof(text));
        ck_assert_msg(e.ender == endings[_i].ender, "%s: ender %d (%s)", endings[_i].name, e.ender,
                      text);
        ck_assert_msg(pl_ending_was_requested(&e) == endings[_i].requested, "%s", endings[_i].name);
        ck_assert_msg(strstr(text, endings[_i].text) && (*text || !*endings[_i].text), "%s: %s",
                      endings[_i].name, text);
}
END_TEST

START_TEST(crash_loops) {
        static const struct {
                const char *name;
                unsigned n_dies;
                uint64_t apart_usec, later_usec;
                bool running;
                unsigned crashes;
        } rows[] = {
                { "two ends", 2, SEC, SEC, false, 0 },
                { "three ends", 3, SEC, SEC, false, 3 },
                { "running just now", 3, SEC, SEC, true, 3 },
                { "running for long", 3, SEC, 61 * SEC, true, 0 },
                { "ends far apart", 5, 3 * MIN, SEC, false, 0 },
                { "long ago", 5, SEC, 6 * MIN, false, 0 },
                { "more than the ring holds", 99, SEC, SEC, false, 16 },
        };
        PlEnding e = { 0 };
        uint64_t at = 1767225600 * SEC;

        for (unsigned i = 0; i < rows[_i].n_dies; i++, at += rows[_i].apart_usec) {
                event(&e, PL_EVENT_START, 0, at);
                event(&e, PL_EVENT_DIE, 1, at + SEC / 10);
        }
        at -= rows[_i].apart_usec;
        if (rows[_i].running)
                event(&e, PL_EVENT_START, 0, at + SEC / 5);
        ck_assert_msg(pl_ending_crashes(&e, rows[_i].running, at + rows[_i].later_usec) ==
                                      rows[_i].crashes,
                      "%s: %u", rows[_i].name,
                      pl_ending_crashes(&e, rows[_i].running, at + rows[_i].later_usec));
}
END_TEST

/* Events were lost; RestartCount tells. */
START_TEST(restart_count_makes_up) {
        PlEnding e = { 0 };
        PlContainer c = { .phase = PL_PHASE_RUNNING, .pid = 7, .restart_count = 2 };
        uint64_t at = 1767225600 * SEC;

        pl_ending_inspect(&e, &c, at);
        ck_assert_uint_eq(pl_ending_crashes(&e, false, at), 0);
        c.restart_count = 5;
        c.started_usec = at + SEC;
        pl_ending_inspect(&e, &c, at + SEC);
        ck_assert_uint_eq(pl_ending_crashes(&e, true, at + 2 * SEC), 3);
        /* said once */
        pl_ending_inspect(&e, &c, at + 2 * SEC);
        ck_assert_uint_eq(pl_ending_crashes(&e, true, at + 3 * SEC), 3);
}
END_TEST

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

/* Five seconds, ten, twenty … at most five minutes, plus at most a fifth. */
START_TEST(backoff_doubles) {
        PlRestart r = { 0 };
        PlBudget budget = { 30, 24 * PL_USEC_PER_HOUR };
        PlRestartFacts broken = { .broken = true };
        uint64_t now = 1000 * SEC, until = 0, expected = 5 * SEC;

        for (unsigned i = 0; i < 12; i++, expected = PL_MIN(2 * expected, 5 * MIN)) {
                uint32_t random = i % 2 ? UINT32_MAX : 0;

                ck_assert_int_eq(pl_restart_decide(&r, PL_ON_UNHEALTHY_RESTART, &budget, &broken,
                                                   now, random, &until),
                                 PL_RESTART_NOW);
                ck_assert_int_eq(pl_restart_decide(&r, PL_ON_UNHEALTHY_RESTART, &budget, &broken,
                                                   now, random, &until),
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
                ck_assert_int_eq(pl_restart_decide(&r, PL_ON_UNHEALTHY_RESTART, &budget, &broken,
                                                   now, 0, &until),
                                 PL_RESTART_NOW);
        ck_assert_int_eq(pl_restart_decide(&r, PL_ON_UNHEALTHY_RESTART, &budget, &broken, now, 0,
                                           &until),
                         PL_RESTART_GIVE_UP);
        /* once, and for good: an emptied window alone is no reason to begin anew */
        for (int i = 0; i < 100; i++, now += MIN)
                ck_assert_int_eq(pl_restart_decide(&r, PL_ON_UNHEALTHY_RESTART, &budget, &broken,
                                                   now, 0, &until),
                                 PL_RESTART_NOTHING);
        healthy.healthy_since_usec = now;
        (void)pl_restart_decide(&r, PL_ON_UNHEALTHY_RESTART, &budget, &healthy, now + 9 * MIN, 0,
                                &until);
        ck_assert(r.gave_up);
        (void)pl_restart_decide(&r, PL_ON_UNHEALTHY_RESTART, &budget, &healthy, now + 10 * MIN, 0,
                                &until);
        ck_assert(!r.gave_up);
        ck_assert_int_eq(pl_restart_decide(&r, PL_ON_UNHEALTHY_RESTART, &budget, &broken,
                                           now + 11 * MIN, 0, &until),
                         PL_RESTART_NOW);
        pl_restart_reset(&r);
        ck_assert_uint_eq(pl_restart_count(&r, &budget, now), 0);
}
END_TEST

START_TEST(unit_once_per_failure) {
        PlRestart r = { 0 };
        PlBudget budget = { 5, 10 * MIN };
        PlRestartFacts broken = { .broken = true }, healthy = { .healthy = true };
        uint64_t now = 1000 * SEC, until;

        for (int i = 0; i < 3; i++, now += 3 * MIN) {
                ck_assert_int_eq(pl_restart_decide(&r, PL_ON_UNHEALTHY_UNIT, &budget, &broken, now,
                                                   0, &until),
                                 PL_RESTART_UNIT);
                ck_assert_int_eq(pl_restart_decide(&r, PL_ON_UNHEALTHY_UNIT, &budget, &broken,
                                                   now + MIN, 0, &until),
                                 PL_RESTART_NOTHING);
                healthy.healthy_since_usec = now + MIN;
                (void)pl_restart_decide(&r, PL_ON_UNHEALTHY_UNIT, &budget, &healthy, now + MIN, 0,
                                        &until);
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
        PlVerdict v = { .kind = PL_VERDICT_DOWN };
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
        switch (pl_restart_decide(&p->restart, PL_ON_UNHEALTHY_RESTART, &p->budget, &rf, now,
                                  random, &until)) {
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
                pl_health_init(&all[i].health, begin - MIN);
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
        Suite *s = suite_create("restart");
        TCase *t = tcase_create("tables");
        SRunner *r;
        int failed;

        tcase_set_timeout(t, 60);
        tcase_add_loop_test(t, ending, 0, PL_ARRAY_SIZE(endings));
        tcase_add_loop_test(t, crash_loops, 0, 7);
        tcase_add_test(t, restart_count_makes_up);
        tcase_add_loop_test(t, decide, 0, PL_ARRAY_SIZE(decisions));
        tcase_add_loop_test(t, engine_turn, 0, 11);
        tcase_add_test(t, backoff_doubles);
        tcase_add_test(t, surrender_and_cool_off);
        tcase_add_test(t, unit_once_per_failure);
        tcase_add_test(t, storm);
        suite_add_tcase(s, t);
        r = srunner_create(s);
        srunner_run_all(r, CK_ENV);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed > 0;
}
