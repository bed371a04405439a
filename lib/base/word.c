/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Words: see the header. Tables are short; they are searched from the front.
 */

#include "lib/base/word.h"

const char *pl_word_of(const PlWord *words, int value) {
        for (; words->word; words++)
                if (words->value == value)
                        return words->word;
        return "unknown";
}
