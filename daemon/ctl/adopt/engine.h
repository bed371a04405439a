/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Adoption's engine: asked, stopped, started; also where systemd does not run it.
 */

#include "ctl/adopt/files.h"

/** pl_adopt_get() - a document of the engine; owned by the caller. Return: 0, -EREMOTEIO when it
 * refuses, or as pl_ctl_client_request(). */
int pl_adopt_get(PlAdoptRun *run, const char *path, json_t **ret);
/** pl_adopt_answers() - does it run, and answer? Never starts it. */
bool pl_adopt_answers(PlAdoptRun *run);
/** pl_adopt_engine_pid() - dockerd's; 0: does not run */
pid_t pl_adopt_engine_pid(const PlAdoptRun *run);
/** pl_adopt_engine_stop() - 0 when it is gone, and does not come back by itself; -ETIMEDOUT, … */
int pl_adopt_engine_stop(PlAdoptRun *run);
/** pl_adopt_engine_start() - 0 when it answers. Does nothing to one that runs. */
int pl_adopt_engine_start(PlAdoptRun *run);

/** pl_adopt_process_read() - command line, environment, directory, namespace and output of a
 * dockerd, so that it can be started again as it was. */
int pl_adopt_process_read(PlAdoptRun *run, pid_t pid);
/** pl_adopt_process_keep() - where a later run finds it, in memory-backed /run: an environment may
 * hold secrets. */
int pl_adopt_process_keep(const PlAdoptRun *run);
/** pl_adopt_process_recall() - the contrary */
int pl_adopt_process_recall(PlAdoptRun *run);
