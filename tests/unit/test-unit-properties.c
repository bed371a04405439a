/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which property, of which type, with which value: one row per kind of limit, and what systemd must
 * be told although nobody asked.
 */
#include <errno.h>

#include "pl-unit-properties.h"
#include "unit.h"

#define NUMBER(n) \
        { .set = true, .number = (n) }
#define TEXT(t) \
        { .set = true, .text = (char *)(t) }

/* "NAME=VALUE" of every property, space separated: numbers in decimal, masks in hex, lowest byte
 * first, devices as PATH:BYTES. */
static char *show(const PlUnitProperties *p) {
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        for (size_t i = 0; i < p->n; i++) {
                const PlUnitProperty *u = &p->items[i];

                fprintf(f, "%s%s=", i ? " " : "", u->name);
                switch (u->type) {
                case PL_UNIT_PROPERTY_UINT64:
                        if (u->number == UINT64_MAX)
                                fputs("max", f);
                        else
                                fprintf(f, "%" PRIu64, u->number);
                        break;
                case PL_UNIT_PROPERTY_MASK:
                        for (size_t j = 0; j < u->mask_size; j++)
                                fprintf(f, "%02x", u->mask[j]);
                        break;
                case PL_UNIT_PROPERTY_DEVICES:
                        for (size_t j = 0; j < u->n_devices; j++)
                                fprintf(f, "%s%s:%" PRIu64, j ? "," : "", u->devices[j].path,
                                        u->devices[j].bytes_per_sec);
                        break;
                }
        }
        fclose(f);
        return text;
}

static const struct {
        const char *name;
        PlLimits want, base;
        bool no_base;
        uint64_t period_usec;
        int r;
        const char *properties, *dropin; /* dropin: after the header; of want alone */
} rows[] = {
        { .name = "nothing", .properties = "", .dropin = NULL },
        { .name = "quota brings its period",
          .want.v[PL_RESOURCE_CPU_QUOTA] = NUMBER(2000000),
          .period_usec = 50000,
          .properties = "CPUQuotaPerSecUSec=2000000 CPUQuotaPeriodUSec=50000",
          .dropin = "CPUQuota=200.00%\nCPUQuotaPeriodSec=50000us\n" },
        { .name = "quota with the default period",
          .want.v[PL_RESOURCE_CPU_QUOTA] = NUMBER(125500),
          .properties = "CPUQuotaPerSecUSec=125500 CPUQuotaPeriodUSec=max",
          .dropin = "CPUQuota=12.55%\n" },
        { .name = "quota lifted",
          .want.v[PL_RESOURCE_CPU_QUOTA] = NUMBER(PL_UNLIMITED),
          .properties = "CPUQuotaPerSecUSec=max CPUQuotaPeriodUSec=max",
          .dropin = "CPUQuota=\n" },
        { .name = "weights",
          .want.v = { [PL_RESOURCE_CPU_WEIGHT] = NUMBER(50), [PL_RESOURCE_IO_WEIGHT] = NUMBER(7) },
          .properties = "CPUWeight=50 IOWeight=7",
          .dropin = "CPUWeight=50\nIOWeight=7\n" },
        { .name = "a weight has no infinity",
          .want.v[PL_RESOURCE_CPU_WEIGHT] = NUMBER(PL_UNLIMITED),
          .properties = "CPUWeight=max",
          .dropin = "CPUWeight=\n" },
        { .name = "memory, with every value its own",
          .want.v = { [PL_RESOURCE_MEMORY_MIN] = NUMBER(1),
                      [PL_RESOURCE_MEMORY_LOW] = NUMBER(2),
                      [PL_RESOURCE_MEMORY_HIGH] = NUMBER(3),
                      [PL_RESOURCE_MEMORY_MAX] = NUMBER(4),
                      [PL_RESOURCE_MEMORY_SWAP_MAX] = NUMBER(0) },
          .base.v[PL_RESOURCE_MEMORY_SWAP_MAX] = NUMBER(99),
          .properties = "MemoryMin=1 MemoryLow=2 MemoryHigh=3 MemoryMax=4 MemorySwapMax=0",
          .dropin = "MemoryMin=1\nMemoryLow=2\nMemoryHigh=3\nMemoryMax=4\nMemorySwapMax=0\n" },
        { .name = "the engine's swap limit is told along with memory",
          .want.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(PL_UNLIMITED),
          .base.v[PL_RESOURCE_MEMORY_SWAP_MAX] = NUMBER(0),
          .properties = "MemoryMax=max MemorySwapMax=0",
          .dropin = "MemoryMax=infinity\n" },
        { .name = "memory without a known swap limit",
          .want.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(4096),
          .no_base = true,
          .properties = "MemoryMax=4096",
          .dropin = "MemoryMax=4096\n" },
        { .name = "swap is not told where memory is not managed",
          .want.v[PL_RESOURCE_TASKS_MAX] = NUMBER(512),
          .base.v[PL_RESOURCE_MEMORY_SWAP_MAX] = NUMBER(0),
          .properties = "TasksMax=512",
          .dropin = "TasksMax=512\n" },
        { .name = "CPUs",
          .want.v[PL_RESOURCE_ALLOWED_CPUS] = TEXT("0-3,6,17"),
          .properties = "AllowedCPUs=4f0002",
          .dropin = "AllowedCPUs=0-3,6,17\n" },
        { .name = "the last CPU of a byte",
          .want.v[PL_RESOURCE_ALLOWED_CPUS] = TEXT("7-8"),
          .properties = "AllowedCPUs=8001",
          .dropin = "AllowedCPUs=7-8\n" },
        { .name = "every CPU",
          .want.v[PL_RESOURCE_ALLOWED_CPUS] = TEXT(""),
          .properties = "AllowedCPUs=",
          .dropin = "AllowedCPUs=\n" },
        { .name = "CPUs that are no list",
          .want.v[PL_RESOURCE_ALLOWED_CPUS] = TEXT("0\nMemoryMax=1"),
          .r = -EINVAL },
        { .name = "CPUs backwards", .want.v[PL_RESOURCE_ALLOWED_CPUS] = TEXT("3-1"), .r = -EINVAL },
        { .name = "CPUs beyond any kernel",
          .want.v[PL_RESOURCE_ALLOWED_CPUS] = TEXT("0-99999"),
          .r = -EINVAL },
        { .name = "bandwidth",
          .want.v = { [PL_RESOURCE_IO_READ_BANDWIDTH_MAX] = TEXT("/dev/vda 1048576; /srv/a b 5"),
                      [PL_RESOURCE_IO_WRITE_BANDWIDTH_MAX] = TEXT("/dev/vda infinity") },
          .properties = "IOReadBandwidthMax=/dev/vda:1048576,/srv/a b:5 "
                        "IOWriteBandwidthMax=/dev/vda:18446744073709551615",
          .dropin = "IOReadBandwidthMax=\nIOReadBandwidthMax=/dev/vda 1048576\n"
                    "IOReadBandwidthMax=/srv/a b 5\n"
                    "IOWriteBandwidthMax=\nIOWriteBandwidthMax=/dev/vda infinity\n" },
        { .name = "bandwidth without a number",
          .want.v[PL_RESOURCE_IO_READ_BANDWIDTH_MAX] = TEXT("/dev/vda"),
          .r = -EINVAL },
};

START_TEST(from_limits) {
        _cleanup_(pl_unit_properties_deinit) PlUnitProperties p = { 0 };
        _cleanup_free_ char *text = NULL;
        int r;

        r = pl_unit_properties_from_limits(&rows[_i].want, rows[_i].no_base ? NULL : &rows[_i].base,
                                           rows[_i].period_usec, &p);
        ck_assert_msg(r == rows[_i].r, "%s: %d", rows[_i].name, r);
        if (r < 0)
                return;
        text = show(&p);
        ck_assert_msg(pl_streq(text, rows[_i].properties), "%s: got %s", rows[_i].name, text);
}
END_TEST

START_TEST(format_dropin) {
        _cleanup_free_ char *text = NULL;
        const char *body;
        int r;

        r = pl_unit_properties_format_dropin(&rows[_i].want, rows[_i].period_usec, &text);
        ck_assert_msg(r == rows[_i].r, "%s: %d", rows[_i].name, r);
        if (r < 0 || !rows[_i].dropin) {
                ck_assert_msg(!text, "%s: a drop-in for nothing", rows[_i].name);
                return;
        }
        body = strstr(text, "[Scope]\n");
        ck_assert_msg(body && *text == '#', "%s: got %s", rows[_i].name, text);
        ck_assert_msg(pl_streq(body + strlen("[Scope]\n"), rows[_i].dropin), "%s: got %s",
                      rows[_i].name, text);
}
END_TEST

static const struct {
        const char *name;
        PlLimits limits, defaults, engine, ret;
} undo_rows[] = {
        { .name = "its own value stays",
          .limits.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(1),
          .defaults.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(2),
          .engine.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(3),
          .ret.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(1) },
        { .name = "the engine's value comes back",
          .defaults.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(2),
          .engine.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(3),
          .ret.v[PL_RESOURCE_MEMORY_MAX] = NUMBER(3) },
        { .name = "nobody's value is no limit",
          .defaults.v = { [PL_RESOURCE_MEMORY_MAX] = NUMBER(2),
                          [PL_RESOURCE_MEMORY_LOW] = NUMBER(2),
                          [PL_RESOURCE_CPU_WEIGHT] = NUMBER(2),
                          [PL_RESOURCE_ALLOWED_CPUS] = TEXT("0") },
          .ret.v = { [PL_RESOURCE_MEMORY_MAX] = NUMBER(PL_UNLIMITED),
                     [PL_RESOURCE_MEMORY_LOW] = NUMBER(0),
                     [PL_RESOURCE_CPU_WEIGHT] = NUMBER(100),
                     [PL_RESOURCE_ALLOWED_CPUS] = TEXT("") } },
        { .name = "what the defaults leave alone is left alone",
          .engine.v[PL_RESOURCE_TASKS_MAX] = NUMBER(3) },
};

START_TEST(undo_defaults) {
        _cleanup_(pl_limits_deinit) PlLimits limits = { 0 };

        ck_assert_int_eq(pl_limits_copy(&undo_rows[_i].limits, &limits), 0);
        ck_assert_int_eq(pl_unit_properties_undo_defaults(&limits, &undo_rows[_i].defaults,
                                                          &undo_rows[_i].engine),
                         0);
        ck_assert_msg(pl_limits_equal(&limits, &undo_rows[_i].ret), "%s", undo_rows[_i].name);
}
END_TEST

static const struct {
        const char *template, *what, *unit; /* unit NULL: refused */
} name_rows[] = {
        { "plimsoll-alert@%s.service", "postgres", "plimsoll-alert@postgres.service" },
        { "plimsoll-alert@%s.service", "ml-db_1.x", "plimsoll-alert@ml\\x2ddb_1.x.service" },
        { "plimsoll-alert@%s.service", ".x/y z", "plimsoll-alert@\\x2ex-y\\x20z.service" },
        { "page.target", "postgres", "page.target" },
        { "a%%b.service", "x", NULL }, /* a unit's name holds no per cent sign */
        { "%s", "postgres", NULL },
        { "x@%i.service", "postgres", NULL },
        { "x y.service", "postgres", NULL },
        { "../x.service", "postgres", NULL },
        { ".service", "postgres", NULL },
        { "", "postgres", NULL },
};

START_TEST(name_expand) {
        _cleanup_free_ char *unit = NULL;
        int r;

        r = pl_unit_name_expand(name_rows[_i].template, name_rows[_i].what, &unit);
        ck_assert_msg(r == (name_rows[_i].unit ? 0 : -EINVAL), "%s: %d", name_rows[_i].template, r);
        ck_assert_msg(pl_streq_null(unit, name_rows[_i].unit), "%s, %s: got %s",
                      name_rows[_i].template, name_rows[_i].what, unit);
}
END_TEST

START_TEST(name_too_long) {
        char what[300], *unit;

        memset(what, 'a', sizeof(what) - 1);
        what[sizeof(what) - 1] = 0;
        ck_assert_int_eq(pl_unit_name_expand("x@%s.service", what, &unit), -EINVAL);
}
END_TEST

int main(void) {
        TCase *c = tcase_create("all");

        tcase_add_loop_test(c, from_limits, 0, PL_ARRAY_SIZE(rows));
        tcase_add_loop_test(c, format_dropin, 0, PL_ARRAY_SIZE(rows));
        tcase_add_loop_test(c, undo_defaults, 0, PL_ARRAY_SIZE(undo_rows));
        tcase_add_loop_test(c, name_expand, 0, PL_ARRAY_SIZE(name_rows));
        tcase_add_test(c, name_too_long);
        return run_case(c);
}
