/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Change: what has happened to a service and is not in its memory yet.
 *
 * A service's memory is 60 KiB while it is read, so a flood of events over a thousand services
 * cannot hold them all open, and to read, change and write a file for each event costs more than
 * all else that an event leads to. What happened waits here, some hundred bytes each, and is put
 * into the memory in its order, all of it at once. Pure.
 */

#include <sys/queue.h>

#include "lib/evidence/memory.h"

typedef struct PlChange PlChange;

typedef struct PlChanges {
        TAILQ_HEAD(PlChangeList, PlChange) list;
        size_t n, bytes;
} PlChanges;

void pl_changes_init(PlChanges *c);
void pl_changes_clear(PlChanges *c);

/** pl_changes_add() - @h is copied, with what it points to. Of kills right after kills the last
 * word is kept. Return: 0, -ENOMEM. */
int pl_changes_add(PlChanges *c, const PlHappening *h);

/** pl_changes_drop_first() - there is no room for it. */
void pl_changes_drop_first(PlChanges *c);

/** pl_changes_apply() - they stay, to be applied to the next one that is read. Return: whether @m
 * is another one now. */
bool pl_changes_apply(const PlChanges *c, PlMemory *m);
