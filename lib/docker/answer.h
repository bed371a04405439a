/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Answers: what the Engine API says, as values: versions, lists, inspections, events, errors.
 *
 * All answers are treated as hostile: missing, mistyped and huge members give a clear error or a
 * safe default, never a crash. Unknown members are ignored. Sources: Docker Engine API 1.24-1.52
 * reference; Podman's compatible API where noted.
 */

#include <sys/types.h>

#include "lib/base/id.h"
#include "lib/base/macro.h"
#include "lib/docker/container.h"

/* More is refused. */
#define PL_DOCKER_BODY_MAX MIB(16) /* a list of thousands */
#define PL_DOCKER_ONE_MAX  MIB(4)  /* of one container */

typedef struct PlApiVersion {
        unsigned major, minor;
} PlApiVersion;

/* The highest version these parsers were tested with; a newer engine is asked to speak this one. */
#define PL_DOCKER_API_TESTED ((PlApiVersion){ 1, 52 })
#define PL_DOCKER_API_MIN    ((PlApiVersion){ 1, 24 })

typedef struct PlEngineInfo {
        char version[129];             /* "20.10.24+dfsg1"; cut */
        PlApiVersion api_min, api_max; /* what it offers */
        PlApiVersion api;              /* the one to speak; 0.0: there is none that both know */
        bool podman;                   /* Components[].Name says "Podman Engine" */
        pid_t pid;                     /* its process; 0: not known. Not of the answer */
        char identity[PL_ENGINE_IDENTITY_MAX]; /* which one it is; not of the answer, either */
        bool no_scopes; /* it makes its containers' groups itself, and no scopes of systemd's; of
                         * GET /info */
} PlEngineInfo;

/** pl_docker_parse_version() - body of GET /version. Return: 0, -EBADMSG, -ENOMEM. */
int pl_docker_parse_version(const char *body, size_t size, PlEngineInfo *ret);

/* Where the engine keeps its data, and who makes its groups, of GET /info. */
typedef struct PlEngineRoot {
        bool no_scopes;  /* CgroupDriver is "cgroupfs" */
        char id[128];    /* "ABCD:EFGH:…", a UUID; "": none */
        char path[4096]; /* DockerRootDir; "": none */
        bool found;      /* by the caller, who has looked: */
        dev_t dev;       /* the device that it is on */
        ino_t ino;
} PlEngineRoot;

/** pl_docker_parse_info() - body of GET /info. Return: 0, -EBADMSG, -ENOMEM. */
int pl_docker_parse_info(const char *body, size_t size, PlEngineRoot *ret);

/**
 * pl_docker_identity() - which engine it is, whatever the path to its socket
 *
 * The ID alone is not enough: engines before 23 take it from /etc/docker/key.json, which all of a
 * host share (moby, daemon/daemon.go of 20.10), and Podman makes a new one for each answer. The
 * data directory is one engine's alone.
 *
 * Return: whether anything is known.
 */
bool pl_docker_identity(const PlEngineRoot *root, bool podman,
                        char ret[static PL_ENGINE_IDENTITY_MAX]);

/** pl_docker_parse_list() - body of GET /containers/json: the ids.
 * @ret_ids: array of n 64-digit ids, one block, owned by the caller
 * Return: 0, -EBADMSG, -ENOMEM. */
int pl_docker_parse_list(const char *body, size_t size, char (**ret_ids)[PL_ID_MAX], size_t *ret_n);

/** pl_docker_parse_error() - {"message": …} of an error answer, escaped and bounded.
 * Return: owned by the caller, NULL when there is none. */
char *pl_docker_parse_error(const char *body, size_t size);

/** pl_docker_parse_warnings() - {"Warnings": […]} of an update's answer, joined, escaped and
 * bounded. Return: owned by the caller, NULL when there are none. */
char *pl_docker_parse_warnings(const char *body, size_t size);

typedef struct PlNetworkInfo {
        char id[PL_ID_MAX], name[PL_ID_MAX]; /* cut; Podman calls a network by its name */
        bool apart; /* its driver leaves the host without a way to its containers */
} PlNetworkInfo;

/** pl_docker_parse_networks() - body of GET /networks. @ret: array of n, owned by the caller.
 * Return: 0, -EBADMSG, -ENOMEM. */
int pl_docker_parse_networks(const char *body, size_t size, PlNetworkInfo **ret, size_t *ret_n);

/* --- one container --- */

/* Limits on what is kept of one container; more is cut (labels, mounts …). */
#define PL_DOCKER_LABELS_MAX 128
#define PL_DOCKER_STRING_MAX 4096

/** pl_docker_parse_inspect() - body of GET /containers/{id}/json. Return: 0, -EBADMSG, -ENOMEM. */
int pl_docker_parse_inspect(const char *body, size_t size, PlContainer **ret);

/** pl_docker_parse_image() - body of GET /images/{id}/json: its labels, and nothing else of it.
 * Return: 0, -EBADMSG, -ENOMEM. */
int pl_docker_parse_image(const char *body, size_t size, PlContainer **ret);

/** pl_docker_parse_environment() - Config.Env of the same body: "NAME=value" each, with all the
 * secrets in it. For a moment, never to be kept. @ret: NULL terminated, owned by the caller, who
 * wipes it. Return: 0, -EBADMSG, -ENOMEM. */
int pl_docker_parse_environment(const char *body, size_t size, char ***ret);

/* --- changes --- */

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
        PL_EVENT_NETWORK, /* it was connected to a network, or disconnected; nothing else is filled
                           */
        _PL_EVENT_N,
} PlEventAction;

typedef struct PlEvent {
        PlEventAction action;
        char id[PL_ID_MAX];
        uint64_t time_nsec;    /* timeNano, CLOCK_REALTIME */
        bool late;             /* it was over before anybody asked for events */
        int exit_code;         /* die; -1: none */
        int signal;            /* kill; 0: none */
        PlDockerHealth health; /* health_status */
        char name[256];        /* Actor.Attributes.name, cut; empty: none */
        /* create: the container with the name, image and labels of the event; else NULL. It is
         * enough to match a policy: an inspection may have to wait, because the engine holds the
         * container's lock while it starts it. */
        PlContainer *born;
} PlEvent;

void pl_event_deinit(PlEvent *e);

/** pl_docker_parse_event() - one line of GET /events: of a container, or of a network that gets or
 * loses one. @ret: pl_event_deinit() it.
 * Return: 0, -EBADMSG, -ENOMEM; -ENOMSG for an event that does not concern a container. */
int pl_docker_parse_event(const char *line, size_t size, PlEvent *ret);
