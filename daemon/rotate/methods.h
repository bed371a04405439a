/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Log methods: how a log's head gives its blocks back, and which ways its file system offers.
 *
 * A file system's name says little: XFS with or without reflink, ext4 with bigalloc or without
 * extents, whatever FUSE and overlays put in between. So each method is tried on a nameless
 * temporary file beside the log; what worked, with the right bytes coming back, is believed.
 */

#include "rotate/file.h"

/**
 * pl_log_file_free() - give back the blocks of [from, to), by a method
 * Collapse: from is 0, and offsets shrink by to. Punch: reads as NUL bytes. Reflink: reads as
 * filler that shares its blocks. Off: reads as filler, and gives nothing back; holes stay.
 * Return: 0; -EINVAL no method; -errno.
 */
int pl_log_file_free(const PlLogFile *f, PlLogMethod method, uint64_t from, uint64_t to,
                     uint64_t align_bytes);

/** pl_log_probe() - what the file system of a log can do
 * @dir_fd: the log's directory, opened for reading
 * Return: 0; -EOPNOTSUPP when its block size makes no sense; -ENOSPC and other -errno when it
 * cannot be tried now. */
int pl_log_probe(int dir_fd, PlRotateProbe *ret);
