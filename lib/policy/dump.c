/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Policy dump: what was understood, for people ("check --verbose").
 *
 * One row per section in each of two tables, limits and duties, and only the limits that somebody
 * set, so that the tables of a usual policy fit a terminal. Below them each section with all that
 * is set in it, and where. Not a policy file: percentages are resolved and defaults shown.
 */

#include "lib/policy/dump.h"

#include <errno.h>

#include "lib/base/quote.h"
#include "lib/base/strv.h"
#include "lib/base/unit.h"
#include "lib/limits/desired.h"
#include "lib/policy/labels.h"
#include "lib/policy/parser.h"
#include "lib/probe/kind.h"

#define COLUMNS_MAX (_PL_RESOURCE_N + 8)
#define CELL_MAX    160

/* A table of cells, all owned. */
typedef struct Table {
        size_t n_columns, n_rows;
        char *(*cells)[COLUMNS_MAX];
} Table;

static void table_deinit(Table *t) {
        for (size_t i = 0; i < t->n_rows; i++)
                for (size_t j = 0; j < COLUMNS_MAX; j++)
                        free(t->cells[i][j]);
        free(t->cells);
}

static int add_row(Table *t) {
        char *(*cells)[COLUMNS_MAX] = realloc(t->cells, (t->n_rows + 1) * sizeof(*cells));

        if (!cells)
                return -ENOMEM;
        t->cells = cells;
        memset(cells[t->n_rows++], 0, sizeof(*cells));
        return 0;
}

/* Cells of a row are set from left to right; texts of a policy are its author's, yet escaped. */
static int set_cell(Table *t, size_t column, const char *text) {
        char **cell = &t->cells[t->n_rows - 1][column];

        free(*cell);
        *cell = pl_escape(text, CELL_MAX);
        t->n_columns = PL_MAX(t->n_columns, column + 1);
        return *cell ? 0 : -ENOMEM;
}

static size_t width_of(const char *s) {
        size_t n = 0;

        for (; *s; s++)
                n += ((unsigned char)*s & 0xc0) != 0x80;
        return n;
}

static void print_table(FILE *f, const Table *t) {
        size_t widths[COLUMNS_MAX] = { 0 };

        for (size_t i = 0; i < t->n_rows; i++)
                for (size_t j = 0; j < t->n_columns; j++)
                        if (t->cells[i][j])
                                widths[j] = PL_MAX(widths[j], width_of(t->cells[i][j]));
        for (size_t i = 0; i < t->n_rows; i++) {
                size_t last = t->n_columns;

                while (last > 0 && !t->cells[i][last - 1])
                        last--;
                for (size_t j = 0; j < last; j++) {
                        const char *s = t->cells[i][j] ? t->cells[i][j] : "";

                        fprintf(f, "%s", s);
                        for (size_t k = width_of(s); j + 1 < last && k < widths[j] + 2; k++)
                                fputc(' ', f);
                }
                fputc('\n', f);
        }
}

/* Which resources does anybody limit? As a mask. */
static uint32_t used_resources(const PlPolicy *p) {
        uint32_t mask = 0;

        for (size_t i = 0; i <= p->n_services; i++) {
                const PlService *s = i < p->n_services ? p->services[i] : p->defaults;

                for (PlResource r = 0; s && r < _PL_RESOURCE_N; r++)
                        if (s->limits.v[r].set)
                                mask |= 1U << r;
        }
        return mask;
}

static void describe_log(const PlLogPolicy *log, char buf[static CELL_MAX]) {
        char size[PL_FORMAT_MAX], age[PL_FORMAT_MAX];

        if (log->method == PL_LOG_METHOD_OFF || log->max_size_bytes == PL_UNLIMITED) {
                snprintf(buf, CELL_MAX, "-");
                return;
        }
        snprintf(buf, CELL_MAX, "%s", pl_format_bytes_exact(log->max_size_bytes, size));
        if (log->max_files)
                snprintf(buf + strlen(buf), CELL_MAX - strlen(buf), " x %u", log->max_files);
        if (log->max_age_usec != PL_TIME_INFINITY)
                snprintf(buf + strlen(buf), CELL_MAX - strlen(buf), ", %s",
                         pl_format_sec(log->max_age_usec, age));
}

static void describe_probe(const PlProbePolicy *probe, char buf[static CELL_MAX]) {
        char interval[PL_FORMAT_MAX];

        if (probe->kind == PL_PROBE_NONE)
                snprintf(buf, CELL_MAX, "none");
        else if (probe->port)
                snprintf(buf, CELL_MAX, "%s:%u every %s", pl_probe_kind_info(probe->kind)->word,
                         probe->port, pl_format_sec(probe->interval_usec, interval));
        else
                snprintf(buf, CELL_MAX, "%s every %s", pl_probe_kind_info(probe->kind)->word,
                         pl_format_sec(probe->interval_usec, interval));
}

static void describe_unhealthy(const PlProbePolicy *probe, char buf[static CELL_MAX]) {
        char window[PL_FORMAT_MAX];

        if (probe->on_unhealthy == PL_ON_UNHEALTHY_RESTART)
                snprintf(buf, CELL_MAX, "restart %u/%s%s%.140s", probe->restart_budget.n,
                         pl_format_sec(probe->restart_budget.window_usec, window),
                         probe->unit ? ", then unit:" : "", probe->unit ?: "");
        else if (probe->on_unhealthy == PL_ON_UNHEALTHY_UNIT)
                snprintf(buf, CELL_MAX, "unit:%.140s", probe->unit);
        else
                snprintf(buf, CELL_MAX, "none");
}

static const char *name_of(const PlService *s) {
        return s->name ? s->name : "[Defaults]";
}

static int add_header(Table *t, const char *const *cells, size_t n) {
        int r = add_row(t);

        for (size_t i = 0; r == 0 && i < n; i++)
                r = set_cell(t, i, cells[i]);
        return r;
}

static int add_limits(Table *t, const PlService *s, uint32_t mask) {
        size_t column = 1;
        int r;

        r = add_row(t);
        if (r == 0)
                r = set_cell(t, 0, name_of(s));
        for (PlResource k = 0; r == 0 && k < _PL_RESOURCE_N; k++) {
                _cleanup_free_ char *value = NULL;

                if (!(mask & 1U << k))
                        continue;
                r = pl_value_to_string(k, &s->limits.v[k], &value);
                if (r == 0)
                        r = set_cell(t, column++, value);
        }
        return r;
}

static int add_duties(Table *t, const PlService *s) {
        char log[CELL_MAX], probe[CELL_MAX], unhealthy[CELL_MAX];
        const char *cells[] = {
                name_of(s),       log, probe, unhealthy, s->probe.required ? "yes" : "-",
                "everything else"
        };
        int r;

        describe_log(&s->log, log);
        describe_probe(&s->probe, probe);
        describe_unhealthy(&s->probe, unhealthy);
        if (s->n_matches > 0)
                cells[5] = "";
        r = add_header(t, cells, PL_ARRAY_SIZE(cells));
        for (size_t i = 0, k; r == 0 && i < s->n_matches; i += k) {
                _cleanup_free_ char *match = NULL;

                k = pl_match_line_length(&s->matches[i], s->n_matches - i);
                match = pl_match_format(&s->matches[i], k);
                if (!match)
                        return -ENOMEM;
                if (i > 0)
                        r = add_row(t);
                if (r == 0)
                        r = set_cell(t, 5, match);
        }
        return r;
}

/* Calls add for each section, [Defaults] last. */
static int fill(const PlPolicy *p, Table *limits, Table *duties, uint32_t mask) {
        static const char *const duty_names[] = { "SERVICE",      "LOG",      "PROBE",
                                                  "ON UNHEALTHY", "REQUIRED", "MATCH" };
        const char *names[_PL_RESOURCE_N + 1] = { "SERVICE" };
        size_t n = 1;
        int r;

        for (PlResource k = 0; k < _PL_RESOURCE_N; k++)
                if (mask & 1U << k)
                        names[n++] = pl_resource_info(k)->name;
        r = add_header(limits, names, n);
        if (r == 0)
                r = add_header(duties, duty_names, PL_ARRAY_SIZE(duty_names));
        for (size_t i = 0; r == 0 && i <= p->n_services; i++) {
                const PlService *s = i < p->n_services ? p->services[i] : p->defaults;

                if (s && (s->name || pl_limits_any(&s->limits)))
                        r = add_limits(limits, s, mask);
                if (s && r == 0)
                        r = add_duties(duties, s);
        }
        return r;
}

static void print_daemon(FILE *f, const PlPolicy *p) {
        char budget[PL_FORMAT_MAX], age[PL_FORMAT_MAX];

        fprintf(f, "engine           %s\n", p->daemon.engine);
        fprintf(f, "metrics          ");
        if (!p->daemon.metrics_listen)
                fprintf(f, "off");
        for (char *const *s = p->daemon.metrics_listen; s && *s; s++)
                fprintf(f, "%s%s", s == p->daemon.metrics_listen ? "" : ", ", *s);
        for (char *const *s = p->daemon.metrics_host; s && *s; s++)
                fprintf(f, "%s%s", s == p->daemon.metrics_host ? " as " : ", ", *s);
        fprintf(f, "\n");
        fprintf(f, "log archives     %s in all\n",
                pl_format_bytes_exact(p->daemon.log_archive_budget_bytes, budget));
        if (p->daemon.log_punch_below_percent > 0)
                fprintf(f, "holes in logs    below %u%% free\n", p->daemon.log_punch_below_percent);
        else
                fprintf(f, "holes in logs    only where LogMethod=punch\n");
        fprintf(f, "service memory   kept for %s\n",
                pl_format_sec(p->daemon.service_max_age_usec, age));
        fprintf(f, "dry run          %s\n",
                p->daemon.dry_run ? "yes: nothing is changed, only said" : "no");
        fprintf(f, "restore on stop  %s\n", p->daemon.restore_on_stop ? "yes" : "no");
        fputs("labels           ", f);
        for (char **v = p->daemon.labels; v && *v; v++)
                fprintf(f, "%s%s", v == p->daemon.labels ? "" : " ",
                        pl_streq(*v, "*") ? "yes: containers may bear settings" : *v);
        fputs(p->daemon.labels ? "\n" : "no\n", f);
        for (char **v = p->files; v && *v; v++)
                fprintf(f, "%s%s\n", v == p->files ? "read from        " : "                 ", *v);
        fputc('\n', f);
}

/* "MemoryMax=2G   /etc/plimsoll/plimsoll.conf:31 [Defaults]" */
static int print_section(FILE *f, const PlService *s) {
        Table t = { 0 };
        int r = 0;

        fprintf(f, "\n%s%s%s\n", s->name ? "[Service " : "[Defaults", s->name ?: "", "]");
        for (size_t i = 0; i < s->n_origins && r == 0; i++) {
                const PlOrigin *o = &s->origins[i];
                _cleanup_free_ char *value = pl_policy_value(s, o->key), *text = NULL,
                                    *at = pl_service_origin(s, o->key);

                if (!value || !at || asprintf(&text, "%s=%s", o->key, value) < 0)
                        r = -ENOMEM;
                if (r == 0)
                        r = add_row(&t);
                if (r == 0)
                        r = set_cell(&t, 0, text);
                if (r == 0)
                        r = set_cell(&t, 1, at);
        }
        if (r == 0)
                print_table(f, &t);
        table_deinit(&t);
        return r;
}

static int print_sections(FILE *f, const PlPolicy *p) {
        int r = 0;

        for (size_t i = 0; i < p->n_services && r == 0; i++)
                r = print_section(f, p->services[i]);
        return r == 0 && p->defaults ? print_section(f, p->defaults) : r;
}

static int print_notifies(FILE *f, const PlPolicy *p) {
        for (size_t i = 0; i < p->n_notifies; i++) {
                const PlNotifySection *s = p->notifies[i];
                _cleanup_free_ char *text = pl_notify_section_describe(s);

                if (!text)
                        return -ENOMEM;
                fprintf(f, "\n[Notify %s]  %s:%u\n%s\n", s->name, s->file, s->line, text);
        }
        return 0;
}

int pl_policy_dump(const PlPolicy *p, char **ret) {
        Table limits = { 0 }, duties = { 0 };
        uint32_t mask = used_resources(p);
        _cleanup_free_ char *text = NULL;
        size_t size;
        FILE *f;
        int r;

        r = fill(p, &limits, &duties, mask);
        f = r == 0 ? open_memstream(&text, &size) : NULL;
        if (f) {
                print_daemon(f, p);
                if (mask) {
                        print_table(f, &limits);
                        fputc('\n', f);
                }
                if (duties.n_rows > 1)
                        print_table(f, &duties);
                r = print_sections(f, p);
                if (r == 0)
                        r = print_notifies(f, p);
                r = ferror(f) ? -ENOMEM : r;
                r = fclose(f) != 0 ? -ENOMEM : r;
        } else
                r = -ENOMEM;
        table_deinit(&limits);
        table_deinit(&duties);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(text);
        return 0;
}

/* "MemoryMax=256M, LogMaxSize=10M" */
static char *list_inherited(const PlService *s, const PlOrigin **ret_first) {
        char *text = NULL;
        size_t size, n = 0;
        FILE *f = open_memstream(&text, &size);

        for (size_t i = 0; f && i < s->n_origins; i++) {
                const PlOrigin *o = &s->origins[i];
                _cleanup_free_ char *value = o->inherited ? pl_policy_value(s, o->key) : NULL;

                if (!o->inherited)
                        continue;
                fprintf(f, "%s%s=%s", n++ > 0 ? ", " : "", o->key, value ?: "");
                *ret_first = n == 1 ? o : *ret_first;
        }
        return f ? pl_take_text(f, &text) : NULL;
}

void pl_policy_tell_inherited(const PlPolicy *p, PlDiagList *diag) {
        for (size_t i = 0; i < p->n_services; i++) {
                const PlService *s = p->services[i];
                const PlOrigin *first = NULL;
                _cleanup_free_ char *text = list_inherited(s, &first);

                if (!text)
                        diag->oom = true;
                else if (first)
                        pl_diag_add(diag, PL_SEVERITY_WARNING, s->file, s->line,
                                    "[Service %s] had no %s until now, and has it from [Defaults] "
                                    "(%s:%u); write %s= in the section to leave it out",
                                    s->name, text, first->file, first->line, first->key);
        }
}

char *pl_policy_raised(const PlService *s, const PlLimits *created) {
        uint32_t mask = pl_desired_raised(&s->limits, s->by_default, created);
        char *text = NULL;
        size_t size, n = 0;
        FILE *f = mask ? open_memstream(&text, &size) : NULL;

        for (PlResource r = 0; f && r < _PL_RESOURCE_N; r++) {
                const char *name = pl_resource_info(r)->name;
                _cleanup_free_ char *before = NULL, *now = NULL, *from = NULL;

                if (!(mask & 1U << r) || pl_service_has_label(s, name) ||
                    pl_value_to_string(r, &created->v[r], &before) < 0 ||
                    pl_value_to_string(r, &s->limits.v[r], &now) < 0)
                        continue;
                from = pl_service_origin(s, name);
                fprintf(f, "%s%s: its creator says %s, the policy %s (%s)", n++ > 0 ? "; " : "",
                        name, before, now, from ?: "");
        }
        text = f ? pl_take_text(f, &text) : NULL;
        if (text && n == 0)
                free(TAKE_PTR(text));
        return text;
}

static void write_match(FILE *f, const PlService *s, size_t line) {
        const PlMatch *m = &s->matches[line];
        _cleanup_free_ char *text =
                        pl_match_format(m, pl_match_line_length(m, s->n_matches - line));
        _cleanup_free_ char *shown = text ? pl_escape(text, CELL_MAX) : NULL;

        fprintf(f, "Match=%s", shown ?: "");
}

static bool is_refused(const PlDiagList *diag, const char *key) {
        for (size_t i = 0; i < diag->n; i++)
                if (diag->items[i].severity == PL_SEVERITY_ERROR && diag->items[i].line == 0 &&
                    pl_startswith(diag->items[i].file, "label plimsoll.") &&
                    pl_streq(diag->items[i].file + strlen("label plimsoll."), key))
                        return true;
        return false;
}

static void write_label(FILE *f, const PlService *own, const char *label, const PlDiagList *diag) {
        _cleanup_free_ char *key = strndup(label, strcspn(label, "="));
        _cleanup_free_ char *at = key ? pl_service_origin(own, key) : NULL, *value = NULL;

        if (!at || is_refused(diag, key))
                return;
        value = pl_policy_value(own, key);
        if (pl_service_has_label(own, key))
                fprintf(f, "\n        label plimsoll.%s: %s=%s", key, key, value ?: "");
        else
                fprintf(f, "\n        not label plimsoll.%s: %s=%s (%s) goes first", key, key,
                        value ?: "", at);
}

/* own: the section with them; NULL: none of them is heeded. */
static void write_labels(FILE *f, const PlPolicy *p, const PlService *own, char *const *labels,
                         const PlDiagList *diag) {
        if (labels && !own)
                fprintf(f, "\n        no label plimsoll.*: %s",
                        p->daemon.labels ? "its image does not tell which of them are its own"
                                         : "Labels= in [Daemon] lets none set anything");
        for (char *const *v = labels; own && *v; v++)
                write_label(f, own, *v, diag);
        for (size_t i = 0; i < diag->n; i++)
                if (diag->items[i].line == 0)
                        fprintf(f, "\n        %s%s: %s",
                                diag->items[i].severity == PL_SEVERITY_ERROR ? "not " : "",
                                diag->items[i].file, diag->items[i].message);
}

static void write_others(FILE *f, const PlPolicy *p, const PlContainer *c, const PlService *winner,
                         size_t most) {
        size_t line;

        for (size_t i = 0; i < p->n_services; i++) {
                const PlService *s = p->services[i];
                size_t n = s == winner ? 0 : pl_service_match_line(s, c, &line);

                if (n == 0)
                        continue;
                fprintf(f, "\n        not [Service %s], %s:%u: ", s->name, s->file, s->line);
                write_match(f, s, line);
                fputs(n < most ? " has fewer terms" : " comes later", f);
        }
}

static char *explain(const PlPolicy *p, const PlContainer *c, const PlService *own,
                     char *const *labels, const PlDiagList *diag) {
        const PlService *winner = pl_policy_match(p, c);
        size_t size, line, most = 0;
        char *text = NULL;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        if (!winner && own && own->n_origins > 0)
                fputs("its labels alone: no [Service] matches it, and there is no [Defaults]", f);
        else if (!winner)
                fputs("nothing: no [Service] matches it, and there is no [Defaults]", f);
        else if (!winner->name)
                fprintf(f, "[Defaults], %s:%u: no [Service] matches it", winner->file,
                        winner->line);
        else {
                most = pl_service_match_line(winner, c, &line);
                fprintf(f, "[Service %s], %s:%u: ", winner->name, winner->file, winner->line);
                write_match(f, winner, line);
        }
        write_others(f, p, c, winner, most);
        write_labels(f, p, own, labels, diag);
        return pl_take_text(f, &text);
}

int pl_policy_explain(const PlPolicy *p, const PlContainer *c, const PlContainer *image,
                      const PlHost *host, char **ret) {
        char **labels = NULL, *text = NULL;
        PlService *own = NULL;
        PlDiagList diag = { 0 };
        int r = pl_labels_of(c, image, &labels);

        if (r == 0 && labels && p->daemon.labels && image)
                r = pl_policy_label(p, pl_policy_match(p, c), host, labels, &diag, &own);
        if (r == 0)
                text = explain(p, c, own, labels, &diag);
        (void)pl_service_free(own);
        (void)pl_strv_free(labels);
        pl_diag_list_deinit(&diag);
        if (!text)
                return -ENOMEM;
        *ret = text;
        return 0;
}
