/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Health, acted upon: makes restarts, units and entries of what health/patients decides.
 */

#include "cgroup/read.h"
#include "health/patients.h"
#include "lib/probe/ollama-fit.h"
#include "registry/containers.h"
#include "systemd/scope.h"

typedef struct PlHealthAct PlHealthAct;

/* What the last probe of an Ollama found, compared with its limit. */
typedef struct PlModels {
        char id[PL_ID_MAX];
        PlOllamaFit fit;
        char text[PL_HEALTH_REASON_MAX]; /* what does not fit, and the remedy; as last said */
        PlOllamaFacts facts;
} PlModels;

typedef struct PlHealthActHandlers {
        /* Return: the memory limit in force, PL_UNLIMITED: none, or not known */
        uint64_t (*memory)(void *userdata, const PlSubject *s, PlUsage *ret_usage);
        /* See pl_enforcer_slow(). */
        void (*slow)(void *userdata, const PlSubject *s, PlSlowReading *ret);
        /* A run has ended. @words: the end of its log, @reason: of our own restart; NULL: none.
         * NULL: nobody asks */
        void (*ended)(void *userdata, const PlSubject *s, const PlEnding *ending, const char *words,
                      const char *reason);
        /* See pl_keeper_restarts(). NULL: nobody knows */
        size_t (*restarts)(void *userdata, const PlSubject *s, uint64_t *ret, size_t max);
        /* After pl_health_act_stop(): what was in the middle is done, or is left to the next one.
         */
        void (*stopped)(void *userdata);
} PlHealthActHandlers;

/** pl_health_act_new() - all borrowed, must outlive it. Return: 0, -ENOMEM, -errno (reported). */
int pl_health_act_new(PlRegistry *registry, PlSystemd *systemd, const PlHealthActHandlers *handlers,
                      void *userdata, PlHealthAct **ret);
PlHealthAct *pl_health_act_free(PlHealthAct *a); /* returns NULL */

/** pl_health_act_update() - its facts are new. Looks at the containers in its network as well. */
void pl_health_act_update(PlHealthAct *a, PlSubject *s);

/** pl_health_act_set_policy() - the registry has a new one. */
void pl_health_act_set_policy(PlHealthAct *a);

/** pl_health_act_remove() - the engine has removed it. */
void pl_health_act_remove(PlHealthAct *a, PlSubject *s);

/** pl_health_act_models() - what its probe last found; NULL: it is no Ollama. Borrowed. */
const PlModels *pl_health_act_models(const PlHealthAct *a, const PlSubject *s);

/** pl_health_act_stop() - plimsolld is about to end: finish the restarts that are in the middle,
 * which is waited for for as long as systemd allows, and begin no others. Return: how many; 0:
 * stopped() is not called. */
size_t pl_health_act_stop(PlHealthAct *a);

/** pl_health_act_patients() - for events, kills and states. Borrowed. */
PlHealthd *pl_health_act_patients(const PlHealthAct *a);
