/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What plimsollctl's commands share.
 */

#include "ctl/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <stdarg.h>
#include <sys/ioctl.h>

#include "base/clock.h"
#include "base/fs.h"
#include "lib/base/json.h"
#include "lib/base/quote.h"
#include "lib/base/unit.h"

#define COLUMNS_MIN 20
#define MESSAGE_MAX KIB(4)

void pl_ctl_say(const char *format, ...) {
        _cleanup_free_ char *text = NULL, *clean = NULL;
        va_list ap;

        (void)fflush(stdout);
        va_start(ap, format);
        if (vasprintf(&text, format, ap) < 0)
                text = NULL;
        va_end(ap);
        clean = text ? pl_escape_again(text, MESSAGE_MAX) : NULL;
        (void)fprintf(stderr, "plimsollctl: %s\n", clean ? clean : format);
}

int pl_ctl_failed(const PlCtl *ctl, int error) {
        switch (-error) {
        case ENOENT:
        case ECONNREFUSED:
                pl_ctl_say("no daemon at %s: is it running?", ctl->control);
                pl_ctl_say("start it with: systemctl start plimsolld (or name its socket with "
                           "--control)");
                return PL_EXIT_NO_DAEMON;
        case EACCES:
        case EPERM:
                pl_ctl_say("you may not use %s: it is for root and the group plimsoll",
                           ctl->control);
                pl_ctl_say("join it with: sudo usermod -aG plimsoll $USER (and log in again)");
                return PL_EXIT_NO_DAEMON;
        case ETIMEDOUT:
        case EAGAIN:
                pl_ctl_say("the daemon at %s does not answer; see: systemctl status plimsolld",
                           ctl->control);
                return PL_EXIT_NO_DAEMON;
        case ECONNRESET:
                pl_ctl_say("the daemon at %s went away before it had answered; see: journalctl -u "
                           "plimsolld",
                           ctl->control);
                return PL_EXIT_NO_DAEMON;
        case EUSERS:
                pl_ctl_say("too many event streams are open; end some plimsollctl events");
                return PL_EXIT_BAD;
        case EPROTO:
                pl_ctl_say("what answers at %s is not plimsolld", ctl->control);
                return PL_EXIT_NO_DAEMON;
        default:
                pl_ctl_say("%s: %s", ctl->control, strerror(-error));
                return PL_EXIT_NO_DAEMON;
        }
}

int pl_ctl_refused(const json_t *document) {
        const PlLook look = pl_ctl_view_options().look;
        const char *message = json_string_value(json_object_get(document, "message"));
        const char *remedy = json_string_value(json_object_get(document, "remedy"));
        _cleanup_free_ char *a = pl_text_clean(message ? message : "refused", &look);
        _cleanup_free_ char *b = pl_text_clean(remedy ? remedy : "", &look);

        pl_ctl_say("%s%s%s", a ? a : "", b && *b ? "; " : "", b ? b : "");
        return PL_EXIT_BAD;
}

/* COLUMNS wins, as with other tools; a pipe is as wide as it takes. */
static unsigned terminal_columns(void) {
        const char *text = getenv("COLUMNS");
        struct winsize size;
        uint64_t n = 0;

        if (text && pl_parse_uint64(text, &n) == 0 && n >= COLUMNS_MIN && n < UINT16_MAX)
                return (unsigned)n;
        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
                return PL_MAX(size.ws_col, (unsigned)COLUMNS_MIN);
        return 0;
}

static bool may_colour(void) {
        const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

        return isatty(STDOUT_FILENO) && !(no && *no) && !(term && pl_streq(term, "dumb"));
}

PlViewOptions pl_ctl_view_options(void) {
        return (PlViewOptions){
                .look = { .columns = terminal_columns(),
                          .utf8 = pl_streq(nl_langinfo(CODESET), "UTF-8"),
                          .colour = may_colour() },
                .now_usec = pl_clock_usec(CLOCK_REALTIME),
        };
}

static void print_json(const json_t *document, size_t on_terminal) {
        if (isatty(STDOUT_FILENO)) {
                _cleanup_free_ char *text = pl_json_text(document, on_terminal);

                (void)fputs(text ? text : "null", stdout);
        } else
                (void)json_dumpf(document, stdout, JSON_ENCODE_ANY | JSON_COMPACT);
        (void)fputc('\n', stdout);
}

void pl_ctl_print_json(const json_t *document) {
        print_json(document, JSON_INDENT(2));
        (void)fflush(stdout);
}

void pl_ctl_print_json_line(const json_t *document) {
        print_json(document, JSON_COMPACT);
}

void pl_ctl_print_diags(const PlDiagList *diag) {
        for (size_t i = 0; i < diag->n; i++) {
                _cleanup_free_ char *line = pl_diag_format(&diag->items[i]);

                (void)fprintf(stderr, "%s\n", line ? line : diag->items[i].message);
        }
}
