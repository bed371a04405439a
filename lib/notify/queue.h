/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Queue: what one [Notify] section has still to be told, and how far the sender has got with it.
 *
 * Two documents on disk, each with one writer. The queue is plimsolld's: the section, and its
 * events, whose numbers only grow. The progress is plimsoll-notify's: up to which number it has
 * sent, and what came of the last try. So neither has to wait for the other, a crash of either
 * leaves both whole, and who sends over a network cannot change what is to be sent.
 *
 * A queue is bounded; what does not fit any more is the oldest, and is counted, and the next
 * message says how many there were. Pure.
 */

#include "lib/notify/section.h"

#define PL_NOTIFY_EVENTS_MAX   256
#define PL_NOTIFY_BYTES_MAX    KIB(128) /* of their texts */
#define PL_NOTIFY_TEXT_MAX     1024     /* of one; the rest is cut */
#define PL_NOTIFY_TROUBLES_MAX 256
#define PL_NOTIFY_FILE_MAX     MIB(1) /* of a document */
#define PL_NOTIFY_VERSION      1
#define PL_NOTIFY_ID_MAX       17
#define PL_NOTIFY_REASON_MAX   320

/* After a message so long nothing is sent, and what comes meanwhile is the next one. */
#define PL_NOTIFY_INTERVAL_USEC (30 * PL_USEC_PER_SEC)
/* After a failure: doubling, half of it random. */
#define PL_NOTIFY_RETRY_USEC     (10 * PL_USEC_PER_SEC)
#define PL_NOTIFY_RETRY_MAX_USEC PL_USEC_PER_HOUR
/* The most that a server's Retry-After is heeded. */
#define PL_NOTIFY_RETRY_AFTER_MAX_USEC PL_USEC_PER_DAY
/* What a server has refused so often will not be taken later either. */
#define PL_NOTIFY_REFUSALS_MAX 5

/* Strings are owned; NULL: none. */
typedef struct PlNotifyEvent {
        uint64_t id;   /* greater than any before it, of this queue */
        uint64_t usec; /* CLOCK_REALTIME, when it happened; of several the last */
        PlNotifyKind kind;
        unsigned times; /* how often, where it was held back; 1: once */
        char *service, *container, *text;
} PlNotifyEvent;

/** pl_notify_event_new() - @text: escaped and cut. Return: NULL: out of memory. */
PlNotifyEvent *pl_notify_event_new(PlNotifyKind kind, uint64_t usec, const char *service,
                                   const char *container, const char *text);
PlNotifyEvent *pl_notify_event_free(PlNotifyEvent *e); /* returns NULL */
PL_DEFINE_CLEANUP(PlNotifyEvent *, pl_notify_event_free)

typedef struct PlNotifyQueue {
        char id[PL_NOTIFY_ID_MAX]; /* of this queue: numbers of another one mean nothing */
        char *host;
        uint64_t last_id; /* the greatest that was given */
        uint64_t dropped; /* ever */
        uint64_t test_id; /* of the last test that was asked for; 0: none ever */
        PlNotifyEvent *events[PL_NOTIFY_EVENTS_MAX]; /* oldest first */
        size_t n, bytes;
        char **troubles; /* who was told to be in trouble, and not yet to be well */
} PlNotifyQueue;

/** pl_notify_queue_new() - @id: random, 16 hex digits. Return: NULL: out of memory. */
PlNotifyQueue *pl_notify_queue_new(const char *id, const char *host);
PlNotifyQueue *pl_notify_queue_free(PlNotifyQueue *q); /* returns NULL */
PL_DEFINE_CLEANUP(PlNotifyQueue *, pl_notify_queue_free)

/** pl_notify_queue_push() - gives it its number. @stolen: ownership passes. Return: how many were
 * dropped for it. */
unsigned pl_notify_queue_push(PlNotifyQueue *q, PlNotifyEvent *stolen);

/** pl_notify_queue_format() - @s: whose it is. Return: 0 and *ret, owned by the caller; -ENOMEM. */
int pl_notify_queue_format(const PlNotifyQueue *q, const PlNotifySection *s, char **ret);

/** pl_notify_queue_parse() - Return: 0 and both, owned by the caller; -EBADMSG; -EOPNOTSUPP: of a
 * later version; -ENOMEM. */
int pl_notify_queue_parse(const char *text, size_t size, PlNotifyQueue **ret,
                          PlNotifySection **ret_section);

/* What came of one try. */
typedef enum PlNotifyResult {
        PL_NOTIFY_SENT,
        PL_NOTIFY_LATER,   /* not taken */
        PL_NOTIFY_UNSURE,  /* nobody knows whether it was taken */
        PL_NOTIFY_REFUSED, /* the message itself is not to its liking */
} PlNotifyResult;

typedef struct PlNotifyOutcome {
        PlNotifyResult result;
        uint64_t retry_after_usec;         /* the server's wish; 0: none */
        char reason[PL_NOTIFY_REASON_MAX]; /* no secret in it; "": it was taken */
} PlNotifyOutcome;

/* How far a sender has got; zeroed: nowhere. */
typedef struct PlNotifyProgress {
        char id[PL_NOTIFY_ID_MAX]; /* of the queue that all of this is about */
        uint64_t acked;            /* the last number that needs no sending any more */
        uint64_t lost;             /* refused for good, and not told yet */
        uint64_t sent_usec;        /* CLOCK_REALTIME, of the last that was taken; 0: none ever */
        uint64_t tried_usec, retry_usec, failing_usec; /* …; 0: it does not fail */
        unsigned failures, refusals;                   /* in a row */
        uint64_t unsure_id; /* up to this number it may have been taken already; 0: no doubt */
        char reason[PL_NOTIFY_REASON_MAX]; /* of the last try; "": it was taken */
        uint64_t test_id;                  /* the last test that was sent, or tried */
        char test_reason[PL_NOTIFY_REASON_MAX];
} PlNotifyProgress;

/** pl_notify_progress_format() - Return: owned by the caller; NULL: out of memory. */
char *pl_notify_progress_format(const PlNotifyProgress *p);
/** Return: 0; -EBADMSG: @ret is not written. */
int pl_notify_progress_parse(const char *text, size_t size, PlNotifyProgress *ret);

/** pl_notify_progress_claim() - what is known of another queue is forgotten. Where events of this
 * one must have been sent by somebody whose progress is lost, the rest may have been, too. */
void pl_notify_progress_claim(PlNotifyProgress *p, const PlNotifyQueue *q);

/** pl_notify_first() - index of the first event that is still to be sent; q->n: there is none. */
size_t pl_notify_first(const PlNotifyQueue *q, const PlNotifyProgress *p);

/** pl_notify_lost() - how many were dropped or refused, and nobody is told yet. Numbers have no
 * gaps, so those that are not there any more are known, also when the queue was cut meanwhile. */
uint64_t pl_notify_lost(const PlNotifyQueue *q, const PlNotifyProgress *p);

/** pl_notify_due() - when is the next message to be sent, tests aside?
 * Return: 0: there is nothing; CLOCK_REALTIME, now or earlier: now. */
uint64_t pl_notify_due(const PlNotifyQueue *q, const PlQuiet *quiet, const PlNotifyProgress *p,
                       uint64_t now_usec);

/** pl_notify_apply() - what came of sending all events up to @through, and of the count of those
 * that are lost. @random: any number. */
void pl_notify_apply(PlNotifyProgress *p, const PlNotifyQueue *q, uint64_t through,
                     const PlNotifyOutcome *o, uint64_t now_usec, uint64_t random);

/** pl_notify_queue_trim() - events that need no sending any more. Return: were there any? */
bool pl_notify_queue_trim(PlNotifyQueue *q, const PlNotifyProgress *p);

/** pl_notify_outcome() - what an answer means
 * @status: HTTP. @retry_after: the header's value; NULL: it had none
 * @now_usec: CLOCK_REALTIME, for one that is a date */
void pl_notify_outcome(long status, const char *retry_after, uint64_t now_usec,
                       PlNotifyOutcome *ret);
