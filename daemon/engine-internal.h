/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Engine, inside: what engine.c (the life of the connection) and engine-request.c (questions and
 * answers) share. Nobody else includes it.
 */

#include "curl-loop.h"
#include "engine-events.h"
#include "engine-socket.h"
#include "engine.h"

typedef enum PlEngineState {
        PL_ENGINE_STOPPED,
        PL_ENGINE_WAITING,     /* for the next attempt */
        PL_ENGINE_PINGING,     /* GET /_ping: is anybody there? */
        PL_ENGINE_ASKING,      /* GET /version */
        PL_ENGINE_SUBSCRIBING, /* GET /events, until its header is there */
        PL_ENGINE_CONNECTED,
} PlEngineState;

typedef enum PlRequestKind {
        PL_REQUEST_PING,
        PL_REQUEST_VERSION,
        PL_REQUEST_LIST,
        PL_REQUEST_INSPECT,
        PL_REQUEST_UPDATE,
        PL_REQUEST_RESTART,
        PL_REQUEST_KILL,
        _PL_REQUEST_N,
} PlRequestKind;

/* Requests of one lane wait for one another, others do not wait for them. */
typedef enum PlLane {
        PL_LANE_OWN,     /* ping and version: never wait */
        PL_LANE_CHANGE,  /* list and update: few, and somebody waits */
        PL_LANE_INSPECT, /* thousands at a time */
        PL_LANE_RESTART, /* take as long as a container takes to stop */
        _PL_LANE_N,
} PlLane;

typedef struct PlBuffer {
        char *data;
        size_t size, allocated;
} PlBuffer;

typedef struct PlRequest PlRequest;
struct PlRequest {
        PlRequest *next;
        PlEngine *engine;
        PlRequestKind kind;
        char id[PL_ID_MAX];
        char *body; /* of POST, NULL: none */
        int signal; /* of KILL */
        /* of RESTART, which is an inspection until it is checked, and holds its place meanwhile */
        PlEngineCheck check;
        bool checked;
        uint64_t stop_usec; /* the container's stop timeout */
        union {
                PlEngineListReply list;
                PlEngineInspectReply inspect;
                PlEngineReply simple;
        } reply;
        void *userdata;
        CURL *easy; /* NULL while it is queued */
        struct curl_slist *headers;
        PlBuffer answer;
        pid_t listener;      /* of PING: who answered */
        uint64_t asked_usec; /* CLOCK_MONOTONIC */
        uint64_t ready_usec; /* when a sign of life was all that it waited for; 0: not yet */
};

typedef struct PlRequestList {
        PlRequest *head, *tail;
        size_t n;
} PlRequestList;

struct PlEngine {
        unsigned n_ref; /* pl_engine_free() may be called from any callback */
        bool freed;
        sd_event *event;
        char *url, *path;
        const PlEngineHandlers *handlers;
        void *userdata;
        PlEngineTuning tuning;

        PlCurl *curl;
        PlEngineSocket *socket;
        PlEngineState state;
        sd_event_source *timer; /* the next attempt; the header of /events; silence */
        PlEngineInfo info;
        PlApiVersion api; /* spoken */
        bool known;       /* info is filled */
        bool podman_said, no_update_said;

        unsigned attempt;
        bool lost_said;
        uint64_t connected_usec, heard_usec; /* CLOCK_MONOTONIC */

        CURL *stream; /* GET /events */
        PlEventStream events;
        PlBuffer stream_error; /* body of an answer that is no stream */
        bool stream_header;    /* its end has been seen */
        int stream_fault;      /* why the write callback refused more */

        PlRequestList queue[_PL_LANE_N], running[_PL_LANE_N];
        bool ping_running;
};

/* engine.c */
uint64_t pl_engine_now(const PlEngine *e);
PlEngine *pl_engine_ref(PlEngine *e);
PlEngine *pl_engine_unref(PlEngine *e);
PL_DEFINE_CLEANUP(PlEngine *, pl_engine_unref)
void pl_engine_heard(PlEngine *e);
void pl_engine_lose(PlEngine *e, int error, const char *format, ...) PL_PRINTF(3, 4);
void pl_engine_ponged(PlEngine *e, int error, const char *message, pid_t listener);
void pl_engine_subscribed(PlEngine *e);
void pl_engine_versioned(PlEngine *e, int error, const char *message, const PlBuffer *answer);
/* A request failed without an answer: is the engine still there? */
void pl_engine_doubt(PlEngine *e);

/* engine-stream.c */
int pl_engine_subscribe(PlEngine *e);
void pl_engine_unsubscribe(PlEngine *e);
void pl_engine_dispatched(void *userdata); /* libcurl has worked */

/* engine-http.c */
int pl_buffer_append(PlBuffer *b, const char *data, size_t size, size_t max_bytes);
void pl_buffer_deinit(PlBuffer *b);
CURL *pl_engine_easy(PlEngine *e, const char *path);
int pl_engine_http_error(long status);
/* Who listens on the socket behind a connection, 0: unknown. */
pid_t pl_engine_listener(int fd);

/* engine-request.c */
/** Takes the request. Return: as pl_engine_list(). */
int pl_engine_request(PlEngine *e, PlRequest *request);
PlRequest *pl_request_new(PlEngine *e, PlRequestKind kind, const char *id, void *userdata);
PlRequest *pl_request_free(PlRequest *q); /* returns NULL */
PL_DEFINE_CLEANUP(PlRequest *, pl_request_free)
/* Takes everything that waits or runs off the loop; replies are due. */
void pl_engine_abort(PlEngine *e, PlRequestList *ret);
void pl_request_list_fail(PlEngine *e, PlRequestList *l, int error);
void pl_request_list_free(PlRequestList *l);
