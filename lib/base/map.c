/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Map: see the header.
 *
 * A dense array of entries in insertion order, and a table of slots that index it by hash (linear
 * probing, at most two thirds full). Removal leaves a hole in the array and moves no entry, so it
 * is safe while iterating; a rebuild drops the holes.
 */

#include "lib/base/map.h"

#include <errno.h>

#define SLOT_EMPTY UINT32_MAX
#define SLOTS_MIN  16

typedef struct Entry {
        const char *key; /* NULL: removed */
        void *value;
        uint64_t hash;
} Entry;

struct PlMap {
        Entry *entries;
        uint32_t *slots;
        size_t n_slots; /* a power of two, or 0 */
        size_t n_used;  /* entries with holes */
        size_t n_live;
};

/* FNV-1a, with a final mix because the slot is taken from the low bits. */
static uint64_t hash_key(const char *key) {
        uint64_t h = UINT64_C(0xcbf29ce484222325);

        for (; *key; key++)
                h = (h ^ (unsigned char)*key) * UINT64_C(0x100000001b3);
        h ^= h >> 32;
        h *= UINT64_C(0xd6e8feb86659fd93);
        return h ^ h >> 32;
}

static size_t entries_max(size_t n_slots) {
        return n_slots / 3 * 2;
}

PlMap *pl_map_new(void) {
        return calloc(1, sizeof(PlMap));
}

PlMap *pl_map_free(PlMap *m) {
        if (m) {
                free(m->entries);
                free(m->slots);
                free(m);
        }
        return NULL;
}

/* The slot of a key, or of the place where it would be put. */
static uint32_t *find_slot(const PlMap *m, const char *key, uint64_t hash) {
        for (size_t i = hash & (m->n_slots - 1);; i = (i + 1) & (m->n_slots - 1)) {
                const Entry *e;

                if (m->slots[i] == SLOT_EMPTY)
                        return &m->slots[i];
                e = &m->entries[m->slots[i]];
                if (e->key && e->hash == hash && pl_streq(e->key, key))
                        return &m->slots[i];
        }
}

static Entry *find(const PlMap *m, const char *key) {
        uint32_t *slot;

        if (m->n_slots == 0)
                return NULL;
        slot = find_slot(m, key, hash_key(key));
        return *slot == SLOT_EMPTY ? NULL : &m->entries[*slot];
}

/* Rebuilds both arrays without holes, with room for one more. */
static int rebuild(PlMap *m) {
        size_t n_slots = SLOTS_MIN, n = 0;
        _cleanup_free_ Entry *entries = NULL;
        _cleanup_free_ uint32_t *slots = NULL;
        PlMap next;

        while (entries_max(n_slots) <= m->n_live + m->n_live / 4)
                n_slots *= 2;
        if (n_slots > UINT32_MAX)
                return -ENOMEM;
        entries = malloc(entries_max(n_slots) * sizeof(*entries));
        slots = malloc(n_slots * sizeof(*slots));
        if (!entries || !slots)
                return -ENOMEM;
        memset(slots, 0xff, n_slots * sizeof(*slots)); /* SLOT_EMPTY */
        next = (PlMap){ .entries = entries, .slots = slots, .n_slots = n_slots };
        for (size_t i = 0; i < m->n_used; i++) {
                if (!m->entries[i].key)
                        continue;
                entries[n] = m->entries[i];
                *find_slot(&next, entries[n].key, entries[n].hash) = (uint32_t)n;
                n++;
        }
        free(m->entries);
        free(m->slots);
        *m = (PlMap){ TAKE_PTR(entries), TAKE_PTR(slots), n_slots, n, n };
        return 0;
}

int pl_map_put(PlMap *m, const char *key, void *value) {
        uint64_t hash;
        int r;

        if (find(m, key))
                return -EEXIST;
        if (m->n_used >= entries_max(m->n_slots)) {
                r = rebuild(m);
                if (r < 0)
                        return r;
        }
        hash = hash_key(key);
        *find_slot(m, key, hash) = (uint32_t)m->n_used;
        m->entries[m->n_used++] = (Entry){ key, value, hash };
        m->n_live++;
        return 0;
}

void *pl_map_get(const PlMap *m, const char *key) {
        const Entry *e = find(m, key);

        return e ? e->value : NULL;
}

void *pl_map_remove(PlMap *m, const char *key) {
        Entry *e = find(m, key);

        if (!e)
                return NULL;
        e->key = NULL;
        m->n_live--;
        return e->value;
}

size_t pl_map_size(const PlMap *m) {
        return m->n_live;
}

void *pl_map_next(const PlMap *m, size_t *iter) {
        while (*iter < m->n_used) {
                const Entry *e = &m->entries[(*iter)++];

                if (e->key)
                        return e->value;
        }
        return NULL;
}
