/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Exposition: see the header. Sources: OpenMetrics 1.0.0 (prometheus.io/docs/specs/om), and
 * "Exposition formats" of Prometheus' documentation.
 */

#include "lib/metrics/exposition.h"

#include <ctype.h>
#include <errno.h>

#include "lib/base/quote.h"

/* ---- which format ---- */

#define Q_MAX 1000 /* RFC 9110: a weight has three digits behind its point */

/* "0.5" as 500. Return: what cannot be read is not wanted. */
static unsigned weight_of(const char *s, size_t size) {
        unsigned scale = Q_MAX, q;

        if (size == 0 || (*s != '0' && *s != '1'))
                return 0;
        q = (unsigned)(*s - '0') * Q_MAX;
        if (size > 1 && s[1] != '.')
                return 0;
        for (size_t i = 2; i < size; i++) {
                if (!isdigit((unsigned char)s[i]) || scale == 1)
                        return 0;
                scale /= 10;
                q += (unsigned)(s[i] - '0') * scale;
        }
        return PL_MIN(q, (unsigned)Q_MAX);
}

/* One word of a list, without the blanks around it. */
static const char *word_of(const char *s, const char *end, size_t *ret_size) {
        while (end > s && isspace((unsigned char)end[-1]))
                end--;
        while (s < end && isspace((unsigned char)*s))
                s++;
        *ret_size = (size_t)(end - s);
        return s;
}

static bool word_is(const char *word, size_t size, const char *other) {
        return strlen(other) == size && strncasecmp(word, other, size) == 0;
}

/* A media range with its parameters, up to end. */
static void weigh_range(const char *s, const char *end, unsigned best[static _PL_EXPOSITION_N]) {
        bool understood = true;
        unsigned q = Q_MAX;
        const char *type = NULL, *word;
        size_t type_size = 0, size;

        for (const char *part = s; part < end;) {
                const char *semicolon = memchr(part, ';', (size_t)(end - part)) ?: end;

                word = word_of(part, semicolon, &size);
                if (!type) {
                        type = word;
                        type_size = size;
                } else if (size > 2 && strncasecmp(word, "q=", 2) == 0)
                        q = weight_of(word + 2, size - 2);
                else if (size > 8 && strncasecmp(word, "version=", 8) == 0)
                        /* those that we speak; of OpenMetrics the draft is the same for counters
                         * and gauges, and who asks for it asks for 1.0.0 before it */
                        understood = word_is(word + 8, size - 8, "0.0.4") ||
                                     word_is(word + 8, size - 8, "1.0.0");
                part = semicolon < end ? semicolon + 1 : end;
        }
        if (!type || !understood)
                return;
        if (word_is(type, type_size, "application/openmetrics-text"))
                best[PL_EXPOSITION_OPENMETRICS] = PL_MAX(best[PL_EXPOSITION_OPENMETRICS], q);
        else if (word_is(type, type_size, "text/plain") || word_is(type, type_size, "text/*") ||
                 word_is(type, type_size, "*/*"))
                best[PL_EXPOSITION_TEXT] = PL_MAX(best[PL_EXPOSITION_TEXT], q);
}

PlExpositionFormat pl_exposition_choose(const char *accept) {
        unsigned best[_PL_EXPOSITION_N] = {};

        while (accept && *accept) {
                const char *end = accept + strcspn(accept, ",");

                weigh_range(accept, end, best);
                accept = *end ? end + 1 : end;
        }
        /* the richer of two that are liked as well */
        return best[PL_EXPOSITION_OPENMETRICS] > 0 && best[PL_EXPOSITION_OPENMETRICS] >=
                                                                      best[PL_EXPOSITION_TEXT]
                               ? PL_EXPOSITION_OPENMETRICS
                               : PL_EXPOSITION_TEXT;
}

const char *pl_exposition_content_type(PlExpositionFormat f) {
        return f == PL_EXPOSITION_OPENMETRICS
                               ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                               : "text/plain; version=0.0.4; charset=utf-8";
}

/* ---- text ---- */

/* Both formats escape the same three characters in a label's value; in a help text a quotation mark
 * is escaped by OpenMetrics alone, so ours have none (pl_exposition_add()). */
static void print_escaped(FILE *f, const char *s) {
        size_t size = strlen(s), n;
        uint32_t point;

        for (; size > 0; s += n, size -= n) {
                n = pl_utf8_decode(s, size, &point);
                if (n == 0) {
                        (void)fputs("\xef\xbf\xbd", f); /* U+FFFD */
                        n = 1;
                } else if (*s == '\n')
                        (void)fputs("\\n", f);
                else if (*s == '"' || *s == '\\')
                        (void)fprintf(f, "\\%c", *s);
                else
                        (void)fwrite(s, 1, n, f);
        }
}

char *pl_metric_labels(const PlMetricLabel *labels) {
        char *text = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&text, &size);
        bool any = false;

        if (!f)
                return NULL;
        for (; labels->name; labels++) {
                if (!labels->value || !*labels->value)
                        continue;
                (void)fprintf(f, "%s%s=\"", any ? "," : "", labels->name);
                print_escaped(f, labels->value);
                (void)fputc('"', f);
                any = true;
        }
        if (fclose(f) != 0) {
                free(text);
                return NULL;
        }
        return text;
}

struct PlExposition {
        PlExpositionFormat format;
        const char *family; /* of the last sample: its name */
        FILE *f;
        char *text;
        size_t size;
        bool too_large;
};

PlExposition *pl_exposition_new(PlExpositionFormat f) {
        PlExposition *e = calloc(1, sizeof(*e));

        if (!e)
                return NULL;
        e->format = f;
        e->f = open_memstream(&e->text, &e->size);
        return e->f ? e : pl_exposition_free(e);
}

PlExposition *pl_exposition_free(PlExposition *e) {
        if (!e)
                return NULL;
        if (e->f)
                (void)fclose(e->f);
        free(e->text);
        free(e);
        return NULL;
}

/* What a format calls a type, and what its samples end in. */
static const struct {
        const char *openmetrics, *text, *suffix;
} types[_PL_METRIC_TYPE_N] = {
        [PL_METRIC_GAUGE] = { "gauge", "gauge", "" },
        [PL_METRIC_COUNTER] = { "counter", "counter", "_total" },
        [PL_METRIC_INFO] = { "info", "gauge", "_info" },
        [PL_METRIC_STATESET] = { "stateset", "gauge", "" },
        [PL_METRIC_HISTOGRAM] = { "histogram", "histogram", "" },
};

static void print_unit(FILE *f, const char *name) {
        static const char *const units[] = { "seconds", "bytes" };
        size_t n = strlen(name);

        for (size_t i = 0; i < PL_ARRAY_SIZE(units); i++) {
                size_t u = strlen(units[i]);

                if (n > u + 1 && name[n - u - 1] == '_' && strcmp(name + n - u, units[i]) == 0)
                        (void)fprintf(f, "# UNIT %s %s\n", name, units[i]);
        }
}

static void print_family(PlExposition *e, const PlMetric *m) {
        bool openmetrics = e->format == PL_EXPOSITION_OPENMETRICS;
        /* here a family is called as its samples are, there without what they end in */
        const char *suffix = openmetrics ? "" : types[m->type].suffix;

        (void)fprintf(e->f, "# HELP %s%s %s\n# TYPE %s%s %s\n", m->name, suffix, m->help, m->name,
                      suffix, openmetrics ? types[m->type].openmetrics : types[m->type].text);
        if (openmetrics)
                print_unit(e->f, m->name);
}

static void print_value(FILE *f, int64_t value, unsigned digits) {
        uint64_t magnitude = value < 0 ? -(uint64_t)value : (uint64_t)value, scale = 1, rest;

        for (unsigned i = 0; i < digits; i++)
                scale *= 10;
        (void)fprintf(f, "%s%" PRIu64, value < 0 ? "-" : "", magnitude / scale);
        rest = magnitude % scale;
        if (rest == 0)
                return;
        for (; rest % 10 == 0; rest /= 10)
                digits--;
        (void)fprintf(f, ".%0*" PRIu64, (int)digits, rest);
}

void pl_exposition_add(PlExposition *e, const PlMetric *m, const PlSample *s) {
        const char *labels = s->labels ?: "", *more = s->more ?: "";

        if (s->suffix && pl_streq(s->suffix, "_created") && e->format == PL_EXPOSITION_TEXT)
                return;
        if (e->too_large || ftello(e->f) > (off_t)PL_EXPOSITION_MAX) {
                e->too_large = true;
                return;
        }
        if (!pl_streq_null(e->family, m->name))
                print_family(e, m);
        e->family = m->name;
        (void)fprintf(e->f, "%s%s", m->name, s->suffix ?: types[m->type].suffix);
        if (*labels || *more)
                (void)fprintf(e->f, "{%s%s%s}", labels, *labels && *more ? "," : "", more);
        (void)fputc(' ', e->f);
        print_value(e->f, s->value, s->digits);
        (void)fputc('\n', e->f);
}

int pl_exposition_finish(PlExposition *e, char **ret, size_t *ret_size) {
        bool failed;

        if (e->format == PL_EXPOSITION_OPENMETRICS)
                (void)fputs("# EOF\n", e->f);
        failed = ferror(e->f) != 0;
        if (fclose(e->f) != 0)
                failed = true;
        e->f = NULL;
        if (failed || e->too_large)
                return failed ? -ENOMEM : -E2BIG;
        *ret = TAKE_PTR(e->text);
        *ret_size = e->size;
        return 0;
}
