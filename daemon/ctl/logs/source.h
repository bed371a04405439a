/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Log source: the lines of one container, one after the other.
 *
 * Its reader is made when it is needed and let go at the end: a service may have had a thousand
 * containers, and each open archive has a frame of some MiB in memory.
 */

#include "ctl/logs/reader.h"
#include "ctl/logs/spool.h"

typedef struct PlLogSource {
        PlLogReader *reader; /* NULL: not made, or used up */
        PlLogSpool *spool;   /* NULL: it is no such log */
        PlLogLines lines;
        size_t piece;        /* of lines: the next to be printed */
        const char *p, *end; /* of a block: what has not been fed yet */
        uint64_t skip;       /* lines to leave out first */
        bool dropping[3];    /* the line that is open is left out; by stream */
        bool inside;         /* of a line that has been printed in part */
        uint64_t order_nsec; /* the latest time until now: clocks step, generations do not */
        void (*progress)(void *userdata); /* called for each block that is read; may be NULL */
        void *userdata;
} PlLogSource;

void pl_log_source_deinit(PlLogSource *s);

/**
 * pl_log_source_fill() - the next piece is at hand, see pl_log_source_piece()
 * @final: nothing more will come: what is unfinished ends here
 * Return: 1; 0 nothing (yet); -ENOMEM, -errno.
 */
int pl_log_source_fill(PlLogSource *s, bool final);

/** pl_log_source_piece() - Return: NULL when none is at hand. */
const PlLogPiece *pl_log_source_piece(const PlLogSource *s);

/** pl_log_source_took() - it was printed. */
void pl_log_source_took(PlLogSource *s);

typedef struct PlLogTail {
        uint64_t n;           /* lines from here on */
        uint64_t oldest_nsec; /* of their times */
} PlLogTail;

/**
 * pl_log_source_rewind() - to where at least so many lines are ahead, or to the beginning
 * @filter: which lines count
 * @n: with more than so many, skip is what is too much
 * @progress: called now and then; may be NULL
 * Return: 0, -ENOMEM, -errno.
 */
int pl_log_source_rewind(PlLogSource *s, const PlLogFilter *filter, uint64_t n,
                         void (*progress)(void *userdata), void *userdata, PlLogTail *ret);
