/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Held: the values that one container is held to, and what is known of them.
 *
 * Readings come from the kernel; wanted values are derived and can be thrown away. What plimsoll
 * must not forget, the originals, is in the state directory as well.
 */

#include <sys/queue.h>

#include "cgroup/path.h"
#include "lib/limits/drift.h"
#include "lib/limits/originals.h"
#include "lib/limits/plan.h"
#include "registry/subject.h"

typedef enum PlOwner {
        PL_OWNER_KERNEL,
        PL_OWNER_SYSTEMD,
        PL_OWNER_ENGINE,
        _PL_OWNER_N,
} PlOwner;

typedef enum PlQueue {
        PL_QUEUE_KERNEL, /* values to read, plan and write */
        PL_QUEUE_OWNERS, /* systemd and the engine, told after the kernel has it */
        _PL_QUEUE_N,
} PlQueue;

/* What was there before plimsoll. */
typedef struct PlHeldOriginals {
        PlContainerState state; /* on disk as soon as anything was written */
        bool due;               /* captured before HostConfig was known, which completes them */
        bool known;             /* they were captured */
        bool unreadable;        /* a later plimsoll has written them: nothing may be touched */
} PlHeldOriginals;

/* What systemd and the engine were told, and what they answered. Times: CLOCK_BOOTTIME, but for
 * systemd's, which is compared with files: CLOCK_REALTIME. */
typedef struct PlHeldTold {
        /* Update body that was sent last. What an engine refuses, or accepts and does not keep
         * (BlkioWeight without a kernel for it), is not sent again until something changes. */
        char *engine;
        char *engine_failed; /* why */
        uint32_t engine_cannot_said;
        uint32_t engine_withheld;   /* what is withheld, and what the engine would change along with
                                       it */
        bool update_in_flight;      /* our own POST …/update */
        uint64_t own_update_usec;   /* when the last one was answered */
        uint64_t others_usec;       /* last `update` event that was not ours */
        bool systemd_due;           /* the scope has to be told again */
        uint32_t systemd_in_flight; /* our own SetUnitProperties */
        uint32_t systemd_kept;      /* withheld values; it was told those in force instead */
        uint64_t systemd_own_usec;  /* who set properties before this is known */
} PlHeldTold;

typedef struct PlHeld {
        PlSubject *subject;       /* whose values these are; outlives them */
        const PlService *service; /* what want comes from; NULL: leave alone, or give back */

        PlCgroup *cgroup;             /* NULL: not running, or not found yet */
        uint64_t cgroup_started_usec; /* State.StartedAt that the cgroup was verified against; 0:
                                         not */
        bool watch_due;               /* the group is to be watched, once its values are written */

        PlLimits want;
        uint32_t restoring;   /* mask of values on their way back to the original */
        PlReading reading;    /* last; trusted while fresh */
        uint32_t read_mask;   /* the values that the reading covers */
        bool fresh;           /* nobody has written since it was read */
        uint32_t held;        /* values that were once in force as wanted in this cgroup */
        uint32_t unsupported; /* said once */
        uint32_t waiting;     /* values kept back by usage */
        uint32_t withheld;    /* values that the kernel does not hold, so no other owner is told */
        PlSqueeze squeeze;    /* memory on its way down; see lib/limits/plan.h */

        PlHeldOriginals originals;
        PlHeldTold told;
        PlDrift drift;
        uint64_t retry_usec, retry_delay_usec; /* CLOCK_BOOTTIME; 0: none */
        char *(*owner_errors)[_PL_OWNER_N];    /* by resource; NULL: there were none yet */
        char *dry_run_said;                    /* last announcement, to say it once */

        TAILQ_ENTRY(PlHeld) all, queue[_PL_QUEUE_N];
        bool queued[_PL_QUEUE_N];
} PlHeld;

TAILQ_HEAD(PlHeldQueue, PlHeld);

/** pl_held_drop_cgroup() - the group is gone or another one: forget readings tied to it. */
void pl_held_drop_cgroup(PlHeld *h);

/** pl_held_set_error() - record (or clear, NULL) why an owner does not hold a value.
 * Return: true when this differs from what was recorded. */
bool pl_held_set_error(PlHeld *h, PlResource r, PlOwner o, const char *text);

/** pl_held_has_error() - does this owner not hold one of the values in the mask? */
bool pl_held_has_error(const PlHeld *h, uint32_t mask, PlOwner o);

/** pl_held_wanted() - mask of values that are wanted now, restored ones included. */
uint32_t pl_held_wanted(const PlHeld *h);

/** pl_held_forget_told() - the engine may answer differently from now on. */
static inline void pl_held_forget_told(PlHeld *h) {
        free(h->told.engine);
        h->told.engine = NULL;
}
