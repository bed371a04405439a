/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Gather: one timer over lib/status/repeat. See the header.
 */

#include "report/gather.h"

#include <errno.h>

#include "base/clock.h"
#include "lib/status/repeat.h"

struct PlGather {
        sd_event *event;
        sd_event_source *timer;
        PlReporter *reporter;
        PlRepeats *repeats;
};

static void arm(PlGather *g) {
        uint64_t due = pl_repeats_due(g->repeats);

        if (due > 0)
                (void)sd_event_source_set_time(g->timer, due);
        (void)sd_event_source_set_enabled(g->timer, due > 0 ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

static void tell(PlGather *g, uint64_t now_usec) {
        PlRepeat what;

        while (pl_repeats_take(g->repeats, now_usec, &what)) {
                const PlEntry entry = {
                        .priority = what.priority,
                        .message_id = what.message_id,
                        .container_name = what.name,
                        .container_id = what.id,
                        .service = what.service,
                        .reason = what.reason,
                };

                pl_report(g->reporter, &entry, "%s", what.text);
        }
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        PlGather *g = userdata;

        tell(g, pl_clock_loop_usec(g->event, CLOCK_BOOTTIME));
        arm(g);
        return 0;
}

static bool hold_back(void *userdata, const PlEntry *entry, const char *text) {
        PlGather *g = userdata;
        const PlRepeat what = {
                .message_id = entry->message_id,
                .reason = entry->reason,
                .priority = entry->priority,
                .name = entry->container_name,
                .id = entry->container_id,
                .service = entry->service,
                .text = text,
        };

        if (pl_repeats_add(g->repeats, &what, pl_clock_loop_usec(g->event, CLOCK_BOOTTIME)) < 0)
                return false;
        arm(g);
        return true;
}

int pl_gather_new(sd_event *event, PlReporter *reporter, PlGather **ret) {
        PlGather *g = calloc(1, sizeof(*g));
        int r;

        if (!g)
                return -ENOMEM;
        g->event = sd_event_ref(event);
        g->reporter = reporter;
        g->repeats = pl_repeats_new();
        r = g->repeats ? sd_event_add_time(event, &g->timer, CLOCK_BOOTTIME, 0,
                                           PL_REPEAT_GATHER_USEC / 4, on_timer, g)
                       : -ENOMEM;
        if (r >= 0)
                r = sd_event_source_set_enabled(g->timer, SD_EVENT_OFF);
        if (r < 0) {
                pl_gather_free(g);
                return r;
        }
        reporter->gather = hold_back;
        reporter->gatherer = g;
        *ret = g;
        return 0;
}

PlGather *pl_gather_free(PlGather *g) {
        if (!g)
                return NULL;
        if (g->repeats)
                tell(g, UINT64_MAX);
        g->reporter->gather = NULL;
        pl_repeats_free(g->repeats);
        sd_event_source_disable_unref(g->timer);
        sd_event_unref(g->event);
        free(g);
        return NULL;
}
