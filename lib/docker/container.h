/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Container: what the engine said about one container, as a value.
 *
 * All of it comes from outside; the parser (lib/docker/answer) bounds it. Of command line and
 * environment, only the little that probes need is kept; secrets never get here.
 */

#include "lib/base/id.h"
#include "lib/base/macro.h"
#include "lib/docker/launch.h"
#include "lib/docker/setting.h"

/* State.Status of the engine's inspect answer. */
typedef enum PlPhase {
        PL_PHASE_UNKNOWN,
        PL_PHASE_CREATED,
        PL_PHASE_RUNNING,
        PL_PHASE_PAUSED,
        PL_PHASE_RESTARTING, /* Running is true meanwhile, with Pid 0 */
        PL_PHASE_REMOVING,
        PL_PHASE_EXITED,
        PL_PHASE_DEAD,
        _PL_PHASE_N,
} PlPhase;

const char *pl_phase_to_string(PlPhase p); /* the engine's word: "running" */

/* State.Health.Status. */
typedef enum PlDockerHealth {
        PL_DOCKER_HEALTH_NONE,
        PL_DOCKER_HEALTH_STARTING,
        PL_DOCKER_HEALTH_HEALTHY,
        PL_DOCKER_HEALTH_UNHEALTHY,
        PL_DOCKER_HEALTH_NOT_RUN, /* … because it could not be run, when it was tried last */
        _PL_DOCKER_HEALTH_N,
} PlDockerHealth;

/* Docker's own healthcheck. */
typedef struct PlHealthcheck {
        PlDockerHealth status;
        bool unsure; /* the engine says unhealthy of what it has not checked since a pause */
        uint64_t checked_usec;      /* CLOCK_REALTIME, when its last check began; 0: none has */
        uint64_t start_period_usec; /* Config.Healthcheck.StartPeriod; 0: none */
} PlHealthcheck;

/* How the engine stops it. */
typedef struct PlStop {
        int signal;            /* Config.StopSignal; 0: SIGTERM, which is the default */
        uint64_t timeout_usec; /* Config.StopTimeout; PL_TIME_INFINITY: never killed */
} PlStop;

typedef struct PlNetwork {
        char *name;
        char id[PL_ID_MAX];   /* of the network; cut; empty: not known yet */
        char ip[46], ip6[46]; /* textual; empty: none */
        bool apart;           /* the host cannot reach its addresses */
} PlNetwork;

typedef struct PlPort {
        uint16_t container_port, host_port; /* host_port 0: exposed, not published */
        bool udp;
        char host_ip[46]; /* "", "0.0.0.0" and "::" are all public */
} PlPort;

typedef struct PlMount {
        char *type, *source, *destination; /* host path, path inside the container */
} PlMount;

/* HostConfig: what the engine itself enforces and shows. 0 = unset, as in the API. */
typedef struct PlHostConfig {
        int64_t memory, memory_swap,
                        memory_reservation; /* bytes; memory_swap = memory + swap, -1: unlimited */
        int64_t nano_cpus, cpu_quota, cpu_period; /* 1e-9 CPUs; usec; usec */
        int64_t cpu_shares;
        int64_t pids_limit; /* 0 or -1: unlimited */
        uint16_t blkio_weight;
        char *cpuset_cpus;
        char *read_bps, *write_bps; /* "PATH BYTES; PATH BYTES", as lib/limits/resource has it; "":
                                     * none
                                     */
        char *cgroup_parent;
        char *network_mode;
        char *restart_policy;  /* "no", "always", "unless-stopped", "on-failure" */
        bool auto_remove;      /* --rm: gone with its end */
        int64_t restart_tries; /* of on-failure; 0: without end */
} PlHostConfig;

/* Where it can be reached. */
typedef struct PlReach {
        PlNetwork *networks;
        size_t n_networks;
        PlPort *ports;
        size_t n_ports;
} PlReach;

/* The log that the engine writes. */
typedef struct PlEngineLog {
        char *driver, *path; /* "json-file"; host path, or "" */
        PlPair *options;
        size_t n_options;
} PlEngineLog;

typedef struct PlContainer {
        char id[PL_ID_MAX];
        char *name;  /* without the leading slash */
        char *image; /* Config.Image, as the user wrote it */
        char *image_id;
        PlPhase phase;
        PlHealthcheck healthcheck;
        PlStop stop;
        pid_t pid; /* 0: not running */
        int exit_code;
        bool oom_killed;
        bool start_failed; /* the engine could not start it when it tried last */
        unsigned restart_count;
        uint64_t created_usec, started_usec, finished_usec; /* CLOCK_REALTIME; 0: never */
        PlHostConfig host;
        PlPair *labels; /* sorted by key */
        size_t n_labels;
        PlReach reach;
        PlMount *mounts;
        size_t n_mounts;
        PlEngineLog log;
        PlLaunch launch;
        PlSetting setting;   /* of memory, from the command line */
        size_t packed_bytes; /* everything above points into the same block as this; 0: not */
} PlContainer;

PlContainer *pl_container_free(PlContainer *c); /* accepts NULL and half-built; returns NULL */
PL_DEFINE_CLEANUP(PlContainer *, pl_container_free)

/* Names its probe. */
#define PL_PROBE_LABEL "plimsoll.probe"

/** pl_container_label() - one that was given to the container, as far as pl_container_mark() knows.
 * Return: the value, borrowed, or NULL when there is no such label. */
const char *pl_container_label(const PlContainer *c, const char *key);

/**
 * pl_container_mark() - tell its creator's labels from those that its image brought along
 *
 * Whoever made an image may be anybody, and must not choose whose limits a container gets, nor
 * whose place it takes. A label is the creator's where the image has none, or another value.
 * Compose and a swarm give each container labels, and may have given the same to the image that
 * they built: theirs are the creator's where one of them is that no image can have. plimsoll.probe
 * may be anybody's.
 * @image: with the labels of its image alone; NULL: not known, or all may count: none is marked
 * Source: docker/compose, pkg/compose/build.go and convergence.go.
 */
void pl_container_mark(PlContainer *c, const PlContainer *image);

static inline bool pl_container_is_live(const PlContainer *c) {
        return (c->phase == PL_PHASE_RUNNING || c->phase == PL_PHASE_PAUSED) && c->pid > 0;
}
