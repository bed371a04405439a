/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Log archive: a stretch of log through zstd into a file, in one pass.
 *
 * The log is read once and the archive never: lines and time span are counted on the way.
 * Frames of about 8 MiB end at line ends and are listed in a seek table, so that readers can
 * begin anywhere, and so that a full disk costs at most one frame of work. Memory is a few MiB
 * whatever the size.
 */

#include <stdatomic.h>

#include "lib/base/macro.h"

/* Logs become smaller than with 2 or 3 (by 1 to 15 percent; tried on those of Postgres, Redis, web
 * servers, dpkg and apt as json-file records), in half the time of zstd(1)'s default, 3. */
#define PL_ARCHIVE_LEVEL 1

typedef struct PlArchiveResult {
        uint64_t raw_bytes;    /* of the log, that the archive holds */
        uint64_t packed_bytes; /* size of the archive */
        uint64_t lines;
        uint64_t hole_bytes;       /* left out: see PlArchiveLimits */
        uint64_t min_sec, max_sec; /* CLOCK_REALTIME; 0: no record had a time */
} PlArchiveResult;

/* When to end early. */
typedef struct PlArchiveLimits {
        const atomic_bool *stop; /* another thread sets it; NULL: never */
        uint64_t max_bytes;      /* of data; 0: any number */
        uint64_t until_usec;     /* CLOCK_MONOTONIC; 0: for ever */
        bool skip_holes;         /* a file may claim terabytes that nobody ever wrote: lseek(2) */
} PlArchiveLimits;

typedef struct PlArchiver PlArchiver; /* buffers and a zstd context, kept between archives */

/** pl_archiver_new() - @level: zstd's; Return: NULL when out of memory. */
PlArchiver *pl_archiver_new(int level);
PlArchiver *pl_archiver_free(PlArchiver *a);
PL_DEFINE_CLEANUP(PlArchiver *, pl_archiver_free)

/** pl_archiver_shrink() - give the memory back until the next archive. */
void pl_archiver_shrink(PlArchiver *a);

/**
 * pl_archive_write() - archive [from, to) of a log
 * @to:   a line end
 * @out:  an empty file
 * @limits: borrowed for the call
 * @ret:  also written on -ENOSPC and -EDQUOT: the frames that were complete stay in the file, with
 *        their seek table; raw_bytes 0 when there is none
 * Return: 0; -ENOSPC, -EDQUOT; -ECANCELED; -EFBIG more than max_bytes; -ETIME; -ESTALE the log is
 *         shorter than it was; -ENOMEM; -errno.
 */
int pl_archive_write(PlArchiver *a, int log_fd, uint64_t from, uint64_t to, int out,
                     const PlArchiveLimits *limits, PlArchiveResult *ret);
