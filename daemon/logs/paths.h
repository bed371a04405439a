/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Log files beside stdout (LogPath=): when they are looked at, and what is said of it. The work is
 * logs/path's, on a thread of its own.
 */

#include "logs/time.h"
#include "registry/containers.h"

typedef struct PlLogPaths PlLogPaths;

/** pl_log_paths_new() - costs nothing until a section has LogPath=
 * @time: borrowed, must outlive it. Return: 0, -ENOMEM. */
int pl_log_paths_new(PlRegistry *registry, PlLogTime *time, PlLogPaths **ret);
PlLogPaths *pl_log_paths_free(PlLogPaths *p); /* waits for the job under way; returns NULL */

/** pl_log_paths_update() - after each inspection, and (@reloaded) after a reload. */
void pl_log_paths_update(PlLogPaths *p, const PlSubject *s, bool reloaded);

void pl_log_paths_remove(PlLogPaths *p, const char *id);

/** pl_log_paths_finding() - what the last pass found wrong; NULL: nothing. Borrowed. */
const char *pl_log_paths_finding(const PlLogPaths *p, const char *id);
