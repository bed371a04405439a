/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Tell: what we may tell systemd and the engine, and what would kill. See the header.
 */

#include "lib/limits/tell.h"

#define BIT(r) (UINT32_C(1) << (r))

/* Below what is in use these kill, throttle, or make fork() fail. */
#define HARSH                                                         \
        (BIT(PL_RESOURCE_MEMORY_HIGH) | BIT(PL_RESOURCE_MEMORY_MAX) | \
         BIT(PL_RESOURCE_MEMORY_SWAP_MAX) | BIT(PL_RESOURCE_TASKS_MAX))
#define TOLD_TOGETHER (BIT(PL_RESOURCE_MEMORY_MAX) | BIT(PL_RESOURCE_MEMORY_SWAP_MAX))

static uint32_t mask_of(const PlLimits *l) {
        uint32_t mask = 0;

        for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                if (l->v[r].set)
                        mask |= BIT(r);
        return mask;
}

uint32_t pl_tell_withheld(const PlLimits *want, const PlReading *have, bool lives, uint64_t page) {
        uint32_t mask = mask_of(want) & HARSH;

        if (mask == 0)
                return 0;
        if (!have)
                return lives ? mask : 0;
        return mask & pl_plan_drift(want, have, page);
}

uint32_t pl_tell_harsh(void) {
        return HARSH;
}

uint32_t pl_tell_by_hand(const PlLimits *systemd, const PlReading *have, uint64_t page) {
        uint32_t read = mask_of(&have->in_force);

        return HARSH & mask_of(systemd) & read & pl_plan_drift(systemd, have, page);
}

/* Then nothing is told. */
static bool has_it(const PlLimits *told, const PlLimits *engine) {
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                if (TOLD_TOGETHER & BIT(r) && told->v[r].set &&
                    !pl_value_equal(&told->v[r], &engine->v[r]))
                        return false;
        return true;
}

static bool lowers_memory(const PlValue *memory, const PlReading *have, uint64_t page) {
        const PlValue *in_force = &have->in_force.v[PL_RESOURCE_MEMORY_MAX];
        PlValue v = { .set = memory->set, .number = memory->number };

        if (!v.set || !in_force->set)
                return false;
        pl_resource_normalise(PL_RESOURCE_MEMORY_MAX, have->hierarchy[PL_RESOURCE_MEMORY_MAX], page,
                              &v);
        return v.number < in_force->number;
}

/* The engine would write it along with swap, and nobody has asked for that. */
static bool moves_memory(const PlValue *memory, const PlReading *have, uint64_t page) {
        PlLimits only = { 0 };

        only.v[PL_RESOURCE_MEMORY_MAX] = *memory;
        return have->in_force.v[PL_RESOURCE_MEMORY_MAX].set &&
               pl_plan_drift(&only, have, page) & BIT(PL_RESOURCE_MEMORY_MAX);
}

uint32_t pl_tell_withheld_from_engine(const PlLimits *told, const PlLimits *engine,
                                      const PlReading *have, uint32_t withheld, uint64_t page) {
        const PlValue *memory = &told->v[PL_RESOURCE_MEMORY_MAX];
        bool waits = withheld & TOLD_TOGETHER;

        if (!(mask_of(told) & TOLD_TOGETHER))
                return withheld;
        if (have && !has_it(told, engine))
                waits = waits || (memory->set ? lowers_memory(memory, have, page)
                                              : moves_memory(&engine->v[PL_RESOURCE_MEMORY_MAX],
                                                             have, page));
        return waits ? withheld | TOLD_TOGETHER : withheld;
}
