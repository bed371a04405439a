/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Pace: a bucket of PL_PACE_PER_SEC tokens, kept as the time at which it is full again. See the
 * header.
 */

#include "lib/evidence/pace.h"

#define EACH_USEC (PL_USEC_PER_SEC / PL_PACE_PER_SEC)

uint64_t pl_pace_wanted(uint64_t written_usec, uint64_t now_usec) {
        return written_usec > 0 ? PL_MAX(now_usec, written_usec + PL_PACE_AGAIN_USEC) : now_usec;
}

uint64_t pl_pace_due(const PlPace *p, uint64_t wanted_usec, uint64_t now_usec) {
        uint64_t full_usec = PL_MAX(p->paid_usec, now_usec) + EACH_USEC;
        uint64_t free_usec = full_usec > PL_USEC_PER_SEC ? full_usec - PL_USEC_PER_SEC : 0;

        return PL_MAX(wanted_usec, free_usec);
}

void pl_pace_take(PlPace *p, uint64_t now_usec) {
        p->paid_usec = PL_MAX(p->paid_usec, now_usec) + EACH_USEC;
}
