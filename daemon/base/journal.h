/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Log: one way to say things; structured to the journal, readable on stderr.
 *
 * Under systemd (JOURNAL_STREAM matches stderr) entries go to journald with MESSAGE_ID and fields;
 * otherwise one line per entry on stderr, coloured on a terminal unless NO_COLOR is set. Whoever
 * stops an error logs it, once. Text that a container controls is escaped here.
 */

#include <syslog.h>

#include "lib/base/macro.h"

/* Message ids: lib/base/message.h; each has an entry in systemd/plimsoll.catalog and plimsolld(8).
 */

typedef struct PlLogField {
        const char *name;  /* "PLIMSOLL_REASON" */
        const char *value; /* NULL: left out; escaped on the way out */
} PlLogField;

/* What an entry is about; any member may be NULL. Borrowed for the call. */
typedef struct PlLogSubject {
        const char *container_name, *container_id, *service;
        const PlLogField *fields; /* ended by a NULL name */
} PlLogSubject;

/** pl_log_setup() - choose the target; called once by main. @max_priority: LOG_INFO, LOG_DEBUG … */
void pl_log_setup(int max_priority);

void pl_log_full(int priority, const char *message_id, const PlLogSubject *subject,
                 const char *format, ...) PL_PRINTF(4, 5);

#define pl_log(priority, ...) pl_log_full(priority, NULL, NULL, __VA_ARGS__)
#define pl_log_debug(...)     pl_log(LOG_DEBUG, __VA_ARGS__)
#define pl_log_info(...)      pl_log(LOG_INFO, __VA_ARGS__)
#define pl_log_notice(...)    pl_log(LOG_NOTICE, __VA_ARGS__)
#define pl_log_warning(...)   pl_log(LOG_WARNING, __VA_ARGS__)
#define pl_log_error(...)     pl_log(LOG_ERR, __VA_ARGS__)
