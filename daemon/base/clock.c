/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Clock: clock_gettime(2), sd_event_now(3) and nanosleep(2). See the header.
 *
 * None of them can fail with the clocks that Linux has.
 */

#include "base/clock.h"

uint64_t pl_clock_usec(clockid_t clock) {
        struct timespec t = {};

        (void)clock_gettime(clock, &t);
        return (uint64_t)t.tv_sec * PL_USEC_PER_SEC + (uint64_t)t.tv_nsec / 1000;
}

uint64_t pl_clock_loop_usec(sd_event *event, clockid_t clock) {
        uint64_t usec = 0;

        (void)sd_event_now(event, clock, &usec);
        return usec;
}

void pl_clock_sleep(uint64_t usec) {
        const struct timespec t = { .tv_sec = (time_t)(usec / PL_USEC_PER_SEC),
                                    .tv_nsec = (long)(usec % PL_USEC_PER_SEC) * 1000 };

        (void)nanosleep(&t, NULL);
}
