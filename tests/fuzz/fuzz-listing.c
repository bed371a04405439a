/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ollama's listings in pieces of any length: the same models come out however it was cut, and what
 * jansson takes for an object with a list of models is read to its end, with the same names and
 * sizes. What jansson refuses for more than its form (numbers out of range, invalid UTF-8, deep
 * nesting) may be read all the same.
 */
#include "fuzz-verdict.h"
#include "lib/probe/listing.h"

#include <errno.h>
#include <jansson.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ENTRIES_MAX 64

typedef struct Seen {
        PlListingEntry entries[ENTRIES_MAX];
        size_t n;
        int r;
        bool complete;
} Seen;

static void read_all(const uint8_t *data, size_t size, size_t piece, Seen *ret) {
        PlListing l;

        memset(ret, 0, sizeof(*ret));
        memset(&l, 0xA5, sizeof(l)); /* begin() leaves nothing to chance */
        pl_listing_begin(&l);
        for (size_t i = 0; i < size && ret->r >= 0; i += piece) {
                size_t n = PL_MIN(piece, size - i);
                char *copy = malloc(n);
                const char *p = copy;

                must(copy);
                memcpy(copy, data + i, n);
                while ((ret->r = pl_listing_read(&l, &p, &n)) > 0) {
                        must(memchr(l.entry.name, '\0', sizeof(l.entry.name)));
                        if (ret->n < ENTRIES_MAX)
                                ret->entries[ret->n++] = l.entry;
                }
                must(ret->r < 0 || n == 0);
                free(copy);
        }
        ret->complete = pl_listing_complete(&l);
        must(!ret->complete || ret->r == 0);
}

static unsigned depth_of(const json_t *v) {
        unsigned deepest = 0, depth;
        const char *key;
        json_t *item;
        size_t i;

        json_array_foreach(v, i, item) {
                depth = depth_of(item);
                deepest = PL_MAX(deepest, depth);
        }
        json_object_foreach((json_t *)v, key, item) {
                depth = depth_of(item);
                deepest = PL_MAX(deepest, depth);
        }
        return deepest + (json_is_array(v) || json_is_object(v));
}

static uint64_t size_of(const json_t *o, const char *key) {
        json_int_t v = json_integer_value(json_object_get(o, key));

        return v > 0 ? (uint64_t)v : 0;
}

static void compare(const json_t *models, const Seen *seen) {
        size_t i, n = 0;
        const json_t *m;

        json_array_foreach(models, i, m) {
                const json_t *name = json_object_get(m, "name");
                const PlListingEntry *e;

                if (!json_is_object(m))
                        continue;
                must(n < seen->n);
                e = &seen->entries[n++];
                if (n == ENTRIES_MAX)
                        return;
                must(e->size_bytes == size_of(m, "size") &&
                     e->vram_bytes == size_of(m, "size_vram"));
                if (json_is_string(name) && json_string_length(name) < PL_LISTING_NAME_MAX)
                        must(memcmp(e->name, json_string_value(name), json_string_length(name)) ==
                             0);
        }
        must(n == seen->n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static Seen whole, pieces; /* large */
        json_t *root;

        if (size < 1)
                return 0;
        read_all(data + 1, size - 1, size, &whole);
        read_all(data + 1, size - 1, data[0] % 16 + 1u, &pieces);
        must(whole.n == pieces.n && whole.r == pieces.r && whole.complete == pieces.complete);
        must(memcmp(whole.entries, pieces.entries, sizeof(whole.entries)) == 0);
        /* jansson swallows a NUL that follows a word */
        if (memchr(data + 1, '\0', size - 1))
                return 0;
        /* of members that come twice jansson keeps one, at either depth */
        root = json_loadb((const char *)data + 1, size - 1, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL,
                          NULL);
        if (root && depth_of(root) > PL_LISTING_DEPTH_MAX) {
                must(whole.r == -EBADMSG);
        } else if (root && json_is_object(root)) {
                const json_t *models = json_object_get(root, "models");

                must(whole.complete == (json_is_array(models) || json_is_null(models)));
                if (json_is_array(models))
                        compare(models, &whole);
        }
        json_decref(root);
        return 0;
}
