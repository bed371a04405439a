/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Plan: the kernel writes, in a safe order, that bring a container to its load line.
 *
 * Pure: no I/O, clock or logging; equal inputs give equal plans. Inputs are borrowed for the call.
 * Why the order is what it is: the essay at the top of plan.c.
 *
 * One round: read, plan, execute the steps in order, remember plan.squeeze for the next round. A
 * step that fails leaves the others valid, but for those marked `chained` right after it. While
 * plan.again is set, run another round shortly: usage has to fall first.
 */

#include "lib/base/macro.h"
#include "lib/limits/resource.h"

typedef enum PlShrinkMode {
        PL_SHRINK_SAFE, /* default: lower memory only as far as usage allows; never kill */
        PL_SHRINK_KILL, /* write the limit at once; the kernel may kill */
} PlShrinkMode;

/* What the cgroup files say now. */
typedef struct PlReading {
        PlLimits in_force;
        uint32_t supported;                    /* mask of 1 << PlResource: the file exists here */
        PlHierarchy hierarchy[_PL_RESOURCE_N]; /* which one holds it: hybrid hosts mix */
        uint64_t memory_current_bytes;         /* PL_UNLIMITED: unknown */
        uint64_t memsw_bytes; /* v1: memory.memsw.limit_in_bytes; in_force has the difference */
        PlValue usual_swap;   /* v1, from the caller: the swap allowance from before plimsoll, kept
                               * when MemoryMax alone is written; unset: the one in force */
        bool restores_memory; /* v1, from the caller: MemoryMax is given back, and the sum of the
                               * two along with it, also where only that is not as it was */
        bool refused_memory;  /* v1, from the caller: the kernel does not take back MemoryMax for
                               * now, so the policy's swap goes by the one in force. Where the
                               * policy asks for both, they are one, and both wait */
        uint64_t cpu_period_usec;   /* of the quota in force; 0: unknown */
        uint64_t usual_period_usec; /* from the caller: of the policy, or of a quota that is given
                                     * back along with its period; 0: any period is as good */
        bool has_reclaim;           /* v2: memory.reclaim exists (Linux 5.19) */
        bool cpus_of_parent;        /* cpuset.cpus is the parent's, so nothing is restricted */
} PlReading;

void pl_reading_deinit(PlReading *r);

/* Between the rounds of one container. All zero: nothing is under way. */
typedef struct PlSqueeze {
        unsigned rounds;        /* begun */
        unsigned stalled;       /* in a row that freed nothing */
        uint64_t current_bytes; /* usage at the last round */
        bool high_held;         /* memory.high is ours for the moment … */
        uint64_t high_before;   /* … and goes back to this, unless MemoryHigh says otherwise */
        bool refused; /* set by the caller: the kernel did not take the last round's step */
} PlSqueeze;

/* A squeeze that frees nothing so many times in a row is given up; memory.high is put back. To try
 * again (the periodic sweep, a reload) pass a zeroed PlSqueeze, but keep high_held and high_before.
 * One that was refused is given up at once. */
#define PL_SQUEEZE_STALLS_MAX 3
/* How much one round may free: reclaim runs inside our write(2), and the loop must not block. */
#define PL_SQUEEZE_BYTES MIB(64)

typedef enum PlStepKind {
        PL_STEP_WRITE,   /* write the value to the resource's file, read it back */
        PL_STEP_SQUEEZE, /* make usage fall first: MemoryHigh: memory.high = value; MemoryMax: value
                          * is a number of bytes for memory.reclaim. EAGAIN is no failure here */
        PL_STEP_WAIT,    /* keep what is in force and say why; look again later */
        PL_STEP_CANNOT,  /* the hierarchy cannot do it; reported once */
} PlStepKind;

typedef struct PlStep {
        PlStepKind kind;
        PlResource resource;
        bool chained;    /* skip it when the step before it failed; when it fails itself, undo
                          * that one: half of a change is none */
        PlValue value;   /* deep copy, normalised, in the directive's own terms */
        PlValue before;  /* what was in force: for the journal */
        uint64_t number; /* what the file takes, where that is a number: on v1 MemorySwapMax
                          * becomes memory + swap */
        uint64_t number_before; /* what the file has, to undo it */
        uint64_t period_usec;   /* CPUQuota: the period in force, from the reading; 0: unknown */
        const char *why;        /* static; WAIT and CANNOT: the reason; else NULL */
} PlStep;

typedef struct PlPlan {
        PlStep steps[2 * _PL_RESOURCE_N];
        size_t n_steps;
        PlSqueeze squeeze; /* for the next round, once the steps were executed */
        bool again;        /* come again shortly */
} PlPlan;

void pl_plan_deinit(PlPlan *p);

/**
 * pl_plan_limits() - what to do to one container
 * @want:    desired values; unset ones are left alone; devices as MAJ:MIN (pl_device_resolve())
 * @have:    a fresh reading
 * @shrink:  may lowering memory kill?
 * @squeeze: from the last round's plan, or zeroed
 * @page:    page size in bytes, for normalising
 * @ret:     steps in the order of execution; empty when converged
 *
 * Return: 0 or -ENOMEM.
 */
int pl_plan_limits(const PlLimits *want, const PlReading *have, PlShrinkMode shrink,
                   const PlSqueeze *squeeze, uint64_t page, PlPlan *ret);

/**
 * pl_plan_drift() - which of the wanted values are not in force
 * Return: mask of 1 << PlResource; values that the hierarchy cannot hold are not in it.
 */
uint32_t pl_plan_drift(const PlLimits *want, const PlReading *have, uint64_t page);
