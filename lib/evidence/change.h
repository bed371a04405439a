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

/* Return: 0, -ENOMEM. What they are given is copied. */
int pl_changes_add_end(PlChanges *c, const PlMemoryEnd *end);
/* All that is known of its kills; what was added before right before it, goes. */
int pl_changes_add_kills(PlChanges *c, const PlOomHistory *history);
int pl_changes_add_health(PlChanges *c, const PlMemoryHealth *health);
int pl_changes_add_limits(PlChanges *c, const PlMemoryLimits *limits);
int pl_changes_add_pinch(PlChanges *c, const char *limit, const char *cause, uint64_t need,
                         uint64_t realtime_usec);
int pl_changes_add_restart(PlChanges *c, uint64_t realtime_usec);
int pl_changes_add_surrender(PlChanges *c, uint64_t realtime_usec);
int pl_changes_add_engine_lost(PlChanges *c, uint64_t realtime_usec);

/** pl_changes_drop_first() - there is no room for it. */
void pl_changes_drop_first(PlChanges *c);

/** pl_changes_apply() - they stay, to be applied to the next one that is read. Return: whether @m
 * is another one now. */
bool pl_changes_apply(const PlChanges *c, PlMemory *m);
