/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Ollama: required models, loaded models, answers that only look like it.
 */

#include "probe-rounds.h"

/* clang-format off */
static const Round rows[] = {
        /* Ollama */
        { "ollama", PL_PROBE_OLLAMA, NULL, NULL, false, { { "/api/version", 200,
          "{\"version\":\"0.5.7\"}" } }, PL_VERDICT_UP, "", "" },
        { "ollama with its models", PL_PROBE_OLLAMA, NULL, NULL, true, { { "/api/version", 200,
          "{\"version\":\"0.5.7\"}" }, { "/api/tags", 200,
          "{\"models\":[{\"name\":\"llama3:latest\",\"size\":4661224676},"
          "{\"name\":\"mistral:7b\",\"size\":4109865159}]}" } }, PL_VERDICT_UP, "", "" },
        { "ollama without a model", PL_PROBE_OLLAMA, NULL, NULL, true, { { "/api/version", 200,
          "{\"version\":\"0.5.7\"}" }, { "/api/tags", 200,
          "{\"models\":[{\"name\":\"llama3:8b\"},{\"name\":\"mistral:7b\"}]}" } },
          PL_VERDICT_IMPAIRED, "models", "a required model is not installed: llama3" },
        { "ollama without any", PL_PROBE_OLLAMA, NULL, NULL, true, { { "/api/version", 200,
          "{\"version\":\"0.5.7\"}" }, { "/api/tags", 200, "{\"models\":[]}" } },
          PL_VERDICT_IMPAIRED, "models", "required models are not installed: llama3, mistral:7b" },
        { "ollama does not list", PL_PROBE_OLLAMA, NULL, NULL, true, { { "/api/version", 200,
          "{\"version\":\"0.5.7\"}" }, { "/api/tags", 500, "oops" } }, PL_VERDICT_IMPAIRED, "tags",
          "HTTP 500" },
        { "ollama lists nonsense", PL_PROBE_OLLAMA, NULL, NULL, true, { { "/api/version", 200,
          "{\"version\":\"0.5.7\"}" }, { "/api/tags", 200,
          "{\"models\":[7,null,{\"name\":3},[]]}" } }, PL_VERDICT_IMPAIRED, "models",
          "not installed" },
        { "ollama no version", PL_PROBE_OLLAMA, NULL, NULL, false, { { "/api/version", 200,
          "{}" } }, PL_VERDICT_DISPUTED, "200", "no version" },
        { "ollama is running (page)", PL_PROBE_OLLAMA, NULL, NULL, false, { { "/api/version", 200,
          "Ollama is running" } }, PL_VERDICT_DISPUTED, "200", "not Ollama" },
};
/* clang-format on */

START_TEST(rounds) {
        check_round(&rows[_i]);
}
END_TEST

START_TEST(ollama_facts) {
        PlHttpSpec spec = { .talk = pl_probe_kind_info(PL_PROBE_OLLAMA)->http };
        PlOllamaFacts facts;
        PlHttpProbe probe = { .ollama = &facts };
        static const char *const bodies[] = {
                "{\"version\":\"0.5.7\"}",
                ("{\"models\":[{\"name\":\"llama3:8b\",\"size\":6654289920,\"size_vram\":0},"
                 "{\"model\":\"tiny\\u001b\",\"size\":-5,\"size_vram\":\"x\"}]}"),
                "{\"models\":[{\"name\":\"a:1b\",\"size\":100},{\"name\":\"b:70b\",\"size\":"
                "39969745349}]}",
        };
        PlVerdict v = { 0 };

        for (size_t i = 0; i < PL_ARRAY_SIZE(bodies); i++) {
                PlHttpAnswer a = { .got_status = true,
                                   .status = 200,
                                   .body = bodies[i],
                                   .body_size = strlen(bodies[i]) };

                ck_assert_int_eq(pl_probe_http_answer(&spec, &probe, &a, NOW, &v),
                                 i == 2 ? PL_PROBE_DONE : PL_PROBE_MORE);
        }
        ck_assert_int_eq(v.kind, PL_VERDICT_UP);
        ck_assert_uint_eq(facts.n_loaded, 2);
        ck_assert_str_eq(facts.loaded[0].name, "llama3:8b");
        ck_assert_uint_eq(facts.loaded[0].size_bytes, 6654289920);
        ck_assert_str_eq(facts.loaded[1].name, "tiny\\x1b");
        ck_assert_uint_eq(facts.loaded[1].size_bytes, 0);
        ck_assert_str_eq(facts.largest_name, "b:70b");
        ck_assert_uint_eq(facts.largest_bytes, 39969745349);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("rounds");

        tcase_add_loop_test(t, rounds, 0, PL_ARRAY_SIZE(rows));
        tcase_add_test(t, ollama_facts);
        return run_case(t);
}
