/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Adoption at the engine's start: while neither the engine nor a container's processes run, its log
 * options are just a file, and nothing has to be frozen or restarted.
 *
 * For a unit that runs before the engine does. It asks no engine: a socket that systemd holds for
 * it would start it.
 */

#include "ctl/adopt/plan.h"

/** pl_adopt_at_start() - where LogAdopt= says so. @root: the engine's data; NULL: as daemon.json
 * says. Return: an exit status; what was done or left alone was said. */
int pl_adopt_at_start(PlAdoptPlan *plan, PlAdoptRun *run, const char *root);
