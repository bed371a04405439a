/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Rotated: the files of a container whose log the engine rotates itself, held open until the
 * container is removed, and then made one stretch that can be archived as any other log.
 *
 * What is held takes its place on disk until it is let go: of a packed one both, until the next
 * rotation.
 */

#include "lib/logs/rotated.h"
#include "rotate/file.h"
#include "rotate/store.h"

typedef struct PlRotatedFiles {
        PlLogRotated *files; /* the newest first; with the live log */
        size_t n;
        uint64_t beyond_bytes; /* that the engine has as well, and that is more than is kept */
} PlRotatedFiles;

void pl_rotated_deinit(PlRotatedFiles *r);

/** pl_rotated_add() - one more; they are put in order by number
 * @fd: ownership passes in any case. Return: 0, -ENOMEM, -errno. */
int pl_rotated_add(PlRotatedFiles *r, unsigned number, bool packed, int fd);

/**
 * pl_rotated_look() - hold what lies there now, where there is a live log that was not seen before;
 *                     otherwise nothing has happened, or the container is being removed
 * @path: of the live log, as the engine names it
 * @max_files: that the engine keeps
 * @max_bytes: hold no more, the newest
 * Return: 1 there was a new one; 0; -ENOENT there is none; -ENOMEM; -errno. What was held is still
 *         so.
 */
int pl_rotated_look(PlRotatedFiles *r, const char *path, const char *id, size_t max_files,
                    uint64_t max_bytes);

/**
 * pl_rotated_join() - all of them as one nameless file in the archive directory, the oldest first
 * @max_bytes: the newest, and at most one file more
 * @ret_dropped_bytes: of records that are in none of them: too old, or damaged
 * Return: fd; -ENOMEM, -errno. It blocks on disks.
 */
int pl_rotated_join(PlRotatedFiles *r, PlLogStore *store, uint64_t max_bytes,
                    uint64_t *ret_dropped_bytes);

/** pl_log_unpacked_size() - Return: bytes of a gzip file's content, modulo 4 GiB (RFC 1952). One
 * that is too short counts as one byte, so that reading it reports the damage. */
uint64_t pl_log_unpacked_size(int fd, uint64_t size);

/**
 * pl_log_unpack() - what a gzip file holds, to where another one stands
 * Every Debian system has gzip(1), and nothing else here unpacks: a program rather than one more
 * library. Return: 0; -EBADMSG damaged: a part may have come; -ENOMEM, -errno.
 */
int pl_log_unpack(int from, int to);
