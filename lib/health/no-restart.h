/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * No restart: why nothing is restarted now, for whoever sees that a service is not well and waits.
 *
 * It takes what pl_restart_step() takes, and agrees with it: nothing stands in the way exactly
 * when that would restart. Pure.
 */

#include "lib/health/machine.h"
#include "lib/health/restart.h"

typedef enum PlNoRestart {
        PL_NO_RESTART_DUE,        /* nothing stands in the way: it comes at once */
        PL_NO_RESTART_SERVES,     /* nothing says that there is a reason for one */
        PL_NO_RESTART_UNDER_WAY,  /* there is one */
        PL_NO_RESTART_QUEUED,     /* it waits for its turn */
        PL_NO_RESTART_STALE,      /* the engine is not connected */
        PL_NO_RESTART_UNGOVERNED, /* no section of the policy */
        PL_NO_RESTART_STOPPED,    /* by a person */
        PL_NO_RESTART_PAUSED,
        PL_NO_RESTART_JOB,      /* it has ended, and was to end */
        PL_NO_RESTART_POLICY,   /* OnUnhealthy=none */
        PL_NO_RESTART_STARTING, /* … or says itself that it is not ready */
        PL_NO_RESTART_NEVER_UP, /* in this run, and the start period is over */
        PL_NO_RESTART_DOCKER,   /* Docker's own check passes */
        PL_NO_RESTART_IMPAIRED,
        PL_NO_RESTART_DISPUTED,
        PL_NO_RESTART_DEPENDENCY, /* what it needs does not serve */
        PL_NO_RESTART_UNSETTLED,  /* it may be nothing, or it answers again */
        PL_NO_RESTART_GAVE_UP,
        PL_NO_RESTART_FIRED,  /* its unit was started for this */
        PL_NO_RESTART_ENGINE, /* the engine's own restart policy comes first */
        PL_NO_RESTART_BACKOFF,
        PL_NO_RESTART_BUDGET, /* it is spent, which is about to be said */
        PL_NO_RESTART_DRY_RUN,
        _PL_NO_RESTART_N,
} PlNoRestart;

/* What holds now. Texts are borrowed for the call. */
typedef struct PlNoRestartFacts {
        PlRestartFacts restart; /* as for pl_restart_step() */
        bool governed, dry_run;
        const PlJudgeRow *row; /* the last verdict; NULL: none */
        PlDockerHealth docker;
        const char *waits_for; /* a dependency that its failure is put down to; NULL: none */
        PlHealthState waits_state;
        unsigned n_failed, failures; /* in a row; ProbeFailures= */
        uint64_t start_left_usec;    /* of the start period; 0: it is over */
} PlNoRestartFacts;

/** pl_no_restart_word() - for scripts: "docker-passes". Never NULL. */
const char *pl_no_restart_word(PlNoRestart why);

/**
 * pl_no_restart() - why there is none now
 * @r, @rules: as for pl_restart_step()
 * @now_usec: CLOCK_MONOTONIC
 * @buf:      the reason in words, one line; "" for PL_NO_RESTART_DUE and _SERVES
 */
PlNoRestart pl_no_restart(const PlRestart *r, const PlRestartRules *rules,
                          const PlNoRestartFacts *f, uint64_t now_usec, char *buf, size_t size);
