/* SPDX-License-Identifier: Apache-2.0 */

/*
 * plimsolld that dies in a rotation: PLIMSOLL_ROTATE_DIE=committed or marked, in the second one, so
 * that there is an archive before. The real plimsolld's pl_log_rotate_point() does nothing.
 */

#include <signal.h>

#include "lib/base/macro.h"
#include "rotate/point.h"

void pl_log_rotate_point(PlRotatePoint p) {
        const char *die = getenv("PLIMSOLL_ROTATE_DIE");
        static unsigned passed;
        PlRotatePoint at = die && pl_streq(die, "marked") ? PL_ROTATE_POINT_MARKED
                                                          : PL_ROTATE_POINT_COMMITTED;

        if (p == at && ++passed == 2)
                (void)raise(SIGKILL);
}
