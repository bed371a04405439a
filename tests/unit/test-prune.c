/* SPDX-License-Identifier: Apache-2.0 */

/* What is kept is what was there, and what is broken stays so. */

#include "lib/docker/prune.h"

#include <errno.h>

#include "unit.h"

static const PlKeep inner[] = { { "x", NULL }, {} };
static const PlKeep any[] = { { "*", inner }, {} };
static const PlKeep keep[] = { { "a", NULL }, { "o", inner }, { "m", any }, {} };

static const struct {
        const char *name, *text, *pruned; /* NULL: -EBADMSG */
} rows[] = {
        { "nothing", "{}", "{}" },
        { "nothing kept", "{\"b\":1,\"c\":[{\"a\":1}]}", "{}" },
        { "all kept", "{\"a\":1}", "{\"a\":1}" },
        { "the first goes", "{\"b\":1,\"a\":2}", "{\"a\":2}" },
        { "the last goes", "{\"a\":2,\"b\":{\"a\":3}}", "{\"a\":2}" },
        { "between", "{\"a\":1,\"b\":null,\"a\":2}", "{\"a\":1,\"a\":2}" },
        { "white space", " {\n \"b\" : 1 ,\t\"a\" : [ 1, 2 ] }\n", "{\"a\":[ 1, 2 ]}" },
        { "members", "{\"o\":{\"y\":1,\"x\":{\"y\":2},\"z\":3}}", "{\"o\":{\"x\":{\"y\":2}}}" },
        { "no members", "{\"o\":null,\"a\":true}", "{\"o\":null,\"a\":true}" },
        { "whatever its name is", "{\"m\":{\"n\":{\"x\":1,\"y\":2},\"p\":{\"y\":3}}}",
          "{\"m\":{\"n\":{\"x\":1},\"p\":{}}}" },
        { "strings with brackets", "{\"b\":\"}]{[\",\"a\":\"}\\\"{\"}", "{\"a\":\"}\\\"{\"}" },
        { "strings in what goes", "{\"b\":[\"]\\\\\",{\"c\":\"\\\"]\"}],\"a\":1}", "{\"a\":1}" },
        { "an escaped name is another one", "{\"\\u0061\":1}", "{}" },
        { "the beginning of a name", "{\"\":1,\"aa\":1}", "{}" },
        { "wrong, but whole", "{\"a\":wrong}", "{\"a\":wrong}" },
        { "empty", "", NULL },
        { "a list", "[]", NULL },
        { "cut off in a name", "{\"a", NULL },
        { "cut off behind it", "{\"a\"", NULL },
        { "cut off behind the colon", "{\"a\":", NULL },
        { "cut off in a number", "{\"a\":1", NULL },
        { "cut off in what goes", "{\"b\":[1,{\"a\":\"", NULL },
        { "cut off in an escape", "{\"b\":\"\\", NULL },
        { "cut off behind a comma", "{\"a\":1,", NULL },
        { "no colon", "{\"a\" 1}", NULL },
        { "no name", "{1:1}", NULL },
        { "something follows", "{\"a\":1}{", NULL },
};

/* No name may have a NUL, but an engine can send what it likes. */
START_TEST(name_with_nul) {
        static const char text[] = "{\"a\0bcdefghijklmnopqrstuvwxyz\":1}";
        char *pruned = NULL;
        size_t n = 0;

        ck_assert_int_eq(pl_prune(text, sizeof(text) - 1, keep, &pruned, &n), 0);
        ck_assert_msg(n == 2 && memcmp(pruned, "{}", 2) == 0, "%.*s", (int)n, pruned);
        free(pruned);
}
END_TEST

START_TEST(prunes) {
        size_t size = strlen(rows[_i].text), n = 0;
        char *exact = malloc(size + 1), *pruned = NULL; /* so that a sanitizer sees its end */
        int r;

        memcpy(exact, rows[_i].text, size);
        r = pl_prune(exact, size, keep, &pruned, &n);
        ck_assert_msg(r == (rows[_i].pruned ? 0 : -EBADMSG), "%s: %d", rows[_i].name, r);
        if (r == 0)
                ck_assert_msg(n == strlen(rows[_i].pruned) &&
                                              memcmp(pruned, rows[_i].pruned, n) == 0,
                              "%s: %.*s", rows[_i].name, (int)n, pruned);
        free(pruned);
        free(exact);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("prune");

        tcase_add_test(t, name_with_nul);
        tcase_add_loop_test(t, prunes, 0, PL_ARRAY_SIZE(rows));
        return run_case(t);
}
