/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Log line: puts records together into the lines that a container wrote, filters them, and prints
 * them as `docker logs` does.
 *
 * A line over 16 KiB is several records, and those of two streams mix. Memory is bounded: a line
 * that grows beyond PL_LOG_LINE_MAX is handed out in pieces.
 */

#include "lib/base/pattern.h"
#include "lib/logs/jsonlog.h"

#define PL_LOG_LINE_MAX MIB(1)

typedef struct PlLogFilter {
        uint64_t since_nsec, until_nsec; /* 0 and UINT64_MAX: all */
        bool no_stdout, no_stderr;
        PlPattern *grep;                /* NULL: any; of the text without its newline */
        bool timestamps, details, json; /* how a line is printed */
} PlLogFilter;

typedef struct PlLogPart {
        char *text, *raw; /* what was written; the records, a line each */
        size_t n_text, n_raw, text_allocated, raw_allocated;
        uint64_t time_nsec;
        char *attrs;
} PlLogPart;

typedef struct PlLogLines {
        const PlLogFilter *filter;
        PlLogPart parts[3]; /* by PlJsonlogStream */
        uint64_t damaged;   /* lines that were no records */
        /* the last line that was put together */
        char *out;
        size_t n_out, out_allocated;
} PlLogLines;

/** pl_log_lines_deinit() - forgets unfinished lines; filter and damaged stay, and it can be fed
 * again (from elsewhere in the log). */
void pl_log_lines_deinit(PlLogLines *l);

/**
 * pl_log_lines_feed() - one line of the log
 * @ret_stream: where it goes; written on 1
 * Return: 1 and l->out is a line to print, newline and all; 0 nothing to print; -ENOMEM.
 */
int pl_log_lines_feed(PlLogLines *l, const char *line, size_t size, PlJsonlogStream *ret_stream);

/** pl_log_lines_flush() - what is unfinished at the very end, a stream at a time. Return: as above.
 */
int pl_log_lines_flush(PlLogLines *l, PlJsonlogStream *ret_stream);
