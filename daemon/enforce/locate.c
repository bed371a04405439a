/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Which container, which group, which values: what a look at a container starts from.
 *
 * A group is found where it has been seen to appear, below a parent that is known to hold
 * containers, or by the container's first process; the last one is the proof.
 */

#include "manager-internal.h"

#include <errno.h>

#include "base/journal.h"
#include "cgroup/apply.h"
#include "lib/limits/desired.h"
#include "lib/limits/parent.h"
#include "lib/limits/unit-properties.h"

/* Parents that are remembered: engines have one or two, and a container may ask for its own. The
 * fixed ones are the engine's defaults. */
#define PARENTS_MAX   32
#define PARENTS_FIXED 2

/* Policies name devices by path, the kernel by number. A path that leads nowhere costs that value.
 */
static int resolve_devices(PlManager *m, PlSubject *s, PlLimits *want) {
        for (PlResource i = 0; i < _PL_RESOURCE_N; i++) {
                PlValue resolved = { 0 };
                int r;

                if (pl_resource_info(i)->kind != PL_KIND_DEVICES || !want->v[i].set)
                        continue;
                r = pl_cg_resolve_devices(&want->v[i], &resolved);
                if (r == -ENOMEM)
                        return r;
                pl_value_deinit(&want->v[i]);
                want->v[i] = resolved;
                if (r < 0 && pl_subject_set_error(s, i, PL_OWNER_KERNEL, "no such block device"))
                        pl_manager_say(m, s, LOG_ERR, PL_MESSAGE_LIMITS_FAILED, strerror(-r),
                                       "%s= not applied: a path of it belongs to no block device "
                                       "(%s)",
                                       pl_resource_info(i)->name, strerror(-r));
        }
        return 0;
}

/* systemd's drop-in for [Defaults] reaches containers with a section of their own as well. */
static int undo_defaults(PlManager *m, PlSubject *s, PlLimits *want) {
        PlLimits engine = { 0 };
        int r;

        if (!m->policy->defaults || !s->service || s->service == m->policy->defaults ||
            !s->cgroup || !s->cgroup->scope || !pl_systemd_is_supported(m->systemd))
                return 0;
        r = pl_container_limits(s->facts, m->mounts.hierarchy[PL_CONTROLLER_CPU], &engine);
        if (r >= 0)
                r = pl_unit_properties_undo_defaults(want, &m->policy->defaults->limits, &engine);
        pl_limits_deinit(&engine);
        return r;
}

int pl_manager_desire(PlManager *m, PlSubject *s) {
        PlLimits want = { 0 };
        int r;

        if (s->facts)
                s->service = m->stopping ? NULL : pl_policy_match(m->policy, s->facts);
        r = pl_desired_limits(s->service ? &s->service->limits : NULL, s->state.managed,
                              &s->state.original, &want, &s->restoring);
        if (r >= 0)
                r = undo_defaults(m, s, &want);
        if (r >= 0)
                r = resolve_devices(m, s, &want);
        if (r < 0) {
                pl_limits_deinit(&want);
                return r;
        }
        for (PlResource i = 0; i < _PL_RESOURCE_N; i++) {
                if (pl_value_equal(&want.v[i], &s->want.v[i]))
                        continue;
                s->systemd_due = true;
                s->held &= ~(1U << i); /* another wish: what is in force now is nobody's drift */
        }
        pl_limits_deinit(&s->want);
        s->want = want;
        return 0;
}

void pl_manager_learn_parent(PlManager *m, const char *parent) {
        size_t n = 0;
        char **grown;
        int r;

        for (; m->parents && m->parents[n]; n++)
                if (pl_streq(m->parents[n], parent))
                        return;
        if (n == PARENTS_MAX) {
                pl_cg_watch_forget_parent(m->watch, m->parents[PARENTS_FIXED]);
                free(m->parents[PARENTS_FIXED]);
                memmove(m->parents + PARENTS_FIXED, m->parents + PARENTS_FIXED + 1,
                        (n - PARENTS_FIXED) * sizeof(char *));
                n--;
        }
        grown = reallocarray(m->parents, n + 2, sizeof(char *));
        if (!grown)
                return;
        m->parents = grown;
        grown[n] = strdup(parent);
        grown[n + 1] = NULL;
        r = pl_cg_watch_parent(m->watch, parent);
        if (r < 0)
                pl_log_warning("Cannot watch cgroup %s (%s): containers below it get their limits "
                               "at the start event instead of before it",
                               parent, strerror(-r));
}

void pl_manager_free_parents(PlManager *m) {
        for (char **p = m->parents; p && *p; p++)
                free(*p);
        free(m->parents);
        for (size_t i = 0; i < PL_MANAGER_UNBORN_MAX; i++)
                free(m->unborn[i].parent);
}

void pl_manager_await(PlManager *m, const PlSubject *s) {
        _cleanup_free_ char *parent = NULL;

        if (pl_subject_wanted(s) != 0 &&
            pl_parent_of_setting(s->facts->host.cgroup_parent, &parent) > 0)
                pl_manager_learn_parent(m, parent);
}

static bool same_group(const PlCgroup *a, const PlCgroup *b) {
        return memcmp(a->inode, b->inode, sizeof(a->inode)) == 0;
}

void pl_manager_drop_cgroup(PlManager *m, PlSubject *s) {
        pl_cg_watch_remove(m->watch, s->id);
        pl_oom_watch_remove(m->oom, s->id);
        pl_subject_drop_cgroup(s);
}

void pl_manager_adopt_cgroup(PlManager *m, PlSubject *s, PlCgroup *g, uint64_t started_usec) {
        _cleanup_free_ char *parent = NULL;

        if (s->cgroup && same_group(s->cgroup, g)) {
                pl_cgroup_free(g);
                if (s->cgroup_started_usec == 0 && started_usec > 0) {
                        /* what runc and systemd have written since is the start's own doing */
                        s->held = 0;
                        s->fresh = false;
                }
                s->cgroup_started_usec = started_usec;
                return;
        }
        pl_manager_drop_cgroup(m, s);
        s->cgroup = g;
        s->cgroup_started_usec = started_usec;
        /* borrowed by a daemon that is gone: the next plan gives it back, or goes on */
        s->squeeze.high_held = s->state.squeeze_high.set;
        s->squeeze.high_before = s->state.squeeze_high.number;
        s->systemd_due = true;
        parent = pl_cgroup_parent(g);
        if (parent)
                pl_manager_learn_parent(m, parent);
        s->watch_due = true;
}

void pl_manager_watch_cgroup(PlManager *m, PlSubject *s) {
        int r;

        if (!s->watch_due)
                return;
        s->watch_due = false;
        pl_manager_watch_oom(m, s);
        r = pl_cg_watch_add(m->watch, s->id, s->cgroup);
        if (r < 0)
                pl_manager_say(m, s, LOG_WARNING, NULL, NULL,
                               "cannot watch its cgroup (%s); drift is found by the audit every "
                               "minute only. Is fs.inotify.max_user_watches too low?",
                               strerror(-r));
}

bool pl_manager_locate_by_parent(PlManager *m, PlSubject *s) {
        size_t n = 0;

        while (m->parents && m->parents[n])
                n++;
        while (n-- > 0) { /* where a container was seen last comes first */
                PlCgroup *g = NULL;

                if (pl_cgroup_from_parent(&m->mounts, m->parents[n], s->id, &g) >= 0) {
                        pl_manager_adopt_cgroup(m, s, g, 0);
                        return true;
                }
        }
        return false;
}

void pl_manager_locate_by_pid(PlManager *m, PlSubject *s) {
        PlCgroup *g = NULL;
        int r;

        if (!s->facts || !pl_container_is_live(s->facts))
                return;
        if (s->cgroup && s->cgroup_started_usec == s->facts->started_usec)
                return;
        r = pl_cgroup_from_pid(&m->mounts, s->facts->pid, s->id, &g);
        if (r >= 0) {
                pl_manager_adopt_cgroup(m, s, g, s->facts->started_usec);
                return;
        }
        if (r == -ESRCH || r == -ENOENT || r == -ESTALE) {
                /* Gone between the answer and now: the die event, or the audit, tells the rest. */
                pl_log_debug("%s: process %d is gone already", pl_subject_name(s),
                             (int)s->facts->pid);
                return;
        }
        pl_manager_say(m, s, LOG_WARNING, PL_MESSAGE_LIMITS_FAILED, strerror(-r),
                       "cannot find its cgroup from process %d: %s", (int)s->facts->pid,
                       strerror(-r));
}

void pl_manager_claim(PlManager *m, PlSubject *s) {
        PlCgroup *g = NULL;

        for (size_t i = 0; i < PL_MANAGER_UNBORN_MAX && !s->cgroup; i++) {
                PlUnborn *u = &m->unborn[i];

                if (!u->parent || !pl_streq(u->id, s->id))
                        continue;
                if (pl_cgroup_from_parent(&m->mounts, u->parent, s->id, &g) >= 0)
                        pl_manager_adopt_cgroup(m, s, g, 0);
        }
}

static void note_unborn(PlManager *m, const char *id, const char *parent) {
        PlUnborn *u;

        for (size_t i = 0; i < PL_MANAGER_UNBORN_MAX; i++)
                if (pl_streq(m->unborn[i].id, id))
                        return; /* in another hierarchy */
        u = &m->unborn[m->n_unborn++ % PL_MANAGER_UNBORN_MAX];
        free(u->parent);
        u->parent = strdup(parent);
        (void)snprintf(u->id, sizeof(u->id), "%s", id);
}

static PlSubject *find(PlManager *m, const char *id) {
        return pl_map_get(m->subjects, id);
}

/* A group with this container's id has just been made: ahead of the container's first instruction.
 */
static void on_appeared(void *userdata, const char *id, const char *parent, PlController c) {
        PlManager *m = userdata;
        PlSubject *s = find(m, id);
        PlCgroup *g = NULL;

        if (m->options.no_early_write)
                return;
        if (!s) {
                note_unborn(m, id, parent);
                return;
        }
        if (s->cgroup && s->cgroup_started_usec == 0 && s->cgroup->dir_fd[c] >= 0)
                return; /* found along with another hierarchy's */
        if (pl_cgroup_from_parent(&m->mounts, parent, id, &g) < 0)
                return;
        pl_manager_adopt_cgroup(m, s, g, 0);
        s->fresh = false;
        pl_manager_queue(m, s, PL_QUEUE_KERNEL);
}

static void on_changed(void *userdata, const char *id, uint32_t mask) {
        PlManager *m = userdata;
        PlSubject *s = find(m, id);

        if (!s || !(mask & pl_subject_wanted(s)))
                return;
        s->fresh = false;
        pl_manager_queue(m, s, PL_QUEUE_KERNEL);
}

static void on_gone(void *userdata, const char *id) {
        PlManager *m = userdata;
        PlSubject *s = find(m, id);

        if (!s || !s->cgroup)
                return;
        pl_manager_drop_cgroup(m, s);
}

const PlCgWatchHandlers pl_manager_watch_handlers = {
        .appeared = on_appeared,
        .changed = on_changed,
        .gone = on_gone,
};
