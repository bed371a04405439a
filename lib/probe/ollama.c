/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Ollama: does it answer, are the models there that the stack needs, and what is loaded.
 *
 * Source: Ollama API reference: GET /api/version, /api/ps (loaded: size, size_vram),
 * /api/tags (installed). A model named without a tag is "NAME:latest".
 * The order is version, ps, tags, so that the last answer brings the verdict.
 */

#include "lib/base/quote.h"
#include "lib/probe/http-kind.h"

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
                pl_http_unexpected(s, p, a, ret);
                return PL_PROBE_DONE;
        }
        o = pl_http_json(a, "Ollama", ret);
        if (!o)
                return PL_PROBE_DONE;
        (void)pl_http_string(o, "version", version, sizeof(version));
        json_decref(o);
        if (!*version) {
                pl_verdict_set(ret, PL_VERDICT_DOWN, "200",
                               "not Ollama: the answer has no version");
                return PL_PROBE_DONE;
        }
        pl_http_up(ret);
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
        json_t *o = a->status == 200 ? pl_http_json(a, "Ollama", ret) : NULL;
        const json_t *models = json_object_get(o, "models"), *m;
        char list[120] = "", quoted[48];
        unsigned n_missing = 0;
        size_t i;

        pl_http_up(ret);
        if (!s->models || !s->models[0]) {
                json_array_foreach(models, i, m) take_largest(m, p->ollama);
                json_decref(o);
                return;
        }
        if (!json_is_array(models)) {
                json_decref(o);
                pl_verdict_set(ret, PL_VERDICT_DEGRADED, "tags",
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
                pl_verdict_set(ret, PL_VERDICT_DEGRADED, "models", "%s not installed: %s",
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

const PlHttpKind pl_http_kind_ollama = { 11434, ollama_path, ollama_answer };
