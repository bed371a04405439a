/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Container: the life of the value and the few questions that everyone asks of it.
 *
 * It exists apart from the parser so that planners and tests can build containers by hand. It does
 * not know JSON.
 */

#include "lib/docker/container.h"

#include <errno.h>

#include "lib/base/unit.h"
#include "lib/docker/api.h"

static const char *const phase_names[_PL_PHASE_N] = {
        [PL_PHASE_UNKNOWN] = "unknown",       [PL_PHASE_CREATED] = "created",
        [PL_PHASE_RUNNING] = "running",       [PL_PHASE_PAUSED] = "paused",
        [PL_PHASE_RESTARTING] = "restarting", [PL_PHASE_REMOVING] = "removing",
        [PL_PHASE_EXITED] = "exited",         [PL_PHASE_DEAD] = "dead",
};

const char *pl_phase_to_string(PlPhase p) {
        if ((unsigned)p >= _PL_PHASE_N)
                return phase_names[PL_PHASE_UNKNOWN];
        return phase_names[p];
}

static void pairs_free(PlPair *pairs, size_t n) {
        if (!pairs)
                return;
        for (size_t i = 0; i < n; i++) {
                free(pairs[i].key);
                free(pairs[i].value);
        }
        free(pairs);
}

PlContainer *pl_container_free(PlContainer *c) {
        if (!c)
                return NULL;
        if (c->packed) {
                free(c);
                return NULL;
        }
        free(c->name);
        free(c->image);
        free(c->image_id);
        free(c->host.cpuset_cpus);
        free(c->host.read_bps);
        free(c->host.write_bps);
        free(c->host.cgroup_parent);
        free(c->host.network_mode);
        free(c->host.restart_policy);
        pairs_free(c->labels, c->n_labels);
        if (c->networks)
                for (size_t i = 0; i < c->n_networks; i++)
                        free(c->networks[i].name);
        free(c->networks);
        free(c->ports);
        if (c->mounts)
                for (size_t i = 0; i < c->n_mounts; i++) {
                        free(c->mounts[i].type);
                        free(c->mounts[i].source);
                        free(c->mounts[i].destination);
                }
        free(c->mounts);
        free(c->log_driver);
        free(c->log_path);
        pairs_free(c->log_options, c->n_log_options);
        pairs_free(c->env, c->n_env);
        free(c);
        return NULL;
}

static int pair_compare_key(const void *key, const void *pair) {
        return strcmp(key, ((const PlPair *)pair)->key);
}

const char *pl_container_label(const PlContainer *c, const char *key) {
        const PlPair *p;

        if (c->n_labels == 0)
                return NULL;
        p = bsearch(key, c->labels, c->n_labels, sizeof(PlPair), pair_compare_key);
        return p ? p->value : NULL;
}

static void set_number(PlLimits *l, PlResource r, uint64_t number) {
        l->v[r] = (PlValue){ .set = true, .number = number };
}

/* In the API a negative number stands for "no limit" wherever one is allowed at all. */
static void set_bytes(PlLimits *l, PlResource r, int64_t value) {
        if (value != 0)
                set_number(l, r, value < 0 ? PL_UNLIMITED : (uint64_t)value);
}

static void limits_memory(const PlHostConfig *h, PlLimits *l) {
        set_bytes(l, PL_RESOURCE_MEMORY_MAX, h->memory);
        if (h->memory_reservation > 0)
                set_number(l, PL_RESOURCE_MEMORY_LOW, (uint64_t)h->memory_reservation);

        /* MemorySwap is memory + swap; systemd's MemorySwapMax is swap alone. */
        if (h->memory_swap < 0)
                set_number(l, PL_RESOURCE_MEMORY_SWAP_MAX, PL_UNLIMITED);
        else if (h->memory > 0 && h->memory_swap >= h->memory)
                set_number(l, PL_RESOURCE_MEMORY_SWAP_MAX, (uint64_t)(h->memory_swap - h->memory));
}

static void limits_cpu(const PlHostConfig *h, PlLimits *l) {
        uint64_t period_usec =
                        h->cpu_period > 0 ? (uint64_t)h->cpu_period : PL_DOCKER_CPU_PERIOD_USEC;
        unsigned __int128 usec;

        if (h->nano_cpus > 0)
                set_number(l, PL_RESOURCE_CPU_QUOTA, (uint64_t)h->nano_cpus / 1000);
        else if (h->cpu_quota < 0)
                set_number(l, PL_RESOURCE_CPU_QUOTA, PL_UNLIMITED);
        else if (h->cpu_quota > 0) {
                usec = (unsigned __int128)h->cpu_quota * PL_USEC_PER_SEC / period_usec;
                set_number(l, PL_RESOURCE_CPU_QUOTA,
                           usec < PL_UNLIMITED ? (uint64_t)usec : PL_UNLIMITED);
        }
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
        if (h->cpu_shares > 0)
                set_number(&l, PL_RESOURCE_CPU_WEIGHT,
                           pl_docker_shares_to_weight((uint64_t)h->cpu_shares, hierarchy));
        if (h->blkio_weight > 0)
                set_number(&l, PL_RESOURCE_IO_WEIGHT,
                           pl_docker_blkio_to_weight(h->blkio_weight, hierarchy));
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
                if (r == 0) /* the engine has checked it; what it let pass is not ours to judge */
                        l.v[PL_RESOURCE_ALLOWED_CPUS] = (PlValue){ .set = true, .text = text };
        }

        *ret = l;
        return 0;
}
