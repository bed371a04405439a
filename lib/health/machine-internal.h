/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Health, between the machine and its words.
 */

#include "lib/health/machine.h"

/** pl_health_explain() - why a sign: one line into buf; "" where the state says it all. */
void pl_health_explain(const PlHealth *h, const PlHealthFacts *f, PlHealthSign sign,
                       uint64_t now_usec, char *buf, size_t size);
