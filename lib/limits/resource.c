/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Resources: the table, and what can be done with values without knowing a file's format.
 */

#include "lib/limits/resource.h"

#include <errno.h>

#include "lib/base/unit.h"

/*
 * Floors, so that no policy can kill or starve by a slip of the pen (the kernel takes pids.max 0
 * and memory.max 4095): the engine's own minimum for memory is 6 MiB (moby, linuxMinMemory) and 1 %
 * of a CPU for its time (moby, "Range of CPUs is from 0.01"); a page per second for bandwidth.
 * Weights: kernel, cgroup-v2, CGROUP_WEIGHT_MIN/MAX. Tasks: kernel/cgroup/pids.c refuses PIDS_MAX =
 * PID_MAX_LIMIT + 1.
 */
#define MEMORY_FLOOR MIB(6)
#define BYTES_MAX    (UINT64_C(1) << 60)
#define CPUS_MAX     (8192 * PL_USEC_PER_SEC)

/* clang-format off */
#define ROW(r, name, kind, controller, v1, v2, min, max, property) \
        [PL_RESOURCE_##r] = { name, PL_KIND_##kind, controller, { v1, v2 }, min, max, property }
/* clang-format on */

static const PlResourceInfo resources[_PL_RESOURCE_N] = {
        ROW(CPU_QUOTA, "CPUQuota", CPU_TIME, "cpu", "cpu.cfs_quota_us", "cpu.max", 10000, CPUS_MAX,
            "CPUQuotaPerSecUSec"),
        ROW(CPU_WEIGHT, "CPUWeight", WEIGHT, "cpu", "cpu.shares", "cpu.weight", 1, 10000,
            "CPUWeight"),
        ROW(ALLOWED_CPUS, "AllowedCPUs", CPUSET, "cpuset", "cpuset.cpus", "cpuset.cpus", 0, 8191,
            "AllowedCPUs"),
        ROW(MEMORY_MIN, "MemoryMin", BYTES, "memory", NULL, "memory.min", 0, BYTES_MAX,
            "MemoryMin"),
        ROW(MEMORY_LOW, "MemoryLow", BYTES, "memory", "memory.soft_limit_in_bytes", "memory.low", 0,
            BYTES_MAX, "MemoryLow"),
        ROW(MEMORY_HIGH, "MemoryHigh", BYTES, "memory", NULL, "memory.high", MEMORY_FLOOR,
            BYTES_MAX, "MemoryHigh"),
        ROW(MEMORY_MAX, "MemoryMax", BYTES, "memory", "memory.limit_in_bytes", "memory.max",
            MEMORY_FLOOR, BYTES_MAX, "MemoryMax"),
        ROW(MEMORY_SWAP_MAX, "MemorySwapMax", BYTES, "memory", "memory.memsw.limit_in_bytes",
            "memory.swap.max", 0, BYTES_MAX, "MemorySwapMax"),
        ROW(TASKS_MAX, "TasksMax", COUNT, "pids", "pids.max", "pids.max", 1, 4194304, "TasksMax"),
        ROW(IO_WEIGHT, "IOWeight", WEIGHT, "io", "blkio.bfq.weight", "io.weight", 1, 10000,
            "IOWeight"),
        ROW(IO_READ_BANDWIDTH_MAX, "IOReadBandwidthMax", DEVICES, "io",
            "blkio.throttle.read_bps_device", "io.max", 4096, BYTES_MAX, "IOReadBandwidthMax"),
        ROW(IO_WRITE_BANDWIDTH_MAX, "IOWriteBandwidthMax", DEVICES, "io",
            "blkio.throttle.write_bps_device", "io.max", 4096, BYTES_MAX, "IOWriteBandwidthMax"),
};

#undef ROW

const PlResourceInfo *pl_resource_info(PlResource r) {
        return &resources[r];
}

PlResource pl_resource_from_name(const char *name) {
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                if (pl_streq(resources[r].name, name))
                        return r;
        return _PL_RESOURCE_INVALID;
}

void pl_value_deinit(PlValue *v) {
        free(v->text);
        *v = (PlValue){ 0 };
}

int pl_value_copy(const PlValue *v, PlValue *ret) {
        PlValue copy = *v;

        if (v->text) {
                copy.text = strdup(v->text);
                if (!copy.text)
                        return -ENOMEM;
        }
        pl_value_deinit(ret);
        *ret = copy;
        return 0;
}

bool pl_value_equal(const PlValue *a, const PlValue *b) {
        if (a->set != b->set)
                return false;
        return !a->set || (a->number == b->number && pl_streq_null(a->text, b->text));
}

void pl_limits_deinit(PlLimits *l) {
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                pl_value_deinit(&l->v[r]);
}

int pl_limits_copy(const PlLimits *l, PlLimits *ret) {
        PlLimits copy = { 0 };

        for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                if (pl_value_copy(&l->v[r], &copy.v[r]) < 0) {
                        pl_limits_deinit(&copy);
                        return -ENOMEM;
                }
        pl_limits_deinit(ret);
        *ret = copy;
        return 0;
}

bool pl_limits_equal(const PlLimits *a, const PlLimits *b) {
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                if (!pl_value_equal(&a->v[r], &b->v[r]))
                        return false;
        return true;
}

bool pl_limits_any(const PlLimits *l) {
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                if (l->v[r].set)
                        return true;
        return false;
}

/* "200%", "12.5%", "33.33%"; more decimals only where the kernel's rounding left some. */
static int format_cpu_time(uint64_t number, char **ret) {
        uint64_t fraction = number % 10000;
        int digits = 4, r;

        for (; digits > 0 && fraction % 10 == 0; digits--)
                fraction /= 10;
        if (digits == 0)
                r = asprintf(ret, "%" PRIu64 "%%", number / 10000);
        else
                r = asprintf(ret, "%" PRIu64 ".%0*" PRIu64 "%%", number / 10000, digits, fraction);
        return r < 0 ? -ENOMEM : 0;
}

int pl_value_to_string(PlResource r, const PlValue *v, char **ret) {
        char buf[PL_FORMAT_MAX];
        char *s = NULL;

        if (!v->set)
                s = strdup("-");
        else if (pl_resource_is_text(r))
                s = strdup(v->text && *v->text ? v->text : "infinity");
        else if (v->number == PL_UNLIMITED)
                s = strdup("infinity");
        else if (resources[r].kind == PL_KIND_BYTES)
                s = strdup(pl_format_bytes_exact(v->number, buf));
        else if (resources[r].kind == PL_KIND_CPU_TIME)
                return format_cpu_time(v->number, ret);
        else if (asprintf(&s, "%" PRIu64, v->number) < 0)
                s = NULL;
        if (!s)
                return -ENOMEM;
        *ret = s;
        return 0;
}
