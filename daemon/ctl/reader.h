/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Log reader: archives and live log of one container as one stream of records.
 *
 * A place in the stream is (generation, offset): archive N holds generation N, the log behind its
 * head is generation gen + 1. A rotation moves bytes from the log into an archive and changes no
 * place, so a reader simply goes on while the daemon rotates under it. It takes no lock: it reads
 * the state before and after the bytes and believes them only when the two agree. It works without
 * a daemon, also on what a killed one has left unfinished.
 *
 * Where the engine rotates by itself its rotated files belong to the live generation, before the
 * log: a container that was adopted has archives, then those, then the log.
 */

#include "rotate/store.h"

typedef struct PlLogReader PlLogReader;

/* Whole lines, of one archive frame or of the log. */
typedef struct PlLogBlock {
        const char *data; /* borrowed until the next call */
        size_t size;
        uint64_t gen, offset; /* of its first byte */
        bool live;
} PlLogBlock;

/**
 * pl_log_reader_new()
 * @store: borrowed
 * @id: the container's, or its first 12 digits when only archives are left of it
 * @live: also the log itself; needs a state record
 * It stands at the oldest record. Return: 0; -ENOENT nothing is there; -EACCES the log may not be
 * read; -errno.
 */
int pl_log_reader_new(PlLogStore *store, const char *id, bool live, PlLogReader **ret);
PlLogReader *pl_log_reader_free(PlLogReader *r);
PL_DEFINE_CLEANUP(PlLogReader *, pl_log_reader_free)

/** pl_log_reader_to_end() - behind the newest. Return: 0, -errno. */
int pl_log_reader_to_end(PlLogReader *r);

/**
 * pl_log_reader_seek_time() - to a record that is not after this time, and not long before it
 * Archives are skipped by their names, frames and log by bisection. Return: 0, -errno.
 */
int pl_log_reader_seek_time(PlLogReader *r, uint64_t time_nsec);

/** pl_log_reader_next() - the block that begins here; moves past it.
 * Return: 1; 0 nothing (yet); -EBADMSG an archive is damaged and was skipped; -errno. */
int pl_log_reader_next(PlLogReader *r, PlLogBlock *ret);

/** pl_log_reader_previous() - the block that ends here; moves to its start. Return: as above. */
int pl_log_reader_previous(PlLogReader *r, PlLogBlock *ret);

/** pl_log_reader_fd() - the live log, for inotify; -EBADF: none. Borrowed. */
int pl_log_reader_fd(const PlLogReader *r);

/**
 * pl_log_reader_renew() - go on with a new live log, when the engine itself has rotated
 * Return: 1 it has, and pl_log_reader_fd() has changed; 0; -ENOENT, -EAGAIN it is still rotating;
 *         -errno.
 */
int pl_log_reader_renew(PlLogReader *r);

/** pl_log_reader_is_gone() - has the container been removed, and its directory with it? */
bool pl_log_reader_is_gone(const PlLogReader *r);

/** pl_log_reader_progress() - the share of archived bytes that was read; 0 … 1. */
double pl_log_reader_progress(const PlLogReader *r);

/** pl_log_reader_gaps() - how many archives were dropped before they could be read. */
unsigned pl_log_reader_gaps(const PlLogReader *r);
