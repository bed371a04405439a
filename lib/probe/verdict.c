/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Verdict: see the header. It allocates nothing: each probe makes a verdict.
 */

#include "lib/probe/verdict.h"

#include <stdarg.h>

void pl_verdict_set(PlVerdict *v, PlVerdictKind kind, const char *code, const char *format, ...) {
        va_list ap;

        v->kind = kind;
        (void)snprintf(v->code, sizeof(v->code), "%s", code);
        va_start(ap, format);
        (void)vsnprintf(v->reason, sizeof(v->reason), format, ap);
        va_end(ap);
        (void)pl_utf8_trim(v->reason);
}

void pl_verdict_add(PlVerdict *v, const char *format, ...) {
        size_t n = strlen(v->reason), size = sizeof(v->reason) - n;
        va_list ap;

        va_start(ap, format);
        (void)vsnprintf(v->reason + n, size, format, ap);
        va_end(ap);
        (void)pl_utf8_trim(v->reason);
}

bool pl_verdict_if_tls(const uint8_t *data, size_t n, PlVerdict *ret) {
        if (n < 3 || (data[0] != 21 && data[0] != 22) || data[1] != 3 || data[2] > 4)
                return false;
        pl_verdict_set(ret, PL_VERDICT_DISPUTED, "tls", "%s", PL_VERDICT_TLS);
        return true;
}
