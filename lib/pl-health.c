/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Health: what a service's state is, and how evidence moves it.
 *
 * The words are part of the control socket's contract and of the journal's PLIMSOLL_HEALTH field:
 * they are never renamed.
 */

#include "pl-health.h"

static const char *const names[_PL_HEALTH_N] = {
        [PL_HEALTH_UNKNOWN] = "unknown",     [PL_HEALTH_STARTING] = "starting",
        [PL_HEALTH_HEALTHY] = "healthy",     [PL_HEALTH_DEGRADED] = "degraded",
        [PL_HEALTH_UNHEALTHY] = "unhealthy", [PL_HEALTH_ABSENT] = "absent",
};

const char *pl_health_state_to_string(PlHealthState s) {
        return (unsigned)s < _PL_HEALTH_N ? names[s] : names[PL_HEALTH_UNKNOWN];
}

PlHealthState pl_health_state_from_string(const char *s) {
        for (unsigned i = 0; s && i < _PL_HEALTH_N; i++)
                if (pl_streq(s, names[i]))
                        return (PlHealthState)i;
        return _PL_HEALTH_N;
}
