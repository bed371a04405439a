/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Control server: libmicrohttpd on the daemon's own loop.
 *
 * MHD has an epoll of its own, which is one descriptor on the loop; it runs when that is readable,
 * has no thread and no timer of its own while nothing is going on. What MHD cannot bound is bounded
 * here: MHD's timeout counts silence, so a client that sends a byte now and then would live for
 * ever; each connection instead has a deadline for its whole request, kept in one queue with one
 * timer. It must not know what the answers mean.
 */

#include "control/server.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "control/answer.h"
#include "control/route.h"
#include "control/stream.h"

#define CONNECTIONS_MAX  256     /* more wait in the socket's backlog */
#define CONNECTION_BYTES KIB(16) /* request line, headers and MHD's own needs */
#define BODY_MAX         KIB(64)
#define REQUEST_TIMEOUT  (15 * PL_USEC_PER_SEC) /* from connect, or the last answer, to the next */
#define CLOSING_ROUNDS   8                      /* MHD sends the last chunk a step at a time */

/* One connection, from accept to close. */
typedef struct Peer {
        int fd; /* borrowed from MHD */
        uint64_t deadline_usec;
        bool timed; /* in the queue; streams are not */
        TAILQ_ENTRY(Peer) link;
} Peer;

/* One request. */
typedef struct Request {
        size_t size;
        bool too_large;
        char body[BODY_MAX + 1];
} Request;

struct PlCtlServer {
        sd_event *event;
        sd_event_source *io, *mhd_timer, *deadline_timer;
        struct MHD_Daemon *mhd;
        const PlCtlHandlers *handlers;
        void *userdata;
        PlCtlStreams *streams;
        bool resumed; /* a connection, since the last run */
        uint64_t timeout_usec;
        TAILQ_HEAD(PeerQueue, Peer) queue; /* by deadline: all deadlines are equally far away */
};

/* ---- actions ---- */

static enum MHD_Result do_reload(PlCtlServer *s, struct MHD_Connection *connection) {
        _cleanup_free_ char *message = NULL;
        int r = s->handlers->reload(s->userdata, &message);

        if (r >= 0)
                return pl_ctl_answer_json(connection, json_pack("{s:b,s:s*}", "reloaded", 1,
                                                                "message", message));
        json_t *errors = json_array();
        char *rest = message;
        for (const char *line; errors && (line = strsep(&rest, "\n"));)
                if (*line)
                        (void)json_array_append_new(errors, json_string(line));
        return pl_ctl_answer_with(
                        connection, MHD_HTTP_UNPROCESSABLE_CONTENT, NULL,
                        json_pack("{s:b,s:s,s:s,s:o}", "reloaded", 0, "message",
                                  "the policy was rejected; the one before stays in force",
                                  "remedy", "mend the lines named and reload again", "errors",
                                  errors));
}

static enum MHD_Result do_rotate(PlCtlServer *s, struct MHD_Connection *connection,
                                 const char *name) {
        _cleanup_free_ char *message = NULL;
        int r = s->handlers->rotate(s->userdata, name, &message);

        if (r >= 0)
                return pl_ctl_answer_with(
                                connection, MHD_HTTP_ACCEPTED, NULL,
                                json_pack("{s:b,s:s*}", "started", 1, "message", message));
        if (r == -ENOENT)
                return pl_ctl_answer_no_container(connection, name);
        return pl_ctl_answer_error(connection, MHD_HTTP_CONFLICT, NULL,
                                   message ? message : strerror(-r),
                                   "plimsollctl show NAME says how its log is kept");
}

static enum MHD_Result do_events(PlCtlServer *s, struct MHD_Connection *connection) {
        const union MHD_ConnectionInfo *info =
                        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
        /* at once: the next question about this connection is answered in the same union */
        Peer *peer = info ? info->socket_context : NULL;
        struct MHD_Response *response = NULL;
        int r = pl_ctl_streams_open(s->streams, connection, &response);

        if (r == -EUSERS)
                return pl_ctl_answer_error(connection, MHD_HTTP_SERVICE_UNAVAILABLE, NULL,
                                           "too many event streams are open",
                                           "end some of the plimsollctl events that are running");
        if (r < 0)
                return MHD_NO;
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                                      "application/x-ndjson");
        enum MHD_Result queued = MHD_queue_response(connection, MHD_HTTP_OK, response);
        MHD_destroy_response(response);

        if (peer && peer->timed) {
                TAILQ_REMOVE(&s->queue, peer, link);
                peer->timed = false;
        }
        return queued;
}

static enum MHD_Result act(PlCtlServer *s, struct MHD_Connection *connection,
                           const PlCtlRoute *route) {
        switch (route->action) {
        case PL_CTL_STATUS:
                return pl_ctl_answer_json(connection, s->handlers->status(s->userdata));
        case PL_CTL_FINDINGS:
                return pl_ctl_answer_json(connection, s->handlers->findings(s->userdata));
        case PL_CTL_CONTAINER: {
                json_t *j = s->handlers->container(s->userdata, route->name);
                return j ? pl_ctl_answer_json(connection, j)
                         : pl_ctl_answer_no_container(connection, route->name);
        }
        case PL_CTL_EVENTS:
                return do_events(s, connection);
        case PL_CTL_RELOAD:
                return do_reload(s, connection);
        case PL_CTL_ROTATE:
                return do_rotate(s, connection, route->name);
        }
        return MHD_NO;
}

/* ---- requests ---- */

static bool announces_too_much(struct MHD_Connection *connection) {
        const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
                                                         MHD_HTTP_HEADER_CONTENT_LENGTH);
        return length && strtoull(length, NULL, 10) > BODY_MAX;
}

static enum MHD_Result answer_too_large(struct MHD_Connection *connection) {
        return pl_ctl_answer_error(connection, MHD_HTTP_CONTENT_TOO_LARGE, NULL,
                                   "the request's body is larger than 64 KiB",
                                   "requests need no body, or a small JSON object");
}

static bool body_is_good(const Request *q) {
        if (q->size == 0)
                return true;
        json_t *j = json_loadb(q->body, q->size, 0, NULL);
        bool good = json_is_object(j);
        json_decref(j);
        return good;
}

static enum MHD_Result answer_request(PlCtlServer *s, struct MHD_Connection *connection,
                                      const char *target, const char *method, const Request *q) {
        PlCtlRoute route;

        if (q->too_large)
                return answer_too_large(connection);
        switch (pl_ctl_route(method, target, &route)) {
        case 0:
                break;
        case PL_CTL_E_METHOD:
                return pl_ctl_answer_error(connection, MHD_HTTP_METHOD_NOT_ALLOWED, route.allow,
                                           "this method is not for this address",
                                           "the Allow header lists the right ones");
        case PL_CTL_E_NAME:
                return pl_ctl_answer_error(connection, MHD_HTTP_BAD_REQUEST, NULL,
                                           "this is not the name of a container or service",
                                           "letters, digits and _ . - make up a name");
        default:
                return pl_ctl_answer_error(
                                connection, MHD_HTTP_NOT_FOUND, NULL, "no such address",
                                "plimsollctl(1) lists the addresses of the control socket");
        }
        if (!body_is_good(q))
                return pl_ctl_answer_error(connection, MHD_HTTP_BAD_REQUEST, NULL,
                                           "the request's body is not a JSON object",
                                           "leave the body out, or send {}");
        return act(s, connection, &route);
}

static enum MHD_Result on_request(void *userdata, struct MHD_Connection *connection,
                                  const char *target, const char *method, const char *version,
                                  const char *data, size_t *size, void **request) {
        Request *q = *request;

        if (!q) {
                if (announces_too_much(connection))
                        return answer_too_large(connection);
                /* not calloc: 64 KiB need no zeroing to say that nothing is in them */
                q = malloc(sizeof *q);
                if (!q)
                        return MHD_NO;
                q->size = 0;
                q->too_large = false;
                *request = q;
                return MHD_YES;
        }
        if (*size == 0)
                return answer_request(userdata, connection, target, method, q);

        /* a chunked body announces nothing: what is too much is read and dropped until the deadline
         */
        if (*size > BODY_MAX - q->size)
                q->too_large = true;
        else {
                memcpy(q->body + q->size, data, *size);
                q->size += *size;
        }
        *size = 0;
        return MHD_YES;
}

/* ---- deadlines ---- */

static void arm_deadline(PlCtlServer *s) {
        const Peer *first = TAILQ_FIRST(&s->queue);

        if (!first) {
                (void)sd_event_source_set_enabled(s->deadline_timer, SD_EVENT_OFF);
                return;
        }
        (void)sd_event_source_set_time(s->deadline_timer, first->deadline_usec);
        (void)sd_event_source_set_enabled(s->deadline_timer, SD_EVENT_ONESHOT);
}

static void renew_deadline(PlCtlServer *s, Peer *peer) {
        if (peer->timed)
                TAILQ_REMOVE(&s->queue, peer, link);
        peer->timed = true;
        peer->deadline_usec = pl_clock_loop_usec(s->event, CLOCK_MONOTONIC) + s->timeout_usec;
        TAILQ_INSERT_TAIL(&s->queue, peer, link);
}

static void on_connection(void *userdata, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code) {
        PlCtlServer *s = userdata;
        Peer *peer = *context;

        if (code == MHD_CONNECTION_NOTIFY_STARTED) {
                const union MHD_ConnectionInfo *info = MHD_get_connection_info(
                                connection, MHD_CONNECTION_INFO_CONNECTION_FD);
                peer = info ? calloc(1, sizeof *peer) : NULL;
                if (!peer) {
                        /* without a deadline it may not stay */
                        if (info)
                                (void)shutdown(info->connect_fd, SHUT_RDWR);
                        return;
                }
                peer->fd = info->connect_fd;
                *context = peer;
                renew_deadline(s, peer);
        } else if (peer) {
                if (peer->timed)
                        TAILQ_REMOVE(&s->queue, peer, link);
                free(peer);
                *context = NULL;
        }
}

static void on_completed(void *userdata, struct MHD_Connection *connection, void **request,
                         enum MHD_RequestTerminationCode code) {
        PlCtlServer *s = userdata;
        const union MHD_ConnectionInfo *info =
                        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

        if (info && info->socket_context)
                renew_deadline(s, info->socket_context);
        free(*request);
        *request = NULL;
}

/* ---- the loop ---- */

static void run_after(PlCtlServer *s, uint64_t usec) {
        (void)sd_event_source_set_time(s->mhd_timer,
                                       pl_clock_loop_usec(s->event, CLOCK_MONOTONIC) + usec);
        (void)sd_event_source_set_enabled(s->mhd_timer, SD_EVENT_ONESHOT);
}

static void on_resumed(void *userdata) {
        PlCtlServer *s = userdata;

        s->resumed = true;
        run_after(s, 0);
}

/* MHD asks to be run again at once when it has more to do than one round took. */
static void run(PlCtlServer *s) {
        MHD_UNSIGNED_LONG_LONG msec = 0;

        s->resumed = false;
        (void)MHD_run(s->mhd);
        if (s->resumed)
                run_after(s, 0);
        else if (MHD_get_timeout(s->mhd, &msec) == MHD_YES)
                run_after(s, msec * PL_USEC_PER_MSEC);
        else
                (void)sd_event_source_set_enabled(s->mhd_timer, SD_EVENT_OFF);
        arm_deadline(s);
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        run(userdata);
        return 0;
}

static int on_mhd_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        run(userdata);
        return 0;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata) {
        PlCtlServer *s = userdata;
        Peer *peer;

        while ((peer = TAILQ_FIRST(&s->queue)) && peer->deadline_usec <= usec) {
                TAILQ_REMOVE(&s->queue, peer, link);
                peer->timed = false;
                (void)shutdown(peer->fd, SHUT_RDWR); /* MHD sees the end of the connection */
        }
        run(s);
        return 0;
}

/* Names are decoded segment by segment in ctl-route: MHD would turn %2f into a slash before. */
static size_t leave_escaped(void *userdata, struct MHD_Connection *connection, char *s) {
        return strlen(s);
}

static int start_mhd(PlCtlServer *s, int fd) {
        s->mhd = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
                                  on_request, s, MHD_OPTION_LISTEN_SOCKET, fd,
                                  MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
                                  MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
                                  MHD_OPTION_CONNECTION_TIMEOUT, 0U, MHD_OPTION_NOTIFY_CONNECTION,
                                  on_connection, s, MHD_OPTION_NOTIFY_COMPLETED, on_completed, s,
                                  MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, s, MHD_OPTION_END);
        return s->mhd ? 0 : -EIO;
}

static int add_sources(PlCtlServer *s) {
        const union MHD_DaemonInfo *info = MHD_get_daemon_info(s->mhd, MHD_DAEMON_INFO_EPOLL_FD);
        int r;

        if (!info)
                return -EIO;
        if ((r = sd_event_add_io(s->event, &s->io, info->epoll_fd, EPOLLIN, on_readable, s)) < 0 ||
            (r = sd_event_add_time(s->event, &s->mhd_timer, CLOCK_MONOTONIC, 0, 1, on_mhd_timer,
                                   s)) < 0 ||
            (r = sd_event_source_set_enabled(s->mhd_timer, SD_EVENT_OFF)) < 0 ||
            (r = sd_event_add_time(s->event, &s->deadline_timer, CLOCK_MONOTONIC, 0,
                                   PL_USEC_PER_SEC, on_deadline, s)) < 0)
                return r;
        return sd_event_source_set_enabled(s->deadline_timer, SD_EVENT_OFF);
}

int pl_ctl_server_new(sd_event *event, int listen_fd, const PlCtlHandlers *handlers, void *userdata,
                      PlCtlServer **ret) {
        _cleanup_(pl_ctl_server_freep) PlCtlServer *s = calloc(1, sizeof *s);
        int r;

        if (!s)
                return -ENOMEM;
        s->event = sd_event_ref(event);
        s->handlers = handlers;
        s->userdata = userdata;
        s->timeout_usec = REQUEST_TIMEOUT;
        TAILQ_INIT(&s->queue);
        if ((r = pl_ctl_streams_new(event, on_resumed, s, &s->streams)) < 0)
                return r;

        /* MHD closes what it is given, on some of its failures too: it gets a copy */
        int copy = fcntl(listen_fd, F_DUPFD_CLOEXEC, 3);
        if (copy < 0)
                return -errno;
        if ((r = start_mhd(s, copy)) < 0 || (r = add_sources(s)) < 0)
                return r;

        (void)close(listen_fd);
        *ret = TAKE_PTR(s);
        return 0;
}

PlCtlServer *pl_ctl_server_free(PlCtlServer *s) {
        if (!s)
                return NULL;
        if (s->mhd) {
                /* MHD must not be stopped while a connection is suspended */
                pl_ctl_streams_close(s->streams);
                for (int i = 0; i < CLOSING_ROUNDS && pl_ctl_streams_count(s->streams) > 0; i++)
                        (void)MHD_run(s->mhd);
                MHD_stop_daemon(s->mhd);
        }
        sd_event_source_disable_unref(s->io);
        sd_event_source_disable_unref(s->mhd_timer);
        sd_event_source_disable_unref(s->deadline_timer);
        pl_ctl_streams_free(s->streams);
        sd_event_unref(s->event);
        free(s);
        return NULL;
}

void pl_ctl_server_set_timeout(PlCtlServer *s, uint64_t usec) {
        s->timeout_usec = usec;
}

bool pl_ctl_server_has_listeners(const PlCtlServer *s) {
        return s && pl_ctl_streams_count(s->streams) > 0;
}

void pl_ctl_server_publish(PlCtlServer *s, json_t *entry) {
        if (!pl_ctl_server_has_listeners(s))
                return;
        _cleanup_free_ char *line = json_dumps(entry, JSON_COMPACT);
        if (!line)
                return;
        size_t size = strlen(line);
        line[size++] = '\n';
        pl_ctl_streams_publish(s->streams, line, size);
}
