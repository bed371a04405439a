/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Judge: see the header. plimsolld(8) prints the same table; a test holds the two together.
 */

#include "lib/health/judge.h"

static const char *const names[_PL_JUDGEMENT_N] = {
        [PL_JUDGEMENT_NONE] = "as before",
        [PL_JUDGEMENT_UNKNOWN] = "unknown",
        [PL_JUDGEMENT_ABSENT] = "absent",
        [PL_JUDGEMENT_FINISHED] = "finished",
        [PL_JUDGEMENT_UP] = "up",
        [PL_JUDGEMENT_IMPAIRED] = "impaired",
        [PL_JUDGEMENT_STARTING] = "starting",
        [PL_JUDGEMENT_DISPUTED] = "disputed",
        [PL_JUDGEMENT_DEAD] = "dead",
};

const char *pl_judgement_to_string(PlJudgement j) {
        return names[(unsigned)j < _PL_JUDGEMENT_N ? j : PL_JUDGEMENT_UNKNOWN];
}

#define ANY UINT16_MAX
#define YES (1U << true)

/* how it runs */
#define R(x)  (1U << PL_RUN_##x)
#define EARLY R(EARLY)
#define RUNS  (R(EARLY) | R(LOOPS) | R(RUNS))
/* what our probe heard */
#define E(x)   (1U << PL_EVIDENCE_##x)
#define NOT_UP (E(UNHEARD) | E(STARTING) | E(DISPUTED) | E(SILENT))
/* what Docker's own check says */
#define NONE     (1U << PL_DOCKER_HEALTH_NONE)
#define STARTING (1U << PL_DOCKER_HEALTH_STARTING)
#define PASSES   (1U << PL_DOCKER_HEALTH_HEALTHY)
#define FAILS    (1U << PL_DOCKER_HEALTH_UNHEALTHY)
#define NOT_RUN  (1U << PL_DOCKER_HEALTH_NOT_RUN)

#define THEN(judgement, cause) PL_JUDGEMENT_##judgement, PL_CAUSE_##cause

/*
 * The first row that matches decides. A row that says dead must name what proves it: an end, an
 * answer in this run, or a check that has passed in this run.
 */
/* clang-format off */
const PlJudgeRow pl_judge_table[] = {
        /* it            our probe        Docker's check  answered passed */
        { R(GONE),       ANY,             ANY,            ANY, ANY, THEN(ABSENT, PHASE) },
        { R(STOPPED),    ANY,             ANY,            ANY, ANY, THEN(ABSENT, PHASE) },
        { R(DONE),       ANY,             ANY,            ANY, ANY, THEN(FINISHED, PHASE) },
        { R(FAILED),     ANY,             ANY,            ANY, ANY, THEN(DEAD, PHASE) },
        { R(CREATED),    ANY,             ANY,            ANY, ANY, THEN(UNKNOWN, PHASE) },
        { R(RESTARTING), ANY,             ANY,            ANY, ANY, THEN(STARTING, PHASE) },
        { R(PAUSED),     ANY,             ANY,            ANY, ANY, THEN(IMPAIRED, PHASE) },
        { R(LOOPS),      ANY,             ANY & ~PASSES,  ANY, ANY, THEN(DEAD, LOOPS) },

        { RUNS,          E(UP),           FAILS,          ANY, ANY, THEN(DISPUTED, DOCKER_FAILS) },
        { RUNS,          E(UP),           ANY,            ANY, ANY, THEN(UP, EVIDENCE) },
        { RUNS,          E(IMPAIRED),     ANY,            ANY, ANY, THEN(IMPAIRED, EVIDENCE) },
        { EARLY,         NOT_UP,          ANY,            ANY, ANY, THEN(STARTING, EVIDENCE) },
        { RUNS,          E(UNHEARD),      ANY,            ANY, ANY, THEN(NONE, EVIDENCE) },
        { RUNS,          E(STARTING),     ANY,            ANY, ANY, THEN(STARTING, EVIDENCE) },
        { RUNS,          E(DISPUTED),     ANY,            ANY, ANY, THEN(DISPUTED, EVIDENCE) },
        { RUNS,          E(SILENT),       PASSES,         ANY, ANY, THEN(DISPUTED, DOCKER_PASSES) },
        { RUNS,          E(SILENT),       ANY,            YES, ANY, THEN(DEAD, EVIDENCE) },
        { RUNS,          E(SILENT),       FAILS,          ANY, YES, THEN(DEAD, EVIDENCE) },
        { RUNS,          E(SILENT),       NOT_RUN,        ANY, ANY, THEN(DISPUTED, NOT_RUN) },
        { RUNS,          E(SILENT),       ANY,            ANY, ANY, THEN(DISPUTED, NEVER_UP) },

        { RUNS,          E(NO_PROBE),     PASSES,         ANY, ANY, THEN(UP, DOCKER) },
        { RUNS,          E(NO_PROBE),     STARTING,       ANY, ANY, THEN(STARTING, DOCKER) },
        { RUNS,          E(NO_PROBE),     FAILS,          ANY, YES, THEN(DEAD, DOCKER) },
        { EARLY,         E(NO_PROBE),     FAILS|NOT_RUN,  ANY, ANY, THEN(STARTING, DOCKER) },
        { RUNS,          E(NO_PROBE),     FAILS,          ANY, ANY, THEN(DISPUTED, NEVER_UP) },
        { RUNS,          E(NO_PROBE),     NOT_RUN,        ANY, ANY, THEN(DISPUTED, NOT_RUN) },
        { RUNS,          E(NO_PROBE),     NONE,           ANY, ANY, THEN(UNKNOWN, EVIDENCE) },
        {},
};
/* clang-format on */

static bool matches(const PlJudgeRow *row, const PlJudgeFacts *f) {
        return row->runs & 1U << f->run && row->evidence & 1U << f->evidence &&
               row->docker & 1U << f->docker && row->answered & 1U << f->answered &&
               row->passed & 1U << f->passed;
}

const PlJudgeRow *pl_judge(const PlJudgeFacts *f) {
        /* nobody gets here without a row: a test tries all there is */
        static const PlJudgeRow nothing = { .judgement = PL_JUDGEMENT_NONE };

        for (const PlJudgeRow *row = pl_judge_table; row->runs; row++)
                if (matches(row, f))
                        return row;
        return &nothing;
}
