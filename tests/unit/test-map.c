/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Map: against a plain array as the model, through growth, holes and removal while iterating.
 */

#include "lib/base/map.h"

#include <errno.h>

#include "unit.h"

#define N 5000

static char keys[N][16];
static bool present[N];

static void check_model(const PlMap *m) {
        bool seen[N] = { false };
        size_t iter = 0, n = 0;
        void *v;

        while ((v = pl_map_next(m, &iter))) {
                size_t i = (size_t)((char(*)[16])v - keys);

                ck_assert(present[i]);
                ck_assert(!seen[i]);
                seen[i] = true;
                n++;
        }
        ck_assert_uint_eq(n, pl_map_size(m));
        for (size_t i = 0; i < N; i++) {
                ck_assert_ptr_eq(pl_map_get(m, keys[i]), present[i] ? keys[i] : NULL);
                n -= present[i];
        }
        ck_assert_uint_eq(n, 0);
}

START_TEST(model) {
        _cleanup_(pl_map_freep) PlMap *m = pl_map_new();
        uint32_t random = 1;

        ck_assert_ptr_null(pl_map_get(m, "nothing"));
        ck_assert_ptr_null(pl_map_remove(m, "nothing"));
        check_model(m);
        for (int round = 0; round < 100000; round++) {
                size_t i;

                random = random * 1664525 + 1013904223;
                i = random >> 8;
                i = round % 50000 < 25000 ? i % N : i % (N / 50);
                if (random >> 31) {
                        ck_assert_int_eq(pl_map_put(m, keys[i], keys[i]), present[i] ? -EEXIST : 0);
                        present[i] = true;
                } else {
                        ck_assert_ptr_eq(pl_map_remove(m, keys[i]), present[i] ? keys[i] : NULL);
                        present[i] = false;
                }
                if (round % 10000 == 0)
                        check_model(m);
        }
        check_model(m);
}
END_TEST

START_TEST(remove_while_iterating) {
        _cleanup_(pl_map_freep) PlMap *m = pl_map_new();
        size_t n = 0;
        void *v;

        for (size_t i = 0; i < N; i++)
                ck_assert_int_eq(pl_map_put(m, keys[i], keys[i]), 0);
        PL_MAP_FOREACH(v, m) {
                ck_assert_str_eq(v, keys[n++]); /* insertion order */
                ck_assert_ptr_eq(pl_map_remove(m, v), v);
        }
        ck_assert_uint_eq(n, N);
        ck_assert_uint_eq(pl_map_size(m), 0);
}
END_TEST

/* The same few keys put and removed for ever must not grow the map: seen as time and memory. */
START_TEST(churn) {
        _cleanup_(pl_map_freep) PlMap *m = pl_map_new();

        for (int i = 0; i < 1000000; i++) {
                ck_assert_int_eq(pl_map_put(m, keys[i % 10], keys), 0);
                ck_assert_ptr_eq(pl_map_remove(m, keys[i % 10]), keys);
        }
        ck_assert_uint_eq(pl_map_size(m), 0);
}
END_TEST

int main(void) {
        TCase *tc = tcase_create("map");

        for (int i = 0; i < N; i++)
                snprintf(keys[i], sizeof(keys[i]), "key-%d", i);
        tcase_set_timeout(tc, 60);
        tcase_add_test(tc, model);
        tcase_add_test(tc, remove_while_iterating);
        tcase_add_test(tc, churn);
        return run_case(tc);
}
