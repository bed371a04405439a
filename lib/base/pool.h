/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Pool: objects of one size that come a thousand at a time and are gone in a moment.
 *
 * In the heap each of them lies between things that stay for days, and leaves a hole there that
 * something small is soon cut from: of 1,000 containers that were seen at the start two megabytes
 * remained in holes. Here they lie in blocks that malloc(3) maps on their own and gives back whole.
 */

#include <sys/queue.h>

#include "lib/base/macro.h"

typedef struct PlPool {
        size_t object_bytes;
        TAILQ_HEAD(, PlPoolBlock) blocks; /* those with room first; one that is empty is kept */
} PlPool;

#define PL_POOL_INIT(p, type)                                                               \
        (PlPool) {                                                                          \
                .object_bytes = sizeof(type), .blocks = TAILQ_HEAD_INITIALIZER((p)->blocks) \
        }

/** pl_pool_get() - Return: an object, all zero; NULL when out of memory. */
void *pl_pool_get(PlPool *p);

/** pl_pool_put() - end an object that is from this pool. Accepts NULL. */
void pl_pool_put(PlPool *p, void *object);

/** pl_pool_deinit() - all objects must be back. */
void pl_pool_deinit(PlPool *p);
