/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * TLS on a plain socket, over OpenSSL: the client's side, without waiting.
 *
 * libcurl has TLS for HTTP. What Postgres wants (a request for TLS in plain, on the same
 * connection) it cannot do, so the probes that speak over sockets have this. It must not block, and
 * reads no file but the system's certificates, those only to verify.
 */

#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "lib/base/macro.h"

typedef struct PlTlsContext PlTlsContext;
typedef struct PlTls PlTls;

#define PL_TLS_WORDS_MAX 160

/** pl_tls_context_new() - what all connections share. Return: 0, -ENOMEM. */
int pl_tls_context_new(PlTlsContext **ret);
PlTlsContext *pl_tls_context_free(PlTlsContext *c); /* after all its connections; returns NULL */

/**
 * pl_tls_new() - a connection; no byte is sent yet
 * @fd:      connected, non-blocking; borrowed, and outlives the connection
 * @host:    as in ProbeHost=, the name for SNI and to verify; NULL: no SNI
 * @address: IPv4 or IPv6; verified where there is no name
 * @verify:  or only encrypt
 * Return: 0, -ENOMEM.
 */
int pl_tls_new(PlTlsContext *c, int fd, const char *host, const struct sockaddr *address,
               bool verify, PlTls **ret);
PlTls *pl_tls_free(PlTls *t); /* says nothing to the other side; returns NULL */

/**
 * pl_tls_handshake() - go on with it
 * @ret_events: EPOLLIN or EPOLLOUT to wait for; written with -EAGAIN
 * Return: 0: done; -EAGAIN; -EPROTO: failed, see pl_tls_words(); -EKEYREJECTED: done, but the
 * certificate does not verify: take leave with pl_tls_close().
 */
int pl_tls_handshake(PlTls *t, uint32_t *ret_events);

/** pl_tls_recv() - as recv(2). Return: bytes; 0: end; -EAGAIN; -EPROTO: see pl_tls_words(). */
ssize_t pl_tls_recv(PlTls *t, void *buf, size_t size);

/** pl_tls_send() - all of it, which must fit the socket's buffer. Return: 0, -EPROTO. */
int pl_tls_send(PlTls *t, const void *buf, size_t size);

/** pl_tls_close() - tell the other side, so that it does not log an end in the middle. */
void pl_tls_close(PlTls *t);

/** pl_tls_describe() - version and cipher that were agreed on. Return: bytes. */
size_t pl_tls_describe(const PlTls *t, char buf[static PL_TLS_WORDS_MAX]);

/** pl_tls_words() - of the last failure, in OpenSSL's words. Return: borrowed; "": none. */
const char *pl_tls_words(const PlTls *t);
