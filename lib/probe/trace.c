/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Trace: see the header. Secrets are cut from what was kept, before anything is shortened to what
 * is shown: half a secret is still one.
 */

#include "lib/probe/trace.h"

#include <strings.h>

#include "lib/base/json.h"
#include "lib/base/quote.h"

#define ENTRIES_MAX 96
#define ENTRY_BYTES KIB(4)  /* kept of one answer */
#define TRACE_BYTES KIB(32) /* … and of the whole conversation */
#define SHOWN_MAX   480     /* of a body or an answer */
#define LINE_MAX    240     /* of a header line, or of our own words */

typedef struct Entry {
        PlTraceKind kind;
        uint64_t usec;
        char *data;
        size_t n, total; /* kept, and that there was */
} Entry;

struct PlTrace {
        Entry entries[ENTRIES_MAX];
        size_t n;
        size_t n_bytes;
};

static const char *const words[_PL_TRACE_KIND_N] = {
        [PL_TRACE_ADDRESS] = "address",   [PL_TRACE_FAILED] = "failed",
        [PL_TRACE_TLS] = "tls",           [PL_TRACE_SENT] = "sent",
        [PL_TRACE_RECEIVED] = "received", [PL_TRACE_HEAD] = "status",
        [PL_TRACE_BODY] = "body",         [PL_TRACE_NOTE] = "note",
};

PlTrace *pl_trace_new(void) {
        return calloc(1, sizeof(PlTrace));
}

PlTrace *pl_trace_free(PlTrace *t) {
        if (!t)
                return NULL;
        for (size_t i = 0; i < t->n; i++) {
                if (t->entries[i].data)
                        explicit_bzero(t->entries[i].data, t->entries[i].n);
                free(t->entries[i].data);
        }
        free(t);
        return NULL;
}

/* --- what is kept */

static bool begins_response(const void *data, size_t n) {
        return n >= 5 && memcmp(data, "HTTP/", 5) == 0;
}

/* The entry that this is a piece of, or a new one; NULL: there is no room. */
static Entry *entry_for(PlTrace *t, uint64_t usec, PlTraceKind kind, const void *data, size_t n) {
        Entry *last = t->n > 0 ? &t->entries[t->n - 1] : NULL;
        bool pieces = kind == PL_TRACE_RECEIVED || kind == PL_TRACE_BODY ||
                      (kind == PL_TRACE_HEAD && !begins_response(data, n));

        if (last && last->kind == kind && pieces)
                return last;
        if (t->n == ENTRIES_MAX)
                return NULL;
        t->entries[t->n] = (Entry){ .kind = kind, .usec = usec };
        return &t->entries[t->n++];
}

void pl_trace_add(PlTrace *t, uint64_t usec, PlTraceKind kind, const void *data, size_t n) {
        Entry *e = t ? entry_for(t, usec, kind, data, n) : NULL;
        bool whole = e && e->n == e->total;
        size_t take;
        char *bigger;

        if (!e)
                return;
        e->total += n;
        take = PL_MIN(n, PL_MIN((size_t)ENTRY_BYTES - e->n, (size_t)TRACE_BYTES - t->n_bytes));
        /* a hole in the middle would join what does not belong together */
        if (take == 0 || !whole)
                return;
        bigger = malloc(e->n + take);
        if (!bigger)
                return;
        if (e->n > 0) {
                memcpy(bigger, e->data, e->n);
                explicit_bzero(e->data, e->n);
        }
        memcpy(bigger + e->n, data, take);
        free(e->data);
        e->data = bigger;
        e->n += take;
        t->n_bytes += take;
}

/* --- what is shown */

/* Headers that explain an answer. NULL: the whole value is told. */
static const struct {
        const char *name;
        char end; /* what follows this is cut; '\0': nothing is; '\1': all is */
} headers[] = {
        { "Server", '\0' },
        { "Via", '\0' },
        { "X-Powered-By", '\0' },
        { "Content-Type", '\0' },
        { "Content-Length", '\0' },
        { "Transfer-Encoding", '\0' },
        { "Connection", '\0' },
        { "Host", '\0' },
        { "User-Agent", '\0' },
        { "Retry-After", '\0' },
        { "Strict-Transport-Security", '\0' },
        { "Location", '?' },
        { "WWW-Authenticate", ' ' }, /* RFC 9110, 11.6.1: scheme, then parameters */
        { "Proxy-Authenticate", ' ' },
        { "Authorization", ' ' }, /* scheme, then credentials */
        { "Proxy-Authorization", ' ' },
        { "Cookie", '\1' },
        { "Set-Cookie", '\1' },
};

typedef struct Line {
        char text[2 * LINE_MAX];
        size_t n;
} Line;

static void put(Line *l, const char *data, size_t n) {
        n = PL_MIN(n, sizeof(l->text) - 1 - l->n);
        memcpy(l->text + l->n, data, n);
        l->n += n;
        l->text[l->n] = '\0';
}

/* Up to the end mark, which is kept when anything follows it. */
static void put_until(Line *l, const char *data, size_t n, char end) {
        const char *at = end == '\1' ? data : memchr(data, end, n);

        if (end == '\0' || !at || at + 1 >= data + n) {
                put(l, data, n);
                return;
        }
        put(l, data, (size_t)(at - data) + (end != '\1'));
        put(l, PL_SECRETS_MARK, strlen(PL_SECRETS_MARK));
}

/* "scheme://user:password@host…": the part before the host is nobody's business. */
static void put_url(Line *l, const char *data, size_t n) {
        const char *scheme = memmem(data, n, "//", 2), *at, *end = data + n;
        const char *host = scheme ? scheme + 2 : NULL, *path;

        if (host && (path = memchr(host, '/', (size_t)(end - host))))
                at = memrchr(host, '@', (size_t)(path - host));
        else
                at = host ? memrchr(host, '@', (size_t)(end - host)) : NULL;
        if (at) {
                put(l, data, (size_t)(host - data));
                put(l, PL_SECRETS_MARK, strlen(PL_SECRETS_MARK));
                data = at;
        }
        put_until(l, data, (size_t)(end - data), '?');
}

/* Return: whether there is something to tell of this header line. */
static bool put_header(Line *l, const char *line, size_t n) {
        const char *colon = memchr(line, ':', n), *value;

        if (!colon)
                return false;
        for (value = colon + 1; value < line + n && (*value == ' ' || *value == '\t');)
                value++;
        for (size_t i = 0; i < PL_ARRAY_SIZE(headers); i++) {
                size_t rest = (size_t)(line + n - value);

                if (strlen(headers[i].name) != (size_t)(colon - line) ||
                    strncasecmp(headers[i].name, line, (size_t)(colon - line)) != 0)
                        continue;
                put(l, headers[i].name, strlen(headers[i].name));
                put(l, ": ", 2);
                if (headers[i].end == '?')
                        put_url(l, value, rest);
                else
                        put_until(l, value, rest, headers[i].end);
                return true;
        }
        return false;
}

/* "GET /path?query HTTP/1.1": what is asked for, without the query. */
static void put_request(Line *l, const char *line, size_t n) {
        const char *query = memchr(line, '?', n);
        const char *version = memrchr(line, ' ', n);

        if (!query || !version || version < query) {
                put(l, line, n);
                return;
        }
        put_until(l, line, (size_t)(version - line), '?');
        put(l, version, (size_t)(line + n - version));
}

static bool tell(json_t *list, const Entry *e, const char *what, const char *text, size_t n) {
        _cleanup_free_ char *copy = strndup(text, n); /* a NUL ends it */
        _cleanup_free_ char *escaped = copy ? pl_escape_again(copy, (size_t)2 * SHOWN_MAX) : NULL;
        json_t *o = escaped ? json_object() : NULL;

        if (o && pl_json_put_number(o, "after_usec", e->usec) &&
            pl_json_put(o, "what", json_string(what)) &&
            pl_json_put(o, "text", json_string(escaped)))
                return json_array_append_new(list, o) == 0;
        json_decref(o);
        return false;
}

/* @first: what the first line is called; the others are headers */
static bool tell_head(json_t *list, const Entry *e, const char *first, const char *data, size_t n) {
        bool ok = true, begun = false;

        while (ok && n > 0) {
                const char *newline = memchr(data, '\n', n);
                size_t size = newline ? (size_t)(newline - data) + 1 : n, text = size;
                Line l = {};

                while (text > 0 && (data[text - 1] == '\n' || data[text - 1] == '\r'))
                        text--;
                if (!begun) {
                        put_request(&l, data, text);
                        ok = tell(list, e, first, l.text, l.n);
                } else if (text > 0 && put_header(&l, data, text)) {
                        ok = tell(list, e, "header", l.text, l.n);
                }
                begun = true;
                data += size;
                n -= size;
        }
        return ok;
}

/* Text as it is, but line ends as \r and \n, and other controls as dots, as dumps have them. */
static bool tell_bytes(json_t *list, const Entry *e, const char *data, size_t n) {
        char text[SHOWN_MAX + 64];
        size_t used = 0, i = 0;

        for (uint32_t c = 0; i < n && used + 4 < SHOWN_MAX; i++) {
                size_t size = pl_utf8_decode(data + i, n - i, &c);

                if (data[i] == '\r' || data[i] == '\n') {
                        text[used++] = '\\';
                        text[used++] = data[i] == '\r' ? 'r' : 'n';
                } else if (size == 0 || c < 0x20 || c == 0x7f) {
                        text[used++] = '.';
                } else {
                        memcpy(text + used, data + i, size);
                        used += size;
                        i += size - 1;
                }
        }
        if (i < n || e->n < e->total)
                used += (size_t)snprintf(text + used, sizeof(text) - used, "… (%zu bytes in all)",
                                         e->total);
        return tell(list, e, words[e->kind], text, used);
}

static bool is_head(const Entry *e) {
        return e->kind == PL_TRACE_HEAD ||
               (e->kind == PL_TRACE_SENT && e->n > 0 && memmem(e->data, e->n, " HTTP/1.", 8));
}

/* What the service, or somebody on its behalf, has put into the entry. */
static bool is_foreign(const Entry *e) {
        return e->kind == PL_TRACE_SENT || e->kind == PL_TRACE_RECEIVED ||
               e->kind == PL_TRACE_HEAD || e->kind == PL_TRACE_BODY || e->kind == PL_TRACE_TLS;
}

static bool tell_size(json_t *list, const Entry *e) {
        char text[LINE_MAX];
        int n = snprintf(
                        text, sizeof(text),
                        "%zu bytes, not shown: the container's environment, which they may repeat, "
                        "is not known",
                        e->total);

        return tell(list, e, words[e->kind], text, (size_t)n);
}

static bool tell_entry(json_t *list, const Entry *e, const PlSecrets *secrets) {
        size_t n = e->n;
        char *clean;
        bool ok;

        if (!is_foreign(e))
                return tell(list, e, words[e->kind], e->data ?: "", PL_MIN(n, (size_t)LINE_MAX));
        if (!secrets)
                return tell_size(list, e);
        clean = pl_secrets_cut(secrets, e->data ?: "", e->n, e->n < e->total, &n);
        if (!clean)
                return false;
        if (is_head(e))
                ok = tell_head(list, e, words[e->kind], clean, n);
        else
                ok = tell_bytes(list, e, clean, n);
        free(clean);
        return ok;
}

json_t *pl_trace_json(const PlTrace *t, const PlSecrets *secrets) {
        json_t *list = json_array();

        for (size_t i = 0; list && i < t->n; i++)
                if (!tell_entry(list, &t->entries[i], secrets)) {
                        json_decref(list);
                        return NULL;
                }
        return list;
}
