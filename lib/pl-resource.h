/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Resources: the names, values and kernel files of everything that plimsoll can limit.
 *
 * One table says, per systemd resource-control directive, what its value is, which cgroup file it
 * becomes on v1 and on v2, and how the kernel rounds it. Policy, planner, readers, writers, the
 * wire format and the manual page all use this table, so a new limit is one new row.
 *
 * Pure: no I/O. Files are only named here; daemon/cg-*.c open them.
 */

#include "pl-macro.h"

/* In the order in which a group's values are shown. The safe order of writes is pl-plan's matter.
 */
typedef enum PlResource {
        PL_RESOURCE_CPU_QUOTA,
        PL_RESOURCE_CPU_WEIGHT,
        PL_RESOURCE_ALLOWED_CPUS,
        PL_RESOURCE_MEMORY_MIN,
        PL_RESOURCE_MEMORY_LOW,
        PL_RESOURCE_MEMORY_HIGH,
        PL_RESOURCE_MEMORY_MAX,
        PL_RESOURCE_MEMORY_SWAP_MAX,
        PL_RESOURCE_TASKS_MAX,
        PL_RESOURCE_IO_WEIGHT,
        PL_RESOURCE_IO_READ_BANDWIDTH_MAX,
        PL_RESOURCE_IO_WRITE_BANDWIDTH_MAX,
        _PL_RESOURCE_N,
        _PL_RESOURCE_INVALID = -1,
} PlResource;

typedef enum PlResourceKind {
        PL_KIND_CPU_TIME, /* number: CPU microseconds per second of wall time; 100 % = 1000000 */
        PL_KIND_WEIGHT,   /* number: 1..10000, default 100 */
        PL_KIND_BYTES,    /* number: bytes */
        PL_KIND_COUNT,    /* number: tasks */
        PL_KIND_CPUSET,   /* text: canonical list as in cpuset.cpus, "0-3,6" */
        PL_KIND_DEVICES,  /* text: "PATH BYTES" pairs, sorted by path, joined by "; " */
} PlResourceKind;

typedef enum PlHierarchy {
        PL_HIERARCHY_V1,
        PL_HIERARCHY_V2,
        _PL_HIERARCHY_N,
} PlHierarchy;

/*
 * One value. Unset (nobody asked; leave alone), 0 and PL_UNLIMITED are three different things.
 * Numbers are in the unit of the resource's kind; text is owned by the value.
 */
typedef struct PlValue {
        bool set;
        uint64_t number;
        char *text;
} PlValue;

/* One value for each resource: what a policy wants, or what a reading found. */
typedef struct PlLimits {
        PlValue v[_PL_RESOURCE_N];
} PlLimits;

typedef struct PlResourceInfo {
        const char *name; /* systemd.resource-control(5) */
        PlResourceKind kind;
        const char *controller; /* "memory", "cpu", "cpuset", "pids", "io"; v1 says "blkio" for io
                                 */
        const char *file[_PL_HIERARCHY_N]; /* NULL: this hierarchy cannot do it */
        uint64_t min, max; /* what a policy may ask for, inclusive; PL_UNLIMITED always may */
        const char *unit_property; /* D-Bus property of a scope, e.g. CPUQuotaPerSecUSec */
} PlResourceInfo;

/** pl_resource_info() - the row of a resource. Return: never NULL for a valid resource. */
const PlResourceInfo *pl_resource_info(PlResource r);

/** pl_resource_from_name() - by directive name. Return: _PL_RESOURCE_INVALID when unknown. */
PlResource pl_resource_from_name(const char *name);

static inline bool pl_resource_is_text(PlResource r) {
        PlResourceKind k = pl_resource_info(r)->kind;
        return k == PL_KIND_CPUSET || k == PL_KIND_DEVICES;
}

void pl_value_deinit(PlValue *v);
/** pl_value_copy() - replaces *ret with a deep copy. Return: 0, or -ENOMEM with *ret untouched. */
int pl_value_copy(const PlValue *v, PlValue *ret);
/** pl_value_equal() - the same value? Two unset values are equal. Callers normalise first. */
bool pl_value_equal(const PlValue *a, const PlValue *b);

void pl_limits_deinit(PlLimits *l);
int pl_limits_copy(const PlLimits *l, PlLimits *ret);
bool pl_limits_equal(const PlLimits *a, const PlLimits *b);
/** pl_limits_any() - is at least one value set? */
bool pl_limits_any(const PlLimits *l);

/**
 * pl_resource_normalise() - round a wanted value to what the kernel will report for it
 * @r:     the resource
 * @h:     the hierarchy that holds it
 * @page:  page size in bytes (memory files are rounded down to it)
 * @v:     changed in place; unset stays unset
 *
 * Without this, a limit of 1000000 bytes would be "repaired" for ever: the kernel reads it back as
 * 999424 (page_counter.c rounds down). CPU weights on v1 pass through cpu.shares and come back.
 */
void pl_resource_normalise(PlResource r, PlHierarchy h, uint64_t page, PlValue *v);

/**
 * pl_resource_format_file() - the bytes to write into the kernel's file
 * @ret: owned by the caller; for PL_KIND_DEVICES one line per device needs "MAJ:MIN", which the
 *       caller substitutes, see pl_resource_devices_next()
 *
 * Return: 0, -ENOMEM, or -EOPNOTSUPP when the hierarchy has no such file.
 */
int pl_resource_format_file(PlResource r, PlHierarchy h, const PlValue *v, char **ret);

/**
 * pl_resource_parse_file() - what a kernel file's content says
 * @text: the whole content, NUL terminated; a trailing newline is tolerated
 * @ret:  replaced on success
 *
 * Return: 0, -ENOMEM, -EINVAL for content that no kernel writes, -EOPNOTSUPP.
 */
int pl_resource_parse_file(PlResource r, PlHierarchy h, const char *text, PlValue *ret);

/** pl_value_to_string() - for people: "4G", "200%", "infinity", "0-3", "-" when unset.
 * Return: 0 and *ret owned by the caller, or -ENOMEM. */
int pl_value_to_string(PlResource r, const PlValue *v, char **ret);
