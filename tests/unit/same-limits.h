/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Are two sets of limits the same? */

#include "lib/limits/resource.h"

static inline bool same_limits(const PlLimits *a, const PlLimits *b) {
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                if (!pl_value_equal(&a->v[r], &b->v[r]))
                        return false;
        return true;
}

static inline bool same_some_limits(const PlSomeLimits *a, const PlSomeLimits *b) {
        PlLimits x = pl_some_limits_all(a), y = pl_some_limits_all(b);

        return same_limits(&x, &y);
}
