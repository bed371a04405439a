/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Times of json-file records: RFC 3339 to nanoseconds and back, and the span of a stretch of log.
 *
 * Proleptic Gregorian days are counted with the usual era arithmetic instead of timegm(3): a
 * rotation reads the time of every record of a gigabyte, and timegm() alone would double its cost.
 */

#include "lib/logs/jsonlog.h"

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

/* "YYYY-MM-DDTHH:MM" at s, 16 bytes. Return: seconds since 1970, negative when it is none. */
static int64_t parse_minute(const char *s) {
        static const uint8_t month_days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
        int y, mo, d, h, mi;

        if (s[4] != '-' || s[7] != '-' || (s[10] != 'T' && s[10] != 't') || s[13] != ':')
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

/* "Z" or "+HH:MM". */
static bool parse_zone(const char *s, size_t size, int64_t *ret_sec) {
        int h, m;

        if (size == 1 && (*s == 'Z' || *s == 'z')) {
                *ret_sec = 0;
                return true;
        }
        if (size != 6 || (*s != '+' && *s != '-') || s[3] != ':')
                return false;
        h = digits(s + 1, 2);
        m = digits(s + 4, 2);
        if (h < 0 || h > 23 || m < 0 || m > 59)
                return false;
        *ret_sec = (*s == '-' ? -1 : 1) * (h * 3600 + m * 60);
        return true;
}

uint64_t pl_jsonlog_parse_time(const char *s, size_t size) {
        uint64_t nsec = 0, unit = nsec_per_sec;
        int64_t sec, zone;
        size_t i = 19;
        int ss;

        if (size < 20 || s[16] != ':')
                return 0;
        sec = parse_minute(s);
        ss = digits(s + 17, 2);
        if (sec < 0 || ss < 0 || ss > 60)
                return 0;
        if (s[i] == '.') {
                for (i++; i < size && s[i] >= '0' && s[i] <= '9'; i++)
                        nsec += (uint64_t)(s[i] - '0') * (unit /= 10);
                if (i == 20)
                        return 0;
        }
        if (!parse_zone(s + i, size - i, &zone))
                return 0;
        sec += ss - zone;
        return sec <= 0 ? 0 : (uint64_t)sec * nsec_per_sec + nsec;
}

void pl_jsonlog_format_time(uint64_t time_nsec, char buf[static PL_JSONLOG_TIME_MAX]) {
        uint64_t sec = time_nsec / nsec_per_sec, day = sec / 86400 + 719468;
        uint64_t era = day / 146097, doe = day % 146097;
        uint64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
        uint64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
        unsigned d = (unsigned)(doy - (153 * mp + 2) / 5 + 1);
        unsigned m = (unsigned)(mp < 10 ? mp + 3 : mp - 9);
        unsigned y = (unsigned)(yoe + era * 400 + (m <= 2));

        snprintf(buf, PL_JSONLOG_TIME_MAX, "%04u-%02u-%02uT%02u:%02u:%02u.%09uZ", y % 10000,
                 m % 100, d % 100, (unsigned)(sec / 3600 % 24), (unsigned)(sec / 60 % 60),
                 (unsigned)(sec % 60), (unsigned)(time_nsec % nsec_per_sec));
}

/* The text of the time in a record's tail, e.g. …,"time":"2026-01-02T03:04:05.6Z"} and perhaps \n.
 */
static const char *find_time(const char *line, size_t size, size_t *ret_size) {
        static const char key[] = "\"time\":\"";
        const char *end = line + size, *q;

        if (end > line && end[-1] == '\n')
                end--;
        if (end - line < 30 || end[-1] != '}' || end[-2] != '"')
                return NULL;
        end -= 2;
        q = memrchr(line, '"', (size_t)(end - line));
        if (!q || q - line < (ptrdiff_t)sizeof(key) - 2 || end - q > 40)
                return NULL;
        if (memcmp(q - (sizeof(key) - 2), key, sizeof(key) - 1) != 0)
                return NULL;
        *ret_size = (size_t)(end - q) - 1;
        return q + 1;
}

uint64_t pl_jsonlog_time_of(const char *line, size_t size) {
        size_t n;
        const char *t = find_time(line, size, &n);

        return t ? pl_jsonlog_parse_time(t, n) : 0;
}

uint64_t pl_jsonlog_first_time(const char *buf, size_t size) {
        const char *end = buf + size, *nl;

        for (; buf < end && (nl = memchr(buf, '\n', (size_t)(end - buf))); buf = nl + 1) {
                uint64_t t = pl_jsonlog_time_of(buf, (size_t)(nl - buf));

                if (t > 0)
                        return t;
        }
        return 0;
}

/* Records of one second come in thousands: the minute's text is compared before it is parsed. */
static void stats_line(PlJsonlogStats *s, const char *line, size_t size) {
        uint64_t sec;
        size_t n;
        const char *t = find_time(line, size, &n);
        int ss;

        s->lines++;
        if (!t || n < 20)
                return;
        ss = digits(t + 17, 2);
        if (t[n - 1] == 'Z' && ss >= 0 && s->last_minute_sec > 0 &&
            memcmp(t, s->last_minute, 17) == 0)
                sec = s->last_minute_sec + (uint64_t)ss;
        else {
                sec = pl_jsonlog_parse_time(t, n) / nsec_per_sec;
                if (sec == 0)
                        return;
                memcpy(s->last_minute, t, 17);
                s->last_minute_sec = t[n - 1] == 'Z' && ss >= 0 ? sec - (uint64_t)ss : 0;
        }
        if (s->max_sec == 0 || sec < s->min_sec)
                s->min_sec = sec;
        if (sec > s->max_sec)
                s->max_sec = sec;
}

void pl_jsonlog_stats_feed(PlJsonlogStats *s, const char *buf, size_t size) {
        const char *end = buf + size, *nl;
        size_t keep;

        while (buf < end && (nl = memchr(buf, '\n', (size_t)(end - buf)))) {
                size_t n = (size_t)(nl - buf);

                if (s->n_tail > 0 && n < sizeof(s->tail)) { /* the time may span two pieces */
                        char joined[2 * sizeof(s->tail)];

                        memcpy(joined, s->tail, s->n_tail);
                        memcpy(joined + s->n_tail, buf, n);
                        stats_line(s, joined, s->n_tail + n);
                } else
                        stats_line(s, buf, n);
                s->n_tail = 0;
                buf = nl + 1;
        }
        keep = (size_t)(end - buf);
        if (keep >= sizeof(s->tail)) {
                memcpy(s->tail, end - sizeof(s->tail), sizeof(s->tail));
                s->n_tail = sizeof(s->tail);
        } else if (keep > 0) {
                size_t old = PL_MIN(s->n_tail, sizeof(s->tail) - keep);

                memmove(s->tail, s->tail + s->n_tail - old, old);
                memcpy(s->tail + old, buf, keep);
                s->n_tail = old + keep;
        }
}
