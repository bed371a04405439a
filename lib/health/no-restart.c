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
        [PL_NO_RESTART_STOPPED] = { "stopped", "stopped by somebody else" },
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

static bool budget_is_spent(const PlRestart *r, const PlRestartRules *rules, uint64_t now) {
        return rules->action == PL_ON_UNHEALTHY_RESTART &&
               pl_restart_count(r, &rules->budget, now) >=
                               PL_MIN(rules->budget.n, (unsigned)PL_RESTART_TIMES_MAX);
}

static PlNoRestart of_dispute(const PlNoRestartFacts *f) {
        if (f->docker == PL_DOCKER_HEALTH_HEALTHY)
                return PL_NO_RESTART_DOCKER;
        return f->row->cause == PL_CAUSE_NEVER_UP ? PL_NO_RESTART_NEVER_UP : PL_NO_RESTART_DISPUTED;
}

/* It may be dead, but that is not settled, or not its own fault, or the end of a job. */
static PlNoRestart of_death(const PlNoRestartFacts *f, bool wanted) {
        if (f->waits_for)
                return PL_NO_RESTART_DEPENDENCY;
        if (f->row->cause == PL_CAUSE_PHASE)
                return PL_NO_RESTART_JOB;
        return wanted ? PL_NO_RESTART_UNSETTLED : PL_NO_RESTART_POLICY;
}

/* There is no proof: what does the last verdict say? */
static PlNoRestart not_proven(const PlNoRestartFacts *f, bool wanted) {
        switch (f->row ? f->row->judgement : PL_JUDGEMENT_NONE) {
        case PL_JUDGEMENT_FINISHED:
                return PL_NO_RESTART_JOB;
        case PL_JUDGEMENT_IMPAIRED:
                return PL_NO_RESTART_IMPAIRED;
        case PL_JUDGEMENT_STARTING:
                return PL_NO_RESTART_STARTING;
        case PL_JUDGEMENT_DISPUTED:
                return of_dispute(f);
        case PL_JUDGEMENT_DEAD:
                return of_death(f, wanted);
        default:
                return PL_NO_RESTART_SERVES;
        }
}

static PlNoRestart why_not(const PlRestart *r, const PlRestartRules *rules,
                           const PlNoRestartFacts *f, uint64_t now) {
        bool wanted = rules->action != PL_ON_UNHEALTHY_NONE;
        bool cause = f->restart.broken ||
                     (f->restart.failing && rules->action == PL_ON_UNHEALTHY_UNIT);

        if (f->restart.healthy)
                return PL_NO_RESTART_SERVES;
        if (pl_restart_is_under_way(r))
                return PL_NO_RESTART_UNDER_WAY;
        if (f->restart.stale)
                return PL_NO_RESTART_STALE;
        if (f->restart.requested)
                return PL_NO_RESTART_STOPPED;
        if (f->restart.phase == PL_PHASE_PAUSED)
                return PL_NO_RESTART_PAUSED;
        if (!f->governed)
                return PL_NO_RESTART_UNGOVERNED;
        if (!cause)
                return not_proven(f, wanted);
        if (!wanted)
                return PL_NO_RESTART_POLICY;
        if (r->gave_up)
                return PL_NO_RESTART_GAVE_UP;
        if (rules->action == PL_ON_UNHEALTHY_UNIT && r->fired)
                return PL_NO_RESTART_FIRED;
        if (now < f->restart.engine_until_usec)
                return PL_NO_RESTART_ENGINE;
        if (now < r->not_before_usec)
                return PL_NO_RESTART_BACKOFF;
        if (budget_is_spent(r, rules, now))
                return PL_NO_RESTART_BUDGET;
        if (r->stage == PL_RESTART_WAITS)
                return PL_NO_RESTART_QUEUED;
        if (r->stage == PL_RESTART_MEASURES)
                return PL_NO_RESTART_UNSETTLED;
        return f->dry_run ? PL_NO_RESTART_DRY_RUN : PL_NO_RESTART_DUE;
}

/* What takes the place of %s. */
static void explain(PlNoRestart why, const PlRestart *r, const PlRestartRules *rules,
                    const PlNoRestartFacts *f, uint64_t now, char *buf, size_t size) {
        const PlBudget *budget = &rules->budget;
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
                if (r->stage == PL_RESTART_MEASURES)
                        (void)snprintf(buf, size, ": it is asked once more");
                else if (f->n_failed > 0)
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

PlNoRestart pl_no_restart(const PlRestart *r, const PlRestartRules *rules,
                          const PlNoRestartFacts *f, uint64_t now_usec, char *buf, size_t size) {
        PlNoRestart why = why_not(r, rules, f, now_usec);
        const char *text = names[why].text, *hole = strstr(text, "%s");
        char detail[PL_HEALTH_REASON_MAX];

        explain(why, r, rules, f, now_usec, detail, sizeof(detail));
        if (hole)
                (void)snprintf(buf, size, "%.*s%s%s", (int)(hole - text), text, detail, hole + 2);
        else
                (void)snprintf(buf, size, "%s", text);
        return why;
}
