/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Log path: retention, compression and rotation of the log files that lie below one mount.
 *
 * The directory is the container's, which may change it at any moment and mean no good. So every
 * name is resolved beneath the mount's source a component at a time, through no symbolic link and
 * no other mount; only regular files with one name on the same file system are opened; and what is
 * to be removed or replaced is checked once more before that. It blocks on disks and runs on a
 * worker thread; it never logs.
 *
 * Killed anywhere, it leaves a file or its complete archive, at worst both, and a partial one that
 * the next pass removes.
 */

#include <pthread.h>

#include "lib/logs/path.h"
#include "rotate/sequence.h"

/* Names that one pass looks at. */
#define PL_LOG_PATH_NAMES_MAX 100000

/*
 * What one container may take of the thread that works for all of them, in one turn; what is left
 * waits for its next one. A file ends when it is through, and a large one, with more data than a
 * turn has, is not begun at all: it is for a thread of its own, that has nothing else to do.
 */
typedef struct PlLogPathTurn {
        uint64_t max_bytes; /* of data; 0: any number, and large files are archived */
        uint64_t max_usec;
        uint64_t file_usec; /* the longest that one file may take */
} PlLogPathTurn;

#define PL_LOG_PATH_TURN                                                           \
        {                                                                          \
                .max_bytes = MIB(256), .max_usec = UINT64_C(30) * PL_USEC_PER_SEC, \
                .file_usec = UINT64_C(2) * PL_USEC_PER_MIN                         \
        }
#define PL_LOG_PATH_LARGE_TURN \
        { .max_usec = UINT64_C(30) * PL_USEC_PER_SEC, .file_usec = PL_USEC_PER_HOUR }

typedef struct PlLogPathRequest {
        char *source; /* of the mount, on the host */
        PlLogpathGlob *globs;
        size_t n_globs;
        PlLogpathPolicy policy; /* its strings are not looked at */
        char *archive_dir;      /* beside each log */
        PlLogPathTurn turn;
        pthread_mutex_t *removing; /* of all threads that work at a time; NULL: there is one */
        bool dry_run;
} PlLogPathRequest;

void pl_log_path_request_deinit(PlLogPathRequest *r);

/* Errors of one pass that are told one by one. */
#define PL_LOG_PATH_ERRORS_MAX 4

typedef struct PlLogPathError {
        int error;
        const char *step; /* what failed, for people; static */
        char *path;       /* on what, below the source; as the container named it */
} PlLogPathError;

typedef struct PlLogPathOutcome {
        uint64_t n[_PL_LOGPATH_ACTION_N]; /* files by what was done; in a dry run: would be */
        uint64_t folders;                 /* removed */
        uint64_t deleted_bytes, raw_bytes, packed_bytes;
        uint64_t lost_bytes; /* written between copying and truncating */
        uint64_t hole_bytes; /* nobody ever wrote these, and no archive has them */
        uint64_t n_large;    /* left for a turn that takes large files */
        bool unfinished;     /* the turn was over: there is more to do */
        bool too_many;       /* more names than PL_LOG_PATH_NAMES_MAX: the rest was not looked at */
        int error;           /* the first one; 0: none */
        PlLogPathError errors[PL_LOG_PATH_ERRORS_MAX];
        uint64_t n_errors; /* all of them */
} PlLogPathOutcome;

void pl_log_path_outcome_deinit(PlLogPathOutcome *o);

/**
 * pl_log_path_run() - one pass over one mount
 * @proc: "/proc", for who has a file open
 * @ret: always written; deinit
 * Return: ret->error: 0; -ELOOP a symbolic link in the path of the source; -ENOSPC; -ECANCELED;
 *         -errno. Files that vanish or change meanwhile are no error.
 */
int pl_log_path_run(const PlRotateContext *ctx, const PlLogPathRequest *req, const char *proc,
                    PlLogPathOutcome *ret);
