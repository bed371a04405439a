/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The other owners: systemd and the engine, told after the kernel. */

#include "enforce/context.h"

extern const PlSystemdHandlers pl_owners_systemd_handlers; /* userdata: a PlEnforcer */

void pl_owners_tell(PlEnforcer *e, PlHeld *h);

/** pl_owners_write_defaults() - systemd's file of [Defaults], once it is due and harms nobody. */
void pl_owners_write_defaults(PlEnforcer *e);
