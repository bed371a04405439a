/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a Redis server's answer.
 */
#include "fuzz-verdict.h"
#include "lib/probe/tcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool login;

static PlProbeStep parse(const uint8_t *data, size_t n, bool eof, PlVerdict *ret) {
        PlTcpAnswer a = { .goodbye = true };
        PlProbeStep step = pl_tcp_redis.parse(data, n, eof, login, &a);

        *ret = a.verdict;
        must(!a.goodbye);
        return step;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        login = false;
        check_stream(parse, data, size);
        login = true;
        check_stream(parse, data, size);
        return 0;
}
