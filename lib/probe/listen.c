/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Listen: see the header.
 */

#include "lib/probe/listen.h"

#include <arpa/inet.h>

#define TCP_LISTEN 0x0A /* enum in the kernel's include/net/tcp_states.h */

/* Words of an address are in network order, each printed as the host has it. */
static bool is_local(const char *address, size_t n) {
        unsigned word = 0, first = 0;

        if (n == 8)
                return sscanf(address, "%8x", &word) == 1 && ntohl(word) >> 24 == 127;
        if (n != 32 || sscanf(address + 16, "%8x%8x", &first, &word) != 2 ||
            strspn(address, "0") < 16)
                return false;
        return first == 0 ? ntohl(word) == 1 : ntohl(first) == 0xffff && ntohl(word) >> 24 == 127;
}

/* "  0: 0100007F:18EB 00000000:0000 0A 00000000:00000000 …": a number, its own address, the
 * other's, the state, and what waits to be sent and taken; who listens has there how many wait to
 * be let in.
 */
PlListen pl_listen_find(const char *text, uint16_t port) {
        PlListen found = PL_LISTEN_NO, one;
        const char *line = strchr(text, '\n'); /* the first one is titles */
        unsigned own, state, waiting;
        char address[33];

        for (; line; line = strchr(line + 1, '\n')) {
                if (sscanf(line, " %*u: %32[0-9A-Fa-f]:%4x %*[0-9A-Fa-f]:%*x %2x %*x:%8x", address,
                           &own, &state, &waiting) != 4 ||
                    state != TCP_LISTEN)
                        break;
                if (own != port)
                        continue;
                one = is_local(address, strlen(address)) ? PL_LISTEN_LOCAL
                      : waiting > 0                      ? PL_LISTEN_STUCK
                                                         : PL_LISTEN_YES;
                found = PL_MAX(found, one);
        }
        return found;
}

void pl_listen_judge(PlListen listen, uint16_t port, bool shared, PlVerdict *v) {
        if (v->kind != PL_VERDICT_SILENT || listen == PL_LISTEN_NO || listen == PL_LISTEN_STUCK)
                return;
        v->kind = PL_VERDICT_DISPUTED;
        if (listen == PL_LISTEN_LOCAL)
                pl_verdict_add(v, "; it listens on localhost alone: set Probe=none");
        else if (shared)
                pl_verdict_add(v,
                               "; it listens on port %u in a network that is no more: docker "
                               "restart puts it into the new one",
                               port);
        else
                pl_verdict_add(v,
                               "; it listens on port %u all the same: a firewall of this host is "
                               "in between",
                               port);
}
