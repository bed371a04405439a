/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Control answers: JSON documents and errors as HTTP responses.
 *
 * Return of all: what the request handler of libmicrohttpd returns; MHD_NO (out of memory) makes
 * it close the connection. JSON references are stolen, also on failure.
 */

#include <jansson.h>
#include <microhttpd.h>

#include "lib/base/macro.h"

/** pl_ctl_answer_with() - @allow: Allow header, or NULL */
enum MHD_Result pl_ctl_answer_with(struct MHD_Connection *connection, unsigned code,
                                   const char *allow, json_t *stolen);

/** pl_ctl_answer_json() - 200 with a document; 500 when it is NULL */
enum MHD_Result pl_ctl_answer_json(struct MHD_Connection *connection, json_t *stolen);

/** pl_ctl_answer_error() - {"message", "remedy"} */
enum MHD_Result pl_ctl_answer_error(struct MHD_Connection *connection, unsigned code,
                                    const char *allow, const char *message, const char *remedy);

enum MHD_Result pl_ctl_answer_no_container(struct MHD_Connection *connection, const char *name);
