/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Reconcile: read a container's group, plan, write, read back. */

#include "enforce/context.h"

void pl_reconcile(PlEnforcer *e, PlHeld *h);

/** pl_reconcile_rest() - a squeeze that is under way is given up, and memory.high is as it was. It
 * needs no engine. */
void pl_reconcile_rest(PlEnforcer *e, PlHeld *h);
