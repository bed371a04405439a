/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Health: what a service's state is, and how evidence moves it (a table of transitions).
 */

#include "pl-macro.h"

typedef enum PlHealthState {
        PL_HEALTH_UNKNOWN,
        PL_HEALTH_STARTING,
        PL_HEALTH_HEALTHY,
        PL_HEALTH_DEGRADED,
        PL_HEALTH_UNHEALTHY,
        PL_HEALTH_ABSENT,
        _PL_HEALTH_N,
} PlHealthState;

const char *pl_health_state_to_string(PlHealthState s);
PlHealthState pl_health_state_from_string(const char *s); /* _PL_HEALTH_N: unknown word */
