/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Echo: what was told and is in force now. See the header.
 */

#include "lib/limits/echo.h"

#define BIT(r) (UINT32_C(1) << PL_RESOURCE_##r)

/* Is the sum of memory and swap the one that follows from what was told? */
static bool is_sum(const PlLimits *told, const PlReading *have, uint64_t page) {
        const PlValue *swap = &told->v[PL_RESOURCE_MEMORY_SWAP_MAX];
        PlValue memory = { .set = told->v[PL_RESOURCE_MEMORY_MAX].set,
                           .number = told->v[PL_RESOURCE_MEMORY_MAX].number };
        uint64_t sum;

        if (!memory.set || !swap->set)
                return false;
        if (memory.number == PL_UNLIMITED || swap->number == PL_UNLIMITED ||
            __builtin_add_overflow(memory.number, swap->number, &sum))
                return have->memsw_bytes == PL_UNLIMITED;
        return sum / page * page == have->memsw_bytes;
}

uint32_t pl_echo_of(const PlLimits *told, const PlReading *have, uint64_t page) {
        PlReading plain = *have;
        uint32_t mask = 0;

        plain.usual_period_usec = 0; /* whoever writes has a period of his own */
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                if (told->v[r].set && have->in_force.v[r].set)
                        mask |= UINT32_C(1) << r;
        mask &= have->supported & ~pl_plan_drift(told, &plain, page);
        if (have->hierarchy[PL_RESOURCE_MEMORY_SWAP_MAX] == PL_HIERARCHY_V1 &&
            (mask & BIT(MEMORY_MAX) || is_sum(told, have, page)))
                mask |= have->supported & BIT(MEMORY_SWAP_MAX);
        return mask;
}
