/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Probe addresses: see the header. It resolves no names: that would block.
 */

#include "lib/probe/address.h"

#include <arpa/inet.h>
#include <errno.h>

#include "lib/base/unit.h"

const char *pl_probe_address_format(const PlProbeAddress *a,
                                    char buf[static PL_PROBE_ADDRESS_TEXT_MAX]) {
        char ip[INET6_ADDRSTRLEN] = "?";

        if (a->sa.sa_family == AF_INET) {
                (void)inet_ntop(AF_INET, &a->in.sin_addr, ip, sizeof(ip));
                (void)snprintf(buf, PL_PROBE_ADDRESS_TEXT_MAX, "%s:%u", ip, ntohs(a->in.sin_port));
        } else {
                (void)inet_ntop(AF_INET6, &a->in6.sin6_addr, ip, sizeof(ip));
                (void)snprintf(buf, PL_PROBE_ADDRESS_TEXT_MAX, "[%s]:%u", ip,
                               ntohs(a->in6.sin6_port));
        }
        return buf;
}

static bool same(const PlProbeAddress *a, const PlProbeAddress *b) {
        return a->size == b->size && memcmp(&a->sa, &b->sa, a->size) == 0;
}

/* A textual IPv4 or IPv6 address. */
static int parse(const char *ip, uint16_t port, PlProbeAddress *ret) {
        PlProbeAddress a = { 0 };

        if (inet_pton(AF_INET, ip, &a.in.sin_addr) == 1) {
                a.in.sin_family = AF_INET;
                a.in.sin_port = htons(port);
                a.size = sizeof(a.in);
        } else if (inet_pton(AF_INET6, ip, &a.in6.sin6_addr) == 1) {
                a.in6.sin6_family = AF_INET6;
                a.in6.sin6_port = htons(port);
                a.size = sizeof(a.in6);
        } else {
                return -EINVAL;
        }
        *ret = a;
        return 0;
}

static void add(PlProbeAddresses *l, const char *ip, uint16_t port) {
        PlProbeAddress a;

        if (l->n == PL_PROBE_ADDRESSES_MAX || !ip[0] || port == 0 || parse(ip, port, &a) < 0)
                return;
        for (size_t i = 0; i < l->n; i++)
                if (same(&l->items[i], &a))
                        return;
        l->items[l->n++] = a;
}

/* Postgres listens on PGPORT, Ollama on OLLAMA_HOST ("[SCHEME://]HOST[:PORT]", or ":PORT"). */
static uint16_t port_from_env(const PlContainer *c, PlProbeKind kind) {
        const char *s = NULL;
        uint64_t port;

        if (kind == PL_PROBE_POSTGRES) {
                s = pl_launch_env(&c->launch, "PGPORT");
        } else if (kind == PL_PROBE_OLLAMA && (s = pl_launch_env(&c->launch, "OLLAMA_HOST"))) {
                const char *colon = strrchr(s, ':');

                /* "http://host" and "::1" have colons, but no port */
                s = colon && colon[1] != '/' &&
                                                    !(strchr(s, ':') != colon && !strchr(s, '[') &&
                                                      !strstr(s, "://"))
                                    ? colon + 1
                                    : NULL;
        }
        if (!s || pl_parse_uint64(s, &port) < 0 || port == 0 || port > UINT16_MAX)
                return 0;
        return (uint16_t)port;
}

/* The container's only TCP port; 0: none, or several. */
static uint16_t only_port(const PlContainer *c) {
        uint16_t port = 0;

        for (size_t i = 0; i < c->reach.n_ports; i++) {
                if (c->reach.ports[i].udp || c->reach.ports[i].container_port == port)
                        continue;
                if (port != 0)
                        return 0;
                port = c->reach.ports[i].container_port;
        }
        return port;
}

static void add_networks(const PlContainer *c, PlProbeAddresses *ret) {
        for (size_t i = 0; i < c->reach.n_networks; i++)
                add(ret, c->reach.networks[i].ip, ret->port);
        for (size_t i = 0; i < c->reach.n_networks; i++)
                add(ret, c->reach.networks[i].ip6, ret->port);
}

static void add_published(const PlContainer *c, PlProbeAddresses *ret) {
        for (size_t i = 0; i < c->reach.n_ports; i++) {
                const PlPort *p = &c->reach.ports[i];

                if (p->udp || p->container_port != ret->port || p->host_port == 0)
                        continue;
                if (!p->host_ip[0] || pl_streq(p->host_ip, "0.0.0.0"))
                        add(ret, "127.0.0.1", p->host_port);
                else if (pl_streq(p->host_ip, "::"))
                        add(ret, "::1", p->host_port);
                else
                        add(ret, p->host_ip, p->host_port);
        }
}

void pl_probe_addresses(const PlContainer *c, const PlContainer *netns, PlProbeKind kind,
                        uint16_t policy_port, PlProbeAddresses *ret) {
        const char *mode = c->host.network_mode ? c->host.network_mode : "";

        *ret = (PlProbeAddresses){ 0 };
        ret->port = policy_port                      ? policy_port
                    : port_from_env(c, kind)         ? port_from_env(c, kind)
                    : pl_probe_kind_info(kind)->port ? pl_probe_kind_info(kind)->port
                                                     : only_port(c);
        if (ret->port == 0) {
                ret->why = "it has no port of its own or several: set ProbePort=";
                return;
        }
        if (pl_startswith(mode, "container:")) {
                if (!netns) {
                        ret->why = "it shares the network of a container that is not known";
                        return;
                }
                c = netns;
                mode = c->host.network_mode ? c->host.network_mode : "";
        }
        if (pl_streq(mode, "none")) {
                ret->why = "it has no network (network mode \"none\"): set Probe=none";
                return;
        }
        if (pl_streq(mode, "host")) {
                add(ret, "127.0.0.1", ret->port);
                add(ret, "::1", ret->port);
                return;
        }
        add_networks(c, ret);
        /* a published port is worth more than a fourth network */
        if (ret->n == PL_PROBE_ADDRESSES_MAX)
                ret->n--;
        add_published(c, ret);
        if (ret->n == 0)
                ret->why = "the engine shows no address for it";
}
