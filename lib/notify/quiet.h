/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Quiet: the hours in which nobody is told, by the clock on the wall.
 *
 * Local time is that of $TZ or /etc/localtime, as localtime_r(3) has it, and so are its jumps: a
 * night in which the clock goes forward is an hour shorter, and one in which it goes back is an
 * hour longer. The moment is a parameter. Pure.
 */

#include "lib/base/macro.h"

typedef struct PlQuiet {
        bool set;
        uint16_t from_min, to_min; /* of the day; to may come before from: the next day's */
} PlQuiet;

#define PL_QUIET_TEXT_MAX 16

/** pl_quiet_parse() - "22:00-07:00". Return: 0; -EINVAL, also where both are the same. */
int pl_quiet_parse(const char *s, PlQuiet *ret);

/** pl_quiet_format() - Return: buf; "" where there are none. */
const char *pl_quiet_format(const PlQuiet *q, char buf[static PL_QUIET_TEXT_MAX]);

/** pl_quiet_until() - @now_usec: CLOCK_REALTIME. Return: when they are over, later than now; 0: it
 * is not quiet. */
uint64_t pl_quiet_until(const PlQuiet *q, uint64_t now_usec);
