/* SPDX-License-Identifier: Apache-2.0 */

/*
 * OOM watch on cgroup v2: memory.events for kills, a PSI trigger on memory.pressure.
 *
 * Sources: kernel Documentation/admin-guide/cgroup-v2.rst (memory.events), accounting/psi.rst.
 * memory.events counts the groups below as well, as a container that makes groups of its own needs.
 * It also changes at each "max", thousands of times a second for a container that lives at its
 * limit: after a change without a kill we leave it alone for a moment.
 */

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>

#include "base/fs.h"
#include "base/loop.h"
#include "cgroup/read.h"
#include "oom/group.h"

#define QUIET_USEC (50 * PL_USEC_PER_MSEC)

static int count(const PlOomGroup *o, PlOomCount *ret) {
        char buf[512];
        ssize_t n = pread(o->oom.fd, buf, sizeof(buf) - 1, 0);

        if (n < 0)
                return -errno;
        buf[n] = '\0';
        *ret = (PlOomCount){ 0 };
        pl_cg_take_key(buf, "oom_kill", &ret->kills);
        pl_cg_take_key(buf, "oom_group_kill", &ret->groups);
        return 0;
}

static void on_events(PlOomGroup *o) {
        (void)o->handlers->listen(&o->oom, false);
        o->handlers->stirred(o, false, QUIET_USEC, QUIET_USEC);
}

static int on_pressure(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        PlOomGroup *o = userdata;

        pl_loop_doing("lack of memory");
        /* the kernel reports once a window by itself; a removed group reports for ever */
        if (!o->handlers->pressed(o))
                o->own = sd_event_source_disable_unref(o->own);
        return 0;
}

static int arm_pressure(PlOomGroup *o) {
        char trigger[64];
        int r;

        o->press.fd = openat(o->g->dir_fd[PL_CONTROLLER_MEMORY], "memory.pressure",
                             O_RDWR | O_NONBLOCK | O_CLOEXEC);
        if (o->press.fd < 0)
                return -errno;
        r = snprintf(trigger, sizeof(trigger), "some %" PRIu64 " %" PRIu64, PL_OOM_TRIGGER_USEC,
                     PL_OOM_WINDOW_USEC);
        /* with the NUL: before Linux 5.2 the last byte was cut off */
        if (write(o->press.fd, trigger, (size_t)r + 1) < 0)
                return -errno;
        /* Whoever asks whether a trigger has fired takes that away (psi.c, psi_trigger_poll()):
         * where one set of epoll(7) is in another, the outer one asks first, and nobody ever hears
         * of it. */
        return sd_event_add_io(o->event, &o->own, o->press.fd, EPOLLPRI, on_pressure, o);
}

static int arm(PlOomGroup *o, PlOomCount *ret) {
        int r;

        o->oom.fd = openat(o->g->dir_fd[PL_CONTROLLER_MEMORY], "memory.events",
                           O_RDONLY | O_CLOEXEC);
        if (o->oom.fd < 0)
                return -errno;
        o->oom.events = EPOLLPRI;
        o->oom.heard = on_events;
        /* also tells poll(2) from where on to report */
        r = count(o, ret);
        return r < 0 ? r : o->handlers->listen(&o->oom, true);
}

static void read_pressure(const PlOomGroup *o, PlOomSample *s) {
        _cleanup_free_ char *text = NULL;

        if (pl_fs_read(o->g->dir_fd[PL_CONTROLLER_MEMORY], "memory.pressure", 4096, &text, NULL) ==
            0)
                pl_oom_parse_pressure(text, s);
}

const PlOomKernel pl_oom_v2 = {
        .arm = arm,
        .arm_pressure = arm_pressure,
        .count = count,
        .read_pressure = read_pressure,
};
