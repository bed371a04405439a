/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Engine stream: the long answer to GET /events, from its request to its end.
 *
 * It has no timeout: a quiet engine is a good engine, and /_ping tells it from a dead one. Bytes
 * are put aside inside libcurl's callbacks and turned into events by pl_engine_dispatched().
 */

#include "engine/internal.h"

#include <errno.h>

#include "base/clock.h"

#define NSEC_PER_SEC UINT64_C(1000000000)
/* The engine sends its header before it subscribes us, so the first moments are asked for again. */
#define SINCE_MARGIN_NSEC NSEC_PER_SEC
#define ERROR_BODY_MAX    KIB(16)

/*
 * What changes a container or says why it ended. Not exec_* (three for each healthcheck), and not
 * restart and stop, which say nothing that start, kill and die did not. Filters are matched by
 * prefix where health_status is among them (moby 25798), and "died" and "remove" are Podman's
 * words, which tells of no kill when it stops a container.
 */
#define FILTERS                                                                            \
        "{\"type\":[\"container\"],\"event\":[\"create\",\"start\",\"update\",\"rename\"," \
        "\"pause\",\"unpause\",\"kill\",\"die\",\"oom\",\"health_status\",\"destroy\"%s]}"
#define FILTERS_PODMAN ",\"died\",\"remove\",\"stop\""

static size_t on_header(char *data, size_t one, size_t size, void *userdata) {
        PlEngine *e = userdata;

        pl_engine_heard(e);
        if (size == 2 && memcmp(data, "\r\n", 2) == 0)
                e->stream_header = true;
        return size;
}

static long stream_status(PlEngine *e) {
        long status = 0;

        (void)curl_easy_getinfo(e->stream, CURLINFO_RESPONSE_CODE, &status);
        return status;
}

static size_t on_data(char *data, size_t one, size_t size, void *userdata) {
        PlEngine *e = userdata;
        int r;

        pl_engine_heard(e);
        if (stream_status(e) == 200)
                r = pl_event_stream_feed(&e->events, data, size);
        else
                r = pl_buffer_append(&e->stream_error, data, size, ERROR_BODY_MAX);
        if (r < 0) {
                e->stream_fault = r;
                return 0;
        }
        return size;
}

static void on_done(void *userdata, CURL *easy, int error, int fd) {
        PlEngine *e = userdata;
        _cleanup_free_ char *message = NULL;
        long status = stream_status(e);
        int fault = e->stream_fault;

        curl_easy_cleanup(TAKE_PTR(e->stream));
        if (status != 0 && status != 200) {
                message = pl_docker_parse_error(e->stream_error.data, e->stream_error.size);
                pl_engine_lose(e, pl_engine_http_error(status) ?: -EIO,
                               "GET /events was answered with status %ld%s%s", status,
                               message ? ": " : "", message ?: "");
        } else if (fault < 0)
                pl_engine_lose(e, fault, "the event stream: %s", strerror(-fault));
        else
                pl_engine_lose(e, error ?: -ECONNRESET, "the event stream ended");
}

/* From the last event on, or from a moment ago: the engine's ring covers the gap of a short loss,
 * with the deaths and OOM kills that no inspection tells afterwards. */
static uint64_t since_nsec(const PlEngine *e) {
        uint64_t now = pl_clock_usec(CLOCK_REALTIME) * 1000 - SINCE_MARGIN_NSEC,
                 last = e->events.last_nsec;

        return last > 0 && last < now ? last : now; /* also when the clock was set back */
}

int pl_engine_subscribe(PlEngine *e) {
        char filters[320], path[1024];
        uint64_t since = since_nsec(e);
        char *escaped;
        int r;

        (void)snprintf(filters, sizeof(filters), FILTERS, e->info.podman ? FILTERS_PODMAN : "");
        escaped = curl_easy_escape(NULL, filters, 0);
        if (!escaped)
                return -ENOMEM;
        (void)snprintf(path, sizeof(path),
                       "/v%u.%u/events?since=%" PRIu64 ".%09" PRIu64 "&filters=%s", e->api.major,
                       e->api.minor, since / NSEC_PER_SEC, since % NSEC_PER_SEC, escaped);
        curl_free(escaped);

        pl_event_stream_reset(&e->events);
        pl_buffer_deinit(&e->stream_error);
        e->stream_header = false;
        e->stream_fault = 0;
        e->stream = pl_engine_easy(e, path);
        if (!e->stream)
                return -ENOMEM;
        (void)curl_easy_setopt(e->stream, CURLOPT_HEADERFUNCTION, on_header);
        (void)curl_easy_setopt(e->stream, CURLOPT_HEADERDATA, e);
        (void)curl_easy_setopt(e->stream, CURLOPT_WRITEFUNCTION, on_data);
        (void)curl_easy_setopt(e->stream, CURLOPT_WRITEDATA, e);
        /* it never ends well, so its connection is of no use to anybody else */
        (void)curl_easy_setopt(e->stream, CURLOPT_FORBID_REUSE, 1L);
        r = pl_curl_add(e->curl, e->stream, on_done, e);
        if (r < 0)
                curl_easy_cleanup(TAKE_PTR(e->stream));
        return r;
}

void pl_engine_unsubscribe(PlEngine *e) {
        if (e->stream) {
                pl_curl_remove(e->curl, e->stream);
                curl_easy_cleanup(TAKE_PTR(e->stream));
        }
        pl_event_stream_reset(&e->events);
        pl_buffer_deinit(&e->stream_error);
}

static bool on_event(void *userdata, PlEvent *event) {
        PlEngine *e = userdata;

        e->handlers->event(e->userdata, event);
        return !e->freed && e->stream;
}

void pl_engine_dispatched(void *userdata) {
        _cleanup_(pl_engine_unrefp) PlEngine *e = pl_engine_ref(userdata);

        if (e->state == PL_ENGINE_SUBSCRIBING && e->stream_header && stream_status(e) == 200)
                pl_engine_subscribed(e);
        if (e->freed || e->state != PL_ENGINE_CONNECTED || e->events.size == 0)
                return;
        if (!pl_event_stream_dispatch(&e->events, on_event, e) || !e->events.damaged)
                return;
        e->events.damaged = false;
        if (e->handlers->missed)
                e->handlers->missed(e->userdata, "an event could not be read");
}
