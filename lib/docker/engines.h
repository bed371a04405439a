/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Engines: what each can be told by POST /containers/{id}/update, and its traps.
 */

#include "lib/base/macro.h"

/* The largest memory limit: 2^63 bytes, rounded down to a page of 4 KiB. The kernel reads it back
 * as none ("max"; on v1 as this very number), and an engine, which takes 0 for "unchanged", as a
 * limit like any other. */
#define PL_ENGINE_NO_LIMIT_BYTES INT64_C(0x7ffffffffffff000)

typedef struct PlEngineTraits {
        const char *name;
        bool podman;
        unsigned first_major, last_major; /* of its version; last 0: and later ones */
        bool takes_nano_cpus; /* else they are taken and forgotten, and CpuQuota is what counts */
        bool forgets_restart_policy; /* a body without RestartPolicy sets "no" */
} PlEngineTraits;

/**
 * pl_engine_traits() - the row of an engine
 * @version: as it says it: "20.10.24+dfsg1", "5.8.6"; NULL or what is no version: the newest row
 * Return: never NULL; a row is for ever.
 */
const PlEngineTraits *pl_engine_traits(bool podman, const char *version);
