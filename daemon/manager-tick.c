/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The kernel's values: read a container's group, plan, write, read back.
 *
 * Everything here is level-triggered: it may run at any time, any number of times, and does nothing
 * when the group already is as wanted. It never runs on stale facts.
 */

#include "manager-internal.h"

#include <errno.h>

#include "cg-apply.h"
#include "cg-read.h"
#include "log.h"
#include "pl-summary.h"
#include "pl-unit.h"

/* Between two attempts to lower memory of a container that still uses it. */
#define RETRY_FIRST_USEC (100 * PL_USEC_PER_MSEC)
#define RETRY_MAX_USEC   PL_USEC_PER_MIN
/* So many containers waiting for their turn are in a hurry. */
#define MANY_WAITING 16

/* On v1 the sum of memory and swap moves along with memory. */
uint32_t pl_manager_companions(const PlManager *m, uint32_t mask) {
        bool v1 = m->mounts.hierarchy[PL_CONTROLLER_MEMORY] == PL_HIERARCHY_V1;

        return v1 && mask & (1U << PL_RESOURCE_MEMORY_MAX) ? 1U << PL_RESOURCE_MEMORY_SWAP_MAX : 0;
}

/* Originals are captured once per container, before the first write: from the kernel where the
 * container already runs, else from what the engine would have written at start. */
int pl_manager_capture(PlManager *m, PlSubject *s) {
        uint32_t missing = pl_subject_wanted(s) & ~s->state.managed, capture;
        int r;

        if (missing == 0)
                return 0;
        if (s->provisional) {
                s->originals_due = true;
        } else if (!s->state_known) {
                r = pl_container_limits(s->facts, m->mounts.hierarchy[PL_CONTROLLER_CPU],
                                        &s->state.engine_original);
                if (r < 0)
                        return r;
                s->state_known = true;
        }
        capture = missing | (pl_manager_companions(m, missing) & ~s->state.managed);
        for (PlResource i = 0; i < _PL_RESOURCE_N; i++) {
                const PlValue *from;

                if (!(capture & (1U << i)))
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

/* A container that was written to before it could be inspected: now HostConfig says what runc would
 * have written, which is what a new group had "before". */
void pl_manager_settle_originals(PlManager *m, PlSubject *s) {
        if (!s->originals_due)
                return;
        s->originals_due = false;
        if (pl_container_limits(s->facts, m->mounts.hierarchy[PL_CONTROLLER_CPU],
                                &s->state.engine_original) < 0)
                return;
        s->state_known = true;
        for (PlResource i = 0; i < _PL_RESOURCE_N; i++)
                if (s->state.managed & (1U << i) && !s->state.original.v[i].set)
                        (void)pl_value_copy(&s->state.engine_original.v[i],
                                            &s->state.original.v[i]);
        (void)pl_state_dir_save(m->state_dir, &s->state);
}

/* One that waits goes on waiting while it is squeezed anew, which is not said again. */
static void note_waiting(PlManager *m, PlSubject *s, const PlPlan *plan) {
        uint32_t waiting = plan->again ? s->waiting : 0;
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
        if (!plan->again && waiting == 0) {
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

/* Return: true when drifted values may be put back now. */
static bool admit_repair(PlManager *m, PlSubject *s, const PlPlan *plan, uint64_t now) {
        const char *who = pl_manager_blame(m, s, now);
        _cleanup_free_ char *text = NULL;

        switch (pl_drift_want_repair(&s->drift, now)) {
        case PL_DRIFT_REPAIR:
                if (!pl_drift_is_standoff(&s->drift)) {
                        text = pl_summary_steps(plan, PL_STEP_WRITE);
                        pl_manager_say(m, s, LOG_NOTICE, PL_MESSAGE_DRIFT_REPAIRED, who,
                                       "limits changed by %s, putting back %s", who, text ?: "");
                }
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

static void note_refusal(PlManager *m, PlSubject *s, const PlStep *step, const char *file,
                         int error) {
        _cleanup_free_ char *why = NULL;

        if (asprintf(&why, "%s: %s", file ?: "cgroup", strerror(-error)) < 0)
                why = NULL;
        if (error == -EBUSY)
                s->retry_delay_usec = PL_MAX(s->retry_delay_usec, RETRY_FIRST_USEC);
        if (!pl_subject_set_error(s, step->resource, PL_OWNER_KERNEL, why ?: strerror(-error)))
                return;
        pl_manager_say(m, s, error == -EBUSY ? LOG_WARNING : LOG_ERR,
                       error == -EBUSY ? PL_MESSAGE_LIMITS_WAITING : PL_MESSAGE_LIMITS_FAILED, why,
                       "%s= not applied, the kernel refused %s%s",
                       pl_resource_info(step->resource)->name, why ?: "it",
                       error == -EBUSY ? ": the container uses more than that. It is tried again"
                                       : "");
}

/* A squeeze without memory.reclaim borrows memory.high. What it was is kept on disk from before the
 * first write until after the last, so that no crash can leave a container throttled.
 * Return: may the squeeze go on? */
static bool keep_borrowed_high(PlManager *m, PlSubject *s, const PlSqueeze *q) {
        int r;

        if (q->high_held == s->state.squeeze_high.set)
                return true;
        s->state.squeeze_high = (PlValue){ .set = q->high_held, .number = q->high_before };
        r = pl_state_dir_save(m->state_dir, &s->state);
        if (r < 0 && q->high_held)
                s->state.squeeze_high = (PlValue){ 0 };
        return r >= 0;
}

/* It is being born, or runs already and nobody has looked at its group since; or many wait. */
static bool in_a_hurry(const PlManager *m, const PlSubject *s) {
        return s->cgroup_started_usec == 0 || m->queue_length[PL_QUEUE_KERNEL] >= MANY_WAITING;
}

/* Return: mask of wanted values that were written. */
static uint32_t execute(PlManager *m, PlSubject *s, const PlPlan *plan) {
        uint64_t period = s->service ? s->service->cpu_quota_period_usec : 0;
        bool direct = in_a_hurry(m, s);
        uint32_t written = 0;
        bool failed = false, refused = false, may_squeeze = true, still_held = false;

        if (plan->squeeze.high_held)
                may_squeeze = keep_borrowed_high(m, s, &plan->squeeze);
        for (size_t i = 0; i < plan->n_steps; i++) {
                const PlStep *step = &plan->steps[i];
                const char *file = NULL;
                int r;

                if (step->kind != PL_STEP_WRITE && (step->kind != PL_STEP_SQUEEZE || !may_squeeze))
                        continue;
                if (step->chained && failed)
                        continue;
                r = pl_cg_apply(&m->mounts, s->cgroup, step, period, direct, &file);
                failed = r < 0 && r != -EAGAIN;
                if (r == -ENODEV || r == -ENOENT) {
                        s->fresh = false;
                        pl_manager_inspect(m, s); /* died meanwhile */
                        return written;
                }
                if (failed && step->resource == PL_RESOURCE_MEMORY_HIGH)
                        still_held = s->squeeze.high_held;
                refused = refused || (failed && step->kind == PL_STEP_SQUEEZE);
                if (failed)
                        note_refusal(m, s, step, file, r);
                else if (step->kind == PL_STEP_WRITE)
                        written |= 1U << step->resource;
                /* A squeeze, or the swap that moves along with memory on v1, is not read back. */
                if (step->kind == PL_STEP_SQUEEZE ||
                    !(pl_subject_wanted(s) & (1U << step->resource)))
                        s->fresh = false;
        }
        if (may_squeeze) {
                s->squeeze = plan->squeeze;
                s->squeeze.refused = s->squeeze.refused || refused;
        }
        if (still_held) {
                s->squeeze.high_held = true;
                s->squeeze.high_before = s->state.squeeze_high.number;
        }
        if (!s->squeeze.high_held)
                (void)keep_borrowed_high(m, s, &s->squeeze);
        return written & pl_subject_wanted(s);
}

/* Values that came back as written are held from now on: a later difference is somebody's doing. */
static void read_back(PlManager *m, PlSubject *s, uint32_t written) {
        uint32_t differs;

        if (written == 0)
                return;
        if (pl_cg_read_back(&m->mounts, s->cgroup, written, &s->reading) < 0) {
                s->fresh = false;
                return;
        }
        differs = pl_plan_drift(&s->want, &s->reading, m->host.page_bytes) & written;
        for (PlResource i = 0; i < _PL_RESOURCE_N; i++) {
                _cleanup_free_ char *is = NULL, *why = NULL;

                if (written & ~differs & (1U << i)) {
                        s->held |= 1U << i;
                        (void)pl_subject_set_error(s, i, PL_OWNER_KERNEL, NULL);
                }
                if (!(differs & (1U << i)) ||
                    pl_value_to_string(i, &s->reading.in_force.v[i], &is) < 0 ||
                    asprintf(&why, "kernel reports %s after the write", is) < 0)
                        continue;
                if (pl_subject_set_error(s, i, PL_OWNER_KERNEL, why))
                        pl_manager_say(m, s, LOG_WARNING, PL_MESSAGE_LIMITS_FAILED, why,
                                       "%s= not in force: %s", pl_resource_info(i)->name, why);
        }
}

static void say_dry_run(PlManager *m, PlSubject *s, const PlPlan *plan) {
        _cleanup_free_ char *text = pl_summary_steps(plan, PL_STEP_WRITE);

        if (!text || !*text || pl_streq_null(s->dry_run_said, text))
                return;
        pl_manager_say(m, s, LOG_INFO, NULL, "dry run", "would set %s", text);
        free(s->dry_run_said);
        s->dry_run_said = TAKE_PTR(text);
}

static void act(PlManager *m, PlSubject *s, const PlPlan *plan) {
        uint64_t now = pl_manager_now(m);
        uint32_t mask = 0, drifted = 0, written;
        _cleanup_free_ char *text = NULL;

        for (size_t i = 0; i < plan->n_steps; i++) {
                if (plan->steps[i].kind == PL_STEP_WRITE || plan->steps[i].kind == PL_STEP_SQUEEZE)
                        mask |= 1U << plan->steps[i].resource;
                /* on v1 the sum of memory and swap moves along with memory: nobody's drift, as what
                 * the start of the container writes itself */
                if (plan->steps[i].kind == PL_STEP_WRITE && s->cgroup_started_usec > 0 &&
                    !pl_value_equal(&plan->steps[i].value, &plan->steps[i].before))
                        drifted |= s->held & ~pl_manager_own_doing(s) &
                                   (1U << plan->steps[i].resource);
        }
        if (pl_manager_dry_run(m)) {
                say_dry_run(m, s, plan);
                return;
        }
        if (pl_manager_capture(m, s) < 0)
                return;
        note_unsupported(m, s, plan);
        note_waiting(m, s, plan);
        if (mask == 0)
                return;
        m->touched = true;
        if (drifted && !admit_repair(m, s, plan, now))
                return;
        written = execute(m, s, plan);
        if (s->cgroup)
                pl_manager_watch_cgroup(m, s); /* the values are read back after it */
        if (!s->cgroup || written == 0)
                return;
        s->systemd_due = true;
        read_back(m, s, written);
        if (drifted && !(written & s->restoring))
                return; /* said by admit_repair() */
        text = pl_summary_steps(plan, PL_STEP_WRITE);
        if (written & s->restoring)
                pl_manager_say(m, s, LOG_INFO, PL_MESSAGE_LIMITS_RESTORED, NULL,
                               "limits given back: %s", text ?: "");
        else
                pl_manager_say(m, s, LOG_INFO, PL_MESSAGE_LIMITS_APPLIED, NULL,
                               "limits in force: %s", text ?: "");
}

static uint32_t same_values(const PlLimits *a, const PlLimits *b) {
        uint32_t mask = 0;

        for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                if (pl_value_equal(&a->v[r], &b->v[r]))
                        mask |= 1U << r;
        return mask;
}

/* A reading stays true while nobody writes, but usage moves: lowering memory needs it fresh. */
static int refresh(PlManager *m, PlSubject *s) {
        uint32_t mask = pl_subject_wanted(s);
        PlReading reading = { 0 };
        int r;

        if (s->fresh && !(mask & ~s->read_mask)) {
                pl_cg_refresh(&m->mounts, s->cgroup, &s->reading);
                return 0;
        }
        r = pl_cg_read(&m->mounts, s->cgroup, mask, &reading);
        if (r < 0)
                return r;
        /* systemd keeps for it what was in force */
        if (s->withheld & ~same_values(&s->reading.in_force, &reading.in_force))
                s->systemd_due = true;
        pl_reading_deinit(&s->reading);
        s->reading = reading;
        s->read_mask = mask;
        s->fresh = true;
        return 0;
}

/* What is in force as wanted is held from now on, also where plimsoll had nothing to do. */
static void note_held(PlManager *m, PlSubject *s) {
        uint32_t ok = pl_subject_wanted(s) & s->reading.supported &
                      ~pl_plan_drift(&s->want, &s->reading, m->host.page_bytes);

        for (PlResource i = 0; i < _PL_RESOURCE_N; i++)
                if (ok & ~s->held & (1U << i))
                        (void)pl_subject_set_error(s, i, PL_OWNER_KERNEL, NULL);
        s->held |= ok;
}

void pl_manager_reconcile(PlManager *m, PlSubject *s) {
        const PlService *service = s->service;
        uint64_t now = pl_manager_now(m);
        uint32_t held = s->held, unsupported = s->unsupported;
        PlPlan plan = { 0 };
        int r;

        if (!s->facts || pl_manager_desire(m, s) < 0 || !m->engine_connected)
                return;
        pl_manager_locate_by_pid(m, s);
        if (!s->cgroup) {
                pl_manager_await(m, s);
                /* what can be done now need not be done at the start */
                if (s->facts->phase == PL_PHASE_CREATED && !pl_manager_dry_run(m))
                        (void)pl_manager_capture(m, s);
                pl_manager_queue(m, s, PL_QUEUE_OWNERS);
                return;
        }
        r = refresh(m, s);
        if (r < 0) {
                pl_log_debug("%s: its cgroup is gone: %s", pl_subject_name(s), strerror(-r));
                m->touched = true;
                pl_manager_drop_cgroup(m, s);
                pl_manager_inspect(m, s);
                return;
        }
        s->reading.usual_swap.set = s->state.original.v[PL_RESOURCE_MEMORY_SWAP_MAX].set;
        s->reading.usual_swap.number = s->state.original.v[PL_RESOURCE_MEMORY_SWAP_MAX].number;
        r = pl_plan_limits(&s->want, &s->reading,
                           s->service ? s->service->shrink_mode : PL_SHRINK_SAFE, &s->squeeze,
                           m->host.page_bytes, &plan);
        if (r < 0)
                return;
        note_held(m, s);
        act(m, s, &plan);
        if (plan.n_steps == 0 && pl_drift_settled(&s->drift, now)) {
                pl_manager_say(m, s, LOG_NOTICE, NULL, NULL,
                               "the stand-off is over, limits hold again");
                m->touched = true;
                if (s->cgroup)
                        (void)pl_cg_watch_add(m->watch, s->id, s->cgroup);
        }
        m->touched = m->touched || s->held != held || s->unsupported != unsupported ||
                     s->service != service;
        pl_plan_deinit(&plan);
        if (s->cgroup && s->watch_due) {
                pl_manager_watch_cgroup(m, s);
                s->fresh = false;
                pl_manager_queue(m, s, PL_QUEUE_KERNEL);
        }
        pl_manager_queue(m, s, PL_QUEUE_OWNERS);
}
