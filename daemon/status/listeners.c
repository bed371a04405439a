/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Listeners: see the header. A server of its own for each address, so a crowd at one does not shut
 * out those at another.
 */

#include "status/listeners.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/journal.h"
#include "lib/base/strv.h"
#include "lib/metrics/address.h"

#define LISTENERS_MAX 16
#define BACKLOG       128

typedef struct Listener {
        char *address; /* as in the policy; NULL: this place is free */
        char *path;    /* of a unix socket; NULL: it is none */
        PlCtlServer *server;
} Listener;

struct PlListeners {
        sd_event *event;
        const PlEndpoints *endpoints;
        Listener open[LISTENERS_MAX];
        char **refused; /* addresses of which it was told that they cannot be had */
};

static const PlCtlEndpoint *served(void) {
        static const PlCtlEndpoint rows[] = {
                { "GET", "/metrics", NULL, PL_CTL_CONNECTED, pl_endpoint_metrics_type,
                  pl_endpoint_metrics },
                {},
        };

        return rows;
}

static bool is_allowed(void *userdata, const char *host) {
        const PlEndpoints *e = userdata;
        char own[256] = "";

        (void)gethostname(own, sizeof(own) - 1);
        return pl_metrics_host_allowed(host, own, e->from->registry->policy->daemon.metrics_host);
}

/* Return: a socket that listens, or -errno. */
static int listen_at(const PlMetricsAddress *a) {
        static const int on = 1;
        _cleanup_close_ int fd = -EBADF;

        if (a->any.sa_family == AF_UNIX)
                return pl_ctl_server_listen(a->path.sun_path);
        fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        /* the address may come with a network that docker makes later: ip(7) */
        if (a->any.sa_family == AF_INET)
                (void)setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on));
        else {
                (void)setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof(on));
                (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
        }
        if (bind(fd, &a->any, a->size) < 0 || listen(fd, BACKLOG) < 0)
                return -errno;
        return TAKE_FD(fd);
}

static bool is_listed(char *const *list, const char *address) {
        for (; list && *list; list++)
                if (pl_streq(*list, address))
                        return true;
        return false;
}

static void tell_refused(PlListeners *l, const char *address, int error) {
        if (is_listed(l->refused, address))
                return;
        (void)pl_strv_append(&l->refused, LISTENERS_MAX, address);
        pl_log_warning("Cannot serve metrics at %s: %s; it is tried again every minute", address,
                       strerror(-error));
}

static void close_listener(Listener *at) {
        at->server = pl_ctl_server_free(at->server);
        if (at->path)
                (void)unlink(at->path);
        free(at->path);
        free(at->address);
        *at = (Listener){};
}

static int open_listener(PlListeners *l, const char *address, Listener *at) {
        PlMetricsAddress a;
        int fd, r = pl_metrics_address_parse(address, &a);

        if (r < 0)
                return r;
        fd = listen_at(&a);
        if (fd < 0)
                return fd;
        r = pl_ctl_server_new(l->event, fd, served(), (void *)l->endpoints, &at->server);
        if (r < 0) {
                (void)close(fd);
                return r;
        }
        /* no browser comes by a socket, and who does names the host as he likes */
        if (a.any.sa_family != AF_UNIX)
                pl_ctl_server_set_guard(at->server, is_allowed);
        at->address = strdup(address);
        at->path = a.any.sa_family == AF_UNIX ? strdup(a.path.sun_path) : NULL;
        if (!at->address || (a.any.sa_family == AF_UNIX && !at->path)) {
                close_listener(at);
                return -ENOMEM;
        }
        pl_log_info("Metrics are served at %s", address);
        return 0;
}

static Listener *find_listener(PlListeners *l, const char *address) {
        for (size_t i = 0; i < LISTENERS_MAX; i++)
                if (pl_streq_null(l->open[i].address, address))
                        return &l->open[i];
        return NULL;
}

void pl_listeners_look(PlListeners *l) {
        char *const *wanted;
        char **told;

        if (!l)
                return;
        wanted = l->endpoints->from->registry->policy->daemon.metrics_listen;
        told = l->refused;

        for (size_t i = 0; i < LISTENERS_MAX; i++)
                if (l->open[i].address && !is_listed(wanted, l->open[i].address))
                        close_listener(&l->open[i]);
        /* what was told of those that are still refused stays told */
        l->refused = NULL;
        for (char **s = told; s && *s; s++)
                if (is_listed(wanted, *s))
                        (void)pl_strv_append(&l->refused, LISTENERS_MAX, *s);
        pl_strv_free(told);
        for (; wanted && *wanted; wanted++) {
                Listener *free_place = find_listener(l, NULL);
                int r;

                if (find_listener(l, *wanted) || !free_place)
                        continue;
                r = open_listener(l, *wanted, free_place);
                if (r < 0)
                        tell_refused(l, *wanted, r);
        }
}

int pl_listeners_new(sd_event *event, const PlEndpoints *endpoints, PlListeners **ret) {
        PlListeners *l = calloc(1, sizeof(*l));

        if (!l)
                return -ENOMEM;
        l->event = sd_event_ref(event);
        l->endpoints = endpoints;
        pl_listeners_look(l);
        *ret = l;
        return 0;
}

PlListeners *pl_listeners_free(PlListeners *l) {
        if (!l)
                return NULL;
        for (size_t i = 0; i < LISTENERS_MAX; i++)
                close_listener(&l->open[i]);
        pl_strv_free(l->refused);
        sd_event_unref(l->event);
        free(l);
        return NULL;
}
