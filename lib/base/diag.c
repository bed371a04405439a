/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Diagnostics: see the header. The list is bounded: a hostile file fills it with its first errors.
 */

#include "lib/base/diag.h"

#include <stdarg.h>

#include "lib/base/quote.h"

#define MESSAGE_MAX 1024 /* bytes kept of one message */
#define DIAGS_MAX   1000 /* kept of one list; a hostile file must not grow memory without bound */

void pl_diag_list_deinit(PlDiagList *l) {
        for (size_t i = 0; i < l->n; i++) {
                free(l->items[i].file);
                free(l->items[i].message);
        }
        free(l->items);
        *l = (PlDiagList){ 0 };
}

static int append(PlDiagList *l, PlSeverity severity, const char *file, unsigned line,
                  const char *message) {
        _cleanup_free_ char *kept_file = NULL, *kept_message = NULL;
        PlDiag *items;

        kept_file = pl_escape_again(file, MESSAGE_MAX);
        kept_message = pl_escape_again(message, MESSAGE_MAX);
        if (!kept_file || !kept_message)
                return -1;
        /* grows by doubling: n is a power of two exactly when the block is full */
        if ((l->n & (l->n - 1)) == 0) {
                items = realloc(l->items, PL_MAX(l->n * 2, (size_t)1) * sizeof(*items));
                if (!items)
                        return -1;
                l->items = items;
        }
        l->items[l->n++] = (PlDiag){ severity, TAKE_PTR(kept_file), line, TAKE_PTR(kept_message) };
        return 0;
}

void pl_diag_add(PlDiagList *l, PlSeverity severity, const char *file, unsigned line,
                 const char *format, ...) {
        _cleanup_free_ char *message = NULL;
        va_list ap;
        int r;

        if (severity == PL_SEVERITY_ERROR)
                l->n_errors++;
        if (l->n > DIAGS_MAX)
                return;
        if (l->n == DIAGS_MAX) {
                r = append(l, severity, file, line,
                           "more problems follow; only the first ones are shown");
                l->oom = l->oom || r < 0;
                return;
        }
        va_start(ap, format);
        r = vasprintf(&message, format, ap);
        va_end(ap);
        if (r < 0)
                message = NULL;
        if (r < 0 || append(l, severity, file, line, message) < 0)
                l->oom = true;
}

char *pl_diag_format(const PlDiag *d) {
        const char *kind = d->severity == PL_SEVERITY_WARNING ? "warning: " : "";
        char *s;
        int r;

        if (d->line)
                r = asprintf(&s, "%s:%u: %s%s", d->file, d->line, kind, d->message);
        else
                r = asprintf(&s, "%s: %s%s", d->file, kind, d->message);
        return r < 0 ? NULL : s;
}
