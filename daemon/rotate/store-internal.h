/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Shared by log-store.c (state and partial archives) and log-store-list.c (what is there). */

#include "rotate/store.h"

struct PlLogStore {
        int fd, state_fd;
        bool write, reserve_used;
        gid_t gid;
};

/* Return: fd of a service's directory; made on demand; -errno. */
int pl_log_store_service(PlLogStore *s, const char *service, bool make);
