/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Engine: an asynchronous Docker Engine API client on the event loop (libcurl multi, unix socket).
 *
 * It owns the connection's life: ping and version, negotiation, the event stream, loss, backoff
 * with jitter, return. Callers see connected() / lost() edges and answers by container id; nothing
 * blocks, and every reply callback is called exactly once, with -ECONNRESET or the like when the
 * engine is lost. Callbacks are never called from inside the call that made the request.
 */

#include <systemd/sd-event.h>

#include "pl-docker.h"

typedef struct PlEngine PlEngine;

typedef struct PlEngineHandlers {
        /* Version negotiated and event stream open: events from here on are not missed; list now.
         */
        void (*connected)(void *userdata, const PlEngineInfo *info);
        /* Once per loss. What was observed is stale now, not empty. */
        void (*lost)(void *userdata, int error, const char *why, uint64_t retry_usec);
        void (*event)(void *userdata, const PlEvent *event);
} PlEngineHandlers;

/**
 * pl_engine_new()
 * @url: "unix:///run/docker.sock"; other schemes: -EPROTONOSUPPORT
 * @handlers: borrowed, must outlive the engine
 * Return: 0, -ENOMEM, -EPROTONOSUPPORT, -EINVAL or what sd-event says.
 */
int pl_engine_new(sd_event *event, const char *url, const PlEngineHandlers *handlers,
                  void *userdata, PlEngine **ret);
PlEngine *pl_engine_free(PlEngine *e); /* outstanding replies are dropped; returns NULL */
PL_DEFINE_CLEANUP(PlEngine *, pl_engine_free)

/** pl_engine_start() - begin to connect, for ever. */
int pl_engine_start(PlEngine *e);
bool pl_engine_is_connected(const PlEngine *e);
const PlEngineInfo *pl_engine_info(
                const PlEngine *e); /* borrowed; NULL before the first connection */
const char *pl_engine_url(const PlEngine *e);

/* error: 0, or negative errno; message: the engine's own words, escaped, or NULL. */
typedef void (*PlEngineListReply)(void *userdata, int error, const char *message,
                                  const char (*ids)[PL_ID_MAX], size_t n);
/* -ENOENT: no such container (any more). c is borrowed; TAKE it by setting *c to NULL. */
typedef void (*PlEngineInspectReply)(void *userdata, const char *id, int error, const char *message,
                                     PlContainer **c);
typedef void (*PlEngineReply)(void *userdata, const char *id, int error, const char *message);

/* All: 0 and exactly one callback later; or a negative errno and no callback (-ENOTCONN …). */
int pl_engine_list(PlEngine *e, PlEngineListReply reply, void *userdata);
int pl_engine_inspect(PlEngine *e, const char *id, PlEngineInspectReply reply, void *userdata);
/* body: JSON from pl_docker_format_update(), copied */
int pl_engine_update(PlEngine *e, const char *id, const char *body, PlEngineReply reply,
                     void *userdata);
int pl_engine_restart(PlEngine *e, const char *id, PlEngineReply reply, void *userdata);
