/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Prune: a JSON text without the members that nobody reads.
 *
 * An inspect answer has some three hundred values, of which forty are read; building the others was
 * half of what a flood of events costs. Cut off in one linear pass, before anything is built.
 */

#include "lib/base/macro.h"

/* Members of an object that stay. Tables end with an empty row. */
typedef struct PlKeep {
        const char *name; /* "*": whatever its name is */
        const struct PlKeep
                        *members; /* of its own members; NULL: all, and so is what is no object */
} PlKeep;

/**
 * pl_prune() - @ret: a text of at most @size bytes, owned by the caller, not terminated
 * What is kept is copied as it is, right or wrong: whoever parses the result judges it.
 *
 * Return: 0; -EBADMSG: not an object, cut off, or followed by something; -ENOMEM.
 */
int pl_prune(const char *text, size_t size, const PlKeep *keep, char **ret, size_t *ret_size);
