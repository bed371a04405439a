/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Table: start from natural widths, shorten, drop columns, then give spare room to the bars.
 */

#include "lib/base/table.h"

#include <errno.h>
#include <stdarg.h>

#include "lib/base/quote.h"

#define GAP 2 /* spaces between columns */

typedef struct Cell {
        char *text; /* clean; NULL: empty */
        PlTint tint;
        double fraction; /* of a bar; below 0: none */
} Cell;

struct PlTable {
        const PlColumn *columns;
        size_t n_columns;
        PlLook look;
        Cell *cells; /* row by row */
        size_t n_rows, allocated_rows;
        bool oom;
};

PlTable *pl_table_new(const PlColumn *columns, size_t n, const PlLook *look) {
        PlTable *t = calloc(1, sizeof *t);

        if (t)
                *t = (PlTable){ .columns = columns, .n_columns = n, .look = *look };
        return t;
}

PlTable *pl_table_free(PlTable *t) {
        if (!t)
                return NULL;
        for (size_t i = 0; i < t->n_rows * t->n_columns; i++)
                free(t->cells[i].text);
        free(t->cells);
        free(t);
        return NULL;
}

void pl_table_row(PlTable *t) {
        if (t->n_rows == t->allocated_rows) {
                size_t n = t->allocated_rows * 2 + 16;
                Cell *cells = reallocarray(t->cells, n * t->n_columns, sizeof *cells);

                if (!cells) {
                        t->oom = true;
                        return;
                }
                t->cells = cells;
                t->allocated_rows = n;
        }
        for (size_t c = 0; c < t->n_columns; c++)
                t->cells[t->n_rows * t->n_columns + c] = (Cell){ .fraction = -1 };
        t->n_rows++;
}

static Cell *last_cell(PlTable *t, size_t column) {
        return t->n_rows > 0 ? &t->cells[(t->n_rows - 1) * t->n_columns + column] : NULL;
}

void pl_table_cell(PlTable *t, size_t column, PlTint tint, const char *format, ...) {
        _cleanup_free_ char *raw = NULL;
        Cell *cell = last_cell(t, column);
        va_list ap;

        if (!cell || t->oom)
                return;
        va_start(ap, format);
        int n = vasprintf(&raw, format, ap);
        va_end(ap);
        if (n < 0)
                raw = NULL;
        free(cell->text);
        cell->text = raw ? pl_text_clean(raw, &t->look) : NULL;
        cell->tint = tint;
        t->oom = t->oom || !cell->text;
}

void pl_table_bar(PlTable *t, size_t column, PlTint tint, double fraction) {
        Cell *cell = last_cell(t, column);

        if (cell) {
                cell->tint = tint;
                cell->fraction = fraction;
        }
}

/* 0: nothing to show in any row */
static size_t natural_width(const PlTable *t, size_t column) {
        const PlColumn *c = &t->columns[column];
        size_t width = 0;

        for (size_t r = 0; r < t->n_rows; r++) {
                const Cell *cell = &t->cells[r * t->n_columns + column];

                if (c->bar && cell->fraction >= 0)
                        width = c->min;
                if (!c->bar && cell->text)
                        width = PL_MAX(width, pl_text_width(cell->text, &t->look));
        }
        return width > 0 ? PL_MAX(width, strlen(c->title)) : 0;
}

/* widths of 0 are columns left out */
static size_t total_width(const PlTable *t, const size_t *widths) {
        size_t total = 0;

        for (size_t c = 0; c < t->n_columns; c++)
                if (widths[c] > 0)
                        total += widths[c] + (total > 0 ? GAP : 0);
        return total;
}

/* Takes one column after the other from the widest text that may still give one.
 * Return: does it fit now? */
static bool shorten(const PlTable *t, size_t *widths) {
        while (total_width(t, widths) > t->look.columns) {
                size_t widest = t->n_columns;

                for (size_t c = 0; c < t->n_columns; c++)
                        if (!t->columns[c].bar && t->columns[c].min > 0 &&
                            widths[c] > t->columns[c].min &&
                            (widest == t->n_columns || widths[c] > widths[widest]))
                                widest = c;
                if (widest == t->n_columns)
                        return false;
                widths[widest]--;
        }
        return true;
}

static bool leave_one_out(const PlTable *t, const size_t *natural, size_t *left_out) {
        size_t victim = t->n_columns;

        for (size_t c = 0; c < t->n_columns; c++)
                if (natural[c] > 0 && !left_out[c] && t->columns[c].drop > 0 &&
                    (victim == t->n_columns || t->columns[c].drop > t->columns[victim].drop))
                        victim = c;
        if (victim == t->n_columns)
                return false;
        left_out[victim] = 1;
        return true;
}

static void widen_bars(const PlTable *t, size_t *widths) {
        for (size_t c = 0; c < t->n_columns; c++) {
                if (!t->columns[c].bar || widths[c] == 0)
                        continue;
                size_t total = total_width(t, widths);
                size_t over = t->look.columns == 0      ? t->columns[c].max
                              : total < t->look.columns ? t->look.columns - total
                                                        : 0;
                widths[c] = PL_MIN(widths[c] + over, (size_t)t->columns[c].max);
        }
}

/* Return: NULL when out of memory. */
static size_t *lay_out(const PlTable *t) {
        size_t *widths = calloc(t->n_columns, sizeof *widths);
        _cleanup_free_ size_t *natural = calloc(t->n_columns, sizeof *natural);
        _cleanup_free_ size_t *left_out = calloc(t->n_columns, sizeof *left_out);

        if (!widths || !natural || !left_out) {
                free(widths);
                return NULL;
        }
        for (size_t c = 0; c < t->n_columns; c++)
                natural[c] = natural_width(t, c);
        do
                for (size_t c = 0; c < t->n_columns; c++)
                        widths[c] = left_out[c] ? 0 : natural[c];
        while (t->look.columns > 0 && !shorten(t, widths) && leave_one_out(t, natural, left_out));
        widen_bars(t, widths);
        return widths;
}

/* Bytes of the character at s, and the columns it takes. */
static size_t next_character(const char *s, const PlLook *look, size_t *ret_width) {
        uint32_t point;
        size_t n = look->utf8 ? pl_utf8_decode(s, strnlen(s, 4), &point) : 1;
        char one[5] = {};

        n = PL_MAX(n, (size_t)1);
        memcpy(one, s, n);
        *ret_width = pl_text_width(one, look);
        return n;
}

/* Bytes of the longest head that takes at most width columns. */
static size_t head_size(const char *s, size_t width, const PlLook *look) {
        size_t size = 0, taken = 0;

        while (s[size]) {
                size_t w, n = next_character(s + size, look, &w);

                if (taken + w > width)
                        break;
                taken += w;
                size += n;
        }
        return size;
}

/* Cuts a clean text in the middle, where names differ least, to at most width columns (1 or more).
 * Return: owned by the caller; NULL: out of memory. */
static char *fit(const char *s, size_t width, const PlLook *look) {
        size_t have = pl_text_width(s, look);
        const char *mark = look->utf8 ? "…" : "~";

        if (have <= width)
                return strdup(s);

        size_t tail = (width - 1) / 2, head = width - 1 - tail;
        size_t skip = head_size(s, have - tail, look), unused;
        /* a wide character at the cut would make the tail one column too wide */
        while (s[skip] && pl_text_width(s + skip, look) > tail)
                skip += next_character(s + skip, look, &unused);
        char *fitted = NULL;
        if (asprintf(&fitted, "%.*s%s%s", (int)head_size(s, head, look), s, mark, s + skip) < 0)
                return NULL;
        return fitted;
}

static void pad(FILE *f, size_t n) {
        (void)fprintf(f, "%*s", (int)n, "");
}

/* The part in use is in tint, the rest dim; beyond 1 is full. ASCII: "####----". */
static void print_bar(FILE *f, const PlLook *look, PlTint tint, double fraction, size_t width) {
        _cleanup_free_ char *full = NULL, *rest = NULL;
        size_t full_size = 0, rest_size = 0;
        /* the last character but one that is not in use must not look full */
        size_t halves = (size_t)(PL_MIN(fraction, 1.0) * (double)width * 2 + 0.5);
        size_t n = look->utf8 ? halves / 2 : (halves + 1) / 2;
        bool half = look->utf8 && halves % 2 == 1;
        FILE *a = open_memstream(&full, &full_size), *b = open_memstream(&rest, &rest_size);

        if (a && b) {
                for (size_t i = 0; i < n; i++)
                        (void)fputs(look->utf8 ? "━" : "#", a);
                if (half)
                        (void)fputs("╸", a);
                for (size_t i = n + half; i < width; i++)
                        (void)fputs(look->utf8 ? (look->colour ? "━" : "┄") : "-", b);
        }
        if (a)
                (void)fclose(a);
        if (b)
                (void)fclose(b);
        if (full)
                pl_text_tint(f, look, tint, full);
        if (rest)
                pl_text_tint(f, look, PL_TINT_DIM, rest);
}

/* @pending: spaces owed before the next text, so that no line ends in spaces. */
static int print_text(const PlTable *t, FILE *f, const PlColumn *c, size_t width, PlTint tint,
                      const char *text, size_t *pending) {
        _cleanup_free_ char *fitted = fit(text, width, &t->look);

        if (!fitted)
                return -ENOMEM;
        size_t spare = width - PL_MIN(width, pl_text_width(fitted, &t->look));
        if (*fitted == '\0') {
                *pending += width;
                return 0;
        }
        pad(f, *pending + (c->right ? spare : 0));
        pl_text_tint(f, &t->look, tint, fitted);
        *pending = c->right ? 0 : spare;
        return 0;
}

static int print_row(const PlTable *t, FILE *f, const size_t *widths, const Cell *cells) {
        size_t pending = 0;
        bool first = true;

        for (size_t c = 0; c < t->n_columns; c++) {
                if (widths[c] == 0)
                        continue;
                if (!first)
                        pending += GAP;
                first = false;

                if (cells && t->columns[c].bar) {
                        if (cells[c].fraction < 0) {
                                pending += widths[c];
                                continue;
                        }
                        pad(f, pending);
                        pending = 0;
                        print_bar(f, &t->look, cells[c].tint, cells[c].fraction, widths[c]);
                        continue;
                }
                const char *text = cells ? cells[c].text : t->columns[c].title;
                int r = print_text(t, f, &t->columns[c], widths[c],
                                   cells ? cells[c].tint : PL_TINT_DIM, text ? text : "", &pending);
                if (r < 0)
                        return r;
        }
        (void)fputc('\n', f);
        return 0;
}

int pl_table_print(const PlTable *t, FILE *f) {
        _cleanup_free_ size_t *widths = lay_out(t);

        if (!widths || t->oom)
                return -ENOMEM;
        int r = print_row(t, f, widths, NULL);
        for (size_t i = 0; r == 0 && i < t->n_rows; i++)
                r = print_row(t, f, widths, t->cells + i * t->n_columns);
        return r;
}
