/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A world of owners, in memory: a kernel with the group of one container, runc, systemd and an
 * engine. It knows what each of them does to a limit, and nothing of plimsoll.
 *
 * Sources: kernel Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst, mm/page_counter.c; moby
 * daemon/update_linux.go, container/container_unix.go (UpdateContainer); runc libcontainer
 * cgroups/fs, fs2 and systemd/v2.go; systemd src/core/cgroup.c. What each of them does to the
 * others was tried on Docker 20.10.24 (v1) and 26.1.5 (v2, systemd 257).
 */

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/unit.h"
#include "lib/limits/resource.h"

#define WORLD_PAGE   UINT64_C(4096)
#define WORLD_DEVICE "/dev/world0"
#define V1_NONE      UINT64_C(9223372036854771712)
/* DefaultTasksMax= of systemd: 15 % of what the host can have. */
#define SYSTEMD_TASKS 4915
#define BIT(r)        (UINT32_C(1) << PL_RESOURCE_##r)
#define ALL           ((UINT32_C(1) << _PL_RESOURCE_N) - 1)

/* A value in the kernel's own terms: bytes, shares, a rate. CPUQuota: number is the quota in usec,
 * aux the period. AllowedCPUs: text. PL_UNLIMITED: none. */
typedef struct Value {
        uint64_t number, aux;
        char text[24];
} Value;

static inline bool same_value(const Value *a, const Value *b) {
        return a->number == b->number && a->aux == b->aux && pl_streq(a->text, b->text);
}

/* HostConfig, in the engine's terms. */
typedef struct Host {
        int64_t memory, memory_swap, reservation, nano, quota, period, shares, pids, blkio;
        uint64_t rbps, wbps; /* of WORLD_DEVICE; 0: none */
        char cpus[24];
        char restart[16];
} Host;

/* What systemd knows of a scope, in its own terms. */
typedef struct Scope {
        uint32_t set; /* mask of properties that anybody has set */
        uint64_t number[_PL_RESOURCE_N], period_usec;
        char cpus[24];
} Scope;

typedef struct Group {
        bool there;
        uint64_t max, memsw, low, high, min, swap_max; /* memsw on v1, swap_max on v2 */
        uint64_t pinned, current;                      /* in use; pinned: cannot be reclaimed */
        int64_t quota;
        uint64_t period, weight, pids, io_weight, rbps, wbps;
        char cpus[24];
        uint32_t written; /* since the watcher told; mask of resources */
        bool watched, tell_due;
} Group;

typedef struct Box {
        char id[65];
        bool exists, running, starting;
        int pid, group; /* index; -1: none */
        uint64_t started_usec;
        Host host;
        int64_t runc_quota, runc_period; /* what runc was handed last */
        Scope scope;
} Box;

/* A slice as systemd has it: what protects memory of all below it together. Of two drop-ins of one
 * name that below /etc wins when it reads them again (systemd.unit(5)); what was set last counts
 * until then. */
typedef struct SliceUnit {
        uint64_t is[2]; /* MemoryMin, MemoryLow */
        uint64_t lasting[2], runtime[2];
        bool has_lasting[2], has_runtime[2];
} SliceUnit;

#define GROUPS_MAX 200
#define SIBLINGS   2
#define SLICES     2

/* Everything that a life changes, but for plimsoll itself. */
typedef struct World {
        PlHierarchy h;
        bool systemd;                        /* containers are scopes */
        bool podman, has_bfq, has_reclaim;   /* which engine and kernel */
        int64_t parent_quota, parent_period; /* -1: none */
        Group groups[GROUPS_MAX];
        int n_groups;
        Box box;
        /* others below the same parent; who is dealt with changes places with `box` */
        Box siblings[SIBLINGS];
        bool has_siblings;
        int changed_places; /* number of a sibling + 1; 0: none */
        SliceUnit slices[SLICES];
        const char *parent; /* of all groups: slices, the topmost first */
        unsigned n_boxes, n_runs;
        bool engine_up;
        unsigned refuse_updates; /* so many of the next ones */
        unsigned killed_by_us;   /* v2: plimsoll's doing took memory that was in use */
        bool may_kill;           /* the policy says so */
        bool our_doing;          /* what is written now follows from what plimsoll did */
        uint64_t now_usec;
} World;

/* A swap of two objects of one type. */
#define PL_SWAP(a, b)                     \
        do {                              \
                typeof(a) swapped_ = (a); \
                (a) = (b);                \
                (b) = swapped_;           \
        } while (0)

static World w;
static unsigned world_cpus = 4; /* of the host */

/* --- kernel --- */

static inline bool world_supports(PlResource r) {
        if (r == PL_RESOURCE_IO_WEIGHT)
                return w.has_bfq;
        return pl_resource_info(r)->file[w.h] != NULL;
}

static inline uint64_t page_down(uint64_t n) {
        if (n == PL_UNLIMITED || n >= V1_NONE)
                return PL_UNLIMITED;
        return n - n % WORLD_PAGE;
}

static inline void reclaim_to(Group *g, uint64_t goal) {
        if (g->current > goal)
                g->current = PL_MAX(goal, g->pinned);
}

/* v2 kills what does not fit; v1 refuses. */
static inline int write_memory_max(Group *g, uint64_t n) {
        if (w.h == PL_HIERARCHY_V1 && n > g->memsw)
                return -EINVAL;
        if (n != PL_UNLIMITED && g->pinned > n) {
                if (w.h == PL_HIERARCHY_V1) {
                        reclaim_to(g, n);
                        return -EBUSY;
                }
                w.killed_by_us += w.our_doing && !w.may_kill;
                g->pinned = n / 2;
        }
        reclaim_to(g, n);
        g->max = n;
        return 0;
}

static inline int write_memsw(Group *g, uint64_t n) {
        if (n < g->max)
                return -EINVAL;
        if (g->pinned > n)
                return -EBUSY;
        reclaim_to(g, n);
        g->memsw = n;
        return 0;
}

/* v1: the children's ratio is within the parent's. */
static inline int check_quota(int64_t quota, uint64_t period) {
        if (quota < 0 || w.parent_quota < 0)
                return 0;
        return quota * w.parent_period > w.parent_quota * (int64_t)period ? -EINVAL : 0;
}

static inline int write_quota(Group *g, int64_t quota, uint64_t period) {
        if (period < 1000 || period > 1000000 || (quota >= 0 && quota < 1000))
                return -EINVAL;
        if (w.h == PL_HIERARCHY_V1 && check_quota(quota, period) < 0)
                return -EINVAL;
        g->quota = quota;
        g->period = period;
        return 0;
}

static inline int write_cpus(Group *g, const char *text) {
        _cleanup_free_ char *canonical = NULL;
        const char *last;

        while (*text == ' ' || *text == '\n')
                text++;
        if (!*text) {
                if (w.h == PL_HIERARCHY_V1)
                        return -ENOSPC;
                g->cpus[0] = '\0';
                return 0;
        }
        if (pl_parse_cpuset(text, &canonical) < 0 || strlen(canonical) >= sizeof(g->cpus))
                return -EINVAL;
        last = canonical + strlen(canonical);
        while (last > canonical && last[-1] >= '0' && last[-1] <= '9')
                last--;
        if (atoi(last) >= (int)world_cpus)
                return w.h == PL_HIERARCHY_V1 ? -EACCES : -ERANGE;
        (void)snprintf(g->cpus, sizeof(g->cpus), "%s", canonical);
        return 0;
}

static inline uint64_t number_of_text(const char *s) {
        uint64_t n = 0;

        if (pl_startswith(s, "max") || pl_startswith(s, "-1"))
                return PL_UNLIMITED;
        (void)sscanf(s, "%" SCNu64, &n);
        return n;
}

/* "250:0 rbps=1 wbps=max" or, v1, "250:0 1" (0: none). */
static inline int write_rates(Group *g, const char *file, const char *text) {
        const char *rbps = strstr(text, "rbps="), *wbps = strstr(text, "wbps=");
        uint64_t n;

        if (!pl_startswith(text, "250:0 "))
                return -ENODEV;
        if (w.h == PL_HIERARCHY_V2) {
                if (rbps)
                        g->rbps = number_of_text(rbps + 5);
                if (wbps)
                        g->wbps = number_of_text(wbps + 5);
                return 0;
        }
        n = number_of_text(text + 6);
        *(strstr(file, "read") ? &g->rbps : &g->wbps) = n == 0 ? PL_UNLIMITED : n;
        return 0;
}

static inline int write_weight(uint64_t *to, uint64_t n, uint64_t min, uint64_t max, bool clamp) {
        if (clamp)
                n = PL_MIN(PL_MAX(n, min), max);
        else if (n < min || n > max)
                return -ERANGE;
        *to = n;
        return 0;
}

/** The kernel's answer to a write; it notes what was written, for the watcher. */
static inline int kernel_write(Group *g, const char *file, const char *text) {
        bool v1 = w.h == PL_HIERARCHY_V1;
        uint64_t n = number_of_text(text);
        int64_t quota;
        uint64_t period;

        if (!g->there)
                return -ENODEV;
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                if (pl_streq_null(pl_resource_info(r)->file[w.h], file))
                        g->written |= UINT32_C(1) << r;
        if (pl_streq(file, "cpu.cfs_period_us"))
                g->written |= BIT(CPU_QUOTA);

        if (pl_streq(file, "memory.limit_in_bytes") || pl_streq(file, "memory.max"))
                return write_memory_max(g, page_down(n));
        if (pl_streq(file, "memory.memsw.limit_in_bytes"))
                return write_memsw(g, page_down(n));
        if (pl_streq(file, "memory.swap.max"))
                g->swap_max = page_down(n);
        else if (pl_streq(file, "memory.low") || pl_streq(file, "memory.soft_limit_in_bytes"))
                g->low = page_down(n);
        else if (pl_streq(file, "memory.min"))
                g->min = page_down(n);
        else if (pl_streq(file, "memory.high")) {
                g->high = page_down(n);
                reclaim_to(g, g->high);
        } else if (pl_streq(file, "memory.reclaim")) {
                uint64_t goal = g->current > n ? g->current - n : 0;

                reclaim_to(g, goal);
                return g->current > goal ? -EAGAIN : 0;
        } else if (pl_streq(file, "pids.max"))
                g->pids = n;
        else if (pl_streq(file, "cpu.shares"))
                return write_weight(&g->weight, n, 2, 262144, true);
        else if (pl_streq(file, "cpu.weight"))
                return write_weight(&g->weight, n, 1, 10000, false);
        else if (pl_streq(file, "cpu.cfs_quota_us"))
                return write_quota(g, n == PL_UNLIMITED ? -1 : (int64_t)n, g->period);
        else if (pl_streq(file, "cpu.cfs_period_us"))
                return write_quota(g, g->quota, n);
        else if (pl_streq(file, "cpu.max")) {
                quota = n == PL_UNLIMITED ? -1 : (int64_t)n;
                period = strchr(text, ' ') ? number_of_text(strchr(text, ' ') + 1) : g->period;
                return write_quota(g, quota, period);
        } else if (pl_streq(file, "cpuset.cpus"))
                return write_cpus(g, text);
        else if (pl_streq(file, "blkio.bfq.weight") && w.has_bfq)
                return write_weight(&g->io_weight, n, 1, 1000, false);
        else if (pl_streq(file, "io.weight") && w.has_bfq)
                return write_weight(
                                &g->io_weight,
                                number_of_text(pl_startswith(text, "default ") ? text + 8 : text),
                                1, 10000, false);
        else if (pl_streq(file, "io.max") || pl_startswith(file, "blkio.throttle."))
                return write_rates(g, file, text);
        else
                return -ENOENT;
        (void)v1;
        return 0;
}

static inline void format_max(char *buf, size_t size, uint64_t n) {
        if (n != PL_UNLIMITED)
                (void)snprintf(buf, size, "%" PRIu64 "\n", n);
        else if (w.h == PL_HIERARCHY_V1)
                (void)snprintf(buf, size, "%" PRIu64 "\n", V1_NONE);
        else
                (void)snprintf(buf, size, "max\n");
}

static inline void format_rates(const Group *g, const char *file, char *buf, size_t size) {
        uint64_t n = strstr(file, "read") ? g->rbps : g->wbps;
        char r[24] = "max", wr[24] = "max";

        buf[0] = '\0';
        if (w.h == PL_HIERARCHY_V1) {
                if (n != PL_UNLIMITED)
                        (void)snprintf(buf, size, "250:0 %" PRIu64 "\n", n);
                return;
        }
        if (g->rbps == PL_UNLIMITED && g->wbps == PL_UNLIMITED)
                return;
        if (g->rbps != PL_UNLIMITED)
                (void)snprintf(r, sizeof(r), "%" PRIu64, g->rbps);
        if (g->wbps != PL_UNLIMITED)
                (void)snprintf(wr, sizeof(wr), "%" PRIu64, g->wbps);
        (void)snprintf(buf, size, "250:0 rbps=%s wbps=%s riops=max wiops=max\n", r, wr);
}

/** What a file says. @g: NULL: the parent's. Return: 0, -ENOENT. */
static inline int kernel_read(const Group *g, const char *file, char *buf, size_t size) {
        bool v1 = w.h == PL_HIERARCHY_V1;
        const struct {
                const char *name;
                int version; /* 1, 2; 0: both */
                uint64_t n;
        } numbers[] = {
                { "memory.limit_in_bytes", 1, g ? g->max : 0 },
                { "memory.max", 2, g ? g->max : 0 },
                { "memory.memsw.limit_in_bytes", 1, g ? g->memsw : 0 },
                { "memory.swap.max", 2, g ? g->swap_max : 0 },
                { "memory.soft_limit_in_bytes", 1, g ? g->low : 0 },
                { "memory.low", 2, g ? g->low : 0 },
                { "memory.high", 2, g ? g->high : 0 },
                { "memory.min", 2, g ? g->min : 0 },
                { "memory.current", 2, g ? g->current : 0 },
                { "memory.usage_in_bytes", 1, g ? g->current : 0 },
                { "cpu.shares", 1, g ? g->weight : 0 },
                { "cpu.weight", 2, g ? g->weight : 0 },
                { "cpu.cfs_period_us", 1, g ? g->period : 0 },
        };

        if (pl_streq(file, "../cpuset.cpus") || (!g && pl_streq(file, "cpuset.cpus"))) {
                (void)snprintf(buf, size, "0-%u\n", world_cpus - 1);
                return 0;
        }
        if (!g || !g->there)
                return -ENOENT;
        for (size_t i = 0; i < PL_ARRAY_SIZE(numbers); i++)
                if (pl_streq(numbers[i].name, file)) {
                        if (numbers[i].version != (v1 ? 1 : 2))
                                return -ENOENT;
                        format_max(buf, size, numbers[i].n);
                        return 0;
                }
        if (pl_streq(file, "pids.max")) {
                if (g->pids == PL_UNLIMITED)
                        (void)snprintf(buf, size, "max\n");
                else
                        (void)snprintf(buf, size, "%" PRIu64 "\n", g->pids);
        } else if (v1 && pl_streq(file, "cpu.cfs_quota_us"))
                (void)snprintf(buf, size, "%" PRId64 "\n", g->quota);
        else if (!v1 && pl_streq(file, "cpu.max") && g->quota < 0)
                (void)snprintf(buf, size, "max %" PRIu64 "\n", g->period);
        else if (!v1 && pl_streq(file, "cpu.max"))
                (void)snprintf(buf, size, "%" PRId64 " %" PRIu64 "\n", g->quota, g->period);
        else if (pl_streq(file, "cpuset.cpus"))
                (void)snprintf(buf, size, "%s\n", g->cpus);
        else if (w.has_bfq && v1 && pl_streq(file, "blkio.bfq.weight"))
                (void)snprintf(buf, size, "%" PRIu64 "\n", g->io_weight);
        else if (w.has_bfq && !v1 && pl_streq(file, "io.weight"))
                (void)snprintf(buf, size, "default %" PRIu64 "\n", g->io_weight);
        else if (v1 ? pl_startswith(file, "blkio.throttle.") : pl_streq(file, "io.max"))
                format_rates(g, file, buf, size);
        else if (pl_streq(file, "cgroup.procs"))
                (void)snprintf(buf, size, "%d\n", w.box.pid);
        else
                return -ENOENT;
        return 0;
}

static inline void kernel_fresh(Group *g) {
        bool v1 = w.h == PL_HIERARCHY_V1;

        *g = (Group){
                .there = true,
                .max = PL_UNLIMITED,
                .memsw = PL_UNLIMITED,
                .low = v1 ? PL_UNLIMITED : 0,
                .high = PL_UNLIMITED,
                .swap_max = PL_UNLIMITED,
                .pinned = MIB(2),
                .current = MIB(3),
                .quota = -1,
                .period = 100000,
                .weight = v1 ? 1024 : 100,
                .pids = PL_UNLIMITED,
                .io_weight = 100,
                .rbps = PL_UNLIMITED,
                .wbps = PL_UNLIMITED,
        };
        /* Docker's parent hands its own list down */
        if (v1)
                (void)snprintf(g->cpus, sizeof(g->cpus), "0-%u", world_cpus - 1);
}

static inline Value group_value(const Group *g, PlResource r) {
        Value v = { 0 };

        switch (r) {
        case PL_RESOURCE_CPU_QUOTA:
                v.number = g->quota < 0 ? PL_UNLIMITED : (uint64_t)g->quota;
                v.aux = g->period;
                break;
        case PL_RESOURCE_CPU_WEIGHT:
                v.number = g->weight;
                break;
        case PL_RESOURCE_ALLOWED_CPUS:
                memcpy(v.text, g->cpus, sizeof(v.text));
                break;
        case PL_RESOURCE_MEMORY_MIN:
                v.number = g->min;
                break;
        case PL_RESOURCE_MEMORY_LOW:
                v.number = g->low;
                break;
        case PL_RESOURCE_MEMORY_HIGH:
                v.number = g->high;
                break;
        case PL_RESOURCE_MEMORY_MAX:
                v.number = g->max;
                break;
        case PL_RESOURCE_MEMORY_SWAP_MAX:
                if (w.h == PL_HIERARCHY_V2)
                        v.number = g->swap_max;
                else
                        v.number = g->memsw == PL_UNLIMITED ? PL_UNLIMITED : g->memsw - g->max;
                break;
        case PL_RESOURCE_TASKS_MAX:
                v.number = g->pids;
                break;
        case PL_RESOURCE_IO_WEIGHT:
                v.number = g->io_weight;
                break;
        case PL_RESOURCE_IO_READ_BANDWIDTH_MAX:
                v.number = g->rbps;
                break;
        case PL_RESOURCE_IO_WRITE_BANDWIDTH_MAX:
                v.number = g->wbps;
                break;
        default:
                break;
        }
        return v;
}

static inline int put(Group *g, const char *file, const char *format, ...) PL_PRINTF(3, 4);
static inline int put(Group *g, const char *file, const char *format, ...) {
        char text[96];
        va_list ap;

        va_start(ap, format);
        (void)vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        return kernel_write(g, file, text);
}

/* --- runc --- */

static inline int runc_memory_v1(Group *g, const Host *k) {
        int64_t memory = k->memory, swap = k->memory_swap;
        bool swap_first;
        int r = 0;

        if (memory == -1 && swap == 0)
                swap = -1;
        if (memory != 0 && swap != 0) {
                /* whichever gives room is written first */
                swap_first = swap == -1 || g->max < (uint64_t)swap;
                if (swap_first)
                        r = put(g, "memory.memsw.limit_in_bytes", "%" PRId64, swap);
                if (r >= 0)
                        r = put(g, "memory.limit_in_bytes", "%" PRId64, memory);
                if (r >= 0 && !swap_first)
                        r = put(g, "memory.memsw.limit_in_bytes", "%" PRId64, swap);
        } else if (memory != 0)
                r = put(g, "memory.limit_in_bytes", "%" PRId64, memory);
        else if (swap != 0)
                r = put(g, "memory.memsw.limit_in_bytes", "%" PRId64, swap);
        if (r >= 0 && k->reservation != 0)
                r = put(g, "memory.soft_limit_in_bytes", "%" PRId64, k->reservation);
        return r;
}

static inline int runc_memory_v2(Group *g, const Host *k) {
        int r = 0;

        if (k->memory_swap == -1)
                r = put(g, "memory.swap.max", "max");
        else if (k->memory_swap > 0)
                r = put(g, "memory.swap.max", "%" PRId64, k->memory_swap - k->memory);
        if (r >= 0 && k->memory != 0)
                r = put(g, "memory.max", "%" PRId64, k->memory);
        if (r >= 0 && k->reservation != 0)
                r = put(g, "memory.low", "%" PRId64, k->reservation);
        return r;
}

static inline uint64_t shares_to_weight(int64_t shares) {
        return 1 + ((uint64_t)shares - 2) * 9999 / 262142;
}

/* CpuQuota=-1 beside NanoCpus wins (tried on 20.10.24 and 28.5.2). */
static inline int64_t runc_quota(const Host *k) {
        return k->quota != 0 ? k->quota : k->nano / 10000;
}

static inline int64_t runc_period(const Host *k) {
        return k->period != 0 ? k->period : k->nano > 0 ? 100000 : 0;
}

/* Podman keeps quota and period, whatever it is given; NanoCpus follow from them (tried on 5.8.6).
 */
static inline void podman_cpus(Host *h) {
        if (h->nano > 0 && h->quota == 0) {
                h->quota = h->nano / 10000;
                h->period = 100000;
        }
        h->nano = 0;
}

static inline int runc_cpu(Group *g, const Host *k) {
        int64_t quota = runc_quota(k), period = runc_period(k);
        bool v1 = w.h == PL_HIERARCHY_V1;
        int r = 0;

        if (k->shares > 0)
                r = v1 ? put(g, "cpu.shares", "%" PRId64, k->shares)
                       : put(g, "cpu.weight", "%" PRIu64, shares_to_weight(k->shares));
        if (r < 0 || (quota == 0 && period == 0))
                return r;
        if (!v1) {
                char text[24] = "max";

                if (quota > 0)
                        (void)snprintf(text, sizeof(text), "%" PRId64, quota);
                return put(g, "cpu.max", "%s %" PRId64, text, period > 0 ? period : 100000);
        }
        if (period > 0 && put(g, "cpu.cfs_period_us", "%" PRId64, period) < 0) {
                /* runc 1.1: then the quota first */
                r = quota != 0 ? put(g, "cpu.cfs_quota_us", "%" PRId64, quota) : -EINVAL;
                return r < 0 ? r : put(g, "cpu.cfs_period_us", "%" PRId64, period);
        }
        return quota != 0 ? put(g, "cpu.cfs_quota_us", "%" PRId64, quota) : 0;
}

static inline int runc_io(Group *g, const Host *k) {
        bool v1 = w.h == PL_HIERARCHY_V1;

        if (k->blkio > 0 && w.has_bfq)
                (void)(v1 ? put(g, "blkio.bfq.weight", "%" PRId64, k->blkio)
                          : put(g, "io.weight", "%" PRId64, 1 + (k->blkio - 10) * 9999 / 990));
        if (k->rbps > 0)
                (void)put(g, v1 ? "blkio.throttle.read_bps_device" : "io.max",
                          v1 ? "250:0 %" PRIu64 : "250:0 rbps=%" PRIu64, k->rbps);
        if (k->wbps > 0)
                (void)put(g, v1 ? "blkio.throttle.write_bps_device" : "io.max",
                          v1 ? "250:0 %" PRIu64 : "250:0 wbps=%" PRIu64, k->wbps);
        return 0;
}

/* Return: the first refusal; what comes after it is not written. */
static inline int runc_write(Group *g, const Host *k) {
        int r = w.h == PL_HIERARCHY_V1 ? runc_memory_v1(g, k) : runc_memory_v2(g, k);

        if (r >= 0)
                r = runc_cpu(g, k);
        if (r >= 0 && k->cpus[0])
                r = put(g, "cpuset.cpus", "%s", k->cpus);
        if (r >= 0 && k->pids != 0)
                r = k->pids > 0 ? put(g, "pids.max", "%" PRId64, k->pids)
                                : put(g, "pids.max", "max");
        return r < 0 ? r : runc_io(g, k);
}

/* --- systemd --- */

static inline void scope_set(Scope *s, PlResource r, uint64_t n) {
        s->set |= UINT32_C(1) << r;
        s->number[r] = n;
}

/* What runc tells systemd. No MemorySwapMax where it is 0 (moby 51446). */
static inline void runc_tells_systemd(Scope *s, const Host *k) {
        int64_t quota = runc_quota(k), period = runc_period(k);

        if (k->memory > 0)
                scope_set(s, PL_RESOURCE_MEMORY_MAX, (uint64_t)k->memory);
        if (k->reservation > 0)
                scope_set(s, PL_RESOURCE_MEMORY_LOW, (uint64_t)k->reservation);
        if (k->memory_swap == -1)
                scope_set(s, PL_RESOURCE_MEMORY_SWAP_MAX, PL_UNLIMITED);
        else if (k->memory > 0 && k->memory_swap > k->memory)
                scope_set(s, PL_RESOURCE_MEMORY_SWAP_MAX, (uint64_t)(k->memory_swap - k->memory));
        if (k->shares > 0)
                scope_set(s, PL_RESOURCE_CPU_WEIGHT, shares_to_weight(k->shares));
        if (quota != 0) {
                s->period_usec = period > 0 ? (uint64_t)period : 100000;
                scope_set(s, PL_RESOURCE_CPU_QUOTA,
                          quota < 0 ? PL_UNLIMITED
                                    : (uint64_t)quota * PL_USEC_PER_SEC / s->period_usec);
        }
        if (k->pids != 0)
                scope_set(s, PL_RESOURCE_TASKS_MAX, k->pids > 0 ? (uint64_t)k->pids : PL_UNLIMITED);
        if (k->cpus[0]) {
                s->set |= BIT(ALLOWED_CPUS);
                memcpy(s->cpus, k->cpus, sizeof(s->cpus));
        }
}

/* systemd writes everything that it knows, and its defaults for the rest. */
static inline void systemd_write(Group *g, const Scope *s) {
        static const struct {
                PlResource r;
                const char *file;
                uint64_t otherwise;
        } rows[] = {
                { PL_RESOURCE_MEMORY_MIN, "memory.min", 0 },
                { PL_RESOURCE_MEMORY_LOW, "memory.low", 0 },
                { PL_RESOURCE_MEMORY_HIGH, "memory.high", PL_UNLIMITED },
                { PL_RESOURCE_MEMORY_MAX, "memory.max", PL_UNLIMITED },
                { PL_RESOURCE_MEMORY_SWAP_MAX, "memory.swap.max", PL_UNLIMITED },
                { PL_RESOURCE_CPU_WEIGHT, "cpu.weight", 100 },
                { PL_RESOURCE_TASKS_MAX, "pids.max", SYSTEMD_TASKS },
                { PL_RESOURCE_IO_WEIGHT, "io.weight", 100 },
        };
        uint64_t quota = s->set & BIT(CPU_QUOTA) ? s->number[PL_RESOURCE_CPU_QUOTA] : PL_UNLIMITED;
        uint64_t period = s->period_usec ?: 100000;
        char text[32];

        for (size_t i = 0; i < PL_ARRAY_SIZE(rows); i++) {
                uint64_t n = s->set & (UINT32_C(1) << rows[i].r) ? s->number[rows[i].r]
                                                                 : rows[i].otherwise;

                if (n == PL_UNLIMITED)
                        (void)put(g, rows[i].file, "max");
                else
                        (void)put(g, rows[i].file, "%" PRIu64, n);
        }
        (void)snprintf(text, sizeof(text), "%" PRIu64,
                       quota == PL_UNLIMITED ? 0 : PL_MAX(quota * period / PL_USEC_PER_SEC, 1000U));
        (void)put(g, "cpu.max", "%s %" PRIu64, quota == PL_UNLIMITED ? "max" : text, period);
        (void)put(g, "cpuset.cpus", "%s", s->set & BIT(ALLOWED_CPUS) ? s->cpus : "");
        /* only of devices that it was told of */
        if (s->set & BIT(IO_READ_BANDWIDTH_MAX))
                (void)put(g, "io.max", "250:0 rbps=%" PRIu64,
                          s->number[PL_RESOURCE_IO_READ_BANDWIDTH_MAX]);
        if (s->set & BIT(IO_WRITE_BANDWIDTH_MAX))
                (void)put(g, "io.max", "250:0 wbps=%" PRIu64,
                          s->number[PL_RESOURCE_IO_WRITE_BANDWIDTH_MAX]);
}

/* --- the engine's rules --- */

static inline bool cpus_there(const char *cpus) {
        Group scratch = { 0 };

        return write_cpus(&scratch, cpus) >= 0;
}

/* verifyPlatformContainerResources(). Return: NULL, or why the request is refused. */
static inline const char *engine_verify(const Host *q) {
        if (q->memory > 0 && q->memory < (int64_t)MIB(6))
                return "Minimum memory limit allowed is 6MB";
        if (q->memory > 0 && q->memory_swap > 0 && q->memory_swap < q->memory)
                return "Minimum memoryswap limit should be larger than memory limit";
        if (q->memory == 0 && q->memory_swap > 0)
                return "You should always set the Memory limit when using Memoryswap limit";
        if (q->reservation > 0 && q->reservation < (int64_t)MIB(6))
                return "Minimum memory reservation allowed is 6MB";
        if (q->memory > 0 && q->reservation > 0 && q->memory < q->reservation)
                return "Minimum memory limit can not be less than memory reservation limit";
        if (q->nano > 0 && (q->period > 0 || q->quota > 0))
                return "Conflicting options: Nano CPUs and CPU Period or Quota cannot both be set";
        if (q->nano < 0 || q->nano > world_cpus * INT64_C(1000000000))
                return "Range of CPUs is from 0.01 to 4.00";
        if (q->quota > 0 && q->quota < 1000)
                return "CPU cfs quota can not be less than 1ms";
        if (q->period != 0 && (q->period < 1000 || q->period > 1000000))
                return "CPU cfs period can not be less than 1ms or larger than 1s";
        if (q->blkio != 0 && (q->blkio < 10 || q->blkio > 1000))
                return "Range of blkio weight is from 10 to 1000";
        if (q->cpus[0] && !cpus_there(q->cpus))
                return "Requested CPUs are not available";
        return NULL;
}

/* UpdateContainer(): into what the container has. Return: NULL, or why not. */
static inline const char *engine_merge(Host *h, const Host *q) {
        /* Podman knows one quota, however it is said */
        if (w.podman && q->nano > 0)
                h->quota = h->period = 0;
        if (w.podman && (q->quota > 0 || q->period > 0))
                h->nano = 0;
        if (q->nano > 0 && (h->period > 0 || h->quota > 0))
                return "Conflicting options: Nano CPUs cannot be updated as CPU Period or Quota "
                       "has already been set";
        if ((q->period > 0 || q->quota > 0) && h->nano > 0)
                return "Conflicting options: CPU Period or Quota cannot be updated as NanoCPUs has "
                       "already been set";
        /* tried: also where the sum is -1 or 0, which is no limit */
        if (q->memory > 0 && q->memory > h->memory_swap && q->memory_swap == 0)
                return "Memory limit should be smaller than already set memoryswap limit, update "
                       "the memoryswap at the same time";
        if (q->memory != 0)
                h->memory = q->memory;
        if (q->memory_swap != 0)
                h->memory_swap = q->memory_swap;
        if (q->reservation != 0)
                h->reservation = q->reservation;
        if (q->nano != 0)
                h->nano = q->nano;
        if (q->quota != 0)
                h->quota = q->quota;
        if (q->period != 0)
                h->period = q->period;
        if (q->shares != 0)
                h->shares = q->shares;
        if (q->pids != 0)
                h->pids = q->pids;
        if (q->blkio != 0)
                h->blkio = q->blkio;
        if (q->cpus[0])
                memcpy(h->cpus, q->cpus, sizeof(h->cpus));
        if (q->restart[0])
                memcpy(h->restart, q->restart, sizeof(h->restart));
        return NULL;
}

/* What moby hands to runc of a request: swap above 0 alone. runc writes what it was handed, and the
 * rates of devices again that it has from the start (tried on 20.10.24). Of quota and period, one
 * comes with the other as it was (runc update.go). */
static inline Host runc_request(const Host *q, const Box *b) {
        Host r = *q;

        r.memory_swap = PL_MAX(r.memory_swap, INT64_C(0));
        r.quota = runc_quota(q);
        r.period = runc_period(q);
        r.nano = 0;
        if (r.quota != 0 && r.period == 0)
                r.period = b->runc_period;
        else if (r.period != 0 && r.quota == 0)
                r.quota = b->runc_quota;
        r.rbps = b->host.rbps;
        r.wbps = b->host.wbps;
        return r;
}

/* Who has this id takes the place of the box. Return: to be handed to leave_box(). */
static inline int enter_box(const char *id) {
        for (int i = 0; w.has_siblings && w.changed_places == 0 && i < SIBLINGS; i++)
                if (pl_streq(w.siblings[i].id, id)) {
                        PL_SWAP(w.box, w.siblings[i]);
                        return w.changed_places = i + 1;
                }
        return 0;
}

static inline void leave_box(int i) {
        if (i == 0)
                return;
        PL_SWAP(w.box, w.siblings[i - 1]);
        w.changed_places = 0;
}

static inline Group *box_group(void) {
        return w.box.group >= 0 ? &w.groups[w.box.group] : NULL;
}

/** An update, from whoever. Return: NULL, or the engine's refusal. */
static inline const char *engine_update(const Host *q) {
        Box *b = &w.box;
        Host host = b->host, request, podman = *q;
        Group *g = box_group();
        const char *why;
        int r = 0;

        if (!b->exists)
                return "No such container";
        if (w.podman) {
                podman_cpus(&podman);
                q = &podman;
        }
        if (w.refuse_updates > 0) {
                w.refuse_updates--;
                return "no, thank you";
        }
        why = engine_verify(q);
        if (!why)
                why = engine_merge(&host, q);
        if (why)
                return why;
        if (w.podman && !q->restart[0])
                (void)snprintf(host.restart, sizeof(host.restart), "no");
        if (b->running && g) {
                Scope scope = b->scope;

                request = runc_request(q, b);
                if (w.systemd) {
                        runc_tells_systemd(&scope, &request);
                        systemd_write(g, &scope);
                }
                r = runc_write(g, &request);
                if (r < 0)
                        return "runc did not terminate successfully: failed to write";
                b->scope = scope;
                b->runc_quota = request.quota;
                b->runc_period = request.period;
        }
        b->host = host;
        return NULL;
}

static inline Host update_from_json(const char *body) {
        json_t *o = json_loads(body, 0, NULL), *restart = json_object_get(o, "RestartPolicy");
        Host q = { 0 };

        q.memory = json_integer_value(json_object_get(o, "Memory"));
        q.memory_swap = json_integer_value(json_object_get(o, "MemorySwap"));
        q.reservation = json_integer_value(json_object_get(o, "MemoryReservation"));
        q.nano = json_integer_value(json_object_get(o, "NanoCpus"));
        q.quota = json_integer_value(json_object_get(o, "CpuQuota"));
        q.period = json_integer_value(json_object_get(o, "CpuPeriod"));
        q.shares = json_integer_value(json_object_get(o, "CpuShares"));
        q.pids = json_integer_value(json_object_get(o, "PidsLimit"));
        q.blkio = json_integer_value(json_object_get(o, "BlkioWeight"));
        (void)snprintf(q.cpus, sizeof(q.cpus), "%s",
                       json_string_value(json_object_get(o, "CpusetCpus")) ?: "");
        (void)snprintf(q.restart, sizeof(q.restart), "%s",
                       json_string_value(json_object_get(restart, "Name")) ?: "");
        json_decref(o);
        return q;
}

/* What moby hands to runc at a start: of memory, numbers above 0 alone. */
static inline Host runc_start(const Host *host) {
        Host k = *host;

        k.memory = PL_MAX(k.memory, INT64_C(0));
        k.memory_swap = PL_MAX(k.memory_swap, INT64_C(0));
        k.reservation = PL_MAX(k.reservation, INT64_C(0));
        return k;
}

/** What a run of its own would have in the kernel: a new group, then runc, then systemd. */
static inline void derive(const Host *host, Group *g, Scope *ret_scope) {
        Host k = runc_start(host);
        Scope scope = { 0 };

        kernel_fresh(g);
        if (w.systemd) {
                runc_tells_systemd(&scope, &k);
                systemd_write(g, &scope);
        }
        (void)runc_write(g, &k);
        *ret_scope = scope;
}
