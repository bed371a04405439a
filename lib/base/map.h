/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Map: string keys to pointers. The order of iteration is not promised.
 *
 * Keys are borrowed: they must live in the value or outlast the entry. Values are not owned.
 */

#include "lib/base/macro.h"

typedef struct PlMap PlMap;

PlMap *pl_map_new(void);      /* NULL when out of memory */
PlMap *pl_map_free(PlMap *m); /* frees the map only; returns NULL */
PL_DEFINE_CLEANUP(PlMap *, pl_map_free)

/** pl_map_put() - Return: 0, -EEXIST (value untouched), -ENOMEM. */
int pl_map_put(PlMap *m, const char *key, void *value);
void *pl_map_get(const PlMap *m, const char *key); /* NULL: none */
void *pl_map_remove(PlMap *m, const char *key);    /* the value that was there, or NULL */
size_t pl_map_size(const PlMap *m);

/** pl_map_next() - iterate; start with *iter = 0. Removing the entry just returned is safe.
 * Return: the next value, NULL at the end. */
void *pl_map_next(const PlMap *m, size_t *iter);

#define PL_MAP_FOREACH(v, m) for (size_t pl_map_at_ = 0; ((v) = pl_map_next((m), &pl_map_at_));)
