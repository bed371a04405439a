/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Engine requests: a queue per lane, a few at a time on kept connections, one reply each.
 *
 * Bodies are bounded while they arrive and freed before the reply returns. Must not decide about
 * the connection's life; a request that fails without an answer only raises a doubt.
 */

#include "engine-internal.h"

#include <errno.h>

#include "log.h"

/* An engine that has said something so lately does not hang. */
#define FRESH_USEC (100 * PL_USEC_PER_MSEC)
/* What is not to be done late may wait so long for a sign of life. */
#define PATIENCE_USEC PL_USEC_PER_SEC
/* Some containers may take for ever to stop. Their restarts have an end all the same. */
#define STOP_MAX_USEC (24 * PL_USEC_PER_HOUR)

/* Requests that wait in one lane; the caller's own bookkeeping has failed above that. */
#define QUEUE_MAX 20000

static const struct {
        const char *path, *action; /* the id stands between them where there is an action */
        bool post, versioned;
        bool careful; /* not to be done late: an engine that hangs must not find it waiting */
        PlLane lane;
        size_t timeout_offset;
} kinds[_PL_REQUEST_N] = {
        [PL_REQUEST_PING] = { "/_ping", NULL, false, false, false, PL_LANE_OWN,
                              offsetof(PlEngineTuning, ping_usec) },
        [PL_REQUEST_VERSION] = { "/version", NULL, false, false, false, PL_LANE_OWN,
                                 offsetof(PlEngineTuning, ping_usec) },
        [PL_REQUEST_LIST] = { "/containers/json?all=1", NULL, false, true, false, PL_LANE_CHANGE,
                              offsetof(PlEngineTuning, read_usec) },
        [PL_REQUEST_INSPECT] = { "/containers/", "/json", false, true, false, PL_LANE_INSPECT,
                                 offsetof(PlEngineTuning, read_usec) },
        [PL_REQUEST_UPDATE] = { "/containers/", "/update", true, true, false, PL_LANE_CHANGE,
                                offsetof(PlEngineTuning, update_usec) },
        [PL_REQUEST_RESTART] = { "/containers/", "/restart", true, true, true, PL_LANE_RESTART,
                                 offsetof(PlEngineTuning, restart_usec) },
        [PL_REQUEST_KILL] = { "/containers/", "/kill?signal=SIG", true, true, true, PL_LANE_CHANGE,
                              offsetof(PlEngineTuning, update_usec) },
};

static const unsigned lane_width[_PL_LANE_N] = {
        [PL_LANE_OWN] = 2,
        [PL_LANE_CHANGE] = 2,
        [PL_LANE_INSPECT] = 4,
        [PL_LANE_RESTART] = 4,
};

static void pump(PlEngine *e);

static void list_push(PlRequestList *l, PlRequest *q) {
        q->next = NULL;
        if (l->tail)
                l->tail->next = q;
        else
                l->head = q;
        l->tail = q;
        l->n++;
}

static void list_remove(PlRequestList *l, PlRequest *q) {
        PlRequest *prev = NULL;

        for (PlRequest *i = l->head; i && i != q; i = i->next)
                prev = i;
        if (prev)
                prev->next = q->next;
        else
                l->head = q->next;
        if (l->tail == q)
                l->tail = prev;
        q->next = NULL;
        l->n--;
}

PlRequest *pl_request_free(PlRequest *q) {
        if (!q)
                return NULL;
        if (q->easy)
                curl_easy_cleanup(q->easy);
        curl_slist_free_all(q->headers);
        pl_buffer_deinit(&q->answer);
        free(q->body);
        free(q);
        return NULL;
}
PlRequest *pl_request_new(PlEngine *e, PlRequestKind kind, const char *id, void *userdata) {
        PlRequest *q = calloc(1, sizeof(*q));

        if (!q)
                return NULL;
        q->engine = e;
        q->kind = kind;
        q->userdata = userdata;
        q->asked_usec = pl_engine_now(e);
        if (id)
                memcpy(q->id, id, PL_ID_MAX);
        return q;
}

static size_t on_answer(char *data, size_t one, size_t size, void *userdata) {
        PlRequest *q = userdata;

        pl_engine_heard(q->engine);
        return pl_buffer_append(&q->answer, data, size, PL_DOCKER_BODY_MAX) < 0 ? 0 : size;
}

/* What is asked of the engine now. */
static PlRequestKind kind_now(const PlRequest *q) {
        return q->kind == PL_REQUEST_RESTART && !q->checked ? PL_REQUEST_INSPECT : q->kind;
}

static int prepare(PlRequest *q) {
        PlEngine *e = q->engine;
        PlRequestKind kind = kind_now(q);
        const char *action = kinds[kind].action;
        uint64_t timeout_usec =
                        *(const uint64_t *)((const char *)&e->tuning + kinds[kind].timeout_offset);
        char path[160], version[32] = "";

        if (kind == PL_REQUEST_PING && e->state == PL_ENGINE_CONNECTED)
                timeout_usec = e->tuning.pong_usec;
        if (kind == PL_REQUEST_RESTART)
                timeout_usec += PL_MIN(q->stop_usec, STOP_MAX_USEC);
        if (kinds[kind].versioned)
                (void)snprintf(version, sizeof(version), "/v%u.%u", e->api.major, e->api.minor);
        (void)snprintf(path, sizeof(path), "%s%s%s%s%s", version, kinds[kind].path,
                       action ? q->id : "", action ?: "",
                       kind == PL_REQUEST_KILL ? sigabbrev_np(q->signal) : "");
        q->easy = pl_engine_easy(e, path);
        if (!q->easy)
                return -ENOMEM;
        (void)curl_easy_setopt(q->easy, CURLOPT_TIMEOUT_MS, (long)(timeout_usec / 1000));
        (void)curl_easy_setopt(q->easy, CURLOPT_WRITEFUNCTION, on_answer);
        (void)curl_easy_setopt(q->easy, CURLOPT_WRITEDATA, q);
        if (!kinds[kind].post)
                return 0;

        q->headers = curl_slist_append(NULL, "Content-Type: application/json");
        if (!q->headers)
                return -ENOMEM;
        (void)curl_easy_setopt(q->easy, CURLOPT_HTTPHEADER, q->headers);
        (void)curl_easy_setopt(q->easy, CURLOPT_POSTFIELDS, q->body ?: "");
        /* libcurl repeats a request when a kept connection turns out to be dead. An update may come
         * twice, a restart may not: it gets a connection of its own. */
        if (kind == PL_REQUEST_RESTART) {
                (void)curl_easy_setopt(q->easy, CURLOPT_FRESH_CONNECT, 1L);
                (void)curl_easy_setopt(q->easy, CURLOPT_FORBID_REUSE, 1L);
        }
        return 0;
}

static void reply_list(PlRequest *q, int error, const char *message) {
        char(*ids)[PL_ID_MAX] = NULL;
        size_t n = 0;

        if (error == 0)
                error = pl_docker_parse_list(q->answer.data, q->answer.size, &ids, &n);
        pl_buffer_deinit(&q->answer);
        q->reply.list(q->userdata, error, message, ids, n);
        free(ids);
}

static int take_container(PlRequest *q, PlContainer **ret) {
        _cleanup_(pl_container_freep) PlContainer *c = NULL;
        int r = pl_docker_parse_inspect(q->answer.data, q->answer.size, &c);

        pl_buffer_deinit(&q->answer);
        if (r < 0)
                return r;
        /* a name in place of an id would find another container: we never ask so */
        if (!pl_streq(c->id, q->id))
                return -EBADMSG;
        *ret = TAKE_PTR(c);
        return 0;
}

static void reply_inspect(PlRequest *q, int error, const char *message) {
        _cleanup_(pl_container_freep) PlContainer *c = NULL;

        if (error == 0)
                error = take_container(q, &c);
        pl_buffer_deinit(&q->answer);
        q->reply.inspect(q->userdata, q->id, error, message, &c);
}

/* What an answer means beyond its status. Podman says 500 where a container has just gone, and has
 * no update in API 4: a 404 that does not name a container. */
static int understand(PlEngine *e, const PlRequest *q, int error, const char *message) {
        if (error == -EIO && message && strcasestr(message, "no such container"))
                return -ENOENT;
        if (error == -ENOENT && q->kind == PL_REQUEST_UPDATE &&
            (!message || !strcasestr(message, "container"))) {
                if (!e->no_update_said)
                        pl_log_notice("This engine cannot be told limits (no update in its API): "
                                      "its "
                                      "own inspection will not show them, the kernel holds them");
                e->no_update_said = true;
                return -EOPNOTSUPP;
        }
        return error;
}

static void reply(PlEngine *e, PlRequest *q, int error) {
        _cleanup_free_ char *message = NULL;

        if (e->freed)
                return;
        if (error < 0)
                message = pl_docker_parse_error(q->answer.data, q->answer.size);
        else if (q->kind == PL_REQUEST_UPDATE)
                message = pl_docker_parse_warnings(q->answer.data, q->answer.size);
        error = understand(e, q, error, message);

        switch (q->kind) {
        case PL_REQUEST_PING:
                pl_engine_ponged(e, error, message, q->listener);
                break;
        case PL_REQUEST_VERSION:
                pl_engine_versioned(e, error, message, &q->answer);
                break;
        case PL_REQUEST_LIST:
                reply_list(q, error, message);
                break;
        case PL_REQUEST_INSPECT:
                reply_inspect(q, error, message);
                break;
        default:
                q->reply.simple(q->userdata, q->id, error, message);
        }
}

static int start(PlEngine *e, PlRequest *q);

/* A restart's turn has come: is it still wanted? Return: 0 when it is on its way. */
static int check_and_send(PlEngine *e, PlRequest *q) {
        _cleanup_(pl_container_freep) PlContainer *c = NULL;
        int r;

        r = take_container(q, &c);
        if (r < 0)
                return r;
        q->stop_usec = c->stop_timeout_usec;
        if (!q->check(q->userdata, q->id, &c))
                return -ECANCELED;
        if (e->freed || e->state != PL_ENGINE_CONNECTED)
                return -ECONNRESET;
        q->checked = true;
        curl_easy_cleanup(TAKE_PTR(q->easy));
        return start(e, q);
}

static void on_done(void *userdata, CURL *easy, int error, int fd) {
        _cleanup_(pl_request_freep) PlRequest *q = userdata;
        _cleanup_(pl_engine_unrefp) PlEngine *e = pl_engine_ref(q->engine);
        bool answered = error == 0;
        long status = 0;

        list_remove(&e->running[kinds[q->kind].lane], q);
        if (q->kind == PL_REQUEST_PING)
                q->listener = pl_engine_listener(fd);
        if (error == 0) {
                (void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
                error = pl_engine_http_error(status);
        }
        if (error == 0 && kind_now(q) != q->kind) {
                error = check_and_send(e, q);
                if (error == 0) {
                        TAKE_PTR(q);
                        return;
                }
        }
        reply(e, q, error);
        if (e->freed)
                return;
        if (!answered && error != -EMSGSIZE && kinds[q->kind].lane != PL_LANE_OWN)
                pl_engine_doubt(e);
        pump(e);
}

static int start(PlEngine *e, PlRequest *q) {
        int r;

        r = prepare(q);
        if (r >= 0)
                r = pl_curl_add(e->curl, q->easy, on_done, q);
        if (r < 0)
                return r;
        list_push(&e->running[kinds[q->kind].lane], q);
        return 0;
}

/* May it be sent now? If not, the engine has been asked for a sign of life, and whoever answers or
 * loses it comes by here again. */
static bool may_start(PlEngine *e, PlRequest *q) {
        if (!kinds[q->kind].careful || pl_engine_now(e) - e->heard_usec < FRESH_USEC)
                return true;
        if (q->ready_usec == 0)
                q->ready_usec = pl_engine_now(e);
        pl_engine_doubt(e);
        return false;
}

/* Since when it has waited too long. A restart waits for those before it as long as they take: it
 * is checked in the end. A signal is not, and may hit another run than was meant. */
static bool is_late(const PlEngine *e, const PlRequest *q) {
        uint64_t since = q->kind == PL_REQUEST_RESTART ? q->ready_usec : q->asked_usec;

        return kinds[q->kind].careful && since > 0 && pl_engine_now(e) - since > PATIENCE_USEC;
}

/* Fails what has waited too long behind a sign of life. Return: false when the engine is freed. */
static bool drop_late(PlEngine *e, PlLane lane) {
        PlRequest *q;

        while ((q = e->queue[lane].head) && is_late(e, q) &&
               e->running[lane].n < lane_width[lane]) {
                list_remove(&e->queue[lane], q);
                reply(e, q, -ETIMEDOUT);
                pl_request_free(q);
                if (e->freed)
                        return false;
        }
        return true;
}

/* Out of memory here leaves requests waiting: the next one that ends tries again. With none on the
 * way the new one is refused by pl_engine_request(). */
static void pump(PlEngine *e) {
        for (PlLane lane = 0; lane < _PL_LANE_N && drop_late(e, lane); lane++)
                while (e->queue[lane].head && e->running[lane].n < lane_width[lane]) {
                        PlRequest *q = e->queue[lane].head;

                        if (!may_start(e, q))
                                break;
                        list_remove(&e->queue[lane], q);
                        if (start(e, q) < 0) {
                                if (q->easy)
                                        curl_easy_cleanup(TAKE_PTR(q->easy));
                                curl_slist_free_all(TAKE_PTR(q->headers));
                                q->next = e->queue[lane].head;
                                e->queue[lane].head = q;
                                if (!e->queue[lane].tail)
                                        e->queue[lane].tail = q;
                                e->queue[lane].n++;
                                break;
                        }
                }
}

int pl_engine_request(PlEngine *e, PlRequest *request) {
        _cleanup_(pl_request_freep) PlRequest *q = request;
        PlLane lane = kinds[q->kind].lane;

        if (e->queue[lane].n >= QUEUE_MAX)
                return -ENOBUFS;
        if (e->running[lane].n < lane_width[lane] && !e->queue[lane].head && may_start(e, q)) {
                int r = start(e, q);

                if (r < 0)
                        return r;
                TAKE_PTR(q);
                return 0;
        }
        list_push(&e->queue[lane], TAKE_PTR(q));
        return 0;
}

void pl_engine_abort(PlEngine *e, PlRequestList *ret) {
        *ret = (PlRequestList){};
        for (PlLane lane = 0; lane < _PL_LANE_N; lane++) {
                PlRequest *q;

                while ((q = e->running[lane].head)) {
                        list_remove(&e->running[lane], q);
                        pl_curl_remove(e->curl, q->easy);
                        curl_easy_cleanup(TAKE_PTR(q->easy));
                        list_push(ret, q);
                }
                while ((q = e->queue[lane].head)) {
                        list_remove(&e->queue[lane], q);
                        list_push(ret, q);
                }
        }
}

void pl_request_list_free(PlRequestList *l) {
        PlRequest *q;

        while ((q = l->head)) {
                list_remove(l, q);
                pl_request_free(q);
        }
}

void pl_request_list_fail(PlEngine *e, PlRequestList *l, int error) {
        PlRequest *q;

        while ((q = l->head)) {
                list_remove(l, q);
                pl_buffer_deinit(&q->answer); /* half of something */
                if (kinds[q->kind].lane != PL_LANE_OWN)
                        reply(e, q, error);
                pl_request_free(q);
        }
}
