/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Summary: the one line that `systemctl status` shows, and the words for changed limits.
 *
 * Pure text from numbers; the same line is STATUS=, "summary" in status JSON and the table's head.
 */

#include "lib/base/macro.h"
#include "lib/limits/plan.h"
#include "lib/limits/resource.h"

typedef struct PlSummary {
        bool dry_run, engine_connected, synced;
        const char *engine_error; /* why it is not connected, or NULL */
        const char *policy_error; /* first line, or NULL */
        unsigned n_governed;      /* containers that a section or [Defaults] governs */
        unsigned n_required_absent;
        unsigned n_healthy;  /* of the governed, running ones */
        unsigned n_finished; /* jobs that have ended well, counted apart */
        unsigned n_watched;  /* governed ones whose health is known, plus the absent */
        const char *worst_name, *worst_health, *worst_reason; /* the worst one, or NULL */
        unsigned n_limits_wanted, n_limits_in_force; /* containers with limits; all in force */
        unsigned n_standoffs;
        uint64_t log_bytes, log_max_bytes; /* 0/0: no logs watched; PL_UNLIMITED max: no bound */
        uint64_t n_findings;
} PlSummary;

/** pl_summary_line() - "4/5 healthy: airflow unhealthy (scheduler heartbeat 95 s old); limits 5/5".
 * Return: owned by the caller, control characters escaped; NULL: out of memory. */
char *pl_summary_line(const PlSummary *s);

/** pl_summary_kernel() - what to say about the kernel when systemd or the engine refused a limit.
 * All are masks of resources: wanted, not in this kernel at all, read back as wanted.
 * Return: a sentence without its end. */
const char *pl_summary_kernel(uint32_t wanted, uint32_t unsupported, uint32_t held);

/** pl_summary_values() - "MemoryMax=4G (was 512M), TasksMax=64"; what was the same before is left
 * out. @mask: of which resources. Return: as pl_summary_steps(). */
char *pl_summary_values(const PlLimits *values, const PlLimits *was, uint32_t mask);

/** pl_summary_steps() - the writes of a plan, "MemoryMax=4G (was infinity), CPUQuota=200% (was
 * 50%)".
 * @kind: which steps to name; @mask: of which resources. Return: owned by the caller; NULL: out of
 * memory. "" when none. */
char *pl_summary_steps(const PlPlan *plan, PlStepKind kind, uint32_t mask);
