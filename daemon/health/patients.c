/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Health: containers, evidence and steps. See the header.
 *
 * Every piece of evidence ends in step(): facts are put together, the state machine moves, and what
 * follows from it is handed out. A step is pure arithmetic, so it is taken once too often rather
 * than once too seldom.
 */

#include "health/patients-internal.h"

#include <errno.h>
#include <sys/random.h>

#include "base/clock.h"

#include "lib/probe/kind.h"

static void wake_at(PlHealthd *h, uint64_t usec) {
        uint64_t armed = 0;
        int enabled = SD_EVENT_OFF;

        if (usec == PL_TIME_INFINITY)
                return;
        (void)sd_event_source_get_enabled(h->timer, &enabled);
        (void)sd_event_source_get_time(h->timer, &armed);
        if (enabled != SD_EVENT_OFF && armed <= usec)
                return;
        (void)sd_event_source_set_time(h->timer, usec);
        (void)sd_event_source_set_enabled(h->timer, SD_EVENT_ONESHOT);
}

static void report(PlHealthd *h, const PlPatient *p, const PlHealthFacts *f,
                   const PlHealthChange *change) {
        PlHealthdReport r = {
                .id = p->id,
                .service = p->service ? p->service->name : NULL,
                .change = change,
                .waits_for = change->attributed ? f->waits_for : NULL,
                .verdict = &p->health.last,
                .ender = p->ending.ender,
                .exit_code = p->ending.exit_code,
                .crashes = f->crashes,
                .required = p->service && p->service->probe.required,
        };

        h->handlers->changed(h->userdata, &r);
}

static uint64_t engine_turn(PlPatient *p, bool requested) {
        const PlContainer c = {
                .phase = p->facts.phase,
                .exit_code = p->facts.exit_code,
                .finished_usec = p->facts.finished_usec,
                .host.restart_policy = p->facts.restart_policy,
        };

        return pl_restart_engine_turn(&c, requested, pl_clock_usec(CLOCK_REALTIME));
}

static void decide(PlHealthd *h, PlPatient *p) {
        const PlProbePolicy *policy = p->service ? &p->service->probe : NULL;
        uint64_t now = pl_clock_loop_usec(h->event, CLOCK_MONOTONIC), until = PL_TIME_INFINITY,
                 turn;
        PlRestart before = p->restart;
        PlRestartFacts f;
        uint32_t random = 0;

        if (!policy || p->restarting)
                return;
        f = (PlRestartFacts){
                .broken = pl_health_is_broken(&p->health),
                .healthy = p->health.state == PL_HEALTH_HEALTHY,
                .stale = h->stale,
                .requested = pl_ending_is_requested(&p->ending, pl_clock_usec(CLOCK_REALTIME)),
                .healthy_since_usec = p->health.since_usec,
        };
        turn = engine_turn(p, f.requested);
        f.engine_until_usec = turn == 0 || turn == PL_TIME_INFINITY ? turn : now + turn;
        (void)!getrandom(&random, sizeof(random), GRND_NONBLOCK);
        switch (pl_restart_decide(&p->restart, policy->on_unhealthy, &policy->restart_budget, &f,
                                  now, random, &until)) {
        case PL_RESTART_WAIT:
                p->wakeup_usec = PL_MIN(p->wakeup_usec, until);
                break;
        case PL_RESTART_NOW:
                if (h->handlers->restart(
                                    h->userdata, p->id, p->health.reason,
                                    pl_restart_count(&p->restart, &policy->restart_budget, now),
                                    &policy->restart_budget)) {
                        p->restarting = true;
                        pl_ending_own(&p->ending, pl_clock_usec(CLOCK_REALTIME));
                } else {
                        uint64_t not_before = p->restart.not_before_usec;

                        p->restart = before;
                        p->restart.not_before_usec = not_before;
                }
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

/* Return: whether something changed that others may depend on. */
static bool step(PlHealthd *h, PlPatient *p) {
        PlHealthConfig config = pl_healthd_config(p);
        uint64_t now = pl_clock_loop_usec(h->event, CLOCK_MONOTONIC);
        bool served = p->health.state == PL_HEALTH_HEALTHY, changed;
        char ending[PL_REASON_MAX];
        PlHealthChange change;
        PlHealthFacts f = pl_healthd_facts(h, p, ending);

        changed = pl_health_step(&p->health, &config, &f, now, &change);
        p->wakeup_usec = pl_health_wakeup(&p->health, &config, &f, now);
        if (f.crashes > 0 && f.phase == PL_PHASE_RUNNING)
                p->wakeup_usec = PL_MIN(p->wakeup_usec, PL_MAX(p->started_usec + PL_CRASH_CALM_USEC,
                                                               now + PL_USEC_PER_SEC));
        pl_prober_hurry(h->prober, p->id, pl_health_wants_hurry(&p->health));
        if (changed)
                report(h, p, &f, &change);
        decide(h, p);
        wake_at(h, p->wakeup_usec);
        if (changed)
                h->handlers->touched(h->userdata);
        return changed || served != (p->health.state == PL_HEALTH_HEALTHY);
}

static void again(PlHealthd *h) {
        (void)sd_event_source_set_enabled(h->again, SD_EVENT_ONESHOT);
}

static void step_and_tell(PlHealthd *h, PlPatient *p) {
        if (step(h, p))
                again(h);
}

/* Dependents follow what they depend on; a chain takes as many iterations as it is long. */
static int on_again(sd_event_source *source, void *userdata) {
        PlHealthd *h = userdata;
        bool changed = false;
        PlPatient *p;

        PL_MAP_FOREACH(p, h->patients)
        if (p->service && p->service->probe.after)
                changed = step(h, p) || changed;
        if (changed)
                again(h);
        wake_at(h, pl_healthd_missing_check(h));
        return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        PlHealthd *h = userdata;
        uint64_t now = pl_clock_loop_usec(h->event, CLOCK_MONOTONIC);
        PlPatient *p;

        PL_MAP_FOREACH(p, h->patients)
        if (p->wakeup_usec <= now)
                step_and_tell(h, p);
        PL_MAP_FOREACH(p, h->patients)
        wake_at(h, p->wakeup_usec);
        wake_at(h, pl_healthd_missing_check(h));
        return 0;
}

static void on_verdict(void *userdata, const char *id, const PlVerdict *v, uint64_t latency_usec,
                       const PlOllamaFacts *ollama) {
        PlHealthd *h = userdata;
        PlPatient *p = pl_map_get(h->patients, id);
        bool failed;

        if (!p)
                return;
        failed = p->health.last.kind == PL_VERDICT_DOWN;
        p->latency_usec = latency_usec;
        pl_health_probe(&p->health, v);
        if (v->kind == PL_VERDICT_DOWN && !failed) {
                pl_healthd_look_at_dependencies(h, p);
                h->handlers->doubted(h->userdata, p->id);
        }
        /* dependents go by the first failure, not by the settled state */
        if (failed != (p->health.last.kind == PL_VERDICT_DOWN))
                again(h);
        step_and_tell(h, p);
        if (ollama && v->kind == PL_VERDICT_UP)
                h->handlers->ollama(h->userdata, id, ollama);
}

static const PlProbeHandlers probe_handlers = { .verdict = on_verdict };

int pl_healthd_new(sd_event *event, const PlHealthdHandlers *handlers, void *userdata,
                   PlHealthd **ret) {
        _cleanup_(pl_healthd_freep) PlHealthd *h = calloc(1, sizeof(*h));
        int r;

        if (!h)
                return -ENOMEM;
        h->event = sd_event_ref(event);
        h->handlers = handlers;
        h->userdata = userdata;
        h->patients = pl_map_new();
        if (!h->patients)
                return -ENOMEM;
        r = pl_prober_new(event, &probe_handlers, h, &h->prober);
        if (r < 0)
                return r;
        r = sd_event_add_time(event, &h->timer, CLOCK_MONOTONIC, 0, 500 * PL_USEC_PER_MSEC,
                              on_timer, h);
        if (r < 0)
                return r;
        (void)sd_event_source_set_enabled(h->timer, SD_EVENT_OFF);
        (void)sd_event_source_set_description(h->timer, "health-timer");
        r = sd_event_add_defer(event, &h->again, on_again, h);
        if (r < 0)
                return r;
        (void)sd_event_source_set_enabled(h->again, SD_EVENT_OFF);
        *ret = TAKE_PTR(h);
        return 0;
}

PlHealthd *pl_healthd_free(PlHealthd *h) {
        PlPatient *p;

        if (!h)
                return NULL;
        pl_prober_free(h->prober);
        if (h->patients)
                PL_MAP_FOREACH(p, h->patients) {
                        (void)pl_map_remove(h->patients, p->id);
                        free(p);
                }
        pl_map_free(h->patients);
        free(h->missing);
        sd_event_source_disable_unref(h->timer);
        sd_event_source_disable_unref(h->again);
        sd_event_unref(h->event);
        pl_policy_unref(h->policy);
        free(h);
        return NULL;
}

void pl_healthd_set_policy(PlHealthd *h, PlPolicy *policy) {
        PlPolicy *old = h->policy;
        PlPatient *p;

        h->policy = pl_policy_ref(policy);
        PL_MAP_FOREACH(p, h->patients) {
                PlRestart before = p->restart;

                p->service = NULL;
                pl_restart_reset(&p->restart);
                pl_healthd_remember(h, p, &before, p->ending.ender);
        }
        if (pl_healthd_missing_load(h) < 0)
                h->n_missing = 0; /* borrowed from the old one; absence goes unnoticed */
        pl_policy_unref(old);
        again(h);
}

void pl_healthd_set_synced(PlHealthd *h, bool synced) {
        if (h->synced == synced)
                return;
        h->synced = synced;
        again(h);
}

void pl_healthd_set_stale(PlHealthd *h, bool stale) {
        PlPatient *p;

        if (h->stale == stale)
                return;
        h->stale = stale;
        PL_MAP_FOREACH(p, h->patients)
        step_and_tell(h, p);
}

static PlPatient *patient_ensure(PlHealthd *h, const char *id) {
        PlPatient *p = pl_map_get(h->patients, id);

        if (p)
                return p;
        p = calloc(1, sizeof(*p));
        if (!p)
                return NULL;
        (void)snprintf(p->id, sizeof(p->id), "%s", id);
        p->kind = PL_PROBE_NONE;
        p->latency_usec = PL_UNLIMITED;
        p->wakeup_usec = PL_TIME_INFINITY;
        pl_health_init(&p->health, pl_clock_loop_usec(h->event, CLOCK_MONOTONIC));
        if (pl_map_put(h->patients, p->id, p) < 0) {
                free(p);
                return NULL;
        }
        return p;
}

int pl_healthd_update(PlHealthd *h, const PlContainer *c, const PlContainer *netns,
                      const PlService *service) {
        bool known = pl_map_get(h->patients, c->id);
        PlPatient *p = patient_ensure(h, c->id);
        int r;

        if (!p)
                return -ENOMEM;
        p->service = service;
        if (!known)
                pl_healthd_recall(h, p);
        if (c->started_usec != p->facts.started_usec)
                pl_prober_remove(h->prober, p->id); /* its answer would be the last run's */
        pl_healthd_take_facts(p, c, pl_clock_loop_usec(h->event, CLOCK_MONOTONIC));
        pl_ending_inspect(&p->ending, c, pl_clock_usec(CLOCK_REALTIME));
        r = pl_healthd_set_probe(h, p, c, netns);
        step_and_tell(h, p);
        again(h); /* a service may have a container now */
        return r;
}

/* Whoever starts what was stopped on request, or what had been given up, begins a new story; the
 * engine's own restart policy does not. */
static bool is_started_anew(const PlPatient *p, uint64_t realtime_usec) {
        bool engine = *p->facts.restart_policy && !pl_streq(p->facts.restart_policy, "no");

        return !pl_ending_is_own(&p->ending, realtime_usec) &&
               (pl_ending_was_requested(&p->ending) || (p->restart.gave_up && !engine));
}

void pl_healthd_event(PlHealthd *h, const PlEvent *event) {
        PlPatient *p = pl_map_get(h->patients, event->id);
        PlRestart before;
        PlEnder ender;

        if (!p)
                return;
        before = p->restart;
        ender = p->ending.ender;
        if (event->action == PL_EVENT_START && is_started_anew(p, event->time_nsec / 1000))
                pl_restart_reset(&p->restart);
        pl_ending_event(&p->ending, event);
        pl_healthd_remember(h, p, &before, ender);
}

void pl_healthd_oom(PlHealthd *h, const char *id, bool host) {
        PlPatient *p = pl_map_get(h->patients, id);
        PlEnder ender;

        if (!p)
                return;
        ender = p->ending.ender;
        pl_ending_oom(&p->ending, host, pl_clock_usec(CLOCK_REALTIME));
        pl_healthd_remember(h, p, &p->restart, ender);
        p->oom_usec = pl_clock_loop_usec(h->event, CLOCK_MONOTONIC);
        step_and_tell(h, p);
}

void pl_healthd_restarted(PlHealthd *h, const char *id, int error) {
        PlPatient *p = pl_map_get(h->patients, id);

        if (!p)
                return;
        p->restarting = false;
        if (error < 0)
                pl_ending_own_failed(&p->ending, error == -ECONNRESET,
                                     pl_clock_usec(CLOCK_REALTIME));
        step_and_tell(h, p);
}

void pl_healthd_remove(PlHealthd *h, const char *id, bool gone) {
        PlPatient *p = pl_map_get(h->patients, id);
        PlHealthChange change;
        PlHealthConfig config;
        PlHealthFacts f = { 0 };

        if (!p)
                return;
        config = pl_healthd_config(p);
        if (gone && pl_health_step(&p->health, &config, &f,
                                   pl_clock_loop_usec(h->event, CLOCK_MONOTONIC), &change))
                report(h, p, &f, &change);
        pl_prober_remove(h->prober, id);
        (void)pl_map_remove(h->patients, id);
        free(p);
        again(h);
}

bool pl_healthd_get(const PlHealthd *h, const char *id, PlHealthdView *ret) {
        const PlPatient *p = pl_map_get(h->patients, id);
        const char *reason;

        if (!p)
                return false;
        reason = p->health.state == PL_HEALTH_UNKNOWN && p->unprobed ? p->unprobed
                                                                     : p->health.reason;
        *ret = (PlHealthdView){
                .state = p->health.state,
                .reason = *reason ? reason : NULL,
                .since_usec = p->health.since_usec,
                .latency_usec = p->latency_usec,
                .kind = p->kind,
                .restarts = p->service ? pl_restart_count(&p->restart,
                                                          &p->service->probe.restart_budget,
                                                          pl_clock_loop_usec(h->event,
                                                                             CLOCK_MONOTONIC))
                                       : 0,
                .gave_up = p->restart.gave_up,
                .flapping = p->health.flapping,
        };
        return true;
}
