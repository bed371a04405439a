/* SPDX-License-Identifier: Apache-2.0 */

/* What a container's values should be: policy, then what was there before, else hands off. */

#include "lib/limits/desired.h"
#include "unit.h"

#define BIT(r) (1U << PL_RESOURCE_##r)
#define N(x)   ((PlValue){ .set = true, .number = (x) })
#define UNSET  ((PlValue){ 0 })
#define T(x)   ((PlValue){ .set = true, .text = (char *)(x) })

static const struct {
        const char *name;
        PlValue policy, original;
        uint32_t managed;
        PlValue want;
        bool restoring;
} rows[] = {
        { "policy names it", N(MIB(64)), UNSET, 0, N(MIB(64)), false },
        { "policy wins over original", N(MIB(64)), N(MIB(9)), BIT(MEMORY_MAX), N(MIB(64)), false },
        { "never touched", UNSET, UNSET, 0, UNSET, false },
        { "dropped, original known", UNSET, N(MIB(9)), BIT(MEMORY_MAX), N(MIB(9)), true },
        { "dropped, original unknown", UNSET, UNSET, BIT(MEMORY_MAX), N(PL_UNLIMITED), true },
        { "original of an unmanaged one is no wish", UNSET, N(MIB(9)), 0, UNSET, false },
};

START_TEST(desired) {
        PlLimits section = { 0 };
        PlLimits original = { 0 }, want = { 0 };
        uint32_t restoring = 99;

        section.v[PL_RESOURCE_MEMORY_MAX] = rows[_i].policy;
        original.v[PL_RESOURCE_MEMORY_MAX] = rows[_i].original;
        ck_assert_int_eq(pl_desired_limits(&section, rows[_i].managed, &original, PL_HIERARCHY_V2,
                                           &want, &restoring),
                         0);
        ck_assert_msg(pl_value_equal(&want.v[PL_RESOURCE_MEMORY_MAX], &rows[_i].want), "%s",
                      rows[_i].name);
        ck_assert_msg(restoring == (rows[_i].restoring ? BIT(MEMORY_MAX) : 0), "%s", rows[_i].name);
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                ck_assert_msg(r == PL_RESOURCE_MEMORY_MAX || !want.v[r].set, "%s: %d",
                              rows[_i].name, r);
        pl_limits_deinit(&want);
}
END_TEST

START_TEST(no_service_restores_all) {
        PlLimits original = { 0 }, want = { 0 };
        uint32_t restoring = 0;

        original.v[PL_RESOURCE_ALLOWED_CPUS] = (PlValue){ .set = true, .text = (char *)"0-1" };
        ck_assert_int_eq(pl_desired_limits(NULL,
                                           BIT(ALLOWED_CPUS) | BIT(CPU_WEIGHT) | BIT(MEMORY_LOW),
                                           &original, PL_HIERARCHY_V2, &want, &restoring),
                         0);
        ck_assert_str_eq(want.v[PL_RESOURCE_ALLOWED_CPUS].text, "0-1");
        ck_assert_ptr_ne(want.v[PL_RESOURCE_ALLOWED_CPUS].text,
                         original.v[PL_RESOURCE_ALLOWED_CPUS].text);
        ck_assert_uint_eq(want.v[PL_RESOURCE_CPU_WEIGHT].number, 100);
        ck_assert_uint_eq(want.v[PL_RESOURCE_MEMORY_LOW].number, 0);
        ck_assert_uint_eq(restoring, BIT(ALLOWED_CPUS) | BIT(CPU_WEIGHT) | BIT(MEMORY_LOW));
        pl_limits_deinit(&want);
}
END_TEST

/* A container that was limited before its first instruction had nothing before. */
START_TEST(texts_default_to_no_restriction) {
        PlLimits original = { 0 }, want = { 0 };
        uint32_t mask = BIT(ALLOWED_CPUS) | BIT(IO_READ_BANDWIDTH_MAX), restoring = 0;

        ck_assert_int_eq(pl_desired_limits(NULL, mask, &original, PL_HIERARCHY_V2, &want,
                                           &restoring),
                         0);
        ck_assert_str_eq(want.v[PL_RESOURCE_ALLOWED_CPUS].text, "");
        ck_assert_str_eq(want.v[PL_RESOURCE_IO_READ_BANDWIDTH_MAX].text, "");
        ck_assert_uint_eq(restoring, mask);
        pl_limits_deinit(&want);
}
END_TEST

/* What is for everybody, and what its creator has asked for. */
static const struct {
        const char *name;
        PlResource resource;
        PlValue policy, created, want;
        bool of_a_section; /* then it is the person's word about this service */
} spare_rows[] = {
        { "nobody asked", PL_RESOURCE_MEMORY_MAX, N(MIB(256)), UNSET, N(MIB(256)), false },
        { "a tighter limit of its creator stays", PL_RESOURCE_MEMORY_MAX, N(MIB(256)), N(MIB(96)),
          N(MIB(96)), false },
        { "a looser one gives way", PL_RESOURCE_MEMORY_MAX, N(MIB(64)), N(MIB(96)), N(MIB(64)),
          false },
        { "a section may raise it", PL_RESOURCE_MEMORY_MAX, N(MIB(256)), N(MIB(96)), N(MIB(256)),
          true },
        { "infinity of [Defaults] lifts nothing", PL_RESOURCE_MEMORY_MAX, N(PL_UNLIMITED),
          N(MIB(96)), N(MIB(96)), false },
        { "swap", PL_RESOURCE_MEMORY_SWAP_MAX, N(MIB(256)), N(0), N(0), false },
        { "quota", PL_RESOURCE_CPU_QUOTA, N(2000000), N(500000), N(500000), false },
        { "tasks", PL_RESOURCE_TASKS_MAX, N(64), N(20), N(20), false },
        { "high", PL_RESOURCE_MEMORY_HIGH, N(64), N(20), N(20), false },
        { "a weight stays", PL_RESOURCE_CPU_WEIGHT, N(10), N(500), N(500), false },
        { "CPUs stay", PL_RESOURCE_ALLOWED_CPUS, T("0"), T("1-3"), T("1-3"), false },
        { "a reservation stays", PL_RESOURCE_MEMORY_LOW, N(MIB(1)), N(MIB(9)), N(MIB(9)), false },
        { "the lower rate of each disk", PL_RESOURCE_IO_READ_BANDWIDTH_MAX,
          T("/dev/sda 9000; /dev/sdb 5000"), T("/dev/sda 5000; /dev/sdc 7000"),
          T("/dev/sda 5000; /dev/sdb 5000; /dev/sdc 7000"), false },
};

START_TEST(spare) {
        PlLimits want = { 0 }, created = { 0 };
        PlResource r = spare_rows[_i].resource;
        uint32_t mask = spare_rows[_i].of_a_section ? 0 : UINT32_C(1) << r;

        ck_assert_int_eq(pl_value_copy(&spare_rows[_i].policy, &want.v[r]), 0);
        created.v[r] = spare_rows[_i].created;
        ck_assert_int_eq(pl_desired_spare(&want, mask, &created), 0);
        ck_assert_msg(pl_value_equal(&want.v[r], &spare_rows[_i].want), "%s: %" PRIu64 " %s",
                      spare_rows[_i].name, want.v[r].number, want.v[r].text ?: "");
        /* as long as nobody knows what its creator said */
        ck_assert_int_eq(pl_desired_spare(&want, mask, NULL), 0);
        ck_assert_msg(want.v[r].set == spare_rows[_i].of_a_section, "%s", spare_rows[_i].name);
        pl_limits_deinit(&want);
}
END_TEST

/* Which is told, and done all the same. */
START_TEST(raised) {
        const PlLimits created = { .v = { [PL_RESOURCE_MEMORY_MAX] = N(MIB(96)),
                                          [PL_RESOURCE_TASKS_MAX] = N(20),
                                          [PL_RESOURCE_CPU_QUOTA] = N(500000),
                                          [PL_RESOURCE_CPU_WEIGHT] = N(10),
                                          [PL_RESOURCE_MEMORY_LOW] = N(1) } };
        const PlLimits want = { .v = { [PL_RESOURCE_MEMORY_MAX] = N(PL_UNLIMITED),
                                       [PL_RESOURCE_TASKS_MAX] = N(64),
                                       [PL_RESOURCE_CPU_QUOTA] = N(400000), /* tighter */
                                       [PL_RESOURCE_MEMORY_HIGH] = N(9), /* nobody has limited it */
                                       [PL_RESOURCE_CPU_WEIGHT] =
                                                       N(20), /* no limit, nor the next */
                                       [PL_RESOURCE_MEMORY_LOW] = N(9) } };

        ck_assert_uint_eq(pl_desired_raised(&want, 0, &created),
                          1U << PL_RESOURCE_MEMORY_MAX | 1U << PL_RESOURCE_TASKS_MAX);
        ck_assert_uint_eq(pl_desired_raised(&want, 1U << PL_RESOURCE_MEMORY_MAX, &created),
                          1U << PL_RESOURCE_TASKS_MAX);
        ck_assert_uint_eq(pl_desired_raised(&created, 0, &created), 0);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("desired");

        tcase_add_loop_test(t, desired, 0, PL_ARRAY_SIZE(rows));
        tcase_add_loop_test(t, spare, 0, PL_ARRAY_SIZE(spare_rows));
        tcase_add_test(t, raised);
        tcase_add_test(t, no_service_restores_all);
        tcase_add_test(t, texts_default_to_no_restriction);
        return run_case(t);
}
