/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Services as they answered in public reports and on real ones, path by path, and the truth about
 * each: what is different is not dead.
 */

#include "lib/base/time.h"
#include "probe-rounds.h"

#define UNHEALTHY(beat, when) "{\"status\":\"unhealthy\",\"latest_" beat "_heartbeat\":" when "}"
#define ABSENT(beat)          "{\"status\":null,\"latest_" beat "_heartbeat\":null}"
#define NOT_YET               "\"2025-12-31T23:59:58+00:00\""
#define AGO_5_MIN             "\"2025-12-31T23:55:00+00:00\""
#define AGO_150_MIN           "\"2025-12-31T21:30:00+00:00\""
#define VERSION \
        { "/api/version", 200, "{\"version\":\"0.0.0\"}" }
#define NONE \
        { "/api/ps", 200, "{\"models\":[]}" }

enum { MANY = 301 };
static char many[MANY * 420];

typedef struct Case {
        const char *name;
        PlProbeKind kind;
        Reply answers[4]; /* "*": to whatever else is asked; error PL_HTTP_TIMEOUT: never */
        PlVerdictKind verdict;
        const char *code, *reason;
        PlVerdictKind at_length; /* when what is only of interest is known, too */
        const char *length_reason;
        const char *prefix, *expect;
        const char *models[5];
} Case;

/* clang-format off */
static const Case cases[] = {
        { "a2-ok", PL_PROBE_AIRFLOW, { { "/health", 200,
          "{\"dag_processor\":" ABSENT("dag_processor") ",\"metadatabase\":{\"status\":\"healthy\"},\"scheduler\":"
          "{\"latest_scheduler_heartbeat\":" NOT_YET ",\"status\":\"healthy\"},\"triggerer\":"
          "{\"latest_triggerer_heartbeat\":" NOT_YET ",\"status\":\"healthy\"}}" } }, PL_VERDICT_UP, "", "", PL_VERDICT_UP, "" },
        { "a2-sched: a person stopped the scheduler", PL_PROBE_AIRFLOW, { { "/health", 200,
          "{\"dag_processor\":" ABSENT("dag_processor") ",\"metadatabase\":{\"status\":\"healthy\"},\"scheduler\":"
          UNHEALTHY("scheduler", AGO_5_MIN) ",\"triggerer\":{\"latest_triggerer_heartbeat\":" NOT_YET
          ",\"status\":\"healthy\"}}" } }, PL_VERDICT_IMPAIRED, "scheduler", "scheduler heartbeat 5min old", PL_VERDICT_IMPAIRED, "scheduler" },
        { "a2-sched, at once", PL_PROBE_AIRFLOW, { { "/health", 200,
          "{\"metadatabase\":{\"status\":\"healthy\"},\"scheduler\":" UNHEALTHY("scheduler", NOT_YET) "}" } },
          PL_VERDICT_IMPAIRED, "scheduler", "scheduler was stopped: unhealthy with a heartbeat 2s old", PL_VERDICT_IMPAIRED, "scheduler" },
        { "a2-db", PL_PROBE_AIRFLOW, { { "/health", 200,
          "{\"dag_processor\":" UNHEALTHY("dag_processor", "null") ",\"metadatabase\":{\"status\":\"unhealthy\"},"
          "\"scheduler\":" UNHEALTHY("scheduler", "null") ",\"triggerer\":" UNHEALTHY("triggerer", "null") "}" } },
          PL_VERDICT_IMPAIRED, "metadatabase", "metadatabase unhealthy, and with it scheduler, triggerer, dag_processor",
          PL_VERDICT_IMPAIRED, "metadatabase" },
        { "a3-ok", PL_PROBE_AIRFLOW, { { "/api/v2/monitor/health", 200,
          "{\"metadatabase\":{\"status\":\"healthy\"},\"scheduler\":{\"status\":\"healthy\",\"latest_scheduler_heartbeat\":" NOT_YET
          "},\"triggerer\":{\"status\":\"healthy\"},\"dag_processor\":{\"status\":\"healthy\"}}" },
          { "*", 200, "<!doctype html><html>spa</html>" } }, PL_VERDICT_UP, "", "", PL_VERDICT_UP, "" },
        { "a3-main: one of two schedulers is gone", PL_PROBE_AIRFLOW, { { "/api/v2/monitor/health", 200,
          "{\"metadatabase\":{\"status\":\"healthy\"},\"scheduler\":{\"status\":\"healthy\",\"latest_scheduler_heartbeat\":" NOT_YET
          ",\"detailed_status\":\"degraded\",\"instances\":[{\"hostname\":\"s1\",\"status\":\"healthy\","
          "\"latest_scheduler_heartbeat\":" NOT_YET "},{\"hostname\":\"s2\",\"status\":\"unhealthy\","
          "\"latest_scheduler_heartbeat\":" AGO_150_MIN "}]},\"triggerer\":{\"status\":null,\"latest_triggerer_heartbeat\":null,"
          "\"detailed_status\":null,\"instances\":null},\"dag_processor\":{\"status\":\"healthy\",\"latest_dag_processor_heartbeat\":"
          NOT_YET ",\"detailed_status\":\"healthy\",\"instances\":[]}}" } }, PL_VERDICT_IMPAIRED, "scheduler",
          "scheduler on s2 heartbeat 2h 30min old (1 of 2)", PL_VERDICT_IMPAIRED, "s2" },
        { "g-ok", PL_PROBE_GRAFANA, { { "/api/health", 200,
          "{\"commit\":\"2a88\",\"database\":\"ok\",\"version\":\"11.2.0\"}" } }, PL_VERDICT_UP, "", "", PL_VERDICT_UP, "" },
        { "g-fail", PL_PROBE_GRAFANA, { { "/api/health", 503,
          "{\"commit\":\"2a88\",\"database\":\"failing\",\"version\":\"11.2.0\"}" } }, PL_VERDICT_IMPAIRED, "503",
          "its database is failing", PL_VERDICT_IMPAIRED, "failing" },
        { "g-sub: it redirects to its sub-path", PL_PROBE_GRAFANA, {
          { "/grafana/api/health", 200, "{\"commit\":\"2a88\",\"database\":\"ok\",\"version\":\"11.2.0\"}" },
          { "/api/health", 301, "<a href=\"http://localhost:3000/grafana/api/health\">Moved Permanently</a>.\n\n",
          "Location: http://localhost:3000/grafana/api/health\r\nContent-Type: text/html; charset=utf-8\r\n" } },
          PL_VERDICT_UP, "", "", PL_VERDICT_UP, "" },
        { "m-ok", PL_PROBE_MLFLOW, { { "/health", 200, "OK" } }, PL_VERDICT_UP, "", "", PL_VERDICT_UP, "" },
        { "m-auth", PL_PROBE_MLFLOW, { { "*", 401, "not authenticated", "WWW-Authenticate: Basic realm=\"mlflow\"\r\n" } },
          PL_VERDICT_DISPUTED, "401", "it wants authentication; if that is as it should be, set ProbeExpect=status:401",
          PL_VERDICT_DISPUTED, "401" },
        { "m-auth, and what was advised", PL_PROBE_MLFLOW, { { "*", 401, "not authenticated" } },
          PL_VERDICT_UP, "", "", PL_VERDICT_UP, "", .expect = "status:401" },
        { "p-wal", PL_PROBE_PROMETHEUS, { { "/prometheus/-/ready", 503, "Service Unavailable" },
          { "/prometheus/-/healthy", 200, "Prometheus Server is Healthy.\n" }, { "/-/ready", 503, "Service Unavailable" },
          { "/-/healthy", 200, "Prometheus Server is Healthy.\n" } }, PL_VERDICT_STARTING, "503", "replaying its log",
          PL_VERDICT_STARTING, "replaying", .prefix = "/prometheus" },
        { "p-wal, no prefix", PL_PROBE_PROMETHEUS, { { "/-/ready", 503, "Service Unavailable" },
          { "/-/healthy", 200, "Prometheus Server is Healthy.\n" } }, PL_VERDICT_STARTING, "503", "replaying its log",
          PL_VERDICT_STARTING, "replaying" },
        { "o-ok", PL_PROBE_OLLAMA, { VERSION, NONE, { "/api/tags", 200,
          "{\"models\":[{\"name\":\"llama3.2:latest\",\"model\":\"llama3.2:latest\",\"size\":2019393189,\"digest\":\"a80c\","
          "\"details\":{\"family\":\"llama\"}},{\"name\":\"hf.co/bartowski/Llama-3.2-1B-Instruct-GGUF:Q4_K_M\",\"size\":807694464},"
          "{\"name\":\"localhost:5000/ns/mymodel:latest\",\"size\":1}]}" } }, PL_VERDICT_UP, "", "", PL_VERDICT_UP, "",
          .models = { "Llama3.2", "library/llama3.2", "llama3.2", "localhost:5000/ns/mymodel" } },
        { "o-loaded", PL_PROBE_OLLAMA, { VERSION, { "/api/ps", 200,
          "{\"models\":[{\"name\":\"Big:latest\",\"size\":1883703868,\"details\":{},\"size_vram\":0,\"context_length\":2048}]}" },
          { "/api/tags", 200, "{\"models\":[{\"name\":\"Big:latest\",\"size\":1613174016}]}" } }, PL_VERDICT_UP, "", "",
          PL_VERDICT_UP, "", .models = { "Big", "big", "library/BIG", "registry.ollama.ai/library/big:latest" } },
        { "o-hang", PL_PROBE_OLLAMA, { VERSION, NONE, { "/api/tags", 0, "", NULL, PL_HTTP_TIMEOUT } }, PL_VERDICT_UP, "", "",
          PL_VERDICT_IMPAIRED, "/api/tags does not answer, /api/version does" },
        { "o-500", PL_PROBE_OLLAMA, { VERSION, NONE, { "/api/tags", 500,
          "{\"error\":\"stat /root/.ollama/models/manifests/registry.ollama.ai/library/tiny/dangling: no such file or directory\"}" } },
          PL_VERDICT_UP, "", "", PL_VERDICT_IMPAIRED, "HTTP 500 for /api/tags: \"stat /root/.ollama/models/manifests" },
        { "o-many", PL_PROBE_OLLAMA, { VERSION, NONE, { "/api/tags", 200, many } }, PL_VERDICT_UP, "", "", PL_VERDICT_UP, "",
          .models = { "big" } },
        { "o-many, and one that is not there", PL_PROBE_OLLAMA, { VERSION, NONE, { "/api/tags", 200, many } }, PL_VERDICT_UP, "",
          "", PL_VERDICT_IMPAIRED, "a required model is not installed: bigger", .models = { "big", "bigger" } },
};
/* clang-format on */

/* 301 models, 110 KB. */
static void fill_many(void) {
        size_t n = (size_t)snprintf(many, sizeof(many), "{\"models\":[");

        for (unsigned i = 0; i < MANY; i++)
                n += (size_t)snprintf(
                                many + n, sizeof(many) - n,
                                "%s{\"name\":\"%s%04u:latest\",\"modified_at\":\"2026-11-30T00:40:"
                                "11.1Z\",\"size\":1613174016,\"digest\":\"fb2322bed14b42bc7a9a7465"
                                "29ff0dae8222022906f6cefb98492e030c6e83f6\",\"details\":{\"parent_"
                                "model\":\"\",\"format\":\"gguf\",\"family\":\"llama\",\"families\""
                                ":[\"llama\"],\"parameter_size\":\"1.2B\",\"context_length\":2048,"
                                "\"embedding_length\":2048},"
                                "\"capabilities\":[\"completion\"]}",
                                i > 0 ? "," : "", i + 1 == MANY ? "Big:latest\",\"x\":\"" : "m", i);
        (void)snprintf(many + n, sizeof(many) - n, "]}");
        ck_assert_uint_gt(n, 100000);
}

static const Reply *find(const Case *c, const char *path) {
        static const Reply missing = { .status = 404, .body = "not found" };

        for (size_t i = 0; i < PL_ARRAY_SIZE(c->answers) && c->answers[i].path; i++)
                if (pl_streq(c->answers[i].path, path) || pl_streq(c->answers[i].path, "*"))
                        return &c->answers[i];
        return &missing;
}

static void converse(const Case *c, const PlHttpSpec *s, PlHttpProbe *p, PlVerdict *ret) {
        unsigned n = 0;

        while (give(s, p, find(c, p->now.path), 4096, NOW, ret) == PL_PROBE_MORE)
                ck_assert_msg(n++ < 5, "%s: asks and asks", c->name);
}

START_TEST(truth) {
        const Case *c = &cases[_i];
        PlExpectList *expect = expectations(c->expect);
        PlOllamaLook look = {};
        PlHttpSpec spec = { .talk = pl_probe_kind_info(c->kind)->http,
                            .prefix = c->prefix,
                            .port = 3000,
                            .expect = expect,
                            .models = (char *const *)c->models };
        PlHttpProbe probe = { .ollama = c->kind == PL_PROBE_OLLAMA ? &look : NULL };
        PlVerdict v = {};

        fill_many();
        for (unsigned round = 0; round < 3; round++) {
                pl_probe_http_begin(&spec, &probe);
                converse(c, &spec, &probe, &v);
                if (round == 0)
                        check_verdict(c->name, &v, c->verdict, c->code, c->reason);
                else
                        check_verdict(c->name, &v, c->at_length, v.code, c->length_reason);
                if (pl_probe_http_rare(&spec, &probe, NOW, 10 * PL_USEC_PER_SEC)) {
                        converse(c, &spec, &probe, &v);
                        check_verdict(c->name, &v, c->at_length, v.code, c->length_reason);
                }
        }
        pl_expect_list_free(expect);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("cases");

        tcase_add_loop_test(t, truth, 0, PL_ARRAY_SIZE(cases));
        return run_case(t);
}
