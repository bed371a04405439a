/* SPDX-License-Identifier: Apache-2.0 */

/*
 * plimsolld: options, signals and the event loop around the manager.
 *
 * Exit statuses follow sysexits.h, as systemd.exec(5) knows them: 0, 64 usage, 71 the system
 * refuses, 77 not permitted, 78 the policy is wrong.
 */

#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

#include "base/journal.h"
#include "manager.h"
#include "policy-load.h"

#define DEFAULT_POLICY  "/etc/plimsoll/plimsoll.conf"
#define DEFAULT_CONTROL "/run/plimsoll/control.sock"
#define DEFAULT_STATE   "/run/plimsoll"
#define DEFAULT_ARCHIVE "/var/log/plimsoll"

typedef struct Arguments {
        PlManagerOptions manager;
        bool check, verbose;
} Arguments;

static void help(void) {
        printf("plimsolld [OPTION...]\n\n"
               "Hold the containers of a Docker engine to the load lines of a policy.\n\n"
               "      --policy FILE    policy to load (" DEFAULT_POLICY ")\n"
               "      --engine URL     engine to supervise, overrides Engine= of the policy\n"
               "      --control PATH   control socket (" DEFAULT_CONTROL ")\n"
               "      --state DIR      what must survive a crash (" DEFAULT_STATE ")\n"
               "      --archive DIR    archives of rotated logs (" DEFAULT_ARCHIVE ")\n"
               "      --check          check the policy and exit: 0 good, 78 wrong\n"
               "      --dry-run        change nothing, say what would be changed\n"
               "  -v, --verbose        say more\n"
               "  -h, --help           show this help\n"
               "      --version        show the version\n\n"
               "SIGHUP reloads the policy, all or nothing. SIGTERM stops; containers go on.\n"
               "See plimsolld(8), plimsoll.conf(5), plimsollctl(1).\n");
}

enum {
        OPT_POLICY = 256,
        OPT_ENGINE,
        OPT_CONTROL,
        OPT_STATE,
        OPT_ARCHIVE,
        OPT_CHECK,
        OPT_DRY_RUN,
        OPT_VERSION
};

static const struct option options[] = {
        { "policy", required_argument, NULL, OPT_POLICY },
        { "engine", required_argument, NULL, OPT_ENGINE },
        { "control", required_argument, NULL, OPT_CONTROL },
        { "state", required_argument, NULL, OPT_STATE },
        { "archive", required_argument, NULL, OPT_ARCHIVE },
        { "check", no_argument, NULL, OPT_CHECK },
        { "dry-run", no_argument, NULL, OPT_DRY_RUN },
        { "verbose", no_argument, NULL, 'v' },
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, OPT_VERSION },
        { 0 },
};

/* Where the value of an option goes; NULL: it takes none. */
static const char **value_of(Arguments *a, int c) {
        switch (c) {
        case OPT_POLICY:
                return &a->manager.policy_file;
        case OPT_ENGINE:
                return &a->manager.engine_url;
        case OPT_CONTROL:
                return &a->manager.control_path;
        case OPT_STATE:
                return &a->manager.state_dir;
        case OPT_ARCHIVE:
                return &a->manager.archive_dir;
        default:
                return NULL;
        }
}

static int check_arguments(int argc, char **argv, const Arguments *a) {
        if (optind < argc) {
                fprintf(stderr, "plimsolld: unexpected argument '%s'\nTry 'plimsolld --help'.\n",
                        argv[optind]);
                return -EX_USAGE;
        }
        if (a->manager.engine_url && !pl_startswith(a->manager.engine_url, "unix://")) {
                fprintf(stderr, "plimsolld: --engine %s: only unix:///PATH is supported\n",
                        a->manager.engine_url);
                return -EX_USAGE;
        }
        return 1;
}

/* Return: 1 to go on, 0 to exit with success, or a negative sysexits status. */
static int parse_arguments(int argc, char **argv, Arguments *a) {
        int c;

        while ((c = getopt_long(argc, argv, "vh", options, NULL)) >= 0) {
                const char **value = value_of(a, c);

                if (value) {
                        *value = optarg;
                } else if (c == OPT_CHECK) {
                        a->check = true;
                } else if (c == OPT_DRY_RUN) {
                        a->manager.dry_run = true;
                } else if (c == 'v') {
                        a->verbose = true;
                } else if (c == 'h') {
                        help();
                        return 0;
                } else if (c == OPT_VERSION) {
                        puts("plimsolld " PLIMSOLL_VERSION);
                        return 0;
                } else {
                        fprintf(stderr, "Try 'plimsolld --help'.\n");
                        return -EX_USAGE;
                }
        }
        return check_arguments(argc, argv, a);
}

static int check_policy(const char *file) {
        PlDiagList diags = { 0 };
        _cleanup_(pl_policy_unrefp) PlPolicy *policy = NULL;
        PlHost host;
        int r = pl_host_read("/proc", &host);

        if (r >= 0)
                r = pl_policy_load(NULL, file, &host, &diags, &policy);
        for (size_t i = 0; i < diags.n; i++) {
                _cleanup_free_ char *line = pl_diag_format(&diags.items[i]);

                fprintf(stderr, "%s\n", line ?: "out of memory");
        }
        if (r < 0 && diags.n_errors == 0)
                fprintf(stderr, "plimsolld: %s: %s\n", file, strerror(-r));
        if (r >= 0)
                printf("%s: good, %zu service%s, %zu warning%s\n", file, policy->n_services,
                       pl_plural(policy->n_services), diags.n, pl_plural(diags.n));
        pl_diag_list_deinit(&diags);
        return r < 0 ? EX_CONFIG : EX_OK;
}

static int on_reload(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        (void)pl_manager_reload(userdata, NULL);
        return 0;
}

static int on_stop(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        pl_manager_stop(userdata);
        return 0;
}

/* Each container costs a few descriptors (one per cgroup v1 hierarchy). */
static void raise_descriptor_limit(void) {
        struct rlimit rl;

        if (getrlimit(RLIMIT_NOFILE, &rl) < 0 || rl.rlim_cur == rl.rlim_max)
                return;
        rl.rlim_cur = rl.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &rl);
}

static int status_of(int error) {
        switch (error) {
        case -EBADMSG:
                return EX_CONFIG;
        case -EACCES:
        case -EPERM:
                return EX_NOPERM;
        case -ENOENT: /* the directory that a socket, a state or an archive is to be in */
        case -ENOTDIR:
        case -EROFS:
        case -ENOSPC:
                return EX_CANTCREAT;
        default:
                return EX_OSERR;
        }
}

static const char *reason_of(int error) {
        return error == -EBADMSG ? "there is no policy to go by" : strerror(-error);
}

static int run(const Arguments *a) {
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_(pl_manager_freep) PlManager *manager = NULL;
        sigset_t mask;
        int r;

        raise_descriptor_limit();
        /* Bodies of answers come and go: as mappings of their own they leave no holes in the heap.
         * A fixed threshold also keeps glibc from raising it after the first big one (mallopt(3)).
         */
        (void)mallopt(M_MMAP_THRESHOLD, 64 << 10);
        /* The worker's few allocations are not worth a heap of their own. */
        (void)mallopt(M_ARENA_MAX, 1);
        sigemptyset(&mask);
        sigaddset(&mask, SIGHUP);
        sigaddset(&mask, SIGTERM);
        sigaddset(&mask, SIGINT);
        (void)sigprocmask(SIG_BLOCK, &mask, NULL);
        (void)signal(SIGPIPE, SIG_IGN);

        r = sd_event_new(&event);
        if (r >= 0)
                r = pl_manager_new(event, &a->manager, &manager);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGHUP, on_reload, manager);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGTERM, on_stop, manager);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGINT, on_stop, manager);
        if (r >= 0)
                r = pl_manager_start(manager);
        if (r >= 0)
                r = sd_event_loop(event);
        if (r < 0) {
                pl_log_error("plimsolld cannot go on: %s", reason_of(r));
                (void)sd_notifyf(false, "ERRNO=%d\nSTATUS=failed: %s", -r, reason_of(r));
                return status_of(r);
        }
        return r;
}

int main(int argc, char **argv) {
        Arguments a = {
                .manager = {
                        .policy_file = DEFAULT_POLICY,
                        .control_path = DEFAULT_CONTROL,
                        .state_dir = DEFAULT_STATE,
                        .archive_dir = DEFAULT_ARCHIVE,
                        .no_early_write = getenv("PLIMSOLL_NO_EARLY_WRITE") != NULL,
                },
        };
        int r = parse_arguments(argc, argv, &a);

        if (r <= 0)
                return -r;
        pl_log_setup(a.verbose ? LOG_DEBUG : LOG_INFO);
        if (a.check)
                return check_policy(a.manager.policy_file);
        return run(&a);
}
