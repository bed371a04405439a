/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The other owners: systemd and the engine hear of a value once the kernel has it, so that neither
 * takes it away at its next pass and `docker inspect`, `docker stats` and a restart agree.
 *
 * A limit that the kernel does not hold (it waits for usage to fall, or was refused) is kept from
 * both: they would write it at once, which kills. systemd is told what is in force instead, so that
 * nothing that it knows from before, or reads from the file of [Defaults], takes its place at the
 * next reload.
 */

#include "manager-internal.h"

#include <errno.h>

#include "log.h"
#include "pl-desired.h"
#include "pl-summary.h"
#include "pl-tell.h"

/* Older than this, what an owner did is no longer why a value has changed just now. */
#define BLAME_USEC        (2 * PL_USEC_PER_SEC)
#define BLAME_RELOAD_USEC (5 * PL_USEC_PER_SEC)

/* What the Engine API has no update for, or (the weight) takes and does not pass on. */
#define NOT_TOLD                                                                 \
        (1U << PL_RESOURCE_IO_WEIGHT | 1U << PL_RESOURCE_IO_READ_BANDWIDTH_MAX | \
         1U << PL_RESOURCE_IO_WRITE_BANDWIDTH_MAX)

uint32_t pl_manager_own_doing(const PlSubject *s) {
        return (s->update_in_flight ? NOT_TOLD : 0) |
               (s->systemd_in_flight > 0 ? s->systemd_kept : 0);
}

static const PlReading *reading_of(const PlSubject *s) {
        return s->cgroup ? &s->reading : NULL;
}

static const PlValue *engine_value(const PlSubject *s, PlResource r, PlValue *fallback) {
        if (!s->want.v[r].set)
                return NULL;
        if (!(s->restoring & (1U << r)))
                return &s->want.v[r];
        if (s->state.engine_original.v[r].set)
                return &s->state.engine_original.v[r];
        /* it cannot be told that there is no list: on v1 the kernel has one, the parent's */
        if (r == PL_RESOURCE_ALLOWED_CPUS && s->held & (1U << r) && s->reading.in_force.v[r].text &&
            *s->reading.in_force.v[r].text)
                return &s->reading.in_force.v[r];
        *fallback = pl_desired_default(r);
        return fallback->set ? fallback : NULL;
}

static int engine_limits(const PlManager *m, PlSubject *s, PlLimits *ret) {
        PlLimits has = { 0 };
        int r = pl_container_limits(s->facts, m->mounts.hierarchy[PL_CONTROLLER_CPU], &has);

        for (PlResource i = 0; i < _PL_RESOURCE_N && r >= 0; i++) {
                PlValue fallback = { 0 };
                const PlValue *v = engine_value(s, i, &fallback);

                if (v)
                        r = pl_value_copy(v, &ret->v[i]);
        }
        if (r >= 0)
                s->engine_withheld = pl_tell_withheld_from_engine(ret, &has, reading_of(s),
                                                                  s->withheld, m->host.page_bytes);
        for (PlResource i = 0; i < _PL_RESOURCE_N && r >= 0; i++)
                if (s->engine_withheld & (1U << i)) {
                        pl_value_deinit(&ret->v[i]);
                        ret->v[i] = (PlValue){ 0 };
                }
        pl_limits_deinit(&has);
        return r;
}

static const char *kernel_says(const PlSubject *s) {
        return pl_summary_kernel(pl_subject_wanted(s), s->unsupported, s->held);
}

static void note_engine_error(PlManager *m, PlSubject *s, const char *why) {
        bool news = false;

        for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                if (s->want.v[r].set)
                        news |= pl_subject_set_error(s, r, PL_OWNER_ENGINE, why);
        if (why && news)
                pl_manager_say(m, s, LOG_WARNING, PL_MESSAGE_LIMITS_FAILED, why,
                               "the engine did not take the limits (%s). %s; `docker inspect` "
                               "shows "
                               "others",
                               why, kernel_says(s));
}

/* A value is given back for good when kernel and engine both have the original again. */
static void settle_restored(PlManager *m, PlSubject *s) {
        uint32_t done = s->restoring, keep;

        done &= ~(s->withheld | s->engine_withheld);
        if (done == 0 || s->update_in_flight)
                return;
        if (s->cgroup)
                done &= s->held | ~s->reading.supported;
        if (done == 0)
                return;
        s->state.managed &= ~done;
        keep = s->state.managed | pl_manager_companions(m, s->state.managed);
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                if (!(keep & (1U << r))) {
                        pl_value_deinit(&s->state.original.v[r]);
                        s->state.original.v[r] = (PlValue){ 0 };
                }
        if (s->state.managed == 0)
                (void)pl_state_dir_remove(m->state_dir, s->id);
        else
                (void)pl_state_dir_save(m->state_dir, &s->state);
        (void)pl_manager_desire(m, s);
}

static void on_updated(void *userdata, const char *id, int error, const char *message) {
        PlManager *m = userdata;
        PlSubject *s = pl_map_get(m->subjects, id);

        m->updates_in_flight--;
        if (s) {
                s->update_in_flight = false;
                s->own_update_usec = pl_manager_now(m);
                s->systemd_own_usec = pl_manager_clock(CLOCK_REALTIME);
                if (error == -ECONNRESET || error == -ENOTCONN) {
                        /* lost: said by lost(), and the resync comes by here again */
                        pl_subject_forget_told(s);
                } else if (error == -EOPNOTSUPP) {
                        m->engine_takes_nothing = true;
                } else if (error < 0) {
                        /* Said once an inspection has shown that it is not about a container that
                         * has ended meanwhile. */
                        free(s->engine_failed);
                        s->engine_failed = strdup(message ?: strerror(-error));
                } else {
                        free(s->engine_failed);
                        s->engine_failed = NULL;
                        note_engine_error(m, s, NULL);
                }
                if (m->stopping || error == -ENOENT)
                        settle_restored(m, s);
                else
                        pl_manager_inspect(m, s);
                /* runc writes all of its values at an update, and what the engine cannot be told as
                 * it was at the start: look once more, and take that for nobody's drift */
                s->held &= ~NOT_TOLD;
                s->fresh = false;
                pl_manager_queue(m, s, PL_QUEUE_KERNEL);
        }
        pl_manager_report(m);
}

static void say_engine_cannot(PlManager *m, PlSubject *s, uint32_t cannot) {
        cannot &= ~s->engine_cannot_said & s->restoring;
        s->engine_cannot_said |= cannot;
        if (cannot & (1U << PL_RESOURCE_MEMORY_MAX))
                pl_manager_say(m, s, LOG_NOTICE, NULL, NULL,
                               "memory is given back in the kernel, but the Engine API cannot "
                               "remove a memory limit: `docker inspect` keeps it, and so does the "
                               "next start, until the container is recreated");
        if (cannot & (1U << PL_RESOURCE_ALLOWED_CPUS))
                pl_manager_say(m, s, LOG_NOTICE, NULL, NULL,
                               "all CPUs are given back in the kernel, but the Engine API cannot "
                               "remove a list of CPUs: `docker inspect` keeps it, and so does the "
                               "next start, until the container is recreated");
}

static void tell_engine(PlManager *m, PlSubject *s) {
        _cleanup_free_ char *body = NULL;
        const PlDockerHost host = {
                .hierarchy = m->mounts.hierarchy[PL_CONTROLLER_CPU],
                .n_cpus = m->host.n_cpus,
                .quota_period_usec = s->service ? s->service->cpu_quota_period_usec : 0,
        };
        PlLimits limits = { 0 };
        uint32_t cannot = 0;
        int r;

        /* an inspection under way knows better what the engine has, and comes by here */
        if (s->update_in_flight || (s->inspect_in_flight && !m->stopping) || s->provisional ||
            s->facts->phase == PL_PHASE_REMOVING || s->facts->phase == PL_PHASE_DEAD ||
            s->facts->phase == PL_PHASE_RESTARTING)
                return;
        if (m->options.no_early_write && s->facts->phase == PL_PHASE_CREATED)
                return;
        r = engine_limits(m, s, &limits);
        if (r >= 0)
                r = pl_docker_format_update(&limits, &s->facts->host, &host, &body, &cannot);
        pl_limits_deinit(&limits);
        if (r < 0)
                return;
        say_engine_cannot(m, s, cannot);
        if (!body || m->engine_takes_nothing) {
                note_engine_error(m, s, NULL);
                settle_restored(m, s);
                return;
        }
        if (pl_streq_null(body, s->engine_told) && !m->stopping) {
                /* the same answer, and the same result, would come back */
                if (!s->engine_failed)
                        settle_restored(m, s);
                else if (!s->inspect_in_flight &&
                         (s->facts->phase == PL_PHASE_CREATED || pl_container_is_live(s->facts)))
                        note_engine_error(m, s, s->engine_failed);
                return;
        }
        if (pl_manager_capture(m, s) < 0)
                return;
        r = pl_engine_update(m->engine, s->id, body, on_updated, m);
        if (r < 0)
                return; /* lost just now; the resync comes by here again */
        free(s->engine_told);
        s->engine_told = TAKE_PTR(body);
        s->update_in_flight = true;
        m->updates_in_flight++;
}

/* What is in force; a borrowed memory.high is not, as it goes back on its own. */
static const PlValue *kept_value(const PlSubject *s, PlResource r, PlValue *borrowed) {
        *borrowed = (PlValue){ .set = true, .number = s->squeeze.high_before };
        if (r == PL_RESOURCE_MEMORY_HIGH && s->squeeze.high_held)
                return borrowed;
        return s->cgroup && s->reading.in_force.v[r].set ? &s->reading.in_force.v[r] : NULL;
}

/* systemd takes devices by path, as the policy has them; want has numbers. */
static const PlValue *systemd_value(const PlSubject *s, PlResource r, PlValue *borrowed) {
        if (!s->want.v[r].set)
                return NULL;
        if (s->withheld & (1U << r))
                return kept_value(s, r, borrowed);
        if (pl_resource_info(r)->kind != PL_KIND_DEVICES)
                return &s->want.v[r];
        if (s->restoring & (1U << r))
                return s->want.v[r].text && *s->want.v[r].text ? NULL : &s->want.v[r];
        return s->service ? &s->service->limits.v[r] : NULL;
}

static void tell_systemd(PlManager *m, PlSubject *s) {
        PlLimits limits = { 0 }, engine = { 0 };
        int r = 0;

        if (!s->cgroup || !s->cgroup->scope || !s->systemd_due ||
            !pl_systemd_is_supported(m->systemd))
                return;
        for (PlResource i = 0; i < _PL_RESOURCE_N && r >= 0; i++) {
                PlValue borrowed;
                const PlValue *v = systemd_value(s, i, &borrowed);

                if (v)
                        r = pl_value_copy(v, &limits.v[i]);
        }
        if (r >= 0)
                r = pl_container_limits(s->facts, m->mounts.hierarchy[PL_CONTROLLER_CPU], &engine);
        if (r >= 0 && pl_limits_any(&limits)) {
                r = pl_systemd_set(m->systemd, s->id, s->cgroup->scope, &limits, &engine,
                                   s->service ? s->service->cpu_quota_period_usec : 0);
                if (r >= 0) {
                        s->systemd_due = false;
                        s->systemd_in_flight++;
                        s->systemd_kept |= s->withheld;
                }
        }
        pl_limits_deinit(&engine);
        pl_limits_deinit(&limits);
}

void pl_manager_tell_owners(PlManager *m, PlSubject *s) {
        uint32_t withheld;

        if (!m->engine_connected || !s->facts || pl_manager_dry_run(m))
                return;
        if (pl_subject_wanted(s) == 0 || pl_drift_is_standoff(&s->drift))
                return;
        withheld = pl_tell_withheld(&s->want, reading_of(s), pl_container_is_live(s->facts),
                                    m->host.page_bytes);
        if (withheld != s->withheld)
                s->systemd_due = true; /* it may know the value from when the kernel had it, too */
        s->withheld = withheld;
        tell_systemd(m, s);
        tell_engine(m, s);
}

/* Would a reload of systemd give its scope what the file of [Defaults] says, for want of the values
 * that are its own? */
static bool is_exposed(const PlManager *m, const PlSubject *s) {
        return s->cgroup && s->cgroup->scope && pl_subject_wanted(s) != 0 &&
               (s->systemd_due || s->systemd_in_flight > 0 ||
                (s->withheld && pl_subject_has_error(s, s->withheld, PL_OWNER_SYSTEMD)));
}

/* systemd reads the file for each new scope, and at its next reload for all that there are. */
static bool may_write_defaults(PlManager *m) {
        PlSubject *s;

        if (!m->synced)
                return !pl_systemd_has_scopes(m->systemd);
        PL_MAP_FOREACH(s, m->subjects)
        if (is_exposed(m, s))
                return false;
        return true;
}

void pl_manager_write_defaults(PlManager *m) {
        const PlService *d = m->policy->defaults;
        uint64_t period = d ? d->cpu_quota_period_usec : 0;
        bool wanted = d && !pl_manager_dry_run(m), wait;
        int r;

        if (!m->defaults_due)
                return;
        /* Meanwhile none is better than the one before: nothing takes its values off those that are
         * born now. */
        wait = wanted && !pl_systemd_has_defaults(m->systemd, &d->limits, period) &&
               !may_write_defaults(m);
        m->defaults_due = wait;
        r = pl_systemd_write_defaults(m->systemd, wanted && !wait ? &d->limits : NULL, period);
        if (r < 0 && r != -EOPNOTSUPP)
                pl_log_warning("Cannot write the defaults of container scopes for systemd: %s",
                               strerror(-r));
}

/* systemd leaves a trace on disk of each property that is set: by us, by systemctl, and by runc,
 * whose update may be seen here before the engine tells of it. */
static bool others_set_properties(const PlSubject *s) {
        uint64_t set, now = pl_manager_clock(CLOCK_REALTIME);

        if (!s->cgroup || !s->cgroup->scope || s->systemd_in_flight > 0 || s->update_in_flight)
                return false;
        set = pl_systemd_last_set_usec(s->cgroup->scope);
        return set > s->systemd_own_usec && set + BLAME_USEC > now;
}

const char *pl_manager_blame(const PlManager *m, const PlSubject *s, uint64_t now) {
        if (s->update_seen_usec > 0 && now - s->update_seen_usec < BLAME_USEC)
                return "docker update";
        if (others_set_properties(s))
                return "systemctl set-property or the engine";
        if (m->reloaded_usec > 0 && now - m->reloaded_usec < BLAME_RELOAD_USEC)
                return "systemd daemon-reload";
        return s->cgroup && s->cgroup->scope ? "systemd or a direct write to the cgroup"
                                             : "a direct write to the cgroup";
}

static void on_set_done(void *userdata, const char *id, int error, const char *message) {
        PlManager *m = userdata;
        PlSubject *s = pl_map_get(m->subjects, id);
        const char *why = error < 0 ? (message ?: strerror(-error)) : NULL;
        bool news = false;

        if (m->defaults_due)
                pl_manager_arm_tick(m);
        if (!s)
                return;
        if (s->systemd_in_flight > 0)
                s->systemd_in_flight--;
        if (s->systemd_in_flight == 0 && s->systemd_kept) {
                /* the kernel may have got the wanted value since: what systemd has written over it
                 * then is our own doing, and is looked for */
                s->held &= ~s->systemd_kept;
                s->systemd_kept = 0;
                s->fresh = false;
                pl_manager_queue(m, s, PL_QUEUE_KERNEL);
        }
        s->systemd_own_usec = pl_manager_clock(CLOCK_REALTIME);
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                if (s->want.v[r].set)
                        news |= pl_subject_set_error(s, r, PL_OWNER_SYSTEMD, why);
        if (why && news && s->cgroup)
                pl_manager_say(m, s, LOG_WARNING, PL_MESSAGE_LIMITS_FAILED, why,
                               "systemd did not take the limits (%s). %s; a daemon-reload may take "
                               "them away for a moment",
                               why, kernel_says(s));
}

static void on_systemd_reloading(void *userdata) {
        PlManager *m = userdata;

        m->reloaded_usec = pl_manager_now(m);
}

static void on_systemd_reloaded(void *userdata) {
        PlManager *m = userdata;
        PlSubject *s;

        m->reloaded_usec = pl_manager_now(m);
        PL_MAP_FOREACH(s, m->subjects) {
                s->fresh = false;
                s->systemd_due = true;
                pl_manager_queue(m, s, PL_QUEUE_KERNEL);
        }
}

const PlSystemdHandlers pl_manager_systemd_handlers = {
        .reloading = on_systemd_reloading,
        .reloaded = on_systemd_reloaded,
        .set_done = on_set_done,
};
