/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Reporter: the one way in which anything that happens is told.
 *
 * An entry goes to the journal and to those who read the event stream of the control socket, in the
 * same words. It knows nobody who speaks; whoever stops an error reports it here, once.
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
        const PlLogField *fields; /* more of them, ended by a NULL name */
} PlEntry;

typedef struct PlReporter {
        PlCtlServer *stream;             /* borrowed; NULL: nobody can listen yet */
        void (*changed)(void *userdata); /* something that the status counts has changed */
        /* hears each entry as well; NULL: nobody does */
        void (*listen)(void *userdata, const PlEntry *entry, const char *text);
        void *userdata;
} PlReporter;

/**
 * pl_report() - one entry
 * @r:      NULL: the journal alone
 * @format: the text without the name of the container or service, which comes before it
 */
void pl_report(const PlReporter *r, const PlEntry *entry, const char *format, ...) PL_PRINTF(3, 4);

/** pl_reporter_changed() - the status line is to be looked at again, soon and once for many calls.
 */
void pl_reporter_changed(const PlReporter *r);
