/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Process: what plimsolld itself takes, and the traffic of a container's network, from procfs.
 */

#include "lib/base/macro.h"

/* PL_UNLIMITED: unknown. */
typedef struct PlProcess {
        uint64_t cpu_usec, start_usec; /* CLOCK_REALTIME */
        uint64_t resident_bytes, virtual_bytes;
        uint64_t open_fds, max_fds;
} PlProcess;

/** pl_process_self() - @proc: root of procfs */
void pl_process_self(const char *proc, PlProcess *ret);

#define PL_INTERFACES_MAX 16

/* Since it was made; PlInterface.name is its name in the container's own network. */
typedef struct PlInterface {
        char name[16];
        uint64_t received_bytes, received_packets, received_errors, received_dropped;
        uint64_t sent_bytes, sent_packets, sent_errors, sent_dropped;
} PlInterface;

/** pl_process_network() - of the network that a process lives in, but for "lo"
 * Return: how many there are; 0: none, or gone. More than PL_INTERFACES_MAX are left out. */
size_t pl_process_network(const char *proc, pid_t pid, PlInterface ret[static PL_INTERFACES_MAX]);
