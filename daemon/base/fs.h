/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Files: whole-file reads with a bound, atomic replacement, and opening what others may swap.
 *
 * A crash between any two calls leaves the old file or the new one, never half (write to a
 * temporary name, fsync, rename, fsync of the directory).
 */

#include <sys/types.h>

#include "lib/base/macro.h"

/**
 * pl_fs_read() - a regular or kernel file in full
 * @dir_fd: AT_FDCWD, or the directory that path is relative to
 * @max_bytes: -EFBIG above it
 * @ret: NUL terminated, owned by the caller; @ret_size: without the NUL, may be NULL
 * Return: 0, -ENOMEM, -EFBIG, -errno.
 */
int pl_fs_read(int dir_fd, const char *path, size_t max_bytes, char **ret, size_t *ret_size);

/** pl_fs_read_stream() - what is left of a pipe, a terminal, a socket or a file, to its end
 * @fd: read from, also where it is non-blocking: it waits, so never on a loop
 * @patience_msec: how long nothing may come, until -ETIMEDOUT; -1: as long as it takes
 * Return: as pl_fs_read(), or -ETIMEDOUT. */
int pl_fs_read_stream(int fd, int patience_msec, size_t max_bytes, char **ret, size_t *ret_size);

/**
 * pl_fs_replace() - write a file atomically
 * @durable: also fsync file and directory (not needed on tmpfs)
 * Return: 0, -errno; on failure the old file is untouched and the temporary one removed.
 */
int pl_fs_replace(int dir_fd, const char *path, const void *data, size_t size, mode_t mode,
                  bool durable);

/** pl_fs_write_all() - write(2) until all is written. @ret_written: bytes that were, also on
 * failure; may be NULL. Return: 0, -errno. */
int pl_fs_write_all(int fd, const void *data, size_t size, size_t *ret_written);

/**
 * pl_fs_open_below() - open a name without leaving its directory: through no symbolic link and no
 * mount point, be it a bind mount of the same file system
 * @dir_fd: may be O_PATH
 * @name: one component, or "."
 * @flags: O_NOFOLLOW and O_CLOEXEC are added; with O_PATH alone a link itself is opened, not what
 * it leads to
 *
 * Call it for one component after another where openat2(RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV)
 * would take them all: a service with RestrictSUIDSGID= has no openat2(), since the mode in its
 * struct is out of seccomp's sight (systemd.exec(5)). Return: a file descriptor; -ELOOP a symbolic
 * link, or no directory where O_DIRECTORY asks for one; -EXDEV another mount; -errno.
 */
int pl_fs_open_below(int dir_fd, const char *name, int flags);
