/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Adoption: give existing containers the engine's own log rotation.
 *
 * The API has no request for it, so plimsollctl stops the engine under frozen containers, rewrites
 * their hostconfig.json and starts it again (live-restore keeps them running). This file decides:
 * which containers to adopt, when to refuse, what to write into the files, what to record
 * meanwhile, and how to recover from an accident. Pure: it stops nothing.
 */

#include "lib/base/macro.h"
#include "lib/docker/container.h"
#include "lib/policy/document.h"

/* ---- whom ---- */

typedef struct PlAdoptSizes {
        uint64_t max_size_bytes; /* PL_UNLIMITED: nobody has asked for one */
        unsigned max_files;      /* 0: nobody has asked for one */
} PlAdoptSizes;

/* For containers that come later, where neither the command line nor [Defaults] says anything. */
#define PL_ADOPT_SIZE_BYTES MIB(10)
/* Docker's own default is 1: then a full log is truncated, and all of it is lost. */
#define PL_ADOPT_FILES 3U

typedef enum PlAdoptWhy {
        PL_ADOPT_OK,
        PL_ADOPT_NATIVE,   /* has max-size: nothing to do */
        PL_ADOPT_DRIVER,   /* local, journald …: no json-file to rotate */
        PL_ADOPT_NO_SIZE,  /* neither LogMaxSize nor --max-size */
        PL_ADOPT_REMOVING, /* on its way out */
        _PL_ADOPT_WHY_N,
} PlAdoptWhy;

/** pl_adopt_sizes() - what a container's log may take
 * @given:   from the command line; it wins
 * @service: the section that governs it; NULL: none
 * Cannot fail; what nobody says stays PL_UNLIMITED, and max_files then becomes PL_ADOPT_FILES. */
PlAdoptSizes pl_adopt_sizes(const PlAdoptSizes *given, const PlService *service);

/** pl_adopt_choose() - may this container be adopted? */
PlAdoptWhy pl_adopt_choose(const PlContainer *c, const PlAdoptSizes *sizes);

/** pl_adopt_why_to_string() - one clause for people */
const char *pl_adopt_why_to_string(PlAdoptWhy w);

/* ---- whether ---- */

typedef enum PlAdoptRunner {
        PL_ADOPT_RUNNER_UNKNOWN,
        PL_ADOPT_RUNNER_SYSTEMD, /* a unit */
        PL_ADOPT_RUNNER_PROCESS, /* a pid that the operator gave */
} PlAdoptRunner;

/* What dockerd's own command line settles. */
typedef struct PlAdoptFlags {
        const char *config_file;            /* borrowed; NULL: the default place */
        bool live_restore, no_live_restore; /* --live-restore, --live-restore=false */
        bool log_opts;                      /* --log-opt */
} PlAdoptFlags;

/** pl_adopt_flags() - @cmdline: of /proc/PID/cmdline: arguments, each ended by a NUL */
PlAdoptFlags pl_adopt_flags(const char *cmdline, size_t size);

typedef struct PlAdoptFacts {
        bool root;           /* we may do everything */
        const char *version; /* "20.10.24+dfsg1" */
        bool podman, rootless, swarm;
        PlAdoptRunner runner;
        bool kill_mode_process; /* the unit's KillMode= leaves containers alone */
        bool restores;          /* stopping it stops no other unit */
        bool same_files;        /* its data root is ours, too */
        bool inside;            /* we run in one of its containers */
        PlAdoptFlags flags;
} PlAdoptFacts;

typedef enum PlAdoptRefusal {
        PL_ADOPT_REFUSE_NOT, /* go ahead */
        PL_ADOPT_REFUSE_ROOT,
        PL_ADOPT_REFUSE_PODMAN,
        PL_ADOPT_REFUSE_VERSION,
        PL_ADOPT_REFUSE_ROOTLESS,
        PL_ADOPT_REFUSE_SWARM,
        PL_ADOPT_REFUSE_INSIDE,
        PL_ADOPT_REFUSE_RUNNER,
        PL_ADOPT_REFUSE_KILL_MODE,
        PL_ADOPT_REFUSE_DEPENDENTS,
        PL_ADOPT_REFUSE_FILES,
        PL_ADOPT_REFUSE_FLAG,
        _PL_ADOPT_REFUSE_N,
} PlAdoptRefusal;

/** pl_adopt_check() - the first reason to refuse */
PlAdoptRefusal pl_adopt_check(const PlAdoptFacts *f);

typedef struct PlAdoptRefusalInfo {
        bool (*holds)(const PlAdoptFacts *f);
        const char *text, *remedy; /* what is wrong, and what helps; NULL: go ahead */
} PlAdoptRefusalInfo;

/** pl_adopt_refusal_info() - Return: never NULL. */
const PlAdoptRefusalInfo *pl_adopt_refusal_info(PlAdoptRefusal r);

/* ---- what to write into the files ---- */

/**
 * pl_adopt_hostconfig() - hostconfig.json with max-size and max-file
 * Everything else is kept, an own max-file too. Sizes are written in bytes, because Docker reads
 * "10m" base 1000.
 * @ret: NUL terminated, owned by the caller
 * Return: 0; -EALREADY: it has max-size; -EINVAL: another driver; -EBADMSG: not a hostconfig;
 *         -ENOMEM.
 */
int pl_adopt_hostconfig(const char *text, size_t size, const PlAdoptSizes *sizes, char **ret);

/**
 * pl_adopt_daemon_json() - daemon.json with live-restore, and log-opts for containers to come
 * Everything else is kept; so are log-opts that have a max-size. What is a flag on the command line
 * is left out of the file: dockerd refuses to start when both name the same option.
 * @text: "" when there is no such file
 * @defaults: NULL: live-restore alone
 * @driver: the engine's default log driver; only json-file and local have these options
 * @ret: NUL terminated, owned by the caller; NULL when nothing has to change
 * Return: 0; -EBADMSG: not a JSON object, or members of a wrong type; -ENOMEM.
 */
int pl_adopt_daemon_json(const char *text, size_t size, const PlAdoptFlags *flags,
                         const PlAdoptSizes *defaults, const char *driver, char **ret);

/** pl_adopt_backup_name() - path of daemon.json as it was; @now_sec: since 1970. NULL: no memory.
 */
char *pl_adopt_backup_name(const char *path, uint64_t now_sec);

/* ---- the record ---- */

typedef enum PlAdoptPhase {
        PL_ADOPT_PLANNED,    /* nothing changed yet, or daemon.json just now */
        PL_ADOPT_CONFIGURED, /* live-restore is in force */
        PL_ADOPT_FROZEN,     /* all containers are, and their logs are at rest */
        PL_ADOPT_STOPPING,   /* the engine was told to end */
        PL_ADOPT_STOPPED,
        PL_ADOPT_REWRITTEN, /* every hostconfig.json; from here on there is only the way forward */
        PL_ADOPT_STARTED,
        PL_ADOPT_THAWED,
        PL_ADOPT_UNDOING, /* files are being put back */
        _PL_ADOPT_PHASE_N,
} PlAdoptPhase;

const char *pl_adopt_phase_to_string(PlAdoptPhase p);

typedef struct PlAdoptItem {
        char id[PL_ID_MAX];
        char *name;
        bool adopt;            /* false: only frozen meanwhile, so that it loses no line */
        pid_t pid;             /* 0: not running */
        uint64_t started_usec; /* with pid: is it still the same run? */
        char *freezer;         /* the control file that freezes it; "": not frozen by us */
        PlAdoptSizes sizes;
} PlAdoptItem;

typedef struct PlAdoptJournal {
        PlAdoptPhase phase;
        char *boot_id; /* frozen containers do not survive a boot */
        char *socket;  /* of the engine */
        char *data_root;
        char *config;        /* daemon.json */
        char *config_backup; /* ""; when not empty, config was replaced, or is about to be */
        bool config_existed;
        char *unit, *triggers; /* systemd's; sockets, separated by spaces; "": a process */
        char *cwd, *netns;     /* of the process; "": ours */
        PlAdoptItem *items;
        size_t n_items;
} PlAdoptJournal;

void pl_adopt_journal_deinit(PlAdoptJournal *j);

/** pl_adopt_journal_add() - room for one more item, zeroed; NULL: out of memory */
PlAdoptItem *pl_adopt_journal_add(PlAdoptJournal *j);

/** pl_adopt_journal_encode() - @ret: owned by the caller. Return: 0, -ENOMEM. */
int pl_adopt_journal_encode(const PlAdoptJournal *j, char **ret);

/** pl_adopt_journal_decode() - Return: 0; -EBADMSG when encode did not write all of it: nobody acts
 * on a record that is not understood; -ENOMEM. */
int pl_adopt_journal_decode(const char *text, size_t size, PlAdoptJournal *ret);

typedef enum PlAdoptRecovery {
        PL_ADOPT_FORGET,  /* nothing to undo: the host was booted, and its engine runs */
        PL_ADOPT_RELEASE, /* the engine was never stopped: daemon.json back, thaw */
        PL_ADOPT_UNDO,    /* stop it, all files back, start it, thaw */
        PL_ADOPT_FINISH,  /* start it, thaw, verify */
} PlAdoptRecovery;

/** pl_adopt_recover() - how to recover from an accident
 * @same_boot: j->boot_id is this boot's
 * @answers: the engine does */
PlAdoptRecovery pl_adopt_recover(PlAdoptPhase phase, bool same_boot, bool answers);
