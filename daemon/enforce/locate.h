/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Locate: a container's group. */

#include "enforce/context.h"

extern const PlCgWatchHandlers pl_locate_handlers; /* userdata: a PlEnforcer */

/** pl_locate_begin() - watch the places where engines put containers. */
void pl_locate_begin(PlEnforcer *e);
void pl_locate_end(PlEnforcer *e);

/** pl_locate_by_parent() - below a parent that is known. Return: found? */
bool pl_locate_by_parent(PlEnforcer *e, PlHeld *h);
/** pl_locate() - by its first process, which is the proof. While it has none, new groups are looked
 * for where the engine says that its group will be. */
void pl_locate(PlEnforcer *e, PlHeld *h);
/** pl_locate_claim() - its group may have been there before its create event. */
void pl_locate_claim(PlEnforcer *e, PlHeld *h);
/** pl_locate_drop() - the group has gone, or is not this container's any more. */
void pl_locate_drop(PlEnforcer *e, PlHeld *h);
/** pl_locate_watch() - announce the group if that is due, and watch it unless in a stand-off.
 * Return: is it watched from now on? Then somebody may have written before. */
bool pl_locate_watch(PlEnforcer *e, PlHeld *h);
/** pl_locate_unwatch() - do not wake up for each write any more. */
void pl_locate_unwatch(PlEnforcer *e, PlHeld *h);
