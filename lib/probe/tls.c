/* SPDX-License-Identifier: Apache-2.0 */

/*
 * TLS of a probe: see the header.
 */

#include "lib/probe/tls.h"

#include <strings.h>

/*
 * First match wins. An alert is the other side's word, so alerts come first. Source: OpenSSL 3,
 * ssl/ssl_err.c; GnuTLS 3.7, lib/errors.c and lib/alert.c; libcurl, lib/vtls/openssl.c and gtls.c.
 */
static const struct {
        const char *words;
        PlTlsError error;
} known[] = {
        { "certificate required", PL_TLS_CERTIFICATE },    /* OpenSSL, TLS 1.3 */
        { "Certificate is required", PL_TLS_CERTIFICATE }, /* GnuTLS */
        /* up to TLS 1.2 this is all that a server without its client's certificate says; a server
         * without a cipher in common says it too */
        { "alert handshake failure", PL_TLS_CERTIFICATE },
        { "Handshake failed", PL_TLS_CERTIFICATE },
        { "alert bad certificate", PL_TLS_CERTIFICATE },
        { "alert", PL_TLS_REFUSED },
        { "wrong version number", PL_TLS_ABSENT }, /* OpenSSL: no TLS record */
        { "packet length too long", PL_TLS_ABSENT },
        { "record layer failure", PL_TLS_ABSENT },
        { "http request", PL_TLS_ABSENT },
        { "unexpected TLS packet", PL_TLS_ABSENT }, /* GnuTLS */
        { "unsupported version packet", PL_TLS_ABSENT },
        { "packet with illegal or unsupported version", PL_TLS_ABSENT },
        { "unexpected eof", PL_TLS_CLOSED },
        { "SSL_ERROR_SYSCALL", PL_TLS_CLOSED },
        { "onnection reset", PL_TLS_CLOSED },
        { "roken pipe", PL_TLS_CLOSED },
        { "non-properly terminated", PL_TLS_CLOSED },
        { "pull function", PL_TLS_CLOSED },
        { "push function", PL_TLS_CLOSED },
};

PlTlsError pl_tls_error(const char *words) {
        for (size_t i = 0; i < PL_ARRAY_SIZE(known); i++)
                if (strstr(words, known[i].words))
                        return known[i].error;
        return PL_TLS_REFUSED;
}

static bool contains(const char *body, size_t n, const char *sign) {
        size_t len = strlen(sign);

        n = PL_MIN(n, (size_t)KIB(2));
        for (size_t i = 0; i + len <= n; i++)
                if (strncasecmp(body + i, sign, len) == 0)
                        return true;
        return false;
}

bool pl_tls_is_asked_for(unsigned status, const char *body, size_t n) {
        return (status == 400 || status == 497) &&
               (contains(body, n, "https") || contains(body, n, "ssl") || contains(body, n, "tls"));
}

bool pl_tls_wants_certificate(unsigned status, const char *body, size_t n) {
        return status == 400 && contains(body, n, PL_TLS_NO_CERTIFICATE);
}

void pl_tls_verdict(PlTlsError error, const char *words, PlVerdict *ret) {
        char quoted[88];

        (void)pl_quote(words, strlen(words), quoted, sizeof(quoted));
        switch (error) {
        case PL_TLS_CLOSED:
                pl_verdict_set(ret, PL_VERDICT_SILENT, "closed",
                               "the connection was closed instead of a TLS handshake");
                return;
        case PL_TLS_ABSENT:
                pl_verdict_set(ret, PL_VERDICT_DISPUTED, "tls",
                               "it does not speak TLS on this port: set ProbeTLS=auto");
                return;
        case PL_TLS_CERTIFICATE:
                pl_verdict_set(ret, PL_VERDICT_DISPUTED, "tls",
                               "it wants a certificate of its clients (TLS: %s), which the probe "
                               "does not have: set Probe=tcp",
                               quoted);
                return;
        case PL_TLS_UNTRUSTED:
                pl_verdict_set(ret, PL_VERDICT_DISPUTED, "certificate",
                               "its certificate does not verify: %s; set ProbeHost= to the name in "
                               "it, or ProbeTLSVerify=no",
                               quoted);
                return;
        case PL_TLS_REFUSED:
                pl_verdict_set(ret, PL_VERDICT_DISPUTED, "tls",
                               "it speaks TLS, but not with the probe: %s; set Probe=tcp", quoted);
                return;
        }
}
