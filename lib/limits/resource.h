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

#include "lib/base/macro.h"

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
        PL_KIND_CPUSET,   /* text: canonical list as in cpuset.cpus, "0-3,6"; "": no restriction */
        PL_KIND_DEVICES,  /* text: "DEVICE BYTES" pairs, sorted by device, joined by "; "; "": none.
                           * DEVICE is a path in a policy, MAJ:MIN in a reading and in a plan,
                           * see pl_resource_devices_resolve() */
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

/* Default of CPUQuotaPeriodSec=, and the kernel's bounds for a period (kernel/sched/core.c). */
#define PL_QUOTA_PERIOD_DEFAULT_USEC UINT64_C(100000)
#define PL_QUOTA_PERIOD_MIN_USEC     UINT64_C(1000)
#define PL_QUOTA_PERIOD_MAX_USEC     UINT64_C(1000000)

/**
 * pl_resource_quota() - CPU time per second as the kernel's pair of quota and period
 * @number:      CPU microseconds per second, not PL_UNLIMITED
 * @period_usec: the wanted period; 0: the default. It is stretched where the quota would fall below
 *               the kernel's minimum of 1 ms (systemd does likewise)
 */
void pl_resource_quota(uint64_t number, uint64_t period_usec, uint64_t *ret_quota_usec,
                       uint64_t *ret_period_usec);

/** pl_resource_quota_round() - the CPU time that will be read back with this period. */
uint64_t pl_resource_quota_round(uint64_t number, uint64_t period_usec);

/**
 * pl_resource_normalise() - round a wanted value to what the kernel will report for it
 * @r:     the resource
 * @h:     the hierarchy that holds it
 * @page:  page size in bytes (memory files are rounded down to it)
 * @v:     changed in place; unset stays unset
 *
 * Without this, a limit of 1000000 bytes would be "repaired" for ever: the kernel reads it back as
 * 999424 (page_counter.c rounds down). Weights on v1 pass through cpu.shares and blkio.bfq.weight
 * and come back. CPUQuota depends on its period and is rounded by the policy already
 * (pl_resource_quota_round()).
 */
void pl_resource_normalise(PlResource r, PlHierarchy h, uint64_t page, PlValue *v);

/**
 * pl_resource_format_file() - the bytes to write into the kernel's file
 * @ret: owned by the caller
 *
 * CPUQuota: with the default period; see pl_resource_format_quota().
 * MemorySwapMax on v1 (memory.memsw.limit_in_bytes): the number is written as it is, so it must
 * be memory + swap already; see pl_resource_memsw(). On v2 it is swap alone.
 * AllowedCPUs without restriction: a newline on v2; -EOPNOTSUPP on v1, where a group with tasks
 * cannot have an empty list: take the parent's.
 * PL_KIND_DEVICES: as pl_resource_format_devices() with nothing in force.
 *
 * Return: 0, -ENOMEM, -EINVAL for an unset value, or -EOPNOTSUPP when the hierarchy has no such
 * file.
 */
int pl_resource_format_file(PlResource r, PlHierarchy h, const PlValue *v, char **ret);

/**
 * pl_resource_format_quota() - CPUQuota with a period
 *
 * v2, cpu.max: "QUOTA PERIOD". v1, cpu.cfs_quota_us: "QUOTA" alone; write *ret_period_usec into
 * cpu.cfs_period_us as well (when the quota shrinks, quota first; when it grows, period first: the
 * kernel refuses a ratio above the parent's).
 *
 * Return: 0 or -ENOMEM.
 */
int pl_resource_format_quota(PlHierarchy h, const PlValue *v, uint64_t period_usec, char **ret,
                             uint64_t *ret_period_usec);

/**
 * pl_resource_parse_file() - what a kernel file's content says
 * @text: the whole content, NUL terminated; a trailing newline is tolerated
 * @ret:  replaced on success
 *
 * CPUQuota on v1: cpu.cfs_quota_us, a space, cpu.cfs_period_us, joined by the caller; without the
 * second the default period is meant. MemorySwapMax on v1: the sum of memory and swap.
 *
 * Return: 0, -ENOMEM, -EINVAL for content that no kernel writes, -EOPNOTSUPP.
 */
int pl_resource_parse_file(PlResource r, PlHierarchy h, const char *text, PlValue *ret);

/** pl_resource_memsw() - memory.memsw.limit_in_bytes for a memory and a swap limit in bytes:
 * their sum, PL_UNLIMITED when either is or when it does not fit. */
uint64_t pl_resource_memsw(uint64_t memory_bytes, uint64_t swap_bytes);

/* One "DEVICE BYTES" pair of a PL_KIND_DEVICES text. */
#define PL_DEVICE_MAX 256 /* longest DEVICE with its NUL; the policy refuses longer ones */
typedef struct PlDeviceRate {
        char device[PL_DEVICE_MAX];
        uint64_t bytes; /* per second */
} PlDeviceRate;

/** pl_resource_devices_next() - walk the pairs of a canonical text; start with *cursor = text.
 * Return: true and *ret filled, false at the end (or at something malformed). */
bool pl_resource_devices_next(const char **cursor, PlDeviceRate *ret);

/** pl_resource_devices_join() - canonical text of pairs: sorted by device, of the same device the
 * last one in the array wins, PL_UNLIMITED left out.
 * Return: 0 and *ret owned by the caller, or -ENOMEM. */
int pl_resource_devices_join(const PlDeviceRate *rates, size_t n, char **ret);

/** pl_resource_devices_resolve() - a value with paths as one with MAJ:MIN
 * @resolve: fills "MAJ:MIN" for a path, 0 or negative errno; called for paths only
 * Return: 0 with *ret replaced; -ENOMEM; the first error of resolve(). */
int pl_resource_devices_resolve(const PlValue *v,
                                int (*resolve)(void *userdata, const char *path,
                                               char ret[static PL_DEVICE_MAX]),
                                void *userdata, PlValue *ret);

/**
 * pl_resource_format_devices() - one line per device whose rate must change
 * @want, @have: with MAJ:MIN; have may be NULL or unset: nothing in force
 * @ret: lines, each ended by a newline, owned by the caller; "" when nothing changes. The kernel
 *       takes one line per write(2). Devices that only have knows are lifted ("max", 0 on v1).
 *
 * Return: 0, -ENOMEM, -EINVAL for a device that is not MAJ:MIN.
 */
int pl_resource_format_devices(PlResource r, PlHierarchy h, const PlValue *want,
                               const PlValue *have, char **ret);

/** pl_value_to_string() - for people: "4G", "200%", "infinity", "0-3", "-" when unset.
 * Return: 0 and *ret owned by the caller, or -ENOMEM. */
int pl_value_to_string(PlResource r, const PlValue *v, char **ret);
