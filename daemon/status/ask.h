/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Ask: a probe now, for somebody who wants to see the conversation.
 */

#include "control/server.h"
#include "status/sources.h"

typedef struct PlAsks PlAsks;

PlAsks *pl_asks_new(const PlSources *from); /* borrowed, must outlive it; NULL: out of memory */
/* When health and engine are gone, and with them everybody who may still answer; returns NULL. */
PlAsks *pl_asks_free(PlAsks *a);

/** pl_ask() - of an endpoint: answers later, or at once where there is no probe. Return: as
 * PlCtlEndpoint.answer. */
json_t *pl_ask(PlAsks *a, const PlSubject *s, const PlCtlRequest *q);

/** pl_ask_absent() - of a required service without a container: why there is nothing to ask. New
 * reference; NULL: it is none, or out of memory. */
json_t *pl_ask_absent(const PlSources *from, const char *service);
