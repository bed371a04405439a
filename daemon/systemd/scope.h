/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Systemd as an owner: it learns the limits of a scope unit over sd-bus, and then keeps them
 * itself.
 *
 * One asynchronous SetUnitProperties(runtime=true) with all managed properties per container.
 * Without a system bus or without systemd as PID 1 everything here answers -EOPNOTSUPP and stays
 * quiet. It also hears the manager's Reloading signal: one more reason to look for drift. A lost
 * bus is opened again, with backoff; calls meanwhile fail with -ENOTCONN, and reloaded() follows
 * once it is back, so that the caller looks at everything once more.
 */

#include <systemd/sd-event.h>

#include "lib/limits/resource.h"

typedef struct PlSystemd PlSystemd;

typedef struct PlSystemdHandlers {
        /* systemd begins to reload: a value that is lost from here on is lost to the reload */
        void (*reloading)(void *userdata);
        /* systemd has reloaded (daemon-reload, daemon-reexec) or the bus is back: any value may be
         * lost, and what failed may work now */
        void (*reloaded)(void *userdata);
        /* answer to pl_systemd_set(); error 0 or negative errno, message borrowed or NULL;
         * -ENOENT: systemd knows no such scope (any more) */
        void (*set_done)(void *userdata, const char *id, int error, const char *message);
        /* systemd refused to start a unit; message borrowed */
        void (*unit_failed)(void *userdata, const char *id, const char *unit, const char *message);
} PlSystemdHandlers;

/** pl_systemd_new() - @handlers: borrowed, must outlive the object; never called from inside a
 * call into this module. Return: 0, also where there is no systemd; -ENOMEM, -errno. */
int pl_systemd_new(sd_event *event, const PlSystemdHandlers *handlers, void *userdata,
                   PlSystemd **ret);
PlSystemd *pl_systemd_free(PlSystemd *s); /* outstanding answers are dropped; returns NULL */
PL_DEFINE_CLEANUP(PlSystemd *, pl_systemd_free)

/** pl_systemd_is_supported() - is there a systemd? False makes all below -EOPNOTSUPP. */
bool pl_systemd_is_supported(const PlSystemd *s);

/** pl_systemd_scope_tasks() - TasksMax of a scope that nobody has given one (DefaultTasksMax=).
 * Return: 0: not known, or not yet; PL_UNLIMITED: none. */
uint64_t pl_systemd_scope_tasks(const PlSystemd *s);

/** pl_systemd_set() - set all values of a scope, or of a slice (@id: ""); devices by path or
 * MAJ:MIN.
 * @base: what the engine holds the container to (pl_container_limits()), or NULL; it gives systemd
 *        the MemorySwapMax that systemd does not know, see pl_unit_properties_from_limits()
 * @quota_period_usec: with CPUQuota; 0: default
 * Return: 0 and one set_done() later; -EOPNOTSUPP; -ENOTCONN the bus is away, reloaded() will
 * follow; -EINVAL; -ENOMEM; -errno. */
int pl_systemd_set(PlSystemd *s, const char *id, const char *scope, const PlLimits *limits,
                   const PlLimits *base, uint64_t quota_period_usec);

/** pl_systemd_remove_defaults() - the drop-in for all scopes that older versions wrote, see
 * pl_scope_dropin_remove(). Return: 0, -EOPNOTSUPP, -errno. */
int pl_systemd_remove_defaults(PlSystemd *s);

/** pl_systemd_start_unit() - start a unit (OnUnhealthy=unit:NAME, already expanded) without waiting
 * for it; a failure is logged here, about container @id.
 * Return: 0, -EOPNOTSUPP, -ENOTCONN, -ENOMEM, -errno. */
int pl_systemd_start_unit(PlSystemd *s, const char *unit, const char *id);

/** pl_systemd_last_set_usec() - when properties of a scope were set last, by whomever; see
 * pl_scope_dropin_changed(). */
uint64_t pl_systemd_last_set_usec(const char *scope);
