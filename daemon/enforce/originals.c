/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Originals: what was there before plimsoll, captured once and kept on disk before the first write.
 *
 * What is original is decided in lib/limits/originals; here it is seen and kept.
 */

#include "enforce/originals.h"

#include <errno.h>

#include "base/clock.h"
#include "enforce/desire.h"
#include "enforce/news.h"
#include "lib/base/message.h"
#include "lib/docker/update.h"

static int host_limits(const PlEnforcer *e, const PlHeld *h, PlLimits *ret) {
        return pl_container_limits(h->subject->facts, e->mounts->hierarchy[PL_CONTROLLER_CPU], ret);
}

/* Each value bears the reason until it is in force, and so the status does; it is said when it is
 * news. */
static void note_not_kept(PlEnforcer *e, PlHeld *h, uint32_t mask, PlOwner whom, int error) {
        _cleanup_free_ char *why = NULL;
        bool news = false;

        if (asprintf(&why, "what was there before cannot be kept in %s: %s",
                     e->registry->options.state_dir, strerror(-error)) < 0)
                why = NULL;
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                if (mask & (1U << r))
                        news |= pl_held_set_error(h, r, whom, why ?: strerror(-error));
        if (news)
                pl_subject_report_of_many(e->reporter, h->subject, LOG_ERR,
                                          PL_MESSAGE_LIMITS_FAILED, strerror(-error), "%s: %s",
                                          whom == PL_OWNER_KERNEL
                                                          ? "limits not touched"
                                                          : "the engine is not told its limits",
                                          why ?: strerror(-error));
}

/*
 * HostConfig tells what there is before plimsoll only where nobody but the engine can have written:
 * in a group that does not exist yet, or was seen to be made and is not known to run. Any other has
 * to be read, and its container inspected before: what was learned first from HostConfig would
 * replace what was read.
 */
static bool may_capture(const PlHeld *h) {
        bool known = pl_subject_is_known(h->subject);

        if (!h->cgroup)
                return (known || h->watch.none_yet) && !h->watch.blind;
        return known || h->watch.made;
}

int pl_originals_capture(PlEnforcer *e, PlHeld *h) {
        PlContainerState *s = &h->originals.state;
        uint32_t managed = s->managed;
        bool read = h->cgroup && (h->cgroup_started_usec > 0 || !h->watch.made);
        int r;

        if ((pl_held_wanted(h) & ~managed) == 0)
                return 0;
        if (h->originals.unreadable)
                return -EOPNOTSUPP; /* said when it was read */
        if (!may_capture(h))
                return -EAGAIN; /* the inspection, or the sweep, leads here again */
        r = pl_state_capture(s, pl_held_wanted(h), read ? &h->reading : NULL,
                             h->cgroup_started_usec, e->registry->options.host.page_bytes);
        if (r >= 0)
                r = pl_state_dir_save(e->registry->state_dir, s, false);
        if (r < 0) {
                s->managed = managed;
                note_not_kept(e, h, pl_held_wanted(h) & ~managed, PL_OWNER_KERNEL, r);
        } else {
                pl_news_managed(h, s->managed & ~managed);
        }
        return r;
}

/* The record has room for one word of each value. What an earlier plimsolld has asked for may still
 * come; asked for otherwise, that would be taken for a person's. */
static bool is_too_early(const PlEnforcer *e, const PlHeld *h, const PlLimits *after) {
        const PlContainerState *s = &h->originals.state;
        uint32_t mask = pl_state_awaited(s);

        if (e->stopping ||
            pl_clock_loop_usec(e->event, CLOCK_BOOTTIME) >= h->told.inherited_until_usec)
                return false;
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++) {
                const PlValue fresh = pl_resource_fresh(r);

                if (mask & (1U << r) && !pl_value_equal(pl_some_limits_get(&s->engine_asked, r),
                                                        after->v[r].set ? &after->v[r] : &fresh))
                        return true;
        }
        return false;
}

int pl_originals_ask(PlEnforcer *e, PlHeld *h, const char *body) {
        PlHierarchy hierarchy = e->mounts->hierarchy[PL_CONTROLLER_CPU];
        PlLimits now = { 0 }, after = { 0 };
        uint64_t period_usec = 0;
        int r = host_limits(e, h, &now);

        if (r >= 0)
                r = pl_docker_updated(h->subject->facts, body, hierarchy, &after, &period_usec);
        if (r >= 0 && is_too_early(e, h, &after)) {
                pl_limits_deinit(&now);
                pl_limits_deinit(&after);
                return -EAGAIN; /* its event, or the sweep, leads here again */
        }
        if (r >= 0)
                r = pl_state_ask(&h->originals.state, &now, &after, period_usec);
        if (r >= 0)
                /* The engine remembers over a loss of power, and so must we. The kernel does not:
                 * so captures before this need not wait for the disk. */
                r = pl_state_dir_save(e->registry->state_dir, &h->originals.state, true);
        if (r < 0)
                note_not_kept(e, h, pl_held_wanted(h), PL_OWNER_ENGINE, r);
        pl_limits_deinit(&now);
        pl_limits_deinit(&after);
        return r;
}

void pl_originals_answered(PlHeld *h, bool taken, bool last) {
        h->originals.accepted = taken;
        if (!taken || last)
                (void)pl_state_answered(&h->originals.state, taken);
}

void pl_originals_keep(PlEnforcer *e, PlHeld *h) {
        if (pl_state_is_needed(&h->originals.state))
                (void)pl_state_dir_save(e->registry->state_dir, &h->originals.state, false);
        else
                (void)pl_state_dir_remove(e->registry->state_dir, h->subject->id);
}

void pl_originals_inspected(PlEnforcer *e, PlHeld *h) {
        PlContainerState *s = &h->originals.state;
        const PlContainer *c = h->subject->facts;
        bool needed = pl_state_is_needed(s), answered;
        PlLimits now = { 0 };
        int r, run = 0;

        if (!pl_subject_is_known(h->subject) || h->originals.unreadable)
                return;
        answered = h->originals.accepted && !h->told.update_in_flight &&
                   !h->subject->inspect_again && !h->subject->inspect_due;
        r = host_limits(e, h, &now);
        if (r >= 0)
                r = pl_state_learn(s, &now,
                                   c->host.cpu_period > 0 ? (uint64_t)c->host.cpu_period : 0,
                                   answered);
        /* its event may be late, or have come while nobody listened */
        if (r == 2 && needed && h->originals.seen)
                h->told.others_usec = pl_clock_loop_usec(e->event, CLOCK_BOOTTIME);
        h->originals.seen = h->originals.fresh = true;
        if (answered)
                h->originals.accepted = false;
        if (!pl_streq(s->engine, e->registry->identity)) {
                /* new, imported, or the engine's data has moved: the list says whose it is */
                (void)snprintf(s->engine, sizeof(s->engine), "%s", e->registry->identity);
                r = r < 0 ? r : 1;
        }
        if (r >= 0 && pl_container_is_live(c))
                run = pl_state_begin_run(s, c->started_usec,
                                         pl_desire_fresh(e, h, PL_RESOURCE_TASKS_MAX).number);
        if ((r > 0 || run > 0) && needed && !pl_registry_is_dry_run(e->registry))
                pl_originals_keep(e, h);
        pl_limits_deinit(&now);
}
