/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Listen: who could not be reached on a port, and listens there all the same?
 *
 * A refused connection comes from a service that is gone, or from a firewall that somebody has
 * loaded anew; a connection that nobody answers, from the latter alone, unless the service takes
 * none any more: the kernel answers for everybody who listens. What the container's own network
 * says of the port tells these apart. Pure.
 */

#include "lib/probe/verdict.h"

typedef enum PlListen {
        PL_LISTEN_NO,
        PL_LISTEN_LOCAL, /* on localhost alone */
        PL_LISTEN_STUCK, /* and somebody waits to be let in: it takes no connections */
        PL_LISTEN_YES,
} PlListen;

/**
 * pl_listen_find() - in one of /proc/PID/net/tcp and tcp6 (the kernel's proc_net_tcp.rst)
 * @text: all of it or its beginning: who listens comes first
 * @port: not 0
 *
 * Of several, the one that may answer decides: YES before STUCK before LOCAL.
 */
PlListen pl_listen_find(const char *text, uint16_t port);

/**
 * pl_listen_judge() - what that makes of a verdict that nobody was reached
 * @shared: its network is another container's
 * @v:      silent; disputed where that proves nothing, with the reason added
 */
void pl_listen_judge(PlListen listen, uint16_t port, bool shared, PlVerdict *v);
