/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Log: entries to journald over its socket, or lines to stderr. See the header.
 *
 * Everything is escaped on its way out, fields included: containers choose their names and
 * messages.
 */

#include "base/journal.h"

#include <stdarg.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "lib/base/diag.h"
#include "lib/base/quote.h"

/* What an entry may carry of somebody else's text. */
#define TEXT_MAX   2000
#define FIELDS_MAX 48 /* all that an entry of the reporter can have */

/* The log target is the one mutable global: where to complain must be known everywhere. */
static struct {
        int max_priority;
        bool journal, colour;
} target = { .max_priority = LOG_INFO };

/* JOURNAL_STREAM is "DEVICE:INODE" of the stderr that systemd gave us (systemd.exec(5)); a mismatch
 * means that somebody has redirected it since. */
static bool stderr_is_journal(void) {
        const char *e = getenv("JOURNAL_STREAM");
        unsigned long long dev, ino;
        struct stat st;

        return e && sscanf(e, "%llu:%llu", &dev, &ino) == 2 && fstat(STDERR_FILENO, &st) >= 0 &&
               st.st_dev == (dev_t)dev && st.st_ino == (ino_t)ino;
}

void pl_log_setup(int max_priority) {
        const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

        target.max_priority = max_priority;
        target.journal = stderr_is_journal();
        target.colour = isatty(STDERR_FILENO) && !(no_color && *no_color) &&
                        !(term && pl_streq(term, "dumb"));
}

static void to_stderr(int priority, const char *text) {
        const char *on = "", *off = "";

        if (target.colour) {
                off = "\033[0m";
                on = priority <= LOG_ERR       ? "\033[1;31m"
                     : priority == LOG_WARNING ? "\033[1;33m"
                     : priority == LOG_NOTICE  ? "\033[1m"
                     : priority == LOG_DEBUG   ? "\033[2m"
                                               : "";
                if (!*on)
                        off = "";
        }
        /* one write per line, so that lines of two processes do not mix */
        fprintf(stderr, "%s%s%s\n", on, text, off);
}

typedef struct Fields {
        struct iovec iov[FIELDS_MAX];
        int n;
} Fields;

static void add_field(Fields *f, const char *name, const char *value) {
        _cleanup_free_ char *escaped = NULL;
        char *text;

        if (!value || f->n >= FIELDS_MAX)
                return;
        escaped = pl_escape_again(value, TEXT_MAX);
        if (!escaped || asprintf(&text, "%s=%s", name, escaped) < 0)
                return;
        f->iov[f->n++] = (struct iovec){ .iov_base = text, .iov_len = strlen(text) };
}

static void to_journal(int priority, const char *message_id, const PlLogSubject *subject,
                       const char *text) {
        Fields f = { 0 };
        char number[12];

        (void)snprintf(number, sizeof(number), "%d", priority);
        add_field(&f, "MESSAGE", text);
        add_field(&f, "PRIORITY", number);
        add_field(&f, "SYSLOG_IDENTIFIER", "plimsolld");
        add_field(&f, "MESSAGE_ID", message_id);
        if (subject) {
                add_field(&f, "CONTAINER_NAME", subject->container_name);
                add_field(&f, "CONTAINER_ID_FULL", subject->container_id);
                add_field(&f, "PLIMSOLL_SERVICE", subject->service);
                for (const PlLogField *i = subject->fields; i && i->name; i++)
                        add_field(&f, i->name, i->value);
        }
        if (sd_journal_sendv(f.iov, f.n) < 0)
                to_stderr(priority, text); /* the stream reaches the journal, without the fields */
        for (int i = 0; i < f.n; i++)
                free(f.iov[i].iov_base);
}

void pl_log_full(int priority, const char *message_id, const PlLogSubject *subject,
                 const char *format, ...) {
        _cleanup_free_ char *raw = NULL, *text = NULL;
        va_list ap;
        int n;

        if (priority > target.max_priority)
                return;
        va_start(ap, format);
        n = vasprintf(&raw, format, ap);
        va_end(ap);
        if (n < 0) {
                raw = NULL;
                return;
        }
        if (target.journal) {
                to_journal(priority, message_id, subject, raw);
                return;
        }
        text = pl_escape_again(raw, TEXT_MAX);
        to_stderr(priority, text ?: "out of memory");
}
