/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * JSON: values and members that are added whole or not at all, so that running out of memory gives
 * no document instead of one with holes.
 */

#include <jansson.h>

#include "lib/base/macro.h"

#define _cleanup_json_ _cleanup_(json_decrefp)

/** pl_json_put() - add a member; the reference is stolen in any case. Return: false when out of
 * memory: the value is NULL, or the object cannot take it. */
bool pl_json_put(json_t *object, const char *key, json_t *stolen);

/** pl_json_put_number() - likewise; PL_UNLIMITED is null. */
bool pl_json_put_number(json_t *object, const char *key, uint64_t n);

/** pl_json_text() - for a terminal: what it would obey (DEL, C1, marks that turn the direction of
 * text) is \uNNNN, which is the same document. @flags: of json_dumps(). Return: owned by the
 * caller; NULL: out of memory. */
char *pl_json_text(const json_t *j, size_t flags);
