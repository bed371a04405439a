/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Words: a table of the words that stand for the values of an enumeration.
 */

#include "lib/base/macro.h"

/* A table ends with { NULL }. Of several words for one value the first is the one that is shown. */
typedef struct PlWord {
        const char *word;
        int value;
} PlWord;

/** pl_word_of() - the word for a value; "unknown" when the table has none. */
const char *pl_word_of(const PlWord *words, int value);
