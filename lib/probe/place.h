/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Place: what is asked of a container, and where, read from what it was told to run.
 *
 * A missing probe is better than a wrong one, which reports a healthy service as broken. So a job
 * or a sidecar in a service's image has none, nor has what cannot be reached from this host; names
 * are matched whole ("postgres-exporter" is no Postgres), and a port that nobody has told is a
 * guess, which only a right answer confirms.
 */

#include "lib/docker/container.h"
#include "lib/probe/address.h"
#include "lib/probe/kind.h"

#define PL_PLACE_TEXT_MAX 64 /* Postgres cuts names at 63 bytes (NAMEDATALEN) */

typedef struct PlPlace {
        PlProbeKind kind; /* PL_PROBE_NONE: it is not asked */
        const char *why; /* it is not asked: static text for people; NULL: nothing is known of it */
        bool cut_off;    /* … because it is in no network any more */
        PlProbeAddresses addresses;      /* at least one, unless it is not asked */
        char prefix[PL_LAUNCH_WORD_MAX]; /* the path that HTTP is served below; "": the root */
        const char *path;             /* what to ask instead of the kind's own; static, or NULL */
        char user[PL_PLACE_TEXT_MAX]; /* Postgres; "": not known */
        char database[PL_PLACE_TEXT_MAX]; /* likewise */
} PlPlace;

/* A container's own word, as Docker labels go: plimsoll.probe=redis. */

/**
 * pl_place_find() - what to ask, and where
 * @c:      the container
 * @netns:  the container whose network it shares (network mode "container:ID"); NULL: its own, or
 *          that other container is not known
 * @policy: Probe= of its section; PL_PROBE_AUTO: not set
 * @port:   ProbePort=; 0: not set
 *
 * The kind comes from policy, label, command, image name or compose service, in this order; the
 * port from policy, command line, environment, or the image's default. What policy or label say is
 * asked even of what looks like a job.
 */
void pl_place_find(const PlContainer *c, const PlContainer *netns, PlProbeKind policy,
                   uint16_t port, PlPlace *ret);
