/* SPDX-License-Identifier: Apache-2.0 */

/*
 * plimsolld: options, signals and the event loop around the manager.
 *
 * Exit statuses follow sysexits.h, as systemd.exec(5) knows them: 0, 64 usage, 71 the system
 * refuses, 75 another one is at work, 77 not permitted, 78 the policy is wrong.
 */

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

#include "base/journal.h"
#include "base/loop.h"
#include "lib/base/grammar.h"
#include "lib/base/unit.h"
#include "lib/policy/parser.h"
#include "manager.h"
#include "policy-load.h"

#define DEFAULT_POLICY  "/etc/plimsoll/plimsoll.conf"
#define DEFAULT_CONTROL "/run/plimsoll/control.sock"
#define DEFAULT_STATE   "/var/lib/plimsoll"
#define DEFAULT_RUNTIME "/run/plimsoll"
#define DEFAULT_NOTIFY  "/var/lib/plimsoll-notify"
#define DEFAULT_ARCHIVE "/var/log/plimsoll"

typedef struct Arguments {
        PlManagerOptions manager;
        bool check, verbose;
} Arguments;

static const char *set_engine(void *field, const char *value) {
        const char *fault = pl_policy_engine_fault(value);

        if (!fault)
                *(const char **)field = value;
        return fault;
}

/* clang-format off */
#define IN(member) offsetof(Arguments, member)
static const PlOption options[] = {
        { "policy", 0, "FILE", "", PL_OPTION_TEXT, IN(manager.policy_file),
          "policy to load (" DEFAULT_POLICY ")" },
        { "engine", 0, "URL", "", PL_OPTION_OWN, IN(manager.engine_url),
          "engine to supervise, overrides Engine= of the policy", set_engine },
        { "control", 0, "PATH", "", PL_OPTION_TEXT, IN(manager.control_path),
          "control socket (" DEFAULT_CONTROL ")" },
        { "state", 0, "DIR", "", PL_OPTION_TEXT, IN(manager.state_dir),
          "what must survive a crash and a reboot (" DEFAULT_STATE ")" },
        { "archive", 0, "DIR", "", PL_OPTION_TEXT, IN(manager.archive_dir),
          "archives of rotated logs (" DEFAULT_ARCHIVE ")" },
        { "check", 0, NULL, "", PL_OPTION_FLAG, IN(check),
          "check the policy and exit: 0 good, 78 wrong" },
        { "dry-run", 0, NULL, "", PL_OPTION_FLAG, IN(manager.dry_run),
          "change nothing, say what would be changed" },
        { "verbose", 'v', NULL, "", PL_OPTION_FLAG, IN(verbose), "say more" },
        { "help", 'h', NULL, "", PL_OPTION_ASKED, 0, "show this help" },
        { "version", 0, NULL, "", PL_OPTION_ASKED, 0, "show the version" },
};
/* clang-format on */

static const PlGrammar grammar = {
        .program = "plimsolld",
        .about = "Holds the containers of a Docker engine to the limits of a policy.",
        .footer = "SIGHUP reloads the policy, all or nothing. SIGTERM stops; containers go on.\n"
                  "See plimsolld(8), plimsoll.conf(5), plimsollctl(1).",
        .options = options,
        .n_options = PL_ARRAY_SIZE(options),
};

static int print_help(void) {
        _cleanup_free_ char *text = pl_grammar_help(&grammar, NULL);

        if (!text)
                return -EX_OSERR;
        (void)fputs(text, stdout);
        return 0;
}

/* Return: 1 to go on, 0 to exit with success, or a negative sysexits status. */
static int parse_arguments(int argc, char **argv, Arguments *a) {
        _cleanup_(pl_invocation_deinit) PlInvocation invocation = {};
        _cleanup_free_ char *what = NULL;

        if (pl_grammar_parse(&grammar, argc, argv, a, &invocation, &what) < 0) {
                fprintf(stderr, "plimsolld: %s\nTry 'plimsolld --help'.\n",
                        what ?: strerror(ENOMEM));
                return -EX_USAGE;
        }
        if (invocation.help)
                return print_help();
        if (!invocation.version)
                return 1;
        puts("plimsolld " PLIMSOLL_VERSION);
        return 0;
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
        pl_loop_doing("policy");
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
        case -EBUSY: /* another plimsolld */
                return EX_TEMPFAIL;
        case -ENOENT: /* the directory for the socket, the state or the archives */
        case -ENOTDIR:
        case -EISDIR:
        case -EEXIST: /* something else is where the socket is to be */
        case -ELOOP:
        case -ENAMETOOLONG:
        case -EDQUOT:
        case -EROFS:
        case -ENOSPC:
                return EX_CANTCREAT;
        default:
                return EX_OSERR;
        }
}

static const char *reason_of(int error) {
        return error == -EBADMSG ? "the policy has errors"
               : error == -EBUSY ? "another one is at work"
                                 : strerror(-error);
}

/* plimsollctl asks for these paths, and runs in another directory. Return: 0, -errno. */
static int make_absolute(const char **path, char **ret) {
        _cleanup_free_ char *here = NULL;

        if (**path == '/')
                return 0;
        here = getcwd(NULL, 0);
        if (!here)
                return -errno;
        if (asprintf(ret, "%s/%s", here, *path) < 0) {
                *ret = NULL;
                return -ENOMEM;
        }
        *path = *ret;
        return 0;
}

/* systemd names the directories that it makes; of several the first is ours (systemd.exec(5)).
 * Return: owned by the caller; NULL: out of memory. */
static char *directory(const char *variable, const char *otherwise) {
        const char *named = getenv(variable);

        return named && *named == '/' ? strndup(named, strcspn(named, ":")) : strdup(otherwise);
}

static void tell_long_turn(const PlLoopTurn *turn) {
        char usec[PL_FORMAT_MAX], cpu[PL_FORMAT_MAX];

        pl_log_info("One turn of the event loop took %s, of it %s of the CPU, the longest so far "
                    "(%s); everything else had to wait",
                    pl_format_sec(turn->usec, usec), pl_format_sec(turn->cpu_usec, cpu),
                    turn->doing);
}

static int run(Arguments *a) {
        _cleanup_free_ char *policy = NULL, *archive = NULL, *state = NULL, *runtime = NULL;
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_(pl_manager_freep) PlManager *manager = NULL;
        sigset_t mask;
        int r;

        raise_descriptor_limit();
        /* Bodies of answers come and go; mapped separately, they leave no holes in the heap.
         * Setting the threshold also keeps glibc from raising it after the first big one
         * (mallopt(3)). */
        (void)mallopt(M_MMAP_THRESHOLD, 64 << 10);
        /* The worker allocates too little to need a heap of its own. */
        (void)mallopt(M_ARENA_MAX, 1);
        sigemptyset(&mask);
        sigaddset(&mask, SIGHUP);
        sigaddset(&mask, SIGTERM);
        sigaddset(&mask, SIGINT);
        sigaddset(&mask, SIGCHLD); /* of plimsoll-notify, which the loop waits for */
        (void)sigprocmask(SIG_BLOCK, &mask, NULL);
        (void)signal(SIGPIPE, SIG_IGN);

        state = directory("STATE_DIRECTORY", DEFAULT_STATE);
        runtime = directory("RUNTIME_DIRECTORY", DEFAULT_RUNTIME);
        r = state && runtime ? make_absolute(&a->manager.policy_file, &policy) : -ENOMEM;
        if (r >= 0)
                r = make_absolute(&a->manager.archive_dir, &archive);
        a->manager.runtime_dir = runtime;
        if (!a->manager.state_dir) {
                a->manager.state_dir = state;
                /* then it is systemd's, and so is the unit that sends */
                if (getenv("STATE_DIRECTORY"))
                        a->manager.notify_state_dir = DEFAULT_NOTIFY;
                a->manager.older_state_dir = runtime;
        }
        if (r >= 0)
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
                r = pl_loop_run(event, tell_long_turn);
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
