/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Backoff: waits that double, half of each random. It does not know what is retried.
 */

#include "lib/base/backoff.h"

uint64_t pl_backoff_usec(unsigned attempt, uint64_t base_usec, uint64_t max_usec, uint64_t random) {
        uint64_t nominal = max_usec, half;

        if (attempt < 64 && base_usec <= max_usec >> attempt)
                nominal = base_usec << attempt;
        half = nominal / 2;
        return nominal - half + random % (half + 1);
}
