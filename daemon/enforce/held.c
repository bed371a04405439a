/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Held: one container's values as a record. See the header.
 */

#include "enforce/held.h"

void pl_held_drop_cgroup(PlHeld *h) {
        h->cgroup = pl_cgroup_free(h->cgroup);
        h->cgroup_started_usec = 0;
        h->watch = (PlHeldWatch){ 0 };
        pl_reading_deinit(&h->reading);
        h->reading = (PlReading){ 0 };
        h->fresh = false;
        h->told.systemd_has = false;
        h->held = 0;
        h->truth = (PlHeldTruth){ 0 };
        h->waiting = h->withheld = h->told.engine_withheld = 0;
        h->squeeze = (PlSqueeze){ 0 };
        h->retry = (PlHeldRetry){ 0 };
        h->read_mask = 0;
}

bool pl_held_set_error(PlHeld *h, PlResource r, PlOwner o, const char *text) {
        char **slot;

        if (!h->owner_errors && text)
                h->owner_errors = calloc(_PL_RESOURCE_N, sizeof(*h->owner_errors));
        if (!h->owner_errors)
                return text != NULL;
        slot = &h->owner_errors[r][o];
        if (pl_streq_null(*slot, text))
                return false;
        free(*slot);
        *slot = text ? strdup(text) : NULL;
        return true;
}

bool pl_held_has_error(const PlHeld *h, uint32_t mask, PlOwner o) {
        for (PlResource r = 0; h->owner_errors && r < _PL_RESOURCE_N; r++)
                if (mask & (1U << r) && h->owner_errors[r][o])
                        return true;
        return false;
}

uint32_t pl_held_wanted(const PlHeld *h) {
        uint32_t mask = 0;

        for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                if (h->want.v[r].set)
                        mask |= 1U << r;
        return mask;
}

uint32_t pl_held_in_force(const PlHeld *h) {
        if (!h->cgroup)
                return 0;
        return pl_held_wanted(h) & h->truth.as_wanted & ~h->truth.contested & ~h->truth.evaded;
}

uint32_t pl_held_lacking(const PlHeld *h) {
        return (pl_held_wanted(h) & ~h->unsupported & ~pl_held_in_force(h)) | h->truth.impossible;
}
