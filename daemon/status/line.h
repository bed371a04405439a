/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Status line: what `systemctl status` shows, READY=1 after the first full look, and the watchdog's
 * ping while the loop and its ticks really run.
 */

#include "status/sources.h"

typedef struct PlStatusLine PlStatusLine;

/** pl_status_line_new() - @from: borrowed, must outlive it. Return: 0, -ENOMEM, -errno. */
int pl_status_line_new(sd_event *event, const PlSources *from, PlStatusLine **ret);
PlStatusLine *pl_status_line_free(PlStatusLine *l); /* returns NULL */

/** pl_status_line_refresh() - soon, once for many calls. */
void pl_status_line_refresh(PlStatusLine *l);

/** pl_status_line_stop() - send nothing more. */
void pl_status_line_stop(PlStatusLine *l);
