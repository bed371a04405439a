/* SPDX-License-Identifier: Apache-2.0 */

/*
 * "Did you mean" for keys: also the word that another tool has for the same.
 */

#include "lib/policy/parser.h"

#include <strings.h>

#include "lib/base/similar.h"

/* What compose files, docker run and older systemd call our keys. */
static const char *const foreign[][2] = {
        { "MemoryLimit", "MemoryMax" },
        { "mem_limit", "MemoryMax" },
        { "memory", "MemoryMax" },
        { "memory_limit", "MemoryMax" },
        { "mem_reservation", "MemoryLow" },
        { "memory-reservation", "MemoryLow" },
        { "memswap_limit", "MemorySwapMax" },
        { "memory-swap", "MemorySwapMax" },
        { "cpus", "CPUQuota" },
        { "CPUShares", "CPUWeight" },
        { "cpu_shares", "CPUWeight" },
        { "cpu-shares", "CPUWeight" },
        { "cpuset", "AllowedCPUs" },
        { "cpuset-cpus", "AllowedCPUs" },
        { "pids_limit", "TasksMax" },
        { "pids-limit", "TasksMax" },
        { "BlockIOWeight", "IOWeight" },
        { "blkio_weight", "IOWeight" },
        { "max-size", "LogMaxSize" },
        { "max-file", "LogMaxFiles" },
        { "BlockIOReadBandwidth", "IOReadBandwidthMax" },
        { "BlockIOWriteBandwidth", "IOWriteBandwidthMax" },
};

const char *pl_policy_similar(const char *word, const char *(*get)(const void *userdata, size_t i),
                              const void *userdata) {
        const char *want = word;

        for (size_t i = 0; i < PL_ARRAY_SIZE(foreign); i++)
                if (strcasecmp(word, foreign[i][0]) == 0)
                        want = foreign[i][1];
        return pl_similar(want, get, userdata);
}
