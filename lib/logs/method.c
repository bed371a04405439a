/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Log method: the words.
 */

#include "lib/logs/method.h"

const PlWord pl_log_method_words[] = {
        { "auto", PL_LOG_METHOD_AUTO },         { "reflink", PL_LOG_METHOD_REFLINK },
        { "collapse", PL_LOG_METHOD_COLLAPSE }, { "punch", PL_LOG_METHOD_PUNCH },
        { "off", PL_LOG_METHOD_OFF },           { NULL },
};

_Static_assert(PL_ARRAY_SIZE(pl_log_method_words) == _PL_LOG_METHOD_N + 1,
               "a PlLogMethod has no word");

const char *pl_log_method_to_string(PlLogMethod m) {
        return pl_word_of(pl_log_method_words, (int)m);
}
