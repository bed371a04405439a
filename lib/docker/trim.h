/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Trim: a line of GET /events cut down while it arrives.
 *
 * All labels of a container are in each of its events, and a label may have any size. What nobody
 * would read goes before it takes up memory: the rest of a long string, and, once the line is long
 * all the same, what else is said of the container. A line that is no JSON stays as it is.
 */

#include "lib/base/macro.h"

/* What answers keep of a string (lib/docker/answer.h), where each byte is an escape of six. */
#define PL_TRIM_STRING_MAX (6 * KIB(4))
/* From this size of the line on, only those attributes stay that an event is read for. */
#define PL_TRIM_LINE_MAX KIB(128)

/* Of one line; starts as zeros. Offsets are from its beginning. */
typedef struct PlTrim {
        size_t depth; /* of objects and lists */
        bool in_string;
        bool dropping;           /* the rest of the string */
        unsigned escaped;        /* bytes of an escape that are to come */
        size_t string_begin;     /* behind its quote */
        size_t member_begin;     /* of an attribute, with the comma before it */
        size_t key_begin, n_key; /* its name; n_key 0: not seen yet */
        bool first;              /* no attribute stands before it */
} PlTrim;

/**
 * pl_trim() - trim what has arrived since the last call, in place
 * @done: bytes of the line that are trimmed already
 * @size: bytes of the line, without its end
 *
 * Return: how many bytes are left, no more than @size.
 */
size_t pl_trim(PlTrim *t, char *line, size_t done, size_t size);
