/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Log store: the archive directory. Archives by service, and one state record per container.
 *
 *     <archive>/<service>/<container>@<id>_<gen>_<from>_<to>.log.zst   0640 root:plimsoll
 *     <archive>/<service>/.partial-<id>       being written; counts only once committed
 *     <archive>/.state/<id>                   lib/logs/rotate-state.h
 *     <archive>/.state/.reserve               becomes a record when the disk is full
 *
 * State lives beside the archives because it is true only together with them. Directories are
 * set-group-ID, so that what is made in them belongs to the group that may read. Nothing in here
 * follows a symbolic link. Not thread safe: one thread (the worker), or one reader.
 */

#include <sys/types.h>

#include "lib/logs/archive-name.h"
#include "lib/logs/proven-time.h"
#include "lib/logs/rotate-state.h"

typedef struct PlLogStore PlLogStore;

/**
 * pl_log_store_open()
 * @write: make what is missing, 02750; else only read what is there: archives also where there are
 *         no records
 * @gid: of the directories; (gid_t) -1: leave it
 * Return: 0, -ENOMEM, -errno.
 */
int pl_log_store_open(const char *path, bool write, gid_t gid, PlLogStore **ret);
PlLogStore *pl_log_store_free(PlLogStore *s);
PL_DEFINE_CLEANUP(PlLogStore *, pl_log_store_free)

/**
 * pl_log_store_renew() - is it still the directory that its path names? Somebody may have removed
 *                        it, or put another one there: then that is made or opened, as by
 *                        pl_log_store_open()
 * Return: 0 it is; 1 not any more: what was archived or recorded may be missing; -errno.
 */
int pl_log_store_renew(PlLogStore *s);

/** pl_log_store_load() - Return: 0; -ENOENT none; -EBADMSG not readable as a record; -errno. */
int pl_log_store_load(PlLogStore *s, const char *id, PlRotateState *ret);

/** pl_log_store_save() - durable when it returns. Return: 0, -ENOMEM, -errno (the old one stands).
 */
int pl_log_store_save(PlLogStore *s, const PlRotateState *state);

/** pl_log_store_load_time() - what is proven of the time. Return: 0; -ENOENT; -EBADMSG; -errno. */
int pl_log_store_load_time(PlLogStore *s, PlProvenTime *ret);
/** pl_log_store_save_time() - Return: 0; -ENOMEM, -errno: the old one is there still. */
int pl_log_store_save_time(PlLogStore *s, const PlProvenTime *t);

/** pl_log_store_forget() - remove a container's record and partial archive; archives stay. */
int pl_log_store_forget(PlLogStore *s, const char *id);

/** pl_log_store_load_last() - the record as it was when the container's last archive got its name:
 * it tells whose archives these are, and stays as long as they do. @id: the first 12 digits count.
 * Return: as pl_log_store_load(). */
int pl_log_store_load_last(PlLogStore *s, const char *id, PlRotateState *ret);
/** pl_log_store_drop_last() - its last archive is gone. */
void pl_log_store_drop_last(PlLogStore *s, const char *id);

/** pl_log_store_states() - ids of all records. @ret: owned by the caller. Return: 0; -errno, also
 * where their directory is missing or may not be read. */
int pl_log_store_states(PlLogStore *s, char (**ret)[PL_ID_MAX], size_t *ret_n);

/** pl_log_store_begin() - an empty partial archive. @service: a directory name. Return: fd, -errno.
 */
int pl_log_store_begin(PlLogStore *s, const char *service, const char *id);
/** pl_log_store_nameless() - a file without a name, beside the archives. Return: fd, -errno. */
int pl_log_store_nameless(PlLogStore *s);
/** pl_log_store_sync() - make the partial archive durable under its partial name. */
int pl_log_store_sync(PlLogStore *s, const char *service, int fd);
/** pl_log_store_abandon() - Return: 0 also when there is none. */
int pl_log_store_abandon(PlLogStore *s, const char *service, const char *id);
/** pl_log_store_publish() - the partial to the name that its record says, "<service>/<file>".
 * Idempotent: 0 when the partial is gone and the archive there; -ENOENT when neither is. */
int pl_log_store_publish(PlLogStore *s, const PlRotateState *state);

typedef struct PlStoredArchive {
        char service[PL_ARCHIVE_NAME_MAX];
        char file[PL_ARCHIVE_NAME_MAX];
        PlArchiveName name;
        uint64_t bytes; /* on disk */
        uint64_t size;
} PlStoredArchive;

/** pl_log_store_list() - all archives, or those of one container. @id: NULL, or its first 12 digits
 * decide. Oldest first by (container, gen). Return: 0, -ENOMEM, -errno. */
int pl_log_store_list(PlLogStore *s, const char *id, PlStoredArchive **ret, size_t *ret_n);

/** pl_log_store_open_archive() - for reading. Return: fd or -errno. */
int pl_log_store_open_archive(PlLogStore *s, const PlStoredArchive *a);

/** pl_log_store_drop() - delete an archive, and its directory when that was the last one. */
int pl_log_store_drop(PlLogStore *s, const PlStoredArchive *a);
