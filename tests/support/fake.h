/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Fake: the fake engine as a child of a test, and a loop that runs until something is true.
 *
 * Failures end the test (Check). The child dies with the test, whatever happens to it.
 */

#include <jansson.h>
#include <systemd/sd-event.h>

#include "lib/base/macro.h"

typedef struct Fake {
        char dir[32], path[48], url[64]; /* a directory of its own, the socket in it */
        pid_t pid;
} Fake;

void fake_init(Fake *f);                           /* the directory, nothing in it */
void fake_start(Fake *f, const char *const *args); /* returns when it answers; args may be NULL */
void fake_kill(Fake *f, int signal);               /* and reap; the socket file stays */
void fake_deinit(Fake *f);

/** fake_tell() - POST /_fake, synchronously, whatever the loop does. Return: its answer. */
json_t *fake_tell(const Fake *f, const char *format, ...) PL_PRINTF(2, 3);
/** fake_do() - the same; fails the test unless the answer is ok. */
void fake_do(const Fake *f, const char *format, ...) PL_PRINTF(2, 3);

/** run_until() - run the loop until *flag is at least n, or the time is over.
 * Return: is it? */
bool run_until(sd_event *event, const unsigned *flag, unsigned n, uint64_t timeout_usec);
void run_for(sd_event *event, uint64_t usec);
