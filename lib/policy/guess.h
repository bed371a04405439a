/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Guess: what a text is that is no policy, and how much of it a message may show. Pure.
 *
 * A file that was named by mistake may be anything: a compose file with passwords in it, for
 * example. So messages show keys, and values of keys that a policy has.
 */

#include "lib/base/macro.h"

typedef enum PlGuess {
        PL_GUESS_POLICY, /* or nothing that is known */
        PL_GUESS_UTF16,
        PL_GUESS_BINARY,
        PL_GUESS_JSON,
        PL_GUESS_YAML,
        PL_GUESS_COMPOSE, /* YAML with services */
        PL_GUESS_TOML,
        PL_GUESS_UNIT, /* of systemd, or a quadlet of Podman */
} PlGuess;

/** pl_guess() - by the first line that says something; a good policy never looks like another kind
 * @ret_line: where that line is, from 1 */
PlGuess pl_guess(const char *text, size_t size, unsigned *ret_line);

/** pl_guess_what() - "this is YAML, not a policy; …", static. NULL: PL_GUESS_POLICY. */
const char *pl_guess_what(PlGuess g);

/** pl_show_line() - the key of a line that is none of a policy's, escaped; "…" for the rest.
 * Return: owned by the caller; NULL: out of memory. */
char *pl_show_line(const char *line);

/** pl_show_value() - the value of a key that a policy has, escaped and cut; without what stands
 * after a word such as "password", or before the @ of a URL. Return: likewise. */
char *pl_show_value(const char *value);
