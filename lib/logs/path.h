/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Log paths: which files LogPath= matches, and what to do with each.
 *
 * A LogPath= is a path inside the container; plimsoll works on the host, below the source of the
 * mount that the path lies in and never outside of it. The container chooses the names below a
 * mount: they are compared, never trusted. Pure: the files are listed, opened and changed by
 * daemon/logs/path.
 *
 * Globs are those of glob(7), one component at a time: "*" and "?" match no slash and no leading
 * dot. A component "**" stands for any number of directories, none included, but no hidden ones.
 */

#include "lib/docker/container.h"

/* A file modified within this time counts as still in use, whoever has it open. */
#define PL_LOGPATH_QUIET_USEC (5 * PL_USEC_PER_MIN)
/* An empty folder untouched for this long will hold no new log. */
#define PL_LOGPATH_FOLDER_USEC PL_USEC_PER_DAY
#define PL_LOGPATH_PARTS_MAX   32
#define PL_LOGPATH_STAMP_MAX   18 /* ".20261124T015300Z" and the NUL */
#define PL_LOGPATH_ARCHIVE     ".zst"
#define PL_LOGPATH_PARTIAL     ".plimsoll-tmp" /* after .zst, until the archive is complete */
/* LogPathArchive=, when it is not given: beside each log, so that no glob of a log's name in its
 * directory, as programs have them that read their logs again, matches its archives. */
#define PL_LOGPATH_ARCHIVE_DIR ".plimsoll"

#define PL_LOGPATH_ARCHIVE_DIR_MAX 100 /* of its name */

/* What the policy says about the files of LogPath=. */
typedef struct PlLogpathPolicy {
        char **globs;                 /* LogPath=; NULL terminated or NULL */
        uint64_t max_size_bytes;      /* LogPathMaxSize=; PL_UNLIMITED: none */
        uint64_t max_age_usec;        /* LogPathMaxAge=; PL_TIME_INFINITY: none */
        unsigned max_files;           /* LogPathMaxFiles=; 0: any number */
        uint64_t compress_after_usec; /* LogPathCompressAfter=; PL_TIME_INFINITY: never */
        int reopen_signal;            /* LogReopen=; 0: none, copy-truncate (documented as lossy) */
        char *archive_dir;            /* LogPathArchive=; NULL: PL_LOGPATH_ARCHIVE_DIR */
} PlLogpathPolicy;

/* Where a walk stands in a glob: a bit for each part that may come next, bit n: a match. */
typedef uint64_t PlLogpathState;

typedef struct PlLogpathGlob {
        char *text; /* what the parts point into */
        const char *parts[PL_LOGPATH_PARTS_MAX];
        size_t n;
        PlLogpathState begin; /* of a walk: at the mount */
} PlLogpathGlob;

void pl_logpath_glob_deinit(PlLogpathGlob *g);

/**
 * pl_logpath_resolve() - where in which mount
 * @path: of LogPath=, inside the container
 * @ret_mount: index; the longest destination that holds the path
 * @ret: the rest of the path; deinit
 * @reterr_text: why not, for people; caller owns it; NULL when out of memory
 * Return: 0; -ENOENT: in no mount; -EOPNOTSUPP: in a mount that has no directory on the host;
 *         -EISDIR: the mount itself; -EINVAL: no such path can be; -ENOMEM.
 */
int pl_logpath_resolve(const PlMount *mounts, size_t n, const char *path, size_t *ret_mount,
                       PlLogpathGlob *ret, char **reterr_text);

/** pl_logpath_step() - one name further. @ret_literal: set to true when a part without wildcards
 * matched, otherwise untouched; may be NULL. Return: 0: nothing can match from here on. */
PlLogpathState pl_logpath_step(const PlLogpathGlob *g, PlLogpathState s, const char *name,
                               bool *ret_literal);

static inline bool pl_logpath_matches(const PlLogpathGlob *g, PlLogpathState s) {
        return s >> g->n & 1;
}

/* Can something in this directory match? */
static inline bool pl_logpath_descends(const PlLogpathGlob *g, PlLogpathState s) {
        return s & ((UINT64_C(1) << g->n) - 1);
}

/* By its name's end alone. */
typedef enum PlLogpathKind {
        PL_LOGPATH_LOG,
        PL_LOGPATH_RENAMED, /* NAME.20261124T015300Z: by LogReopen= */
        PL_LOGPATH_PACKED,  /* NAME.zst, NAME.20261124T015300Z.zst, and others' .gz and the like */
        PL_LOGPATH_PARTIALLY_PACKED, /* left by a crash, or a full disk */
} PlLogpathKind;

/** pl_logpath_kind() - @ret_base: length of the name of the log it comes from. */
PlLogpathKind pl_logpath_kind(const char *name, size_t *ret_base);

/** pl_logpath_stamp() - ".20261124T015300Z", UTC. @usec: CLOCK_REALTIME */
const char *pl_logpath_stamp(uint64_t usec, char buf[PL_LOGPATH_STAMP_MAX]);

typedef enum PlLogpathAction {
        PL_LOGPATH_KEEP,
        PL_LOGPATH_COMPRESS,
        PL_LOGPATH_DELETE,
        PL_LOGPATH_DELETE_PARTIAL,
        PL_LOGPATH_REOPEN,   /* rename it, then tell the container */
        PL_LOGPATH_SIGNAL,   /* it is renamed, and still written: tell the container again */
        PL_LOGPATH_TRUNCATE, /* copy, then truncate: what is written in between is lost */
        _PL_LOGPATH_ACTION_N,
} PlLogpathAction;

typedef struct PlLogpathFile {
        PlLogpathKind kind;
        uint64_t size_bytes, mtime_usec; /* CLOCK_REALTIME */
        bool open;                       /* somebody has it open for writing */
        PlLogpathAction action;          /* out */
        void *userdata;
} PlLogpathFile;

/**
 * pl_logpath_plan() - decide on all files of one mount
 * @files: are sorted, the newest first; action is filled in
 * @now_usec: CLOCK_REALTIME
 * @proven_usec: what is proven of it: nothing is older than that says
 */
void pl_logpath_plan(PlLogpathFile *files, size_t n, const PlLogpathPolicy *policy,
                     uint64_t now_usec, uint64_t proven_usec);

typedef struct PlLogpathFolder {
        bool literal;           /* a LogPath= names it without a wildcard */
        uint64_t entries, gone; /* what it held, and how much of that was removed since */
        uint64_t mtime_usec;    /* before that */
        bool archive;           /* LogPathArchive= */
} PlLogpathFolder;

/** pl_logpath_folder_goes() - is it empty, and dated, and no longer of use? One for archives goes
 * whenever it is empty, so that it does not keep the other one. */
bool pl_logpath_folder_goes(const PlLogpathFolder *f, const PlLogpathPolicy *policy,
                            uint64_t proven_usec);
