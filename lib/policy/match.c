/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Policy matching: which section governs a container.
 *
 * Names, images and labels are the container's own and may be anything; fnmatch(3) of glibc goes
 * back to the last star only, so that no pair of pattern and text takes exponential time.
 */

#include "lib/policy/document.h"

#include <fnmatch.h>

#include "lib/docker/container.h"

static bool glob(const char *pattern, const char *text) {
        return text && fnmatch(pattern, text, 0) == 0;
}

static bool match_label(const char *pattern, const PlContainer *c) {
        const char *equal = strchr(pattern, '='), *text;
        char key[256];

        if (!equal)
                return pl_container_label(c, pattern) != NULL;
        if ((size_t)(equal - pattern) >= sizeof(key))
                return false;
        memcpy(key, pattern, (size_t)(equal - pattern));
        key[equal - pattern] = '\0';
        text = pl_container_label(c, key);
        return glob(equal + 1, text);
}

static bool match(const PlMatch *m, const PlContainer *c) {
        switch (m->kind) {
        case PL_MATCH_NAME:
                return glob(m->pattern, c->name);
        case PL_MATCH_IMAGE:
                return glob(m->pattern, c->image);
        case PL_MATCH_LABEL:
                return match_label(m->pattern, c);
        case PL_MATCH_COMPOSE_SERVICE:
                return glob(m->pattern, pl_container_label(c, "com.docker.compose.service"));
        case PL_MATCH_COMPOSE_PROJECT:
                return glob(m->pattern, pl_container_label(c, "com.docker.compose.project"));
        }
        return false;
}

const PlService *pl_policy_match(const PlPolicy *p, const struct PlContainer *c) {
        for (size_t i = 0; i < p->n_services; i++)
                for (size_t j = 0; j < p->services[i]->n_matches; j++)
                        if (match(&p->services[i]->matches[j], c))
                                return p->services[i];
        return p->defaults;
}
