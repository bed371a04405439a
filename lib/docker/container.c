/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Container: its lifetime and lookups.
 *
 * It is apart from the parser so that planners and tests can build containers by hand. It does not
 * know JSON.
 *
 * A parsed container is one packed block: see lib/docker/answer.c.
 */

#include "lib/docker/container.h"

#include <errno.h>

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
        if (c->packed_bytes > 0) {
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
        if (c->reach.networks)
                for (size_t i = 0; i < c->reach.n_networks; i++)
                        free(c->reach.networks[i].name);
        free(c->reach.networks);
        free(c->reach.ports);
        if (c->mounts)
                for (size_t i = 0; i < c->n_mounts; i++) {
                        free(c->mounts[i].type);
                        free(c->mounts[i].source);
                        free(c->mounts[i].destination);
                }
        free(c->mounts);
        free(c->log.driver);
        free(c->log.path);
        pairs_free(c->log.options, c->log.n_options);
        pl_launch_deinit(&c->launch);
        free(c);
        return NULL;
}

static int pair_compare_key(const void *key, const void *pair) {
        return strcmp(key, ((const PlPair *)pair)->key);
}

static PlPair *find_label(const PlContainer *c, const char *key) {
        return c->n_labels > 0 ? bsearch(key, c->labels, c->n_labels, sizeof(PlPair),
                                         pair_compare_key)
                               : NULL;
}

const char *pl_container_label(const PlContainer *c, const char *key) {
        const PlPair *p = find_label(c, key);

        return p && !p->of_image ? p->value : NULL;
}

static bool image_has(const PlContainer *image, const PlPair *label) {
        const PlPair *p = find_label(image, label->key);

        return p && pl_streq(p->value, label->value);
}

/* Is it one of a tool that has made this very container? */
static bool is_of_tool(const PlContainer *c, const PlContainer *image, const char *key) {
        static const struct {
                const char *prefix, *proof; /* differs from container to container */
        } tools[] = {
                { "com.docker.compose.", "com.docker.compose.config-hash" },
                { "com.docker.swarm.", "com.docker.swarm.task.id" },
        };

        for (size_t i = 0; i < PL_ARRAY_SIZE(tools); i++) {
                const PlPair *proof;

                if (!pl_startswith(key, tools[i].prefix))
                        continue;
                proof = find_label(c, tools[i].proof);
                return proof && !image_has(image, proof);
        }
        return false;
}

void pl_container_mark(PlContainer *c, const PlContainer *image) {
        for (size_t i = 0; i < c->n_labels; i++) {
                PlPair *label = &c->labels[i];

                label->of_image = image && image_has(image, label) &&
                                  !pl_streq(label->key, PL_PROBE_LABEL) &&
                                  !is_of_tool(c, image, label->key);
        }
}
