/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Pattern: a regular expression that a person wrote, for text that somebody else writes.
 *
 * Matchers without a bound take as long as the text's author likes: glibc tries every start, and so
 * needs 6 s for "[0-9]+ ok" on 64 KiB of digits; others double with each byte. This one counts what
 * it does and stops. The expression is PCRE2's, on UTF-8 where the text is, else on bytes; "^" and
 * "$" are the ends of the text, and "." is any character, a newline, too.
 */

#include <stddef.h>

#include "lib/base/macro.h"

#define PL_PATTERN_MAX     512 /* bytes of an expression */
#define PL_PATTERN_WHY_MAX 128

typedef struct PlPattern PlPattern;

/** pl_pattern_new()
 * @text: NUL terminated, copied
 * @reterr_why: with -EINVAL: what is wrong and where, for people
 * Return: 0 and *ret, owned by the caller; -EINVAL, -ENOMEM. */
int pl_pattern_new(const char *text, bool ignore_case, PlPattern **ret,
                   char reterr_why[static PL_PATTERN_WHY_MAX]);
PlPattern *pl_pattern_free(PlPattern *p); /* returns NULL */
PL_DEFINE_CLEANUP(PlPattern *, pl_pattern_free)

/** pl_pattern_match() - is it anywhere in the text?
 * @s: may hold NULs and need not end with one; NULL: empty
 * Return: 1, 0; -E2BIG: not found within the bound, about 20 ms of a slow core's time; -ENOMEM. */
int pl_pattern_match(PlPattern *p, const char *s, size_t size);

/** pl_pattern_posix_differs() - would regcomp(3) with REG_EXTENDED refuse what is taken here? So
 * policies of the time when it was asked can be warned of. False, too, where asking takes much
 * memory. */
bool pl_pattern_posix_differs(const char *text);
