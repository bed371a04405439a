/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * State directory: one small file per container, <dir>/containers/<id>, replaced atomically; and
 * <id>.oom beside it, where the kernel has killed processes of it, <id>.restart, where it may be
 * restarted.
 *
 * Written before the first write to a container (write-ahead), so that no crash can lose an
 * original. It outlives a boot: the engine remembers what it was told, and only the record tells
 * our values in HostConfig from a person's. Container ids are never used twice, so a recreated
 * container inherits nothing.
 */

#include "lib/health/restart-state.h"
#include "lib/limits/originals.h"
#include "lib/oom/report.h"
#include "report/reporter.h"

typedef struct PlStateDir PlStateDir;

/**
 * pl_state_dir_open() - makes the directory (0750) if need be
 * @older:    where an older plimsoll kept its files: what is left there is read as well, until
 *            pl_state_dir_import(). NULL: nowhere else
 * @reporter: is told of broken files; borrowed, NULL: the journal alone
 * Return: 0, -ENOMEM, -errno.
 */
int pl_state_dir_open(const char *path, const char *older, const PlReporter *reporter,
                      PlStateDir **ret);

/** pl_state_dir_import() - move what is left in the older place; may be killed at any time. Both
 * places must be ours alone. Return: how many files; -errno: the others are where they were. */
int pl_state_dir_import(PlStateDir *d);
/** pl_state_dir_set_engine() - whose containers are saved and pruned from now on. @engine: its
 * identity, copied. */
void pl_state_dir_set_engine(PlStateDir *d, const char *engine);
PlStateDir *pl_state_dir_free(PlStateDir *d);
PL_DEFINE_CLEANUP(PlStateDir *, pl_state_dir_free)

/** pl_state_dir_save() - @durable: it also survives a loss of power, for which the disk has to be
 * waited for. Return: 0, -ENOMEM, -errno; on failure the old file is untouched. */
int pl_state_dir_save(PlStateDir *d, const PlContainerState *s, bool durable);

/** pl_state_dir_load() - Return: 0; -ENOENT none; -EBADMSG broken (reported; set aside as ID.bad);
 * -EOPNOTSUPP of a later version (reported; left alone, and so should be the container). */
int pl_state_dir_load(PlStateDir *d, const char *id, PlContainerState *ret);

/** pl_state_dir_remove() - of its limits alone. Return: 0 (also when there is none), -errno. */
int pl_state_dir_remove(PlStateDir *d, const char *id);

/** pl_state_dir_load_oom() - the kills that an older plimsoll kept by container. Return: owned by
 * the caller; NULL: none, or broken (reported). */
PlOomHistory *pl_state_dir_load_oom(PlStateDir *d, const char *id);

/** pl_state_dir_save_restart() - Return: 0, -ENOMEM, -errno. */
int pl_state_dir_save_restart(PlStateDir *d, const char *id, const PlCourse *c);

/** pl_state_dir_load_restart() - Return: 0; -ENOENT none; -EBADMSG broken (reported), -errno. */
int pl_state_dir_load_restart(PlStateDir *d, const char *id, uint64_t now_usec, PlCourse *ret);

/** pl_state_dir_save_slices() - what slices had before plimsoll; "": nothing, the file goes.
 * Return: 0, -errno. */
int pl_state_dir_save_slices(PlStateDir *d, const char *text);

/** pl_state_dir_load_slices() - Return: 0 with *ret owned by the caller; -ENOENT; -errno. */
int pl_state_dir_load_slices(PlStateDir *d, char **ret);

/** pl_state_dir_forget() - its OOM kills and its restarts. */
void pl_state_dir_forget(PlStateDir *d, const char *id);

/* A broken file that was set aside is kept so long. */
#define PL_STATE_ASIDE_USEC (30 * 24 * PL_USEC_PER_HOUR)

/**
 * pl_state_dir_prune() - remove files of containers of this engine for which keep() says no: it has
 * just said that they are gone. What limits were before stays where the engine is another one, or
 * not known; of OOM kills and restarts only the former. What is broken goes when it is old.
 * @now_usec: CLOCK_REALTIME
 * Return: how many.
 */
unsigned pl_state_dir_prune(PlStateDir *d, uint64_t now_usec,
                            bool (*keep)(void *userdata, const char *id), void *userdata);
