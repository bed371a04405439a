/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Originals: what was there before plimsoll, captured once and kept on disk before the first write.
 */

#include "enforce/originals.h"

#include <errno.h>

#include "lib/base/message.h"
#include "lib/docker/update.h"

/* On v1 the sum of memory and swap moves along with memory. */
uint32_t pl_originals_companions(const PlEnforcer *e, uint32_t mask) {
        bool v1 = e->mounts->hierarchy[PL_CONTROLLER_MEMORY] == PL_HIERARCHY_V1;

        return v1 && mask & (1U << PL_RESOURCE_MEMORY_MAX) ? 1U << PL_RESOURCE_MEMORY_SWAP_MAX : 0;
}

/* Originals are captured once per container, before the first write: from the kernel where the
 * container already runs, else from what the engine would have written at start. */
int pl_originals_capture(PlEnforcer *e, PlHeld *h) {
        uint32_t missing = pl_held_wanted(h) & ~h->originals.state.managed, capture;
        int r;

        if (missing == 0)
                return 0;
        if (h->originals.unreadable)
                return -EOPNOTSUPP; /* said when it was read */
        if (h->subject->provisional) {
                h->originals.due = true;
        } else if (!h->originals.known) {
                r = pl_container_limits(h->subject->facts, e->mounts->hierarchy[PL_CONTROLLER_CPU],
                                        &h->originals.state.engine_original);
                if (r < 0)
                        return r;
                h->originals.known = true;
        }
        capture = missing | (pl_originals_companions(e, missing) & ~h->originals.state.managed);
        for (PlResource i = 0; i < _PL_RESOURCE_N; i++) {
                const PlValue *from;

                if (!(capture & (1U << i)))
                        continue;
                from = h->cgroup_started_usec > 0 && h->reading.in_force.v[i].set
                                       ? &h->reading.in_force.v[i]
                                       : &h->originals.state.engine_original.v[i];
                r = pl_value_copy(from, &h->originals.state.original.v[i]);
                if (r < 0)
                        return r;
        }
        h->originals.state.managed |= missing;
        r = pl_state_dir_save(e->registry->state_dir, &h->originals.state);
        if (r < 0) {
                h->originals.state.managed &= ~missing;
                pl_subject_report(e->reporter, h->subject, LOG_ERR, PL_MESSAGE_LIMITS_FAILED,
                                  strerror(-r), NULL,
                                  "limits not touched: what was there before cannot be kept in %s: "
                                  "%s",
                                  e->registry->options.state_dir, strerror(-r));
        }
        return r;
}

/* The container was written to before it could be inspected. Now HostConfig says what runc would
 * have written, and that counts as what was there before. */
void pl_originals_complete(PlEnforcer *e, PlHeld *h) {
        if (!h->originals.due)
                return;
        h->originals.due = false;
        if (pl_container_limits(h->subject->facts, e->mounts->hierarchy[PL_CONTROLLER_CPU],
                                &h->originals.state.engine_original) < 0)
                return;
        h->originals.known = true;
        for (PlResource i = 0; i < _PL_RESOURCE_N; i++)
                if (h->originals.state.managed & (1U << i) && !h->originals.state.original.v[i].set)
                        (void)pl_value_copy(&h->originals.state.engine_original.v[i],
                                            &h->originals.state.original.v[i]);
        (void)pl_state_dir_save(e->registry->state_dir, &h->originals.state);
}
