/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Control server: HTTP and JSON on the control socket (libmicrohttpd on the loop's epoll).
 *
 * GET /v1/status, /v1/containers/NAME, /v1/findings, /v1/events (NDJSON, live), POST /v1/reload,
 * /v1/containers/NAME/rotate … It parses requests, bounds them and answers; what there is to say
 * comes from the handlers, which run on the loop and must not block.
 */

#include <jansson.h>
#include <systemd/sd-event.h>

#include "lib/base/macro.h"

typedef struct PlCtlServer PlCtlServer;

typedef struct PlCtlHandlers {
        json_t *(*status)(void *userdata);                      /* new reference; NULL: 500 */
        json_t *(*container)(void *userdata, const char *name); /* NULL: 404 */
        json_t *(*findings)(void *userdata);
        /* 0, or negative errno with *ret_message (owned by the caller): every error of the policy
         */
        int (*reload)(void *userdata, char **ret_message);
        /* -ENOENT: no such container; -EOPNOTSUPP; 0: started */
        int (*rotate)(void *userdata, const char *name, char **ret_message);
} PlCtlHandlers;

/**
 * pl_ctl_server_new()
 * @listen_fd: a bound and listening unix socket; ownership passes on success
 * @handlers:  borrowed, must outlive the server
 * Return: 0, -ENOMEM, -EIO when libmicrohttpd refuses, -errno.
 */
int pl_ctl_server_new(sd_event *event, int listen_fd, const PlCtlHandlers *handlers, void *userdata,
                      PlCtlServer **ret);
/* Streams end in good order; must not be called from a handler. Returns NULL. */
PlCtlServer *pl_ctl_server_free(PlCtlServer *s);
PL_DEFINE_CLEANUP(PlCtlServer *, pl_ctl_server_free)

/** pl_ctl_server_set_timeout() - how long a connection may take for one whole request, from connect
 * or the answer before it; 15 s unless set. Streams are exempt. */
void pl_ctl_server_set_timeout(PlCtlServer *s, uint64_t usec);

/** pl_ctl_server_listen() - bind the control socket at a path, mode 0660, group "plimsoll" if it
 * exists; a stale socket file is replaced, a live one is -EADDRINUSE, any other file -EEXIST. The
 * directory is made when its parent is there. Return: fd or -errno. */
int pl_ctl_server_listen(const char *path);

/** pl_ctl_server_publish() - send one event to every /v1/events client. A client that does not
 * read is dropped after 1 MiB, never waited for. @entry: from pl_wire_event(), borrowed.
 * Costs nothing while nobody listens; s may be NULL. */
void pl_ctl_server_publish(PlCtlServer *s, json_t *entry);

/** pl_ctl_server_has_listeners() - would a published entry reach anybody? */
bool pl_ctl_server_has_listeners(const PlCtlServer *s);
