/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Context: what the parts of enforce/ share. Others may read it; only enforce/ writes.
 */

#include "cgroup/watch.h"
#include "enforce/held.h"
#include "registry/containers.h"
#include "systemd/scope.h"

/* Groups that appeared before the event that says whose they are. */
#define PL_UNBORN_MAX 8

typedef struct PlUnborn {
        char id[PL_ID_MAX];
        char *parent;
        bool made; /* it was seen to be made, while the engine was there */
} PlUnborn;

typedef struct PlSlices PlSlices;
typedef struct PlStrays PlStrays;

/* Where containers are found, and what stands above them. */
typedef struct PlPlaces {
        char **parents; /* cgroups below which containers live, NULL terminated, latest last */
        PlUnborn unborn[PL_UNBORN_MAX];
        size_t n_unborn;
        PlSlices *slices;
        bool weights;     /* a container may ask for IOWeight=; see pl_slices_update() */
        PlStrays *strays; /* whoever is not where its container is */
} PlPlaces;

typedef struct PlEnforceHandlers {
        /* a container has a new group, or (NULL) none any more; borrowed until the next call */
        void (*group)(void *userdata, PlSubject *s, const PlCgroup *g);
        /* no container waits for the kernel: time for what is less urgent */
        void (*idle)(void *userdata);
        /* a sweep has begun; NULL: nobody asks */
        void (*swept)(void *userdata);
        /* giving back goes on, for at most so long until the next word of engine or systemd */
        void (*stopping)(void *userdata, unsigned updates_in_flight, uint64_t usec);
        /* everything is given back, or cannot be; the answer to pl_enforcer_stop() */
        void (*stopped)(void *userdata);
} PlEnforceHandlers;

/* At the end engine and systemd have this long for each next answer: a slow engine may take minutes
 * for many containers, one that hangs never ends. The kernel has its values back at once. */
#define PL_STOP_GRACE_USEC (10 * PL_USEC_PER_SEC)

typedef struct PlEnforcer {
        sd_event *event;
        PlRegistry *registry;
        const PlReporter *reporter;
        const PlCgroupMounts *mounts;
        const PlEnforceHandlers *handlers;
        void *userdata;
        bool no_early_write; /* measure the plain event path: no write before the start event */

        PlCgWatch *watch;
        PlSystemd *systemd;
        PlPlaces places;

        struct PlHeldQueue all;
        struct PlHeldQueue queue[_PL_QUEUE_N];
        size_t queue_length[_PL_QUEUE_N];
        sd_event_source *tick;  /* armed while a queue has entries */
        sd_event_source *retry; /* earliest retry of any container */
        sd_event_source *sweep; /* the safety net under all notifications */
        sd_event_source *stop_timer;
        uint64_t tick_armed_usec; /* CLOCK_BOOTTIME since when a tick is due; 0: none */
        unsigned sweeps;

        bool touched;              /* a tick has changed something that the status line counts */
        bool stopping;             /* give everything back, then stop */
        bool engine_takes_nothing; /* Podman 4 has no update; said once */
        unsigned updates_in_flight;
        uint64_t reloaded_usec; /* when systemd last said Reloading; CLOCK_BOOTTIME */
} PlEnforcer;

static inline PlHeld *pl_enforcer_find(const PlEnforcer *e, const char *id) {
        PlSubject *s = pl_map_get(e->registry->subjects, id);

        return s ? s->held : NULL;
}
