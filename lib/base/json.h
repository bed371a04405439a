/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * JSON: values and members that are added whole or not at all, so that running out of memory gives
 * no document instead of one with holes.
 */

#include <jansson.h>

#include "lib/base/macro.h"

/** pl_json_text() - NULL is null; text of a container may be any bytes: what is not UTF-8, or is
 * longer than any reason, is escaped and cut. Return: NULL when out of memory. */
json_t *pl_json_text(const char *s);

/** pl_json_number() - PL_UNLIMITED is null. Return: NULL when out of memory. */
json_t *pl_json_number(uint64_t n);

/** pl_json_put() - add a member; the reference is stolen in any case. Return: false when out of
 * memory: the value is NULL, or the object cannot take it. */
bool pl_json_put(json_t *object, const char *key, json_t *stolen);
bool pl_json_put_text(json_t *object, const char *key, const char *s);
bool pl_json_put_number(json_t *object, const char *key, uint64_t n);
bool pl_json_put_bool(json_t *object, const char *key, bool b);
