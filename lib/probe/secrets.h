/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Secrets: what a service says is shown to people only without the values of its container's
 * environment, which is where credentials are. A service may repeat them in an error, a redirect or
 * a page.
 *
 * Pure, and short-lived: made for one conversation, and wiped with it.
 */

#include "lib/base/macro.h"

typedef struct PlSecrets PlSecrets;

/* What stands where something was cut. */
#define PL_SECRETS_MARK "[cut]"

/**
 * pl_secrets_new() - @environment: "NAME=value" each, as the engine's inspect has Config.Env;
 * copied
 *
 * Values are cut as they are, and as JSON and URLs write them; of several lines, each line too.
 * Left out are switches ("true", "no") and numbers of up to five digits, unless the name says that
 * they are secret: a port is no secret, and a conversation without ports tells nothing.
 *
 * Return: 0, -ENOMEM.
 */
int pl_secrets_new(char *const *environment, PlSecrets **ret);
PlSecrets *pl_secrets_free(PlSecrets *s); /* returns NULL */
PL_DEFINE_CLEANUP(PlSecrets *, pl_secrets_free)

/**
 * pl_secrets_cut() - a copy without them
 * @more:  there were more bytes, which were dropped: the beginning of a secret at the end is one,
 * too
 * @ret_n: bytes of the copy, to which a NUL is added
 * Return: owned by the caller; NULL: out of memory.
 */
char *pl_secrets_cut(const PlSecrets *s, const char *data, size_t n, bool more, size_t *ret_n);
