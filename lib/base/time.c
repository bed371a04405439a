/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Times as text, by hand: strptime(3) has no fractions and no offsets, and timegm(3) alone would
 * double the cost of a rotation, which reads the time of every record of a gigabyte. Proleptic
 * Gregorian days are counted with the usual era arithmetic instead.
 */

#include "lib/base/time.h"

#include <errno.h>

static const uint64_t nsec_per_sec = UINT64_C(1000000000);

/* Days since 1970-01-01; valid for any year that fits four digits. */
static int64_t days_from_civil(int64_t y, unsigned m, unsigned d) {
        int64_t era, yoe, doy;

        y -= m <= 2;
        era = y / 400;
        yoe = y - era * 400;
        doy = (153 * (int64_t)(m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
        return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static int digits(const char *s, size_t n) {
        int v = 0;

        for (size_t i = 0; i < n; i++) {
                if (s[i] < '0' || s[i] > '9')
                        return -1;
                v = v * 10 + (s[i] - '0');
        }
        return v;
}

static bool is_separator(char c, PlTimeStyle style) {
        return c == 'T' || c == 't' || (c == ' ' && style == PL_TIME_ISO8601);
}

/* "YYYY-MM-DDTHH:MM" at s, 16 bytes. Return: seconds since 1970, negative when it is none. */
static int64_t parse_minute(const char *s, PlTimeStyle style) {
        static const uint8_t month_days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
        int y, mo, d, h, mi;

        if (s[4] != '-' || s[7] != '-' || !is_separator(s[10], style) || s[13] != ':')
                return -1;
        y = digits(s, 4);
        mo = digits(s + 5, 2);
        d = digits(s + 8, 2);
        h = digits(s + 11, 2);
        mi = digits(s + 14, 2);
        if (y < 1970 || mo < 1 || mo > 12 || d < 1 || d > month_days[mo - 1] || h < 0 || h > 23 ||
            mi < 0 || mi > 59)
                return -1;
        return days_from_civil(y, (unsigned)mo, (unsigned)d) * 86400 + h * 3600 + mi * 60;
}

/* "Z", "+HH:MM"; see PlTimeStyle. */
static bool parse_zone(const char *s, size_t size, PlTimeStyle style, int64_t *ret_sec) {
        bool loose = style == PL_TIME_ISO8601;
        int h, m;

        *ret_sec = 0;
        if (size == 1 && (*s == 'Z' || *s == 'z'))
                return true;
        if (size == 0)
                return loose;
        if (*s != '+' && *s != '-')
                return false;
        if (size == 6 && s[3] == ':')
                m = digits(s + 4, 2);
        else if (size == 5 && loose)
                m = digits(s + 3, 2);
        else
                return false;
        h = digits(s + 1, 2);
        if (h < 0 || h > 23 || m < 0 || m > 59)
                return false;
        *ret_sec = (*s == '-' ? -1 : 1) * (h * 3600 + m * 60);
        return true;
}

int pl_parse_time(const char *s, size_t size, PlTimeStyle style, uint64_t *ret_nsec) {
        uint64_t nsec = 0, unit = nsec_per_sec;
        int64_t sec, zone;
        size_t i = 19;
        int ss;

        if (size < i || s[16] != ':')
                return -EINVAL;
        sec = parse_minute(s, style);
        ss = digits(s + 17, 2);
        if (sec < 0 || ss < 0 || ss > 60)
                return -EINVAL;
        if (i < size && s[i] == '.') {
                for (i++; i < size && s[i] >= '0' && s[i] <= '9'; i++)
                        nsec += (uint64_t)(s[i] - '0') * (unit /= 10);
                if (i == 20)
                        return -EINVAL;
        }
        if (!parse_zone(s + i, size - i, style, &zone))
                return -EINVAL;
        sec += ss - zone;
        if (sec < 0 || (uint64_t)sec >= UINT64_MAX / nsec_per_sec) /* after the year 2554 */
                return -EINVAL;
        *ret_nsec = (uint64_t)sec * nsec_per_sec + nsec;
        return 0;
}

void pl_format_time(uint64_t time_nsec, char buf[static PL_TIME_TEXT_MAX]) {
        uint64_t sec = time_nsec / nsec_per_sec, day = sec / 86400 + 719468;
        uint64_t era = day / 146097, doe = day % 146097;
        uint64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
        uint64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
        unsigned d = (unsigned)(doy - (153 * mp + 2) / 5 + 1);
        unsigned m = (unsigned)(mp < 10 ? mp + 3 : mp - 9);
        unsigned y = (unsigned)(yoe + era * 400 + (m <= 2));

        snprintf(buf, PL_TIME_TEXT_MAX, "%04u-%02u-%02uT%02u:%02u:%02u.%09uZ", y % 10000, m % 100,
                 d % 100, (unsigned)(sec / 3600 % 24), (unsigned)(sec / 60 % 60),
                 (unsigned)(sec % 60), (unsigned)(time_nsec % nsec_per_sec));
}
