/* SPDX-License-Identifier: Apache-2.0 */

/* Points: the programs' own function, which does nothing. A test program's is strong, and replaces
 * it. */

#include "base/point.h"

__attribute__((weak)) void pl_point(const char *name) {
        (void)name;
}
