/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Control routes: from a raw request target to what is asked for.
 *
 * Knows no HTTP library and does no I/O. Targets come from anybody who may open the socket, so
 * they are decoded segment by segment after splitting: a name can never grow a slash.
 */

#include "lib/base/macro.h"

typedef enum PlCtlAction {
        PL_CTL_STATUS,
        PL_CTL_CONTAINER,
        PL_CTL_FINDINGS,
        PL_CTL_EVENTS,
        PL_CTL_RELOAD,
        PL_CTL_ROTATE,
} PlCtlAction;

/* A container's or a service's name; Docker's own are shorter. */
#define PL_CTL_NAME_MAX 256

typedef struct PlCtlRoute {
        PlCtlAction action;
        const char *allow;          /* methods, as in the Allow header */
        char name[PL_CTL_NAME_MAX]; /* decoded; empty: the route has none */
} PlCtlRoute;

/* What can be wrong with a request; positive, for the caller to answer with. */
enum {
        PL_CTL_E_NOT_FOUND = 1, /* no such route */
        PL_CTL_E_METHOD,        /* ret is filled: its allow says what would be right */
        PL_CTL_E_NAME,          /* the name is too long or holds what no name holds */
};

/**
 * pl_ctl_route() - @method: "GET"; @target: the raw path, still percent-encoded, without a query
 * Return: 0 and ret filled, or PL_CTL_E_*.
 */
int pl_ctl_route(const char *method, const char *target, PlCtlRoute *ret);
