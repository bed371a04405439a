/* SPDX-License-Identifier: Apache-2.0 */

/*
 * plimsolld that dies in a restart: PLIMSOLL_RESTART_DIE=intent, stopped, starting or started; or
 * stands still there with PLIMSOLL_RESTART_HOLD=POINT, until a test lets it go on or kills it. The
 * real plimsolld's pl_health_point() does nothing.
 */

#include <signal.h>

#include "health/point.h"
#include "lib/base/macro.h"

static const char *const names[_PL_HEALTH_POINT_N] = {
        [PL_HEALTH_POINT_INTENT] = "intent",
        [PL_HEALTH_POINT_STOPPED] = "stopped",
        [PL_HEALTH_POINT_STARTING] = "starting",
        [PL_HEALTH_POINT_STARTED] = "started",
};

void pl_health_point(PlHealthPoint p) {
        const char *die = getenv("PLIMSOLL_RESTART_DIE"), *hold = getenv("PLIMSOLL_RESTART_HOLD");

        if (die && pl_streq(die, names[p]))
                (void)raise(SIGKILL);
        if (hold && pl_streq(hold, names[p]))
                (void)raise(SIGSTOP);
}
