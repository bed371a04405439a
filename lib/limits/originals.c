/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Originals: what is original, and the record as JSON. Reading trusts nothing: what it says goes
 * into kernel files.
 */

#include "lib/limits/originals.h"

#include <errno.h>
#include <jansson.h>

#include "lib/base/unit.h"

/*
 * {"version": 2, "id": "…", "engine": "…", "run_usec": 1700000000000000, "managed": ["MemoryMax",
 * …], "original": {"MemoryMax": 4294967296, "AllowedCPUs": "0-3", "TasksMax": "infinity"},
 * "engine_original": {…}, "created": {…}, "engine_told": {…}, "engine_asked": {…}, "quota_period":
 * {"original": 100000, "engine_original": 0, "engine_told": 10000}, "squeeze_high": "infinity"}
 */

#define BIT(r) (UINT32_C(1) << (r))

void pl_container_state_deinit(PlContainerState *s) {
        pl_some_limits_deinit(&s->original);
        pl_some_limits_deinit(&s->engine_original);
        pl_some_limits_deinit(&s->created);
        pl_some_limits_deinit(&s->engine_told);
        pl_some_limits_deinit(&s->engine_asked);
        pl_value_deinit(&s->squeeze_high);
}

static json_t *value_to_json(PlResource r, const PlValue *v) {
        if (pl_resource_is_text(r))
                return json_string(v->text ?: "");
        if (v->text) /* a weight, and what its owner calls it */
                return json_pack("[I, s]", (json_int_t)v->number, v->text);
        if (v->number > INT64_MAX)
                return json_string("infinity");
        return json_integer((json_int_t)v->number);
}

static json_t *limits_to_json(const PlSomeLimits *l) {
        json_t *o = json_object();

        for (PlResource r = 0; o && r < _PL_RESOURCE_N; r++) {
                const PlValue *v = pl_some_limits_get(l, r);

                if (!v->set)
                        continue;
                if (json_object_set_new(o, pl_resource_info(r)->name, value_to_json(r, v)) < 0) {
                        json_decref(o);
                        return NULL;
                }
        }
        return o;
}

static json_t *mask_to_json(uint32_t mask) {
        json_t *a = json_array();

        for (PlResource r = 0; a && r < _PL_RESOURCE_N; r++)
                if (mask & (1U << r) &&
                    json_array_append_new(a, json_string(pl_resource_info(r)->name)) < 0) {
                        json_decref(a);
                        return NULL;
                }
        return a;
}

static json_t *period_to_json(const PlQuotaPeriod *p) {
        return json_pack("{s:I, s:I, s:I}", "original", (json_int_t)p->original_usec,
                         "engine_original", (json_int_t)p->engine_original_usec, "engine_told",
                         (json_int_t)p->engine_told_usec);
}

int pl_state_format(const PlContainerState *s, char **ret) {
        json_t *o = json_pack("{s:i, s:s, s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "version",
                              s->version == 1 ? 1 : PL_STATE_VERSION, "id", s->id, "engine",
                              s->engine, "run_usec", (json_int_t)s->run_usec, "managed",
                              mask_to_json(s->managed), "original", limits_to_json(&s->original),
                              "engine_original", limits_to_json(&s->engine_original), "engine_told",
                              limits_to_json(&s->engine_told), "engine_asked",
                              limits_to_json(&s->engine_asked), "quota_period",
                              period_to_json(&s->period));
        char *text = NULL;

        if (o &&
            (!s->created_known ||
             json_object_set_new(o, "created", limits_to_json(&s->created)) >= 0) &&
            (!s->squeeze_high.set ||
             json_object_set_new(o, "squeeze_high",
                                 value_to_json(PL_RESOURCE_MEMORY_HIGH, &s->squeeze_high)) >= 0))
                text = json_dumps(o, JSON_COMPACT);

        json_decref(o);
        if (!text)
                return -ENOMEM;
        *ret = text;
        return 0;
}

/* These texts go into kernel files when they are given back. */
static bool is_canonical(PlResource r, const char *text) {
        _cleanup_free_ char *again = NULL;
        const char *cursor = text;
        PlDeviceRate d;

        if (*text == '\0')
                return true;
        if (pl_resource_info(r)->kind == PL_KIND_CPUSET)
                return pl_parse_cpuset(text, &again) == 0 && pl_streq(again, text);
        while (pl_resource_devices_next(&cursor, &d)) {}
        return *cursor == '\0';
}

static int value_from_json(PlResource r, const json_t *j, PlValue *ret) {
        PlValue v = { .set = true };

        if (pl_resource_is_text(r)) {
                if (!json_is_string(j) || !is_canonical(r, json_string_value(j)))
                        return -EBADMSG;
                v.text = strdup(json_string_value(j));
                if (!v.text)
                        return -ENOMEM;
        } else if (json_is_string(j) && pl_streq(json_string_value(j), "infinity")) {
                v.number = PL_UNLIMITED;
        } else if (pl_resource_info(r)->kind == PL_KIND_WEIGHT && json_array_size(j) == 2) {
                const char *text = json_string_value(json_array_get(j, 1));
                json_int_t number = json_integer_value(json_array_get(j, 0));
                uint64_t digits;

                if (!json_is_integer(json_array_get(j, 0)) || number < 0 || !text ||
                    pl_parse_uint64(text, &digits) < 0)
                        return -EBADMSG;
                v.number = (uint64_t)number;
                v.text = strdup(text);
                if (!v.text)
                        return -ENOMEM;
        } else if (json_is_integer(j) && json_integer_value(j) >= 0) {
                v.number = (uint64_t)json_integer_value(j);
        } else {
                return -EBADMSG;
        }
        pl_value_deinit(ret);
        *ret = v;
        return 0;
}

static int limits_from_json(json_t *o, PlSomeLimits *ret) {
        const char *key;
        json_t *value;

        if (!json_is_object(o))
                return -EBADMSG;
        json_object_foreach(o, key, value) {
                PlResource r = pl_resource_from_name(key);
                PlValue v = { 0 };
                int k = r == _PL_RESOURCE_INVALID ? -EBADMSG : value_from_json(r, value, &v);

                if (k >= 0)
                        k = pl_some_limits_put(ret, r, &v);
                pl_value_deinit(&v);
                if (k < 0)
                        return k;
        }
        return 0;
}

static int mask_from_json(json_t *a, uint32_t *ret) {
        uint32_t mask = 0;
        size_t i;
        json_t *value;

        if (!json_is_array(a))
                return -EBADMSG;
        json_array_foreach(a, i, value) {
                PlResource r = json_is_string(value)
                                               ? pl_resource_from_name(json_string_value(value))
                                               : _PL_RESOURCE_INVALID;

                if (r == _PL_RESOURCE_INVALID)
                        return -EBADMSG;
                mask |= 1U << r;
        }
        *ret = mask;
        return 0;
}

/* Of time: a number that is not negative. Absent: 0. */
static int usec_from_json(const json_t *o, const char *key, uint64_t *ret) {
        const json_t *j = json_object_get(o, key);

        if (!j)
                return 0;
        if (!json_is_integer(j) || json_integer_value(j) < 0)
                return -EBADMSG;
        *ret = (uint64_t)json_integer_value(j);
        return 0;
}

static int period_from_json(const json_t *o, PlQuotaPeriod *ret) {
        int r = json_is_object(o) ? 0 : -EBADMSG;

        if (r >= 0)
                r = usec_from_json(o, "original", &ret->original_usec);
        if (r >= 0)
                r = usec_from_json(o, "engine_original", &ret->engine_original_usec);
        return r < 0 ? r : usec_from_json(o, "engine_told", &ret->engine_told_usec);
}

static int version_from_json(const json_t *o, unsigned *ret) {
        const json_t *j = json_object_get(o, "version");

        if (j && (!json_is_integer(j) || json_integer_value(j) < 1))
                return -EBADMSG;
        if (j && json_integer_value(j) > PL_STATE_VERSION)
                return -EOPNOTSUPP;
        *ret = j ? (unsigned)json_integer_value(j) : 1;
        return 0;
}

/* It is written into messages and compared, no more. */
static int engine_from_json(const json_t *o, char ret[static PL_ENGINE_IDENTITY_MAX]) {
        const json_t *j = json_object_get(o, "engine");
        const char *text = json_string_value(j);

        if (!j)
                return 0;
        if (!text || strlen(text) >= PL_ENGINE_IDENTITY_MAX)
                return -EBADMSG;
        for (const char *c = text; *c; c++)
                if (*c <= ' ' || *c > '~')
                        return -EBADMSG;
        (void)snprintf(ret, PL_ENGINE_IDENTITY_MAX, "%s", text);
        return 0;
}

/* What version 1 has no word for. */
static int later_members_from_json(const json_t *o, PlContainerState *ret) {
        json_t *j;
        int r = engine_from_json(o, ret->engine);

        if (r >= 0)
                r = usec_from_json(o, "run_usec", &ret->run_usec);
        if (r >= 0 && (j = json_object_get(o, "engine_told")))
                r = limits_from_json(j, &ret->engine_told);
        if (r >= 0 && (j = json_object_get(o, "engine_asked")))
                r = limits_from_json(j, &ret->engine_asked);
        if (r >= 0 && (j = json_object_get(o, "created"))) {
                r = limits_from_json(j, &ret->created);
                ret->created_known = true;
        }
        if (r >= 0 && (j = json_object_get(o, "quota_period")))
                r = period_from_json(j, &ret->period);
        return r;
}

int pl_state_parse(const char *text, size_t size, PlContainerState *ret) {
        PlContainerState s = { 0 };
        const char *id;
        json_t *o;
        int r = -EBADMSG;

        if (size > PL_STATE_SIZE_MAX)
                return -EBADMSG;
        o = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
        id = json_string_value(json_object_get(o, "id"));
        if (id && pl_is_id(id)) {
                (void)snprintf(s.id, sizeof(s.id), "%s", id);
                r = version_from_json(o, &s.version);
                if (r >= 0)
                        r = mask_from_json(json_object_get(o, "managed"), &s.managed);
                if (r >= 0)
                        r = limits_from_json(json_object_get(o, "original"), &s.original);
                if (r >= 0)
                        r = limits_from_json(json_object_get(o, "engine_original"),
                                             &s.engine_original);
                if (r >= 0)
                        r = later_members_from_json(o, &s);
                if (r >= 0 && json_object_get(o, "squeeze_high"))
                        r = value_from_json(PL_RESOURCE_MEMORY_HIGH,
                                            json_object_get(o, "squeeze_high"), &s.squeeze_high);
        }
        json_decref(o);
        if (r < 0) {
                pl_container_state_deinit(&s);
                return r;
        }
        *ret = s;
        return 0;
}

/* --- what is original --- */

static void unset(PlSomeLimits *l, PlResource r) {
        (void)pl_some_limits_put(l, r, &(PlValue){ 0 }); /* takes no memory */
}

/* An unset value is what a new group has. */
static bool same_effect(PlResource r, const PlValue *a, const PlValue *b) {
        const PlValue fresh = pl_resource_fresh(r);

        return pl_value_equal(a->set ? a : &fresh, b->set ? b : &fresh);
}

static bool is_that(PlResource r, const PlValue *mine, const PlValue *now) {
        return mine->set && same_effect(r, mine, now);
}

uint32_t pl_state_captured(const PlContainerState *s) {
        return s->managed |
               (s->managed & BIT(PL_RESOURCE_MEMORY_MAX) ? BIT(PL_RESOURCE_MEMORY_SWAP_MAX) : 0);
}

/* Return: 1, -ENOMEM. */
static int keep_as_told(PlContainerState *s, PlResource r, const PlValue *now) {
        const PlValue fresh = pl_resource_fresh(r);

        s->guessed &= ~BIT(r);
        if ((s->engine_asked.set & BIT(r)) &&
            !is_that(r, pl_some_limits_get(&s->engine_asked, r), now))
                s->guessed |= BIT(r);
        unset(&s->engine_asked, r);
        if (same_effect(r, now, pl_some_limits_get(&s->engine_original, r)))
                unset(&s->engine_told, r);
        else if (pl_some_limits_put(&s->engine_told, r, now->set ? now : &fresh) < 0)
                return -ENOMEM;
        return 1;
}

/* Return: 2, -ENOMEM. */
static int keep_as_original(PlContainerState *s, PlResource r, const PlValue *now) {
        if (pl_some_limits_put(&s->engine_original, r, now) < 0 ||
            (pl_state_captured(s) & BIT(r) && pl_some_limits_put(&s->original, r, now) < 0))
                return -ENOMEM;
        unset(&s->engine_told, r);
        return 2;
}

static int learn_value(PlContainerState *s, PlResource r, const PlValue *now, bool answered) {
        if (is_that(r, pl_some_limits_get(&s->engine_asked, r), now) ||
            (answered && (s->engine_asked.set & BIT(r))))
                return keep_as_told(s, r, now);
        if (is_that(r, pl_some_limits_get(&s->engine_told, r), now))
                return 0;
        if (!same_effect(r, now, pl_some_limits_get(&s->engine_original, r)))
                /* version 1 did not say what was told, but only managed values were */
                return s->version == 1 && s->managed & BIT(r) ? keep_as_told(s, r, now)
                                                              : keep_as_original(s, r, now);
        if (!(s->engine_told.set & BIT(r)))
                return 0;
        unset(&s->engine_told, r); /* we have not asked for it */
        return s->version == 1 ? 1 : 2;
}

/* HostConfig as it was seen last. */
static const PlValue *before_ask(const PlContainerState *s, PlResource r) {
        return (s->engine_told.set & BIT(r)) ? pl_some_limits_get(&s->engine_told, r)
                                             : pl_some_limits_get(&s->engine_original, r);
}

/* HostConfig as it was to be, before it was seen again. */
static const PlValue *expected(const PlContainerState *s, PlResource r) {
        return (s->engine_asked.set & BIT(r)) ? pl_some_limits_get(&s->engine_asked, r)
                                              : before_ask(s, r);
}

/* Of memory and swap; PL_UNLIMITED: one of them has no limit. */
static uint64_t sum_of(const PlValue *memory, const PlValue *swap) {
        uint64_t sum;

        if (!memory->set || !swap->set || memory->number == PL_UNLIMITED ||
            swap->number == PL_UNLIMITED ||
            __builtin_add_overflow(memory->number, swap->number, &sum))
                return PL_UNLIMITED;
        return sum;
}

/*
 * HostConfig has the sum of memory and swap. Whoever changes memory alone (`docker update
 * --memory`) leaves the sum, and that is ours: without us it would be the container's own. Return:
 * 1: *ret is what swap would be; 0.
 */
static int swap_of_own_sum(const PlContainerState *s, const PlLimits *now, PlValue *ret) {
        const PlResource m = PL_RESOURCE_MEMORY_MAX, w = PL_RESOURCE_MEMORY_SWAP_MAX;
        const PlValue *swap = pl_some_limits_get(&s->engine_original, w);
        uint64_t own = sum_of(pl_some_limits_get(&s->engine_original, m), swap);

        if (s->version == 1 || !now->v[m].set ||
            !((s->engine_told.set & BIT(m)) || (s->engine_told.set & BIT(w)) ||
              (s->engine_asked.set & BIT(m)) || (s->engine_asked.set & BIT(w))) ||
            is_that(m, pl_some_limits_get(&s->engine_asked, m), &now->v[m]) ||
            same_effect(m, &now->v[m], before_ask(s, m)) ||
            sum_of(&now->v[m], &now->v[w]) != sum_of(expected(s, m), expected(s, w)))
                return 0;
        *ret = (PlValue){ 0 };
        if (own == PL_UNLIMITED)
                *ret = (PlValue){ .set = swap->set, .number = swap->number };
        else if (own >= now->v[m].number)
                *ret = (PlValue){ .set = true, .number = own - now->v[m].number };
        return 1;
}

/*
 * Whoever raises or lowers memory and finds another sum afterwards has said that sum, too. So what
 * is left for swap is theirs, even where it is as much as ours.
 */
static bool is_their_sum(const PlContainerState *s, const PlLimits *now) {
        const PlResource m = PL_RESOURCE_MEMORY_MAX, w = PL_RESOURCE_MEMORY_SWAP_MAX;

        return s->version != 1 && now->v[m].set && now->v[w].set &&
               ((s->engine_told.set & BIT(w)) || (s->engine_asked.set & BIT(w))) &&
               !is_that(m, pl_some_limits_get(&s->engine_asked, m), &now->v[m]) &&
               !same_effect(m, &now->v[m], before_ask(s, m)) &&
               sum_of(&now->v[m], &now->v[w]) != sum_of(expected(s, m), expected(s, w));
}

static int learn_period(PlContainerState *s, uint64_t now_usec) {
        PlQuotaPeriod *p = &s->period;

        if (now_usec == p->engine_original_usec ||
            (p->engine_told_usec > 0 && now_usec == p->engine_told_usec))
                return 0;
        p->engine_original_usec = now_usec;
        p->engine_told_usec = 0;
        if (p->original_usec > 0)
                p->original_usec = now_usec ?: PL_QUOTA_PERIOD_DEFAULT_USEC;
        return 2;
}

int pl_state_learn(PlContainerState *s, const PlLimits *now, uint64_t period_usec, bool answered) {
        int changed = s->version == 1, k;
        PlValue swap;
        bool is_own = !answered && swap_of_own_sum(s, now, &swap);
        bool is_theirs = !answered && !is_own && is_their_sum(s, now);

        for (PlResource r = 0; r < _PL_RESOURCE_N; r++) {
                k = is_theirs && r == PL_RESOURCE_MEMORY_SWAP_MAX
                                    ? keep_as_original(s, r, &now->v[r])
                                    : learn_value(s, r, &now->v[r], answered);

                /* what it has is ours, and what it would have without us is the original */
                if (is_own && r == PL_RESOURCE_MEMORY_SWAP_MAX && k >= 0) {
                        k = keep_as_original(s, r, &swap);
                        if (k >= 0)
                                k = keep_as_told(s, r, &now->v[r]);
                }
                if (k < 0)
                        return k;
                changed = PL_MAX(changed, k);
        }
        s->version = PL_STATE_VERSION;
        /* the first sight of it; what is ours in there has an original instead. A weight that
         * everybody has may be what an older record gave back, so it is nobody's word */
        for (PlResource r = 0; r < _PL_RESOURCE_N && !s->created_known; r++)
                if (pl_some_limits_put(&s->created, r, pl_some_limits_get(&s->engine_original, r)) <
                    0)
                        return -ENOMEM;
        changed = PL_MAX(changed, !s->created_known);
        s->created_known = true;
        k = learn_period(s, period_usec);
        return PL_MAX(changed, k);
}

int pl_state_ask(PlContainerState *s, const PlLimits *now, const PlLimits *after,
                 uint64_t period_usec) {
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++) {
                const PlValue fresh = pl_resource_fresh(r);

                if (!same_effect(r, &now->v[r], &after->v[r]) &&
                    pl_some_limits_put(&s->engine_asked, r,
                                       after->v[r].set ? &after->v[r] : &fresh) < 0)
                        return -ENOMEM;
        }
        if (period_usec != s->period.engine_original_usec)
                s->period.engine_told_usec = period_usec;
        return 0;
}

uint32_t pl_state_awaited(const PlContainerState *s) {
        uint32_t mask = s->engine_asked.set;

        for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                if (same_effect(r, pl_some_limits_get(&s->engine_asked, r),
                                pl_some_limits_get(&s->engine_original, r)))
                        mask &= ~BIT(r);
        return mask;
}

void pl_state_doubt(PlContainerState *s) {
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                if (s->guessed & BIT(r))
                        unset(&s->engine_told, r);
        s->guessed = 0;
}

int pl_state_answered(PlContainerState *s, bool taken) {
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++) {
                PlValue asked = { 0 };
                int k = 0;

                if (!(s->engine_asked.set & BIT(r)))
                        continue;
                if (taken)
                        k = pl_value_copy(pl_some_limits_get(&s->engine_asked, r), &asked);
                unset(&s->engine_asked, r);
                if (k >= 0 && taken)
                        k = keep_as_told(s, r, &asked);
                pl_value_deinit(&asked);
                if (k < 0)
                        return k;
        }
        return 0;
}

int pl_state_capture(PlContainerState *s, uint32_t mask, const PlReading *reading,
                     uint64_t run_usec, uint64_t page) {
        uint32_t ours = reading ? s->engine_told.set : 0, missing = mask & ~s->managed, captured;
        PlContainerState after = { .managed = mask };
        PlLimits told;

        if (ours) {
                told = pl_some_limits_all(&s->engine_told);
                ours &= ~pl_plan_drift(&told, reading, page);
        }
        captured = pl_state_captured(&after) & ~pl_state_captured(s);
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++) {
                const PlValue *from = reading && reading->in_force.v[r].set && !(ours & BIT(r))
                                                      ? &reading->in_force.v[r]
                                                      : pl_some_limits_get(&s->engine_original, r);

                if (r == PL_RESOURCE_MEMORY_HIGH && reading && s->squeeze_high.set)
                        from = &s->squeeze_high; /* what is in force is borrowed */
                if (captured & BIT(r) && pl_some_limits_put(&s->original, r, from) < 0)
                        return -ENOMEM;
        }
        if (captured & BIT(PL_RESOURCE_CPU_QUOTA))
                s->period.original_usec =
                                reading && !(ours & BIT(PL_RESOURCE_CPU_QUOTA)) &&
                                                                reading->cpu_period_usec > 0
                                                ? reading->cpu_period_usec
                                : s->period.engine_original_usec > 0
                                                ? s->period.engine_original_usec
                                                : PL_QUOTA_PERIOD_DEFAULT_USEC;
        if (reading && run_usec > 0)
                s->run_usec = run_usec;
        s->managed |= missing;
        return 0;
}

/* Values that were given back, but for HostConfig, where they cannot be. */
static uint32_t left_over(const PlContainerState *s, uint64_t tasks) {
        const PlValue *told = pl_some_limits_get(&s->engine_told, PL_RESOURCE_TASKS_MAX);
        uint32_t mask = s->engine_told.set;

        /* a scope's limit of tasks is told as it is without us */
        if (told->set && (tasks == 0 || told->number == tasks))
                mask &= ~BIT(PL_RESOURCE_TASKS_MAX);
        return mask & ~pl_state_captured(s);
}

int pl_state_begin_run(PlContainerState *s, uint64_t run_usec, uint64_t tasks) {
        uint32_t captured, old = s->run_usec == 0 ? pl_state_captured(s) : 0;

        if (run_usec == s->run_usec)
                return 0;
        s->managed |= left_over(s, tasks);
        /* what was captured before any run, or by version 1, which did not tell them apart, stays
         */
        captured = pl_state_captured(s) & ~old;
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++) {
                const PlValue *engine = pl_some_limits_get(&s->engine_original, r);

                if (!(captured & BIT(r)) ||
                    (r == PL_RESOURCE_TASKS_MAX && !engine->set && tasks == 0))
                        continue;
                if (pl_some_limits_put(&s->original, r, engine) < 0)
                        return -ENOMEM;
        }
        if (captured & BIT(PL_RESOURCE_CPU_QUOTA))
                s->period.original_usec =
                                s->period.engine_original_usec ?: PL_QUOTA_PERIOD_DEFAULT_USEC;
        s->run_usec = run_usec;
        return pl_state_captured(s) != 0;
}

PlValue pl_state_swap_allowance(const PlContainerState *s, PlHierarchy memory) {
        const PlValue *swap = pl_some_limits_get(&s->original, PL_RESOURCE_MEMORY_SWAP_MAX);
        const PlValue *engine =
                        pl_some_limits_get(&s->engine_original, PL_RESOURCE_MEMORY_SWAP_MAX);

        if (!(pl_state_captured(s) & BIT(PL_RESOURCE_MEMORY_SWAP_MAX)))
                return (PlValue){ 0 };
        /* systemd is not told a limit of nothing, and so takes it away */
        if (memory == PL_HIERARCHY_V2 && engine->set &&
            (!swap->set || swap->number == PL_UNLIMITED))
                swap = engine;
        return (PlValue){ .set = true, .number = swap->set ? swap->number : PL_UNLIMITED };
}

bool pl_state_is_needed(const PlContainerState *s) {
        return s->managed != 0 || s->squeeze_high.set || s->engine_told.set != 0 ||
               s->engine_asked.set != 0;
}
