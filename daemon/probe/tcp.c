/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Probe transport, plain sockets: connect, say hello, read until there is a verdict, say goodbye.
 *
 * It must not close with unread bytes where it can be helped, nor with a reset: servers log that.
 */

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "lib/probe/kind.h"
#include "probe/transport.h"

/* Longer answers are cut, which their parsers notice. */
#define ANSWER_MAX KIB(2)

typedef struct Connection {
        int fd;
        sd_event_source *io;
        size_t n_answer;
        uint8_t answer[ANSWER_MAX];
} Connection;

/* NULL: that somebody accepts connections is all there is to know. */
static const PlTcpTalk *talk_of(const PlAttempt *a) {
        return pl_probe_kind_info(a->kind)->tcp;
}

static void stop(PlAttempt *a) {
        Connection *c = a->state;

        if (!c)
                return;
        sd_event_source_disable_unref(c->io);
        pl_closep(&c->fd);
        free(c);
        a->state = NULL;
}

/* Return: 1: connected; 0: not yet; negative errno. */
static int check_connected(int fd) {
        struct sockaddr_storage sa;
        socklen_t len = sizeof(sa);
        int error = 0;
        socklen_t error_len = sizeof(error);

        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_len) < 0)
                return -errno;
        if (error != 0)
                return -error;
        if (getpeername(fd, (struct sockaddr *)&sa, &len) < 0)
                return errno == ENOTCONN ? 0 : -errno;
        return 1;
}

/* Return: 1: sent, or nothing to send; 0: not connected yet; negative errno. */
static int greet(const PlAttempt *a) {
        const Connection *c = a->state;
        uint8_t buf[PL_TCP_HELLO_MAX];
        size_t size;
        ssize_t n;

        if (!talk_of(a))
                return check_connected(c->fd);
        /* a new connection's buffer takes it whole */
        size = talk_of(a)->hello(a->user, a->database, buf);
        n = send(c->fd, buf, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0)
                return errno == EAGAIN || errno == ENOTCONN || errno == EINPROGRESS ? 0 : -errno;
        pl_attempt_trace(a, PL_TRACE_SENT, buf, (size_t)n);
        return (size_t)n == size ? 1 : -EPIPE;
}

static void finish(PlAttempt *a, const PlVerdict *v) {
        stop(a);
        a->handlers->verdict(a, v);
}

static void on_answer(PlAttempt *a) {
        const PlTcpTalk *talk = talk_of(a);
        Connection *c = a->state;
        bool eof, goodbye;
        PlVerdict v;
        ssize_t n;

        n = recv(c->fd, c->answer + c->n_answer, ANSWER_MAX - c->n_answer, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        eof = n <= 0;
        if (n > 0) {
                pl_attempt_trace(a, PL_TRACE_RECEIVED, c->answer + c->n_answer, (size_t)n);
                c->n_answer += (size_t)n;
        }
        if (talk->parse(c->answer, c->n_answer, eof, &v, &goodbye) == PL_PROBE_DONE) {
                if (goodbye)
                        (void)!send(c->fd, talk->goodbye, talk->goodbye_size,
                                    MSG_NOSIGNAL | MSG_DONTWAIT);
                finish(a, &v);
                return;
        }
        if (c->n_answer < ANSWER_MAX)
                return;
        pl_verdict_set(&v, PL_VERDICT_DISPUTED, "garbage", "the answer does not end");
        finish(a, &v);
}

/* Connected, or failed to: say hello. */
static void on_connected(PlAttempt *a) {
        Connection *c = a->state;
        PlVerdict v;
        int r = greet(a);

        if (r == 0)
                return;
        if (r < 0) {
                stop(a);
                a->handlers->unreachable(a, pl_transport_error(-r));
                return;
        }
        a->connected = true;
        a->handlers->connected(a);
        if (!talk_of(a)) {
                pl_verdict_set(&v, PL_VERDICT_UP, "", "%s", "");
                finish(a, &v);
                return;
        }
        (void)sd_event_source_set_io_events(c->io, EPOLLIN);
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        PlAttempt *a = userdata;

        if (a->connected)
                on_answer(a);
        else
                on_connected(a);
        return 0;
}

static int dial(sd_event *event, PlAttempt *a) {
        Connection *c = a->state;
        int r, one = 1;

        c->fd = socket(a->address->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (c->fd < 0)
                return -errno;
        (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        if (connect(c->fd, &a->address->sa, a->address->size) < 0 && errno != EINPROGRESS)
                return -errno;
        /* on this host the handshake is over when connect() returns: one wake-up less */
        r = talk_of(a) ? greet(a) : 0;
        if (r < 0)
                return r;
        a->connected = r > 0;
        r = sd_event_add_io(event, &c->io, c->fd, a->connected ? EPOLLIN : EPOLLOUT, on_io, a);
        if (r < 0)
                return r;
        (void)sd_event_source_set_description(c->io, "probe-tcp");
        return 0;
}

static int start(void *shared, PlAttempt *a) {
        Connection *c = malloc(sizeof(*c));
        int r;

        if (!c)
                return -ENOMEM;
        c->fd = -EBADF;
        c->io = NULL;
        c->n_answer = 0;
        a->state = c;
        r = dial(shared, a);
        if (r < 0)
                stop(a);
        return r;
}

static bool is_connected(const PlAttempt *a) {
        return a->connected;
}

static void late(PlAttempt *a, PlVerdict *ret) {
        const Connection *c = a->state;

        if (c->n_answer == 0)
                pl_verdict_set(ret, PL_VERDICT_SILENT, "timeout",
                               "it accepts connections, but did not answer within the deadline");
        else
                pl_verdict_set(ret, PL_VERDICT_SILENT, "timeout",
                               "its answer did not end within the deadline");
        stop(a);
}

static int open_shared(sd_event *event, void **ret) {
        *ret = sd_event_ref(event);
        return 0;
}

static void close_shared(void *shared) {
        sd_event_unref(shared);
}

const PlTransport pl_transport_tcp = {
        .open = open_shared,
        .close = close_shared,
        .start = start,
        .stop = stop,
        .is_connected = is_connected,
        .late = late,
};
