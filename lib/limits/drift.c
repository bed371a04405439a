/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Drift: one window of repairs, then pauses that double. Which values have drifted is the plan's
 * question.
 */

#include "lib/limits/drift.h"

PlDriftVerdict pl_drift_want_repair(PlDrift *d, uint64_t now_usec) {
        if (d->pause_usec > 0) {
                if (now_usec < d->until_usec)
                        return PL_DRIFT_WAIT;
                /* One attempt per pause; whether it held shows before the next one. */
                d->pause_usec = PL_MIN(d->pause_usec * 2, PL_DRIFT_PAUSE_MAX_USEC);
                d->until_usec = now_usec + d->pause_usec;
                d->repairs++;
                d->last_usec = now_usec;
                return PL_DRIFT_REPAIR;
        }

        if (d->in_window == 0 || now_usec - d->window_usec >= PL_DRIFT_WINDOW_USEC) {
                d->window_usec = now_usec;
                d->in_window = 0;
        }
        if (d->in_window >= PL_DRIFT_BURST) {
                d->pause_usec = PL_DRIFT_PAUSE_USEC;
                d->until_usec = now_usec + d->pause_usec;
                d->in_window = 0;
                return PL_DRIFT_STANDOFF_BEGIN;
        }
        d->in_window++;
        d->repairs++;
        d->last_usec = now_usec;
        return PL_DRIFT_REPAIR;
}

bool pl_drift_settled(PlDrift *d, uint64_t now_usec) {
        if (d->pause_usec == 0 || now_usec - d->last_usec < PL_DRIFT_WINDOW_USEC)
                return false;
        return pl_drift_end(d);
}

bool pl_drift_end(PlDrift *d) {
        bool was = d->pause_usec > 0;

        d->pause_usec = 0;
        d->until_usec = 0;
        d->in_window = 0;
        return was;
}

bool pl_drift_is_guess(const PlDriftSigns *s) {
        return !s->update && !s->properties && !s->reload && !s->own;
}

const char *pl_drift_hand(const PlDriftSigns *s) {
        if (s->update)
                return "docker update";
        if (s->properties)
                return "systemctl set-property or the engine";
        if (s->reload)
                return "systemd daemon-reload";
        if (s->own)
                return NULL;
        return s->scope ? "systemd or a direct write to the cgroup"
                        : "a direct write to the cgroup";
}
