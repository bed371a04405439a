/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Paths: where the daemon of this host keeps its policy and its archives.
 */

#include "ctl/cli.h"

/**
 * pl_ctl_paths() - as the running daemon says; as plimsolld has them by default where none runs
 *
 * Never starts a daemon. One that was named with --control has to answer.
 *
 * @ret_policy, @ret_archive: owned by the caller; written only when -1 is returned; may be NULL
 * Return: -1 to go on, or an exit status; it was said why.
 */
int pl_ctl_paths(PlCtl *ctl, char **ret_policy, char **ret_archive);

/**
 * pl_ctl_engine() - the engine's socket: as the running daemon says, else DOCKER_HOST, else the
 * usual
 *
 * Never starts an engine.
 *
 * @ret_socket: its path, owned by the caller; NULL: none that may be asked
 * @ret_dry_run: the daemon runs, and changes nothing
 */
void pl_ctl_engine(PlCtl *ctl, char **ret_socket, bool *ret_dry_run);
