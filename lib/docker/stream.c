/* SPDX-License-Identifier: Apache-2.0 */

/* Stream: see the header. */

#include "lib/docker/stream.h"

#include <errno.h>

/* Kept between events; a burst's buffer is given back. */
#define BUFFER_KEPT KIB(4)

/* Lines are longer only where somebody has put much into labels. */
#define TRIM_ABOVE KIB(16)

void pl_event_stream_deinit(PlEventStream *s) {
        free(s->data);
        *s = (PlEventStream){};
}

static void release(PlEventStream *s) {
        free(TAKE_PTR(s->data));
        s->size = s->allocated = 0;
}

void pl_event_stream_reset(PlEventStream *s) {
        release(s);
        s->skipping = s->damaged = false;
        s->trimmed = 0;
}

int pl_event_stream_feed(PlEventStream *s, const char *data, size_t size) {
        if (s->skipping) {
                const char *end = memchr(data, '\n', size);

                if (!end)
                        return 0;
                s->skipping = false;
                size -= (size_t)(end + 1 - data);
                data = end + 1;
        }
        if (size > PL_EVENT_STREAM_MAX - s->size)
                return -ENOBUFS;
        if (size > s->allocated - s->size) {
                size_t wanted = PL_MAX(s->allocated, BUFFER_KEPT);
                char *p;

                while (wanted < s->size + size)
                        wanted *= 2;
                p = realloc(s->data, wanted);
                if (!p)
                        return -ENOMEM;
                s->data = p;
                s->allocated = wanted;
        }
        if (size > 0)
                memcpy(s->data + s->size, data, size);
        s->size += size;
        return 0;
}

/* FNV-1a, 64 bits; time is compared in full beside it. */
static uint64_t hash_event(const PlEvent *e) {
        uint64_t h = UINT64_C(0xcbf29ce484222325);

        for (const char *p = e->id; *p; p++)
                h = (h ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
        h = (h ^ (unsigned)e->action) * UINT64_C(0x100000001b3);
        return (h ^ (unsigned)e->health) * UINT64_C(0x100000001b3);
}

static bool is_new(PlEventStream *s, const PlEvent *e) {
        uint64_t hash = hash_event(e);

        if (e->time_nsec == 0)
                return true; /* nothing to tell it from another one by */
        for (size_t i = 0; i < PL_MIN(s->n_seen, (size_t)PL_EVENT_STREAM_SEEN); i++)
                if (s->seen[i].time_nsec == e->time_nsec && s->seen[i].hash == hash)
                        return false;
        s->seen[s->n_seen % PL_EVENT_STREAM_SEEN].time_nsec = e->time_nsec;
        s->seen[s->n_seen % PL_EVENT_STREAM_SEEN].hash = hash;
        s->n_seen++;
        return true;
}

typedef enum Source {
        TOLD,       /* by the stream, and so was everything before it */
        REMEMBERED, /* asked for */
        AGAIN,      /* … although it may have been told, when nobody knew the container yet */
} Source;

/* Says who did something to it. */
static bool is_evidence(PlEventAction a) {
        return a == PL_EVENT_KILL || a == PL_EVENT_STOP || a == PL_EVENT_DIE ||
               a == PL_EVENT_PAUSE || a == PL_EVENT_UNPAUSE;
}

/* Return: false when the handler has said so. */
static bool dispatch_event(PlEventStream *s, PlEvent *e, Source source, PlEventHandler handler,
                           void *userdata) {
        bool go_on;

        e->late = source != TOLD || e->time_nsec < s->asked_nsec;
        if (source == TOLD)
                s->last_nsec = PL_MAX(s->last_nsec, e->time_nsec);
        go_on = (!is_new(s, e) && !(source == AGAIN && is_evidence(e->action))) ||
                handler(userdata, e);
        pl_event_deinit(e);
        return go_on;
}

/* The line that lies first in the buffer, or has just come. @size: what there is of it. Return:
 * what is left. */
static size_t trim_line(PlEventStream *s, char *line, size_t size) {
        if (s->trimmed == 0 && size <= TRIM_ABOVE)
                return size;
        if (s->trimmed == 0)
                s->trim = (PlTrim){ 0 };
        return s->trimmed = pl_trim(&s->trim, line, s->trimmed, size);
}

static bool dispatch_line(PlEventStream *s, const char *line, size_t size, PlEventHandler handler,
                          void *userdata) {
        PlEvent e;
        int r;

        if (size > 0 && line[size - 1] == '\r')
                size--;
        if (size == 0)
                return true;
        r = size > PL_DOCKER_RECORD_MAX ? -EMSGSIZE : pl_docker_parse_event(line, size, &e);
        if (r == -ENOMSG)
                return true;
        if (r < 0) {
                s->damaged = true;
                return true;
        }
        return dispatch_event(s, &e, TOLD, handler, userdata);
}

bool pl_event_stream_dispatch(PlEventStream *s, PlEventHandler handler, void *userdata) {
        size_t begin = 0;

        while (s->size > 0) {
                char *line = s->data + begin;
                const char *end = begin < s->size ? memchr(line, '\n', s->size - begin) : NULL;
                size_t n;

                if (!end)
                        break;
                begin += (size_t)(end + 1 - line);
                n = trim_line(s, line, (size_t)(end - line));
                s->trimmed = 0;
                if (!dispatch_line(s, line, n, handler, userdata))
                        return false;
        }

        if (begin < s->size)
                s->size = begin + trim_line(s, s->data + begin, s->size - begin);
        if (s->size - begin > PL_DOCKER_RECORD_MAX) {
                s->skipping = s->damaged = true;
                s->trimmed = 0;
                begin = s->size;
        }
        if (begin > 0) {
                s->size -= begin;
                memmove(s->data, s->data + begin, s->size);
        }
        if (s->size == 0 && s->allocated > BUFFER_KEPT)
                release(s);
        return true;
}

void pl_event_stream_recall(PlEventStream *s, char *data, size_t size, const char *id, bool again,
                            PlEventHandler handler, void *userdata) {
        const char *end = data + size, *line_end;
        PlEvent event;

        for (char *p = data; p < end; p += line_end + 1 - p) {
                PlTrim trim = { 0 };
                size_t n;

                line_end = memchr(p, '\n', (size_t)(end - p));
                if (!line_end)
                        break;
                n = (size_t)(line_end - p);
                if (n > TRIM_ABOVE)
                        n = pl_trim(&trim, p, 0, n);
                if (n > PL_DOCKER_RECORD_MAX || pl_docker_parse_event(p, n, &event) < 0)
                        continue;
                if (!pl_streq(event.id, id))
                        pl_event_deinit(&event);
                else if (!dispatch_event(s, &event, again ? AGAIN : REMEMBERED, handler, userdata))
                        break;
        }
}
