/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Docker's CLI takes "10m" for minutes where systemd's spans have "m" for minutes too, so that both
 * habits work. A plain number is seconds since 1970, as in Docker; systemd would read it as a span.
 */

#include "lib/base/when.h"

#include <ctype.h>
#include <errno.h>
#include <time.h>

#include "lib/base/time.h"
#include "lib/base/unit.h"

static const uint64_t nsec_per_usec = 1000, nsec_per_sec = UINT64_C(1000000000);

static int local_time(struct tm *tm, uint64_t *ret_nsec) {
        time_t t;

        tm->tm_isdst = -1;
        t = mktime(tm);
        if (t < 0)
                return -EINVAL;
        *ret_nsec = (uint64_t)t * nsec_per_sec;
        return 0;
}

static int parse_date(const char *s, uint64_t now_usec, uint64_t *ret_nsec) {
        static const char *const formats[] = {
                "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M",
                "%Y-%m-%d",          "%H:%M:%S",          "%H:%M",
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
                        return local_time(&tm, ret_nsec);
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

        if (*s == '-') {
                s++;
                n--;
        }
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
        const char *digits = *s == '@' ? s + 1 : s;
        uint64_t n = 0;

        if (*digits && digits[strspn(digits, "0123456789")] == '\0') {
                if (pl_parse_uint64(digits, &n) < 0 || n > UINT64_MAX / nsec_per_sec)
                        return -EINVAL;
                *ret_nsec = n * nsec_per_sec;
                return 0;
        }
        if (pl_parse_time(s, strlen(s), PL_TIME_RFC3339, ret_nsec) == 0)
                return 0;
        if (parse_word(s, now_usec, ret_nsec) == 0 || parse_date(s, now_usec, ret_nsec) == 0)
                return 0;
        return parse_span(s, now_usec, ret_nsec);
}
