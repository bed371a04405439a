/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Cgroup writer: the only file that knows libcgroup.
 *
 * One value per call, read back by the caller's next reading. libcgroup never names the file that
 * failed; this does. Not thread safe (libcgroup is not): the loop thread only.
 */

#include "cg-path.h"

/** pl_cg_apply_init() - cgroup_init(), once per process. Return: 0, -EIO, -errno. */
int pl_cg_apply_init(void);

/**
 * pl_cg_apply() - write one value through libcgroup
 * @quota_period_usec: for PL_RESOURCE_CPU_QUOTA; 0: keep the period that is there
 * @ret_file: the kernel's file name written or refused, static; may be NULL
 * Return: 0; -ENODEV group gone; -EOPNOTSUPP; -EBUSY v1 refuses a limit below usage; -errno.
 */
int pl_cg_apply(const PlCgroupMounts *m, const PlCgroup *g, PlResource r, const PlValue *v,
                uint64_t quota_period_usec, const char **ret_file);
