/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Enforcer: ticks, sweeps, and what the registry announces.
 *
 * The kernel's queue is emptied first, so that every value is in force before any other owner hears
 * of it. Retries and the sweep queue containers again, nothing more.
 */

#include "enforce/enforcer.h"

#include <errno.h>

#include "base/clock.h"
#include "base/loop.h"
#include "cgroup/apply.h"
#include "enforce/desire.h"
#include "enforce/echo.h"
#include "enforce/locate.h"
#include "enforce/news.h"
#include "enforce/originals.h"
#include "enforce/owners.h"
#include "enforce/queue.h"
#include "enforce/reconcile.h"
#include "enforce/strays.h"
#include "enforce/slices.h"
#include "lib/base/unit.h"

#define SWEEP_USEC PL_USEC_PER_MIN
/* Events are hints, so every ten minutes or so a sweep also asks the engine for its list. That
 * costs a wake-up or two for each container. */
#define SWEEPS_PER_RESYNC 12
/* One tick yields to the loop after this long, so that events and the watchdog are never starved.
 */
#define TICK_BUDGET_USEC (20 * PL_USEC_PER_MSEC)

static bool has_work(const PlEnforcer *e) {
        return !TAILQ_EMPTY(&e->queue[PL_QUEUE_KERNEL]) || !TAILQ_EMPTY(&e->queue[PL_QUEUE_OWNERS]);
}

static void work(PlEnforcer *e) {
        uint64_t begin = pl_clock_usec(CLOCK_MONOTONIC);

        while (pl_clock_usec(CLOCK_MONOTONIC) - begin < TICK_BUDGET_USEC) {
                PlHeld *h = pl_queue_take(e, PL_QUEUE_KERNEL);

                if (h) {
                        pl_reconcile(e, h);
                        pl_registry_inspect_due(e->registry, h->subject);
                        continue;
                }
                e->handlers->idle(e->userdata);
                h = pl_queue_take(e, PL_QUEUE_OWNERS);
                if (!h)
                        return;
                pl_owners_tell(e, h);
        }
}

static int on_tick(sd_event_source *source, void *userdata) {
        PlEnforcer *e = userdata;

        pl_loop_doing("limits");
        work(e);
        if (has_work(e)) {
                /* it makes progress */
                e->tick_armed_usec = pl_clock_loop_usec(e->event, CLOCK_BOOTTIME);
                return sd_event_source_set_enabled(e->tick, SD_EVENT_ONESHOT);
        }
        e->tick_armed_usec = 0;
        e->handlers->idle(e->userdata);
        if (e->registry->synced)
                pl_strays_begin(e->places.strays);
        pl_registry_settle(e->registry);
        pl_slices_update(e);
        /* Nothing has changed: do not wake up for a status line. */
        if (e->touched)
                pl_reporter_changed(e->reporter);
        e->touched = false;
        if (e->stopping && !has_work(e) && !pl_owners_busy(e) && !pl_slices_wait(e))
                e->handlers->stopped(e->userdata);
        return 0;
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
        PlEnforcer *e = userdata;
        uint64_t now = pl_clock_loop_usec(e->event, CLOCK_BOOTTIME), next = 0;
        PlHeld *h;

        TAILQ_FOREACH(h, &e->all, all) {
                if (h->retry.at_usec == 0)
                        continue;
                if (h->retry.at_usec <= now) {
                        h->retry.at_usec = 0;
                        h->fresh = false;
                        pl_queue_put(e, h, PL_QUEUE_KERNEL);
                } else if (next == 0 || h->retry.at_usec < next) {
                        next = h->retry.at_usec;
                }
        }
        if (next > 0) {
                (void)sd_event_source_set_time(source, next);
                (void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        }
        return 0;
}

static int on_sweep(sd_event_source *source, uint64_t usec, void *userdata) {
        PlEnforcer *e = userdata;
        PlHeld *h;

        pl_loop_doing("sweep");
        TAILQ_FOREACH(h, &e->all, all) {
                h->fresh = false;
                h->squeeze.rounds = h->squeeze.stalled = 0; /* more may be reclaimable now */
                h->squeeze.refused = false;
                h->retry.refused = 0; /* there may be room now */
                if (h->told.engine_failed)
                        pl_held_forget_told(h); /* try once more */
                if (pl_held_has_error(h, h->restoring, PL_OWNER_SYSTEMD))
                        h->told.systemd_due = true;
                pl_queue_put(e, h, PL_QUEUE_KERNEL);
        }
        pl_slices_look(e, true);
        pl_strays_look(e->places.strays);
        if (++e->sweeps % SWEEPS_PER_RESYNC == 0 || !e->registry->listed)
                pl_registry_resync(e->registry);
        if (e->handlers->swept)
                e->handlers->swept(e->userdata);
        (void)sd_event_source_set_time_relative(source, SWEEP_USEC);
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

void pl_enforcer_begin(PlEnforcer *e) {
        pl_owners_remove_defaults(e);
}

void pl_enforcer_quiet(PlEnforcer *e) {
        uint64_t due = 0;

        if (sd_event_source_get_time(e->sweep, &due) >= 0 &&
            due < pl_clock_loop_usec(e->event, CLOCK_BOOTTIME) + SWEEP_USEC / 2)
                (void)on_sweep(e->sweep, due, e);
}

static PlHeld *held_new(PlSubject *s) {
        PlHeld *h = calloc(1, sizeof(*h));

        if (!h)
                return NULL;
        h->subject = s;
        memcpy(h->originals.state.id, s->id, sizeof(h->originals.state.id));
        return h;
}

/* It must not be queued. Return: NULL. */
static PlHeld *held_free(PlHeld *h) {
        if (!h)
                return NULL;
        pl_held_drop_cgroup(h);
        pl_limits_deinit(&h->want);
        pl_container_state_deinit(&h->originals.state);
        for (PlResource r = 0; h->owner_errors && r < _PL_RESOURCE_N; r++)
                for (PlOwner o = 0; o < _PL_OWNER_N; o++)
                        free(h->owner_errors[r][o]);
        free(h->owner_errors);
        pl_news_deinit(&h->news);
        free(h->told.engine);
        free(h->told.engine_failed);
        pl_echo_free(h->told.echo);
        free(h);
        return NULL;
}

int pl_enforcer_add(PlEnforcer *e, PlSubject *s) {
        PlHeld *h = held_new(s);
        int r;

        if (!h)
                return -ENOMEM;
        r = pl_state_dir_load(e->registry->state_dir, s->id, &h->originals.state);
        h->originals.unreadable = r == -EOPNOTSUPP;
        pl_owners_inherit(e, h);
        TAILQ_INSERT_TAIL(&e->all, h, all);
        s->held = h;
        return 0;
}

void pl_enforcer_remove(PlEnforcer *e, PlSubject *s) {
        PlHeld *h = s->held;

        if (!h)
                return;
        pl_news_inspected(e, h, true);
        s->held = NULL;
        pl_slices_look(e, false);
        pl_cg_watch_remove(e->watch, s->id);
        pl_queue_remove(e, h);
        TAILQ_REMOVE(&e->all, h, all);
        held_free(h);
}

/* A run begins. runc and systemd write after the group appears, so look again at once. */
static void begin_run(PlEnforcer *e, PlHeld *h) {
        pl_news_start(h);
        h->watch.none_yet = false;
        pl_held_forget_told(h);                                   /* a new run, a new answer */
        h->told.systemd_own_usec = pl_clock_usec(CLOCK_REALTIME); /* that was runc's start */
        if (!h->cgroup && h->subject->facts)
                (void)pl_locate_by_parent(e, h);
        pl_queue_put(e, h, PL_QUEUE_KERNEL);
}

void pl_enforcer_event(PlEnforcer *e, PlSubject *s, const PlEvent *event) {
        uint64_t now = pl_clock_loop_usec(e->event, CLOCK_BOOTTIME);
        PlHeld *h = s->held;

        switch (event->action) {
        case PL_EVENT_CREATE:
                h->watch.none_yet = !event->late && !h->cgroup;
                pl_locate_claim(e, h);
                if (s->facts)
                        pl_queue_put(e, h, PL_QUEUE_KERNEL);
                break;
        case PL_EVENT_START:
        case PL_EVENT_RESTART:
                h->fresh = false;
                begin_run(e, h);
                break;
        case PL_EVENT_UPDATE:
                if (h->told.events_due > 0 && now <= h->told.events_until_usec) {
                        h->told.events_due--; /* our own */
                } else {
                        h->told.events_due = 0;
                        h->told.others_usec = now;
                        h->originals.accepted = false; /* it may show theirs */
                        if (now <= h->told.events_until_usec)
                                pl_state_doubt(&h->originals.state);
                        pl_held_forget_told(h);
                }
                h->fresh = false;
                break;
        default:
                break;
        }
}

void pl_enforcer_inspected(PlEnforcer *e, PlSubject *s) {
        PlHeld *h = s->held;

        h->fresh = false;
        h->told.facts_old &= h->told.update_in_flight || s->inspect_in_flight;
        pl_originals_inspected(e, h);
        pl_news_inspected(e, h, false);
        pl_queue_answered(e);
        if (!pl_container_is_live(s->facts) && h->cgroup && h->cgroup_started_usec > 0) {
                pl_slices_look(e, false);
                pl_locate_drop(e, h);
        }
        pl_queue_put(e, h, PL_QUEUE_KERNEL);
}

void pl_enforcer_connected(PlEnforcer *e) {
        PlHeld *h;

        e->engine_takes_nothing = false;
        /* who knows for how long they have run by now */
        for (size_t i = 0; i < PL_UNBORN_MAX; i++)
                e->places.unborn[i].made = false;
        TAILQ_FOREACH(h, &e->all, all) {
                h->watch.made = false;
                h->fresh = false;
                h->told.events_due = 0; /* none comes any more */
                pl_held_forget_told(h);
        }
}

void pl_enforcer_rest(PlEnforcer *e) {
        PlHeld *h;

        TAILQ_FOREACH(h, &e->all, all)
        pl_reconcile_rest(e, h);
}

void pl_enforcer_set_policy(PlEnforcer *e) {
        PlHeld *h;

        TAILQ_FOREACH(h, &e->all, all) {
                h->service = NULL; /* borrowed from the old one */
                free(h->news.dry_run);
                h->news.dry_run = NULL;
                h->unsupported = 0;
                /* the person may have ended the fight: begin anew, and listen */
                if (pl_drift_end(&h->drift))
                        h->truth.contested = 0;
                pl_queue_put(e, h, PL_QUEUE_KERNEL);
        }
        pl_slices_look(e, false);
}

static int on_stop_timeout(sd_event_source *source, uint64_t usec, void *userdata) {
        PlEnforcer *e = userdata;

        pl_log_warning("The engine has not answered %u update%s for %u s: what they give back may "
                       "not arrive, and `docker inspect` may keep showing plimsoll's limits. The "
                       "records of the original values are kept",
                       e->updates_in_flight, pl_plural(e->updates_in_flight),
                       (unsigned)(PL_STOP_GRACE_USEC / PL_USEC_PER_SEC));
        e->handlers->stopped(e->userdata);
        return 0;
}

/* At the end nobody waits for events that are late. One that has just ended must be told what is
 * withheld from a running one; one that has just been started has from HostConfig what could not be
 * taken away there. */
static bool may_be_old(const PlHeld *h) {
        const PlContainerState *s = &h->originals.state;

        return h->subject->facts && pl_container_is_live(h->subject->facts) &&
               (!h->cgroup || s->engine_told.set & ~pl_state_captured(s));
}

void pl_enforcer_stop(PlEnforcer *e) {
        PlHeld *h;

        e->stopping = true;
        pl_enforcer_rest(e); /* nobody would be there to end a squeeze */
        TAILQ_FOREACH(h, &e->all, all) {
                h->fresh = false;
                h->held = 0; /* giving back is no drift, and no fight */
                if (may_be_old(h))
                        pl_registry_inspect(e->registry, h->subject);
                h->told.facts_old = h->told.update_in_flight || h->subject->inspect_in_flight;
                (void)pl_drift_end(&h->drift);
                pl_held_forget_told(h);
                (void)pl_desire(e, h);
                pl_queue_put(e, h, PL_QUEUE_KERNEL);
        }
        pl_slices_look(e, false);
        (void)sd_event_add_time_relative(e->event, &e->stop_timer, CLOCK_BOOTTIME,
                                         PL_STOP_GRACE_USEC, 0, on_stop_timeout, e);
        pl_queue_answered(e);
}

uint64_t pl_enforcer_limit(const PlSubject *s, PlResource which, uint64_t *ret_policy) {
        const PlHeld *h = s->held;
        const PlValue *want = &h->want.v[which], *have = &h->reading.in_force.v[which];

        *ret_policy = h->service && want->set && !(h->restoring & (1U << which)) ? want->number
                                                                                 : PL_UNLIMITED;
        if (have->set)
                return have->number;
        return which == PL_RESOURCE_MEMORY_MAX && s->facts && s->facts->host.memory > 0
                               ? (uint64_t)s->facts->host.memory
                               : PL_UNLIMITED;
}

void pl_enforcer_bounds(const PlSubject *s, PlPinchReading *ret) {
        uint64_t policy;

        ret->tasks_max = ret->quota_usec = PL_UNLIMITED;
        ret->memory.high_bytes = ret->memory.max_bytes = PL_UNLIMITED;
        if (!s->held)
                return;
        ret->tasks_max = pl_enforcer_limit(s, PL_RESOURCE_TASKS_MAX, &policy);
        ret->quota_usec = pl_enforcer_limit(s, PL_RESOURCE_CPU_QUOTA, &policy);
        ret->period_usec = s->held->reading.cpu_period_usec;
        ret->memory.high_bytes = pl_enforcer_limit(s, PL_RESOURCE_MEMORY_HIGH, &policy);
        ret->memory.max_bytes = pl_enforcer_limit(s, PL_RESOURCE_MEMORY_MAX, &policy);
        /* while memory is squeezed on its way down the pressure is ours */
        if (s->held->waiting != 0 || s->held->restoring != 0)
                ret->memory.high_bytes = ret->memory.max_bytes = PL_UNLIMITED;
}

char *pl_enforcer_describe(const PlSubject *s, bool *ret_ours) {
        const PlHeld *h = s->held;
        char *text = NULL;
        size_t size = 0;
        FILE *f = h && h->cgroup ? open_memstream(&text, &size) : NULL;

        *ret_ours = false;
        for (PlResource r = 0; f && r < _PL_RESOURCE_N; r++) {
                const PlValue *v = &h->reading.in_force.v[r], fresh = pl_resource_fresh(r);
                _cleanup_free_ char *value = NULL;

                if (!v->set || !(h->read_mask & (1U << r)) || pl_value_equal(v, &fresh) ||
                    pl_value_to_string(r, v, &value) < 0)
                        continue;
                fprintf(f, "%s%s=%s", ftell(f) > 0 ? " " : "", pl_resource_info(r)->name, value);
                *ret_ours = *ret_ours || (pl_held_in_force(h) & ~h->restoring & (1U << r));
        }
        return f ? pl_take_text(f, &text) : NULL;
}

/* What the policy asks for and the kernel has; PL_UNLIMITED: nothing. */
static uint64_t limit_of_ours(const PlHeld *h, PlResource which) {
        const PlValue *want = &h->want.v[which];

        return h->service && want->set && h->held & ~h->restoring & (1U << which) ? want->number
                                                                                  : PL_UNLIMITED;
}

void pl_enforcer_slow(const PlEnforcer *e, const PlSubject *s, PlSlowReading *ret) {
        PlUsage u;

        *ret = (PlSlowReading){
                .quota_usec = limit_of_ours(s->held, PL_RESOURCE_CPU_QUOTA),
                .period_usec = s->held->reading.cpu_period_usec,
                .high_bytes = limit_of_ours(s->held, PL_RESOURCE_MEMORY_HIGH),
        };
        if (ret->quota_usec == PL_UNLIMITED && ret->high_bytes == PL_UNLIMITED)
                return;
        pl_enforcer_usage(e, s, &u);
        ret->cpu_usec = u.cpu_usec;
        ret->n_throttled = u.throttled_periods;
        ret->n_high = u.high_events;
        ret->memory_bytes = u.memory_bytes;
        if (u.memory_bytes != PL_UNLIMITED && u.inactive_file_bytes <= u.memory_bytes)
                ret->memory_bytes -= u.inactive_file_bytes;
}

void pl_enforcer_usage(const PlEnforcer *e, const PlSubject *s, PlUsage *ret) {
        pl_usage_init(ret);
        if (s->held->cgroup)
                (void)pl_cg_read_usage(e->mounts, s->held->cgroup, ret);
}

const char *pl_enforcer_read(const PlEnforcer *e, const PlSubject *s, PlUsage *ret_usage,
                             PlFlow *ret_flow, PlReading *ret_spec) {
        const uint32_t told = 1U << PL_RESOURCE_CPU_QUOTA | 1U << PL_RESOURCE_CPU_WEIGHT |
                              1U << PL_RESOURCE_MEMORY_LOW | 1U << PL_RESOURCE_MEMORY_MAX |
                              1U << PL_RESOURCE_MEMORY_SWAP_MAX | 1U << PL_RESOURCE_TASKS_MAX;
        const PlCgroup *g = s->held->cgroup;

        if (!g || pl_cg_read_usage(e->mounts, g, ret_usage) < 0)
                return NULL;
        pl_cg_read_flow(e->mounts, g, ret_flow);
        if (pl_cg_read(e->mounts, g, told, ret_spec) < 0)
                *ret_spec = (PlReading){};
        return g->relative[PL_CONTROLLER_MEMORY] ?: g->relative[PL_CONTROLLER_CPU] ?: "";
}

static int add_sources(PlEnforcer *e) {
        int r;

        r = sd_event_add_defer(e->event, &e->tick, on_tick, e);
        if (r < 0)
                return r;
        (void)sd_event_source_set_enabled(e->tick, SD_EVENT_OFF);
        r = sd_event_add_time(e->event, &e->retry, CLOCK_BOOTTIME, 0, 0, on_retry, e);
        if (r < 0)
                return r;
        (void)sd_event_source_set_enabled(e->retry, SD_EVENT_OFF);
        return sd_event_add_time_relative(e->event, &e->sweep, CLOCK_BOOTTIME, SWEEP_USEC,
                                          5 * PL_USEC_PER_SEC, on_sweep, e);
}

static int open_kernel(PlEnforcer *e) {
        int r = pl_cg_apply_init();

        if (r < 0) {
                pl_log_error("libcgroup does not start: %s", strerror(-r));
                return r;
        }
        r = pl_cg_watch_new(e->event, e->mounts, &pl_locate_handlers, e, &e->watch);
        if (r < 0) {
                pl_log_error("Cannot watch cgroups: %s", strerror(-r));
                return r;
        }
        pl_locate_begin(e);
        return 0;
}

int pl_enforcer_new(PlRegistry *registry, const PlCgroupMounts *mounts, bool no_early_write,
                    const PlEnforceHandlers *handlers, void *userdata, PlEnforcer **ret) {
        _cleanup_(pl_enforcer_freep) PlEnforcer *e = calloc(1, sizeof(*e));
        int r;

        if (!e)
                return -ENOMEM;
        e->event = sd_event_ref(registry->event);
        e->registry = registry;
        e->reporter = registry->reporter;
        e->mounts = mounts;
        e->handlers = handlers;
        e->userdata = userdata;
        e->no_early_write = no_early_write;
        TAILQ_INIT(&e->all);
        for (PlQueue q = 0; q < _PL_QUEUE_N; q++)
                TAILQ_INIT(&e->queue[q]);
        r = add_sources(e);
        if (r >= 0)
                r = open_kernel(e);
        if (r >= 0)
                r = pl_strays_new(e, &e->places.strays);
        if (r >= 0)
                r = pl_systemd_new(e->event, &pl_owners_systemd_handlers, e, &e->systemd);
        if (r >= 0)
                r = pl_slices_new(e, &e->places.slices);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(e);
        return 0;
}

PlEnforcer *pl_enforcer_free(PlEnforcer *e) {
        if (!e)
                return NULL;
        e->systemd = pl_systemd_free(e->systemd);
        e->places.slices = pl_slices_free(e->places.slices);
        pl_cg_watch_free(e->watch);
        pl_locate_end(e);
        pl_strays_free(e->places.strays);
        sd_event_source_disable_unref(e->tick);
        sd_event_source_disable_unref(e->retry);
        sd_event_source_disable_unref(e->sweep);
        sd_event_source_disable_unref(e->stop_timer);
        sd_event_unref(e->event);
        free(e);
        return NULL;
}
