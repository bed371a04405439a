/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One scanner walks the members of a record in whatever order they come; memchr() does the long
 * stretches. Nothing here may read past the end it was given: lines are not NUL terminated.
 */

#include "lib/logs/jsonlog.h"

#include "lib/base/time.h"

typedef struct Scan {
        const char *p, *end;
} Scan;

static void skip_blank(Scan *s) {
        while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\r' || *s->p == '\n'))
                s->p++;
}

/* At the opening quote; leaves p after the closing one. */
static bool scan_string(Scan *s, const char **ret, size_t *ret_size) {
        const char *start, *q;

        if (s->p >= s->end || *s->p != '"')
                return false;
        start = ++s->p;
        for (;;) {
                size_t n_backslash = 0;

                q = memchr(s->p, '"', (size_t)(s->end - s->p));
                if (!q)
                        return false;
                while (q - n_backslash > start && q[-1 - (ptrdiff_t)n_backslash] == '\\')
                        n_backslash++;
                s->p = q + 1;
                if (n_backslash % 2 == 0)
                        break;
        }
        *ret = start;
        *ret_size = (size_t)(q - start);
        return true;
}

/* Any value; nested ones are balanced, not validated. */
static bool scan_value(Scan *s, const char **ret, size_t *ret_size) {
        const char *start = s->p, *text;
        size_t depth = 0, size;

        while (s->p < s->end) {
                switch (*s->p) {
                case '"':
                        if (!scan_string(s, &text, &size))
                                return false;
                        break;
                case '{':
                case '[':
                        depth++;
                        s->p++;
                        break;
                case '}':
                case ']':
                        if (depth == 0)
                                goto out;
                        depth--;
                        s->p++;
                        break;
                case ',':
                        if (depth == 0)
                                goto out;
                        s->p++;
                        break;
                default:
                        s->p++;
                        break;
                }
        }
out:
        *ret = start;
        *ret_size = (size_t)(s->p - start);
        return depth == 0 && *ret_size > 0;
}

static bool is(const char *s, size_t size, const char *word) {
        return size == strlen(word) && memcmp(s, word, size) == 0;
}

static bool parse_uint(const char *s, size_t size, uint64_t *ret) {
        uint64_t v = 0;

        if (size == 0 || size > 19)
                return false;
        for (size_t i = 0; i < size; i++) {
                if (s[i] < '0' || s[i] > '9')
                        return false;
                v = v * 10 + (uint64_t)(s[i] - '0');
        }
        *ret = v;
        return true;
}

static bool ends_in_newline(const char *s, size_t size) {
        size_t n_backslash = 0;

        if (size < 2 || s[size - 1] != 'n')
                return false;
        while (n_backslash < size - 1 && s[size - 2 - n_backslash] == '\\')
                n_backslash++;
        return n_backslash % 2 == 1;
}

static uint64_t parse_time(const char *s, size_t size) {
        uint64_t nsec;

        return pl_parse_time(s, size, PL_TIME_RFC3339, &nsec) < 0 ? 0 : nsec;
}

static bool take_member(PlJsonlogRecord *r, const char *key, size_t key_size, Scan *s) {
        const char *value;
        size_t size;
        bool is_string = s->p < s->end && *s->p == '"';

        if (is_string ? !scan_string(s, &value, &size) : !scan_value(s, &value, &size))
                return false;
        if (is(key, key_size, "log") && is_string) {
                r->kind = PL_JSONLOG_RECORD;
                r->log = value;
                r->log_size = size;
                r->partial = !ends_in_newline(value, size);
        } else if (is(key, key_size, "stream") && is_string)
                r->stream = is(value, size, "stdout")   ? PL_JSONLOG_STDOUT
                            : is(value, size, "stderr") ? PL_JSONLOG_STDERR
                                                        : PL_JSONLOG_OTHER;
        else if (is(key, key_size, "time") && is_string) {
                r->time = value;
                r->time_size = size;
                r->time_nsec = parse_time(value, size);
        } else if (is(key, key_size, "attrs") && !is_string && value[0] == '{') {
                r->attrs = value;
                r->attrs_size = size;
        } else if (is(key, key_size, "rotmark") && r->kind == PL_JSONLOG_FILLER &&
                   parse_uint(value, size, &r->marker_gen))
                r->kind = PL_JSONLOG_MARKER;
        return true;
}

PlJsonlogKind pl_jsonlog_parse(const char *line, size_t size, PlJsonlogRecord *ret) {
        PlJsonlogRecord r = { .kind = PL_JSONLOG_FILLER, .stream = PL_JSONLOG_OTHER };
        Scan s = { line, line + size };
        const char *key;
        size_t key_size;

        while (s.p < s.end && *s.p == '\0')
                s.p++;
        skip_blank(&s);
        if (s.p == s.end)
                goto done;
        if (*s.p++ != '{')
                goto damaged;
        skip_blank(&s);
        if (s.p < s.end && *s.p == '}')
                goto closed;
        for (;;) {
                skip_blank(&s);
                if (!scan_string(&s, &key, &key_size))
                        goto damaged;
                skip_blank(&s);
                if (s.p == s.end || *s.p++ != ':')
                        goto damaged;
                skip_blank(&s);
                if (!take_member(&r, key, key_size, &s))
                        goto damaged;
                skip_blank(&s);
                if (s.p == s.end)
                        goto damaged;
                if (*s.p == '}')
                        goto closed;
                if (*s.p++ != ',')
                        goto damaged;
        }
closed:
        s.p++;
        skip_blank(&s);
        if (s.p != s.end)
                goto damaged;
        /* a marker has one member and no other: {"log":…,"rotmark":…} is a record */
        if (r.kind == PL_JSONLOG_MARKER && (r.time || r.attrs))
                r.kind = PL_JSONLOG_FILLER;
        if (r.kind != PL_JSONLOG_MARKER)
                r.marker_gen = 0;
done:
        *ret = r;
        return r.kind;
damaged:
        *ret = (PlJsonlogRecord){ .kind = PL_JSONLOG_DAMAGED, .stream = PL_JSONLOG_OTHER };
        return ret->kind;
}

static int hex4(const char *s) {
        int v = 0;

        for (int i = 0; i < 4; i++) {
                char c = s[i];

                v <<= 4;
                if (c >= '0' && c <= '9')
                        v |= c - '0';
                else if (c >= 'a' && c <= 'f')
                        v |= c - 'a' + 10;
                else if (c >= 'A' && c <= 'F')
                        v |= c - 'A' + 10;
                else
                        return -1;
        }
        return v;
}

static size_t put_utf8(char *buf, uint32_t c) {
        if (c < 0x80) {
                buf[0] = (char)c;
                return 1;
        }
        if (c < 0x800) {
                buf[0] = (char)(0xc0 | c >> 6);
                buf[1] = (char)(0x80 | (c & 0x3f));
                return 2;
        }
        if (c < 0x10000) {
                buf[0] = (char)(0xe0 | c >> 12);
                buf[1] = (char)(0x80 | (c >> 6 & 0x3f));
                buf[2] = (char)(0x80 | (c & 0x3f));
                return 3;
        }
        buf[0] = (char)(0xf0 | c >> 18);
        buf[1] = (char)(0x80 | (c >> 12 & 0x3f));
        buf[2] = (char)(0x80 | (c >> 6 & 0x3f));
        buf[3] = (char)(0x80 | (c & 0x3f));
        return 4;
}

/* After "\u": decodes one code point. Return: characters of s used, 0 when it is broken. */
static size_t unescape_u(const char *s, size_t size, uint32_t *ret) {
        int hi, lo;

        hi = size >= 4 ? hex4(s) : -1;
        if (hi < 0)
                return 0;
        *ret = (uint32_t)hi;
        if (hi < 0xd800 || hi > 0xdfff)
                return 4;
        *ret = 0xfffd;
        if (hi > 0xdbff || size < 10 || s[4] != '\\' || s[5] != 'u')
                return 4;
        lo = hex4(s + 6);
        if (lo < 0xdc00 || lo > 0xdfff)
                return 4;
        *ret = 0x10000 + (((uint32_t)hi - 0xd800) << 10) + ((uint32_t)lo - 0xdc00);
        return 10;
}

size_t pl_jsonlog_unescape(const char *s, size_t size, char *buf) {
        static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
        const char *end = s + size;
        char *out = buf;

        while (s < end) {
                const char *b = memchr(s, '\\', (size_t)(end - s)), *known;
                size_t n = (size_t)((b ? b : end) - s);
                uint32_t c;

                memmove(out, s, n);
                out += n;
                s += n;
                if (!b)
                        break;
                if (++s == end)
                        break; /* a lone backslash at the end says nothing */
                known = *s ? strchr(from, *s) : NULL;
                if (known) {
                        *out++ = to[known - from];
                        s++;
                } else if (*s == 'u') {
                        n = unescape_u(s + 1, (size_t)(end - s - 1), &c);
                        if (n == 0)
                                c = '?';
                        out += put_utf8(out, c);
                        s += 1 + n;
                } else
                        *out++ = *s++;
        }
        return (size_t)(out - buf);
}

size_t pl_jsonlog_last_line_end(const char *buf, size_t size) {
        const char *nl = memrchr(buf, '\n', size);

        return nl ? (size_t)(nl - buf) + 1 : 0;
}

size_t pl_jsonlog_last_cut(const char *buf, size_t size) {
        size_t last = pl_jsonlog_last_line_end(buf, size), end = last;

        while (end > 0) {
                size_t start = pl_jsonlog_last_line_end(buf, end - 1);
                PlJsonlogRecord r;

                if (start == 0)
                        break;
                if (pl_jsonlog_parse(buf + start, end - start, &r) != PL_JSONLOG_RECORD ||
                    !r.partial)
                        return end;
                end = start;
        }
        return last;
}

void pl_jsonlog_write_marker(char *buf, size_t size, uint64_t gen) {
        char text[PL_JSONLOG_MARKER_MIN];
        int n = snprintf(text, sizeof(text), "{\"rotmark\":%" PRIu64 "}", gen);

        memset(buf, ' ', size);
        memcpy(buf, text, (size_t)n);
        buf[size - 1] = '\n';
}

void pl_jsonlog_write_filler(char *buf, size_t size) {
        memset(buf, ' ', size);
        for (size_t at = 0; at < size; at += PL_JSONLOG_FILLER_BYTES) {
                size_t n = PL_MIN(size - at, (size_t)PL_JSONLOG_FILLER_BYTES);

                if (n < 3) { /* no room for a record of its own: the one before grows */
                        buf[at - 1] = ' ';
                        buf[size - 1] = '\n';
                        return;
                }
                buf[at] = '{';
                buf[at + 1] = '}';
                buf[at + n - 1] = '\n';
        }
}

/* --- times ---------------------------------------------------------------------------------------
 */

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

uint64_t pl_jsonlog_time(const char *line, size_t size) {
        size_t n;
        const char *t = find_time(line, size, &n);

        return t ? parse_time(t, n) : 0;
}

uint64_t pl_jsonlog_first_time(const char *buf, size_t size) {
        const char *end = buf + size, *nl;

        for (; buf < end && (nl = memchr(buf, '\n', (size_t)(end - buf))); buf = nl + 1) {
                uint64_t t = pl_jsonlog_time(buf, (size_t)(nl - buf));

                if (t > 0)
                        return t;
        }
        return 0;
}

/* Two digits; negative: they are none. */
static int second_of(const char *s) {
        return s[0] >= '0' && s[0] <= '9' && s[1] >= '0' && s[1] <= '9'
                               ? (s[0] - '0') * 10 + (s[1] - '0')
                               : -1;
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
        ss = second_of(t + 17);
        if (t[n - 1] == 'Z' && ss >= 0 && s->last_minute_sec > 0 &&
            memcmp(t, s->last_minute, 17) == 0)
                sec = s->last_minute_sec + (uint64_t)ss;
        else {
                sec = parse_time(t, n) / (PL_USEC_PER_SEC * PL_NSEC_PER_USEC);
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
