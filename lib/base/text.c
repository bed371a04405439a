/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Text for a terminal.
 *
 * Everything printed passes pl_text_clean() once; the rest of this file relies on printable
 * characters.
 */

#include "lib/base/text.h"

#include <wchar.h>

#include "lib/base/quote.h"

/* Select Graphic Rendition, ECMA-48 8.3.117; the eight colours that every theme can set. */
static const char *const sgr[] = {
        [PL_TINT_NONE] = NULL,      [PL_TINT_GOOD] = "\033[32m", [PL_TINT_WARN] = "\033[33m",
        [PL_TINT_BAD] = "\033[31m", [PL_TINT_DIM] = "\033[2m",   [PL_TINT_STRONG] = "\033[1m",
};
#define SGR_END "\033[0m"

/* What our own texts are typeset with, and how ASCII says it. */
static const struct {
        uint32_t point;
        const char *ascii;
} likeness[] = {
        { 0x2026, "..." }, { 0x2013, "-" },  { 0x2014, "-" }, { 0x2018, "'" },  { 0x2019, "'" },
        { 0x201c, "\"" },  { 0x201d, "\"" }, { 0x00b7, "-" }, { 0x2192, "->" }, { 0x221e, "inf" },
        { 0x25cf, "*" },   { 0x2713, "ok" }, { 0x2717, "x" },
};

/* Return: bytes of the code point at s. What is not clean after all is one column. */
static size_t next_point(const char *s, uint32_t *ret) {
        size_t n = pl_utf8_decode(s, strnlen(s, 4), ret);

        if (n > 0)
                return n;
        *ret = '?';
        return 1;
}

static size_t point_width(uint32_t point) {
        int w = wcwidth((wchar_t)point);
        return w < 0 ? 1 : (size_t)w;
}

static char *to_ascii(const char *s) {
        char *copy = malloc(strlen(s) * 3 + 1), *end = copy;

        if (!copy)
                return NULL;
        while (*s) {
                uint32_t point;
                const char *ascii = "?";

                s += next_point(s, &point);
                if (point < 0x80) {
                        *end++ = (char)point;
                        continue;
                }
                for (size_t i = 0; i < PL_ARRAY_SIZE(likeness); i++)
                        if (likeness[i].point == point)
                                ascii = likeness[i].ascii;
                end = stpcpy(end, ascii);
        }
        *end = '\0';
        return copy;
}

char *pl_text_clean(const char *s, const PlLook *look) {
        size_t size = strlen(s) * 4 + 1; /* \xNN for each byte */
        char *quoted = malloc(size);

        if (!quoted)
                return NULL;
        (void)pl_quote(s, strlen(s), quoted, size);
        if (look->utf8)
                return quoted;
        char *ascii = to_ascii(quoted);
        free(quoted);
        return ascii;
}

size_t pl_text_width(const char *s, const PlLook *look) {
        size_t width = 0;

        if (!look->utf8)
                return strlen(s);
        while (*s) {
                uint32_t point;

                s += next_point(s, &point);
                width += point_width(point);
        }
        return width;
}

void pl_text_tint(FILE *f, const PlLook *look, PlTint tint, const char *s) {
        if (look->colour && sgr[tint] && *s)
                (void)fprintf(f, "%s%s" SGR_END, sgr[tint], s);
        else
                (void)fputs(s, f);
}

void pl_text_wrap(FILE *f, const PlLook *look, PlTint tint, size_t column, size_t indent,
                  const char *s) {
        bool at_start = true;

        while (*s) {
                size_t size = strcspn(s, " ");
                _cleanup_free_ char *word = strndup(s, size);

                if (!word)
                        break;
                size_t width = pl_text_width(word, look) + (at_start ? 0 : 1);
                if (!at_start && look->columns > 0 && column + width > look->columns) {
                        (void)fputc('\n', f);
                        (void)fprintf(f, "%*s", (int)indent, "");
                        column = indent;
                        at_start = true;
                        width--;
                }
                if (!at_start)
                        (void)fputc(' ', f);
                pl_text_tint(f, look, tint, word);
                column += width;
                at_start = false;
                s += size;
                s += strspn(s, " ");
        }
        (void)fputc('\n', f);
}
