/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Probe transports: what they share. See the header.
 */

#include "probe/transport.h"

#include <errno.h>

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
