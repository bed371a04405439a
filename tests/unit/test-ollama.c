/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Models and memory limits: what fits, what is tight, what never can.
 */

#include "lib/probe/ollama-fit.h"
#include "probe-rounds.h"

#define G(n) ((uint64_t)((n)*1073741824.0))

/* clang-format off */
static const struct {
        const char *name;
        PlOllamaFacts facts;
        uint64_t limit, usage, inactive;
        PlOllamaFit fit;
        const char *text;
} rows[] = {
        { "no limit", { .largest_name = "b:70b", .largest_bytes = G(40) }, PL_UNLIMITED, 0, 0, PL_OLLAMA_FITS, "" },
        { "no models", {}, G(4), 0, 0, PL_OLLAMA_FITS, "" },
        { "fits", { .largest_name = "a:8b", .largest_bytes = G(4.5) }, G(8), 0, 0, PL_OLLAMA_FITS, "" },
        { "too big", { .largest_name = "b:70b", .largest_bytes = G(40) }, G(16), 0, 0, PL_OLLAMA_TOO_BIG,
          "model b:70b (40.0G) cannot fit: it needs about 44.0G and MemoryMax is 16.0G" },
        { "only with its overhead too big", { .largest_name = "a:8b", .largest_bytes = G(4) }, G(4.2), 0, 0,
          PL_OLLAMA_TOO_BIG, "cannot fit" },
        { "too big, by what it takes when loaded", { .loaded = { { "Big:latest", 1883703868, 0 } }, .n_loaded = 1,
          .largest_name = "big:latest", .largest_bytes = 1613174016 }, G(1.25), G(1.2), G(0.2), PL_OLLAMA_TOO_BIG,
          "model big:latest (1.5G) cannot fit: it needs 1.8G and MemoryMax is 1.3G" },
        { "its weights alone would not fit with an overhead, but it runs", { .loaded = { { "a:8b", G(4.1), 0 } }, .n_loaded = 1,
          .largest_name = "a:8b", .largest_bytes = G(4) }, G(4.3), G(4.2), G(0.1), PL_OLLAMA_TIGHT, "1 loaded model takes" },
        { "loaded, and it does not say how large", { .loaded = { { "a:8b", 0, 0 } }, .n_loaded = 1,
          .largest_name = "a:8b", .largest_bytes = G(4) }, G(4.2), 0, 0, PL_OLLAMA_TOO_BIG, "it needs about 4.4G" },
        { "too big, but on a GPU", { .loaded = { { .name = "b:70b", .size_bytes = G(42), .vram_bytes = G(42) } }, .n_loaded = 1,
          .largest_name = "b:70b", .largest_bytes = G(40) }, G(16), G(2), 0, PL_OLLAMA_FITS, "" },
        { "tight", { .loaded = { { "a:8b", G(6), 0 }, { "c:1b", G(1.5), 0 } }, .n_loaded = 2,
          .largest_name = "a:8b", .largest_bytes = G(5) }, G(8), G(7.9), G(0.4), PL_OLLAMA_TIGHT,
          "2 loaded models take 7.5G of MemoryMax 8.0G (working set 7.5G, with page cache 7.9G)" },
        { "tight, usage not known", { .loaded = { { "a:8b", G(7.5), 0 } }, .n_loaded = 1 }, G(8), PL_UNLIMITED,
          PL_UNLIMITED, PL_OLLAMA_TIGHT, "1 loaded model takes 7.5G of MemoryMax 8.0G (working set unknown" },
        { "room enough", { .loaded = { { "a:8b", G(6), 0 } }, .n_loaded = 1 }, G(8), G(7.9), 0, PL_OLLAMA_FITS, "" },
        { "sizes that no host has", { .loaded = { { "a", UINT64_MAX / 2, 0 }, { "b", UINT64_MAX / 2, 0 }, { "c", 9, 0 } },
          .n_loaded = 3 }, G(8), G(1), 0, PL_OLLAMA_TIGHT, "3 loaded models take" },
        { "more cache than usage", { .loaded = { { "a", G(8), 0 } }, .n_loaded = 1 }, G(8), G(1), G(2),
          PL_OLLAMA_TIGHT, "working set 0B" },
};
/* clang-format on */

START_TEST(fits) {
        char text[288];
        PlOllamaFit fit = pl_ollama_judge(&rows[_i].facts, rows[_i].limit, rows[_i].usage,
                                          rows[_i].inactive, text, sizeof(text));

        ck_assert_msg(fit == rows[_i].fit, "%s: %d (%s)", rows[_i].name, fit, text);
        ck_assert_msg(strstr(text, rows[_i].text) && (*text || !*rows[_i].text), "%s: %s",
                      rows[_i].name, text);
}
END_TEST

START_TEST(as_json) {
        PlOllamaFacts f = { .loaded = { { "a:8b", 6, 5 } }, .n_loaded = 1 };
        json_t *list = pl_ollama_json(&f);
        _cleanup_free_ char *text = json_dumps(list, JSON_COMPACT);

        ck_assert_str_eq(text, "[{\"name\":\"a:8b\",\"size_bytes\":6,\"vram_bytes\":5}]");
        json_decref(list);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("table");

        tcase_add_loop_test(t, fits, 0, PL_ARRAY_SIZE(rows));
        tcase_add_test(t, as_json);
        return run_case(t);
}
