/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Status line: STATUS=, READY=1, the watchdog, and memory given back when things are quiet.
 */

#include "status/line.h"

#include <errno.h>
#include <malloc.h>
#include <systemd/sd-daemon.h>

#include "base/clock.h"
#include "base/loop.h"
#include "status/snapshot.h"

/* Giving memory back takes a millisecond: do it after this many answers of the engine, or this long
 * after the last time. */
#define TRIM_AFTER      64
#define TRIM_EVERY_USEC (10 * PL_USEC_PER_SEC)
/* A burst of changes makes one status line; where there is much to count it takes its hundredth
 * part of the time at most. */
#define REFRESH_DELAY_USEC     (50 * PL_USEC_PER_MSEC)
#define REFRESH_DELAY_MAX_USEC PL_USEC_PER_SEC
#define REFRESH_SHARE          100

struct PlStatusLine {
        sd_event *event;
        const PlSources *from;
        sd_event_source *timer; /* coalesces changes */
        sd_event_source *trim;  /* gives memory back later, if it was too early just now */
        sd_event_source *watchdog;
        uint64_t watchdog_usec; /* WATCHDOG_USEC; 0: none */
        char *sent;             /* last STATUS= */
        uint64_t cost_usec;     /* of making it */
        bool ready_sent, stopped;
        unsigned trimmed_churn; /* the registry's count when memory was given back last */
        uint64_t trimmed_usec;  /* when that was; 0: never yet */
};

/* Answers of the engine leave holes in the heap that nobody may fill for hours. The start leaves
 * most of them, so the first time comes right after it. */
static void trim_when_quiet(PlStatusLine *l) {
        const PlRegistry *g = l->from->registry;
        uint64_t now = pl_clock_loop_usec(l->event, CLOCK_BOOTTIME);
        unsigned churn = g->churn - l->trimmed_churn;

        if (!g->synced || churn == 0 || l->from->enforcer->updates_in_flight > 0 ||
            g->sync_pending > 0)
                return;
        if (churn < TRIM_AFTER && l->trimmed_usec > 0 && now - l->trimmed_usec < TRIM_EVERY_USEC) {
                (void)sd_event_source_set_time(l->trim, l->trimmed_usec + TRIM_EVERY_USEC);
                (void)sd_event_source_set_enabled(l->trim, SD_EVENT_ONESHOT);
                return;
        }
        l->trimmed_churn = g->churn;
        l->trimmed_usec = now;
        (void)malloc_trim(0);
}

static int on_trim(sd_event_source *source, uint64_t usec, void *userdata) {
        pl_loop_doing("memory given back");
        trim_when_quiet(userdata);
        return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        PlStatusLine *l = userdata;
        const PlRegistry *g = l->from->registry;
        uint64_t begun_usec = pl_clock_usec(CLOCK_MONOTONIC);
        _cleanup_free_ char *line = pl_snapshot_line(l->from);
        /* An absent engine is no reason to hang a boot: plimsolld is ready to wait for it. */
        bool ready = !l->ready_sent && (g->synced || g->engine_error);

        pl_loop_doing("status line");
        l->cost_usec = pl_clock_usec(CLOCK_MONOTONIC) - begun_usec;
        trim_when_quiet(l);
        if (!line)
                return 0;
        if (!ready && pl_streq_null(line, l->sent))
                return 0;
        (void)sd_notifyf(false, "%sSTATUS=%s", ready ? "READY=1\n" : "", line);
        if (ready) {
                l->ready_sent = true;
                pl_log_info("Ready: %s", line);
        } else {
                pl_log_debug("Status: %s", line);
        }
        free(l->sent);
        l->sent = TAKE_PTR(line);
        return 0;
}

void pl_status_line_refresh(PlStatusLine *l) {
        int enabled = SD_EVENT_OFF;
        uint64_t delay;

        if (!l || l->stopped ||
            (sd_event_source_get_enabled(l->timer, &enabled), enabled != SD_EVENT_OFF))
                return;
        delay = PL_MIN(l->cost_usec * REFRESH_SHARE, (uint64_t)REFRESH_DELAY_MAX_USEC);
        delay = PL_MAX(delay, (uint64_t)REFRESH_DELAY_USEC);
        (void)sd_event_source_set_time_relative(l->timer, delay);
        (void)sd_event_source_set_enabled(l->timer, SD_EVENT_ONESHOT);
}

void pl_status_line_stop(PlStatusLine *l) {
        l->stopped = true;
}

/* The ping means "the loop turns and ticks are done", not just "a timer fired". */
static int on_watchdog(sd_event_source *source, uint64_t usec, void *userdata) {
        PlStatusLine *l = userdata;
        uint64_t since = l->from->enforcer->tick_armed_usec, overdue = 0;

        if (since > 0)
                overdue = pl_clock_loop_usec(l->event, CLOCK_BOOTTIME) - since;
        if (overdue < l->watchdog_usec / 2)
                (void)sd_notify(false, "WATCHDOG=1");
        else
                pl_log_error("A tick is overdue by %" PRIu64 " s: not pinging the watchdog",
                             overdue / PL_USEC_PER_SEC);
        (void)sd_event_source_set_time_relative(source, l->watchdog_usec / 2);
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int pl_status_line_new(sd_event *event, const PlSources *from, PlStatusLine **ret) {
        PlStatusLine *l = calloc(1, sizeof(*l));
        int r;

        if (!l)
                return -ENOMEM;
        l->event = sd_event_ref(event);
        l->from = from;
        r = sd_event_add_time(event, &l->timer, CLOCK_BOOTTIME, 0, PL_USEC_PER_MSEC, on_timer, l);
        if (r >= 0)
                r = sd_event_source_set_enabled(l->timer, SD_EVENT_OFF);
        /* shares a wake-up with others */
        if (r >= 0)
                r = sd_event_add_time(event, &l->trim, CLOCK_BOOTTIME, 0, TRIM_EVERY_USEC, on_trim,
                                      l);
        if (r >= 0)
                r = sd_event_source_set_enabled(l->trim, SD_EVENT_OFF);
        if (r >= 0 && sd_watchdog_enabled(false, &l->watchdog_usec) > 0)
                r = sd_event_add_time_relative(event, &l->watchdog, CLOCK_BOOTTIME, 0, 0,
                                               on_watchdog, l);
        if (r < 0) {
                pl_status_line_free(l);
                return r;
        }
        *ret = l;
        return 0;
}

PlStatusLine *pl_status_line_free(PlStatusLine *l) {
        if (!l)
                return NULL;
        sd_event_source_disable_unref(l->timer);
        sd_event_source_disable_unref(l->trim);
        sd_event_source_disable_unref(l->watchdog);
        free(l->sent);
        sd_event_unref(l->event);
        free(l);
        return NULL;
}
