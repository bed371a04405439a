/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Address: where metrics are served, and under which names they may be asked for. Pure.
 */

#include <netinet/in.h>
#include <sys/un.h>

#include "lib/base/macro.h"

/* Sockets lie where the unit may write, and nobody else puts files. */
#define PL_METRICS_SOCKET_DIR "/run/plimsoll/"

typedef struct PlMetricsAddress {
        union {
                struct sockaddr any;
                struct sockaddr_in v4;
                struct sockaddr_in6 v6;
                struct sockaddr_un path;
        };
        socklen_t size;
        bool near; /* only this host reaches it */
} PlMetricsAddress;

/**
 * pl_metrics_address_parse() - "127.0.0.1:9478", "[::1]:9478", "9478" (of 127.0.0.1), "unix:PATH"
 * Return: 0; -EINVAL: none of these; -ENOENT: a name, or nothing, where an address should be;
 *         -EACCES: a socket outside of PL_METRICS_SOCKET_DIR; -ENAMETOOLONG: its path.
 */
int pl_metrics_address_parse(const char *text, PlMetricsAddress *ret);

/**
 * pl_metrics_host_allowed() - may an answer go to who asked for this Host:?
 *
 * A page in a browser may give its own name this host's address (DNS rebinding) and then read what
 * is served here. It cannot change the name that the browser sends.
 *
 * @host:   the header; NULL: there was none, so no browser asks. With or without a port
 * @own:    this host's name, as gethostname(2) has it
 * @others: of MetricsHost=, ended by NULL; may be NULL
 */
bool pl_metrics_host_allowed(const char *host, const char *own, char *const *others);
