/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Container packing: a container and all that hangs on it in one block of memory.
 *
 * A container lives for days; the JSON it was read from lives for a moment. Forty small strings
 * allocated in between end up in the holes of that JSON and keep its pages alive: 1,000 containers
 * held 6 MiB in use and 13 MiB resident. One block each does not.
 *
 * The same walk runs twice, once to count and once to copy.
 */

#include "lib/docker/container.h"

#include <errno.h>

typedef struct Packer {
        char *base; /* NULL: only count */
        size_t used;
} Packer;

/* Return: where the copy stands; NULL while counting, and for an empty source. */
static void *pack(Packer *p, const void *src, size_t n, size_t align) {
        char *at;

        if (!src || n == 0)
                return NULL;
        p->used = (p->used + align - 1) & ~(align - 1);
        at = p->base ? p->base + p->used : NULL;
        p->used += n;
        return at ? memcpy(at, src, n) : NULL;
}

static char *pack_string(Packer *p, const char *s) {
        return pack(p, s, s ? strlen(s) + 1 : 0, 1);
}

static PlPair *pack_pairs(Packer *p, const PlPair *pairs, size_t n) {
        PlPair *copy = pack(p, pairs, n * sizeof(*pairs), _Alignof(PlPair));

        for (size_t i = 0; i < n; i++) {
                char *key = pack_string(p, pairs[i].key), *value = pack_string(p, pairs[i].value);

                if (copy)
                        copy[i] = (PlPair){ key, value };
        }
        return copy;
}

static PlNetwork *pack_networks(Packer *p, const PlNetwork *networks, size_t n) {
        PlNetwork *copy = pack(p, networks, n * sizeof(*networks), _Alignof(PlNetwork));

        for (size_t i = 0; i < n; i++) {
                char *name = pack_string(p, networks[i].name);

                if (copy)
                        copy[i].name = name;
        }
        return copy;
}

static PlMount *pack_mounts(Packer *p, const PlMount *mounts, size_t n) {
        PlMount *copy = pack(p, mounts, n * sizeof(*mounts), _Alignof(PlMount));

        for (size_t i = 0; i < n; i++) {
                char *type = pack_string(p, mounts[i].type),
                     *source = pack_string(p, mounts[i].source),
                     *destination = pack_string(p, mounts[i].destination);

                if (copy)
                        copy[i] = (PlMount){ type, source, destination };
        }
        return copy;
}

/* ret gets the addresses of the copies; what is not a pointer it has already. */
static void walk(Packer *p, const PlContainer *c, PlContainer *ret) {
        ret->labels = pack_pairs(p, c->labels, c->n_labels);
        ret->networks = pack_networks(p, c->networks, c->n_networks);
        ret->ports = pack(p, c->ports, c->n_ports * sizeof(*c->ports), _Alignof(PlPort));
        ret->mounts = pack_mounts(p, c->mounts, c->n_mounts);
        ret->log_options = pack_pairs(p, c->log_options, c->n_log_options);
        ret->env = pack_pairs(p, c->env, c->n_env);
        ret->name = pack_string(p, c->name);
        ret->image = pack_string(p, c->image);
        ret->image_id = pack_string(p, c->image_id);
        ret->host.cpuset_cpus = pack_string(p, c->host.cpuset_cpus);
        ret->host.read_bps = pack_string(p, c->host.read_bps);
        ret->host.write_bps = pack_string(p, c->host.write_bps);
        ret->host.cgroup_parent = pack_string(p, c->host.cgroup_parent);
        ret->host.network_mode = pack_string(p, c->host.network_mode);
        ret->host.restart_policy = pack_string(p, c->host.restart_policy);
        ret->log_driver = pack_string(p, c->log_driver);
        ret->log_path = pack_string(p, c->log_path);
}

int pl_container_pack(PlContainer **c) {
        PlContainer head = **c, *packed;
        Packer p = { .used = sizeof(PlContainer) };

        walk(&p, *c, &head);
        packed = malloc(p.used);
        if (!packed)
                return -ENOMEM;
        *packed = **c;
        p = (Packer){ .base = (char *)packed, .used = sizeof(PlContainer) };
        walk(&p, *c, packed);
        packed->packed = true;
        pl_container_free(*c);
        *c = packed;
        return 0;
}
