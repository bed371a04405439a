/* SPDX-License-Identifier: Apache-2.0 */

/* Loop: see the header. There is one for the whole process, as there is one thread that runs it. */

#include "base/loop.h"

#include "base/clock.h"

static PlLoopTurn longest;
static const char *doing;

void pl_loop_doing(const char *what) {
        doing = what;
}

const PlLoopTurn *pl_loop_longest(void) {
        return &longest;
}

/* Return: as sd_event_dispatch(). */
static int turn(sd_event *event, void (*told)(const PlLoopTurn *turn)) {
        uint64_t begin = pl_clock_usec(CLOCK_MONOTONIC),
                 cpu = pl_clock_usec(CLOCK_THREAD_CPUTIME_ID);
        uint64_t usec;
        int r;

        doing = "other";
        r = sd_event_dispatch(event);
        usec = pl_clock_usec(CLOCK_MONOTONIC) - begin;
        if (usec <= longest.usec)
                return r;
        longest = (PlLoopTurn){ .usec = usec,
                                .cpu_usec = pl_clock_usec(CLOCK_THREAD_CPUTIME_ID) - cpu,
                                .at_usec = pl_clock_usec(CLOCK_REALTIME),
                                .doing = doing };
        if (usec >= PL_LOOP_LONG_USEC)
                told(&longest);
        return r;
}

int pl_loop_run(sd_event *event, void (*told)(const PlLoopTurn *turn)) {
        int r = 0;

        while (r >= 0 && sd_event_get_state(event) != SD_EVENT_FINISHED) {
                r = sd_event_prepare(event);
                if (r == 0)
                        r = sd_event_wait(event, UINT64_MAX);
                if (r > 0)
                        r = turn(event, told);
        }
        if (r >= 0)
                (void)sd_event_get_exit_code(event, &r);
        return r;
}
