/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Log segment: one archive, opened for reading frame by frame.
 */

#include "lib/logs/seek-table.h"
#include "rotate/store.h"

typedef struct PlLogSegment {
        int fd;
        uint64_t gen, from_sec, to_sec;
        PlSeekTable table;
        uint64_t raw_bytes; /* of all frames */
        bool cut;           /* its end is missing: the table was made from what is there */
        size_t frame;       /* that data holds; SIZE_MAX: none */
        char *data;
        void *zstd;
} PlLogSegment;

#define PL_LOG_SEGMENT_INIT \
        { .fd = -EBADF, .frame = SIZE_MAX }

/** pl_log_segment_open() - @fd: of an archive; ownership passes. One without a table is read as far
 * as it goes. Return: 0, -EBADMSG nothing of it can be read, -ENOMEM. */
int pl_log_segment_open(int fd, const PlArchiveName *name, PlLogSegment *ret);
void pl_log_segment_close(PlLogSegment *s);

/** pl_log_segment_load() - decompress a frame into s->data; its checksum is verified.
 * Return: 0, -EBADMSG, -ENOMEM, -errno. */
int pl_log_segment_load(PlLogSegment *s, size_t frame);

/** pl_log_segment_time() - of the first record of a frame that has one, from its first few KiB.
 * Return: nanoseconds; 0: not to be found there. */
uint64_t pl_log_segment_time(PlLogSegment *s, size_t frame);
