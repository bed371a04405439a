/* SPDX-License-Identifier: Apache-2.0 */
/* Circles: what leads back to itself. */
#include "lib/base/circle.h"
#include "unit.h"

#define N 6

/* Arrows in pairs of letters; what is expected has for each of a to f the lowest of its circle. */
static const struct {
        const char *name, *arrows, *expected;
} rows[] = {
        { "nothing", "", "......" },
        { "a chain", "ab bc cd de ef", "......" },
        { "a chain the other way", "ba cb dc ed fe", "......" },
        { "to itself", "aa bb", "......" },
        { "two", "ab ba", "aa...." },
        { "all", "ab bc cd de ef fa", "aaaaaa" },
        { "what leads to one is not on it", "ab bc cb", ".bb..." },
        { "nor what one leads to", "ab ba bc cd", "aa...." },
        { "two of them", "ab ba cd dc ef", "aacc.." },
        { "two of them, one leads to the other", "ab ba bc cd dc", "aacc.." },
        { "an eight", "ab bc ca cd dc", "aaaa.." },
        { "a diamond is none", "ab ac bd cd", "......" },
        { "found from within", "ab bc cb da de ed", ".bbdd." },
        { "the same arrow twice", "ab ab ba ba", "aa...." },
        { "back over a chord", "ab bc bd cd db", ".bbb.." },
        { "with a loop on it", "aa ab bb ba", "aa...." },
};

START_TEST(circle) {
        PlArrow arrows[N * N];
        size_t n = 0, ret[N];
        char got[N + 1] = { 0 };

        for (const char *c = rows[_i].arrows; *c; c += c[2] ? 3 : 2)
                arrows[n++] = (PlArrow){ (size_t)(c[0] - 'a'), (size_t)(c[1] - 'a') };
        ck_assert_int_eq(pl_circles(N, arrows, n, ret), 0);
        for (size_t i = 0; i < N; i++)
                got[i] = ret[i] == SIZE_MAX ? '.' : (char)('a' + ret[i]);
        ck_assert_msg(pl_streq(got, rows[_i].expected), "%s: %s, expected %s", rows[_i].name, got,
                      rows[_i].expected);
}
END_TEST

/* A chain, and then the circle that an arrow makes of it: no recursion, and no square. */
START_TEST(long_one) {
        enum { MANY = 200000 };
        PlArrow *arrows = calloc(MANY, sizeof(*arrows));
        size_t *ret = calloc(MANY, sizeof(*ret)), wrong = 0;

        ck_assert(arrows && ret);
        for (size_t i = 0; i < MANY; i++)
                arrows[i] = (PlArrow){ i, (i + 1) % MANY };
        ck_assert_int_eq(pl_circles(MANY, arrows, MANY - 1, ret), 0);
        for (size_t i = 0; i < MANY; i++)
                wrong += ret[i] != SIZE_MAX;
        ck_assert_int_eq(pl_circles(MANY, arrows, MANY, ret), 0);
        for (size_t i = 0; i < MANY; i++)
                wrong += ret[i] != 0;
        ck_assert_uint_eq(wrong, 0);
        free(arrows);
        free(ret);
}
END_TEST

int main(void) {
        TCase *c = tcase_create("all");

        tcase_add_loop_test(c, circle, 0, PL_ARRAY_SIZE(rows));
        tcase_add_test(c, long_one);
        return run_case(c);
}
