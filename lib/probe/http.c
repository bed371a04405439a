/* SPDX-License-Identifier: Apache-2.0 */

/*
 * HTTP probes: what all kinds share: transport errors, expectations, the table of kinds.
 *
 * A status is never believed where the kind has a body that says more: services answer 200 and
 * write "unhealthy" below it.
 */

#include "lib/probe/http.h"

#include <strings.h>

#include "lib/base/quote.h"
#include "lib/probe/http-kind.h"

static const PlHttpKind *const kinds[_PL_PROBE_N] = {
        [PL_PROBE_AIRFLOW] = &pl_http_kind_airflow,
        [PL_PROBE_GRAFANA] = &pl_http_kind_grafana,
        [PL_PROBE_OLLAMA] = &pl_http_kind_ollama,
        [PL_PROBE_MLFLOW] = &pl_http_kind_mlflow,
        [PL_PROBE_PROMETHEUS] = &pl_http_kind_prometheus,
        [PL_PROBE_HTTP] = &pl_http_kind_generic,
};

bool pl_probe_is_http(PlProbeKind k) {
        return (unsigned)k < _PL_PROBE_N && kinds[k];
}

uint16_t pl_probe_default_port(PlProbeKind k) {
        if (k == PL_PROBE_POSTGRES)
                return 5432;
        if (k == PL_PROBE_REDIS)
                return 6379;
        return pl_probe_is_http(k) ? kinds[k]->port : 0;
}

void pl_probe_http_begin(PlHttpProbe *p) {
        p->step = 0;
        p->status = 0;
}

const char *pl_probe_http_path(const PlHttpSpec *s, const PlHttpProbe *p) {
        const char *path = kinds[s->kind]->path(s, p);

        return path && path[0] == '/' ? path : "/";
}

void pl_http_up(PlVerdict *ret) {
        pl_verdict_set(ret, PL_VERDICT_UP, "", "%s", "");
}

static const struct {
        PlVerdictKind kind;
        const char *code, *reason;
} errors[_PL_HTTP_ERROR_N] = {
        [PL_HTTP_REFUSED] = { PL_VERDICT_DOWN, "refused", "connection refused" },
        [PL_HTTP_UNREACHABLE] = { PL_VERDICT_DOWN, "unreachable", "address unreachable" },
        [PL_HTTP_TIMEOUT] = { PL_VERDICT_DOWN, "timeout",
                              "no complete answer within the deadline" },
        [PL_HTTP_CLOSED] = { PL_VERDICT_DOWN, "closed",
                             "the connection was closed without an answer" },
        [PL_HTTP_GARBAGE] = { PL_VERDICT_DOWN, "garbage", "the answer is not HTTP" },
        [PL_HTTP_TLS] = { PL_VERDICT_DEGRADED, "tls",
                          "it speaks TLS on this port, the probe does not: set ProbePort= to a "
                          "plain port, or Probe=tcp" },
        [PL_HTTP_LOCAL] = { PL_VERDICT_NONE, "local", "the probe could not be sent" },
};

void pl_probe_transport(PlHttpError error, PlVerdict *ret) {
        PlHttpError e = (unsigned)error < _PL_HTTP_ERROR_N ? error : PL_HTTP_GARBAGE;

        pl_verdict_set(ret, errors[e].kind, errors[e].code, "%s", errors[e].reason);
}

static void judge_error(const PlHttpAnswer *a, PlVerdict *ret) {
        PlHttpError e = a->error;

        pl_probe_transport(e, ret);
        if (!a->got_status)
                return;
        if (e == PL_HTTP_TIMEOUT)
                pl_verdict_set(ret, PL_VERDICT_DOWN, "timeout",
                               "HTTP %u, but the answer did not end within the deadline",
                               a->status);
        else if (e == PL_HTTP_CLOSED)
                pl_verdict_set(ret, PL_VERDICT_DOWN, "closed",
                               "HTTP %u, but the connection was closed in the middle of the answer",
                               a->status);
        else if (e == PL_HTTP_GARBAGE)
                pl_verdict_set(ret, PL_VERDICT_DOWN, "garbage",
                               "HTTP %u, but what follows is not valid HTTP", a->status);
}

/* The value of a header, without the blanks around it; NULL: not there. */
static const char *find_header(const char *headers, const char *name, size_t *ret_n) {
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

static void unmet(const PlExpect *e, const char *what, PlVerdict *ret) {
        char quoted[72];

        pl_verdict_set(ret, PL_VERDICT_DOWN, "expect", "%s; ProbeExpect=%s", what,
                       pl_quote(e->text, strlen(e->text), quoted, sizeof(quoted)));
}

/* RFC 6901. Return: borrowed, or NULL. */
static const json_t *resolve(const json_t *v, const char *pointer) {
        while (*pointer && v) {
                char key[256];
                size_t n = 0;

                pointer++; /* the slash */
                for (; *pointer && *pointer != '/'; pointer++) {
                        char c = *pointer;

                        if (c == '~')
                                c = *++pointer == '0' ? '~' : '/';
                        if (n + 1 == sizeof(key))
                                return NULL;
                        key[n++] = c;
                }
                key[n] = '\0';
                if (json_is_object(v)) {
                        v = json_object_get(v, key);
                } else if (json_is_array(v)) {
                        size_t digits = strspn(key, "0123456789");

                        if (n == 0 || n > 6 || digits != n || (n > 1 && key[0] == '0'))
                                return NULL;
                        v = json_array_get(v, strtoul(key, NULL, 10));
                } else {
                        return NULL;
                }
        }
        return v;
}

static void check_json(const PlExpect *e, const PlHttpAnswer *a, PlVerdict *ret) {
        json_t *root = json_loadb(a->body ? a->body : "", a->body_size, JSON_DECODE_ANY, NULL);
        const json_t *v = root ? resolve(root, e->name) : NULL;
        char seen[64], quoted[48];
        bool met;

        if (!root)
                unmet(e, a->body_cut ? "the answer is longer than 64K" : "the answer is not JSON",
                      ret);
        else if (!v || json_is_null(v)) {
                if (v && e->value && pl_streq(e->value, "null"))
                        pl_http_up(ret);
                else
                        unmet(e, v ? "it is null" : "it is not in the answer", ret);
        } else if (!e->value) {
                pl_http_up(ret);
        } else {
                _cleanup_free_ char *dump =
                                json_is_string(v) ? strndup(json_string_value(v),
                                                            json_string_length(v))
                                                  : json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY |
                                                                                  JSON_SORT_KEYS);

                /* a string with an embedded NUL must not pass for its beginning */
                met = dump && pl_streq(dump, e->value) &&
                      (!json_is_string(v) || json_string_length(v) == strlen(e->value));
                if (met) {
                        pl_http_up(ret);
                } else {
                        (void)snprintf(seen, sizeof(seen), "it is %s",
                                       pl_quote(dump ? dump : "", dump ? strlen(dump) : 0, quoted,
                                                sizeof(quoted)));
                        unmet(e, seen, ret);
                }
        }
        json_decref(root);
}

static void check_body(const PlExpect *e, const PlHttpAnswer *a, PlVerdict *ret) {
        regmatch_t m = { .rm_so = 0, .rm_eo = (regoff_t)a->body_size };

        /* REG_STARTEND (a GNU and BSD extension): the body may hold NULs */
        if (a->body && regexec(&e->regex, a->body, 1, &m, REG_STARTEND) == 0)
                pl_http_up(ret);
        else
                unmet(e, "the body does not match", ret);
}

static void check_header(const PlExpect *e, const PlHttpAnswer *a, PlVerdict *ret) {
        size_t n = 0;
        const char *v = find_header(a->headers, e->name, &n);
        char seen[64], quoted[48];

        if (!v) {
                unmet(e, "the header is not there", ret);
        } else if (e->value && (n != strlen(e->value) || memcmp(v, e->value, n) != 0)) {
                (void)snprintf(seen, sizeof(seen), "it is %s",
                               pl_quote(v, n, quoted, sizeof(quoted)));
                unmet(e, seen, ret);
        } else {
                pl_http_up(ret);
        }
}

/* What the person expects comes on top of what the kind knows. Keeps a good verdict's reason. */
static void check_expectations(const PlExpectList *l, const PlHttpAnswer *a, PlVerdict *ret) {
        PlVerdict v = { .kind = PL_VERDICT_UP };

        for (size_t i = 0; l && i < l->n && v.kind == PL_VERDICT_UP; i++) {
                const PlExpect *e = &l->items[i];
                char seen[32];

                switch (e->kind) {
                case PL_EXPECT_STATUS:
                        if (!pl_expect_status(e, a->status)) {
                                (void)snprintf(seen, sizeof(seen), "HTTP %u", a->status);
                                unmet(e, seen, &v);
                        }
                        break;
                case PL_EXPECT_JSON:
                        check_json(e, a, &v);
                        break;
                case PL_EXPECT_BODY:
                        check_body(e, a, &v);
                        break;
                case PL_EXPECT_HEADER:
                        check_header(e, a, &v);
                        break;
                }
        }
        if (v.kind != PL_VERDICT_UP)
                *ret = v;
}

PlProbeStep pl_probe_http_answer(const PlHttpSpec *s, PlHttpProbe *p, const PlHttpAnswer *a,
                                 uint64_t realtime_usec, PlVerdict *ret) {
        if (a->error != PL_HTTP_OK) {
                judge_error(a, ret);
                return PL_PROBE_DONE;
        }
        if (kinds[s->kind]->answer(s, p, a, realtime_usec, ret) == PL_PROBE_MORE)
                return PL_PROBE_MORE;
        if (ret->kind == PL_VERDICT_UP)
                check_expectations(s->expect, a, ret);
        return PL_PROBE_DONE;
}

json_t *pl_http_json(const PlHttpAnswer *a, const char *product, PlVerdict *ret) {
        json_t *o = json_loadb(a->body ? a->body : "", a->body_size, 0, NULL);
        char code[8], quoted[48];

        if (json_is_object(o))
                return o;
        json_decref(o);
        (void)snprintf(code, sizeof(code), "%u", a->status % 1000);
        if (a->body_cut)
                pl_verdict_set(ret, PL_VERDICT_DOWN, code,
                               "not %s: HTTP %u with more than 64K of body", product, a->status);
        else
                pl_verdict_set(ret, PL_VERDICT_DOWN, code, "not %s: HTTP %u with \"%s\"", product,
                               a->status,
                               pl_quote(a->body ? a->body : "", PL_MIN(a->body_size, (size_t)40),
                                        quoted, sizeof(quoted)));
        return NULL;
}

void pl_http_unexpected(const PlHttpSpec *s, const PlHttpProbe *p, const PlHttpAnswer *a,
                        PlVerdict *ret) {
        const char *path = pl_probe_http_path(s, p);
        char code[8], quoted[64];

        (void)snprintf(code, sizeof(code), "%u", a->status % 1000);
        (void)pl_quote(path, strlen(path), quoted, sizeof(quoted));
        if (a->status == 404)
                pl_verdict_set(ret, PL_VERDICT_DOWN, code,
                               "HTTP 404 for %s: set ProbePath= if it is served elsewhere", quoted);
        else if (a->status == 401 || a->status == 403)
                pl_verdict_set(ret, PL_VERDICT_DOWN, code,
                               "HTTP %u for %s: if that is as it should be, set "
                               "ProbeExpect=status:%u",
                               a->status, quoted, a->status);
        else if (a->status == 429)
                pl_verdict_set(ret, PL_VERDICT_DEGRADED, code, "HTTP 429 for %s: too many requests",
                               quoted);
        else
                pl_verdict_set(ret, PL_VERDICT_DOWN, code, "HTTP %u for %s", a->status, quoted);
}

const char *pl_http_string(const json_t *o, const char *key, char *buf, size_t size) {
        const json_t *v = json_object_get(o, key);

        if (!json_is_string(v))
                return pl_quote("", 0, buf, size);
        return pl_quote(json_string_value(v), json_string_length(v), buf, size);
}

/* Generic: path and expectations are the person's. */
static const char *generic_path(const PlHttpSpec *s, const PlHttpProbe *p) {
        return s->path ? s->path : "/";
}

/* A redirect is an answer, unless it leads back to where it came from. */
static bool redirects_to_itself(const PlHttpSpec *s, const PlHttpProbe *p, const PlHttpAnswer *a) {
        const char *path = pl_probe_http_path(s, p);
        size_t n = 0;
        const char *location = find_header(a->headers, "Location", &n);

        if (!location)
                return false;
        if (n >= 7 && strncasecmp(location, "http://", 7) == 0) {
                const char *slash = memchr(location + 7, '/', n - 7);

                n = slash ? n - (size_t)(slash - location) : 0;
                location = slash;
        }
        return n == strlen(path) && memcmp(location, path, n) == 0;
}

static PlProbeStep generic_answer(const PlHttpSpec *s, PlHttpProbe *p, const PlHttpAnswer *a,
                                  uint64_t realtime_usec, PlVerdict *ret) {
        char code[8];

        if (s->expect && s->expect->has_status) {
                pl_http_up(ret); /* the expectation decides */
        } else if (a->status >= 300 && a->status < 400 && redirects_to_itself(s, p, a)) {
                (void)snprintf(code, sizeof(code), "%u", a->status);
                pl_verdict_set(ret, PL_VERDICT_DOWN, code, "HTTP %u that redirects to itself",
                               a->status);
        } else if (a->status >= 200 && a->status < 400) {
                pl_http_up(ret);
        } else {
                pl_http_unexpected(s, p, a, ret);
        }
        return PL_PROBE_DONE;
}

const PlHttpKind pl_http_kind_generic = { 0, generic_path, generic_answer };
