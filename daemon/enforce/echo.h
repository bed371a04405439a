/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Echo: our own calls to systemd and the engine, from when they are sent until a look at the group
 * after their answers has seen what they wrote.
 */

#include "enforce/context.h"

/** pl_echo_sent() - an owner has been told these values. Out of memory, less is known to be ours.
 */
void pl_echo_sent(PlHeld *h, const PlLimits *values);

/** pl_echo_until() - nobody will answer what was sent last: it may be written until then.
 * @usec: CLOCK_BOOTTIME */
void pl_echo_until(PlHeld *h, uint64_t usec);

/** pl_echo_quota() - what was sent last to the engine has a quota: what it becomes depends on the
 * period, and that is what runc remembers, or what the kernel has. */
void pl_echo_quota(PlHeld *h);

/** pl_echo_answered() - look at the group again: what was written is seen there. */
void pl_echo_answered(PlEnforcer *e, PlHeld *h);

/** pl_echo_looked() - the group has been read, and what was found there put right. */
void pl_echo_looked(const PlEnforcer *e, PlHeld *h);

/** pl_echo_expire() - before the next look: forget what can have been written no more. */
void pl_echo_expire(const PlEnforcer *e, PlHeld *h);

/** pl_echo_is_open() - may something that we told be written just now? */
bool pl_echo_is_open(const PlHeld *h);

/** pl_echo_mask() - values in force that come from such a call, not from anybody else. */
uint32_t pl_echo_mask(const PlEnforcer *e, const PlHeld *h);

/** pl_echo_reset() - values in force that any update by the engine leaves behind, for it has no
 * member for them, or does not pass them on. */
uint32_t pl_echo_reset(const PlHeld *h);

/** pl_echo_free() - forget them; returns NULL. */
PlEcho *pl_echo_free(PlEcho *echo);
