/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Recount: see the header.
 */

#include "lib/evidence/recount.h"

#include <stdarg.h>

#include "lib/base/json.h"
#include "lib/base/unit.h"

#define LINE_MAX_BYTES 512
#define INDENT         2

/* "3h 20min", at most two units and nothing below a second. */
static const char *ago(uint64_t then, uint64_t now, char buf[static PL_FORMAT_MAX]) {
        uint64_t span = now > then ? now - then : 0;

        span = span >= PL_USEC_PER_DAY    ? span / PL_USEC_PER_HOUR * PL_USEC_PER_HOUR
               : span >= PL_USEC_PER_HOUR ? span / PL_USEC_PER_MIN * PL_USEC_PER_MIN
                                          : span / PL_USEC_PER_SEC * PL_USEC_PER_SEC;
        return pl_format_sec(span, buf);
}

PL_PRINTF(2, 3) static void add(json_t *list, const char *format, ...) {
        char line[LINE_MAX_BYTES];
        va_list ap;

        va_start(ap, format);
        (void)vsnprintf(line, sizeof(line), format, ap);
        va_end(ap);
        if (*line)
                (void)json_array_append_new(list, json_string(line) ?: json_string("?"));
}

static void add_ends(json_t *list, const PlMemory *m, uint64_t now) {
        const PlMemoryEnd *e = m->n_ends > 0 ? &m->ends[m->n_ends - 1] : NULL;
        char kinds[256] = "", text[PL_FORMAT_MAX];
        size_t n = 0;

        if (!e)
                return;
        for (PlWhyKind k = 0; k < _PL_WHY_N && n < sizeof(kinds); k++)
                if (m->kinds[k] > 0)
                        n += (size_t)snprintf(kinds + n, sizeof(kinds) - n, "%s%s %" PRIu64,
                                              n > 0 ? ", " : "", pl_why_to_string(k), m->kinds[k]);
        add(list, "ended %" PRIu64 " time%s (%s), last %s ago: %.250s (%s)", m->ends_total,
            pl_plural(m->ends_total), kinds, ago(e->end_usec, now, text), e->why.what,
            e->why.certain ? "certain" : "likely");
}

static void add_load(json_t *list, const PlMemory *m, uint64_t now) {
        uint64_t memory = pl_spread_quantile(&m->memory.spread, 950),
                 cpu = pl_spread_quantile(&m->cpu.spread, 950);
        char a[PL_FORMAT_MAX], b[PL_FORMAT_MAX], c[PL_FORMAT_MAX];

        if (m->memory.peak > 0)
                add(list, "memory: peak %s, %s ago%s%s", pl_format_bytes(m->memory.peak, a),
                    ago(m->memory.peak_usec, now, b), memory == PL_UNLIMITED ? "" : "; p95 ",
                    memory == PL_UNLIMITED ? ""
                                           : pl_format_bytes(PL_MIN(memory, m->memory.peak), c));
        if (cpu != PL_UNLIMITED)
                add(list, "CPU: most in a minute %" PRIu64 "%%; p95 %" PRIu64 "%%",
                    m->cpu.peak / 10, PL_MIN(cpu, m->cpu.peak) / 10);
}

static void add_past(json_t *list, const PlMemory *m, uint64_t now) {
        const PlMemoryLoop *loop = m->n_loops > 0 ? &m->loops[m->n_loops - 1] : NULL;
        const PlMemoryRestarts *r = &m->restarts;
        char a[PL_FORMAT_MAX], b[PL_FORMAT_MAX];

        if (loop)
                add(list, "%" PRIu64 " crash loop%s, last %s ago with %" PRIu64 " ends",
                    m->loops_total, pl_plural(m->loops_total), ago(loop->last_usec, now, a),
                    loop->ends);
        if (r->n_times > 0)
                add(list, "restarted %" PRIu64 " time%s by plimsolld, last %s ago", r->total,
                    pl_plural(r->total), ago(r->times[r->n_times - 1].usec, now, a));
        if (r->gave_up > 0)
                add(list, "given up %" PRIu64 " time%s, last %s ago", r->gave_up,
                    pl_plural(r->gave_up), ago(r->gave_up_usec, now, b));
}

static void add_limits(json_t *list, const PlMemory *m, uint64_t now) {
        const PlMemoryLimits *l = m->n_limits > 0 ? &m->limits[m->n_limits - 1] : NULL;
        char text[PL_FORMAT_MAX];

        if (l)
                add(list, "limits: %s (%s), as of %s ago", *l->text ? l->text : "none", l->by,
                    ago(l->usec, now, text));
        for (size_t i = 0; i < m->n_pinches; i++) {
                const PlMemoryPinch *p = &m->pinches[i];

                add(list, "held back by %s %" PRIu64 " time%s (%s), last %s ago", p->limit,
                    p->episodes, pl_plural(p->episodes), p->cause, ago(p->last_usec, now, text));
        }
}

json_t *pl_recount(const PlMemory *m, uint64_t now_usec) {
        char advice[PL_MEMORY_ADVICE_MAX], a[PL_FORMAT_MAX], b[PL_FORMAT_MAX];
        json_t *list = json_array();

        if (!list)
                return NULL;
        add(list, "%s", pl_memory_advice(m, now_usec, advice));
        add_ends(list, m, now_usec);
        add_past(list, m, now_usec);
        add_load(list, m, now_usec);
        add_limits(list, m, now_usec);
        if (m->first_usec > 0)
                add(list, "service %s: first seen %s ago, last %s ago", m->identity.title,
                    ago(m->first_usec, now_usec, a), ago(m->last_usec, now_usec, b));
        return list;
}

json_t *pl_recount_document(const PlMemory *m, uint64_t now_usec) {
        char advice[PL_MEMORY_ADVICE_MAX];
        _cleanup_free_ char *text = NULL;
        json_t *o;

        if (pl_memory_format(m, &text) < 0)
                return NULL;
        o = json_loads(text, 0, NULL);
        if (o && *pl_memory_advice(m, now_usec, advice))
                (void)pl_json_put(o, "advice", json_string(advice));
        return o;
}

static const char *text_of(const json_t *o, const char *key) {
        return json_string_value(json_object_get(o, key)) ?: "";
}

/* One item a line, each below the other. */
static void print_items(FILE *f, const PlLook *look, const char *label, const char *items) {
        while (*items) {
                size_t n = strcspn(items, "\n");
                _cleanup_free_ char *line = strndup(items, n), *clean = NULL, *text = NULL;

                clean = line ? pl_text_clean(line, look) : NULL;
                if (clean && asprintf(&text, "%s: %s", label, clean) < 0)
                        text = NULL;
                if (text) {
                        (void)fputs("  ", f);
                        pl_text_wrap(f, look, PL_TINT_NONE, INDENT, 2 * INDENT, text);
                }
                items += n + (items[n] == '\n');
        }
}

static void print_end(FILE *f, const json_t *e, const json_t *document, const PlLook *look,
                      uint64_t now) {
        bool certain = json_is_true(json_object_get(e, "certain"));
        _cleanup_free_ char *name = pl_text_clean(text_of(e, "container"), look),
                            *what = pl_text_clean(text_of(e, "what"), look);
        char text[PL_FORMAT_MAX];

        if (!name || !what)
                return;
        pl_text_tint(f, look, PL_TINT_STRONG, name);
        (void)fprintf(f, " ended %s ago: %s\n",
                      ago((uint64_t)json_integer_value(json_object_get(e, "end_usec")), now, text),
                      what);
        (void)fputs("  ", f);
        pl_text_tint(f, look, certain ? PL_TINT_GOOD : PL_TINT_WARN,
                     certain ? "certain" : "likely");
        (void)fprintf(f, " (%s)\n", text_of(e, "kind"));
        print_items(f, look, "evidence", text_of(e, "evidence"));
        print_items(f, look, "would be certain with", text_of(e, "would"));
        print_items(f, look, "advice", text_of(e, "advice"));
        if (pl_startswith(text_of(e, "kind"), "memory-limit"))
                print_items(f, look, "its past", text_of(document, "advice"));
}

char *pl_recount_why(const json_t *document, const PlLook *look, uint64_t now_usec, bool all) {
        const json_t *ends = json_object_get(document, "ends");
        size_t n = json_array_size(ends), size = 0;
        char *text = NULL;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        for (size_t i = n; i > (all || n == 0 ? 0 : n - 1); i--) {
                print_end(f, json_array_get(ends, i - 1), document, look, now_usec);
                if (all && i > 1)
                        (void)fputc('\n', f);
        }
        return pl_take_text(f, &text);
}
