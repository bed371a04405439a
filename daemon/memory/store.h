/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Store: one file for each service, <state>/services/<key>.json, replaced atomically and waited
 * for, so that neither a crash nor a loss of power can take what was there before.
 *
 * It is one process's to write: who comes second (a dry run beside the service) only reads.
 */

#include "lib/evidence/memory.h"
#include "report/reporter.h"

typedef struct PlMemoryStore PlMemoryStore;

/** pl_memory_store_open() - makes the directory (0700) if need be
 * @reporter: is told of broken files; borrowed, NULL: the journal alone
 * Return: 0, -ENOMEM, -errno. */
int pl_memory_store_open(const char *state_dir, const PlReporter *reporter, PlMemoryStore **ret);
PlMemoryStore *pl_memory_store_free(PlMemoryStore *s); /* returns NULL */
PL_DEFINE_CLEANUP(PlMemoryStore *, pl_memory_store_free)

/** pl_memory_store_load() - Return: 0; -ENOENT; -EBADMSG broken (reported, set aside as KEY.bad);
 * -EOPNOTSUPP of a later version (left alone); -ENOMEM, -errno. */
int pl_memory_store_load(PlMemoryStore *s, const char *key, PlMemory *ret);

/** pl_memory_store_save() - Return: 0; -EBUSY not ours to write; -ENOMEM, -errno: the old file is
 * untouched. */
int pl_memory_store_save(PlMemoryStore *s, const PlMemory *m);

/** pl_memory_store_remove() - Return: 0 (also when there is none), -EBUSY, -errno. */
int pl_memory_store_remove(PlMemoryStore *s, const char *key);

/** pl_memory_store_list() - @found: of each file, with its time of change (CLOCK_REALTIME). What a
 * crash has left half written is removed. Return: 0, -errno. */
int pl_memory_store_list(PlMemoryStore *s,
                         void (*found)(void *userdata, const char *key, uint64_t changed_usec),
                         void *userdata);
