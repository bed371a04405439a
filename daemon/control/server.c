/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Control server: libmicrohttpd on the daemon's own loop.
 *
 * MHD has an epoll of its own, which is one descriptor on the loop; it runs when that is readable,
 * has no thread and no timer of its own while nothing is going on. What MHD cannot bound is bounded
 * here: MHD's timeout counts silence, so a client that sends a byte now and then would live for
 * ever; each connection instead has a deadline for its whole request, kept in one queue with one
 * timer. It must not know what the answers mean.
 */

#include "control/server.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <microhttpd.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/loop.h"

/* ---- streams ---- */

/*
 * One backlog, many readers, each with a position of its own. So memory is bounded by the size of
 * the backlog, not by the number of clients. A client that falls behind by more than that is cut
 * off; nothing ever waits for a client.
 *
 * Positions count bytes since the start, so they never wrap in practice and a reader's lag is a
 * subtraction. libmicrohttpd does not look at a suspended connection, so a client that goes away
 * in a quiet hour would keep its place for ever: each stream watches its socket for a hang-up.
 */

#define PL_CTL_STREAMS_MAX MIB(1) /* bytes of backlog */
#define PL_CTL_CLIENTS_MAX 64     /* streams at a time; requests need connections too */
#define STREAMS_FOR_ROOT   8      /* of them; strangers leave these free */

typedef struct PlCtlStreams PlCtlStreams;

static PlCtlStreams *streams_free(PlCtlStreams *s);

#define BLOCK_BYTES KIB(16) /* MHD's buffer per stream */

typedef struct Stream {
        PlCtlStreams *owner;
        struct MHD_Connection *connection;
        sd_event_source *hangup;
        int fd; /* borrowed from MHD */
        uint64_t position;
        bool suspended;
        bool cut; /* too slow, or gone */
        LIST_ENTRY(Stream) link;
} Stream;

struct PlCtlStreams {
        sd_event *event;
        void (*resumed)(void *userdata);
        void *userdata;
        char *data; /* the bytes [start, start + size) of everything ever published */
        size_t size, allocated;
        uint64_t start;
        size_t n;
        bool closing;
        LIST_HEAD(, Stream) list;
};

/* @resumed: called whenever a connection has been resumed: without threads, MHD notices that only
 *           when it is run the next time. May be called from within MHD_run(), too.
 * Return: 0, -ENOMEM. */
static int streams_new(sd_event *event, void (*resumed)(void *userdata), void *userdata,
                       PlCtlStreams **ret) {
        PlCtlStreams *s = calloc(1, sizeof *s);

        if (!s)
                return -ENOMEM;
        s->event = sd_event_ref(event);
        s->resumed = resumed;
        s->userdata = userdata;
        LIST_INIT(&s->list);
        *ret = s;
        return 0;
}

static void stream_free(void *p) {
        Stream *stream = p;

        LIST_REMOVE(stream, link);
        stream->owner->n--;
        sd_event_source_disable_unref(stream->hangup);
        free(stream);
}

/* After MHD_stop_daemon(), which ends every response; returns NULL. */
static PlCtlStreams *streams_free(PlCtlStreams *s) {
        if (!s)
                return NULL;
        Stream *stream;
        while ((stream = LIST_FIRST(&s->list)))
                stream_free(stream);
        sd_event_unref(s->event);
        free(s->data);
        free(s);
        return NULL;
}

static size_t streams_count(const PlCtlStreams *s) {
        return s->n;
}

static void stream_wake(Stream *stream) {
        if (!stream->suspended)
                return;
        stream->suspended = false;
        MHD_resume_connection(stream->connection);
        stream->owner->resumed(stream->owner->userdata);
}

/* MHD notices the shutdown where it waits to write, the resumed reader where it does not. */
static void stream_cut(Stream *stream) {
        if (stream->cut)
                return;
        stream->cut = true;
        (void)shutdown(stream->fd, SHUT_RDWR);
        stream_wake(stream);
}

static int on_hangup(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        (void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
        stream_cut(userdata);
        return 0;
}

/* Forgets what every reader has taken. */
static void trim(PlCtlStreams *s) {
        uint64_t lowest = s->start + s->size;
        const Stream *stream;

        LIST_FOREACH(stream, &s->list, link)
        if (!stream->cut)
                lowest = PL_MIN(lowest, stream->position);

        size_t taken = (size_t)(lowest - s->start);
        if (taken == 0)
                return;
        memmove(s->data, s->data + taken, s->size - taken);
        s->size -= taken;
        s->start = lowest;
        if (s->size == 0) {
                free(s->data);
                s->data = NULL;
                s->allocated = 0;
        }
}

static ssize_t on_read(void *userdata, uint64_t pos, char *buf, size_t max) {
        Stream *stream = userdata;
        PlCtlStreams *s = stream->owner;

        if (stream->cut)
                return MHD_CONTENT_READER_END_WITH_ERROR;

        size_t n = (size_t)(s->start + s->size - stream->position);
        if (n == 0 && s->closing)
                return MHD_CONTENT_READER_END_OF_STREAM;
        if (n == 0) {
                stream->suspended = true;
                MHD_suspend_connection(stream->connection);
                return 0;
        }
        n = PL_MIN(n, max);
        memcpy(buf, s->data + (stream->position - s->start), n);
        stream->position += n;
        if (stream->position == s->start + s->size)
                trim(s);
        return (ssize_t)n;
}

/*
 * A response whose body is everything published from now on
 * Return: 0 and *ret owned by the caller (queue it, then MHD_destroy_response()); -EUSERS when
 *         there are too many; -ENOMEM, -errno.
 */
static int streams_open(PlCtlStreams *s, struct MHD_Connection *connection,
                        struct MHD_Response **ret) {
        const union MHD_ConnectionInfo *info =
                        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

        if (s->n >= PL_CTL_CLIENTS_MAX)
                return -EUSERS;
        if (!info)
                return -EINVAL;

        Stream *stream = calloc(1, sizeof *stream);
        if (!stream)
                return -ENOMEM;
        *stream = (Stream){ .owner = s,
                            .connection = connection,
                            .fd = info->connect_fd,
                            .position = s->start + s->size };

        /* No bit asked for: EPOLLHUP and EPOLLERR always come. A client that has only finished
         * sending (EPOLLRDHUP) still wants to read. */
        int r = sd_event_add_io(s->event, &stream->hangup, stream->fd, 0, on_hangup, stream);
        if (r < 0) {
                free(stream);
                return r;
        }
        LIST_INSERT_HEAD(&s->list, stream, link);
        s->n++;

        *ret = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, on_read, stream,
                                                 stream_free);
        if (!*ret) {
                stream_free(stream);
                return -ENOMEM;
        }
        return 0;
}

static bool reserve(PlCtlStreams *s, size_t more) {
        size_t need = s->size + more;

        if (need <= s->allocated)
                return true;
        size_t size = PL_MAX(need, PL_MAX(s->allocated * 2, (size_t)KIB(4)));
        char *data = realloc(s->data, size);
        if (!data)
                return false;
        s->data = data;
        s->allocated = size;
        return true;
}

/* One line, newline included, to every client; copied. */
static void streams_publish(PlCtlStreams *s, const char *line, size_t size) {
        Stream *stream;

        if (s->n == 0 || s->closing || size > PL_CTL_STREAMS_MAX)
                return;

        uint64_t end = s->start + s->size + size;
        LIST_FOREACH(stream, &s->list, link)
        if (end - stream->position > PL_CTL_STREAMS_MAX)
                stream_cut(stream);
        trim(s);

        if (!reserve(s, size)) {
                /* a gap would be a lie: better no stream than one that silently lost a line */
                LIST_FOREACH(stream, &s->list, link)
                stream_cut(stream);
                return;
        }
        memcpy(s->data + s->size, line, size);
        s->size += size;
        LIST_FOREACH(stream, &s->list, link)
        stream_wake(stream);
}

/* End every stream in good order; MHD needs one more run to say so. */
static void streams_close(PlCtlStreams *s) {
        Stream *stream;

        s->closing = true;
        LIST_FOREACH(stream, &s->list, link)
        stream_wake(stream);
}

#define CONNECTIONS_MAX      256 /* more wait in the socket's backlog */
#define CONNECTIONS_FOR_ROOT 32  /* of them; strangers leave these free */
#define ONE_PROCESS_PART     4   /* a process other than root's gets this part of what is left */
#define CONNECTION_BYTES     KIB(16) /* request line, headers and MHD's own needs */
#define BODY_MAX             KIB(64)
#define REQUEST_TIMEOUT      (15 * PL_USEC_PER_SEC) /* from connect, or the last answer, to the next */
#define NAME_MARK            "*"                    /* in a pattern: one segment, a name */
#define NAME_MAX_BYTES       256                    /* Docker's own are shorter */
#define ALLOW_MAX            64
#define CLOSING_ROUNDS       8 /* MHD sends the last chunk a step at a time */
#define PAGE_USEC            PL_USEC_PER_SEC
#define PAGES_MAX            4 /* with those that somebody still reads */
#define TYPES_MAX            2 /* of pages, at a time */

/* One connection, from accept to close. */
typedef struct Peer {
        int fd; /* borrowed from MHD */
        struct ucred who;
        uint64_t deadline_usec;
        bool timed; /* in the queue; streams are not */
        bool streams;
        TAILQ_ENTRY(Peer) link;
        LIST_ENTRY(Peer) all;
} Peer;

/* An answer that comes later. Held by its request and by whoever has to reply. libmicrohttpd does
 * not look at a suspended connection: if the client goes away, that is noticed at the answer. */
struct PlCtlPending {
        unsigned n_ref;
        PlCtlServer *server;               /* NULL: nobody waits for it any more */
        struct MHD_Connection *connection; /* suspended until the answer is there */
        bool suspended, answered;
        unsigned status;
        json_t *document;
        LIST_ENTRY(PlCtlPending) link; /* while it is suspended */
};

/* One request. */
typedef struct Request {
        size_t size;
        bool too_large;
        PlCtlPending *pending; /* NULL: answered at once */
        char body[BODY_MAX + 1];
} Request;

/* Where pl_ctl_defer() is called. */
struct PlCtlCall {
        PlCtlServer *server;
        struct MHD_Connection *connection;
        PlCtlPending *pending;
};

/* A part of a request's target, as it was sent: percent-encoded. start NULL: there is none. */
typedef struct Segment {
        const char *start;
        size_t size;
} Segment;

/* A page that was made just now, for whoever asks next. */
typedef struct Page {
        const char *type; /* static; NULL: none */
        struct MHD_Response *response;
        uint64_t made_usec; /* CLOCK_MONOTONIC */
} Page;

struct PlCtlServer {
        sd_event *event;
        sd_event_source *io, *mhd_timer, *deadline_timer, *page_timer;
        Page pages[TYPES_MAX];
        unsigned n_pages; /* all that somebody reads, or may */
        struct MHD_Daemon *mhd;
        const PlCtlEndpoint *endpoints;
        bool (*allowed)(void *userdata, const char *host);
        void *userdata;
        PlCtlStreams *streams;
        unsigned n_connections;
        bool again; /* MHD has more to do than it knows, since the last run */
        uint64_t timeout_usec;
        TAILQ_HEAD(PeerQueue, Peer) queue; /* by deadline: all deadlines are equally far away */
        LIST_HEAD(, PlCtlPending) pending; /* whose connections are suspended */
        LIST_HEAD(, Peer) peers;
};

/* ---- answers ---- */

/* Of some 200 containers: after one of these the heap is worth a look. */
#define LARGE_BYTES KIB(256)

/* @stolen: freed in any case; NULL: out of memory, MHD closes the connection */
static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned status,
                                   const char *type, const char *allow, char *stolen, size_t size) {
        _cleanup_free_ char *text = stolen;
        struct MHD_Response *response =
                        text ? MHD_create_response_from_buffer(size, text, MHD_RESPMEM_MUST_FREE)
                             : NULL;

        if (!response)
                return MHD_NO;
        text = NULL;
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
        if (allow)
                (void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, allow);
        enum MHD_Result r = MHD_queue_response(connection, status, response);
        MHD_destroy_response(response);
        return r;
}

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *allow,
                              json_t *stolen) {
        char *text = stolen ? json_dumps(stolen, JSON_COMPACT) : NULL;
        size_t size = text ? strlen(text) : 0;

        json_decref(stolen);
        if (size > LARGE_BYTES)
                (void)malloc_trim(0); /* its document was ten times as large, in small pieces */
        if (text)
                text[size++] = '\n'; /* over the NUL: HTTP needs none, a person's terminal wants
                                      * this */
        return answer_text(connection, status, "application/json", allow, text, size);
}

json_t *pl_ctl_problem(const char *message, const char *remedy) {
        return json_pack("{s:s,s:s}", "message", message, "remedy", remedy);
}

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned status,
                              const char *message, const char *remedy) {
        return answer(connection, status, NULL, pl_ctl_problem(message, remedy));
}

/* ---- routes ---- */

/* Compares one segment after the other; a NAME_MARK matches any and reports where it was.
 * Return: does the target have the pattern's shape? */
static bool shape_matches(const char *pattern, const char *target, Segment *ret_name) {
        for (;;) {
                size_t p = strcspn(pattern, "/"), t = strcspn(target, "/");

                if (p == strlen(NAME_MARK) && strncmp(pattern, NAME_MARK, p) == 0) {
                        *ret_name = (Segment){ target, t };
                } else if (p != t || strncmp(pattern, target, p) != 0)
                        return false;

                pattern += p;
                target += t;
                if (*pattern != *target)
                        return false;
                if (*pattern == '\0')
                        return true;
                pattern++;
                target++;
        }
}

static int hex_digit(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        c = (char)tolower((unsigned char)c);
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Names: what Docker allows in a container's name and systemd in a section's, and no more. */
static bool name_char_ok(unsigned char c) {
        return isalnum(c) || (c != '\0' && strchr("_.-@:+", c));
}

/* Decodes after the split, so that "%2f" inside a name is an error and never a path separator. */
static int decode_name(const Segment *name, char ret[static NAME_MAX_BYTES]) {
        const char *s = name->start;
        size_t size = name->size, n = 0;

        for (size_t i = 0; i < size; i++) {
                int c = (unsigned char)s[i];

                if (c == '%') {
                        int high = i + 2 < size ? hex_digit(s[i + 1]) : -1;
                        int low = high >= 0 ? hex_digit(s[i + 2]) : -1;

                        if (low < 0)
                                return -EINVAL;
                        c = high * 16 + low;
                        i += 2;
                }
                if (!name_char_ok((unsigned char)c) || n + 1 >= NAME_MAX_BYTES)
                        return -EINVAL;
                ret[n++] = (char)c;
        }
        ret[n] = '\0';
        return n == 0 || pl_streq(ret, ".") || pl_streq(ret, "..") ? -EINVAL : 0;
}

/* A stream has no end, so it has no headers alone either. */
static bool takes_head(const PlCtlEndpoint *e) {
        return (e->answer || e->text) && pl_streq(e->method, "GET");
}

static void allow_also(char allow[static ALLOW_MAX], const PlCtlEndpoint *e) {
        size_t n = strlen(allow);

        (void)snprintf(allow + n, ALLOW_MAX - n, "%s%s%s", n > 0 ? ", " : "", e->method,
                       takes_head(e) ? ", HEAD" : "");
}

/* Return: the endpoint, or NULL: none has this target (allow is empty), or none this method. */
static const PlCtlEndpoint *find_endpoint(const PlCtlEndpoint *endpoints, const char *method,
                                          const char *target, Segment *ret_name,
                                          char ret_allow[static ALLOW_MAX]) {
        ret_allow[0] = '\0';
        for (const PlCtlEndpoint *e = endpoints; e->method; e++) {
                *ret_name = (Segment){};
                if (!shape_matches(e->pattern, target, ret_name))
                        continue;
                if (pl_streq(method, e->method) || (pl_streq(method, "HEAD") && takes_head(e)))
                        return e;
                allow_also(ret_allow, e);
        }
        return NULL;
}

static Peer *peer_of(struct MHD_Connection *connection) {
        const union MHD_ConnectionInfo *info =
                        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

        return info ? info->socket_context : NULL;
}

/* ---- fair shares ---- */

/*
 * Whoever may open the socket could hold all connections, or all streams, and shut out root with
 * them. So root has some of its own, everybody else shares the rest, and one process gets a part
 * of that. Who it is, the kernel says: unix(7), SO_PEERCRED, as of connect(2). In a user namespace
 * of the service's own (PrivateUsers=) root is 0 still, all others are nobody.
 */

static bool is_root(const Peer *peer) {
        return peer && peer->who.uid == 0;
}

/* May one more that is @peer's be there? @streams: of the streams, else of all connections. */
static bool has_share(const PlCtlServer *s, const Peer *peer, bool streams) {
        unsigned shared = streams ? PL_CTL_CLIENTS_MAX - STREAMS_FOR_ROOT
                                  : CONNECTIONS_MAX - CONNECTIONS_FOR_ROOT;
        unsigned others = 0, own = 0;
        const Peer *p;

        if (is_root(peer))
                return true;
        LIST_FOREACH(p, &s->peers, all) {
                if (p == peer || is_root(p) || (streams && !p->streams))
                        continue;
                others++;
                own += p->who.pid == peer->who.pid;
        }
        return others < shared && own < shared / ONE_PROCESS_PART;
}

static enum MHD_Result open_stream(PlCtlServer *s, struct MHD_Connection *connection) {
        Peer *peer = peer_of(connection);
        struct MHD_Response *response = NULL;
        int r = peer && has_share(s, peer, true) ? streams_open(s->streams, connection, &response)
                                                 : -EUSERS;

        if (r == -EUSERS)
                return refuse(connection, MHD_HTTP_SERVICE_UNAVAILABLE,
                              "too many event streams are open",
                              "end some of the plimsollctl events that are running");
        if (r < 0)
                return MHD_NO;
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                                      "application/x-ndjson");
        enum MHD_Result queued = MHD_queue_response(connection, MHD_HTTP_OK, response);
        MHD_destroy_response(response);

        if (peer->timed) {
                TAILQ_REMOVE(&s->queue, peer, link);
                peer->timed = false;
        }
        peer->streams = true;
        return queued;
}

/* ---- answers that come later ---- */

static void run_again(PlCtlServer *s);
static void renew_deadline(PlCtlServer *s, Peer *peer);

static void pending_unref(PlCtlPending *p) {
        if (!p || --p->n_ref > 0)
                return;
        json_decref(p->document);
        free(p);
}

PlCtlPending *pl_ctl_defer(const PlCtlRequest *q) {
        PlCtlPending *p = calloc(1, sizeof *p);

        if (!p)
                return NULL;
        *p = (PlCtlPending){ .n_ref = 2,
                             .server = q->call->server,
                             .connection = q->call->connection };
        q->call->pending = p;
        return p;
}

static void take_reply(PlCtlPending *p, unsigned status, json_t *document) {
        p->answered = true;
        p->status = status;
        p->document = document;
        if (!p->suspended)
                return;
        p->suspended = false;
        LIST_REMOVE(p, link);
        MHD_resume_connection(p->connection);
        run_again(p->server);
}

void pl_ctl_reply(PlCtlPending *p, unsigned status, json_t *document) {
        if (p->server && !p->answered)
                take_reply(p, status, document);
        else
                json_decref(document);
        pending_unref(p);
}

/* The connection stands still, and has no deadline, until the answer is there. */
static enum MHD_Result wait_for_reply(PlCtlServer *s, PlCtlPending *p) {
        Peer *peer = peer_of(p->connection);

        if (peer && peer->timed) {
                TAILQ_REMOVE(&s->queue, peer, link);
                peer->timed = false;
        }
        LIST_INSERT_HEAD(&s->pending, p, link);
        p->suspended = true;
        MHD_suspend_connection(p->connection);
        return MHD_YES;
}

static enum MHD_Result answer_or_oom(struct MHD_Connection *connection, unsigned status,
                                     json_t *document) {
        if (!document)
                return refuse(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory",
                              "try again; see journalctl -u plimsolld");
        return answer(connection, status, NULL, document);
}

static enum MHD_Result answer_pending(PlCtlServer *s, PlCtlPending *p) {
        json_t *document = p->document;
        Peer *peer = peer_of(p->connection);

        p->document = NULL;
        if (peer)
                renew_deadline(s, peer);
        return answer_or_oom(p->connection, p->status, document);
}

static void abandon(PlCtlPending *p) {
        if (!p)
                return;
        if (p->suspended)
                LIST_REMOVE(p, link);
        p->server = NULL;
        pending_unref(p);
}

/* ---- pages ---- */

/*
 * A page of a thousand containers takes megabytes and tens of milliseconds, and where the server
 * listens on TCP anybody may ask for it. So all who ask within a second share one, and when slow
 * readers hold several, others wait for those to be cut off by their deadline.
 */

typedef struct PageText {
        PlCtlServer *server;
        char *text;
} PageText;

static void page_text_free(void *p) {
        PageText *t = p;

        t->server->n_pages--;
        free(t->text);
        free(t);
}

static void page_drop(Page *p) {
        if (p->response)
                MHD_destroy_response(p->response);
        *p = (Page){};
}

static int on_page_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        PlCtlServer *s = userdata;

        for (size_t i = 0; i < TYPES_MAX; i++)
                page_drop(&s->pages[i]);
        return 0;
}

static Page *page_find(PlCtlServer *s, const char *type) {
        uint64_t now = pl_clock_loop_usec(s->event, CLOCK_MONOTONIC);

        for (size_t i = 0; i < TYPES_MAX; i++)
                if (s->pages[i].type == type && now < s->pages[i].made_usec + PAGE_USEC)
                        return &s->pages[i];
        return NULL;
}

/* Return: NULL when out of memory. */
static Page *page_make(PlCtlServer *s, const PlCtlEndpoint *endpoint, const char *type) {
        PageText *t = calloc(1, sizeof *t);
        Page *p = &s->pages[0];
        size_t size = 0;

        for (size_t i = 1; i < TYPES_MAX; i++)
                if (p->type && (!s->pages[i].type || s->pages[i].made_usec < p->made_usec))
                        p = &s->pages[i];
        page_drop(p);
        if (!t)
                return NULL;
        *t = (PageText){ .server = s, .text = endpoint->text(s->userdata, type, &size) };
        s->n_pages++;
        if (t->text)
                p->response = MHD_create_response_from_buffer_with_free_callback_cls(
                                size, t->text, page_text_free, t);
        if (!p->response) {
                page_text_free(t);
                return NULL;
        }
        (void)MHD_add_response_header(p->response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
        p->type = type;
        p->made_usec = pl_clock_loop_usec(s->event, CLOCK_MONOTONIC);
        (void)sd_event_source_set_time(s->page_timer, p->made_usec + PAGE_USEC);
        (void)sd_event_source_set_enabled(s->page_timer, SD_EVENT_ONESHOT);
        return p;
}

static enum MHD_Result ask_page(PlCtlServer *s, struct MHD_Connection *connection,
                                const PlCtlEndpoint *endpoint, const PlCtlRequest *q) {
        const char *type = endpoint->type(q);
        Page *p = page_find(s, type);

        if (!p && s->n_pages >= PAGES_MAX)
                return refuse(connection, MHD_HTTP_SERVICE_UNAVAILABLE,
                              "others are still reading what they have asked for",
                              "ask again in some seconds");
        if (!p)
                p = page_make(s, endpoint, type);
        if (!p)
                return answer_or_oom(connection, MHD_HTTP_OK, NULL);
        return MHD_queue_response(connection, MHD_HTTP_OK, p->response);
}

static enum MHD_Result ask(PlCtlServer *s, struct MHD_Connection *connection,
                           const PlCtlEndpoint *endpoint, const PlCtlRequest *q) {
        unsigned status = MHD_HTTP_OK;
        json_t *document;

        if (endpoint->may == PL_CTL_ROOT && !is_root(peer_of(connection)))
                return refuse(connection, MHD_HTTP_FORBIDDEN, "this takes root",
                              "ask again as root, with sudo for instance");
        if (endpoint->text)
                return ask_page(s, connection, endpoint, q);
        if (!endpoint->answer)
                return open_stream(s, connection);
        document = endpoint->answer(s->userdata, q, &status);
        if (!document && q->call->pending)
                return q->call->pending->answered ? answer_pending(s, q->call->pending)
                                                  : wait_for_reply(s, q->call->pending);
        return answer_or_oom(connection, status, document);
}

/* ---- requests ---- */

static const char *header_of(struct MHD_Connection *connection, const char *name) {
        return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static bool announces_too_much(struct MHD_Connection *connection) {
        const char *length = header_of(connection, MHD_HTTP_HEADER_CONTENT_LENGTH);

        return length && strtoull(length, NULL, 10) > BODY_MAX;
}

static enum MHD_Result answer_too_large(struct MHD_Connection *connection) {
        return refuse(connection, MHD_HTTP_CONTENT_TOO_LARGE,
                      "the request's body is larger than 64 KiB",
                      "requests need no body, or a small JSON object");
}

/* Return: 0 and the object, NULL without a body; -EBADMSG. */
static int parse_body(const Request *q, json_t **ret) {
        json_t *j = q->size > 0 ? json_loadb(q->body, q->size, 0, NULL) : NULL;

        if (q->size > 0 && !json_is_object(j)) {
                json_decref(j);
                return -EBADMSG;
        }
        *ret = j;
        return 0;
}

static enum MHD_Result answer_request(PlCtlServer *s, struct MHD_Connection *connection,
                                      const char *target, const char *method, Request *q) {
        struct PlCtlCall call = { .server = s, .connection = connection };
        char name[NAME_MAX_BYTES] = "", allow[ALLOW_MAX];
        const PlCtlEndpoint *endpoint;
        enum MHD_Result r;
        json_t *body;
        Segment raw;

        if (q->pending)
                return answer_pending(s, q->pending);
        if (q->too_large)
                return answer_too_large(connection);
        if (s->allowed && !s->allowed(s->userdata, header_of(connection, MHD_HTTP_HEADER_HOST)))
                return refuse(connection, MHD_HTTP_MISDIRECTED_REQUEST,
                              "this host does not go by the name that you asked for",
                              "ask for its address, or add the name to MetricsHost= in [Daemon]");
        endpoint = find_endpoint(s->endpoints, method, target, &raw, allow);
        if (!endpoint && *allow)
                return answer(connection, MHD_HTTP_METHOD_NOT_ALLOWED, allow,
                              pl_ctl_problem("this method is not for this address",
                                             "the Allow header lists the right ones"));
        if (!endpoint)
                return refuse(connection, MHD_HTTP_NOT_FOUND, "no such address",
                              "plimsollctl(1) lists the addresses of the control socket");
        if (raw.start && decode_name(&raw, name) < 0)
                return refuse(connection, MHD_HTTP_BAD_REQUEST,
                              "this is not the name of a container or service",
                              "letters, digits and _ . - make up a name");
        if (parse_body(q, &body) < 0)
                return refuse(connection, MHD_HTTP_BAD_REQUEST,
                              "the request's body is not a JSON object",
                              "leave the body out, or send {}");
        r = ask(s, connection, endpoint,
                &(PlCtlRequest){ .name = name,
                                 .body = body,
                                 .accept = header_of(connection, MHD_HTTP_HEADER_ACCEPT),
                                 .call = &call });
        q->pending = call.pending;
        json_decref(body);
        return r;
}

static enum MHD_Result on_request(void *userdata, struct MHD_Connection *connection,
                                  const char *target, const char *method, const char *version,
                                  const char *data, size_t *size, void **request) {
        Request *q = *request;

        if (!q) {
                if (announces_too_much(connection))
                        return answer_too_large(connection);
                /* not calloc: 64 KiB need no zeroing to say that nothing is in them */
                q = malloc(sizeof *q);
                if (!q)
                        return MHD_NO;
                q->size = 0;
                q->too_large = false;
                q->pending = NULL;
                *request = q;
                return MHD_YES;
        }
        if (*size == 0)
                return answer_request(userdata, connection, target, method, q);

        /* a chunked body announces nothing: what is too much is read and dropped until the deadline
         */
        if (*size > BODY_MAX - q->size)
                q->too_large = true;
        else {
                memcpy(q->body + q->size, data, *size);
                q->size += *size;
        }
        *size = 0;
        return MHD_YES;
}

/* ---- when MHD runs ---- */

static void run_after(PlCtlServer *s, uint64_t usec) {
        (void)sd_event_source_set_time(s->mhd_timer,
                                       pl_clock_loop_usec(s->event, CLOCK_MONOTONIC) + usec);
        (void)sd_event_source_set_enabled(s->mhd_timer, SD_EVENT_ONESHOT);
}

static void run_again(PlCtlServer *s) {
        s->again = true;
        run_after(s, 0);
}

static void on_resumed(void *userdata) {
        run_again(userdata);
}

/* ---- deadlines ---- */

static void arm_deadline(PlCtlServer *s) {
        const Peer *first = TAILQ_FIRST(&s->queue);

        if (!first) {
                (void)sd_event_source_set_enabled(s->deadline_timer, SD_EVENT_OFF);
                return;
        }
        (void)sd_event_source_set_time(s->deadline_timer, first->deadline_usec);
        (void)sd_event_source_set_enabled(s->deadline_timer, SD_EVENT_ONESHOT);
}

static void renew_deadline(PlCtlServer *s, Peer *peer) {
        if (peer->timed)
                TAILQ_REMOVE(&s->queue, peer, link);
        peer->timed = true;
        peer->deadline_usec = pl_clock_loop_usec(s->event, CLOCK_MONOTONIC) + s->timeout_usec;
        TAILQ_INSERT_TAIL(&s->queue, peer, link);
}

/* It has not asked yet, but it is answered: what it reads is better than a closed connection. */
static void turn_away(int fd) {
        static const char body[] = "{\"message\":\"too many connections are open\","
                                   "\"remedy\":\"close some; one process gets a quarter, root has "
                                   "its own\"}\n";
        char text[512];
        int n = snprintf(text, sizeof text,
                         "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
                         "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
                         sizeof body - 1, body);

        (void)send(fd, text, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
        (void)shutdown(fd, SHUT_RDWR);
}

static void peer_begin(PlCtlServer *s, struct MHD_Connection *connection, void **context) {
        const union MHD_ConnectionInfo *info =
                        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        Peer *peer = info ? calloc(1, sizeof *peer) : NULL;
        socklen_t size = sizeof peer->who;

        if (!peer || getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERCRED, &peer->who, &size) < 0) {
                /* without a deadline it may not stay */
                if (info)
                        (void)shutdown(info->connect_fd, SHUT_RDWR);
                free(peer);
                return;
        }
        peer->fd = info->connect_fd;
        *context = peer;
        LIST_INSERT_HEAD(&s->peers, peer, all);
        renew_deadline(s, peer);
        if (!has_share(s, peer, false))
                turn_away(peer->fd);
}

static void peer_end(PlCtlServer *s, void **context) {
        Peer *peer = *context;

        if (!peer)
                return;
        if (peer->timed)
                TAILQ_REMOVE(&s->queue, peer, link);
        LIST_REMOVE(peer, all);
        free(peer);
        *context = NULL;
}

static void on_connection(void *userdata, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code) {
        PlCtlServer *s = userdata;

        if (code == MHD_CONNECTION_NOTIFY_STARTED) {
                s->n_connections++;
                peer_begin(s, connection, context);
                return;
        }
        if (s->n_connections-- >= CONNECTIONS_MAX)
                /* at its limit MHD stops listening, and listens again only in a later run */
                run_again(s);
        peer_end(s, context);
}

static void on_completed(void *userdata, struct MHD_Connection *connection, void **request,
                         enum MHD_RequestTerminationCode code) {
        Request *q = *request;
        Peer *peer = peer_of(connection);

        if (peer) {
                peer->streams = false;
                renew_deadline(userdata, peer);
        }
        if (q)
                abandon(q->pending);
        free(q);
        *request = NULL;
}

/* ---- the loop ---- */

/* MHD asks to be run again at once when it has more to do than one round took. */
static void run(PlCtlServer *s) {
        MHD_UNSIGNED_LONG_LONG msec = 0;

        s->again = false;
        (void)MHD_run(s->mhd);
        if (s->again)
                run_after(s, 0);
        else if (MHD_get_timeout(s->mhd, &msec) == MHD_YES)
                run_after(s, msec * PL_USEC_PER_MSEC);
        else
                (void)sd_event_source_set_enabled(s->mhd_timer, SD_EVENT_OFF);
        arm_deadline(s);
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        pl_loop_doing("questions of the control socket");
        run(userdata);
        return 0;
}

static int on_mhd_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        run(userdata);
        return 0;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata) {
        PlCtlServer *s = userdata;
        Peer *peer;

        while ((peer = TAILQ_FIRST(&s->queue)) && peer->deadline_usec <= usec) {
                TAILQ_REMOVE(&s->queue, peer, link);
                peer->timed = false;
                (void)shutdown(peer->fd, SHUT_RDWR); /* MHD sees the end of the connection */
        }
        run(s);
        return 0;
}

/* decode_name() does it, segment by segment: MHD would turn %2f into a slash before the split. */
static size_t leave_escaped(void *userdata, struct MHD_Connection *connection, char *s) {
        return strlen(s);
}

static int start_mhd(PlCtlServer *s, int fd) {
        s->mhd = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
                                  on_request, s, MHD_OPTION_LISTEN_SOCKET, fd,
                                  MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
                                  MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
                                  MHD_OPTION_CONNECTION_TIMEOUT, 0U, MHD_OPTION_NOTIFY_CONNECTION,
                                  on_connection, s, MHD_OPTION_NOTIFY_COMPLETED, on_completed, s,
                                  MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, s, MHD_OPTION_END);
        return s->mhd ? 0 : -EIO;
}

static int add_sources(PlCtlServer *s) {
        const union MHD_DaemonInfo *info = MHD_get_daemon_info(s->mhd, MHD_DAEMON_INFO_EPOLL_FD);
        int r;

        if (!info)
                return -EIO;
        if ((r = sd_event_add_io(s->event, &s->io, info->epoll_fd, EPOLLIN, on_readable, s)) < 0 ||
            (r = sd_event_add_time(s->event, &s->mhd_timer, CLOCK_MONOTONIC, 0, 1, on_mhd_timer,
                                   s)) < 0 ||
            (r = sd_event_source_set_enabled(s->mhd_timer, SD_EVENT_OFF)) < 0 ||
            (r = sd_event_add_time(s->event, &s->page_timer, CLOCK_MONOTONIC, 0, PL_USEC_PER_SEC,
                                   on_page_timer, s)) < 0 ||
            (r = sd_event_source_set_enabled(s->page_timer, SD_EVENT_OFF)) < 0 ||
            (r = sd_event_add_time(s->event, &s->deadline_timer, CLOCK_MONOTONIC, 0,
                                   PL_USEC_PER_SEC, on_deadline, s)) < 0)
                return r;
        return sd_event_source_set_enabled(s->deadline_timer, SD_EVENT_OFF);
}

int pl_ctl_server_new(sd_event *event, int listen_fd, const PlCtlEndpoint *endpoints,
                      void *userdata, PlCtlServer **ret) {
        _cleanup_(pl_ctl_server_freep) PlCtlServer *s = calloc(1, sizeof *s);
        int r;

        if (!s)
                return -ENOMEM;
        s->event = sd_event_ref(event);
        s->endpoints = endpoints;
        s->userdata = userdata;
        s->timeout_usec = REQUEST_TIMEOUT;
        TAILQ_INIT(&s->queue);
        LIST_INIT(&s->pending);
        LIST_INIT(&s->peers);
        if ((r = streams_new(event, on_resumed, s, &s->streams)) < 0)
                return r;

        /* MHD closes what it is given, on some of its failures too: it gets a copy */
        int copy = fcntl(listen_fd, F_DUPFD_CLOEXEC, 3);
        if (copy < 0)
                return -errno;
        if ((r = start_mhd(s, copy)) < 0 || (r = add_sources(s)) < 0)
                return r;

        (void)close(listen_fd);
        *ret = TAKE_PTR(s);
        return 0;
}

PlCtlServer *pl_ctl_server_free(PlCtlServer *s) {
        PlCtlPending *pending;
        bool busy;

        if (!s)
                return NULL;
        if (s->mhd) {
                /* MHD must not be stopped while a connection is suspended */
                streams_close(s->streams);
                busy = LIST_FIRST(&s->pending) || streams_count(s->streams) > 0;
                while ((pending = LIST_FIRST(&s->pending)))
                        take_reply(pending, MHD_HTTP_SERVICE_UNAVAILABLE,
                                   pl_ctl_problem("plimsolld is ending", "ask again when it runs"));
                for (int i = 0; i < CLOSING_ROUNDS && busy; i++)
                        (void)MHD_run(s->mhd);
                (void)on_page_timer(NULL, 0, s);
                MHD_stop_daemon(s->mhd);
        }
        sd_event_source_disable_unref(s->io);
        sd_event_source_disable_unref(s->mhd_timer);
        sd_event_source_disable_unref(s->deadline_timer);
        sd_event_source_disable_unref(s->page_timer);
        streams_free(s->streams);
        sd_event_unref(s->event);
        free(s);
        return NULL;
}

void pl_ctl_server_set_guard(PlCtlServer *s, bool (*allowed)(void *userdata, const char *host)) {
        s->allowed = allowed;
}

void pl_ctl_server_set_timeout(PlCtlServer *s, uint64_t usec) {
        s->timeout_usec = usec;
}

bool pl_ctl_server_has_listeners(const PlCtlServer *s) {
        return s && streams_count(s->streams) > 0;
}

void pl_ctl_server_publish(PlCtlServer *s, json_t *entry) {
        if (!pl_ctl_server_has_listeners(s))
                return;
        _cleanup_free_ char *line = json_dumps(entry, JSON_COMPACT);
        if (!line)
                return;
        size_t size = strlen(line);
        line[size++] = '\n';
        streams_publish(s->streams, line, size);
}
