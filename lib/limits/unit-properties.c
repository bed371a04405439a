/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Unit properties: see the header. Which property a limit becomes is in its row; here is only how a
 * kind of value is told.
 */

#include "lib/limits/unit-properties.h"

#include <ctype.h>
#include <errno.h>

#include "lib/base/unit.h"

#define DEVICE_SEPARATOR "; "

/* UNIT_NAME_MAX in systemd's basic/unit-def.h, with the NUL. */

static void property_deinit(PlUnitProperty *p) {
        for (size_t i = 0; i < p->n_devices; i++)
                free(p->devices[i].path);
        free(p->devices);
        free(p->mask);
        *p = (PlUnitProperty){ 0 };
}

void pl_unit_properties_deinit(PlUnitProperties *p) {
        if (!p)
                return;
        for (size_t i = 0; i < p->n; i++)
                property_deinit(&p->items[i]);
        *p = (PlUnitProperties){ 0 };
}

/* "0-3,6", canonical: ascending, no spaces. */
static int parse_mask(const char *text, PlUnitProperty *p) {
        const char *s = text ? text : "";

        while (*s) {
                char *end;
                unsigned long first, last;

                if (!isdigit((unsigned char)*s))
                        return -EINVAL;
                first = last = strtoul(s, &end, 10);
                if (*end == '-') {
                        if (!isdigit((unsigned char)end[1]))
                                return -EINVAL;
                        last = strtoul(end + 1, &end, 10);
                }
                if (last < first || last > 8191 || (*end && *end != ','))
                        return -EINVAL;
                if (last / 8 + 1 > p->mask_size) {
                        uint8_t *m = realloc(p->mask, last / 8 + 1);

                        if (!m)
                                return -ENOMEM;
                        memset(m + p->mask_size, 0, last / 8 + 1 - p->mask_size);
                        p->mask = m;
                        p->mask_size = last / 8 + 1;
                }
                for (unsigned long cpu = first; cpu <= last; cpu++)
                        p->mask[cpu / 8] |= (uint8_t)(1U << (cpu % 8));
                s = *end ? end + 1 : end;
        }
        return 0;
}

/* "PATH BYTES; PATH BYTES"; a path may hold spaces, so the number is what follows the last one. */
static int parse_devices(const char *text, PlUnitProperty *p) {
        const char *s = text ? text : "";

        while (*s) {
                const char *end = strstr(s, DEVICE_SEPARATOR);
                size_t size = end ? (size_t)(end - s) : strlen(s);
                _cleanup_free_ char *pair = strndup(s, size);
                PlUnitDevice *d;
                char *space;
                uint64_t bytes;

                if (!pair)
                        return -ENOMEM;
                space = strrchr(pair, ' ');
                if (!space || space == pair || pl_parse_size(space + 1, &bytes) < 0)
                        return -EINVAL;
                *space = 0;
                d = reallocarray(p->devices, p->n_devices + 1, sizeof(*d));
                if (!d)
                        return -ENOMEM;
                p->devices = d;
                d[p->n_devices++] = (PlUnitDevice){ TAKE_PTR(pair), bytes };
                s = end ? end + strlen(DEVICE_SEPARATOR) : s + size;
        }
        return 0;
}

static int add(PlUnitProperties *p, PlResource r, const PlValue *v) {
        const PlResourceInfo *info = pl_resource_info(r);
        PlUnitProperty *item = &p->items[p->n++];

        *item = (PlUnitProperty){ .name = info->unit_property };
        switch (info->kind) {
        case PL_KIND_CPUSET:
                item->type = PL_UNIT_PROPERTY_MASK;
                return parse_mask(v->text, item);
        case PL_KIND_DEVICES:
                item->type = PL_UNIT_PROPERTY_DEVICES;
                if (!v->text || !*v->text)
                        return 0;
                item = &p->items[p->n++];
                *item = (PlUnitProperty){ info->unit_property, PL_UNIT_PROPERTY_DEVICES };
                return parse_devices(v->text, item);
        default:
                item->type = PL_UNIT_PROPERTY_UINT64;
                item->number = v->number;
                return 0;
        }
}

static bool limits_memory(const PlLimits *l) {
        return l->v[PL_RESOURCE_MEMORY_MIN].set || l->v[PL_RESOURCE_MEMORY_LOW].set ||
               l->v[PL_RESOURCE_MEMORY_HIGH].set || l->v[PL_RESOURCE_MEMORY_MAX].set;
}

int pl_unit_properties_from_limits(const PlLimits *limits, const PlLimits *base,
                                   uint64_t quota_period_usec, PlUnitProperties *ret) {
        PlUnitProperties p = { 0 };
        int r = 0;

        for (PlResource i = 0; i < _PL_RESOURCE_N && r >= 0; i++) {
                const PlValue *v = &limits->v[i];

                if (!v->set && i == PL_RESOURCE_MEMORY_SWAP_MAX && base && limits_memory(limits))
                        v = &base->v[i];
                if (!v->set)
                        continue;
                r = add(&p, i, v);
                if (i == PL_RESOURCE_CPU_QUOTA)
                        p.items[p.n++] = (PlUnitProperty){
                                .name = "CPUQuotaPeriodUSec",
                                .number = quota_period_usec ? quota_period_usec : PL_UNLIMITED,
                        };
        }
        if (r < 0) {
                pl_unit_properties_deinit(&p);
                return r;
        }
        *ret = p;
        return 0;
}
