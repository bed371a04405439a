/* SPDX-License-Identifier: Apache-2.0 */

/*
 * TLS on a plain socket: see the header.
 *
 * Without verification anything that encrypts will do: the security level is 0, and TLS 1.0 is
 * good enough, because a service that nobody should trust is alive all the same. With verification
 * the handshake is ended all the same, and nothing is said after it: a server logs an alert.
 */

#include "probe/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

struct PlTlsContext {
        SSL_CTX *ssl;
        bool has_roots; /* the system's certificates are loaded */
};

struct PlTls {
        SSL *ssl;
        bool verify;
        char words[PL_TLS_WORDS_MAX];
};

PlTlsContext *pl_tls_context_free(PlTlsContext *c) {
        if (!c)
                return NULL;
        SSL_CTX_free(c->ssl);
        free(c);
        return NULL;
}

int pl_tls_context_new(PlTlsContext **ret) {
        PlTlsContext *c = calloc(1, sizeof(*c));

        if (!c)
                return -ENOMEM;
        c->ssl = SSL_CTX_new(TLS_client_method());
        if (!c->ssl || SSL_CTX_set_min_proto_version(c->ssl, TLS1_VERSION) != 1) {
                pl_tls_context_free(c);
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

static bool set_verify(PlTlsContext *c, SSL *ssl, const char *name, bool is_dns,
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

int pl_tls_new(PlTlsContext *c, int fd, const char *host, const struct sockaddr *address,
               bool verify, PlTls **ret) {
        PlTls *t = calloc(1, sizeof(*t));
        char name[NAME_MAX + 1] = "";
        bool is_dns = host && name_of(host, name);

        if (!t)
                return -ENOMEM;
        t->ssl = SSL_new(c->ssl);
        if (!t->ssl || SSL_set_fd(t->ssl, fd) != 1 ||
            (is_dns && SSL_set_tlsext_host_name(t->ssl, name) != 1) ||
            (verify && !set_verify(c, t->ssl, name, is_dns, address))) {
                ERR_clear_error();
                pl_tls_free(t);
                return -ENOMEM;
        }
        if (!verify)
                SSL_set_security_level(t->ssl, 0);
        t->verify = verify;
        SSL_set_connect_state(t->ssl);
        *ret = t;
        return 0;
}

PlTls *pl_tls_free(PlTls *t) {
        if (!t)
                return NULL;
        SSL_free(t->ssl);
        free(t);
        return NULL;
}

/* What SSL_get_error() of a failed call means. Return: -EAGAIN, -EPROTO, 0: the other side's end.
 */
static int failure(PlTls *t, int r, int os_errno) {
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

int pl_tls_handshake(PlTls *t, uint32_t *ret_events) {
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

ssize_t pl_tls_recv(PlTls *t, void *buf, size_t size) {
        int r;

        ERR_clear_error();
        errno = 0;
        r = SSL_read(t->ssl, buf, (int)PL_MIN(size, (size_t)INT32_MAX));
        return r > 0 ? r : failure(t, r, errno);
}

int pl_tls_send(PlTls *t, const void *buf, size_t size) {
        int r;

        ERR_clear_error();
        errno = 0;
        r = SSL_write(t->ssl, buf, (int)size);
        if (r == (int)size)
                return 0;
        (void)failure(t, r, errno);
        return -EPROTO;
}

void pl_tls_close(PlTls *t) {
        ERR_clear_error();
        (void)SSL_shutdown(t->ssl);
        ERR_clear_error();
}

size_t pl_tls_describe(const PlTls *t, char buf[static PL_TLS_WORDS_MAX]) {
        (void)snprintf(buf, PL_TLS_WORDS_MAX, "%s, %s", SSL_get_version(t->ssl),
                       SSL_get_cipher_name(t->ssl));
        return strlen(buf);
}

const char *pl_tls_words(const PlTls *t) {
        return t->words;
}
