/* SPDX-License-Identifier: Apache-2.0 */

/*
 * OOM watch on cgroup v1: eventfds on memory.oom_control and memory.pressure_level.
 *
 * Source: kernel Documentation/admin-guide/cgroup-v1/memory.rst, 9 to 11. The kernel signals before
 * it chooses a victim, and in all groups below the full one, and when a group is removed; only the
 * counter tells whether a process of this group was killed. The early signal has one advantage:
 * usage can be read while it is at the limit.
 */

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "cgroup/read.h"
#include "oom/group.h"

/* The victim is chosen within milliseconds; a second covers a host that is busy reclaiming. */
#define CHOICE_USEC      PL_USEC_PER_SEC
#define CHOICE_STEP_USEC PL_USEC_PER_MSEC

static int count(const PlOomGroup *o, PlOomCount *ret) {
        uint64_t no_kill = 0, waits = 0;
        char buf[256];
        ssize_t n;
        _cleanup_close_ int fd = openat(o->g->dir_fd[PL_CONTROLLER_MEMORY], "memory.oom_control",
                                        O_RDONLY | O_CLOEXEC);

        if (fd < 0)
                return errno == ENOENT ? -ENODEV : -errno;
        n = read(fd, buf, sizeof(buf) - 1);
        if (n < 0)
                return -errno;
        buf[n] = '\0';
        *ret = (PlOomCount){ 0 };
        pl_cg_take_key(buf, "oom_kill", &ret->kills); /* Linux 4.13 */
        pl_cg_take_key(buf, "oom_kill_disable", &no_kill);
        pl_cg_take_key(buf, "under_oom", &waits);
        ret->frozen = no_kill && waits;
        return 0;
}

/* "EVENTFD FD [ARGUMENTS]". Return: the eventfd, or -errno. */
static int subscribe(int dir_fd, const char *file, const char *argument) {
        _cleanup_close_ int event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        _cleanup_close_ int target = openat(dir_fd, file, O_RDONLY | O_CLOEXEC);
        _cleanup_close_ int control = openat(dir_fd, "cgroup.event_control", O_WRONLY | O_CLOEXEC);
        char line[64];
        int n;

        if (event < 0 || target < 0 || control < 0)
                return errno == ENOENT ? -EOPNOTSUPP : -errno;
        n = snprintf(line, sizeof(line), "%d %d %s", event, target, argument);
        if (write(control, line, (size_t)n) < 0)
                return -errno;
        return TAKE_FD(event);
}

static void drain(int fd) {
        uint64_t n;

        if (read(fd, &n, sizeof(n)) < 0) { /* EAGAIN: it was empty already */
        }
}

static void on_oom(PlOomGroup *o) {
        drain(o->oom.fd);
        o->handlers->stirred(o, true, CHOICE_STEP_USEC, CHOICE_USEC);
}

static int on_calm(sd_event_source *source, uint64_t usec, void *userdata) {
        PlOomGroup *o = userdata;

        if (o->press.fd >= 0) {
                drain(o->press.fd);
                (void)o->handlers->listen(&o->press, true);
        }
        return 0;
}

/* Reclaim signals with every batch of pages, so listen once in a window. */
static void on_pressure(PlOomGroup *o) {
        int r = 0;

        drain(o->press.fd);
        (void)o->handlers->listen(&o->press, false);
        if (!o->calm)
                r = sd_event_add_time_relative(o->event, &o->calm, CLOCK_BOOTTIME,
                                               PL_OOM_WINDOW_USEC, 0, on_calm, o);
        else
                r = sd_event_source_set_time_relative(o->calm, PL_OOM_WINDOW_USEC);
        if (r >= 0)
                (void)sd_event_source_set_enabled(o->calm, SD_EVENT_ONESHOT);
        (void)o->handlers->pressed(o);
}

static int arm(PlOomGroup *o, PlOomCount *ret) {
        int r = count(o, ret);

        if (r < 0)
                return r;
        o->oom.fd = subscribe(o->g->dir_fd[PL_CONTROLLER_MEMORY], "memory.oom_control", "");
        if (o->oom.fd < 0)
                return o->oom.fd;
        o->oom.events = EPOLLIN;
        o->oom.heard = on_oom;
        return o->handlers->listen(&o->oom, true);
}

static int arm_pressure(PlOomGroup *o) {
        /* "medium": reclaim is having a hard time; "low" comes with every file that is read */
        o->press.fd = subscribe(o->g->dir_fd[PL_CONTROLLER_MEMORY], "memory.pressure_level",
                                "medium");
        if (o->press.fd < 0)
                return o->press.fd;
        o->press.events = EPOLLIN;
        o->press.heard = on_pressure;
        return o->handlers->listen(&o->press, true);
}

const PlOomKernel pl_oom_v1 = {
        .arm = arm,
        .arm_pressure = arm_pressure,
        .count = count,
};
