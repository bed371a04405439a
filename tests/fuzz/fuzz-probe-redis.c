/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a Redis server's answer.
 */
#include "fuzz-verdict.h"
#include "lib/probe/redis.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        check_stream(pl_probe_redis_parse, data, size);
        return 0;
}
