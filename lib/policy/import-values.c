/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Import values: see pl-import-internal.h. A number may come as JSON number or as text, whatever
 * version of compose printed it.
 */

#include "lib/policy/import-internal.h"

#include <errno.h>

#include "lib/base/unit.h"

static int from_integer(json_int_t n, uint64_t *ret) {
        if (n <= 0)
                return -ENOENT;
        *ret = (uint64_t)n;
        return 0;
}

int pl_import_size(const json_t *v, uint64_t base, uint64_t *ret_bytes) {
        const char *s = json_string_value(v);
        char buf[40];
        size_t n = 0;
        int r;

        if (json_is_integer(v))
                return from_integer(json_integer_value(v), ret_bytes);
        if (!v || json_is_null(v))
                return -ENOENT;
        if (!s)
                return -EINVAL;
        if (s[0] == '-')
                return -ENOENT;
        for (; *s; s++) {
                if (*s == ' ')
                        continue;
                if (n + 1 == sizeof(buf))
                        return -EINVAL;
                buf[n++] = *s >= 'a' && *s <= 'z' ? (char)(*s - 'a' + 'A') : *s;
        }
        if (n > 1 && buf[n - 1] == 'B')
                n--;
        if (n > 1 && buf[n - 1] == 'I')
                n--;
        buf[n] = '\0';
        if (pl_streq(buf, "INFINITY"))
                return -EINVAL;
        r = base == 1000 ? pl_parse_rate(buf, ret_bytes) : pl_parse_size(buf, ret_bytes);
        return r < 0 ? r : *ret_bytes == 0 || *ret_bytes == PL_UNLIMITED ? -ENOENT : 0;
}

int pl_import_cpus(const json_t *v, uint64_t *ret) {
        const char *s = json_string_value(v);
        double d = json_number_value(v);
        char buf[40];
        int r;

        if (!v || json_is_null(v))
                return -ENOENT;
        if (s) {
                if (strlen(s) + 2 > sizeof(buf) || s[strspn(s, "0123456789.")])
                        return -EINVAL;
                snprintf(buf, sizeof(buf), "%sM", s); /* a million microseconds is one CPU */
                r = pl_parse_rate(buf, ret);
                return r < 0 ? r : *ret == 0 ? -ENOENT : 0;
        }
        if (!json_is_number(v))
                return -EINVAL;
        if (!(d > 0))
                return -ENOENT;
        if (d > 8192)
                return -ERANGE;
        *ret = (uint64_t)(d * 1e6 + 0.5);
        return *ret == 0 ? -ENOENT : 0;
}

int pl_import_count(const json_t *v, uint64_t *ret) {
        const char *s = json_string_value(v);
        int r;

        if (json_is_integer(v))
                return from_integer(json_integer_value(v), ret);
        if (!v || json_is_null(v) || (s && s[0] == '-'))
                return -ENOENT;
        if (!s)
                return -EINVAL;
        r = pl_parse_uint64(s, ret);
        return r < 0 ? r : *ret == 0 ? -ENOENT : 0;
}

int pl_import_duration(const json_t *v, uint64_t *ret_usec) {
        const char *s = json_string_value(v);

        if (!v || json_is_null(v))
                return -ENOENT;
        if (!s)
                return -EINVAL;
        return pl_parse_sec(s, ret_usec);
}
