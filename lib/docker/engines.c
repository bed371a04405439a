/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Engines: see the header. What differs between them is a column; what they have in common is
 * lib/docker/update.c's, and stands here for whoever adds a row:
 *
 * - Docker 20.10 to 29 (tried on 20.10.24, API 1.41, runc 1.1.5, and on 28.5.2, API 1.51, runc
 *   1.3.6; moby daemon/container_operations and container/container_unix.go, UpdateContainer()).
 *   0 and absent mean "unchanged", so nothing can be taken away, only told otherwise:
 *   Memory: PL_ENGINE_NO_LIMIT_BYTES. 0 is unchanged, -1 is refused ("Minimum memory limit
 * allowed"). MemorySwap: on cgroup v1 the same number. -1 makes runc write memory first, which v1
 * refuses above the old sum. On v2 it is -1: runc subtracts the two, and equal ones mean no swap at
 * all. MemoryReservation: on v1 -1, which is not compared with Memory, as any other number is. On
 * v2 that would protect all memory ("max"), and the least it takes is 6 MiB. NanoCpus: all CPUs, or
 * what v1's groups above allow. CpuQuota=-1 is taken beside them, and wins at each later start,
 * also over a `docker update
 * --cpus` of a person. While CpuPeriod is set, `docker update --cpus` is refused, and there is no
 * way to unset it: so nobody is told a period who has none; who has one needs it beside each
 * CpuQuota on v2, where runc writes both as one and takes 100 ms otherwise. CpusetCpus: "" is
 * unchanged. The list of the group above restricts nothing; v2, too, takes no empty one from a
 * group with tasks. PidsLimit: -1. CpuShares: 1024 on v1, 2598 on v2. BlkioWeight: taken with a
 * warning, and dropped, where the kernel has none. The API's version history
 * (docs.docker.com/reference/api/engine/version-history) names no change of this up to 1.54; Docker
 * 29, which is asked to speak 1.52, was not tried.
 * - Podman 4 has no update in the compat API (404, by which the client knows it).
 * - Podman 5 (tried on 5.8.6, compat API 1.44; pkg/api/handlers/compat/containers.go): NanoCpus are
 *   taken, answered with 200 and not kept. CpuQuota is, and -1 takes it away; HostConfig shows
 * NanoCpus that follow from it. A body without RestartPolicy resets it to "no" (podman#29790, 5.4.2
 * to 6.1.0).
 */

#include "lib/docker/engines.h"

#include <stdlib.h>

static const PlEngineTraits engines[] = {
        { .name = "Docker", .takes_nano_cpus = true },
        { .name = "Podman", .podman = true, .last_major = 4 },
        { .name = "Podman", .podman = true, .first_major = 5, .forgets_restart_policy = true },
};

const PlEngineTraits *pl_engine_traits(bool podman, const char *version) {
        unsigned long major = version && *version >= '0' && *version <= '9'
                                              ? strtoul(version, NULL, 10)
                                              : UINT32_MAX;
        const PlEngineTraits *last = &engines[0];

        for (size_t i = 0; i < PL_ARRAY_SIZE(engines); i++) {
                if (engines[i].podman != podman)
                        continue;
                last = &engines[i];
                if (major >= last->first_major &&
                    (last->last_major == 0 || major <= last->last_major))
                        break;
        }
        return last;
}
