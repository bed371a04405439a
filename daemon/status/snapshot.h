/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Snapshot: what is true now, as documents. It alone reads everybody; the status line and the
 * control socket show views of it.
 */

#include <jansson.h>

#include "status/sources.h"

/** pl_snapshot_line() - STATUS=, also "summary" of the status document. Return: owned by the
 * caller; NULL: out of memory. */
char *pl_snapshot_line(const PlSources *from);

/** pl_snapshot_show() - what "containers" has of it, where its limits are written, and what is
 * remembered of its service, which is read from disk. New reference, or NULL. */
json_t *pl_snapshot_show(const PlSources *from, const PlSubject *s);

/** pl_snapshot_absent() - of a required service without a container. New reference; NULL: it is
 * none, or out of memory. */
json_t *pl_snapshot_absent(const PlSources *from, const char *service);

/** pl_snapshot_gone() - of a service that has no container any more, as far as it is remembered.
 * New reference; NULL: nobody remembers it, or out of memory. */
json_t *pl_snapshot_gone(const PlSources *from, const char *name);

/** pl_snapshot_past() - all that is known of a service. @s: a container of it; NULL: there is none,
 * find it by @name. New reference; NULL: nothing, or out of memory. */
json_t *pl_snapshot_past(const PlSources *from, const PlSubject *s, const char *name);

/** pl_snapshot_similar() - the name of a container or service that was probably meant. Return:
 * borrowed until the loop goes on; NULL: none is near. */
const char *pl_snapshot_similar(const PlSources *from, const char *name);

/** pl_snapshot_status() - the whole document. New reference, or NULL. */
json_t *pl_snapshot_status(const PlSources *from);
