/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The other owners: systemd and the engine, told after the kernel. */

#include "enforce/context.h"

extern const PlSystemdHandlers pl_owners_systemd_handlers; /* userdata: a PlEnforcer */

void pl_owners_tell(PlEnforcer *e, PlHeld *h);

/** pl_owners_remove_defaults() - the drop-in with which older versions gave each new scope what
 * [Defaults] said, whatever its creator had said. */
void pl_owners_remove_defaults(PlEnforcer *e);
/** pl_owners_inherit() - its record was read: what an earlier plimsolld has asked the engine for,
 * and got no answer to, may come about yet. */
void pl_owners_inherit(PlEnforcer *e, PlHeld *h);

/** pl_owners_usual_period() - of a CPU quota that is being given back. usec; 0: none is. */
uint64_t pl_owners_usual_period(const PlHeld *h);

/** pl_owners_busy() - does one of them still owe an answer to a value that is given back? */
bool pl_owners_busy(const PlEnforcer *e);
