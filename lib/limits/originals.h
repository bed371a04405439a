/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * State: what plimsoll must not forget about one container, as JSON.
 *
 * What was there before the first write, so that a value can be given back, also by a daemon that
 * was killed and started again, and after a reboot. What is in force is not stored: the kernel
 * knows it. What we told the engine is: otherwise nobody could tell our values in HostConfig from
 * those of a person, and HostConfig, not the kernel, is what a reboot leaves.
 */

#include "lib/base/id.h"
#include "lib/limits/resource.h"

#define PL_STATE_SIZE_MAX KIB(64)

/* What this daemon writes. Version 1 had no member "version", and did not say what the engine was
 * told. */
#define PL_STATE_VERSION 2

#define PL_ENGINE_IDENTITY_MAX 192

/* The period of a CPU quota, which is no limit of its own. usec; 0: unknown, or not set. */
typedef struct PlQuotaPeriod {
        uint64_t original_usec;        /* in the kernel before plimsoll */
        uint64_t engine_original_usec; /* HostConfig.CpuPeriod before plimsoll */
        uint64_t engine_told_usec;     /* HostConfig.CpuPeriod as plimsoll told it */
} PlQuotaPeriod;

typedef struct PlContainerState {
        unsigned version; /* of the record that was read; 0: a new one */
        char id[PL_ID_MAX];
        char engine[PL_ENGINE_IDENTITY_MAX]; /* the engine that has it; "": not known */
        uint64_t run_usec; /* State.StartedAt of the run that `original` is of; CLOCK_REALTIME, 0:
                            * not known */
        uint32_t managed;  /* mask of 1 << PlResource that plimsoll has set */
        PlLimits original; /* in the kernel before plimsoll; unset: as a new group has it */
        PlLimits engine_original; /* in HostConfig before plimsoll; unset: HostConfig had 0 */
        PlLimits engine_told; /* what HostConfig shows that is ours; unset: nothing that was told */
        PlLimits engine_asked; /* told, and not yet seen in HostConfig: a crash may lie between */
        PlQuotaPeriod period;
        PlValue squeeze_high; /* memory.high before a squeeze borrowed it; unset: none has */
} PlContainerState;

void pl_container_state_deinit(PlContainerState *s);

/** pl_state_format() - in this version, but for a record of version 1: that stays one until
 * somebody has seen what the engine was told. Return: 0 and *ret owned by the caller; -ENOMEM. */
int pl_state_format(const PlContainerState *s, char **ret);

/** pl_state_parse() - strict: unknown resources, wrong types, texts that no kernel file holds or a
 * wrong id make it -EBADMSG. Unknown members are ignored.
 * Return: 0, -EBADMSG, -ENOMEM; -EOPNOTSUPP: of a later version, which is to be left alone. */
int pl_state_parse(const char *text, size_t size, PlContainerState *ret);
