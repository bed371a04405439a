/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Prober, plain sockets: connect, say hello, read until there is a verdict, take leave.
 *
 * It must not close with unread bytes where it can be helped, nor with a reset: servers log that.
 */

#include "probe/round.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "lib/probe/postgres.h"
#include "lib/probe/redis.h"

void pl_probe_tcp_stop(PlProbe *p) {
        p->io = sd_event_source_disable_unref(p->io);
        if (p->fd >= 0)
                (void)close(TAKE_FD(p->fd));
        free(TAKE_PTR(p->answer));
        p->n_answer = 0;
}

static size_t hello(const PlProbe *p, uint8_t buf[static PL_PROBE_POSTGRES_HELLO_MAX]) {
        if (p->kind == PL_PROBE_POSTGRES)
                return pl_probe_postgres_hello(p->user, p->database, buf);
        memcpy(buf, PL_PROBE_REDIS_HELLO, strlen(PL_PROBE_REDIS_HELLO));
        return strlen(PL_PROBE_REDIS_HELLO);
}

/* Return: 1: sent, or nothing to send; 0: not connected yet; negative errno. */
static int greet(PlProbe *p) {
        uint8_t buf[PL_PROBE_POSTGRES_HELLO_MAX];
        size_t size;
        ssize_t n;

        if (p->kind == PL_PROBE_TCP) {
                struct sockaddr_storage sa;
                socklen_t len = sizeof(sa);
                int error = 0;
                socklen_t error_len = sizeof(error);

                if (getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &error_len) < 0)
                        return -errno;
                if (error != 0)
                        return -error;
                if (getpeername(p->fd, (struct sockaddr *)&sa, &len) < 0)
                        return errno == ENOTCONN ? 0 : -errno;
                return 1;
        }
        /* a new connection's buffer takes it whole */
        size = hello(p, buf);
        n = send(p->fd, buf, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0)
                return errno == EAGAIN || errno == ENOTCONN || errno == EINPROGRESS ? 0 : -errno;
        return (size_t)n == size ? 1 : -EPIPE;
}

static PlProbeStep parse(PlProbe *p, bool eof, PlVerdict *ret, bool *ret_goodbye) {
        *ret_goodbye = false;
        if (p->kind == PL_PROBE_POSTGRES)
                return pl_probe_postgres_parse(p->answer, p->n_answer, eof, ret, ret_goodbye);
        return pl_probe_redis_parse(p->answer, p->n_answer, eof, ret);
}

static void verdict(PlProbe *p, const PlVerdict *v) {
        PlVerdict copy = *v;

        pl_probe_tcp_stop(p);
        pl_probe_finish(p, &copy);
}

static void on_answer(PlProbe *p) {
        bool eof, goodbye;
        PlVerdict v;
        ssize_t n;

        n = recv(p->fd, p->answer + p->n_answer, PL_PROBE_TCP_MAX - p->n_answer, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        eof = n <= 0;
        if (n > 0)
                p->n_answer += (size_t)n;
        if (parse(p, eof, &v, &goodbye) == PL_PROBE_DONE) {
                if (goodbye)
                        (void)!send(p->fd, pl_probe_postgres_goodbye,
                                    sizeof(pl_probe_postgres_goodbye), MSG_NOSIGNAL | MSG_DONTWAIT);
                verdict(p, &v);
                return;
        }
        if (p->n_answer < PL_PROBE_TCP_MAX)
                return;
        pl_verdict_set(&v, PL_VERDICT_DOWN, "garbage", "the answer does not end");
        verdict(p, &v);
}

/* Connected, or failed to: say hello. */
static void on_connected(PlProbe *p) {
        PlVerdict v;
        int r = greet(p);

        if (r == 0)
                return;
        if (r < 0) {
                pl_probe_tcp_stop(p);
                pl_probe_unreachable(p, pl_probe_connect_error(-r));
                return;
        }
        p->connected = true;
        p->deadline_usec = p->began_usec + p->timeout_usec;
        if (p->kind == PL_PROBE_TCP) {
                pl_verdict_set(&v, PL_VERDICT_UP, "", "%s", "");
                verdict(p, &v);
                return;
        }
        (void)sd_event_source_set_io_events(p->io, EPOLLIN);
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        PlProbe *p = userdata;

        if (p->connected)
                on_answer(p);
        else
                on_connected(p);
        return 0;
}

int pl_probe_tcp_start(PlProbe *p) {
        const PlProbeAddress *a = pl_probe_address(p);
        int r, one = 1;

        if (p->kind != PL_PROBE_TCP) {
                p->answer = malloc(PL_PROBE_TCP_MAX);
                if (!p->answer)
                        return -ENOMEM;
        }
        p->fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (p->fd < 0) {
                r = -errno;
                p->fd = -EBADF;
                goto fail;
        }
        (void)setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        if (connect(p->fd, &a->sa, a->size) < 0 && errno != EINPROGRESS) {
                r = -errno;
                goto fail;
        }
        /* on this host the handshake is over when connect() returns: one wake-up less */
        r = p->kind == PL_PROBE_TCP ? 0 : greet(p);
        if (r < 0)
                goto fail;
        p->connected = r > 0;
        if (p->connected)
                p->deadline_usec = p->began_usec + p->timeout_usec;
        r = sd_event_add_io(p->prober->event, &p->io, p->fd, p->connected ? EPOLLIN : EPOLLOUT,
                            on_io, p);
        if (r < 0)
                goto fail;
        (void)sd_event_source_set_description(p->io, "probe-tcp");
        return 0;
fail:
        pl_probe_tcp_stop(p);
        return r;
}

void pl_probe_tcp_late(PlProbe *p, PlVerdict *ret) {
        if (p->n_answer == 0)
                pl_verdict_set(ret, PL_VERDICT_DOWN, "timeout",
                               "it accepts connections, but did not answer within the deadline");
        else
                pl_verdict_set(ret, PL_VERDICT_DOWN, "timeout",
                               "its answer did not end within the deadline");
        pl_probe_tcp_stop(p);
}
