/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Verdict: see the header. It must not allocate: verdicts are made once per probe.
 */

#include "lib/probe/verdict.h"

#include <stdarg.h>

static const char *const kind_names[_PL_VERDICT_N] = {
        [PL_VERDICT_NONE] = "none",         [PL_VERDICT_UP] = "up",
        [PL_VERDICT_STARTING] = "starting", [PL_VERDICT_DEGRADED] = "degraded",
        [PL_VERDICT_DOWN] = "down",
};

const char *pl_verdict_kind_to_string(PlVerdictKind k) {
        return (unsigned)k < _PL_VERDICT_N ? kind_names[k] : "none";
}

void pl_verdict_set(PlVerdict *v, PlVerdictKind kind, const char *code, const char *format, ...) {
        va_list ap;

        v->kind = kind;
        (void)snprintf(v->code, sizeof(v->code), "%s", code);
        va_start(ap, format);
        (void)vsnprintf(v->reason, sizeof(v->reason), format, ap);
        va_end(ap);
}

/* Length of the valid UTF-8 sequence at p, with its code point; 0: none (RFC 3629). */
static size_t utf8_length(const uint8_t *p, size_t n, uint32_t *ret) {
        static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
        size_t len = p[0] < 0x80   ? 1
                     : p[0] < 0xc0 ? 0
                     : p[0] < 0xe0 ? 2
                     : p[0] < 0xf0 ? 3
                     : p[0] < 0xf8 ? 4
                                   : 0;
        uint32_t c;

        if (len == 0 || len > n)
                return 0;
        c = len == 1 ? p[0] : p[0] & (0xffu >> (len + 1));
        for (size_t i = 1; i < len; i++) {
                if ((p[i] & 0xc0) != 0x80)
                        return 0;
                c = c << 6 | (p[i] & 0x3f);
        }
        if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
                return 0;
        *ret = c;
        return len;
}

static bool is_harmless(uint32_t c) {
        if (c < 0x20 || c == '\\' || (c >= 0x7f && c < 0xa0))
                return false;
        /* line and paragraph separators, direction marks, embeddings, isolates, the BOM */
        if ((c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
            (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || c == 0x061c)
                return false;
        return true;
}

const char *pl_quote(const void *data, size_t n, char *buf, size_t size) {
        static const char ellipsis[] = "…";
        const uint8_t *p = data;
        size_t used = 0, keep = 0;

        if (size == 0)
                return buf;
        for (size_t i = 0, len; i < n; i += len) {
                uint32_t c = 0;
                bool plain;
                size_t need;

                len = utf8_length(p + i, n - i, &c);
                plain = len > 0 && is_harmless(c);
                if (len == 0)
                        len = 1;
                need = plain ? len : 4 * len;
                if (used + need >= size) {
                        if (size >= sizeof(ellipsis)) {
                                memcpy(buf + keep, ellipsis, sizeof(ellipsis) - 1);
                                used = keep + sizeof(ellipsis) - 1;
                        }
                        break;
                }
                if (plain)
                        memcpy(buf + used, p + i, len);
                else
                        for (size_t j = 0; j < len; j++)
                                (void)snprintf(buf + used + 4 * j, 5, "\\x%02x", p[i + j]);
                used += need;
                /* the last place from which the mark of a cut still fits */
                if (used + sizeof(ellipsis) <= size)
                        keep = used;
        }
        buf[used] = '\0';
        return buf;
}

bool pl_verdict_if_tls(const uint8_t *data, size_t n, PlVerdict *ret) {
        if (n < 3 || (data[0] != 21 && data[0] != 22) || data[1] != 3 || data[2] > 4)
                return false;
        pl_verdict_set(ret, PL_VERDICT_DEGRADED, "tls",
                       "it speaks TLS on this port, the probe does not: set ProbePort= to a plain "
                       "port, or Probe=tcp");
        return true;
}
