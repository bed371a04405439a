/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Scope drop-in: the file that gives every new container the limits of [Defaults] at its birth; and
 * when systemd last wrote drop-ins of its own for a container.
 *
 * PARENT/docker-.scope.d/00-plimsoll.conf, where PARENT is systemd's /run/systemd/system. systemd
 * (252 and 257, tried) reads it for each new scope without a daemon-reload; nothing here asks for
 * one, as a reload would take values away from every container that is running.
 */

#include "lib/limits/resource.h"

/**
 * pl_scope_dropin_write() - replace the drop-in atomically, or remove it
 * @parent: directory that holds units; the docker-.scope.d below it is made if need be (the
 *          service's sandbox lets nothing but that one be written; systemd-tmpfiles makes it)
 * @limits: NULL or nothing set: remove it
 * Return: 0, also when there was nothing to remove; -EINVAL, -ENOMEM, -errno.
 */
int pl_scope_dropin_write(const char *parent, const PlLimits *limits, uint64_t quota_period_usec);

/** pl_scope_dropin_is() - does writing it change nothing? Return: false also when it cannot be
 * read. */
bool pl_scope_dropin_is(const char *parent, const PlLimits *limits, uint64_t quota_period_usec);

/**
 * pl_scope_dropin_concerns_any() - is there a scope already that the drop-in is read for?
 * @parent: where systemd keeps transient units
 * Return: true also when that cannot be looked at.
 */
bool pl_scope_dropin_concerns_any(const char *parent);

/**
 * pl_scope_dropin_changed() - when properties of a scope were set last, by whomever
 * @parent: where systemd keeps drop-ins of transient units, a file per property: it replaces the
 * file at each SetUnitProperties, so the directory changes (unit_drop_in_dir(), 252 to 257)
 * @scope:  name of the unit
 * Return: CLOCK_REALTIME in microseconds, as coarse as the kernel's tick; 0: never, or not known.
 */
uint64_t pl_scope_dropin_changed(const char *parent, const char *scope);
