/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Pool: objects of random lives, each with its own content, against an array as the model.
 */

#include "lib/base/pool.h"

#include "unit.h"

#define N 2000

/* No multiple of anything that malloc(3) promises. */
typedef struct Thing {
        uint32_t number[107];
} Thing;

static Thing *things[N];

static void check(const Thing *t, uint32_t number) {
        for (size_t i = 0; i < PL_ARRAY_SIZE(t->number); i++)
                ck_assert_uint_eq(t->number[i], number);
}

static void make(PlPool *p, uint32_t n) {
        Thing *t = things[n] = pl_pool_get(p);

        ck_assert_ptr_nonnull(t);
        ck_assert_uint_eq((uintptr_t)t % _Alignof(max_align_t), 0);
        check(t, 0); /* whatever lay there before */
        for (size_t i = 0; i < PL_ARRAY_SIZE(t->number); i++)
                t->number[i] = n + 1;
}

static void end(PlPool *p, uint32_t n) {
        check(things[n], n + 1); /* nobody else had it */
        pl_pool_put(p, things[n]);
        things[n] = NULL;
}

static size_t count_blocks(const PlPool *p) {
        size_t n = 0;

        for (const void *b = TAILQ_FIRST(&p->blocks); b; n++)
                b = *(void *const *)b; /* a link begins with the next one */
        return n;
}

START_TEST(lives) {
        PlPool p = PL_POOL_INIT(&p, Thing);
        unsigned random = 1;

        memset(things, 0, sizeof(things));
        for (size_t i = 0; i < 50 * N; i++) {
                uint32_t n;

                random = random * 1103515245U + 12345U;
                n = (random >> 8) % N;
                if (things[n])
                        end(&p, n);
                else
                        make(&p, n);
        }
        for (uint32_t n = 0; n < N; n++)
                if (things[n])
                        end(&p, n);
        ck_assert_uint_eq(count_blocks(&p), 1); /* all memory is back, but for one block */
        make(&p, 0);
        ck_assert_uint_eq(count_blocks(&p), 1); /* … which is used again */
        end(&p, 0);
        pl_pool_put(&p, NULL);
        pl_pool_deinit(&p);
}
END_TEST

/* Of a burst nothing is left, in whatever order it ends. */
START_TEST(burst) {
        PlPool p = PL_POOL_INIT(&p, Thing);

        for (uint32_t n = 0; n < N; n++)
                make(&p, n);
        for (uint32_t n = 0; n < N; n++)
                end(&p, _i == 0 ? n : _i == 1 ? N - 1 - n : n * 7 % N);
        ck_assert_uint_le(count_blocks(&p), 1);
        pl_pool_deinit(&p);
        ck_assert_uint_eq(count_blocks(&p), 0);
}
END_TEST

int main(void) {
        TCase *tc = tcase_create("pool");

        tcase_set_timeout(tc, 60);
        tcase_add_test(tc, lives);
        tcase_add_loop_test(tc, burst, 0, 3);
        return run_case(tc);
}
