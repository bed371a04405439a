/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Conversation: the document of a probe that somebody asked for, or of why there is none.
 */

#include <jansson.h>

#include "lib/policy/document.h"
#include "lib/probe/trace.h"
#include "lib/probe/verdict.h"

/* All borrowed for the call. */
typedef struct PlConversation {
        const char *id, *name, *service; /* service NULL: none governs it */
        PlProbeKind kind;
        const PlVerdict *verdict;
        uint64_t took_usec;
        const PlTrace *trace;
        const PlSecrets *secrets; /* NULL: they are not known */
        const char *why, *remedy; /* not probed: why, and what could be set; verdict is NULL */
} PlConversation;

/** pl_conversation() - Return: new reference, NULL: out of memory. */
json_t *pl_conversation(const PlConversation *c);

#define PL_UNPROBED_MAX 256

/**
 * pl_unprobed() - why a container has no probe, and what could be set
 * @s:    what governs it, or NULL
 * @known: what whoever sets up probes says of it, or NULL
 * @why, @remedy: one line each
 */
void pl_unprobed(const PlContainer *c, const PlService *s, const char *known,
                 char why[static PL_UNPROBED_MAX], char remedy[static PL_UNPROBED_MAX]);
