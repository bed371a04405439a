/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Restart state: what must outlive plimsolld of a container's restarts, as JSON. A budget that
 * starts over with each start of the daemon bounds nothing, and a daemon that has seen how a
 * container ended, or that it was up, should still know it.
 */

#include "lib/health/course.h"

/** pl_restart_state_format() - of the ending the last end alone. Return: 0 and *ret owned by the
 * caller; -ENOMEM. */
int pl_restart_state_format(const PlCourse *c, char **ret);

/**
 * pl_restart_state_parse() - strict, but unknown members are ignored
 * @now_usec: CLOCK_MONOTONIC; later times are from before a reboot and are dropped. 0: all of it is
 *            from before a reboot: the budget begins anew, and a restart under way is finished
 * Return: 0, -EBADMSG.
 */
int pl_restart_state_parse(const char *text, size_t size, uint64_t now_usec, PlCourse *ret);
