/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the health module's own sources share. Nobody else includes this.
 *
 *   healthd.c         containers, evidence, steps
 *   healthd-absent.c  required services without a container; dependencies
 *   healthd-facts.c   what the state machine takes
 *   healthd-memory.c  what must outlive plimsolld
 *   healthd-probe.c   from container and section to a probe's target
 */

#include "health/patients.h"
#include "lib/base/map.h"
#include "lib/health/restart.h"
#include "lib/probe/kind.h"
#include "probe/prober.h"

/* What is kept of an inspection: there may be thousands of patients. */
typedef struct PlPatientFacts {
        PlPhase phase;
        PlDockerHealth docker_health;
        uint64_t docker_start_period_usec;
        int exit_code;
        uint64_t started_usec, finished_usec; /* CLOCK_REALTIME */
        char restart_policy[16];
} PlPatientFacts;

typedef struct PlPatient {
        char id[PL_ID_MAX];
        const PlService *service; /* borrowed from the policy; NULL: none */
        PlPatientFacts facts;
        uint64_t started_usec; /* CLOCK_MONOTONIC, of facts.started_usec */
        uint64_t oom_usec;     /* CLOCK_MONOTONIC, of a kill that the container survived; 0: none */
        PlHealth health;
        PlEnding ending;
        PlRestart restart;
        bool restarting;      /* our request is with the engine */
        bool remembered;      /* restart and ending are kept outside */
        PlProbeKind kind;     /* PL_PROBE_NONE: not probed now */
        const char *unprobed; /* why not, although a probe is wanted; static */
        uint64_t latency_usec;
        uint64_t wakeup_usec; /* CLOCK_MONOTONIC */
} PlPatient;

/* A required service, and since when it has no container. */
typedef struct PlMissing {
        const PlService *service;
        uint64_t since_usec; /* 0: it has one */
        bool said;
} PlMissing;

struct PlHealthd {
        sd_event *event;
        const PlHealthdHandlers *handlers;
        void *userdata;
        PlPolicy *policy;
        PlProber *prober;
        PlMap *patients; /* id → PlPatient, owned */
        PlMissing *missing;
        size_t n_missing;
        sd_event_source *timer;
        sd_event_source *again; /* dependents of what has changed, once per iteration */
        bool stale, synced;
};

/* healthd-facts.c */
PlHealthConfig pl_healthd_config(const PlPatient *p);
/** pl_healthd_facts() - @ending: backs a text of the result. */
PlHealthFacts pl_healthd_facts(const PlHealthd *h, const PlPatient *p, char ending[PL_REASON_MAX]);
void pl_healthd_take_facts(PlPatient *p, const PlContainer *c, uint64_t now_usec);

/* healthd-absent.c */
int pl_healthd_missing_load(PlHealthd *h); /* after a new policy */
/** pl_healthd_missing_check() - Return: when to look again; PL_TIME_INFINITY: not. */
uint64_t pl_healthd_missing_check(PlHealthd *h);
/** pl_healthd_waits_for() - the first dependency that does not serve, or NULL. */
const char *pl_healthd_waits_for(const PlHealthd *h, const PlPatient *p, PlHealthState *ret_state);

/* healthd-memory.c */
/** pl_healthd_recall() - of a container that is new here; its section is known. */
void pl_healthd_recall(PlHealthd *h, PlPatient *p);
/** pl_healthd_remember() - if there is news since @before and @ender. */
void pl_healthd_remember(PlHealthd *h, PlPatient *p, const PlRestart *before, PlEnder ender);

/* healthd-probe.c */
/** pl_healthd_set_probe() - begin, change or end the probe. Return: 0 or -ENOMEM. */
int pl_healthd_set_probe(PlHealthd *h, PlPatient *p, const PlContainer *c,
                         const PlContainer *netns);
/** pl_healthd_look_at_dependencies() - ask them soon: they may be why this one fails. */
void pl_healthd_look_at_dependencies(PlHealthd *h, const PlPatient *p);
