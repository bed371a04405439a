/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Health: scripts of evidence, second by second, and the states that must come of them.
 */

#include "lib/base/unit.h"
#include "lib/health/machine.h"
#include "unit.h"

/*
 * A script is a string, one step per character and second:
 *   u d p s   a verdict: up, down, partly (degraded), starting; n: none
 *   .         nothing happens        _  ten seconds pass
 *   R         the container starts anew               q  its probe is changed
 *   E Z       it exits with code 3, with code 0    B  it ends by request     X  it is gone
 *   C         a crash loop is seen   K  it is over
 *   P r       it is paused, runs again             G  the engine restarts it
 *   H S N     Docker says healthy, unhealthy, starting
 *   O         an OOM kill            L  the engine is lost   l  and is back
 *   W w       a dependency fails, is back
 */
/* clang-format off */
static const struct {
        const char *name, *script;
        bool unprobed;
        PlBudget flap;
        const char *states; /* the first letters of all changes, in order; '*' after an attributed one,
                             * '!' after a flapping one */
        const char *reason; /* part of the last */
} rows[] = {
        { "comes up", "u", false, { 0 }, "h", "" },
        { "comes up slowly", "dddu", false, { 0 }, "sh", "" },
        { "says nothing at first", ".", false, { 0 }, "s", "" },
        { "says why it is not up yet", ".dd", false, { 0 }, "s", "connection refused" },
        { "never comes up", "dddddddddddddddddddddddddddddddddd", false, { 0 }, "su",
          "connection refused (5 times in a row); it has not been seen to serve since it started" },
        { "failures of the start period do not count", "ddddddddddddddddddddddddddddddd", false,
          { 0 }, "s", "connection refused" },
        { "loading, then silent", "sss__________ddd", false, { 0 }, "sdu", "(3 times in a row); it has" },
        { "one failure is forgiven", "uuduuu", false, { 0 }, "h", "" },
        { "two failures are forgiven", "uudduu", false, { 0 }, "h", "" },
        { "three are not", "uuddd", false, { 0 }, "hu", "connection refused (3 times in a row)" },
        { "recovery needs two answers", "uuddduu", false, { 0 }, "huh", "" },
        { "one good answer is not enough", "uudddududud", false, { 0 }, "hu", "" },
        { "degraded needs two", "uuppuu", false, { 0 }, "hdh", "" },
        { "degraded once is forgiven", "uupuu", false, { 0 }, "h", "" },
        { "degraded at first sight", "p", false, { 0 }, "d", "full" },
        { "loading", "sss", false, { 0 }, "s", "loading" },
        { "loading for long is no failure", "ssss__________ss", false, { 0 }, "sd",
          "still starting after" },
        { "crash recovery while healthy", "uusssuu", false, { 0 }, "hsh", "" },
        { "no verdict is no failure", "uunnnnnn", false, { 0 }, "h", "" },
        { "restart", "uuRdddu", false, { 0 }, "hsh", "" },
        { "failures after the first answer count", "uuRuddd", false, { 0 }, "hshu", "refused" },
        { "exit with an error", "uuE", false, { 0 }, "hu", "exited with code 3" },
        { "finished", "uuZ", false, { 0 }, "ha", "exited with code 0" },
        { "stopped by a person", "uuB", false, { 0 }, "ha", "exited with code 137" },
        { "removed", "uuX", false, { 0 }, "ha", "no such container" },
        { "restarted by the engine", "uuGRu", false, { 0 }, "hsh", "" },
        { "crash loop", "uuEGREGREC.RuuuK", false, { 0 }, "hususuh", "" },
        { "paused", "uuPru", false, { 0 }, "hdh", "" },
        { "paused, one failure after", "uuPrd", false, { 0 }, "hdh", "" },
        { "probe content, Docker not", "uuSu", false, { 0 }, "hd", "Docker's healthcheck" },
        { "and settled", "uuSuHuu", false, { 0 }, "hdh", "" },
        { "Docker content, probe not", "uuHddd", false, { 0 }, "hu",
          "connection refused (3 times in a row); Docker's healthcheck says healthy" },
        { "its probe is changed, to no good", "uuqddd", false, { 0 }, "hu",
          "connection refused (3 times in a row); it has not answered since its probe was changed" },
        { "its probe is changed: the count begins anew", "uuddqdd", false, { 0 }, "h", "" },
        { "oom survived", "uuO.u", false, { 0 }, "hd", "lack of memory" },
        { "oom forgotten", "uuO______________________________uu", false, { 0 }, "hdh", "" },
        { "engine lost, probe goes on", "uuLuddd", false, { 0 }, "hu", "refused" },
        { "engine lost while exited is not known", "uuLE", false, { 0 }, "h", "" },
        { "engine back", "uuLEl", false, { 0 }, "hu", "exited" },
        { "dependency down", "uuWddd", false, { 0 }, "hu*", "; postgres, which it needs, is unhealthy" },
        { "dependency back, healthy again", "uuWdddwuu", false, { 0 }, "hu*h", "" },
        { "dependency back, fails on", "uuWdddwddd", false, { 0 }, "hu*u", "3 times" },
        { "dependency back, not yet judged", "uuWdddwdd", false, { 0 }, "hu*", "postgres" },
        { "own failure first", "uudddWdd", false, { 0 }, "hu", "refused" },
        { "flaps", "uuddduuddduuddduuddd", false, { 4, 600 * PL_USEC_PER_SEC }, "huhuhd!",
          "flapping: 5 changes" },
        { "flaps, then calms down as healthy",
          "uuddduuddduuddduudduu"
          "____________________________________________________________uu",
          false, { 4, 600 * PL_USEC_PER_SEC }, "huhuhd!h", "" },
        { "flaps, then is removed", "uuddduuddduuddduudddX", false, { 4, 600 * PL_USEC_PER_SEC },
          "huhuhd!a", "no such" },
        { "flaps slowly, within the budget", "uuddd__________uu__________ddd__________uu", false,
          { 4, 100 * PL_USEC_PER_SEC }, "huhuh", "" },
        { "no probe, no healthcheck", "...", true, { 0 }, "", "" },
        { "Docker alone: healthy", "H", true, { 0 }, "h", "" },
        { "Docker alone: starting", "NH", true, { 0 }, "sh", "" },
        { "Docker alone: flips", "HSHS", true, { 0 }, "huhu", "Docker's healthcheck says unhealthy" },
        { "Docker alone: never passed", "NS", true, { 0 }, "su",
          "Docker's healthcheck says unhealthy; it has not been seen to serve since it started" },
        { "Docker alone, engine lost", "HLSS", true, { 0 }, "h", "" },
        { "no evidence, exits", ".E", true, { 0 }, "u", "exited with code 3" },
};
/* clang-format on */

typedef struct World {
        PlHealth health;
        PlHealthFacts facts;
        PlHealthConfig config;
        uint64_t now;
        char states[128];
        char reason[PL_HEALTH_REASON_MAX];
} World;

static void step(World *w) {
        PlHealthChange c;

        if (!pl_health_step(&w->health, &w->config, &w->facts, w->now, &c))
                return;
        ck_assert_int_eq(c.to, w->health.state);
        ck_assert_ptr_eq(c.reason, w->health.reason);
        (void)snprintf(w->states + strlen(w->states), sizeof(w->states) - strlen(w->states),
                       "%c%s%s", pl_health_state_to_string(c.to)[0], c.attributed ? "*" : "",
                       c.flapping ? "!" : "");
        (void)snprintf(w->reason, sizeof(w->reason), "%s", c.reason);
}

/* clang-format off */
static void act(World *w, char c) {
        static const PlVerdict up = { .kind = PL_VERDICT_UP }, none = { .kind = PL_VERDICT_NONE };
        static const PlVerdict down = { PL_VERDICT_SILENT, "refused", "connection refused" };
        static const PlVerdict part = { PL_VERDICT_IMPAIRED, "53300", "full" };
        static const PlVerdict loading = { PL_VERDICT_STARTING, "LOADING", "loading" };
        PlHealthFacts *f = &w->facts;

        switch (c) {
        case 'u': pl_health_probe(&w->health, &up); break;
        case 'd': pl_health_probe(&w->health, &down); break;
        case 'p': pl_health_probe(&w->health, &part); break;
        case 's': pl_health_probe(&w->health, &loading); break;
        case 'n': pl_health_probe(&w->health, &none); break;
        case 'q': pl_health_reprobe(&w->health); break;
        case '_': w->now += 9 * PL_USEC_PER_SEC; break;
        case 'R': f->phase = PL_PHASE_RUNNING; f->started_usec = w->now; break;
        case 'E': f->phase = PL_PHASE_EXITED; f->exit_code = 3; f->by_request = false; break;
        case 'Z': f->phase = PL_PHASE_EXITED; f->exit_code = 0; f->by_request = false; break;
        case 'B': f->phase = PL_PHASE_EXITED; f->exit_code = 137; f->by_request = true; break;
        case 'X': f->present = false; break;
        case 'C': f->crashes = 3; break;
        case 'K': f->crashes = 0; break;
        case 'P': f->phase = PL_PHASE_PAUSED; break;
        case 'r': f->phase = PL_PHASE_RUNNING; break;
        case 'G': f->phase = PL_PHASE_RESTARTING; break;
        case 'H': f->docker = PL_DOCKER_HEALTH_HEALTHY; break;
        case 'S': f->docker = PL_DOCKER_HEALTH_UNHEALTHY; break;
        case 'N': f->docker = PL_DOCKER_HEALTH_STARTING; break;
        case 'O': f->oom_usec = w->now; break;
        case 'L': f->stale = true; break;
        case 'l': f->stale = false; break;
        case 'W': f->waits_for = "postgres"; f->waits_state = PL_HEALTH_UNHEALTHY; break;
        case 'w': f->waits_for = NULL; break;
        default: ck_assert_int_eq(c, '.');
        }
}
/* clang-format on */

static void begin(World *w, uint64_t start_period) {
        *w = (World){ .now = 1000 * PL_USEC_PER_SEC };
        w->config = (PlHealthConfig){ .failures = 3, .start_period_usec = start_period };
        w->facts = (PlHealthFacts){
                .present = true, .probed = true, .phase = PL_PHASE_RUNNING, .started_usec = w->now
        };
        w->health.since_usec = w->now;
        w->health.started_usec = w->now; /* this run is known; a verdict may come first */
}

START_TEST(scripts) {
        World w;

        begin(&w, 30 * PL_USEC_PER_SEC);
        w.config.flap = rows[_i].flap;
        w.facts.probed = !rows[_i].unprobed;
        for (const char *c = rows[_i].script; *c; c++) {
                w.now += PL_USEC_PER_SEC;
                act(&w, *c);
                step(&w);
        }
        ck_assert_msg(pl_streq(w.states, rows[_i].states), "%s: %s instead of %s (%s)",
                      rows[_i].name, w.states, rows[_i].states, w.health.reason);
        ck_assert_msg(strstr(w.health.reason, rows[_i].reason) != NULL, "%s: reason %s",
                      rows[_i].name, w.health.reason);
}
END_TEST

/* However evidence comes: no state without a cause, no report without a change. */
START_TEST(random_walks) {
        static const char letters[] = "uuuudddppssn._REZBXCKPrGHSNOLlWwq";
        uint64_t seed = 88172645463325252u + (uint64_t)_i * 7919;
        World w;

        begin(&w, (uint64_t)(_i % 3) * 20 * PL_USEC_PER_SEC);
        w.config.flap = (PlBudget){ (unsigned)_i % 5, 60 * PL_USEC_PER_SEC };
        for (int n = 0; n < 4000; n++) {
                PlHealthState before = w.health.state;
                bool was_flapping = w.health.flapping, was_attributed = w.health.attributed;
                PlHealthChange c;
                uint64_t wake;

                seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
                w.now += PL_USEC_PER_SEC;
                act(&w, letters[seed % (sizeof(letters) - 1)]);
                if (seed % 97 == 0)
                        w.facts.present = true;
                if (pl_health_step(&w.health, &w.config, &w.facts, w.now, &c)) {
                        ck_assert(c.from == before && c.to == w.health.state);
                        ck_assert(c.from != c.to || was_flapping != w.health.flapping ||
                                  (was_attributed && !w.health.attributed));
                } else {
                        ck_assert_int_eq(w.health.state, before);
                }
                ck_assert(w.health.flapping || w.health.state == w.health.raw);
                ck_assert(!w.health.flapping || w.health.state == PL_HEALTH_DEGRADED);
                ck_assert(!w.health.attributed || w.health.raw == PL_HEALTH_UNHEALTHY);
                ck_assert(w.facts.stale || w.facts.present || w.health.state == PL_HEALTH_ABSENT);
                /* nothing that runs is broken without proof */
                if (pl_health_is_broken(&w.health) && !w.facts.stale &&
                    w.facts.phase == PL_PHASE_RUNNING) {
                        ck_assert(w.facts.docker != PL_DOCKER_HEALTH_HEALTHY);
                        ck_assert(w.health.answered || w.health.docker_passed);
                        ck_assert(w.health.last.kind == PL_VERDICT_DISPUTED ||
                                  w.health.last.kind == PL_VERDICT_SILENT);
                }
                ck_assert_uint_lt(strlen(w.health.reason), sizeof(w.health.reason));
                /* the same evidence at the same moment changes nothing more */
                ck_assert(!pl_health_step(&w.health, &w.config, &w.facts, w.now, &c));
                wake = pl_health_wakeup(&w.health, &w.config, &w.facts, w.now);
                ck_assert_uint_gt(wake, w.now);
        }
}
END_TEST

/* That a service loads for long is found out by time alone, at the moment that wakeup() names. */
START_TEST(wakes_up_at_the_end_of_the_start_period) {
        World w;
        uint64_t at;

        begin(&w, 30 * PL_USEC_PER_SEC);
        for (int i = 0; i < 4; i++) {
                act(&w, 's');
                step(&w);
        }
        ck_assert_str_eq(w.states, "s");
        at = pl_health_wakeup(&w.health, &w.config, &w.facts, w.now);
        ck_assert_uint_eq(at, w.now + 30 * PL_USEC_PER_SEC);
        w.now = at - 1;
        step(&w);
        ck_assert_str_eq(w.states, "s");
        w.now = at;
        step(&w);
        ck_assert_str_eq(w.states, "sd");
        ck_assert_uint_eq(pl_health_wakeup(&w.health, &w.config, &w.facts, w.now),
                          PL_TIME_INFINITY);
}
END_TEST

/* The start period is a grace, and no store of failures that all count when it is over. */
START_TEST(failures_count_from_the_end_of_the_start_period) {
        World w;

        begin(&w, 30 * PL_USEC_PER_SEC);
        for (int i = 0; i < 9; i++) {
                act(&w, 'd');
                step(&w);
        }
        ck_assert(pl_health_wants_hurry(&w.health));
        w.now += 30 * PL_USEC_PER_SEC;
        step(&w);
        for (int i = 0; i < 2; i++) {
                ck_assert_str_eq(w.states, "s");
                act(&w, 'd');
                step(&w);
                /* at the interval that the policy sets */
                ck_assert(!pl_health_wants_hurry(&w.health));
        }
        ck_assert_str_eq(w.states, "s");
        act(&w, 'd');
        step(&w);
        ck_assert_str_eq(w.states, "su");
}
END_TEST

START_TEST(hurries) {
        World w;

        begin(&w, 0);
        act(&w, 's');
        w.config.start_period_usec = PL_USEC_PER_MIN;
        step(&w);
        ck_assert(pl_health_wants_hurry(&w.health));
        act(&w, 'u');
        step(&w);
        ck_assert(!pl_health_wants_hurry(&w.health));
        for (int i = 0; i < 3; i++) {
                act(&w, 'd');
                step(&w);
                ck_assert(!pl_health_wants_hurry(&w.health));
        }
        act(&w, 'u');
        step(&w);
        ck_assert(pl_health_wants_hurry(&w.health));
}
END_TEST

/* What may be restarted. The start period is long over; D stands for three failures. */
static const struct {
        const char *name, *script;
        bool unprobed, failing, broken;
} proofs[] = {
        { "was up, is silent", "uD", false, true, true },
        { "was partly up, is silent", "pD", false, true, true },
        { "was never up", "DDDD", false, true, false },
        { "only ever said that it loads", "ssD", false, true, false },
        { "not settled", "uudd", false, false, false },
        { "one good answer in between", "uDu", false, true, false },
        { "a good answer, and not settled again", "uDudd", false, true, false },
        { "a good answer, and settled again", "uDuD", false, true, true },
        { "the changed probe was never answered", "uqDD", false, true, false },
        { "the changed probe was answered, is silent", "uDquD", false, true, true },
        { "the probe is changed while it is silent", "uDqD", false, true, false },
        { "the changed probe was never answered, Docker's check fails", "HuqDS", false, true,
          true },
        { "Docker's check passes", "HuD", false, true, false },
        { "Docker's check passes since", "uDH", false, true, false },
        { "Docker's check passed, too, and fails", "HuDS", false, true, true },
        { "Docker's check is not through", "NuD", false, true, true },
        { "Docker's check alone passed, and fails", "HDS", false, true, true },
        { "Docker's check alone passes", "HD", false, true, false },
        { "Docker's check never passed either", "NDS", false, true, false },
        { "Docker's check passed before plimsolld came", "SD", false, true, false },
        { "only the last run was up", "uDRDDDD", false, true, false },
        { "only in the last run Docker's check passed", "HDSRNDSD", false, true, false },
        { "a dependency's fault", "uWD", false, false, false },
        { "no probe: Docker's check never passed", "NS", true, true, false },
        { "no probe: it passed, and fails", "NHS", true, true, true },
        { "no probe: it passed in the last run", "HSRNS", true, true, false },
        { "ended with an error, never up", "DE", false, true, true },
        { "ended with an error while Docker's word was good", "HE", false, true, true },
        { "finished", "uZ", false, false, false },
        { "stopped by a person", "uDB", false, false, false },
        { "crash loop, runs just now", "EREREC.R", false, false, false },
        { "crash loop, ended", "EREREC.", false, true, true },
        { "between the halves of a restart", "uDG", false, true, true },
};

START_TEST(proof) {
        World w;

        begin(&w, 0);
        w.facts.probed = !proofs[_i].unprobed;
        for (const char *c = proofs[_i].script; *c; c++)
                for (int n = *c == 'D' ? 3 : 1; n > 0; n--) {
                        w.now += PL_USEC_PER_SEC;
                        act(&w, *c == 'D' ? 'd' : *c);
                        step(&w);
                }
        ck_assert_msg(pl_health_is_failing(&w.health) == proofs[_i].failing &&
                                      pl_health_is_broken(&w.health) == proofs[_i].broken,
                      "%s: failing %d, broken %d (%s)", proofs[_i].name,
                      pl_health_is_failing(&w.health), pl_health_is_broken(&w.health),
                      w.health.reason);
}
END_TEST

START_TEST(broken_and_bad) {
        World w;

        begin(&w, 0);
        for (const char *c = "uuWddd"; *c; c++) {
                act(&w, *c);
                step(&w);
        }
        ck_assert(!pl_health_is_broken(&w.health));
        for (const char *c = "wddd"; *c; c++) {
                act(&w, *c);
                step(&w);
        }
        ck_assert(pl_health_is_broken(&w.health));
}
END_TEST

START_TEST(words) {
        for (PlHealthState s = 0; s < _PL_HEALTH_N; s++)
                ck_assert_int_eq(pl_health_state_from_string(pl_health_state_to_string(s)), s);
        ck_assert_int_eq(pl_health_state_from_string("fine"), _PL_HEALTH_N);
        ck_assert_int_eq(pl_health_state_from_string(NULL), _PL_HEALTH_N);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("scripts");

        tcase_add_loop_test(t, scripts, 0, PL_ARRAY_SIZE(rows));
        tcase_add_loop_test(t, random_walks, 0, 20);
        tcase_add_test(t, wakes_up_at_the_end_of_the_start_period);
        tcase_add_test(t, failures_count_from_the_end_of_the_start_period);
        tcase_add_test(t, hurries);
        tcase_add_loop_test(t, proof, 0, PL_ARRAY_SIZE(proofs));
        tcase_add_test(t, broken_and_bad);
        tcase_add_test(t, words);
        return run_case(t);
}
