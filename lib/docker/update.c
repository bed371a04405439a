/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Update: limits to the body of POST /containers/{id}/update, only what differs, and HostConfig to
 * limits.
 *
 * Holds the engine's rules about which values go together, which exclude each other and which it
 * cannot take back (Engine API, "Update a container"; daemon/container checks as tried), so that
 * nobody else has to know them. Each row of the table below writes one resource.
 */

#include "lib/docker/update.h"

#include <errno.h>

#include "lib/base/unit.h"
#include "lib/base/json.h"

/* CpuPeriod where HostConfig leaves it at 0 (kernel and engine default). */
#define CPU_PERIOD_USEC UINT64_C(100000)
/* "Minimum memory limit allowed is 6MB" */
#define MEMORY_MIN_BYTES MIB(6)
/* CpuQuota below 1 ms is refused, by the kernel too; NanoCpus uses a period of 100 ms */
#define CPU_QUOTA_MIN_USEC UINT64_C(1000)
#define SHARES_MIN         UINT64_C(2)
#define SHARES_MAX         UINT64_C(262144)
#define BLKIO_MIN          UINT64_C(10)
#define BLKIO_MAX          UINT64_C(1000)
#define WEIGHT_MAX         UINT64_C(10000)
#define WEIGHT_DEFAULT     UINT64_C(100)

#define BIT(r) (UINT32_C(1) << PL_RESOURCE_##r)

typedef struct Update {
        const PlLimits *want;
        const PlHostConfig *have;
        const PlDockerHost *host;
        json_t *body;
        uint32_t not ;
} Update;

static uint64_t clamp(uint64_t v, uint64_t min, uint64_t max) {
        return v < min ? min : v > max ? max : v;
}

/*
 * Weights. cgroup v1 has cpu.shares (default 1024) and blkio.weight (default 500), and systemd
 * scales its 1..10000 (default 100) to them linearly. On v2 runc maps the engine's shares onto
 * cpu.weight by its own line (2..262144 to 1..10000; libcontainer ConvertCPUSharesToCgroupV2Value,
 * runc up to 1.3), and blkio 10..1000 to io.weight 1..10000 likewise. On v1 it writes blkio as it
 * is, since Linux 5.0 into blkio.bfq.weight (fs/blkio.go).
 */
static uint64_t weight_to_shares(uint64_t weight) {
        /* rounded up, so that runc's rounding down gives the weight again */
        weight = clamp(weight, 1, WEIGHT_MAX);
        return SHARES_MIN +
               ((weight - 1) * (SHARES_MAX - SHARES_MIN) + WEIGHT_MAX - 2) / (WEIGHT_MAX - 1);
}

static uint64_t shares_to_weight(uint64_t shares) {
        shares = clamp(shares, SHARES_MIN, SHARES_MAX);
        return 1 + (shares - SHARES_MIN) * (WEIGHT_MAX - 1) / (SHARES_MAX - SHARES_MIN);
}

static uint64_t weight_to_blkio(uint64_t weight) {
        /* rounded up, as shares: ten weights have one of these */
        weight = clamp(weight, 1, WEIGHT_MAX);
        return BLKIO_MIN +
               ((weight - 1) * (BLKIO_MAX - BLKIO_MIN) + WEIGHT_MAX - 2) / (WEIGHT_MAX - 1);
}

static uint64_t blkio_to_weight(uint64_t blkio) {
        blkio = clamp(blkio, BLKIO_MIN, BLKIO_MAX);
        return 1 + (blkio - BLKIO_MIN) * (WEIGHT_MAX - 1) / (BLKIO_MAX - BLKIO_MIN);
}

static const PlValue *wanted(const Update *u, PlResource r) {
        const PlValue *v = &u->want->v[r];

        return v->set ? v : NULL;
}

static void cannot(Update *u, PlResource r) {
        u->not |= UINT32_C(1) << r;
}

static bool is_limit(int64_t bytes) {
        return bytes > 0 && bytes < PL_ENGINE_NO_LIMIT_BYTES;
}

static const PlEngineTraits *engine_of(const Update *u) {
        return u->host->engine ?: pl_engine_traits(false, NULL);
}

static int tell(Update *u, const char *key, int64_t value) {
        return json_object_set_new(u->body, key, json_integer(value)) < 0 ? -ENOMEM : 0;
}

/* Bytes that fit in the API's int64; anything larger is no limit on any machine. */
static int64_t to_api_bytes(uint64_t bytes) {
        return bytes >= (uint64_t)PL_ENGINE_NO_LIMIT_BYTES ? -1 : (int64_t)bytes;
}

/* The MemorySwap (memory + swap, -1 unlimited) that goes with a memory limit. */
static int64_t memory_swap_for(const Update *u, int64_t memory) {
        const PlValue *swap = wanted(u, PL_RESOURCE_MEMORY_SWAP_MAX);
        const PlHostConfig *h = u->have;
        uint64_t swap_bytes;

        if (swap)
                swap_bytes = swap->number;
        else if (is_limit(h->memory) && h->memory_swap >= h->memory)
                swap_bytes = (uint64_t)(h->memory_swap - h->memory);
        else
                return -1; /* nobody has limited it */
        if (swap_bytes > (uint64_t)(INT64_MAX - memory))
                return -1;
        return memory + (int64_t)swap_bytes;
}

static int tell_memory(Update *u, int64_t memory, int64_t memory_swap) {
        int r;

        if (memory == u->have->memory && memory_swap == u->have->memory_swap)
                return 0;
        r = tell(u, "Memory", memory);
        return r < 0 ? r : tell(u, "MemorySwap", memory_swap);
}

static int lift_memory(Update *u) {
        const PlValue *swap = wanted(u, PL_RESOURCE_MEMORY_SWAP_MAX);
        const PlHostConfig *h = u->have;

        /* no memory limit: then no swap limit either */
        if (swap && to_api_bytes(swap->number) >= 0)
                cannot(u, PL_RESOURCE_MEMORY_SWAP_MAX);
        if (!is_limit(h->memory) && !is_limit(h->memory_swap))
                return 0;
        return tell_memory(u, PL_ENGINE_NO_LIMIT_BYTES,
                           u->host->memory == PL_HIERARCHY_V1 ? PL_ENGINE_NO_LIMIT_BYTES : -1);
}

static int update_memory(Update *u) {
        const PlValue *max = wanted(u, PL_RESOURCE_MEMORY_MAX),
                      *swap = wanted(u, PL_RESOURCE_MEMORY_SWAP_MAX);
        int64_t memory = u->have->memory, memory_swap;

        if (!max && !swap)
                return 0;
        if (max && to_api_bytes(max->number) < 0)
                return lift_memory(u);
        if (max && max->number < MEMORY_MIN_BYTES)
                cannot(u, PL_RESOURCE_MEMORY_MAX);
        else if (max)
                memory = to_api_bytes(max->number);
        if (!is_limit(memory)) {
                if (swap && to_api_bytes(swap->number) >= 0)
                        cannot(u, PL_RESOURCE_MEMORY_SWAP_MAX);
                return 0;
        }
        memory_swap = memory_swap_for(u, memory);
        /* 0 beside a memory limit: an engine without swap accounting */
        if (memory == u->have->memory && u->have->memory_swap == 0 && memory_swap == -1)
                return 0;
        return tell_memory(u, memory, memory_swap);
}

/* No protection. v1's soft limit is none; on v2 the engine's least is left. */
static int lift_memory_low(Update *u) {
        int64_t have = u->have->memory_reservation;

        if (!is_limit(have))
                return 0;
        if (u->host->memory == PL_HIERARCHY_V1)
                return tell(u, "MemoryReservation", -1);
        cannot(u, PL_RESOURCE_MEMORY_LOW);
        return have <= (int64_t)MEMORY_MIN_BYTES
                               ? 0
                               : tell(u, "MemoryReservation", (int64_t)MEMORY_MIN_BYTES);
}

static int update_memory_low(Update *u) {
        const PlValue *low = wanted(u, PL_RESOURCE_MEMORY_LOW);
        const json_t *told = json_object_get(u->body, "Memory");
        int64_t memory = told ? json_integer_value(told) : u->have->memory;
        bool above;

        if (!low ||
            (low->number <= INT64_MAX && (int64_t)low->number == u->have->memory_reservation))
                return 0;
        if (u->host->memory == PL_HIERARCHY_V1 ? to_api_bytes(low->number) < 0 : low->number == 0)
                return lift_memory_low(u);
        /* 0 means unchanged; above the Memory of the same request Docker refuses all of it, and
         * takes it alone with the next one (tried on 20.10.24) */
        above = memory > 0 && low->number > (uint64_t)memory;
        if (above && told && engine_of(u)->takes_nano_cpus)
                return 0;
        if (low->number < MEMORY_MIN_BYTES || to_api_bytes(low->number) < 0 ||
            (above && !engine_of(u)->takes_nano_cpus)) {
                cannot(u, PL_RESOURCE_MEMORY_LOW);
                return 0;
        }
        return tell(u, "MemoryReservation", (int64_t)low->number);
}

/* A container speaks either NanoCpus or CpuPeriod and CpuQuota; one refuses the other. CpuQuota=-1
 * beside NanoCpus is taken, and then nothing but that counts at a start. */
static bool speaks_quota(const Update *u) {
        const PlHostConfig *h = u->have;

        if (!engine_of(u)->takes_nano_cpus)
                return true;
        return h->nano_cpus <= 0 && (h->cpu_quota != 0 || h->cpu_period > 0);
}

/* To a quota alone runc adds the period of the last update, which is none where that had neither
 * (runc, update.go): so the container's own goes along. Podman puts the two together itself. */
static int tell_quota(Update *u, int64_t quota_usec) {
        int r = tell(u, "CpuQuota", quota_usec);

        if (r < 0 || u->have->cpu_period <= 0 || !engine_of(u)->takes_nano_cpus)
                return r;
        return tell(u, "CpuPeriod", u->have->cpu_period);
}

static bool is_above_the_parents(const Update *u, uint64_t quota_usec) {
        return u->host->quota_max_usec > 0 && quota_usec > u->host->quota_max_usec;
}

/* Where NanoCpus were told, all CPUs are the nearest to no quota, or what the groups above allow.
 */
static int lift_cpu_quota(Update *u) {
        const PlHostConfig *h = u->have;
        int64_t all = (int64_t)u->host->n_cpus * INT64_C(1000000000);

        if (is_above_the_parents(u, (uint64_t)u->host->n_cpus * PL_USEC_PER_SEC))
                all = (int64_t)PL_MAX(u->host->quota_max_usec, CPU_QUOTA_MIN_USEC * 10) * 1000;

        if (speaks_quota(u))
                return h->cpu_quota > 0 ? tell_quota(u, -1) : 0;
        if (h->nano_cpus <= 0 || h->cpu_quota < 0)
                return 0;
        cannot(u, PL_RESOURCE_CPU_QUOTA);
        return all == 0 || all == h->nano_cpus ? 0 : tell(u, "NanoCpus", all);
}

static int update_cpu_quota(Update *u) {
        const PlValue *quota = wanted(u, PL_RESOURCE_CPU_QUOTA);
        const PlHostConfig *h = u->have;
        uint64_t period_usec = h->cpu_period > 0 ? (uint64_t)h->cpu_period : CPU_PERIOD_USEC;
        unsigned __int128 quota_usec;
        int64_t nano_cpus;

        if (!quota)
                return 0;
        if (quota->number > INT64_MAX / 1000) /* also PL_UNLIMITED */
                return lift_cpu_quota(u);

        quota_usec = (unsigned __int128)quota->number * period_usec / PL_USEC_PER_SEC;
        if (quota_usec < CPU_QUOTA_MIN_USEC || quota_usec > INT64_MAX ||
            is_above_the_parents(u, quota->number)) {
                cannot(u, PL_RESOURCE_CPU_QUOTA);
                return 0;
        }
        if (speaks_quota(u))
                return (int64_t)quota_usec == h->cpu_quota ? 0 : tell_quota(u, (int64_t)quota_usec);
        if (h->cpu_quota < 0 ||
            (u->host->n_cpus > 0 && quota->number > u->host->n_cpus * PL_USEC_PER_SEC)) {
                cannot(u, PL_RESOURCE_CPU_QUOTA);
                return 0;
        }
        nano_cpus = (int64_t)quota->number * 1000;
        return nano_cpus == h->nano_cpus ? 0 : tell(u, "NanoCpus", nano_cpus);
}

/* On v1 the number is the file's, and so is one that HostConfig had on v2: see PlValue. */
static int number_of_weight(PlResource r, const PlValue *weight, uint64_t *ret) {
        _cleanup_free_ char *text = NULL;

        if (weight->text)
                return pl_parse_uint64(weight->text, ret);
        if (pl_resource_format_file(r, PL_HIERARCHY_V1, weight, &text) < 0)
                return -ENOMEM;
        return pl_parse_uint64(text, ret);
}

static int update_cpu_weight(Update *u) {
        const PlValue *weight = wanted(u, PL_RESOURCE_CPU_WEIGHT);
        uint64_t shares;

        if (!weight)
                return 0;
        if (u->host->hierarchy == PL_HIERARCHY_V2 && !weight->text)
                shares = weight_to_shares(weight->number);
        else if (number_of_weight(PL_RESOURCE_CPU_WEIGHT, weight, &shares) < 0)
                return -ENOMEM;
        shares = clamp(shares, SHARES_MIN, SHARES_MAX);
        return (int64_t)shares == u->have->cpu_shares ? 0 : tell(u, "CpuShares", (int64_t)shares);
}

static int update_cpuset(Update *u) {
        const PlValue *cpus = wanted(u, PL_RESOURCE_ALLOWED_CPUS);
        const char *have = u->have->cpuset_cpus;
        _cleanup_free_ char *canonical = NULL;
        int r;

        if (!cpus)
                return 0;
        if (!cpus->text || !cpus->text[0]) {
                if (have && have[0]) /* "" means unchanged */
                        cannot(u, PL_RESOURCE_ALLOWED_CPUS);
                return 0;
        }
        if (have && have[0]) {
                r = pl_parse_cpuset(have, &canonical);
                if (r == -ENOMEM)
                        return r;
                if (r == 0 && pl_streq(canonical, cpus->text))
                        return 0;
        }
        return json_object_set_new(u->body, "CpusetCpus", json_string(cpus->text)) < 0 ? -ENOMEM
                                                                                       : 0;
}

static int update_tasks(Update *u) {
        const PlValue *tasks = wanted(u, PL_RESOURCE_TASKS_MAX);
        int64_t have = u->have->pids_limit;

        if (!tasks)
                return 0;
        if (tasks->number > INT64_MAX)
                return have <= 0 ? 0 : tell(u, "PidsLimit", -1);
        if (tasks->number == 0) { /* the API reads it as "no limit" */
                cannot(u, PL_RESOURCE_TASKS_MAX);
                return 0;
        }
        return (int64_t)tasks->number == have ? 0 : tell(u, "PidsLimit", (int64_t)tasks->number);
}

static int update_io_weight(Update *u) {
        const PlValue *weight = wanted(u, PL_RESOURCE_IO_WEIGHT);
        bool v2 = u->host->hierarchy == PL_HIERARCHY_V2;
        uint64_t blkio;

        if (!weight)
                return 0;
        if (v2)
                blkio = weight_to_blkio(weight->number);
        else if (number_of_weight(PL_RESOURCE_IO_WEIGHT, weight, &blkio) < 0)
                return -ENOMEM;
        if (blkio < BLKIO_MIN || (v2 && blkio_to_weight(blkio) != weight->number)) {
                bool usual = weight->number == WEIGHT_DEFAULT;

                /* runc would write the nearest one at each update and start, over the wanted one;
                 * what everybody has needs no word where none was kept */
                if (!usual || u->have->blkio_weight > 0)
                        cannot(u, PL_RESOURCE_IO_WEIGHT);
                /* … and the nearest one is better than what it writes now */
                if (!v2 || !usual || u->have->blkio_weight == 0)
                        return 0;
        }
        return (int64_t)blkio == u->have->blkio_weight ? 0 : tell(u, "BlkioWeight", (int64_t)blkio);
}

/* In this order: MemoryLow looks at what Memory became. MemorySwapMax goes with MemoryMax. */
static const struct {
        uint32_t tells; /* mask of 1 << PlResource */
        const char *field;
        int (*tell)(Update *);
} tellers[] = {
        { BIT(MEMORY_MAX) | BIT(MEMORY_SWAP_MAX), "HostConfig.Memory", update_memory },
        { BIT(MEMORY_LOW), "HostConfig.MemoryReservation", update_memory_low },
        { BIT(CPU_QUOTA), "HostConfig.NanoCpus", update_cpu_quota },
        { BIT(CPU_WEIGHT), "HostConfig.CpuShares", update_cpu_weight },
        { BIT(ALLOWED_CPUS), "HostConfig.CpusetCpus", update_cpuset },
        { BIT(TASKS_MAX), "HostConfig.PidsLimit", update_tasks },
        { BIT(IO_WEIGHT), "HostConfig.BlkioWeight", update_io_weight },
};

/* clang-format off */
#define TOLD(constant, name, kind, controller, v1, v2, min, max, fresh, turn, property, engine, ...) \
        +(PL_ENGINE_##engine & PL_ENGINE_TOLD)
/* clang-format on */
_Static_assert(0 PL_RESOURCES(TOLD) == PL_ARRAY_SIZE(tellers) + 1, "each is told by a teller");
#undef TOLD

/* What the container has already, said again, so that the engine keeps it. */
static int tell_restart_policy(Update *u) {
        const PlHostConfig *h = u->have;
        json_t *policy;

        if (!engine_of(u)->forgets_restart_policy || json_object_size(u->body) == 0)
                return 0;
        policy = json_pack("{s:s, s:I}", "Name",
                           h->restart_policy && *h->restart_policy ? h->restart_policy : "no",
                           "MaximumRetryCount", (json_int_t)h->restart_tries);
        return json_object_set_new(u->body, "RestartPolicy", policy) < 0 ? -ENOMEM : 0;
}

int pl_docker_format_update(const PlLimits *want, const PlHostConfig *have,
                            const PlDockerHost *host, char **ret, uint32_t *ret_not) {
        _cleanup_json_ json_t *body = json_object();
        Update u = { .want = want, .have = have, .host = host, .body = body };
        char *text = NULL;
        uint32_t told = 0;
        int r;

        if (!body)
                return -ENOMEM;
        for (size_t i = 0; i < PL_ARRAY_SIZE(tellers); i++) {
                told |= tellers[i].tells;
                r = tellers[i].tell(&u);
                if (r < 0)
                        return r;
        }
        r = tell_restart_policy(&u);
        if (r < 0)
                return r;
        for (PlResource i = 0; i < _PL_RESOURCE_N; i++)
                if (wanted(&u, i) && !(told & UINT32_C(1) << i))
                        cannot(&u, i);

        if (json_object_size(body) > 0) {
                text = json_dumps(body, JSON_COMPACT);
                if (!text)
                        return -ENOMEM;
        }
        *ret = text;
        *ret_not = u.not ;
        return 0;
}

const char *pl_docker_update_field(PlResource r, const PlHostConfig *have) {
        if (r == PL_RESOURCE_CPU_QUOTA && have->nano_cpus <= 0)
                return "HostConfig.CpuQuota";
        if (r == PL_RESOURCE_MEMORY_SWAP_MAX)
                return "HostConfig.MemorySwap";
        for (size_t i = 0; i < PL_ARRAY_SIZE(tellers); i++)
                if (tellers[i].tells & UINT32_C(1) << r)
                        return tellers[i].field;
        return NULL;
}

/* --- and back */

static void set_number(PlLimits *l, PlResource r, uint64_t number) {
        l->v[r] = (PlValue){ .set = true, .number = number };
}

/* In the API a negative number stands for "no limit" wherever one is allowed at all. */
static void set_bytes(PlLimits *l, PlResource r, int64_t value) {
        if (value != 0)
                set_number(l, r,
                           value < 0 || value >= PL_ENGINE_NO_LIMIT_BYTES ? PL_UNLIMITED
                                                                          : (uint64_t)value);
}

static void limits_memory(const PlHostConfig *h, PlLimits *l) {
        set_bytes(l, PL_RESOURCE_MEMORY_MAX, h->memory);
        if (is_limit(h->memory_reservation))
                set_number(l, PL_RESOURCE_MEMORY_LOW, (uint64_t)h->memory_reservation);

        /* MemorySwap is memory + swap; systemd's MemorySwapMax is swap alone. */
        if (h->memory_swap < 0 || h->memory_swap >= PL_ENGINE_NO_LIMIT_BYTES)
                set_number(l, PL_RESOURCE_MEMORY_SWAP_MAX, PL_UNLIMITED);
        else if (is_limit(h->memory) && h->memory_swap >= h->memory)
                set_number(l, PL_RESOURCE_MEMORY_SWAP_MAX, (uint64_t)(h->memory_swap - h->memory));
}

static void limits_cpu(const PlHostConfig *h, PlLimits *l) {
        uint64_t period_usec = h->cpu_period > 0 ? (uint64_t)h->cpu_period : CPU_PERIOD_USEC;
        unsigned __int128 usec;

        /* CpuQuota beside NanoCpus wins at each start, and with Podman NanoCpus follow from it */
        if (h->cpu_quota < 0)
                set_number(l, PL_RESOURCE_CPU_QUOTA, PL_UNLIMITED);
        else if (h->cpu_quota > 0) { /* rounded up, so that it leads to the same quota again */
                usec = ((unsigned __int128)h->cpu_quota * PL_USEC_PER_SEC + period_usec - 1) /
                       period_usec;
                set_number(l, PL_RESOURCE_CPU_QUOTA,
                           usec < PL_UNLIMITED ? (uint64_t)usec : PL_UNLIMITED);
        } else if (h->nano_cpus > 0)
                set_number(l, PL_RESOURCE_CPU_QUOTA, (uint64_t)h->nano_cpus / 1000);
}

/* As v1's file of the resource says it. */
static int set_file_weight(PlLimits *l, PlResource r, uint64_t number) {
        char text[24];

        (void)snprintf(text, sizeof(text), "%" PRIu64, number);
        return pl_resource_parse_file(r, PL_HIERARCHY_V1, text, &l->v[r]);
}

static int set_shares(PlLimits *l, int64_t shares, PlHierarchy hierarchy) {
        PlValue *v = &l->v[PL_RESOURCE_CPU_WEIGHT];

        if (shares <= 0)
                return 0;
        if (hierarchy == PL_HIERARCHY_V1)
                return set_file_weight(l, PL_RESOURCE_CPU_WEIGHT, (uint64_t)shares);
        *v = (PlValue){ .set = true, .number = shares_to_weight((uint64_t)shares) };
        if (weight_to_shares(v->number) == (uint64_t)shares)
                return 0;
        return asprintf(&v->text, "%" PRIi64, shares) < 0 ? -ENOMEM : 0;
}

static int set_blkio(PlLimits *l, uint16_t blkio, PlHierarchy hierarchy) {
        if (blkio == 0)
                return 0;
        if (hierarchy == PL_HIERARCHY_V1)
                return set_file_weight(l, PL_RESOURCE_IO_WEIGHT, blkio);
        set_number(l, PL_RESOURCE_IO_WEIGHT, blkio_to_weight(blkio));
        return 0;
}

static int set_devices(PlLimits *l, PlResource r, const char *text) {
        const PlValue v = { .set = true, .text = (char *)text };

        return text && *text ? pl_value_copy(&v, &l->v[r]) : 0;
}

int pl_container_limits(const PlContainer *c, PlHierarchy hierarchy, PlLimits *ret) {
        const PlHostConfig *h = &c->host;
        PlLimits l = {};

        limits_memory(h, &l);
        limits_cpu(h, &l);
        if (set_shares(&l, h->cpu_shares, hierarchy) < 0)
                return -ENOMEM;
        if (set_blkio(&l, h->blkio_weight, hierarchy) < 0) {
                pl_limits_deinit(&l);
                return -ENOMEM;
        }
        set_bytes(&l, PL_RESOURCE_TASKS_MAX, h->pids_limit);
        if (set_devices(&l, PL_RESOURCE_IO_READ_BANDWIDTH_MAX, h->read_bps) < 0 ||
            set_devices(&l, PL_RESOURCE_IO_WRITE_BANDWIDTH_MAX, h->write_bps) < 0) {
                pl_limits_deinit(&l);
                return -ENOMEM;
        }
        if (h->cpuset_cpus && h->cpuset_cpus[0]) {
                char *text = NULL;
                int r = pl_parse_cpuset(h->cpuset_cpus, &text);

                if (r == -ENOMEM) {
                        pl_limits_deinit(&l);
                        return r;
                }
                if (r == 0) /* the engine has checked it already */
                        l.v[PL_RESOURCE_ALLOWED_CPUS] = (PlValue){ .set = true, .text = text };
        }

        *ret = l;
        return 0;
}

static void take_number(const json_t *body, const char *key, int64_t *to) {
        const json_t *j = json_object_get(body, key);

        if (j)
                *to = json_integer_value(j);
}

int pl_docker_updated(const PlContainer *c, const char *body, PlHierarchy hierarchy, PlLimits *ret,
                      uint64_t *ret_period_usec) {
        _cleanup_json_ json_t *o = json_loads(body, JSON_REJECT_DUPLICATES, NULL);
        PlContainer after = { .host = c->host };
        PlHostConfig *h = &after.host;
        int64_t blkio = h->blkio_weight;
        const char *cpus = json_string_value(json_object_get(o, "CpusetCpus"));
        int r;

        if (!o)
                return -EBADMSG;
        take_number(o, "Memory", &h->memory);
        take_number(o, "MemorySwap", &h->memory_swap);
        take_number(o, "MemoryReservation", &h->memory_reservation);
        take_number(o, "NanoCpus", &h->nano_cpus);
        take_number(o, "CpuQuota", &h->cpu_quota);
        take_number(o, "CpuPeriod", &h->cpu_period);
        take_number(o, "CpuShares", &h->cpu_shares);
        take_number(o, "PidsLimit", &h->pids_limit);
        take_number(o, "BlkioWeight", &blkio);
        h->blkio_weight = (uint16_t)blkio;
        if (cpus)
                h->cpuset_cpus = (char *)cpus;
        r = pl_container_limits(&after, hierarchy, ret);
        if (r >= 0)
                *ret_period_usec = h->cpu_period > 0 ? (uint64_t)h->cpu_period : 0;
        return r;
}
