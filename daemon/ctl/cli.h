/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What plimsollctl's commands share: the command line, the terminal, and how to end.
 */

#include "ctl/client.h"
#include "ctl/commands.h"
#include "lib/base/diag.h"
#include "lib/status/view.h"

/* Exit statuses, a contract with scripts: plimsollctl(1). */
enum {
        PL_EXIT_GOOD = 0,
        PL_EXIT_BAD = 1, /* something is unhealthy or out of line; a request was refused */
        PL_EXIT_USAGE = 2,
        PL_EXIT_NO_DAEMON = 3,
};

/* As plimsolld has them when it was not told otherwise. */
#define PL_CTL_CONTROL_PATH "/run/plimsoll/control.sock"
#define PL_CTL_ARCHIVE_PATH "/var/log/plimsoll"
#define PL_CTL_STATE_PATH   "/var/lib/plimsoll"
#define PL_CTL_POLICY_PATH  "/etc/plimsoll/plimsoll.conf"
#define PL_CTL_ENGINE_URL   "unix:///run/docker.sock"

/* What logs is asked for. */
typedef struct PlCtlLogs {
        uint64_t since_nsec, until_nsec; /* 0, UINT64_MAX: open */
        uint64_t tail;                   /* UINT64_MAX: all */
        const char *grep;                /* NULL: every line */
        const char *path;                /* a file of LogPath=; NULL: a container's log */
        const char *container;           /* of a service the one with this id; NULL: all */
        bool ignore_case, follow, only_stdout, only_stderr, timestamps, details;
} PlCtlLogs;

/* What adopt-logs is asked for. */
typedef struct PlCtlAdopt {
        const char *engine;      /* NULL: the policy's */
        pid_t engine_pid;        /* 0: to be found */
        uint64_t max_size_bytes; /* PL_UNLIMITED: the policy's */
        unsigned max_files;      /* 0: the policy's */
        bool yes, dry_run;
        bool at_start;    /* while the engine does not run, where LogAdopt= says so */
        const char *root; /* of the engine's data, then; NULL: as daemon.json says */
} PlCtlAdopt;

/* The command line; texts are borrowed from argv. */
typedef struct PlCtl {
        const char *control; /* path of the socket */
        bool control_given;  /* on the command line: then it is the one to ask, whoever runs it */
        bool json, verbose, all;
        bool compose;                         /* --compose: the files are compose's own */
        const char *engine;                   /* --engine of import and check; "": the usual one */
        const char *policy, *archive, *state; /* NULL: not given */
        const char *wait_for;                 /* --for */
        uint64_t timeout_usec;                /* --timeout */
        uint64_t interval_usec;               /* --interval */
        unsigned iterations;                  /* --iterations; 0: for ever */
        PlCtlLogs logs;
        PlCtlAdopt adopt;
        char **arguments; /* after the command's name */
        int n_arguments;
        PlCtlClient *client;
} PlCtl;

/* One per command. Return: an exit status. */
#define ROW(name, arguments, function, ...) int pl_ctl_cmd_##function(PlCtl *ctl);
PL_CTL_COMMANDS(ROW)
#undef ROW

/** pl_ctl_say() - "plimsollctl: …" on stderr, one line */
void pl_ctl_say(const char *format, ...) PL_PRINTF(1, 2);

/** pl_ctl_failed() - say why the daemon could not be asked, and what to do. @error: negative errno
 * of the client. Return: the exit status. */
int pl_ctl_failed(const PlCtl *ctl, int error);

/** pl_ctl_refused() - say what an error document says. Return: the exit status. */
int pl_ctl_refused(const json_t *document);

/** pl_ctl_view_options() - the look of stdout, and the time */
PlViewOptions pl_ctl_view_options(void);

/** pl_ctl_print_json() - a document on stdout; over several lines on a terminal */
void pl_ctl_print_json(const json_t *document);
/** pl_ctl_print_json_line() - one of many, on one line everywhere; not flushed */
void pl_ctl_print_json_line(const json_t *document);

/** pl_ctl_logs_path() - a file of LogPath= with its archives, as one, on stdout
 * @archive_dir: beside it; NULL: the default. Return: the exit status. */
int pl_ctl_logs_path(const char *path, const char *archive_dir);

/** pl_ctl_print_diags() - each problem of a policy on stderr, a line each */
void pl_ctl_print_diags(const PlDiagList *diag);
