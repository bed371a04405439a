/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Blame: who took a value away? */

#include "enforce/context.h"

/** pl_blame() - @now: CLOCK_BOOTTIME. Return: a static text, the most likely means. */
const char *pl_blame(const PlEnforcer *e, const PlHeld *h, uint64_t now);
