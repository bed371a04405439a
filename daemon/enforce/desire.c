/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Desire: the values that a container is to have, in the terms of this host.
 */

#include "enforce/desire.h"

#include <errno.h>

#include "cgroup/device.h"
#include "cgroup/read.h"
#include "lib/base/message.h"
#include "lib/base/unit.h"
#include "lib/limits/desired.h"

/* Policies name devices by path, the kernel by number. A path that leads nowhere costs only that
 * value. */
static int resolve_devices(PlEnforcer *e, PlHeld *h, PlLimits *want, uint32_t *ret_impossible) {
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
                if (r < 0)
                        *ret_impossible |= 1U << i;
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

/* One bad value makes an engine refuse all that it is told along with it. */
static void check_cpus(PlEnforcer *e, PlHeld *h, PlLimits *want, uint32_t *ret_impossible) {
        PlValue *cpus = &want->v[PL_RESOURCE_ALLOWED_CPUS];
        _cleanup_free_ char *all = NULL, *why = NULL;

        if (!cpus->set || !cpus->text || h->restoring & (1U << PL_RESOURCE_ALLOWED_CPUS) ||
            pl_cg_read_cpus(e->mounts, &all) < 0 || pl_cpuset_within(cpus->text, all))
                return;
        if (asprintf(&why, "this host has the CPUs %s, and not all of %s", all, cpus->text) < 0)
                why = NULL;
        *ret_impossible |= 1U << PL_RESOURCE_ALLOWED_CPUS;
        pl_value_deinit(cpus);
        *cpus = (PlValue){ 0 };
        if (pl_held_set_error(h, PL_RESOURCE_ALLOWED_CPUS, PL_OWNER_KERNEL, why ?: "no such CPUs"))
                pl_subject_report_of_many(e->reporter, h->subject, LOG_ERR,
                                          PL_MESSAGE_LIMITS_FAILED, why,
                                          "AllowedCPUs= not applied: %s", why ?: "no such CPUs");
}

/* Without a group the engine's way with its containers tells. */
static bool has_scopes(const PlEnforcer *e, const PlHeld *h) {
        const PlEngineInfo *engine = pl_engine_info(e->registry->engine);

        if (!pl_systemd_is_supported(e->systemd))
                return false;
        return h->cgroup ? h->cgroup->scope != NULL : !engine || !engine->no_scopes;
}

PlValue pl_desire_fresh(const PlEnforcer *e, const PlHeld *h, PlResource r) {
        PlValue v = pl_resource_fresh_file(r, e->mounts->hierarchy[PL_CONTROLLER_MEMORY]);

        if (r == PL_RESOURCE_TASKS_MAX && has_scopes(e, h)) {
                v.number = pl_systemd_scope_tasks(e->systemd);
                v.set = v.number > 0;
        }
        return v;
}

/* The engine cannot limit swap where memory has no limit, so a MemoryMax=infinity takes away what
 * the container has of its own. v1 knows their sum alone; on v2 it is ours to keep. */
static void keep_swap(const PlEnforcer *e, const PlHeld *h, PlLimits *want) {
        const PlValue *memory = &want->v[PL_RESOURCE_MEMORY_MAX];
        PlValue *swap = &want->v[PL_RESOURCE_MEMORY_SWAP_MAX], own;

        if (swap->set || !memory->set || memory->number != PL_UNLIMITED ||
            h->restoring & (1U << PL_RESOURCE_MEMORY_MAX) ||
            e->mounts->hierarchy[PL_CONTROLLER_MEMORY] == PL_HIERARCHY_V1)
                return;
        own = pl_state_swap_allowance(&h->originals.state,
                                      e->mounts->hierarchy[PL_CONTROLLER_MEMORY]);
        if (own.set && own.number != PL_UNLIMITED)
                *swap = own;
}

static void forget_errors(PlHeld *h, uint32_t mask) {
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                if (mask & (1U << r))
                        (void)pl_held_set_error(h, r, PL_OWNER_KERNEL, NULL);
}

int pl_desire(PlEnforcer *e, PlHeld *h) {
        const PlContainerState *s = &h->originals.state;
        const PlLimits original = pl_some_limits_all(&s->original),
                       created = pl_some_limits_all(&s->created);
        PlLimits want = { 0 };
        PlValue fresh;
        uint32_t impossible = 0;
        int r;

        if (h->subject->facts)
                h->service = e->stopping ? NULL : h->subject->service;
        r = pl_desired_limits(h->service ? &h->service->limits : NULL, h->originals.state.managed,
                              &original, e->mounts->hierarchy[PL_CONTROLLER_MEMORY], &want,
                              &h->restoring);
        fresh = pl_desire_fresh(e, h, PL_RESOURCE_TASKS_MAX);
        if (h->restoring & (1U << PL_RESOURCE_TASKS_MAX) && fresh.set &&
            !original.v[PL_RESOURCE_TASKS_MAX].set)
                want.v[PL_RESOURCE_TASKS_MAX].number = fresh.number;
        if (r >= 0 && h->service)
                r = pl_desired_spare(&want, h->service->by_default,
                                     s->created_known ? &created : NULL);
        if (r >= 0)
                keep_swap(e, h, &want);
        if (r >= 0)
                r = resolve_devices(e, h, &want, &impossible);
        if (r < 0) {
                pl_limits_deinit(&want);
                return r;
        }
        check_cpus(e, h, &want, &impossible);
        forget_errors(h, h->truth.impossible & ~impossible);
        h->truth.impossible = impossible;
        for (PlResource i = 0; i < _PL_RESOURCE_N; i++) {
                if (pl_value_equal(&want.v[i], &h->want.v[i]))
                        continue;
                h->told.systemd_due = h->told.systemd_changed = true;
                h->told.systemd_has = h->originals.fresh = false;
                h->retry.refused &= ~(1U << i);
                h->held &= ~(1U << i); /* the wish has changed: what is in force now is no drift */
                h->truth.as_wanted &= ~(1U << i);
        }
        pl_limits_deinit(&h->want);
        h->want = want;
        e->places.weights |= want.v[PL_RESOURCE_IO_WEIGHT].set;
        return 0;
}
