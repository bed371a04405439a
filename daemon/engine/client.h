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

#include "lib/docker/answer.h"
#include "lib/docker/container.h"

typedef struct PlEngine PlEngine;

typedef struct PlEngineHandlers {
        /* Version negotiated and event stream open: events from here on are not missed; list now.
         * Events of the last second may follow. */
        void (*connected)(void *userdata, const PlEngineInfo *info);
        /* Once per loss, and once when the first attempt fails. What was observed is stale now, not
         * empty. why: a sentence's end, escaped. Replies that are due follow with -ECONNRESET. */
        void (*lost)(void *userdata, int error, const char *why, uint64_t retry_usec);
        /* event->born may be taken by setting it to NULL */
        void (*event)(void *userdata, PlEvent *event);
        /* An event could not be read: list again. May be NULL. */
        void (*missed)(void *userdata, const char *why);
        /* Nothing was heard for a while, and a sign of life is asked for: whatever can come now
         * instead of soon shares this wake-up. May be NULL. */
        void (*quiet)(void *userdata);
} PlEngineHandlers;

/* Times in microseconds; 0 in pl_engine_tune() leaves the default. */
typedef struct PlEngineTuning {
        /* The stream has no heartbeat. An engine that says nothing for this long is asked for
         * /_ping, so that a hung one is noticed within half a minute: 24 s, and 5 s for the answer.
         * Two wake-ups each time. */
        uint64_t quiet_usec; /* 24 s */
        uint64_t pong_usec;  /* 5 s: longest answer of an engine that is connected */
        uint64_t ping_usec;  /* 10 s: longest answer to /_ping and /version, and start of /events */
        uint64_t read_usec;  /* 10 s: list, inspect */
        uint64_t update_usec;  /* 30 s */
        uint64_t restart_usec; /* 5 min, beyond the container's own stop timeout */
        uint64_t backoff_base_usec, backoff_max_usec; /* 250 ms, 15 s */
        uint64_t settled_usec;  /* 10 s: a connection that lived shorter counts as a failed attempt
                                 */
        uint64_t patience_usec; /* 1 s: so long may restart and kill wait for a sign of life; what
                                   hurts is done soon or not at all */
        pid_t activator;        /* 1: whoever holds sockets of stopped services */
} PlEngineTuning;

/**
 * pl_engine_new()
 * @url: "unix:///run/docker.sock"; other schemes: -EPROTONOSUPPORT
 * @handlers: borrowed, must outlive the engine
 * Return: 0, -ENOMEM, -EPROTONOSUPPORT, -EINVAL or what sd-event says.
 */
int pl_engine_new(sd_event *event, const char *url, const PlEngineHandlers *handlers,
                  void *userdata, PlEngine **ret);
/* Allowed in callbacks, too. Outstanding replies are dropped; returns NULL. */
PlEngine *pl_engine_free(PlEngine *e);
PL_DEFINE_CLEANUP(PlEngine *, pl_engine_free)

/** pl_engine_hang_up() - for good, because it is not wanted any more: what is due is replied to
 * with -ECONNRESET from inside this call, and nothing else is heard of it. */
void pl_engine_hang_up(PlEngine *e);

/** pl_engine_tune() - for what begins from now on; tests are in a hurry. */
void pl_engine_tune(PlEngine *e, const PlEngineTuning *tuning);

/** pl_engine_start() - begin to connect, for ever. */
int pl_engine_start(PlEngine *e);
/* borrowed; NULL before the first connection */
const PlEngineInfo *pl_engine_info(const PlEngine *e);
const char *pl_engine_url(const PlEngine *e);

/*
 * error: 0, or negative errno; message: the engine's own words, escaped, or NULL.
 * -ENOENT: no such container; -EINVAL: refused as wrong; -EBUSY: conflict; -EIO: the engine failed;
 * -EOPNOTSUPP: it has no update (Podman), said once in the log; -ETIMEDOUT; -EMSGSIZE: above
 * PL_DOCKER_BODY_MAX; -EBADMSG: not what the API promises; -ECONNRESET: the engine is lost or has
 * hung up.
 */
typedef void (*PlEngineListReply)(void *userdata, int error, const char *message,
                                  const char (*ids)[PL_ID_MAX], size_t n);
/* -ENOENT: no such container (any more). c is borrowed; TAKE it by setting *c to NULL. */
typedef void (*PlEngineInspectReply)(void *userdata, const char *id, int error, const char *message,
                                     PlContainer **c);
/* With error 0 the message is the engine's warnings ("… not supported, discarded"), or NULL. */
typedef void (*PlEngineReply)(void *userdata, const char *id, int error, const char *message);

/* All: 0 and exactly one callback later; or a negative errno and no callback: -ENOTCONN, -ENOMEM,
 * -EINVAL for an id that is none, -ENOBUFS when too many wait already. */
int pl_engine_list(PlEngine *e, PlEngineListReply reply, void *userdata);
int pl_engine_inspect(PlEngine *e, const char *id, PlEngineInspectReply reply, void *userdata);
/* body: JSON from pl_docker_format_update(), copied */
int pl_engine_update(PlEngine *e, const char *id, const char *body, PlEngineReply reply,
                     void *userdata);
/* Called when it is a restart's turn, with an inspection of that moment, because what was true when
 * it was asked for may be long over. c is borrowed; TAKE it by setting *c to NULL.
 * Return: whether the restart is still wanted; then it is sent at once, and the reply tells what
 * the engine did. Where this was not called, or said no, nothing has been done to the container. */
typedef bool (*PlEngineCheck)(void *userdata, const char *id, PlContainer **c);
/* A few at a time; the others wait for as long as it takes. -ECANCELED: not wanted any more. */
int pl_engine_restart(PlEngine *e, const char *id, PlEngineCheck check, PlEngineReply reply,
                      void *userdata);
/* signal: its number, which the container's main process gets. Source: Docker Engine API,
 * ContainerKill. -EBUSY: it does not run. */
int pl_engine_kill(PlEngine *e, const char *id, int signal, PlEngineReply reply, void *userdata);
