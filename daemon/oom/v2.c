/* SPDX-License-Identifier: Apache-2.0 */

/*
 * OOM watch on cgroup v2: memory.events for kills, a PSI trigger on memory.pressure.
 *
 * Sources: kernel Documentation/admin-guide/cgroup-v2.rst (memory.events), accounting/psi.rst.
 * memory.events counts the groups below as well, which is what a container that makes groups of its
 * own needs. It changes at each "max" too, thousands of times a second for a container that lives
 * at its limit, so after a change without a kill it is left alone for a moment.
 */

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>

#include "base/journal.h"
#include "oom/internal.h"

#define QUIET_USEC (50 * PL_USEC_PER_MSEC)

int pl_oom_v2_count(OomEntry *e, PlOomCount *ret) {
        char buf[512];
        ssize_t n = pread(e->oom_fd, buf, sizeof(buf) - 1, 0);

        if (n < 0)
                return -errno;
        buf[n] = '\0';
        *ret = (PlOomCount){ 0 };
        pl_cg_take_key(buf, "oom_kill", &ret->kills);
        pl_cg_take_key(buf, "oom_group_kill", &ret->groups);
        return 0;
}

static int on_events(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        OomEntry *e = userdata;

        (void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
        pl_oom_watch_look_again(e, QUIET_USEC, QUIET_USEC);
        pl_oom_watch_look(e);
        return 0;
}

static int on_pressure(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        OomEntry *e = userdata;

        /* the kernel reports once a window by itself; a removed group reports for ever */
        if (!pl_oom_watch_press(e))
                e->press = sd_event_source_disable_unref(e->press);
        return 0;
}

static int arm_pressure(OomEntry *e) {
        char trigger[64];
        int r;

        e->press_fd = openat(e->g->dir_fd[PL_CONTROLLER_MEMORY], "memory.pressure",
                             O_RDWR | O_NONBLOCK | O_CLOEXEC);
        if (e->press_fd < 0)
                return -errno;
        r = snprintf(trigger, sizeof(trigger), "some %" PRIu64 " %" PRIu64, PL_OOM_TRIGGER_USEC,
                     PL_OOM_WINDOW_USEC);
        /* with the NUL: before Linux 5.2 the last byte was cut off */
        if (write(e->press_fd, trigger, (size_t)r + 1) < 0)
                return -errno;
        return sd_event_add_io(e->w->event, &e->press, e->press_fd, EPOLLPRI, on_pressure, e);
}

int pl_oom_v2_arm(OomEntry *e) {
        int r;

        e->oom_fd = openat(e->g->dir_fd[PL_CONTROLLER_MEMORY], "memory.events",
                           O_RDONLY | O_CLOEXEC);
        if (e->oom_fd < 0)
                return -errno;
        /* also tells poll(2) from where on to report */
        r = pl_oom_v2_count(e, &e->count);
        if (r >= 0)
                r = sd_event_add_io(e->w->event, &e->oom, e->oom_fd, EPOLLPRI, on_events, e);
        if (r < 0)
                return r;
        r = arm_pressure(e);
        if (r < 0) {
                pl_closep(&e->press_fd);
                e->press_fd = -EBADF;
                if (!e->w->said_press)
                        pl_log_info("This kernel does not report memory pressure of groups (%s): "
                                    "kills are reported without a warning before",
                                    strerror(-r));
                e->w->said_press = true;
        }
        return 0;
}
