/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Table: rows and columns for the terminal at hand.
 *
 * A table that is too wide first shortens cells, then drops columns, the least important first.
 * Spare room goes to the bars. Empty columns are not shown.
 */

#include "lib/base/text.h"

typedef struct PlColumn {
        const char *title;
        unsigned drop; /* the highest goes first; 0: never left out */
        unsigned min;  /* columns it may be shortened to; 0: never shortened */
        bool right;    /* aligned to the right */
        bool bar;      /* cells are bars: between min and max columns */
        unsigned max;
} PlColumn;

typedef struct PlTable PlTable;

/** pl_table_new() - @columns: borrowed. Return: NULL when out of memory. */
PlTable *pl_table_new(const PlColumn *columns, size_t n, const PlLook *look);
PlTable *pl_table_free(PlTable *t);
PL_DEFINE_CLEANUP(PlTable *, pl_table_free)

/** pl_table_row() - begin a row; cells that are not set stay empty. */
void pl_table_row(PlTable *t);

/** pl_table_cell() - set a cell of the last row. The text is cleaned. Out of memory shows when
 * rendering. */
void pl_table_cell(PlTable *t, size_t column, PlTint tint, const char *format, ...) PL_PRINTF(4, 5);

/** pl_table_bar() - set a bar, 0 to 1 */
void pl_table_bar(PlTable *t, size_t column, PlTint tint, double fraction);

/** pl_table_print() - title and rows, each ended by a newline, no spaces before it.
 * Return: 0; -ENOMEM, also when any cell could not be kept. */
int pl_table_print(const PlTable *t, FILE *f);
