/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Log watch: tells when a log has grown to its limit. inotify, not polling.
 *
 * A log that nobody writes costs nothing. One that is written at full speed would make an event
 * per line, so the watch is taken off at the first event and put back after a pause that depends on
 * how much room is left (lib/logs/rotate-plan). Due is reported once, until pl_log_watch_set().
 */

#include <systemd/sd-event.h>

#include "lib/base/macro.h"

typedef struct PlLogWatch PlLogWatch;     /* all of them: one inotify descriptor */
typedef struct PlLogWatched PlLogWatched; /* one log */

typedef void (*PlLogDue)(void *userdata); /* on the loop; may set or remove */

int pl_log_watch_new(sd_event *event, PlLogWatch **ret);
PlLogWatch *pl_log_watch_free(PlLogWatch *w); /* after all its logs; returns NULL */
PL_DEFINE_CLEANUP(PlLogWatch *, pl_log_watch_free)

/**
 * pl_log_watch_add() - nothing is watched before pl_log_watch_set()
 * @fd: of the log, O_PATH; ownership passes on success
 */
int pl_log_watch_add(PlLogWatch *w, int fd, PlLogDue due, void *userdata, PlLogWatched **ret);
PlLogWatched *pl_log_watch_remove(PlLogWatched *l); /* returns NULL */

/** pl_log_watch_set() - due when the log is as large as this, now (before this returns) or later.
 * @limit_bytes: of the file, from offset 0; PL_UNLIMITED: never */
int pl_log_watch_set(PlLogWatched *l, uint64_t limit_bytes);

/** pl_log_watch_size() - as it is now. Return: false when it cannot be told. */
bool pl_log_watch_size(const PlLogWatched *l, uint64_t *ret_bytes, uint64_t *ret_ino);
