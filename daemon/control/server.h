/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Control server: HTTP and JSON on the control socket (libmicrohttpd on the loop's epoll).
 *
 * It parses requests, bounds them, finds the endpoint and sends what that answers. Which endpoints
 * there are, and what they answer, is their owner's: a table of rows.
 */

#include <jansson.h>
#include <systemd/sd-event.h>

#include "lib/base/macro.h"

typedef struct PlCtlServer PlCtlServer;

/* An answer that comes later. */
typedef struct PlCtlPending PlCtlPending;

/* What is asked of an endpoint; borrowed for the call. */
typedef struct PlCtlRequest {
        const char *name;       /* what stood for "*" in the pattern, decoded; "" without one */
        const json_t *body;     /* an object, or NULL: the request had no body */
        const char *accept;     /* the header; may be NULL */
        struct PlCtlCall *call; /* for pl_ctl_defer() */
} PlCtlRequest;

/* Who may ask. */
typedef enum PlCtlMay {
        PL_CTL_CONNECTED, /* whoever may open the socket: root and its group */
        PL_CTL_ROOT,      /* root alone; others get 403 */
} PlCtlMay;

/* One row for each method and address. Tables end with a row without a method. */
typedef struct PlCtlEndpoint {
        const char *method;  /* "GET" answers HEAD, too */
        const char *pattern; /* "/v1/containers/NAME/rotate" with "*" for NAME: one whole segment,
                                made of what names of containers and services are made of */
        /* Runs on the loop and must not block. @status: HTTP, 200 unless it is set.
         * Return: new reference; NULL: out of memory, answered with 500, or deferred. Problems are
         * documents, too: pl_ctl_problem().
         * A row without a function is the live stream of what pl_ctl_server_publish() sends. */
        json_t *(*answer)(void *userdata, const PlCtlRequest *q, unsigned *status);
        PlCtlMay may;
        /* Instead: a page, the same for all who want this type of it. It may be large and cost a
         * lot: one that is a second old is served again, and few are kept for slow readers.
         * type: its Content-Type, static. text: owned by the caller; NULL: out of memory */
        const char *(*type)(const PlCtlRequest *q);
        char *(*text)(void *userdata, const char *type, size_t *ret_size);
} PlCtlEndpoint;

/**
 * pl_ctl_server_new()
 * @listen_fd: a bound and listening unix socket; ownership passes on success
 * @endpoints: borrowed, must outlive the server
 * Return: 0, -ENOMEM, -EIO when libmicrohttpd refuses, -errno.
 */
int pl_ctl_server_new(sd_event *event, int listen_fd, const PlCtlEndpoint *endpoints,
                      void *userdata, PlCtlServer **ret);
/* Streams end in good order; must not be called from a handler. Returns NULL. */
PlCtlServer *pl_ctl_server_free(PlCtlServer *s);
PL_DEFINE_CLEANUP(PlCtlServer *, pl_ctl_server_free)

/** pl_ctl_problem() - the document of every error: what is wrong, and what would be right, so that
 * plimsollctl and a person with curl read the same words. Return: new reference, NULL. */
json_t *pl_ctl_problem(const char *message, const char *remedy);

/** pl_ctl_defer() - inside an endpoint's function, which then returns NULL: the answer comes later,
 * within seconds. Return: pass it to pl_ctl_reply() exactly once; NULL: out of memory. */
PlCtlPending *pl_ctl_defer(const PlCtlRequest *q);

/** pl_ctl_reply() - the answer that was deferred. It may come when the client or the server is
 * gone.
 * @document: reference stolen; NULL: out of memory. */
void pl_ctl_reply(PlCtlPending *p, unsigned status, json_t *document);

/** pl_ctl_server_set_guard() - who may be answered, where browsers can reach the server
 * @allowed: decides by the request's Host:, NULL when it has none; others get 421 */
void pl_ctl_server_set_guard(PlCtlServer *s, bool (*allowed)(void *userdata, const char *host));

/** pl_ctl_server_set_timeout() - how long a connection may take for one whole request, from connect
 * or the answer before it; 15 s unless set. Streams are exempt. */
void pl_ctl_server_set_timeout(PlCtlServer *s, uint64_t usec);

/** pl_ctl_server_listen() - bind the control socket at a path, mode 0660, group "plimsoll" if it
 * exists; a stale socket file is replaced, a live one is -EADDRINUSE, any other file -EEXIST. The
 * directory is made when its parent is there. Return: fd or -errno. */
int pl_ctl_server_listen(const char *path);

/** pl_ctl_server_publish() - send one event to every client of the stream. A client that does not
 * read is dropped after 1 MiB, never waited for. @entry: from pl_wire_event(), borrowed.
 * Costs nothing while nobody listens; s may be NULL. */
void pl_ctl_server_publish(PlCtlServer *s, json_t *entry);

/** pl_ctl_server_has_listeners() - would a published entry reach anybody? */
bool pl_ctl_server_has_listeners(const PlCtlServer *s);
