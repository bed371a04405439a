/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Native: the files that the engine itself has rotated away, <id>-json.log.1 and on, or .1.gz and
 * on with compress=true; the higher the number, the older.
 *
 * They are opened once, as a chain that ends where the live log begins, and read as one stretch of
 * bytes. The engine may rename, pack and delete them meanwhile: an open file stays what it is.
 */

#include "rotate/file.h"

typedef struct PlLogNative {
        int fd; /* packed as long as .packed says so */
        bool packed;
        uint64_t from;  /* where its records begin, behind what our archives hold */
        uint64_t bytes; /* of its records */
        ino_t ino;      /* of the file as it was found */
} PlLogNative;

typedef struct PlLogNatives {
        PlLogNative *files; /* the oldest first */
        size_t n;
        uint64_t bytes; /* of all */
} PlLogNatives;

void pl_log_natives_deinit(PlLogNatives *n);

/**
 * pl_log_natives_open() - all rotated files beside a log
 * @log: open; the newest of all as long as its name leads to it
 * Return: 0; -EAGAIN the engine was just rotating; -errno.
 */
int pl_log_natives_open(const PlLogFile *log, const char *id, PlLogNatives *ret);

/**
 * pl_log_natives_renew() - the live log was rotated away, once or more often
 * @log: the new live one
 * @fd, @from: what was the live log and where its records began; fd's ownership passes on success
 * Return: 0; 1 the engine has removed files that nobody has seen; -EAGAIN it is rotating; -ENOMEM,
 *         -errno.
 */
int pl_log_natives_renew(PlLogNatives *n, const PlLogFile *log, const char *id, int fd,
                         uint64_t from);

/**
 * pl_log_natives_read() - bytes of the stretch, as pread(2)
 * Packed files are unpacked as a whole, to a nameless temporary file, when they are first needed.
 * Return: bytes, at most up to the end of one file; 0 behind the last; -EBADMSG a packed one is
 *         damaged (reported once; the missing part then reads as NUL bytes); -errno.
 */
ssize_t pl_log_natives_read(PlLogNatives *n, void *buf, size_t size, uint64_t offset);
