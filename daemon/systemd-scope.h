/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Systemd as an owner: limits of a scope unit, told over sd-bus, so that systemd itself keeps them.
 *
 * One asynchronous SetUnitProperties(runtime=true) with all managed properties per container.
 * Without a system bus or without systemd as PID 1 everything here answers -EOPNOTSUPP once and
 * stays quiet. Also hears the manager's Reloading signal: one more reason to look for drift.
 */

#include <systemd/sd-event.h>

#include "pl-resource.h"

typedef struct PlSystemd PlSystemd;

typedef struct PlSystemdHandlers {
        /* systemd has reloaded (daemon-reload, daemon-reexec): everything may be lost */
        void (*reloaded)(void *userdata);
        /* answer to pl_systemd_set(); error 0 or negative errno, message borrowed or NULL */
        void (*set_done)(void *userdata, const char *id, int error, const char *message);
} PlSystemdHandlers;

int pl_systemd_new(sd_event *event, const PlSystemdHandlers *handlers, void *userdata,
                   PlSystemd **ret);
PlSystemd *pl_systemd_free(PlSystemd *s);
PL_DEFINE_CLEANUP(PlSystemd *, pl_systemd_free)

/** pl_systemd_set() - tell all set values to the scope. @quota_period_usec: with CPUQuota.
 * Return: 0 and one set_done() later; -EOPNOTSUPP; -errno. */
int pl_systemd_set(PlSystemd *s, const char *id, const char *scope, const PlLimits *limits,
                   uint64_t quota_period_usec);

/** pl_systemd_write_defaults() - the docker-.scope.d drop-in in /run for [Defaults] (NULL limits:
 * remove it). Return: 0, -EOPNOTSUPP, -errno. */
int pl_systemd_write_defaults(PlSystemd *s, const PlLimits *limits, uint64_t quota_period_usec);

/** pl_systemd_start_unit() - start a unit (OnUnhealthy=unit:NAME), fire and report. */
int pl_systemd_start_unit(PlSystemd *s, const char *unit, const char *id);
