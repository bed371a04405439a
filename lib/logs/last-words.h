/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Last words: the end of a container's log, for the entry that says that it crashed.
 */

#include "lib/base/macro.h"

#define PL_LAST_WORDS_LINES 5
#define PL_LAST_WORDS_MAX   768

/**
 * pl_last_words() - the last lines of a json-file log as one printable line
 * @tail: the end of the file, as much as there is at hand
 * @whole: it begins with a record; else what stands before the first newline is left out
 * @buf: receives the lines, oldest first, joined by " | "; quoted; "" when there are none
 *
 * Return: buf.
 */
const char *pl_last_words(const char *tail, size_t size, bool whole,
                          char buf[static PL_LAST_WORDS_MAX]);
