/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a Postgres server's first words: leave is taken only of a server that has let us in.
 * The same bytes as a user's name, in a packet that must know its own length.
 */
#include "fuzz-verdict.h"
#include "lib/probe/tcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool login;

static PlProbeStep parse(const uint8_t *data, size_t n, bool eof, PlVerdict *ret) {
        PlTcpAnswer a = { .goodbye = true };
        PlProbeStep step = pl_tcp_postgres.parse(data, n, eof, login, &a);

        *ret = a.verdict;
        must(!a.goodbye || (step == PL_PROBE_DONE && ret->kind == PL_VERDICT_UP &&
                            memmem(data, n, "R\0\0\0\x08\0\0\0\0", 9)));
        return step;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *name = strndup((const char *)data, size);
        uint8_t buf[PL_TCP_HELLO_MAX];
        size_t n;

        must(name);
        n = pl_tcp_postgres.hello(name, name, NULL, buf);
        must(n > 8 && n <= sizeof(buf) && buf[n - 1] == '\0');
        must(((size_t)buf[2] << 8 | buf[3]) == n);
        login = false;
        check_stream(parse, data, size);
        login = true;
        check_stream(parse, data, size);
        return 0;
}
