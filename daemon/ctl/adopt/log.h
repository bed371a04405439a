/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Adoption's logs: what plimsolld has archived leaves the files.
 */

#include "ctl/adopt/files.h"

/** pl_adopt_shorten() - what was archived leaves a container's log, which plimsolld leaves alone
 * from now on, until the adoption is over; the engine is stopped. Says what does not come off,
 * which is no reason to go back. */
void pl_adopt_shorten(PlAdoptRun *run, const PlAdoptItem *item);
