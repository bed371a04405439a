/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Diagnostics: see pl-diag.h.
 */

#include "lib/base/diag.h"

#include <stdarg.h>

#define MESSAGE_MAX 1024 /* bytes kept of one message */
#define DIAGS_MAX   1000 /* kept of one list; a hostile file must not grow memory without bound */

size_t pl_utf8_decode(const char *text, uint32_t *ret) {
        const unsigned char *s = (const unsigned char *)text;
        uint32_t c;
        size_t n;

        if (s[0] < 0x80) {
                *ret = s[0];
                return 1;
        }
        if (s[0] >= 0xc2 && s[0] <= 0xdf)
                n = 2;
        else if ((s[0] & 0xf0) == 0xe0)
                n = 3;
        else if (s[0] >= 0xf0 && s[0] <= 0xf4)
                n = 4;
        else
                return 0;
        c = s[0] & (0xffU >> (n + 1));
        for (size_t i = 1; i < n; i++) {
                if ((s[i] & 0xc0) != 0x80)
                        return 0;
                c = c << 6 | (s[i] & 0x3fU);
        }
        if ((n == 3 && c < 0x800) || (n == 4 && (c < 0x10000 || c > 0x10ffff)) ||
            (c >= 0xd800 && c <= 0xdfff))
                return 0;
        *ret = c;
        return n;
}

/* Must not reach a terminal or a one-line message as it is. */
static bool is_dangerous(uint32_t c) {
        return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 ||
               (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

static char *escape(const char *text, size_t max_bytes, bool keep_backslash) {
        static const char ellipsis[] = "…";
        const unsigned char *s = (const unsigned char *)text;
        size_t size = 0, cut = 0; /* cut: the last place where the ellipsis still fits */
        _cleanup_free_ char *out = NULL;

        /* each byte becomes four at most; huge inputs are cut, so don't allocate for them */
        out = malloc(PL_MIN(strlen(text) * 4, max_bytes) + sizeof(ellipsis));
        if (!out)
                return NULL;
        while (*s) {
                uint32_t c;
                size_t n = pl_utf8_decode((const char *)s, &c);
                bool plain = n > 0 && !is_dangerous(c) && (c != '\\' || keep_backslash);
                size_t need = plain ? n : 4 * PL_MAX(n, (size_t)1);

                if (size + sizeof(ellipsis) - 1 <= max_bytes)
                        cut = size;
                if (size + need > max_bytes) {
                        size = cut;
                        if (max_bytes >= sizeof(ellipsis) - 1) {
                                memcpy(out + size, ellipsis, sizeof(ellipsis) - 1);
                                size += sizeof(ellipsis) - 1;
                        }
                        break;
                }
                if (plain) {
                        memcpy(out + size, s, n);
                        size += n;
                } else
                        for (size_t i = 0; i < PL_MAX(n, (size_t)1); i++, size += 4)
                                snprintf(out + size, 5, "\\x%02x", s[i]);
                s += PL_MAX(n, (size_t)1);
        }
        out[size] = '\0';
        return TAKE_PTR(out);
}

char *pl_escape(const char *s, size_t max_bytes) {
        return escape(s, max_bytes, false);
}

char *pl_escape_again(const char *s, size_t max_bytes) {
        return escape(s, max_bytes, true);
}

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

        kept_file = escape(file, MESSAGE_MAX, true);
        kept_message = escape(message, MESSAGE_MAX, true);
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
