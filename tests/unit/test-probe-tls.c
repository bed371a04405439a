/* SPDX-License-Identifier: Apache-2.0 */

/*
 * TLS of probes: what the words of a TLS library mean, and the prober against a server of OpenSSL
 * in this process, in the ways in which services speak, refuse and take it back.
 */

#include "lib/probe/tls.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "lib/probe/address.h"
#include "probe-answers.h"
#include "probe/prober.h"

static const struct {
        const char *words;
        PlTlsError error;
} words[] = {
        { "wrong version number", PL_TLS_ABSENT },
        { "error:0A00010B:SSL routines::wrong version number", PL_TLS_ABSENT },
        { "An unexpected TLS packet was received.", PL_TLS_ABSENT },
        { "unexpected eof while reading", PL_TLS_CLOSED },
        { "OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to h:1 ", PL_TLS_CLOSED },
        { "OpenSSL SSL_connect: Connection reset by peer in connection to h:1 ", PL_TLS_CLOSED },
        { "gnutls_handshake() failed: Error in the pull function.", PL_TLS_CLOSED },
        { "gnutls_handshake() failed: The TLS connection was non-properly terminated.",
          PL_TLS_CLOSED },
        { "OpenSSL SSL_read: error:0A00045C:SSL routines::tlsv13 alert certificate required, errno "
          "0",
          PL_TLS_CERTIFICATE },
        { "sslv3 alert handshake failure", PL_TLS_CERTIFICATE },
        { "GnuTLS, handshake failed: A TLS fatal alert: Certificate is required",
          PL_TLS_CERTIFICATE },
        { "tlsv1 alert protocol version", PL_TLS_REFUSED },
        { "tlsv1 unrecognized name", PL_TLS_REFUSED },
        { "dh key too small", PL_TLS_REFUSED },
        { "unsupported protocol", PL_TLS_REFUSED },
        { "something that no library says yet", PL_TLS_REFUSED },
        { "", PL_TLS_REFUSED },
};

static const struct {
        const char *body;
        unsigned status;
        bool asked;
} bodies[] = {
        { "Client sent an HTTP request to an HTTPS server.\n", 400, true },
        { "<center>The plain HTTP request was sent to HTTPS port</center>", 400, true },
        { "Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />", 400, true },
        { "Bad Request\nThis combination of host and port requires TLS.\n", 400, true },
        { "Client sent an HTTP request to an HTTPS server.\n", 200, false },
        { "Bad Request", 400, false },
        { "", 400, false },
        { "tl", 400, false },
};

START_TEST(asked_for) {
        const char *body = bodies[_i].body;

        ck_assert_msg(pl_tls_is_asked_for(bodies[_i].status, body, strlen(body)) ==
                                      bodies[_i].asked,
                      "%s", body);
}
END_TEST

START_TEST(known_words) {
        ck_assert_msg(pl_tls_error(words[_i].words) == words[_i].error, "%s: %d", words[_i].words,
                      pl_tls_error(words[_i].words));
}
END_TEST

static const struct {
        PlTlsError error;
        PlVerdictKind kind;
        const char *code, *reason;
} verdicts[] = {
        { PL_TLS_CLOSED, PL_VERDICT_SILENT, "closed", "instead of a TLS handshake" },
        { PL_TLS_ABSENT, PL_VERDICT_DISPUTED, "tls", "set ProbeTLS=auto" },
        { PL_TLS_CERTIFICATE, PL_VERDICT_DISPUTED, "tls", "(TLS: \\x1b]0;x)" },
        { PL_TLS_UNTRUSTED, PL_VERDICT_DISPUTED, "certificate", "ProbeTLSVerify=no" },
        { PL_TLS_REFUSED, PL_VERDICT_DISPUTED, "tls",
          "not with the probe: \\x1b]0;x; set Probe=tcp" },
};

START_TEST(remedies) {
        PlVerdict v = { 0 };

        pl_tls_verdict(verdicts[_i].error, "\x1b]0;x", &v);
        check_verdict("row", &v, verdicts[_i].kind, verdicts[_i].code, verdicts[_i].reason);
}
END_TEST

/* --- the server: a thread, one connection after another --- */

typedef enum Manner {
        SILENT_CLOSE, /* plain words are answered by a close, TLS by ANSWER */
        ALERT,        /* plain words are answered by an alert */
        GO,           /* by HTTP 400, as Go has it */
        PLAIN,        /* ANSWER in plain, to whatever comes */
        CLOSES,       /* whatever comes */
        WANTS_CERTIFICATE,
        WANTS_CERTIFICATE_12, /* in TLS 1.2 */
        POSTGRES,             /* in plain "no encryption", and 'S' to the request for TLS */
        POSTGRES_PLAIN,       /* 'N' */
        POSTGRES_FULL,        /* in plain 53300, and 'S' */
        POSTGRES_HBA,         /* as POSTGRES, and 'N' */
} Manner;

typedef struct Server {
        Manner manner;
        const char *answer;
        size_t n_answer;
        SSL_CTX *ssl;
        int fd;
        uint16_t port;
        pthread_t thread;
        atomic_uint n_plain, n_tls, n_hello, n_rude; /* questions; ends without a word of TLS */
        char name[64];                               /* SNI of the last handshake */
} Server;

#define GO_400 "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"
#define NGINX_400                                                \
        "HTTP/1.1 400 Bad Request\r\nContent-Length: 52\r\n\r\n" \
        "<center>No required SSL certificate was sent</center"
#define OK_200        "HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{\"database\":\"ok\"}"
#define NOT_FOUND_404 "HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n"
#define ASKS_ENCRYPTION \
        "E\0\0\0\x3fSFATAL\0VFATAL\0C28000\0Mno pg_hba.conf entry, no encryption\0\0"
#define IS_FULL "E\0\0\0\x3bSFATAL\0VFATAL\0C53300\0Msorry, too many clients already\0\0"

static void answer_plain(Server *s, int fd, const uint8_t *data, size_t n) {
        s->n_plain++;
        if (s->manner == PLAIN)
                (void)!send(fd, s->answer, s->n_answer, MSG_NOSIGNAL);
        else if (s->manner == POSTGRES || s->manner == POSTGRES_HBA)
                (void)!send(fd, ASKS_ENCRYPTION, sizeof(ASKS_ENCRYPTION) - 1, MSG_NOSIGNAL);
        else if (s->manner == POSTGRES_PLAIN)
                (void)!send(fd, s->answer, s->n_answer, MSG_NOSIGNAL);
        else if (s->manner == POSTGRES_FULL)
                (void)!send(fd, IS_FULL, sizeof(IS_FULL) - 1, MSG_NOSIGNAL);
        else if (s->manner == GO)
                (void)!send(fd, GO_400, sizeof(GO_400) - 1, MSG_NOSIGNAL);
        else if (s->manner == ALERT)
                (void)!send(fd, "\x15\x03\x01\0\x02\x02\x46", 7, MSG_NOSIGNAL);
        /* read on to the end, so that what was sent is not lost to a reset */
        shutdown(fd, SHUT_WR);
        for (uint8_t rest[256]; recv(fd, rest, sizeof(rest), 0) > 0;)
                ;
}

static void answer_tls(Server *s, int fd) {
        SSL *ssl = SSL_new(s->ssl);
        uint8_t hello[512];
        const char *name;

        ck_assert_ptr_nonnull(ssl);
        SSL_set_fd(ssl, fd);
        s->n_tls++;
        if (SSL_accept(ssl) == 1) {
                name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
                (void)snprintf(s->name, sizeof(s->name), "%s", name ? name : "");
                if (SSL_read(ssl, hello, sizeof(hello)) > 0) {
                        s->n_hello++;
                        (void)SSL_write(ssl, s->answer, (int)s->n_answer);
                        while (SSL_read(ssl, hello, sizeof(hello)) > 0)
                                ;
                }
                s->n_rude += (SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN) == 0;
        }
        ERR_clear_error();
        (void)SSL_shutdown(ssl);
        SSL_free(ssl);
}

static void serve(Server *s, int fd) {
        bool postgres = s->manner >= POSTGRES;
        bool has_none = s->manner == POSTGRES_PLAIN || s->manner == POSTGRES_HBA;
        uint8_t data[512];
        ssize_t n = recv(fd, data, sizeof(data), MSG_PEEK);

        if (n <= 0 || s->manner == CLOSES)
                return;
        if (postgres && n == 8 && memcmp(data, pl_tcp_starttls, 8) == 0) {
                (void)!recv(fd, data, 8, 0);
                (void)!send(fd, has_none ? "N" : "S", 1, MSG_NOSIGNAL);
                n = recv(fd, data, sizeof(data), MSG_PEEK);
                if (n <= 0) {
                        s->n_rude += !has_none;
                        return;
                }
        }
        if (data[0] == 22 && s->manner != PLAIN)
                answer_tls(s, fd);
        else
                answer_plain(s, fd, data, (size_t)n);
}

static void *run(void *userdata) {
        Server *s = userdata;

        for (int fd; (fd = accept(s->fd, NULL, NULL)) >= 0;) {
                serve(s, fd);
                close(fd);
        }
        return NULL;
}

static X509 *self_signed(EVP_PKEY *key) {
        X509 *x = X509_new();
        X509_NAME *name = X509_get_subject_name(x);

        ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
        X509_gmtime_adj(X509_getm_notBefore(x), -60);
        X509_gmtime_adj(X509_getm_notAfter(x), 3600);
        X509_set_pubkey(x, key);
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)"test", -1, -1, 0);
        X509_set_issuer_name(x, name);
        ck_assert_int_gt(X509_sign(x, key, EVP_sha256()), 0);
        return x;
}

static void server_begin(Server *s) {
        struct sockaddr_in in = { .sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        EVP_PKEY *key = EVP_EC_gen("P-256");
        socklen_t size = sizeof(in);
        X509 *x = self_signed(key);

        s->ssl = SSL_CTX_new(TLS_server_method());
        ck_assert_int_eq(SSL_CTX_use_certificate(s->ssl, x), 1);
        ck_assert_int_eq(SSL_CTX_use_PrivateKey(s->ssl, key), 1);
        if (s->manner == WANTS_CERTIFICATE || s->manner == WANTS_CERTIFICATE_12)
                SSL_CTX_set_verify(s->ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
        if (s->manner == WANTS_CERTIFICATE_12)
                SSL_CTX_set_max_proto_version(s->ssl, TLS1_2_VERSION);
        X509_free(x);
        EVP_PKEY_free(key);
        s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ck_assert_int_eq(bind(s->fd, (struct sockaddr *)&in, size), 0);
        ck_assert_int_eq(getsockname(s->fd, (struct sockaddr *)&in, &size), 0);
        s->port = ntohs(in.sin_port);
        ck_assert_int_eq(listen(s->fd, 8), 0);
        ck_assert_int_eq(pthread_create(&s->thread, NULL, run, s), 0);
}

static void server_end(Server *s) {
        shutdown(s->fd, SHUT_RDWR);
        pthread_join(s->thread, NULL);
        close(s->fd);
        SSL_CTX_free(s->ssl);
}

/* --- the prober: rounds one after another --- */

typedef struct Asker {
        sd_event *event;
        unsigned left;
        PlVerdict verdict; /* of the last round */
} Asker;

static void on_verdict(void *userdata, const char *id, const PlVerdict *v, uint64_t latency_usec,
                       const PlOllamaFacts *ollama) {
        Asker *a = userdata;

        a->verdict = *v;
        if (--a->left == 0)
                (void)sd_event_exit(a->event, 0);
}

static void ask(Server *s, PlProbeTarget *target, unsigned rounds, PlVerdict *ret) {
        static const PlProbeHandlers handlers = { .verdict = on_verdict };
        PlNetwork network = { .ip = "127.0.0.1" };
        PlContainer c = { .reach = { .networks = &network, .n_networks = 1 } };
        PlProbeAddresses addresses;
        Asker a = { .left = rounds };
        PlProber *p;

        pl_probe_addresses(&c, NULL, &s->port, 1, &addresses);
        target->addresses = &addresses;
        target->interval_usec = 100 * PL_USEC_PER_MSEC;
        target->timeout_usec = 10 * PL_USEC_PER_SEC;
        ck_assert_int_eq(sd_event_new(&a.event), 0);
        ck_assert_int_eq(pl_prober_new(a.event, &handlers, &a, &p), 0);
        ck_assert_int_eq(pl_prober_set(p, "x", target), 0);
        ck_assert_int_eq(sd_event_loop(a.event), 0);
        pl_prober_free(p);
        sd_event_unref(a.event);
        *ret = a.verdict;
}

/* clang-format off */
static const struct {
        const char *name;
        Manner manner;
        PlProbeKind kind;
        const char *answer;
        PlProbeTls tls;
        bool verify;
        unsigned rounds;
        PlVerdictKind verdict;
        const char *code, *reason;
        unsigned n_plain, n_tls, n_hello; /* questions that the server has seen */
} rows[] = {
        { "plain", PLAIN, PL_PROBE_REDIS, "+PONG\r\n", PL_PROBE_TLS_AUTO, false, 2,
          PL_VERDICT_UP, "", "", 2, 0, 0 },
        { "a server that just closes", SILENT_CLOSE, PL_PROBE_REDIS, "+PONG\r\n", PL_PROBE_TLS_AUTO,
          false, 3, PL_VERDICT_UP, "", "", 1, 3, 3 },
        { "a server that says an alert", ALERT, PL_PROBE_REDIS, "+PONG\r\n", PL_PROBE_TLS_AUTO, false, 3,
          PL_VERDICT_UP, "", "", 1, 3, 3 },
        { "TLS from the start", SILENT_CLOSE, PL_PROBE_REDIS, "+PONG\r\n", PL_PROBE_TLS_YES, false, 2,
          PL_VERDICT_UP, "", "", 0, 2, 2 },
        { "never TLS, an alert", ALERT, PL_PROBE_REDIS, "+PONG\r\n", PL_PROBE_TLS_NO, false, 2,
          PL_VERDICT_DISPUTED, "tls", "set ProbeTLS=auto", 2, 0, 0 },
        { "never TLS, a close", SILENT_CLOSE, PL_PROBE_REDIS, "+PONG\r\n", PL_PROBE_TLS_NO, false, 2,
          PL_VERDICT_SILENT, "closed", "without an answer", 2, 0, 0 },
        { "it closes, whatever it is asked", CLOSES, PL_PROBE_REDIS, "", PL_PROBE_TLS_AUTO, false, 2,
          PL_VERDICT_SILENT, "closed", "without an answer", 0, 0, 0 },
        { "it closes, and TLS is what is asked", CLOSES, PL_PROBE_REDIS, "", PL_PROBE_TLS_YES, false, 2,
          PL_VERDICT_SILENT, "closed", "instead of a TLS handshake", 0, 0, 0 },
        { "plain where TLS is wanted", PLAIN, PL_PROBE_REDIS, "-ERR\r\n", PL_PROBE_TLS_YES, false, 1,
          PL_VERDICT_DISPUTED, "tls", "does not speak TLS", 1, 0, 0 },
        { "in TLS it says what it would in plain", SILENT_CLOSE, PL_PROBE_REDIS, "-LOADING x\r\n",
          PL_PROBE_TLS_AUTO, false, 1, PL_VERDICT_STARTING, "LOADING", "", 1, 1, 1 },
        { "a client's certificate", WANTS_CERTIFICATE, PL_PROBE_REDIS, "+PONG\r\n", PL_PROBE_TLS_AUTO,
          false, 2, PL_VERDICT_DISPUTED, "tls", "set Probe=tcp", 1, 2, 0 },
        { "the same in TLS 1.2", WANTS_CERTIFICATE_12, PL_PROBE_REDIS, "+PONG\r\n", PL_PROBE_TLS_AUTO,
          false, 2, PL_VERDICT_DISPUTED, "tls", "set Probe=tcp", 1, 2, 0 },
        { "not to be trusted", SILENT_CLOSE, PL_PROBE_REDIS, "+PONG\r\n", PL_PROBE_TLS_AUTO, true, 2,
          PL_VERDICT_DISPUTED, "certificate", "self-signed certificate; set ProbeHost=", 1, 2, 0 },
        { "HTTP, plain", PLAIN, PL_PROBE_GRAFANA, OK_200, PL_PROBE_TLS_AUTO, false, 2, PL_VERDICT_UP, "",
          "", 2, 0, 0 },
        { "HTTP, Go's 400", GO, PL_PROBE_GRAFANA, OK_200, PL_PROBE_TLS_AUTO, false, 3, PL_VERDICT_UP, "",
          "", 1, 3, 3 },
        { "HTTP, a server that just closes", SILENT_CLOSE, PL_PROBE_GRAFANA, OK_200, PL_PROBE_TLS_AUTO,
          false, 3, PL_VERDICT_UP, "", "", 1, 3, 3 },
        { "HTTP, an alert", ALERT, PL_PROBE_GRAFANA, OK_200, PL_PROBE_TLS_AUTO, false, 2, PL_VERDICT_UP,
          "", "", 1, 2, 2 },
        { "HTTPS", SILENT_CLOSE, PL_PROBE_GRAFANA, OK_200, PL_PROBE_TLS_YES, false, 2, PL_VERDICT_UP,
          "", "", 0, 2, 2 },
        { "HTTPS that is not well", SILENT_CLOSE, PL_PROBE_HTTP, NOT_FOUND_404, PL_PROBE_TLS_AUTO,
          false, 2, PL_VERDICT_DISPUTED, "404", "HTTP 404", 1, 2, 2 },
        { "HTTP, never TLS, Go's 400", GO, PL_PROBE_GRAFANA, OK_200, PL_PROBE_TLS_NO, false, 2,
          PL_VERDICT_DISPUTED, "tls", "set ProbeTLS=auto", 2, 0, 0 },
        { "HTTP, never TLS, an alert", ALERT, PL_PROBE_GRAFANA, OK_200, PL_PROBE_TLS_NO, false, 2,
          PL_VERDICT_DISPUTED, "tls", "set ProbeTLS=auto", 2, 0, 0 },
        { "HTTP, never TLS, a close", SILENT_CLOSE, PL_PROBE_GRAFANA, OK_200, PL_PROBE_TLS_NO, false, 2,
          PL_VERDICT_SILENT, "closed", "without an answer", 2, 0, 0 },
        { "HTTP, it closes, whatever it is asked", CLOSES, PL_PROBE_GRAFANA, "", PL_PROBE_TLS_AUTO,
          false, 2, PL_VERDICT_SILENT, "closed", "without an answer", 0, 0, 0 },
        { "HTTP, it closes, and TLS is what is asked", CLOSES, PL_PROBE_GRAFANA, "", PL_PROBE_TLS_YES,
          false, 2, PL_VERDICT_SILENT, "closed", "instead of a TLS handshake", 0, 0, 0 },
        { "HTTP where TLS is wanted", PLAIN, PL_PROBE_GRAFANA, OK_200, PL_PROBE_TLS_YES, false, 1,
          PL_VERDICT_DISPUTED, "tls", "does not speak TLS", 1, 0, 0 },
        { "HTTP 400 that only looks like it", PLAIN, PL_PROBE_GRAFANA, GO_400, PL_PROBE_TLS_AUTO, false,
          1, PL_VERDICT_DISPUTED, "400", "HTTP 400", 2, 0, 0 },
        { "HTTPS, a client's certificate", WANTS_CERTIFICATE, PL_PROBE_GRAFANA, OK_200,
          PL_PROBE_TLS_AUTO, false, 2, PL_VERDICT_DISPUTED, "tls", "set Probe=tcp", 1, 2, 0 },
        { "HTTPS, the same in TLS 1.2", WANTS_CERTIFICATE_12, PL_PROBE_GRAFANA, OK_200,
          PL_PROBE_TLS_AUTO, false, 2, PL_VERDICT_DISPUTED, "tls", "set Probe=tcp", 1, 2, 0 },
        { "HTTPS, nginx' words for it", SILENT_CLOSE, PL_PROBE_GRAFANA, NGINX_400, PL_PROBE_TLS_AUTO, false,
          2, PL_VERDICT_DISPUTED, "tls", "No required SSL certificate was sent", 1, 2, 2 },
        { "HTTPS, not to be trusted", SILENT_CLOSE, PL_PROBE_GRAFANA, OK_200, PL_PROBE_TLS_AUTO, true,
          2, PL_VERDICT_DISPUTED, "certificate", "set ProbeHost=", 1, 2, 0 },
        { "Postgres, hostssl lines alone", POSTGRES, PL_PROBE_POSTGRES, "R\0\0\0\x08\0\0\0\3",
          PL_PROBE_TLS_AUTO, false, 3, PL_VERDICT_UP, "", "", 1, 3, 3 },
        { "Postgres, TLS from the start", POSTGRES, PL_PROBE_POSTGRES, "R\0\0\0\x08\0\0\0\3",
          PL_PROBE_TLS_YES, false, 2, PL_VERDICT_UP, "", "", 0, 2, 2 },
        { "Postgres, never TLS", POSTGRES, PL_PROBE_POSTGRES, "", PL_PROBE_TLS_NO, false, 1,
          PL_VERDICT_DISPUTED, "28000", "set ProbeTLS=auto", 1, 0, 0 },
        { "Postgres without TLS", POSTGRES_PLAIN, PL_PROBE_POSTGRES, "R\0\0\0\x08\0\0\0\3",
          PL_PROBE_TLS_AUTO, false, 2, PL_VERDICT_UP, "", "", 2, 0, 0 },
        { "Postgres without TLS where TLS is wanted", POSTGRES_PLAIN, PL_PROBE_POSTGRES,
          "R\0\0\0\x08\0\0\0\3", PL_PROBE_TLS_YES, false, 2, PL_VERDICT_DISPUTED, "tls",
          "does not speak TLS", 0, 0, 0 },
        { "Postgres without TLS, no entry for us", POSTGRES_HBA, PL_PROBE_POSTGRES, "", PL_PROBE_TLS_AUTO,
          false, 3, PL_VERDICT_UP, "28000", "no pg_hba.conf entry, no encryption (SQLSTATE", 1, 0, 0 },
        { "Postgres is full: a handshake without a question from then on", POSTGRES_FULL,
          PL_PROBE_POSTGRES, "", PL_PROBE_TLS_AUTO, false, 3, PL_VERDICT_IMPAIRED, "53300", "full", 1, 2,
          0 },
};
/* clang-format on */

START_TEST(ways) {
        Server s = { .manner = rows[_i].manner, .answer = rows[_i].answer };
        PlProbeTarget target = { .kind = rows[_i].kind,
                                 .tls = rows[_i].tls,
                                 .tls_verify = rows[_i].verify,
                                 .host = "db.example:1" };
        const char *name = rows[_i].name;
        PlVerdict v;

        s.n_answer = s.answer[0] == 'R' ? 9 : strlen(s.answer);
        server_begin(&s);
        ask(&s, &target, rows[_i].rounds, &v);
        server_end(&s);
        check_verdict(name, &v, rows[_i].verdict, rows[_i].code, rows[_i].reason);
        ck_assert_msg(s.n_plain == rows[_i].n_plain, "%s: plain %u", name, s.n_plain);
        ck_assert_msg(s.n_tls == rows[_i].n_tls, "%s: TLS %u", name, s.n_tls);
        ck_assert_msg(s.n_hello == rows[_i].n_hello, "%s: words in TLS %u", name, s.n_hello);
        /* Postgres logs an end without leave; libcurl takes none of a certificate it does not like
         */
        ck_assert_msg(s.n_rude == 0 || rows[_i].verify, "%s: rude %u", name, s.n_rude);
        if (s.n_hello > 0)
                ck_assert_str_eq(s.name, "db.example");
}
END_TEST

int main(void) {
        TCase *t = tcase_create("tables");

        (void)signal(SIGPIPE, SIG_IGN); /* as plimsolld does */

        tcase_add_loop_test(t, known_words, 0, PL_ARRAY_SIZE(words));
        tcase_add_loop_test(t, asked_for, 0, PL_ARRAY_SIZE(bodies));
        tcase_add_loop_test(t, remedies, 0, PL_ARRAY_SIZE(verdicts));
        tcase_add_loop_test(t, ways, 0, PL_ARRAY_SIZE(rows));
        return run_case(t);
}
