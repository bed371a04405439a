/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Probe transport, sockets: connect, say hello, read until there is a verdict, say goodbye; in TLS
 * where it has to be.
 *
 *   connect ─► talk ─► verdict                       plain, which is the common case
 *      ├─► handshake ─► talk ─► verdict              TLS from the first byte
 *      └─► request ─► handshake ─► talk or close     TLS that is asked for: a server that says no
 * is └─► talk                               talked to in plain
 *
 * It must not close with unread bytes where it can be helped, nor with a reset: servers log that.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/loop.h"
#include "lib/base/macro.h"
#include "lib/probe/kind.h"
#include "probe/password.h"
#include "probe/transport.h"

/* --- TLS on a plain socket, over OpenSSL, without waiting ---
 *
 * libcurl has TLS for HTTP. What Postgres wants (a request for TLS in plain, on the same
 * connection) it cannot do. No file is read but the system's certificates, those only to verify.
 *
 * Without verification anything that encrypts will do: the security level is 0, and TLS 1.0 is good
 * enough, because a service that nobody should trust is alive all the same. With verification the
 * handshake is ended all the same, and nothing is said after it: a server logs an alert. */

#define TLS_WORDS_MAX 160

typedef struct TlsContext {
        SSL_CTX *ssl;
        bool has_roots; /* the system's certificates are loaded */
} TlsContext;

typedef struct Tls {
        SSL *ssl;
        bool verify;
        char words[TLS_WORDS_MAX];
} Tls;

/* After all its connections. Returns NULL. */
static TlsContext *tls_context_free(TlsContext *c) {
        if (!c)
                return NULL;
        SSL_CTX_free(c->ssl);
        free(c);
        return NULL;
}

/* What all connections share. Return: 0, -ENOMEM. */
static int tls_context_new(TlsContext **ret) {
        TlsContext *c = calloc(1, sizeof(*c));

        if (!c)
                return -ENOMEM;
        c->ssl = SSL_CTX_new(TLS_client_method());
        if (!c->ssl || SSL_CTX_set_min_proto_version(c->ssl, TLS1_VERSION) != 1) {
                tls_context_free(c);
                return -ENOMEM;
        }
        (void)SSL_CTX_set_session_cache_mode(c->ssl, SSL_SESS_CACHE_OFF);
        (void)SSL_CTX_set_mode(c->ssl, SSL_MODE_RELEASE_BUFFERS);
        *ret = c;
        return 0;
}

/* The name in ProbeHost=, without port and brackets. Return: whether it is one for SNI. */
static bool name_of(const char *host, char name[static NAME_MAX + 1]) {
        uint8_t ip[16];
        size_t n;

        host += *host == '[';
        n = strcspn(host, "]");
        if (!host[n] && strchr(host, ':') == strrchr(host, ':'))
                n = strcspn(host, ":");
        (void)snprintf(name, NAME_MAX + 1, "%.*s", (int)PL_MIN(n, (size_t)NAME_MAX), host);
        return inet_pton(AF_INET, name, ip) != 1 && inet_pton(AF_INET6, name, ip) != 1;
}

static bool set_verify(TlsContext *c, SSL *ssl, const char *name, bool is_dns,
                       const struct sockaddr *address) {
        X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

        if (!c->has_roots && SSL_CTX_set_default_verify_paths(c->ssl) != 1)
                return false;
        c->has_roots = true;
        if (is_dns)
                return SSL_set1_host(ssl, name) == 1;
        if (*name)
                return X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1;
        if (address->sa_family == AF_INET)
                return X509_VERIFY_PARAM_set1_ip(
                                       param,
                                       (const uint8_t *)&((const struct sockaddr_in *)address)
                                                       ->sin_addr,
                                       4) == 1;
        return X509_VERIFY_PARAM_set1_ip(param,
                                         ((const struct sockaddr_in6 *)address)->sin6_addr.s6_addr,
                                         16) == 1;
}

/* Says nothing to the other side. Returns NULL. */
static Tls *tls_free(Tls *t) {
        if (!t)
                return NULL;
        SSL_free(t->ssl);
        free(t);
        return NULL;
}

/*
 * A connection; no byte is sent yet
 * @fd:      connected, non-blocking; borrowed, and outlives the connection
 * @host:    as in ProbeHost=, the name for SNI and to verify; NULL: no SNI
 * @address: IPv4 or IPv6; verified where there is no name
 * @verify:  or only encrypt
 * Return: 0, -ENOMEM.
 */
static int tls_new(TlsContext *c, int fd, const char *host, const struct sockaddr *address,
                   bool verify, Tls **ret) {
        Tls *t = calloc(1, sizeof(*t));
        char name[NAME_MAX + 1] = "";
        bool is_dns = host && name_of(host, name);

        if (!t)
                return -ENOMEM;
        t->ssl = SSL_new(c->ssl);
        if (!t->ssl || SSL_set_fd(t->ssl, fd) != 1 ||
            (is_dns && SSL_set_tlsext_host_name(t->ssl, name) != 1) ||
            (verify && !set_verify(c, t->ssl, name, is_dns, address))) {
                ERR_clear_error();
                tls_free(t);
                return -ENOMEM;
        }
        if (!verify)
                SSL_set_security_level(t->ssl, 0);
        t->verify = verify;
        SSL_set_connect_state(t->ssl);
        *ret = t;
        return 0;
}

/* What SSL_get_error() of a failed call means. Return: -EAGAIN, -EPROTO, 0: the other side's end.
 */
static int failure(Tls *t, int r, int os_errno) {
        int error = SSL_get_error(t->ssl, r);
        unsigned long code = ERR_peek_error();
        const char *reason = code ? ERR_reason_error_string(code) : NULL;

        ERR_clear_error();
        switch (error) {
        case SSL_ERROR_WANT_READ:
        case SSL_ERROR_WANT_WRITE:
                return -EAGAIN;
        case SSL_ERROR_ZERO_RETURN:
                return 0;
        case SSL_ERROR_SYSCALL:
                reason = os_errno ? strerrordesc_np(os_errno) : "unexpected eof";
                break;
        default:
                break;
        }
        (void)snprintf(t->words, sizeof(t->words), "%s", reason ? reason : "unknown error");
        return -EPROTO;
}

/*
 * Go on with it
 * @ret_events: EPOLLIN or EPOLLOUT to wait for; written with -EAGAIN
 * Return: 0: done; -EAGAIN; -EPROTO: failed, see tls_words(); -EKEYREJECTED: done, but the
 * certificate does not verify: take leave with tls_close().
 */
static int tls_handshake(Tls *t, uint32_t *ret_events) {
        long verified;
        int r;

        ERR_clear_error();
        errno = 0;
        r = SSL_do_handshake(t->ssl);
        if (r != 1) {
                r = failure(t, r, errno);
                if (r == -EAGAIN)
                        *ret_events = SSL_want_write(t->ssl) ? EPOLLOUT : EPOLLIN;
                return r == -EAGAIN ? r : -EPROTO;
        }
        verified = SSL_get_verify_result(t->ssl);
        if (!t->verify || verified == X509_V_OK)
                return 0;
        (void)snprintf(t->words, sizeof(t->words), "%s", X509_verify_cert_error_string(verified));
        return -EKEYREJECTED;
}

/* As recv(2). Return: bytes; 0: end; -EAGAIN; -EPROTO: see tls_words(). */
static ssize_t tls_recv(Tls *t, void *buf, size_t size) {
        int r;

        ERR_clear_error();
        errno = 0;
        r = SSL_read(t->ssl, buf, (int)PL_MIN(size, (size_t)INT32_MAX));
        return r > 0 ? r : failure(t, r, errno);
}

/* All of it, which must fit the socket's buffer. Return: 0, -EPROTO. */
static int tls_send(Tls *t, const void *buf, size_t size) {
        int r;

        ERR_clear_error();
        errno = 0;
        r = SSL_write(t->ssl, buf, (int)size);
        if (r == (int)size)
                return 0;
        (void)failure(t, r, errno);
        return -EPROTO;
}

/* Tell the other side, so that it does not log an end in the middle. */
static void tls_close(Tls *t) {
        ERR_clear_error();
        (void)SSL_shutdown(t->ssl);
        ERR_clear_error();
}

/* Version and cipher that were agreed on. Return: bytes. */
static size_t tls_describe(const Tls *t, char buf[static TLS_WORDS_MAX]) {
        (void)snprintf(buf, TLS_WORDS_MAX, "%s, %s", SSL_get_version(t->ssl),
                       SSL_get_cipher_name(t->ssl));
        return strlen(buf);
}

/* Of the last failure, in OpenSSL's words. Return: borrowed; "": none. */
static const char *tls_words(const Tls *t) {
        return t->words;
}

/* Longer answers are cut, which their parsers notice. */
#define ANSWER_MAX KIB(2)

/* What all attempts share. */
typedef struct Shared {
        sd_event *event;
        TlsContext *tls; /* NULL until the first handshake */
} Shared;

typedef enum Stage {
        STAGE_CONNECT,
        STAGE_REQUEST, /* for TLS, in plain */
        STAGE_HANDSHAKE,
        STAGE_TALK,
        STAGE_CLOSE, /* in TLS, read on to the end; the verdict is known */
} Stage;

typedef struct Connection {
        Shared *shared;
        int fd;
        sd_event_source *io;
        Tls *tls;
        Stage stage;
        bool quiet;       /* the quiet question: no more than an answer to the request for TLS */
        bool asked_plain; /* and then tried in TLS: plain holds its answer */
        PlTcpAnswer plain;
        PlVerdict verdict; /* for STAGE_CLOSE */
        PlPassword password;
        unsigned n_replies; /* to challenges */
        size_t n_answer;
        uint8_t answer[ANSWER_MAX];
} Connection;

/* NULL: that somebody accepts connections is all there is to know. */
static const PlTcpTalk *talk_of(const PlAttempt *a) {
        return pl_probe_kind_info(a->kind)->tcp;
}

static void hang_up(Connection *c) {
        c->tls = tls_free(c->tls);
        c->io = sd_event_source_disable_unref(c->io);
        pl_closep(&c->fd);
        c->n_answer = 0;
}

static void stop(PlAttempt *a) {
        Connection *c = a->state;

        if (!c)
                return;
        hang_up(c);
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

/* Return: 1: sent; 0: not connected yet; negative errno. */
static int send_plain(const PlAttempt *a, const void *buf, size_t size) {
        const Connection *c = a->state;
        /* a new connection's buffer takes it whole */
        ssize_t n = send(c->fd, buf, size, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0)
                return errno == EAGAIN || errno == ENOTCONN || errno == EINPROGRESS ? 0 : -errno;
        return (size_t)n == size ? 1 : -EPIPE;
}

/* As send_plain(), the way that this connection goes, and for the trace. */
static int say(const PlAttempt *a, const void *buf, size_t size, bool secret) {
        static const char password[] = "the password of its environment is sent";
        const Connection *c = a->state;
        int r = c->tls ? tls_send(c->tls, buf, size) : send_plain(a, buf, size);

        if (r > 0 || (r == 0 && c->tls))
                pl_attempt_trace(a, secret ? PL_TRACE_NOTE : PL_TRACE_SENT, secret ? password : buf,
                                 secret ? strlen(password) : size);
        return c->tls && r == 0 ? 1 : r;
}

static int say_hello(const PlAttempt *a) {
        uint8_t buf[PL_TCP_HELLO_MAX];
        size_t size = talk_of(a)->hello(a->user, a->database, a->login, buf);
        bool secret = a->login && !talk_of(a)->starttls; /* Postgres is told it only when it asks */
        int r = say(a, buf, size, secret);

        if (a->login)
                explicit_bzero(buf, size);
        return r;
}

static bool requests_tls(const PlAttempt *a) {
        const Connection *c = a->state;

        return c->quiet || a->way == PL_WAY_STARTTLS;
}

/* As send_plain(); 1 also when there is nothing to say. */
static int greet(const PlAttempt *a) {
        const Connection *c = a->state;

        if (!talk_of(a) || a->way == PL_WAY_TLS)
                return check_connected(c->fd);
        if (requests_tls(a))
                return say(a, pl_tcp_starttls, sizeof(pl_tcp_starttls), false);
        return say_hello(a);
}

static Stage stage_after_connect(const PlAttempt *a) {
        if (a->way == PL_WAY_TLS)
                return STAGE_HANDSHAKE;
        return requests_tls(a) ? STAGE_REQUEST : STAGE_TALK;
}

/* The one way out with a verdict. */
static void finish(PlAttempt *a, const PlVerdict *v) {
        stop(a);
        a->handlers->verdict(a, v);
}

/* What the whole question, or the quiet one, has brought. */
static void conclude(PlAttempt *a, const PlTcpAnswer *answer) {
        const Connection *c = a->state;
        PlVerdict v;

        pl_tcp_learn(&a->memory, c->quiet, answer, pl_clock_usec(CLOCK_MONOTONIC), &v);
        finish(a, &v);
}

static int dial(PlAttempt *a);

/* Once more in this round, another way. */
static void ask_again(PlAttempt *a, PlProbeWay way) {
        Connection *c = a->state;
        PlTcpAnswer none = { 0 };
        int r;

        hang_up(c);
        c->password = (PlPassword){ 0 };
        c->n_replies = 0;
        a->way = way;
        c->quiet = false;
        r = dial(a);
        if (r >= 0)
                return;
        if (c->asked_plain) {
                a->way = PL_WAY_PLAIN;
                conclude(a, &c->plain);
                return;
        }
        pl_probe_transport(pl_transport_error(-r), &none.verdict);
        conclude(a, &none);
}

/* The handshake did not come about, or the server took it back. */
static void tls_failed(PlAttempt *a) {
        Connection *c = a->state;
        const char *words = tls_words(c->tls);
        PlTlsError error = pl_tls_error(words);
        PlTcpAnswer answer = { 0 };

        /* who has come through a handshake is alive */
        if (c->stage == STAGE_TALK && error == PL_TLS_CLOSED) {
                error = PL_TLS_REFUSED;
                words = "closed after the handshake";
        }

        pl_attempt_trace(a, PL_TRACE_FAILED, words, strlen(words));
        pl_tls_verdict(error, words, &answer.verdict);
        if (a->tls == PL_PROBE_TLS_AUTO && (error == PL_TLS_CLOSED || error == PL_TLS_ABSENT)) {
                a->way = PL_WAY_PLAIN;
                if (c->asked_plain)
                        answer = c->plain;
                else if (error == PL_TLS_ABSENT) {
                        ask_again(a, PL_WAY_PLAIN); /* it was TLS, and is no more */
                        return;
                }
        }
        conclude(a, &answer);
}

static void close_tls(PlAttempt *a, const PlVerdict *v) {
        Connection *c = a->state;

        tls_close(c->tls);
        c->verdict = *v;
        c->stage = STAGE_CLOSE;
        (void)sd_event_source_set_io_events(c->io, EPOLLIN);
}

static void on_handshake(PlAttempt *a) {
        Connection *c = a->state;
        PlVerdict v = { .kind = PL_VERDICT_UP };
        char about[TLS_WORDS_MAX];
        uint32_t events;
        int r = tls_handshake(c->tls, &events);

        if (r == -EAGAIN) {
                (void)sd_event_source_set_io_events(c->io, events);
                return;
        }
        if (a->trace && r != -EPROTO)
                pl_attempt_trace(a, PL_TRACE_TLS, about, tls_describe(c->tls, about));
        if (r == -EKEYREJECTED)
                pl_tls_verdict(PL_TLS_UNTRUSTED, tls_words(c->tls), &v);
        if (r == -EKEYREJECTED || (r >= 0 && c->quiet)) {
                close_tls(a, &v);
                return;
        }
        if (r >= 0) {
                r = say_hello(a);
                c->stage = STAGE_TALK;
                (void)sd_event_source_set_io_events(c->io, EPOLLIN);
        }
        if (r < 0)
                tls_failed(a);
}

static void begin_tls(PlAttempt *a) {
        Connection *c = a->state;
        PlTcpAnswer none = { 0 };
        int r = 0;

        c->stage = STAGE_HANDSHAKE;
        if (!c->shared->tls)
                r = tls_context_new(&c->shared->tls);
        if (r >= 0)
                r = tls_new(c->shared->tls, c->fd, a->host, &a->address->sa, a->tls_verify,
                            &c->tls);
        if (r < 0) {
                pl_probe_transport(PL_HTTP_LOCAL, &none.verdict);
                conclude(a, &none);
                return;
        }
        on_handshake(a);
}

/* The answer to the request for TLS: one byte. */
static void on_request(PlAttempt *a) {
        Connection *c = a->state;
        uint8_t byte = 0;
        /* what is sent in plain after an 'S' would be somebody else's: it is left to the handshake
         */
        ssize_t n = recv(c->fd, &byte, 1, MSG_DONTWAIT);
        PlTcpAnswer answer = { 0 };

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        pl_attempt_trace(a, PL_TRACE_RECEIVED, &byte, (size_t)PL_MAX(n, (ssize_t)0));
        if (n > 0 && byte == 'S' && a->tls != PL_PROBE_TLS_NO) {
                begin_tls(a);
                return;
        }
        if (n > 0 && byte == 'S')
                a->memory.noisy = true; /* it logs that no handshake comes */
        if (n > 0 && c->quiet && (byte == 'S' || byte == 'N')) {
                answer.verdict.kind = PL_VERDICT_UP;
                conclude(a, &answer);
        } else if (n > 0 && byte == 'N' && a->tls == PL_PROBE_TLS_YES) {
                pl_tls_verdict(PL_TLS_ABSENT, "", &answer.verdict);
                conclude(a, &answer);
        } else if (n > 0 && byte == 'N' && c->asked_plain) {
                a->way = PL_WAY_PLAIN; /* it has said what it has to say */
                conclude(a, &c->plain);
        } else if (n > 0 && byte == 'N' && say_hello(a) > 0) {
                c->stage = STAGE_TALK;
        } else {
                /* an error, or no Postgres: its parser has the words */
                c->answer[0] = byte;
                c->n_answer = n > 0 ? 1 : 0;
                c->stage = STAGE_TALK;
                if (talk_of(a)->parse(c->answer, c->n_answer, n <= 0, false, &answer) ==
                    PL_PROBE_DONE)
                        conclude(a, &answer);
        }
}

/* Return: as recv(2), with negative errno. */
static ssize_t receive(Connection *c) {
        ssize_t n;

        if (c->tls)
                return tls_recv(c->tls, c->answer + c->n_answer, ANSWER_MAX - c->n_answer);
        n = recv(c->fd, c->answer + c->n_answer, ANSWER_MAX - c->n_answer, MSG_DONTWAIT);
        return n < 0 ? -errno : n;
}

static void say_goodbye(const PlAttempt *a, bool wanted) {
        const PlTcpTalk *talk = talk_of(a);
        const Connection *c = a->state;

        if (c->tls) {
                if (wanted)
                        (void)say(a, talk->goodbye, talk->goodbye_size, false);
                tls_close(c->tls);
        } else if (wanted) {
                (void)say(a, talk->goodbye, talk->goodbye_size, false);
        }
}

/* A challenge that is new: reply. Return: false: we cannot; a server that asks serves. */
static bool reply(PlAttempt *a, const PlTcpAnswer *answer) {
        Connection *c = a->state;
        uint8_t buf[PL_PASSWORD_REPLY_MAX];
        ssize_t n;

        if (answer->n_challenges <= c->n_replies)
                return true;
        c->n_replies = answer->n_challenges;
        n = pl_password_reply(&c->password, a->login, answer->challenge, answer->n_challenge, buf);
        if (n > 0)
                n = say(a, buf, (size_t)n, true);
        explicit_bzero(buf, sizeof(buf));
        return n > 0;
}

static PlProbeStep parse(PlAttempt *a, bool eof, PlTcpAnswer *answer) {
        const Connection *c = a->state;
        PlProbeStep step = talk_of(a)->parse(c->answer, c->n_answer, eof, a->login != NULL, answer);

        if (step == PL_PROBE_DONE || reply(a, answer))
                return step;
        *answer = (PlTcpAnswer){ .verdict.kind = PL_VERDICT_UP };
        return PL_PROBE_DONE;
}

static void on_answer(PlAttempt *a) {
        Connection *c = a->state;
        PlTcpAnswer answer = { 0 };
        ssize_t n = receive(c);

        if (n == -EAGAIN || n == -EINTR)
                return;
        if (n <= 0 && c->tls && c->n_answer == 0) {
                tls_failed(a);
                return;
        }
        if (n > 0) {
                pl_attempt_trace(a, PL_TRACE_RECEIVED, c->answer + c->n_answer, (size_t)n);
                c->n_answer += (size_t)n;
        }
        if (parse(a, n <= 0, &answer) == PL_PROBE_MORE) {
                if (c->n_answer < ANSWER_MAX)
                        return;
                answer = (PlTcpAnswer){ 0 };
                pl_verdict_set(&answer.verdict, PL_VERDICT_DISPUTED, "garbage",
                               "the answer does not end");
        }
        if (answer.better != PL_WAY_PLAIN && a->way == PL_WAY_PLAIN && !c->quiet &&
            a->tls == PL_PROBE_TLS_AUTO && !c->asked_plain) {
                c->asked_plain = true;
                c->plain = answer;
                ask_again(a, answer.better);
                return;
        }
        if (a->tls == PL_PROBE_TLS_NO)
                pl_tcp_kept_plain(&answer);
        say_goodbye(a, answer.goodbye);
        conclude(a, &answer);
}

/* Connected, or failed to: say hello. */
static void on_connected(PlAttempt *a) {
        Connection *c = a->state;
        PlVerdict v;
        int r = greet(a);

        if (r == 0)
                return;
        if (r < 0 && c->asked_plain) {
                a->way = PL_WAY_PLAIN;
                conclude(a, &c->plain);
                return;
        }
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
        c->stage = stage_after_connect(a);
        (void)sd_event_source_set_io_events(c->io, EPOLLIN);
        if (c->stage == STAGE_HANDSHAKE)
                begin_tls(a);
}

static void on_close(PlAttempt *a) {
        Connection *c = a->state;
        PlTcpAnswer answer = { .verdict = c->verdict };
        uint8_t rest[256];

        if (tls_recv(c->tls, rest, sizeof(rest)) != -EAGAIN)
                conclude(a, &answer);
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        static void (*const stages[])(PlAttempt *) = {
                [STAGE_CONNECT] = on_connected,   [STAGE_REQUEST] = on_request,
                [STAGE_HANDSHAKE] = on_handshake, [STAGE_TALK] = on_answer,
                [STAGE_CLOSE] = on_close,
        };
        PlAttempt *a = userdata;

        pl_loop_doing("probes");
        stages[((Connection *)a->state)->stage](a);
        return 0;
}

static int dial(PlAttempt *a) {
        Connection *c = a->state;
        bool greeted;
        int r, one = 1;

        c->fd = socket(a->address->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (c->fd < 0)
                return -errno;
        (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        if (connect(c->fd, &a->address->sa, a->address->size) < 0 && errno != EINPROGRESS)
                return -errno;
        /* on this host the handshake is over when connect() returns: one wake-up less */
        r = talk_of(a) && a->way != PL_WAY_TLS ? greet(a) : 0;
        if (r < 0)
                return r;
        greeted = r > 0;
        a->connected = a->connected || greeted;
        c->stage = greeted ? stage_after_connect(a) : STAGE_CONNECT;
        r = sd_event_add_io(c->shared->event, &c->io, c->fd, greeted ? EPOLLIN : EPOLLOUT, on_io,
                            a);
        if (r < 0)
                return r;
        (void)sd_event_source_set_description(c->io, "probe-tcp");
        return 0;
}

static PlProbeWay first_way(const PlAttempt *a) {
        if (!talk_of(a) || a->tls == PL_PROBE_TLS_NO)
                return PL_WAY_PLAIN;
        if (a->tls == PL_PROBE_TLS_YES)
                return talk_of(a)->starttls ? PL_WAY_STARTTLS : PL_WAY_TLS;
        return a->way;
}

static int start(void *shared, PlAttempt *a) {
        Connection *c = malloc(sizeof(*c));
        int r;

        if (!c)
                return -ENOMEM;
        memset(c, 0, offsetof(Connection, answer));
        c->shared = shared;
        c->fd = -EBADF;
        a->way = first_way(a);
        c->quiet = talk_of(a) && talk_of(a)->starttls && a->way != PL_WAY_TLS &&
                   pl_tcp_is_quiet(&a->memory, pl_clock_usec(CLOCK_MONOTONIC));
        a->state = c;
        r = dial(a);
        if (r < 0)
                stop(a);
        return r;
}

static bool is_connected(const PlAttempt *a) {
        return a->connected;
}

static void late(PlAttempt *a, PlVerdict *ret) {
        const Connection *c = a->state;
        PlTcpAnswer answer = { 0 };

        if (c->stage == STAGE_CLOSE)
                answer.verdict = c->verdict;
        else if (c->asked_plain && c->stage != STAGE_TALK)
                answer = c->plain;
        else
                pl_verdict_set(&answer.verdict, PL_VERDICT_SILENT, "timeout",
                               c->stage == STAGE_HANDSHAKE ? "it accepts connections, but did not "
                                                             "end a TLS handshake in time"
                               : c->n_answer == 0 ? "it accepts connections, but did not answer "
                                                    "within the deadline"
                                                  : "its answer did not end within the deadline");
        if (c->asked_plain && c->stage != STAGE_TALK)
                a->way = PL_WAY_PLAIN;
        pl_tcp_learn(&a->memory, c->quiet, &answer, pl_clock_usec(CLOCK_MONOTONIC), ret);
        stop(a);
}

static int open_shared(sd_event *event, void **ret) {
        Shared *s = calloc(1, sizeof(*s));

        if (!s)
                return -ENOMEM;
        s->event = sd_event_ref(event);
        *ret = s;
        return 0;
}

static void close_shared(void *shared) {
        Shared *s = shared;

        if (!s)
                return;
        tls_context_free(s->tls);
        sd_event_unref(s->event);
        free(s);
}

const PlTransport pl_transport_tcp = {
        .open = open_shared,
        .close = close_shared,
        .start = start,
        .stop = stop,
        .is_connected = is_connected,
        .late = late,
};
