/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Scope drop-in: the file with which older versions gave every new container the limits of
 * [Defaults]; and when systemd last wrote drop-ins of its own for a container.
 *
 * systemd reads a drop-in after what a scope was made with, so one for all scopes replaces what a
 * container's creator has asked for. plimsolld writes none any more.
 */

#include "lib/base/macro.h"

/**
 * pl_scope_dropin_remove() - PARENT/docker-.scope.d/00-plimsoll.conf
 * @parent: directory that holds units: systemd's /run/systemd/system
 * Return: 0, also when there was nothing to remove; -errno.
 */
int pl_scope_dropin_remove(const char *parent);

/**
 * pl_scope_dropin_changed() - when properties of a scope were set last, by whomever
 * @parent: where systemd keeps drop-ins of transient units, a file per property: it replaces the
 * file at each SetUnitProperties, so the directory changes (unit_drop_in_dir(), 252 to 257)
 * @scope:  name of the unit
 * Return: CLOCK_REALTIME in microseconds, as coarse as the kernel's tick; 0: never, or not known.
 */
uint64_t pl_scope_dropin_changed(const char *parent, const char *scope);
