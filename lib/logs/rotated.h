/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Rotated: which of the files that the engine rotates itself are held open, so that they can be
 * archived when the container is removed.
 *
 * The engine renames from the highest number down, the live log last, makes a new live log, and
 * with compress=true packs .1 beside itself and removes it. When it removes the container it
 * unlinks all of them, in any order. A look at the directory may fall into that: what is missing
 * then was removed with the container, and what is held is all that is left of it. Pure.
 * Source: moby, daemon/logger/loggerutils/logfile.go.
 */

#include "lib/base/macro.h"

typedef struct PlLogRotated {
        unsigned number; /* of its name; 0: the live log */
        bool packed;
        uint64_t dev, ino;
        uint64_t bytes; /* of its records: unpacked */
        int fd;         /* owned by whoever keeps the list */
} PlLogRotated;

/**
 * pl_log_rotated_keep() - a new live log is there: who of those that were held stays so, though the
 *                         directory does not have it any more?
 * @old, @now: by number; the first of each is a live log
 * @max_files: that the engine keeps, the live log among them
 * @ret_keep: for each of old: it stays held. One that is in now as well does not.
 * Return: how many.
 */
size_t pl_log_rotated_keep(const PlLogRotated *old, size_t n_old, const PlLogRotated *now,
                           size_t n_now, size_t max_files, bool *ret_keep);

/**
 * pl_log_rotated_within() - how many of them, the newest, hold so many bytes, or more by less than
 *                           one file
 */
size_t pl_log_rotated_within(const PlLogRotated *files, size_t n, uint64_t max_bytes);
