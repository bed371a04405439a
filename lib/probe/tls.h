/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * TLS of a probe: how the bytes travel, and what it means that TLS did not come about.
 *
 * A probe asks whether a service is alive, not whether it is to be trusted. Whoever says anything
 * in TLS, a refusal included, is alive. TLS itself is daemon/probe's and libcurl's.
 */

#include "lib/probe/verdict.h"

/* How the bytes travel. */
typedef enum PlProbeWay {
        PL_WAY_PLAIN,
        PL_WAY_TLS,      /* TLS from the first byte */
        PL_WAY_STARTTLS, /* TLS after a request for it in plain, as Postgres has it */
} PlProbeWay;

/* Why there is no TLS, or none any more. */
typedef enum PlTlsError {
        PL_TLS_CLOSED,      /* closed before a word of TLS */
        PL_TLS_ABSENT,      /* what answers does not speak it */
        PL_TLS_CERTIFICATE, /* it speaks TLS, and wants a certificate of its clients */
        PL_TLS_UNTRUSTED,   /* it speaks TLS, and its own certificate does not verify */
        PL_TLS_REFUSED,     /* it speaks TLS, but of another version, or with other ciphers */
} PlTlsError;

/**
 * pl_tls_error() - what the words of a TLS library mean
 * @words: of OpenSSL or GnuTLS, as they are or as libcurl hands them on
 *
 * PL_TLS_UNTRUSTED has a code of its own in each library and is not told from words. Words that are
 * not known mean PL_TLS_REFUSED: something that speaks TLS, which is alive.
 */
PlTlsError pl_tls_error(const char *words);

/**
 * pl_tls_is_asked_for() - does an HTTP answer to a plain question say that it should have been TLS?
 * @status: 400 or 497 is worth a look
 *
 * Go: "Client sent an HTTP request to an HTTPS server." nginx: "The plain HTTP request was sent to
 * HTTPS port". Apache: "You're speaking plain HTTP to an SSL-enabled server port." Tomcat: "This
 * combination of host and port requires TLS." A false alarm costs a try at TLS.
 */
bool pl_tls_is_asked_for(unsigned status, const char *body, size_t n);

/** pl_tls_wants_certificate() - an HTTP answer in TLS, as nginx has it. */
#define PL_TLS_NO_CERTIFICATE "No required SSL certificate was sent"
bool pl_tls_wants_certificate(unsigned status, const char *body, size_t n);

/** pl_tls_verdict() - @words: as above, quoted into the reason where they say more than we do */
void pl_tls_verdict(PlTlsError error, const char *words, PlVerdict *ret);
