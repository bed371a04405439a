/* SPDX-License-Identifier: Apache-2.0 */

/*
 * engine-watch: what plimsolld's engine client sees, as lines on stdout. For tests, benchmarks and
 * curiosity: events with their delay since the engine's own time stamp, losses, returns, and, with
 * --sync, how long a full list and inspection takes.
 *
 *   engine-watch [--sync] [--inspect] [--quiet SEC] [--for SEC] unix:///run/docker.sock
 */

#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <time.h>

#include "base/journal.h"
#include "engine/client.h"

typedef struct Watch {
        sd_event *event;
        PlEngine *engine;
        bool sync, inspect;
        uint64_t begin_usec;
        size_t listed, inspected, failed, events;
} Watch;

static uint64_t now_nsec(clockid_t clock) {
        struct timespec ts;

        (void)clock_gettime(clock, &ts);
        return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static long rss_anon_kib(void) {
        _cleanup_fclose_ FILE *f = fopen("/proc/self/status", "re");
        char line[128];
        long kib = 0;

        while (f && fgets(line, sizeof(line), f))
                if (sscanf(line, "RssAnon: %ld", &kib) == 1)
                        break;
        return kib;
}

static void on_inspected(void *userdata, const char *id, int error, const char *message,
                         PlContainer **c) {
        Watch *w = userdata;

        if (error < 0)
                w->failed++;
        if (w->inspect && error < 0)
                printf("inspect %.12s error %s%s%s\n", id, strerror(-error), message ? ": " : "",
                       message ?: "");
        else if (w->inspect)
                printf("inspect %.12s %s %s pid %d\n", id, (*c)->name,
                       pl_phase_to_string((*c)->phase), (int)(*c)->pid);
        if (w->sync && ++w->inspected == w->listed) {
                long peak = rss_anon_kib();

                (void)malloc_trim(0);
                printf("synced %zu containers, %zu failed, in %.1f ms; anonymous %ld KiB, after "
                       "trim "
                       "%ld\n",
                       w->inspected, w->failed,
                       (double)(now_nsec(CLOCK_MONOTONIC) / 1000 - w->begin_usec) / 1000, peak,
                       rss_anon_kib());
        }
}

static void on_listed(void *userdata, int error, const char *message, const char (*ids)[PL_ID_MAX],
                      size_t n) {
        Watch *w = userdata;

        if (error < 0) {
                printf("list error %s: %s\n", strerror(-error), message ?: "");
                return;
        }
        w->listed = n;
        w->inspected = w->failed = 0;
        printf("listed %zu in %.1f ms\n", n,
               (double)(now_nsec(CLOCK_MONOTONIC) / 1000 - w->begin_usec) / 1000);
        for (size_t i = 0; i < n; i++)
                if (pl_engine_inspect(w->engine, ids[i], on_inspected, w) < 0)
                        printf("cannot ask for %s\n", ids[i]);
}

static void sync_all(Watch *w) {
        w->begin_usec = now_nsec(CLOCK_MONOTONIC) / 1000;
        if (w->sync && pl_engine_list(w->engine, on_listed, w) < 0)
                printf("cannot list\n");
}

static void on_connected(void *userdata, const PlEngineInfo *info) {
        printf("connected %s %s API %u.%u\n", info->podman ? "Podman" : "Docker", info->version,
               info->api.major, info->api.minor);
        sync_all(userdata);
}

static void on_lost(void *userdata, int error, const char *why, uint64_t retry_usec) {
        printf("lost %s; retry in %" PRIu64 " ms\n", why, retry_usec / 1000);
}

static void on_missed(void *userdata, const char *why) {
        printf("missed %s\n", why);
        sync_all(userdata);
}

static void on_event(void *userdata, PlEvent *e) {
        Watch *w = userdata;
        double delay_msec = ((double)now_nsec(CLOCK_REALTIME) - (double)e->time_nsec) / 1e6;

        w->events++;
        printf("event %d %.12s %s exit %d health %d delay %.3f ms\n", e->action, e->id, e->name,
               e->exit_code, e->health, delay_msec);
        if (w->inspect && e->action != PL_EVENT_DESTROY)
                (void)pl_engine_inspect(w->engine, e->id, on_inspected, w);
}

static int on_end(sd_event_source *source, uint64_t usec, void *userdata) {
        return sd_event_exit(userdata, 0);
}

static const PlEngineHandlers handlers = {
        .connected = on_connected,
        .lost = on_lost,
        .event = on_event,
        .missed = on_missed,
};

static int usage(void) {
        fputs("Usage: engine-watch [--sync] [--inspect] [--quiet SEC] [--for SEC] unix://SOCKET\n",
              stderr);
        return 2;
}

int main(int argc, char **argv) {
        static const struct option options[] = {
                { "sync", no_argument, NULL, 's' },
                { "inspect", no_argument, NULL, 'i' },
                { "quiet", required_argument, NULL, 'q' },
                { "for", required_argument, NULL, 'f' },
                {},
        };
        PlEngineTuning tuning = {};
        Watch w = {};
        uint64_t for_sec = 0;
        int c, r;

        while ((c = getopt_long(argc, argv, "siq:f:", options, NULL)) != -1)
                switch (c) {
                case 's':
                        w.sync = true;
                        break;
                case 'i':
                        w.inspect = true;
                        break;
                case 'q':
                        tuning.quiet_usec = strtoull(optarg, NULL, 10) * PL_USEC_PER_SEC;
                        break;
                case 'f':
                        for_sec = strtoull(optarg, NULL, 10);
                        break;
                default:
                        return usage();
                }
        if (optind != argc - 1)
                return usage();

        setvbuf(stdout, NULL, _IOLBF, 0);
        pl_log_setup(LOG_DEBUG);
        r = sd_event_new(&w.event);
        if (r >= 0)
                r = sd_event_add_signal(w.event, NULL, SIGTERM | SD_EVENT_SIGNAL_PROCMASK, NULL,
                                        NULL);
        if (r >= 0)
                r = sd_event_add_signal(w.event, NULL, SIGINT | SD_EVENT_SIGNAL_PROCMASK, NULL,
                                        NULL);
        if (r >= 0 && for_sec > 0)
                r = sd_event_add_time_relative(w.event, NULL, CLOCK_MONOTONIC,
                                               for_sec * PL_USEC_PER_SEC, 0, on_end, w.event);
        if (r >= 0)
                r = pl_engine_new(w.event, argv[optind], &handlers, &w, &w.engine);
        if (r < 0) {
                fprintf(stderr, "engine-watch: %s: %s\n", argv[optind], strerror(-r));
                return 1;
        }
        pl_engine_tune(w.engine, &tuning);
        (void)pl_engine_start(w.engine);
        r = sd_event_loop(w.event);
        printf("end %zu events; anonymous %ld KiB\n", w.events, rss_anon_kib());
        pl_engine_free(w.engine);
        sd_event_unref(w.event);
        return r < 0;
}
