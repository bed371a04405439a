/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Memory: see the header.
 */

#include "lib/evidence/memory.h"

#include <errno.h>

#include "lib/base/json.h"
#include "lib/base/unit.h"

/* As the engine's own stops, when it goes down, in lib/evidence/why. */
#define SHUTDOWN_USEC (30 * PL_USEC_PER_SEC)

/* Makes room for one more at the end, dropping the first. Return: where. */
static void *push(void *ring, size_t size, size_t max, size_t *n) {
        char *first = ring;

        if (*n == max)
                memmove(first, first + size, size * --*n);
        memset(first + size * *n, 0, size);
        return first + size * (*n)++;
}
#define PUSH(m, ring) \
        push((m)->ring, sizeof((m)->ring[0]), PL_ARRAY_SIZE((m)->ring), &(m)->n_##ring)

/* --- what happens --- */

static void count_loop(PlMemory *m, uint64_t at) {
        PlMemoryLoop *l = m->n_loops > 0 ? &m->loops[m->n_loops - 1] : NULL;
        uint64_t first = at;
        unsigned n = 0;

        if (l && at - l->last_usec <= PL_CRASH_WINDOW_USEC) {
                l->last_usec = at;
                l->ends++;
                return;
        }
        for (size_t i = 0; i < m->n_ends; i++) {
                uint64_t end = m->ends[i].end_usec;

                if (!m->ends[i].own || end > at || at - end > PL_CRASH_WINDOW_USEC)
                        continue;
                first = PL_MIN(first, end);
                n++;
        }
        if (n < PL_CRASH_MIN)
                return;
        l = PUSH(m, loops);
        *l = (PlMemoryLoop){ .first_usec = first, .last_usec = at, .ends = n };
        m->loops_total++;
}

static bool add_end(PlMemory *m, const PlMemoryEnd *end) {
        PlMemoryEnd *e;

        for (size_t i = 0; i < m->n_ends; i++) {
                e = &m->ends[i];
                if (!pl_streq(e->id, end->id) || !pl_memory_is_same_end(e->end_usec, end->end_usec))
                        continue;
                if (!pl_memory_knows_more(e->why.kind, e->why.certain, end->why.certain))
                        return false;
                m->kinds[e->why.kind] -= m->kinds[e->why.kind] > 0;
                m->kinds[end->why.kind]++;
                e->why = end->why;
                return true;
        }
        e = PUSH(m, ends);
        *e = *end;
        m->ends_total++;
        m->kinds[end->why.kind]++;
        if (end->own)
                count_loop(m, end->end_usec);
        return true;
}

static bool engine_lost(PlMemory *m, uint64_t realtime_usec) {
        bool changed = false;

        for (size_t i = 0; i < m->n_ends; i++) {
                PlMemoryEnd *e = &m->ends[i];
                PlEnding ending = { .ender = PL_ENDER_ENGINE,
                                    .exit_code = (int)e->exit_code,
                                    .end_usec = e->end_usec };
                PlWhyFacts f = { .ending = &ending };

                if ((e->why.kind != PL_WHY_STOPPED && e->why.kind != PL_WHY_STOP_TIMEOUT) ||
                    e->end_usec > realtime_usec || realtime_usec - e->end_usec > SHUTDOWN_USEC)
                        continue;
                m->kinds[e->why.kind] -= m->kinds[e->why.kind] > 0;
                pl_why(&f, &e->why);
                m->kinds[e->why.kind]++;
                changed = true;
        }
        return changed;
}

static void add_health(PlMemory *m, const PlMemoryHealth *health) {
        PlMemoryHealth *h = PUSH(m, health);

        *h = *health;
}

static void add_restart(PlMemory *m, const PlMemoryRestart *restart) {
        PlMemoryRestart *t =
                        push(m->restarts.times, sizeof(*t), PL_MEMORY_TIMES, &m->restarts.n_times);

        *t = *restart;
        m->restarts.total++;
}

static bool add_limits(PlMemory *m, const PlMemoryLimits *limits) {
        const PlMemoryLimits *last = m->n_limits > 0 ? &m->limits[m->n_limits - 1] : NULL;
        PlMemoryLimits *l;

        if (last ? pl_streq(last->text, limits->text) && pl_streq(last->by, limits->by)
                 : !*limits->text)
                return false;
        l = PUSH(m, limits);
        *l = *limits;
        return true;
}

void pl_memory_add_load(PlMemoryLoad *l, uint64_t value, uint64_t peak, uint64_t realtime_usec) {
        uint64_t top = peak == PL_UNLIMITED    ? value
                       : value == PL_UNLIMITED ? peak
                                               : PL_MAX(peak, value);

        if (value != PL_UNLIMITED)
                pl_spread_add(&l->spread, value);
        if (top != PL_UNLIMITED && top > l->peak) {
                l->peak = top;
                l->peak_usec = realtime_usec;
        }
}

static void add_pinch(PlMemory *m, const PlMemoryPinch *pinch) {
        PlMemoryPinch *p = NULL;

        for (size_t i = 0; i < m->n_pinches; i++)
                if (pl_streq(m->pinches[i].limit, pinch->limit) &&
                    pl_streq(m->pinches[i].cause, pinch->cause))
                        p = &m->pinches[i];
        if (!p) {
                p = PUSH(m, pinches);
                *p = *pinch;
                p->episodes = 0;
                p->first_usec = pinch->last_usec;
        }
        p->episodes++;
        p->last_usec = pinch->last_usec;
        p->need = PL_MAX(p->need, pinch->need);
}

bool pl_memory_add(PlMemory *m, const PlHappening *h) {
        switch (h->kind) {
        case PL_HAPPENED_END:
                return add_end(m, h->end);
        case PL_HAPPENED_KILLS:
                m->oom = *h->kills;
                return true;
        case PL_HAPPENED_HEALTH:
                add_health(m, h->health);
                return true;
        case PL_HAPPENED_LIMITS:
                return add_limits(m, h->limits);
        case PL_HAPPENED_PINCH:
                add_pinch(m, h->pinch);
                return true;
        case PL_HAPPENED_RESTART:
                add_restart(m, h->restart);
                return true;
        case PL_HAPPENED_SURRENDER:
                m->restarts.gave_up++;
                m->restarts.gave_up_usec = h->usec;
                return true;
        case PL_HAPPENED_ENGINE_LOST:
                return engine_lost(m, h->usec);
        }
        return false;
}

/* As in a key: '-' and sixteen digits. */
#define HASH_CHARS 17

bool pl_memory_is_called(const PlMemory *m, const char *name) {
        size_t n = strlen(name), shown = strlen(m->identity.origin);

        if (shown == n + HASH_CHARS && strncmp(m->identity.origin, name, n) == 0)
                return true; /* "shop-web" */
        return pl_streq(m->identity.title, name) || pl_streq(m->identity.key, name) ||
               pl_streq(m->container, name) || (*m->section && pl_streq(m->section, name)) ||
               (n >= 4 && pl_startswith(m->id, name));
}

const char *pl_memory_advice(const PlMemory *m, uint64_t now_usec,
                             char buf[static PL_MEMORY_ADVICE_MAX]) {
        return pl_oom_past(&m->oom, now_usec, buf);
}

/* --- as JSON --- */

typedef enum FieldKind { NUMBER, SIGNED, FLAG, TEXT } FieldKind;

typedef struct Field {
        const char *name;
        FieldKind kind;
        size_t offset, size;
} Field;

#define F(type, kind, member) \
        { #member, kind, offsetof(type, member), sizeof(((type *)0)->member) }
#define F_AS(name, type, kind, member) \
        { name, kind, offsetof(type, member), sizeof(((type *)0)->member) }

static const Field head_fields[] = { F_AS("key", PlMemory, TEXT, identity.key),
                                     F_AS("origin", PlMemory, TEXT, identity.origin),
                                     F_AS("title", PlMemory, TEXT, identity.title),
                                     F(PlMemory, TEXT, section),
                                     F(PlMemory, TEXT, container),
                                     F(PlMemory, TEXT, id),
                                     F(PlMemory, NUMBER, first_usec),
                                     F(PlMemory, NUMBER, last_usec),
                                     F(PlMemory, NUMBER, ends_total),
                                     F(PlMemory, NUMBER, loops_total),
                                     {} };
static const Field end_fields[] = { F(PlMemoryEnd, NUMBER, end_usec),
                                    F(PlMemoryEnd, NUMBER, start_usec),
                                    F(PlMemoryEnd, SIGNED, exit_code),
                                    F(PlMemoryEnd, TEXT, container),
                                    F(PlMemoryEnd, TEXT, id),
                                    F(PlMemoryEnd, FLAG, own),
                                    F_AS("certain", PlMemoryEnd, FLAG, why.certain),
                                    F_AS("what", PlMemoryEnd, TEXT, why.what),
                                    F_AS("evidence", PlMemoryEnd, TEXT, why.evidence),
                                    F_AS("would", PlMemoryEnd, TEXT, why.would),
                                    F_AS("advice", PlMemoryEnd, TEXT, why.advice),
                                    {} };
static const Field loop_fields[] = { F(PlMemoryLoop, NUMBER, first_usec),
                                     F(PlMemoryLoop, NUMBER, last_usec),
                                     F(PlMemoryLoop, NUMBER, ends),
                                     {} };
static const Field restart_fields[] = { F(PlMemoryRestarts, NUMBER, total),
                                        F(PlMemoryRestarts, NUMBER, gave_up),
                                        F(PlMemoryRestarts, NUMBER, gave_up_usec),
                                        {} };
static const Field health_fields[] = {
        F(PlMemoryHealth, NUMBER, usec), F(PlMemoryHealth, TEXT, from),
        F(PlMemoryHealth, TEXT, to),     F(PlMemoryHealth, TEXT, container),
        F(PlMemoryHealth, TEXT, reason), {}
};
static const Field load_fields[] = { F(PlMemoryLoad, NUMBER, peak),
                                     F(PlMemoryLoad, NUMBER, peak_usec),
                                     {} };
static const Field limits_fields[] = { F(PlMemoryLimits, NUMBER, usec),
                                       F(PlMemoryLimits, TEXT, text),
                                       F(PlMemoryLimits, TEXT, by),
                                       {} };
static const Field pinch_fields[] = { F(PlMemoryPinch, TEXT, limit),
                                      F(PlMemoryPinch, TEXT, cause),
                                      F(PlMemoryPinch, NUMBER, episodes),
                                      F(PlMemoryPinch, NUMBER, first_usec),
                                      F(PlMemoryPinch, NUMBER, last_usec),
                                      F(PlMemoryPinch, NUMBER, need),
                                      {} };

/* Texts are made printable by who adds them; what is cut in the middle of a character is not. */
static json_t *text_to_json(const char *s) {
        json_t *v = json_string(s);

        for (size_t cut = 1; !v && cut <= 3 && strlen(s) >= cut; cut++)
                v = json_stringn(s, strlen(s) - cut);
        return v ?: json_string("?");
}

static bool put_fields(json_t *o, const Field *fields, const void *from) {
        bool good = o;

        for (; good && fields->name; fields++) {
                const void *at = (const char *)from + fields->offset;

                switch (fields->kind) {
                case NUMBER:
                        good = pl_json_put(o, fields->name,
                                           json_integer((json_int_t)PL_MIN(*(const uint64_t *)at,
                                                                           (uint64_t)INT64_MAX)));
                        break;
                case SIGNED:
                        good = pl_json_put(o, fields->name, json_integer(*(const int64_t *)at));
                        break;
                case FLAG:
                        good = pl_json_put(o, fields->name, json_boolean(*(const bool *)at));
                        break;
                case TEXT:
                        good = pl_json_put(o, fields->name, text_to_json(at));
                        break;
                }
        }
        return good;
}

static int take_fields(const json_t *o, const Field *fields, void *to) {
        if (!json_is_object(o))
                return -EBADMSG;
        for (; fields->name; fields++) {
                void *at = (char *)to + fields->offset;
                const json_t *v = json_object_get(o, fields->name);

                if (!v)
                        continue;
                if (fields->kind == TEXT   ? !json_is_string(v)
                    : fields->kind == FLAG ? !json_is_boolean(v)
                                           : !json_is_integer(v))
                        return -EBADMSG;
                if (fields->kind == NUMBER && json_integer_value(v) < 0)
                        return -EBADMSG;
                if (fields->kind == TEXT)
                        (void)snprintf(at, fields->size, "%s", json_string_value(v));
                else if (fields->kind == FLAG)
                        *(bool *)at = json_boolean_value(v);
                else
                        *(int64_t *)at = json_integer_value(v);
        }
        return 0;
}

/* One array of a document. */
typedef struct List {
        const char *name;
        const Field *fields;
        size_t offset, size, max, offset_n;
} List;

#define L(name, fields, member)                                                               \
        {                                                                                     \
                name, fields, offsetof(PlMemory, member), sizeof(((PlMemory *)0)->member[0]), \
                                PL_ARRAY_SIZE(((PlMemory *)0)->member),                       \
                                offsetof(PlMemory, n_##member)                                \
        }

static const List lists[] = {
        L("ends", end_fields, ends),         L("crash_loops", loop_fields, loops),
        L("health", health_fields, health),  L("limits", limits_fields, limits),
        L("pinches", pinch_fields, pinches),
};

/* @less: so many of the oldest are left out */
static json_t *list_to_json(const List *l, const PlMemory *m, size_t less) {
        size_t n = *(const size_t *)((const char *)m + l->offset_n);
        json_t *list = json_array();

        for (size_t i = PL_MIN(less, n > 2 ? n - 2 : 0); list && i < n; i++) {
                const char *at = (const char *)m + l->offset + i * l->size;
                json_t *o = json_object();
                bool good = put_fields(o, l->fields, at);

                if (good && l->fields == end_fields)
                        good = pl_json_put(o, "kind",
                                           json_string(pl_why_to_string(
                                                           ((const PlMemoryEnd *)at)->why.kind)));
                if (!good || json_array_append_new(list, json_incref(o)) < 0) {
                        json_decref(list);
                        list = NULL;
                }
                json_decref(o);
        }
        return list;
}

static int list_from_json(const List *l, const json_t *doc, PlMemory *m) {
        const json_t *list = json_object_get(doc, l->name), *o;
        size_t i, *n = (size_t *)((char *)m + l->offset_n);
        int r = 0;

        if (list && (!json_is_array(list) || json_array_size(list) > l->max))
                return -EBADMSG;
        json_array_foreach(list, i, o) {
                char *at = (char *)m + l->offset + i * l->size;

                r = take_fields(o, l->fields, at);
                if (r < 0)
                        return r;
                if (l->fields == end_fields)
                        ((PlMemoryEnd *)at)->why.kind = pl_why_from_string(
                                        json_string_value(json_object_get(o, "kind")));
                *n = i + 1;
        }
        return 0;
}

static json_t *load_to_json(const PlMemoryLoad *l) {
        json_t *o = json_object(), *spread = json_array();
        bool good = put_fields(o, load_fields, l) && spread;
        uint64_t p95 = pl_spread_quantile(&l->spread, 950);

        for (size_t i = 0; good && i < PL_SPREAD_BUCKETS; i++)
                if (l->spread.counts[i] > 0)
                        good = json_array_append_new(spread,
                                                     json_pack("[I,I]", (json_int_t)i,
                                                               (json_int_t)l->spread.counts[i])) ==
                               0;
        good = good && pl_json_put(o, "samples", json_integer(l->spread.n)) &&
               pl_json_put_number(o, "p95", p95 == PL_UNLIMITED ? p95 : PL_MIN(p95, l->peak)) &&
               json_object_set(o, "spread", spread) == 0;
        json_decref(spread);
        if (good)
                return o;
        json_decref(o);
        return NULL;
}

static int load_from_json(const json_t *o, PlMemoryLoad *ret) {
        const json_t *pair;
        size_t i;
        int r;

        if (!o)
                return 0;
        r = take_fields(o, load_fields, ret);
        json_array_foreach(json_object_get(o, "spread"), i, pair) {
                json_int_t bucket = json_integer_value(json_array_get(pair, 0)),
                           n = json_integer_value(json_array_get(pair, 1));

                if (bucket < 0 || bucket >= PL_SPREAD_BUCKETS || n <= 0 || n > PL_SPREAD_FULL ||
                    ret->spread.counts[bucket] > 0 || ret->spread.n + n > PL_SPREAD_FULL)
                        return -EBADMSG;
                ret->spread.counts[bucket] = (uint32_t)n;
                ret->spread.n += (uint32_t)n;
        }
        return r;
}

static json_t *kinds_to_json(const PlMemory *m) {
        json_t *o = json_object();
        bool good = o;

        for (PlWhyKind k = 0; good && k < _PL_WHY_N; k++)
                if (m->kinds[k] > 0)
                        good = pl_json_put(o, pl_why_to_string(k),
                                           json_integer((json_int_t)m->kinds[k]));
        if (good)
                return o;
        json_decref(o);
        return NULL;
}

static json_t *restarts_to_json(const PlMemoryRestarts *r) {
        json_t *o = json_object(), *times = json_array(), *numbers = json_array();
        bool good = put_fields(o, restart_fields, r) && times && numbers;

        for (size_t i = 0; good && i < r->n_times; i++)
                good = json_array_append_new(times, json_integer((json_int_t)r->times[i].usec)) ==
                                       0 &&
                       json_array_append_new(numbers, json_integer(r->times[i].number)) == 0;
        good = good && json_object_set(o, "times", times) == 0 &&
               json_object_set(o, "numbers", numbers) == 0;
        json_decref(times);
        json_decref(numbers);
        if (good)
                return o;
        json_decref(o);
        return NULL;
}

/* lib/oom has its own words. */
static json_t *oom_to_json(const PlMemory *m, size_t less) {
        _cleanup_free_ char *text = NULL;
        json_t *o;

        if (pl_oom_history_format(&m->oom, &text) < 0)
                return NULL;
        o = json_loads(text, 0, NULL);
        for (; o && less > 0 && json_array_size(json_object_get(o, "reports")) > 1; less--)
                (void)json_array_remove(json_object_get(o, "reports"), 0);
        return o;
}

static char *format(const PlMemory *m, size_t less) {
        json_t *o = json_object();
        bool good = o && pl_json_put(o, "version", json_integer(PL_MEMORY_VERSION)) &&
                    put_fields(o, head_fields, m) && pl_json_put(o, "oom", oom_to_json(m, less)) &&
                    pl_json_put(o, "kinds", kinds_to_json(m)) &&
                    pl_json_put(o, "restarts", restarts_to_json(&m->restarts)) &&
                    pl_json_put(o, "memory", load_to_json(&m->memory)) &&
                    pl_json_put(o, "cpu", load_to_json(&m->cpu));
        char *text;

        for (size_t i = 0; good && i < PL_ARRAY_SIZE(lists); i++)
                good = pl_json_put(o, lists[i].name, list_to_json(&lists[i], m, less));
        text = good ? json_dumps(o, JSON_COMPACT) : NULL;
        json_decref(o);
        return text;
}

int pl_memory_format(const PlMemory *m, char **ret) {
        for (size_t less = 0; less <= PL_MEMORY_HEALTH; less++) {
                char *text = format(m, less);

                if (!text)
                        return -ENOMEM;
                if (strlen(text) <= PL_MEMORY_SIZE_MAX) {
                        *ret = text;
                        return 0;
                }
                free(text);
        }
        return -ENOMEM; /* its fixed parts and two of each ring fit */
}

static int oom_from_json(const json_t *o, PlOomHistory *ret) {
        _cleanup_free_ char *text = NULL;

        if (!o)
                return 0;
        text = json_dumps(o, JSON_COMPACT | JSON_ENCODE_ANY);
        return text ? pl_oom_history_parse(text, strlen(text), ret) : -ENOMEM;
}

/* What an older version has written has none. */
static unsigned number_of(const json_t *v) {
        json_int_t n = json_integer_value(v);

        return n > 0 && n <= UINT16_MAX ? (unsigned)n : 0;
}

static int rest_from_json(const json_t *o, PlMemory *m) {
        const json_t *restarts = json_object_get(o, "restarts"), *v;
        size_t i;
        int r = restarts ? take_fields(restarts, restart_fields, &m->restarts) : 0;

        for (PlWhyKind k = 0; k < _PL_WHY_N; k++) {
                json_int_t n = json_integer_value(
                                json_object_get(json_object_get(o, "kinds"), pl_why_to_string(k)));

                m->kinds[k] = n > 0 ? (uint64_t)n : 0;
        }
        json_array_foreach(json_object_get(restarts, "times"), i, v) {
                if (i >= PL_MEMORY_TIMES || json_integer_value(v) <= 0)
                        return -EBADMSG;
                m->restarts.times[m->restarts.n_times++] = (PlMemoryRestart){
                        .usec = (uint64_t)json_integer_value(v),
                        .number = number_of(
                                        json_array_get(json_object_get(restarts, "numbers"), i)),
                };
        }
        if (r >= 0)
                r = load_from_json(json_object_get(o, "memory"), &m->memory);
        if (r >= 0)
                r = load_from_json(json_object_get(o, "cpu"), &m->cpu);
        return r;
}

static int from_json(const json_t *o, PlMemory *m) {
        json_int_t version = json_integer_value(json_object_get(o, "version"));
        int r;

        if (version > PL_MEMORY_VERSION)
                return -EOPNOTSUPP;
        if (version < 1)
                return -EBADMSG;
        r = take_fields(o, head_fields, m);
        if (r >= 0)
                r = oom_from_json(json_object_get(o, "oom"), &m->oom);
        for (size_t i = 0; r >= 0 && i < PL_ARRAY_SIZE(lists); i++)
                r = list_from_json(&lists[i], o, m);
        if (r >= 0)
                r = rest_from_json(o, m);
        return r >= 0 && !*m->identity.key ? -EBADMSG : r;
}

int pl_memory_parse(const char *text, size_t size, PlMemory *ret) {
        _cleanup_free_ PlMemory *m = calloc(1, sizeof(*m));
        json_t *o = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
        int r = !m ? -ENOMEM : !json_is_object(o) ? -EBADMSG : from_json(o, m);

        json_decref(o);
        if (r >= 0)
                *ret = *m;
        return r;
}
