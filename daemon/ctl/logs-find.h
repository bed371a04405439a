/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Which container is meant: by name, by id or a part of it, by service, or one that is gone.
 */

#include "rotate/store.h"

typedef struct PlLogsFound {
        char id[PL_ID_MAX]; /* only its first 12 digits when just archives are left */
        char driver[64];
        bool live;  /* there is a state record, and so a log */
        unsigned n; /* how many would do; more than 1: none was chosen */
} PlLogsFound;

/** pl_ctl_logs_find() - Return: 0, also when there is none (n is 0); -ENOMEM, -errno. */
int pl_ctl_logs_find(PlLogStore *store, const char *name, PlLogsFound *ret);
