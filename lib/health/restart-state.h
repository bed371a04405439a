/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Restart state: what of a container's restarts must outlive plimsolld, as JSON. A budget that
 * began anew with each start of the daemon would bound nothing, and who has seen how a container
 * ended should know it still.
 */

#include "lib/health/ending.h"
#include "lib/health/restart.h"

/** pl_restart_state_format() - of @e the last end alone. Return: 0 and *ret owned by the caller;
 * -ENOMEM. */
int pl_restart_state_format(const PlRestart *r, const PlEnding *e, char **ret);

/**
 * pl_restart_state_parse() - strict, but for unknown members, which are passed over
 * @now_usec: CLOCK_MONOTONIC; later times are from before a boot, and forgotten
 * Return: 0, -EBADMSG.
 */
int pl_restart_state_parse(const char *text, size_t size, uint64_t now_usec, PlRestart *ret_restart,
                           PlEnding *ret_ending);
