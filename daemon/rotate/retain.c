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

typedef struct Section {
        char dir[PL_ARCHIVE_NAME_MAX]; /* of its archives */
        PlRetainRule rule;
        bool known; /* by the policy */
        bool told;
} Section;

struct PlLogRules {
        pthread_mutex_t mutex;
        PlMap *by_id;
        Section *sections; /* those of the policy, and strangers */
        size_t n_sections;
        bool complete; /* by_id is */
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
        free(r->sections);
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

void pl_log_rules_complete(PlLogRules *r) {
        (void)pthread_mutex_lock(&r->mutex);
        r->complete = true;
        (void)pthread_mutex_unlock(&r->mutex);
}

void pl_log_rules_remove(PlLogRules *r, const char *id) {
        (void)pthread_mutex_lock(&r->mutex);
        rule_free(pl_map_remove(r->by_id, id));
        (void)pthread_mutex_unlock(&r->mutex);
}

static Section *find_section(Section *sections, size_t n, const char *dir) {
        for (size_t i = 0; i < n; i++)
                if (pl_streq(sections[i].dir, dir))
                        return &sections[i];
        return NULL;
}

int pl_log_rules_set_sections(PlLogRules *r, const PlLogSectionRule *sections, size_t n) {
        size_t n_new = n;
        Section *new;

        (void)pthread_mutex_lock(&r->mutex);
        new = calloc(n + r->n_sections + 1, sizeof(*new));
        for (size_t i = 0; new &&i < n; i++) {
                pl_archive_dir_name(sections[i].service, new[i].dir);
                new[i].rule = sections[i].rule;
                new[i].known = true;
        }
        /* who is a stranger still was told already */
        for (size_t i = 0; new &&i < r->n_sections; i++)
                if (!r->sections[i].known && !find_section(new, n, r->sections[i].dir))
                        new[n_new++] = r->sections[i];
        if (new) {
                free(r->sections);
                r->sections = new;
                r->n_sections = n_new;
        }
        (void)pthread_mutex_unlock(&r->mutex);
        return new ? 0 : -ENOMEM;
}

int pl_log_rules_take_stranger(PlLogRules *r, char ret[static PL_ARCHIVE_NAME_MAX],
                               PlRetainRule *ret_rule) {
        Section *s = NULL;
        const Section *defaults;
        char dir[PL_ARCHIVE_NAME_MAX];
        int found = 0;

        pl_archive_dir_name(NULL, dir);
        (void)pthread_mutex_lock(&r->mutex);
        for (size_t i = 0; i < r->n_sections && !s; i++)
                if (!r->sections[i].known && !r->sections[i].told)
                        s = &r->sections[i];
        if (s) {
                s->told = true;
                memcpy(ret, s->dir, sizeof(s->dir));
                defaults = find_section(r->sections, r->n_sections, dir);
                found = defaults && defaults->known ? 1 : 2;
                if (found == 1)
                        *ret_rule = defaults->rule;
        }
        (void)pthread_mutex_unlock(&r->mutex);
        return found;
}

/* Archives of a service that no section is called. Without memory they are noted the next time. */
static void note_stranger(PlLogRules *r, const char *dir) {
        Section *more;

        if (find_section(r->sections, r->n_sections, dir))
                return;
        more = reallocarray(r->sections, r->n_sections + 1, sizeof(*more));
        if (!more)
                return;
        r->sections = more;
        more[r->n_sections] = (Section){ 0 };
        snprintf(more[r->n_sections++].dir, sizeof(more->dir), "%s", dir);
}

/*
 * The rule for a group: that of the container that has its name, else that of the section that its
 * archives are of, else that of [Defaults]. Return: whether there is one.
 * @ret_holder: the first digits of that container; "": none
 */
static bool get_rule(PlLogRules *r, const char *group, const char *dir, PlRetainRule *ret,
                     char ret_holder[static 13]) {
        char defaults[PL_ARCHIVE_NAME_MAX];
        const Section *s;
        bool found = false;
        const Rule *i;

        *ret_holder = '\0';
        (void)pthread_mutex_lock(&r->mutex);
        PL_MAP_FOREACH(i, r->by_id) {
                found = pl_streq(i->group, group);
                if (!found)
                        continue;
                *ret = i->rule;
                snprintf(ret_holder, 13, "%.12s", i->id);
                break;
        }
        s = found ? NULL : find_section(r->sections, r->n_sections, dir);
        if (!found && r->n_sections > 0 && (!s || !s->known)) {
                pl_archive_dir_name(NULL, defaults);
                note_stranger(r, dir);
                s = find_section(r->sections, r->n_sections, defaults);
        }
        if (s && s->known) {
                *ret = s->rule;
                found = true;
        }
        (void)pthread_mutex_unlock(&r->mutex);
        return found;
}

static bool is_complete(PlLogRules *r) {
        bool complete;

        if (!r)
                return false;
        (void)pthread_mutex_lock(&r->mutex);
        complete = r->complete;
        (void)pthread_mutex_unlock(&r->mutex);
        return complete;
}

static int compare_ids(const void *a, const void *b) {
        return strncmp(a, b, 12);
}

/*
 * Which groups have no container any more? Proven by three things: all containers of the engine are
 * known, none has the group's name, and none of those whose archives these are has a record, which
 * one has until the engine has removed it, also one of another engine.
 * @entries: gone: no container that is known has the name
 */
static int find_gone(PlLogStore *store, PlRetainEntry *entries, size_t n) {
        _cleanup_free_ char(*ids)[PL_ID_MAX] = NULL;
        _cleanup_(pl_map_freep) PlMap *there = pl_map_new();
        size_t n_ids = 0;
        int r = there ? pl_log_store_states(store, &ids, &n_ids) : -ENOMEM;

        if (r < 0)
                return r;
        if (n_ids > 1)
                qsort(ids, n_ids, sizeof(*ids), compare_ids);
        for (size_t i = 0; i < n; i++) {
                bool recorded = n_ids > 0 &&
                                bsearch(entries[i].id, ids, n_ids, sizeof(*ids), compare_ids);

                if (!recorded && entries[i].gone)
                        continue;
                r = pl_map_put(there, entries[i].group, &entries[i]);
                if (r < 0 && r != -EEXIST)
                        return r;
        }
        for (size_t i = 0; i < n; i++)
                entries[i].gone = !pl_map_get(there, entries[i].group);
        return 0;
}

static char *group_of(const PlStoredArchive *a) {
        char *s;

        return asprintf(&s, "%s/%s", a->service, a->name.container) < 0 ? NULL : s;
}

static bool has_kept(const PlRetainEntry *entries, size_t n, const char *id) {
        for (size_t i = 0; i < n; i++)
                if (entries[i].drop == PL_RETAIN_KEEP && pl_streq(entries[i].id, id))
                        return true;
        return false;
}

static void note_early(const PlRetainEntry *e, PlRetainedEarly *ret) {
        if (e->drop != PL_RETAIN_DROP_BUDGET && e->drop != PL_RETAIN_DROP_SPACE)
                return;
        if (ret->n++ == 0)
                (void)snprintf(ret->group, sizeof(ret->group), "%s", e->group);
        ret->others |= !pl_streq(ret->group, e->group);
        ret->bytes += e->bytes;
        ret->disk |= e->drop == PL_RETAIN_DROP_SPACE;
        ret->promised |= e->rule &&
                         (e->rule->max_files > 0 || e->rule->max_age_usec != PL_TIME_INFINITY);
}

static bool is_of(const PlRetainEntry *e, const char *id) {
        return strncmp(e->id, id, 12) == 0;
}

/* The group that a container's archives are of now; a rename gives it another. NULL: it has none */
static const char *group_of_id(const PlRetainEntry *entries, size_t n, const char *id) {
        for (size_t i = n; i > 0; i--)
                if (is_of(&entries[i - 1], id))
                        return entries[i - 1].group;
        return NULL;
}

static bool is_by_rule(const PlRetainEntry *e) {
        return e->drop == PL_RETAIN_DROP_COUNT || e->drop == PL_RETAIN_DROP_AGE;
}

/* What has gone is counted, not what was to go. @id: whose own are told apart */
static int drop_marked(PlLogStore *store, PlRetainEntry *entries, size_t n, const char *id,
                       PlRetained *ret) {
        const char *group = group_of_id(entries, n, id);
        int dropped = 0, r;

        for (size_t i = 0; i < n; i++) {
                if (entries[i].drop == PL_RETAIN_KEEP)
                        continue;
                r = pl_log_store_drop(store, entries[i].userdata);
                if (r < 0)
                        return r;
                dropped++;
                ret->dropped++;
                ret->gone += entries[i].drop == PL_RETAIN_DROP_GONE;
                ret->own += is_by_rule(&entries[i]) && group &&
                            (is_of(&entries[i], id) || pl_streq(entries[i].group, group));
                note_early(&entries[i], &ret->early);
                pl_log_rotate_point(PL_ROTATE_POINT_DROPPING);
        }
        for (size_t i = 0; dropped > 0 && i < n; i++)
                if (entries[i].drop != PL_RETAIN_KEEP && !has_kept(entries, n, entries[i].id))
                        pl_log_store_drop_last(store, entries[i].id);
        return dropped;
}

/* What stays of a container. */
static void count(const PlRetainEntry *entries, size_t n, const char *id, PlRetained *ret) {
        ret->bytes = ret->files = 0;
        for (size_t i = 0; i < n; i++) {
                const PlStoredArchive *a = entries[i].userdata;

                if (entries[i].drop == PL_RETAIN_KEEP && is_of(&entries[i], id)) {
                        ret->bytes += a->bytes;
                        ret->files++;
                }
        }
}

int pl_log_retain(PlLogStore *store, const PlRetainRequest *req, PlRetained *ret) {
        _cleanup_free_ PlStoredArchive *archives = NULL;
        _cleanup_free_ PlRetainEntry *entries = NULL;
        _cleanup_free_ PlRetainRule *rules = NULL;
        size_t n = 0, n_groups = 0;
        bool complete;
        int r;

        r = pl_log_store_list(store, NULL, &archives, &n);
        if (r < 0)
                return r;
        complete = is_complete(req->rules);
        entries = calloc(n ?: 1, sizeof(*entries));
        rules = calloc(n ?: 1, sizeof(*rules));
        if (!entries || !rules)
                return -ENOMEM;
        r = -ENOMEM;
        for (; n_groups < n; n_groups++) {
                PlStoredArchive *a = &archives[n_groups];
                char *group = group_of(a);
                char holder[13] = "";
                bool ruled;

                if (!group)
                        goto out;
                ruled = req->rules &&
                        get_rule(req->rules, group, a->service, &rules[n_groups], holder);
                entries[n_groups] = (PlRetainEntry){ .group = group,
                                                     .rule = ruled ? &rules[n_groups] : NULL,
                                                     .gen = a->name.gen,
                                                     .to_sec = a->name.to_sec,
                                                     .bytes = a->bytes,
                                                     .id = a->name.id,
                                                     .holder = pl_streq(a->name.id, holder),
                                                     .gone = complete && !*holder,
                                                     .userdata = a };
        }
        /* all records are listed for it, so not where there is nothing to drop */
        r = complete && n > 0 ? find_gone(store, entries, n) : 0;
        if (r < 0)
                goto out;
        ret->total_bytes = pl_retain_plan(entries, n, req->budget_bytes, req->free_bytes,
                                          req->now_sec, &ret->next_expiry_sec);
        count(entries, n, req->id, ret);
        r = drop_marked(store, entries, n, req->id, ret);
out:
        for (size_t i = 0; i < n_groups; i++)
                free((char *)entries[i].group);
        return r;
}
