/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Stream: the bytes of GET /events are cut into lines, and the lines cut down to events that are
 * new.
 *
 * An engine that is asked for events since some time sends again what it sent before, so each is
 * remembered by (timeNano, Action, Actor.ID) for as long as the engine itself remembers it. Feeding
 * and dispatching are apart, because bytes arrive where handlers must not run.
 */

#include "lib/docker/answer.h"
#include "lib/docker/trim.h"

/* Unread bytes that are kept at most; libcurl hands over 1.6 MB at once at most. */
#define PL_EVENT_STREAM_MAX MIB(8)

/* What the engine's ring holds, and much more: what was told for one container is asked for again
 * before it is restarted. */
#define PL_EVENT_STREAM_SEEN 2048

typedef struct PlEventStream {
        char *data;
        size_t size, allocated;
        bool skipping;  /* inside a line that is too long */
        PlTrim trim;    /* of the line that has not ended yet … */
        size_t trimmed; /* … as far as it was trimmed; 0: not at all, for it is short */
        bool damaged;   /* a line was skipped or could not be read */
        struct {
                uint64_t time_nsec, hash;
        } seen[PL_EVENT_STREAM_SEEN];
        size_t n_seen;
        uint64_t last_nsec;  /* latest timeNano, for since= */
        uint64_t asked_nsec; /* when events were asked for, CLOCK_REALTIME */
} PlEventStream;

/* Return: false to stop at once; the stream is not touched any more then. */
typedef bool (*PlEventHandler)(void *userdata, PlEvent *event);

void pl_event_stream_deinit(PlEventStream *s);

/** pl_event_stream_reset() - a new connection: drop what is half read, remember what was seen. */
void pl_event_stream_reset(PlEventStream *s);

/** pl_event_stream_feed() - keep bytes. Return: 0, -ENOMEM, -ENOBUFS above PL_EVENT_STREAM_MAX. */
int pl_event_stream_feed(PlEventStream *s, const char *data, size_t size);

/**
 * pl_event_stream_dispatch() - hand out every complete line that is a new event of a container
 *
 * Return: false when a handler has said so. Lines that are no events and lines that, trimmed, are
 * longer than PL_DOCKER_RECORD_MAX are skipped and set s->damaged: something may have been missed.
 */
bool pl_event_stream_dispatch(PlEventStream *s, PlEventHandler handler, void *userdata);

/**
 * pl_event_stream_recall() - hand out what was asked for, of one container, and is new
 * @data:  complete lines, as the stream has them; they are cut down in place
 * @again: what says who did something is told although it may have been told, when nobody knew
 *         the container yet
 */
void pl_event_stream_recall(PlEventStream *s, char *data, size_t size, const char *id, bool again,
                            PlEventHandler handler, void *userdata);
