/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Quoting: bytes that somebody else controls, made fit for a terminal, a journal and JSON.
 */

#include "lib/base/macro.h"

/** pl_escape() - copy with control characters (C0, DEL, C1, line separators, bidirectional
 * overrides), invalid UTF-8 and backslash as \xNN. At most max_bytes of output without the NUL;
 * what does not fit is cut between characters and "…" put in its place, within max_bytes (which
 * should be 3 or more). For all text that a container controls. Caller owns it; NULL when out of
 * memory. */
char *pl_escape(const char *s, size_t max_bytes);

/** pl_escape_again() - likewise, of a text whose foreign parts have been escaped or quoted already:
 * backslashes stay. Return: owned by the caller, NULL: out of memory. */
char *pl_escape_again(const char *s, size_t max_bytes);

/**
 * pl_quote() - a printable copy of bytes that somebody else controls
 * @data, @n: may hold NULs and anything else
 * @buf, @size: receives at most size - 1 bytes and a NUL; "…" at the end when cut
 *
 * Valid UTF-8 stays, but for controls and the marks that change the direction of text (they can
 * make a terminal show something else); those and invalid bytes become \xNN.
 *
 * Return: buf.
 */
const char *pl_quote(const void *data, size_t n, char *buf, size_t size);

/** pl_utf8_decode() - one code point of a text of size bytes
 * Return: its length in bytes, 1 to 4 (a NUL has length 1); 0 when there is none that is UTF-8
 * (overlong, a surrogate, cut, above U+10FFFF, or size is 0). */
size_t pl_utf8_decode(const char *s, size_t size, uint32_t *ret);

/** pl_utf8_is_hidden() - would a terminal obey it, or show nothing: controls, line separators,
 * marks that turn the direction of text, characters without width. */
bool pl_utf8_is_hidden(uint32_t point);

/** pl_utf8_trim() - drop a character that a full buffer has cut off at the end of a text. Return:
 * s. */
char *pl_utf8_trim(char *s);
