/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What there is to say of the methods of logs. It lies in the engine and the file system, and would
 * be the same for each of a host's containers: so it is told once, with how many they are.
 */

#include "logs-internal.h"

#include <time.h>

#include "pl-diag.h"

#define NOTICE_USEC  (2 * PL_USEC_PER_SEC) /* containers come in groups */
#define NOTICE_NAMES 3

static bool is_so(const PlLogEntry *e, PlRotateWhy why) {
        return e->governed && e->settled && e->why == why;
}

char *pl_logs_method_finding(const PlLogs *l, PlRotateWhy why) {
        uint64_t n = 0, named = 0;
        const PlLogEntry *e;
        char *text = NULL;
        size_t size = 0;
        FILE *f;

        if (!pl_rotate_why_is_finding(why))
                return NULL;
        PL_MAP_FOREACH(e, l->entries)
        n += is_so(e, why);
        f = n > 0 ? open_memstream(&text, &size) : NULL;
        if (!f)
                return NULL;
        fprintf(f, "log of %" PRIu64 " container%s (", n, pl_plural(n));
        PL_MAP_FOREACH(e, l->entries) {
                _cleanup_free_ char *name = NULL;

                if (!is_so(e, why) || named == NOTICE_NAMES)
                        continue;
                name = pl_escape(e->name, 80);
                fprintf(f, "%s%s", named++ > 0 ? ", " : "", name ?: "?");
        }
        if (n > named)
                fprintf(f, " and %" PRIu64 " more", n - named);
        fprintf(f, "): %s", pl_rotate_why_to_string(why));
        return pl_take_text(f, &text);
}

/* Once in a daemon's life for each reason and version of the engine: a container that is started
 * every minute is no news. */
static int on_notice(sd_event_source *source, uint64_t usec, void *userdata) {
        PlLogs *l = userdata;

        l->notice = sd_event_source_disable_unref(l->notice);
        for (int why = 0; why < _PL_ROTATE_WHY_N; why++) {
                _cleanup_free_ char *text = NULL;

                text = l->said[why] ? NULL : pl_logs_method_finding(l, why);
                if (!text)
                        continue;
                l->said[why] = true;
                l->handlers->method(l->userdata, text);
        }
        return 0;
}

void pl_logs_notice(PlLogs *l) {
        if (!l->notice)
                (void)sd_event_add_time_relative(l->event, &l->notice, CLOCK_MONOTONIC, NOTICE_USEC,
                                                 0, on_notice, l);
}
