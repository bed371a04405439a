/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Docker: the Engine API's JSON to values, and values to its JSON (jansson).
 *
 * Everything the engine says is treated as hostile: missing, mistyped and huge members give a
 * clear error or a safe default, never a crash. Unknown members are ignored. Sources: Docker
 * Engine API 1.24-1.52 reference; Podman's compatible API where noted.
 */

#include "lib/base/macro.h"
#include "lib/docker/container.h"

/* Limits on what is kept of one container; more is cut (labels, mounts …) or refused (body). */
#define PL_DOCKER_BODY_MAX   MIB(16)  /* a list of thousands */
#define PL_DOCKER_RECORD_MAX KIB(256) /* one event line */
#define PL_DOCKER_LABELS_MAX 128
#define PL_DOCKER_STRING_MAX 4096

/* CpuPeriod where HostConfig leaves it at 0 (kernel and engine default). */
#define PL_DOCKER_CPU_PERIOD_USEC UINT64_C(100000)

typedef struct PlApiVersion {
        unsigned major, minor;
} PlApiVersion;

/* The highest version these parsers were tested with; a newer engine is asked for this one. */
#define PL_DOCKER_API_TESTED ((PlApiVersion){ 1, 52 })
#define PL_DOCKER_API_MIN    ((PlApiVersion){ 1, 24 })

typedef struct PlEngineInfo {
        char *version; /* "20.10.24+dfsg1" */
        PlApiVersion api, api_min;
        bool podman; /* Components[].Name says "Podman Engine" */
} PlEngineInfo;

void pl_engine_info_deinit(PlEngineInfo *i);

/** pl_docker_parse_version() - body of GET /version. Return: 0, -EBADMSG, -ENOMEM. */
int pl_docker_parse_version(const char *body, size_t size, PlEngineInfo *ret);

/** pl_docker_negotiate() - the version to speak.
 * Return: 0; -EPROTONOSUPPORT when the ranges do not meet. */
int pl_docker_negotiate(PlApiVersion server_max, PlApiVersion server_min, PlApiVersion *ret);

/** pl_docker_parse_list() - body of GET /containers/json: the ids.
 * @ret_ids: array of n 64-digit ids, one block, owned by the caller
 * Return: 0, -EBADMSG, -ENOMEM. */
int pl_docker_parse_list(const char *body, size_t size, char (**ret_ids)[PL_ID_MAX], size_t *ret_n);

/** pl_docker_parse_inspect() - body of GET /containers/{id}/json. Return: 0, -EBADMSG, -ENOMEM. */
int pl_docker_parse_inspect(const char *body, size_t size, PlContainer **ret);

/** pl_docker_parse_error() - {"message": …} of an error answer, escaped and bounded.
 * Return: owned by the caller, NULL when there is none. */
char *pl_docker_parse_error(const char *body, size_t size);

/** pl_docker_parse_warnings() - {"Warnings": […]} of an update's answer, joined, escaped and
 * bounded. Return: owned by the caller, NULL when there are none. */
char *pl_docker_parse_warnings(const char *body, size_t size);

/** pl_docker_health_from_string() - State.Health.Status; NULL and unknown words are NONE. */
PlDockerHealth pl_docker_health_from_string(const char *s);

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

/*
 * Weights between systemd's scale (1..10000, default 100) and the engine's CpuShares and
 * BlkioWeight. The hierarchy decides, because runc translates the engine's numbers on v2.
 */
uint64_t pl_docker_weight_to_shares(uint64_t weight, PlHierarchy h);
uint64_t pl_docker_shares_to_weight(uint64_t shares, PlHierarchy h);
uint64_t pl_docker_blkio_to_weight(uint64_t blkio, PlHierarchy h);

/* What the engine's rules depend on besides the container. */
typedef struct PlDockerHost {
        PlHierarchy hierarchy; /* the one that holds the cpu and io controllers: weights */
        unsigned n_cpus;       /* more NanoCpus than that are refused; 0: unknown */
        /* CPUQuotaPeriodSec= of the policy. NanoCpus means 100 ms, so any other period is told as
         * CpuPeriod and CpuQuota; 0: no matter */
        uint64_t quota_period_usec;
} PlDockerHost;

/**
 * pl_docker_format_update() - body of POST /containers/{id}/update, only what differs
 * @want: values to tell; unset ones and those that the engine does not know are left out
 * @have: the engine's own idea from the last inspect
 * @ret:  owned by the caller; NULL when the engine already agrees
 * @ret_not: values that the engine cannot take, as a mask of 1 << PlResource
 *           (memory limit removed, below its minimum of 6 MiB, memory.high, an io.weight between
 *           its steps, …). They are left out, because the engine refuses an update as a whole.
 *
 * Memory and MemorySwap always go together (API: "memory alone fails above the stored
 * MemorySwap"); where no swap limit is wanted the amount of swap stays what it was. NanoCpus
 * conflicts with CpuPeriod and CpuQuota: the container's own way is kept.
 *
 * Return: 0 or -ENOMEM.
 */
int pl_docker_format_update(const PlLimits *want, const PlHostConfig *have,
                            const PlDockerHost *host, char **ret, uint32_t *ret_not);
