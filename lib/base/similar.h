/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * "Did you mean": the nearest of a set of words.
 */

#include "lib/base/macro.h"

/** pl_similar() - the word that was probably meant: the nearest by edit distance, ignoring case
 * @get: the i-th word of the set; NULL ends it
 * Return: one of the set; NULL: none is near. */
const char *pl_similar(const char *word, const char *(*get)(const void *userdata, size_t i),
                       const void *userdata);
