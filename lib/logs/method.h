/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Log method: the ways to free the head of a log under a writer, one row each.
 */

#include "lib/base/word.h"

typedef enum PlLogMethod {
        PL_LOG_METHOD_AUTO,
        PL_LOG_METHOD_REFLINK,
        PL_LOG_METHOD_COLLAPSE,
        PL_LOG_METHOD_PUNCH,
        PL_LOG_METHOD_OFF,
        _PL_LOG_METHOD_N,
} PlLogMethod;

/** pl_log_method_to_string() - the policy's word for it. */
const char *pl_log_method_to_string(PlLogMethod m);

/* The same words, for the policy. */
extern const PlWord pl_log_method_words[];
