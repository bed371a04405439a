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
        uint64_t ping_usec;  /* 10 s: longest answer to /_ping, and start of /events */
        /* 1 min: longest answer to /version. Podman 4 asks package managers about each program that
         * it uses for it, and takes longer than for anything else */
        uint64_t version_usec;
        uint64_t read_usec;    /* 10 s: list, inspect */
        uint64_t update_usec;  /* 30 s */
        uint64_t restart_usec; /* 5 min; of a stop beyond the container's own timeout */
        uint64_t backoff_base_usec, backoff_max_usec; /* 250 ms, 15 s */
        uint64_t settled_usec;  /* 10 s: a connection that lived shorter counts as a failed attempt
                                 */
        uint64_t patience_usec; /* 1 s: so long may a turn or a kill wait for a sign of life; what
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
/* environment: "NAME=value" each, with all the secrets in it; borrowed, wiped afterwards, and NULL
 * with an error. */
typedef void (*PlEngineEnvironmentReply)(void *userdata, const char *id, int error,
                                         char *const *environment);
typedef void (*PlEngineNetworksReply)(void *userdata, int error, const PlNetworkInfo *networks,
                                      size_t n);
/* With error 0 the message is the engine's warnings ("… not supported, discarded"), or NULL. */
typedef void (*PlEngineReply)(void *userdata, const char *id, int error, const char *message);

/* All: 0 and exactly one callback later; or a negative errno and no callback: -ENOTCONN, -ENOMEM,
 * -EINVAL for an id that is none, -ENOBUFS when too many wait already. */
int pl_engine_list(PlEngine *e, PlEngineListReply reply, void *userdata);
int pl_engine_networks(PlEngine *e, PlEngineNetworksReply reply, void *userdata);
/* id: of an image, without "sha256:"; what is inspected has its labels alone. */
int pl_engine_image(PlEngine *e, const char *id, PlEngineInspectReply reply, void *userdata);
int pl_engine_inspect(PlEngine *e, const char *id, PlEngineInspectReply reply, void *userdata);
/* Requests wait for others. What one tells that was sent after something had happened tells of
 * that: pl_engine_n_sent() when it happens, pl_engine_was_sent_after() in the reply's callback. */
uint64_t pl_engine_n_sent(const PlEngine *e);
bool pl_engine_was_sent_after(const PlEngine *e, uint64_t n_sent);
/* What a service may repeat in its answers and nobody may read there. */
int pl_engine_environment(PlEngine *e, const char *id, PlEngineEnvironmentReply reply,
                          void *userdata);
/* body: JSON from pl_docker_format_update(), copied */
int pl_engine_update(PlEngine *e, const char *id, const char *body, PlEngineReply reply,
                     void *userdata);

/*
 * Acts that a container feels: never done late, never twice, never on old news. Each waits for its
 * turn, as long as that takes, and looks then: at what the engine did to the container since a
 * given time, and at the container itself. Only then it is decided what is sent, at once.
 *
 * Tried on Docker 20.10.24 and 28.5.2, and what a look can rely on:
 * - POST stop is a "kill" event with the stop signal, one with signal 9 when the stop timeout is
 *   over, "die" and "stop" (28.5: "stop" before "die"). The answer, 204, comes after "stop".
 * - A `docker stop` that comes meanwhile is told of by a second "kill" with the stop signal, ahead
 * of "die", and by a second "stop"; both are answered with 204. A `docker restart` is such a stop,
 * and starts it in the end. `docker kill` and `docker rm -f` are a "kill" with signal 9 ahead of
 * the stop timeout; `docker pause` is "pause", and the stop kills it at its timeout nonetheless,
 *   without "unpause".
 * - All "kill" events of a run are in the engine's ring before "die" and before the answer.
 * - Stopping what does not run, and starting what runs, is answered with 304 and leaves no event.
 * Of two starts at once, one gets 304.
 * - A stop of what waits for its restart policy is "stop" alone.
 * - After POST stop `unless-stopped` stays down over a restart of the engine, `always` does not;
 * POST start takes that back.
 * - POST restart stops and starts in one, and does not remove a container of `docker run --rm`.
 */
typedef enum PlEngineAct {
        PL_ENGINE_NOTHING,
        PL_ENGINE_STOP,
        PL_ENGINE_START,
        PL_ENGINE_RESTART,
} PlEngineAct;

/* Called when its turn has come; what has happened to it was told by event() before. c is of this
 * moment, borrowed; TAKE it by setting *c to NULL.
 * Return: what is sent at once; the reply tells what became of it. Where this was not called, or
 * said NOTHING, nothing was done to the container. */
typedef PlEngineAct (*PlEngineCheck)(void *userdata, const char *id, PlContainer **c);

/* @act: what it will be, if nothing else has happened: many may wait for containers to stop, and a
 * few to be started; NOTHING: it is for the look alone, and who did what to the container is told
 * again, although event() may have told it before
 * @since_usec: CLOCK_REALTIME, of the events that are looked at, a minute ago at most; 0: of none
 * Replies: -ECANCELED: not wanted any more; -EALREADY: it had stopped, or started, before;
 * -ETIMEDOUT without a call of @check: the engine hung. */
int pl_engine_turn(PlEngine *e, PlEngineAct act, const char *id, uint64_t since_usec,
                   PlEngineCheck check, PlEngineReply reply, void *userdata);
/* signal: its number, which the container's main process gets. Source: Docker Engine API,
 * ContainerKill. -EBUSY: it does not run. */
int pl_engine_kill(PlEngine *e, const char *id, int signal, PlEngineReply reply, void *userdata);
