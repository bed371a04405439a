/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Rules are kept by container, not by group: a name passes from one container to the next, and
 * whoever loses it must not take the other's rule along.
 */

#include "rotate/rules.h"

#include <errno.h>
#include <pthread.h>

#include "lib/base/map.h"
#include "lib/docker/container.h"

typedef struct Rule {
        char id[PL_ID_MAX];
        char *group;
        PlRetainRule rule;
} Rule;

struct PlLogRules {
        pthread_mutex_t mutex;
        PlMap *by_id;
};

static void rule_free(Rule *i) {
        if (!i)
                return;
        free(i->group);
        free(i);
}

PlLogRules *pl_log_rules_new(void) {
        _cleanup_(pl_log_rules_freep) PlLogRules *r = calloc(1, sizeof(*r));

        if (!r)
                return NULL;
        (void)pthread_mutex_init(&r->mutex, NULL);
        r->by_id = pl_map_new();
        return r->by_id ? TAKE_PTR(r) : NULL;
}

PlLogRules *pl_log_rules_free(PlLogRules *r) {
        Rule *i;

        if (!r)
                return NULL;
        if (r->by_id)
                PL_MAP_FOREACH(i, r->by_id)
        rule_free(i);
        pl_map_free(r->by_id);
        (void)pthread_mutex_destroy(&r->mutex);
        free(r);
        return NULL;
}

static Rule *ensure(PlLogRules *r, const char *id) {
        Rule *i = pl_map_get(r->by_id, id);

        if (i)
                return i;
        i = calloc(1, sizeof(*i));
        if (!i)
                return NULL;
        (void)snprintf(i->id, sizeof(i->id), "%s", id);
        if (pl_map_put(r->by_id, i->id, i) < 0) {
                free(i);
                return NULL;
        }
        return i;
}

int pl_log_rules_set(PlLogRules *r, const char *id, const char *group, const PlRetainRule *rule) {
        char *copy = strdup(group);
        Rule *i;

        if (!copy)
                return -ENOMEM;
        (void)pthread_mutex_lock(&r->mutex);
        i = ensure(r, id);
        if (i) {
                free(i->group);
                i->group = TAKE_PTR(copy);
                i->rule = *rule;
        }
        (void)pthread_mutex_unlock(&r->mutex);
        free(copy);
        return i ? 0 : -ENOMEM;
}

void pl_log_rules_remove(PlLogRules *r, const char *id) {
        (void)pthread_mutex_lock(&r->mutex);
        rule_free(pl_map_remove(r->by_id, id));
        (void)pthread_mutex_unlock(&r->mutex);
}

bool pl_log_rules_get(PlLogRules *r, const char *group, PlRetainRule *ret) {
        bool found = false;
        const Rule *i;

        (void)pthread_mutex_lock(&r->mutex);
        PL_MAP_FOREACH(i, r->by_id) {
                found = pl_streq(i->group, group);
                if (!found)
                        continue;
                *ret = i->rule;
                break;
        }
        (void)pthread_mutex_unlock(&r->mutex);
        return found;
}
