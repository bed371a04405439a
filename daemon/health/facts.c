/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Health: from what is known of a container to the facts that the state machine takes.
 */

#include "health/patients-internal.h"

#include "base/clock.h"

#include "lib/probe/kind.h"

/* Without a section of the policy; the policy's own defaults. */
#define DEFAULT_FAILURES   3
#define DEFAULT_START_USEC (60 * PL_USEC_PER_SEC)
#define DEFAULT_FLAP       ((PlBudget){ 6, 10 * PL_USEC_PER_MIN })

PlHealthConfig pl_healthd_config(const PlPatient *p) {
        const PlProbePolicy *policy = p->service ? &p->service->probe : NULL;
        uint64_t start = policy ? policy->start_period_usec : DEFAULT_START_USEC;

        return (PlHealthConfig){
                .failures = policy ? policy->failures : DEFAULT_FAILURES,
                .start_period_usec = PL_MAX(start, p->facts.docker_start_period_usec),
                .flap = policy ? policy->flap_budget : DEFAULT_FLAP,
        };
}

PlHealthFacts pl_healthd_facts(const PlHealthd *h, const PlPatient *p, char ending[PL_REASON_MAX]) {
        bool runs = p->facts.phase == PL_PHASE_RUNNING;
        PlHealthFacts f = {
                .present = true,
                .stale = h->stale,
                .probed = p->kind != PL_PROBE_NONE,
                .phase = p->facts.phase,
                .exit_code = p->facts.exit_code,
                .docker = p->facts.docker_health,
                .started_usec = p->started_usec,
                .oom_usec = p->oom_usec,
                .by_request = pl_ending_was_requested(&p->ending),
                .crashes = pl_ending_crashes(&p->ending, runs, pl_clock_usec(CLOCK_REALTIME)),
        };

        /* between our own stop and start: no news, even where it ended with 0 */
        if (p->facts.phase == PL_PHASE_EXITED && p->ending.ender == PL_ENDER_PLIMSOLL)
                f.phase = PL_PHASE_RESTARTING;
        f.ending = pl_ending_describe(&p->ending, ending, PL_REASON_MAX);
        f.waits_for = pl_healthd_waits_for(h, p, &f.waits_state);
        return f;
}

void pl_healthd_take_facts(PlPatient *p, const PlContainer *c, uint64_t now_usec) {
        uint64_t real = pl_clock_usec(CLOCK_REALTIME), age;

        if (c->started_usec != p->facts.started_usec || p->started_usec == 0) {
                age = real > c->started_usec ? real - c->started_usec : 0;
                p->started_usec = c->started_usec == 0 ? 0 : PL_MAX(now_usec, age + 1) - age;
        }
        p->facts = (PlPatientFacts){
                .phase = c->phase,
                .docker_health = c->docker_health,
                .docker_start_period_usec = c->docker_start_period_usec,
                .exit_code = c->exit_code,
                .started_usec = c->started_usec,
                .finished_usec = c->finished_usec,
        };
        (void)snprintf(p->facts.restart_policy, sizeof(p->facts.restart_policy), "%s",
                       c->host.restart_policy ?: "");
}
