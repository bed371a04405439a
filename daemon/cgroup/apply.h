/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Cgroup writer: the only file that knows libcgroup.
 *
 * One value per call, read back by the caller (pl_cg_read_back()). libcgroup never names the file
 * that failed; this does. Not thread safe (libcgroup is not): the loop thread only.
 */

#include "cgroup/path.h"
#include "lib/limits/plan.h"

/** pl_cg_apply_init() - cgroup_init(), once per process. Return: 0, -EIO, -errno. */
int pl_cg_apply_init(void);

/**
 * pl_cg_apply() - execute one step (PL_STEP_WRITE or PL_STEP_SQUEEZE) through libcgroup or directly
 * @quota_period_usec: for PL_RESOURCE_CPU_QUOTA; 0: keep the period that is there
 * @direct: time counts: without libcgroup, which looks at the mounts before each value. A squeeze
 *          is always written so
 * @ret_file: the kernel's file name written or refused, static; may be NULL
 *
 * Return: 0; -ENODEV group gone; -EOPNOTSUPP no such file; -EBUSY v1 refuses a limit below usage;
 *         -EAGAIN a squeeze freed less than was asked for, which is no failure; -EINVAL for other
 *         kinds of step; -ENOMEM, -errno.
 */
int pl_cg_apply(const PlCgroupMounts *m, const PlCgroup *g, const PlStep *step,
                uint64_t quota_period_usec, bool direct, const char **ret_file);
