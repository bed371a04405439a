/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Log spool: a log that is no file of records, made into one.
 *
 * Of a container that logs to journald, from the journal; of any other, as the engine's own reader
 * gives it. The records go to a nameless file in TMPDIR or /var/tmp, which a PlLogReader reads.
 */

#include "lib/base/id.h"
#include "lib/logs/line.h"

/* A container as the engine knows it. */
typedef struct PlLogForeign {
        char id[PL_ID_MAX];
        char *name, *driver, *path; /* path: of a json-file log; NULL: none */
        bool tty;
} PlLogForeign;

void pl_log_foreign_deinit(PlLogForeign *f);

/**
 * pl_log_foreign_find() - ask the engine for a container
 * @socket: path of the engine's socket
 * @name: or its id, or a part of that
 * Return: 0; -ENOENT it knows none; -errno of the connection; -EPROTO; -ENOMEM.
 */
int pl_log_foreign_find(const char *socket, const char *name, PlLogForeign *ret);

typedef struct PlLogSpool PlLogSpool;

typedef struct PlLogSpoolAsked {
        uint64_t since_nsec, until_nsec; /* 0, UINT64_MAX: open; read from there, not filtered */
        uint64_t tail;                   /* at least so many lines; UINT64_MAX: all */
        bool details, follow;
} PlLogSpoolAsked;

/**
 * pl_log_spool_new() - all that there is, or, to be followed, what comes, from a thread
 * @socket: borrowed
 * @f: copied
 * @ret_fd: of the file; owned by the caller
 * Return: 0; -errno, and pl_log_spool_error() of *ret, which is then there too, says more.
 */
int pl_log_spool_new(const char *socket, const PlLogForeign *f, const PlLogSpoolAsked *asked,
                     PlLogSpool **ret, int *ret_fd);

/** pl_log_spool_is_over() - nothing more comes. */
bool pl_log_spool_is_over(const PlLogSpool *s);

/** pl_log_spool_error() - why something is missing: a sentence; "": nothing is. */
const char *pl_log_spool_error(const PlLogSpool *s);

/** pl_log_spool_feed() - the bytes of the engine's answer, in any pieces
 * Return: 0; -EPROTO no such stream; -ENOMEM, -errno of the file. */
int pl_log_spool_feed(PlLogSpool *s, const char *data, size_t size);

/** pl_log_spool_make() - for tests: one that is fed by hand. @tty: the answer has no headers */
PlLogSpool *pl_log_spool_make(int fd, bool tty, bool details);

/** pl_log_spool_free() - one with a thread that still runs is left to the end of the process. */
PlLogSpool *pl_log_spool_free(PlLogSpool *s);
PL_DEFINE_CLEANUP(PlLogSpool *, pl_log_spool_free)
