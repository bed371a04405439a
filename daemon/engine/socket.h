/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Engine socket: when is it worth connecting again to an engine that went away?
 *
 * Watches the socket's directory (inotify), so that an engine that comes back is noticed at once,
 * and knows when not to knock: where systemd holds the socket of an engine that was stopped, a
 * connection would start it again against its administrator's will. Never connects itself.
 */

#include <sys/types.h>
#include <systemd/sd-event.h>

#include "lib/base/macro.h"

typedef struct PlEngineSocket PlEngineSocket;

/**
 * pl_engine_socket_new()
 * @path: of the socket, absolute
 * @changed: the socket or the engine's pid file has appeared or changed; only while watching
 * Return: 0 or -ENOMEM.
 */
int pl_engine_socket_new(sd_event *event, const char *path, void (*changed)(void *userdata),
                         void *userdata, PlEngineSocket **ret);
PlEngineSocket *pl_engine_socket_free(PlEngineSocket *s);
PL_DEFINE_CLEANUP(PlEngineSocket *, pl_engine_socket_free)

/** pl_engine_socket_watch() - from now on, or not any more; idempotent. A directory that does not
 * exist is awaited on its nearest existing ancestor. Without inotify the caller's retries must do.
 */
void pl_engine_socket_watch(PlEngineSocket *s, bool on);

/** pl_engine_socket_connected() - note who serves a connection that works.
 * @listener: pid that listens, 0: unknown
 * @activator: pid of the process that holds sockets for services: 1 */
void pl_engine_socket_connected(PlEngineSocket *s, pid_t listener, pid_t activator);

/** pl_engine_socket_may_knock() - Return: false while a connection would only make the activator
 * start an engine that somebody has stopped. */
bool pl_engine_socket_may_knock(PlEngineSocket *s);
