/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Ollama: see the header.
 *
 * Source: Ollama API reference: GET /api/version, /api/ps (loaded: size, size_vram), /api/tags
 * (installed); its types/model/name.go for names. Each request writes a line into its log, which
 * nothing turns off.
 */

#include "lib/probe/ollama.h"

#include <strings.h>

#include "lib/base/quote.h"

#define VERSION "/api/version"
#define PS      "/api/ps"
#define TAGS    "/api/tags"

enum {
        STEP_PS,
        STEP_TAGS,
};

static void up(PlVerdict *ret) {
        pl_verdict_set(ret, PL_VERDICT_UP, "", "%s", "");
}

/* --- names --- */

typedef struct Part {
        const char *s;
        size_t n;
} Part;

typedef struct Name {
        Part host, space, model, tag;
} Name;

/* Cuts off what follows the last separator. Return: false: there is none. */
static bool cut_last(Part *from, char separator, Part *ret) {
        const char *at = memrchr(from->s, separator, from->n);

        if (!at)
                return false;
        *ret = (Part){ at + 1, from->n - (size_t)(at + 1 - from->s) };
        from->n = (size_t)(at - from->s);
        return true;
}

static Part part_of(const char *s) {
        return (Part){ s, strlen(s) };
}

/* SCHEME://HOST/NAMESPACE/MODEL:TAG, all but the model with a default. */
static Name name_of(const char *s) {
        Name name = { part_of("registry.ollama.ai"), part_of("library"), part_of(""),
                      part_of("latest") };
        const char *colon = strrchr(s, ':'), *slash = strrchr(s, '/'), *scheme;
        Part rest = part_of(s);

        if (colon && (!slash || colon > slash))
                (void)cut_last(&rest, ':', &name.tag);
        if (!cut_last(&rest, '/', &name.model)) {
                name.model = rest;
                return name;
        }
        if (!cut_last(&rest, '/', &name.space)) {
                name.space = rest;
                return name;
        }
        scheme = memmem(rest.s, rest.n, "://", 3);
        if (scheme) {
                rest.n -= (size_t)(scheme + 3 - rest.s);
                rest.s = scheme + 3;
        }
        name.host = rest;
        return name;
}

static bool same_part(const Part *a, const Part *b) {
        return a->n == b->n && strncasecmp(a->s, b->s, a->n) == 0;
}

bool pl_ollama_same_model(const char *a, const char *b) {
        Name x = name_of(a), y = name_of(b);

        return same_part(&x.model, &y.model) && same_part(&x.tag, &y.tag) &&
               same_part(&x.space, &y.space) && same_part(&x.host, &y.host);
}

/* --- does it answer? --- */

static PlProbeStep ollama_answer(const PlHttpSpec *s, PlHttpProbe *p, const PlHttpAnswer *a,
                                 uint64_t realtime_usec, PlVerdict *ret) {
        json_t *o;
        char version[32];

        if (a->status != 200) {
                pl_answer_unexpected(a, p->now.path, ret);
                return PL_PROBE_DONE;
        }
        o = pl_answer_json(a, "Ollama", ret);
        if (!o)
                return PL_PROBE_DONE;
        (void)pl_answer_text(o, "version", version, sizeof(version));
        json_decref(o);
        if (*version)
                up(ret);
        else
                pl_verdict_set(ret, PL_VERDICT_DISPUTED, "200",
                               "not Ollama: the answer has no version");
        return PL_PROBE_DONE;
}

/* --- its models --- */

static void begin_listing(PlHttpProbe *p) {
        pl_listing_begin(&p->ollama->listing);
        p->ollama->bad = false;
        p->now.streams = true;
}

static bool rare_begin(const PlHttpSpec *s, PlHttpProbe *p) {
        PlOllamaLook *look = p->ollama;

        if (!look || !pl_probe_http_sibling(p, VERSION, PS))
                return false;
        look->next = (PlOllamaFacts){};
        memset(look->have, 0, sizeof(look->have));
        p->step = STEP_PS;
        begin_listing(p);
        return true;
}

static void take_loaded(const PlListingEntry *e, PlOllamaFacts *f) {
        PlOllamaModel *to = &f->loaded[f->n_loaded];

        if (!*e->name || f->n_loaded == PL_OLLAMA_LOADED_MAX)
                return;
        (void)pl_quote(e->name, strlen(e->name), to->name, sizeof(to->name));
        to->size_bytes = e->size_bytes;
        to->vram_bytes = PL_MIN(e->vram_bytes, e->size_bytes);
        f->n_loaded++;
}

static void take_largest(const PlListingEntry *e, PlOllamaFacts *f) {
        if (!*e->name || e->size_bytes <= f->largest_bytes)
                return;
        f->largest_bytes = e->size_bytes;
        (void)pl_quote(e->name, strlen(e->name), f->largest_name, sizeof(f->largest_name));
}

static bool wants_models(const PlHttpSpec *s) {
        return s->models && s->models[0];
}

static void take_installed(const PlHttpSpec *s, const PlListingEntry *e, PlOllamaLook *look) {
        bool wanted = !wants_models(s);

        for (unsigned i = 0; s->models && s->models[i] && i < PL_OLLAMA_WANTED_MAX; i++) {
                if (e->cut || !pl_ollama_same_model(e->name, s->models[i]))
                        continue;
                look->have[i / 8] |= (uint8_t)(1 << i % 8);
                wanted = true;
        }
        if (wanted)
                take_largest(e, &look->next);
}

static bool feed(const PlHttpSpec *s, PlHttpProbe *p, const char *data, size_t n) {
        PlOllamaLook *look = p->ollama;
        int r;

        if (!look)
                return false;
        while ((r = pl_listing_read(&look->listing, &data, &n)) > 0)
                if (p->step == STEP_PS)
                        take_loaded(&look->listing.entry, &look->next);
                else
                        take_installed(s, &look->listing.entry, look);
        look->bad = r < 0;
        return r == 0;
}

/* Are those there that are wanted? */
static void judge_wanted(const PlHttpSpec *s, const PlOllamaLook *look, PlVerdict *ret) {
        char list[120] = "", quoted[48];
        unsigned n_missing = 0;

        up(ret);
        for (unsigned i = 0; s->models && s->models[i] && i < PL_OLLAMA_WANTED_MAX; i++) {
                size_t n = strlen(list);

                if (look->have[i / 8] >> i % 8 & 1)
                        continue;
                n_missing++;
                (void)snprintf(list + n, sizeof(list) - n, "%s%s", n > 0 ? ", " : "",
                               pl_quote(s->models[i], strlen(s->models[i]), quoted,
                                        sizeof(quoted)));
        }
        if (n_missing > 0)
                pl_verdict_set(ret, PL_VERDICT_IMPAIRED, "models", "%s not installed: %s",
                               n_missing == 1 ? "a required model is" : "required models are",
                               pl_utf8_trim(list));
}

static PlProbeStep rare_answer(const PlHttpSpec *s, PlHttpProbe *p, const PlHttpAnswer *a,
                               PlVerdict *ret) {
        PlOllamaLook *look = p->ollama;
        bool complete = a->status == 200 && !look->bad && pl_listing_complete(&look->listing);

        ret->kind = PL_VERDICT_NONE;
        /* before Ollama 0.1.33 there is no /api/ps: nothing is known about loaded models */
        if (p->step == STEP_PS && pl_probe_http_sibling(p, PS, TAGS)) {
                p->step = STEP_TAGS;
                begin_listing(p);
                return PL_PROBE_MORE;
        }
        if (complete) {
                look->facts = look->next;
                judge_wanted(s, look, ret);
        } else if (a->status == 200 && wants_models(s)) {
                pl_verdict_set(ret, PL_VERDICT_IMPAIRED, "tags",
                               "it answers, but does not list its models: the answer to " TAGS
                               " is no list");
        } else if (wants_models(s)) {
                pl_verdict_set(ret, PL_VERDICT_IMPAIRED, "tags",
                               "it answers, but does not list its models: HTTP %u for " TAGS,
                               a->status);
        }
        return PL_PROBE_DONE;
}

static const char *const paths[] = { VERSION, NULL };

const PlHttpTalk pl_http_ollama = {
        .paths = paths,
        .answer = ollama_answer,
        .rare_begin = rare_begin,
        .rare_answer = rare_answer,
        .rare_hint = "the disk of its models, most likely",
        .feed = feed,
};
