/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Adoption, between its parts: the engine, its process, the freezer, files, logs, the sequence.
 *
 * Nothing in here is for the daemon: it blocks, as plimsollctl may.
 */

#include <sys/resource.h>

#include "ctl/client.h"
#include "lib/adopt/rules.h"

/* Where a test may have the sequence die; the program's own function is weak and empty. Called in
 * the operator's process alone, never in its guardian's. */
void pl_adopt_point(const char *name);

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
        char *cmdline, *environ;
        size_t cmdline_size, environ_size;
        char *config_text;   /* the new daemon.json; NULL: stays */
        const char *archive; /* where plimsolld keeps archives and states; borrowed */
} PlAdoptRun;

/* ---- files: ctl-adopt-files.c ---- */

/** pl_adopt_open() - the directories, and the lock; waits for another adoption to end.
 * Return: 0, -errno. */
int pl_adopt_open(PlAdoptRun *run);
/** pl_adopt_load() - Return: 1 when there is a record of an earlier one, 0, -EBADMSG, -errno. */
int pl_adopt_load(PlAdoptRun *run);
/** pl_adopt_save() - the record in a new phase, on disk when this returns. */
int pl_adopt_save(PlAdoptRun *run, PlAdoptPhase phase);
/** pl_adopt_forget() - it is over: the record and the copies of hostconfig.json go. */
void pl_adopt_forget(PlAdoptRun *run);

/** pl_adopt_rewrite() - one container's hostconfig.json, with a copy beside it. -errno, -EBADMSG.
 */
int pl_adopt_rewrite(const PlAdoptRun *run, const PlAdoptItem *item);
/** pl_adopt_put_back() - every hostconfig.json of which there is a copy. Return: 0 or the first
 * error. */
int pl_adopt_put_back(const PlAdoptRun *run);
/** pl_adopt_config_install() - daemon.json, with a copy beside it. */
int pl_adopt_config_install(const PlAdoptRun *run);
/** pl_adopt_config_safe() - daemon.json as it was, but with live-restore: an engine that starts
 * without it kills what runs. */
int pl_adopt_config_safe(const PlAdoptRun *run);
/** pl_adopt_config_put_back() - daemon.json as it was. */
int pl_adopt_config_put_back(const PlAdoptRun *run);

/* ---- logs: ctl-adopt-log.c ---- */

/** pl_adopt_shorten() - what was archived leaves a container's log; the engine is stopped. Says
 * what does not come off, which is no reason to go back. */
void pl_adopt_shorten(const PlAdoptRun *run, const PlAdoptItem *item);

/* ---- engine: ctl-adopt-engine.c ---- */

/** pl_adopt_get() - a document of the engine; owned by the caller. Return: 0, -EREMOTEIO when it
 * refuses, or as pl_ctl_client_request(). */
int pl_adopt_get(PlAdoptRun *run, const char *path, json_t **ret);
bool pl_adopt_answers(PlAdoptRun *run);
bool pl_adopt_live_restore(PlAdoptRun *run);
/** pl_adopt_engine_pid() - dockerd's; 0: does not run */
pid_t pl_adopt_engine_pid(const PlAdoptRun *run);
/** pl_adopt_engine_stop() - 0 when it is gone, and does not come back by itself; -ETIMEDOUT, … */
int pl_adopt_engine_stop(PlAdoptRun *run);
/** pl_adopt_engine_start() - 0 when it answers. Does nothing to one that runs. */
int pl_adopt_engine_start(PlAdoptRun *run);
/** pl_adopt_listener() - pid that listens on the socket; 0: unknown */
pid_t pl_adopt_listener(const char *socket_path);

/* ---- units: ctl-adopt-unit.c ---- */

/** pl_adopt_run_systemctl() - arguments end with NULL. @ret: its output, may be NULL; owned by the
 * caller. Return: its exit status, or -errno. */
int pl_adopt_run_systemctl(const char *const *arguments, char **ret);
/** pl_adopt_unit_of() - the service that a process is the main process of; owned by the caller.
 * Return: 0, -ENOENT, -ENOMEM. */
int pl_adopt_unit_of(pid_t pid, char **ret);
/** pl_adopt_unit_property() - of a unit; owned by the caller, NULL: unknown */
char *pl_adopt_unit_property(const char *unit, const char *property);
/** pl_adopt_unit_restores() - no other active unit stops with it */
bool pl_adopt_unit_restores(const char *unit, const char *triggers);

/* ---- process: ctl-adopt-process.c ---- */

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

/* ---- freezer: ctl-adopt-freeze.c ---- */

/** pl_adopt_freezer_find() - the control file of a container's group
 * @ret: owned by the caller; "" when it is frozen already and so not ours to thaw
 * Return: 0; -ENOENT: it has none; -ESRCH: gone; -errno. */
int pl_adopt_freezer_find(pid_t pid, const char *id, char **ret);
/** pl_adopt_freeze() - 0 when all of the group stands still; -ETIMEDOUT; -ENOENT: gone */
int pl_adopt_freeze(const char *file);
/** pl_adopt_thaw_all() - of the record. Return: 0 or the first error; a group that is gone is none.
 */
int pl_adopt_thaw_all(const PlAdoptJournal *j);
/** pl_adopt_logs_at_rest() - until no log of the record's containers grows. 0 or -ETIMEDOUT. */
int pl_adopt_logs_at_rest(const PlAdoptRun *run);

/* ---- sequence: ctl-adopt-run.c, ctl-adopt-recover.c ---- */

/** pl_adopt_run() - from here on things change. Says what it does. Return: 0; negative errno when
 * it did not come off, and all is as it was, if the message did not say otherwise. */
int pl_adopt_run(PlAdoptRun *run);
/** pl_adopt_recover_run() - finish, or put everything back, as the record says. Return: 1: the
 * adoption has been finished; 0: everything is as it was; -errno: neither, and it was said. */
int pl_adopt_recover_run(PlAdoptRun *run);
/** pl_adopt_verify() - by inspect: sizes, and the same process. 0 or -EBADMSG, said. */
int pl_adopt_verify(PlAdoptRun *run);

void pl_adopt_run_deinit(PlAdoptRun *run);
bool pl_adopt_same_boot(const PlAdoptRun *run);
/** pl_adopt_boot_id() - of the kernel; owned by the caller, NULL: cannot be read */
char *pl_adopt_boot_id(void);
