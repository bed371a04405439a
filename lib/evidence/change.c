/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Change: see the header.
 */

#include "lib/evidence/change.h"

#include <errno.h>

/* An end without its texts, which are nearly as long as they may be in the fewest. They follow it,
 * each with its NUL, in this order. */
typedef struct PackedEnd {
        uint64_t end_usec, start_usec;
        int64_t exit_code;
        PlWhyKind kind;
        bool own, certain;
        char id[PL_ID_MAX];
        char texts[];
} PackedEnd;

#define N_TEXTS 5
#define TEXTS(e)                                                                  \
        {                                                                         \
                { (e)->container, sizeof((e)->container) },                       \
                                { (e)->why.what, sizeof((e)->why.what) },         \
                                { (e)->why.evidence, sizeof((e)->why.evidence) }, \
                                { (e)->why.would, sizeof((e)->why.would) },       \
                                { (e)->why.advice, sizeof((e)->why.advice) },     \
        }

struct PlChange {
        TAILQ_ENTRY(PlChange) next;
        int kind;
        size_t size;
        max_align_t what[];
};

void pl_changes_init(PlChanges *c) {
        *c = (PlChanges){ 0 };
        TAILQ_INIT(&c->list);
}

void pl_changes_drop_first(PlChanges *c) {
        PlChange *first = TAILQ_FIRST(&c->list);

        if (!first)
                return;
        TAILQ_REMOVE(&c->list, first, next);
        c->n--;
        c->bytes -= sizeof(*first) + first->size;
        free(first);
}

void pl_changes_clear(PlChanges *c) {
        while (!TAILQ_EMPTY(&c->list))
                pl_changes_drop_first(c);
}

/* Return: where @size bytes of it are to be written; NULL: out of memory. */
static void *add(PlChanges *c, int kind, size_t size) {
        PlChange *change = malloc(sizeof(*change) + size);

        if (!change)
                return NULL;
        change->kind = kind;
        change->size = size;
        TAILQ_INSERT_TAIL(&c->list, change, next);
        c->n++;
        c->bytes += sizeof(*change) + size;
        return change->what;
}

static int add_copy(PlChanges *c, int kind, const void *what, size_t size) {
        void *to = add(c, kind, size);

        if (!to)
                return -ENOMEM;
        memcpy(to, what, size);
        return 0;
}

static int add_end(PlChanges *c, const PlMemoryEnd *end) {
        const struct {
                const char *s;
                size_t size;
        } texts[N_TEXTS] = TEXTS(end);
        size_t size = sizeof(PackedEnd), at = 0;
        PackedEnd *p;

        for (size_t i = 0; i < N_TEXTS; i++)
                size += strlen(texts[i].s) + 1;
        p = add(c, PL_HAPPENED_END, size);
        if (!p)
                return -ENOMEM;
        *p = (PackedEnd){ .end_usec = end->end_usec,
                          .start_usec = end->start_usec,
                          .exit_code = end->exit_code,
                          .kind = end->why.kind,
                          .own = end->own,
                          .certain = end->why.certain };
        memcpy(p->id, end->id, sizeof(p->id));
        for (size_t i = 0; i < N_TEXTS; i++) {
                size_t n = strlen(texts[i].s) + 1;

                memcpy(p->texts + at, texts[i].s, n);
                at += n;
        }
        return 0;
}

static bool apply_end(const PackedEnd *p, PlMemory *m) {
        PlMemoryEnd end = { .end_usec = p->end_usec,
                            .start_usec = p->start_usec,
                            .exit_code = p->exit_code,
                            .why.kind = p->kind,
                            .why.certain = p->certain,
                            .own = p->own };
        const struct {
                char *s;
                size_t size;
        } texts[N_TEXTS] = TEXTS(&end);
        const char *at = p->texts;

        memcpy(end.id, p->id, sizeof(end.id));
        for (size_t i = 0; i < N_TEXTS; i++, at += strlen(at) + 1)
                (void)snprintf(texts[i].s, texts[i].size, "%s", at);
        return pl_memory_add(m, PL_HAPPENED(END, end = &end));
}

static int add_kills(PlChanges *c, const PlOomHistory *kills) {
        PlChange *last = TAILQ_LAST(&c->list, PlChangeList);

        if (!last || last->kind != PL_HAPPENED_KILLS)
                return add_copy(c, PL_HAPPENED_KILLS, kills, sizeof(*kills));
        memcpy(last->what, kills, sizeof(*kills));
        return 0;
}

int pl_changes_add(PlChanges *c, const PlHappening *h) {
        switch (h->kind) {
        case PL_HAPPENED_END:
                return add_end(c, h->end);
        case PL_HAPPENED_KILLS:
                return add_kills(c, h->kills);
        case PL_HAPPENED_HEALTH:
                return add_copy(c, h->kind, h->health, sizeof(*h->health));
        case PL_HAPPENED_LIMITS:
                return add_copy(c, h->kind, h->limits, sizeof(*h->limits));
        case PL_HAPPENED_PINCH:
                return add_copy(c, h->kind, h->pinch, sizeof(*h->pinch));
        case PL_HAPPENED_RESTART:
                return add_copy(c, h->kind, h->restart, sizeof(*h->restart));
        case PL_HAPPENED_SURRENDER:
        case PL_HAPPENED_ENGINE_LOST:
                return add_copy(c, h->kind, &h->usec, sizeof(h->usec));
        }
        return -EINVAL;
}

static bool apply(const PlChange *c, PlMemory *m) {
        const void *what = c->what;
        PlHappening h = { .kind = c->kind };

        switch (h.kind) {
        case PL_HAPPENED_END:
                return apply_end(what, m);
        case PL_HAPPENED_KILLS:
                h.kills = what;
                break;
        case PL_HAPPENED_HEALTH:
                h.health = what;
                break;
        case PL_HAPPENED_LIMITS:
                h.limits = what;
                break;
        case PL_HAPPENED_PINCH:
                h.pinch = what;
                break;
        case PL_HAPPENED_RESTART:
                h.restart = what;
                break;
        case PL_HAPPENED_SURRENDER:
        case PL_HAPPENED_ENGINE_LOST:
                h.usec = *(const uint64_t *)what;
                break;
        }
        return pl_memory_add(m, &h);
}

bool pl_changes_apply(const PlChanges *c, PlMemory *m) {
        const PlChange *change;
        bool changed = false;

        TAILQ_FOREACH(change, &c->list, next)
        changed |= apply(change, m);
        return changed;
}
