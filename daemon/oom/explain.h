/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * OOM: explains the kernel's kills and pressure with what was going on around them, and reports
 * them. They are remembered for the service, which outlives its containers.
 */

#include "lib/health/ending.h"
#include "oom/watch.h"
#include "registry/containers.h"

typedef struct PlOomExplainer PlOomExplainer;

typedef struct PlOomHandlers {
        /* the limit in force, and (PL_UNLIMITED: none) what the policy asks for */
        uint64_t (*limit)(void *userdata, const PlSubject *s, PlResource which,
                          uint64_t *ret_policy);
        /* what is kept of the kills of its service. recall: false: there were none */
        bool (*recall)(void *userdata, const PlSubject *s, PlOomHistory *ret);
        void (*remember)(void *userdata, const PlSubject *s, const PlOomHistory *h);
        /* reported already; @victim: as the engine sees it, 0: not known, or there are more;
         * @host: for lack of memory on the host, not for the container's limit */
        void (*killed)(void *userdata, const PlSubject *s, pid_t victim, bool host);
        /* see PlOomWatchHandlers */
        void (*frozen)(void *userdata, const PlSubject *s, bool frozen);
} PlOomHandlers;

/** pl_oom_explainer_new() - all borrowed, must outlive it. Return: 0, -ENOMEM, -errno (reported).
 */
int pl_oom_explainer_new(PlRegistry *registry, const PlCgroupMounts *mounts,
                         const PlOomHandlers *handlers, void *userdata, PlOomExplainer **ret);
PlOomExplainer *pl_oom_explainer_free(PlOomExplainer *o); /* returns NULL */

/** pl_oom_explainer_remove() - the engine has removed it; a report under way is made now. */
void pl_oom_explainer_remove(PlOomExplainer *o, const PlSubject *s);

/** pl_oom_explainer_died() - with an exit code other than 0: was it a kill that we missed? */
void pl_oom_explainer_died(PlOomExplainer *o, const PlSubject *s);

/** pl_oom_explainer_traces() - what others have written of an end, a moment after it. @ret: always
 * written; empty where there is nothing. */
void pl_oom_explainer_traces(PlOomExplainer *o, const PlSubject *s, const PlEnding *ending,
                             PlOomTraces *ret);

/** pl_oom_explainer_set_group() - @g: borrowed until the next call; NULL: it has none. */
void pl_oom_explainer_set_group(PlOomExplainer *o, const PlSubject *s, const PlCgroup *g);
