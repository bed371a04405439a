/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Probe addresses: see the header. It resolves no names: that would block.
 */

#include "lib/probe/address.h"

#include <arpa/inet.h>
#include <errno.h>

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

/* What is being looked for. */
typedef struct Search {
        uint16_t port; /* inside the container */
        size_t max;    /* so many addresses, with those that are there */
        PlProbeAddresses *ret;
} Search;

static void add(const Search *s, const char *ip, uint16_t port) {
        PlProbeAddresses *l = s->ret;
        PlProbeAddress a;

        if (l->n >= s->max || !ip[0] || port == 0 || parse(ip, port, &a) < 0)
                return;
        for (size_t i = 0; i < l->n; i++)
                if (same(&l->items[i], &a))
                        return;
        a.port = s->port;
        l->items[l->n++] = a;
}

static void add_networks(const PlContainer *c, const Search *s) {
        for (size_t i = 0; i < c->reach.n_networks; i++)
                if (!c->reach.networks[i].apart)
                        add(s, c->reach.networks[i].ip, s->port);
        for (size_t i = 0; i < c->reach.n_networks; i++)
                if (!c->reach.networks[i].apart)
                        add(s, c->reach.networks[i].ip6, s->port);
}

static void add_published(const PlContainer *c, const Search *s) {
        for (size_t i = 0; i < c->reach.n_ports; i++) {
                const PlPort *p = &c->reach.ports[i];

                if (p->udp || p->container_port != s->port || p->host_port == 0)
                        continue;
                if (!p->host_ip[0] || pl_streq(p->host_ip, "0.0.0.0"))
                        add(s, "127.0.0.1", p->host_port);
                else if (pl_streq(p->host_ip, "::"))
                        add(s, "::1", p->host_port);
                else
                        add(s, p->host_ip, p->host_port);
        }
}

static void add_port(const PlContainer *c, bool host, uint16_t port, PlProbeAddresses *ret) {
        Search s = {
                .port = port,
                .max = PL_MIN(ret->n + PL_PROBE_PORT_MAX, (size_t)PL_PROBE_ADDRESSES_MAX),
                .ret = ret,
        };

        if (host) {
                add(&s, "127.0.0.1", port);
                add(&s, "::1", port);
                return;
        }
        /* a published port is worth more than a fourth network */
        s.max--;
        add_networks(c, &s);
        s.max++;
        add_published(c, &s);
}

/* It is in none of the engine's networks, and should be. Podman's slirp4netns, pasta and private
 * modes are none of these. */
static bool is_cut_off(const PlContainer *c, const char *mode) {
        static const char *const apart[] = { "host", "private", "slirp4netns", "pasta", "ns:" };

        for (size_t i = 0; i < PL_ARRAY_SIZE(apart); i++)
                if (pl_startswith(mode, apart[i]))
                        return false;
        return *mode && c->reach.n_networks == 0;
}

static const char *why_none(const PlContainer *c) {
        for (size_t i = 0; i < c->reach.n_networks; i++)
                if (c->reach.networks[i].apart)
                        return "this host cannot reach the addresses of its network (macvlan, "
                               "ipvlan, "
                               "overlay): publish the port, or set Probe=none";
        return "the engine shows no address for it";
}

void pl_probe_addresses(const PlContainer *c, const PlContainer *netns, const uint16_t *ports,
                        size_t n_ports, PlProbeAddresses *ret) {
        const char *mode = c->host.network_mode ? c->host.network_mode : "";

        *ret = (PlProbeAddresses){ .port = n_ports > 0 ? ports[0] : 0 };
        if (n_ports == 0) {
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
        for (size_t i = 0; i < n_ports; i++)
                add_port(c, pl_streq(mode, "host"), ports[i], ret);
        if (ret->n > 0)
                return;
        ret->cut_off = is_cut_off(c, mode);
        ret->why = ret->cut_off ? "unreachable: no network; docker network connect puts it into one"
                                : why_none(c);
}
