/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Facts: see the header.
 */

#include "lib/health/facts.h"

#include "lib/base/quote.h"

void pl_inspected_take(PlInspected *i, const PlContainer *c) {
        pid_t main_pid = c->pid > 0 ? c->pid : i->main_pid;
        const char *name = c->name && *c->name ? c->name : c->id;

        *i = (PlInspected){
                .phase = c->phase,
                .healthcheck = c->healthcheck,
                .stop_timeout_usec = c->stop.timeout_usec,
                .exit_code = c->exit_code,
                .created_usec = c->created_usec,
                .started_usec = c->started_usec,
                .finished_usec = c->finished_usec,
                .auto_remove = c->host.auto_remove,
                .main_pid = main_pid,
        };
        (void)pl_quote(name, strlen(name), i->name, sizeof(i->name));
        (void)snprintf(i->restart_policy, sizeof(i->restart_policy), "%s",
                       c->host.restart_policy ? c->host.restart_policy : "");
}

/*
 * Nobody saw it end, and it ended well: a job more likely than a service that somebody stopped, and
 * the better error: neither is restarted. Where OnExit= starts what has ended, doubt is for a stop.
 */
static bool was_done_unseen(const PlInspected *i, const PlEnding *e, bool run_again) {
        return e->ender == PL_ENDER_UNSEEN && i->exit_code == 0 && e->may_finish && !run_again;
}

PlHealthFacts pl_health_facts(const PlInspected *i, const PlEnding *e, const PlRestart *r,
                              bool run_again, uint64_t realtime_usec) {
        bool own = pl_restart_is_under_way(r);

        return (PlHealthFacts){
                .present = true,
                .phase = i->phase,
                .exit_code = i->exit_code,
                .docker = i->healthcheck.status,
                .by_request = pl_ending_was_requested(e) && !was_done_unseen(i, e, run_again),
                .by_engine = e->ender == PL_ENDER_ENGINE,
                .own = own,
                /* or a start has been told, and its inspection is due */
                .between = (own && i->started_usec == r->ran_usec) ||
                           (i->phase == PL_PHASE_EXITED && e->ender == PL_ENDER_NONE),
                .once = e->once,
                .may_finish = e->may_finish,
                .crashes = pl_ending_crashes(e, i->phase == PL_PHASE_RUNNING, realtime_usec),
        };
}

/* Until when does the engine's own restart policy come first? */
static uint64_t engine_until(const PlInspected *i, const PlEnding *e, bool requested, PlNow now) {
        const PlContainer c = {
                .phase = i->phase,
                .exit_code = i->exit_code,
                /* those are done when it listens */
                .finished_usec = e->ender == PL_ENDER_ENGINE ? e->engine_back_usec
                                                             : i->finished_usec,
                .host.restart_policy = (char *)i->restart_policy,
        };
        uint64_t turn = pl_restart_engine_turn(&c, requested, now.realtime_usec);

        return turn == 0 || turn == PL_TIME_INFINITY ? turn : now.monotonic_usec + turn;
}

PlRestartFacts pl_restart_facts(const PlInspected *i, const PlHealth *h, const PlEnding *e,
                                bool probed, bool replaced, PlNow now) {
        bool runs = i->phase == PL_PHASE_RUNNING;
        bool heard = runs && probed && h->last.kind != PL_VERDICT_NONE;
        /* it answers again, but not often enough yet to count as healthy */
        bool answers = heard &&
                       (h->last.kind == PL_VERDICT_UP || h->last.kind == PL_VERDICT_IMPAIRED);
        PlRestartFacts f = {
                .broken = pl_health_is_broken(h) && !answers,
                .failing = pl_health_is_failing(h),
                .healthy = h->state == PL_HEALTH_HEALTHY,
                .requested = replaced || pl_ending_is_requested(e, now.realtime_usec),
                .healthy_since_usec = h->since_usec,
                .phase = i->phase,
                .started_usec = i->started_usec,
                .received = e->own.term_usec > 0,
                .own_end = pl_ending_is_own(e),
                .end_told = e->told,
                .whole = i->auto_remove,
                .judged = !runs ||
                          (probed ? heard : i->healthcheck.status != PL_DOCKER_HEALTH_STARTING),
                .measurable = runs && probed,
                .stop_timeout_usec = i->stop_timeout_usec,
        };

        f.engine_until_usec = engine_until(i, e, f.requested, now);
        return f;
}
