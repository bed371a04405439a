/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What docker logs takes is read first and as docker reads it: Go's durations, the layouts of
 * moby's api/types/time/timestamp.go as Go's time.Parse() takes them, seconds since 1970 with a
 * fraction. Only what docker refuses is looked at as journalctl would.
 *
 * Docker's local time has the offset from UTC that holds now, also for a day on which another one
 * held.
 */

#include "lib/base/when.h"

#include <ctype.h>
#include <errno.h>
#include <time.h>

#include "lib/base/time.h"
#include "lib/base/unit.h"

static const uint64_t nsec_per_usec = 1000, nsec_per_sec = UINT64_C(1000000000);

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

/* --- as docker logs
 * --------------------------------------------------------------------------------
 */

/* Nanoseconds since 1970; what is before that is 0: no record is that old. */
static uint64_t clamp(int64_t sec, int64_t nsec) {
        if (nsec < 0) {
                sec -= 1;
                nsec += (int64_t)nsec_per_sec;
        }
        if (sec < 0)
                return 0;
        if ((uint64_t)sec > (UINT64_MAX - (uint64_t)nsec) / nsec_per_sec)
                return UINT64_MAX;
        return (uint64_t)sec * nsec_per_sec + (uint64_t)nsec;
}

/* Go's strconv.ParseInt(s, 10, 64), of at most n characters. */
static bool parse_int(const char *s, size_t n, int64_t *ret) {
        bool negative = n > 0 && *s == '-';
        uint64_t v = 0, max = (uint64_t)INT64_MAX + negative;

        if (n > 0 && (*s == '-' || *s == '+')) {
                s++;
                n--;
        }
        if (n == 0)
                return false;
        for (; n > 0; s++, n--) {
                if (!is_digit(*s) || v > (max - (uint64_t)(*s - '0')) / 10)
                        return false;
                v = v * 10 + (uint64_t)(*s - '0');
        }
        *ret = negative ? (int64_t)-v : (int64_t)v;
        return true;
}

/* Of a Go duration. Return: nanoseconds, 0: none. */
static double unit_of(const char *s, size_t n) {
        static const struct {
                const char *name;
                double nsec;
        } units[] = {
                { "ns", 1 },   { "us", 1e3 }, { "\u00b5s", 1e3 }, { "\u03bcs", 1e3 },
                { "ms", 1e6 }, { "s", 1e9 },  { "m", 60e9 },      { "h", 3600e9 },
        };

        for (size_t i = 0; i < PL_ARRAY_SIZE(units); i++)
                if (strlen(units[i].name) == n && memcmp(units[i].name, s, n) == 0)
                        return units[i].nsec;
        return 0;
}

/* Go's time.ParseDuration(). */
static bool parse_duration(const char *s, double *ret_nsec) {
        bool negative = *s == '-';
        double nsec = 0;

        if (*s == '-' || *s == '+')
                s++;
        if (pl_streq(s, "0")) {
                *ret_nsec = 0;
                return true;
        }
        if (!*s)
                return false;
        while (*s) {
                double v = 0, scale = 1, unit;
                const char *start = s;
                size_t n;

                for (; is_digit(*s); s++)
                        v = v * 10 + (*s - '0');
                n = (size_t)(s - start);
                if (*s == '.') {
                        for (s++; is_digit(*s); s++, n++)
                                v += (*s - '0') * (scale /= 10);
                }
                if (n == 0)
                        return false;
                n = strcspn(s, ".0123456789");
                unit = unit_of(s, n);
                nsec += v * unit;
                if (unit == 0 || nsec > (double)INT64_MAX)
                        return false;
                s += n;
        }
        *ret_nsec = negative ? -nsec : nsec;
        return true;
}

/* Exactly so many digits. Return: their value; -1. */
static int take_digits(const char **s, unsigned n) {
        int v = 0;

        for (unsigned i = 0; i < n; i++, (*s)++) {
                if (!is_digit(**s))
                        return -1;
                v = v * 10 + (**s - '0');
        }
        return v;
}

static bool take_char(const char **s, char c) {
        bool is = **s == c;

        *s += is;
        return is;
}

/* Behind the seconds, also where the layout has none: Go takes any. Return: nanoseconds. */
static int64_t take_fraction(const char **s) {
        int64_t nsec = 0, unit = 100000000;

        if ((**s != '.' && **s != ',') || !is_digit((*s)[1]))
                return 0;
        for ((*s)++; is_digit(**s); (*s)++, unit /= 10)
                nsec += unit * (**s - '0');
        return nsec;
}

static bool take_zone(const char **s, long *ret_offset) {
        bool west = **s == '-';
        int h, m;

        *ret_offset = 0;
        if (take_char(s, 'Z'))
                return true;
        if (**s != '+' && **s != '-')
                return false;
        (*s)++;
        h = take_digits(s, 2);
        if (h < 0 || h > 24 || !take_char(s, ':'))
                return false;
        m = take_digits(s, 2);
        if (m < 0 || m > 60)
                return false;
        *ret_offset = (west ? -1 : 1) * (h * 3600L + m * 60L);
        return true;
}

static bool is_day(int year, int month, int day) {
        static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
        bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

        return year >= 0 && month >= 1 && month <= 12 && day >= 1 &&
               day <= days[month - 1] + (leap && month == 2);
}

/* Hour, minute, second: as many as asked for. */
static bool take_clock(const char **s, unsigned n, struct tm *tm, int64_t *ret_nsec) {
        if (!take_char(s, 'T'))
                return false;
        tm->tm_hour = take_digits(s, is_digit((*s)[0]) && is_digit((*s)[1]) ? 2 : 1);
        if (tm->tm_hour < 0 || tm->tm_hour > 23)
                return false;
        if (n > 1) {
                tm->tm_min = take_char(s, ':') ? take_digits(s, 2) : -1;
                if (tm->tm_min < 0 || tm->tm_min > 59)
                        return false;
        }
        if (n > 2) {
                tm->tm_sec = take_char(s, ':') ? take_digits(s, 2) : -1;
                if (tm->tm_sec < 0 || tm->tm_sec > 59)
                        return false;
                *ret_nsec = take_fraction(s);
        }
        return true;
}

static unsigned count(const char *s, char c) {
        unsigned n = 0;

        for (; *s; s++)
                n += *s == c;
        return n;
}

/* A date with whatever parts of a time docker finds in it: it counts colons. */
static bool parse_layout(const char *s, uint64_t now_usec, uint64_t *ret_nsec) {
        bool zoned = strpbrk(s, "zZ+") || count(s, '-') == 3;
        unsigned colons = count(s, ':'), n = 0;
        int64_t nsec = 0;
        struct tm tm = { 0 };
        long offset;

        if (zoned && !strpbrk(s, "zZ") && colons > 0)
                colons--;
        if (strchr(s, '.'))
                n = 3;
        else if (strchr(s, 'T'))
                n = PL_MIN(colons, 2U) + 1;
        tm.tm_year = take_digits(&s, 4);
        tm.tm_mon = take_char(&s, '-') ? take_digits(&s, 2) : -1;
        tm.tm_mday = take_char(&s, '-') ? take_digits(&s, 2) : -1;
        if (!is_day(tm.tm_year, tm.tm_mon, tm.tm_mday))
                return false;
        tm.tm_year -= 1900;
        tm.tm_mon -= 1;
        if (n > 0 && !take_clock(&s, n, &tm, &nsec))
                return false;
        if (zoned ? !take_zone(&s, &offset) : false)
                return false;
        if (*s)
                return false;
        if (!zoned) {
                time_t now = (time_t)(now_usec / PL_USEC_PER_SEC);
                struct tm here;

                (void)localtime_r(&now, &here);
                offset = here.tm_gmtoff;
        }
        *ret_nsec = clamp(timegm(&tm) - offset, nsec);
        return true;
}

/* SECONDS or SECONDS.FRACTION, as the engine reads it: any number of digits. */
static bool parse_epoch(const char *s, uint64_t *ret_nsec) {
        const char *dot = strchr(s, '.');
        size_t n = dot ? (size_t)(dot - s) : strlen(s);
        int64_t sec, fraction = 0;
        double nsec = 0;

        if (!parse_int(s, n, &sec) || (dot && !parse_int(dot + 1, strlen(dot + 1), &fraction)))
                return false;
        if (dot) {
                nsec = (double)fraction;
                for (n = strlen(dot + 1); n < 9; n++)
                        nsec *= 10;
                for (; n > 9; n--)
                        nsec /= 10;
        }
        *ret_nsec = clamp(sec, (int64_t)nsec);
        return true;
}

static bool parse_docker(const char *s, uint64_t now_usec, uint64_t *ret_nsec) {
        double span;

        if (!pl_streq(s, "0") && parse_duration(s, &span)) {
                double nsec = (double)(now_usec % PL_USEC_PER_SEC) * (double)nsec_per_usec - span;
                int64_t sec = (int64_t)(now_usec / PL_USEC_PER_SEC);

                /* the sum is cut down to whole seconds */
                sec += (int64_t)(nsec / 1e9) - (nsec < 0 && (int64_t)(nsec / 1e9) * 1e9 > nsec);
                *ret_nsec = clamp(sec, 0);
                return true;
        }
        if (parse_layout(s, now_usec, ret_nsec))
                return true;
        return !strchr(s, '-') && parse_epoch(s, ret_nsec);
}

/* --- as journalctl
 * ---------------------------------------------------------------------------------
 */

static int local_time(const struct tm *asked, uint64_t *ret_nsec) {
        struct tm tm = *asked;
        time_t t;

        tm.tm_isdst = -1;
        t = mktime(&tm);
        if (t < 0)
                return -EINVAL;
        *ret_nsec = (uint64_t)t * nsec_per_sec;
        return 0;
}

static int parse_date(const char *s, uint64_t now_usec, uint64_t *ret_nsec) {
        static const char *const formats[] = {
                "%Y-%m-%d %H:%M:%S",
                "%Y-%m-%d %H:%M",
                "%H:%M:%S",
                "%H:%M",
        };
        time_t now = (time_t)(now_usec / PL_USEC_PER_SEC);

        for (size_t i = 0; i < PL_ARRAY_SIZE(formats); i++) {
                struct tm tm = { 0 };
                const char *end;

                if (formats[i][1] == 'H') { /* of today */
                        (void)localtime_r(&now, &tm);
                        tm.tm_sec = 0;
                }
                end = strptime(s, formats[i], &tm);
                if (end && !*end)
                        return is_day(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday)
                                               ? local_time(&tm, ret_nsec)
                                               : -EINVAL;
        }
        return -EINVAL;
}

static int parse_word(const char *s, uint64_t now_usec, uint64_t *ret_nsec) {
        time_t now = (time_t)(now_usec / PL_USEC_PER_SEC);
        struct tm tm;

        if (pl_streq(s, "now")) {
                *ret_nsec = now_usec * nsec_per_usec;
                return 0;
        }
        if (!pl_streq(s, "today") && !pl_streq(s, "yesterday"))
                return -EINVAL;
        (void)localtime_r(&now, &tm);
        tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
        tm.tm_mday -= pl_streq(s, "yesterday");
        return local_time(&tm, ret_nsec);
}

static int parse_span(const char *s, uint64_t now_usec, uint64_t *ret_nsec) {
        char text[64];
        size_t n = strlen(s);
        uint64_t usec = 0;

        if (n >= 4 && pl_streq(s + n - 4, " ago"))
                n -= 4;
        if (n == 0 || n >= sizeof(text))
                return -EINVAL;
        memcpy(text, s, n);
        text[n] = '\0';
        if (pl_parse_sec(text, &usec) < 0 || usec == PL_TIME_INFINITY)
                return -EINVAL;
        *ret_nsec = usec >= now_usec ? 0 : (now_usec - usec) * nsec_per_usec;
        return 0;
}

int pl_when_parse(const char *s, uint64_t now_usec, uint64_t *ret_nsec) {
        uint64_t n = 0;

        if (*s == '@') {
                if (pl_parse_uint64(s + 1, &n) < 0 || n > UINT64_MAX / nsec_per_sec)
                        return -EINVAL;
                *ret_nsec = n * nsec_per_sec;
                return 0;
        }
        if (parse_docker(s, now_usec, ret_nsec))
                return 0;
        if (parse_word(s, now_usec, ret_nsec) == 0 || parse_date(s, now_usec, ret_nsec) == 0)
                return 0;
        /* a date that is none is no span either */
        return strchr(s, '-') ? -EINVAL : parse_span(s, now_usec, ret_nsec);
}

uint64_t pl_when_parse_tail(const char *s) {
        int64_t n;

        return parse_int(s, strlen(s), &n) && n >= 0 ? (uint64_t)n : UINT64_MAX;
}
