/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Locate: finds a container's group: where it was seen to appear, below a parent that is known to
 * hold containers, or by the container's first process. Only the last is proof.
 */

#include "enforce/locate.h"

#include <errno.h>

#include "enforce/news.h"
#include "enforce/queue.h"
#include "lib/base/message.h"
#include "lib/limits/parent.h"

/* How many parents to remember: an engine has one or two, and a container may ask for its own. The
 * fixed ones are the engine's defaults. */
#define PARENTS_MAX   32
#define PARENTS_FIXED 2

static void learn_parent(PlEnforcer *e, const char *parent) {
        size_t n = 0;
        char **grown;
        int r;

        for (; e->places.parents && e->places.parents[n]; n++)
                if (pl_streq(e->places.parents[n], parent))
                        return;
        if (n == PARENTS_MAX) {
                pl_cg_watch_forget_parent(e->watch, e->places.parents[PARENTS_FIXED]);
                free(e->places.parents[PARENTS_FIXED]);
                memmove(e->places.parents + PARENTS_FIXED, e->places.parents + PARENTS_FIXED + 1,
                        (n - PARENTS_FIXED) * sizeof(char *));
                n--;
        }
        grown = reallocarray(e->places.parents, n + 2, sizeof(char *));
        if (!grown)
                return;
        e->places.parents = grown;
        grown[n] = strdup(parent);
        grown[n + 1] = NULL;
        r = pl_cg_watch_parent(e->watch, parent);
        if (r < 0)
                pl_log_warning("Cannot watch cgroup %s (%s): containers below it get their limits "
                               "at the start event instead of before it",
                               parent, strerror(-r));
}

void pl_locate_begin(PlEnforcer *e) {
        int r;

        /* The defaults of Docker's two cgroup drivers, and wherever else containers may appear: the
         * engine does not tell its own setting. */
        learn_parent(e, "docker");
        learn_parent(e, "system.slice");
        r = pl_cg_watch_discover(e->watch);
        if (r < 0)
                pl_log_warning("Cannot look for the cgroups below which containers are made (%s): "
                               "the first one below each may get its limits late",
                               strerror(-r));
}

void pl_locate_end(PlEnforcer *e) {
        for (char **p = e->places.parents; p && *p; p++)
                free(*p);
        free(e->places.parents);
        for (size_t i = 0; i < PL_UNBORN_MAX; i++)
                free(e->places.unborn[i].parent);
}

static bool same_group(const PlCgroup *a, const PlCgroup *b) {
        return memcmp(a->inode, b->inode, sizeof(a->inode)) == 0;
}

void pl_locate_drop(PlEnforcer *e, PlHeld *h) {
        pl_cg_watch_remove(e->watch, h->subject->id);
        e->handlers->group(e->userdata, h->subject, NULL);
        pl_held_drop_cgroup(h);
}

/* @started_usec: of the run that it is proven to be of; 0: nobody knows. @made: it was seen to be
 * made. */
static void adopt(PlEnforcer *e, PlHeld *h, PlCgroup *g, uint64_t started_usec, bool made) {
        _cleanup_free_ char *parent = NULL;

        if (h->cgroup && same_group(h->cgroup, g)) {
                pl_cgroup_free(g);
                if (h->cgroup_started_usec == 0 && started_usec > 0) {
                        /* what runc and systemd have written since is part of the start */
                        h->held = 0;
                        h->retry.refused = 0;
                        h->fresh = false;
                }
                h->cgroup_started_usec = started_usec;
                return;
        }
        pl_locate_drop(e, h);
        (void)pl_drift_end(&h->drift); /* whoever wrote there knows nothing of this one yet */
        h->cgroup = g;
        h->cgroup_started_usec = started_usec;
        /* an earlier plimsolld borrowed it: the next plan gives it back, or goes on */
        h->squeeze.high_held = h->originals.state.squeeze_high.set;
        h->squeeze.high_before = h->originals.state.squeeze_high.number;
        h->told.systemd_due = true;
        parent = pl_cgroup_parent(g);
        if (parent)
                learn_parent(e, parent);
        h->watch.group_due = true;
        h->watch.made = made;
}

bool pl_locate_watch(PlEnforcer *e, PlHeld *h) {
        int r;

        if (h->watch.group_due)
                e->handlers->group(e->userdata, h->subject, h->cgroup);
        h->watch.group_due = false;
        if (h->watch.on || pl_drift_is_standoff(&h->drift))
                return false;
        r = pl_cg_watch_add(e->watch, h->subject->id, h->cgroup);
        h->watch.on = r >= 0;
        if (r < 0 && !h->watch.cannot_be_said)
                pl_subject_report(e->reporter, h->subject, LOG_WARNING, NULL, NULL, NULL,
                                  "cannot watch its cgroup (%s); drift is found by the sweep every "
                                  "minute only. Is fs.inotify.max_user_watches too low?",
                                  strerror(-r));
        h->watch.cannot_be_said = r < 0;
        return h->watch.on;
}

void pl_locate_unwatch(PlEnforcer *e, PlHeld *h) {
        pl_cg_watch_remove(e->watch, h->subject->id);
        h->watch.on = false;
}

bool pl_locate_by_parent(PlEnforcer *e, PlHeld *h) {
        size_t n = 0;

        while (e->places.parents && e->places.parents[n])
                n++;
        while (n-- > 0) { /* where one was found last comes first */
                PlCgroup *g = NULL;

                if (pl_cgroup_from_parent(e->mounts, e->places.parents[n], h->subject->id, &g) >=
                    0) {
                        adopt(e, h, g, 0, false);
                        return true;
                }
        }
        return false;
}

/* It has no group yet: look where the engine says that it will be. */
static void await_group(PlEnforcer *e, const PlHeld *h) {
        _cleanup_free_ char *parent = NULL;

        if (pl_held_wanted(h) != 0 &&
            pl_parent_of_setting(h->subject->facts->host.cgroup_parent, &parent) > 0)
                learn_parent(e, parent);
}

/* Return: is that news? */
static bool note_unreachable(PlHeld *h, const char *why) {
        bool news = pl_held_wanted(h) == 0;

        for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                if (h->want.v[r].set)
                        news |= pl_held_set_error(h, r, PL_OWNER_KERNEL, why);
        return news;
}

/* The proof. */
static void find_by_pid(PlEnforcer *e, PlHeld *h) {
        PlCgroup *g = NULL;
        int r;

        h->watch.blind = false;
        if (!h->subject->facts || !pl_container_is_live(h->subject->facts))
                return;
        if (h->cgroup && h->cgroup_started_usec == h->subject->facts->started_usec)
                return;
        r = pl_cgroup_from_pid(e->mounts, h->subject->facts->pid, h->subject->id, &g);
        if (r >= 0) {
                adopt(e, h, g, h->subject->facts->started_usec, false);
                return;
        }
        /* the process was moved away, and the group is where it was made */
        if (r == -ENXIO && (h->cgroup || pl_locate_by_parent(e, h))) {
                h->cgroup_started_usec = h->subject->facts->started_usec;
                h->held = 0;
                h->fresh = false;
                return;
        }
        if (r == -ESRCH || r == -ENOENT || r == -ESTALE || r == -ENXIO) {
                /* Gone since the answer: the die event or the sweep will tell. */
                pl_log_debug("%s: process %d is gone already", pl_subject_name(h->subject),
                             (int)h->subject->facts->pid);
                return;
        }
        h->watch.blind = !h->cgroup && r != -EXDEV; /* that one will never be seen */
        if (!note_unreachable(h, strerror(-r)))
                return;
        pl_subject_report(e->reporter, h->subject, LOG_WARNING, PL_MESSAGE_LIMITS_FAILED,
                          strerror(-r), NULL, "cannot find its cgroup from process %d: %s",
                          (int)h->subject->facts->pid, strerror(-r));
}

void pl_locate(PlEnforcer *e, PlHeld *h) {
        find_by_pid(e, h);
        if (!h->cgroup)
                await_group(e, h);
}

void pl_locate_claim(PlEnforcer *e, PlHeld *h) {
        PlCgroup *g = NULL;

        for (size_t i = 0; i < PL_UNBORN_MAX && !h->cgroup; i++) {
                PlUnborn *u = &e->places.unborn[i];

                if (!u->parent || !pl_streq(u->id, h->subject->id))
                        continue;
                if (pl_cgroup_from_parent(e->mounts, u->parent, h->subject->id, &g) < 0)
                        continue;
                pl_news_start(h);
                adopt(e, h, g, 0, u->made);
        }
}

static void note_unborn(PlEnforcer *e, const char *id, const char *parent, bool made) {
        PlUnborn *u;

        for (size_t i = 0; i < PL_UNBORN_MAX; i++)
                if (pl_streq(e->places.unborn[i].id, id))
                        return; /* in another hierarchy */
        u = &e->places.unborn[e->places.n_unborn++ % PL_UNBORN_MAX];
        free(u->parent);
        u->parent = strdup(parent);
        u->made = made && e->registry->connected;
        (void)snprintf(u->id, sizeof(u->id), "%s", id);
}

/* A group with this container's id has just been made, before the container's first instruction. */
static void on_appeared(void *userdata, const char *id, const char *parent, PlController c,
                        bool made) {
        PlEnforcer *e = userdata;
        PlHeld *h = pl_enforcer_find(e, id);
        PlCgroup *g = NULL;

        if (e->no_early_write)
                return;
        if (!h) {
                note_unborn(e, id, parent, made);
                return;
        }
        if (h->cgroup && h->cgroup_started_usec == 0 && h->cgroup->dir_fd[c] >= 0)
                return; /* found along with another hierarchy's */
        if (pl_cgroup_from_parent(e->mounts, parent, id, &g) < 0)
                return;
        pl_news_start(h);
        adopt(e, h, g, 0, made && e->registry->connected);
        h->fresh = false;
        pl_queue_put(e, h, PL_QUEUE_KERNEL);
}

static void on_changed(void *userdata, const char *id, uint32_t mask) {
        PlEnforcer *e = userdata;
        PlHeld *h = pl_enforcer_find(e, id);

        /* on v1 MemorySwapMax is a difference, and moves with the limit of memory */
        if (mask & (1U << PL_RESOURCE_MEMORY_MAX) &&
            e->mounts->hierarchy[PL_CONTROLLER_MEMORY] == PL_HIERARCHY_V1)
                mask |= 1U << PL_RESOURCE_MEMORY_SWAP_MAX;
        if (!h || !(mask & pl_held_wanted(h)))
                return;
        h->fresh = false;
        pl_queue_put(e, h, PL_QUEUE_KERNEL);
}

static void on_gone(void *userdata, const char *id) {
        PlEnforcer *e = userdata;
        PlHeld *h = pl_enforcer_find(e, id);

        if (!h || !h->cgroup)
                return;
        pl_locate_drop(e, h);
}

const PlCgWatchHandlers pl_locate_handlers = {
        .appeared = on_appeared,
        .changed = on_changed,
        .gone = on_gone,
};
