/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Sender: reads the queues that plimsolld writes, and sends what is due. It is plimsoll-notify's,
 * blocks, and is never linked into the loop.
 */

#include "lib/base/macro.h"

typedef struct PlSenderOptions {
        const char *queue_dir;       /* plimsolld's: only read */
        const char *sent_dir;        /* ours: how far we have got */
        const char *credentials_dir; /* files with secrets */
        const char *ca_file;         /* NULL: the system's */
        uint64_t timeout_usec;       /* of one request */
        bool once;                   /* one round, and no wait for the next */
} PlSenderOptions;

/* It goes on while there is something to send within so long. */
#define PL_SENDER_LINGER_USEC PL_USEC_PER_MIN

/**
 * pl_sender_run()
 * Return: 0: what was due is sent; 1: some of it could not be, and waits (reported); -EBUSY:
 * another one is at work; -ENOMEM, -errno: the directories cannot be used (reported).
 */
int pl_sender_run(const PlSenderOptions *options);
