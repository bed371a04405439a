/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Docker network: addresses and ports of an inspect answer, for probes and audits.
 *
 * NetworkSettings.IPAddress is not looked at: it is gone from API 1.52 on, and Networks has been
 * there since 1.21. Nothing passes that is not an address or a port number.
 */

#include "lib/docker/json.h"

#include <arpa/inet.h>
#include <errno.h>

#define NAME_MAX_BYTES 255
#define PORTS_MAX      256
#define NETWORKS_MAX   64

/* Only text that is an address, so that nobody downstream connects to or prints anything else. */
static void parse_ip(int family, const char *s, char ret[static 46]) {
        struct in6_addr unused;

        if (s && strlen(s) < 46 && inet_pton(family, s, &unused) == 1)
                strcpy(ret, s);
}

int pl_docker_parse_networks(const json_t *settings, PlContainer *c) {
        const json_t *networks = json_object_get(settings, "Networks"), *value;
        const char *name;
        size_t n = PL_MIN(json_object_size(networks), (size_t)NETWORKS_MAX);
        int r;

        if (n == 0)
                return 0;
        c->networks = calloc(n, sizeof(PlNetwork));
        if (!c->networks)
                return -ENOMEM;
        json_object_foreach((json_t *)networks, name, value) {
                PlNetwork *net;

                if (c->n_networks == n)
                        break;
                net = &c->networks[c->n_networks++];
                r = pl_json_dup(name, NAME_MAX_BYTES, &net->name);
                if (r < 0)
                        return r;
                parse_ip(AF_INET, pl_json_string(value, "IPAddress"), net->ip);
                parse_ip(AF_INET6, pl_json_string(value, "GlobalIPv6Address"), net->ip6);
        }
        return 0;
}

/* Digits of a port number up to the end or to stop. Return: 0 when it is none. */
static uint16_t parse_port(const char *s, char stop, const char **ret_rest) {
        unsigned v = 0;

        if (!s)
                return 0;
        for (; *s >= '0' && *s <= '9'; s++) {
                v = v * 10 + (unsigned)(*s - '0');
                if (v > UINT16_MAX)
                        return 0;
        }
        if (*s != stop)
                return 0;
        if (ret_rest)
                *ret_rest = s;
        return (uint16_t)v;
}

static void add_bindings(const PlPort *port, const json_t *bindings, PlContainer *c) {
        const json_t *b;
        size_t i;

        if (json_array_size(bindings) == 0) {
                if (c->n_ports < PORTS_MAX)
                        c->ports[c->n_ports++] = *port;
                return;
        }
        json_array_foreach(bindings, i, b) {
                const char *ip = pl_json_string(b, "HostIp");
                PlPort p = *port;

                if (c->n_ports == PORTS_MAX)
                        return;
                p.host_port = parse_port(pl_json_string(b, "HostPort"), '\0', NULL);
                parse_ip(ip && strchr(ip, ':') ? AF_INET6 : AF_INET, ip, p.host_ip);
                c->ports[c->n_ports++] = p;
        }
}

/* {"5432/tcp": [{"HostIp", "HostPort"}] or null}. SCTP is nobody's probe or audit: left out. */
int pl_docker_parse_ports(const json_t *settings, const json_t *host, PlContainer *c) {
        const json_t *ports = json_object_get(settings, "Ports"), *bindings;
        const char *spec, *proto;
        void *shrunk;

        /* Not running: nothing is bound yet, what will be is in HostConfig. */
        if (json_object_size(ports) == 0)
                ports = json_object_get(host, "PortBindings");
        if (json_object_size(ports) == 0)
                return 0;

        c->ports = calloc(PORTS_MAX, sizeof(PlPort));
        if (!c->ports)
                return -ENOMEM;
        json_object_foreach((json_t *)ports, spec, bindings) {
                PlPort p = { .container_port = parse_port(spec, '/', &proto) };

                if (p.container_port == 0 || (!pl_streq(proto, "/tcp") && !pl_streq(proto, "/udp")))
                        continue;
                p.udp = pl_streq(proto, "/udp");
                add_bindings(&p, bindings, c);
        }

        shrunk = reallocarray(c->ports, PL_MAX(c->n_ports, (size_t)1), sizeof(PlPort));
        if (shrunk)
                c->ports = shrunk;
        return 0;
}
