/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Desire: the values that a container is to have, in the terms of this host. */

#include "enforce/context.h"

/** pl_desire_fresh() - what a new group of this container has where HostConfig leaves it open: of
 * scopes, systemd's limit of tasks. Text is not to be freed. Return: unset: not known. */
PlValue pl_desire_fresh(const PlEnforcer *e, const PlHeld *h, PlResource r);

/** pl_desire() - h->want from the policy in force. Return: 0, -ENOMEM. */
int pl_desire(PlEnforcer *e, PlHeld *h);
