/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Import: what `docker compose config --format json`, or an engine of its containers, says about
 * limits, reservations, logging and healthchecks, as the text of a policy ("plimsollctl import").
 *
 * It saves retyping a compose file. What has no counterpart, or would be refused in a policy, is
 * left out and reported; the text always parses. Secrets are never read: not the environment, not
 * the command. A section matches its service in its own project alone, where the file names one.
 *
 * Source: compose-spec, 05-services.md and deploy.md; docker/go-units for sizes.
 */

#include <jansson.h>

#include "lib/base/diag.h"
#include "lib/base/macro.h"
#include "lib/policy/document.h"

#define PL_IMPORT_MAX MIB(16)

typedef struct PlImportCount {
        size_t n_services, n_limits; /* sections; limits and log rules in them */
        size_t n_left_out;           /* said in diag, each */
} PlImportCount;

/**
 * pl_import_knows() - is a key of the compose specification in the table?
 * @path: "name", "services.mem_limit"
 * @ret_why_not: why it is not translated, and what to do instead; NULL: it is, or it says nothing
 *               of limits, logs or health
 */
bool pl_import_knows(const char *path, const char **ret_why_not);

/**
 * pl_import_compose() - compose JSON to policy text
 * @file: name for messages and for the first comment of the text
 * @host: to find disks; NULL, or without device(): any path may be one
 * @diag: a warning for each value that was left out; an error when nothing could be done. Of the
 *        file's text they show keys and names of services alone
 * @ret_count: for a summary; may be NULL
 * @ret:  owned by the caller
 *
 * Return: 0; -EBADMSG when it is no compose configuration (said in diag); -ENOMEM.
 */
int pl_import_compose(const char *file, const char *json, size_t size, const PlHost *host,
                      PlDiagList *diag, PlImportCount *ret_count, char **ret);

/**
 * pl_import_engine() - what an engine says of its containers to policy text
 * @file: as above: what the engine is called
 * @host: as above; weights depend on its hierarchy
 * @containers: array of what GET /containers/{id}/json answers
 *
 * One section for each service of compose or a swarm; of containers that differ the first counts,
 * which is said. Any other container is matched by its name.
 *
 * Return: 0; -EBADMSG: said in diag; -ENOMEM.
 */
int pl_import_engine(const char *file, const json_t *containers, const PlHost *host,
                     PlDiagList *diag, PlImportCount *ret_count, char **ret);
