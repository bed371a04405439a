/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Log method: the ways to free the head of a log under a writer, one row each, with the policy's
 * word for it. What pl_rotate_choose() makes of them is in lib/logs/rotate-plan, and how they free
 * is a row in daemon/rotate/methods.
 */

#include "lib/base/word.h"

#define PL_LOG_METHODS(ROW)       \
        ROW(AUTO, "auto")         \
        ROW(REFLINK, "reflink")   \
        ROW(COLLAPSE, "collapse") \
        ROW(PUNCH, "punch")       \
        ROW(OFF, "off")

#define PL_LOG_METHOD_VALUE(method, word) PL_LOG_METHOD_##method,

typedef enum PlLogMethod { PL_LOG_METHODS(PL_LOG_METHOD_VALUE) _PL_LOG_METHOD_N } PlLogMethod;

/* The policy's words for them: pl_word_of(). */
extern const PlWord pl_log_method_words[];
