/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Health points: where plimsolld can be killed or held in a restart, so that tests can do it there.
 *
 * The daemon's own pl_health_point() is weak and empty: one call that returns.
 */

typedef enum PlHealthPoint {
        PL_HEALTH_POINT_INTENT,   /* it is on disk, and nothing was sent */
        PL_HEALTH_POINT_STOPPED,  /* the engine has stopped it, and nobody has looked since */
        PL_HEALTH_POINT_STARTING, /* it was looked at, and the start was not sent */
        PL_HEALTH_POINT_STARTED,  /* the engine has started it, and that is nowhere written down */
        _PL_HEALTH_POINT_N,
} PlHealthPoint;

void pl_health_point(PlHealthPoint p);
