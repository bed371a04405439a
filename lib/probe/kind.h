/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Probe kind: which probes there are. Which of them suits a container is lib/probe/place's.
 */

#include "lib/base/word.h"
#include "lib/probe/http.h"
#include "lib/probe/tcp.h"

/* AUTO: from command and image, else Docker's own healthcheck alone. TCP: that it accepts a
 * connection is the answer. */
/* clang-format off */
#define PL_PROBE_KINDS(ROW)                                                                        \
        ROW(AUTO, "auto", NONE, )                                                                  \
        ROW(NONE, "none", NONE, )                                                                  \
        PL_TCP_KINDS(ROW)                                                                          \
        PL_HTTP_KINDS(ROW)                                                                         \
        ROW(TCP, "tcp", CONNECT, )
/* clang-format on */

#define PL_PROBE_ENUM(constant, ...) PL_PROBE_##constant,
typedef enum PlProbeKind {
        PL_PROBE_KINDS(PL_PROBE_ENUM) _PL_PROBE_N,
} PlProbeKind;
#undef PL_PROBE_ENUM

/* ProbeTLS= */
typedef enum PlProbeTls {
        PL_PROBE_TLS_AUTO, /* after a plain question whose answer smells of TLS */
        PL_PROBE_TLS_YES,
        PL_PROBE_TLS_NO,
} PlProbeTls;

typedef enum PlTransportKind {
        PL_TRANSPORT_NONE,    /* not probed */
        PL_TRANSPORT_CONNECT, /* a connection, and nothing is sent */
        PL_TRANSPORT_TCP,
        PL_TRANSPORT_HTTP,
} PlTransportKind;

/* A row of the tables. */
typedef struct PlProbeKindInfo {
        const char *word;
        PlTransportKind transport;
        const PlTcpTalk *tcp;   /* with PL_TRANSPORT_TCP, else NULL */
        const PlHttpTalk *http; /* with PL_TRANSPORT_HTTP, else NULL */
} PlProbeKindInfo;

/** pl_probe_kind_info() - Return: never NULL; of what is no kind, the row of PL_PROBE_NONE. */
const PlProbeKindInfo *pl_probe_kind_info(PlProbeKind k);

/* The words of the policy. */
extern const PlWord pl_probe_kind_words[];
