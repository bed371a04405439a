/* SPDX-License-Identifier: Apache-2.0 */

/*
 * plimsollctl events and wait: what happens from now on.
 *
 * wait takes events as hints and asks for the state itself, now and then also without one, so that
 * it cannot miss what it waits for.
 */

#include <errno.h>

#include "ctl/cli.h"
#include "base/clock.h"
#include "lib/health/machine.h"

#define WAIT_TICK_MSEC  2000
#define WAIT_RETRY_MSEC 250

/* ---- events ---- */

static int on_event(void *userdata, json_t *event) {
        const PlCtl *ctl = userdata;
        const PlViewOptions o = pl_ctl_view_options();
        _cleanup_free_ char *line = NULL;

        if (ctl->json)
                pl_ctl_print_json_line(event);
        else if (pl_view_event(event, &o, &line) == 0)
                (void)fputs(line, stdout);
        return fflush(stdout) == 0 ? 0 : -EPIPE;
}

int pl_ctl_cmd_events(PlCtl *ctl) {
        static const PlCtlStreamHandlers handlers = { .entry = on_event };
        int r = pl_ctl_client_stream(ctl->client, &handlers, ctl);

        if (r == -EPIPE)
                return PL_EXIT_GOOD; /* nobody reads any more */
        if (r == 0 || r == -ECONNRESET) {
                pl_ctl_say("plimsolld has ended the stream; see: systemctl status plimsolld");
                return PL_EXIT_NO_DAEMON;
        }
        return pl_ctl_failed(ctl, r);
}

/* ---- wait ---- */

typedef struct Wait {
        PlCtl *ctl;
        PlCtlClient *asker; /* ctl->client is busy with the stream */
        const char *path;
        uint64_t deadline_usec;
        json_t *last; /* the container as last seen; NULL: not there */
        bool seen;    /* the daemon has answered */
} Wait;

enum { WAIT_REACHED = 1, WAIT_OVER };

static bool is_reached(const Wait *w) {
        const char *want = w->ctl->wait_for;
        const char *health = json_string_value(json_object_get(w->last, "health"));
        const char *phase = json_string_value(json_object_get(w->last, "phase"));

        if (!w->last)
                return pl_streq(want, "absent");
        return (health && pl_streq(want, health)) || (phase && pl_streq(want, phase));
}

static int ask(Wait *w) {
        json_t *document = NULL;
        long code = 0;
        int r = pl_ctl_client_request(w->asker, "GET", w->path, &code, &document);

        if (r < 0)
                return r;
        w->seen = true;
        json_decref(w->last);
        w->last = code == 200 ? json_incref(document) : NULL;
        json_decref(document);
        if (code != 200 && code != 404)
                return -EPROTO;
        if (is_reached(w))
                return WAIT_REACHED;
        return pl_clock_usec(CLOCK_MONOTONIC) >= w->deadline_usec ? WAIT_OVER : 0;
}

static int on_wait_entry(void *userdata, json_t *entry) {
        return ask(userdata);
}

static int on_wait_tick(void *userdata) {
        return ask(userdata);
}

static void report_timeout(const Wait *w) {
        const PlLook look = pl_ctl_view_options().look;
        const char *health = json_string_value(json_object_get(w->last, "health"));
        const char *phase = json_string_value(json_object_get(w->last, "phase"));
        const char *reason = json_string_value(json_object_get(w->last, "reason"));
        _cleanup_free_ char *why = pl_text_clean(reason ? reason : "", &look);

        if (w->last)
                pl_ctl_say("%s is %s, %s, and not %s in time%s%s", w->ctl->arguments[0],
                           phase ? phase : "unknown", health ? health : "unknown", w->ctl->wait_for,
                           why && *why ? ": " : "", why ? why : "");
        else
                pl_ctl_say("%s did not appear in time; plimsollctl status lists what is there",
                           w->ctl->arguments[0]);
}

/* The tick that ends the wait in time even if nothing happens. */
static unsigned tick_msec(const Wait *w) {
        uint64_t now = pl_clock_usec(CLOCK_MONOTONIC);
        uint64_t left = w->deadline_usec > now ? (w->deadline_usec - now) / 1000 + 1 : 1;

        return (unsigned)PL_MIN(left, (uint64_t)WAIT_TICK_MSEC);
}

static int wait_loop(Wait *w) {
        int r;

        for (;;) {
                const PlCtlStreamHandlers handlers = { .entry = on_wait_entry,
                                                       .tick = on_wait_tick,
                                                       .tick_msec = tick_msec(w) };

                r = pl_ctl_client_stream(w->ctl->client, &handlers, w);
                if (r > 0 || r == -EACCES || r == -EPERM || r == -ENOMEM)
                        return r;
                if (pl_clock_usec(CLOCK_MONOTONIC) >= w->deadline_usec)
                        return w->seen ? WAIT_OVER : r;
                /* no daemon, or no longer: during boot it may still come */
                pl_clock_sleep(WAIT_RETRY_MSEC * PL_USEC_PER_MSEC);
        }
}

static bool is_state(const char *word) {
        static const char *const phases[] = { "created",    "running",  "paused", "exited",
                                              "restarting", "removing", "dead" };

        for (size_t i = 0; i < PL_ARRAY_SIZE(phases); i++)
                if (pl_streq(word, phases[i]))
                        return true;
        return pl_health_state_from_string(word) != _PL_HEALTH_N;
}

int pl_ctl_cmd_wait(PlCtl *ctl) {
        _cleanup_(pl_ctl_client_freep) PlCtlClient *asker = NULL;
        _cleanup_free_ char *path = pl_ctl_client_path(ctl->client, ctl->arguments[0], "");
        uint64_t now = pl_clock_usec(CLOCK_MONOTONIC);
        Wait w = { .ctl = ctl, .path = path };

        if (!is_state(ctl->wait_for)) {
                pl_ctl_say("--for %s: not a state; healthy, degraded, unhealthy, starting, absent, "
                           "finished, running, exited … are",
                           ctl->wait_for);
                return PL_EXIT_USAGE;
        }
        if (!path || pl_ctl_client_new(ctl->control, PL_CTL_CLIENT_TIMEOUT_MSEC, &asker) < 0)
                return pl_ctl_failed(ctl, -ENOMEM);
        w.asker = asker;
        w.deadline_usec = ctl->timeout_usec < PL_TIME_INFINITY - now ? now + ctl->timeout_usec
                                                                     : PL_TIME_INFINITY;
        int r = wait_loop(&w);
        if (r == WAIT_OVER)
                report_timeout(&w);
        if (ctl->json && r > 0 && w.last)
                pl_ctl_print_json(w.last);
        json_decref(w.last);
        if (r < 0)
                return pl_ctl_failed(ctl, r);
        return r == WAIT_REACHED ? PL_EXIT_GOOD : PL_EXIT_BAD;
}
