/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Units: see the header.
 *
 * All arithmetic is on integers of twice the width, so that "1.1G" is the same number on every
 * machine and overflow is detected, not wrapped. No locale: isdigit() and strtod() are avoided.
 */

#include "lib/base/unit.h"

#include <errno.h>

typedef unsigned __int128 U128;

#define FRACTION_DIGITS_MAX 18 /* 10^18 times the largest multiplier still fits 128 bits */
#define CPU_MAX             8191

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

static bool is_space(char c) {
        return c == ' ' || c == '\t';
}

int pl_parse_uint64(const char *s, uint64_t *ret) {
        uint64_t n = 0;
        bool overflow = false;

        if (!is_digit(*s))
                return -EINVAL;
        for (; *s; s++) {
                if (!is_digit(*s))
                        return -EINVAL;
                overflow = overflow || __builtin_mul_overflow(n, 10, &n) ||
                           __builtin_add_overflow(n, (uint64_t)(*s - '0'), &n);
        }
        if (overflow)
                return -ERANGE;
        *ret = n;
        return 0;
}

/* "12", "1.5", ".5" is refused; *s moves behind it. */
typedef struct Decimal {
        uint64_t whole, fraction, scale; /* fraction / scale < 1 */
        bool overflow;
} Decimal;

static int take_decimal(const char **s, Decimal *ret) {
        Decimal d = { .scale = 1 };
        const char *p = *s;

        if (!is_digit(*p))
                return -EINVAL;
        for (; is_digit(*p); p++)
                d.overflow = d.overflow || __builtin_mul_overflow(d.whole, 10, &d.whole) ||
                             __builtin_add_overflow(d.whole, (uint64_t)(*p - '0'), &d.whole);
        if (*p == '.') {
                int n = 0;

                p++;
                if (!is_digit(*p))
                        return -EINVAL;
                for (; is_digit(*p); p++, n++) {
                        if (n >= FRACTION_DIGITS_MAX)
                                continue;
                        d.fraction = d.fraction * 10 + (uint64_t)(*p - '0');
                        d.scale *= 10;
                }
        }
        *s = p;
        *ret = d;
        return 0;
}

/* -ERANGE from UINT64_MAX on: that number means "unlimited". */
static int scale_decimal(const Decimal *d, uint64_t multiplier, uint64_t *ret) {
        U128 n = (U128)d->whole * multiplier + (U128)d->fraction * multiplier / d->scale;

        if (d->overflow || n >= UINT64_MAX)
                return -ERANGE;
        *ret = (uint64_t)n;
        return 0;
}

static int parse_bytes(const char *s, uint64_t base, uint64_t *ret) {
        static const char suffixes[] = "BKMGTPE";
        uint64_t multiplier = 1;
        const char *suffix;
        Decimal d;
        int r;

        if (pl_streq(s, "infinity")) {
                *ret = PL_UNLIMITED;
                return 0;
        }
        r = take_decimal(&s, &d);
        if (r < 0)
                return r;
        if (*s) {
                suffix = strchr(suffixes, *s);
                if (!suffix || s[1])
                        return -EINVAL;
                for (ptrdiff_t i = suffix - suffixes; i > 0; i--)
                        multiplier *= base;
        }
        return scale_decimal(&d, multiplier, ret);
}

int pl_parse_size(const char *s, uint64_t *ret_bytes) {
        return parse_bytes(s, 1024, ret_bytes);
}

int pl_parse_rate(const char *s, uint64_t *ret_bytes) {
        return parse_bytes(s, 1000, ret_bytes);
}

int pl_parse_permyriad(const char *s, uint64_t *ret) {
        Decimal d;
        int r;

        r = take_decimal(&s, &d);
        if (r < 0)
                return r;
        if (!pl_streq(s, "%") || d.scale > 100)
                return -EINVAL;
        return scale_decimal(&d, 100, ret);
}

/* systemd.time(7); a month is 30.44 days, a year 365.25. Longer names first where one begins
 * another does not matter: the whole word is compared. */
static const struct {
        const char *name;
        uint64_t usec;
} time_units[] = {
        { "usec", 1 },
        { "us", 1 },
        { "μs", 1 },
        { "µs", 1 },
        { "msec", PL_USEC_PER_MSEC },
        { "ms", PL_USEC_PER_MSEC },
        { "seconds", PL_USEC_PER_SEC },
        { "second", PL_USEC_PER_SEC },
        { "sec", PL_USEC_PER_SEC },
        { "s", PL_USEC_PER_SEC },
        { "minutes", PL_USEC_PER_MIN },
        { "minute", PL_USEC_PER_MIN },
        { "min", PL_USEC_PER_MIN },
        { "m", PL_USEC_PER_MIN },
        { "hours", PL_USEC_PER_HOUR },
        { "hour", PL_USEC_PER_HOUR },
        { "hr", PL_USEC_PER_HOUR },
        { "h", PL_USEC_PER_HOUR },
        { "days", PL_USEC_PER_DAY },
        { "day", PL_USEC_PER_DAY },
        { "d", PL_USEC_PER_DAY },
        { "weeks", 7 * PL_USEC_PER_DAY },
        { "week", 7 * PL_USEC_PER_DAY },
        { "w", 7 * PL_USEC_PER_DAY },
        { "months", 2629800 * PL_USEC_PER_SEC },
        { "month", 2629800 * PL_USEC_PER_SEC },
        { "M", 2629800 * PL_USEC_PER_SEC },
        { "years", 31557600 * PL_USEC_PER_SEC },
        { "year", 31557600 * PL_USEC_PER_SEC },
        { "y", 31557600 * PL_USEC_PER_SEC },
};

/* The unit at *s, which moves behind it; no letters: seconds. 0: unknown. */
static uint64_t take_time_unit(const char **s) {
        const char *end = *s;
        size_t n;

        while (*end && !is_space(*end) && !is_digit(*end) && *end != '.')
                end++;
        n = (size_t)(end - *s);
        if (n == 0)
                return PL_USEC_PER_SEC;
        for (size_t i = 0; i < PL_ARRAY_SIZE(time_units); i++)
                if (strlen(time_units[i].name) == n && strncmp(*s, time_units[i].name, n) == 0) {
                        *s = end;
                        return time_units[i].usec;
                }
        return 0;
}

int pl_parse_sec(const char *s, uint64_t *ret_usec) {
        uint64_t sum = 0;
        bool overflow = false;

        while (is_space(*s))
                s++;
        if (pl_startswith(s, "infinity")) {
                for (s += strlen("infinity"); is_space(*s); s++)
                        ;
                if (*s)
                        return -EINVAL;
                *ret_usec = PL_TIME_INFINITY;
                return 0;
        }
        if (!*s)
                return -EINVAL;
        while (*s) {
                uint64_t unit, part;
                Decimal d;
                int r;

                r = take_decimal(&s, &d);
                if (r < 0)
                        return r;
                while (is_space(*s))
                        s++;
                unit = take_time_unit(&s);
                if (unit == 0 || *s == '.')
                        return -EINVAL;
                if (scale_decimal(&d, unit, &part) < 0 || __builtin_add_overflow(sum, part, &sum))
                        overflow = true;
                while (is_space(*s))
                        s++;
        }
        if (overflow || sum == PL_TIME_INFINITY)
                return -ERANGE;
        *ret_usec = sum;
        return 0;
}

/* One CPU number; *s moves behind it. */
static int take_cpu(const char **s, unsigned *ret) {
        unsigned n = 0;

        if (!is_digit(**s))
                return -EINVAL;
        for (; is_digit(**s); (*s)++)
                if (n <= CPU_MAX)
                        n = n * 10 + (unsigned)(**s - '0');
        *ret = n;
        return 0;
}

static int parse_cpu_bits(const char *s, bool set[static CPU_MAX + 1]) {
        bool out_of_range = false;

        while (is_space(*s))
                s++;
        do {
                unsigned first, last;
                bool comma = false;
                int r;

                r = take_cpu(&s, &first);
                last = first;
                if (r == 0 && *s == '-') {
                        s++;
                        r = take_cpu(&s, &last);
                }
                if (r < 0 || last < first || (*s && *s != ',' && !is_space(*s)))
                        return -EINVAL;
                if (last > CPU_MAX)
                        out_of_range = true;
                else
                        memset(set + first, true, last - first + 1);
                for (; is_space(*s) || (*s == ',' && !comma); s++)
                        comma = comma || *s == ',';
                if (comma && !*s)
                        return -EINVAL;
        } while (*s);
        return out_of_range ? -ERANGE : 0;
}

int pl_parse_cpuset(const char *s, char **ret) {
        bool set[CPU_MAX + 2] = { false }; /* the last one ends every range */
        _cleanup_free_ char *text = NULL;
        size_t size;
        FILE *f;
        int r;

        r = parse_cpu_bits(s, set);
        if (r < 0)
                return r;
        f = open_memstream(&text, &size);
        if (!f)
                return -ENOMEM;
        for (unsigned i = 0, n = 0; i <= CPU_MAX; i++) {
                unsigned first = i;

                if (!set[i])
                        continue;
                while (set[i + 1])
                        i++;
                if (first == i)
                        fprintf(f, "%s%u", n++ ? "," : "", first);
                else
                        fprintf(f, "%s%u-%u", n++ ? "," : "", first, i);
        }
        r = ferror(f);
        if (fclose(f) != 0 || r)
                return -ENOMEM;
        *ret = TAKE_PTR(text);
        return 0;
}

/* The next "3" or "0-3" of a canonical list. Return: false at its end. */
static bool next_range(const char **list, unsigned long *ret_first, unsigned long *ret_last) {
        char *end;

        if (!**list)
                return false;
        *ret_first = *ret_last = strtoul(*list, &end, 10);
        if (*end == '-')
                *ret_last = strtoul(end + 1, &end, 10);
        *list = *end == ',' ? end + 1 : "";
        return true;
}

bool pl_cpuset_within(const char *list, const char *all) {
        unsigned long first, last, from, to;

        while (next_range(&list, &first, &last)) {
                const char *rest = all;
                bool found = false;

                while (!found && next_range(&rest, &from, &to))
                        found = from <= first && last <= to; /* canonical: ranges do not touch */
                if (!found)
                        return false;
        }
        return true;
}
