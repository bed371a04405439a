/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Blame: who took a value away?
 *
 * The engine announces its updates, systemd its reloads and, on disk, properties that are set;
 * others stay nameless.
 */

#include "enforce/blame.h"

#include "base/clock.h"

/* Older than this, what an owner did is no longer why a value has changed just now. */
#define BLAME_USEC        (2 * PL_USEC_PER_SEC)
#define BLAME_RELOAD_USEC (5 * PL_USEC_PER_SEC)

/* systemd leaves a trace on disk of each property that is set: by us, by systemctl, and by runc,
 * whose update may be seen here before the engine tells of it. */
static bool others_set_properties(const PlHeld *h) {
        uint64_t set, now = pl_clock_usec(CLOCK_REALTIME);

        if (!h->cgroup || !h->cgroup->scope || h->told.systemd_in_flight > 0 ||
            h->told.update_in_flight)
                return false;
        set = pl_systemd_last_set_usec(h->cgroup->scope);
        return set > h->told.systemd_own_usec && set + BLAME_USEC > now;
}

const char *pl_blame(const PlEnforcer *e, const PlHeld *h, uint64_t now) {
        if (h->told.others_usec > 0 && now - h->told.others_usec < BLAME_USEC)
                return "docker update";
        if (others_set_properties(h))
                return "systemctl set-property or the engine";
        if (e->reloaded_usec > 0 && now - e->reloaded_usec < BLAME_RELOAD_USEC)
                return "systemd daemon-reload";
        return h->cgroup && h->cgroup->scope ? "systemd or a direct write to the cgroup"
                                             : "a direct write to the cgroup";
}
