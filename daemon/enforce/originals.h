/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Originals: what was there before plimsoll, captured once and kept on disk before the first write.
 */

#include "enforce/context.h"

/** pl_originals_companions() - values that are written together with those of the mask, and so have
 * originals to keep as well. */
uint32_t pl_originals_companions(const PlEnforcer *e, uint32_t mask);

/** pl_originals_capture() - of all wanted values. Return: 0, on disk; -ENOMEM, -errno (reported):
 * nothing may be written. */
int pl_originals_capture(PlEnforcer *e, PlHeld *h);

/** pl_originals_complete() - the facts have HostConfig now, which an early capture lacked. */
void pl_originals_complete(PlEnforcer *e, PlHeld *h);
