/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Resources: the table, and what can be done with values without knowing a file's format.
 */

#include "lib/limits/resource.h"

#include <errno.h>

#include "lib/base/unit.h"

/* clang-format off */
#define ROW(constant, name, kind, controller, v1, v2, min, max, fresh, turn, property, engine, expects) \
        [PL_RESOURCE_##constant] = { name, PL_KIND_##kind, controller, { v1, v2 }, min, max, fresh,     \
                                     PL_TURN_##turn, property, PL_ENGINE_##engine, expects },
/* clang-format on */

static const PlResourceInfo resources[_PL_RESOURCE_N] = { PL_RESOURCES(ROW) };

#undef ROW

_Static_assert(_PL_RESOURCE_N <= 32, "masks of resources are uint32_t");

const PlResourceInfo *pl_resource_info(PlResource r) {
        return &resources[r];
}

PlValue pl_resource_fresh(PlResource r) {
        if (pl_resource_is_text(r))
                return (PlValue){ .set = true, .text = (char *)"" };
        return (PlValue){ .set = true, .number = resources[r].fresh };
}

PlValue pl_resource_fresh_file(PlResource r, PlHierarchy memory) {
        if (r == PL_RESOURCE_MEMORY_LOW && memory == PL_HIERARCHY_V1)
                return (PlValue){ .set = true, .number = PL_UNLIMITED };
        return pl_resource_fresh(r);
}

PlResource pl_resource_from_name(const char *name) {
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                if (pl_streq(resources[r].name, name))
                        return r;
        return _PL_RESOURCE_INVALID;
}

void pl_value_deinit(PlValue *v) {
        free(v->text);
        *v = (PlValue){ 0 };
}

int pl_value_copy(const PlValue *v, PlValue *ret) {
        PlValue copy = *v;

        if (v->text) {
                copy.text = strdup(v->text);
                if (!copy.text)
                        return -ENOMEM;
        }
        pl_value_deinit(ret);
        *ret = copy;
        return 0;
}

bool pl_value_equal(const PlValue *a, const PlValue *b) {
        if (a->set != b->set)
                return false;
        if (a->set && a->text && b->text) /* of a weight, too: see PlValue */
                return pl_streq(a->text, b->text);
        return !a->set || (a->number == b->number && pl_streq_null(a->text, b->text));
}

void pl_limits_deinit(PlLimits *l) {
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                pl_value_deinit(&l->v[r]);
}

bool pl_limits_any(const PlLimits *l) {
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                if (l->v[r].set)
                        return true;
        return false;
}

static size_t n_before(const PlSomeLimits *l, PlResource r) {
        return (size_t)__builtin_popcount(l->set & ((1U << r) - 1));
}

void pl_some_limits_deinit(PlSomeLimits *l) {
        for (size_t i = 0; i < n_before(l, _PL_RESOURCE_N); i++)
                pl_value_deinit(&l->v[i]);
        free(l->v);
        *l = (PlSomeLimits){ 0 };
}

const PlValue *pl_some_limits_get(const PlSomeLimits *l, PlResource r) {
        static const PlValue unset;

        return l->set & (1U << r) ? &l->v[n_before(l, r)] : &unset;
}

int pl_some_limits_put(PlSomeLimits *l, PlResource r, const PlValue *v) {
        size_t n = n_before(l, _PL_RESOURCE_N), at = n_before(l, r);
        PlValue copy = { 0 }, *grown;
        bool set = v->set; /* it may be one of our own, which goes */
        int k = set ? pl_value_copy(v, &copy) : 0;

        if (k < 0)
                return k;
        if (l->set & (1U << r)) {
                pl_value_deinit(&l->v[at]);
                if (set) {
                        l->v[at] = copy;
                        return 0;
                }
                memmove(&l->v[at], &l->v[at + 1], (n - at - 1) * sizeof(*l->v));
                l->set &= ~(1U << r);
                if (l->set == 0) {
                        free(l->v);
                        l->v = NULL;
                }
                return 0;
        }
        if (!set)
                return 0;
        grown = reallocarray(l->v, n + 1, sizeof(*grown));
        if (!grown) {
                pl_value_deinit(&copy);
                return -ENOMEM;
        }
        memmove(&grown[at + 1], &grown[at], (n - at) * sizeof(*grown));
        grown[at] = copy;
        l->v = grown;
        l->set |= 1U << r;
        return 0;
}

PlLimits pl_some_limits_all(const PlSomeLimits *l) {
        PlLimits all;

        for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                all.v[r] = *pl_some_limits_get(l, r);
        return all;
}

/* "200%", "12.5%", "33.33%"; more decimals only where the kernel's rounding left some. */
static int format_cpu_time(uint64_t number, char **ret) {
        uint64_t fraction = number % 10000;
        int digits = 4, r;

        for (; digits > 0 && fraction % 10 == 0; digits--)
                fraction /= 10;
        if (digits == 0)
                r = asprintf(ret, "%" PRIu64 "%%", number / 10000);
        else
                r = asprintf(ret, "%" PRIu64 ".%0*" PRIu64 "%%", number / 10000, digits, fraction);
        return r < 0 ? -ENOMEM : 0;
}

int pl_value_to_string(PlResource r, const PlValue *v, char **ret) {
        char buf[PL_FORMAT_MAX];
        char *s = NULL;

        if (!v->set)
                s = strdup("-");
        else if (pl_resource_is_text(r))
                s = strdup(v->text && *v->text ? v->text : "infinity");
        else if (v->number == PL_UNLIMITED)
                s = strdup("infinity");
        else if (resources[r].kind == PL_KIND_BYTES)
                s = strdup(pl_format_bytes_exact(v->number, buf));
        else if (resources[r].kind == PL_KIND_CPU_TIME)
                return format_cpu_time(v->number, ret);
        else if (asprintf(&s, "%" PRIu64, v->number) < 0)
                s = NULL;
        if (!s)
                return -ENOMEM;
        *ret = s;
        return 0;
}
