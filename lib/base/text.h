/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Text for a terminal: how wide it is, how to cut it, how to tint it.
 *
 * The terminal's abilities are a parameter, so tests need no terminal. Widths come from wcwidth(3)
 * and need a UTF-8 LC_CTYPE; in ASCII looks one byte is one column.
 */

#include "lib/base/macro.h"

typedef struct PlLook {
        unsigned columns; /* of the terminal; 0: as many as it takes */
        bool utf8;        /* the locale's charset */
        bool colour;
} PlLook;

typedef enum PlTint {
        PL_TINT_NONE,
        PL_TINT_GOOD,
        PL_TINT_WARN,
        PL_TINT_BAD,
        PL_TINT_DIM,
        PL_TINT_STRONG,
} PlTint;

/** pl_text_clean() - a copy that is safe to print: control characters, invalid UTF-8 and marks that
 * turn the direction of text become \xNN; in ASCII looks typography becomes its ASCII likeness and
 * anything else beyond ASCII "?". Caller owns it; NULL: out of memory. */
char *pl_text_clean(const char *s, const PlLook *look);

/** pl_text_width() - columns that a clean text takes. */
size_t pl_text_width(const char *s, const PlLook *look);

/** pl_text_tint() - print a text in a tint, which is nothing but the text when look has no colour.
 */
void pl_text_tint(FILE *f, const PlLook *look, PlTint tint, const char *s);

/** pl_text_wrap() - print a clean text in lines of words, the next ones behind indent spaces
 * @column: where the cursor is; the last line is ended by a newline. Words are never broken. */
void pl_text_wrap(FILE *f, const PlLook *look, PlTint tint, size_t column, size_t indent,
                  const char *s);
