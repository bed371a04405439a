/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Jsonlog: the records of Docker's json-file log driver, one JSON object per line.
 *
 * Rotation needs line ends and times of a gigabyte of them, reading needs stream and text of the
 * few that are shown; a full JSON parse of each would cost more than compressing them. So these
 * functions look at a record only as far as asked, borrow from the caller's buffer, and allocate
 * nothing. Input is hostile: any bytes at all give an answer.
 *
 * A log that was rotated in place begins with what only we write: filler (records that readers
 * skip), holes (NUL bytes) and one marker that says which archive ends there. A container cannot
 * forge a marker: whatever it prints is wrapped in {"log":.
 *
 * Source of the format: moby, daemon/logger/jsonfilelog (members log, stream, attrs, time; a line
 * over 16 KiB becomes several records of which only the last one's text ends in a newline).
 */

#include "lib/base/macro.h"

/* One filler record per this many bytes: Go's decoder buffers a whole record, so blank space in
 * one piece would cost a reader as much memory as there is blank space. */
#define PL_JSONLOG_FILLER_BYTES 65536

/* The least space that pl_jsonlog_write_marker() takes. */
#define PL_JSONLOG_MARKER_MIN 48

typedef enum PlJsonlogKind {
        PL_JSONLOG_RECORD,
        PL_JSONLOG_FILLER, /* {}, blank, or NUL bytes: nothing to show */
        PL_JSONLOG_MARKER,
        PL_JSONLOG_DAMAGED, /* neither; readers show nothing and say so */
} PlJsonlogKind;

typedef enum PlJsonlogStream {
        PL_JSONLOG_STDOUT,
        PL_JSONLOG_STDERR,
        PL_JSONLOG_OTHER,
} PlJsonlogStream;

typedef struct PlJsonlogRecord {
        PlJsonlogKind kind;
        PlJsonlogStream stream;
        uint64_t time_nsec; /* CLOCK_REALTIME; 0: none or unreadable */
        const char *time;   /* as written, borrowed; NULL: none */
        size_t time_size;
        const char *log; /* still JSON-escaped, without its quotes; borrowed */
        size_t log_size;
        const char *attrs; /* the object of labels and variables as JSON text, or NULL; borrowed */
        size_t attrs_size;
        bool partial;        /* the line goes on in a later record of the same stream */
        uint64_t marker_gen; /* of a marker */
} PlJsonlogRecord;

/**
 * pl_jsonlog_parse() - look at one line
 * @line: without or with its newline; leading NUL bytes (a hole that ends within a block) are
 * skipped Return: the kind, which is also ret->kind. Cannot fail.
 */
PlJsonlogKind pl_jsonlog_parse(const char *line, size_t size, PlJsonlogRecord *ret);

/**
 * pl_jsonlog_unescape() - a JSON string's text as bytes
 * @s: between the quotes
 * @buf: at least size bytes; the text is never longer than its escaped form
 * Return: bytes written. A lone surrogate becomes U+FFFD as in Go's decoder, a broken \u a '?'.
 */
size_t pl_jsonlog_unescape(const char *s, size_t size, char *buf);

/** pl_jsonlog_time() - of one line, by its tail alone: "time" is the last member of a record, and
 * no text within it can look like that. Return: nanoseconds since 1970; 0: it has none. */
uint64_t pl_jsonlog_time(const char *line, size_t size);

/** pl_jsonlog_first_time() - of the first whole line that has one. Return: nanoseconds; 0: none. */
uint64_t pl_jsonlog_first_time(const char *buf, size_t size);

/* What a stretch of log holds; fed in pieces of any size. */
typedef struct PlJsonlogStats {
        uint64_t lines;
        uint64_t min_sec,
                        max_sec; /* whole seconds since 1970; max_sec is 0 when no time was seen */
        /* private */
        char tail[64];
        size_t n_tail;
        char last_minute[17];
        uint64_t last_minute_sec;
} PlJsonlogStats;

/** pl_jsonlog_stats_feed() - count line ends and widen the time span. Times of two streams are not
 * in strict order and clocks step, so every record is looked at. */
void pl_jsonlog_stats_feed(PlJsonlogStats *s, const char *buf, size_t size);

/** pl_jsonlog_last_line_end() - Return: offset after the last newline in buf, 0: none. */
size_t pl_jsonlog_last_line_end(const char *buf, size_t size);

/**
 * pl_jsonlog_last_cut() - the best place to cut a log: after the last record that ends a line
 * @buf: begins anywhere; everything before its first newline is ignored
 * Return: offset after that record; without one, after the last newline; 0: no newline at all.
 */
size_t pl_jsonlog_last_cut(const char *buf, size_t size);

/** pl_jsonlog_write_marker() - fill buf with one marker record, blanks and a newline at its end.
 * @size: at least PL_JSONLOG_MARKER_MIN */
void pl_jsonlog_write_marker(char *buf, size_t size, uint64_t gen);

/** pl_jsonlog_write_filler() - fill buf with filler records. @size: at least 3; ends in a newline
 */
void pl_jsonlog_write_filler(char *buf, size_t size);
