/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Reporter: the one way to report anything that happens.
 *
 * An entry goes to the journal and to those who read the event stream of the control socket, in the
 * same words. It knows none of its callers. Whoever stops an error reports it here, once.
 */

#include "base/journal.h"
#include "control/server.h"

/* What an entry says besides its text. Everything is borrowed for the call; NULL: none. */
typedef struct PlEntry {
        int priority;
        const char *message_id; /* lib/base/message.h */
        const char *container_name, *container_id;
        const char *service;      /* the policy section's name */
        const char *reason;       /* PLIMSOLL_REASON= */
        const PlLogField *fields; /* more of them, ended by a NULL name; not of what is gathered */
        bool of_many;             /* the same may be true of many containers: told as one */
} PlEntry;

typedef struct PlReporter {
        /* holds back what is of_many; NULL: not. Return: false: it is to be told now */
        bool (*gather)(void *gatherer, const PlEntry *entry, const char *text);
        void *gatherer;
        PlCtlServer *stream;             /* borrowed; NULL: there is none yet */
        void (*changed)(void *userdata); /* something that the status line counts has changed */
        /* called for each entry as well; NULL: not */
        void (*listen)(void *userdata, const PlEntry *entry, const char *text);
        void *userdata;
} PlReporter;

/**
 * pl_report() - one entry
 * @r:      NULL: the journal alone
 * @format: the text without the name of the container or service, which comes before it
 */
void pl_report(const PlReporter *r, const PlEntry *entry, const char *format, ...) PL_PRINTF(3, 4);

/** pl_reporter_changed() - the status line has to be made again, soon, once for many calls. */
void pl_reporter_changed(const PlReporter *r);
