/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Clock: the one place of daemon/ that asks what time it is, always in microseconds.
 *
 * CLOCK_REALTIME is for what people and other programs read, CLOCK_BOOTTIME for spans that go on
 * while the machine sleeps, CLOCK_MONOTONIC for all others. lib/ reads no clock: its functions take
 * the time as a parameter, and that is where tests put in theirs.
 */

#include <systemd/sd-event.h>
#include <time.h>

#include "lib/base/macro.h"

/** pl_clock_usec() - this very moment. */
uint64_t pl_clock_usec(clockid_t clock);

/** pl_clock_loop_usec() - the moment at which this iteration of the loop began: the same for all
 * that one iteration does. Before the first one: now. */
uint64_t pl_clock_loop_usec(sd_event *event, clockid_t clock);

/** pl_clock_sleep() - wait; a signal ends it early. Never on an event loop. */
void pl_clock_sleep(uint64_t usec);
