/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Update: limits in the engine's terms (HostConfig), and back.
 */

#include "lib/docker/container.h"
#include "lib/docker/engines.h"
#include "lib/limits/resource.h"

/** pl_container_limits() - HostConfig as limits: what the engine (runc) writes at each start.
 * Values that HostConfig leaves at 0 are unset.
 * @hierarchy: the one that holds the cpu and io controllers; weights depend on it
 * Return: 0 or -ENOMEM. */
int pl_container_limits(const PlContainer *c, PlHierarchy hierarchy, PlLimits *ret);

/**
 * pl_docker_updated() - HostConfig as limits, after an update that is accepted
 * @body: from pl_docker_format_update()
 * @ret_period_usec: HostConfig.CpuPeriod
 * Return: 0, -ENOMEM, -EBADMSG: no such body.
 */
int pl_docker_updated(const PlContainer *c, const char *body, PlHierarchy hierarchy, PlLimits *ret,
                      uint64_t *ret_period_usec);

/* What the engine's rules depend on besides the container. */
typedef struct PlDockerHost {
        PlHierarchy hierarchy;        /* the one that holds the cpu and io controllers: weights */
        PlHierarchy memory;           /* the one that holds memory */
        unsigned n_cpus;              /* more NanoCpus than that are refused; 0: unknown */
        const PlEngineTraits *engine; /* NULL: Docker */
        uint64_t quota_max_usec; /* per second; v1's kernel refuses more, also at a start, where
                                  * a group above has a quota. 0: none has */
} PlDockerHost;

/**
 * pl_docker_format_update() - body of POST /containers/{id}/update, only what differs
 * @want: values to tell; unset ones and those that the engine does not know are left out
 * @have: what the engine has, from the last inspect
 * @ret:  owned by the caller; NULL when the engine already agrees
 * @ret_not: values that the engine cannot take, as a mask of 1 << PlResource
 *           (memory below its minimum of 6 MiB, memory.high, an io.weight between its steps, a list
 *           of CPUs removed, …). They are left out, because the engine refuses an update as a
 * whole, or the nearest that it takes is told: all CPUs, or
 *           what the groups above allow, for no quota, a BlkioWeight of 20 for 100.
 *
 * Memory and MemorySwap always go together (API: "memory alone fails above the stored MemorySwap");
 * where no swap limit is wanted the amount of swap stays what it was. NanoCpus conflicts with
 * CpuPeriod and CpuQuota: the container's own way is kept, and its own period: see
 * lib/docker/engines.c.
 *
 * Return: 0 or -ENOMEM.
 */
int pl_docker_format_update(const PlLimits *want, const PlHostConfig *have,
                            const PlDockerHost *host, char **ret, uint32_t *ret_not);

/** pl_docker_update_field() - where docker inspect shows a value. Return: "HostConfig.NanoCpus";
 * NULL for what the engine is never told. */
const char *pl_docker_update_field(PlResource r, const PlHostConfig *have);
