/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Import: what `docker compose config --format json` says about limits, reservations, logging and
 * healthchecks, as the text of a policy ("plimsollctl import").
 *
 * It saves retyping a compose file. What has no counterpart, or would be refused in a policy, is
 * left out and reported; the text always parses. Secrets are never read: not the environment, not
 * the command.
 *
 * Source: compose-spec, 05-services.md and deploy.md; docker/go-units for sizes.
 */

#include "lib/base/diag.h"
#include "lib/base/macro.h"

#define PL_IMPORT_MAX MIB(16)

/**
 * pl_import_compose() - compose JSON to policy text
 * @file: name for messages and for the first comment of the text
 * @diag: a warning for each value that was left out; an error when nothing could be done
 * @ret:  owned by the caller
 *
 * Return: 0; -EBADMSG when it is no compose configuration (said in diag); -ENOMEM.
 */
int pl_import_compose(const char *file, const char *json, size_t size, PlDiagList *diag,
                      char **ret);
