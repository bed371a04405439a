/* SPDX-License-Identifier: Apache-2.0 */

/*
 * plimsolld or plimsollctl that dies where a test wants it: PLIMSOLL_DIE=POINT, or stands still
 * there with PLIMSOLL_HOLD=POINT, until a test lets it go on or kills it. The real programs'
 * pl_point() does nothing.
 */

#include <signal.h>

#include "base/point.h"
#include "lib/base/macro.h"

void pl_point(const char *name) {
        const char *die = getenv("PLIMSOLL_DIE"), *hold = getenv("PLIMSOLL_HOLD");

        if (die && pl_streq(die, name))
                (void)raise(SIGKILL);
        if (hold && pl_streq(hold, name))
                (void)raise(SIGSTOP);
}
