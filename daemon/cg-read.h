/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Cgroup reader: the values in force and the usage of one container, straight from the kernel.
 *
 * openat() below the group's directory descriptor, so that a group that is removed and made again
 * is never mistaken for the old one (-ENODEV / -ENOENT).
 */

#include "cg-path.h"
#include "pl-plan.h"

/**
 * pl_cg_read() - limits in force and usage
 * @mask: which resources to read (1 << PlResource); 0 reads usage alone
 * Return: 0; -ENODEV when the group is gone; -ENOMEM, -errno. A missing file is not an error:
 *         it clears the resource's bit in ret->supported.
 */
int pl_cg_read(const PlCgroupMounts *m, const PlCgroup *g, uint32_t mask, PlReading *ret);

/* For status and metrics. PL_UNLIMITED: unknown. */
typedef struct PlUsage {
        uint64_t memory_bytes, memory_peak_bytes, inactive_file_bytes, swap_bytes;
        uint64_t cpu_usec, throttled_usec;
        uint64_t pids;
        uint64_t oom_kills;
} PlUsage;

/** pl_cg_read_usage() - Return: 0, -ENODEV, -errno. */
int pl_cg_read_usage(const PlCgroupMounts *m, const PlCgroup *g, PlUsage *ret);
