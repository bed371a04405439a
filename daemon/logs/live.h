/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Logs: the containers' logs as the manager sees them. Tell it what the engine and the policy say;
 * it watches sizes, rotates on its own thread, keeps the archives in bounds and logs what it did.
 *
 * A worker does the files' work (logs/worker) by rotate/sequence. Everything here runs on the loop
 * and returns at once.
 */

#include <systemd/sd-event.h>

#include "lib/docker/answer.h"
#include "lib/docker/container.h"
#include "lib/logs/rotate-plan.h"
#include "lib/policy/document.h"
#include "logs/time.h"
#include "report/reporter.h"

typedef struct PlLogs PlLogs;

typedef enum PlLogFinding {
        PL_LOG_FINDING_NONE,
        PL_LOG_FINDING_FAILED, /* cannot be rotated: high */
        PL_LOG_FINDING_FULL,   /* the disk is full and nothing may be dropped: critical */
} PlLogFinding;

/**
 * pl_logs_new()
 * @archive_dir: made if need be, 02750 and of group "plimsoll" if that exists
 * @reporter: borrowed, must outlive it
 * @renewed: called when the archive directory was removed or replaced, and is another one now: what
 * was held of the old one holds nothing; NULL
 * Return: 0, -ENOMEM, -errno (logged by the caller).
 */
int pl_logs_new(sd_event *event, const char *archive_dir, const PlReporter *reporter,
                void (*renewed)(void *userdata), void *userdata, PlLogs **ret);
PlLogs *pl_logs_free(PlLogs *l); /* waits for a rotation's next safe place; returns NULL */
PL_DEFINE_CLEANUP(PlLogs *, pl_logs_free)

/** pl_logs_time() - what is proven of the time; lives as long as it. Borrowed. */
PlLogTime *pl_logs_time(const PlLogs *l);

/** pl_logs_set_engine() - at each connected(); NULL at lost(): nothing that depends on the version
 * is done until it is known again. */
void pl_logs_set_engine(PlLogs *l, const PlEngineInfo *info);

/** pl_logs_set_policy() - what holds for all containers. @dry_run: log what would be done, touch
 * nothing */
void pl_logs_set_policy(PlLogs *l, PlPolicy *policy, bool dry_run);

/**
 * pl_logs_update() - after each inspect, and after a reload
 * @service: the section's name, NULL for [Defaults]
 * @policy: borrowed for the call; NULL: no section governs it: left alone, but known to readers
 * Return: 0, -ENOMEM.
 */
int pl_logs_update(PlLogs *l, const PlContainer *c, const char *service, const PlLogPolicy *policy);

/** pl_logs_started() - its log may be there, whatever an inspection has said or will say of it: one
 * that lives for a moment only is held from now on. */
void pl_logs_started(PlLogs *l, const char *id);

/** pl_logs_remove() - look after it no more; its archives stay. @gone: the engine has removed the
 * container: where LogKeep= says so, the rest of its log is archived. Otherwise it may come again,
 * and what is known of its log stays. */
void pl_logs_remove(PlLogs *l, const char *id, bool gone);

/** pl_logs_prune() - once all containers are known: forget records of those for which keep() says
 * no. */
void pl_logs_prune(PlLogs *l, bool (*keep)(void *userdata, const char *id), void *userdata);

/** pl_logs_rotate_now() - however small the log is. Return: 0 begun; -ENOENT no such container;
 * -EOPNOTSUPP with *ret_why; -EBUSY the engine's version is not known now. */
int pl_logs_rotate_now(PlLogs *l, const char *id, const char **ret_why);

typedef struct PlLogStatus {
        const char *path;    /* NULL: none; borrowed */
        const char *method;  /* reflink, collapse, punch; native; a driver's name; off; static or
                                borrowed */
        const char *why;     /* one line, "" when there is nothing to say */
        uint64_t size_bytes; /* of what was not archived yet */
        uint64_t held_bytes; /* that the log takes on disk; PL_UNLIMITED: not known */
        uint64_t max_size_bytes; /* LogMaxSize; PL_UNLIMITED */
        uint64_t bound_bytes;    /* what log and archives may come to by LogMaxSize and LogMaxFiles;
                                    PL_UNLIMITED; 0: rotated by others */
        uint64_t archived_bytes, archived_files;
        uint64_t rotations, lines; /* since the daemon started */
        PlLogFinding finding;
        const char *finding_text; /* NULL: none; borrowed */
} PlLogStatus;

/** pl_logs_status() - Return: false when it knows no such container. */
bool pl_logs_status(const PlLogs *l, const char *id, PlLogStatus *ret);

/**
 * pl_logs_method_finding() - what the operator should know of how logs are rotated: it lies in the
 *                            engine and the file system, so it is one line for all of them
 * Return: new text: how many, the names of some, why; NULL: it is so of none, this is no finding,
 * or out of memory.
 */
char *pl_logs_method_finding(const PlLogs *l, PlRotateWhy why);
