/* SPDX-License-Identifier: Apache-2.0 */

/* Address: see the header. */

#include "lib/metrics/address.h"

#include <arpa/inet.h>
#include <errno.h>

#include "lib/base/unit.h"

#define HOST_MAX 254 /* of a name with its last dot, RFC 1035; and its NUL */

static int parse_port(const char *text, in_port_t *ret) {
        uint64_t port;

        if (pl_parse_uint64(text, &port) < 0 || port < 1 || port > 65535)
                return -EINVAL;
        *ret = htons((uint16_t)port);
        return 0;
}

static int parse_path(const char *path, PlMetricsAddress *ret) {
        const char *name = path + strlen(PL_METRICS_SOCKET_DIR);

        if (!pl_startswith(path, PL_METRICS_SOCKET_DIR) || !*name || strchr(name, '/') ||
            pl_streq(name, ".") || pl_streq(name, ".."))
                return -EACCES;
        *ret = (PlMetricsAddress){ .path.sun_family = AF_UNIX,
                                   .size = sizeof(ret->path),
                                   .near = true };
        if (strlen(path) >= sizeof(ret->path.sun_path))
                return -ENAMETOOLONG;
        strcpy(ret->path.sun_path, path);
        return 0;
}

static int take_v6(const char *host, in_port_t port, PlMetricsAddress *ret) {
        struct in6_addr v6;

        if (inet_pton(AF_INET6, host, &v6) != 1)
                return -EINVAL;
        *ret = (PlMetricsAddress){
                .v6 = { .sin6_family = AF_INET6, .sin6_port = port, .sin6_addr = v6 },
                .size = sizeof(ret->v6),
                .near = IN6_IS_ADDR_LOOPBACK(&v6)
        };
        return 0;
}

static int take_v4(const char *host, in_port_t port, PlMetricsAddress *ret) {
        struct in_addr v4;

        if (inet_pton(AF_INET, host, &v4) != 1)
                return -EINVAL;
        *ret = (PlMetricsAddress){
                .v4 = { .sin_family = AF_INET, .sin_port = port, .sin_addr = v4 },
                .size = sizeof(ret->v4),
                .near = ntohl(v4.s_addr) >> 24 == 127
        };
        return 0;
}

int pl_metrics_address_parse(const char *text, PlMetricsAddress *ret) {
        const char *colon = strrchr(text, ':');
        char host[64];
        in_port_t port;
        size_t n;

        if (pl_startswith(text, "unix:"))
                return parse_path(text + strlen("unix:"), ret);
        if (parse_port(colon ? colon + 1 : text, &port) < 0)
                return -EINVAL;
        if (!colon)
                return take_v4("127.0.0.1", port, ret);
        n = (size_t)(colon - text);
        if (n >= sizeof(host))
                return -EINVAL;
        memcpy(host, text, n);
        host[n] = '\0';
        if (n == 0 || pl_streq(host, "localhost") || pl_streq(host, "*"))
                return -ENOENT;
        if (host[0] != '[')
                return take_v4(host, port, ret);
        if (host[n - 1] != ']')
                return -EINVAL;
        host[n - 1] = '\0';
        return take_v6(host + 1, port, ret);
}

/* "name:port" without the port and a last dot. Return: false when it is none of these. */
static bool bare_host(const char *host, char ret[static HOST_MAX]) {
        const char *colon = strrchr(host, ':');
        size_t n = strlen(host);
        in_port_t port;

        if (colon && host[n - 1] != ']') {
                n = (size_t)(colon - host);
                if (parse_port(colon + 1, &port) < 0)
                        return false;
        }
        if (n > 0 && host[n - 1] == '.')
                n--;
        if (n == 0 || n >= HOST_MAX)
                return false;
        memcpy(ret, host, n);
        ret[n] = '\0';
        return true;
}

static bool is_address(char *host) {
        PlMetricsAddress unused;
        size_t n = strlen(host);
        bool v6 = host[0] == '[' && host[n - 1] == ']';

        if (!v6)
                return take_v4(host, 0, &unused) == 0;
        host[n - 1] = '\0';
        return take_v6(host + 1, 0, &unused) == 0;
}

bool pl_metrics_host_allowed(const char *host, const char *own, char *const *others) {
        char name[HOST_MAX];

        if (!host)
                return true;
        if (!bare_host(host, name))
                return false;
        /* "devbox" of "devbox.example.org" is this host's name too; more of what its names are
         * only a resolver knows */
        if (strcasecmp(name, "localhost") == 0 || strcasecmp(name, own) == 0 ||
            (*own && strlen(name) == strcspn(own, ".") &&
             strncasecmp(name, own, strlen(name)) == 0))
                return true;
        for (; others && *others; others++)
                if (strcasecmp(name, *others) == 0)
                        return true;
        return is_address(name);
}
