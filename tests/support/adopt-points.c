/* SPDX-License-Identifier: Apache-2.0 */

/*
 * plimsollctl that dies where a test wants it: PLIMSOLL_ADOPT_DIE=POINT, or stands still there with
 * PLIMSOLL_ADOPT_HOLD=POINT, so that a test can kill its guardian first. The real plimsollctl's
 * pl_adopt_point() does nothing.
 */

#include <signal.h>

#include "ctl/adopt/run.h"

void pl_adopt_point(const char *name) {
        const char *die = getenv("PLIMSOLL_ADOPT_DIE"), *hold = getenv("PLIMSOLL_ADOPT_HOLD");

        if (die && pl_streq(die, name))
                (void)raise(SIGKILL);
        if (hold && pl_streq(hold, name))
                (void)raise(SIGSTOP);
}
