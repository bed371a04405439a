/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Diagnostics: every problem of a policy at once, each with its place and its remedy.
 *
 * Parsers append to the list and shells print it, so a parser need not know whether the reader is a
 * journal, a terminal or a control socket.
 */

#include "lib/base/macro.h"

typedef enum PlSeverity {
        PL_SEVERITY_WARNING,
        PL_SEVERITY_ERROR,
} PlSeverity;

typedef struct PlDiag {
        PlSeverity severity;
        char *file;    /* as the person named it */
        unsigned line; /* 1-based; 0: concerns the whole file or the sum of all */
        char *message; /* one line; ends without a full stop; control characters escaped */
} PlDiag;

typedef struct PlDiagList {
        PlDiag *items;
        size_t n;
        size_t n_errors;
        bool oom; /* a message could not be kept; treated as an error */
} PlDiagList;

void pl_diag_list_deinit(PlDiagList *l);

/** pl_diag_add() - append one formatted message. Running out of memory sets l->oom instead. */
void pl_diag_add(PlDiagList *l, PlSeverity severity, const char *file, unsigned line,
                 const char *format, ...) PL_PRINTF(5, 6);

/** pl_diag_format() - "file:line: message" (warnings say "warning: "). Caller owns the string;
 * NULL when out of memory. */
char *pl_diag_format(const PlDiag *d);
