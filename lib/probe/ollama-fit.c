/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Ollama under a limit: see the header.
 */

#include "lib/probe/ollama-fit.h"

#include "lib/base/unit.h"

/* Besides its weights a model needs its context (KV cache) and buffers; Ollama's own estimates add
 * at least a tenth. */
#define OVERHEAD_DIVISOR 10

/* Of the loaded models, what is not on a GPU. */
static uint64_t loaded_bytes(const PlOllamaFacts *f) {
        uint64_t sum = 0;

        for (unsigned i = 0; i < f->n_loaded; i++)
                if (__builtin_add_overflow(sum, f->loaded[i].size_bytes - f->loaded[i].vram_bytes,
                                           &sum))
                        return PL_UNLIMITED; /* it says so */
        return sum;
}

uint64_t pl_ollama_working_set(uint64_t usage_bytes, uint64_t inactive_file_bytes) {
        if (usage_bytes == PL_UNLIMITED || inactive_file_bytes == PL_UNLIMITED)
                return PL_UNLIMITED;
        return usage_bytes - PL_MIN(inactive_file_bytes, usage_bytes);
}

json_t *pl_ollama_json(const PlOllamaFacts *f) {
        json_t *list = json_array();

        for (unsigned i = 0; list && i < f->n_loaded; i++) {
                const PlOllamaModel *m = &f->loaded[i];

                if (json_array_append_new(list,
                                          json_pack("{s:s, s:I, s:I}", "name", m->name,
                                                    "size_bytes", (json_int_t)m->size_bytes,
                                                    "vram_bytes", (json_int_t)m->vram_bytes)) < 0) {
                        json_decref(list);
                        return NULL;
                }
        }
        return list;
}

static bool on_gpu(const PlOllamaFacts *f) {
        for (unsigned i = 0; i < f->n_loaded; i++)
                if (f->loaded[i].vram_bytes > 0)
                        return true;
        return false;
}

/* What the largest model needs of the limit: as Ollama itself says once it is loaded, which counts
 * its context and buffers; else by its weights. */
static uint64_t needed_bytes(const PlOllamaFacts *f, bool *ret_known) {
        for (unsigned i = 0; i < f->n_loaded; i++) {
                const PlOllamaModel *m = &f->loaded[i];

                *ret_known = m->size_bytes > 0 && pl_ollama_same_model(m->name, f->largest_name);
                if (*ret_known)
                        return m->size_bytes - m->vram_bytes;
        }
        *ret_known = false;
        return f->largest_bytes + f->largest_bytes / OVERHEAD_DIVISOR;
}

PlOllamaFit pl_ollama_judge(const PlOllamaFacts *f, uint64_t limit_bytes, uint64_t usage_bytes,
                            uint64_t inactive_file_bytes, char *ret, size_t size) {
        char a[PL_FORMAT_MAX], b[PL_FORMAT_MAX], c[PL_FORMAT_MAX], d[PL_FORMAT_MAX];
        bool known;
        uint64_t needed = needed_bytes(f, &known), loaded = loaded_bytes(f), working;

        ret[0] = '\0';
        if (limit_bytes == PL_UNLIMITED || limit_bytes == 0)
                return PL_OLLAMA_FITS;
        /* a GPU may hold what the limit does not */
        if (needed > limit_bytes && !on_gpu(f)) {
                (void)snprintf(ret, size,
                               "model %s (%s) cannot fit: it needs %s%s and MemoryMax is %s; "
                               "raise MemoryMax or use a smaller model",
                               f->largest_name, pl_format_bytes(f->largest_bytes, a),
                               known ? "" : "about ", pl_format_bytes(needed, b),
                               pl_format_bytes(limit_bytes, c));
                return PL_OLLAMA_TOO_BIG;
        }
        if (loaded <= limit_bytes / 10 * 9)
                return PL_OLLAMA_FITS;
        working = pl_ollama_working_set(usage_bytes, inactive_file_bytes);
        (void)snprintf(ret, size,
                       "%u loaded model%s take%s %s of MemoryMax %s (working set %s, with page "
                       "cache "
                       "%s); lower OLLAMA_MAX_LOADED_MODELS or raise MemoryMax",
                       f->n_loaded, pl_plural(f->n_loaded), f->n_loaded == 1 ? "s" : "",
                       pl_format_bytes(loaded, a), pl_format_bytes(limit_bytes, b),
                       working == PL_UNLIMITED ? "unknown" : pl_format_bytes(working, c),
                       usage_bytes == PL_UNLIMITED ? "unknown" : pl_format_bytes(usage_bytes, d));
        return PL_OLLAMA_TIGHT;
}
