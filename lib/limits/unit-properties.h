/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Unit properties: limits in systemd's own terms, as D-Bus properties and as a drop-in's lines.
 *
 * Says which property a limit becomes, of which D-Bus type and with which value, so that the
 * sd-bus code only has to append them. Pure; it must not know about buses, units or files.
 *
 * Sources: org.freedesktop.systemd1(5) "Properties" of the Scope interface (types; UINT64_MAX is
 * "infinity" or "unset"); systemd.resource-control(5) (directives). AllowedCPUs is a bit mask,
 * lowest CPU in the lowest bit of the first byte.
 */

#include "lib/limits/resource.h"

typedef enum PlUnitPropertyType {
        PL_UNIT_PROPERTY_UINT64,  /* t */
        PL_UNIT_PROPERTY_MASK,    /* ay; empty resets to every CPU */
        PL_UNIT_PROPERTY_DEVICES, /* a(st): path, bytes per second; empty resets every path */
} PlUnitPropertyType;

typedef struct PlUnitDevice {
        char *path;
        uint64_t bytes_per_sec;
} PlUnitDevice;

typedef struct PlUnitProperty {
        const char *name; /* static: "CPUQuotaPerSecUSec" */
        PlUnitPropertyType type;
        uint64_t number;       /* UINT64 */
        uint8_t *mask;         /* MASK */
        size_t mask_size;      /* bytes */
        PlUnitDevice *devices; /* DEVICES */
        size_t n_devices;
} PlUnitProperty;

typedef struct PlUnitProperties {
        /* + CPUQuotaPeriodUSec, an implied MemorySwapMax, and two resets of devices */
        PlUnitProperty items[_PL_RESOURCE_N + 4];
        size_t n;
} PlUnitProperties;

void pl_unit_properties_deinit(PlUnitProperties *p);

/**
 * pl_unit_properties_from_limits() - everything that one SetUnitProperties() call must carry
 * @limits: unset values are left out; devices by one path each (pl_device_name()). systemd keeps
 *          those that it was told before, so a reset of all goes ahead of them
 * @base:   what the engine holds the container to, or NULL. When memory is limited but swap is
 *          not asked for, its MemorySwapMax is told all the same: the engine writes memory.swap.max
 *          = 0 behind systemd's back (moby 51446), and the first property that is set on the scope
 *          would make systemd write its own idea, "max", over it.
 * @quota_period_usec: told along with CPUQuota; 0: systemd's default of 100 ms
 * @ret:    pl_unit_properties_deinit()
 *
 * Return: 0; -EINVAL for a text value that is not canonical; -ENOMEM.
 */
int pl_unit_properties_from_limits(const PlLimits *limits, const PlLimits *base,
                                   uint64_t quota_period_usec, PlUnitProperties *ret);
