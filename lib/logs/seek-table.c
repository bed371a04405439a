/* SPDX-License-Identifier: Apache-2.0 */

/*
 * All numbers are little endian. Checksums in the table are optional in the format; the frames
 * carry their own, so that the table leaves them out.
 */

#include "lib/logs/seek-table.h"

#include <endian.h>
#include <errno.h>

static const uint32_t skippable_magic = 0x184d2a5e, times_magic = 0x184d2a5d;
static const uint32_t seekable_magic = 0x8f92eab1;

static void put32(uint8_t *p, uint32_t v) {
        v = htole32(v);
        memcpy(p, &v, sizeof(v));
}

static uint32_t get32(const uint8_t *p) {
        uint32_t v;

        memcpy(&v, p, sizeof(v));
        return le32toh(v);
}

static void put64(uint8_t *p, uint64_t v) {
        v = htole64(v);
        memcpy(p, &v, sizeof(v));
}

static uint64_t get64(const uint8_t *p) {
        uint64_t v;

        memcpy(&v, p, sizeof(v));
        return le64toh(v);
}

void pl_seek_table_deinit(PlSeekTable *t) {
        free(t->frames);
        *t = (PlSeekTable){ 0 };
}

int pl_seek_table_add(PlSeekTable *t, uint32_t packed_bytes, uint32_t raw_bytes) {
        if (t->n >= PL_SEEK_FRAMES_MAX)
                return -EFBIG;
        if (t->n == t->n_allocated) {
                size_t want = t->n_allocated ? t->n_allocated * 2 : 16;
                struct PlSeekFrame *frames = realloc(t->frames, want * sizeof(*frames));

                if (!frames)
                        return -ENOMEM;
                t->frames = frames;
                t->n_allocated = want;
        }
        t->frames[t->n++] = (struct PlSeekFrame){ .packed_bytes = packed_bytes,
                                                  .raw_bytes = raw_bytes };
        return 0;
}

int pl_seek_table_encode(const PlSeekTable *t, uint8_t **ret, size_t *ret_size) {
        size_t n_times = PL_SEEK_HEADER_BYTES + t->n * PL_SEEK_TIMES_BYTES;
        size_t size = PL_SEEK_HEADER_BYTES + (t->n + 1) * PL_SEEK_ENTRY_BYTES +
                      PL_SEEK_FOOTER_BYTES;
        uint8_t *data = malloc(n_times + size), *p = data;

        if (!data)
                return -ENOMEM;
        put32(p, times_magic);
        put32(p + 4, (uint32_t)(n_times - PL_SEEK_HEADER_BYTES));
        p += PL_SEEK_HEADER_BYTES;
        for (size_t i = 0; i < t->n; i++, p += PL_SEEK_TIMES_BYTES) {
                put64(p, t->frames[i].from_sec);
                put64(p + 8, t->frames[i].to_sec);
        }
        put32(p, skippable_magic);
        put32(p + 4, (uint32_t)(size - PL_SEEK_HEADER_BYTES));
        p += PL_SEEK_HEADER_BYTES;
        for (size_t i = 0; i < t->n; i++, p += PL_SEEK_ENTRY_BYTES) {
                put32(p, t->frames[i].packed_bytes);
                put32(p + 4, t->frames[i].raw_bytes);
        }
        put32(p, (uint32_t)n_times);
        put32(p + 4, 0);
        p += PL_SEEK_ENTRY_BYTES;
        put32(p, (uint32_t)t->n + 1);
        p[4] = 0; /* descriptor: no checksums */
        put32(p + 5, seekable_magic);
        *ret = data;
        *ret_size = n_times + size;
        return 0;
}

size_t pl_seek_table_size(const uint8_t footer[static PL_SEEK_FOOTER_BYTES]) {
        uint32_t n = get32(footer);

        if (get32(footer + 5) != seekable_magic || footer[4] != 0 || n > PL_SEEK_FRAMES_MAX)
                return 0;
        return PL_SEEK_HEADER_BYTES + (size_t)n * PL_SEEK_ENTRY_BYTES + PL_SEEK_FOOTER_BYTES;
}

int pl_seek_table_decode(const uint8_t *data, size_t size, uint64_t file_bytes, PlSeekTable *ret) {
        PlSeekTable t = { 0 };
        uint64_t total = size;
        int r;

        if (size < PL_SEEK_HEADER_BYTES + PL_SEEK_FOOTER_BYTES ||
            pl_seek_table_size(data + size - PL_SEEK_FOOTER_BYTES) != size ||
            get32(data) != skippable_magic || get32(data + 4) != size - PL_SEEK_HEADER_BYTES)
                return -EBADMSG;
        for (const uint8_t *p = data + PL_SEEK_HEADER_BYTES; p < data + size - PL_SEEK_FOOTER_BYTES;
             p += PL_SEEK_ENTRY_BYTES) {
                r = pl_seek_table_add(&t, get32(p), get32(p + 4));
                if (r < 0)
                        goto fail;
                total += get32(p);
        }
        r = -EBADMSG;
        if (total != file_bytes)
                goto fail;
        if (t.n > 0 && t.frames[t.n - 1].raw_bytes == 0 &&
            t.frames[t.n - 1].packed_bytes ==
                            PL_SEEK_HEADER_BYTES + (t.n - 1) * PL_SEEK_TIMES_BYTES)
                t.times_bytes = t.frames[--t.n].packed_bytes;
        *ret = t;
        return 0;
fail:
        pl_seek_table_deinit(&t);
        return r;
}

void pl_seek_table_times(PlSeekTable *t, const uint8_t *data) {
        if (get32(data) != times_magic || get32(data + 4) != t->times_bytes - PL_SEEK_HEADER_BYTES)
                return;
        data += PL_SEEK_HEADER_BYTES;
        for (size_t i = 0; i < t->n; i++, data += PL_SEEK_TIMES_BYTES) {
                t->frames[i].from_sec = get64(data);
                t->frames[i].to_sec = get64(data + 8);
        }
}
