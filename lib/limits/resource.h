/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Resources: the names, values and kernel files of everything that plimsoll can limit.
 *
 * One table says, per systemd resource-control directive, what its value is, which cgroup file it
 * becomes on v1 and on v2, and how the kernel rounds it. Policy, planner, readers, writers, the
 * wire format and the manual page all use this table.
 *
 * Pure: no I/O. Files are only named here; the daemon's cgroup/ opens them.
 */

#include "lib/base/macro.h"

/*
 * The table: one row per limit, in the order in which a group's values are shown. All that is known
 * of a limit follows from its row, and no column has a default: the key of the policy and what it
 * says it expects, the kernel's files, the place in the plan, what systemd and the engine are told.
 * A new limit is a row here and its entry in plimsoll.conf(5).
 *
 *   constant, name  as in systemd.resource-control(5)
 *   kind            PL_KIND_*
 *   controller      "memory", "cpu", "cpuset", "pids", "io"; v1 says "blkio" for io
 *   v1, v2          the file of each hierarchy; NULL: it cannot do it
 *   min, max        what a policy may ask for, inclusive; PL_UNLIMITED always may. The floors keep
 *                   a slip of the pen from killing or starving: the kernel takes pids.max 0 and
 *                   memory.max 0; a container needs the engine's own minimum of 6 MiB to live
 *   fresh           what the kernel gives a new group (cgroup-v2.rst); texts are empty there
 *   turn            PL_TURN_*: when the plan writes it
 *   property        D-Bus property of a scope: org.freedesktop.systemd1(5)
 *   engine          PL_ENGINE_*: what the Engine API's update does with it
 *   expects         completes "expected …" of a value that is not understood, with an example
 */
/* clang-format off */
#define PL_RESOURCES(ROW)                                                                          \
        ROW(CPU_QUOTA, "CPUQuota", CPU_TIME, "cpu", "cpu.cfs_quota_us", "cpu.max",                 \
            10000, PL_CPU_TIME_MAX, PL_UNLIMITED, OTHER, "CPUQuotaPerSecUSec", TOLD,               \
            "a percentage of one CPU such as 200% (two CPUs; at least 1%), or infinity")           \
        ROW(CPU_WEIGHT, "CPUWeight", WEIGHT, "cpu", "cpu.shares", "cpu.weight",                    \
            1, 10000, 100, OTHER, "CPUWeight", TOLD, PL_EXPECTS_WEIGHT)                            \
        ROW(ALLOWED_CPUS, "AllowedCPUs", CPUSET, "cpuset", "cpuset.cpus", "cpuset.cpus",           \
            0, 8191, 0, OTHER, "AllowedCPUs", TOLD, "a list of CPU numbers such as 0-3,6")         \
        ROW(MEMORY_MIN, "MemoryMin", BYTES, "memory", NULL, "memory.min",                          \
            0, PL_BYTES_MAX, 0, MEMORY, "MemoryMin", NOT_TOLD, PL_EXPECTS_MEMORY)                  \
        ROW(MEMORY_LOW, "MemoryLow", BYTES, "memory", "memory.soft_limit_in_bytes", "memory.low",  \
            0, PL_BYTES_MAX, 0, MEMORY, "MemoryLow", TOLD, PL_EXPECTS_MEMORY)                      \
        ROW(MEMORY_HIGH, "MemoryHigh", BYTES, "memory", NULL, "memory.high",                       \
            PL_MEMORY_FLOOR, PL_BYTES_MAX, PL_UNLIMITED, MEMORY, "MemoryHigh", NOT_TOLD,           \
            PL_EXPECTS_LIMIT)                                                                      \
        ROW(MEMORY_MAX, "MemoryMax", BYTES, "memory", "memory.limit_in_bytes", "memory.max",       \
            PL_MEMORY_FLOOR, PL_BYTES_MAX, PL_UNLIMITED, MEMORY, "MemoryMax", TOLD,                \
            PL_EXPECTS_LIMIT)                                                                      \
        ROW(MEMORY_SWAP_MAX, "MemorySwapMax", BYTES, "memory", "memory.memsw.limit_in_bytes",      \
            "memory.swap.max", 0, PL_BYTES_MAX, PL_UNLIMITED, MEMORY, "MemorySwapMax", TOLD,       \
            PL_EXPECTS_MEMORY "; 0 forbids swap")                                                  \
        ROW(TASKS_MAX, "TasksMax", COUNT, "pids", "pids.max", "pids.max",                          \
            1, 4194304, PL_UNLIMITED, TASKS, "TasksMax", TOLD,                                     \
            "a whole number from 1 to 4194304 such as 512, or infinity")                           \
        ROW(IO_WEIGHT, "IOWeight", WEIGHT, "io", "blkio.bfq.weight", "io.weight",                  \
            1, 10000, 100, OTHER, "IOWeight", TOLD_AND_RESET, PL_EXPECTS_WEIGHT)                   \
        ROW(IO_READ_BANDWIDTH_MAX, "IOReadBandwidthMax", DEVICES, "io",                            \
            "blkio.throttle.read_bps_device", "io.max", 4096, PL_BYTES_MAX, 0, OTHER,              \
            "IOReadBandwidthMax", RESET, PL_EXPECTS_RATE)                                          \
        ROW(IO_WRITE_BANDWIDTH_MAX, "IOWriteBandwidthMax", DEVICES, "io",                          \
            "blkio.throttle.write_bps_device", "io.max", 4096, PL_BYTES_MAX, 0, OTHER,             \
            "IOWriteBandwidthMax", RESET, PL_EXPECTS_RATE)
/* clang-format on */

#define PL_MEMORY_FLOOR MIB(6)
#define PL_BYTES_MAX    (UINT64_C(1) << 60)
#define PL_CPU_TIME_MAX (8192 * PL_USEC_PER_SEC)

#define PL_EXPECTS_MEMORY                                                                        \
        "a size such as 4G or 512M (base 1024), a percentage of the host's memory such as 25%, " \
        "or infinity"
#define PL_EXPECTS_LIMIT \
        PL_EXPECTS_MEMORY "; at least 6M, because less kills or starves what runs there"
#define PL_EXPECTS_WEIGHT "a whole number from 1 to 10000; 100 is the weight of everybody else"
#define PL_EXPECTS_RATE \
        "a path and bytes per second (base 1000, at least 4096), such as /dev/sda 10M"

#define PL_RESOURCE_ENUM(constant, ...) PL_RESOURCE_##constant,
typedef enum PlResource {
        PL_RESOURCES(PL_RESOURCE_ENUM) _PL_RESOURCE_N,
        _PL_RESOURCE_INVALID = -1,
} PlResource;
#undef PL_RESOURCE_ENUM

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
 * Numbers are in the unit of the resource's kind; text is owned by the value. A weight that was
 * read where its number alone would not lead back to the same (v1's cpu.shares 1000 are a weight of
 * 98, which would become 1003) has what was read as its text, in digits.
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

/* Memory goes first, then tasks: an unbounded container harms its neighbours through these within
 * milliseconds, through CPU and I/O only slowly. See plan.c for the order within memory. */
typedef enum PlTurn {
        PL_TURN_MEMORY, /* each is planned by name, because they depend on each other */
        PL_TURN_TASKS,
        PL_TURN_OTHER,
        _PL_TURN_N,
} PlTurn;

typedef enum PlEngineUpdate {
        PL_ENGINE_NOT_TOLD = 0, /* the API has no member for it, and leaves the kernel's value */
        PL_ENGINE_TOLD = 1 << 0,
        PL_ENGINE_RESET = 1 << 1, /* an update of anything else puts back the kernel's default */
        PL_ENGINE_TOLD_AND_RESET = PL_ENGINE_TOLD | PL_ENGINE_RESET, /* taken, not passed on */
} PlEngineUpdate;

/* A row of the table above. */
typedef struct PlResourceInfo {
        const char *name;
        PlResourceKind kind;
        const char *controller;
        const char *file[_PL_HIERARCHY_N];
        uint64_t min, max, fresh;
        PlTurn turn;
        const char *unit_property;
        PlEngineUpdate engine;
        const char *expects;
} PlResourceInfo;

/** pl_resource_info() - the row of a resource. Return: never NULL for a valid resource. */
const PlResourceInfo *pl_resource_info(PlResource r);

/** pl_resource_fresh() - what a new group has: the row's number, or an empty text, which is not to
 * be freed or changed. */
PlValue pl_resource_fresh(PlResource r);

/** pl_resource_fresh_file() - the same of a hierarchy's file: v1's soft limit of memory is none
 * there, where v2's protection is 0.
 * @memory: the hierarchy that holds memory */
PlValue pl_resource_fresh_file(PlResource r, PlHierarchy memory);

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
/** pl_limits_any() - is at least one value set? */
bool pl_limits_any(const PlLimits *l);

/* The same, for what thousands of containers keep and few have much of: it takes memory for the
 * values that are set alone. Begins as zeroes. */
typedef struct PlSomeLimits {
        uint32_t set; /* mask of 1 << PlResource */
        PlValue *v;   /* those of the mask, in its order */
} PlSomeLimits;

void pl_some_limits_deinit(PlSomeLimits *l);
/** pl_some_limits_get() - Return: never NULL; borrowed until the next pl_some_limits_put(). */
const PlValue *pl_some_limits_get(const PlSomeLimits *l, PlResource r);
/** pl_some_limits_put() - @v: copied; an unset one takes away what is there
 * Return: 0, or -ENOMEM with *l untouched. */
int pl_some_limits_put(PlSomeLimits *l, PlResource r, const PlValue *v);
/** pl_some_limits_all() - Return: all of them, not to be freed; texts are borrowed. */
PlLimits pl_some_limits_all(const PlSomeLimits *l);

/* Default of CPUQuotaPeriodSec=, and the kernel's bounds for a period (kernel/sched/core.c). */
#define PL_QUOTA_PERIOD_DEFAULT_USEC UINT64_C(100000)
#define PL_QUOTA_PERIOD_MIN_USEC     UINT64_C(1000)
#define PL_QUOTA_PERIOD_MAX_USEC     UINT64_C(1000000)

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
 * be memory + swap already. On v2 it is swap alone.
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

/** pl_resource_devices_resolve() - a value whose devices have other names, as MAJ:MIN for paths
 * @resolve: fills the new name, 0 or negative errno. Devices that get the same name become one,
 * with the lowest of their rates Return: 0 with *ret replaced; -ENOMEM; the first error of
 * resolve(). */
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
