/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Desire: the values that a container is to have, in the terms of this host.
 */

#include "enforce/desire.h"

#include <errno.h>

#include "cgroup/device.h"
#include "lib/base/message.h"
#include "lib/docker/update.h"
#include "lib/limits/desired.h"
#include "lib/limits/unit-properties.h"

/* Policies name devices by path, the kernel by number. A path that leads nowhere costs only that
 * value. */
static int resolve_devices(PlEnforcer *e, PlHeld *h, PlLimits *want) {
        for (PlResource i = 0; i < _PL_RESOURCE_N; i++) {
                PlValue resolved = { 0 };
                int r;

                if (pl_resource_info(i)->kind != PL_KIND_DEVICES || !want->v[i].set)
                        continue;
                r = pl_device_resolve(&want->v[i], &resolved);
                if (r == -ENOMEM)
                        return r;
                pl_value_deinit(&want->v[i]);
                want->v[i] = resolved;
                if (r < 0 && pl_held_set_error(h, i, PL_OWNER_KERNEL, "no such block device"))
                        pl_subject_report(
                                        e->reporter, h->subject, LOG_ERR, PL_MESSAGE_LIMITS_FAILED,
                                        strerror(-r), NULL,
                                        "%s= not applied: a path of it belongs to no block device "
                                        "(%s)",
                                        pl_resource_info(i)->name, strerror(-r));
        }
        return 0;
}

/* systemd's drop-in for [Defaults] also applies to containers with a section of their own. */
static int undo_defaults(PlEnforcer *e, PlHeld *h, PlLimits *want) {
        PlLimits engine = { 0 };
        int r;

        if (!e->registry->policy->defaults || !h->service ||
            h->service == e->registry->policy->defaults || !h->cgroup || !h->cgroup->scope ||
            !pl_systemd_is_supported(e->systemd))
                return 0;
        r = pl_container_limits(h->subject->facts, e->mounts->hierarchy[PL_CONTROLLER_CPU],
                                &engine);
        if (r >= 0)
                r = pl_unit_properties_undo_defaults(want, &e->registry->policy->defaults->limits,
                                                     &engine);
        pl_limits_deinit(&engine);
        return r;
}

int pl_desire(PlEnforcer *e, PlHeld *h) {
        PlLimits want = { 0 };
        int r;

        if (h->subject->facts)
                h->service = e->stopping ? NULL : h->subject->service;
        r = pl_desired_limits(h->service ? &h->service->limits : NULL, h->originals.state.managed,
                              &h->originals.state.original,
                              e->mounts->hierarchy[PL_CONTROLLER_MEMORY], &want, &h->restoring);
        if (r >= 0)
                r = undo_defaults(e, h, &want);
        if (r >= 0)
                r = resolve_devices(e, h, &want);
        if (r < 0) {
                pl_limits_deinit(&want);
                return r;
        }
        for (PlResource i = 0; i < _PL_RESOURCE_N; i++) {
                if (pl_value_equal(&want.v[i], &h->want.v[i]))
                        continue;
                h->told.systemd_due = h->told.systemd_changed = true;
                h->told.systemd_has = false;
                h->retry.refused &= ~(1U << i);
                h->held &= ~(1U << i); /* the wish has changed: what is in force now is no drift */
                h->truth.as_wanted &= ~(1U << i);
        }
        pl_limits_deinit(&h->want);
        h->want = want;
        return 0;
}
