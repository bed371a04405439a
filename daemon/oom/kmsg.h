/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Kernel log reader: the OOM killer's records, read when somebody asks and never otherwise.
 *
 * From /dev/kmsg where it can be opened. A service without CAP_SYSLOG cannot (dmesg_restrict,
 * ProtectKernelLogs=); there journald's copy of it is read. Where there is neither, reports go
 * without the victim, which is said once.
 */

#include "lib/oom/kmsg.h"

typedef struct PlKmsg PlKmsg;

/** pl_kmsg_new() - what was logged before is left out. @path: "/dev/kmsg". Return: 0, -ENOMEM. */
int pl_kmsg_new(const char *path, PlKmsg **ret);
PlKmsg *pl_kmsg_free(PlKmsg *k);
PL_DEFINE_CLEANUP(PlKmsg *, pl_kmsg_free)

/** pl_kmsg_poll() - read what is new. */
void pl_kmsg_poll(PlKmsg *k);

/** pl_kmsg_take() - a kill in a container that nobody has taken yet. Return: true and *ret. */
bool pl_kmsg_take(PlKmsg *k, const char *id, PlKmsgKill *ret);

/** pl_kmsg_delay() - how long after the kill its line may still be missing: the kernel writes it at
 * once, journald on a busy host takes its time. In usec. */
uint64_t pl_kmsg_delay(const PlKmsg *k);

/** pl_kmsg_rest() - nobody waits for records any more: give back what reading needs. */
void pl_kmsg_rest(PlKmsg *k);
