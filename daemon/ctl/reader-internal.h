/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Shared by log-reader.c (forward) and log-reader-seek.c (by time, and backward). */

#include "ctl/native.h"
#include "ctl/reader.h"
#include "rotate/file.h"
#include "rotate/segment.h"

#define PL_LOG_READER_CHUNK MIB(1)

/* The live generation now, gen + 1: what the engine has rotated away, then the log from head on. */
typedef struct PlLogView {
        uint64_t gen, head;
        uint64_t bytes; /* of that generation */
} PlLogView;

struct PlLogReader {
        PlLogStore *store;
        char id[PL_ID_MAX];
        char *path;    /* of the log */
        PlLogFile log; /* fd < 0: archives alone */
        PlLogNatives natives;
        PlStoredArchive *archives;
        size_t n_archives;
        PlLogSegment segment;
        char *buf;
        uint64_t gen, offset; /* where it stands */
        uint64_t last_gen;    /* as last seen in the state */
        unsigned gaps;
};

int pl_log_reader_view(PlLogReader *r, PlLogView *ret);
int pl_log_reader_open_segment(PlLogReader *r, uint64_t gen);

/* [offset, offset + size) of the live generation into r->buf. Return: 0; -EAGAIN it was rotated
 * meanwhile; -errno. */
int pl_log_reader_read_live(PlLogReader *r, const PlLogView *v, uint64_t offset, size_t size,
                            size_t *ret_size);
