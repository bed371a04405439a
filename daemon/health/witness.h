/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Witness: what the kernel says of a container that does not answer. Asked for those alone.
 */

#include "lib/probe/listen.h"

/** pl_witness_still() - does it stand still by somebody's hand, though the engine has not paused
 * it? @pid: its main process. Return: how, in words, static; NULL: it does not, for all we know. */
const char *pl_witness_still(pid_t pid, const char *id);

/** pl_witness_listens() - in the network of a process. NO where nothing can be read. */
PlListen pl_witness_listens(pid_t pid, uint16_t port);
