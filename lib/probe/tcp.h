/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * TCP probes: what to say first on a plain connection, and how to read the answer, for each kind
 * that has a protocol of its own.
 *
 * A new kind is a row of the table, its talk in tcp.c, and its entry in plimsoll.conf(5).
 */

#include "lib/probe/login.h"
#include "lib/probe/tls.h"
#include "lib/probe/verdict.h"

/* One row per kind: its constant (PL_PROBE_*), its word in the policy, transport, and talk
 * (pl_tcp_*). Ports and images are lib/probe/place's. */
/* clang-format off */
#define PL_TCP_KINDS(ROW)                         \
        ROW(POSTGRES, "postgres", TCP, postgres)  \
        ROW(REDIS, "redis", TCP, redis)
/* clang-format on */

#define PL_TCP_HELLO_MAX 1024

/* What an answer says. */
typedef struct PlTcpAnswer {
        PlVerdict verdict;
        bool goodbye;        /* the server let us in: the goodbye is due before closing */
        PlProbeWay better;   /* not PL_WAY_PLAIN: what the answer to a plain question hints at */
        uint64_t quiet_usec; /* the server logs this refusal: do not cause another one for so long
                              */
        /* With PL_PROBE_MORE and a login: the body of the last message that wants a reply, and how
         * many there were. */
        const uint8_t *challenge;
        size_t n_challenge;
        unsigned n_challenges;
} PlTcpAnswer;

typedef struct PlTcpTalk {
        /* The first bytes to send. @user, @database: NULL or empty: the kind's own; cut where they
         * are too long. @login: used, its user in place of the other; NULL: none. Return: how many
         * were written to buf; with a login the caller wipes it. */
        size_t (*hello)(const char *user, const char *database, const PlLogin *login,
                        uint8_t buf[static PL_TCP_HELLO_MAX]);
        /* Everything received since the hello, from its first byte. @eof: the server has closed;
         * @login: there is one, and challenges are answered; @ret: good with PL_PROBE_DONE, zeroed
         * before. */
        PlProbeStep (*parse)(const uint8_t *data, size_t n, bool eof, bool login, PlTcpAnswer *ret);
        const uint8_t *goodbye;
        size_t goodbye_size;
        bool starttls; /* pl_tcp_starttls is understood, and is the quiet question */
} PlTcpTalk;

/** pl_tcp_kept_plain() - it will not be asked in TLS, which the answer hints at: that is its fault.
 */
void pl_tcp_kept_plain(PlTcpAnswer *a);

/* Asks a Postgres server for TLS. It answers with one byte, 'S' (the handshake may begin) or 'N',
 * whatever its state, and logs nothing when the connection then ends in order. */
extern const uint8_t pl_tcp_starttls[8];

/* What is kept between the rounds of one run of a container. All zeros at its start. */
typedef struct PlTcpMemory {
        uint64_t quiet_until_usec; /* the whole question is not asked before; 0: it is */
        PlVerdict told;            /* what it has brought; told again meanwhile */
        bool unanswered;           /* it got no answer: does the server still answer anything? */
        bool alive;                /* it does */
        bool noisy;                /* the quiet question leaves lines of its own: do not ask it */
} PlTcpMemory;

/** pl_tcp_is_quiet() - is it the quiet question's turn? @now_usec: any clock, the same each time */
bool pl_tcp_is_quiet(const PlTcpMemory *m, uint64_t now_usec);

/**
 * pl_tcp_learn() - what an answer means beside the ones before
 * @quiet: it answers the quiet question: PL_VERDICT_UP: an answer as such
 *
 * A whole question without any answer is the server's silence only when the quiet one, the next
 * time, brings none either.
 */
void pl_tcp_learn(PlTcpMemory *m, bool quiet, const PlTcpAnswer *a, uint64_t now_usec,
                  PlVerdict *ret);

#define PL_TCP_DECLARE(constant, word, transport, talk) extern const PlTcpTalk pl_tcp_##talk;
PL_TCP_KINDS(PL_TCP_DECLARE)
#undef PL_TCP_DECLARE
