/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Manager: the composition root. It alone sees sensors (engine, cgroup watch, signals) and
 * actuators (kernel, systemd, engine) at the same time.
 *
 * Callbacks only record and queue; the tick compares what is wanted with what is observed and acts
 * on the difference. Pure functions in lib/ decide.
 */

#include <systemd/sd-event.h>

#include "lib/base/macro.h"

typedef struct PlManager PlManager;

/* From the command line; all borrowed, must outlive the manager. NULL: default. */
typedef struct PlManagerOptions {
        const char *policy_file;
        const char *engine_url; /* overrides Engine= */
        const char *control_path;
        const char *state_dir;
        const char *older_state_dir; /* records found there are imported */
        const char *runtime_dir;     /* locks of engines */
        /* of plimsoll-notify's unit; NULL: there is none, plimsolld starts the program itself */
        const char *notify_state_dir;
        const char *archive_dir;
        bool dry_run;        /* as DryRun=yes, whatever the policy says */
        bool no_early_write; /* measure the plain event path: no write before the start event */
} PlManagerOptions;

/**
 * pl_manager_new() - load the policy, set everything up and begin to connect to the engine;
 * everything else happens on the loop
 * Return: 0; -EBADMSG: the policy has errors (logged, each with its place); -errno.
 */
int pl_manager_new(sd_event *event, const PlManagerOptions *options, PlManager **ret);
PlManager *pl_manager_free(
                PlManager *m); /* leaves containers and limits as they are; returns NULL */
PL_DEFINE_CLEANUP(PlManager *, pl_manager_free)

/** pl_manager_reload() - SIGHUP: all or nothing.
 * @ret_message: every error of a rejected policy, one a line, owned by the caller; may be NULL
 * Return: 0; -EBADMSG rejected, the old policy stays in force; -ENOMEM. */
int pl_manager_reload(PlManager *m, char **ret_message);

/** pl_manager_stop() - SIGTERM: give limits back if RestoreOnStop=, then sd_event_exit(). */
void pl_manager_stop(PlManager *m);
