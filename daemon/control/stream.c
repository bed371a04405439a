/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Control streams: one backlog, many readers, each with a position of its own.
 *
 * Positions count bytes since the start, so they never wrap in practice and a reader's lag is a
 * subtraction. libmicrohttpd does not look at a suspended connection, so a client that goes away
 * in a quiet hour would keep its place for ever: each stream watches its socket for a hang-up.
 */

#include "control/stream.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>

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

int pl_ctl_streams_new(sd_event *event, void (*resumed)(void *userdata), void *userdata,
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

PlCtlStreams *pl_ctl_streams_free(PlCtlStreams *s) {
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

size_t pl_ctl_streams_count(const PlCtlStreams *s) {
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

int pl_ctl_streams_open(PlCtlStreams *s, struct MHD_Connection *connection,
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

void pl_ctl_streams_publish(PlCtlStreams *s, const char *line, size_t size) {
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

void pl_ctl_streams_close(PlCtlStreams *s) {
        Stream *stream;

        s->closing = true;
        LIST_FOREACH(stream, &s->list, link)
        stream_wake(stream);
}
