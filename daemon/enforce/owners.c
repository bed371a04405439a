/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The other owners: systemd and the engine hear of a value once the kernel has it. So neither takes
 * it away at the next reload or update, and `docker inspect`, `docker stats` and a restart agree.
 *
 * A limit that the kernel does not hold (it waits for usage to fall, or was refused) is kept from
 * both: they would write it at once, which kills. systemd is told the value in force instead.
 * Otherwise an older value, or the one in the file of [Defaults], would replace it at the next
 * reload.
 *
 * What is given back goes the same way, and then round once more: an engine's update makes runc
 * write all values as it knows them, also into systemd, and those include what the engine cannot be
 * told back. So the kernel is written first, because lowering may have to wait there; systemd and
 * the engine are told; after each answer the kernel is read again, and systemd told again after the
 * engine's. Only what is then in force, with nobody left to answer, is given back, and only then is
 * it forgotten what it was.
 */

#include "enforce/owners.h"

#include <errno.h>
#include <fcntl.h>

#include "base/clock.h"
#include "base/fs.h"
#include "cgroup/read.h"
#include "enforce/desire.h"
#include "enforce/echo.h"
#include "enforce/originals.h"
#include "enforce/queue.h"
#include "enforce/slices.h"
#include "lib/base/unit.h"
#include "lib/base/message.h"
#include "lib/docker/update.h"
#include "lib/limits/tell.h"
#include "lib/status/summary.h"

/* The event of an update comes about with its answer; one that does not come was lost. */
#define OWN_EVENT_USEC (5 * PL_USEC_PER_SEC)

static const PlReading *reading_of(const PlHeld *h) {
        return h->cgroup ? &h->reading : NULL;
}

/* A memory limit never goes to the engine alone. Return: whether swap goes along with it. */
static bool swap_goes_along(const PlHeld *h) {
        return h->want.v[PL_RESOURCE_MEMORY_MAX].set && !h->want.v[PL_RESOURCE_MEMORY_SWAP_MAX].set;
}

/* The API cannot say "no list". On v1 the kernel always has one, and v2 takes none away from a
 * group with tasks; the one of the group above restricts nothing. Return: 1, 0: not known while
 * there is no group, -errno. */
static int all_cpus(const PlEnforcer *e, const PlHeld *h, PlValue *ret) {
        char *text = NULL;
        int r;

        if (!h->cgroup || !(h->restoring & (1U << PL_RESOURCE_ALLOWED_CPUS)) ||
            pl_some_limits_get(&h->originals.state.engine_original, PL_RESOURCE_ALLOWED_CPUS)->set)
                return 0;
        r = pl_cg_read_parents_cpus(e->mounts, h->cgroup, &text);
        if (r < 0)
                return r == -ENOMEM ? r : 0;
        *ret = (PlValue){ .set = true, .text = text };
        return 1;
}

static const PlValue *engine_value(const PlEnforcer *e, const PlHeld *h, PlResource r,
                                   PlValue *fallback) {
        if (r == PL_RESOURCE_MEMORY_SWAP_MAX && swap_goes_along(h) &&
            !(h->restoring & (1U << PL_RESOURCE_MEMORY_MAX))) {
                *fallback = pl_state_swap_allowance(&h->originals.state,
                                                    e->mounts->hierarchy[PL_CONTROLLER_MEMORY]);
                return fallback->set ? fallback : NULL;
        }
        if (r == PL_RESOURCE_MEMORY_SWAP_MAX && swap_goes_along(h)) {
                *fallback = pl_resource_fresh(r);
                return pl_some_limits_get(&h->originals.state.engine_original, r)->set
                                       ? pl_some_limits_get(&h->originals.state.engine_original, r)
                                       : fallback;
        }
        if (!h->want.v[r].set)
                return NULL;
        if (!(h->restoring & (1U << r)))
                return &h->want.v[r];
        if (pl_some_limits_get(&h->originals.state.engine_original, r)->set)
                return pl_some_limits_get(&h->originals.state.engine_original, r);
        *fallback = pl_desire_fresh(e, h, r);
        if (r == PL_RESOURCE_TASKS_MAX && !fallback->set)
                return &h->want.v[r];
        return fallback->set ? fallback : NULL;
}

static int engine_limits(const PlEnforcer *e, PlHeld *h, PlLimits *ret) {
        PlLimits has = { 0 };
        int r = pl_container_limits(h->subject->facts, e->mounts->hierarchy[PL_CONTROLLER_CPU],
                                    &has);

        for (PlResource i = 0; i < _PL_RESOURCE_N && r >= 0; i++) {
                PlValue fallback = { 0 };
                const PlValue *v = engine_value(e, h, i, &fallback);

                if (i == PL_RESOURCE_ALLOWED_CPUS && (r = all_cpus(e, h, &ret->v[i])) > 0)
                        continue;
                if (v && r >= 0)
                        r = pl_value_copy(v, &ret->v[i]);
        }
        if (r >= 0)
                h->told.engine_withheld =
                                pl_tell_withheld_from_engine(ret, &has, reading_of(h), h->withheld,
                                                             e->registry->options.host.page_bytes) |
                                (h->retry.refused & ~h->restoring);
        for (PlResource i = 0; i < _PL_RESOURCE_N && r >= 0; i++)
                if (h->told.engine_withheld & (1U << i)) {
                        pl_value_deinit(&ret->v[i]);
                        ret->v[i] = (PlValue){ 0 };
                }
        pl_limits_deinit(&has);
        return r;
}

static const char *kernel_says(const PlHeld *h) {
        return pl_summary_kernel(pl_held_wanted(h), h->unsupported, pl_held_in_force(h));
}

static void note_engine_error(PlEnforcer *e, PlHeld *h, const char *why) {
        bool news = false;

        for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                if (h->want.v[r].set)
                        news |= pl_held_set_error(h, r, PL_OWNER_ENGINE, why);
        if (why && news)
                pl_subject_report_of_many(e->reporter, h->subject, LOG_WARNING,
                                          PL_MESSAGE_LIMITS_FAILED, why,
                                          "the engine did not take the limits (%s). %s; `docker "
                                          "inspect` shows others",
                                          why, kernel_says(h));
}

static bool has_scope(const PlEnforcer *e, const PlHeld *h) {
        return h->cgroup && h->cgroup->scope && pl_systemd_is_supported(e->systemd);
}

bool pl_owners_busy(const PlEnforcer *e) {
        const PlHeld *h;

        if (e->updates_in_flight > 0)
                return true;
        TAILQ_FOREACH(h, &e->all, all)
        if (h->told.facts_old || (h->restoring && h->told.systemd_in_flight > 0))
                return true;
        return false;
}

/* A value is given back once kernel, systemd and engine have the original again, and none of them
 * owes an answer: see the top. */
static void settle_restored(PlEnforcer *e, PlHeld *h) {
        uint32_t done = h->restoring, keep;

        done &= ~(h->withheld | h->told.engine_withheld);
        /* what an earlier plimsolld has asked for would undo it; the sweep leads here again */
        if (pl_clock_loop_usec(e->event, CLOCK_BOOTTIME) < h->told.inherited_until_usec)
                done &= ~pl_state_awaited(&h->originals.state);
        if (done == 0 || h->told.update_in_flight || h->told.systemd_in_flight > 0 ||
            (has_scope(e, h) && h->told.systemd_due))
                return;
        if (h->cgroup && !h->fresh) {
                if (!h->told.settle_looked) /* once; then it is the sweep's */
                        pl_queue_put(e, h, PL_QUEUE_KERNEL);
                h->told.settle_looked = true;
                return;
        }
        h->told.settle_looked = false;
        if (h->cgroup)
                done &= h->truth.as_wanted | ~h->reading.supported;
        if (h->retry.refused & (1U << PL_RESOURCE_MEMORY_SWAP_MAX)) /* the sum, which is its other
                                                                       half on v1 */
                done &= ~(1U << PL_RESOURCE_MEMORY_MAX);
        for (PlResource r = 0; has_scope(e, h) && r < _PL_RESOURCE_N; r++)
                if (pl_held_has_error(h, 1U << r, PL_OWNER_SYSTEMD))
                        done &= ~(1U << r); /* the sweep tells it again */
        if (done == 0)
                return;
        h->originals.state.managed &= ~done;
        keep = pl_state_captured(&h->originals.state);
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                if (!(keep & (1U << r)))
                        (void)pl_some_limits_put(&h->originals.state.original, r, &(PlValue){ 0 });
        pl_originals_keep(e, h);
        (void)pl_desire(e, h);
}

void pl_owners_inherit(PlEnforcer *e, PlHeld *h) {
        uint64_t until = pl_clock_loop_usec(e->event, CLOCK_BOOTTIME) + OWN_EVENT_USEC;
        PlLimits asked = pl_some_limits_all(&h->originals.state.engine_asked);

        if (!pl_limits_any(&asked))
                return;
        pl_echo_sent(h, &asked);
        pl_echo_until(h, until);
        h->told.events_due = 1;
        h->told.events_until_usec = h->told.inherited_until_usec = until;
}

static void on_updated(void *userdata, const char *id, int error, const char *message) {
        PlEnforcer *e = userdata;
        PlHeld *h = pl_enforcer_find(e, id);
        uint64_t now;

        e->updates_in_flight--;
        pl_queue_answered(e);
        if (h) {
                now = pl_clock_loop_usec(e->event, CLOCK_BOOTTIME);
                h->told.update_in_flight = false;
                if (error < 0 && h->told.events_due > 0)
                        h->told.events_due--;
                h->told.events_until_usec = now + OWN_EVENT_USEC;
                h->told.systemd_own_usec = pl_clock_usec(CLOCK_REALTIME);
                if (error != -ECONNRESET && error != -ENOTCONN && error != -ETIMEDOUT &&
                    (error >= 0 || now >= h->told.inherited_until_usec))
                        pl_originals_answered(h, error >= 0, e->stopping);
                if (error == -ECONNRESET || error == -ENOTCONN) {
                        /* lost() has reported it, and the resync leads here again */
                        pl_held_forget_told(h);
                } else if (error == -EOPNOTSUPP) {
                        e->engine_takes_nothing = true;
                } else if (error < 0) {
                        /* Reported after the next inspection: the container may simply have ended.
                         */
                        free(h->told.engine_failed);
                        h->told.engine_failed = strdup(message ?: strerror(-error));
                } else {
                        free(h->told.engine_failed);
                        h->told.engine_failed = NULL;
                        note_engine_error(e, h, NULL);
                }
                if (!e->stopping || h->told.facts_old)
                        pl_registry_inspect(e->registry, h->subject);
                h->told.systemd_due |= h->restoring != 0;
                pl_echo_answered(e, h);
        }
        pl_reporter_changed(e->reporter);
}

/* The kernel has it back; what HostConfig keeps is named. */
static void say_engine_cannot(PlEnforcer *e, PlHeld *h, uint32_t cannot) {
        _cleanup_free_ char *names = NULL;

        h->told.engine_cannot_said &= h->restoring | ~pl_held_wanted(h);
        cannot &= ~h->told.engine_cannot_said & h->restoring;
        h->told.engine_cannot_said |= cannot;
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++) {
                const char *field = pl_docker_update_field(r, &h->subject->facts->host);
                char *longer = NULL;

                if (!(cannot & (1U << r)) || !field)
                        continue;
                if (asprintf(&longer, "%s%s%s= (%s)", names ?: "", names ? ", " : "",
                             pl_resource_info(r)->name, field) < 0)
                        return;
                free(names);
                names = longer;
        }
        if (names)
                pl_subject_report(
                                e->reporter, h->subject, LOG_NOTICE, NULL, NULL, NULL,
                                "given back in the kernel, but the Engine API cannot take away %s: "
                                "`docker inspect` shows a value until the container is recreated. "
                                "What the engine writes at a start, plimsolld gives back then",
                                names);
}

uint64_t pl_owners_usual_period(const PlHeld *h) {
        const PlQuotaPeriod *p = &h->originals.state.period;
        int64_t own = h->subject->facts ? h->subject->facts->host.cpu_period : 0;

        if (!(h->restoring & (1U << PL_RESOURCE_CPU_QUOTA)))
                return 0;
        return p->original_usec          ? p->original_usec
               : p->engine_original_usec ? p->engine_original_usec
               : own > 0                 ? (uint64_t)own
                                         : PL_QUOTA_PERIOD_DEFAULT_USEC;
}

/* runc writes these, and what it had for all others. Of what cannot be told it is the nearest. */
static void note_told(const PlEnforcer *e, PlHeld *h, const PlLimits *told, const char *body) {
        PlHierarchy hierarchy = e->mounts->hierarchy[PL_CONTROLLER_CPU];
        _cleanup_(pl_limits_deinit) PlLimits has = { 0 }, after = { 0 };
        uint64_t period_usec;

        if (pl_container_limits(h->subject->facts, hierarchy, &has) >= 0)
                pl_echo_sent(h, &has);
        if (pl_docker_updated(h->subject->facts, body, hierarchy, &after, &period_usec) >= 0)
                pl_echo_sent(h, &after);
        pl_echo_sent(h, told);
        if (!pl_value_equal(&has.v[PL_RESOURCE_CPU_QUOTA], &after.v[PL_RESOURCE_CPU_QUOTA]))
                pl_echo_quota(h);
}

/* An inspection under way will bring what the engine has, and leads here again. */
static bool may_tell_engine(const PlEnforcer *e, const PlHeld *h) {
        if (h->told.update_in_flight || h->told.facts_old ||
            (h->subject->inspect_in_flight && !e->stopping) || h->subject->provisional)
                return false;
        switch (h->subject->facts->phase) {
        case PL_PHASE_REMOVING:
        case PL_PHASE_DEAD:
        case PL_PHASE_RESTARTING:
                return false;
        case PL_PHASE_CREATED:
                return !e->no_early_write;
        default:
                return true;
        }
}

/* @path: below the mount. Return: usec per second; PL_UNLIMITED: no quota, or none that is known.
 */
static uint64_t quota_of_group(const PlEnforcer *e, const char *path, size_t size) {
        static const char *const names[] = { "cpu.cfs_quota_us", "cpu.cfs_period_us" };
        uint64_t n[2] = { PL_UNLIMITED, 0 };

        for (size_t i = 0; i < PL_ARRAY_SIZE(names); i++) {
                _cleanup_free_ char *file = NULL, *text = NULL;

                if (asprintf(&file, "%s/%.*s/%s", e->mounts->mount[PL_CONTROLLER_CPU], (int)size,
                             path, names[i]) < 0) {
                        file = NULL;
                        return PL_UNLIMITED;
                }
                if (pl_fs_read(AT_FDCWD, file, 32, &text, NULL) < 0)
                        return PL_UNLIMITED;
                text[strcspn(text, "\n")] = '\0';
                if (pl_parse_uint64(text, &n[i]) < 0) /* "-1" */
                        return PL_UNLIMITED;
        }
        return n[1] > 0 && n[0] < PL_UNLIMITED / PL_USEC_PER_SEC ? n[0] * PL_USEC_PER_SEC / n[1]
                                                                 : PL_UNLIMITED;
}

/* Of all groups above one. @parent: below the mount. */
static uint64_t quota_from(const PlEnforcer *e, const char *parent) {
        uint64_t least = PL_UNLIMITED;

        for (size_t n = strlen(parent); n > 0; n--)
                if (parent[n] == '\0' || parent[n] == '/')
                        least = PL_MIN(least, quota_of_group(e, parent, n));
        return least;
}

/* What v1's groups above the container allow. One that does not run may start below any parent that
 * is known, and would not where HostConfig says more. Return: see PlDockerHost. */
static uint64_t quota_max(const PlEnforcer *e, const PlHeld *h) {
        uint64_t least = PL_UNLIMITED;

        if (e->mounts->hierarchy[PL_CONTROLLER_CPU] != PL_HIERARCHY_V1 ||
            !e->mounts->mount[PL_CONTROLLER_CPU])
                return 0;
        if (h->cgroup) {
                _cleanup_free_ char *parent = pl_cgroup_parent(h->cgroup);

                least = parent ? quota_from(e, parent) : least;
        } else {
                for (char **p = e->places.parents; p && *p; p++)
                        least = PL_MIN(least, quota_from(e, *p));
        }
        return least == PL_UNLIMITED ? 0 : least;
}

static void tell_engine(PlEnforcer *e, PlHeld *h) {
        _cleanup_free_ char *body = NULL;
        const PlEngineInfo *engine = pl_engine_info(e->registry->engine);
        const PlDockerHost host = {
                .hierarchy = e->mounts->hierarchy[PL_CONTROLLER_CPU],
                .memory = e->mounts->hierarchy[PL_CONTROLLER_MEMORY],
                .n_cpus = e->registry->options.host.n_cpus,
                .engine = engine ? pl_engine_traits(engine->podman, engine->version) : NULL,
                .quota_max_usec = quota_max(e, h),
        };
        _cleanup_(pl_limits_deinit) PlLimits limits = { 0 };
        uint32_t cannot = 0;
        int r;

        if (!may_tell_engine(e, h))
                return;
        r = engine_limits(e, h, &limits);
        if (r >= 0)
                r = pl_docker_format_update(&limits, &h->subject->facts->host, &host, &body,
                                            &cannot);
        if (r < 0)
                return;
        say_engine_cannot(e, h, cannot);
        if (!body || e->engine_takes_nothing) {
                note_engine_error(e, h, NULL);
                settle_restored(e, h);
                return;
        }
        if (pl_streq_null(body, h->told.engine)) {
                /* the answer would be the same as last time */
                if (!h->told.engine_failed)
                        settle_restored(e, h);
                else if (!h->subject->inspect_in_flight &&
                         (h->subject->facts->phase == PL_PHASE_CREATED ||
                          pl_container_is_live(h->subject->facts)))
                        note_engine_error(e, h, h->told.engine_failed);
                return;
        }
        if (!h->originals.fresh && !e->stopping) {
                /* somebody may have told it something since, and what it had then is original */
                pl_registry_inspect(e->registry, h->subject);
                return;
        }
        if (pl_originals_capture(e, h) < 0 || pl_originals_ask(e, h, body) < 0)
                return;
        r = pl_engine_update(e->registry->engine, h->subject->id, body, on_updated, e);
        if (r < 0)
                return; /* just lost; the resync leads here again */
        h->originals.fresh = false;
        free(h->told.engine);
        h->told.engine = TAKE_PTR(body);
        h->told.update_in_flight = true;
        h->told.events_due++;
        h->told.events_until_usec = UINT64_MAX;
        note_told(e, h, &limits, h->told.engine);
        e->updates_in_flight++;
}

/* The value in force, but never a borrowed memory.high: that goes back by itself. */
static const PlValue *kept_value(const PlHeld *h, PlResource r, PlValue *borrowed) {
        *borrowed = (PlValue){ .set = true, .number = h->squeeze.high_before };
        if (r == PL_RESOURCE_MEMORY_HIGH && h->squeeze.high_held)
                return borrowed;
        return h->cgroup && h->reading.in_force.v[r].set ? &h->reading.in_force.v[r] : NULL;
}

static const PlValue *systemd_value(const PlHeld *h, PlResource r, PlValue *borrowed) {
        if (!h->want.v[r].set)
                return NULL;
        return h->withheld & (1U << r) ? kept_value(h, r, borrowed) : &h->want.v[r];
}

/* What the policy does not name, and is another than systemd knows. While a container starts, its
 * group may have no limits yet. Return: 0, -ENOMEM. */
static int add_by_hand(PlEnforcer *e, PlHeld *h, const PlLimits *engine, PlLimits *limits) {
        uint32_t mask = pl_tell_harsh() & ~pl_held_wanted(h) &
                        ~(h->squeeze.high_held ? 1U << PL_RESOURCE_MEMORY_HIGH : 0);
        PlLimits systemd = { 0 }; /* borrowed */
        PlReading have = { 0 };
        int r = 0;

        if (h->cgroup_started_usec == 0 || pl_cg_read(e->mounts, h->cgroup, mask, &have) < 0)
                return 0;
        for (PlResource i = 0; i < _PL_RESOURCE_N; i++)
                systemd.v[i] = engine->v[i].set ? engine->v[i] : pl_desire_fresh(e, h, i);
        mask &= pl_tell_by_hand(&systemd, &have, e->registry->options.host.page_bytes);
        for (PlResource i = 0; i < _PL_RESOURCE_N && r >= 0; i++)
                if (mask & (1U << i))
                        r = pl_value_copy(&have.in_force.v[i], &limits->v[i]);
        pl_reading_deinit(&have);
        return r;
}

/* Whatever systemd is told of a scope, it writes all of the scope anew, its program for devices
 * among it. runc replaces that very program when it makes a container, and fails when it is gone
 * (BPF_PROG_ATTACH: no such file or directory; seen with runc 1.1.15): the container does not
 * start. So systemd hears of a scope once the container in it has started. */
static bool is_being_made(const PlHeld *h) {
        return h->cgroup_started_usec == 0;
}

static void tell_systemd(PlEnforcer *e, PlHeld *h) {
        PlLimits limits = { 0 }, engine = { 0 }, fresh;
        int r = 0;

        if (!h->cgroup || !h->cgroup->scope || !h->told.systemd_due || is_being_made(h) ||
            !pl_systemd_is_supported(e->systemd))
                return;
        for (PlResource i = 0; i < _PL_RESOURCE_N && r >= 0; i++) {
                PlValue borrowed;
                const PlValue *v = systemd_value(h, i, &borrowed);

                if (v)
                        r = pl_value_copy(v, &limits.v[i]);
        }
        if (r >= 0)
                r = pl_container_limits(h->subject->facts, e->mounts->hierarchy[PL_CONTROLLER_CPU],
                                        &engine);
        if (r >= 0 && swap_goes_along(h) && h->restoring & (1U << PL_RESOURCE_MEMORY_MAX)) {
                PlValue fallback; /* HostConfig as it was seen last may still have ours */

                r = pl_value_copy(engine_value(e, h, PL_RESOURCE_MEMORY_SWAP_MAX, &fallback),
                                  &engine.v[PL_RESOURCE_MEMORY_SWAP_MAX]);
        }
        if (r >= 0 && pl_limits_any(&limits))
                r = add_by_hand(e, h, &engine, &limits);
        if (r >= 0 && pl_limits_any(&limits)) {
                r = pl_systemd_set(e->systemd, h->subject->id, h->cgroup->scope, &limits, &engine,
                                   pl_owners_usual_period(h)
                                                   ?: h->service ? h->service->cpu_quota_period_usec
                                                                 : 0);
                if (r >= 0) {
                        h->told.systemd_due = h->told.systemd_changed = false;
                        h->told.systemd_in_flight++;
                        /* it writes what runc has told it, too, and its defaults */
                        pl_echo_sent(h, &engine);
                        for (PlResource i = 0; i < _PL_RESOURCE_N; i++)
                                fresh.v[i] = pl_desire_fresh(e, h, i);
                        pl_echo_sent(h, &fresh);
                        pl_echo_sent(h, &limits);
                }
        }
        pl_limits_deinit(&engine);
        pl_limits_deinit(&limits);
}

void pl_owners_tell(PlEnforcer *e, PlHeld *h) {
        uint32_t withheld;

        if (!e->registry->connected || !h->subject->facts || pl_registry_is_dry_run(e->registry))
                return;
        if (pl_held_wanted(h) == 0 || pl_drift_is_standoff(&h->drift))
                return;
        /* what can never be in force here is not waited for */
        withheld = pl_tell_withheld(&h->want, reading_of(h),
                                    pl_container_is_live(h->subject->facts),
                                    e->registry->options.host.page_bytes) &
                   ~h->truth.cannot;
        if (withheld != h->withheld)
                h->told.systemd_due = true; /* systemd may still have the value from when it was in
                                               force */
        h->withheld = withheld;
        tell_systemd(e, h);
        tell_engine(e, h);
}

void pl_owners_remove_defaults(PlEnforcer *e) {
        int r = pl_systemd_remove_defaults(e->systemd);

        if (r < 0 && r != -EOPNOTSUPP)
                pl_log_warning("Cannot remove what an older version gave new container scopes: %s",
                               strerror(-r));
}

static void on_set_done(void *userdata, const char *id, int error, const char *message) {
        PlEnforcer *e = userdata;
        PlHeld *h = pl_enforcer_find(e, id);
        const char *why = error < 0 ? (message ?: strerror(-error)) : NULL;
        bool news = false;

        pl_queue_answered(e);
        if (!*id)
                pl_slices_answered(e, error, message);
        if (!h)
                return;
        if (h->told.systemd_in_flight > 0)
                h->told.systemd_in_flight--;
        pl_echo_answered(e, h);
        h->told.systemd_own_usec = pl_clock_usec(CLOCK_REALTIME);
        h->told.systemd_has |= error >= 0 && !h->told.systemd_changed;
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                if (h->want.v[r].set) /* -ENOENT: the scope is gone, and its values with it */
                        news |= pl_held_set_error(h, r, PL_OWNER_SYSTEMD,
                                                  error == -ENOENT ? NULL : why);
        if (why && news && h->cgroup)
                pl_subject_report_of_many(e->reporter, h->subject, LOG_WARNING,
                                          PL_MESSAGE_LIMITS_FAILED, why,
                                          "systemd did not take the limits (%s). %s; a "
                                          "daemon-reload may take them away for a moment",
                                          why, kernel_says(h));
}

static void on_systemd_reloading(void *userdata) {
        PlEnforcer *e = userdata;

        e->reloaded_usec = pl_clock_loop_usec(e->event, CLOCK_BOOTTIME);
}

static void on_systemd_reloaded(void *userdata) {
        PlEnforcer *e = userdata;
        PlHeld *h;

        e->reloaded_usec = pl_clock_loop_usec(e->event, CLOCK_BOOTTIME);
        TAILQ_FOREACH(h, &e->all, all) {
                h->fresh = false;
                h->told.systemd_due = true;
                pl_queue_put(e, h, PL_QUEUE_KERNEL);
        }
}

static void on_unit_failed(void *userdata, const char *id, const char *unit, const char *message) {
        const PlEnforcer *e = userdata;
        const PlSubject *s = pl_map_get(e->registry->subjects, id);

        pl_report(e->reporter,
                  &(PlEntry){ .priority = LOG_ERR,
                              .message_id = PL_MESSAGE_RESTARTED,
                              .container_name = s ? pl_subject_name(s) : NULL,
                              .container_id = id },
                  "cannot start %s: %s", unit, message);
}

const PlSystemdHandlers pl_owners_systemd_handlers = {
        .reloading = on_systemd_reloading,
        .reloaded = on_systemd_reloaded,
        .set_done = on_set_done,
        .unit_failed = on_unit_failed,
};
