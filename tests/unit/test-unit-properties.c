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
        const char *properties;
} rows[] = {
        { "nothing", .properties = "" },
        { "quota brings its period", .want = "CPUQuota=200%", .period_usec = 50000,
          .properties = "CPUQuotaPerSecUSec=2000000 CPUQuotaPeriodUSec=50000" },
        { "quota with the default period", .want = "CPUQuota=12.55%",
          .properties = "CPUQuotaPerSecUSec=125500 CPUQuotaPeriodUSec=max" },
        { "quota lifted", .want = "CPUQuota=infinity",
          .properties = "CPUQuotaPerSecUSec=max CPUQuotaPeriodUSec=max" },
        { "weights", .want = "CPUWeight=50, IOWeight=7", .properties = "CPUWeight=50 IOWeight=7" },
        { "a weight has no infinity", .want = "CPUWeight=infinity", .properties = "CPUWeight=max" },
        { "memory, with every value its own",
          .want = "MemoryMin=1, MemoryLow=2, MemoryHigh=3, MemoryMax=4, MemorySwapMax=0",
          .base = "MemorySwapMax=99",
          .properties = "MemoryMin=1 MemoryLow=2 MemoryHigh=3 MemoryMax=4 MemorySwapMax=0" },
        { "the engine's swap limit is told along with memory", .want = "MemoryMax=infinity",
          .base = "MemorySwapMax=0", .properties = "MemoryMax=max MemorySwapMax=0" },
        { "memory without a known swap limit", .want = "MemoryMax=4096", .no_base = true,
          .properties = "MemoryMax=4096" },
        { "swap is not told where memory is not managed", .want = "TasksMax=512",
          .base = "MemorySwapMax=0", .properties = "TasksMax=512" },
        { "CPUs", .want = "AllowedCPUs=0-3,6,17", .properties = "AllowedCPUs=4f0002" },
        { "the last CPU of a byte", .want = "AllowedCPUs=7-8", .properties = "AllowedCPUs=8001" },
        { "every CPU", .want = "AllowedCPUs=", .properties = "AllowedCPUs=" },
        { "CPUs that are no list", .want = "AllowedCPUs=0\nMemoryMax=1", .r = -EINVAL },
        { "CPUs backwards", .want = "AllowedCPUs=3-1", .r = -EINVAL },
        { "CPUs beyond any kernel", .want = "AllowedCPUs=0-99999", .r = -EINVAL },
        { "bandwidth",
          .want = "IOReadBandwidthMax=/dev/vda 1048576; /srv/a b 5, "
                  "IOWriteBandwidthMax=/dev/vda infinity",
          .properties = "IOReadBandwidthMax= IOReadBandwidthMax=/dev/vda:1048576,/srv/a b:5 "
                        "IOWriteBandwidthMax= IOWriteBandwidthMax=/dev/vda:18446744073709551615" },
        { "bandwidth lifted: every path that systemd knows",
          .want = "IOReadBandwidthMax=", .properties = "IOReadBandwidthMax=" },
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

int main(void) {
        TCase *c = tcase_create("all");

        tcase_add_loop_test(c, from_limits, 0, PL_ARRAY_SIZE(rows));
        return run_case(c);
}
