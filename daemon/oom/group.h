/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * OOM, one group: what the kernel tells of it, with one table of functions for cgroup v1 and one
 * for v2.
 *
 * They listen and count. The watch decides what a count means and when to look again.
 */

#include <systemd/sd-event.h>

#include "cgroup/path.h"
#include "lib/oom/report.h"

/* The kernel's counters of a group. */
typedef struct PlOomCount {
        uint64_t kills;  /* of processes */
        uint64_t groups; /* of whole groups, Linux 5.17 */
        bool frozen;     /* v1: a process waits for memory, and the kernel may not kill for it */
} PlOomCount;

typedef struct PlOomGroup PlOomGroup;

/* A descriptor that is listened to. All of a watch are in one set of epoll(7): a source of the
 * event loop takes 300 bytes, and each container has two of these. */
typedef struct PlOomEar {
        int fd;          /* owned by the group; -EBADF: none. v1: eventfd */
        uint32_t events; /* EPOLLIN, or EPOLLPRI */
        void (*heard)(PlOomGroup *o);
        PlOomGroup *group;
} PlOomEar;

typedef struct PlOomGroupHandlers {
        /* Begin to listen, or leave off. Return: 0, -errno. */
        int (*listen)(PlOomEar *ear, bool on);
        /* Something happened that may be a kill: look now, and again after step, doubling, for a
         * time. @full: usage is at its limit at this very moment. */
        void (*stirred)(PlOomGroup *o, bool full, uint64_t step_usec, uint64_t for_usec);
        /* Memory is short. Return: false when the group is gone. */
        bool (*pressed)(PlOomGroup *o);
} PlOomGroupHandlers;

/* A group that we listen to. The watch makes it, and closes what is open in it. */
struct PlOomGroup {
        sd_event *event;
        const PlOomGroupHandlers *handlers;
        const PlCgroup *g;     /* borrowed; NULL: none at present */
        PlOomEar oom, press;   /* v2: memory.events, memory.pressure */
        sd_event_source *own;  /* v2: of press, which is in no set; see daemon/oom/v2.c */
        sd_event_source *calm; /* switches pressure on again (v1) */
};

typedef struct PlOomKernel {
        /* Listen for kills; @ret: the counters before the first one. Return: 0; -ENODEV: the group
         * is gone; -errno. */
        int (*arm)(PlOomGroup *o, PlOomCount *ret);
        /* Listen for pressure. Return: 0; -errno: this kernel does not tell. */
        int (*arm_pressure)(PlOomGroup *o);
        /* Return: 0; -ENODEV: the group is gone; -errno. */
        int (*count)(const PlOomGroup *o, PlOomCount *ret);
        /* Add to a sample how long tasks have waited for memory. NULL: it cannot tell. */
        void (*read_pressure)(const PlOomGroup *o, PlOomSample *s);
} PlOomKernel;

extern const PlOomKernel pl_oom_v1, pl_oom_v2;
