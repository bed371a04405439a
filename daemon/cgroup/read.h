/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Cgroup reader: the values in force and the usage of one container, straight from the kernel.
 *
 * openat() below the group's directory descriptor, so that a group that is removed and made again
 * is never mistaken for the old one (-ENODEV / -ENOENT).
 */

#include "cgroup/path.h"
#include "lib/limits/plan.h"

/**
 * pl_cg_read() - what the planner needs to know
 * @mask: the resources that matter (1 << PlResource); what the planner needs beside them is read as
 *        well: both of MemoryMax and MemorySwapMax on v1, usage and memory.high on v2
 * Return: 0; -ENODEV when the group is gone; -ENOMEM, -errno. A missing file is not an error: its
 *         bit in ret->supported is clear.
 */
int pl_cg_read(const PlCgroupMounts *m, const PlCgroup *g, uint32_t mask, PlReading *ret);

/**
 * pl_cg_read_back() - exactly these values and nothing else, into an earlier reading of the group
 * @mask: what was written
 * Return: as pl_cg_read(); after a failure the reading is of no use any more.
 */
int pl_cg_read_back(const PlCgroupMounts *m, const PlCgroup *g, uint32_t mask, PlReading *reading);

/** pl_cg_refresh() - usage alone, into an earlier reading whose limits are known to be still true
 * (the watcher has heard nothing): usage moves without anybody's writing. */
void pl_cg_refresh(const PlCgroupMounts *m, const PlCgroup *g, PlReading *reading);

/** pl_cg_read_parents_cpus() - the list of the group above, which restricts nothing more.
 * Return: as pl_cg_read_cpus(). */
int pl_cg_read_parents_cpus(const PlCgroupMounts *m, const PlCgroup *g, char **ret);

/** pl_cg_read_cpus() - the CPUs that groups of this host can have, as a canonical list.
 * Return: 0, owned by the caller; -ENOENT: not known; -ENOMEM, -errno. */
int pl_cg_read_cpus(const PlCgroupMounts *m, char **ret);

/* For status and metrics. PL_UNLIMITED: unknown. */
typedef struct PlUsage {
        uint64_t memory_bytes, memory_peak_bytes, inactive_file_bytes, swap_bytes;
        uint64_t anon_bytes, file_bytes; /* v1: "rss" and "cache" */
        /* v2: reclaims because of memory.high, and of memory.max; how long some task of it has
         * waited for memory */
        uint64_t high_events, max_events, memory_wait_usec;
        uint64_t cpu_usec, throttled_usec;
        uint64_t periods, throttled_periods;
        uint64_t pids, pids_refused; /* tasks; forks that failed for pids.max, ever */
        uint64_t oom_kills;
} PlUsage;

static inline void pl_usage_init(PlUsage *u) {
        memset(u, 0xff, sizeof(*u));
}

/** pl_cg_read_usage() - what cannot be read stays PL_UNLIMITED.
 * Return: 0; -ENODEV when the group is gone in every hierarchy. */
int pl_cg_read_usage(const PlCgroupMounts *m, const PlCgroup *g, PlUsage *ret);

/* What has flowed since the group was made. PL_UNLIMITED: unknown. */
#define PL_FLOW_DISKS_MAX 16

typedef struct PlFlow {
        uint64_t user_usec, system_usec;
        /* how long some task, and all of them at once, waited for CPU, memory and I/O; v2 */
        struct {
                uint64_t some_usec, full_usec;
        } waited[3];
        struct {
                unsigned major, minor;
                uint64_t read_bytes, written_bytes;
        } disks[PL_FLOW_DISKS_MAX]; /* more are left out */
        size_t n_disks;
} PlFlow;

/** pl_cg_read_flow() - for metrics, beside pl_cg_read_usage(). */
void pl_cg_read_flow(const PlCgroupMounts *m, const PlCgroup *g, PlFlow *ret);

/** pl_cg_take_key() - the value of a "KEY VALUE" line; an absent key leaves *ret as it is. */
void pl_cg_take_key(const char *text, const char *key, uint64_t *ret);
