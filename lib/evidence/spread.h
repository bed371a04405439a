/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Spread: how large a figure was, how often, in a fixed size; for its 95th percentile.
 *
 * Eight buckets for each doubling, so what is said is at most an eighth too high, and never too
 * low. What is older than some weeks counts ever less. Begins as zeroes. Pure.
 */

#include "lib/base/macro.h"

#define PL_SPREAD_BUCKETS 497 /* up to 2^62 */
/* So many samples, two weeks of one a minute, and all of them are halved. */
#define PL_SPREAD_FULL 20160

typedef struct PlSpread {
        uint32_t n; /* samples, of which old ones count less */
        uint32_t counts[PL_SPREAD_BUCKETS];
} PlSpread;

void pl_spread_add(PlSpread *s, uint64_t value);

/** pl_spread_quantile() - @permille: 950 for the 95th percentile. Return: a value that so many of
 * them did not exceed; PL_UNLIMITED: there are none. */
uint64_t pl_spread_quantile(const PlSpread *s, unsigned permille);
