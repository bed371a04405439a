/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Engine: the life of the connection.
 *
 *   waiting ─► /_ping ─► /version, negotiate ─► /events ─► connected
 *      ▲          │             │                  │           │
 *      └──────────┴─────────────┴── lose() ────────┴───────────┘
 *
 * Everything that goes wrong anywhere ends in pl_engine_lose(), which tells it once and waits:
 * exponentially longer, or until the socket changes. It decides nothing about containers.
 */

#include "engine/internal.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <sys/random.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/journal.h"
#include "lib/base/backoff.h"

#define WHY_MAX 600
/* A socket is made in several steps (bind, chmod, listen): wait for the end of them. */
#define KNOCK_DELAY_USEC (5 * PL_USEC_PER_MSEC)

static const PlEngineTuning tuning_default = {
        .quiet_usec = 24 * PL_USEC_PER_SEC,
        .pong_usec = 5 * PL_USEC_PER_SEC,
        .ping_usec = 10 * PL_USEC_PER_SEC,
        .read_usec = 10 * PL_USEC_PER_SEC,
        .update_usec = 30 * PL_USEC_PER_SEC,
        .restart_usec = 5 * PL_USEC_PER_MIN,
        .backoff_base_usec = 250 * PL_USEC_PER_MSEC,
        .backoff_max_usec = 15 * PL_USEC_PER_SEC,
        .settled_usec = 10 * PL_USEC_PER_SEC,
        .activator = 1,
};

static const struct {
        int error;
        const char *words;
} explanations[] = {
        { -ENOENT, "there is no such socket: is the engine running?" },
        { -ECONNREFUSED, "nobody listens on the socket: is the engine running?" },
        { -EACCES, "permission denied: it takes root or the socket's group" },
        { -ETIMEDOUT, "no answer in time: does the engine hang?" },
        { -ECONNRESET, "it hung up without an answer" },
        { -EBADMSG, "the answer is not what an engine says: is something else behind the socket?" },
        { -EMSGSIZE, "the answer is too long" },
        { -EIO, "it answers with an error" },
};

static const char *explain(int error) {
        for (size_t i = 0; i < PL_ARRAY_SIZE(explanations); i++)
                if (explanations[i].error == error)
                        return explanations[i].words;
        return strerror(-error);
}

PlEngine *pl_engine_ref(PlEngine *e) {
        e->n_ref++;
        return e;
}

PlEngine *pl_engine_unref(PlEngine *e) {
        if (!e || --e->n_ref > 0)
                return NULL;
        pl_event_stream_deinit(&e->events);
        pl_buffer_deinit(&e->stream_error);
        pl_engine_info_deinit(&e->info);
        sd_event_unref(e->event);
        free(e->url);
        free(e->path);
        free(e);
        return NULL;
}

void pl_engine_hang_up(PlEngine *e) {
        _cleanup_(pl_engine_unrefp) PlEngine *alive = pl_engine_ref(e);
        PlRequestList due;

        e->state = PL_ENGINE_STOPPED;
        e->ping_running = false;
        (void)sd_event_source_set_enabled(e->timer, SD_EVENT_OFF);
        pl_engine_socket_watch(e->socket, false);
        pl_engine_unsubscribe(e);
        pl_engine_abort(e, &due);
        pl_request_list_fail(alive, &due, -ECONNRESET);
}

PlEngine *pl_engine_free(PlEngine *e) {
        PlRequestList dropped;

        if (!e)
                return NULL;
        e->freed = true;
        e->state = PL_ENGINE_STOPPED;
        if (e->curl) {
                pl_engine_unsubscribe(e);
                pl_engine_abort(e, &dropped);
                pl_request_list_free(&dropped);
                pl_curl_set_dispatched(e->curl, NULL, NULL);
                e->curl = pl_curl_free(e->curl);
        }
        e->timer = sd_event_source_disable_unref(e->timer);
        e->socket = pl_engine_socket_free(e->socket);
        return pl_engine_unref(e);
}

void pl_engine_heard(PlEngine *e) {
        e->heard_usec = pl_clock_loop_usec(e->event, CLOCK_MONOTONIC);
}

/* accuracy: how much later the timer may be, to share somebody else's wake-up */
static void arm(PlEngine *e, uint64_t at_usec, uint64_t accuracy_usec) {
        (void)sd_event_source_set_time_accuracy(e->timer, PL_MAX(accuracy_usec, UINT64_C(1)));
        (void)sd_event_source_set_time(e->timer, at_usec);
        (void)sd_event_source_set_enabled(e->timer, SD_EVENT_ONESHOT);
}

static void disarm(PlEngine *e) {
        (void)sd_event_source_set_enabled(e->timer, SD_EVENT_OFF);
}

static int ask(PlEngine *e, PlRequestKind kind) {
        PlRequest *q = pl_request_new(e, kind, NULL, NULL);

        return q ? pl_engine_request(e, q) : -ENOMEM;
}

void pl_engine_lose(PlEngine *e, int error, const char *format, ...) {
        _cleanup_(pl_engine_unrefp) PlEngine *alive = pl_engine_ref(e);
        uint64_t now = pl_clock_loop_usec(e->event, CLOCK_MONOTONIC), random = 0, wait_usec;
        PlRequestList due;
        char why[WHY_MAX];
        va_list ap;
        bool tell;

        va_start(ap, format);
        (void)vsnprintf(why, sizeof(why), format, ap);
        va_end(ap);

        tell = e->state == PL_ENGINE_CONNECTED || !e->lost_said;
        if (e->state == PL_ENGINE_CONNECTED && now - e->connected_usec >= e->tuning.settled_usec)
                e->attempt = 0;
        e->state = PL_ENGINE_WAITING;
        e->ping_running = false;
        pl_engine_unsubscribe(e);
        pl_engine_abort(e, &due);

        (void)getrandom(&random, sizeof(random), GRND_NONBLOCK);
        wait_usec = pl_backoff_usec(e->attempt, e->tuning.backoff_base_usec,
                                    e->tuning.backoff_max_usec, random);
        if (e->attempt < UINT_MAX)
                e->attempt++;
        pl_engine_socket_watch(e->socket, true);
        arm(e, now + wait_usec, wait_usec / 16);

        if (tell) {
                e->lost_said = true;
                e->handlers->lost(e->userdata, error, why, wait_usec);
        } else
                pl_log_debug("Engine at %s: %s; retrying in %" PRIu64 " ms", e->url, why,
                             wait_usec / PL_USEC_PER_MSEC);
        pl_request_list_fail(alive, &due, -ECONNRESET);
}

static void attempt(PlEngine *e) {
        int r;

        if (!pl_engine_socket_may_knock(e->socket)) {
                /* stopped on purpose: its start is noticed by its pid file */
                arm(e, pl_clock_loop_usec(e->event, CLOCK_MONOTONIC) + e->tuning.backoff_max_usec,
                    e->tuning.backoff_max_usec / 4);
                return;
        }
        disarm(e);
        e->state = PL_ENGINE_PINGING;
        r = ask(e, PL_REQUEST_PING);
        if (r < 0)
                pl_engine_lose(e, r, "%s", strerror(-r));
}

void pl_engine_ponged(PlEngine *e, int error, const char *message, pid_t listener) {
        int r;

        if (e->state == PL_ENGINE_CONNECTED) {
                e->ping_running = false;
                pl_engine_heard(e);
                if (error < 0)
                        pl_engine_lose(e, error, "GET /_ping: %s", message ?: explain(error));
                return;
        }
        if (e->state != PL_ENGINE_PINGING)
                return;
        if (error < 0) {
                pl_engine_lose(e, error, "%s", message ?: explain(error));
                return;
        }
        pl_engine_socket_connected(e->socket, listener, e->tuning.activator);
        e->state = PL_ENGINE_ASKING;
        r = ask(e, PL_REQUEST_VERSION);
        if (r < 0)
                pl_engine_lose(e, r, "%s", strerror(-r));
}

void pl_engine_versioned(PlEngine *e, int error, const char *message, const PlBuffer *answer) {
        PlEngineInfo info = {};
        int r;

        if (e->state != PL_ENGINE_ASKING)
                return;
        if (error == 0)
                error = pl_docker_parse_version(answer->data, answer->size, &info);
        if (error < 0) {
                pl_engine_lose(e, error, "GET /version: %s", message ?: explain(error));
                return;
        }
        pl_engine_info_deinit(&e->info);
        e->info = info;
        r = pl_docker_negotiate(info.api, info.api_min, &e->api);
        if (r < 0) {
                pl_engine_lose(e, r,
                               "it speaks API %u.%u to %u.%u, plimsolld %u.%u to %u.%u; one of the "
                               "two is too old",
                               info.api_min.major, info.api_min.minor, info.api.major,
                               info.api.minor, PL_DOCKER_API_MIN.major, PL_DOCKER_API_MIN.minor,
                               PL_DOCKER_API_TESTED.major, PL_DOCKER_API_TESTED.minor);
                return;
        }
        e->info.api = e->api;
        e->known = true;
        e->state = PL_ENGINE_SUBSCRIBING;
        arm(e, pl_clock_loop_usec(e->event, CLOCK_MONOTONIC) + e->tuning.ping_usec,
            e->tuning.ping_usec / 16);
        r = pl_engine_subscribe(e);
        if (r < 0)
                pl_engine_lose(e, r, "%s", strerror(-r));
}

static void arm_quiet(PlEngine *e) {
        arm(e, e->heard_usec + e->tuning.quiet_usec, e->tuning.quiet_usec / 100);
}

void pl_engine_subscribed(PlEngine *e) {
        e->state = PL_ENGINE_CONNECTED;
        e->connected_usec = e->heard_usec = pl_clock_loop_usec(e->event, CLOCK_MONOTONIC);
        pl_engine_socket_watch(e->socket, false);
        arm_quiet(e);
        if (e->info.podman && !e->podman_said) {
                e->podman_said = true;
                pl_log_notice("The engine is Podman: it does not say when a container ran out of "
                              "memory, so that is learnt from the kernel alone, and not always "
                              "that somebody stopped one: OnUnhealthy=restart may take that for "
                              "an end by itself");
        }
        e->handlers->connected(e->userdata, &e->info);
}

void pl_engine_doubt(PlEngine *e) {
        if (e->state != PL_ENGINE_CONNECTED || e->ping_running)
                return;
        e->ping_running = ask(e, PL_REQUEST_PING) >= 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        _cleanup_(pl_engine_unrefp) PlEngine *e = pl_engine_ref(userdata);

        switch (e->state) {
        case PL_ENGINE_WAITING:
                attempt(e);
                break;
        case PL_ENGINE_SUBSCRIBING:
                pl_engine_lose(e, -ETIMEDOUT, "GET /events: %s", explain(-ETIMEDOUT));
                break;
        case PL_ENGINE_CONNECTED:
                if (pl_clock_loop_usec(e->event, CLOCK_MONOTONIC) - e->heard_usec >=
                    e->tuning.quiet_usec) {
                        pl_engine_doubt(e);
                        pl_engine_heard(e); /* the answer is awaited by the request's own timeout */
                        if (e->handlers->quiet)
                                e->handlers->quiet(e->userdata);
                }
                if (!e->freed)
                        arm_quiet(e);
                break;
        default:
                break;
        }
        return 0;
}

static void on_socket_changed(void *userdata) {
        PlEngine *e = userdata;

        if (e->state != PL_ENGINE_WAITING)
                return;
        e->attempt = 0;
        arm(e, pl_clock_loop_usec(e->event, CLOCK_MONOTONIC) + KNOCK_DELAY_USEC, 1);
}

static int parse_url(const char *url, char **ret) {
        const char *path;

        if (!pl_startswith(url, "unix://"))
                return -EPROTONOSUPPORT;
        path = url + strlen("unix://");
        if (path[0] != '/' || path[1] == '\0' ||
            strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
                return -EINVAL;
        *ret = strdup(path);
        return *ret ? 0 : -ENOMEM;
}

int pl_engine_new(sd_event *event, const char *url, const PlEngineHandlers *handlers,
                  void *userdata, PlEngine **ret) {
        _cleanup_(pl_engine_freep) PlEngine *e = calloc(1, sizeof(*e));
        int r;

        if (!e)
                return -ENOMEM;
        e->n_ref = 1;
        e->event = sd_event_ref(event);
        e->handlers = handlers;
        e->userdata = userdata;
        e->tuning = tuning_default;
        r = parse_url(url, &e->path);
        if (r < 0)
                return r;
        e->url = strdup(url);
        if (!e->url)
                return -ENOMEM;
        r = pl_curl_new(event, &e->curl);
        if (r < 0)
                return r;
        pl_curl_set_dispatched(e->curl, pl_engine_dispatched, e);
        r = pl_engine_socket_new(event, e->path, on_socket_changed, e, &e->socket);
        if (r < 0)
                return r;
        r = sd_event_add_time(event, &e->timer, CLOCK_MONOTONIC, 0, 0, on_timer, e);
        if (r < 0)
                return r;
        disarm(e);
        (void)sd_event_source_set_description(e->timer, "engine");
        *ret = TAKE_PTR(e);
        return 0;
}

#define TUNE(member)                                       \
        do {                                               \
                if (tuning->member != 0)                   \
                        e->tuning.member = tuning->member; \
        } while (false)

void pl_engine_tune(PlEngine *e, const PlEngineTuning *tuning) {
        TUNE(quiet_usec);
        TUNE(pong_usec);
        TUNE(ping_usec);
        TUNE(read_usec);
        TUNE(update_usec);
        TUNE(restart_usec);
        TUNE(backoff_base_usec);
        TUNE(backoff_max_usec);
        TUNE(settled_usec);
        TUNE(activator);
}

int pl_engine_start(PlEngine *e) {
        if (e->state != PL_ENGINE_STOPPED)
                return -EALREADY;
        e->state = PL_ENGINE_WAITING;
        arm(e, 0, 1);
        return 0;
}

bool pl_engine_is_connected(const PlEngine *e) {
        return e->state == PL_ENGINE_CONNECTED;
}

const PlEngineInfo *pl_engine_info(const PlEngine *e) {
        return e->known ? &e->info : NULL;
}

const char *pl_engine_url(const PlEngine *e) {
        return e->url;
}
