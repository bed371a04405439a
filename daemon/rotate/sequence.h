/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Log rotate: one log, from whatever a crash left to a shorter log and a complete archive.
 *
 * The sequence, each step durable before the next begins (tried with kill -9 at every point and
 * at random on ext4, XFS and btrfs, under a writer at full speed):
 *
 *   1  roll forward or reset what the state record says
 *   2  pick k, a line end, and a, k aligned down: [a, k) has room for a marker
 *   3  archive [head, k) under a partial name; sync it
 *   4  save `intent`: the commit point; give the archive its name
 *   5  make [a, k) the marker of gen + 1; sync the log
 *   6  free the head: collapse, filler, or hole; sync the log
 *   7  save `clean`
 *
 * Every byte is therefore in the archive or in the log behind head, never in neither, and a reader
 * that goes by state, archives and markers never sees one twice. It blocks on disks and runs on
 * the worker thread; it never logs and never touches the loop's state.
 */

#include <stdatomic.h>

#include "lib/logs/rotate-plan.h"
#include "rotate/archive.h"
#include "rotate/retain.h"
#include "rotate/store.h"

/* What a job works with beside its request; shared by all jobs of one worker. */
typedef struct PlRotateContext {
        PlLogStore *store;
        PlArchiver *archiver;
        const atomic_bool *stop;         /* end early; NULL: never */
        const atomic_uint *engine_epoch; /* counts up when the engine is lost or is another one;
                                          * NULL: that never happens */
        uint64_t now_sec;                /* CLOCK_REALTIME */
        uint64_t behind_sec;             /* what is proven of it is so much less */
        uint64_t look_sec; /* CLOCK_REALTIME: more will be proven then; 0: when it goes on */
} PlRotateContext;

typedef struct PlRotateRequest {
        char id[PL_ID_MAX];
        char *name, *path, *driver;
        char *service;         /* directory name of its archives */
        char *origin, *title;  /* PlIdentity; NULL: what the record says */
        PlRotateFacts facts;   /* driver and probe are filled in by the job */
        unsigned engine_epoch; /* when they were true */
        PlLogOnFull on_full;
        uint64_t max_size_bytes;
        uint64_t budget_bytes;
        bool force;                 /* however small the log is */
        bool last;                  /* pl_log_salvage(): nobody writes to it any more … */
        bool joined;                /* … and it is a copy, made anew by each process */
        uint64_t salvage_max_bytes; /* that one pl_log_salvage() archives, the newest */
        PlLogRules *rules;          /* what is kept of whom; borrowed; NULL: of nobody */
} PlRotateRequest;

typedef struct PlRotateOutcome {
        int error;        /* 0, or why it failed: see pl_log_rotate() */
        const char *step; /* what failed, for people; static; NULL: nothing */
        PlRotateWhy why;
        PlLogMethod method; /* in use; off with its why otherwise */
        unsigned rotations;
        uint64_t lines, raw_bytes, packed_bytes; /* of these rotations */
        uint64_t dropped_bytes; /* freed without an archive, on a full disk and LogOnFull=drop; or
                                 * beyond salvage_max_bytes */
        bool recovered;         /* an interrupted rotation was finished */
        bool full;              /* the disk was full */
        bool shortened;         /* somebody else truncated it, with lines that no archive has */
        bool renewed;           /* the archive directory was not there any more, and was made */
        bool unfreed;           /* what the last archive holds stands in the log still */
        bool later;             /* can be shortened once nobody has it open */
        uint64_t ino, size_bytes, head_bytes; /* of the log afterwards */
        uint64_t held_bytes;                  /* that it takes on disk */
        PlRetained archives;                  /* that are left */
} PlRotateOutcome;

/** pl_log_rotate_retain() - drop what rules and budget do not keep; of req, rules, id and
 * budget_bytes count. @free_bytes: so much besides. Return: archives dropped; -errno. */
int pl_log_rotate_retain(const PlRotateContext *ctx, const PlRotateRequest *req,
                         uint64_t free_bytes, PlRotateOutcome *ret);

/**
 * pl_log_rotate() - do all that one log needs now
 * @ret: always written
 * Return: ret->error: 0; -ENOSPC and nothing could be freed; -ENOENT no log; -ELOOP, -EMEDIUMTYPE,
 *         -EINVAL an odd one; -ECANCELED; -EAGAIN try later; -errno.
 */
int pl_log_rotate(const PlRotateContext *ctx, const PlRotateRequest *req, PlRotateOutcome *ret);

/**
 * pl_log_salvage() - archive what a log has that does not lie at its path any more
 *
 * Its container was removed; or somebody removed or moved it, and the engine goes on writing to it.
 * A file without a name gives back the blocks of what is archived, one that somebody has put
 * elsewhere stays as it is. Killed anywhere it can be called again, by another process, too: the
 * record tells how far it came. With req->last nothing but the end of the process stops it.
 *
 * @fd: of the file, O_PATH: the loop must not open it, because a rotation may have a lease on it
 * @ret: always written
 * Return: as pl_log_rotate().
 */
int pl_log_salvage(const PlRotateContext *ctx, const PlRotateRequest *req, int fd,
                   PlRotateOutcome *ret);
