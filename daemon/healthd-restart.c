/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Health: one restart for one death, from the decision to the first verdict of the new run.
 *
 *   not ─► waits ─► sent ─► done ─► not
 *    ▲       │        │
 *    │       │        └─► unsure ─► looked ─► not      its answer is lost
 *    └───────┘ its reason is gone, or it could not be sent: that costs nothing
 *
 * Whether and when is pl-restart's; the engine is the owner's. A restart is on the books from when
 * it is sent, so that a plimsolld that is killed meanwhile has counted it.
 */

#include "healthd-internal.h"

#include <errno.h>
#include <sys/random.h>

/* A restart that was not sent is asked for again so much later, and costs nothing. */
#define RETRY_USEC PL_USEC_PER_SEC
/* Without an answer the engine may be at it for the container's stop timeout and so much longer. */
#define UNSURE_USEC (15 * PL_USEC_PER_SEC)

static uint64_t engine_turn(PlPatient *p, bool requested) {
        const PlContainer c = {
                .phase = p->facts.phase,
                .exit_code = p->facts.exit_code,
                .finished_usec = p->facts.finished_usec,
                .host.restart_policy = p->facts.restart_policy,
        };

        return pl_restart_engine_turn(&c, requested, pl_healthd_realtime());
}

static uint32_t draw(void) {
        uint32_t random = 0;

        (void)!getrandom(&random, sizeof(random), GRND_NONBLOCK);
        return random;
}

/* Has a run that began after the restart said anything: a verdict, or its end? */
static bool has_new_verdict(const PlPatient *p) {
        if (p->facts.started_usec == p->ran_usec)
                return false;
        if (p->facts.phase != PL_PHASE_RUNNING)
                return true;
        return p->kind != PL_PROBE_NONE ? p->health.last.kind != PL_VERDICT_NONE
                                        : p->facts.docker_health != PL_DOCKER_HEALTH_STARTING;
}

/* Nobody knows what the engine did, and it runs still, or was just stopped: for how long may the
 * engine go on with it? Return: CLOCK_MONOTONIC. */
static uint64_t unsure_until(const PlPatient *p, uint64_t now) {
        uint64_t real = pl_healthd_realtime(), ended = p->facts.finished_usec;

        if (p->facts.phase == PL_PHASE_RUNNING || p->facts.phase == PL_PHASE_PAUSED)
                return p->unsure_until_usec;
        return real > ended + PL_RESTART_ENGINE_USEC ? now
                                                     : now + ended + PL_RESTART_ENGINE_USEC - real;
}

/* Is there no restart under way that must be seen to its end first? */
static bool is_free(PlPatient *p, uint64_t now) {
        uint64_t until = p->retry_usec;

        if (p->restarting == PL_RESTARTING_LOOKED && p->facts.started_usec == p->ran_usec)
                until = unsure_until(p, now);
        else if (p->restarting == PL_RESTARTING_LOOKED || p->restarting == PL_RESTARTING_DONE)
                until = has_new_verdict(p) ? now : PL_TIME_INFINITY;
        else if (p->restarting != PL_RESTARTING_NOT)
                return false;
        if (now < until) {
                p->wakeup_usec = PL_MIN(p->wakeup_usec, until);
                return false;
        }
        p->restarting = PL_RESTARTING_NOT;
        return true;
}

/* It answers again, if not often enough yet to be called healthy. */
static bool answers(const PlPatient *p) {
        return p->facts.phase == PL_PHASE_RUNNING && p->kind != PL_PROBE_NONE &&
               (p->health.last.kind == PL_VERDICT_UP || p->health.last.kind == PL_VERDICT_DEGRADED);
}

static PlRestartVerb judge(const PlHealthd *h, PlPatient *p, PlRestart *r, uint64_t *ret_until) {
        const PlProbePolicy *policy = &p->service->probe;
        uint64_t now = pl_healthd_now(h), turn;
        PlRestartFacts f = {
                .broken = pl_health_is_broken(&p->health) && !answers(p),
                .failing = pl_health_is_failing(&p->health),
                .healthy = p->health.state == PL_HEALTH_HEALTHY,
                .stale = h->stale,
                .requested = pl_ending_is_requested(&p->ending, pl_healthd_realtime()),
                .healthy_since_usec = p->health.since_usec,
        };
        turn = engine_turn(p, f.requested);
        f.engine_until_usec = turn == 0 || turn == PL_TIME_INFINITY ? turn : now + turn;
        return pl_restart_decide(r, policy->on_unhealthy, &policy->restart_budget, &f, now, draw(),
                                 ret_until);
}

static void not_sent(PlHealthd *h, PlPatient *p) {
        p->restarting = PL_RESTARTING_NOT;
        p->retry_usec = pl_healthd_now(h) + RETRY_USEC;
        p->wakeup_usec = PL_MIN(p->wakeup_usec, p->retry_usec);
}

static void ask_for_restart(PlHealthd *h, PlPatient *p) {
        int r = h->handlers->restart(h->userdata, p->id, p->health.reason);

        if (r == 0)
                p->restarting = PL_RESTARTING_WAITS;
        else if (r > 0)
                pl_restart_put_off(&p->restart, pl_healthd_now(h), draw());
        else
                not_sent(h, p);
}

void pl_healthd_decide(PlHealthd *h, PlPatient *p) {
        const PlProbePolicy *policy = p->service ? &p->service->probe : NULL;
        uint64_t until = PL_TIME_INFINITY;
        PlRestart before = p->restart;

        if (!policy || !is_free(p, pl_healthd_now(h)))
                return;
        switch (judge(h, p, &p->restart, &until)) {
        case PL_RESTART_WAIT:
                p->wakeup_usec = PL_MIN(p->wakeup_usec, until);
                break;
        case PL_RESTART_NOW:
                ask_for_restart(h, p);
                break;
        case PL_RESTART_UNIT:
                h->handlers->start_unit(h->userdata, p->id, policy->unit, p->health.reason);
                break;
        case PL_RESTART_GIVE_UP:
                h->handlers->gave_up(h->userdata, p->id, p->health.reason, &policy->restart_budget);
                if (policy->unit)
                        h->handlers->start_unit(h->userdata, p->id, policy->unit, p->health.reason);
                break;
        case PL_RESTART_NOTHING:
                break;
        }
        pl_healthd_remember(h, p, &before, p->ending.ender);
}

static uint64_t unsure_usec(uint64_t stop_timeout_usec) {
        return PL_MIN(stop_timeout_usec, PL_USEC_PER_DAY) + UNSURE_USEC;
}

/* A restart that was under way when plimsolld ended is one whose answer is lost. */
void pl_healthd_recall_restart(PlHealthd *h, PlPatient *p, const PlContainer *c) {
        uint64_t real = pl_healthd_realtime(), until;

        pl_healthd_recall(h, p);
        until = p->ending.own_usec + unsure_usec(c->stop_timeout_usec);
        if (p->ending.own_usec == 0 || c->started_usec > p->ending.own_usec || real >= until)
                return;
        p->restarting = PL_RESTARTING_LOOKED;
        p->ran_usec = c->started_usec;
        p->unsure_until_usec = pl_healthd_now(h) + until - real;
}

bool pl_healthd_begin_restart(PlHealthd *h, const char *id, PlHealthdRestart *ret) {
        PlPatient *p = pl_map_get(h->patients, id);
        uint64_t now = pl_healthd_now(h), until;
        PlRestart before, trial;

        if (!p || !p->service || p->restarting != PL_RESTARTING_WAITS)
                return false;
        before = trial = p->restart;
        if (judge(h, p, &trial, &until) != PL_RESTART_NOW)
                return false;
        p->restarting = PL_RESTARTING_SENT;
        p->ran_usec = p->facts.started_usec;
        p->unsure_until_usec = now + unsure_usec(p->facts.stop_timeout_usec);
        pl_restart_book(&p->restart, now, draw());
        pl_ending_own(&p->ending, pl_healthd_realtime());
        pl_healthd_remember(h, p, &before, p->ending.ender);
        *ret = (PlHealthdRestart){
                .reason = p->health.reason,
                .n = pl_restart_count(&p->restart, &p->service->probe.restart_budget, now),
                .budget = &p->service->probe.restart_budget,
        };
        return true;
}

/* What the engine did, as far as it has said. */
static void sent(PlHealthd *h, PlPatient *p, int error) {
        bool lost = error == -ECONNRESET || error == -ETIMEDOUT;
        PlRestart before = p->restart;

        pl_restart_done(&p->restart, pl_healthd_now(h), draw());
        p->restarting = error == 0 ? PL_RESTARTING_DONE
                        : lost     ? PL_RESTARTING_UNSURE
                                   : PL_RESTARTING_NOT;
        if (error < 0)
                pl_ending_own_failed(&p->ending, lost, pl_healthd_realtime());
        if (error == 0 && p->facts.started_usec == p->ran_usec) {
                /* the inspection of the new run is still to come; verdicts are the old one's */
                pl_prober_remove(h->prober, p->id);
                p->started_usec = pl_healthd_now(h);
        }
        pl_healthd_remember(h, p, &before, p->ending.ender);
}

void pl_healthd_end_restart(PlHealthd *h, PlPatient *p, int error) {
        if (p->restarting == PL_RESTARTING_SENT)
                sent(h, p, error);
        else if (p->restarting == PL_RESTARTING_WAITS)
                not_sent(h, p);
}
