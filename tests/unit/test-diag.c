/* SPDX-License-Identifier: Apache-2.0 */

/* Diagnostics: the shape of a message, and how many are kept. */

#include "lib/base/diag.h"
#include "unit.h"

START_TEST(format) {
        PlDiagList l = { 0 };
        char *s;

        pl_diag_add(&l, PL_SEVERITY_ERROR, "a.conf", 3, "MemoryMax=%s: not a size", "4\x1bG");
        pl_diag_add(&l, PL_SEVERITY_WARNING, "a.conf", 0, "sum \\o/");
        ck_assert_uint_eq(l.n, 2);
        ck_assert_uint_eq(l.n_errors, 1);
        s = pl_diag_format(&l.items[0]);
        ck_assert_str_eq(s, "a.conf:3: MemoryMax=4\\x1bG: not a size");
        free(s);
        s = pl_diag_format(&l.items[1]);
        ck_assert_str_eq(s, "a.conf: warning: sum \\o/");
        free(s);
        pl_diag_list_deinit(&l);
        ck_assert_uint_eq(l.n, 0);
}
END_TEST

START_TEST(bounded) {
        PlDiagList l = { 0 };

        for (unsigned i = 0; i < 100000; i++)
                pl_diag_add(&l, PL_SEVERITY_ERROR, "a.conf", i, "wrong");
        ck_assert_uint_eq(l.n_errors, 100000);
        ck_assert_uint_eq(l.n, 1001);
        ck_assert(!l.oom);
        ck_assert_str_eq(l.items[1000].message,
                         "more problems follow; only the first ones are shown");
        pl_diag_list_deinit(&l);
}
END_TEST

int main(void) {
        TCase *tc = tcase_create("diag");

        tcase_add_test(tc, format);
        tcase_add_test(tc, bounded);
        return run_case(tc);
}
