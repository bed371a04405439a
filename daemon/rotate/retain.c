/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Retention: the decision is lib/logs/rotate-plan's; here it meets the directory.
 *
 * Rules are kept by container, not by group: a name passes from one container to the next, and
 * whoever loses it must not take the other's rule along.
 */

#include "rotate/retain.h"

#include <errno.h>
#include <pthread.h>

#include "lib/base/map.h"
#include "lib/docker/container.h"
#include "rotate/point.h"

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

/* Return: whether somebody has a rule for this group. @ret: a copy. */
static bool get_rule(PlLogRules *r, const char *group, PlRetainRule *ret) {
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

static char *group_of(const PlStoredArchive *a) {
        char *s;

        return asprintf(&s, "%s/%s", a->service, a->name.container) < 0 ? NULL : s;
}

static int drop_marked(PlLogStore *store, PlRetainEntry *entries, size_t n) {
        int dropped = 0, r;

        for (size_t i = 0; i < n; i++) {
                if (entries[i].drop == PL_RETAIN_KEEP)
                        continue;
                r = pl_log_store_drop(store, entries[i].userdata);
                if (r < 0)
                        return r;
                dropped++;
                pl_log_rotate_point(PL_ROTATE_POINT_DROPPING);
        }
        return dropped;
}

int pl_log_retain(PlLogStore *store, const PlRetainRequest *req, PlRetained *ret) {
        _cleanup_free_ PlStoredArchive *archives = NULL;
        _cleanup_free_ PlRetainEntry *entries = NULL;
        _cleanup_free_ PlRetainRule *rules = NULL;
        size_t n = 0, n_groups = 0;
        int r;

        r = pl_log_store_list(store, NULL, &archives, &n);
        if (r < 0)
                return r;
        entries = calloc(n ?: 1, sizeof(*entries));
        rules = calloc(n ?: 1, sizeof(*rules));
        if (!entries || !rules)
                return -ENOMEM;
        r = -ENOMEM;
        for (; n_groups < n; n_groups++) {
                PlStoredArchive *a = &archives[n_groups];
                char *group = group_of(a);
                bool ruled;

                if (!group)
                        goto out;
                ruled = req->rules && get_rule(req->rules, group, &rules[n_groups]);
                entries[n_groups] = (PlRetainEntry){ .group = group,
                                                     .rule = ruled ? &rules[n_groups] : NULL,
                                                     .gen = a->name.gen,
                                                     .to_sec = a->name.to_sec,
                                                     .bytes = a->bytes,
                                                     .userdata = a };
        }
        ret->total_bytes = pl_retain_plan(entries, n, req->budget_bytes, req->free_bytes,
                                          req->now_sec, &ret->next_expiry_sec);
        ret->bytes = ret->files = 0;
        for (size_t i = 0; i < n; i++) {
                const PlStoredArchive *a = entries[i].userdata;

                if (entries[i].drop == PL_RETAIN_KEEP && strncmp(a->name.id, req->id, 12) == 0) {
                        ret->bytes += a->bytes;
                        ret->files++;
                }
        }
        r = drop_marked(store, entries, n);
        if (r > 0)
                ret->dropped += (unsigned)r;
out:
        for (size_t i = 0; i < n_groups; i++)
                free((char *)entries[i].group);
        return r;
}
