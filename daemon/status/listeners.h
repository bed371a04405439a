/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Listeners: metrics for everybody who reaches an address of MetricsListen=.
 *
 * What is served there is for reading, and for all: nothing of the control socket but metrics.
 */

#include "status/endpoints.h"

typedef struct PlListeners PlListeners;

/** pl_listeners_new() - @endpoints: borrowed, outlives them. Return: 0, -ENOMEM, -errno. */
int pl_listeners_new(sd_event *event, const PlEndpoints *endpoints, PlListeners **ret);
PlListeners *pl_listeners_free(PlListeners *l);
PL_DEFINE_CLEANUP(PlListeners *, pl_listeners_free)

/** pl_listeners_look() - the policy may have other addresses by now, or one may be free that was
 * not. Those that stay are not disturbed. What cannot be listened on is told, once. */
void pl_listeners_look(PlListeners *l);
