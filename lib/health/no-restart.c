/* SPDX-License-Identifier: Apache-2.0 */

/*
 * No restart: see the header. What comes first here is what a person would have to change first.
 */

#include "lib/health/no-restart.h"

#include "lib/base/unit.h"

/* The word for scripts, which never changes, and the words for people; %s: see explain(). */
static const struct {
        const char *word, *text;
} names[_PL_NO_RESTART_N] = {
        [PL_NO_RESTART_DUE] = { "due", "" },
        [PL_NO_RESTART_SERVES] = { "serves", "" },
        [PL_NO_RESTART_UNDER_WAY] = { "under-way", "one is under way" },
        [PL_NO_RESTART_QUEUED] = { "queued", "it waits for its turn: others are being restarted" },
        [PL_NO_RESTART_STALE] = { "engine-lost", "the engine is not connected" },
        [PL_NO_RESTART_UNGOVERNED] = { "ungoverned", "no section of the policy governs it" },
        [PL_NO_RESTART_STOPPED] = { "stopped", "stopped by a person" },
        [PL_NO_RESTART_PAUSED] = { "paused", "it is paused" },
        [PL_NO_RESTART_JOB] = { "job", "a job that has ended: OnExit= is none" },
        [PL_NO_RESTART_POLICY] = { "policy", "policy: OnUnhealthy=none" },
        [PL_NO_RESTART_STARTING] = { "starting", "it is starting%s" },
        [PL_NO_RESTART_NEVER_UP] = { "never-up", "it has not been up since its start: "
                                                 "OnStartTimeout= is none" },
        [PL_NO_RESTART_DOCKER] = { "docker-passes", "Docker's own check passes: disputed" },
        [PL_NO_RESTART_IMPAIRED] = { "impaired", "it serves, though impaired" },
        [PL_NO_RESTART_DISPUTED] = { "disputed", "it is alive for all we know: disputed" },
        [PL_NO_RESTART_DEPENDENCY] = { "dependency", "waits for %s" },
        [PL_NO_RESTART_UNSETTLED] = { "unsettled", "not settled yet%s" },
        [PL_NO_RESTART_GAVE_UP] = { "gave-up", "gave up: %s" },
        [PL_NO_RESTART_FIRED] = { "unit-started", "its unit was started for this" },
        [PL_NO_RESTART_ENGINE] = { "engine", "the engine's own restart policy comes first" },
        [PL_NO_RESTART_BACKOFF] = { "backoff", "backoff, for another %s" },
        [PL_NO_RESTART_BUDGET] = { "budget", "the budget is spent: %s" },
        [PL_NO_RESTART_DRY_RUN] = { "dry-run", "dry run" },
};

const char *pl_no_restart_word(PlNoRestart why) {
        return names[(unsigned)why < _PL_NO_RESTART_N ? why : PL_NO_RESTART_SERVES].word;
}

static bool budget_is_spent(const PlRestart *r, PlOnUnhealthy action, const PlBudget *budget,
                            uint64_t now) {
        return action == PL_ON_UNHEALTHY_RESTART &&
               pl_restart_count(r, budget, now) >=
                               PL_MIN(budget->n, (unsigned)PL_RESTART_TIMES_MAX);
}

/* It is not known to be dead: what else is it? */
static PlNoRestart not_dead(const PlNoRestartFacts *f, bool wanted) {
        if (f->job)
                return PL_NO_RESTART_JOB;
        if (f->impaired)
                return PL_NO_RESTART_IMPAIRED;
        if (!wanted)
                return PL_NO_RESTART_POLICY;
        if (f->starting)
                return PL_NO_RESTART_STARTING;
        if (f->docker_passes)
                return PL_NO_RESTART_DOCKER;
        if (f->never_up)
                return PL_NO_RESTART_NEVER_UP;
        if (f->disputed)
                return PL_NO_RESTART_DISPUTED;
        if (f->waits_for)
                return PL_NO_RESTART_DEPENDENCY;
        return PL_NO_RESTART_UNSETTLED;
}

static PlNoRestart why_not(const PlRestart *r, PlOnUnhealthy action, const PlBudget *budget,
                           const PlNoRestartFacts *f, uint64_t now) {
        bool wanted = action != PL_ON_UNHEALTHY_NONE;
        bool cause = f->restart.broken || (f->restart.failing && action == PL_ON_UNHEALTHY_UNIT);

        if (f->restart.healthy)
                return PL_NO_RESTART_SERVES;
        if (f->under_way)
                return PL_NO_RESTART_UNDER_WAY;
        if (f->restart.stale)
                return PL_NO_RESTART_STALE;
        if (f->restart.requested)
                return PL_NO_RESTART_STOPPED;
        if (f->paused)
                return PL_NO_RESTART_PAUSED;
        if (!f->governed)
                return PL_NO_RESTART_UNGOVERNED;
        if (!cause)
                return not_dead(f, wanted);
        if (!wanted)
                return PL_NO_RESTART_POLICY;
        if (r->gave_up)
                return PL_NO_RESTART_GAVE_UP;
        if (action == PL_ON_UNHEALTHY_UNIT && r->fired)
                return PL_NO_RESTART_FIRED;
        if (now < f->restart.engine_until_usec)
                return PL_NO_RESTART_ENGINE;
        if (now < r->not_before_usec)
                return PL_NO_RESTART_BACKOFF;
        if (budget_is_spent(r, action, budget, now))
                return PL_NO_RESTART_BUDGET;
        if (f->queued)
                return PL_NO_RESTART_QUEUED;
        return f->dry_run ? PL_NO_RESTART_DRY_RUN : PL_NO_RESTART_DUE;
}

/* What takes the place of %s. */
static void explain(PlNoRestart why, const PlRestart *r, const PlBudget *budget,
                    const PlNoRestartFacts *f, uint64_t now, char *buf, size_t size) {
        char span[PL_FORMAT_MAX];

        buf[0] = '\0';
        switch (why) {
        case PL_NO_RESTART_STARTING:
                if (f->start_left_usec > 0)
                        (void)snprintf(buf, size, ", %s of its start period are left",
                                       pl_format_sec(PL_MAX(f->start_left_usec, PL_USEC_PER_SEC),
                                                     span));
                break;
        case PL_NO_RESTART_DEPENDENCY:
                (void)snprintf(buf, size, "%s, which is %s", f->waits_for,
                               pl_health_state_to_string(f->waits_state));
                break;
        case PL_NO_RESTART_UNSETTLED:
                if (f->n_failed > 0)
                        (void)snprintf(buf, size, ": %u of %u failures in a row",
                                       PL_MIN(f->n_failed, f->failures), f->failures);
                break;
        case PL_NO_RESTART_BACKOFF:
                (void)pl_format_sec(PL_MAX(r->not_before_usec - now, PL_USEC_PER_SEC), span);
                (void)snprintf(buf, size, "%s", span);
                break;
        case PL_NO_RESTART_GAVE_UP:
        case PL_NO_RESTART_BUDGET:
                (void)snprintf(buf, size, "%u restart%s in %s did not help", budget->n,
                               pl_plural(budget->n), pl_format_sec(budget->window_usec, span));
                break;
        default:
                break;
        }
}

PlNoRestart pl_no_restart(const PlRestart *r, PlOnUnhealthy action, const PlBudget *budget,
                          const PlNoRestartFacts *f, uint64_t now_usec, char *buf, size_t size) {
        PlNoRestart why = why_not(r, action, budget, f, now_usec);
        const char *text = names[why].text, *hole = strstr(text, "%s");
        char detail[PL_HEALTH_REASON_MAX];

        explain(why, r, budget, f, now_usec, detail, sizeof(detail));
        if (hole)
                (void)snprintf(buf, size, "%.*s%s%s", (int)(hole - text), text, detail, hole + 2);
        else
                (void)snprintf(buf, size, "%s", text);
        return why;
}
