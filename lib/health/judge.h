/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Judge: one verdict of everything that is known about a container at this moment. One table.
 *
 * Dead is only what answered in this run and is now silent, or what passed Docker's check in this
 * run and now fails it without an answer to our probe, or whose main process ended by itself. All
 * that is different is disputed, which is told and not acted upon. Pure.
 */

#include "lib/base/macro.h"
#include "lib/docker/container.h"

typedef enum PlRun {
        PL_RUN_GONE,    /* there is no container */
        PL_RUN_STOPPED, /* a person has stopped it */
        PL_RUN_DONE,    /* a job has ended well */
        PL_RUN_FAILED,  /* its main process has ended, and should not have */
        PL_RUN_CREATED, /* it was never started */
        PL_RUN_RESTARTING,
        PL_RUN_PAUSED,
        PL_RUN_LOOPS, /* it runs, for now: it has ended again and again */
        PL_RUN_EARLY, /* it runs, within its start period and not up yet */
        PL_RUN_RUNS,
        _PL_RUN_N,
} PlRun;

/* What our own probe last heard in this run. */
typedef enum PlEvidence {
        PL_EVIDENCE_NO_PROBE,
        PL_EVIDENCE_UNHEARD, /* nothing yet */
        PL_EVIDENCE_UP,
        PL_EVIDENCE_IMPAIRED,
        PL_EVIDENCE_STARTING,
        PL_EVIDENCE_DISPUTED,
        PL_EVIDENCE_SILENT,
        _PL_EVIDENCE_N,
} PlEvidence;

typedef struct PlJudgeFacts {
        PlRun run;
        PlEvidence evidence;
        PlDockerHealth docker;
        bool answered; /* our probe, as it is now, was answered by an up or impaired in this run */
        bool passed;   /* Docker's check has passed in this run */
} PlJudgeFacts;

typedef enum PlJudgement {
        PL_JUDGEMENT_NONE,    /* nothing new is known */
        PL_JUDGEMENT_UNKNOWN, /* nothing says anything */
        PL_JUDGEMENT_ABSENT,
        PL_JUDGEMENT_FINISHED,
        PL_JUDGEMENT_UP,
        PL_JUDGEMENT_IMPAIRED,
        PL_JUDGEMENT_STARTING,
        PL_JUDGEMENT_DISPUTED,
        PL_JUDGEMENT_DEAD,
        _PL_JUDGEMENT_N,
} PlJudgement;

const char *pl_judgement_to_string(PlJudgement j); /* "disputed" */

/* Why, where the evidence alone does not say it. */
typedef enum PlCause {
        PL_CAUSE_EVIDENCE,
        PL_CAUSE_PHASE,         /* it does not run */
        PL_CAUSE_LOOPS,         /* … again and again */
        PL_CAUSE_DOCKER_FAILS,  /* it answers, and Docker's check fails */
        PL_CAUSE_DOCKER_PASSES, /* it does not answer, and Docker's check passes */
        PL_CAUSE_NEVER_UP,      /* not in this run, as far as is known */
        PL_CAUSE_NOT_RUN,       /* Docker's check could not be run, and nobody answers */
        PL_CAUSE_DOCKER,        /* Docker's check alone says so */
        _PL_CAUSE_N,
} PlCause;

/* A row of the table. Sets are masks of 1 << value. */
typedef struct PlJudgeRow {
        uint16_t runs, evidence, docker, answered, passed;
        PlJudgement judgement;
        PlCause cause;
} PlJudgeRow;

/* For whoever prints or checks it; ended by a row of no run. */
extern const PlJudgeRow pl_judge_table[];

/** pl_judge() - the first row that matches. Return: never NULL; static. */
const PlJudgeRow *pl_judge(const PlJudgeFacts *f);
