/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * TCP probes: what to say first on a plain connection, and how to read the answer, for each kind
 * that has a protocol of its own.
 *
 * A new kind is a row of the table, its talk in tcp.c, and its entry in plimsoll.conf(5).
 */

#include "lib/probe/verdict.h"

/* One row per kind: its constant (PL_PROBE_*), its word in the policy, transport, port, talk
 * (pl_tcp_*), and the images it is known by: the last component of their names, without tag. */
/* clang-format off */
#define PL_TCP_KINDS(ROW)                                                                          \
        ROW(POSTGRES, "postgres", TCP, 5432, postgres,                                             \
            "postgres postgresql postgis pgvector timescaledb timescaledb-ha")                     \
        ROW(REDIS, "redis", TCP, 6379, redis, "redis redis-stack redis-stack-server valkey keydb")
/* clang-format on */

#define PL_TCP_HELLO_MAX 320

typedef struct PlTcpTalk {
        /* The first bytes to send. @user, @database: NULL or empty: the kind's own; cut where they
         * are too long. Return: how many were written to buf. */
        size_t (*hello)(const char *user, const char *database,
                        uint8_t buf[static PL_TCP_HELLO_MAX]);
        /* Everything received since the hello, from its first byte. @eof: the server has closed;
         * @ret: written with PL_PROBE_DONE; @ret_goodbye: whether the goodbye is due before closing
         * (the server let us in). */
        PlProbeStep (*parse)(const uint8_t *data, size_t n, bool eof, PlVerdict *ret,
                             bool *ret_goodbye);
        const uint8_t *goodbye;
        size_t goodbye_size;
} PlTcpTalk;

#define PL_TCP_DECLARE(constant, word, transport, port, talk, images) \
        extern const PlTcpTalk pl_tcp_##talk;
PL_TCP_KINDS(PL_TCP_DECLARE)
#undef PL_TCP_DECLARE
