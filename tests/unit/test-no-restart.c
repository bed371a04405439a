/* SPDX-License-Identifier: Apache-2.0 */

/* Why there is no restart now, row by row; and that it never says otherwise than the decision. */

#include "lib/health/no-restart.h"
#include "unit.h"

#define SEC PL_USEC_PER_SEC
#define NOW (1000 * SEC)

#define DEAD .restart = { .broken = true, .failing = true }, .governed = true
#define SAYS(x)                                        \
        .governed = true, .row = &(const PlJudgeRow) { \
                x                                      \
        }
#define VERDICT(j, c) .judgement = PL_JUDGEMENT_##j, .cause = PL_CAUSE_##c

/* clang-format off */
static const struct {
        const char *name;
        PlNoRestartFacts facts;
        PlOnUnhealthy action;
        PlRestart restart;
        unsigned budget;
        PlNoRestart why;
        const char *text;
} rows[] = {
        { "dead", { DEAD }, PL_ON_UNHEALTHY_RESTART, {}, 3, PL_NO_RESTART_DUE, "" },
        { "up", { .restart.healthy = true, .governed = true }, PL_ON_UNHEALTHY_RESTART, {}, 3,
          PL_NO_RESTART_SERVES, "" },
        { "Docker's check passes",
          { SAYS(VERDICT(DISPUTED, DOCKER_PASSES)), .docker = PL_DOCKER_HEALTH_HEALTHY }, PL_ON_UNHEALTHY_RESTART, {}, 3,
          PL_NO_RESTART_DOCKER, "Docker's own check passes: disputed" },
        { "disputed", { SAYS(VERDICT(DISPUTED, EVIDENCE)) }, PL_ON_UNHEALTHY_RESTART, {}, 3,
          PL_NO_RESTART_DISPUTED, "it is alive for all we know: disputed" },
        { "impaired",
          { SAYS(VERDICT(IMPAIRED, EVIDENCE)), .docker = PL_DOCKER_HEALTH_HEALTHY }, PL_ON_UNHEALTHY_RESTART, {}, 3,
          PL_NO_RESTART_IMPAIRED, "it serves, though impaired" },
        { "a job", { SAYS(VERDICT(FINISHED, PHASE)) }, PL_ON_UNHEALTHY_RESTART, {}, 3,
          PL_NO_RESTART_JOB, "a job that has ended: OnExit= is none" },
        { "a person's stop", { DEAD, .restart.requested = true }, PL_ON_UNHEALTHY_RESTART, {}, 3,
          PL_NO_RESTART_STOPPED, "stopped by somebody else" },
        { "a person's stop, though nothing is wanted",
          { DEAD, .restart.requested = true }, PL_ON_UNHEALTHY_NONE, {}, 3,
          PL_NO_RESTART_STOPPED, "stopped by somebody else" },
        { "paused",
          { DEAD, .restart.phase = PL_PHASE_PAUSED }, PL_ON_UNHEALTHY_RESTART, {}, 3, PL_NO_RESTART_PAUSED, "it is paused" },
        { "nothing is wanted", { DEAD }, PL_ON_UNHEALTHY_NONE, {}, 3,
          PL_NO_RESTART_POLICY, "policy: OnUnhealthy=none" },
        { "no section", { .restart.broken = true }, PL_ON_UNHEALTHY_NONE, {}, 3,
          PL_NO_RESTART_UNGOVERNED, "no section of the policy governs it" },
        { "starting",
          { SAYS(VERDICT(STARTING, EVIDENCE)), .start_left_usec = 40 * SEC }, PL_ON_UNHEALTHY_RESTART, {}, 3,
          PL_NO_RESTART_STARTING, "it is starting, 40s of its start period are left" },
        { "says that it is not ready", { SAYS(VERDICT(STARTING, EVIDENCE)) }, PL_ON_UNHEALTHY_RESTART, {}, 3,
          PL_NO_RESTART_STARTING, "it is starting" },
        { "never up", { SAYS(VERDICT(DISPUTED, NEVER_UP)) }, PL_ON_UNHEALTHY_RESTART, {}, 3,
          PL_NO_RESTART_NEVER_UP, "it has not been up since its start: OnStartTimeout= is none" },
        { "a dependency",
          { SAYS(VERDICT(DEAD, EVIDENCE)), .waits_for = "postgres", .waits_state = PL_HEALTH_UNHEALTHY },
          PL_ON_UNHEALTHY_RESTART, {}, 3, PL_NO_RESTART_DEPENDENCY, "waits for postgres, which is unhealthy" },
        { "not settled",
          { SAYS(VERDICT(DEAD, EVIDENCE)), .n_failed = 1, .failures = 3 }, PL_ON_UNHEALTHY_RESTART, {}, 3,
          PL_NO_RESTART_UNSETTLED, "not settled yet: 1 of 3 failures in a row" },
        { "not settled, and nothing is wanted", { SAYS(VERDICT(DEAD, EVIDENCE)), .n_failed = 1, .failures = 3 },
          PL_ON_UNHEALTHY_NONE, {}, 3, PL_NO_RESTART_POLICY, "policy: OnUnhealthy=none" },
        { "answers again", { SAYS(VERDICT(UP, EVIDENCE)), .failures = 3 }, PL_ON_UNHEALTHY_RESTART, {}, 3,
          PL_NO_RESTART_SERVES, "" },
        { "nothing says anything", { SAYS(VERDICT(UNKNOWN, EVIDENCE)) }, PL_ON_UNHEALTHY_RESTART, {}, 3,
          PL_NO_RESTART_SERVES, "" },
        { "no verdict yet", { .governed = true }, PL_ON_UNHEALTHY_RESTART, {}, 3, PL_NO_RESTART_SERVES, "" },
        { "another answer, and Docker's check passes",
          { SAYS(VERDICT(DISPUTED, EVIDENCE)), .docker = PL_DOCKER_HEALTH_HEALTHY }, PL_ON_UNHEALTHY_RESTART, {}, 3,
          PL_NO_RESTART_DOCKER, "Docker's own check passes: disputed" },
        { "disputed, and nothing is wanted", { SAYS(VERDICT(DISPUTED, EVIDENCE)) }, PL_ON_UNHEALTHY_NONE, {}, 3,
          PL_NO_RESTART_DISPUTED, "it is alive for all we know: disputed" },
        { "a job that has failed", { SAYS(VERDICT(DEAD, PHASE)) }, PL_ON_UNHEALTHY_RESTART, {}, 3,
          PL_NO_RESTART_JOB, "a job that has ended: OnExit= is none" },
        { "a loop that runs just now", { SAYS(VERDICT(DEAD, LOOPS)) }, PL_ON_UNHEALTHY_RESTART, {}, 3,
          PL_NO_RESTART_UNSETTLED, "not settled yet" },
        { "asked once more", { DEAD }, PL_ON_UNHEALTHY_RESTART, { .stage = PL_RESTART_MEASURES }, 3,
          PL_NO_RESTART_UNSETTLED, "not settled yet: it is asked once more" },
        { "gave up", { DEAD }, PL_ON_UNHEALTHY_RESTART, { .gave_up = true }, 3,
          PL_NO_RESTART_GAVE_UP, "gave up: 3 restarts in 10min did not help" },
        { "gave up after one", { DEAD }, PL_ON_UNHEALTHY_RESTART, { .gave_up = true }, 1,
          PL_NO_RESTART_GAVE_UP, "gave up: 1 restart in 10min did not help" },
        { "the budget is spent", { DEAD }, PL_ON_UNHEALTHY_RESTART,
          { .times_usec = { NOW - SEC, NOW - SEC }, .n_times = 2 }, 2,
          PL_NO_RESTART_BUDGET, "the budget is spent: 2 restarts in 10min did not help" },
        { "backoff", { DEAD }, PL_ON_UNHEALTHY_RESTART, { .not_before_usec = NOW + 90 * SEC }, 3,
          PL_NO_RESTART_BACKOFF, "backoff, for another 90s" },
        { "the engine is at it",
          { DEAD, .restart.engine_until_usec = PL_TIME_INFINITY }, PL_ON_UNHEALTHY_RESTART, {}, 3,
          PL_NO_RESTART_ENGINE, "the engine's own restart policy comes first" },
        { "the engine is lost", { DEAD, .restart.stale = true }, PL_ON_UNHEALTHY_RESTART, {}, 3,
          PL_NO_RESTART_STALE, "the engine is not connected" },
        { "under way", { DEAD }, PL_ON_UNHEALTHY_RESTART, { .stage = PL_RESTART_SENT }, 3,
          PL_NO_RESTART_UNDER_WAY, "one is under way" },
        { "in the queue", { DEAD }, PL_ON_UNHEALTHY_RESTART, { .stage = PL_RESTART_WAITS }, 3,
          PL_NO_RESTART_QUEUED, "it waits for its turn: others are being restarted" },
        { "its unit was started", { DEAD }, PL_ON_UNHEALTHY_UNIT, { .fired = true }, 3,
          PL_NO_RESTART_FIRED, "its unit was started for this" },
        { "dry run",
          { DEAD, .dry_run = true }, PL_ON_UNHEALTHY_RESTART, {}, 3, PL_NO_RESTART_DRY_RUN, "dry run" },
};
/* clang-format on */

START_TEST(reason) {
        PlRestartRules rules = { rows[_i].action, { rows[_i].budget, 10 * PL_USEC_PER_MIN } };
        char text[PL_HEALTH_REASON_MAX];
        PlNoRestart why = pl_no_restart(&rows[_i].restart, &rules, &rows[_i].facts, NOW, text,
                                        sizeof(text));

        ck_assert_msg(why == rows[_i].why, "%s: %s", rows[_i].name, pl_no_restart_word(why));
        ck_assert_msg(pl_streq(text, rows[_i].text), "%s: %s", rows[_i].name, text);
}
END_TEST

/* Scripts rely on the words. */
START_TEST(word) {
        for (PlNoRestart a = 0; a < _PL_NO_RESTART_N; a++) {
                ck_assert_ptr_nonnull(pl_no_restart_word(a));
                for (PlNoRestart b = 0; b < a; b++)
                        ck_assert_str_ne(pl_no_restart_word(a), pl_no_restart_word(b));
        }
}
END_TEST

/* All combinations of what pl_restart_step() takes. */
START_TEST(agrees_with_the_decision) {
        static const uint64_t until[] = { 0, NOW - SEC, NOW + SEC, PL_TIME_INFINITY };
        unsigned n_due = 0, n = 0;

        for (unsigned bits = 0; bits < 1 << 13; bits++) {
                PlRestart r = { .gave_up = bits & 1,
                                .fired = bits & 2,
                                .not_before_usec = bits & 4 ? NOW + SEC : 0,
                                .n_times = bits & 8 ? 1 : 0,
                                .times_usec = { NOW - SEC } };
                PlNoRestartFacts f = {
                        .restart = { .broken = bits & 16,
                                     .failing = bits & 32,
                                     .healthy = bits & 64,
                                     .stale = bits & 128,
                                     .requested = bits & 256,
                                     .engine_until_usec = until[bits >> 9 & 3],
                                     .healthy_since_usec = NOW },
                        .governed = true,
                };
                PlRestartRules rules = { (bits >> 11) % 3, { 1, 10 * PL_USEC_PER_MIN } };
                uint64_t at = 0;
                char text[PL_HEALTH_REASON_MAX];
                PlNoRestart why = pl_no_restart(&r, &rules, &f, NOW, text, sizeof(text));
                PlRestartVerb verb = pl_restart_step(&r, &rules, &f.restart, NOW, 0, &at);
                bool acts = verb == PL_RESTART_QUEUE || verb == PL_RESTART_UNIT;

                n++;
                n_due += acts;
                ck_assert_msg(acts == (why == PL_NO_RESTART_DUE), "%x: %s, but %d", bits,
                              pl_no_restart_word(why), verb);
                ck_assert_msg((verb == PL_RESTART_GIVE_UP) == (why == PL_NO_RESTART_BUDGET),
                              "%x: %s, but %d", bits, pl_no_restart_word(why), verb);
        }
        ck_assert_uint_gt(n_due, 0);
        ck_assert_uint_lt(n_due, n);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("no-restart");

        tcase_add_loop_test(t, reason, 0, PL_ARRAY_SIZE(rows));
        tcase_add_test(t, word);
        tcase_add_test(t, agrees_with_the_decision);
        return run_case(t);
}
