/* SPDX-License-Identifier: Apache-2.0 */

/*
 * plimsollctl: what people and scripts ask plimsolld.
 *
 * A table of commands and one of options; the commands are in ctl-*.c. What it prints for scripts
 * and the exit statuses are a contract, see plimsollctl(1).
 */

#include <errno.h>
#include <getopt.h>
#include <locale.h>

#include "ctl/cli.h"
#include "ctl/own.h"
#include "lib/base/unit.h"

#define CONTROL_PATH "/run/plimsoll/control.sock"

typedef struct Command {
        const char *name, *arguments, *help;
        int min, max; /* how many arguments */
        int (*run)(PlCtl *ctl);
} Command;

static const Command commands[] = {
        { "status", "", "all containers: health, limits, usage", 0, 0, pl_ctl_cmd_status },
        { "show", "NAME", "everything about one container", 1, 1, pl_ctl_cmd_show },
        { "top", "", "status, again and again, with CPU in use", 0, 0, pl_ctl_cmd_top },
        { "events", "", "what happens from now on", 0, 0, pl_ctl_cmd_events },
        { "wait", "NAME", "until it is --for healthy, or --timeout", 1, 1, pl_ctl_cmd_wait },
        { "reload", "", "load the policy again, all of it or nothing", 0, 0, pl_ctl_cmd_reload },
        { "rotate", "NAME", "rotate a container's log now", 1, 1, pl_ctl_cmd_rotate },
        { "check", "[FILE]", "is a policy right? (-v: what was understood)", 0, 1,
          pl_ctl_cmd_check },
        { "import", "FILE", "policy from `docker compose config --format json`", 1, 1,
          pl_ctl_cmd_import },
};

/* With options of their own (--help each), and without a daemon. */
static const struct {
        const char *name, *arguments, *help;
        int (*main)(int argc, char **argv);
} own_commands[] = {
        { "logs", "NAME", "archives and log as one (logs --help)", pl_ctl_logs_main },
        { "adopt-logs", "[NAME...]", "let the engine rotate them itself (adopt-logs --help)",
          pl_ctl_adopt_main },
};

static void print_help(void) {
        (void)puts("plimsollctl [OPTION...] COMMAND [NAME]\n"
                   "Asks plimsolld, which holds containers to their limits.");
        for (size_t i = 0; i < PL_ARRAY_SIZE(commands); i++)
                (void)printf("  %-10s %-9s %s\n", commands[i].name, commands[i].arguments,
                             commands[i].help);
        for (size_t i = 0; i < PL_ARRAY_SIZE(own_commands); i++)
                (void)printf("  %-10s %-9s %s\n", own_commands[i].name, own_commands[i].arguments,
                             own_commands[i].help);
        (void)puts("\n"
                   "  --control PATH   the daemon's socket (" CONTROL_PATH ")\n"
                   "  --json           for scripts: the documents of plimsollctl(1)\n"
                   "  --for STATE      wait: healthy, running, absent ...    (healthy)\n"
                   "  --timeout SPAN   wait: at most so long: 90s, 2min      (60s)\n"
                   "  --interval SPAN  top: time between two looks           (2s)\n"
                   "  -n COUNT         top: so many looks, then end\n"
                   "  --version, --help\n"
                   "\n"
                   "Ends with 0: good, 1: something is unhealthy or out of line, 2: wrong usage,\n"
                   "3: no daemon.  NAME is a container, its id or a service of the policy.");
}

static int usage_error(const char *before, const char *what, const char *after) {
        pl_ctl_say("%s%s%s; plimsollctl --help lists what there is", before, what, after);
        return PL_EXIT_USAGE;
}

enum {
        OPTION_CONTROL = 256,
        OPTION_JSON,
        OPTION_FOR,
        OPTION_TIMEOUT,
        OPTION_INTERVAL,
        OPTION_VERSION,
};

static const struct option options[] = {
        { "control", required_argument, NULL, OPTION_CONTROL },
        { "json", no_argument, NULL, OPTION_JSON },
        { "for", required_argument, NULL, OPTION_FOR },
        { "timeout", required_argument, NULL, OPTION_TIMEOUT },
        { "interval", required_argument, NULL, OPTION_INTERVAL },
        { "iterations", required_argument, NULL, 'n' },
        { "verbose", no_argument, NULL, 'v' },
        { "version", no_argument, NULL, OPTION_VERSION },
        { "help", no_argument, NULL, 'h' },
        {},
};

static int take_span(const char *text, const char *option, uint64_t *ret) {
        if (pl_parse_sec(text, ret) == 0 && *ret > 0)
                return -1;
        pl_ctl_say("%s %s: not a time span; 30s, 5min and 1h are", option, text);
        return PL_EXIT_USAGE;
}

static int take_count(const char *text, unsigned *ret) {
        uint64_t n = 0;

        if (pl_parse_uint64(text, &n) < 0 || n == 0 || n > INT32_MAX)
                return usage_error("-n ", text, ": not a count");
        *ret = (unsigned)n;
        return -1;
}

/* Return: an exit status, or -1 to go on. */
static int take_option(int c, PlCtl *ctl) {
        switch (c) {
        case OPTION_CONTROL:
                ctl->control = optarg;
                return -1;
        case OPTION_JSON:
                ctl->json = true;
                return -1;
        case OPTION_FOR:
                ctl->wait_for = optarg;
                return -1;
        case OPTION_TIMEOUT:
                return take_span(optarg, "--timeout", &ctl->timeout_usec);
        case OPTION_INTERVAL:
                return take_span(optarg, "--interval", &ctl->interval_usec);
        case 'n':
                return take_count(optarg, &ctl->iterations);
        case 'v':
                ctl->verbose = true;
                return -1;
        case OPTION_VERSION:
                (void)puts("plimsollctl " PLIMSOLL_VERSION);
                return PL_EXIT_GOOD;
        case 'h':
                print_help();
                return PL_EXIT_GOOD;
        default: /* getopt has said what is wrong */
                pl_ctl_say("plimsollctl --help lists what there is");
                return PL_EXIT_USAGE;
        }
}

static int run_command(PlCtl *ctl, const Command *command) {
        _cleanup_(pl_ctl_client_freep) PlCtlClient *client = NULL;

        if (ctl->n_arguments < command->min)
                return usage_error("", command->name, " needs a NAME");
        if (ctl->n_arguments > command->max)
                return usage_error("too many arguments for ", command->name, "");
        int r = pl_ctl_client_new(ctl->control, &client);
        if (r < 0)
                return pl_ctl_failed(ctl, r);
        ctl->client = client;
        return command->run(ctl);
}

int main(int argc, char **argv) {
        PlCtl ctl = { .control = CONTROL_PATH,
                      .wait_for = "healthy",
                      .timeout_usec = PL_USEC_PER_MIN,
                      .interval_usec = 2 * PL_USEC_PER_SEC };
        int c;

        (void)setlocale(LC_ALL, "");
        for (size_t i = 0; argc > 1 && i < PL_ARRAY_SIZE(own_commands); i++)
                if (pl_streq(argv[1], own_commands[i].name))
                        return own_commands[i].main(argc - 1, argv + 1);
        while ((c = getopt_long(argc, argv, "hvn:", options, NULL)) >= 0) {
                int status = take_option(c, &ctl);
                if (status >= 0)
                        return status;
        }
        if (optind == argc)
                return usage_error("which command?", "", "");
        const char *name = argv[optind++];
        ctl.arguments = argv + optind;
        ctl.n_arguments = argc - optind;
        for (size_t i = 0; i < PL_ARRAY_SIZE(commands); i++)
                if (pl_streq(commands[i].name, name))
                        return run_command(&ctl, &commands[i]);
        return usage_error("no command \"", name, "\"");
}
