/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Engine events: a buffer of bytes, cut into lines, cut down to events that are new.
 *
 * An engine that is asked for events since some time sends again what it sent before, so each is
 * remembered by (timeNano, Action, Actor.ID) for as long as the engine itself remembers it.
 */

#include "engine/events.h"

#include <errno.h>

/* Kept between events; a burst's buffer is given back. */
#define BUFFER_KEPT KIB(4)

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
        s->last_nsec = PL_MAX(s->last_nsec, e->time_nsec);
        return true;
}

static bool dispatch_line(PlEventStream *s, const char *line, size_t size,
                          bool (*handler)(void *, PlEvent *), void *userdata) {
        PlEvent e;
        bool go_on;
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
        go_on = !is_new(s, &e) || handler(userdata, &e);
        pl_event_deinit(&e);
        return go_on;
}

bool pl_event_stream_dispatch(PlEventStream *s, bool (*handler)(void *, PlEvent *),
                              void *userdata) {
        size_t begin = 0;

        for (;;) {
                const char *line = s->data + begin,
                           *end = begin < s->size ? memchr(line, '\n', s->size - begin) : NULL;

                if (!end)
                        break;
                begin += (size_t)(end + 1 - line);
                if (!dispatch_line(s, line, (size_t)(end - line), handler, userdata))
                        return false;
        }

        if (s->size - begin > PL_DOCKER_RECORD_MAX) {
                s->skipping = s->damaged = true;
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
