/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Parsing goes from the right, where every field has a fixed form, and accepts exactly what
 * formatting makes: a stray file in the archive directory is never taken for an archive.
 */

#include "lib/logs/archive-name.h"

#include <errno.h>
#include <time.h>

#define TIME_CHARS 16 /* 20260102T030405Z */
#define TAIL_MAX   (1 + 12 + 1 + 20 + 1 + TIME_CHARS + 1 + TIME_CHARS + sizeof(PL_ARCHIVE_SUFFIX))

static bool is_plain(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '-' || c == '.';
}

static void clean(const char *s, size_t max, char *ret) {
        size_t n = 0;

        for (; s[n] && n < max; n++)
                ret[n] = is_plain(s[n]) ? s[n] : '_';
        ret[n] = '\0';
        if (ret[0] == '.' || ret[0] == '\0') {
                ret[0] = '_';
                ret[PL_MAX(n, (size_t)1)] = '\0';
        }
}

static int format_time(uint64_t sec, char ret[static TIME_CHARS + 1]) {
        time_t t = (time_t)sec;
        struct tm tm;

        if (sec > UINT64_C(253402300799) || !gmtime_r(&t, &tm)) /* 9999-12-31 */
                return -ERANGE;
        return strftime(ret, TIME_CHARS + 1, "%Y%m%dT%H%M%SZ", &tm) == TIME_CHARS ? 0 : -ERANGE;
}

static bool parse_time(const char *s, uint64_t *ret) {
        struct tm tm = { 0 };
        char text[TIME_CHARS + 1], back[TIME_CHARS + 1], *end;
        time_t t;

        memcpy(text, s, TIME_CHARS);
        text[TIME_CHARS] = '\0';
        end = strptime(text, "%Y%m%dT%H%M%SZ", &tm);
        if (!end || *end)
                return false;
        t = timegm(&tm);
        if (t < 0 || format_time((uint64_t)t, back) < 0 || !pl_streq(text, back))
                return false;
        *ret = (uint64_t)t;
        return true;
}

void pl_archive_container_name(const char *name, char ret[static PL_ARCHIVE_NAME_MAX]) {
        clean(name, PL_ARCHIVE_NAME_MAX - 1 - TAIL_MAX, ret);
}

int pl_archive_name_format(const PlArchiveName *n, char ret[static PL_ARCHIVE_NAME_MAX]) {
        char name[PL_ARCHIVE_NAME_MAX], from[TIME_CHARS + 1], to[TIME_CHARS + 1];
        int r;

        pl_archive_container_name(n->container, name);
        r = format_time(n->from_sec, from);
        if (r >= 0)
                r = format_time(n->to_sec, to);
        if (r < 0)
                return r;
        if (snprintf(ret, PL_ARCHIVE_NAME_MAX, "%s@%.12s_%06" PRIu64 "_%s_%s" PL_ARCHIVE_SUFFIX,
                     name, n->id, n->gen, from, to) >= PL_ARCHIVE_NAME_MAX)
                return -ENAMETOOLONG;
        return 0;
}

bool pl_archive_name_parse(const char *s, PlArchiveName *ret) {
        static const size_t n_suffix = sizeof(PL_ARCHIVE_SUFFIX) - 1;
        PlArchiveName n = { 0 };
        size_t size = strlen(s), digits = 0;
        const char *p, *at;

        if (size >= PL_ARCHIVE_NAME_MAX || size < n_suffix + 2 * (TIME_CHARS + 1) + 20)
                return false;
        p = s + size - n_suffix;
        if (!pl_streq(p, PL_ARCHIVE_SUFFIX))
                return false;
        p -= TIME_CHARS;
        if (!parse_time(p, &n.to_sec) || p[-1] != '_')
                return false;
        p -= 1 + TIME_CHARS;
        if (!parse_time(p, &n.from_sec) || p[-1] != '_' || n.from_sec > n.to_sec)
                return false;
        for (p -= 1; p > s && p[-1] >= '0' && p[-1] <= '9' && digits < 19; p--)
                digits++;
        n.gen = strtoull(p, NULL, 10);
        if (digits < 6 || n.gen == 0 || p - s < 15 || p[-1] != '_' || (digits > 6 && *p == '0'))
                return false;
        memcpy(n.id, p - 13, 12);
        if (strspn(n.id, "0123456789abcdef") != 12)
                return false;
        at = p - 14;
        if (*at != '@' || at == s)
                return false;
        memcpy(n.container, s, (size_t)(at - s));
        for (const char *c = n.container; *c; c++)
                if (!is_plain(*c))
                        return false;
        *ret = n;
        return true;
}

void pl_archive_dir_name(const char *service, char ret[static PL_ARCHIVE_NAME_MAX]) {
        clean(service && *service ? service : "defaults", PL_ARCHIVE_NAME_MAX - 1, ret);
}
