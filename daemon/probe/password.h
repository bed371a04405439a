/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Password: the client's side of Postgres' password authentication, over OpenSSL's digests: clear
 * text, MD5, SCRAM-SHA-256 (RFC 5802, RFC 7677) without channel binding.
 *
 * The server's own proof is not checked: a probe asks whether it is alive. It must not compute for
 * as long as a server likes: too many iterations are declined.
 */

#include "lib/probe/login.h"

#define PL_PASSWORD_REPLY_MAX 1024

/* Of one connection; all zeros at its beginning. */
typedef struct PlPassword {
        char nonce[40];
        bool begun; /* the first message of SCRAM is sent */
} PlPassword;

/**
 * pl_password_reply() - the reply to a challenge
 * @body: of an Authentication message, from its code on
 * @out:  a whole message; the caller wipes it
 * Return: its bytes; -ENOTSUP: a way that we do not know, or too dear; -EPROTO: no sense in it;
 * -ENOMEM.
 */
ssize_t pl_password_reply(PlPassword *p, const PlLogin *login, const uint8_t *body, size_t n,
                          uint8_t out[static PL_PASSWORD_REPLY_MAX]);
