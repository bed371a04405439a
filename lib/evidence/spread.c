/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Spread: see the header.
 */

#include "lib/evidence/spread.h"

static size_t bucket_of(uint64_t v) {
        unsigned power;
        uint64_t eighth;

        if (v == 0)
                return 0;
        power = 63 - (unsigned)__builtin_clzll(v);
        eighth = power >= 3 ? v >> (power - 3) : v << (3 - power); /* 8 to 15 */
        return PL_MIN((size_t)(1 + 8 * power + (eighth - 8)), (size_t)PL_SPREAD_BUCKETS - 1);
}

/* The largest value that falls into it. */
static uint64_t top_of(size_t bucket) {
        unsigned power;
        uint64_t eighth;

        if (bucket == 0)
                return 0;
        power = (unsigned)(bucket - 1) / 8;
        eighth = (bucket - 1) % 8 + 8;
        return power >= 3 ? ((eighth + 1) << (power - 3)) - 1 : eighth >> (3 - power);
}

void pl_spread_add(PlSpread *s, uint64_t value) {
        s->counts[bucket_of(value)]++;
        if (++s->n < PL_SPREAD_FULL)
                return;
        s->n = 0;
        for (size_t i = 0; i < PL_SPREAD_BUCKETS; i++) {
                s->counts[i] /= 2;
                s->n += s->counts[i];
        }
}

uint64_t pl_spread_quantile(const PlSpread *s, unsigned permille) {
        uint64_t want = ((uint64_t)s->n * permille + 999) / 1000, seen = 0;

        for (size_t i = 0; s->n > 0 && i < PL_SPREAD_BUCKETS; i++) {
                seen += s->counts[i];
                if (seen >= want && seen > 0)
                        return top_of(i);
        }
        return PL_UNLIMITED;
}
