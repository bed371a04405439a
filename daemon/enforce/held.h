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
        bool accepted;   /* the engine has taken an update; the next inspection shows what it made
                          * of it */
        bool seen;       /* HostConfig was, at least once */
        bool fresh;      /* … and since something else is wanted, or the engine was told */
        bool unreadable; /* a later plimsoll has written them: nothing may be touched */
} PlHeldOriginals;

typedef struct PlEcho PlEcho; /* enforce/echo.h */

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
        bool facts_old;             /* at the end: HostConfig as it was seen last may not yet have
                                     * what was told, so it is not known what to give back */
        PlEcho *echo;               /* what our own calls may be writing now; NULL: nothing */
        unsigned events_due;        /* `update` events that our own updates lead to … */
        uint64_t events_until_usec; /* … but not later than this */
        uint64_t inherited_until_usec; /* an update of an earlier plimsolld may be under way */
        uint64_t others_usec;          /* last `update` event that was not ours */
        bool systemd_due;              /* the scope has to be told again … */
        bool systemd_changed;          /* … because something else is wanted */
        bool systemd_has;              /* it has taken all that is wanted, at least once */
        uint32_t systemd_in_flight;    /* our own SetUnitProperties */
        uint64_t systemd_own_usec;     /* who set properties before this is known */
        bool settle_looked;            /* the kernel was read again for what is given back */
} PlHeldTold;

/* The group that is watched for the writes of others. */
typedef struct PlHeldWatch {
        bool group_due;      /* the group is to be announced, once its values are written */
        bool on;             /* whatever is written there is heard of */
        bool made;           /* it was seen to be made: before the container runs, nobody but the
                              * engine writes there */
        bool none_yet;       /* the container was made just now */
        bool blind;          /* it could not be found, though the container runs in it */
        bool cannot_be_said; /* that it cannot be watched */
} PlHeldWatch;

/* What may be said to be in force: see pl_held_in_force(). Masks of 1 << PlResource. */
typedef struct PlHeldTruth {
        uint32_t as_wanted;  /* values that the last reading has as wanted */
        uint32_t cannot;     /* values that the last plan could do nothing for */
        uint32_t impossible; /* values of the policy that nothing here can be told: left out */
        uint32_t evaded;     /* values that a process of the container evades, in another group */
        uint32_t strayed;    /* the same, while all of them are looked at */
        uint32_t contested;  /* values that somebody else keeps changing, until that is over */
} PlHeldTruth;

/* What was told of values that have come into force, and is to be told of those that somebody has
 * changed; see enforce/news.h. */
typedef struct PlHeldNews {
        uint32_t due;                  /* values that are to be told once they are in force */
        bool starting;                 /* a run has begun, and nothing was told of it yet */
        PlLimits *was;                 /* what those had before, as far as it was found; or NULL */
        uint32_t told[_PL_RESOURCE_N]; /* hashes of the values told last; 0: none was */
        char *dry_run;                 /* what would be set, as told last */
        char *put_back, *lost;         /* changed by whoever it was, and what came of it; or NULL */
        const char *guess;             /* who it was; static … */
        uint64_t guess_usec;           /* … until the engine was asked; CLOCK_BOOTTIME */
} PlHeldNews;

/* When to look at it again. */
typedef struct PlHeldRetry {
        uint64_t at_usec; /* CLOCK_BOOTTIME; 0: not */
        uint64_t delay_usec;
        uint32_t refused;    /* values that the kernel has refused: not before the next sweep … */
        uint32_t busy;       /* … but for these, as soon as less memory is in use … */
        uint64_t busy_bytes; /* … than at the refusal */
} PlHeldRetry;

typedef struct PlHeld {
        PlSubject *subject;       /* whose values these are; outlives them */
        const PlService *service; /* what want comes from; NULL: leave alone, or give back */

        PlCgroup *cgroup;             /* NULL: not running, or not found yet */
        uint64_t cgroup_started_usec; /* State.StartedAt that the cgroup was verified against; 0:
                                         not */
        PlHeldWatch watch;

        PlLimits want;
        uint32_t restoring; /* mask of values on their way back to the original */
        PlReading reading;  /* last; trusted while fresh */
        uint32_t read_mask; /* the values that the reading covers */
        bool fresh;         /* nobody that is heard of has written since it was read */
        uint32_t held;      /* values that were once in force as wanted in this cgroup */
        PlHeldTruth truth;
        uint32_t unsupported; /* said once */
        uint32_t waiting;     /* values kept back by usage */
        uint32_t withheld;    /* values that the kernel does not hold, so no other owner is told */
        PlSqueeze squeeze;    /* memory on its way down; see lib/limits/plan.h */

        PlHeldOriginals originals;
        PlHeldTold told;
        PlDrift drift;
        PlHeldRetry retry;
        char *(*owner_errors)[_PL_OWNER_N]; /* by resource; NULL: there were none yet */
        PlHeldNews news;

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

/**
 * pl_held_in_force() - the values that are in force, for whoever says so
 * What was read back last in the container's group decides, never what was planned or written. In a
 * stand-off nobody knows who wrote last, so contested values are not in force; nor is what a
 * process of the container evades.
 * Return: mask of 1 << PlResource.
 */
uint32_t pl_held_in_force(const PlHeld *h);

/** pl_held_lacking() - values that are to be in force and are not, without those that this host has
 * no file for. */
uint32_t pl_held_lacking(const PlHeld *h);

/** pl_held_forget_told() - the engine may answer differently from now on. */
static inline void pl_held_forget_told(PlHeld *h) {
        free(h->told.engine);
        h->told.engine = NULL;
}
