/* SPDX-License-Identifier: Apache-2.0 */

/*
 * plimsoll-notify: sends what plimsolld has written down for people; plimsoll-notify(8).
 *
 * It is a program of its own so that plimsolld needs no way to the network, and sees no secret.
 * Exit statuses follow sysexits.h.
 */

#include <errno.h>
#include <signal.h>
#include <sysexits.h>

#include "base/journal.h"
#include "lib/base/grammar.h"
#include "notify/sender.h"

#define DEFAULT_QUEUE       "/var/lib/plimsoll/notify"
#define DEFAULT_CREDENTIALS "/etc/plimsoll/credentials"

typedef struct Arguments {
        PlSenderOptions sender;
        bool verbose;
} Arguments;

/* clang-format off */
#define IN(member) offsetof(Arguments, member)
static const PlOption options[] = {
        { "queue", 0, "DIR", "", PL_OPTION_TEXT, IN(sender.queue_dir),
          "what is to be sent (" DEFAULT_QUEUE ")" },
        { "sent", 0, "DIR", "", PL_OPTION_TEXT, IN(sender.sent_dir),
          "what was sent ($STATE_DIRECTORY, or sent/ in the queue)" },
        { "credentials", 0, "DIR", "", PL_OPTION_TEXT, IN(sender.credentials_dir),
          "what Credential= names (" DEFAULT_CREDENTIALS ")" },
        { "timeout", 0, "SPAN", "", PL_OPTION_SPAN, IN(sender.timeout_usec),
          "of one request (30s)" },
        { "once", 0, NULL, "", PL_OPTION_FLAG, IN(sender.once),
          "send what is due and exit; do not wait for more" },
        { "verbose", 'v', NULL, "", PL_OPTION_FLAG, IN(verbose), "say more" },
        { "help", 'h', NULL, "", PL_OPTION_ASKED, 0, "show this help" },
        { "version", 0, NULL, "", PL_OPTION_ASKED, 0, "show the version" },
};
/* clang-format on */

static const PlGrammar grammar = {
        .program = "plimsoll-notify",
        .about = "Sends what plimsolld has to tell people, by the [Notify] sections of its policy.",
        .footer = "Exits with 0 when all that was due is sent, and with 75 when some of it waits.\n"
                  "See plimsoll-notify(8), plimsoll.conf(5).",
        .options = options,
        .n_options = PL_ARRAY_SIZE(options),
};

/* Return: an exit status; -1: go on. */
static int parse_arguments(int argc, char **argv, Arguments *a) {
        _cleanup_(pl_invocation_deinit) PlInvocation invocation = {};
        _cleanup_free_ char *what = NULL, *help = NULL;

        if (pl_grammar_parse(&grammar, argc, argv, a, &invocation, &what) < 0) {
                fprintf(stderr, "plimsoll-notify: %s\nTry 'plimsoll-notify --help'.\n",
                        what ?: strerror(ENOMEM));
                return EX_USAGE;
        }
        if (invocation.version)
                puts("plimsoll-notify " PLIMSOLL_VERSION);
        help = invocation.help ? pl_grammar_help(&grammar, NULL) : NULL;
        if (help)
                (void)fputs(help, stdout);
        return invocation.version || invocation.help ? EX_OK : -1;
}

int main(int argc, char **argv) {
        const char *credentials = getenv("CREDENTIALS_DIRECTORY");
        Arguments a = {
                .sender = {
                        .queue_dir = DEFAULT_QUEUE,
                        .sent_dir = getenv("STATE_DIRECTORY"),
                        .credentials_dir = credentials ?: DEFAULT_CREDENTIALS,
                        .timeout_usec = 30 * PL_USEC_PER_SEC,
                        .ca_file = getenv("SSL_CERT_FILE"),
                },
        };
        _cleanup_free_ char *sent = NULL;
        int r = parse_arguments(argc, argv, &a);

        if (r >= 0)
                return r;
        pl_log_setup(a.verbose ? LOG_DEBUG : LOG_INFO);
        (void)signal(SIGPIPE, SIG_IGN);
        if (!a.sender.sent_dir && asprintf(&sent, "%s/sent", a.sender.queue_dir) < 0)
                sent = NULL;
        a.sender.sent_dir = a.sender.sent_dir ?: sent ?: "";
        r = pl_sender_run(&a.sender);
        if (r == -EBUSY) {
                pl_log_notice("Another plimsoll-notify is at work in %s", a.sender.sent_dir);
                return EX_TEMPFAIL;
        }
        return r < 0 ? EX_OSERR : r > 0 ? EX_TEMPFAIL : EX_OK;
}
