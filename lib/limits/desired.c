/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Desired: see the header. Whether a value is possible is the plan's question, not ours.
 */

#include "lib/limits/desired.h"

#include <errno.h>

int pl_desired_limits(const PlLimits *section, uint32_t managed, const PlLimits *original,
                      PlHierarchy memory, PlLimits *ret, uint32_t *ret_restoring) {
        PlLimits want = { 0 };
        uint32_t restoring = 0;

        for (PlResource r = 0; r < _PL_RESOURCE_N; r++) {
                PlValue fallback;
                const PlValue *v = NULL;

                if (section && section->v[r].set) {
                        v = &section->v[r];
                } else if (managed & (1U << r)) {
                        v = &original->v[r];
                        if (!v->set) {
                                fallback = pl_resource_fresh_file(r, memory);
                                v = &fallback;
                        }
                        if (v->set)
                                restoring |= 1U << r;
                }
                if (v && v->set && pl_value_copy(v, &want.v[r]) < 0) {
                        pl_limits_deinit(&want);
                        return -ENOMEM;
                }
        }

        pl_limits_deinit(ret);
        *ret = want;
        *ret_restoring = restoring;
        return 0;
}
