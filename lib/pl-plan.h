/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Plan: the kernel writes, in a safe order, that bring a container to its load line.
 *
 * Pure: no I/O, clock or logging; equal inputs give equal plans. Inputs are borrowed for the call.
 *
 * Order (kernel's cgroup-v1/memory, cgroup-v2 docs; systemd-tried facts): on v1 memory and
 * memory+swap constrain each other (limit <= memsw at all times), so raising writes memsw first and
 * lowering writes memory first. On v2 a memory.max below usage kills at once, so a lower limit goes
 * through memory.high (or memory.reclaim) and waits until usage has fallen, unless PL_SHRINK_KILL.
 */

#include "pl-macro.h"
#include "pl-policy.h"
#include "pl-resource.h"

/* What the cgroup files say now. */
typedef struct PlReading {
        PlLimits in_force;
        uint32_t supported;                    /* mask of 1 << PlResource: the file exists here */
        PlHierarchy hierarchy[_PL_RESOURCE_N]; /* which one holds it: hybrid hosts mix */
        uint64_t memory_current_bytes;         /* PL_UNLIMITED: unknown */
        uint64_t inactive_file_bytes;          /* reclaimable page cache; part of current */
        uint64_t swap_current_bytes;
        uint64_t pids_current;
} PlReading;

void pl_reading_deinit(PlReading *r);

typedef enum PlStepKind {
        PL_STEP_WRITE,   /* write value to the resource's file, read it back */
        PL_STEP_SQUEEZE, /* make usage fall first: memory.high = value, come again shortly */
        PL_STEP_WAIT,    /* usage is above the target and squeezing is under way or impossible:
                          * keep what is in force, say so, look again later */
        PL_STEP_CANNOT,  /* the hierarchy has no such file: said once */
} PlStepKind;

typedef struct PlStep {
        PlStepKind kind;
        PlResource resource;
        PlValue value;  /* deep copy, normalised */
        PlValue before; /* what was in force: for the journal */
} PlStep;

typedef struct PlPlan {
        PlStep steps[2 * _PL_RESOURCE_N];
        size_t n_steps;
} PlPlan;

void pl_plan_deinit(PlPlan *p);

/**
 * pl_plan_limits() - what to do to one container
 * @want:    desired values; unset ones are left alone
 * @have:    a fresh reading
 * @shrink:  may lowering memory kill?
 * @squeezed: a squeeze was begun for this container and has not ended
 * @page:    page size in bytes, for normalising
 * @ret:     steps in the order of execution; empty when converged
 *
 * Return: 0 or -ENOMEM.
 */
int pl_plan_limits(const PlLimits *want, const PlReading *have, PlShrinkMode shrink, bool squeezed,
                   uint64_t page, PlPlan *ret);
