/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One event as one line, as journalctl would show it: when, who, what.
 */

#include "lib/status/view.h"

#include <errno.h>
#include <time.h>

#include "lib/status/view-internal.h"

/* syslog(3) priorities */
static PlTint priority_tint(uint64_t priority) {
        return priority <= 3                               ? PL_TINT_BAD
               : priority == 4                             ? PL_TINT_WARN
               : priority == 5                             ? PL_TINT_STRONG
               : priority >= 7 && priority != PL_UNLIMITED ? PL_TINT_DIM
                                                           : PL_TINT_NONE;
}

static void print_time(FILE *f, uint64_t usec, const PlLook *look) {
        time_t seconds = (time_t)(usec / PL_USEC_PER_SEC);
        char text[64] = "-";
        struct tm tm;

        if (usec != PL_UNLIMITED && localtime_r(&seconds, &tm))
                (void)strftime(text, sizeof(text), "%b %d %H:%M:%S", &tm);
        pl_text_tint(f, look, PL_TINT_DIM, text);
}

static int print_event(FILE *f, const json_t *event, const PlViewOptions *o) {
        const char *container = pl_view_text(event, "container");
        const char *message = pl_view_text(event, "message");
        _cleanup_free_ char *who = pl_text_clean(container ? container : "plimsolld", &o->look);
        _cleanup_free_ char *what = pl_text_clean(message ? message : "", &o->look);

        if (!who || !what)
                return -ENOMEM;
        print_time(f, pl_view_number(event, "time_usec"), &o->look);
        (void)fputs("  ", f);
        pl_text_tint(f, &o->look, container ? PL_TINT_STRONG : PL_TINT_DIM, who);
        (void)fputs(": ", f);
        pl_text_tint(f, &o->look, priority_tint(pl_view_number(event, "priority")), what);
        (void)fputc('\n', f);
        return 0;
}

int pl_view_event(const json_t *event, const PlViewOptions *o, char **ret) {
        return pl_view_print(print_event, event, o, ret);
}
