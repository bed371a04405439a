/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The table of verdicts: row by row; as a whole, every combination there is; and the same in the
 * manual page.
 */

#include "lib/health/judge.h"

#include "unit.h"

static const char *const runs[] = {
        [PL_RUN_GONE] = "gone",       [PL_RUN_STOPPED] = "stopped",
        [PL_RUN_DONE] = "done",       [PL_RUN_FAILED] = "failed",
        [PL_RUN_CREATED] = "created", [PL_RUN_RESTARTING] = "restarting",
        [PL_RUN_PAUSED] = "paused",   [PL_RUN_LOOPS] = "loops",
        [PL_RUN_EARLY] = "early",     [PL_RUN_RUNS] = "runs",
};
static const char *const evidence[] = {
        [PL_EVIDENCE_NO_PROBE] = "no probe",
        [PL_EVIDENCE_UNHEARD] = "nothing yet",
        [PL_EVIDENCE_UP] = "up",
        [PL_EVIDENCE_IMPAIRED] = "impaired",
        [PL_EVIDENCE_STARTING] = "starting",
        [PL_EVIDENCE_DISPUTED] = "disputed",
        [PL_EVIDENCE_SILENT] = "silent",
};
static const char *const docker[] = {
        [PL_DOCKER_HEALTH_NONE] = "none",       [PL_DOCKER_HEALTH_STARTING] = "starting",
        [PL_DOCKER_HEALTH_HEALTHY] = "passes",  [PL_DOCKER_HEALTH_UNHEALTHY] = "fails",
        [PL_DOCKER_HEALTH_NOT_RUN] = "not run",
};

/* In the table's own words. */
#define R(x) PL_RUN_##x
#define E(x) PL_EVIDENCE_##x
#define D(x) PL_DOCKER_HEALTH_##x
#define J(x) PL_JUDGEMENT_##x
/* clang-format off */
static const struct {
        const char *name;
        PlJudgeFacts f;
        PlJudgement judgement;
        PlCause cause;
} rows[] = {
        { "removed", { R(GONE), E(SILENT), D(UNHEALTHY), true, true }, J(ABSENT), PL_CAUSE_PHASE },
        { "stopped by a person", { R(STOPPED), E(SILENT), D(UNHEALTHY), true, true }, J(ABSENT),
          PL_CAUSE_PHASE },
        { "a job is done", { R(DONE), E(NO_PROBE), D(NONE), false, false }, J(FINISHED), PL_CAUSE_PHASE },
        { "a service has ended", { R(FAILED), E(UP), D(HEALTHY), true, true }, J(DEAD), PL_CAUSE_PHASE },
        { "never started", { R(CREATED), E(NO_PROBE), D(NONE), false, false }, J(UNKNOWN), PL_CAUSE_PHASE },
        { "between two runs", { R(RESTARTING), E(SILENT), D(NONE), true, false }, J(STARTING),
          PL_CAUSE_PHASE },
        { "paused", { R(PAUSED), E(SILENT), D(NONE), true, false }, J(IMPAIRED), PL_CAUSE_PHASE },
        { "runs between two ends", { R(LOOPS), E(UP), D(NONE), true, false }, J(DEAD), PL_CAUSE_LOOPS },
        { "… and Docker's check passes", { R(LOOPS), E(UP), D(HEALTHY), true, true }, J(UP),
          PL_CAUSE_EVIDENCE },

        { "serves", { R(RUNS), E(UP), D(NONE), true, false }, J(UP), PL_CAUSE_EVIDENCE },
        { "serves before its time", { R(EARLY), E(UP), D(STARTING), true, false }, J(UP),
          PL_CAUSE_EVIDENCE },
        { "probe content, Docker not", { R(RUNS), E(UP), D(UNHEALTHY), true, true }, J(DISPUTED),
          PL_CAUSE_DOCKER_FAILS },
        { "a component is missing", { R(RUNS), E(IMPAIRED), D(HEALTHY), true, true }, J(IMPAIRED),
          PL_CAUSE_EVIDENCE },
        { "a component, and Docker agrees", { R(RUNS), E(IMPAIRED), D(UNHEALTHY), true, true },
          J(IMPAIRED), PL_CAUSE_EVIDENCE },

        { "just started", { R(EARLY), E(UNHEARD), D(NONE), false, false }, J(STARTING), PL_CAUSE_EVIDENCE },
        { "loads", { R(EARLY), E(STARTING), D(NONE), false, false }, J(STARTING), PL_CAUSE_EVIDENCE },
        { "404 in its start period", { R(EARLY), E(DISPUTED), D(NONE), false, false }, J(STARTING),
          PL_CAUSE_EVIDENCE },
        { "silent in its start period", { R(EARLY), E(SILENT), D(NONE), false, false }, J(STARTING),
          PL_CAUSE_EVIDENCE },
        { "first start of a Postgres", { R(EARLY), E(SILENT), D(HEALTHY), false, true }, J(STARTING),
          PL_CAUSE_EVIDENCE },
        { "first start of a Postgres, a long one", { R(RUNS), E(SILENT), D(HEALTHY), false, true },
          J(DISPUTED), PL_CAUSE_DOCKER_PASSES },
        { "plimsolld has just come", { R(RUNS), E(UNHEARD), D(HEALTHY), false, true }, J(NONE),
          PL_CAUSE_EVIDENCE },
        { "loads for long", { R(RUNS), E(STARTING), D(NONE), false, false }, J(STARTING),
          PL_CAUSE_EVIDENCE },
        { "loads for long, and Docker's check fails", { R(RUNS), E(STARTING), D(UNHEALTHY), false, false },
          J(STARTING), PL_CAUSE_EVIDENCE },
        { "was up, and loads again", { R(RUNS), E(STARTING), D(UNHEALTHY), true, true }, J(STARTING),
          PL_CAUSE_EVIDENCE },

        { "401", { R(RUNS), E(DISPUTED), D(NONE), false, false }, J(DISPUTED), PL_CAUSE_EVIDENCE },
        { "401 since a minute", { R(RUNS), E(DISPUTED), D(NONE), true, false }, J(DISPUTED),
          PL_CAUSE_EVIDENCE },
        { "401, and Docker's check has failed since", { R(RUNS), E(DISPUTED), D(UNHEALTHY), true, true },
          J(DISPUTED), PL_CAUSE_EVIDENCE },
        { "wrong port", { R(RUNS), E(SILENT), D(HEALTHY), false, true }, J(DISPUTED),
          PL_CAUSE_DOCKER_PASSES },
        { "silent, Docker content", { R(RUNS), E(SILENT), D(HEALTHY), true, true }, J(DISPUTED),
          PL_CAUSE_DOCKER_PASSES },
        { "was up, is silent", { R(RUNS), E(SILENT), D(NONE), true, false }, J(DEAD), PL_CAUSE_EVIDENCE },
        { "was up, is silent, Docker not through", { R(RUNS), E(SILENT), D(STARTING), true, false },
          J(DEAD), PL_CAUSE_EVIDENCE },
        { "both passed, both fail", { R(RUNS), E(SILENT), D(UNHEALTHY), true, true }, J(DEAD),
          PL_CAUSE_EVIDENCE },
        { "Docker's passed, both fail", { R(RUNS), E(SILENT), D(UNHEALTHY), false, true }, J(DEAD),
          PL_CAUSE_EVIDENCE },
        { "never up", { R(RUNS), E(SILENT), D(NONE), false, false }, J(DISPUTED), PL_CAUSE_NEVER_UP },
        { "never up, Docker's check never passed either", { R(RUNS), E(SILENT), D(UNHEALTHY), false, false },
          J(DISPUTED), PL_CAUSE_NEVER_UP },

        { "Docker's check alone passes", { R(EARLY), E(NO_PROBE), D(HEALTHY), false, true }, J(UP),
          PL_CAUSE_DOCKER },
        { "Docker's check alone is not through", { R(RUNS), E(NO_PROBE), D(STARTING), false, false },
          J(STARTING), PL_CAUSE_DOCKER },
        { "Docker's check alone passed, and fails", { R(RUNS), E(NO_PROBE), D(UNHEALTHY), false, true },
          J(DEAD), PL_CAUSE_DOCKER },
        { "Docker's check alone never passed, early", { R(EARLY), E(NO_PROBE), D(UNHEALTHY), false, false },
          J(STARTING), PL_CAUSE_DOCKER },
        { "Docker's check alone never passed", { R(RUNS), E(NO_PROBE), D(UNHEALTHY), false, false },
          J(DISPUTED), PL_CAUSE_NEVER_UP },
        { "Docker's check alone passed, and cannot be run", { R(RUNS), E(NO_PROBE), D(NOT_RUN), false, true },
          J(DISPUTED), PL_CAUSE_NOT_RUN },
        { "Docker's check alone was never run, early", { R(EARLY), E(NO_PROBE), D(NOT_RUN), false, false },
          J(STARTING), PL_CAUSE_DOCKER },
        { "serves, and Docker's check cannot be run", { R(RUNS), E(UP), D(NOT_RUN), true, true }, J(UP),
          PL_CAUSE_EVIDENCE },
        { "was up, is silent, Docker's check cannot be run", { R(RUNS), E(SILENT), D(NOT_RUN), true, true },
          J(DEAD), PL_CAUSE_EVIDENCE },
        { "Docker's passed and cannot be run, silent", { R(RUNS), E(SILENT), D(NOT_RUN), false, true },
          J(DISPUTED), PL_CAUSE_NOT_RUN },
        { "nothing says anything", { R(RUNS), E(NO_PROBE), D(NONE), false, false }, J(UNKNOWN),
          PL_CAUSE_EVIDENCE },
};
/* clang-format on */

START_TEST(row) {
        const PlJudgeRow *got = pl_judge(&rows[_i].f);

        ck_assert_msg(got->judgement == rows[_i].judgement, "%s: %s", rows[_i].name,
                      pl_judgement_to_string(got->judgement));
        ck_assert_msg(got->cause == rows[_i].cause, "%s: cause %d", rows[_i].name, got->cause);
}
END_TEST

static bool runs_now(PlRun run) {
        return run == PL_RUN_LOOPS || run == PL_RUN_EARLY || run == PL_RUN_RUNS;
}

/* Dead is only what these words allow, whatever the rows say. */
static bool may_be_dead(const PlJudgeFacts *f) {
        bool no_answer = f->evidence == PL_EVIDENCE_SILENT || f->evidence == PL_EVIDENCE_NO_PROBE;

        if (f->run == PL_RUN_FAILED)
                return true;
        if (!runs_now(f->run) || f->docker == PL_DOCKER_HEALTH_HEALTHY)
                return false;
        if (f->run == PL_RUN_LOOPS) /* its main process has ended by itself, three times */
                return true;
        return (f->evidence == PL_EVIDENCE_SILENT && f->answered) ||
               (f->passed && f->docker == PL_DOCKER_HEALTH_UNHEALTHY && no_answer);
}

static const char *name_of(const PlJudgeFacts *f) {
        static char text[160];

        (void)snprintf(text, sizeof(text), "%s, %s, Docker's check %s%s%s", runs[f->run],
                       evidence[f->evidence], docker[f->docker], f->answered ? ", answered" : "",
                       f->passed ? ", passed" : "");
        return text;
}

#define COMBINATIONS (_PL_RUN_N * _PL_EVIDENCE_N * _PL_DOCKER_HEALTH_N * 2 * 2)

static PlJudgeFacts combination(unsigned n) {
        PlJudgeFacts f = { .answered = n % 2, .passed = n / 2 % 2 };

        n /= 4;
        f.docker = n % _PL_DOCKER_HEALTH_N;
        n /= _PL_DOCKER_HEALTH_N;
        f.evidence = n % _PL_EVIDENCE_N;
        f.run = n / _PL_EVIDENCE_N;
        return f;
}

/* Each has a row of the table, and each row has one. */
START_TEST(all_combinations) {
        unsigned taken[64] = { 0 };
        size_t n_rows = 0;

        while (pl_judge_table[n_rows].runs)
                n_rows++;
        ck_assert_uint_lt(n_rows, PL_ARRAY_SIZE(taken));
        for (unsigned n = 0; n < COMBINATIONS; n++) {
                PlJudgeFacts f = combination(n);
                const PlJudgeRow *got = pl_judge(&f);
                size_t i = 0;

                while (i < n_rows && &pl_judge_table[i] != got)
                        i++;
                ck_assert_msg(i < n_rows, "%s: no row", name_of(&f));
                taken[i]++;
                ck_assert_msg(got->judgement != PL_JUDGEMENT_DEAD || may_be_dead(&f),
                              "%s: dead by row %zu", name_of(&f), i + 1);
                /* only an end, or the silence of what has served, may be missed as dead by none */
                if (may_be_dead(&f) && f.run == PL_RUN_RUNS)
                        ck_assert_msg(got->judgement == PL_JUDGEMENT_DEAD, "%s: %s by row %zu",
                                      name_of(&f), pl_judgement_to_string(got->judgement), i + 1);
                ck_assert_msg((got->judgement == PL_JUDGEMENT_FINISHED) == (f.run == PL_RUN_DONE),
                              "%s", name_of(&f));
                if (getenv("PL_TEST_SHOW"))
                        printf("%s: %s by row %zu\n", name_of(&f),
                               pl_judgement_to_string(got->judgement), i + 1);
        }
        for (size_t i = 0; i < n_rows; i++)
                ck_assert_msg(taken[i] > 0, "row %zu is never reached", i + 1);
}
END_TEST

/* --- the manual page --- */

static char *append_set(char *p, uint16_t set, const char *const *words, size_t n) {
        uint16_t all = (uint16_t)((1U << n) - 1);
        bool first = true;

        if ((set & all) == all)
                return stpcpy(p, "any");
        for (size_t i = 0; i < n; i++)
                if (set & 1U << i) {
                        if (!first)
                                p = stpcpy(p, ", ");
                        p = stpcpy(p, words[i]);
                        first = false;
                }
        return p;
}

static char *append_evidence(char *p, uint16_t set) {
        uint16_t not_up = 1U << PL_EVIDENCE_UNHEARD | 1U << PL_EVIDENCE_STARTING |
                          1U << PL_EVIDENCE_DISPUTED | 1U << PL_EVIDENCE_SILENT;

        return set == not_up ? stpcpy(p, "not up")
                             : append_set(p, set, evidence, PL_ARRAY_SIZE(evidence));
}

static char *append_docker(char *p, uint16_t set) {
        uint16_t all = (1U << _PL_DOCKER_HEALTH_N) - 1;
        uint16_t not_passing = all & ~(1U << PL_DOCKER_HEALTH_HEALTHY);

        return (set & all) == not_passing ? stpcpy(p, "not passing")
                                          : append_set(p, set, docker, PL_ARRAY_SIZE(docker));
}

static char *append_before(char *p, const PlJudgeRow *r) {
        if (r->answered == 1U << true)
                return stpcpy(p, "answered");
        return stpcpy(p, r->passed == 1U << true ? "passed" : "any");
}

/* A row as the page has it. */
static void print_row(const PlJudgeRow *r, char *p) {
        uint16_t running = 1U << PL_RUN_EARLY | 1U << PL_RUN_LOOPS | 1U << PL_RUN_RUNS;

        p = stpcpy(p, ".It ");
        p = r->runs == running ? stpcpy(p, "any run")
                               : append_set(p, r->runs, runs, PL_ARRAY_SIZE(runs));
        p = stpcpy(p, " Ta ");
        p = append_evidence(p, r->evidence);
        p = stpcpy(p, " Ta ");
        p = append_docker(p, r->docker);
        p = stpcpy(p, " Ta ");
        p = append_before(p, r);
        p = stpcpy(p, " Ta ");
        (void)stpcpy(p, pl_judgement_to_string(r->judgement));
}

START_TEST(manual_page) {
        _cleanup_fclose_ FILE *f = fopen(PLIMSOLL_SOURCE_ROOT "/man/plimsolld.8", "re");
        char line[1024], expected[512];
        size_t n = 0;
        bool within = false;

        ck_assert_ptr_nonnull(f);
        while (fgets(line, sizeof(line), f)) {
                line[strcspn(line, "\n")] = '\0';
                if (pl_streq(line, ".Sh HEALTH"))
                        within = true;
                else if (pl_startswith(line, ".Sh "))
                        within = false;
                if (!within || !strstr(line, " Ta ") || pl_startswith(line, ".It Em "))
                        continue;
                ck_assert_msg(pl_judge_table[n].runs, "one too many: %s", line);
                print_row(&pl_judge_table[n++], expected);
                ck_assert_str_eq(line, expected);
        }
        if (pl_judge_table[n].runs) {
                print_row(&pl_judge_table[n], expected);
                ck_abort_msg("it lacks: %s", expected);
        }
}
END_TEST

int main(void) {
        TCase *t = tcase_create("judge");

        tcase_add_loop_test(t, row, 0, PL_ARRAY_SIZE(rows));
        tcase_add_test(t, all_combinations);
        tcase_add_test(t, manual_page);
        return run_case(t);
}
