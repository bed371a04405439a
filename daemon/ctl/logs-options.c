/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The command line of plimsollctl logs: every mistake is told with the value that it is in.
 */

#include "ctl/logs-options.h"

#include <getopt.h>

#include "base/clock.h"
#include "lib/base/unit.h"
#include "lib/base/when.h"

static void print_help(void) {
        (void)puts("plimsollctl logs [OPTION...] NAME\n"
                   "Shows a container's archived and live log as one. NAME is a container, also "
                   "one\n"
                   "that is gone, its id, or a service of the policy with one container.\n"
                   "\n"
                   "  --since WHEN, --until WHEN  10m, \"2h ago\", yesterday, \"2026-01-02 "
                   "03:04\", RFC 3339\n"
                   "  -n, --tail N                the last N lines (all)\n"
                   "  -f, --follow                go on with what is written\n"
                   "  -g, --grep RE               lines that match an extended regular expression\n"
                   "  -i, --ignore-case           ... in any case\n"
                   "  --stdout, --stderr          one of the two streams\n"
                   "  -t, --timestamps            when each line was written\n"
                   "  --details                   labels and variables of the logging options\n"
                   "  --json                      the records themselves, a line each\n"
                   "  --archive DIR               where plimsolld keeps archives "
                   "(" PL_CTL_ARCHIVE_PATH ")");
}

enum {
        OPTION_SINCE = 256,
        OPTION_UNTIL,
        OPTION_STDOUT,
        OPTION_STDERR,
        OPTION_DETAILS,
        OPTION_JSON,
        OPTION_ARCHIVE,
};

static const struct option options[] = {
        { "since", required_argument, NULL, OPTION_SINCE },
        { "until", required_argument, NULL, OPTION_UNTIL },
        { "tail", required_argument, NULL, 'n' },
        { "follow", no_argument, NULL, 'f' },
        { "grep", required_argument, NULL, 'g' },
        { "ignore-case", no_argument, NULL, 'i' },
        { "stdout", no_argument, NULL, OPTION_STDOUT },
        { "stderr", no_argument, NULL, OPTION_STDERR },
        { "timestamps", no_argument, NULL, 't' },
        { "details", no_argument, NULL, OPTION_DETAILS },
        { "json", no_argument, NULL, OPTION_JSON },
        { "archive", required_argument, NULL, OPTION_ARCHIVE },
        { "help", no_argument, NULL, 'h' },
        {},
};

static int usage(const char *what, const char *value) {
        pl_ctl_say("logs %s%s; plimsollctl logs --help lists what there is", what, value);
        return PL_EXIT_USAGE;
}

static int take_tail(PlLogsOptions *o, const char *value) {
        if (pl_streq(value, "all"))
                o->tail = UINT64_MAX;
        else if (pl_parse_uint64(value, &o->tail) < 0)
                return usage("--tail: not a number of lines: ", value);
        return -1;
}

/* Return: an exit status, or -1 to go on. */
static int take_option(PlLogsOptions *o, int c, const char **pattern, int *flags) {
        uint64_t now = pl_clock_usec(CLOCK_REALTIME);

        switch (c) {
        case OPTION_SINCE:
                if (pl_when_parse(optarg, now, &o->filter.since_nsec) < 0)
                        return usage("--since: not a time: ", optarg);
                return -1;
        case OPTION_UNTIL:
                if (pl_when_parse(optarg, now, &o->filter.until_nsec) < 0)
                        return usage("--until: not a time: ", optarg);
                return -1;
        case 'n':
                return take_tail(o, optarg);
        case 'f':
                o->follow = true;
                return -1;
        case 'g':
                *pattern = optarg;
                return -1;
        case 'i':
                *flags |= REG_ICASE;
                return -1;
        case OPTION_STDOUT:
                o->only_stdout = true;
                return -1;
        case OPTION_STDERR:
                o->only_stderr = true;
                return -1;
        case 't':
                o->filter.timestamps = true;
                return -1;
        case OPTION_DETAILS:
                o->filter.details = true;
                return -1;
        case OPTION_JSON:
                o->filter.json = true;
                return -1;
        case OPTION_ARCHIVE:
                o->archive = optarg;
                return -1;
        case 'h':
                print_help();
                return PL_EXIT_GOOD;
        default:
                return usage("", "");
        }
}

int pl_ctl_logs_parse(int argc, char **argv, PlLogsOptions *o) {
        const char *pattern = NULL;
        int flags = REG_EXTENDED, c, r;

        optind = 0;
        while ((c = getopt_long(argc, argv, "n:fg:ith", options, NULL)) >= 0) {
                r = take_option(o, c, &pattern, &flags);
                if (r >= 0)
                        return r;
        }
        if (argc - optind != 1)
                return usage("needs one NAME", "");
        o->name = argv[optind];
        o->filter.no_stdout = o->only_stderr && !o->only_stdout;
        o->filter.no_stderr = o->only_stdout && !o->only_stderr;
        if (pattern) {
                char why[128];

                r = regcomp(&o->grep, pattern, flags);
                if (r != 0) {
                        (void)regerror(r, &o->grep, why, sizeof(why));
                        return usage("--grep: ", why);
                }
                o->has_grep = true;
                o->filter.grep = &o->grep;
        }
        return -1;
}
