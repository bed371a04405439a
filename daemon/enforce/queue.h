/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Queues: which containers are to be looked at. */

#include "enforce/context.h"

/** pl_queue_arm() - have a tick, with or without anything queued. */
void pl_queue_arm(PlEnforcer *e);
/** pl_queue_answered() - engine or systemd has answered: an end that gives back waits on, from now.
 */
void pl_queue_answered(PlEnforcer *e);
void pl_queue_put(PlEnforcer *e, PlHeld *h, PlQueue q);
PlHeld *pl_queue_take(PlEnforcer *e, PlQueue q); /* NULL: it is empty */
void pl_queue_remove(PlEnforcer *e, PlHeld *h);  /* from all of them */
