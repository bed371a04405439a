/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Docker time: RFC 3339 to microseconds, by hand because strptime(3) knows no fractions or offsets.
 */

#include "lib/base/time.h"

#include <time.h>

/* Exactly n digits. Return: the rest, or NULL. */
static const char *digits(const char *s, int n, int *ret) {
        int v = 0;

        if (!s)
                return NULL;
        for (; n > 0; n--, s++) {
                if (*s < '0' || *s > '9')
                        return NULL;
                v = v * 10 + (*s - '0');
        }
        *ret = v;
        return s;
}

static const char *expect(const char *s, char c) {
        return s && *s == c ? s + 1 : NULL;
}

/* ".123456789", as many digits as there are; what is finer than a microsecond is dropped. */
static const char *fraction(const char *s, int64_t *ret_usec) {
        int64_t usec = 0, unit = 100000;

        if (!s || *s != '.')
                return s;
        for (s++; *s >= '0' && *s <= '9'; s++, unit /= 10)
                usec += unit * (*s - '0');
        *ret_usec = usec;
        return s;
}

/* "Z", "+02:00", "-05:30" */
static const char *offset(const char *s, int *ret_sec) {
        int h = 0, m = 0, sign;

        if (!s || *s == 'Z')
                return s ? s + 1 : NULL;
        if (*s != '+' && *s != '-')
                return NULL;
        sign = *s == '-' ? -1 : 1;
        s = digits(expect(digits(s + 1, 2, &h), ':'), 2, &m);
        *ret_sec = sign * (h * 3600 + m * 60);
        return s;
}

uint64_t pl_docker_parse_time(const char *s) {
        struct tm tm = {};
        int64_t usec = 0, sec;
        int offset_sec = 0;

        s = expect(digits(s, 4, &tm.tm_year), '-');
        s = expect(digits(s, 2, &tm.tm_mon), '-');
        s = expect(digits(s, 2, &tm.tm_mday), 'T');
        s = expect(digits(s, 2, &tm.tm_hour), ':');
        s = expect(digits(s, 2, &tm.tm_min), ':');
        s = digits(s, 2, &tm.tm_sec);
        s = offset(fraction(s, &usec), &offset_sec);
        if (!s || *s != '\0' || tm.tm_year < 1970)
                return 0;
        if (tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 ||
            tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
                return 0;

        tm.tm_year -= 1900;
        tm.tm_mon -= 1;
        sec = (int64_t)timegm(&tm) - offset_sec;
        return sec < 0 ? 0 : (uint64_t)sec * PL_USEC_PER_SEC + (uint64_t)usec;
}
