/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Repeat: the same said of many containers becomes one line.
 *
 * What has one cause (a kernel without a file, a value that nobody takes) is true of each container
 * of the policy, and comes again with each new one. It is gathered for a moment and said once, with
 * how many it is said of. The more often it is said the longer the next line waits, up to an hour.
 *
 * Pure: no I/O, clock or logging. Time is a parameter, CLOCK_BOOTTIME.
 */

#include "lib/base/macro.h"

/* The first line of a cause waits so long for the others of its kind. */
#define PL_REPEAT_GATHER_USEC (300 * PL_USEC_PER_MSEC)
#define PL_REPEAT_FIRST_USEC  PL_USEC_PER_SEC /* after a line; then four times as long each time */
#define PL_REPEAT_MAX_USEC    (60 * PL_USEC_PER_MIN)
/* One of which nothing came for so long is news again. */
#define PL_REPEAT_REST_USEC  (10 * PL_USEC_PER_MIN)
#define PL_REPEAT_CAUSES_MAX 32

typedef struct PlRepeats PlRepeats;

PlRepeats *pl_repeats_new(void);          /* NULL: out of memory */
PlRepeats *pl_repeats_free(PlRepeats *r); /* returns NULL */

/* What is said, and of whom. Borrowed in, and borrowed out until the next call. */
typedef struct PlRepeat {
        const char *message_id, *reason; /* may be NULL */
        int priority;
        const char *name, *id, *service; /* of the first container; service may be NULL */
        const char *text;
        unsigned n; /* out: how many containers; more than one: the text names some of them */
} PlRepeat;

/** pl_repeats_add() - the container's own id in a text is no other cause. Return: 0; -ENOMEM,
 * -ENOSPC: say it at once, it is not gathered. */
int pl_repeats_add(PlRepeats *r, const PlRepeat *said, uint64_t now_usec);

/** pl_repeats_due() - when the next line is due; 0: there is none. */
uint64_t pl_repeats_due(const PlRepeats *r);

/** pl_repeats_take() - a line that is due, "7 containers (a, b, c and 4 more): has no effect".
 * @now_usec: UINT64_MAX: whatever is left. Return: false when there is none. */
bool pl_repeats_take(PlRepeats *r, uint64_t now_usec, PlRepeat *ret);
