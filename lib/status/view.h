/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Views: the control socket's documents as people read them.
 *
 * Pure: documents, the look of the terminal and the time go in, text comes out. Members that are
 * missing or of another type than expected are shown as unknown, so that plimsollctl goes on
 * working beside an older or newer daemon.
 */

#include <jansson.h>

#include "lib/base/text.h"

typedef enum PlViewSort {
        PL_VIEW_SORT_NAME, /* by service, then container; governed by no section last */
        PL_VIEW_SORT_CPU,
        PL_VIEW_SORT_MEMORY,
} PlViewSort;

typedef struct PlViewOptions {
        PlLook look;
        uint64_t now_usec;      /* CLOCK_REALTIME, for ages */
        const json_t *previous; /* an earlier status, for CPU in use; may be NULL */
        uint64_t elapsed_usec;  /* since previous */
        PlViewSort sort;
} PlViewOptions;

/** pl_view_status() - header, table, and a line for everything that is not as it should be.
 * Return: 0 and *ret owned by the caller; -ENOMEM. */
int pl_view_status(const json_t *status, const PlViewOptions *o, char **ret);

/** pl_view_show() - everything about one container. Return: 0, -ENOMEM. */
int pl_view_show(const json_t *container, const PlViewOptions *o, char **ret);

/** pl_view_probe() - a probe's conversation, and its verdict. Return: 0, -ENOMEM. */
int pl_view_probe(const json_t *conversation, const PlViewOptions *o, char **ret);

/** pl_view_event() - one event as one line, newline included. Return: 0, -ENOMEM. */
int pl_view_event(const json_t *event, const PlViewOptions *o, char **ret);

/** pl_view_problems() - what is wrong with a container, one sentence each
 * @dry_run: limits that differ are no problem then
 * Return: new array of strings, empty when all is well; NULL: out of memory. */
json_t *pl_view_problems(const json_t *container, bool dry_run);

/** pl_view_is_good() - is everything healthy and in line? Decides plimsollctl's exit status.
 * Findings do not count. Return: 1 or 0; -ENOMEM. */
int pl_view_is_good(const json_t *status);
