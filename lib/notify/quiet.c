/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Quiet: see the header.
 */

#include "lib/notify/quiet.h"

#include <errno.h>
#include <time.h>

#define DAY_MIN (24 * 60)

/* "07:30", two digits each. Return: minutes, or -EINVAL. */
static int parse_clock(const char *s) {
        int h, m;

        for (int i = 0; i < 5; i++)
                if (i == 2 ? s[i] != ':' : s[i] < '0' || s[i] > '9')
                        return -EINVAL;
        h = (s[0] - '0') * 10 + s[1] - '0';
        m = (s[3] - '0') * 10 + s[4] - '0';
        return h < 24 && m < 60 ? h * 60 + m : -EINVAL;
}

int pl_quiet_parse(const char *s, PlQuiet *ret) {
        int from, to;

        if (strlen(s) != strlen("HH:MM-HH:MM") || s[5] != '-')
                return -EINVAL;
        from = parse_clock(s);
        to = parse_clock(s + 6);
        if (from < 0 || to < 0 || from == to)
                return -EINVAL;
        *ret = (PlQuiet){ true, (uint16_t)from, (uint16_t)to };
        return 0;
}

const char *pl_quiet_format(const PlQuiet *q, char buf[static PL_QUIET_TEXT_MAX]) {
        buf[0] = '\0';
        if (q->set)
                (void)snprintf(buf, PL_QUIET_TEXT_MAX, "%02u:%02u-%02u:%02u",
                               q->from_min / 60U % 24, q->from_min % 60U, q->to_min / 60U % 24,
                               q->to_min % 60U);
        return buf;
}

uint64_t pl_quiet_until(const PlQuiet *q, uint64_t now_usec) {
        time_t now = (time_t)(now_usec / PL_USEC_PER_SEC), end;
        int minute, left;
        struct tm tm;

        if (!q->set || !localtime_r(&now, &tm))
                return 0;
        minute = tm.tm_hour * 60 + tm.tm_min;
        if (q->from_min < q->to_min ? minute < q->from_min || minute >= q->to_min
                                    : minute < q->from_min && minute >= q->to_min)
                return 0;
        left = (q->to_min - minute + DAY_MIN) % DAY_MIN;
        /* the wall's time at the end; mktime(3) knows of a jump in between */
        if (minute + left >= DAY_MIN)
                tm.tm_mday++;
        tm.tm_hour = q->to_min / 60;
        tm.tm_min = q->to_min % 60;
        tm.tm_sec = 0;
        tm.tm_isdst = -1;
        end = mktime(&tm);
        if (end <= now) /* the hour that comes twice: its first end is over already */
                end = now + left * 60;
        return (uint64_t)end * PL_USEC_PER_SEC;
}
