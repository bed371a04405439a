/* SPDX-License-Identifier: Apache-2.0 */

/*
 * ProbeExpect= syntax, row by row.
 */

#include <errno.h>

#include "lib/probe/expect.h"
#include "unit.h"

static const struct {
        const char *text;
        int r;
} expects[] = {
        { "status:200", 0 },
        { "status:200-299,301,401-403", 0 },
        { "json:/a/b=c", 0 },
        { "json:=x", 0 },
        { "json:/a~0b~1c", 0 },
        { "body:OK|ready", 0 },
        { "body:a\\.b", 0 },
        { "header:X-A=b=c", 0 },
        { "header:X-A", 0 },
        { "status:", -EINVAL },
        { "status:20", -EINVAL },
        { "status:2000", -EINVAL },
        { "status:600", -EINVAL },
        { "status:299-200", -EINVAL },
        { "status:200,", -EINVAL },
        { "status:1,2", -EINVAL },
        { "body:((ab){999}c){999}", -EINVAL },
        { "body:^(OK|\"OK\")$", 0 },
        { "status:200,201,202,203,204,205,206,207,208", -EINVAL },
        { "json:a=b", -EINVAL },
        { "json:/a~2=b", -EINVAL },
        { "json:/a~", -EINVAL },
        { "body:", -EINVAL },
        { "body:(", -EINVAL },
        { "body:(a)\\1", 0 },
        { "header:", -EINVAL },
        { "header:a b=c", -EINVAL },
        { "header:=c", -EINVAL },
        { "cookie:x", -EINVAL },
        { "", -EINVAL },
};

START_TEST(expect_syntax) {
        char *const texts[] = { (char *)expects[_i].text, NULL };
        _cleanup_(pl_expect_list_freep) PlExpectList *l = NULL;
        int r = pl_expect_list_new(texts, &l);
        char why[PL_EXPECT_WHY_MAX] = "";

        ck_assert_msg(r == expects[_i].r, "%s: %d", expects[_i].text, r);
        ck_assert_msg((l != NULL) == (r == 0), "%s", expects[_i].text);
        /* what the policy's check accepts the probe accepts */
        ck_assert_msg(pl_expect_valid(expects[_i].text, why) == r, "%s: %s", expects[_i].text, why);
}
END_TEST

START_TEST(no_more_than_so_many) {
        char *texts[PL_EXPECT_MAX + 2] = { NULL };
        PlExpectList *l = NULL;

        ck_assert_int_eq(pl_expect_list_new(texts, &l), 0);
        ck_assert_ptr_null(l);
        for (size_t i = 0; i < PL_EXPECT_MAX + 1; i++)
                texts[i] = (char *)"header:X-A";
        ck_assert_int_eq(pl_expect_list_new(texts, &l), -E2BIG);
        ck_assert_ptr_null(l);
        texts[PL_EXPECT_MAX] = NULL;
        ck_assert_int_eq(pl_expect_list_new(texts, &l), 0);
        ck_assert_uint_eq(l->n, PL_EXPECT_MAX);
        pl_expect_list_free(l);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("tables");

        tcase_add_loop_test(t, expect_syntax, 0, PL_ARRAY_SIZE(expects));
        tcase_add_test(t, no_more_than_so_many);
        return run_case(t);
}
