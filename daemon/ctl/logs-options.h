/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What plimsollctl logs is asked for.
 */

#include "ctl/cli.h"
#include "lib/logs/line.h"

typedef struct PlLogsOptions {
        const char *archive, *name; /* borrowed from the arguments */
        PlLogFilter filter;
        regex_t grep; /* to be freed if has_grep */
        bool has_grep, follow, only_stdout, only_stderr;
        uint64_t tail; /* UINT64_MAX: all */
} PlLogsOptions;

#define PL_LOGS_OPTIONS_INIT \
        { .archive = PL_CTL_ARCHIVE_PATH, .filter.until_nsec = UINT64_MAX, .tail = UINT64_MAX }

/** pl_ctl_logs_parse() - @argv: from the word "logs" on; borrowed for as long as ret is used
 * Return: -1 to go on; or an exit status, after --help or a mistake, which was told. */
int pl_ctl_logs_parse(int argc, char **argv, PlLogsOptions *ret);
