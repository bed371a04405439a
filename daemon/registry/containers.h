/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Registry: which containers there are, what the engine says of them, and the policy in force.
 *
 * It asks the engine and announces what has changed; it does nothing about a container. A dead
 * engine makes what is known stale, never empty. Sync: subscribe, list, inspect everything on the
 * list, and then say so.
 */

#include <systemd/sd-event.h>

#include "engine/client.h"
#include "lib/base/map.h"
#include "registry/state.h"
#include "registry/subject.h"

/* From the command line; borrowed. NULL: default. */
typedef struct PlRegistryOptions {
        const char *engine_url; /* overrides Engine= */
        const char *state_dir;
        const char *older_state_dir; /* see pl_state_dir_open() */
        PlHost host;                 /* what percentages refer to */
        bool dry_run;                /* as DryRun=yes, whatever the policy says */
} PlRegistryOptions;

typedef enum PlRemoval {
        PL_REMOVAL_GONE, /* the engine has removed it */
        PL_REMOVAL_LEFT, /* it is another engine's: we look after this one now */
        PL_REMOVAL_END,  /* plimsolld ends */
} PlRemoval;

/* Called from the loop, from inside the answers of the engine. */
typedef struct PlRegistryHandlers {
        /* a container is known from now on. Return: 0, or -ENOMEM: then it is not */
        int (*added)(void *userdata, PlSubject *s);
        /* the last call about it */
        void (*removed)(void *userdata, PlSubject *s, PlRemoval why);
        /* before the inspection that it leads to. A start's has to wait until the kernel has its
         * values: whoever writes them calls pl_registry_inspect_due() then */
        void (*event)(void *userdata, PlSubject *s, const PlEvent *e);
        /* an inspection has brought new facts. @current: nothing has happened since it was asked
         * for */
        void (*inspected)(void *userdata, PlSubject *s, bool current);
        /* an engine answers, and nothing was asked or done yet. Return: 0: it is ours to look
         * after; -errno: do not touch it */
        int (*claim)(void *userdata, const PlEngineInfo *info);
        /* connected: what it is; NULL: lost, or left for another one */
        void (*engine)(void *userdata, const PlEngineInfo *info);
        /* everything on the engine's list has been inspected. Call pl_registry_settle() once you
         * have looked at it as well */
        void (*listed)(void *userdata);
        /* what is known is fresh again; @first: and complete for the first time */
        void (*synced)(void *userdata, bool first);
        /* nothing has happened for a while, and the process is awake */
        void (*quiet)(void *userdata);
} PlRegistryHandlers;

/*
 * An engine, or whoever may use it, can make up containers without end, and each can say a lot of
 * itself. What is looked after first goes on; what comes above these is not looked at, and a
 * finding. The memory of all of it stays below the MemoryMax= of the unit.
 */
#define PL_REGISTRY_MAX   10000
#define PL_REGISTRY_BYTES MIB(32) /* of facts, and of labels of images */

/* Everybody may read it; only the registry writes. */
typedef struct PlRegistry {
        sd_event *event;
        const PlReporter *reporter;
        PlRegistryOptions options;
        const PlRegistryHandlers *handlers;
        void *userdata;

        PlPolicy *policy;
        PlStateDir *state_dir;
        PlMap *subjects; /* id → PlSubject */
        size_t bytes;    /* see PL_REGISTRY_BYTES */
        size_t n_over;   /* containers above PL_REGISTRY_MAX since the last list */
        PlMap *images;   /* id → what is known of those that they were made of */

        PlNetworkInfo *networks; /* that containers are in, asked for when one is not known */
        size_t n_networks;
        bool networks_asked; /* the answer is due; or it was no, until the engine is back */

        PlEngine *engine;
        char identity[PL_ENGINE_IDENTITY_MAX]; /* of the engine that all of this is about */
        bool connected;
        char *engine_error;    /* why it is not */
        bool stale;            /* what is known dates from when the engine was lost */
        bool synced;           /* everything was known at least once */
        bool syncing;          /* a list is under way */
        bool listed;           /* its answer has come */
        bool pruned;           /* files about containers that it has no more are gone */
        unsigned sync_pending; /* inspections that it asked for */
        unsigned churn; /* answers of the engine; many of them make giving memory back worthwhile */
} PlRegistry;

/**
 * pl_registry_new() - reads the host and opens the state directory; no engine yet
 * @reporter, @options, @handlers: borrowed, must outlive it
 * Return: 0, -ENOMEM, -errno (reported).
 */
int pl_registry_new(sd_event *event, const PlReporter *reporter, const PlRegistryOptions *options,
                    const PlRegistryHandlers *handlers, void *userdata, PlRegistry **ret);
/* Subjects are announced as removed. Returns NULL. */
PlRegistry *pl_registry_free(PlRegistry *g);
PL_DEFINE_CLEANUP(PlRegistry *, pl_registry_free)

/** pl_registry_set_policy() - @policy: ownership passes. Sections are matched anew. Return: the old
 * one, which others may borrow from still; to be unref'ed by the caller. */
PlPolicy *pl_registry_set_policy(PlRegistry *g, PlPolicy *policy);

/** pl_registry_use_engine() - connect to the one that options or policy name, if that has changed.
 * Return: 0, -errno (reported). */
int pl_registry_use_engine(PlRegistry *g);

/** pl_registry_inspect() - ask the engine again; while a question is under way, once more after it.
 */
void pl_registry_inspect(PlRegistry *g, PlSubject *s);

/** pl_registry_take() - facts from an inspection that somebody else asked for. @c: ownership
 * passes.
 */
void pl_registry_take(PlRegistry *g, PlSubject *s, PlContainer *c);

/** pl_registry_inspect_due() - send the inspection that waited for the kernel's values. */
void pl_registry_inspect_due(PlRegistry *g, PlSubject *s);

/** pl_registry_resync() - list and inspect everything. */
void pl_registry_resync(PlRegistry *g);

/** pl_registry_settle() - everything announced has been looked at. */
void pl_registry_settle(PlRegistry *g);

/** pl_registry_find() - by name, id, the beginning of an id, or the section's name. */
PlSubject *pl_registry_find(const PlRegistry *g, const char *name);

/** pl_registry_is_dry_run() - is nothing to be changed? */
static inline bool pl_registry_is_dry_run(const PlRegistry *g) {
        return g->options.dry_run || g->policy->daemon.dry_run;
}
