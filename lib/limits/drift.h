/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Drift: how often we put back a value that somebody else changed.
 *
 * A value is repaired at once, but we must not fight another manager for ever: after PL_DRIFT_BURST
 * repairs within PL_DRIFT_WINDOW_USEC the container enters a stand-off, which is reported once;
 * then one attempt per pause, the pause doubling up to PL_DRIFT_PAUSE_MAX_USEC. A whole quiet
 * window after an attempt ends the stand-off. Pure; time is a parameter.
 */

#include "lib/base/macro.h"

#define PL_DRIFT_BURST          10
#define PL_DRIFT_WINDOW_USEC    PL_USEC_PER_MIN
#define PL_DRIFT_PAUSE_USEC     PL_USEC_PER_MIN
#define PL_DRIFT_PAUSE_MAX_USEC (10 * PL_USEC_PER_MIN)

typedef struct PlDrift {
        uint64_t repairs;     /* ever; shown in status */
        uint64_t window_usec; /* start of the current window */
        uint32_t in_window;   /* repairs since then */
        uint64_t pause_usec;  /* length of the current pause; 0: no stand-off */
        uint64_t until_usec;  /* no repair before this */
        uint64_t last_usec;   /* last repair */
} PlDrift;

typedef enum PlDriftVerdict {
        PL_DRIFT_REPAIR,         /* go ahead; it has been counted */
        PL_DRIFT_STANDOFF_BEGIN, /* do not; report the stand-off, come back at until_usec */
        PL_DRIFT_WAIT,           /* do not; still in the pause */
} PlDriftVerdict;

/* What speaks for somebody. Each since the last look that found all as wanted. */
typedef struct PlDriftSigns {
        bool scope;      /* systemd owns the group */
        bool own;        /* a call of ours to systemd or the engine is under way */
        bool update;     /* the engine has told of an update that is not ours */
        bool properties; /* systemd has written down a property that is not ours */
        bool reload;     /* systemd has reloaded */
} PlDriftSigns;

/** pl_drift_hand() - who has changed a value, as far as there is evidence
 * A plain write leaves none: it is named only where nobody else was at work.
 * Return: a static text, completes "changed by …"; NULL: nobody can be named. */
const char *pl_drift_hand(const PlDriftSigns *s);

/** pl_drift_is_guess() - would pl_drift_hand() name a plain write, for want of any sign? */
bool pl_drift_is_guess(const PlDriftSigns *s);

/** pl_drift_want_repair() - may a drifted value be repaired now? @now_usec: CLOCK_BOOTTIME. */
PlDriftVerdict pl_drift_want_repair(PlDrift *d, uint64_t now_usec);

/** pl_drift_settled() - values were found in force. Return: true when this ends a stand-off. */
bool pl_drift_settled(PlDrift *d, uint64_t now_usec);

/** pl_drift_end() - what led to a stand-off is over: a new policy, a new group. Repairs stay
 * counted. Return: true when there was one. */
bool pl_drift_end(PlDrift *d);

static inline bool pl_drift_is_standoff(const PlDrift *d) {
        return d->pause_usec > 0;
}
