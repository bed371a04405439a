/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * OOM watch: what the kernel says of kills and pressure, container by container.
 *
 * v2: memory.events and a PSI trigger on memory.pressure; v1: eventfds on memory.oom_control and
 * memory.pressure_level. While nobody is short of memory nothing wakes up: samples are taken when
 * the kernel signals, never on a timer. Handlers run from the loop and may call back.
 */

#include <systemd/sd-event.h>

#include "cgroup/path.h"
#include "lib/oom/oomd.h"
#include "lib/oom/report.h"

typedef struct PlOomWatch PlOomWatch;

typedef struct PlOomWatchHandlers {
        /* Processes of the container were killed. Called as soon as the kernel log names the
         * victim, at the latest after 100 ms; after 150 ms where only the journal can be read. The
         * caller fills in the surroundings. */
        void (*killed)(void *userdata, const char *id, PlOomReport *report);
        /* The log was late: here is the victim that a report could not name. */
        void (*named)(void *userdata, const char *id, const PlKmsgKill *kill);
        /* It is frozen at its limit: whatever needs memory waits for it (v1, oom_kill_disable).
         * Called when that lasts, and when it is over. */
        void (*frozen)(void *userdata, const char *id, bool frozen);
        /* The kernel reports pressure; at most once in PL_OOM_WINDOW_USEC. */
        void (*pressed)(void *userdata, const char *id, const PlOomRing *ring,
                        const PlOomSample *s);
} PlOomWatchHandlers;

/** pl_oom_watch_new() - @kmsg: path of the kernel log. Return: 0, -ENOMEM, -errno. */
int pl_oom_watch_new(sd_event *event, const PlCgroupMounts *m, const char *kmsg,
                     const PlOomWatchHandlers *handlers, void *userdata, PlOomWatch **ret);
PlOomWatch *pl_oom_watch_free(PlOomWatch *w);
PL_DEFINE_CLEANUP(PlOomWatch *, pl_oom_watch_free)

/** pl_oom_watch_add() - watch a container's group from now on; what was killed in it before is not
 * reported. @g: borrowed until pl_oom_watch_remove().
 * Return: 0; -ENOENT: it has no memory group yet; -ENOMEM, -errno. */
int pl_oom_watch_add(PlOomWatch *w, const char *id, const PlCgroup *g);

/** pl_oom_watch_remove() - the group is going, or gone. A report under way is still made. */
void pl_oom_watch_remove(PlOomWatch *w, const char *id);

/** pl_oom_watch_check() - the container's first process has failed. Was it a kill that we missed?
 * v1 does not count the host's, and a group may go before we read it. */
void pl_oom_watch_check(PlOomWatch *w, const char *id);

/** pl_oom_watch_oomd() - what systemd-oomd has said of a kill in it (cgroup v2). @end_usec:
 * CLOCK_REALTIME. @ret: written where it has. */
void pl_oom_watch_oomd(PlOomWatch *w, const char *id, uint64_t end_usec, PlOomTraces *ret);

/** pl_oom_watch_fault() - what the kernel has said of this process' end, minutes ago at most. It is
 * told once. @ret: written where it has. */
void pl_oom_watch_fault(PlOomWatch *w, pid_t pid, PlOomTraces *ret);

/** pl_oom_watch_forget() - the container is removed for good. A report under way is made now. */
void pl_oom_watch_forget(PlOomWatch *w, const char *id);
