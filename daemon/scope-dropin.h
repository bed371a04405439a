/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Scope drop-in: the file that gives every new container the limits of [Defaults] at its birth.
 *
 * PARENT/docker-.scope.d/50-plimsoll.conf, where PARENT is systemd's /run/systemd/system. systemd
 * (252 and 257, tried) reads it for each new scope without a daemon-reload; nothing here asks for
 * one, as a reload would take values away from every container that is running.
 */

#include "pl-resource.h"

/**
 * pl_scope_dropin_write() - replace the drop-in atomically, or remove it
 * @parent: directory that holds units; the docker-.scope.d below it is made if need be (the
 *          service's sandbox lets nothing but that one be written; systemd-tmpfiles makes it)
 * @limits: NULL or nothing set: remove it
 * Return: 0, also when there was nothing to remove; -EINVAL, -ENOMEM, -errno.
 */
int pl_scope_dropin_write(const char *parent, const PlLimits *limits, uint64_t quota_period_usec);
