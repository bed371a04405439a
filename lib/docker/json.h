/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Docker JSON: guarded loading and bounded member access, for lib/docker alone.
 *
 * It exists because jansson by itself turns 16 MiB of "[[],[],…" into a gigabyte and refuses a
 * whole document for one NUL in one label. Must not know what the documents mean.
 */

#include <jansson.h>

#include "lib/base/macro.h"

/* Values in one document or list element. A real inspect answer has about 300. */
#define PL_JSON_VALUES_MAX 200000

static inline void pl_json_decrefp(json_t **j) {
        json_decref(*j);
}
#define _cleanup_json_ _cleanup_(pl_json_decrefp)

/* What a linear look at a document found before anything is built from it. */
typedef struct PlJsonScan {
        size_t end; /* offset behind the value */
        size_t n_values;
        bool has_nul; /* an escaped U+0000 is in some string */
} PlJsonScan;

/** pl_json_scan() - measure one object or array at the start of text (after white space).
 * Return: 0; -EBADMSG when there is none or it does not end; -E2BIG above PL_JSON_VALUES_MAX. */
int pl_json_scan(const char *text, size_t size, PlJsonScan *ret);

/** pl_json_load() - one object, the whole text. U+0000 becomes U+FFFD.
 * Return: 0, -EBADMSG, -E2BIG, -ENOMEM. */
int pl_json_load_object(const char *text, size_t size, json_t **ret);

/** pl_json_string() - Return: member of an object, borrowed; NULL when absent or not a string. */
const char *pl_json_string(const json_t *object, const char *key);

/** pl_json_int() - Return: integer member within bounds, fallback when absent, mistyped or out of
 * bounds. */
int64_t pl_json_int(const json_t *object, const char *key, int64_t min, int64_t max,
                    int64_t fallback);

/** pl_json_true() - Return: is the member there and true? */
bool pl_json_true(const json_t *object, const char *key);

/** pl_json_dup() - copy cut to max_bytes at a character's boundary; NULL and "" give "".
 * Return: 0 or -ENOMEM. */
int pl_json_dup(const char *s, size_t max_bytes, char **ret);

/** pl_json_dup_member() - pl_json_dup() of a string member. */
int pl_json_dup_member(const json_t *object, const char *key, size_t max_bytes, char **ret);

/** pl_json_cut() - copy into a fixed buffer, cut at a character's boundary. */
void pl_json_cut(const char *s, char *buf, size_t buf_size);
