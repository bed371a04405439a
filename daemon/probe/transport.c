/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Probe transports: what they share. See the header.
 */

#include "probe/transport.h"

#include <errno.h>

#include "base/clock.h"

void pl_attempt_trace(const PlAttempt *a, PlTraceKind kind, const void *data, size_t n) {
        if (a->trace)
                pl_trace_add(a->trace, pl_clock_usec(CLOCK_MONOTONIC) - a->traced_usec, kind, data,
                             n);
}

PlHttpError pl_transport_error(int error) {
        switch (error) {
        case ECONNREFUSED:
                return PL_HTTP_REFUSED;
        case ECONNRESET:
        case EPIPE:
                return PL_HTTP_CLOSED;
        case ETIMEDOUT:
                return PL_HTTP_TIMEOUT;
        case EHOSTUNREACH:
        case ENETUNREACH:
        case EHOSTDOWN:
        case ENETDOWN:
        case EACCES: /* a firewall of the host */
        case EPERM:
        case EADDRNOTAVAIL: /* no ::1 here */
        case EAFNOSUPPORT:
                return PL_HTTP_UNREACHABLE;
        default:
                return PL_HTTP_LOCAL;
        }
}
