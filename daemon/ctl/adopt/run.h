/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Adoption's sequence, its guardian, and what is done after an accident.
 */

#include "ctl/adopt/files.h"

/** pl_adopt_run() - from here on things change. Says what it does. Return: 0; negative errno when
 * it did not come off, and all is as it was, if the message did not say otherwise. */
int pl_adopt_run(PlAdoptRun *run);
/** pl_adopt_write() - while neither the engine nor the containers of the record run: their log
 * options. Return: how many; -errno: the record cannot be kept, and nothing was done. */
int pl_adopt_write(PlAdoptRun *run);
/** pl_adopt_end() - of a record that pl_adopt_write() has left: it goes, and so do the copies. */
void pl_adopt_end(PlAdoptRun *run);
/** pl_adopt_recover_run() - finish, or put everything back, as the record says. Return: 1: the
 * adoption has been finished; 0: everything is as it was; -errno: neither, and it was said. */
int pl_adopt_recover_run(PlAdoptRun *run);
