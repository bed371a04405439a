/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the views share.
 *
 * Values are compared here with the kernel's rounding in mind (pages, cpu.shares): the daemon alone
 * knows the exact normal form, and it repairs by that; a view must only not cry wolf.
 */

#include "lib/status/view.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>

#include "lib/limits/resource.h"
#include "lib/status/view-internal.h"

#define LABEL_WIDTH 9
#define PAGE_MAX    65536.0 /* the largest page of any architecture that runs Docker */

const char *pl_view_text(const json_t *object, const char *key) {
        return json_string_value(json_object_get(object, key));
}

uint64_t pl_view_number(const json_t *object, const char *key) {
        const json_t *j = json_object_get(object, key);
        json_int_t n = json_is_integer(j) ? json_integer_value(j) : -1;

        return n < 0 ? PL_UNLIMITED : (uint64_t)n;
}

bool pl_view_bool(const json_t *object, const char *key) {
        return json_is_true(json_object_get(object, key));
}

const char *pl_view_size(uint64_t bytes, char buf[static PL_FORMAT_MAX]) {
        char *point;

        (void)pl_format_bytes(bytes, buf);
        if ((point = strstr(buf, ".0")))
                memmove(point, point + 2, strlen(point + 2) + 1);
        return buf;
}

static PlResourceKind kind_of(const char *resource) {
        PlResource r = pl_resource_from_name(resource);
        return r == _PL_RESOURCE_INVALID ? PL_KIND_COUNT : pl_resource_info(r)->kind;
}

static void value_text(const json_t *value, PlResourceKind kind, char ret[static 64]) {
        char buf[PL_FORMAT_MAX];

        if (json_is_string(value))
                (void)snprintf(ret, 64, "%s", json_string_value(value));
        else if (!json_is_number(value))
                (void)snprintf(ret, 64, "∞");
        else if (kind == PL_KIND_BYTES)
                (void)snprintf(ret, 64, "%s",
                               pl_view_size((uint64_t)PL_MIN(PL_MAX(json_number_value(value), 0.0),
                                                             0x1p62),
                                            buf));
        else
                (void)snprintf(ret, 64, "%.10g%s", json_number_value(value),
                               kind == PL_KIND_CPU_TIME ? "%" : "");
}

/* Has the member a meaning? A null one is unlimited where it has, unknown or unasked where not. */
static bool limit_has(const json_t *limit, const char *member) {
        return pl_view_bool(limit, pl_streq(member, "wanted") ? "managed" : "known");
}

void pl_view_limit_text(const json_t *limit, const char *resource, const char *member,
                        char ret[static 64]) {
        if (limit_has(limit, member))
                value_text(json_object_get(limit, member), kind_of(resource), ret);
        else
                (void)snprintf(ret, 64, "-");
}

PlViewLimit pl_view_limit(const json_t *container, const char *resource) {
        const json_t *limit = json_object_get(json_object_get(container, "limits"), resource);
        PlViewLimit l = { .known = limit_has(limit, "in_force") };

        if (!l.known) {
                l.promised = limit_has(limit, "wanted");
                l.known = l.promised;
        }
        if (!l.known)
                return l;

        const json_t *value = json_object_get(limit, l.promised ? "wanted" : "in_force");
        l.unlimited = json_is_null(value);
        l.number = json_number_value(value);
        value_text(value, kind_of(resource), l.text);
        return l;
}

bool pl_view_limit_in_line(const json_t *limit, const char *resource) {
        const json_t *wanted = json_object_get(limit, "wanted");
        const json_t *in_force = json_object_get(limit, "in_force");

        if (!limit_has(limit, "wanted") || !limit_has(limit, "in_force") ||
            json_equal(wanted, in_force))
                return true;
        if (!json_is_number(wanted) || !json_is_number(in_force))
                return false;
        double a = json_number_value(wanted), b = json_number_value(in_force);
        double slack = kind_of(resource) == PL_KIND_BYTES ? PAGE_MAX : PL_MAX(fabs(a) * 0.02, 0.5);
        if (kind_of(resource) == PL_KIND_COUNT)
                slack = 0;
        return fabs(a - b) <= slack;
}

PlTint pl_view_health_tint(const char *health) {
        static const struct {
                const char *word;
                PlTint tint;
        } tints[] = {
                { "healthy", PL_TINT_GOOD },  { "starting", PL_TINT_WARN },
                { "degraded", PL_TINT_WARN }, { "unhealthy", PL_TINT_BAD },
                { "absent", PL_TINT_BAD },
        };

        for (size_t i = 0; health && i < PL_ARRAY_SIZE(tints); i++)
                if (pl_streq(tints[i].word, health))
                        return tints[i].tint;
        return PL_TINT_DIM;
}

PlTint pl_view_finding_tint(const json_t *finding) {
        const char *severity = pl_view_text(finding, "severity");

        if (severity && (pl_streq(severity, "critical") || pl_streq(severity, "high")))
                return PL_TINT_BAD;
        return PL_TINT_WARN;
}

PlTint pl_view_fraction_tint(double fraction) {
        return fraction >= 0.9 ? PL_TINT_BAD : fraction >= 0.75 ? PL_TINT_WARN : PL_TINT_GOOD;
}

int pl_view_print(PlViewPrinter *print, const json_t *document, const PlViewOptions *o,
                  char **ret) {
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&text, &size);
        int r;

        if (!f)
                return -ENOMEM;
        r = print(f, document, o);
        if (fclose(f) != 0)
                r = -ENOMEM;
        if (r == 0)
                *ret = TAKE_PTR(text);
        return r;
}

int pl_view_field(FILE *f, const PlLook *look, const char *label, PlTint tint, const char *format,
                  ...) {
        _cleanup_free_ char *raw = NULL, *clean = NULL, *head = NULL;
        va_list ap;

        va_start(ap, format);
        int n = vasprintf(&raw, format, ap);
        va_end(ap);
        if (n < 0) {
                raw = NULL;
                return -ENOMEM;
        }
        if (asprintf(&head, "  %-*s", LABEL_WIDTH, label) < 0) {
                head = NULL;
                return -ENOMEM;
        }
        clean = pl_text_clean(raw, look);
        if (!clean)
                return -ENOMEM;
        pl_text_tint(f, look, PL_TINT_DIM, head);
        pl_text_wrap(f, look, tint, strlen(head), strlen(head), clean);
        return 0;
}

static bool add(json_t *list, const char *format, ...) PL_PRINTF(2, 3);

static bool add(json_t *list, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        json_t *s = json_vsprintf(format, ap);
        va_end(ap);
        return json_array_append_new(list, s) == 0;
}

static bool add_limit(json_t *list, const char *name, const json_t *limit, bool dry_run) {
        const json_t *error;
        size_t i;

        if (!dry_run && !pl_view_limit_in_line(limit, name)) {
                char wanted[64], in_force[64];

                pl_view_limit_text(limit, name, "wanted", wanted);
                pl_view_limit_text(limit, name, "in_force", in_force);
                if (!add(list, "%s is %s instead of %s", name, in_force, wanted))
                        return false;
        }
        json_array_foreach(json_object_get(limit, "owner_errors"), i, error) {
                const char *owner = pl_view_text(error, "owner");
                const char *message = pl_view_text(error, "message");

                if (!add(list, "%s: the %s says: %s", name, owner ? owner : "owner",
                         message ? message : "no"))
                        return false;
        }
        return true;
}

json_t *pl_view_problems(const json_t *container, bool dry_run) {
        const char *health = pl_view_text(container, "health");
        const char *reason = pl_view_text(container, "reason");
        json_t *list = json_array();
        const char *name;
        json_t *limit;
        bool ok = list != NULL;

        if (health && (pl_streq(health, "unhealthy") || pl_streq(health, "degraded") ||
                       pl_streq(health, "absent")))
                ok = ok && add(list, "%s%s%s", health, reason ? ": " : "", reason ? reason : "");
        json_object_foreach(json_object_get(container, "limits"), name, limit) ok =
                        ok && add_limit(list, name, limit, dry_run);
        if (pl_view_bool(container, "repairs_paused"))
                ok = ok && add(list, "something keeps changing its limits: repairs are paused");
        if (ok)
                return list;
        json_decref(list);
        return NULL;
}

int pl_view_is_good(const json_t *status) {
        const json_t *container;
        size_t i;

        if (pl_view_text(json_object_get(status, "policy"), "error") ||
            !pl_view_bool(json_object_get(status, "engine"), "connected") ||
            pl_view_bool(status, "stale"))
                return 0;
        json_array_foreach(json_object_get(status, "containers"), i, container) {
                json_t *problems = pl_view_problems(container, pl_view_bool(status, "dry_run"));

                if (!problems)
                        return -ENOMEM;
                bool good = json_array_size(problems) == 0;
                json_decref(problems);
                if (!good)
                        return 0;
        }
        return 1;
}
