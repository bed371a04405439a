/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Rotate state: what must survive a crash, so that we know which bytes of a log are archived
 * already.
 *
 * One record per container, kept beside the archives and replaced atomically. Saving `intent` is
 * the commit point of a rotation: from then on the archive counts and the head of the log does not,
 * whatever happens to the process. Readers without the daemon find the log through it too.
 *
 * Text is JSON. A record that is torn, foreign or of a later version is refused as a whole.
 */

#include "lib/base/id.h"
#include "lib/base/macro.h"
#include "lib/logs/method.h"

#define PL_ROTATE_STATE_MAX KIB(64) /* largest record that is read */

typedef enum PlRotatePhase {
        PL_ROTATE_CLEAN,
        PL_ROTATE_INTENT,
} PlRotatePhase;

typedef struct PlRotateState {
        char id[PL_ID_MAX];
        char *name;    /* the container's */
        char *service; /* directory of its archives */
        char *path;    /* the log, as the engine names it */
        char *driver;
        char *origin, *title; /* PlIdentity: whose logs these are, whatever the container is called;
                                 NULL: not known */
        uint64_t dev, ino;    /* the file that head and mark refer to; 0/0: no log seen yet */
        uint64_t gen;         /* archives committed so far; they are numbered 1 … gen */
        uint64_t head;        /* offset of the first byte that no archive holds */
        uint64_t mark;        /* where the marker of gen stands; [mark, head) is that marker */
        PlRotatePhase phase;
        /* of an intent: archive gen + 1 holds [head, k); [a, k) becomes the marker */
        uint64_t k, a;
        PlLogMethod method; /* how the head is freed */
        char *archive;      /* "<service>/<file>" */
        uint64_t print;     /* of the bytes at head: is this still the file it was? */
        /* The log does not lie at its path: it was read and has no marker, and print is of the
         * bytes before head. An intent has nothing to free then, and a is 0. */
        bool taken;
} PlRotateState;

void pl_rotate_state_deinit(PlRotateState *s);

/** pl_rotate_state_encode() - Return: 0 and *ret owned by the caller, or -ENOMEM. */
int pl_rotate_state_encode(const PlRotateState *s, char **ret);

/** pl_rotate_state_decode() - Return: 0; -EBADMSG when it is not such a record; -ENOMEM. */
int pl_rotate_state_decode(const char *text, size_t size, PlRotateState *ret);

/* PlRotateState.archive of a head that a full disk made us drop (LogOnFull=drop). */
#define PL_LOG_NO_ARCHIVE "-"
