/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Login: user and password that stand in a container's own environment, for a probe whose policy
 * wants them used (ProbeAuth=).
 *
 * Nothing here is ever shown, logged or written. It is wiped when it is freed. Pure.
 */

#include "lib/base/macro.h"

#define PL_LOGIN_MAX 256 /* bytes of either; longer ones are not used */

typedef struct PlLogin {
        char user[PL_LOGIN_MAX + 1]; /* Redis: "": the default user */
        char password[PL_LOGIN_MAX + 1];
} PlLogin;

/**
 * pl_login_new() - what the kind's images are told by their environment
 * @kind:        the word of the probe: "postgres"
 * @environment: "NAME=value" each, as the engine's inspect has Config.Env; of a name that is there
 *               twice the last one counts
 * Return: NULL: there is no password, or no memory. Passwords in files (…_FILE) are not read: they
 * are inside of the container.
 */
PlLogin *pl_login_new(const char *kind, char *const *environment);
PlLogin *pl_login_copy(const PlLogin *l); /* NULL of NULL, or: no memory */
PlLogin *pl_login_free(PlLogin *l);       /* returns NULL */
PL_DEFINE_CLEANUP(PlLogin *, pl_login_free)

/** pl_login_basic() - "Authorization: Basic …" (RFC 7617). Return: bytes without the NUL; the
 * caller wipes buf. */
#define PL_LOGIN_BASIC_MAX (32 + (2 * PL_LOGIN_MAX + 3) / 3 * 4)
size_t pl_login_basic(const PlLogin *l, char buf[static PL_LOGIN_BASIC_MAX]);
