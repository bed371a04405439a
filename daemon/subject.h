/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Subject: everything the daemon knows about one container, as one record.
 *
 * Facts come from the engine, readings from the kernel; wanted values are derived and can be
 * thrown away. What plimsoll must not forget (originals) lives in the state file as well.
 */

#include "cg-path.h"
#include "pl-container.h"
#include "pl-drift.h"
#include "pl-oom.h"
#include "pl-plan.h"
#include "pl-policy.h"
#include "pl-probe-http.h"
#include "state.h"

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

typedef struct PlSubject PlSubject;
struct PlSubject {
        char id[PL_ID_MAX];
        PlContainer *facts;       /* NULL until the first inspect */
        bool provisional;         /* facts are those of the create event: name, image, labels */
        bool guest;               /* it shares another container's network */
        const PlService *service; /* borrowed from the policy in force; NULL: leave alone */

        PlCgroup *cgroup;             /* NULL: not running, or not found yet */
        uint64_t cgroup_started_usec; /* State.StartedAt that the cgroup was verified against; 0:
                                         not */
        bool watch_due;               /* the group is to be watched, once its values are written */
        PlLimits want;
        uint32_t restoring;   /* mask of values on their way back to the original */
        PlReading reading;    /* last; trusted while fresh */
        uint32_t read_mask;   /* the values that the reading covers */
        bool fresh;           /* nobody has written since the reading */
        uint32_t held;        /* values once read back as wanted in this cgroup */
        uint32_t unsupported; /* said once */
        uint32_t waiting;     /* values kept back by usage */
        uint32_t withheld;    /* values that the kernel does not hold, so no other owner hears of */
        uint32_t engine_withheld; /* … and what the engine would change along with them */
        PlSqueeze squeeze;        /* memory on its way down; see pl-plan.h */

        PlContainerState state; /* originals; on disk when state_saved */
        bool originals_due;     /* captured before HostConfig was known, which completes them */
        bool state_known;       /* originals were captured */

        PlDrift drift;
        PlOomHistory *oom_history; /* NULL: no kill was seen */
        PlOomPressure oom_pressure;
        uint64_t retry_usec, retry_delay_usec; /* CLOCK_BOOTTIME; 0: none */
        uint64_t update_seen_usec;             /* last `update` event that was not ours */
        char *(*owner_errors)[_PL_OWNER_N];    /* by resource; NULL: there were none yet */
        char *dry_run_said;                    /* last announcement, to say it once */
        /* Update body that was sent last. What an engine refuses, or accepts and does not keep
         * (BlkioWeight without a kernel for it), is not sent again until something changes. */
        char *engine_told;
        char *engine_failed; /* why */
        uint32_t engine_cannot_said;
        int ollama_fit;             /* PlOllamaFit, as last said */
        PlOllamaFacts *ollama;      /* as its probe last found; NULL: not Ollama */
        char *log_paths_said;       /* findings about its LogPath=, to say them once */
        bool systemd_due;           /* the scope has to be told again */
        uint32_t systemd_in_flight; /* our own SetUnitProperties */
        uint32_t systemd_kept;      /* withheld values, told as the kernel had them meanwhile */
        uint64_t systemd_own_usec;  /* CLOCK_REALTIME; what set properties before is known */
        bool update_in_flight;      /* our own POST …/update */
        uint64_t own_update_usec;   /* when the last one was answered */
        bool restart_in_flight;     /* asked of the engine, and not answered */
        bool restart_sent;          /* … and its turn has come */
        bool inspect_in_flight, inspect_again;
        bool inspect_due;      /* after the kernel's values, which must not wait for a request */
        bool inspect_for_sync; /* the inspection under way completes a list */
        bool seen;             /* in the last list */

        PlSubject *next[_PL_QUEUE_N];
        bool queued[_PL_QUEUE_N];
};

PlSubject *pl_subject_new(const char *id); /* NULL: out of memory */
PlSubject *pl_subject_free(PlSubject *s);  /* returns NULL; must not be queued */
PL_DEFINE_CLEANUP(PlSubject *, pl_subject_free)

/** pl_subject_name() - for people: container name, or a short id before the first inspect. */
const char *pl_subject_name(const PlSubject *s);

/** pl_subject_drop_cgroup() - the group is gone or another one: forget readings tied to it. */
void pl_subject_drop_cgroup(PlSubject *s);

/** pl_subject_set_error() - record (or clear, NULL) why an owner does not hold a value.
 * Return: true when this differs from what was recorded. */
bool pl_subject_set_error(PlSubject *s, PlResource r, PlOwner o, const char *text);

/** pl_subject_has_error() - does this owner not hold one of the values in the mask? */
bool pl_subject_has_error(const PlSubject *s, uint32_t mask, PlOwner o);

/** pl_subject_wanted() - mask of values that are wanted now, restored ones included. */
uint32_t pl_subject_wanted(const PlSubject *s);

/** pl_subject_forget_told() - the engine may answer differently from now on. */
void pl_subject_forget_told(PlSubject *s);
