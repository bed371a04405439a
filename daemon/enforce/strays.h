/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Strays: processes of a container that are not in its groups, so that its limits do not hold them.
 *
 * At each sweep every process of the host is looked at: it belongs to a container by its pid
 * namespace, and descends from the container's first process or from whoever has started that. One
 * that somebody has moved away is told, and what it evades is not in force. It is never moved back:
 * whoever has moved it may have had a reason, and would only do it again.
 */

#include "enforce/context.h"

int pl_strays_new(PlEnforcer *e, PlStrays **ret);
PlStrays *pl_strays_free(PlStrays *s); /* returns NULL */

/** pl_strays_look() - at all of them, in slices, from the loop. One under way goes on. */
void pl_strays_look(PlStrays *s);

/** pl_strays_begin() - look for the first time, unless that was done. */
void pl_strays_begin(PlStrays *s);
