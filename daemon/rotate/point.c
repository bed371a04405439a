/* SPDX-License-Identifier: Apache-2.0 */

/* Rotation points: the daemon's own, which does nothing. A test program's is strong, and replaces
 * it. */

#include "rotate/point.h"

__attribute__((weak)) void pl_log_rotate_point(PlRotatePoint p) {
        (void)p;
}
