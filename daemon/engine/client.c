/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Engine: the life of the connection, and questions and answers on it.
 *
 *   waiting ─► /_ping ─► /version, negotiate ─► /info ─► /events ─► connected
 *      ▲          │             │                  │           │
 *      └──────────┴─────────────┴── lose() ────────┴───────────┘
 *
 * Whatever goes wrong with the connection ends in lose(), which reports it once and waits:
 * exponentially longer, or until the socket changes. A request that fails without an answer only
 * raises a doubt. Requests wait in lanes, a few of each lane are under way at a time on kept
 * connections, and each gets one reply. The stream has no timeout: a quiet engine is a good engine,
 * and /_ping tells it from a dead one. It decides nothing about containers.
 *
 * libcurl's callbacks only put bytes aside: bodies are bounded while they arrive, and freed before
 * their reply returns.
 */

#include "engine/client.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/inotify.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/curl-loop.h"
#include "base/fs.h"
#include "base/journal.h"
#include "lib/base/backoff.h"
#include "lib/base/macro.h"
#include "lib/base/pool.h"
#include "lib/base/strv.h"
#include "lib/base/unit.h"
#include "lib/docker/answer.h"
#include "lib/docker/stream.h"

/* ---- the socket, while nobody answers on it ---- */

/*
 * When is it worth connecting again to an engine that went away?
 *
 * inotify on the socket's directory tells at once that an engine comes back. And there are times
 * not to knock: where systemd holds the socket of an engine that was stopped, a connection would
 * start it again against its administrator's will.
 *
 * dockerd keeps docker.pid beside docker.sock by default (/run), writes it at start and removes it
 * at stop. It is trusted only when it was there, with a live process, while the engine answered.
 */

typedef struct PlEngineSocket PlEngineSocket;

static PlEngineSocket *socket_free(PlEngineSocket *s);
PL_DEFINE_CLEANUP(PlEngineSocket *, socket_free)

#define PIDFILE     "docker.pid"
#define PIDFILE_MAX 64
/* a socket is bound, then made accessible; a pid file is created, then written, or renamed */
#define WATCH_MASK (IN_CREATE | IN_MOVED_TO | IN_ATTRIB | IN_CLOSE_WRITE | IN_ONLYDIR)

struct PlEngineSocket {
        sd_event *event;
        char *dir, *name; /* of the socket */
        void (*changed)(void *userdata);
        void *userdata;
        sd_event_source *inotify;
        bool on_ancestor; /* the directory does not exist yet */
        bool activated;   /* the socket is the activator's, and the pid file tells the engine's life
                           */
};

static int watch(PlEngineSocket *s);

static PlEngineSocket *socket_free(PlEngineSocket *s) {
        if (!s)
                return NULL;
        sd_event_source_disable_unref(s->inotify);
        sd_event_unref(s->event);
        free(s->dir);
        free(s->name);
        free(s);
        return NULL;
}

/*
 * @path: of the socket, absolute
 * @changed: the socket or the engine's pid file has appeared or changed; only while watching
 * Return: 0 or -ENOMEM.
 */
static int socket_new(sd_event *event, const char *path, void (*changed)(void *userdata),
                      void *userdata, PlEngineSocket **ret) {
        _cleanup_(socket_freep) PlEngineSocket *s = calloc(1, sizeof(*s));
        const char *slash = strrchr(path, '/');

        if (!s)
                return -ENOMEM;
        s->event = sd_event_ref(event);
        s->changed = changed;
        s->userdata = userdata;
        s->dir = slash > path ? strndup(path, (size_t)(slash - path)) : strdup("/");
        s->name = strdup(slash ? slash + 1 : path);
        if (!s->dir || !s->name)
                return -ENOMEM;
        *ret = TAKE_PTR(s);
        return 0;
}

static int on_inotify(sd_event_source *source, const struct inotify_event *e, void *userdata) {
        PlEngineSocket *s = userdata;

        if (s->on_ancestor || (e->mask & (IN_IGNORED | IN_UNMOUNT))) {
                /* perhaps the directory is there now, perhaps it has just gone */
                s->inotify = sd_event_source_disable_unref(s->inotify);
                if (watch(s) >= 0 && !s->on_ancestor)
                        s->changed(s->userdata);
                return 0;
        }
        if (e->mask & IN_Q_OVERFLOW ||
            (e->len > 0 && (pl_streq(e->name, s->name) || pl_streq(e->name, PIDFILE))))
                s->changed(s->userdata);
        return 0;
}

static int watch(PlEngineSocket *s) {
        _cleanup_free_ char *dir = strdup(s->dir);
        int r;

        if (!dir)
                return -ENOMEM;
        for (s->on_ancestor = false;; s->on_ancestor = true) {
                char *slash;

                r = sd_event_add_inotify(s->event, &s->inotify, dir, WATCH_MASK, on_inotify, s);
                if (r >= 0 || (r != -ENOENT && r != -ENOTDIR))
                        break;
                slash = strrchr(dir, '/');
                if (!slash || pl_streq(dir, "/"))
                        break;
                slash[slash == dir ? 1 : 0] = '\0';
        }
        if (r >= 0)
                (void)sd_event_source_set_description(s->inotify, "engine-socket");
        return r;
}

/* From now on, or not any more; idempotent. A directory that does not
 * exist is awaited on its nearest existing ancestor. Without inotify the caller's retries must do.
 */
static void socket_watch(PlEngineSocket *s, bool on) {
        if (!on)
                s->inotify = sd_event_source_disable_unref(s->inotify);
        else if (!s->inotify)
                (void)watch(s);
}

/* Return: 0: there is no pid file, or no pid in it; -ENOMEM. */
static pid_t pid_of_file(const PlEngineSocket *s) {
        _cleanup_free_ char *path = NULL, *text = NULL;
        uint64_t pid;

        if (asprintf(&path, "%s/" PIDFILE, s->dir) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        if (pl_fs_read(AT_FDCWD, path, PIDFILE_MAX, &text, NULL) < 0)
                return 0;
        text[strcspn(text, "\n")] = '\0';
        return pl_parse_uint64(text, &pid) < 0 || pid > INT32_MAX ? 0 : (pid_t)pid;
}

static bool engine_lives(const PlEngineSocket *s) {
        pid_t pid = pid_of_file(s);

        return pid < 0 || (pid > 0 && (kill(pid, 0) >= 0 || errno == EPERM));
}

/* Whose process answers: the listener, or behind an activator's socket what the pid file says. */
static pid_t engine_pid(const PlEngineSocket *s, pid_t listener) {
        return s->activated ? PL_MAX(pid_of_file(s), 0) : listener;
}

/* Note who serves a connection that works.
 * @listener: pid that listens, 0: unknown
 * @activator: pid of the process that holds sockets for services: 1 */
static void socket_connected(PlEngineSocket *s, pid_t listener, pid_t activator) {
        s->activated = listener > 0 && listener == activator && engine_lives(s);
}

/* Return: false while a connection would only make the activator
 * start an engine that somebody has stopped. */
static bool socket_may_knock(PlEngineSocket *s) {
        return !s->activated || engine_lives(s);
}

/* ---- what there is ---- */

#define WHY_MAX 600
/* A socket is made in several steps (bind, chmod, listen): wait for the end of them. */
#define KNOCK_DELAY_USEC (5 * PL_USEC_PER_MSEC)
/* An engine that has said something so lately does not hang. */
#define FRESH_USEC (100 * PL_USEC_PER_MSEC)
/* Requests that wait in one lane; the caller's own bookkeeping has failed above that. */
#define QUEUE_MAX 20000
/* Some containers may take for ever to stop. Their restarts have an end all the same. */
#define STOP_MAX_USEC (24 * PL_USEC_PER_HOUR)

typedef enum State {
        STOPPED,
        WAITING,     /* for the next attempt */
        PINGING,     /* GET /_ping: is anybody there? */
        ASKING,      /* GET /version */
        IDENTIFYING, /* GET /info: which one is it? */
        SUBSCRIBING, /* GET /events, until its header is there */
        CONNECTED,
} State;

/* Requests of one lane wait for one another, others do not wait for them. */
typedef enum LaneName {
        LANE_OWN,     /* ping and version: never wait */
        LANE_CHANGE,  /* list and update: few, and somebody waits */
        LANE_INSPECT, /* thousands at a time */
        LANE_STOP,  /* take as long as a container takes to stop, which costs the engine nothing */
        LANE_START, /* cost it a second of work each */
        _LANE_N,
} LaneName;

typedef struct Buffer {
        char *data;
        size_t size, allocated;
} Buffer;

typedef struct Kind Kind;

/* A look, and what follows from it. */
typedef struct Turn {
        PlEngineCheck check;
        bool again;          /* what was told already is told once more */
        uint64_t since_usec; /* CLOCK_REALTIME, of the events; 0: none are asked for */
        uint64_t stop_usec;  /* what it takes beside the engine's own time: the stop timeout */
} Turn;

typedef struct Request {
        PlEngine *engine;
        const Kind *kind; /* what it is: its lane, and who is told */
        const Kind *now;  /* what the engine is asked for; of a turn one after the other */
        char id[PL_ID_MAX];
        char *body; /* of POST, NULL: none */
        int signal; /* of a kill */
        Turn turn;
        union {
                PlEngineListReply list;
                PlEngineNetworksReply networks;
                PlEngineInspectReply inspect;
                PlEngineEnvironmentReply environment;
                PlEngineReply simple;
        } reply;
        void *userdata;
        CURL *easy; /* NULL while it is queued */
        struct curl_slist *headers;
        Buffer answer;
        pid_t listener;      /* of a ping: who answered */
        uint64_t asked_usec; /* CLOCK_MONOTONIC */
        uint64_t ready_usec; /* when a sign of life was all that it waited for; 0: not yet */
        uint64_t sent;       /* its number among those that were sent */
        TAILQ_ENTRY(Request) link;
} Request;

typedef TAILQ_HEAD(RequestList, Request) RequestList;

typedef struct Lane {
        RequestList queue, running;
        unsigned n_queued, n_running;
} Lane;

/* GET /events */
typedef struct Stream {
        CURL *easy;
        PlEventStream events;
        Buffer error; /* body of an answer that is no stream */
        bool header;  /* its end has been seen */
        int fault;    /* why the write callback refused more */
} Stream;

typedef struct Requests {
        PlPool pool;            /* each is from here */
        uint64_t n_sent;        /* ever */
        uint64_t answered_sent; /* the number of the one that is being answered */
} Requests;

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
        State state;
        sd_event_source *timer; /* the next attempt; the header of /events; silence */
        PlEngineInfo info;
        bool known; /* info is filled */
        bool podman_said, no_update_said;

        unsigned attempt;
        bool lost_said, ping_running;
        uint64_t connected_usec, heard_usec; /* CLOCK_MONOTONIC */

        Stream stream;
        Lane lanes[_LANE_N];
        Requests requests;
};

static void lose(PlEngine *e, int error, const char *format, ...) PL_PRINTF(3, 4);
static void subscribed(PlEngine *e);
static void doubt(PlEngine *e);
static void pump(PlEngine *e);

static uint64_t now_usec(const PlEngine *e) {
        return pl_clock_loop_usec(e->event, CLOCK_MONOTONIC);
}

static void heard(PlEngine *e) {
        e->heard_usec = now_usec(e);
}

static PlEngine *engine_ref(PlEngine *e) {
        e->n_ref++;
        return e;
}

static void buffer_deinit(Buffer *b) {
        free(b->data);
        *b = (Buffer){};
}

static PlEngine *engine_unref(PlEngine *e) {
        if (!e || --e->n_ref > 0)
                return NULL;
        pl_event_stream_deinit(&e->stream.events);
        buffer_deinit(&e->stream.error);
        sd_event_unref(e->event);
        free(e->url);
        free(e->path);
        pl_pool_deinit(&e->requests.pool);
        free(e);
        return NULL;
}

PL_DEFINE_CLEANUP(PlEngine *, engine_unref)

/* ---- HTTP: how one exchange is set up and read ---- */

static int buffer_append(Buffer *b, const char *data, size_t size, size_t max_bytes) {
        if (size > max_bytes - b->size)
                return -EMSGSIZE;
        if (size > b->allocated - b->size) {
                size_t wanted = PL_MAX(b->allocated, (size_t)KIB(8));
                char *p;

                while (wanted < b->size + size)
                        wanted *= 2;
                p = realloc(b->data, wanted);
                if (!p)
                        return -ENOMEM;
                b->data = p;
                b->allocated = wanted;
        }
        memcpy(b->data + b->size, data, size);
        b->size += size;
        return 0;
}

static CURL *easy_new(PlEngine *e, const char *path) {
        CURL *easy = curl_easy_init();
        char url[4096];

        if (!easy)
                return NULL;
        (void)snprintf(url, sizeof(url), "http://docker%s", path);
        if (curl_easy_setopt(easy, CURLOPT_URL, url) != CURLE_OK ||
            curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, e->path) != CURLE_OK ||
            curl_easy_setopt(easy, CURLOPT_PROXY, "") != CURLE_OK || /* whatever http_proxy says */
            curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) != CURLE_OK) {
                curl_easy_cleanup(easy);
                return NULL;
        }
        return easy;
}

static int http_error(long status) {
        switch (status) {
        case 200 ... 299:
        case 304:
                return 0;
        case 400:
                return -EINVAL;
        case 401:
        case 403:
                return -EACCES;
        case 404:
                return -ENOENT;
        case 409:
                return -EBUSY;
        default:
                return -EIO;
        }
}

static pid_t listener_of(int fd) {
        struct ucred peer = {};
        socklen_t size = sizeof(peer);

        /* the credentials are those of whoever called listen(2): unix(7), SO_PEERCRED */
        if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
                return 0;
        return peer.pid;
}

/* ---- requests ---- */

static void on_ping_reply(Request *q, int error, const char *message);
static void on_version_reply(Request *q, int error, const char *message);
static void on_info_reply(Request *q, int error, const char *message);

static void reply_list(Request *q, int error, const char *message) {
        char(*ids)[PL_ID_MAX] = NULL;
        size_t n = 0;

        if (error == 0)
                error = pl_docker_parse_list(q->answer.data, q->answer.size, &ids, &n);
        buffer_deinit(&q->answer);
        q->reply.list(q->userdata, error, message, ids, n);
        free(ids);
}

static void reply_networks(Request *q, int error, const char *message) {
        _cleanup_free_ PlNetworkInfo *networks = NULL;
        size_t n = 0;

        if (error == 0)
                error = pl_docker_parse_networks(q->answer.data, q->answer.size, &networks, &n);
        buffer_deinit(&q->answer);
        q->reply.networks(q->userdata, error, networks, n);
}

static int take_container(Request *q, PlContainer **ret) {
        _cleanup_(pl_container_freep) PlContainer *c = NULL;
        int r = pl_docker_parse_inspect(q->answer.data, q->answer.size, &c);

        buffer_deinit(&q->answer);
        if (r < 0)
                return r;
        /* a name in place of an id would find another container: we never ask so */
        if (!pl_streq(c->id, q->id))
                return -EBADMSG;
        *ret = TAKE_PTR(c);
        return 0;
}

static void reply_inspect(Request *q, int error, const char *message) {
        _cleanup_(pl_container_freep) PlContainer *c = NULL;

        if (error == 0)
                error = take_container(q, &c);
        buffer_deinit(&q->answer);
        q->reply.inspect(q->userdata, q->id, error, message, &c);
}

static void reply_image(Request *q, int error, const char *message) {
        _cleanup_(pl_container_freep) PlContainer *c = NULL;

        if (error == 0)
                error = pl_docker_parse_image(q->answer.data, q->answer.size, &c);
        buffer_deinit(&q->answer);
        q->reply.inspect(q->userdata, q->id, error, message, &c);
}

static void reply_environment(Request *q, int error, const char *message) {
        char **environment = NULL;

        if (error == 0)
                error = pl_docker_parse_environment(q->answer.data, q->answer.size, &environment);
        if (q->answer.data)
                explicit_bzero(q->answer.data, q->answer.size);
        buffer_deinit(&q->answer);
        q->reply.environment(q->userdata, q->id, error, environment);
        for (char **value = environment; value && *value; value++)
                explicit_bzero(*value, strlen(*value));
        pl_strv_free(environment);
}

static void reply_simple(Request *q, int error, const char *message) {
        q->reply.simple(q->userdata, q->id, error, message);
}

struct Kind {
        const char *path, *action; /* the id stands between them where there is an action */
        LaneName lane;
        size_t timeout_offset;
        void (*reply)(Request *q, int error, const char *message);
        bool post, versioned;
        bool careful; /* not to be done late: an engine that hangs must not find it waiting */
        bool once;    /* libcurl must not repeat it */
        bool many;    /* answers of as many things as there are */
};

#define TIMEOUT(member) .timeout_offset = offsetof(PlEngineTuning, member)

static const Kind kind_ping = { "/_ping", NULL, LANE_OWN, TIMEOUT(ping_usec),
                                .reply = on_ping_reply };
static const Kind kind_version = { "/version", NULL, LANE_OWN, TIMEOUT(version_usec),
                                   .reply = on_version_reply };
static const Kind kind_info = {
        "/info", NULL, LANE_OWN, TIMEOUT(ping_usec), .reply = on_info_reply, .versioned = true
};
static const Kind kind_list = {
        "/containers/json?all=1", NULL,         LANE_CHANGE,      TIMEOUT(read_usec),
        .reply = reply_list,      .many = true, .versioned = true
};
static const Kind kind_networks = { "/networks",
                                    NULL,
                                    LANE_INSPECT,
                                    TIMEOUT(read_usec),
                                    .reply = reply_networks,
                                    .many = true,
                                    .versioned = true };
static const Kind kind_inspect = { "/containers/",         "/json",
                                   LANE_INSPECT,           TIMEOUT(read_usec),
                                   .reply = reply_inspect, .versioned = true };
static const Kind kind_image = { "/images/sha256:",    "/json",
                                 LANE_INSPECT,         TIMEOUT(read_usec),
                                 .reply = reply_image, .versioned = true };
static const Kind kind_environment = {
        "/containers/",   "/json", LANE_INSPECT, TIMEOUT(read_usec), .reply = reply_environment,
        .versioned = true
};
static const Kind kind_update = {
        "/containers/",        "/update",    LANE_CHANGE,       TIMEOUT(update_usec),
        .reply = reply_simple, .post = true, .versioned = true,
};
/* What happened to one container lately; the engine answers at once, from its ring. */
static const Kind kind_history = { "/events", NULL, LANE_INSPECT, TIMEOUT(read_usec),
                                   .versioned = true };

#define ACT(word)                                                             \
        {                                                                     \
                "/containers/", word, LANE_STOP, TIMEOUT(restart_usec),       \
                                .post = true, .versioned = true, .once = true \
        }

static const Kind kind_acts[] = {
        [PL_ENGINE_STOP] = ACT("/stop"),
        [PL_ENGINE_START] = ACT("/start"),
        [PL_ENGINE_RESTART] = ACT("/restart"),
};

/* Their place is held through the look. */
static const Kind kind_turn_to_stop = { .lane = LANE_STOP, .reply = reply_simple, .careful = true };
static const Kind kind_turn_to_start = { .lane = LANE_START,
                                         .reply = reply_simple,
                                         .careful = true };
static const Kind kind_kill = {
        "/containers/",        "/kill?signal=SIG", LANE_CHANGE,       TIMEOUT(update_usec),
        .reply = reply_simple, .post = true,       .versioned = true, .careful = true,
};

static const unsigned lane_width[_LANE_N] = {
        [LANE_OWN] = 2, [LANE_CHANGE] = 2, [LANE_INSPECT] = 4, [LANE_STOP] = 16, [LANE_START] = 4,
};

static Request *request_free(Request *q) {
        if (!q)
                return NULL;
        if (q->easy)
                curl_easy_cleanup(q->easy);
        curl_slist_free_all(q->headers);
        buffer_deinit(&q->answer);
        free(q->body);
        pl_pool_put(&q->engine->requests.pool, q);
        return NULL;
}
PL_DEFINE_CLEANUP(Request *, request_free)

static Request *request_new(PlEngine *e, const Kind *kind, void *userdata) {
        Request *q = pl_pool_get(&e->requests.pool);

        if (!q)
                return NULL;
        q->engine = e;
        q->kind = q->now = kind;
        q->userdata = userdata;
        q->asked_usec = now_usec(e);
        return q;
}

static size_t on_answer(char *data, size_t one, size_t size, void *userdata) {
        Request *q = userdata;

        heard(q->engine);
        return buffer_append(&q->answer, data, size,
                             q->now->many ? PL_DOCKER_BODY_MAX : PL_DOCKER_ONE_MAX) < 0
                               ? 0
                               : size;
}

/*
 * What changes a container or says why it ended. Not exec_* (three for each healthcheck), and not
 * restart, which says nothing that start, kill and die did not. Of a stop between two runs of a
 * container that keeps crashing "stop" is the only word (tried: Docker 20.10, 28.5). Filters are
 * matched by prefix where health_status is among them (moby 25798), and "died" and "remove" are
 * Podman's words, which tells of no kill when it stops a container.
 */
#define EVENTS                                                                                  \
        "\"event\":[\"create\",\"start\",\"update\",\"rename\",\"pause\",\"unpause\",\"kill\"," \
        "\"stop\",\"die\",\"oom\",\"health_status\",\"destroy\",\"connect\",\"disconnect\"%s]"
#define EVENTS_PODMAN ",\"died\",\"remove\""

/* Of one container, up to now: then the engine's answer has an end. */
static int format_history(const Request *q, char *buf, size_t size) {
        uint64_t until = pl_clock_usec(CLOCK_REALTIME), since = q->turn.since_usec;
        char filters[512];
        char *escaped;

        (void)snprintf(filters, sizeof(filters),
                       "{\"type\":[\"container\"],\"container\":[\"%s\"]," EVENTS "}", q->id,
                       q->engine->info.podman ? EVENTS_PODMAN : "");
        escaped = curl_easy_escape(NULL, filters, 0);
        if (!escaped)
                return -ENOMEM;
        (void)snprintf(buf, size,
                       "?since=%" PRIu64 ".%06" PRIu64 "000&until=%" PRIu64 ".%06" PRIu64
                       "000&filters=%s",
                       since / PL_USEC_PER_SEC, since % PL_USEC_PER_SEC, until / PL_USEC_PER_SEC,
                       until % PL_USEC_PER_SEC, escaped);
        curl_free(escaped);
        return 0;
}

static int format_path(const Request *q, char *buf, size_t size) {
        const Kind *k = q->now;
        char version[32] = "", query[1000] = "";
        int r;

        if (k->versioned)
                (void)snprintf(version, sizeof(version), "/v%u.%u", q->engine->info.api.major,
                               q->engine->info.api.minor);
        if (k == &kind_history) {
                r = format_history(q, query, sizeof(query));
                if (r < 0)
                        return r;
        }
        (void)snprintf(buf, size, "%s%s%s%s%s%s", version, k->path, k->action ? q->id : "",
                       k->action ?: "", q->signal ? sigabbrev_np(q->signal) : "", query);
        return 0;
}

static int prepare(Request *q) {
        PlEngine *e = q->engine;
        const Kind *k = q->now;
        uint64_t timeout_usec = *(const uint64_t *)((const char *)&e->tuning + k->timeout_offset);
        char path[1280];
        int r;

        if (k == &kind_ping && e->state == CONNECTED)
                timeout_usec = e->tuning.pong_usec;
        timeout_usec += PL_MIN(q->turn.stop_usec, STOP_MAX_USEC); /* 0 but for a stop */
        r = format_path(q, path, sizeof(path));
        if (r < 0)
                return r;
        q->easy = easy_new(e, path);
        if (!q->easy)
                return -ENOMEM;
        (void)curl_easy_setopt(q->easy, CURLOPT_TIMEOUT_MS, (long)(timeout_usec / 1000));
        (void)curl_easy_setopt(q->easy, CURLOPT_WRITEFUNCTION, on_answer);
        (void)curl_easy_setopt(q->easy, CURLOPT_WRITEDATA, q);
        if (!k->post)
                return 0;

        q->headers = curl_slist_append(NULL, "Content-Type: application/json");
        if (!q->headers)
                return -ENOMEM;
        (void)curl_easy_setopt(q->easy, CURLOPT_HTTPHEADER, q->headers);
        (void)curl_easy_setopt(q->easy, CURLOPT_POSTFIELDS, q->body ?: "");
        /* libcurl repeats a request when a kept connection turns out to be dead. An update may come
         * twice, a stop or a start may not: it gets a connection of its own. */
        if (k->once) {
                (void)curl_easy_setopt(q->easy, CURLOPT_FRESH_CONNECT, 1L);
                (void)curl_easy_setopt(q->easy, CURLOPT_FORBID_REUSE, 1L);
        }
        return 0;
}

/* What an answer means beyond its status. Podman says 500 where a container has just gone, and has
 * no update in API 4: a 404 that does not name a container. A start fails with 404 as well when the
 * container's network or volume is gone. An inspection that a proxy answers so, or an engine that
 * is being replaced, says nothing of the container: what is kept of it would be dropped. */
static int understand(PlEngine *e, const Request *q, int error, const char *message) {
        if (error == -EIO && message && strcasestr(message, "no such container"))
                return -ENOENT;
        if (error == -ENOENT && q->now == &kind_acts[PL_ENGINE_START] && message &&
            !strcasestr(message, "no such container"))
                return -EIO;
        if (error == -ENOENT && q->now == &kind_inspect &&
            (!message || !strcasestr(message, "no such container")))
                return -EIO;
        if (error == -ENOENT && q->now == &kind_update &&
            (!message || !strcasestr(message, "container"))) {
                if (!e->no_update_said)
                        pl_log_notice("This engine cannot be told limits (its API has no update): "
                                      "the kernel holds them, docker inspect does not show them");
                e->no_update_said = true;
                return -EOPNOTSUPP;
        }
        return error;
}

static void reply(PlEngine *e, Request *q, int error) {
        _cleanup_free_ char *message = NULL;

        if (e->freed)
                return;
        if (error < 0)
                message = pl_docker_parse_error(q->answer.data, q->answer.size);
        else if (q->kind == &kind_update)
                message = pl_docker_parse_warnings(q->answer.data, q->answer.size);
        e->requests.answered_sent = q->sent;
        q->kind->reply(q, understand(e, q, error, message), message);
}

static bool has_room(const PlEngine *e, LaneName lane) {
        return e->lanes[lane].n_running < lane_width[lane];
}

static void enqueue(PlEngine *e, Request *q) {
        Lane *lane = &e->lanes[q->kind->lane];

        TAILQ_INSERT_TAIL(&lane->queue, q, link);
        lane->n_queued++;
}

static void dequeue(PlEngine *e, Request *q) {
        Lane *lane = &e->lanes[q->kind->lane];

        TAILQ_REMOVE(&lane->queue, q, link);
        lane->n_queued--;
}

static void stop_running(PlEngine *e, Request *q) {
        Lane *lane = &e->lanes[q->kind->lane];

        TAILQ_REMOVE(&lane->running, q, link);
        lane->n_running--;
}

static int start(PlEngine *e, Request *q);

static bool on_event(void *userdata, PlEvent *event);

/* The stream may be late, and may have lost some: what it has not told is told now. */
static void tell_history(PlEngine *e, const Request *q) {
        if (q->answer.data)
                pl_event_stream_recall(&e->stream.events, q->answer.data, q->answer.size, q->id,
                                       q->turn.again, on_event, e);
}

/* It is this, and what has happened to it was told. Return: 0, or why nothing follows. */
static int look(PlEngine *e, Request *q) {
        _cleanup_(pl_container_freep) PlContainer *c = NULL;
        uint64_t stop_usec;
        PlEngineAct act;
        int r;

        r = take_container(q, &c);
        if (r < 0)
                return r;
        stop_usec = c->stop.timeout_usec;
        act = q->turn.check(q->userdata, q->id, &c);
        if (act == PL_ENGINE_NOTHING)
                return -ECANCELED;
        if (e->freed || e->state != CONNECTED)
                return -ECONNRESET;
        q->now = &kind_acts[act];
        q->turn.stop_usec = act == PL_ENGINE_START ? 0 : stop_usec;
        return 0;
}

/* One step of a turn is done: the events, then the container, then what follows. Without the events
 * the container alone must do. Return: 0: the next one is on its way. */
static int next_step(PlEngine *e, Request *q, int error) {
        int r;

        if (q->now == &kind_history) {
                if (error == 0)
                        tell_history(e, q);
                buffer_deinit(&q->answer);
                if (e->freed || e->state != CONNECTED)
                        return -ECONNRESET;
                q->now = &kind_inspect;
        } else {
                r = look(e, q);
                if (r < 0)
                        return r;
        }
        curl_easy_cleanup(TAKE_PTR(q->easy));
        return start(e, q);
}

static bool has_next_step(const Request *q, int error) {
        if (!q->turn.check)
                return false;
        return q->now == &kind_history || (q->now == &kind_inspect && error == 0);
}

/* "Not modified" is how a stop or a start says that there was nothing to do. */
static int error_of(const Request *q, CURL *easy) {
        long status = 0;

        (void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        return status == 304 && q->turn.check ? -EALREADY : http_error(status);
}

/* The socket could not be connected to. The codes for that also stand for answers ("no such
 * container"), and a socket that has gone says nothing of containers. Pings keep them: from those
 * the engine's own state is told. */
static int unconnected(const Request *q, int error) {
        bool own = q->kind->lane == LANE_OWN;

        switch (error) {
        case -ENOENT:
        case -ENOTDIR:
        case -EACCES:
        case -EPERM:
        case -ECONNREFUSED:
                return own ? error : -ECONNRESET;
        default:
                return error;
        }
}

static void on_request_done(void *userdata, CURL *easy, int error, int fd) {
        Request *request = userdata;
        _cleanup_(engine_unrefp) PlEngine *e = engine_ref(request->engine);
        _cleanup_(request_freep) Request *q = request;
        bool answered = error == 0;

        stop_running(e, q);
        error = unconnected(q, error);
        if (q->kind == &kind_ping)
                q->listener = listener_of(fd);
        if (error == 0)
                error = error_of(q, easy);
        if (has_next_step(q, error)) {
                error = next_step(e, q, error);
                if (error == 0) {
                        TAKE_PTR(q);
                        return;
                }
        }
        reply(e, q, error);
        if (e->freed)
                return;
        if (!answered && error != -EMSGSIZE && q->kind->lane != LANE_OWN)
                doubt(e);
        pump(e);
}

/* Return: 0: it runs; negative errno: the request is as it was before. */
static int start(PlEngine *e, Request *q) {
        Lane *lane = &e->lanes[q->kind->lane];
        int r;

        r = prepare(q);
        if (r >= 0)
                r = pl_curl_add(e->curl, q->easy, on_request_done, q);
        if (r < 0) {
                if (q->easy)
                        curl_easy_cleanup(TAKE_PTR(q->easy));
                curl_slist_free_all(TAKE_PTR(q->headers));
                return r;
        }
        TAILQ_INSERT_TAIL(&lane->running, q, link);
        lane->n_running++;
        q->sent = ++e->requests.n_sent;
        return 0;
}

/* May it be sent now? If not, the engine has been asked for a sign of life, and whoever answers or
 * loses it calls pump(). */
static bool may_start(PlEngine *e, Request *q) {
        if (!q->kind->careful || now_usec(e) - e->heard_usec < FRESH_USEC)
                return true;
        if (q->ready_usec == 0)
                q->ready_usec = now_usec(e);
        doubt(e);
        return false;
}

/* Has it waited too long? A turn waits for those before it as long as they take: it looks in the
 * end. A signal does not, and may hit another run than was meant. */
static bool is_late(const PlEngine *e, const Request *q) {
        uint64_t since = q->turn.check ? q->ready_usec : q->asked_usec;

        return q->kind->careful && since > 0 && now_usec(e) - since > e->tuning.patience_usec;
}

/* Fails what has waited too long for a sign of life. Return: false when the engine is freed. */
static bool drop_late(PlEngine *e, LaneName lane) {
        Request *q;

        while ((q = TAILQ_FIRST(&e->lanes[lane].queue)) && is_late(e, q) && has_room(e, lane)) {
                dequeue(e, q);
                reply(e, q, -ETIMEDOUT);
                request_free(q);
                if (e->freed)
                        return false;
        }
        return true;
}

/* Out of memory here leaves requests waiting: the next one that ends tries again. With none on the
 * way the new one is refused by submit(). */
static void pump(PlEngine *e) {
        Request *q;

        for (LaneName lane = 0; lane < _LANE_N && drop_late(e, lane); lane++)
                while ((q = TAILQ_FIRST(&e->lanes[lane].queue)) && has_room(e, lane)) {
                        if (!may_start(e, q))
                                break;
                        dequeue(e, q);
                        if (start(e, q) < 0) {
                                TAILQ_INSERT_HEAD(&e->lanes[lane].queue, q, link);
                                e->lanes[lane].n_queued++;
                                break;
                        }
                }
}

/* Takes the request, also when it fails. */
static int submit(PlEngine *e, Request *request) {
        _cleanup_(request_freep) Request *q = request;
        Lane *lane = &e->lanes[q->kind->lane];
        int r;

        if (lane->n_queued >= QUEUE_MAX)
                return -ENOBUFS;
        if (has_room(e, q->kind->lane) && TAILQ_EMPTY(&lane->queue) && may_start(e, q)) {
                r = start(e, q);
                if (r < 0)
                        return r;
        } else
                enqueue(e, q);
        TAKE_PTR(q);
        return 0;
}

/* Takes everything that waits or runs off the loop; replies are due. */
static void abort_requests(PlEngine *e, RequestList *ret) {
        TAILQ_INIT(ret);
        for (LaneName lane = 0; lane < _LANE_N; lane++) {
                Request *q;

                while ((q = TAILQ_FIRST(&e->lanes[lane].running))) {
                        stop_running(e, q);
                        pl_curl_remove(e->curl, q->easy);
                        curl_easy_cleanup(TAKE_PTR(q->easy));
                        TAILQ_INSERT_TAIL(ret, q, link);
                }
                TAILQ_CONCAT(ret, &e->lanes[lane].queue, link);
                e->lanes[lane].n_queued = 0;
        }
}

static void fail_requests(PlEngine *e, RequestList *l, int error) {
        Request *q;

        while ((q = TAILQ_FIRST(l))) {
                TAILQ_REMOVE(l, q, link);
                buffer_deinit(&q->answer); /* half of something */
                if (q->kind->lane != LANE_OWN)
                        reply(e, q, error);
                request_free(q);
        }
}

/* ---- the stream of events ---- */

#define NSEC_PER_SEC UINT64_C(1000000000)
/* The engine sends its header before it subscribes us, so the first moments are asked for again. */
#define SINCE_MARGIN_NSEC NSEC_PER_SEC
#define ERROR_BODY_MAX    KIB(16)

static size_t on_header(char *data, size_t one, size_t size, void *userdata) {
        PlEngine *e = userdata;

        heard(e);
        if (size == 2 && memcmp(data, "\r\n", 2) == 0)
                e->stream.header = true;
        return size;
}

static long stream_status(PlEngine *e) {
        long status = 0;

        (void)curl_easy_getinfo(e->stream.easy, CURLINFO_RESPONSE_CODE, &status);
        return status;
}

static size_t on_data(char *data, size_t one, size_t size, void *userdata) {
        PlEngine *e = userdata;
        int r;

        heard(e);
        if (stream_status(e) == 200)
                r = pl_event_stream_feed(&e->stream.events, data, size);
        else
                r = buffer_append(&e->stream.error, data, size, ERROR_BODY_MAX);
        if (r < 0) {
                e->stream.fault = r;
                return 0;
        }
        return size;
}

static void on_stream_done(void *userdata, CURL *easy, int error, int fd) {
        PlEngine *e = userdata;
        _cleanup_free_ char *message = NULL;
        long status = stream_status(e);
        int fault = e->stream.fault;

        curl_easy_cleanup(TAKE_PTR(e->stream.easy));
        if (status != 0 && status != 200) {
                message = pl_docker_parse_error(e->stream.error.data, e->stream.error.size);
                lose(e, http_error(status) ?: -EIO, "GET /events was answered with status %ld%s%s",
                     status, message ? ": " : "", message ?: "");
        } else if (fault < 0)
                lose(e, fault, "the event stream: %s", strerror(-fault));
        else
                lose(e, error ?: -ECONNRESET, "the event stream ended");
}

/* From the last event on, or from a moment ago: the engine's ring covers the gap of a short loss,
 * with the deaths and OOM kills that no inspection tells afterwards. */
static uint64_t since_nsec(const PlEngine *e) {
        uint64_t now = pl_clock_usec(CLOCK_REALTIME) * 1000 - SINCE_MARGIN_NSEC,
                 last = e->stream.events.last_nsec;

        return last > 0 && last < now ? last : now; /* also when the clock was set back */
}

static int subscribe(PlEngine *e) {
        char filters[400], path[1280];
        uint64_t since = since_nsec(e);
        char *escaped;
        int r;

        (void)snprintf(filters, sizeof(filters),
                       "{\"type\":[\"container\",\"network\"]," EVENTS "}",
                       e->info.podman ? EVENTS_PODMAN : "");
        escaped = curl_easy_escape(NULL, filters, 0);
        if (!escaped)
                return -ENOMEM;
        (void)snprintf(path, sizeof(path),
                       "/v%u.%u/events?since=%" PRIu64 ".%09" PRIu64 "&filters=%s",
                       e->info.api.major, e->info.api.minor, since / NSEC_PER_SEC,
                       since % NSEC_PER_SEC, escaped);
        curl_free(escaped);

        pl_event_stream_reset(&e->stream.events);
        e->stream.events.asked_nsec = pl_clock_usec(CLOCK_REALTIME) * 1000;
        buffer_deinit(&e->stream.error);
        e->stream.header = false;
        e->stream.fault = 0;
        e->stream.easy = easy_new(e, path);
        if (!e->stream.easy)
                return -ENOMEM;
        (void)curl_easy_setopt(e->stream.easy, CURLOPT_HEADERFUNCTION, on_header);
        (void)curl_easy_setopt(e->stream.easy, CURLOPT_HEADERDATA, e);
        (void)curl_easy_setopt(e->stream.easy, CURLOPT_WRITEFUNCTION, on_data);
        (void)curl_easy_setopt(e->stream.easy, CURLOPT_WRITEDATA, e);
        /* it never ends well, so its connection is of no use to anybody else */
        (void)curl_easy_setopt(e->stream.easy, CURLOPT_FORBID_REUSE, 1L);
        r = pl_curl_add(e->curl, e->stream.easy, on_stream_done, e);
        if (r < 0)
                curl_easy_cleanup(TAKE_PTR(e->stream.easy));
        return r;
}

static void unsubscribe(PlEngine *e) {
        if (e->stream.easy) {
                pl_curl_remove(e->curl, e->stream.easy);
                curl_easy_cleanup(TAKE_PTR(e->stream.easy));
        }
        pl_event_stream_reset(&e->stream.events);
        buffer_deinit(&e->stream.error);
}

static bool on_event(void *userdata, PlEvent *event) {
        PlEngine *e = userdata;

        e->handlers->event(e->userdata, event);
        return !e->freed && e->stream.easy;
}

static void on_dispatched(void *userdata) {
        _cleanup_(engine_unrefp) PlEngine *e = engine_ref(userdata);

        pl_loop_doing("answers of the engine");
        if (e->state == SUBSCRIBING && e->stream.header && stream_status(e) == 200)
                subscribed(e);
        if (e->freed || e->state != CONNECTED || e->stream.events.size == 0)
                return;
        if (!pl_event_stream_dispatch(&e->stream.events, on_event, e) || !e->stream.events.damaged)
                return;
        e->stream.events.damaged = false;
        if (e->handlers->missed)
                e->handlers->missed(e->userdata, "an event could not be read");
}

/* ---- the life of the connection ---- */

static const PlEngineTuning tuning_default = {
        .quiet_usec = 24 * PL_USEC_PER_SEC,
        .pong_usec = 5 * PL_USEC_PER_SEC,
        .ping_usec = 10 * PL_USEC_PER_SEC,
        .version_usec = PL_USEC_PER_MIN,
        .read_usec = 10 * PL_USEC_PER_SEC,
        .update_usec = 30 * PL_USEC_PER_SEC,
        .restart_usec = 5 * PL_USEC_PER_MIN,
        .backoff_base_usec = 250 * PL_USEC_PER_MSEC,
        .backoff_max_usec = 15 * PL_USEC_PER_SEC,
        .settled_usec = 10 * PL_USEC_PER_SEC,
        .patience_usec = PL_USEC_PER_SEC,
        .activator = 1,
};

static const struct {
        int error;
        const char *words;
} explanations[] = {
        { -ENOENT, "there is no such socket: is the engine running?" },
        { -ECONNREFUSED, "nobody listens on the socket: is the engine running?" },
        { -EACCES, "permission denied: it takes root or the socket's group" },
        { -ETIMEDOUT, "no answer in time: does the engine hang?" },
        { -ECONNRESET, "it hung up without an answer" },
        { -EBADMSG, "the answer is not what an engine says: is something else behind the socket?" },
        { -EMSGSIZE, "the answer is too long" },
        { -EIO, "it answers with an error" },
};

static const char *explain(int error) {
        for (size_t i = 0; i < PL_ARRAY_SIZE(explanations); i++)
                if (explanations[i].error == error)
                        return explanations[i].words;
        return strerror(-error);
}

void pl_engine_hang_up(PlEngine *e) {
        _cleanup_(engine_unrefp) PlEngine *alive = engine_ref(e);
        RequestList due;

        e->state = STOPPED;
        e->ping_running = false;
        (void)sd_event_source_set_enabled(e->timer, SD_EVENT_OFF);
        socket_watch(e->socket, false);
        unsubscribe(e);
        abort_requests(e, &due);
        fail_requests(alive, &due, -ECONNRESET);
}

PlEngine *pl_engine_free(PlEngine *e) {
        RequestList dropped;

        if (!e)
                return NULL;
        e->freed = true;
        e->state = STOPPED;
        if (e->curl) {
                unsubscribe(e);
                abort_requests(e, &dropped);
                fail_requests(e, &dropped, -ECONNRESET); /* unheard: it is freed */
                e->curl = pl_curl_free(e->curl);
        }
        e->timer = sd_event_source_disable_unref(e->timer);
        e->socket = socket_free(e->socket);
        return engine_unref(e);
}

/* accuracy: how much later the timer may be, to share somebody else's wake-up */
static void arm(PlEngine *e, uint64_t at_usec, uint64_t accuracy_usec) {
        (void)sd_event_source_set_time_accuracy(e->timer, PL_MAX(accuracy_usec, UINT64_C(1)));
        (void)sd_event_source_set_time(e->timer, at_usec);
        (void)sd_event_source_set_enabled(e->timer, SD_EVENT_ONESHOT);
}

static void disarm(PlEngine *e) {
        (void)sd_event_source_set_enabled(e->timer, SD_EVENT_OFF);
}

static int ask(PlEngine *e, const Kind *kind) {
        Request *q = request_new(e, kind, NULL);

        return q ? submit(e, q) : -ENOMEM;
}

static void lose(PlEngine *e, int error, const char *format, ...) {
        _cleanup_(engine_unrefp) PlEngine *alive = engine_ref(e);
        uint64_t now = now_usec(e), random = 0, wait_usec;
        RequestList due;
        char why[WHY_MAX];
        va_list ap;
        bool tell;

        va_start(ap, format);
        (void)vsnprintf(why, sizeof(why), format, ap);
        va_end(ap);

        tell = e->state == CONNECTED || !e->lost_said;
        if (e->state == CONNECTED && now - e->connected_usec >= e->tuning.settled_usec)
                e->attempt = 0;
        e->state = WAITING;
        e->ping_running = false;
        unsubscribe(e);
        abort_requests(e, &due);

        (void)getrandom(&random, sizeof(random), GRND_NONBLOCK);
        wait_usec = pl_backoff_usec(e->attempt, e->tuning.backoff_base_usec,
                                    e->tuning.backoff_max_usec, random);
        if (e->attempt < UINT_MAX)
                e->attempt++;
        socket_watch(e->socket, true);
        arm(e, now + wait_usec, wait_usec / 16);

        if (tell) {
                e->lost_said = true;
                e->handlers->lost(e->userdata, error, why, wait_usec);
        } else
                pl_log_debug("Engine at %s: %s; retrying in %" PRIu64 " ms", e->url, why,
                             wait_usec / PL_USEC_PER_MSEC);
        fail_requests(alive, &due, -ECONNRESET);
}

static void attempt(PlEngine *e) {
        int r;

        if (!socket_may_knock(e->socket)) {
                /* stopped on purpose: its pid file tells when it starts */
                arm(e, now_usec(e) + e->tuning.backoff_max_usec, e->tuning.backoff_max_usec / 4);
                return;
        }
        disarm(e);
        e->state = PINGING;
        r = ask(e, &kind_ping);
        if (r < 0)
                lose(e, r, "%s", strerror(-r));
}

static void on_ping_reply(Request *q, int error, const char *message) {
        PlEngine *e = q->engine;
        int r;

        if (e->state == CONNECTED) {
                e->ping_running = false;
                heard(e);
                if (error < 0)
                        lose(e, error, "GET /_ping: %s", message ?: explain(error));
                return;
        }
        if (e->state != PINGING)
                return;
        if (error < 0) {
                lose(e, error, "%s", message ?: explain(error));
                return;
        }
        socket_connected(e->socket, q->listener, e->tuning.activator);
        e->info.pid = engine_pid(e->socket, q->listener);
        e->state = ASKING;
        r = ask(e, &kind_version);
        if (r < 0)
                lose(e, r, "%s", strerror(-r));
}

static void on_version_reply(Request *q, int error, const char *message) {
        PlEngine *e = q->engine;
        PlEngineInfo info = {};
        int r;

        if (e->state != ASKING)
                return;
        if (error == 0)
                error = pl_docker_parse_version(q->answer.data, q->answer.size, &info);
        if (error < 0) {
                lose(e, error, "GET /version: %s", message ?: explain(error));
                return;
        }
        info.pid = e->info.pid;
        e->info = info;
        if (info.api.major == 0) {
                lose(e, -EPROTONOSUPPORT,
                     "it speaks API %u.%u to %u.%u, plimsolld %u.%u to %u.%u; one of the "
                     "two is too old",
                     info.api_min.major, info.api_min.minor, info.api_max.major, info.api_max.minor,
                     PL_DOCKER_API_MIN.major, PL_DOCKER_API_MIN.minor, PL_DOCKER_API_TESTED.major,
                     PL_DOCKER_API_TESTED.minor);
                return;
        }
        e->known = true;
        e->state = IDENTIFYING;
        r = ask(e, &kind_info);
        if (r < 0)
                lose(e, r, "%s", strerror(-r));
}

/* A proxy in front of the engine may let nobody ask: then its socket must do. */
static bool identify_by_socket(PlEngine *e) {
        PlEngineRoot root = { 0 };
        struct stat st;

        root.found = stat(e->path, &st) >= 0;
        if (root.found) {
                root.dev = st.st_dev;
                root.ino = st.st_ino;
        }
        return pl_docker_identity(&root, false, e->info.identity);
}

static int identify(PlEngine *e, const Request *q) {
        PlEngineRoot root = { 0 };
        struct stat st;
        int r = pl_docker_parse_info(q->answer.data, q->answer.size, &root);

        if (r < 0)
                return r;
        e->info.no_scopes = root.no_scopes;
        if (*root.path == '/' && stat(root.path, &st) >= 0) {
                root.found = true;
                root.dev = st.st_dev;
                root.ino = st.st_ino;
        }
        return pl_docker_identity(&root, e->info.podman, e->info.identity) ? 0 : -ENOENT;
}

static void on_info_reply(Request *q, int error, const char *message) {
        PlEngine *e = q->engine;
        int r;

        if (e->state != IDENTIFYING)
                return;
        if (error == 0)
                error = identify(e, q);
        if ((error == -ENOENT || error == -EACCES) && identify_by_socket(e))
                error = 0;
        if (error < 0) {
                lose(e, error, "GET /info: %s", message ?: explain(error));
                return;
        }
        e->state = SUBSCRIBING;
        arm(e, now_usec(e) + e->tuning.ping_usec, e->tuning.ping_usec / 16);
        r = subscribe(e);
        if (r < 0)
                lose(e, r, "%s", strerror(-r));
}

static void arm_quiet(PlEngine *e) {
        arm(e, e->heard_usec + e->tuning.quiet_usec, e->tuning.quiet_usec / 100);
}

static void subscribed(PlEngine *e) {
        e->state = CONNECTED;
        e->connected_usec = e->heard_usec = now_usec(e);
        socket_watch(e->socket, false);
        arm_quiet(e);
        if (e->info.podman && !e->podman_said) {
                e->podman_said = true;
                pl_log_notice("The engine is Podman: it does not tell when a container runs out of "
                              "memory (the kernel does), nor always that somebody stopped one: "
                              "OnUnhealthy=restart may take such a stop for a crash");
        }
        e->handlers->connected(e->userdata, &e->info);
}

static void doubt(PlEngine *e) {
        if (e->state != CONNECTED || e->ping_running)
                return;
        e->ping_running = ask(e, &kind_ping) >= 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        _cleanup_(engine_unrefp) PlEngine *e = engine_ref(userdata);

        switch (e->state) {
        case WAITING:
                attempt(e);
                break;
        case SUBSCRIBING:
                lose(e, -ETIMEDOUT, "GET /events: %s", explain(-ETIMEDOUT));
                break;
        case CONNECTED:
                if (now_usec(e) - e->heard_usec >= e->tuning.quiet_usec) {
                        doubt(e);
                        heard(e); /* the answer is awaited by the request's own timeout */
                        if (e->handlers->quiet)
                                e->handlers->quiet(e->userdata);
                }
                if (!e->freed)
                        arm_quiet(e);
                break;
        default:
                break;
        }
        return 0;
}

static void on_socket_changed(void *userdata) {
        PlEngine *e = userdata;

        if (e->state != WAITING)
                return;
        e->attempt = 0;
        arm(e, now_usec(e) + KNOCK_DELAY_USEC, 1);
}

static int parse_url(const char *url, char **ret) {
        const char *path;

        if (!pl_startswith(url, "unix://"))
                return -EPROTONOSUPPORT;
        path = url + strlen("unix://");
        if (path[0] != '/' || path[1] == '\0' ||
            strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
                return -EINVAL;
        *ret = strdup(path);
        return *ret ? 0 : -ENOMEM;
}

int pl_engine_new(sd_event *event, const char *url, const PlEngineHandlers *handlers,
                  void *userdata, PlEngine **ret) {
        _cleanup_(pl_engine_freep) PlEngine *e = calloc(1, sizeof(*e));
        int r;

        if (!e)
                return -ENOMEM;
        e->n_ref = 1;
        e->event = sd_event_ref(event);
        e->handlers = handlers;
        e->userdata = userdata;
        e->tuning = tuning_default;
        e->requests.pool = PL_POOL_INIT(&e->requests.pool, Request);
        for (LaneName lane = 0; lane < _LANE_N; lane++) {
                TAILQ_INIT(&e->lanes[lane].queue);
                TAILQ_INIT(&e->lanes[lane].running);
        }
        r = parse_url(url, &e->path);
        if (r < 0)
                return r;
        e->url = strdup(url);
        if (!e->url)
                return -ENOMEM;
        r = pl_curl_new(event, on_dispatched, e, &e->curl);
        if (r < 0)
                return r;
        r = socket_new(event, e->path, on_socket_changed, e, &e->socket);
        if (r < 0)
                return r;
        r = sd_event_add_time(event, &e->timer, CLOCK_MONOTONIC, 0, 0, on_timer, e);
        if (r < 0)
                return r;
        disarm(e);
        (void)sd_event_source_set_description(e->timer, "engine");
        *ret = TAKE_PTR(e);
        return 0;
}

#define TUNE(member)                                       \
        do {                                               \
                if (tuning->member != 0)                   \
                        e->tuning.member = tuning->member; \
        } while (false)

void pl_engine_tune(PlEngine *e, const PlEngineTuning *tuning) {
        TUNE(quiet_usec);
        TUNE(pong_usec);
        TUNE(ping_usec);
        TUNE(version_usec);
        TUNE(read_usec);
        TUNE(update_usec);
        TUNE(restart_usec);
        TUNE(backoff_base_usec);
        TUNE(backoff_max_usec);
        TUNE(settled_usec);
        TUNE(patience_usec);
        TUNE(activator);
}

int pl_engine_start(PlEngine *e) {
        if (e->state != STOPPED)
                return -EALREADY;
        e->state = WAITING;
        arm(e, 0, 1);
        return 0;
}

const PlEngineInfo *pl_engine_info(const PlEngine *e) {
        return e->known ? &e->info : NULL;
}

const char *pl_engine_url(const PlEngine *e) {
        return e->url;
}

/* ---- what may be asked ---- */

/* Refuses what nobody can mean (ids that are none, signals without a name), and what there is no
 * connection for. */
static int ask_for(PlEngine *e, Request *request, const char *id) {
        _cleanup_(request_freep) Request *q = request;

        if (!q)
                return -ENOMEM;
        if (e->state != CONNECTED)
                return -ENOTCONN;
        if (q->kind->action || q->turn.check) {
                if (!pl_is_id(id))
                        return -EINVAL;
                memcpy(q->id, id, PL_ID_MAX);
        }
        return submit(e, TAKE_PTR(q));
}

int pl_engine_list(PlEngine *e, PlEngineListReply reply_to, void *userdata) {
        Request *q = request_new(e, &kind_list, userdata);

        if (q)
                q->reply.list = reply_to;
        return ask_for(e, q, NULL);
}

int pl_engine_networks(PlEngine *e, PlEngineNetworksReply reply_to, void *userdata) {
        Request *q = request_new(e, &kind_networks, userdata);

        if (q)
                q->reply.networks = reply_to;
        return ask_for(e, q, NULL);
}

int pl_engine_inspect(PlEngine *e, const char *id, PlEngineInspectReply reply_to, void *userdata) {
        Request *q = request_new(e, &kind_inspect, userdata);

        if (q)
                q->reply.inspect = reply_to;
        return ask_for(e, q, id);
}

int pl_engine_image(PlEngine *e, const char *id, PlEngineInspectReply reply_to, void *userdata) {
        Request *q = request_new(e, &kind_image, userdata);

        if (q)
                q->reply.inspect = reply_to;
        return ask_for(e, q, id);
}

uint64_t pl_engine_n_sent(const PlEngine *e) {
        return e->requests.n_sent;
}

bool pl_engine_was_sent_after(const PlEngine *e, uint64_t n_sent) {
        return e->requests.answered_sent > n_sent;
}

int pl_engine_environment(PlEngine *e, const char *id, PlEngineEnvironmentReply reply_to,
                          void *userdata) {
        Request *q = request_new(e, &kind_environment, userdata);

        if (q)
                q->reply.environment = reply_to;
        return ask_for(e, q, id);
}

int pl_engine_update(PlEngine *e, const char *id, const char *body, PlEngineReply reply_to,
                     void *userdata) {
        _cleanup_(request_freep) Request *q = request_new(e, &kind_update, userdata);

        if (!q || !(q->body = strdup(body)))
                return -ENOMEM;
        q->reply.simple = reply_to;
        return ask_for(e, TAKE_PTR(q), id);
}

int pl_engine_turn(PlEngine *e, PlEngineAct act, const char *id, uint64_t since_usec,
                   PlEngineCheck check, PlEngineReply reply_to, void *userdata) {
        Request *q = request_new(e,
                                 act == PL_ENGINE_START || act == PL_ENGINE_NOTHING
                                                 ? &kind_turn_to_start
                                                 : &kind_turn_to_stop,
                                 userdata);

        if (q) {
                q->now = since_usec > 0 ? &kind_history : &kind_inspect;
                q->turn.check = check;
                q->turn.again = act == PL_ENGINE_NOTHING;
                q->turn.since_usec = since_usec;
                q->reply.simple = reply_to;
        }
        return ask_for(e, q, id);
}

int pl_engine_kill(PlEngine *e, const char *id, int signal, PlEngineReply reply_to,
                   void *userdata) {
        _cleanup_(request_freep) Request *q = request_new(e, &kind_kill, userdata);

        if (!sigabbrev_np(signal))
                return -EINVAL;
        if (!q)
                return -ENOMEM;
        q->signal = signal;
        q->reply.simple = reply_to;
        return ask_for(e, TAKE_PTR(q), id);
}
