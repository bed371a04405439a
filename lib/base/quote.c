/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Quoting: see the header. Foreign bytes never move the cursor, change the direction of text or end
 * a line. What cannot be shown becomes \xNN, so nothing disappears.
 */

#include "lib/base/quote.h"

size_t pl_utf8_decode(const char *text, size_t size, uint32_t *ret) {
        const unsigned char *s = (const unsigned char *)text;
        uint32_t c;
        size_t n;

        if (size == 0)
                return 0;
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
        if (n > size)
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

char *pl_utf8_trim(char *s) {
        size_t end = strlen(s), at = end;
        uint32_t unused;

        while (at > 0 && end - at < 3 && ((unsigned char)s[at - 1] & 0xc0) == 0x80)
                at--;
        if (at > 0 && (unsigned char)s[at - 1] >= 0xc0)
                at--;
        if (at < end && pl_utf8_decode(s + at, end - at, &unused) != end - at)
                s[at] = '\0';
        return s;
}

bool pl_utf8_is_hidden(uint32_t c) {
        return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x200b && c <= 0x200f) ||
               (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
               c == 0x061c;
}

static char *escape(const char *text, size_t max_bytes, bool keep_backslash) {
        static const char ellipsis[] = "…";
        const unsigned char *s = (const unsigned char *)text, *end = s + strlen(text);
        size_t size = 0, cut = 0; /* cut: the last place where the ellipsis still fits */
        _cleanup_free_ char *out = NULL;

        /* each byte becomes four at most; huge inputs are cut, so don't allocate for them */
        out = malloc(PL_MIN((size_t)(end - s) * 4, max_bytes) + sizeof(ellipsis));
        if (!out)
                return NULL;
        while (s < end) {
                uint32_t c;
                size_t n = pl_utf8_decode((const char *)s, (size_t)(end - s), &c);
                bool plain = n > 0 && !pl_utf8_is_hidden(c) && (c != '\\' || keep_backslash);
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

                len = pl_utf8_decode((const char *)p + i, n - i, &c);
                plain = len > 0 && c != '\\' && !pl_utf8_is_hidden(c);
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
