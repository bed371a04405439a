/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Control streams: the clients of the event stream, and what they have not read yet.
 *
 * All clients share one backlog, so memory is bounded by its size and not by their number. A
 * client that falls behind by more than the backlog is cut off; nobody is ever waited for.
 */

#include <microhttpd.h>
#include <systemd/sd-event.h>

#include "lib/base/macro.h"

#define PL_CTL_STREAMS_MAX MIB(1) /* bytes of backlog */
#define PL_CTL_CLIENTS_MAX 64     /* streams at a time; requests need connections too */

typedef struct PlCtlStreams PlCtlStreams;

/** pl_ctl_streams_new()
 * @resumed: called whenever a connection has been resumed: without threads, MHD notices that only
 *           when it is run the next time. May be called from within MHD_run(), too.
 * Return: 0, -ENOMEM. */
int pl_ctl_streams_new(sd_event *event, void (*resumed)(void *userdata), void *userdata,
                       PlCtlStreams **ret);

/** pl_ctl_streams_free() - after MHD_stop_daemon(), which ends every response; returns NULL. */
PlCtlStreams *pl_ctl_streams_free(PlCtlStreams *s);
PL_DEFINE_CLEANUP(PlCtlStreams *, pl_ctl_streams_free)

/**
 * pl_ctl_streams_open() - a response whose body is everything published from now on
 * Return: 0 and *ret owned by the caller (queue it, then MHD_destroy_response()); -EUSERS when
 *         there are too many; -ENOMEM, -errno.
 */
int pl_ctl_streams_open(PlCtlStreams *s, struct MHD_Connection *connection,
                        struct MHD_Response **ret);

/** pl_ctl_streams_publish() - one line, newline included, to every client; copied. */
void pl_ctl_streams_publish(PlCtlStreams *s, const char *line, size_t size);

/** pl_ctl_streams_close() - end every stream in good order; MHD needs one more run to say so. */
void pl_ctl_streams_close(PlCtlStreams *s);

size_t pl_ctl_streams_count(const PlCtlStreams *s);
