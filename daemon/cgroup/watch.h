/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Cgroup watch: inotify on parents (a container's group appears, goes) and on groups (somebody
 * wrote one of our files). Callbacks record and schedule; they never act.
 *
 * Writes come in storms (one systemd pass: 13 events in 40 ms), so changed() is debounced per
 * group: first write + 100 ms. An overflow of the queue reports every watched group as changed.
 */

#include <systemd/sd-event.h>

#include "cgroup/path.h"

typedef struct PlCgWatch PlCgWatch;

typedef struct PlCgWatchHandlers {
        /* A directory with this id has appeared under a watched parent, in this controller. On v1
         * each hierarchy reports on its own. Called at once: this is the born-limited path. One
         * that appears while its parent is first looked at may be reported twice.
         * @made: it was seen to be made, or its parent was; false: it may have been there for long
         */
        void (*appeared)(void *userdata, const char *id, const char *parent, PlController c,
                         bool made);
        /* Files of these resources were written, by anyone, since the last call. */
        void (*changed)(void *userdata, const char *id, uint32_t mask);
        void (*gone)(void *userdata, const char *id);
} PlCgWatchHandlers;

int pl_cg_watch_new(sd_event *event, const PlCgroupMounts *m, const PlCgWatchHandlers *handlers,
                    void *userdata, PlCgWatch **ret);
PlCgWatch *pl_cg_watch_free(PlCgWatch *w);
PL_DEFINE_CLEANUP(PlCgWatch *, pl_cg_watch_free)

/** pl_cg_watch_parent() - watch a parent (relative path) in every hierarchy; idempotent. A parent
 * that does not exist yet is awaited, one that goes is awaited again. Groups that are in it already
 * are reported as appeared, later, from the loop.
 * Return: 0; -ENOSPC: fs.inotify.max_user_watches; -ENOMEM, -errno. */
int pl_cg_watch_parent(PlCgWatch *w, const char *parent);

/** pl_cg_watch_forget_parent() - groups below it are reported no more, unless it is discovered. */
void pl_cg_watch_forget_parent(PlCgWatch *w, const char *parent);

/** pl_cg_watch_discover() - find parents that nobody has named. In one hierarchy, every directory
 * near the top that may hold containers is a parent for as long as it exists.
 * Return: as pl_cg_watch_parent(). */
int pl_cg_watch_discover(PlCgWatch *w);

/** pl_cg_watch_add() / _remove() - watch a group's own files; idempotent, and a group that gained a
 * hierarchy or was made anew is taken as it is now. One watch for each mount.
 * Return: as pl_cg_watch_parent(). */
int pl_cg_watch_add(PlCgWatch *w, const char *id, const PlCgroup *g);
void pl_cg_watch_remove(PlCgWatch *w, const char *id);
