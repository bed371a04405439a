/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Event: what the engine tells of a change, as a value.
 */

#include "lib/docker/container.h"

#define PL_DOCKER_RECORD_MAX KIB(256) /* one event line */

typedef enum PlEventAction {
        PL_EVENT_OTHER,
        PL_EVENT_CREATE,
        PL_EVENT_START,
        PL_EVENT_RESTART,
        PL_EVENT_UPDATE,
        PL_EVENT_RENAME,
        PL_EVENT_PAUSE,
        PL_EVENT_UNPAUSE,
        PL_EVENT_KILL,
        PL_EVENT_STOP,
        PL_EVENT_DIE, /* Podman: died */
        PL_EVENT_OOM,
        PL_EVENT_HEALTH_STATUS,
        PL_EVENT_DESTROY, /* Podman: remove */
        _PL_EVENT_N,
} PlEventAction;

typedef struct PlEvent {
        PlEventAction action;
        char id[PL_ID_MAX];
        uint64_t time_nsec;    /* timeNano, CLOCK_REALTIME */
        int exit_code;         /* die; -1: none */
        int signal;            /* kill; 0: none */
        PlDockerHealth health; /* health_status */
        char name[256];        /* Actor.Attributes.name, cut; empty: none */
        /* create: the container as far as the event tells it, which is name, image and labels; NULL
         * otherwise. A policy can be matched by it: an inspection may have to wait, because the
         * engine holds the container's lock while it starts it. */
        PlContainer *born;
} PlEvent;

void pl_event_deinit(PlEvent *e);

/** pl_docker_parse_event() - one line of GET /events. @ret: pl_event_deinit() it.
 * Return: 0, -EBADMSG, -ENOMEM; -ENOMSG for an event that does not concern a container. */
int pl_docker_parse_event(const char *line, size_t size, PlEvent *ret);
