/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Log line: puts records together into the lines that a container wrote, filters them, and prints
 * them as `docker logs` does.
 *
 * A line of more than 16 KiB is several records, and those of two streams mix. It ends with its
 * newline, or with the run of the container that left it without one: the engine cuts a line after
 * 16 KiB and gives all its records one time, so that a shorter piece, or one of another time, is
 * never the middle of a line. (Source: moby, daemon/logger/copier.go.)
 *
 * Memory is bounded: what is longer than the filter holds is handed out in pieces, as it comes.
 */

#include "lib/base/pattern.h"
#include "lib/logs/jsonlog.h"

#define PL_LOG_LINE_HOLD   MIB(1)  /* so long a line is printed in one piece */
#define PL_LOG_LINE_SEARCH MIB(16) /* so much of a line an expression can see */
#define PL_LOG_PART_BYTES  KIB(16) /* where the engine cuts */

typedef struct PlLogFilter {
        uint64_t since_nsec, until_nsec; /* 0 and UINT64_MAX: all */
        bool no_stdout, no_stderr;
        PlPattern *grep;                /* NULL: any; of the text without its newline */
        bool timestamps, details, json; /* how a line is printed */
        bool count;                     /* nothing is printed: lines are counted */
} PlLogFilter;

typedef enum PlLogPartPhase {
        PL_LOG_PART_NONE, /* no line is open */
        PL_LOG_PART_HELD,
        PL_LOG_PART_PRINTED, /* its beginning is out */
        PL_LOG_PART_SKIPPED,
} PlLogPartPhase;

typedef struct PlLogText {
        char *data;
        size_t n, allocated;
} PlLogText;

/* The open line of a stream. */
typedef struct PlLogPart {
        PlLogPartPhase phase;
        PlLogText text, raw; /* what was written; the records, a line each */
        uint64_t time_nsec;
        bool full; /* its last record was cut by the engine, and may go on */
        char *attrs;
} PlLogPart;

/* A line to print, or as much of it as there is. */
typedef struct PlLogPiece {
        PlLogText out;
        PlJsonlogStream stream;
        uint64_t time_nsec; /* of its line; 0: unknown */
        bool first, last;   /* of its line */
} PlLogPiece;

typedef struct PlLogLines {
        const PlLogFilter *filter;
        PlLogPart parts[3];   /* by PlJsonlogStream */
        uint64_t damaged;     /* lines that were no records */
        uint64_t unsearched;  /* lines of which an expression saw the beginning alone */
        PlLogPiece pieces[2]; /* what the last call has made */
        size_t n_pieces;
        /* of the last call */
        bool is_record;
        PlJsonlogStream stream;
        uint64_t time_nsec;
} PlLogLines;

/** pl_log_lines_deinit() - forgets unfinished lines; filter and counts stay, and it can be fed
 * again (from elsewhere in the log). */
void pl_log_lines_deinit(PlLogLines *l);

/**
 * pl_log_lines_feed() - one line of the log
 * l->pieces are what there is to print now: the end of a line that goes on no more, then what this
 * record adds; valid until the next call. With filter->count they are empty.
 * Return: how many, 0 … 2; -ENOMEM.
 */
int pl_log_lines_feed(PlLogLines *l, const char *line, size_t size);

/** pl_log_lines_is_between() - no line is open. */
bool pl_log_lines_is_between(const PlLogLines *l);

/** pl_log_lines_flush() - what is unfinished at the very end, a stream at a time. Return: as above,
 * 0 when there is no more. */
int pl_log_lines_flush(PlLogLines *l);

/** pl_log_lines_show() - the beginning of a line that is not finished, when nothing more comes for
 * now; with an expression to match: nothing. Return: as pl_log_lines_flush(). */
int pl_log_lines_show(PlLogLines *l);
