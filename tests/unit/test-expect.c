/* SPDX-License-Identifier: Apache-2.0 */

/*
 * ProbeExpect= syntax, and the dates of heartbeats: small grammars, row by row.
 */

#include "lib/probe/expect.h"
#include "unit.h"

static const struct {
        const char *text, *error; /* error NULL: good */
} expects[] = {
        { "status:200", NULL },
        { "status:200-299,301,401-403", NULL },
        { "json:/a/b=c", NULL },
        { "json:=x", NULL },
        { "json:/a~0b~1c", NULL },
        { "body:OK|ready", NULL },
        { "body:a\\.b", NULL },
        { "header:X-A=b=c", NULL },
        { "header:X-A", NULL },
        { "status:", "between 100 and 599" },
        { "status:20", "between 100 and 599" },
        { "status:2000", "between 100 and 599" },
        { "status:600", "between 100 and 599" },
        { "status:299-200", "between 100 and 599" },
        { "status:200,", "between 100 and 599" },
        { "status:1,2", "between 100 and 599" },
        { "status:200,201,202,203,204,205,206,207,208", "more than 8" },
        { "json:a=b", "begins with a slash" },
        { "json:/a~2=b", "~0" },
        { "json:/a~", "~0" },
        { "body:", "empty" },
        { "body:(", "regular expression" },
        { "body:(a)\\1", "back-references" },
        { "header:", "header's name" },
        { "header:a b=c", "header's name" },
        { "header:=c", "header's name" },
        { "cookie:x", "expected status:" },
        { "", "expected status:" },
};

START_TEST(expect_syntax) {
        PlExpect e;
        const char *error = NULL;
        int r = pl_expect_parse(expects[_i].text, &e, &error);

        if (!expects[_i].error) {
                ck_assert_msg(r == 0, "%s: %s", expects[_i].text, error ? error : "?");
                pl_expect_deinit(&e);
                return;
        }
        ck_assert_msg(r < 0, "%s was accepted", expects[_i].text);
        ck_assert_msg(error && strstr(error, expects[_i].error), "%s: %s", expects[_i].text, error);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("tables");

        tcase_add_loop_test(t, expect_syntax, 0, PL_ARRAY_SIZE(expects));
        return run_case(t);
}
