/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Seek table: where the frames of an archive begin, so that a reader decompresses one frame instead
 * of all.
 *
 * The format is Zstandard's own seekable format (contrib/seekable_format, version 0.1): a skippable
 * frame at the end of the file. Any zstd tool reads such a file and ignores it. That frames begin
 * and end at line ends is our own addition, and so is another skippable frame before the table, its
 * last entry: from when until when the records of each frame are. Earlier versions have none.
 */

#include "lib/base/macro.h"

#define PL_SEEK_FOOTER_BYTES 9
#define PL_SEEK_HEADER_BYTES 8
#define PL_SEEK_ENTRY_BYTES  8
#define PL_SEEK_TIMES_BYTES  16
#define PL_SEEK_FRAMES_MAX   (1U << 20) /* 8 TiB of log; more is refused as damaged */

typedef struct PlSeekTable {
        struct PlSeekFrame {
                uint32_t packed_bytes, raw_bytes;
                uint64_t from_sec, to_sec; /* CLOCK_REALTIME; both inclusive; 0: unknown */
        } * frames;
        size_t n, n_allocated;
        size_t times_bytes; /* of the frame with the times, which is before the table; 0: none */
} PlSeekTable;

void pl_seek_table_deinit(PlSeekTable *t);

/** pl_seek_table_add() - Return: 0, -ENOMEM, -EFBIG. */
int pl_seek_table_add(PlSeekTable *t, uint32_t packed_bytes, uint32_t raw_bytes);

/** pl_seek_table_encode() - table and times, as they end the file. Return: 0 and *ret owned by the
 * caller, or -ENOMEM. */
int pl_seek_table_encode(const PlSeekTable *t, uint8_t **ret, size_t *ret_size);

/** pl_seek_table_size() - size of the whole table, from the last PL_SEEK_FOOTER_BYTES of a file.
 * Return: bytes; 0: no seek table. */
size_t pl_seek_table_size(const uint8_t footer[static PL_SEEK_FOOTER_BYTES]);

/**
 * pl_seek_table_decode()
 * @data: the last pl_seek_table_size() bytes of the file
 * @file_bytes: of the whole file; the frames must fill the rest of it exactly
 * Return: 0, -EBADMSG, -ENOMEM.
 */
int pl_seek_table_decode(const uint8_t *data, size_t size, uint64_t file_bytes, PlSeekTable *ret);

/** pl_seek_table_times() - what the ret->times_bytes before the table say. Damaged ones say
 * nothing. */
void pl_seek_table_times(PlSeekTable *t, const uint8_t *data);
