/* SPDX-License-Identifier: Apache-2.0 */

/* Health points: the daemon's own, which does nothing. A test program's is strong, and replaces it.
 */

#include "health/point.h"

__attribute__((weak)) void pl_health_point(PlHealthPoint p) {
        (void)p;
}
