/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Control client: requests to plimsolld's control socket (libcurl), one after the other.
 *
 * Blocks; it is for plimsollctl and never linked into the daemon's loop.
 */

#include <jansson.h>

#include "lib/base/macro.h"

typedef struct PlCtlClient PlCtlClient;

#define PL_CTL_CLIENT_TIMEOUT_MSEC 30000 /* a reload may take a while */

/** pl_ctl_client_new() - @socket_path: borrowed. @timeout_msec: of each request. Nothing is opened
 * yet. Return: 0, -ENOMEM. */
int pl_ctl_client_new(const char *socket_path, unsigned timeout_msec, PlCtlClient **ret);
PlCtlClient *pl_ctl_client_free(PlCtlClient *c);
PL_DEFINE_CLEANUP(PlCtlClient *, pl_ctl_client_free)

/**
 * pl_ctl_client_request() - one request and its whole answer
 * @method:   "GET" or "POST"
 * @path:     of pl_ctl_client_path() where it holds a name
 * @ret_code: HTTP status
 * @ret:      the document, new reference; errors are documents too: "message", "remedy"
 *
 * Return: 0; -ENOENT, -ECONNREFUSED, -EACCES … from connect(2); -ETIMEDOUT; -EPROTO when what came
 *         is not JSON or more than 64 MiB; -ENOMEM.
 */
int pl_ctl_client_request(PlCtlClient *c, const char *method, const char *path, long *ret_code,
                          json_t **ret);

/** pl_ctl_client_path() - "/v1/containers/NAME" + suffix, with NAME escaped; owned by the caller,
 * NULL: out of memory. */
char *pl_ctl_client_path(PlCtlClient *c, const char *name, const char *suffix);

typedef struct PlCtlStreamHandlers {
        /* Each document of the stream, borrowed. Return: 0 to go on, anything else to end. */
        int (*entry)(void *userdata, json_t *entry);
        /* Once when the stream is open, then every tick_msec. May be NULL. Return: as above. */
        int (*tick)(void *userdata);
        unsigned tick_msec; /* 0: no ticks but the first */
} PlCtlStreamHandlers;

/**
 * pl_ctl_client_stream() - read /v1/events until a handler ends it
 * Return: what the handler returned; 0 when the daemon ended the stream; or as for a request, with
 *         -EUSERS when the daemon has too many streams.
 */
int pl_ctl_client_stream(PlCtlClient *c, const PlCtlStreamHandlers *handlers, void *userdata);
