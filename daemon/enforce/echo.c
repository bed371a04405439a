/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Echo: what our own calls write. See the header, and lib/limits/echo.h.
 *
 * The engine answers an update when runc has written. systemd may write a moment after its answer,
 * and after runc's: only there the end of an echo is a guess.
 */

#include "enforce/echo.h"

#include "base/clock.h"
#include "cgroup/device.h"
#include "enforce/queue.h"
#include "lib/limits/echo.h"

/* What was told to a scope is written within this time after the answer. */
#define LATE_USEC (500 * PL_USEC_PER_MSEC)
/* How many calls to remember: of each owner what it was told and what it had, and those just
 * before. */
#define CALLS_MAX 16

struct PlEcho {
        PlLimits *values; /* a ring once there are CALLS_MAX */
        unsigned n, next;
        bool quota;          /* the engine was told one */
        bool looked;         /* since the last answer */
        uint64_t until_usec; /* CLOCK_BOOTTIME; looks before this do not end it */
};

PlEcho *pl_echo_free(PlEcho *echo) {
        if (!echo)
                return NULL;
        for (unsigned i = 0; i < echo->n; i++)
                pl_limits_deinit(&echo->values[i]);
        free(echo->values);
        free(echo);
        return NULL;
}

/* A thousand containers are told something at once, each of them little: no more room than that. */
static PlLimits *next_slot(PlEcho *echo) {
        PlLimits *slot, *bigger;

        if (echo->n < CALLS_MAX) {
                bigger = reallocarray(echo->values, echo->n + 1, sizeof(*bigger));
                if (!bigger)
                        return NULL;
                echo->values = bigger;
                slot = &bigger[echo->n++];
        } else {
                slot = &echo->values[echo->next++ % CALLS_MAX];
                pl_limits_deinit(slot);
        }
        *slot = (PlLimits){ 0 };
        return slot;
}

void pl_echo_sent(PlHeld *h, const PlLimits *values) {
        PlLimits *slot;

        if (!h->told.echo)
                h->told.echo = calloc(1, sizeof(*h->told.echo));
        if (!h->told.echo)
                return;
        slot = next_slot(h->told.echo);
        for (PlResource r = 0; slot && r < _PL_RESOURCE_N; r++)
                (void)pl_value_copy(&values->v[r], &slot->v[r]);
}

void pl_echo_until(PlHeld *h, uint64_t usec) {
        if (h->told.echo)
                h->told.echo->until_usec = usec;
}

void pl_echo_quota(PlHeld *h) {
        if (h->told.echo)
                h->told.echo->quota = true;
}

void pl_echo_answered(PlEnforcer *e, PlHeld *h) {
        if (h->told.echo) {
                h->told.echo->looked = false;
                h->told.echo->until_usec = PL_MAX(
                                h->told.echo->until_usec,
                                pl_clock_loop_usec(e->event, CLOCK_BOOTTIME) +
                                                (h->cgroup && h->cgroup->scope ? LATE_USEC : 0));
        }
        h->fresh = false;
        pl_queue_put(e, h, PL_QUEUE_KERNEL);
}

static bool is_under_way(const PlHeld *h) {
        return h->told.update_in_flight || h->told.systemd_in_flight > 0;
}

void pl_echo_expire(const PlEnforcer *e, PlHeld *h) {
        if (h->told.echo && h->told.echo->looked && !is_under_way(h) &&
            pl_clock_loop_usec(e->event, CLOCK_BOOTTIME) >= h->told.echo->until_usec)
                h->told.echo = pl_echo_free(h->told.echo);
}

void pl_echo_looked(const PlEnforcer *e, PlHeld *h) {
        if (h->told.echo && !is_under_way(h))
                h->told.echo->looked = true;
        pl_echo_expire(e, h); /* the next look may be a minute away */
}

bool pl_echo_is_open(const PlHeld *h) {
        return h->told.echo != NULL;
}

uint32_t pl_echo_reset(const PlHeld *h) {
        uint32_t mask = 0;

        for (PlResource r = 0; r < _PL_RESOURCE_N; r++) {
                const PlValue fresh = pl_resource_fresh(r), *is = &h->reading.in_force.v[r];
                const PlValue *original =
                                pl_some_limits_get(&h->originals.state.engine_original, r);
                PlValue resolved = { 0 };

                if (!(pl_resource_info(r)->engine & PL_ENGINE_RESET))
                        continue;
                /* HostConfig names devices by path, the kernel by number */
                if (pl_resource_info(r)->kind == PL_KIND_DEVICES && original->set &&
                    pl_device_resolve(original, &resolved) >= 0)
                        original = &resolved;
                if (pl_value_equal(&fresh, is) || pl_value_equal(original, is))
                        mask |= 1U << r;
                pl_value_deinit(&resolved);
        }
        return mask;
}

uint32_t pl_echo_mask(const PlEnforcer *e, const PlHeld *h) {
        uint32_t mask = 0;

        if (!h->told.echo)
                return 0;
        if (h->told.echo->quota)
                mask |= 1U << PL_RESOURCE_CPU_QUOTA;
        for (unsigned i = 0; i < h->told.echo->n; i++)
                mask |= pl_echo_of(&h->told.echo->values[i], &h->reading,
                                   e->registry->options.host.page_bytes);
        return mask | pl_echo_reset(h);
}
