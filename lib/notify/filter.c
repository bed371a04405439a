/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Filter: see the header.
 */

#include "lib/notify/filter.h"

#include "lib/base/map.h"

typedef struct Pair {
        char *name;          /* kind and key: the map's */
        const char *key;     /* in name */
        uint64_t told_usec;  /* when one of it was told last */
        PlNotifyEvent *held; /* NULL: none */
        bool hurry;          /* another one of its service is told, so it is, too */
} Pair;

struct PlNotifyFilter {
        PlMap *pairs;
};

PlNotifyFilter *pl_notify_filter_new(void) {
        PlNotifyFilter *f = calloc(1, sizeof(*f));

        if (!f)
                return NULL;
        f->pairs = pl_map_new();
        return f->pairs ? f : pl_notify_filter_free(f);
}

static void pair_free(Pair *p) {
        pl_notify_event_free(p->held);
        free(p->name);
        free(p);
}

PlNotifyFilter *pl_notify_filter_free(PlNotifyFilter *f) {
        Pair *p;

        if (!f)
                return NULL;
        if (f->pairs)
                PL_MAP_FOREACH(p, f->pairs)
        pair_free(p);
        pl_map_free(f->pairs);
        free(f);
        return NULL;
}

static void forget_old(PlNotifyFilter *f, uint64_t cooldown_usec, uint64_t now_usec) {
        Pair *p;

        PL_MAP_FOREACH(p, f->pairs)
        if (!p->held && p->told_usec + cooldown_usec <= now_usec) {
                pl_map_remove(f->pairs, p->name);
                pair_free(p);
        }
}

/* NULL: there is no room for it. */
static Pair *pair_of(PlNotifyFilter *f, const char *name, uint64_t cooldown_usec, uint64_t now_usec,
                     bool *ret_new) {
        Pair *p = pl_map_get(f->pairs, name);

        *ret_new = !p;
        if (p)
                return p;
        if (pl_map_size(f->pairs) >= PL_NOTIFY_FILTER_MAX)
                forget_old(f, cooldown_usec, now_usec);
        if (pl_map_size(f->pairs) >= PL_NOTIFY_FILTER_MAX)
                return NULL;
        p = calloc(1, sizeof(*p));
        if (!p)
                return NULL;
        p->name = strdup(name);
        if (!p->name || pl_map_put(f->pairs, p->name, p) < 0) {
                pair_free(p);
                return NULL;
        }
        p->key = strchr(p->name, '/') + 1;
        return p;
}

PlNotifyEvent *pl_notify_filter_add(PlNotifyFilter *f, const char *key, PlNotifyEvent *stolen,
                                    uint64_t cooldown_usec, uint64_t now_usec) {
        _cleanup_free_ char *name = NULL;
        bool is_new;
        Pair *p;

        if (cooldown_usec == 0)
                return stolen;
        if (asprintf(&name, "%s/%s", pl_notify_kind_word(stolen->kind), key) < 0) {
                name = NULL;
                return stolen;
        }
        p = pair_of(f, name, cooldown_usec, now_usec, &is_new);
        if (!p)
                return stolen;
        if (p->held)
                stolen->times += p->held->times;
        p->held = pl_notify_event_free(p->held);
        if (is_new || (p->told_usec + cooldown_usec <= now_usec)) {
                p->told_usec = now_usec;
                p->hurry = false;
                return stolen;
        }
        p->held = stolen;
        return NULL;
}

uint64_t pl_notify_filter_due(const PlNotifyFilter *f, uint64_t cooldown_usec) {
        uint64_t due = 0;
        const Pair *p;

        PL_MAP_FOREACH(p, f->pairs)
        if (p->held) {
                uint64_t at = p->hurry ? 1 : p->told_usec + cooldown_usec;

                due = due == 0 ? at : PL_MIN(due, at);
        }
        return due;
}

PlNotifyEvent *pl_notify_filter_take(PlNotifyFilter *f, uint64_t cooldown_usec, uint64_t now_usec) {
        Pair *p, *first = NULL;

        /* the earliest, so that they are told in the order in which they came */
        PL_MAP_FOREACH(p, f->pairs)
        if (p->held &&
            (p->hurry || now_usec == UINT64_MAX || p->told_usec + cooldown_usec <= now_usec) &&
            (!first || p->held->usec < first->held->usec))
                first = p;
        if (!first)
                return NULL;
        PL_MAP_FOREACH(p, f->pairs)
        p->hurry = p->hurry || (p->held && pl_streq(p->key, first->key));
        first->hurry = false;
        if (now_usec != UINT64_MAX)
                first->told_usec = now_usec;
        return TAKE_PTR(first->held);
}
