/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Answer: see the header.
 */

#include "lib/probe/answer.h"

#include <strings.h>

#include "lib/base/quote.h"

static const struct {
        PlVerdictKind kind;
        const char *code, *reason;
} errors[_PL_HTTP_ERROR_N] = {
        [PL_HTTP_REFUSED] = { PL_VERDICT_SILENT, "refused", "connection refused" },
        [PL_HTTP_UNREACHABLE] = { PL_VERDICT_DISPUTED, "unreachable", "address unreachable" },
        [PL_HTTP_TIMEOUT] = { PL_VERDICT_SILENT, "timeout",
                              "no complete answer within the deadline" },
        [PL_HTTP_CLOSED] = { PL_VERDICT_SILENT, "closed",
                             "the connection was closed without an answer" },
        [PL_HTTP_GARBAGE] = { PL_VERDICT_DISPUTED, "garbage",
                              "the answer is not HTTP: set ProbePort= to the port that speaks it, "
                              "or Probe=tcp" },
        [PL_HTTP_TLS] = { PL_VERDICT_DISPUTED, "tls", PL_VERDICT_TLS },
        [PL_HTTP_LOCAL] = { PL_VERDICT_NONE, "local", "the probe could not be sent" },
};

void pl_probe_transport(PlHttpError error, PlVerdict *ret) {
        PlHttpError e = (unsigned)error < _PL_HTTP_ERROR_N ? error : PL_HTTP_GARBAGE;

        pl_verdict_set(ret, errors[e].kind, errors[e].code, "%s", errors[e].reason);
}

void pl_answer_error(const PlHttpAnswer *a, PlVerdict *ret) {
        static const struct {
                PlHttpError error;
                const char *what;
        } begun[] = {
                { PL_HTTP_TIMEOUT, "but the answer did not end within the deadline" },
                { PL_HTTP_CLOSED, "but the connection was closed in the middle of the answer" },
                { PL_HTTP_GARBAGE, "but what follows is not valid HTTP" },
        };

        pl_probe_transport(a->error, ret);
        for (size_t i = 0; a->got_status && i < PL_ARRAY_SIZE(begun); i++)
                if (begun[i].error == a->error)
                        pl_verdict_set(ret, PL_VERDICT_DISPUTED, errors[a->error].code,
                                       "HTTP %u, %s", a->status, begun[i].what);
}

const char *pl_answer_header(const char *headers, const char *name, size_t *ret_n) {
        size_t len = strlen(name);

        for (const char *p = headers; p && *p;) {
                const char *end = strpbrk(p, "\r\n");
                size_t n = end ? (size_t)(end - p) : strlen(p);

                if (n > len && p[len] == ':' && strncasecmp(p, name, len) == 0) {
                        const char *v = p + len + 1;
                        const char *stop = p + n;

                        while (v < stop && (*v == ' ' || *v == '\t'))
                                v++;
                        while (stop > v && (stop[-1] == ' ' || stop[-1] == '\t'))
                                stop--;
                        *ret_n = (size_t)(stop - v);
                        return v;
                }
                p = end ? end + strspn(end, "\r\n") : NULL;
        }
        return NULL;
}

static const char *code_of(const PlHttpAnswer *a, char buf[static 8]) {
        (void)snprintf(buf, 8, "%u", a->status % 1000);
        return buf;
}

json_t *pl_answer_json(const PlHttpAnswer *a, const char *product, PlVerdict *ret) {
        json_t *o = json_loadb(a->body ? a->body : "", a->body_size, 0, NULL);
        char code[8], quoted[48];

        if (json_is_object(o))
                return o;
        json_decref(o);
        if (a->body_cut)
                pl_verdict_set(ret, PL_VERDICT_DISPUTED, code_of(a, code),
                               "not %s: HTTP %u with more than 64K of body", product, a->status);
        else
                pl_verdict_set(ret, PL_VERDICT_DISPUTED, code_of(a, code),
                               "not %s: HTTP %u with \"%s\"", product, a->status,
                               pl_quote(a->body ? a->body : "", PL_MIN(a->body_size, (size_t)40),
                                        quoted, sizeof(quoted)));
        return NULL;
}

const char *pl_answer_text(const json_t *o, const char *key, char *buf, size_t size) {
        const json_t *v = json_object_get(o, key);

        if (!json_is_string(v))
                return pl_quote("", 0, buf, size);
        return pl_quote(json_string_value(v), json_string_length(v), buf, size);
}

/* What a body says of a failure: Ollama's "error", MLflow's and Grafana's "message", FastAPI's
 * "detail". Return: buf, ": "text"", or "". */
static const char *error_text(const PlHttpAnswer *a, char *buf, size_t size) {
        static const char *const keys[] = { "error", "message", "detail" };
        json_t *o = json_loadb(a->body ? a->body : "", a->body_size, 0, NULL);
        char text[88] = "";

        for (size_t i = 0; o && !*text && i < PL_ARRAY_SIZE(keys); i++) {
                const json_t *v = json_object_get(o, keys[i]);

                if (json_is_object(v))
                        (void)pl_answer_text(v, "message", text, sizeof(text));
                else
                        (void)pl_answer_text(o, keys[i], text, sizeof(text));
        }
        json_decref(o);
        (void)snprintf(buf, size, *text ? ": \"%s\"" : "%s", text);
        return buf;
}

/* --- redirects --- */

static bool is_redirect(unsigned status) {
        return (status >= 301 && status <= 303) || status == 307 || status == 308;
}

/* Host and port of "host", "host:port", "[::1]:port". Return: false: neither. */
static bool split_authority(const char *s, size_t n, size_t *ret_host, uint16_t *ret_port) {
        const char *end = s + n, *p = n > 0 && *s == '[' ? memchr(s, ']', n) : s;
        unsigned long port = 0;

        if (n == 0 || !p || memchr(s, '@', n))
                return false;
        p = memchr(p, ':', (size_t)(end - p));
        *ret_host = p ? (size_t)(p - s) : n;
        if (p)
                for (p++; p < end && *p >= '0' && *p <= '9' && port <= UINT16_MAX; p++)
                        port = port * 10 + (unsigned long)(*p - '0');
        if ((p && p < end) || port > UINT16_MAX || *ret_host == 0)
                return false;
        *ret_port = (uint16_t)port;
        return true;
}

static bool same_text(const char *s, size_t n, const char *other, size_t n_other) {
        return n == n_other && strncasecmp(s, other, n) == 0;
}

enum {
        HERE_NOT,
        HERE_PLACE, /* host and port are those that were asked */
        HERE_NAME,  /* a name of the service's, whatever the port */
};

/* Is it the service that was asked? @standard: the scheme's port, where none is written */
static int is_here(const PlHttpAnswer *a, const char *s, size_t n, uint16_t standard, uint16_t port,
                   const char *host) {
        static const char *const local[] = { "localhost", "127.0.0.1", "[::1]", "0.0.0.0" };
        size_t n_host, n_asked = 0;
        uint16_t there, asked = 0;

        if (!split_authority(s, n, &n_host, &there))
                return HERE_NOT;
        if (host && same_text(s, n_host, host, strlen(host)))
                return HERE_NAME;
        there = there ? there : standard;
        if (a->asked && !split_authority(a->asked, strlen(a->asked), &n_asked, &asked))
                return HERE_NOT;
        if (there != (asked ? asked : 80) && (port == 0 || there != port))
                return HERE_NOT;
        if (a->asked && same_text(s, n_host, a->asked, n_asked))
                return HERE_PLACE;
        for (size_t i = 0; i < PL_ARRAY_SIZE(local); i++)
                if (same_text(s, n_host, local[i], strlen(local[i])))
                        return HERE_PLACE;
        return HERE_NOT;
}

/* An absolute path, or one that is relative to the asked one. Return: false: none to be asked. */
static bool resolve_path(const char *path, const char *s, size_t n,
                         char ret[static PL_HTTP_PATH_MAX]) {
        const char *hash = memchr(s, '#', n);
        size_t keep = 0;

        n = hash ? (size_t)(hash - s) : n;
        if (n >= 2 && memcmp(s, "./", 2) == 0) {
                s += 2;
                n -= 2;
        }
        for (size_t i = 0; i < n; i++)
                if ((unsigned char)s[i] <= ' ' || s[i] == '\\' || (unsigned char)s[i] >= 0x7f)
                        return false;
        if (n == 0 || *s != '/') {
                keep = strcspn(path, "?");
                if (n > 0 && *s != '?')
                        while (keep > 0 && path[keep - 1] != '/')
                                keep--;
        }
        if (keep + n + 1 > PL_HTTP_PATH_MAX || keep + n == 0 || memmem(s, n, "/../", 4) ||
            (n >= 3 && memcmp(s, "../", 3) == 0))
                return false;
        memcpy(ret, path, keep);
        memcpy(ret + keep, s, n);
        ret[keep + n] = '\0';
        return ret[0] == '/';
}

PlLead pl_answer_lead(const PlHttpAnswer *a, const char *path, uint16_t port, const char *host,
                      char ret[static PL_HTTP_PATH_MAX]) {
        size_t n = 0, authority;
        const char *s = pl_answer_header(a->headers, "Location", &n);
        bool tls = false;
        int here;

        if (!is_redirect(a->status) || !s || n == 0)
                return PL_LEAD_NONE;
        if (n >= 7 && strncasecmp(s, "http://", 7) == 0) {
                s += 7;
                n -= 7;
        } else if (n >= 8 && strncasecmp(s, "https://", 8) == 0) {
                tls = true;
                s += 8;
                n -= 8;
        } else if (n >= 2 && memcmp(s, "//", 2) == 0) {
                s += 2;
                n -= 2;
        } else if (memchr(s, ':', n) && strcspn(s, ":") < strcspn(s, "/?#")) {
                return PL_LEAD_ELSEWHERE; /* another scheme */
        } else {
                if (!resolve_path(path, s, n, ret))
                        return PL_LEAD_NONE;
                return pl_streq(ret, path) ? PL_LEAD_ITSELF : PL_LEAD_HERE;
        }
        for (authority = 0; authority < n && !strchr("/?#", s[authority]); authority++)
                ;
        here = is_here(a, s, authority, tls ? 443 : 80, port, host);
        if (here == HERE_NOT)
                return PL_LEAD_ELSEWHERE;
        if (authority == n || s[authority] != '/') {
                s = "/";
                n = 1;
        } else {
                s += authority;
                n -= authority;
        }
        if (!resolve_path(path, s, n, ret))
                return PL_LEAD_NONE;
        /* by its name it may be reached through a proxy, which has the TLS, and says the path */
        if (tls && (here == HERE_PLACE || pl_streq(ret, path)))
                return PL_LEAD_TLS;
        return pl_streq(ret, path) ? PL_LEAD_ITSELF : PL_LEAD_HERE;
}

/* --- statuses --- */

static void redirected(const PlHttpAnswer *a, const char *path, PlVerdict *ret) {
        size_t n = 0;
        const char *to = pl_answer_header(a->headers, "Location", &n), *query, *user;
        char code[8], quoted[96];

        if (!to || n == 0) {
                pl_verdict_set(ret, PL_VERDICT_DISPUTED, code_of(a, code),
                               "HTTP %u for %s, and no Location: if that is as it should be, set "
                               "ProbeExpect=status:%u",
                               a->status, path, a->status);
                return;
        }
        /* what may be a secret in it: a query, a user's password */
        query = memchr(to, '?', n);
        n = query ? (size_t)(query - to) : n;
        user = memrchr(to, '@', n);
        if (user) {
                n -= (size_t)(user + 1 - to);
                to = user + 1;
        }
        pl_verdict_set(ret, PL_VERDICT_DISPUTED, code_of(a, code),
                       "HTTP %u for %s leads to %s: set ProbePath= or ProbeHost= if that is the "
                       "service itself, else ProbeExpect=status:%u",
                       a->status, path, pl_quote(to, n, quoted, sizeof(quoted)), a->status);
}

static void refused(const PlHttpAnswer *a, const char *path, PlVerdict *ret) {
        char code[8];

        /* MLflow's and Starlette's words; the Host header is the address unless the policy says */
        if (a->body && memmem(a->body, a->body_size, "nvalid ", 7) &&
            (memmem(a->body, a->body_size, "Host header", 11) ||
             memmem(a->body, a->body_size, "host header", 11)))
                pl_verdict_set(ret, PL_VERDICT_DISPUTED, code_of(a, code),
                               "HTTP %u for %s: it does not serve the host that was asked; set "
                               "ProbeHost= to one that it allows",
                               a->status, path);
        else if (a->status == 401 || a->status == 403)
                pl_verdict_set(ret, PL_VERDICT_DISPUTED, code_of(a, code),
                               "HTTP %u for %s: it wants authentication; if that is as it should "
                               "be, set ProbeExpect=status:%u",
                               a->status, path, a->status);
        else
                pl_verdict_set(ret, PL_VERDICT_DISPUTED, code_of(a, code),
                               "HTTP %u for %s: if that is as it should be, set "
                               "ProbeExpect=status:%u",
                               a->status, path, a->status);
}

void pl_answer_unexpected(const PlHttpAnswer *a, const char *path, PlVerdict *ret) {
        char code[8], quoted[64], text[100];

        (void)pl_quote(path, strlen(path), quoted, sizeof(quoted));
        if (a->status >= 500 && a->status < 600)
                pl_verdict_set(ret, PL_VERDICT_IMPAIRED, code_of(a, code), "HTTP %u for %s%s",
                               a->status, quoted, error_text(a, text, sizeof(text)));
        else if (a->status >= 300 && a->status < 400)
                redirected(a, quoted, ret);
        else if (a->status == 404)
                pl_verdict_set(ret, PL_VERDICT_DISPUTED, code_of(a, code),
                               "HTTP 404 for %s: set ProbePath= to where it is served", quoted);
        else if (a->status == 429)
                pl_verdict_set(ret, PL_VERDICT_IMPAIRED, code_of(a, code),
                               "HTTP 429 for %s: too many requests", quoted);
        else
                refused(a, quoted, ret);
}
