/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Outbox: what people are to be told, on its way to plimsoll-notify.
 *
 * Of each [Notify] section of the policy there is a queue, <state>/notify/NAME.json, that
 * plimsoll-notify(8) reads and sends. plimsolld itself opens no connection and sees no credential.
 * The loop never waits for the disk here: files are written by a thread, a second after something
 * happened, and while more happens every five; so a kill -9 loses those seconds. A stop writes
 * what there is.
 *
 * In a dry run nobody is told anything, and nothing is written.
 */

#include <jansson.h>

#include "registry/containers.h"

typedef struct PlOutbox PlOutbox;

/* Who starts plimsoll-notify. */
typedef struct PlOutboxOptions {
        const char *state_dir;
        /* where its unit keeps what it has sent; NULL: there is no unit, and plimsolld starts it */
        const char *unit_state_dir;
} PlOutboxOptions;

/** pl_outbox_new() - @registry: borrowed, must outlive it; its policy comes into force by
 * pl_outbox_set_policy(). Return: 0, -ENOMEM, -errno. */
int pl_outbox_new(PlRegistry *registry, const PlOutboxOptions *options, PlOutbox **ret);
PlOutbox *pl_outbox_free(PlOutbox *o); /* writes what is not written; returns NULL */

/** pl_outbox_set_policy() - that of the registry is another one. */
void pl_outbox_set_policy(PlOutbox *o);

/** pl_outbox_entry() - of the reporter. */
void pl_outbox_entry(PlOutbox *o, const PlEntry *entry, const char *text);

/** pl_outbox_test() - queue a message that says that it is a test. Return: 0 and its number;
 * -ENOENT: no such section; -EROFS: a dry run. */
int pl_outbox_test(PlOutbox *o, const char *section, uint64_t *ret_id);

/** pl_outbox_list() - each section, what waits, and what came of the last try. Return: new
 * reference; NULL: out of memory. */
json_t *pl_outbox_list(PlOutbox *o);

/** pl_outbox_finding() - the i-th section whose sending keeps failing: why, and what to do.
 * Return: owned by the caller; NULL: no more, or out of memory. */
char *pl_outbox_finding(PlOutbox *o, size_t i);
