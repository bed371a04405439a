/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Probe addresses: where a port of a container can be reached from the host, best first.
 *
 * A container's own address comes before its published port: behind a published port stands a
 * proxy or a NAT rule that accepts connections for a service that is not there.
 */

#include <netinet/in.h>

#include "lib/docker/container.h"

#define PL_PROBE_ADDRESSES_MAX 8
#define PL_PROBE_PORT_MAX      4 /* addresses of one port */

typedef struct PlProbeAddress {
        union {
                struct sockaddr sa;
                struct sockaddr_in in;
                struct sockaddr_in6 in6;
        };
        socklen_t size;
        uint16_t port; /* inside the container */
} PlProbeAddress;

typedef struct PlProbeAddresses {
        PlProbeAddress items[PL_PROBE_ADDRESSES_MAX];
        size_t n;
        uint16_t port;   /* inside the container: the first of them */
        const char *why; /* n is 0: static text for people */
        bool cut_off;    /* … because it is in no network any more */
} PlProbeAddresses;

/**
 * pl_probe_addresses() - candidates in the order in which they are to be tried
 * @c:      the container that serves
 * @netns:  the container whose network it shares (network mode "container:ID"); NULL: its own, or
 *          that other container is not known
 * @ports:  inside the container, the likeliest first; none of them 0
 */
void pl_probe_addresses(const PlContainer *c, const PlContainer *netns, const uint16_t *ports,
                        size_t n_ports, PlProbeAddresses *ret);

/** pl_probe_address_format() - "172.17.0.2:5432", "[::1]:80". Return: buf. */
#define PL_PROBE_ADDRESS_TEXT_MAX 64
const char *pl_probe_address_format(const PlProbeAddress *a,
                                    char buf[static PL_PROBE_ADDRESS_TEXT_MAX]);
