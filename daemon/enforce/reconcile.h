/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Reconcile: read a container's group, plan, write, read back. */

#include "enforce/context.h"

void pl_reconcile(PlEnforcer *e, PlHeld *h);
