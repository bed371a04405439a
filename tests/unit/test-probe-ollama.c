/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Ollama: required models, loaded models, names, answers that only look like it.
 */

#include "probe-rounds.h"

#define VERSION { { "/api/version", 200, "{\"version\":\"0.5.7\"}" } }, PL_VERDICT_UP, "", ""
#define PS \
        { "/api/ps", 200, "{\"models\":[]}" }

/* clang-format off */
static const Round rows[] = {
        /* a sign of life */
        { "ollama", PL_PROBE_OLLAMA, NULL, NULL, false, VERSION,
          .rare = { PS, { "/api/tags", 200, "{\"models\":null}" } }, PL_VERDICT_UP, "", "" },
        { "ollama fails", PL_PROBE_OLLAMA, NULL, NULL, false, { { "/api/version", 500,
          "{\"error\":\"no \\u001b room\"}" } }, PL_VERDICT_IMPAIRED, "500",
          "HTTP 500 for /api/version: \"no \\x1b room\"" },
        { "ollama no version", PL_PROBE_OLLAMA, NULL, NULL, false, { { "/api/version", 200,
          "{}" } }, PL_VERDICT_DISPUTED, "200", "no version" },
        { "ollama is running (page)", PL_PROBE_OLLAMA, NULL, NULL, false, { { "/api/version", 200,
          "Ollama is running" } }, PL_VERDICT_DISPUTED, "200", "not Ollama" },
        /* what is only of interest */
        { "ollama with its models", PL_PROBE_OLLAMA, NULL, NULL, true, VERSION,
          .rare = { PS, { "/api/tags", 200,
          "{\"models\":[{\"name\":\"llama3:latest\",\"size\":4661224676},"
          "{\"name\":\"mistral:7b\",\"size\":4109865159}]}" } }, PL_VERDICT_UP, "", "" },
        { "ollama before /api/ps", PL_PROBE_OLLAMA, NULL, NULL, false, VERSION,
          .rare = { { "/api/ps", 404, "404 page not found" }, { "/api/tags", 200,
          "{\"models\":[]}" } }, PL_VERDICT_UP, "", "" },
        { "ollama below a proxy's path", PL_PROBE_OLLAMA, "/llm/api/version", NULL, false,
          { { "/llm/api/version", 200, "{\"version\":\"1\"}" } }, PL_VERDICT_UP, "", "",
          .rare = { { "/llm/api/ps", 200, "{\"models\":[]}" }, { "/llm/api/tags", 200,
          "{\"models\":[]}" } }, PL_VERDICT_UP, "", "" },
        { "ollama without a model", PL_PROBE_OLLAMA, NULL, NULL, true, VERSION,
          .rare = { PS, { "/api/tags", 200,
          "{\"models\":[{\"name\":\"llama3:8b\"},{\"name\":\"mistral:7b\"}]}" } },
          PL_VERDICT_IMPAIRED, "models", "a required model is not installed: llama3" },
        { "ollama without any", PL_PROBE_OLLAMA, NULL, NULL, true, VERSION,
          .rare = { PS, { "/api/tags", 200, "{\"models\":[]}" } },
          PL_VERDICT_IMPAIRED, "models", "required models are not installed: llama3, mistral:7b" },
        { "ollama fails to list", PL_PROBE_OLLAMA, NULL, NULL, false, VERSION,
          .rare = { PS, { "/api/tags", 500, "{\"error\":\"stat /root/x: no such file\"}" } },
          PL_VERDICT_IMPAIRED, "500",
          "HTTP 500 for /api/tags: \"stat /root/x: no such file\"; /api/version answers" },
        { "ollama does not list", PL_PROBE_OLLAMA, NULL, NULL, true, VERSION,
          .rare = { PS, { "/api/tags", 403, "oops" } }, PL_VERDICT_IMPAIRED, "tags", "HTTP 403" },
        { "ollama lists nonsense", PL_PROBE_OLLAMA, NULL, NULL, true, VERSION,
          .rare = { PS, { "/api/tags", 200, "{\"models\":[7,null,{\"name\":3},[]]}" } },
          PL_VERDICT_IMPAIRED, "models", "not installed" },
        { "ollama lists no JSON", PL_PROBE_OLLAMA, NULL, NULL, true, VERSION,
          .rare = { PS, { "/api/tags", 200, "{\"models\":[{\"name\":\"llama3\"},oops" } },
          PL_VERDICT_IMPAIRED, "tags", "no list" },
        { "ollama breaks off", PL_PROBE_OLLAMA, NULL, NULL, true, VERSION,
          .rare = { PS, { "/api/tags", 200, "{\"models\":[{\"name\":\"llama3\"}", NULL,
          PL_HTTP_CLOSED } }, PL_VERDICT_IMPAIRED, "hangs",
          "/api/tags breaks off its answer, /api/version does: the disk" },
        { "ollama hangs at its models", PL_PROBE_OLLAMA, NULL, NULL, false, VERSION,
          .rare = { PS, { "/api/tags", 0, "", NULL, PL_HTTP_TIMEOUT } }, PL_VERDICT_IMPAIRED,
          "hangs", "/api/tags does not answer, /api/version does: the disk of its models" },
        { "ollama hangs at what is loaded", PL_PROBE_OLLAMA, NULL, NULL, false, VERSION,
          .rare = { { "/api/ps", 0, "", NULL, PL_HTTP_TIMEOUT } }, PL_VERDICT_IMPAIRED, "hangs",
          "/api/ps does not answer, /api/version does" },
        { "ollama ends in between", PL_PROBE_OLLAMA, NULL, NULL, false, VERSION,
          .rare = { PS, { "/api/tags", 0, "", NULL, PL_HTTP_REFUSED } }, PL_VERDICT_UP, "", "" },
};

static const struct {
        const char *have, *want;
        bool same;
} names[] = {
        { "llama3:latest", "llama3", true },
        { "llama3.2:latest", "Llama3.2", true },
        { "Big:latest", "big", true },
        { "Big:latest", "library/BIG", true },
        { "big:latest", "registry.ollama.ai/library/big:latest", true },
        { "big:latest", "registry.ollama.ai/library/big", true },
        { "big:latest", "https://registry.ollama.ai/library/big", true },
        { "big:latest", "HTTP://Registry.Ollama.AI/Library/Big:Latest", true },
        { "big:8b", "big:8B", true },
        { "hf.co/a/B-GGUF:Q4_K_M", "hf.co/A/b-gguf:q4_k_m", true },
        { "localhost:5000/ns/m:latest", "localhost:5000/ns/m", true },
        { "localhost:5000/ns/m:latest", "http://localhost:5000/ns/m", true },
        { "ns/m:latest", "registry.ollama.ai/ns/m", true },
        { "llama3:8b", "llama3", false },
        { "llama3:latest", "llama3:8b", false },
        { "llama3:latest", "llama3.2", false },
        { "ns/m:latest", "m", false },
        { "localhost:5000/ns/m:latest", "ns/m", false },
        { "localhost:5000/ns/m:latest", "localhost/ns/m", false },
        { "a/b/c/d", "b/c/d", false },
        { "m", "", false },
};
/* clang-format on */

START_TEST(rounds) {
        check_round(&rows[_i]);
}
END_TEST

START_TEST(model_names) {
        ck_assert_msg(pl_ollama_same_model(names[_i].have, names[_i].want) == names[_i].same,
                      "%s and %s", names[_i].have, names[_i].want);
        ck_assert_msg(pl_ollama_same_model(names[_i].want, names[_i].have) == names[_i].same,
                      "%s and %s", names[_i].want, names[_i].have);
}
END_TEST

/* Facts are those of the last look that came to its end. */
START_TEST(ollama_facts) {
        PlHttpSpec spec = { .talk = pl_probe_kind_info(PL_PROBE_OLLAMA)->http };
        PlOllamaLook look = {};
        PlHttpProbe probe = { .ollama = &look };
        const PlOllamaFacts *facts = &look.facts;
        static const Reply version[] = { { "/api/version", 200, "{\"version\":\"0.5.7\"}" } };
        static const Reply lists[] = {
                { "/api/ps", 200,
                  "{\"models\":[{\"name\":\"llama3:8b\",\"size\":6654289920,\"size_vram\":0},"
                  "{\"model\":\"tiny\\u001b\",\"size\":-5,\"size_vram\":\"x\"}]}" },
                { "/api/tags", 200,
                  "{\"models\":[{\"name\":\"a:1b\",\"size\":100},{\"name\":\"b:70b\",\"size\":"
                  "39969745349}]}" },
        };
        static const Reply hangs[] = { { "/api/ps", 200, "{\"models\":[]}" },
                                       { "/api/tags", 200, "{\"models\":[", NULL,
                                         PL_HTTP_TIMEOUT } };
        PlVerdict v = {};

        pl_probe_http_begin(&spec, &probe);
        check_replies("facts", &spec, &probe, version, 1, 1, NOW, &v);
        ck_assert(pl_probe_http_rare(&spec, &probe, NOW, PL_USEC_PER_SEC));
        check_replies("facts", &spec, &probe, lists, 2, 5, NOW, &v);
        ck_assert_int_eq(v.kind, PL_VERDICT_UP);
        pl_probe_http_begin(&spec, &probe);
        check_replies("facts", &spec, &probe, version, 1, 1, NOW, &v);
        ck_assert(pl_probe_http_rare(&spec, &probe, NOW + PL_USEC_PER_DAY, PL_USEC_PER_SEC));
        check_replies("facts", &spec, &probe, hangs, 2, 5, NOW, &v);
        ck_assert_int_eq(v.kind, PL_VERDICT_IMPAIRED);
        ck_assert_uint_eq(facts->n_loaded, 2);
        ck_assert_str_eq(facts->loaded[0].name, "llama3:8b");
        ck_assert_uint_eq(facts->loaded[0].size_bytes, 6654289920);
        ck_assert_str_eq(facts->loaded[1].name, "tiny\\x1b");
        ck_assert_uint_eq(facts->loaded[1].size_bytes, 0);
        ck_assert_str_eq(facts->largest_name, "b:70b");
        ck_assert_uint_eq(facts->largest_bytes, 39969745349);
}
END_TEST

/* How often the listings are asked for, and that what was found stands until the next look. */
START_TEST(seldom) {
        PlHttpSpec spec = { .talk = pl_probe_kind_info(PL_PROBE_OLLAMA)->http };
        PlOllamaLook look = {};
        PlHttpProbe probe = { .ollama = &look };
        static const Reply version[] = { { "/api/version", 200, "{\"version\":\"0.5.7\"}" } },
                           refused[] = { { "/api/version", 0, "", NULL, PL_HTTP_REFUSED } },
                           good[] = { PS, { "/api/tags", 200, "{\"models\":[]}" } },
                           bad[] = { { "/api/ps", 500, "" }, {} };
        static const struct {
                unsigned sec; /* of a round each 10 s, from here on */
                const Reply *answer, *look;
                PlVerdictKind verdict; /* of the rounds up to the next row */
        } spans[] = {
                { 0, version, good, PL_VERDICT_UP },
                { 600, version, bad, PL_VERDICT_IMPAIRED }, /* every ten minutes */
                { 720, version, bad, PL_VERDICT_IMPAIRED }, /* sooner while something is wrong */
                { 840, version, good, PL_VERDICT_UP },
                { 900, refused, NULL, PL_VERDICT_SILENT },
                { 920, version, good, PL_VERDICT_UP }, /* it has begun anew, perhaps */
                { 1520, version, good, PL_VERDICT_UP },
                { 2000, NULL, NULL, PL_VERDICT_UP },
        };
        PlVerdict v = {};

        for (unsigned sec = 0, i = 0; sec < 2000; sec += 10) {
                uint64_t now = NOW + sec * PL_USEC_PER_SEC;
                char name[32];
                bool due;

                (void)snprintf(name, sizeof(name), "after %u s", sec);
                pl_probe_http_begin(&spec, &probe);
                check_replies(name, &spec, &probe, spans[i].answer, 1, 1, now, &v);
                due = pl_probe_http_rare(&spec, &probe, now, 10 * PL_USEC_PER_SEC);
                ck_assert_msg(due == (sec == spans[i].sec && spans[i].look), "%s", name);
                if (due)
                        check_replies(name, &spec, &probe, spans[i].look, 2, 9, now, &v);
                ck_assert_msg(v.kind == spans[i].verdict, "%s: %s", name, v.reason);
                if (sec + 10 == spans[i + 1].sec)
                        i++;
        }
}
END_TEST

int main(void) {
        TCase *t = tcase_create("rounds");

        tcase_add_loop_test(t, rounds, 0, PL_ARRAY_SIZE(rows));
        tcase_add_loop_test(t, model_names, 0, PL_ARRAY_SIZE(names));
        tcase_add_test(t, ollama_facts);
        tcase_add_test(t, seldom);
        return run_case(t);
}
