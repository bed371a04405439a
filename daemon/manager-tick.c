/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The kernel's values: find a container's group, read it, plan, write, read back.
 *
 * Everything here is level-triggered: it may run at any time, any number of times, and does nothing
 * when the group already is as wanted. It never runs on stale facts.
 */

#include "manager-internal.h"

#include <errno.h>

#include "cg-apply.h"
#include "cg-read.h"
#include "log.h"
#include "pl-desired.h"
#include "pl-summary.h"
#include "pl-unit.h"

/* Between two attempts to lower memory of a container that still uses it. */
#define RETRY_FIRST_USEC (100 * PL_USEC_PER_MSEC)
#define RETRY_MAX_USEC   PL_USEC_PER_MIN

int pl_manager_desire(PlManager *m, PlSubject *s) {
        PlLimits want = { 0 };
        int r;

        if (s->facts)
                s->service = m->stopping ? NULL : pl_policy_match(m->policy, s->facts);
        r = pl_desired_limits(s->service, s->state.managed, &s->state.original, &want,
                              &s->restoring);
        if (r < 0)
                return r;
        if (!pl_limits_equal(&want, &s->want))
                s->systemd_due = true;
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

void pl_manager_adopt_cgroup(PlManager *m, PlSubject *s, PlCgroup *g, uint64_t started_usec) {
        _cleanup_free_ char *parent = NULL;
        int r;

        if (s->cgroup && s->cgroup->inode[PL_CONTROLLER_MEMORY] == g->inode[PL_CONTROLLER_MEMORY] &&
            s->cgroup->inode[PL_CONTROLLER_CPU] == g->inode[PL_CONTROLLER_CPU] &&
            s->cgroup->inode[PL_CONTROLLER_PIDS] == g->inode[PL_CONTROLLER_PIDS] &&
            s->cgroup->inode[PL_CONTROLLER_CPUSET] == g->inode[PL_CONTROLLER_CPUSET] &&
            s->cgroup->inode[PL_CONTROLLER_IO] == g->inode[PL_CONTROLLER_IO]) {
                pl_cgroup_free(g);
                s->cgroup_started_usec = started_usec;
                return;
        }
        pl_cg_watch_remove(m->watch, s->id);
        pl_subject_drop_cgroup(s);
        s->cgroup = g;
        s->cgroup_started_usec = started_usec;
        s->systemd_due = true;
        parent = pl_cgroup_parent(g);
        if (parent)
                pl_manager_learn_parent(m, parent);
        r = pl_cg_watch_add(m->watch, s->id, g);
        if (r < 0)
                pl_manager_say(m, s, LOG_WARNING, NULL, NULL,
                               "cannot watch its cgroup (%s); drift is found by the audit every "
                               "minute only. Is fs.inotify.max_user_watches too low?",
                               strerror(-r));
}

bool pl_manager_locate_by_parent(PlManager *m, PlSubject *s) {
        for (char **p = m->parents; p && *p; p++) {
                PlCgroup *g = NULL;

                if (pl_cgroup_from_parent(&m->mounts, *p, s->id, &g) >= 0) {
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

/* Originals are captured once per container, before the first write: from the kernel where the
 * container already runs, else from what the engine would have written at start. */
int pl_manager_capture(PlManager *m, PlSubject *s) {
        uint32_t missing = pl_subject_wanted(s) & ~s->state.managed;
        int r;

        if (missing == 0)
                return 0;
        if (!s->state_known) {
                r = pl_container_limits(s->facts, m->mounts.hierarchy[PL_CONTROLLER_CPU],
                                        &s->state.engine_original);
                if (r < 0)
                        return r;
                s->state_known = true;
        }
        for (PlResource i = 0; i < _PL_RESOURCE_N; i++) {
                const PlValue *from;

                if (!(missing & (1U << i)))
                        continue;
                from = s->cgroup_started_usec > 0 && s->reading.in_force.v[i].set
                                       ? &s->reading.in_force.v[i]
                                       : &s->state.engine_original.v[i];
                r = pl_value_copy(from, &s->state.original.v[i]);
                if (r < 0)
                        return r;
        }
        s->state.managed |= missing;
        r = pl_state_dir_save(m->state_dir, &s->state);
        if (r < 0) {
                s->state.managed &= ~missing;
                pl_manager_say(m, s, LOG_ERR, PL_MESSAGE_LIMITS_FAILED, strerror(-r),
                               "limits not touched: what was there before cannot be kept in %s: %s",
                               m->options.state_dir, strerror(-r));
        }
        return r;
}

static void note_waiting(PlManager *m, PlSubject *s, const PlPlan *plan) {
        uint32_t waiting = 0;
        const PlStep *first = NULL;

        for (size_t i = 0; i < plan->n_steps; i++)
                if (plan->steps[i].kind == PL_STEP_WAIT) {
                        first = first ?: &plan->steps[i];
                        waiting |= 1U << plan->steps[i].resource;
                }
        if (waiting & ~s->waiting) {
                _cleanup_free_ char *text = pl_summary_steps(plan, PL_STEP_WAIT);
                char usage[PL_FORMAT_MAX];

                pl_manager_say(m, s, LOG_WARNING, PL_MESSAGE_LIMITS_WAITING, first->why,
                               "uses %s, so %s has to wait: %s",
                               pl_format_bytes(s->reading.memory_current_bytes, usage), text ?: "",
                               first->why ?: "lowering it now would kill");
        }
        s->waiting = waiting;
        if (!plan->again) {
                s->retry_delay_usec = 0;
                return;
        }
        s->retry_delay_usec = s->retry_delay_usec == 0
                                              ? RETRY_FIRST_USEC
                                              : PL_MIN(2 * s->retry_delay_usec, RETRY_MAX_USEC);
        pl_manager_retry_at(m, s, pl_manager_now(m) + s->retry_delay_usec);
}

static void note_unsupported(PlManager *m, PlSubject *s, const PlPlan *plan) {
        /* While a container is being born its groups appear one hierarchy after the other. */
        if (s->cgroup_started_usec == 0)
                return;
        for (size_t i = 0; i < plan->n_steps; i++) {
                const PlStep *step = &plan->steps[i];
                const PlResourceInfo *info = pl_resource_info(step->resource);

                if (step->kind != PL_STEP_CANNOT || s->unsupported & (1U << step->resource))
                        continue;
                s->unsupported |= 1U << step->resource;
                (void)pl_subject_set_error(s, step->resource, PL_OWNER_KERNEL,
                                           "not supported by this kernel's cgroup hierarchy");
                pl_manager_say(m, s, LOG_NOTICE, PL_MESSAGE_UNSUPPORTED, info->name,
                               "%s= has no effect here: %s", info->name,
                               step->why ?: "the cgroup hierarchy of this host has no such file");
        }
}

/* Whose hand was it? The engine announces its updates, systemd its reloads; others stay nameless.
 */
static const char *blame(const PlManager *m, const PlSubject *s, uint64_t now) {
        if (s->update_seen_usec > 0 && now - s->update_seen_usec < 2 * PL_USEC_PER_SEC)
                return "docker update";
        if (m->reloaded_usec > 0 && now - m->reloaded_usec < 5 * PL_USEC_PER_SEC)
                return "systemd daemon-reload";
        return s->cgroup && s->cgroup->scope ? "systemd or a direct write to the cgroup"
                                             : "a direct write to the cgroup";
}

/* Return: true when drifted values may be put back now. */
static bool admit_repair(PlManager *m, PlSubject *s, const PlPlan *plan, uint64_t now,
                         const char *text) {
        const char *who = blame(m, s, now);

        switch (pl_drift_want_repair(&s->drift, now)) {
        case PL_DRIFT_REPAIR:
                if (!pl_drift_is_standoff(&s->drift))
                        pl_manager_say(m, s, LOG_NOTICE, PL_MESSAGE_DRIFT_REPAIRED, who,
                                       "limits changed by %s, putting back %s", who, text);
                pl_manager_retry_at(m, s,
                                    pl_drift_is_standoff(&s->drift) ? s->drift.until_usec : 0);
                return true;
        case PL_DRIFT_STANDOFF_BEGIN:
                pl_cg_watch_remove(m->watch, s->id); /* do not wake up for each of its blows */
                pl_manager_say(m, s, LOG_WARNING, PL_MESSAGE_DRIFT_STANDOFF, who,
                               "stand-off: %s keeps changing its limits (%d repairs within a "
                               "minute). Now one attempt a minute, then fewer; find the other "
                               "manager, or drop the value from the policy",
                               who, PL_DRIFT_BURST);
                pl_manager_retry_at(m, s, s->drift.until_usec);
                return false;
        case PL_DRIFT_WAIT:
                pl_manager_retry_at(m, s, s->drift.until_usec);
                return false;
        }
        return false;
}

static uint32_t execute(PlManager *m, PlSubject *s, const PlPlan *plan) {
        uint32_t written = 0;
        uint64_t period = s->service ? s->service->cpu_quota_period_usec : 0;
        int r = 0;

        for (size_t i = 0; i < plan->n_steps; i++) {
                const PlStep *step = &plan->steps[i];
                const char *file = NULL;

                if (step->kind != PL_STEP_WRITE && step->kind != PL_STEP_SQUEEZE)
                        continue;
                if (step->chained && r < 0)
                        continue;
                r = pl_cg_apply(&m->mounts, s->cgroup, step, period, &file);
                if (r == -EAGAIN && step->kind == PL_STEP_SQUEEZE)
                        r = 0; /* the next round's reading tells how far it got */
                if (r == -ENODEV || r == -ENOENT) {
                        pl_manager_inspect(m, s); /* died meanwhile */
                        return written;
                }
                if (r < 0) {
                        _cleanup_free_ char *why = NULL;

                        if (asprintf(&why, "%s: %s", file ?: "cgroup", strerror(-r)) < 0)
                                why = NULL;
                        if (pl_subject_set_error(s, step->resource, PL_OWNER_KERNEL,
                                                 why ?: strerror(-r)))
                                pl_manager_say(m, s, LOG_ERR, PL_MESSAGE_LIMITS_FAILED, why,
                                               "%s= not applied, the kernel refused %s",
                                               pl_resource_info(step->resource)->name, why ?: "");
                        continue;
                }
                if (step->kind == PL_STEP_WRITE)
                        written |= 1U << step->resource;
        }
        return written;
}

/* Values that came back as written are held from now on: a later difference is somebody's doing. */
static void read_back(PlManager *m, PlSubject *s, uint32_t written) {
        PlReading after = { 0 };
        int r;

        if (written == 0)
                return;
        r = pl_cg_read_back(&m->mounts, s->cgroup, written, &after);
        if (r < 0) {
                s->fresh = false;
                return;
        }
        for (PlResource i = 0; i < _PL_RESOURCE_N; i++) {
                _cleanup_free_ char *is = NULL, *why = NULL;
                PlValue want = { 0 };

                if (!(written & (1U << i)))
                        continue;
                if (pl_value_copy(&s->want.v[i], &want) >= 0) {
                        pl_resource_normalise(i, m->mounts.hierarchy[pl_controller_of(i)],
                                              m->host.page_bytes, &want);
                        if (pl_value_equal(&want, &after.in_force.v[i])) {
                                s->held |= 1U << i;
                                (void)pl_subject_set_error(s, i, PL_OWNER_KERNEL, NULL);
                        } else if (pl_value_to_string(i, &after.in_force.v[i], &is) >= 0 &&
                                   asprintf(&why, "kernel reports %s after the write", is) >= 0) {
                                if (pl_subject_set_error(s, i, PL_OWNER_KERNEL, why))
                                        pl_manager_say(m, s, LOG_WARNING, PL_MESSAGE_LIMITS_FAILED,
                                                       why, "%s= not in force: %s",
                                                       pl_resource_info(i)->name, why);
                        }
                }
                pl_value_deinit(&want);
                pl_value_deinit(&s->reading.in_force.v[i]);
                s->reading.in_force.v[i] = after.in_force.v[i];
                after.in_force.v[i] = (PlValue){ 0 };
        }
        pl_reading_deinit(&after);
}

static void say_dry_run(PlManager *m, PlSubject *s, const char *text) {
        if (!*text || pl_streq_null(s->dry_run_said, text))
                return;
        free(s->dry_run_said);
        s->dry_run_said = strdup(text);
        pl_manager_say(m, s, LOG_INFO, NULL, "dry run", "would set %s", text);
}

static void act(PlManager *m, PlSubject *s, const PlPlan *plan) {
        uint64_t now = pl_manager_now(m);
        _cleanup_free_ char *text = pl_summary_steps(plan, PL_STEP_WRITE);
        uint32_t mask = 0, drifted = 0, written;

        for (size_t i = 0; i < plan->n_steps; i++) {
                if (plan->steps[i].kind == PL_STEP_WRITE || plan->steps[i].kind == PL_STEP_SQUEEZE)
                        mask |= 1U << plan->steps[i].resource;
                if (plan->steps[i].kind == PL_STEP_WRITE)
                        drifted |= s->held & (1U << plan->steps[i].resource);
        }
        if (pl_manager_dry_run(m)) {
                say_dry_run(m, s, text ?: "");
                return;
        }
        if (pl_manager_capture(m, s) < 0)
                return;
        note_unsupported(m, s, plan);
        note_waiting(m, s, plan);
        if (mask == 0)
                return;
        if (drifted && !admit_repair(m, s, plan, now, text ?: ""))
                return;
        written = execute(m, s, plan);
        if (!s->cgroup || written == 0)
                return;
        s->systemd_due = true;
        read_back(m, s, written);
        if (written & s->restoring)
                pl_manager_say(m, s, LOG_INFO, PL_MESSAGE_LIMITS_RESTORED, NULL,
                               "limits given back: %s", text ?: "");
        else if (!drifted)
                pl_manager_say(m, s, LOG_INFO, PL_MESSAGE_LIMITS_APPLIED, NULL,
                               "limits in force: %s", text ?: "");
}

/* A reading stays true while nobody writes, but usage moves: lowering memory needs it fresh. */
static int refresh(PlManager *m, PlSubject *s) {
        uint32_t mask = pl_subject_wanted(s);
        PlReading reading = { 0 };
        int r;

        if (s->fresh && !(mask & ~s->read_mask) &&
            pl_value_equal(&s->want.v[PL_RESOURCE_MEMORY_MAX],
                           &s->reading.in_force.v[PL_RESOURCE_MEMORY_MAX]))
                return 0;
        r = pl_cg_read(&m->mounts, s->cgroup, mask, &reading);
        if (r < 0)
                return r;
        pl_reading_deinit(&s->reading);
        s->reading = reading;
        s->read_mask = mask;
        s->fresh = true;
        return 0;
}

static void note_held(PlSubject *s, const PlPlan *plan) {
        uint32_t differs = 0;

        for (size_t i = 0; i < plan->n_steps; i++)
                differs |= 1U << plan->steps[i].resource;
        s->held |= pl_subject_wanted(s) & s->reading.supported & ~differs;
}

void pl_manager_reconcile(PlManager *m, PlSubject *s) {
        PlPlan plan = { 0 };
        uint64_t now = pl_manager_now(m);
        int r;

        if (!m->engine_connected || !s->facts)
                return;
        if (pl_manager_desire(m, s) < 0)
                return;
        pl_manager_locate_by_pid(m, s);
        if (!s->cgroup) {
                pl_manager_queue(m, s, PL_QUEUE_OWNERS);
                return;
        }
        r = refresh(m, s);
        if (r < 0) {
                pl_log_debug("%s: its cgroup is gone: %s", pl_subject_name(s), strerror(-r));
                pl_cg_watch_remove(m->watch, s->id);
                pl_subject_drop_cgroup(s);
                pl_manager_inspect(m, s);
                return;
        }
        r = pl_plan_limits(&s->want, &s->reading,
                           s->service ? s->service->shrink_mode : PL_SHRINK_SAFE, &s->squeeze,
                           m->host.page_bytes, &plan);
        if (r < 0)
                return;
        note_held(s, &plan);
        act(m, s, &plan);
        if (plan.n_steps == 0 && pl_drift_settled(&s->drift, now)) {
                pl_manager_say(m, s, LOG_NOTICE, NULL, NULL,
                               "the stand-off is over, limits hold again");
                if (s->cgroup)
                        (void)pl_cg_watch_add(m->watch, s->id, s->cgroup);
        }
        pl_plan_deinit(&plan);
        pl_manager_queue(m, s, PL_QUEUE_OWNERS);
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

        if (!s || m->options.no_early_write)
                return;
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
        pl_cg_watch_remove(m->watch, id);
        pl_subject_drop_cgroup(s);
}

const PlCgWatchHandlers pl_manager_watch_handlers = {
        .appeared = on_appeared,
        .changed = on_changed,
        .gone = on_gone,
};
