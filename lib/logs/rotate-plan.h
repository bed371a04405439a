/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Rotate plan: every decision about a log that needs no access to it.
 *
 * Which method suits this engine and file system, where to cut, what to do after a crash, which
 * archives to drop, what to do when the disk is full, when to look again. Pure: measurements in, a
 * decision out.
 *
 * What the methods rest on (tried on Docker 20.10, 26.1 and 28.5 with ext4, XFS and btrfs): from
 * 23.0 on dockerd keeps the write position in its own memory, and any shrinking of the file makes
 * its readers spin or fall silent (moby issue 45728). So a log is never made shorter under a live
 * writer there; its head becomes shared filler.
 *
 * A hole works everywhere for us, but not for the engine's own readers: their decoder gives up at
 * it (from 23 on at once, before that after about 10 MB of NUL bytes), and `docker logs` prints
 * nothing of what follows. So a hole is made only where the policy asks for it.
 */

#include "lib/logs/rotate-state.h"

typedef enum PlLogOnFull {
        PL_LOG_ON_FULL_KEEP, /* default: a critical finding */
        PL_LOG_ON_FULL_DROP,
} PlLogOnFull;

typedef enum PlLogKeep {
        PL_LOG_KEEP_AUTO, /* where there is a LogMaxSize */
        PL_LOG_KEEP_YES,
        PL_LOG_KEEP_NO,
} PlLogKeep;

/* What the policy says about the log that the engine writes. */
typedef struct PlLogPolicy {
        uint64_t max_size_bytes; /* PL_UNLIMITED: no rotation by size */
        uint64_t max_age_usec;   /* archives older than this are dropped; PL_TIME_INFINITY: never */
        unsigned max_files;      /* archives kept; 0: as many as the budget allows */
        PlLogMethod method;
        PlLogOnFull on_full;
        PlLogKeep keep; /* archive what is left of it when its container is removed */
} PlLogPolicy;

bool pl_log_policy_equal(const PlLogPolicy *a, const PlLogPolicy *b);

/** pl_log_keeps() - is what is left of a log archived when its container is removed? */
bool pl_log_keeps(const PlLogPolicy *p);

/**
 * pl_log_keep_bytes() - how much of it at most, the newest: as much as its archives and the log
 *                       could have come to. Where that has no bound, a tenth of the budget.
 * @budget_bytes: LogArchiveBudget=; PL_UNLIMITED
 */
uint64_t pl_log_keep_bytes(const PlLogPolicy *p, uint64_t budget_bytes);

#define PL_ROTATE_COLLAPSE_ENGINES_BELOW 23 /* major version */

/* What a file system was seen to do, on a temporary file beside the log. */
typedef struct PlRotateProbe {
        /* What a method's offsets must be a multiple of, a power of two: the block size, or more
         * for collapse on ext4 with bigalloc. 0: the file system cannot. */
        uint64_t align_bytes[_PL_LOG_METHOD_N];
        uint64_t block_bytes; /* of the file system */
} PlRotateProbe;

typedef struct PlRotateFacts {
        unsigned engine_major; /* 0: unknown now */
        bool podman;
        const char *driver;   /* "json-file"; NULL: unknown */
        bool native_max_size; /* the container has max-size among its log options */
        bool has_path;        /* the engine named a log file */
        bool running;         /* there may be a writer */
        bool low;             /* its file system is below LogPunchBelow=, and that was said */
        PlLogMethod wanted;
        const PlRotateProbe *probe; /* NULL: not probed yet */
} PlRotateFacts;

typedef enum PlRotateWhy {
        PL_ROTATE_WHY_OK,
        PL_ROTATE_WHY_OFF,    /* LogMethod=off */
        PL_ROTATE_WHY_NATIVE, /* max-size: rotated by the engine; never touched */
        PL_ROTATE_WHY_DRIVER, /* local, journald, none, …: nothing here to rotate */
        PL_ROTATE_WHY_PODMAN,
        PL_ROTATE_WHY_NO_FILE,
        PL_ROTATE_WHY_ENGINE_UNKNOWN, /* wait: the method depends on the version */
        PL_ROTATE_WHY_NOT_PROBED,     /* nothing forbids it; probe, then ask again */
        PL_ROTATE_WHY_UNABLE,         /* the file system can do nothing that is safe here */
        PL_ROTATE_WHY_UNSAFE,         /* LogMethod=collapse under a live writer of 23 or later */
        PL_ROTATE_WHY_HOLES,          /* LogMethod=punch: a finding; works, but see its text */
        PL_ROTATE_WHY_SPARED,         /* auto, and only a hole is possible */
        PL_ROTATE_WHY_HOLED, /* the same, and the log has a hole already; set by whoever sees it */
        PL_ROTATE_WHY_LOW,   /* auto, and a hole all the same: the file system is nearly full */
        _PL_ROTATE_WHY_N,
} PlRotateWhy;

typedef struct PlRotateChoice {
        PlLogMethod method; /* reflink, collapse, punch, or off */
        PlRotateWhy why;
        uint64_t align_bytes;
} PlRotateChoice;

/** pl_rotate_choose() - the method for one log. Cannot fail. */
PlRotateChoice pl_rotate_choose(const PlRotateFacts *f);

typedef struct PlRotateWhyInfo {
        const char *text; /* one line for people, with the remedy where there is one */
        bool finding;     /* the operator should act on it */
} PlRotateWhyInfo;

/** pl_rotate_why_info() - Return: never NULL. */
const PlRotateWhyInfo *pl_rotate_why_info(PlRotateWhy w);

/** pl_rotate_is_low() - is less of a file system free than a policy wants to keep?
 * @free_bytes, @total_bytes: for those who are not root; a total of 0 is not known
 * @percent: 0: never */
bool pl_rotate_is_low(uint64_t free_bytes, uint64_t total_bytes, unsigned percent);

/** pl_rotate_look_at() - how large a log that is left to grow may get before its file system is
 * looked at again: by half of what is left until that is low, and no less than LogMaxSize */
uint64_t pl_rotate_look_at(uint64_t size_bytes, uint64_t max_size_bytes, uint64_t free_bytes,
                           uint64_t total_bytes, unsigned percent);

/**
 * pl_rotate_keep() - how much of the log to leave for `docker logs`
 * @live_bytes: size - head
 * @max_size_bytes: LogMaxSize; PL_UNLIMITED when rotated by hand
 */
uint64_t pl_rotate_keep(uint64_t live_bytes, uint64_t max_size_bytes);

/**
 * pl_rotate_mark_at() - where the marker that ends at k begins: the last multiple of align_bytes
 *                       with room for it
 * Return: 0; -ENODATA: none has.
 */
int pl_rotate_mark_at(uint64_t k, uint64_t align_bytes, uint64_t *ret_a);

/**
 * pl_rotate_place() - the same for a rotation that is to begin: is there anything to free?
 * @k: the cut: a line end
 * @align_bytes: what a must be a multiple of
 * Return: 0; -ENODATA when there would be no whole block to free.
 */
int pl_rotate_place(const PlRotateState *s, PlLogMethod method, uint64_t k, uint64_t align_bytes,
                    uint64_t *ret_a);

/** pl_rotate_free_from() - where the range to clone or punch begins. */
uint64_t pl_rotate_free_from(const PlRotateState *s, uint64_t align_bytes);

/* What the log looks like at the start of a job. */
typedef struct PlRotateSeen {
        uint64_t dev, ino, size;
        uint64_t gen_at_zero, gen_at_mark, gen_at_a; /* of the markers there; 0: none */
        uint64_t print; /* of the bytes at head, or before it: pl_log_file_print(); 0: none */
} PlRotateSeen;

typedef enum PlRotateRecovery {
        PL_ROTATE_GO_ON,  /* the state is true */
        PL_ROTATE_RESET,  /* another file, or somebody truncated it: look for its head anew */
        PL_ROTATE_REDO,   /* mark and free again: nothing is lost by doing so twice */
        PL_ROTATE_FINISH, /* the head is gone already: only the state is behind */
} PlRotateRecovery;

/** pl_rotate_recover() - what to do first. For an intent the archive counts in any case. */
PlRotateRecovery pl_rotate_recover(const PlRotateState *s, const PlRotateSeen *seen);

/** pl_rotate_advance() - a finished rotation: clean, gen + 1, head and mark where they are now. */
void pl_rotate_advance(PlRotateState *s);

/** pl_rotate_reset() - forget offsets: the file is new or was truncated. The archive of an intent
 * still counts. */
void pl_rotate_reset(PlRotateState *s, uint64_t dev, uint64_t ino);

/* --- retention ---------------------------------------------------------------------------------
 */

typedef enum PlRetainDrop {
        PL_RETAIN_KEEP,
        PL_RETAIN_DROP_COUNT,
        PL_RETAIN_DROP_AGE,
        PL_RETAIN_DROP_GONE, /* nothing else would ever end them */
        PL_RETAIN_DROP_BUDGET,
        PL_RETAIN_DROP_SPACE, /* the disk is full */
} PlRetainDrop;

typedef struct PlRetainRule {
        unsigned max_files;    /* 0: any number */
        uint64_t max_age_usec; /* PL_TIME_INFINITY: for ever */
} PlRetainRule;

typedef struct PlRetainEntry {
        const char *group;        /* service and container name: what max_files counts */
        const PlRetainRule *rule; /* NULL: of no service that is known now: only the budget holds */
        uint64_t gen, to_sec, bytes;
        const char *id;    /* of its container; generations count within it */
        bool holder;       /* which has the group's name now: the newest of the group */
        bool gone;         /* no container of the group is there any more: proven */
        PlRetainDrop drop; /* the answer */
        void *userdata;
        /* worked out: where it stands in its group, and the time that it counts as being from */
        uint64_t order, at_sec;
} PlRetainEntry;

/* A group whose containers are all gone, and that no age ends, ends so long after its last archive.
 */
#define PL_RETAIN_GONE_USEC (30 * PL_USEC_PER_DAY)

/**
 * pl_retain_plan() - mark what has to go: by count, then by age, then the oldest of whichever group
 *                    has the most, until the rest is within the budget and free_bytes more have
 *                    been freed
 *
 * A container's archives are ordered by their generation: clocks step. A time that is later than
 * now, or earlier than that of an archive before it, is wrong, and does not make an archive older
 * than those before it or newer than those after it.
 *
 * @entries: sorted on return: oldest first
 * @budget_bytes: of all archives together; PL_UNLIMITED: none
 * @free_bytes: so much has to go in any case (a full disk); 0: nothing
 * @ret_next_sec: when the next archive will be too old; PL_TIME_INFINITY: never
 * Return: bytes that stay.
 */
uint64_t pl_retain_plan(PlRetainEntry *entries, size_t n, uint64_t budget_bytes,
                        uint64_t free_bytes, uint64_t now_sec, uint64_t *ret_next_sec);

/* --- a full disk -------------------------------------------------------------------------------
 */

typedef enum PlRotateFull {
        PL_ROTATE_FULL_CUT,       /* commit what fits, free it, go on */
        PL_ROTATE_FULL_MAKE_ROOM, /* drop the oldest archives, try again */
        PL_ROTATE_FULL_DROP,      /* free the head without an archive: the policy says so */
        PL_ROTATE_FULL_GIVE_UP,   /* a critical finding */
} PlRotateFull;

/** pl_rotate_full() - the archive could not be written for want of space
 * @written_bytes: of the log, in whole frames that are in the archive so far
 * @n_archives: that could be dropped */
PlRotateFull pl_rotate_full(uint64_t written_bytes, size_t n_archives, PlLogOnFull on_full);

/* --- watching ----------------------------------------------------------------------------------
 */

#define PL_ROTATE_LOOK_MIN_USEC (250 * PL_USEC_PER_MSEC)
#define PL_ROTATE_LOOK_MAX_USEC (4 * PL_USEC_PER_SEC)

/**
 * pl_rotate_look_again() - how long to ignore a log that is being written
 * @room_bytes: until LogMaxSize; @grown_bytes: during the last pause
 *
 * A writer at full speed makes an inotify event per line; after one, the watch is removed for this
 * long. An idle log costs nothing.
 */
uint64_t pl_rotate_look_again(uint64_t room_bytes, uint64_t grown_bytes, uint64_t last_usec);
