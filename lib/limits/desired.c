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

/* The lower rate of each device that either names. */
static int join_devices(const PlValue *created, PlValue *want) {
        const char *texts[] = { want->text ?: "", created->text ?: "" };
        _cleanup_free_ PlDeviceRate *rates = NULL;
        size_t n = 0, size = 0;
        char *text;
        int r;

        for (size_t i = 0; i < PL_ARRAY_SIZE(texts); i++) {
                const char *cursor = texts[i];
                PlDeviceRate next;

                while (pl_resource_devices_next(&cursor, &next)) {
                        size_t k = 0;

                        while (k < n && !pl_streq(rates[k].device, next.device))
                                k++;
                        if (k == size) {
                                PlDeviceRate *grown =
                                                reallocarray(rates, 2 * size + 4, sizeof(*rates));

                                if (!grown)
                                        return -ENOMEM;
                                rates = grown;
                                size = 2 * size + 4;
                        }
                        if (k < n)
                                next.bytes = PL_MIN(next.bytes, rates[k].bytes);
                        rates[k] = next;
                        n = PL_MAX(n, k + 1);
                }
        }
        r = pl_resource_devices_join(rates, n, &text);
        if (r < 0)
                return r;
        pl_value_deinit(want);
        *want = (PlValue){ .set = true, .text = text };
        return 0;
}

static int spare(PlResource r, const PlValue *created, PlValue *want) {
        switch (r) {
        case PL_RESOURCE_CPU_QUOTA:
        case PL_RESOURCE_MEMORY_HIGH:
        case PL_RESOURCE_MEMORY_MAX:
        case PL_RESOURCE_MEMORY_SWAP_MAX:
        case PL_RESOURCE_TASKS_MAX:
                want->number = PL_MIN(want->number, created->number);
                return 0;
        case PL_RESOURCE_IO_READ_BANDWIDTH_MAX:
        case PL_RESOURCE_IO_WRITE_BANDWIDTH_MAX:
                return join_devices(created, want);
        default:
                return pl_value_copy(created, want);
        }
}

int pl_desired_spare(PlLimits *want, uint32_t by_default, const PlLimits *created) {
        for (PlResource i = 0; i < _PL_RESOURCE_N; i++) {
                PlValue *v = &want->v[i];
                int r = 0;

                if (!(by_default & (1U << i)) || !v->set)
                        continue;
                if (!created) {
                        pl_value_deinit(v);
                        *v = (PlValue){ 0 };
                } else if (created->v[i].set) {
                        r = spare(i, &created->v[i], v);
                }
                if (r < 0)
                        return r;
        }
        return 0;
}

uint32_t pl_desired_raised(const PlLimits *want, uint32_t by_default, const PlLimits *created) {
        static const PlResource compared[] = { PL_RESOURCE_CPU_QUOTA, PL_RESOURCE_MEMORY_HIGH,
                                               PL_RESOURCE_MEMORY_MAX, PL_RESOURCE_MEMORY_SWAP_MAX,
                                               PL_RESOURCE_TASKS_MAX };
        uint32_t mask = 0;

        for (size_t i = 0; i < PL_ARRAY_SIZE(compared); i++) {
                const PlValue *v = &want->v[compared[i]], *c = &created->v[compared[i]];

                if (v->set && c->set && c->number < v->number && !(by_default & 1U << compared[i]))
                        mask |= 1U << compared[i];
        }
        return mask;
}
