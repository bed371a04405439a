/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Lock: one process at a time for a directory.
 *
 * The directory itself is locked, flock(2), not a file in it: its files are replaced by rename, and
 * a lock stays with the inode. The kernel gives it back when the process ends, however that
 * happens.
 */

#include <sys/types.h>

/**
 * pl_lock_directory() - hold it until the descriptor is closed; others may still read
 * @path:    it exists
 * @ret_fd:  owned by the caller
 * @reterr_pid: with -EBUSY: who holds it; 0: not known (in another PID namespace)
 * Return: 0; -EBUSY another process holds it; -errno.
 */
int pl_lock_directory(const char *path, int *ret_fd, pid_t *reterr_pid);
