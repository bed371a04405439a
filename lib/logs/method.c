/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Log method: the words.
 */

#include "lib/logs/method.h"

#define WORD(method, word) { word, PL_LOG_METHOD_##method },

const PlWord pl_log_method_words[] = { PL_LOG_METHODS(WORD){ NULL } };
