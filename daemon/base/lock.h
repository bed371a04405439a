/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Lock: one process at a time for a directory, or for a thing that has a name.
 *
 * Of a directory the directory itself is locked, flock(2), not a file in it: its files are replaced
 * by rename, and a lock stays with the inode. The kernel gives it back when the process ends,
 * however that happens.
 */

#include <stddef.h>
#include <sys/types.h>

/**
 * pl_lock_directory() - hold it until the descriptor is closed; others may still read
 * @path:    it exists
 * @ret_fd:  owned by the caller
 * @reterr_pid: with -EBUSY: who holds it; 0: not known (in another PID namespace)
 * Return: 0; -EBUSY another process holds it; -errno.
 */
int pl_lock_directory(const char *path, int *ret_fd, pid_t *reterr_pid);

#define PL_LOCK_WHO_MAX 128

/**
 * pl_lock_name() - hold a file that stands for a thing, and leave word of who does
 * @dir:  made (0755) if need be
 * @name: of the thing; any text, made a file name of
 * @who:  for the one who comes second
 * @ret_fd: owned by the caller; the file is never removed, because somebody may wait for its inode
 * @reterr_pid, @reterr_who: with -EBUSY: who holds it; 0 and "": not known
 * Return: 0; -EBUSY; -errno.
 */
int pl_lock_name(const char *dir, const char *name, const char *who, int *ret_fd, pid_t *reterr_pid,
                 char reterr_who[static PL_LOCK_WHO_MAX]);
