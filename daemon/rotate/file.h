/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Log file: the operations on a container's json-file log that rotation is made of.
 *
 * The file is the engine's, and a container may write to it at any moment. Nothing here ever
 * writes at or behind its end, and nothing follows a symbolic link or opens an odd file in the
 * container's directory: whoever can write there must not be able to point a root daemon elsewhere.
 */

#include <sys/stat.h>

#include "lib/logs/rotate-plan.h"

typedef struct PlLogFile {
        int fd;     /* read and write; no O_APPEND, for pwrite() */
        int dir_fd; /* the container's directory */
        bool leased;
} PlLogFile;

#define PL_LOG_FILE_INIT \
        { .fd = -EBADF, .dir_fd = -EBADF }

/**
 * pl_log_file_open() - open <root>/<id>/<id>-json.log
 * @path: as the engine names it; must end so. Links above the container's directory are the
 *        operator's (a moved data root) and are followed; none from there on
 * @write: else read-only, without a lease
 * Return: 0; -EINVAL another form of path; -ELOOP a symbolic link; -EMEDIUMTYPE not a regular file
 *         with one name; -errno.
 */
int pl_log_file_open(const char *path, const char *id, bool write, PlLogFile *ret);
void pl_log_file_close(PlLogFile *f);

/** pl_log_file_open_rotated() - <id>-json.log.NUMBER or, packed, ….gz, beside an open log.
 * Return: fd, to be read; or as pl_log_file_open(). */
int pl_log_file_open_rotated(const PlLogFile *f, const char *id, unsigned number, bool packed);

/** pl_log_file_is_replaced() - does its name lead to another file by now?
 * Return: 1; 0; -ENOENT to none (yet); -errno. */
int pl_log_file_is_replaced(const PlLogFile *f, const char *id);

/** pl_log_file_open_path() - an O_PATH descriptor of the log, for inotify. Return: fd or as above.
 */
int pl_log_file_open_path(const char *path, const char *id);

/** pl_log_file_reopen() - for reading and writing, whatever name it has. Return: fd; -EWOULDBLOCK
 * somebody has a lease on it; -errno. */
int pl_log_file_reopen(int path_fd);

/**
 * pl_log_file_lease() - make sure that nobody else has the log open, and that whoever opens it
 *                       now waits until pl_log_file_unlease() (at most lease-break-time)
 * Return: 0; -EAGAIN somebody has it open; -errno. Source: fcntl(2), F_SETLEASE.
 */
int pl_log_file_lease(PlLogFile *f);
void pl_log_file_unlease(PlLogFile *f);

/**
 * pl_log_file_lock() - keep everybody else who shortens logs away from this one: a rotation and an
 *                      adoption exclude each other. Until it is closed.
 * Return: 0; -EAGAIN somebody has it in hand; -errno.
 */
int pl_log_file_lock(const PlLogFile *f);

/** pl_log_file_marker() - Return: gen of the marker that begins at offset; 0: none there. */
uint64_t pl_log_file_marker(int fd, uint64_t offset);

#define PL_LOG_FILE_PRINT_BYTES 256 /* at most, that a fingerprint is of */

/** pl_log_file_print() - fingerprint of what stands at s->head, before s->k: true until the marker
 * stands at s->a, which is looked for first. Of a log that was taken, of what stands before
 * s->head. 0: nothing there. */
uint64_t pl_log_file_print(int fd, const PlRotateState *s);

/** pl_log_file_see() - what pl_rotate_recover() needs to know of a log. Return: 0 or -errno. */
int pl_log_file_see(int fd, const PlRotateState *s, PlRotateSeen *ret);

/**
 * pl_log_file_find_head() - skip holes, filler and markers from an offset on
 * @from: 0, or where one of them begins
 * @ret_mark, @ret_gen: the last marker; equal to head and 0 when there is none
 * Return: 0 or -errno.
 */
int pl_log_file_find_head(int fd, uint64_t from, uint64_t size, uint64_t *ret_head,
                          uint64_t *ret_mark, uint64_t *ret_gen);

/**
 * pl_log_file_held() - the space on disk that this file alone takes: what it shares with itself
 *                      counts once, where st_blocks counts it as often as it is shared
 * Return: 0; -E2BIG too many pieces; -ENOMEM; -errno. Source: kernel doc, filesystems/fiemap.
 */
int pl_log_file_held(int fd, uint64_t *ret_bytes);

/** pl_log_file_cut() - the last good place to cut in [from, limit). Return: 0, -ENODATA, -ENOMEM,
 * -errno. */
int pl_log_file_cut(int fd, uint64_t from, uint64_t limit, uint64_t *ret_k);

/** pl_log_file_newest() - the first record that begins behind @at, of those that end before @size.
 * Return: 0; -ENODATA none; -ENOMEM; -errno. */
int pl_log_file_newest(int fd, uint64_t at, uint64_t size, uint64_t *ret_k);

/** pl_log_file_end() - where the last record ends, whole line or not: of a log that is not written
 * any more. Return: 0; -ENODATA none; -ENOMEM; -errno. */
int pl_log_file_end(int fd, uint64_t from, uint64_t size, uint64_t *ret_k);

/** pl_log_file_mark() - make [a, k) the marker of gen. Return: 0, -ENOMEM, -errno. */
int pl_log_file_mark(int fd, uint64_t a, uint64_t k, uint64_t gen);
