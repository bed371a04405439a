/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Engine asks: what the rest of the daemon may ask of an engine, made into requests.
 *
 * Refuses what could not be meant (ids that are none, signals without a name) and what there is no
 * connection for; everything else is the business of engine-request.c.
 */

#include "engine-internal.h"

#include <errno.h>

static int submit(PlEngine *e, PlRequest *request) {
        _cleanup_(pl_request_freep) PlRequest *q = request;

        if (!q)
                return -ENOMEM;
        if (e->state != PL_ENGINE_CONNECTED)
                return -ENOTCONN;
        if (q->kind != PL_REQUEST_LIST && !pl_docker_is_id(q->id))
                return -EINVAL;
        return pl_engine_request(e, TAKE_PTR(q));
}

static PlRequest *request_on(PlEngine *e, PlRequestKind kind, const char *id, void *userdata) {
        char copy[PL_ID_MAX] = "";

        if (id && strlen(id) == PL_ID_MAX - 1)
                memcpy(copy, id, PL_ID_MAX);
        return pl_request_new(e, kind, copy, userdata);
}

int pl_engine_list(PlEngine *e, PlEngineListReply reply_to, void *userdata) {
        PlRequest *q = request_on(e, PL_REQUEST_LIST, NULL, userdata);

        if (q)
                q->reply.list = reply_to;
        return submit(e, q);
}

int pl_engine_inspect(PlEngine *e, const char *id, PlEngineInspectReply reply_to, void *userdata) {
        PlRequest *q = request_on(e, PL_REQUEST_INSPECT, id, userdata);

        if (q)
                q->reply.inspect = reply_to;
        return submit(e, q);
}

static int change(PlEngine *e, PlRequestKind kind, const char *id, const char *body,
                  PlEngineReply reply_to, void *userdata) {
        _cleanup_(pl_request_freep) PlRequest *q = request_on(e, kind, id, userdata);

        if (!q)
                return -ENOMEM;
        q->reply.simple = reply_to;
        if (body && !(q->body = strdup(body)))
                return -ENOMEM;
        return submit(e, TAKE_PTR(q));
}

int pl_engine_update(PlEngine *e, const char *id, const char *body, PlEngineReply reply_to,
                     void *userdata) {
        return change(e, PL_REQUEST_UPDATE, id, body, reply_to, userdata);
}

int pl_engine_restart(PlEngine *e, const char *id, PlEngineCheck check, PlEngineReply reply_to,
                      void *userdata) {
        PlRequest *q = request_on(e, PL_REQUEST_RESTART, id, userdata);

        if (q) {
                q->check = check;
                q->reply.simple = reply_to;
        }
        return submit(e, q);
}

int pl_engine_kill(PlEngine *e, const char *id, int signal, PlEngineReply reply_to,
                   void *userdata) {
        _cleanup_(pl_request_freep) PlRequest *q = request_on(e, PL_REQUEST_KILL, id, userdata);

        if (!sigabbrev_np(signal))
                return -EINVAL;
        if (!q)
                return -ENOMEM;
        q->signal = signal;
        q->reply.simple = reply_to;
        return submit(e, TAKE_PTR(q));
}
