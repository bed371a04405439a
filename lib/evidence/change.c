/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Change: see the header.
 */

#include "lib/evidence/change.h"

#include <errno.h>

typedef enum ChangeKind {
        END,
        KILLS,
        HEALTH,
        LIMITS,
        PINCH,
        RESTART,
        SURRENDER,
        ENGINE_LOST,
} ChangeKind;

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
        ChangeKind kind;
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
static void *add(PlChanges *c, ChangeKind kind, size_t size) {
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

static int add_copy(PlChanges *c, ChangeKind kind, const void *what, size_t size) {
        void *to = add(c, kind, size);

        if (!to)
                return -ENOMEM;
        memcpy(to, what, size);
        return 0;
}

int pl_changes_add_end(PlChanges *c, const PlMemoryEnd *end) {
        const struct {
                const char *s;
                size_t size;
        } texts[N_TEXTS] = TEXTS(end);
        size_t size = sizeof(PackedEnd), at = 0;
        PackedEnd *p;

        for (size_t i = 0; i < N_TEXTS; i++)
                size += strlen(texts[i].s) + 1;
        p = add(c, END, size);
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
        return pl_memory_add_end(m, &end);
}

int pl_changes_add_kills(PlChanges *c, const PlOomHistory *history) {
        PlChange *last = TAILQ_LAST(&c->list, PlChangeList);

        if (!last || last->kind != KILLS)
                return add_copy(c, KILLS, history, sizeof(*history));
        memcpy(last->what, history, sizeof(*history));
        return 0;
}

int pl_changes_add_health(PlChanges *c, const PlMemoryHealth *health) {
        return add_copy(c, HEALTH, health, sizeof(*health));
}

int pl_changes_add_limits(PlChanges *c, const PlMemoryLimits *limits) {
        return add_copy(c, LIMITS, limits, sizeof(*limits));
}

int pl_changes_add_pinch(PlChanges *c, const char *limit, const char *cause, uint64_t need,
                         uint64_t realtime_usec) {
        PlMemoryPinch p = { .last_usec = realtime_usec, .need = need };

        (void)snprintf(p.limit, sizeof(p.limit), "%s", limit);
        (void)snprintf(p.cause, sizeof(p.cause), "%s", cause);
        return add_copy(c, PINCH, &p, sizeof(p));
}

int pl_changes_add_restart(PlChanges *c, uint64_t realtime_usec) {
        return add_copy(c, RESTART, &realtime_usec, sizeof(realtime_usec));
}

int pl_changes_add_surrender(PlChanges *c, uint64_t realtime_usec) {
        return add_copy(c, SURRENDER, &realtime_usec, sizeof(realtime_usec));
}

int pl_changes_add_engine_lost(PlChanges *c, uint64_t realtime_usec) {
        return add_copy(c, ENGINE_LOST, &realtime_usec, sizeof(realtime_usec));
}

static bool apply(const PlChange *c, PlMemory *m) {
        const PlMemoryPinch *p = (const void *)c->what;
        const uint64_t *usec = (const void *)c->what;

        switch (c->kind) {
        case END:
                return apply_end((const void *)c->what, m);
        case KILLS:
                memcpy(&m->oom, c->what, sizeof(m->oom));
                return true;
        case HEALTH:
                pl_memory_add_health(m, (const void *)c->what);
                return true;
        case LIMITS:
                return pl_memory_add_limits(m, (const void *)c->what);
        case PINCH:
                pl_memory_add_pinch(m, p->limit, p->cause, p->need, p->last_usec);
                return true;
        case RESTART:
                pl_memory_add_restart(m, *usec);
                return true;
        case SURRENDER:
                m->restarts.gave_up++;
                m->restarts.gave_up_usec = *usec;
                return true;
        case ENGINE_LOST:
                return pl_memory_engine_lost(m, *usec);
        }
        return false;
}

bool pl_changes_apply(const PlChanges *c, PlMemory *m) {
        const PlChange *change;
        bool changed = false;

        TAILQ_FOREACH(change, &c->list, next)
        changed |= apply(change, m);
        return changed;
}
