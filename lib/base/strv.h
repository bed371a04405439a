/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * String vectors: arrays of texts that end with NULL. NULL itself is one without elements.
 */

#include "lib/base/macro.h"

char **pl_strv_free(char **v); /* Return: NULL */

/** pl_strv_append() - @max: elements at most; @item: copied. Return: 0, -ENOMEM, -E2BIG. */
int pl_strv_append(char ***v, size_t max, const char *item);

/** pl_strv_copy() - Return: owned by the caller, never NULL but when out of memory. */
char **pl_strv_copy(char *const *v);

bool pl_strv_equal(char *const *a, char *const *b);
