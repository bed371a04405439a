/* SPDX-License-Identifier: Apache-2.0 */

/*
 * HTTP probes: what all kinds share (errors of the transport, expectations), then a part for each.
 *
 * Where a kind's body says more, the status alone is not trusted: services answer 200 and write
 * "unhealthy" below it.
 */

#include "lib/probe/http.h"

#include <jansson.h>
#include <strings.h>

#include "lib/base/quote.h"
#include "lib/base/time.h"
#include "lib/base/unit.h"

void pl_probe_http_begin(PlHttpProbe *p) {
        p->step = 0;
        p->status = 0;
}

const char *pl_probe_http_path(const PlHttpSpec *s, const PlHttpProbe *p) {
        const char *path = s->talk->path(s, p);

        return path && path[0] == '/' ? path : "/";
}

static void up(PlVerdict *ret) {
        pl_verdict_set(ret, PL_VERDICT_UP, "", "%s", "");
}

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
        [PL_HTTP_GARBAGE] = { PL_VERDICT_DISPUTED, "garbage", "the answer is not HTTP" },
        [PL_HTTP_TLS] = { PL_VERDICT_DISPUTED, "tls", PL_VERDICT_TLS },
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
                pl_verdict_set(ret, PL_VERDICT_SILENT, "timeout",
                               "HTTP %u, but the answer did not end within the deadline",
                               a->status);
        else if (e == PL_HTTP_CLOSED)
                pl_verdict_set(ret, PL_VERDICT_SILENT, "closed",
                               "HTTP %u, but the connection was closed in the middle of the answer",
                               a->status);
        else if (e == PL_HTTP_GARBAGE)
                pl_verdict_set(ret, PL_VERDICT_DISPUTED, "garbage",
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

        pl_verdict_set(ret, PL_VERDICT_DISPUTED, "expect", "%s; ProbeExpect=%s", what,
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
                        up(ret);
                else
                        unmet(e, v ? "it is null" : "it is not in the answer", ret);
        } else if (!e->value) {
                up(ret);
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
                        up(ret);
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
                up(ret);
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
                up(ret);
        }
}

static bool is_expected(const PlExpect *e, unsigned status) {
        for (unsigned i = 0; i < e->n_ranges; i++)
                if (status >= e->ranges[i].from && status <= e->ranges[i].to)
                        return true;
        return false;
}

/* The policy's expectations come on top of the kind's own check. A good verdict keeps its reason.
 */
static void check_expectations(const PlExpectList *l, const PlHttpAnswer *a, PlVerdict *ret) {
        PlVerdict v = { .kind = PL_VERDICT_UP };

        for (size_t i = 0; l && i < l->n && v.kind == PL_VERDICT_UP; i++) {
                const PlExpect *e = &l->items[i];
                char seen[32];

                switch (e->kind) {
                case PL_EXPECT_STATUS:
                        if (!is_expected(e, a->status)) {
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
        if (s->talk->answer(s, p, a, realtime_usec, ret) == PL_PROBE_MORE)
                return PL_PROBE_MORE;
        if (ret->kind == PL_VERDICT_UP)
                check_expectations(s->expect, a, ret);
        return PL_PROBE_DONE;
}

/* The body as a JSON object. Return: new reference, or NULL with *ret written ("not PRODUCT: …"),
 * for an answer of any status. */
static json_t *load_json(const PlHttpAnswer *a, const char *product, PlVerdict *ret) {
        json_t *o = json_loadb(a->body ? a->body : "", a->body_size, 0, NULL);
        char code[8], quoted[48];

        if (json_is_object(o))
                return o;
        json_decref(o);
        (void)snprintf(code, sizeof(code), "%u", a->status % 1000);
        if (a->body_cut)
                pl_verdict_set(ret, PL_VERDICT_DISPUTED, code,
                               "not %s: HTTP %u with more than 64K of body", product, a->status);
        else
                pl_verdict_set(ret, PL_VERDICT_DISPUTED, code, "not %s: HTTP %u with \"%s\"",
                               product, a->status,
                               pl_quote(a->body ? a->body : "", PL_MIN(a->body_size, (size_t)40),
                                        quoted, sizeof(quoted)));
        return NULL;
}

/* The verdict for a status that the kind does not know. */
static void unexpected(const PlHttpSpec *s, const PlHttpProbe *p, const PlHttpAnswer *a,
                       PlVerdict *ret) {
        const char *path = pl_probe_http_path(s, p);
        char code[8], quoted[64];

        (void)snprintf(code, sizeof(code), "%u", a->status % 1000);
        (void)pl_quote(path, strlen(path), quoted, sizeof(quoted));
        if (a->status == 404)
                pl_verdict_set(ret, PL_VERDICT_DISPUTED, code,
                               "HTTP 404 for %s: set ProbePath= if it is served elsewhere", quoted);
        else if (a->status == 401 || a->status == 403)
                pl_verdict_set(ret, PL_VERDICT_DISPUTED, code,
                               "HTTP %u for %s: if that is as it should be, set "
                               "ProbeExpect=status:%u",
                               a->status, quoted, a->status);
        else if (a->status == 429)
                pl_verdict_set(ret, PL_VERDICT_IMPAIRED, code, "HTTP 429 for %s: too many requests",
                               quoted);
        else
                pl_verdict_set(ret, PL_VERDICT_DISPUTED, code, "HTTP %u for %s", a->status, quoted);
}

/* A member's text, quoted into buf; "" when it is not a string. */
static const char *string_of(const json_t *o, const char *key, char *buf, size_t size) {
        const json_t *v = json_object_get(o, key);

        if (!json_is_string(v))
                return pl_quote("", 0, buf, size);
        return pl_quote(json_string_value(v), json_string_length(v), buf, size);
}

/* --- Airflow: the health document of Airflow 2 and 3, component by component.
 *
 * It is not fooled by an interface that answers 200 with a page for every path (Airflow 3 does so
 * for paths of Airflow 2). Source: Airflow documentation, "Checking Airflow Health Status": the
 * status is 200 even when a component is unhealthy; a component whose status is null is not part of
 * the deployment. */

/* Airflow's own default is 30 s (scheduler_health_check_threshold); people raise it. A component
 * that calls itself healthy is believed up to here. */
#define HEARTBEAT_CREDIBLE_USEC (10 * PL_USEC_PER_MIN)

static const struct {
        const char *key, *heartbeat;
        bool vital; /* without it nothing is scheduled */
} components[] = {
        { "metadatabase", NULL, true },
        { "scheduler", "latest_scheduler_heartbeat", true },
        { "triggerer", "latest_triggerer_heartbeat", false },
        { "dag_processor", "latest_dag_processor_heartbeat", false },
};

/* Appends "; text" within the buffer. */
static void append(char *buf, size_t size, const char *text) {
        size_t n = strlen(buf);

        (void)snprintf(buf + n, size - n, "%s%s", n > 0 ? "; " : "", text);
}

/* Is the component failing? Then what about it. */
static bool judge_component(size_t i, const json_t *o, uint64_t now, char *buf, size_t size) {
        const json_t *status = json_object_get(o, "status");
        const json_t *beat = components[i].heartbeat ? json_object_get(o, components[i].heartbeat)
                                                     : NULL;
        bool healthy = json_is_string(status) && pl_streq(json_string_value(status), "healthy");
        char quoted[32], since[PL_FORMAT_MAX];
        uint64_t at, age;

        if (!status || json_is_null(status))
                return false; /* not part of this deployment */
        if (json_is_string(beat) && pl_parse_time(json_string_value(beat), json_string_length(beat),
                                                  PL_TIME_ISO8601, &at) == 0) {
                at /= PL_NSEC_PER_USEC;
                age = now > at ? (now - at) / PL_USEC_PER_SEC * PL_USEC_PER_SEC : 0;
                if (healthy && age <= HEARTBEAT_CREDIBLE_USEC)
                        return false;
                (void)snprintf(buf, size, "%s %sheartbeat %s old", components[i].key,
                               healthy ? "calls itself healthy, but its " : "",
                               pl_format_sec(age, since));
                return true;
        }
        if (healthy)
                return false;
        if (components[i].heartbeat && json_is_null(beat))
                (void)snprintf(buf, size, "%s has never sent a heartbeat", components[i].key);
        else
                (void)snprintf(buf, size, "%s %s", components[i].key,
                               json_is_string(status)
                                               ? string_of(o, "status", quoted, sizeof(quoted))
                                               : "has a status that is no text");
        return true;
}

static bool judge_components(const json_t *root, uint64_t now, PlVerdict *ret) {
        char vital[PL_REASON_MAX] = "", other[PL_REASON_MAX] = "", one[96];
        const char *first = "";
        bool known = false;

        for (size_t i = 0; i < PL_ARRAY_SIZE(components); i++) {
                const json_t *o = json_object_get(root, components[i].key);

                if (!json_is_object(o))
                        continue;
                known = true;
                if (!judge_component(i, o, now, one, sizeof(one)))
                        continue;
                if (!*first)
                        first = components[i].key;
                append(components[i].vital ? vital : other, PL_REASON_MAX, one);
        }
        if (!known || !json_is_object(json_object_get(root, "metadatabase")))
                return false;
        if (*vital) {
                if (*other)
                        append(vital, sizeof(vital), other);
                pl_verdict_set(ret, PL_VERDICT_DISPUTED, first, "%s", vital);
        } else if (*other) {
                pl_verdict_set(ret, PL_VERDICT_IMPAIRED, first, "%s", other);
        } else {
                up(ret);
        }
        return true;
}

static bool airflow_judge(const char *body, size_t size, uint64_t realtime_usec, PlVerdict *ret) {
        json_t *root = json_loadb(body ? body : "", size, 0, NULL);
        bool known = json_is_object(root) && judge_components(root, realtime_usec, ret);

        json_decref(root);
        return known;
}

static const char *airflow_path(const PlHttpSpec *s, const PlHttpProbe *p) {
        if (s->path)
                return s->path;
        return p->variant == 0 ? "/api/v2/monitor/health" : "/health";
}

static PlProbeStep airflow_answer(const PlHttpSpec *s, PlHttpProbe *p, const PlHttpAnswer *a,
                                  uint64_t realtime_usec, PlVerdict *ret) {
        json_t *root;

        if (a->status < 500 && airflow_judge(a->body, a->body_size, realtime_usec, ret))
                return PL_PROBE_DONE;
        /* the other version's path, once a round; what answers is kept for the next round */
        if (!s->path && p->step == 0 && a->status < 500) {
                p->step = 1;
                p->variant ^= 1;
                return PL_PROBE_MORE;
        }
        if (a->status >= 300) {
                unexpected(s, p, a, ret);
                return PL_PROBE_DONE;
        }
        root = load_json(a, "Airflow", ret);
        if (root)
                pl_verdict_set(ret, PL_VERDICT_DISPUTED, "200",
                               "not Airflow: the answer does not mention a metadatabase");
        json_decref(root);
        return PL_PROBE_DONE;
}

const PlHttpTalk pl_http_airflow = { airflow_path, airflow_answer };

/* --- Ollama: does it answer, are the models there that the stack needs, and what is loaded.
 *
 * Source: Ollama API reference: GET /api/version, /api/ps (loaded: size, size_vram), /api/tags
 * (installed). A model named without a tag is "NAME:latest". The order is version, ps, tags, so
 * that the last answer brings the verdict. */

enum {
        STEP_VERSION,
        STEP_PS,
        STEP_TAGS,
};

static const char *ollama_path(const PlHttpSpec *s, const PlHttpProbe *p) {
        static const char *const paths[] = { "/api/version", "/api/ps", "/api/tags" };

        if (p->step == STEP_VERSION && s->path)
                return s->path;
        return paths[PL_MIN(p->step, (unsigned)STEP_TAGS)];
}

static uint64_t get_size(const json_t *o, const char *key) {
        const json_t *v = json_object_get(o, key);

        return json_is_integer(v) && json_integer_value(v) > 0 ? (uint64_t)json_integer_value(v)
                                                               : 0;
}

/* "llama3" and "llama3:latest" are the same; "llama3:8b" is another. */
static bool same_model(const char *have, const char *want) {
        size_t n = strlen(want);

        if (pl_streq(have, want))
                return true;
        return !strchr(want, ':') && strncmp(have, want, n) == 0 && pl_streq(have + n, ":latest");
}

static const char *model_name(const json_t *m) {
        const char *s = json_string_value(json_object_get(m, "name"));

        return s ? s : json_string_value(json_object_get(m, "model"));
}

static const json_t *find_model(const json_t *models, const char *want) {
        size_t i;
        const json_t *m;

        json_array_foreach(models, i, m) {
                const char *name = model_name(m);

                if (name && same_model(name, want))
                        return m;
        }
        return NULL;
}

static void take_loaded(const json_t *root, PlOllamaFacts *f) {
        const json_t *models = json_object_get(root, "models"), *m;
        size_t i;

        json_array_foreach(models, i, m) {
                const char *name = model_name(m);
                PlOllamaModel *to = &f->loaded[f->n_loaded];

                if (!name || f->n_loaded == PL_HTTP_OLLAMA_LOADED_MAX)
                        continue;
                (void)pl_quote(name, strlen(name), to->name, sizeof(to->name));
                to->size_bytes = get_size(m, "size");
                to->vram_bytes = PL_MIN(get_size(m, "size_vram"), to->size_bytes);
                f->n_loaded++;
        }
}

static void take_largest(const json_t *m, PlOllamaFacts *f) {
        const char *name = model_name(m);
        uint64_t size = get_size(m, "size");

        if (!f || !name || size <= f->largest_bytes)
                return;
        f->largest_bytes = size;
        (void)pl_quote(name, strlen(name), f->largest_name, sizeof(f->largest_name));
}

static PlProbeStep judge_version(const PlHttpSpec *s, PlHttpProbe *p, const PlHttpAnswer *a,
                                 PlVerdict *ret) {
        json_t *o;
        char version[32];

        if (a->status != 200) {
                unexpected(s, p, a, ret);
                return PL_PROBE_DONE;
        }
        o = load_json(a, "Ollama", ret);
        if (!o)
                return PL_PROBE_DONE;
        (void)string_of(o, "version", version, sizeof(version));
        json_decref(o);
        if (!*version) {
                pl_verdict_set(ret, PL_VERDICT_DISPUTED, "200",
                               "not Ollama: the answer has no version");
                return PL_PROBE_DONE;
        }
        up(ret);
        if (p->ollama) {
                *p->ollama = (PlOllamaFacts){ 0 };
                p->step = STEP_PS;
                return PL_PROBE_MORE;
        }
        if (s->models && s->models[0]) {
                p->step = STEP_TAGS;
                return PL_PROBE_MORE;
        }
        return PL_PROBE_DONE;
}

static void judge_tags(const PlHttpSpec *s, PlHttpProbe *p, const PlHttpAnswer *a, PlVerdict *ret) {
        json_t *o = a->status == 200 ? load_json(a, "Ollama", ret) : NULL;
        const json_t *models = json_object_get(o, "models"), *m;
        char list[120] = "", quoted[48];
        unsigned n_missing = 0;
        size_t i;

        up(ret);
        if (!s->models || !s->models[0]) {
                json_array_foreach(models, i, m) take_largest(m, p->ollama);
                json_decref(o);
                return;
        }
        if (!json_is_array(models)) {
                json_decref(o);
                pl_verdict_set(ret, PL_VERDICT_IMPAIRED, "tags",
                               "it answers, but does not list its models (HTTP %u)", a->status);
                return;
        }
        for (char *const *want = s->models; *want; want++) {
                m = find_model(models, *want);
                if (m) {
                        take_largest(m, p->ollama);
                        continue;
                }
                n_missing++;
                i = strlen(list);
                (void)snprintf(list + i, sizeof(list) - i, "%s%s", i > 0 ? ", " : "",
                               pl_quote(*want, strlen(*want), quoted, sizeof(quoted)));
        }
        json_decref(o);
        if (n_missing > 0)
                pl_verdict_set(ret, PL_VERDICT_IMPAIRED, "models", "%s not installed: %s",
                               n_missing == 1 ? "a required model is" : "required models are",
                               list);
}

static PlProbeStep ollama_answer(const PlHttpSpec *s, PlHttpProbe *p, const PlHttpAnswer *a,
                                 uint64_t realtime_usec, PlVerdict *ret) {
        json_t *o;

        switch (p->step) {
        case STEP_VERSION:
                return judge_version(s, p, a, ret);
        case STEP_PS:
                /* before Ollama 0.1.33 there is no /api/ps: nothing is known about loaded models */
                o = a->status == 200 ? json_loadb(a->body ? a->body : "", a->body_size, 0, NULL)
                                     : NULL;
                if (p->ollama)
                        take_loaded(o, p->ollama);
                json_decref(o);
                p->step = STEP_TAGS;
                return PL_PROBE_MORE;
        default:
                judge_tags(s, p, a, ret);
                return PL_PROBE_DONE;
        }
}

const PlHttpTalk pl_http_ollama = { ollama_path, ollama_answer };

/* --- Grafana: /api/health says whether its database answers; 200 with "ok", 503 with "failing".
 * Source: Grafana HTTP API reference, "Health API". The body decides, not the status. */

static const char *grafana_path(const PlHttpSpec *s, const PlHttpProbe *p) {
        return s->path ? s->path : "/api/health";
}

static PlProbeStep grafana_answer(const PlHttpSpec *s, PlHttpProbe *p, const PlHttpAnswer *a,
                                  uint64_t realtime_usec, PlVerdict *ret) {
        json_t *o;
        char database[32], code[8];

        if (a->status != 200 && a->status != 503) {
                unexpected(s, p, a, ret);
                return PL_PROBE_DONE;
        }
        o = load_json(a, "Grafana", ret);
        if (!o)
                return PL_PROBE_DONE;
        (void)string_of(o, "database", database, sizeof(database));
        (void)snprintf(code, sizeof(code), "%u", a->status);
        if (!*database)
                pl_verdict_set(ret, PL_VERDICT_DISPUTED, code,
                               "not Grafana: the answer says nothing about its database");
        else if (!pl_streq(database, "ok"))
                pl_verdict_set(ret, PL_VERDICT_DISPUTED, code, "its database is %s", database);
        else if (a->status != 200)
                pl_verdict_set(ret, PL_VERDICT_DISPUTED, code, "HTTP %u, though its database is ok",
                               a->status);
        else
                up(ret);
        json_decref(o);
        return PL_PROBE_DONE;
}

const PlHttpTalk pl_http_grafana = { grafana_path, grafana_answer };

/* --- Prometheus and MLflow: services whose health is a status and a line of text.
 *
 * Prometheus (management API): /-/ready is 503 while the write-ahead log is replayed and during
 * shutdown; /-/healthy answers 200 as long as the process serves. Ready implies healthy, so the
 * second request is only made when the first one fails. MLflow: /health answers "OK". */

static const char *prometheus_path(const PlHttpSpec *s, const PlHttpProbe *p) {
        if (s->path)
                return s->path;
        return p->step == 0 ? "/-/ready" : "/-/healthy";
}

static PlProbeStep prometheus_answer(const PlHttpSpec *s, PlHttpProbe *p, const PlHttpAnswer *a,
                                     uint64_t realtime_usec, PlVerdict *ret) {
        char code[8];

        (void)snprintf(code, sizeof(code), "%u", a->status % 1000);
        if (p->step == 0) {
                if (a->status == 200 || s->path) {
                        if (a->status == 200)
                                up(ret);
                        else
                                unexpected(s, p, a, ret);
                        return PL_PROBE_DONE;
                }
                if (a->status != 503) {
                        unexpected(s, p, a, ret);
                        return PL_PROBE_DONE;
                }
                p->status = a->status;
                p->step = 1;
                return PL_PROBE_MORE;
        }
        if (a->status == 200)
                pl_verdict_set(ret, PL_VERDICT_STARTING, "503",
                               "healthy, not ready: replaying its log or shutting down");
        else
                pl_verdict_set(ret, PL_VERDICT_DISPUTED, code,
                               "not ready (HTTP %u), not healthy (HTTP %u)", p->status, a->status);
        return PL_PROBE_DONE;
}

const PlHttpTalk pl_http_prometheus = { prometheus_path, prometheus_answer };

static const char *mlflow_path(const PlHttpSpec *s, const PlHttpProbe *p) {
        return s->path ? s->path : "/health";
}

static PlProbeStep mlflow_answer(const PlHttpSpec *s, PlHttpProbe *p, const PlHttpAnswer *a,
                                 uint64_t realtime_usec, PlVerdict *ret) {
        size_t n = a->body_size;
        char quoted[48];

        if (a->status != 200) {
                unexpected(s, p, a, ret);
                return PL_PROBE_DONE;
        }
        while (n > 0 && strchr(" \t\r\n", a->body[n - 1]) && a->body[n - 1])
                n--;
        if (n == 2 && memcmp(a->body, "OK", 2) == 0)
                up(ret);
        else
                pl_verdict_set(ret, PL_VERDICT_DISPUTED, "200",
                               "HTTP 200 with \"%s\" instead of OK",
                               pl_quote(a->body ? a->body : "", PL_MIN(n, (size_t)40), quoted,
                                        sizeof(quoted)));
        return PL_PROBE_DONE;
}

const PlHttpTalk pl_http_mlflow = { mlflow_path, mlflow_answer };

/* Generic: path and expectations come from the policy. */
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
                up(ret); /* the expectation decides */
        } else if (a->status >= 300 && a->status < 400 && redirects_to_itself(s, p, a)) {
                (void)snprintf(code, sizeof(code), "%u", a->status);
                pl_verdict_set(ret, PL_VERDICT_DISPUTED, code, "HTTP %u that redirects to itself",
                               a->status);
        } else if (a->status >= 200 && a->status < 400) {
                up(ret);
        } else {
                unexpected(s, p, a, ret);
        }
        return PL_PROBE_DONE;
}

const PlHttpTalk pl_http_generic = { generic_path, generic_answer };
