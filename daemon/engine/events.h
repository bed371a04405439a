/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Engine events: the bytes of GET /events to events, each once.
 *
 * Feeding and dispatching are apart, because bytes arrive inside libcurl's callbacks, where
 * handlers must not run. Knows no socket and no clock.
 */

#include "lib/docker/event.h"

/* Unread bytes that are kept at most; libcurl hands over 1.6 MB at once at most. */
#define PL_EVENT_STREAM_MAX MIB(8)

/* What the engine's ring holds, doubled: more cannot come twice. */
#define PL_EVENT_STREAM_SEEN 512

typedef struct PlEventStream {
        char *data;
        size_t size, allocated;
        bool skipping; /* inside a line that is too long */
        bool damaged;  /* a line was skipped or could not be read */
        struct {
                uint64_t time_nsec, hash;
        } seen[PL_EVENT_STREAM_SEEN];
        size_t n_seen;
        uint64_t last_nsec; /* latest timeNano, for since= */
} PlEventStream;

void pl_event_stream_deinit(PlEventStream *s);

/** pl_event_stream_reset() - a new connection: drop what is half read, remember what was seen. */
void pl_event_stream_reset(PlEventStream *s);

/** pl_event_stream_feed() - keep bytes. Return: 0, -ENOMEM, -ENOBUFS above PL_EVENT_STREAM_MAX. */
int pl_event_stream_feed(PlEventStream *s, const char *data, size_t size);

/**
 * pl_event_stream_dispatch() - hand out every complete line that is a new event of a container
 * @handler: Return: false to stop at once; the stream is not touched any more then
 *
 * Return: false when a handler has said so. Lines that are no events and lines longer than
 * PL_DOCKER_RECORD_MAX are skipped and set s->damaged: something may have been missed.
 */
bool pl_event_stream_dispatch(PlEventStream *s, bool (*handler)(void *userdata, PlEvent *e),
                              void *userdata);
