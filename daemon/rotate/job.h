/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Shared by log-rotate.c (a rotation) and log-recover.c (its second half, and what a crash left).
 */

#include "rotate/file.h"
#include "rotate/sequence.h"

typedef struct PlRotateJob {
        const PlRotateContext *ctx;
        const PlRotateRequest *req;
        PlRotateOutcome *out;
        PlLogFile log;
        PlRotateState state;
        PlRotateProbe probe;
        PlRotateFacts facts;
        PlRotateChoice choice;
} PlRotateJob;

/* Notes what failed, for people. Return: error. */
int pl_rotate_fail(PlRotateJob *j, const char *step, int error);

/* Name, service and path follow the engine and the policy; only while no archive is under way.
 * Return: 1 when something changed; 0; -ENOMEM. */
int pl_rotate_name(PlRotateJob *j);
/* Return: 1 changed; 0 it was so already; -ENOMEM. */
int pl_rotate_set_string(char **s, const char *value);

/* Return: 1 there was no record; 0; -errno. */
int pl_rotate_load(PlRotateJob *j);
int pl_rotate_save(PlRotateJob *j);
int pl_rotate_sync(PlRotateJob *j);
int pl_rotate_publish(PlRotateJob *j);

/*
 * A collapse of a log that may have a writer is right only below 23, and of a stopped one only as
 * long as nobody opens it. Return: 0 go ahead; -EAGAIN not now, the choice may have changed.
 */
int pl_rotate_guard(PlRotateJob *j);

/* Steps 5 to 7 of an intent; what they do they may do twice. */
int pl_rotate_free_head(PlRotateJob *j);

/*
 * Makes an intent anew whose record is lost, from the last archive and the log behind state.head.
 * @marker_gen: of the last marker before it; 0: none
 * Return: 1 state holds it, not yet saved; 0 there was none; -errno.
 */
int pl_rotate_relearn(PlRotateJob *j, uint64_t size, uint64_t marker_gen);

/* Step 1. */
int pl_rotate_run_recovery(PlRotateJob *j);
/* Step 1 of a log that is gone, or not ours to touch any more. */
int pl_rotate_settle(PlRotateJob *j);
