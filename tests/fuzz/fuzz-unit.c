/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Fuzz: one text into every parser of values, and into the kernel file parsers.
 *
 * What is accepted must come back the same through its formatter.
 */

#include <assert.h>

#include "lib/base/diag.h"
#include "lib/base/quote.h"
#include "lib/base/unit.h"
#include "lib/limits/resource.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_values(const char *s) {
        char buf[PL_FORMAT_MAX];
        uint64_t n, again;

        (void)pl_parse_rate(s, &n);
        (void)pl_parse_uint64(s, &n);
        (void)pl_parse_permyriad(s, &n);
        if (pl_parse_size(s, &n) == 0) {
                assert(pl_parse_size(pl_format_bytes_exact(n, buf), &again) == 0 && n == again);
                assert(strlen(pl_format_bytes(n, buf)) < 15);
        }
        if (pl_parse_sec(s, &n) == 0) {
                assert(pl_parse_sec(pl_format_sec(n, buf), &again) == 0);
                assert(again <= n || n == PL_TIME_INFINITY ||
                       again - n < n / 100); /* a year has 365 days here */
        }
}

static void fuzz_cpuset(const char *s) {
        _cleanup_free_ char *list = NULL, *again = NULL;

        if (pl_parse_cpuset(s, &list) == 0)
                assert(pl_parse_cpuset(list, &again) == 0 && pl_streq(list, again));
}

static void fuzz_file(PlResource r, PlHierarchy h, const char *s) {
        PlValue v = { 0 }, again = { 0 };
        _cleanup_free_ char *file = NULL, *shown = NULL;

        if (pl_resource_parse_file(r, h, s, &v) == 0) {
                assert(v.set);
                assert(pl_value_to_string(r, &v, &shown) == 0);
                pl_resource_normalise(r, h, 4096, &v);
                if (pl_resource_format_file(r, h, &v, &file) == 0)
                        assert(pl_resource_parse_file(r, h, file, &again) == 0);
        }
        pl_value_deinit(&v);
        pl_value_deinit(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *s = malloc(size + 1), *escaped = NULL;

        assert(s);
        if (size)
                memcpy(s, data, size);
        s[size] = '\0';
        fuzz_values(s);
        fuzz_cpuset(s);
        for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                for (PlHierarchy h = 0; h < _PL_HIERARCHY_N; h++)
                        fuzz_file(r, h, s);
        escaped = pl_escape(s, 64);
        assert(escaped && strlen(escaped) <= 64);
        for (const char *c = escaped; *c; c++)
                assert((unsigned char)*c >= 0x20 && *c != 0x7f);
        return 0;
}
