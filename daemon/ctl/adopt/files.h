/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Adoption's record: the adoption under way, and what has to be known of it after an accident.
 *
 * Nothing of adoption is for the daemon: it blocks, as plimsollctl may.
 */

#include <sys/resource.h>

#include "ctl/client.h"
#include "lib/adopt/rules.h"

typedef struct PlAdoptRun {
        PlAdoptJournal journal; /* what has to be known after an accident */
        PlCtlClient *engine;    /* on socket, which it borrows */
        char *socket;
        char *key;                    /* of this engine in the directories below */
        int state_dir;                /* /var/lib/plimsoll/adopt: the record; locked while open */
        int process_dir;              /* /run/plimsoll/adopt: what dockerd was started with */
        int out_fd, err_fd, netns_fd; /* of dockerd's process; -EBADF: none, or ours */
        struct rlimit limits[RLIM_NLIMITS];
        bool has_limits;
        PlAdoptFlags flags; /* into cmdline */
        char *cmdline, *environ, *exe;
        size_t cmdline_size, environ_size;
        char *config_text; /* the new daemon.json; NULL: stays */
        int *locks;        /* of logs that no rotation may touch until this is over */
        size_t n_locks;
        const char *archive; /* where plimsolld keeps archives and states; borrowed */
} PlAdoptRun;

void pl_adopt_run_deinit(PlAdoptRun *run);
/** pl_adopt_boot_id() - of the kernel; owned by the caller, NULL: cannot be read */
char *pl_adopt_boot_id(void);

/** pl_adopt_open() - the directories, and the lock; waits for another adoption to end.
 * Return: 0, -errno. */
int pl_adopt_open(PlAdoptRun *run);
/** pl_adopt_load() - Return: 1 when there is a record of an earlier one, 0, -EBADMSG, -errno. */
int pl_adopt_load(PlAdoptRun *run);
/** pl_adopt_save() - the record in a new phase, on disk when this returns. */
int pl_adopt_save(PlAdoptRun *run, PlAdoptPhase phase);
/** pl_adopt_forget() - it is over: the record goes. */
void pl_adopt_forget(PlAdoptRun *run);
