/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Log reader: one stream of records of a container's archives and its live log.
 *
 * It stands at a place and goes forward or backward from there, a block of whole records at a time.
 * What cannot be read is told, once, and passed over: the rest is shown.
 */

#include "rotate/store.h"

typedef struct PlLogReader PlLogReader;

/* Whole records, of one archive frame or of the log. */
typedef struct PlLogBlock {
        const char *data; /* borrowed until the next call */
        size_t size;
        uint64_t gen; /* of its records */
} PlLogBlock;

/* What is asked for; borrowed by the reader. */
typedef struct PlLogAsked {
        uint64_t since_nsec, until_nsec; /* 0 and UINT64_MAX: all. What is certainly outside is not
                                          * read; more than was asked for may come */
        /* Lines are missing here. @what: a sentence */
        void (*missing)(void *userdata, const char *what);
        void *userdata;
} PlLogAsked;

/**
 * pl_log_reader_new() - it stands before the oldest record
 * @store: borrowed; NULL: there are no archives
 * @id: the container's, or its first 12 digits when only archives are left of it
 * @name: for people; borrowed
 * @asked: borrowed
 * @path: the live log, as the engine names it; NULL: none, or not yet: pl_log_reader_take()
 * Return: 0; what is wrong with the live log: -ENOENT, -EACCES, -ELOOP a link, -EMEDIUMTYPE no
 *         regular file with one name; -errno.
 */
int pl_log_reader_new(PlLogStore *store, const char *id, const char *name, const PlLogAsked *asked,
                      const char *path, PlLogReader **ret);
PlLogReader *pl_log_reader_free(PlLogReader *r);
PL_DEFINE_CLEANUP(PlLogReader *, pl_log_reader_free)

/** pl_log_reader_take() - a file of records that somebody else writes becomes the live log. @fd:
 * its ownership passes. */
void pl_log_reader_take(PlLogReader *r, int fd);

/** pl_log_reader_next() - the block that begins here; moves past it. Return: 1; 0 nothing (yet);
 * -ENOMEM, -errno. */
int pl_log_reader_next(PlLogReader *r, PlLogBlock *ret);

/** pl_log_reader_previous() - the block that ends here; moves to its start. Return: 1; 0 no more;
 * as above. */
int pl_log_reader_previous(PlLogReader *r, PlLogBlock *ret);

/** pl_log_reader_to_end() - behind the newest. Return: 0, -errno. */
int pl_log_reader_to_end(PlLogReader *r);

/* A place in the stream; a rotation changes none. */
typedef struct PlLogPlace {
        uint64_t gen, offset;
} PlLogPlace;

PlLogPlace pl_log_reader_tell(const PlLogReader *r);
/** pl_log_reader_go() - @place: of pl_log_reader_tell() */
void pl_log_reader_go(PlLogReader *r, PlLogPlace place);

/** pl_log_reader_fd() - of the live log, for inotify; borrowed; negative: none. */
int pl_log_reader_fd(const PlLogReader *r);

/** pl_log_reader_renew() - go on with a new live log, when the engine itself has rotated
 * Return: 1 it has, and the descriptor is another; 0; -ENOENT, -EAGAIN it is still rotating;
 *         -errno. */
int pl_log_reader_renew(PlLogReader *r);

/** pl_log_reader_is_gone() - has the container been removed, and its directory with it? */
bool pl_log_reader_is_gone(const PlLogReader *r);

/** pl_log_reader_share() - the bytes of archives, and how many of them lie before where it stands.
 */
void pl_log_reader_share(const PlLogReader *r, uint64_t *ret_all, uint64_t *ret_before);
