/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Message: events as one request, in the words and the escapes of a format.
 *
 * Names and texts come from containers. In each format they are data: they make no mention of
 * people, no link, no header and no member of a document. Pure.
 */

#include "lib/notify/queue.h"

#define PL_NOTIFY_LINES_MAX 20 /* events that a text for people shows; the rest is counted */

typedef struct PlNotifyBatch {
        const char *host, *section;
        PlNotifyEvent *const *events;
        size_t n;
        uint64_t lost;   /* that came before and are told by nobody */
        bool may_repeat; /* some of it may have been taken before */
} PlNotifyBatch;

typedef struct PlNotifyMessage {
        char *body;
        char **headers;   /* "Name: value"; NULL terminated */
        const char *path; /* to be added to the address; "" */
} PlNotifyMessage;

void pl_notify_message_deinit(PlNotifyMessage *m);

/**
 * pl_notify_message() - @token: for its header; NULL: none
 * Return: 0 and *ret, to be deinited; -EINVAL: the token cannot be in a header; -ENOMEM.
 */
int pl_notify_message(PlNotifyFormat format, const PlNotifyBatch *b, const char *token,
                      PlNotifyMessage *ret);
