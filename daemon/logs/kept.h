/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Kept logs: descriptors that the service manager holds for us while plimsolld is restarted
 * (FileDescriptorStoreMax=), so that the log of a container that is removed meanwhile can be read
 * to its end.
 *
 * They are O_PATH: such a one keeps a file that has no name any more, and is no reader that a lease
 * on the log would find. Without a service manager nothing is kept, and nothing else changes.
 * Source: sd_notify(3), FDSTORE=1; sd_listen_fds(3).
 */

#include "lib/base/id.h"
#include "rotate/rotated.h"

/* As FileDescriptorStoreMax= in the unit: what is beyond that it closes without a word. All names
 * together, and what separates them, are one string of the environment, at most 128 KiB
 * (MAX_ARG_STRLEN): a process with more could not be started. */
#define PL_LOG_KEPT_MAX      512
#define PL_LOG_KEPT_NAME_MAX 200

typedef struct PlLogKept PlLogKept;

PlLogKept *pl_log_kept_new(void); /* takes those that were passed to us. NULL: out of memory */
PlLogKept *pl_log_kept_free(PlLogKept *k);
PL_DEFINE_CLEANUP(PlLogKept *, pl_log_kept_free)

/** pl_log_kept_claim() - one that was passed to us
 * @ret_group: as it was stored with, owned by the caller; NULL: not wanted
 * Return: fd, owned by the caller; -ENOENT. */
int pl_log_kept_claim(PlLogKept *k, const char *id, char **ret_group);

/** pl_log_kept_claim_rotated() - those that were passed to us of a container whose log the engine
 * rotates
 * @ret: nothing in it before
 * @ret_group: as pl_log_kept_claim(). Return: 0; -ENOENT none; -ENOMEM. */
int pl_log_kept_claim_rotated(PlLogKept *k, const char *id, PlRotatedFiles *ret, char **ret_group);

/** pl_log_kept_ids() - of those that nobody has claimed. @ret: owned by the caller.
 * Return: 0, -ENOMEM. */
int pl_log_kept_ids(const PlLogKept *k, char (**ret)[PL_ID_MAX], size_t *ret_n);

/** pl_log_kept_store() - have it kept, in place of another one of that container.
 * @group: "<service>/<container>", cut to what fits: whose it is, when nothing else tells
 * @fd: O_PATH; stays the caller's. Return: whether there is room for it, and somebody who keeps it.
 */
bool pl_log_kept_store(PlLogKept *k, const char *id, const char *group, int fd);

/** pl_log_kept_store_rotated() - have them kept at our end: they change too often before it. What
 * there is no room for is not. */
void pl_log_kept_store_rotated(PlLogKept *k, const char *id, const char *group,
                               const PlRotatedFiles *files);

/** pl_log_kept_drop() - as much as there is of a container: keep it no longer. */
void pl_log_kept_drop(PlLogKept *k, const char *id);
