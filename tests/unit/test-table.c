/* SPDX-License-Identifier: Apache-2.0 */

#include <locale.h>

#include "lib/base/table.h"
#include "unit.h"

static const PlColumn columns[] = {
        { .title = "NAME", .min = 8 },
        { .title = "STATE", .drop = 1 },
        { .title = "", .drop = 2, .bar = true, .min = 4, .max = 10 },
        { .title = "COUNT", .drop = 3, .right = true },
        { .title = "NOTHING" },
};

static void fill(PlTable *t) {
        pl_table_row(t);
        pl_table_cell(t, 0, PL_TINT_STRONG, "%s", "stack-postgres-1");
        pl_table_cell(t, 1, PL_TINT_GOOD, "running");
        pl_table_bar(t, 2, PL_TINT_GOOD, 0.5);
        pl_table_cell(t, 3, PL_TINT_NONE, "%d", 12345);
        pl_table_row(t);
        pl_table_cell(t, 0, PL_TINT_NONE, "%s", "re\033dis");
        pl_table_cell(t, 3, PL_TINT_NONE, "%d", 7);
}

static const struct {
        PlLook look;
        const char *out;
} tables[] = {
        { { .columns = 0, .utf8 = true },
          "NAME              STATE                COUNT\n"
          "stack-postgres-1  running  ━━━━━┄┄┄┄┄  12345\n"
          "re\\x1bdis                                  7\n" },
        { { .columns = 200 },
          "NAME              STATE                COUNT\n"
          "stack-postgres-1  running  #####-----  12345\n"
          "re\\x1bdis                                  7\n" },
        { { .columns = 40, .utf8 = true },
          "NAME              STATE            COUNT\n"
          "stack-postgres-1  running  ━━━┄┄┄  12345\n"
          "re\\x1bdis                              7\n" },
        { { .columns = 30, .utf8 = true },
          "NAME      STATE          COUNT\n"
          "stac…s-1  running  ━━┄┄  12345\n"
          "re\\x…dis                     7\n" },
        { { .columns = 28, .utf8 = true },
          "NAME           STATE\n"
          "stack-…gres-1  running  ━━┄┄\n"
          "re\\x1bdis\n" },
        { { .columns = 20 },
          "NAME         STATE\n"
          "stack~res-1  running\n"
          "re\\x1bdis\n" },
        { { .columns = 10 },
          "NAME\n"
          "stack~es-1\n"
          "re\\x1bdis\n" },
        { { .columns = 3 },
          "NAME\n"
          "stac~s-1\n"
          "re\\x~dis\n" },
        { { .columns = 10, .utf8 = true, .colour = true },
          "\033[2mNAME\033[0m\n"
          "\033[1mstack…es-1\033[0m\n"
          "re\\x1bdis\n" },
};

START_TEST(test_print) {
        _cleanup_(pl_table_freep) PlTable *t =
                        pl_table_new(columns, PL_ARRAY_SIZE(columns), &tables[_i].look);
        _cleanup_free_ char *out = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&out, &size);

        fill(t);
        ck_assert_int_eq(pl_table_print(t, f), 0);
        (void)fclose(f);
        ck_assert_msg(pl_streq(out, tables[_i].out), "row %d:\n%s", _i, out);
}
END_TEST

START_TEST(test_many_rows) {
        const PlLook look = { .columns = 80 };
        _cleanup_(pl_table_freep) PlTable *t = pl_table_new(columns, PL_ARRAY_SIZE(columns), &look);
        _cleanup_free_ char *out = NULL;
        size_t size = 0, lines = 0;
        FILE *f = open_memstream(&out, &size);

        for (int i = 0; i < 1000; i++) {
                pl_table_row(t);
                pl_table_cell(t, 0, PL_TINT_NONE, "c%d", i);
                pl_table_cell(t, 0, PL_TINT_NONE, "container-%d", i); /* the last one counts */
        }
        ck_assert_int_eq(pl_table_print(t, f), 0);
        (void)fclose(f);
        for (const char *s = out; (s = strchr(s, '\n')); s++)
                lines++;
        ck_assert_uint_eq(lines, 1001);
        ck_assert_ptr_nonnull(strstr(out, "\ncontainer-999\n"));
}
END_TEST

/* One cell alone in a terminal so wide: the text is cut in the middle. */
static const struct {
        const char *in;
        unsigned columns;
        bool utf8;
        const char *out;
} fits[] = {
        { "postgres", 8, true, "\npostgres\n" },
        { "stack-postgres-1", 9, true, "\nstac…es-1\n" },
        { "stack-postgres-1", 9, false, "\nstac~es-1\n" },
        { "postgres", 2, true, "\np…\n" },
        { "postgres", 1, true, "\n…\n" },
        { "日本語日本語", 6, true, "\n日…語\n" },
        { "日本語日本語", 3, true, "\n…\n" },
        { "", 1, true, "\n\n" },
};

START_TEST(test_fit) {
        static const PlColumn column = { .title = "", .min = 1 };
        const PlLook look = { .columns = fits[_i].columns, .utf8 = fits[_i].utf8 };
        _cleanup_(pl_table_freep) PlTable *t = pl_table_new(&column, 1, &look);
        _cleanup_free_ char *out = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&out, &size);

        pl_table_row(t);
        pl_table_cell(t, 0, PL_TINT_NONE, "%s", fits[_i].in);
        ck_assert_int_eq(pl_table_print(t, f), 0);
        (void)fclose(f);
        ck_assert_msg(pl_streq(out, fits[_i].out), "%s in %u: \"%s\"", fits[_i].in,
                      fits[_i].columns, out);
}
END_TEST

static const struct {
        double fraction;
        unsigned width;
        PlLook look;
        const char *out;
} bars[] = {
        { 0, 4, {}, "\n----\n" },
        { 0.5, 4, {}, "\n##--\n" },
        { 1, 4, {}, "\n####\n" },
        { 7, 4, {}, "\n####\n" },
        { -1, 4, {}, "\n\n" }, /* none */
        { 0.5, 4, { .utf8 = true }, "\n━━┄┄\n" },
        { 0.625, 4, { .utf8 = true }, "\n━━╸┄\n" },
        { 0.5, 2, { .utf8 = true, .colour = true }, "\n\033[32m━\033[0m\033[2m━\033[0m\n" },
        { 1, 1, { .utf8 = true, .colour = true }, "\n\033[32m━\033[0m\n" },
};

START_TEST(test_bar) {
        const PlColumn column = {
                .title = "", .bar = true, .min = bars[_i].width, .max = bars[_i].width
        };
        _cleanup_(pl_table_freep) PlTable *t = pl_table_new(&column, 1, &bars[_i].look);
        _cleanup_free_ char *out = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&out, &size);

        pl_table_row(t);
        pl_table_bar(t, 0, PL_TINT_GOOD, bars[_i].fraction);
        ck_assert_int_eq(pl_table_print(t, f), 0);
        (void)fclose(f);
        ck_assert_str_eq(out, bars[_i].out);
}
END_TEST

int main(void) {
        TCase *cases = tcase_create("all");

        (void)setlocale(LC_CTYPE, "C.UTF-8");
        tcase_add_loop_test(cases, test_print, 0, PL_ARRAY_SIZE(tables));
        tcase_add_test(cases, test_many_rows);
        tcase_add_loop_test(cases, test_fit, 0, PL_ARRAY_SIZE(fits));
        tcase_add_loop_test(cases, test_bar, 0, PL_ARRAY_SIZE(bars));
        return run_case(cases);
}
