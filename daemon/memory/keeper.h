/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Keeper: what happens to containers, kept for their services. It outlives the containers,
 * plimsolld and the machine's boots.
 *
 * Of each service it holds little in memory; the rest is read when it is asked for, or to be
 * written. What happens to a service that was quiet is written when the loop has nothing more
 * urgent to do; what follows, a second after that; and of all services together ten a second, for
 * each write waits for the disk (lib/evidence/pace). So a kill -9 loses the last second of a
 * service that is busy, and what has happened to a thousand services at once takes 100 s to be
 * safe, OOM kills first. A stop writes all of it.
 */

#include "cgroup/read.h"
#include "lib/evidence/pinch.h"
#include "lib/oom/oomd.h"
#include "memory/store.h"
#include "registry/containers.h"

/* At most so many services, and whose file was not changed for so long is forgotten. */
#define PL_KEEPER_SERVICES 1000

typedef struct PlKeeper PlKeeper;

typedef struct PlKeeperHandlers {
        /* what it uses now */
        void (*usage)(void *userdata, const PlSubject *s, PlUsage *ret);
        /* the limits in force that may hold it back; the counters are the keeper's */
        void (*bounds)(void *userdata, const PlSubject *s, PlPinchReading *ret);
        /* the limits in force and who has set them, in words; usec is the keeper's */
        void (*limits)(void *userdata, const PlSubject *s, PlMemoryLimits *ret);
} PlKeeperHandlers;

/** pl_keeper_new() - @registry, @handlers: borrowed, must outlive it. Return: 0, -ENOMEM, -errno
 * (reported). */
int pl_keeper_new(PlRegistry *registry, const char *state_dir, const PlKeeperHandlers *handlers,
                  void *userdata, PlKeeper **ret);
/* Writes what is not written yet; returns NULL. */
PlKeeper *pl_keeper_free(PlKeeper *k);

/** pl_keeper_seen() - its facts, or its section, are new. */
void pl_keeper_seen(PlKeeper *k, const PlSubject *s);

/** pl_keeper_removed() - the container is gone; its service stays. */
void pl_keeper_removed(PlKeeper *k, const PlSubject *s);

/** pl_keeper_ended() - a run of it has ended: why, once for each, in the journal. @words: the end
 * of its log, printable; @reason: of our own restart; NULL: nothing. @traces: what others have
 * written of it. */
void pl_keeper_ended(PlKeeper *k, const PlSubject *s, const PlEnding *ending, const char *words,
                     const char *reason, const PlOomTraces *traces);

/** pl_keeper_engine_lost() - the engine has gone just now. */
void pl_keeper_engine_lost(PlKeeper *k);

/** pl_keeper_recall_kills() - Return: whether there were any. */
bool pl_keeper_recall_kills(PlKeeper *k, const PlSubject *s, PlOomHistory *ret);
void pl_keeper_remember_kills(PlKeeper *k, const PlSubject *s, const PlOomHistory *h);

/** pl_keeper_n_kills() - of its service, ever. */
uint64_t pl_keeper_n_kills(const PlKeeper *k, const PlSubject *s);

/** pl_keeper_restarts() - when plimsolld restarted the container that it took the place of, and it
 * itself, the last one first: CLOCK_REALTIME, at most @max of them. Return: how many. */
size_t pl_keeper_restarts(PlKeeper *k, const PlSubject *s, uint64_t *ret, size_t max);

/** pl_keeper_pinch() - a limit that holds a container back now, and what would be enough. Return:
 * borrowed until the loop goes on; NULL: it does not. */
const char *pl_keeper_pinch(const PlKeeper *k, const PlSubject *s, PlPinchKind which);

/** pl_keeper_entry() - of the reporter: restarts and states of health. */
void pl_keeper_entry(PlKeeper *k, const PlEntry *entry);

/** pl_keeper_sweep() - once a minute or so. @max_age_usec: of what is not seen any more. */
void pl_keeper_sweep(PlKeeper *k, uint64_t max_age_usec);

/** pl_keeper_get() - what is known of a container's service. Return: 0; -ENOENT: not to be had. */
int pl_keeper_get(PlKeeper *k, const PlSubject *s, PlMemory *ret);

/** pl_keeper_find() - … by any of its names, also when it has no container: title ("shop/web"),
 * key, section, or the name of its last container; the one seen last where there are several.
 * Return: as pl_keeper_get(). */
int pl_keeper_find(PlKeeper *k, const char *name, PlMemory *ret);
