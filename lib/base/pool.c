/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Pool: see the header.
 */

#include "lib/base/pool.h"

/* Above what plimsolld tells mallopt(3) to map on its own. */
#define BLOCK_BYTES (KIB(64) + 4096)

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define ALONE
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define ALONE
#endif

/* Before each object. */
typedef struct Slot {
        union {
                struct PlPoolBlock *block; /* that it lies in */
                struct Slot *next;         /* while it is free */
        };
        max_align_t object[];
} Slot;

typedef struct PlPoolBlock {
        TAILQ_ENTRY(PlPoolBlock) link;
        size_t n_used, n_touched; /* those behind have never been used: no page is there for them */
        Slot *free;
        max_align_t slots[];
} PlPoolBlock;

static size_t slot_bytes(const PlPool *p) {
        const size_t step = _Alignof(max_align_t);

        return sizeof(Slot) + (p->object_bytes + step - 1) / step * step;
}

static size_t block_slots(const PlPool *p) {
#ifdef ALONE
        return 1; /* so that it sees whoever uses one that has ended */
#else
        return PL_MAX((BLOCK_BYTES - sizeof(PlPoolBlock)) / slot_bytes(p), (size_t)1);
#endif
}

void *pl_pool_get(PlPool *p) {
        PlPoolBlock *b = TAILQ_FIRST(&p->blocks);
        Slot *s;

        if (!b || b->n_used == block_slots(p)) {
                b = malloc(sizeof(*b) + block_slots(p) * slot_bytes(p));
                if (!b)
                        return NULL;
                *b = (PlPoolBlock){ 0 };
                TAILQ_INSERT_HEAD(&p->blocks, b, link);
        }
        s = b->free;
        if (s)
                b->free = s->next;
        else
                s = (Slot *)((char *)b->slots + b->n_touched++ * slot_bytes(p));
        s->block = b;
        if (++b->n_used == block_slots(p)) {
                TAILQ_REMOVE(&p->blocks, b, link);
                TAILQ_INSERT_TAIL(&p->blocks, b, link);
        }
        return memset(s->object, 0, p->object_bytes);
}

static bool is_only_one_with_room(const PlPool *p, const PlPoolBlock *b) {
        const PlPoolBlock *next = TAILQ_NEXT(b, link);

        return TAILQ_FIRST(&p->blocks) == b && (!next || next->n_used == block_slots(p));
}

void pl_pool_put(PlPool *p, void *object) {
        Slot *s = object ? (Slot *)((char *)object - offsetof(Slot, object)) : NULL;
        PlPoolBlock *b;

        if (!s)
                return;
        b = s->block;
        s->next = b->free;
        b->free = s;
        if (b->n_used-- == block_slots(p)) {
                TAILQ_REMOVE(&p->blocks, b, link);
                TAILQ_INSERT_HEAD(&p->blocks, b, link);
        }
        if (b->n_used == 0 && !is_only_one_with_room(p, b)) {
                TAILQ_REMOVE(&p->blocks, b, link);
                free(b);
        }
}

void pl_pool_deinit(PlPool *p) {
        PlPoolBlock *b;

        while ((b = TAILQ_FIRST(&p->blocks))) {
                TAILQ_REMOVE(&p->blocks, b, link);
                free(b);
        }
}
