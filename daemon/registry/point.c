/* SPDX-License-Identifier: Apache-2.0 */

/* Import points: the daemon's own, which does nothing. A test program's is strong, and replaces it.
 */

#include "registry/point.h"

__attribute__((weak)) void pl_import_point(PlImportPoint p) {
        (void)p;
}
