/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Pace: how often files are written, so that a flood of events costs no flood of writes.
 *
 * What happens to a service that was quiet is written at once. What follows within
 * PL_PACE_AGAIN_USEC of its last write waits until then, and all services together are written
 * PL_PACE_PER_SEC times a second, after as many at once: each write waits for the disk, and limits
 * do not. Pure: time is a parameter, of a clock that only goes on.
 */

#include "lib/base/macro.h"

#define PL_PACE_AGAIN_USEC PL_USEC_PER_SEC
#define PL_PACE_PER_SEC    10

/* Begins as zeroes. */
typedef struct PlPace {
        uint64_t paid_usec; /* until when the writes of the past use up what is allowed */
} PlPace;

/** pl_pace_wanted() - from when on something that happens now is to be written. @written_usec: when
 * the service was written last; 0: never. */
uint64_t pl_pace_wanted(uint64_t written_usec, uint64_t now_usec);

/** pl_pace_due() - when what is wanted may be written. Return: at most @now_usec: now. */
uint64_t pl_pace_due(const PlPace *p, uint64_t wanted_usec, uint64_t now_usec);

/** pl_pace_take() - one is written now. */
void pl_pace_take(PlPace *p, uint64_t now_usec);
