/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * State: what plimsoll must not forget about one container, as JSON.
 *
 * What was there before the first write, so that a value can be given back, also by a daemon that
 * was killed and started again. What is in force is not stored: the kernel knows it.
 */

#include "lib/base/id.h"
#include "lib/limits/resource.h"

#define PL_STATE_SIZE_MAX KIB(64)

typedef struct PlContainerState {
        char id[PL_ID_MAX];
        uint32_t managed;         /* mask of 1 << PlResource that plimsoll has set */
        PlLimits original;        /* in the kernel before plimsoll; unset: as a new group has it */
        PlLimits engine_original; /* in HostConfig before plimsoll; unset: HostConfig had 0 */
        PlValue squeeze_high;     /* memory.high before a squeeze borrowed it; unset: none has */
} PlContainerState;

void pl_container_state_deinit(PlContainerState *s);

/** pl_state_format() - Return: 0 and *ret owned by the caller; -ENOMEM. */
int pl_state_format(const PlContainerState *s, char **ret);

/** pl_state_parse() - strict: unknown resources, wrong types, texts that no kernel file holds or a
 * wrong id make it -EBADMSG. Unknown members are ignored, so that an older daemon can read it.
 * Return: 0, -EBADMSG, -ENOMEM. */
int pl_state_parse(const char *text, size_t size, PlContainerState *ret);
