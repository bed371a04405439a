/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Restart: see the header. The cool-off is the budget's window: a service must be healthy for that
 * long before its backoff is reset, or before we try again after giving up.
 */

#include "lib/health/restart.h"

uint64_t pl_restart_engine_turn(const PlContainer *c, bool requested, uint64_t realtime_usec) {
        const char *policy = c->host.restart_policy ? c->host.restart_policy : "";
        uint64_t since;
        bool due;

        if (c->phase == PL_PHASE_RESTARTING)
                return PL_TIME_INFINITY;
        if (c->phase != PL_PHASE_EXITED || requested)
                return 0;
        /* moby, restartmanager: only "on-failure" looks at the exit code */
        due = pl_streq(policy, "always") || pl_streq(policy, "unless-stopped") ||
              (pl_startswith(policy, "on-failure") && c->exit_code != 0);
        since = realtime_usec > c->finished_usec ? realtime_usec - c->finished_usec : 0;
        return due && since < PL_RESTART_ENGINE_USEC ? PL_RESTART_ENGINE_USEC - since : 0;
}

unsigned pl_restart_count(const PlRestart *r, const PlBudget *budget, uint64_t now_usec) {
        unsigned n = 0;

        for (unsigned i = 0; i < PL_MIN(r->n_times, (unsigned)PL_RESTART_TIMES_MAX); i++)
                n += now_usec - r->times_usec[i] < budget->window_usec;
        return n;
}

static uint64_t backoff(unsigned streak, uint32_t random) {
        uint64_t usec = PL_RESTART_BACKOFF_USEC;

        while (--streak > 0 && usec < PL_RESTART_BACKOFF_MAX_USEC)
                usec *= 2;
        usec = PL_MIN(usec, PL_RESTART_BACKOFF_MAX_USEC);
        return usec + usec / 5 * random / UINT32_MAX;
}

void pl_restart_put_off(PlRestart *r, uint64_t now_usec, uint32_t random) {
        r->not_before_usec = now_usec + backoff(r->streak + 1, random);
}

void pl_restart_done(PlRestart *r, uint64_t now_usec, uint32_t random) {
        if (r->n_times == 0) { /* reset meanwhile; the restart counts all the same */
                pl_restart_book(r, now_usec, random);
                return;
        }
        r->times_usec[(r->n_times - 1) % PL_RESTART_TIMES_MAX] = now_usec;
        r->not_before_usec = now_usec + backoff(PL_MAX(r->streak, 1u), random);
}

void pl_restart_book(PlRestart *r, uint64_t now_usec, uint32_t random) {
        r->times_usec[r->n_times++ % PL_RESTART_TIMES_MAX] = now_usec;
        if (r->n_times == 2 * PL_RESTART_TIMES_MAX)
                r->n_times = PL_RESTART_TIMES_MAX;
        r->streak++;
        r->not_before_usec = now_usec + backoff(r->streak, random);
}

PlRestartVerb pl_restart_decide(PlRestart *r, PlOnUnhealthy action, const PlBudget *budget,
                                const PlRestartFacts *facts, uint64_t now_usec, uint32_t random,
                                uint64_t *ret_usec) {
        unsigned limit = PL_MIN(budget->n, (unsigned)PL_RESTART_TIMES_MAX);
        /* a unit may be just an alarm, which needs no proof */
        bool cause = facts->broken || (facts->failing && action == PL_ON_UNHEALTHY_UNIT);
        uint64_t due;

        if (facts->healthy) {
                r->fired = false;
                if (now_usec - facts->healthy_since_usec >= budget->window_usec) {
                        r->streak = 0;
                        r->gave_up = false;
                }
                return PL_RESTART_NOTHING;
        }
        if (action == PL_ON_UNHEALTHY_NONE || !cause || facts->stale || facts->requested ||
            r->gave_up || (action == PL_ON_UNHEALTHY_UNIT && r->fired))
                return PL_RESTART_NOTHING;
        due = PL_MAX(r->not_before_usec, facts->engine_until_usec);
        if (due == PL_TIME_INFINITY)
                return PL_RESTART_NOTHING; /* the next phase decides */
        if (now_usec < due) {
                *ret_usec = due;
                return PL_RESTART_WAIT;
        }
        if (action == PL_ON_UNHEALTHY_RESTART && pl_restart_count(r, budget, now_usec) >= limit) {
                r->gave_up = true;
                return PL_RESTART_GIVE_UP;
        }
        if (action == PL_ON_UNHEALTHY_UNIT) {
                pl_restart_book(r, now_usec, random);
                r->fired = true;
                return PL_RESTART_UNIT;
        }
        return PL_RESTART_NOW;
}
