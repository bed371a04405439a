/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which property, of which type, with which value: one row per kind of limit, and what systemd must
 * be told although nobody asked.
 */

#include "lib/limits/unit-properties.h"

#include "limit-rows.h"
#include "same-limits.h"

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
        const char *name, *want, *base;
        bool no_base;
        uint64_t period_usec;
        int r;
        const char *properties, *dropin; /* dropin: after the header; of want alone */
} rows[] = {
        { "nothing", .properties = "" },
        { "quota brings its period", .want = "CPUQuota=200%", .period_usec = 50000,
          .properties = "CPUQuotaPerSecUSec=2000000 CPUQuotaPeriodUSec=50000",
          .dropin = "CPUQuota=200.00%\nCPUQuotaPeriodSec=50000us\n" },
        { "quota with the default period", .want = "CPUQuota=12.55%",
          .properties = "CPUQuotaPerSecUSec=125500 CPUQuotaPeriodUSec=max",
          .dropin = "CPUQuota=12.55%\n" },
        { "quota lifted", .want = "CPUQuota=infinity",
          .properties = "CPUQuotaPerSecUSec=max CPUQuotaPeriodUSec=max", .dropin = "CPUQuota=\n" },
        { "weights", .want = "CPUWeight=50, IOWeight=7", .properties = "CPUWeight=50 IOWeight=7",
          .dropin = "CPUWeight=50\nIOWeight=7\n" },
        { "a weight has no infinity", .want = "CPUWeight=infinity", .properties = "CPUWeight=max",
          .dropin = "CPUWeight=\n" },
        { "memory, with every value its own",
          .want = "MemoryMin=1, MemoryLow=2, MemoryHigh=3, MemoryMax=4, MemorySwapMax=0",
          .base = "MemorySwapMax=99",
          .properties = "MemoryMin=1 MemoryLow=2 MemoryHigh=3 MemoryMax=4 MemorySwapMax=0",
          .dropin = "MemoryMin=1\nMemoryLow=2\nMemoryHigh=3\nMemoryMax=4\nMemorySwapMax=0\n" },
        { "the engine's swap limit is told along with memory", .want = "MemoryMax=infinity",
          .base = "MemorySwapMax=0", .properties = "MemoryMax=max MemorySwapMax=0",
          .dropin = "MemoryMax=infinity\n" },
        { "memory without a known swap limit", .want = "MemoryMax=4096", .no_base = true,
          .properties = "MemoryMax=4096", .dropin = "MemoryMax=4096\n" },
        { "swap is not told where memory is not managed", .want = "TasksMax=512",
          .base = "MemorySwapMax=0", .properties = "TasksMax=512", .dropin = "TasksMax=512\n" },
        { "CPUs", .want = "AllowedCPUs=0-3,6,17", .properties = "AllowedCPUs=4f0002",
          .dropin = "AllowedCPUs=0-3,6,17\n" },
        { "the last CPU of a byte", .want = "AllowedCPUs=7-8", .properties = "AllowedCPUs=8001",
          .dropin = "AllowedCPUs=7-8\n" },
        { "every CPU",
          .want = "AllowedCPUs=", .properties = "AllowedCPUs=", .dropin = "AllowedCPUs=\n" },
        { "CPUs that are no list", .want = "AllowedCPUs=0\nMemoryMax=1", .r = -EINVAL },
        { "CPUs backwards", .want = "AllowedCPUs=3-1", .r = -EINVAL },
        { "CPUs beyond any kernel", .want = "AllowedCPUs=0-99999", .r = -EINVAL },
        { "bandwidth",
          .want = "IOReadBandwidthMax=/dev/vda 1048576; /srv/a b 5, "
                  "IOWriteBandwidthMax=/dev/vda infinity",
          .properties = "IOReadBandwidthMax= IOReadBandwidthMax=/dev/vda:1048576,/srv/a b:5 "
                        "IOWriteBandwidthMax= IOWriteBandwidthMax=/dev/vda:18446744073709551615",
          .dropin = "IOReadBandwidthMax=\nIOReadBandwidthMax=/dev/vda 1048576\n"
                    "IOReadBandwidthMax=/srv/a b 5\n"
                    "IOWriteBandwidthMax=\nIOWriteBandwidthMax=/dev/vda infinity\n" },
        { "bandwidth lifted: every path that systemd knows", .want = "IOReadBandwidthMax=",
          .properties = "IOReadBandwidthMax=", .dropin = "IOReadBandwidthMax=\n" },
        { "bandwidth without a number", .want = "IOReadBandwidthMax=/dev/vda", .r = -EINVAL },
};

START_TEST(from_limits) {
        _cleanup_(pl_limits_deinit) PlLimits want = limits_of(rows[_i].want);
        _cleanup_(pl_limits_deinit) PlLimits base = limits_of(rows[_i].base);
        _cleanup_(pl_unit_properties_deinit) PlUnitProperties p = { 0 };
        _cleanup_free_ char *text = NULL;
        int r;

        r = pl_unit_properties_from_limits(&want, rows[_i].no_base ? NULL : &base,
                                           rows[_i].period_usec, &p);
        ck_assert_msg(r == rows[_i].r, "%s: %d", rows[_i].name, r);
        if (r < 0)
                return;
        text = show(&p);
        ck_assert_msg(pl_streq(text, rows[_i].properties), "%s: got %s", rows[_i].name, text);
}
END_TEST

START_TEST(format_dropin) {
        _cleanup_(pl_limits_deinit) PlLimits want = limits_of(rows[_i].want);
        _cleanup_free_ char *text = NULL;
        const char *body;
        int r;

        r = pl_unit_properties_format_dropin(&want, rows[_i].period_usec, &text);
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
        const char *name, *limits, *defaults, *engine, *ret;
} undo_rows[] = {
        { "its own value stays", .limits = "MemoryMax=1", .defaults = "MemoryMax=2",
          .engine = "MemoryMax=3", .ret = "MemoryMax=1" },
        { "the engine's value comes back", .defaults = "MemoryMax=2", .engine = "MemoryMax=3",
          .ret = "MemoryMax=3" },
        { "nobody's value is no limit",
          .defaults = "MemoryMax=2, MemoryLow=2, CPUWeight=2, AllowedCPUs=0",
          .ret = "MemoryMax=infinity, MemoryLow=0, CPUWeight=100, AllowedCPUs=" },
        { "what the defaults leave alone is left alone", .engine = "TasksMax=3" },
};

START_TEST(undo_defaults) {
        _cleanup_(pl_limits_deinit) PlLimits limits = limits_of(undo_rows[_i].limits);
        _cleanup_(pl_limits_deinit) PlLimits defaults = limits_of(undo_rows[_i].defaults);
        _cleanup_(pl_limits_deinit) PlLimits engine = limits_of(undo_rows[_i].engine);
        _cleanup_(pl_limits_deinit) PlLimits ret = limits_of(undo_rows[_i].ret);

        ck_assert_int_eq(pl_unit_properties_undo_defaults(&limits, &defaults, &engine), 0);
        ck_assert_msg(same_limits(&limits, &ret), "%s", undo_rows[_i].name);
}
END_TEST

int main(void) {
        TCase *c = tcase_create("all");

        tcase_add_loop_test(c, from_limits, 0, PL_ARRAY_SIZE(rows));
        tcase_add_loop_test(c, format_dropin, 0, PL_ARRAY_SIZE(rows));
        tcase_add_loop_test(c, undo_defaults, 0, PL_ARRAY_SIZE(undo_rows));
        return run_case(c);
}
