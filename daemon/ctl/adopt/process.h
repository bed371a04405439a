/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Adoption's dockerd where systemd does not run it: read, remembered, started again.
 */

#include "ctl/adopt/files.h"

/** pl_adopt_process_read() - command line, environment, directory, namespace and output of a
 * dockerd, so that it can be started again as it was. */
int pl_adopt_process_read(PlAdoptRun *run, pid_t pid);
/** pl_adopt_process_keep() - where a later run finds it, in memory-backed /run: an environment may
 * hold secrets. */
int pl_adopt_process_keep(const PlAdoptRun *run);
/** pl_adopt_process_recall() - the contrary */
int pl_adopt_process_recall(PlAdoptRun *run);
/** pl_adopt_process_find() - the process with that very command line; 0: none */
pid_t pl_adopt_process_find(const PlAdoptRun *run);
/** pl_adopt_process_start() - Return: 0 when it was started, which says nothing of its success. */
int pl_adopt_process_start(const PlAdoptRun *run);
