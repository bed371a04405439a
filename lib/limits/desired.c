/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/limits/desired.h"

#include <errno.h>

PlValue pl_desired_default(PlResource r) {
        switch (pl_resource_info(r)->kind) {
        case PL_KIND_WEIGHT:
                return (PlValue){ .set = true, .number = 100 };
        case PL_KIND_CPUSET:
        case PL_KIND_DEVICES:
                return (PlValue){ .set = true, .text = (char *)"" };
        case PL_KIND_CPU_TIME:
        case PL_KIND_BYTES:
        case PL_KIND_COUNT:
                break;
        }
        if (r == PL_RESOURCE_MEMORY_MIN || r == PL_RESOURCE_MEMORY_LOW)
                return (PlValue){ .set = true, .number = 0 };
        return (PlValue){ .set = true, .number = PL_UNLIMITED };
}

int pl_desired_limits(const PlLimits *section, uint32_t managed, const PlLimits *original,
                      PlLimits *ret, uint32_t *ret_restoring) {
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
                                fallback = pl_desired_default(r);
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
