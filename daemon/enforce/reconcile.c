/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Reconcile: read a container's group, plan, write, read back.
 *
 * Everything here is level-triggered: it may run at any time, any number of times, and does nothing
 * when the group already is as wanted. It never acts on stale facts.
 */

#include "enforce/reconcile.h"

#include <errno.h>

#include "base/clock.h"
#include "cgroup/apply.h"
#include "cgroup/read.h"
#include "enforce/desire.h"
#include "enforce/echo.h"
#include "enforce/locate.h"
#include "enforce/news.h"
#include "enforce/originals.h"
#include "enforce/owners.h"
#include "enforce/queue.h"
#include "lib/base/message.h"
#include "lib/base/unit.h"
#include "lib/docker/update.h"
#include "lib/limits/echo.h"
#include "lib/status/summary.h"

/* ---- who took a value away ---- */

/*
 * The engine announces its updates, systemd announces its reloads and leaves properties on disk.
 * Nobody else can be named.
 */

/* What an owner did longer ago than this does not explain a change seen now. */
#define BLAME_USEC        (2 * PL_USEC_PER_SEC)
#define BLAME_RELOAD_USEC (5 * PL_USEC_PER_SEC)

/* systemd leaves a trace on disk of each property that anybody sets: plimsolld, systemctl, or runc,
 * whose update may show up here before the engine's event. */
static bool others_set_properties(const PlHeld *h) {
        uint64_t set, now = pl_clock_usec(CLOCK_REALTIME);

        if (!h->cgroup || !h->cgroup->scope || h->told.systemd_in_flight > 0 ||
            h->told.update_in_flight)
                return false;
        set = pl_systemd_last_set_usec(h->cgroup->scope);
        return set > h->told.systemd_own_usec && set + BLAME_USEC > now;
}

/* @now: CLOCK_BOOTTIME. Return: a static text; NULL: there is no evidence of anybody. */
static const char *blame(const PlEnforcer *e, const PlHeld *h, uint64_t now, bool *ret_guess) {
        uint64_t others = h->told.others_usec, reloaded = e->reloaded_usec;
        const PlDriftSigns signs = {
                .scope = h->cgroup && h->cgroup->scope,
                .own = pl_echo_is_open(h),
                .update = others > 0 &&
                          now - others<BLAME_USEC, .properties = others_set_properties(h),
                                       .reload = reloaded> 0 &&
                          now - reloaded < BLAME_RELOAD_USEC,
        };

        *ret_guess = pl_drift_is_guess(&signs);
        return pl_drift_hand(&signs);
}

/* What an update leaves behind that tells the engine nothing new: where its event is late, it looks
 * like a plain write. */
static uint32_t as_the_engine_has_it(const PlEnforcer *e, const PlHeld *h) {
        uint32_t mask = pl_echo_reset(h);
        PlLimits host = { 0 };

        if (h->subject->facts &&
            pl_container_limits(h->subject->facts, e->mounts->hierarchy[PL_CONTROLLER_CPU],
                                &host) >= 0)
                mask |= pl_echo_of(&host, &h->reading, e->registry->options.host.page_bytes);
        pl_limits_deinit(&host);
        return mask;
}

/* Between two attempts to lower memory of a container that still uses it. */
#define RETRY_FIRST_USEC (100 * PL_USEC_PER_MSEC)
#define RETRY_MAX_USEC   (5 * PL_USEC_PER_SEC)
/* After an attempt in a stand-off. */
#define STANDOFF_LOOK_USEC PL_USEC_PER_SEC
/* With this many containers in the queue, write directly. */
#define MANY_WAITING 16

/* Look again then. @usec: CLOCK_BOOTTIME; 0: not. */
static void retry_at(PlEnforcer *e, PlHeld *h, uint64_t usec) {
        uint64_t armed = 0;
        int enabled = SD_EVENT_OFF;

        h->retry.at_usec = usec;
        if (usec == 0)
                return;
        (void)sd_event_source_get_enabled(e->retry, &enabled);
        (void)sd_event_source_get_time(e->retry, &armed);
        if (enabled != SD_EVENT_OFF && armed <= usec)
                return;
        (void)sd_event_source_set_time(e->retry, usec);
        (void)sd_event_source_set_enabled(e->retry, SD_EVENT_ONESHOT);
}

static void retry_later(PlEnforcer *e, PlHeld *h) {
        h->retry.delay_usec = h->retry.delay_usec == 0
                                              ? RETRY_FIRST_USEC
                                              : PL_MIN(2 * h->retry.delay_usec, RETRY_MAX_USEC);
        retry_at(e, h, pl_clock_loop_usec(e->event, CLOCK_BOOTTIME) + h->retry.delay_usec);
}

/* Memory and swap in use that the kernel cannot just drop. PL_UNLIMITED: unknown. */
static uint64_t bytes_in_use(const PlEnforcer *e, const PlHeld *h) {
        PlUsage u;

        if (pl_cg_read_usage(e->mounts, h->cgroup, &u) < 0 || u.memory_bytes == PL_UNLIMITED)
                return PL_UNLIMITED;
        if (u.inactive_file_bytes != PL_UNLIMITED)
                u.memory_bytes -= PL_MIN(u.inactive_file_bytes, u.memory_bytes);
        return u.memory_bytes + (u.swap_bytes != PL_UNLIMITED ? u.swap_bytes : 0);
}

/* v1 refuses a limit below what is in use, after having reclaimed what it could: an attempt costs
 * the container its page cache, so there is another one only when there is room. */
static void retry_busy(PlEnforcer *e, PlHeld *h) {
        const PlValue *memory = &h->want.v[PL_RESOURCE_MEMORY_MAX],
                      *swap = &h->want.v[PL_RESOURCE_MEMORY_SWAP_MAX];
        uint64_t used, room = memory->set ? memory->number : PL_UNLIMITED;

        h->retry.busy &= h->retry.refused;
        if (h->retry.busy == 0)
                return;
        used = bytes_in_use(e, h);
        if (swap->set && __builtin_add_overflow(room, swap->number, &room))
                room = PL_UNLIMITED;
        if (used >= h->retry.busy_bytes || used > room)
                return;
        h->retry.refused &= ~h->retry.busy;
        h->retry.busy = 0;
}

/* A container that waits is squeezed again and again; only the first time is reported. */
static void note_waiting(PlEnforcer *e, PlHeld *h, const PlPlan *plan) {
        uint32_t waiting = plan->again ? h->waiting : 0;
        const PlStep *first = NULL;

        for (size_t i = 0; i < plan->n_steps; i++)
                if (plan->steps[i].kind == PL_STEP_WAIT) {
                        first = first ?: &plan->steps[i];
                        waiting |= 1U << plan->steps[i].resource;
                }
        if (waiting & ~h->waiting) {
                _cleanup_free_ char *text = pl_summary_steps(plan, PL_STEP_WAIT, UINT32_MAX);
                char usage[PL_FORMAT_MAX];

                pl_subject_report(e->reporter, h->subject, LOG_WARNING, PL_MESSAGE_LIMITS_WAITING,
                                  first->why, NULL, "uses %s, so %s has to wait: %s",
                                  pl_format_bytes(h->reading.memory_current_bytes, usage),
                                  text ?: "", first->why ?: "lowering it now would kill");
        }
        h->waiting = waiting;
        if (plan->again || waiting || h->retry.busy)
                retry_later(e, h);
        else
                h->retry.delay_usec = 0;
}

static void note_unsupported(PlEnforcer *e, PlHeld *h, const PlPlan *plan) {
        static const char no_group[] = "the container has no group of its own for it";

        /* While a container starts, its groups appear in one hierarchy after the other. */
        if (h->cgroup_started_usec == 0)
                return;
        for (size_t i = 0; i < plan->n_steps; i++) {
                const PlStep *step = &plan->steps[i];
                const PlResourceInfo *info = pl_resource_info(step->resource);
                bool alone;

                if (step->kind != PL_STEP_CANNOT || h->unsupported & (1U << step->resource))
                        continue;
                h->unsupported |= 1U << step->resource;
                alone = h->cgroup->dir_fd[pl_controller_of(step->resource)] < 0 &&
                        info->file[h->reading.hierarchy[step->resource]];
                (void)pl_held_set_error(h, step->resource, PL_OWNER_KERNEL,
                                        alone ? no_group
                                              : "not supported by this kernel's cgroup hierarchy");
                pl_subject_report_of_many(
                                e->reporter, h->subject, LOG_NOTICE, PL_MESSAGE_UNSUPPORTED,
                                info->name, "%s= has no effect here: %s", info->name,
                                alone ? no_group
                                      : step->why ?: "the cgroup hierarchy of this host has no such file");
        }
}

/* Return: true when drifted values may be put back now. */
static bool admit_repair(PlEnforcer *e, PlHeld *h, uint32_t drifted, const char *who,
                         uint64_t now) {
        switch (pl_drift_want_repair(&h->drift, now)) {
        case PL_DRIFT_REPAIR:
                if (!pl_drift_is_standoff(&h->drift)) {
                        retry_at(e, h, 0);
                        return true;
                }
                h->truth.contested |= drifted;
                /* nobody hears of the other's next write: look whether it holds */
                retry_at(e, h, PL_MIN(h->drift.until_usec, now + STANDOFF_LOOK_USEC));
                return true;
        case PL_DRIFT_STANDOFF_BEGIN:
                h->truth.contested |= drifted;
                pl_locate_unwatch(e, h);
                pl_subject_report(e->reporter, h->subject, LOG_WARNING, PL_MESSAGE_DRIFT_STANDOFF,
                                  who, NULL,
                                  "stand-off: %s keeps changing its limits (%d repairs within a "
                                  "minute). Now one attempt a minute, then fewer; find the other "
                                  "manager, or drop the value from the policy",
                                  who ?: "something", PL_DRIFT_BURST);
                retry_at(e, h, h->drift.until_usec);
                return false;
        case PL_DRIFT_WAIT:
                h->truth.contested |= drifted;
                retry_at(e, h, h->drift.until_usec);
                return false;
        }
        return false;
}

/* What somebody else had changed, and what has come of putting it back. */
static void say_drift(PlEnforcer *e, PlHeld *h, const PlPlan *plan, uint32_t drifted,
                      uint32_t in_force, const char *who, bool guess) {
        uint32_t not_back = drifted & ~in_force;

        if (pl_drift_is_standoff(&h->drift))
                return;
        pl_news_changed(e, h, pl_summary_steps(plan, PL_STEP_WRITE, in_force),
                        pl_summary_steps(plan, PL_STEP_WRITE, not_back), who, guess);
        /* it is not in force and that is known: the next attempt repairs nothing new */
        h->held &= ~not_back;
}

static void note_refusal(PlEnforcer *e, PlHeld *h, const PlStep *step, const char *file,
                         int error) {
        _cleanup_free_ char *why = NULL;

        if (asprintf(&why, "%s: %s", file ?: "cgroup", strerror(-error)) < 0)
                why = NULL;
        if (!pl_held_set_error(h, step->resource, PL_OWNER_KERNEL, why ?: strerror(-error)))
                return;
        pl_subject_report_of_many(
                        e->reporter, h->subject, error == -EBUSY ? LOG_WARNING : LOG_ERR,
                        error == -EBUSY ? PL_MESSAGE_LIMITS_WAITING : PL_MESSAGE_LIMITS_FAILED, why,
                        "%s= not applied, the kernel refused %s%s",
                        pl_resource_info(step->resource)->name, why ?: "it",
                        error == -EBUSY ? ": the container uses more than that. It is tried "
                                          "again when less is in use"
                                        : "");
}

static void note_refused(PlEnforcer *e, PlHeld *h, PlResource r, int error) {
        h->retry.refused |= 1U << r;
        if (error != -EBUSY)
                return;
        h->retry.busy |= 1U << r;
        h->retry.busy_bytes = bytes_in_use(e, h);
        retry_later(e, h);
}

/* A squeeze without memory.reclaim borrows memory.high. The old value stays on disk from before the
 * first write until after the last, so that no crash can leave a container throttled. Return: may
 * the squeeze go on? */
static bool keep_borrowed_high(PlEnforcer *e, PlHeld *h, const PlSqueeze *q) {
        int r;

        if (q->high_held == h->originals.state.squeeze_high.set)
                return true;
        h->originals.state.squeeze_high =
                        (PlValue){ .set = q->high_held, .number = q->high_before };
        r = pl_state_dir_save(e->registry->state_dir, &h->originals.state, false);
        if (r < 0 && q->high_held)
                h->originals.state.squeeze_high = (PlValue){ 0 };
        return r >= 0;
}

/* It is starting, or was found running and its group is new to us; or many wait. */
static bool in_a_hurry(const PlEnforcer *e, const PlHeld *h) {
        return h->cgroup_started_usec == 0 || e->queue_length[PL_QUEUE_KERNEL] >= MANY_WAITING;
}

/* The kernel has refused the second of two writes that belong together. */
static void undo(PlEnforcer *e, PlHeld *h, const PlStep *step, bool direct) {
        const PlStep back = { .kind = PL_STEP_WRITE,
                              .resource = step->resource,
                              .value = step->before,
                              .number = step->number_before };

        if (step->before.set)
                (void)pl_cg_apply(e->mounts, h->cgroup, &back, 0, direct, NULL);
        h->fresh = false;
}

/* Of the quota that is to be written; 0: the policy leaves it open. */
/* While it starts, v1's group keeps its own: runc writes quota and period one after the other, and
 * a quota without a period of its own counts by that which is there. */
static uint64_t quota_period(const PlHeld *h) {
        if (h->cgroup_started_usec == 0 &&
            h->reading.hierarchy[PL_RESOURCE_CPU_QUOTA] == PL_HIERARCHY_V1)
                return 0;
        return pl_owners_usual_period(h) ?: h->service ? h->service->cpu_quota_period_usec : 0;
}

/* @ret_written: mask of wanted values that were written. Return: false when the group has gone. */
static bool execute(PlEnforcer *e, PlHeld *h, const PlPlan *plan, uint32_t *ret_written) {
        uint64_t period = quota_period(h);
        bool direct = in_a_hurry(e, h);
        uint32_t written = 0;
        bool failed = false, refused = false, may_squeeze = true, still_held = false;

        if (plan->squeeze.high_held)
                may_squeeze = keep_borrowed_high(e, h, &plan->squeeze);
        for (size_t i = 0; i < plan->n_steps; i++) {
                const PlStep *step = &plan->steps[i];
                const char *file = NULL;
                int r;

                if (step->kind != PL_STEP_WRITE && (step->kind != PL_STEP_SQUEEZE || !may_squeeze))
                        continue;
                if (step->chained && failed)
                        continue;
                r = pl_cg_apply(e->mounts, h->cgroup, step, period, direct, &file);
                failed = r < 0 && r != -EAGAIN;
                if (r == -ENODEV || r == -ENOENT) {
                        h->fresh = false;
                        pl_registry_inspect(e->registry, h->subject); /* it has just died */
                        return false;
                }
                if (failed && step->resource == PL_RESOURCE_MEMORY_HIGH)
                        still_held = h->squeeze.high_held;
                refused = refused || (failed && step->kind == PL_STEP_SQUEEZE);
                if (failed && step->kind == PL_STEP_WRITE)
                        note_refused(e, h, step->resource, r);
                if (failed && step->chained) {
                        undo(e, h, step - 1, direct);
                        written &= ~(1U << (step - 1)->resource);
                }
                if (failed)
                        note_refusal(e, h, step, file, r);
                else if (step->kind == PL_STEP_WRITE)
                        written |= 1U << step->resource;
                /* A squeeze, or the swap that moves along with memory on v1, is not read back. */
                if (step->kind == PL_STEP_SQUEEZE || !(pl_held_wanted(h) & (1U << step->resource)))
                        h->fresh = false;
        }
        if (may_squeeze) {
                h->squeeze = plan->squeeze;
                h->squeeze.refused = h->squeeze.refused || refused;
        }
        if (still_held) {
                h->squeeze.high_held = true;
                h->squeeze.high_before = h->originals.state.squeeze_high.number;
        }
        if (!h->squeeze.high_held)
                (void)keep_borrowed_high(e, h, &h->squeeze);
        *ret_written = written & pl_held_wanted(h);
        return true;
}

/* Values in force as wanted are held from now on, even where plimsoll had nothing to write. */
static void note_held(PlEnforcer *e, PlHeld *h) {
        uint32_t ok = pl_held_wanted(h) & h->reading.supported & ~h->truth.cannot &
                      ~pl_plan_drift(&h->want, &h->reading, e->registry->options.host.page_bytes);

        for (PlResource i = 0; i < _PL_RESOURCE_N; i++)
                if (ok & ~h->truth.evaded & (1U << i))
                        (void)pl_held_set_error(h, i, PL_OWNER_KERNEL, NULL);
        h->held = (h->held & ~h->truth.cannot) | ok;
        h->truth.as_wanted = ok;
}

/*
 * Values that came back as written are held from now on: a later difference means that somebody
 * else wrote. While a container starts, runc and systemd overwrite early values. That is no
 * failure: its start event brings us back here. Return: mask of values that are in force as wanted.
 */
static uint32_t read_back(PlEnforcer *e, PlHeld *h, uint32_t written) {
        uint32_t differs;

        if (pl_cg_read_back(e->mounts, h->cgroup, written, &h->reading) < 0) {
                h->fresh = false;
                h->truth.as_wanted &= ~written;
                return 0;
        }
        note_held(e, h);
        differs = written & ~h->truth.as_wanted & ~h->truth.cannot;
        for (PlResource i = 0; i < _PL_RESOURCE_N; i++) {
                _cleanup_free_ char *is = NULL, *why = NULL;

                if (!(differs & (1U << i)) || h->cgroup_started_usec == 0 ||
                    pl_value_to_string(i, &h->reading.in_force.v[i], &is) < 0 ||
                    asprintf(&why, "kernel reports %s after the write", is) < 0)
                        continue;
                if (pl_held_set_error(h, i, PL_OWNER_KERNEL, why))
                        pl_subject_report(e->reporter, h->subject, LOG_WARNING,
                                          PL_MESSAGE_LIMITS_FAILED, why, NULL,
                                          "%s= not in force: %s", pl_resource_info(i)->name, why);
        }
        if (differs)
                h->fresh = false;
        return written & ~differs;
}

/* Leaves out values that did not come back as written. */
static void say_given_back(PlEnforcer *e, PlHeld *h, const PlPlan *plan, uint32_t mask) {
        _cleanup_free_ char *text = pl_summary_steps(plan, PL_STEP_WRITE, mask);

        if (text && *text)
                pl_subject_report(e->reporter, h->subject, LOG_INFO, PL_MESSAGE_LIMITS_RESTORED,
                                  NULL, NULL, "limits given back: %s", text);
}

static void say_dry_run(PlEnforcer *e, PlHeld *h, const PlPlan *plan) {
        _cleanup_free_ char *text = pl_summary_steps(plan, PL_STEP_WRITE, UINT32_MAX);

        if (!text || !*text || pl_streq_null(h->news.dry_run, text))
                return;
        pl_subject_report(e->reporter, h->subject, LOG_INFO, NULL, "dry run", NULL, "would set %s",
                          text);
        free(h->news.dry_run);
        h->news.dry_run = TAKE_PTR(text);
}

/* Whatever was written between the reading and the watch. The inspection that a start leads to is
 * the next look anyway, because the group is proven by it. */
static void look_again(PlEnforcer *e, PlHeld *h) {
        h->fresh = false;
        if (!h->subject->inspect_due)
                pl_queue_put(e, h, PL_QUEUE_KERNEL);
}

static void act(PlEnforcer *e, PlHeld *h, const PlPlan *plan) {
        uint64_t now = pl_clock_loop_usec(e->event, CLOCK_BOOTTIME);
        uint32_t mask = 0, drifted = 0, echoed, written = 0, in_force;
        bool guess = false;
        const char *who;

        for (size_t i = 0; i < plan->n_steps; i++) {
                if (plan->steps[i].kind == PL_STEP_WRITE || plan->steps[i].kind == PL_STEP_SQUEEZE)
                        mask |= 1U << plan->steps[i].resource;
                /* neither what the start of the container writes is drift, nor, on v1, the sum of
                 * memory and swap, which moves along with memory */
                if (plan->steps[i].kind == PL_STEP_WRITE && h->cgroup_started_usec > 0 &&
                    !pl_value_equal(&plan->steps[i].value, &plan->steps[i].before))
                        drifted |= h->held & (1U << plan->steps[i].resource);
        }
        /* put right all the same, without a word */
        echoed = drifted & pl_echo_mask(e, h);
        drifted &= ~echoed;
        if (pl_registry_is_dry_run(e->registry)) {
                say_dry_run(e, h, plan);
                return;
        }
        if (pl_originals_capture(e, h) < 0)
                return;
        note_unsupported(e, h, plan);
        note_waiting(e, h, plan);
        if (mask == 0)
                return;
        e->touched = true;
        who = drifted ? blame(e, h, now, &guess) : NULL;
        if (guess && !(drifted & ~as_the_engine_has_it(e, h)))
                who = NULL; /* nobody, unless the event comes meanwhile */
        if ((drifted && !admit_repair(e, h, drifted, who, now)) || !execute(e, h, plan, &written))
                return;
        if (pl_locate_watch(e, h) && pl_held_wanted(h) & ~written)
                look_again(e, h); /* what is not read back now was read before */
        in_force = written != 0 ? read_back(e, h, written) : 0;
        if (drifted)
                say_drift(e, h, plan, drifted, in_force & ~echoed, who, guess);
        if (written == 0)
                return;
        h->told.systemd_due = true;
        /* what the engine cannot be told comes back with each of its writes; that was said */
        say_given_back(e, h, plan, in_force & h->restoring & ~h->told.engine_cannot_said);
        if (!drifted) /* else say_drift() has told it */
                pl_news_written(h, plan, written & ~h->restoring & ~echoed);
}

static uint32_t same_values(const PlLimits *a, const PlLimits *b) {
        uint32_t mask = 0;

        for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                if (pl_value_equal(&a->v[r], &b->v[r]))
                        mask |= 1U << r;
        return mask;
}

/* While nobody writes, a reading of limits stays true. Usage does not: lowering memory needs a
 * fresh one. */
static int refresh(PlEnforcer *e, PlHeld *h) {
        uint32_t mask = pl_held_wanted(h);
        PlReading reading = { 0 };
        int r;

        if (h->fresh && h->watch.on && !(mask & ~h->read_mask)) {
                pl_cg_refresh(e->mounts, h->cgroup, &h->reading);
                return 0;
        }
        r = pl_cg_read(e->mounts, h->cgroup, mask, &reading);
        if (r < 0)
                return r;
        /* systemd was told the old value in its place */
        if (h->withheld & ~same_values(&h->reading.in_force, &reading.in_force))
                h->told.systemd_due = true;
        pl_reading_deinit(&h->reading);
        h->reading = reading;
        h->read_mask = mask;
        h->fresh = true;
        return 0;
}

/*
 * What is not to be written now, though the plan says so:
 * - A write that the kernel refuses is a write all the same to those who watch the file: tried
 * again for that reason, it would be tried ten times a second.
 * - While a container starts on v1, runc may write its limit of memory alone, and the kernel
 * refuses a limit above the sum of memory and swap: with a lower sum there, the container does not
 * start.
 */
static bool is_left(const PlEnforcer *e, const PlHeld *h, const PlStep *step) {
        bool v1 = e->mounts->hierarchy[PL_CONTROLLER_MEMORY] == PL_HIERARCHY_V1;

        if (h->retry.refused & (1U << step->resource))
                return true;
        return v1 && step->resource == PL_RESOURCE_MEMORY_SWAP_MAX && h->cgroup_started_usec == 0 &&
               step->number < h->reading.memsw_bytes;
}

/* Return: mask of what is left out. */
static uint32_t leave_out(const PlEnforcer *e, const PlHeld *h, PlPlan *plan) {
        uint32_t left = 0;
        bool last = false;
        size_t n = 0;

        for (size_t i = 0; i < plan->n_steps; i++) {
                PlStep *step = &plan->steps[i];
                const PlStep *second = i + 1 < plan->n_steps && step[1].chained ? &step[1] : NULL;

                last = step->kind == PL_STEP_WRITE &&
                       (is_left(e, h, step) || (step->chained && last) ||
                        (second && h->retry.refused & (1U << second->resource)));
                if (last) {
                        left |= 1U << step->resource;
                        pl_value_deinit(&step->value);
                        pl_value_deinit(&step->before);
                } else
                        plan->steps[n++] = *step;
        }
        plan->n_steps = n;
        return left;
}

/* What the plan cannot bring about: neither held, nor changed by anybody. */
static uint32_t cannot_of(const PlPlan *plan) {
        uint32_t mask = 0;

        for (size_t i = 0; i < plan->n_steps; i++)
                if (plan->steps[i].kind == PL_STEP_CANNOT)
                        mask |= 1U << plan->steps[i].resource;
        return mask;
}

/* What this host cannot do at all is not waited for. */
static bool is_done(const PlPlan *plan) {
        for (size_t i = 0; i < plan->n_steps; i++)
                if (plan->steps[i].kind != PL_STEP_CANNOT)
                        return false;
        return true;
}

void pl_reconcile_rest(PlEnforcer *e, PlHeld *h) {
        const PlValue *want = &h->want.v[PL_RESOURCE_MEMORY_HIGH];
        const PlSqueeze over = { .stalled = PL_SQUEEZE_STALLS_MAX };
        PlStep step = { .kind = PL_STEP_WRITE, .resource = PL_RESOURCE_MEMORY_HIGH };

        step.number = want->set ? want->number : h->squeeze.high_before;
        step.value = (PlValue){ .set = true, .number = step.number };
        if (!h->cgroup || pl_registry_is_dry_run(e->registry) ||
            (h->squeeze.high_held && pl_cg_apply(e->mounts, h->cgroup, &step, 0, true, NULL) < 0))
                return;
        h->fresh = h->fresh && !h->squeeze.high_held;
        h->squeeze = over;
        (void)keep_borrowed_high(e, h, &over);
}

void pl_reconcile(PlEnforcer *e, PlHeld *h) {
        const PlService *service = h->service;
        uint64_t now = pl_clock_loop_usec(e->event, CLOCK_BOOTTIME);
        uint32_t lacking = pl_held_lacking(h), unsupported = h->unsupported, left;
        PlPlan plan = { 0 };
        int r;

        if (!h->subject->facts || pl_desire(e, h) < 0 || !e->registry->connected)
                return;
        pl_locate(e, h);
        pl_echo_expire(e, h);
        if (!h->cgroup) {
                /* one thing less to do at the start */
                if (h->subject->facts->phase == PL_PHASE_CREATED &&
                    !pl_registry_is_dry_run(e->registry))
                        (void)pl_originals_capture(e, h);
                pl_queue_put(e, h, PL_QUEUE_OWNERS);
                return;
        }
        r = refresh(e, h);
        if (r < 0) {
                pl_log_debug("%s: its cgroup is gone: %s", pl_subject_name(h->subject),
                             strerror(-r));
                e->touched = true;
                pl_locate_drop(e, h);
                pl_registry_inspect(e->registry, h->subject);
                return;
        }
        h->reading.usual_swap = pl_state_swap_allowance(&h->originals.state,
                                                        e->mounts->hierarchy[PL_CONTROLLER_MEMORY]);
        h->reading.usual_period_usec = quota_period(h);
        retry_busy(e, h);
        h->reading.restores_memory = h->restoring & (1U << PL_RESOURCE_MEMORY_MAX);
        h->reading.refused_memory = h->reading.restores_memory &&
                                    h->retry.refused & (1U << PL_RESOURCE_MEMORY_MAX);
        r = pl_plan_limits(&h->want, &h->reading,
                           h->service ? h->service->shrink_mode : PL_SHRINK_SAFE, &h->squeeze,
                           e->registry->options.host.page_bytes, &plan);
        if (r < 0)
                return;
        h->truth.cannot = cannot_of(&plan);
        note_held(e, h);
        left = leave_out(e, h, &plan) | (h->retry.refused & pl_held_lacking(h));
        act(e, h, &plan);
        pl_echo_looked(e, h);
        pl_news_say(e, h);
        if (is_done(&plan) && !left && pl_drift_settled(&h->drift, now)) {
                pl_subject_report(e->reporter, h->subject, LOG_NOTICE, NULL, NULL, NULL,
                                  "the stand-off is over, limits hold again");
                h->truth.contested = 0;
        }
        e->touched = e->touched || pl_held_lacking(h) != lacking || h->unsupported != unsupported ||
                     h->service != service;
        pl_plan_deinit(&plan);
        if (h->cgroup && pl_locate_watch(e, h))
                look_again(e, h);
        pl_queue_put(e, h, PL_QUEUE_OWNERS);
}
