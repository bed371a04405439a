/* SPDX-License-Identifier: Apache-2.0 */

/*
 * plimsollctl: what people and scripts ask plimsolld.
 *
 * A table of commands, ctl/commands.h, and one of options. What a command prints for scripts and
 * the exit statuses are a contract, see plimsollctl(1). tests/manual holds manual page and
 * completions to the tables.
 */

#include <errno.h>
#include <locale.h>

#include "base/clock.h"
#include "ctl/cli.h"
#include "lib/base/grammar.h"
#include "lib/base/similar.h"
#include "lib/base/unit.h"
#include "lib/base/when.h"

/* clang-format off */
#define ROW(name, arguments, function, about, help) \
        { name, arguments, pl_ctl_cmd_##function, about, help },
static const PlCommand commands[] = { PL_CTL_COMMANDS(ROW) };
#undef ROW
/* clang-format on */

/* ---- values ---- */

/* Nothing is no bound, as in docker logs. */
static const char *set_since(void *field, const char *value) {
        *(uint64_t *)field = 0;
        return *value && pl_when_parse(value, pl_clock_usec(CLOCK_REALTIME), field) < 0
                               ? "not a time; 10m, yesterday and 03:04 are"
                               : NULL;
}

static const char *set_until(void *field, const char *value) {
        *(uint64_t *)field = UINT64_MAX;
        return pl_streq(value, "0") ? NULL /* which is none, as in docker logs */
                                    : set_since(*value ? field : &(uint64_t){ 0 }, value);
}

static const char *set_tail(void *field, const char *value) {
        *(uint64_t *)field = pl_when_parse_tail(value);
        return NULL;
}

static const char *set_log_size(void *field, const char *value) {
        uint64_t bytes;

        if (pl_parse_size(value, &bytes) < 0 || bytes < KIB(64) || bytes > INT64_MAX)
                return "not a size of 64K or more; 10M is";
        *(uint64_t *)field = bytes;
        return NULL;
}

static const char *set_log_files(void *field, const char *value) {
        uint64_t n;

        if (pl_parse_uint64(value, &n) < 0 || n == 0 || n > 10000)
                return "not a count of 1 to 10000";
        *(unsigned *)field = (unsigned)n;
        return NULL;
}

static const char *set_pid(void *field, const char *value) {
        uint64_t pid;

        if (pl_parse_uint64(value, &pid) < 0 || pid <= 1 || pid > INT32_MAX)
                return "not a process number";
        *(pid_t *)field = (pid_t)pid;
        return NULL;
}

/* clang-format off */
#define IN(member) offsetof(PlCtl, member)
static const PlOption options[] = {
        { "control", 0, "PATH", "!import adopt-logs help", PL_OPTION_TEXT, IN(control),
          "the daemon's socket (" PL_CTL_CONTROL_PATH ")" },
        { "json", 0, NULL, "!logs help", PL_OPTION_FLAG, IN(json),
          "for scripts: the documents of plimsollctl(1)" },
        { "json", 0, NULL, "logs", PL_OPTION_FLAG, IN(json), "the records themselves, a line each" },
        { "for", 0, "STATE", "wait", PL_OPTION_TEXT, IN(wait_for),
          "healthy, running, absent ... (healthy)" },
        { "timeout", 0, "SPAN", "wait", PL_OPTION_SPAN, IN(timeout_usec),
          "at most so long: 90s, 2min (60s)" },
        { "interval", 0, "SPAN", "top", PL_OPTION_SPAN, IN(interval_usec),
          "time between two looks (2s)" },
        { "iterations", 'n', "COUNT", "top", PL_OPTION_COUNT, IN(iterations),
          "so many looks, then end" },
        { "all", 'a', NULL, "why", PL_OPTION_FLAG, IN(all), "all ends that are known" },
        { "verbose", 'v', NULL, "check", PL_OPTION_FLAG, IN(verbose), "also what was understood" },
        { "compose", 0, NULL, "import", PL_OPTION_FLAG, IN(compose),
          "the FILEs are compose's own: docker compose reads them" },
        { "engine", 0, "[URL]", "import", PL_OPTION_URL, IN(engine),
          "what an engine's containers have now" },
        { "engine", 0, "[URL]", "check", PL_OPTION_URL, IN(engine),
          "also limits of containers that the policy raises" },
        { "since", 0, "WHEN", "logs", PL_OPTION_OWN, IN(logs.since_nsec),
          "10m, \"2h ago\", yesterday, RFC 3339 ...", set_since },
        { "until", 0, "WHEN", "logs", PL_OPTION_OWN, IN(logs.until_nsec), "likewise", set_until },
        { "tail", 'n', "N", "logs", PL_OPTION_OWN, IN(logs.tail), "the last N lines (all)", set_tail },
        { "follow", 'f', NULL, "logs", PL_OPTION_FLAG, IN(logs.follow),
          "go on with what is written" },
        { "grep", 'g', "RE", "logs", PL_OPTION_TEXT, IN(logs.grep),
          "lines that match a regular expression (PCRE2)" },
        { "ignore-case", 'i', NULL, "logs", PL_OPTION_FLAG, IN(logs.ignore_case),
          "... in any case" },
        { "stdout", 0, NULL, "logs", PL_OPTION_FLAG, IN(logs.only_stdout), "standard output alone" },
        { "stderr", 0, NULL, "logs", PL_OPTION_FLAG, IN(logs.only_stderr), "standard error alone" },
        { "timestamps", 't', NULL, "logs", PL_OPTION_FLAG, IN(logs.timestamps),
          "when each line was written" },
        { "details", 0, NULL, "logs", PL_OPTION_FLAG, IN(logs.details),
          "labels and variables of the logging options" },
        { "container", 0, "ID", "logs", PL_OPTION_TEXT, IN(logs.container),
          "of a service one container, also one that is gone" },
        { "path", 0, "FILE", "logs", PL_OPTION_TEXT, IN(logs.path),
          "a file of LogPath=, with its archives" },
        { "dry-run", 0, NULL, "adopt-logs", PL_OPTION_FLAG, IN(adopt.dry_run),
          "say what it would do, and change nothing" },
        { "yes", 0, NULL, "adopt-logs", PL_OPTION_FLAG, IN(adopt.yes), "do not ask" },
        { "at-start", 0, NULL, "adopt-logs", PL_OPTION_FLAG, IN(adopt.at_start),
          "while the engine does not run, where LogAdopt= says so" },
        { "root", 0, "DIR", "adopt-logs", PL_OPTION_TEXT, IN(adopt.root),
          "of the engine's data, with --at-start" },
        { "max-size", 0, "SIZE", "adopt-logs", PL_OPTION_OWN, IN(adopt.max_size_bytes),
          "of one log file (LogMaxSize= of the policy)", set_log_size },
        { "max-files", 0, "N", "adopt-logs", PL_OPTION_OWN, IN(adopt.max_files),
          "so many of them (LogMaxFiles=)", set_log_files },
        { "engine", 0, "URL", "adopt-logs match", PL_OPTION_TEXT, IN(adopt.engine),
          "the engine (Engine= of the policy)" },
        { "engine-pid", 0, "PID", "adopt-logs", PL_OPTION_OWN, IN(adopt.engine_pid),
          "of dockerd, where it is not a service of systemd", set_pid },
        { "all", 0, NULL, "match", PL_OPTION_FLAG, IN(all), "every container of the engine" },
        { "policy", 0, "FILE", "check match", PL_OPTION_TEXT, IN(policy),
          "another policy than the daemon's" },
        { "policy", 0, "FILE", "adopt-logs", PL_OPTION_TEXT, IN(policy),
          "names and sizes (" PL_CTL_POLICY_PATH ")" },
        { "archive", 0, "DIR", "logs", PL_OPTION_TEXT, IN(archive),
          "another archive than the daemon's" },
        { "archive", 0, "DIR", "adopt-logs", PL_OPTION_TEXT, IN(archive),
          "where archives are (" PL_CTL_ARCHIVE_PATH ")" },
        { "state", 0, "DIR", "show why", PL_OPTION_TEXT, IN(state),
          "what it has written down, if it is down" },
        { "version", 0, NULL, "", PL_OPTION_ASKED, 0, "of plimsollctl" },
        { "help", 'h', NULL, "", PL_OPTION_ASKED, 0, "this, or the options of a command" },
};
/* clang-format on */

static const PlGrammar grammar = {
        .program = "plimsollctl",
        .about = "Asks plimsolld about containers and their limits; see plimsollctl(1).",
        .commands = commands,
        .n_commands = PL_ARRAY_SIZE(commands),
        .options = options,
        .n_options = PL_ARRAY_SIZE(options),
};

/* ---- help ---- */

static const struct {
        const char *name, *text;
} topics[] = {
        { "names",
          "NAME is a container, its id or the first four digits or more of that, or the\n"
          "name of a [Service] section of the policy. Of adopt-logs there may be several." },
        { "times",
          "WHEN is a point in time, as for docker logs: 10m, 2026-01-02T03:04, RFC 3339,\n"
          "SECONDS.NANOSECONDS since 1970; or \"2h ago\", yesterday, \"2026-01-02 03:04\".\n"
          "SPAN is a time span of systemd.time(7): 90s, 2min, 1h 30min." },
        { "exit-status", "0  all is well; the request was carried out; the state was reached\n"
                         "1  something is unhealthy or out of line, probe found it not up; a\n"
                         "   request was refused\n"
                         "2  wrong usage\n"
                         "3  there is no daemon, or it may not be asked" },
};

static int print_help(const PlCommand *command) {
        _cleanup_free_ char *text = pl_grammar_help(&grammar, command);

        if (!text)
                pl_ctl_say("%s", strerror(ENOMEM));
        else
                (void)fputs(text, stdout);
        return text ? PL_EXIT_GOOD : PL_EXIT_BAD;
}

static const char *topic_at(const void *userdata, size_t i) {
        if (i < PL_ARRAY_SIZE(commands))
                return commands[i].name;
        i -= PL_ARRAY_SIZE(commands);
        return i < PL_ARRAY_SIZE(topics) ? topics[i].name : NULL;
}

int pl_ctl_cmd_help(PlCtl *ctl) {
        const char *topic = ctl->n_arguments > 0 ? ctl->arguments[0] : NULL, *similar;

        if (!topic)
                return print_help(NULL);
        for (size_t i = 0; i < PL_ARRAY_SIZE(commands); i++)
                if (pl_streq(commands[i].name, topic))
                        return print_help(&commands[i]);
        for (size_t i = 0; i < PL_ARRAY_SIZE(topics); i++)
                if (pl_streq(topics[i].name, topic)) {
                        (void)puts(topics[i].text);
                        return PL_EXIT_GOOD;
                }
        similar = pl_similar(topic, topic_at, NULL);
        pl_ctl_say("no help on \"%s\"; %s%s%s plimsollctl help lists what there is", topic,
                   similar ? "did you mean " : "", similar ?: "", similar ? "?" : "");
        return PL_EXIT_USAGE;
}

/* ---- the program ---- */

static int usage(const char *what, const PlCommand *command) {
        const char *text = what ?: strerror(ENOMEM);

        pl_ctl_say("%s%s plimsollctl %s%s--help lists what there is", text,
                   text[strlen(text) - 1] == '?' ? "" : ";", command ? command->name : "",
                   command ? " " : "");
        return PL_EXIT_USAGE;
}

static int run(PlCtl *ctl, const PlInvocation *invocation) {
        _cleanup_(pl_ctl_client_freep) PlCtlClient *client = NULL;

        ctl->arguments = invocation->arguments;
        ctl->n_arguments = invocation->n_arguments;
        ctl->control_given = ctl->control != NULL;
        if (!ctl->control)
                ctl->control = PL_CTL_CONTROL_PATH;
        int r = pl_ctl_client_new(ctl->control, PL_CTL_CLIENT_TIMEOUT_MSEC, &client);
        if (r < 0)
                return pl_ctl_failed(ctl, r);
        ctl->client = client;
        return invocation->command->run(ctl);
}

int main(int argc, char **argv) {
        PlCtl ctl = { .wait_for = "healthy",
                      .timeout_usec = PL_USEC_PER_MIN,
                      .interval_usec = 2 * PL_USEC_PER_SEC,
                      .logs = { .until_nsec = UINT64_MAX, .tail = UINT64_MAX },
                      .adopt.max_size_bytes = PL_UNLIMITED };
        _cleanup_(pl_invocation_deinit) PlInvocation invocation = {};
        _cleanup_free_ char *what = NULL;

        (void)setlocale(LC_ALL, "");
        if (pl_grammar_parse(&grammar, argc, argv, &ctl, &invocation, &what) < 0)
                return usage(what, invocation.command);
        if (invocation.version) {
                (void)puts("plimsollctl " PLIMSOLL_VERSION);
                return PL_EXIT_GOOD;
        }
        if (invocation.help)
                return print_help(invocation.command);
        return run(&ctl, &invocation);
}
