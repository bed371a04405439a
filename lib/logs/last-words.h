/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Last words: the end of a container's log, for the entry that says that it crashed.
 */

#include "lib/base/macro.h"

#define PL_LAST_WORDS_LINES 5
#define PL_LAST_WORDS_MAX   768

/* "; its last line: …", and what that means. */
#define PL_LAST_WORDS_EXPLAINED_MAX 288

/**
 * pl_last_words() - the last lines of a json-file log as one printable line
 * @tail: the end of the file, as much as there is at hand
 * @whole: it begins with a record; else what stands before the first newline is left out
 * @buf: receives the lines, oldest first, joined by " | "; quoted; "" when there are none
 *
 * Return: the last of the lines, in buf.
 */
const char *pl_last_words(const char *tail, size_t size, bool whole,
                          char buf[static PL_LAST_WORDS_MAX]);

/**
 * pl_last_words_explain() - what they add to the reason of an end
 * @words, @last: of pl_last_words()
 * Return: buf, "" when there are none.
 */
const char *pl_last_words_explain(const char *words, const char *last,
                                  char buf[static PL_LAST_WORDS_EXPLAINED_MAX]);
