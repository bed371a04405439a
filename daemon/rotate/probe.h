/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Log probe: what the file system of a log can do, tried on a nameless temporary file beside it.
 *
 * A file system's name says little: XFS with or without reflink, ext4 with bigalloc or without
 * extents, whatever FUSE and overlays put in between. What worked, with the right bytes coming
 * back, is believed.
 */

#include "lib/logs/rotate-plan.h"

/** pl_log_probe() - @dir_fd: the log's directory, opened for reading. Return: 0; -EOPNOTSUPP when
 * its block size makes no sense; -ENOSPC and other -errno when it cannot be tried now. */
int pl_log_probe(int dir_fd, PlRotateProbe *ret);
